# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every scenario of the lab, through real ansible-playbook and both engines: what must come of it, and the same codes from both.

One run of the playbook for each engine takes all servers; those that need a resolver of their own run in a namespace.
"""

from __future__ import annotations

import base64
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from lab import dns
from lab.fleet import INSIDE, lacking, run_in_namespace
from lab.people import PEOPLE
from lab.play import LOCAL, RUN_ID, WINRM, Outcome, differences, play, read, without
from lab.scenarios import NAMESPACE, SCENARIOS, Scenario
from lab.windows import WINDOWS

pytestmark = pytest.mark.xdist_group("scenarios")
FORKS = {LOCAL: 8, WINRM: 4}
"""More would make the lab's servers so slow on two cores that healthy ones time out."""
PLAIN = tuple(one for one in SCENARIOS if NAMESPACE not in one.needs)
NAMED = tuple(one for one in SCENARIOS if NAMESPACE in one.needs)
_PLAYED: dict[tuple[str, bool], Outcome] = {}


def _possible(scenarios: tuple[Scenario, ...], engine: str) -> tuple[Scenario, ...]:
    return tuple(one for one in scenarios if lacking_here(one) is None)


def lacking_here(one: Scenario) -> str | None:
    """What the machine lacks, with the namespace counted as there where one can be made."""
    if NAMESPACE in one.needs:
        return dns.missing()
    return lacking(one)


def _play(folder: Path, state: Path, engine: str, named: bool) -> Outcome:
    """Once for each engine, and once more in a namespace."""
    if (engine, named) not in _PLAYED:
        scenarios = _possible(NAMED if named else PLAIN, engine)
        if not named:
            _PLAYED[engine, named] = play(folder, scenarios, engine, forks=FORKS[engine], pki_folder=state / "pki")
        else:
            command = [sys.executable, "-m", "lab.play", str(folder), engine, *(one.name for one in scenarios)]
            collections = os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(os.pathsep)[0]
            tests = str(Path(__file__).resolve().parent.parent)
            ended = run_in_namespace(command, capture_output=True, text=True, cwd=tests,
                                     env={**os.environ, "PYTHONPATH": os.pathsep.join([tests, collections])})
            _PLAYED[engine, named] = read(folder, ended.returncode, ended.stdout + ended.stderr)
    return _PLAYED[engine, named]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fleet")


def _report(one: Scenario, engine: str, folder: Path, state: Path) -> Mapping[str, Any]:
    missing = without(engine) or lacking_here(one)
    if missing:
        pytest.skip(missing)
    named = NAMESPACE in one.needs
    outcome = _play(folder / f"{engine}-{'named' if named else 'plain'}", state, engine, named)
    assert one.name in outcome.hosts, outcome.text[-4000:]
    return outcome.hosts[one.name]


