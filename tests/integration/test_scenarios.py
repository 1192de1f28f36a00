# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every scenario of the lab, through real ansible-playbook and both engines: what must come of it, and the same codes from both.

One run of the playbook for each engine takes all servers; those that need a resolver of their own run in a namespace.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from lab import dns, pairs
from lab.fleet import INSIDE, TENANT, lacking, run_in_namespace
from lab.networks import NETWORKS
from lab.people import PEOPLE
from lab.play import LOCAL, RUN_ID, WINRM, Outcome, differences, play, read, without
from lab.scenarios import INCONCLUSIVE, NAMESPACE, NOT_READY, READY, SCENARIOS, Scenario
from lab.told import FORCED, saved, told
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


@pytest.mark.parametrize("one", SCENARIOS, ids=lambda one: one.name)
def test_both_engines_tell_the_same_facts_in_the_same_order(one: Scenario, folder: Path, state: Path) -> None:
    reports = [_report(one, engine, folder, state) for engine in (LOCAL, WINRM)]
    if one.forced:
        assert one.name in FORCED
        return
    if "preflight_deadline" in one.variables:
        # How far one comes until then is chance.
        return
    if not all(report["reached"] for report in reports):
        return
    kind = "named" if NAMESPACE in one.needs else "plain"
    local, winrm = (told(saved(folder / f"{engine}-{kind}" / "reports" / RUN_ID, one.name)) for engine in (LOCAL, WINRM))
    assert local == winrm


# --- two faults at once --------------------------------------------------------------------------------------------------


PAIRED = tuple(one for one in PLAIN if not one.unreachable)
STANDING = ("fail", "unknown", "warn")


def seen_alone(one: Scenario, engine: str, folder: Path, state: Path) -> pairs.Seen:
    verdict = _report(one, engine, folder, state)["verdict"]
    return pairs.Seen(one, saved(folder / f"{engine}-plain" / "reports" / RUN_ID, one.name), verdict)


def judged(observation: Mapping[str, Any], engine: str, roots: Path) -> Mapping[str, Any]:
    """As the playbook judges a server over one path."""
    from ansible_collections.appproxy.connector.plugins.plugin_utils import options, preflight
    from ansible_collections.appproxy.connector.plugins.plugin_utils.model import SeenFrom

    given = {"tenant_id": TENANT, "proxy": observation["attempts"][0]["path"], "connect_to_counts": True, "public_roots": str(roots)}
    parsed = options.parse_options(given, datetime.now(timezone.utc), options.SERVER_AREAS)
    planned = preflight.plan(parsed, "server", windows=engine == WINRM)
    return preflight.conclude(preflight.seen_from(planned, SeenFrom.SERVER if engine == WINRM else SeenFrom.CONTROLLER), observation)


def causes(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for one in report["findings"] if one["status"] in STANDING and not one["because"]]


def broken(report: Mapping[str, Any], first: Mapping[str, Any], second: Mapping[str, Any], hidden: set[str]) -> list[str]:
    """How the judgement of two faults breaks the rule: as bad as the worse of the two, and no cause of either lost but where the other
    hides it at each of its endpoints."""
    order = (READY, INCONCLUSIVE, NOT_READY)
    worst = max(first["verdict"], second["verdict"], key=order.index)
    said = [] if report["verdict"] == worst else [f"verdict {report['verdict']} in place of {worst}"]
    shown = {one["id"] for one in report["findings"] if one["status"] in STANDING}
    for one in causes(first):
        if one["id"] not in shown and not (one["endpoints"] and set(one["endpoints"]) <= hidden):
            said.append(f"{one['id']} ({one['status']}) is lost")
    return said


