# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every Windows server of the lab, through real ansible-playbook over WinRM: the exact list of findings, and no other.

PowerShell 7 on this machine stands for Windows (tests/lab/personalities): this shows the logic and the protocol, not Windows.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from lab.fleet import lacking
from lab.play import WINRM, Outcome, play, without
from lab.windows import WINDOWS, WindowsServer, looks

pytestmark = pytest.mark.xdist_group("scenarios")
_PLAYED: list[Outcome] = []


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory, state: Path) -> Outcome:
    missing = without(WINRM)
    if missing:
        pytest.skip(missing)
    if not _PLAYED:
        together = [row.scenario for row in WINDOWS if not row.alone]
        for scenarios in (together, *([row.scenario] for row in WINDOWS if row.alone)):
            assert [lacking(one) for one in scenarios if lacking(one)] == []
            _PLAYED.append(play(tmp_path_factory.mktemp("windows"), scenarios, WINRM, forks=4, pki_folder=state / "pki", looks=looks))
    return Outcome(
        code=max(one.code for one in _PLAYED), text="\n".join(one.text for one in _PLAYED), folder=_PLAYED[0].folder, fleet={},
        hosts={name: report for one in _PLAYED for name, report in one.hosts.items()},
        commands={name: count for one in _PLAYED for name, count in one.commands.items()},
        written=frozenset(name for one in _PLAYED for name in one.written),
    )


def said(report: Mapping[str, Any]) -> dict[str, str]:
    """Finding to its worst status, of all that is not well; what only waits behind a cause is no word of its own."""
    found: dict[str, str] = {}
    for status in ("warn", "unknown", "fail"):
        for finding in report["findings"]:
            waits = finding["status"] == "unknown" and finding["because"]
            if finding["status"] == status and not waits:
                found[finding["id"]] = status
    return found


@pytest.mark.parametrize("row", WINDOWS, ids=lambda row: row.name)
def test_these_findings_and_no_other(row: WindowsServer, outcome: Outcome) -> None:
    assert row.name in outcome.hosts, outcome.text[-4000:]
    report = outcome.hosts[row.name]
    assert said(report) == row.scenario.expects, report["summary"]
    assert report["verdict"] == row.scenario.verdict, report["summary"]


def test_one_remote_command_for_each_server(outcome: Outcome) -> None:
    # The opt-in look as Network Service is a second task.
    assert outcome.commands == {row.name: 1 + (row.scenario.variables.get("preflight_as_service") is True) for row in WINDOWS}


def test_both_looks_are_judged_together(outcome: Outcome) -> None:
    looked = "the way that the service's own identity (Network Service) would take: seen as LAB\\engineer"
    assert looked not in outcome.hosts["as-service"]["not_covered"]
    assert looked in outcome.hosts["default-2022"]["not_covered"]
    (finding,) = [one for one in outcome.hosts["as-service-refused"]["findings"] if one["id"] == "APC903"]
    assert "the network as Network Service" in finding["evidence"]["facts"]


def test_no_registry_was_written(outcome: Outcome) -> None:
    assert outcome.written == frozenset()


@pytest.mark.parametrize(("name", "machine", "path"), [
    ("default-2022", "offers", "passes"),
    ("default-2012r2-without-sha512", "does_not_offer", "passes"),
    ("sha512-path-cuts", "offers", "cuts"),
    ("sha512-neither", "does_not_offer", "cuts"),
    ("sha512-inspected", "offers", "inspected"),
    ("sha512-inspected-without-root", "offers", "inspected"),
    ("rehearsed", "offers", "passes"),
    ("rehearsed-cut", "offers", "cuts"),
    ("rehearsed-in-vain", "cannot_use", "passes"),
])
def test_the_one_answer_on_sha512(name: str, machine: str, path: str, outcome: Outcome) -> None:
    answer = outcome.hosts[name]["sha512"]
    rehearsed = name.startswith("rehearsed")
    assert (answer["machine"], answer["path"], answer["rehearsed"]) == (machine, path, rehearsed), answer["text"]


def test_the_role_shows_a_certificate_on_one_host_only(tmp_path: Path, state: Path) -> None:
    missing = without(WINRM)
    if missing:
        pytest.skip(missing)
    rows = [row for row in WINDOWS if row.name in ("rehearsed", "rehearsed-cut")]
    played = play(tmp_path, [row.scenario for row in rows], WINRM, pki_folder=state / "pki", looks=looks)
    shown = {name: report["sha512"]["path"] for name, report in played.hosts.items()}
    assert shown == {"rehearsed": "passes", "rehearsed-cut": "passes"}