FORCED = {
    line.split("|")[1].strip() for line in (Path(__file__).parents[2] / "docs/observation.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("|")
}
"""First cells of the tables: among them the scenarios in which the platform forces the engines apart."""


@pytest.mark.parametrize("engine", [LOCAL, WINRM])
@pytest.mark.parametrize("one", SCENARIOS, ids=lambda one: one.name)
def test_the_scenario_comes_out_as_designed(one: Scenario, engine: str, folder: Path, state: Path) -> None:
    report = _report(one, engine, folder, state)
    assert differences(one, report) == [], report["summary"]


@pytest.mark.parametrize("one", SCENARIOS, ids=lambda one: one.name)
def test_both_engines_give_the_same_codes(one: Scenario, folder: Path, state: Path) -> None:
    reports = [_report(one, engine, folder, state) for engine in (LOCAL, WINRM)]
    if one.forced:
        assert one.name in FORCED
        return
    from ansible_collections.appproxy.connector.plugins.plugin_utils.judge.run import OF_THE_SERVER

    # Of the server itself only one of the two can tell.
    codes = [
        {(finding["id"], finding["status"]) for finding in report["findings"] if finding["id"] not in OF_THE_SERVER} for report in reports
    ]
    assert codes[0] == codes[1], "\n".join(report["summary"] for report in reports)


FORCED_FACTS = {fact for row in FORCED if row.startswith("(facts)") for fact in re.findall(r"`(\w+\.\w+)`", row)}
"""Stage and fact, as `handshake.cipher`; of these the table says why they differ."""


def told(seen: Mapping[str, Any]) -> list[Any]:
    """What an engine saw, in its order, without what the lab makes anew for each run (ports, serial numbers, dates) and times."""
    names = {digest: _names(base64.b64decode(der)) for digest, der in seen["certificates"].items()}

    def fact(key: str, value: Any) -> Any:
        if key == "chain":
            # One platform shows what was sent, the other what it built of that: a certificate that was sent twice stands there once.
            return list(dict.fromkeys(names[digest] for digest in value))
        if key == "headers":
            return {name: values for name, values in value.items() if name != "date"}
        return value

    def stage(name: str, one: Mapping[str, Any]) -> Any:
        facts = {key: fact(key, value) for key, value in one.get("facts", {}).items() if f"{name}.{key}" not in FORCED_FACTS}
        return name, one["state"], _error(one.get("error", {})), {key: facts[key] for key in facts if key not in _by_chance(name, facts)}

    first = [
        (_without_port(one["path"]), one["target"], one["wave"], one["url"], [stage(name, of) for name, of in one["stages"].items()])
        for one in seen["attempts"]
    ]
    return [*first, [(_without_port(one["path"]), one["target"], one["stage"], one["result"]["state"]) for one in seen["rechecks"]]]


def _names(der: bytes) -> tuple[str, str]:
    certificate = x509.load_der_x509_certificate(der)
    return certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()


def _error(error: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without the platform's words, and what hangs on the second: a date in the first bytes, how many came of a slow answer."""
    first = {key: value[:20] if key == "first_bytes" else value for key, value in error.items() if key != "message"}
    # The table of differences has it: PowerShell on Linux cannot tell the two.
    first |= {"code": "nxdomain"} if first.get("code") == "no_data" else {}
    return {key: value for key, value in first.items() if key != "bytes" or value > 100}


def _by_chance(stage: str, facts: Mapping[str, Any]) -> set[str]:
    """Facts that differ between two runs of one engine, too."""
    # Keys and signatures made anew are a byte longer or shorter; whether the endpoint's own name was known in time.
    found = {"endpoint", *(["bytes"] if stage.startswith("hello") else [])}
    kind = "".join(facts.get("headers", {}).get("content-type", ()))
    body = base64.b64decode(facts.get("body") or "")
    # Lists and answers of responders carry their time, issuers their key, and openssl's page the command line with the port.
    if kind in ("application/pkix-crl", "application/ocsp-response", "application/pkix-cert") or b"s_server" in body:
        found.add("body")
    return found


def _without_port(path: str) -> str:
    return path.rpartition(":")[0] if path.startswith("http://") else path


@pytest.mark.parametrize("one", SCENARIOS, ids=lambda one: one.name)
def test_both_engines_tell_the_same_facts_in_the_same_order(one: Scenario, folder: Path, state: Path) -> None:
    reports = [_report(one, engine, folder, state) for engine in (LOCAL, WINRM)]
    if one.forced:
        assert one.name in FORCED
        return
    if not all(report["reached"] for report in reports):
        return
    kind = "named" if NAMESPACE in one.needs else "plain"
    seen = [
        json.loads((folder / f"{engine}-{kind}" / "reports" / RUN_ID / "observations" / f"{one.name}.json").read_text(encoding="utf-8"))
        for engine in (LOCAL, WINRM)
    ]
    assert told(seen[0]) == told(seen[1])


def test_one_remote_command_for_each_server(folder: Path, state: Path) -> None:
    missing = without(WINRM)
    if missing:
        pytest.skip(missing)
    outcome = _play(folder / f"{WINRM}-plain", state, WINRM, False)
    assert set(outcome.commands.values()) == {1}, outcome.commands


SHOWN_ELSEWHERE = {
    "APC301": "`tests/integration/test_admin.py`: the service itself is down there, whoever asks",
    "APC904": "`tests/integration/test_targets.py`: no network makes a target too old",
    "APC905": "`tests/integration/test_targets.py`: no network takes a library away",
    "APC422": "`tests/unit/test_judge_server.py`: this PowerShell knows no constrained language",
}
"""Findings that no network and no server of the lab makes: where they are shown."""


def table() -> str:
    """Every finding, the scenarios that give it, and how many must not: tests/lab/SCENARIOS.md."""
    from ansible_collections.appproxy.connector.plugins.plugin_utils.catalogue.findings import FINDINGS

    rows = ["# Findings and the scenarios that hold them", "",
            "Made from `tests/lab/scenarios.py`, `tests/lab/windows.py` and `tests/lab/people.py` (the lists of both are exact) by",
            "`APPPROXY_GOLDEN=write ./test tests/integration/test_scenarios.py -k every_finding`.",
            "Two ids with a bar: the network or the platform decides which of the two it is.", "",
            "| finding | given by | must not show in |", "| --- | --- | --- |"]
    for id_ in FINDINGS:
        every = (*SCENARIOS, *(row.scenario for row in WINDOWS))
        given = [f"{one.name} ({ids})" if "|" in ids else one.name for one in every for ids in one.expects if id_ in ids.split("|")]
        given += [f"{person.name} (by {way})" for person in PEOPLE for way, expected in person.expects.items() if id_ in expected]
        absent = sum(id_ in one.absent for one in SCENARIOS) + sum(id_ not in row.scenario.expects for row in WINDOWS)
        if FINDINGS[id_].area.value == "admin":
            absent = sum(id_ not in expected for person in PEOPLE for expected in person.expects.values())
        shown = ", ".join(given).replace("|", "\\|") or SHOWN_ELSEWHERE.get(id_, "")
        rows.append(f"| {id_} | {shown} | {f'{absent} scenarios' if absent else ''} |")
    return "\n".join(rows) + "\n"


def test_every_finding_has_a_scenario_that_gives_it_and_one_that_must_not() -> None:
    made = table()
    path = Path(__file__).parents[1] / "lab" / "SCENARIOS.md"
    if os.environ.get("APPPROXY_GOLDEN") == "write":
        path.write_text(made, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == made
    assert [row for row in made.splitlines() if "|  |" in row] == [], "a cell is empty"


def test_the_namespace_is_not_left_on() -> None:
    assert INSIDE not in os.environ