@pytest.mark.parametrize("engine", [LOCAL, WINRM])
def test_two_faults_at_once_are_never_better_than_one(engine: str, folder: Path, state: Path, say: Callable[[str], None]) -> None:
    possible = [one for one in PAIRED if not without(engine) and lacking_here(one) is None]
    if not possible:
        pytest.skip(without(engine) or "no scenario can be played here")
    roots = state / "pki" / "trust-public.pem"
    seen = {one.name: seen_alone(one, engine, folder, state) for one in possible if pairs.why_not(one, one) is None}
    alone = {name: judged(one.observation, engine, roots) for name, one in seen.items()}
    wrong, counted, left_out = [], 0, Counter[str]()
    for one, other in combinations(seen.values(), 2):
        reason = pairs.why_not(one.scenario, other.scenario)
        if reason:
            left_out[reason] += 1
            continue
        for first, second in pairs.orders(one, other):
            observation, hidden = pairs.both(first, second)
            counted += 1
            report = judged(observation, engine, roots)
            # What the second shows alone is hidden where the first won; which endpoints that are, is all that it spoils.
            lost = {target for target in second.targets if second.spoils(target) and first.spoils(target)} - hidden
            for mine, theirs, away in ((first, second, hidden), (second, first, lost)):
                said = broken(report, alone[mine.scenario.name], alone[theirs.scenario.name], away)
                wrong += [f"{mine.scenario.name} with {theirs.scenario.name}: {word}" for word in said]
    say(f"two faults at once, engine {engine}: {counted} pairs, {len(wrong)} of them wrong; left out: "
        + ", ".join(f"{number} ({why})" for why, number in left_out.items()))
    assert wrong == []
    assert counted > 1000


REALLY = (
    ("inspected-bootstrap", "websocket-cut"), ("revocation-blocked", "sign-in-blocked"), ("websocket-cut", "revocation-block-page"),
    ("revocation-blocked", "hello-reset"), ("inspected-bootstrap", "ocsp-down"), ("sha512-first-cut", "revocation-forbidden"),
    ("expired", "revocation-truncated"), ("sign-in-blocked", "captive-portal"),
)
"""Pairs that share no endpoint: they are played as one server, too."""


def test_what_two_faults_look_like_is_what_they_really_look_like(folder: Path, state: Path, tmp_path: Path) -> None:
    """The lab's own answer to a pair and the composed one are the same: so the matrix above speaks of real networks."""
    named = {one.name: one for one in PAIRED}
    chosen = [(named[one], named[other]) for one, other in REALLY if {one, other} <= set(named)]
    played = [replace(one, name=f"{one.name}-{other.name}", faults={**one.faults, **other.faults},
                      trust=max(one.trust, other.trust, key=len)) for one, other in chosen]
    outcome = play(tmp_path, played, LOCAL, forks=FORKS[LOCAL], pki_folder=state / "pki")
    compared = 0
    for real, (one, other) in zip(played, chosen, strict=True):
        observation, hidden = pairs.both(*(seen_alone(each, LOCAL, folder, state) for each in (one, other)))
        assert hidden == set(), f"{real.name} shares endpoints"
        composed = judged(observation, LOCAL, state / "pki" / "trust-public.pem")
        shown = outcome.hosts[real.name]
        assert {one["id"] for one in causes(shown)} == {one["id"] for one in causes(composed)}, real.name
        assert shown["verdict"] == composed["verdict"], real.name
        compared += 1
    assert compared == len(REALLY)


@pytest.mark.parametrize("engine", [LOCAL, WINRM])
def test_the_whole_table_was_played(engine: str, folder: Path, state: Path, say: Callable[[str], None]) -> None:
    possible = [one for one in SCENARIOS if not without(engine) and lacking_here(one) is None]
    if not possible:
        pytest.skip(without(engine) or "no scenario can be played here")
    for one in possible:
        _report(one, engine, folder, state)
    say(f"scenarios, engine {engine}: {len(possible)} of {len(SCENARIOS)} played")


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
            "Made from `tests/lab/scenarios.py`, `tests/lab/networks.py` (played by root), `tests/lab/windows.py` and",
            "`tests/lab/people.py` (the lists of these two are exact) by",
            "`APPPROXY_GOLDEN=write ./test tests/integration/test_scenarios.py -k every_finding`.",
            "Two ids with a bar: the network or the platform decides which of the two it is.", "",
            "| finding | given by | must not show in |", "| --- | --- | --- |"]
    for id_ in FINDINGS:
        played = (*SCENARIOS, *(one.scenario for one in NETWORKS))
        every = (*played, *(row.scenario for row in WINDOWS))
        given = [f"{one.name} ({ids})" if "|" in ids else one.name for one in every for ids in one.expects if id_ in ids.split("|")]
        given += [f"{person.name} (by {way})" for person in PEOPLE for way, expected in person.expects.items() if id_ in expected]
        absent = sum(id_ in one.absent for one in played) + sum(id_ not in row.scenario.expects for row in WINDOWS)
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
