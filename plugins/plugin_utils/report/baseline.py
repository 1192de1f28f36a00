# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs compared: what is new, what was fixed, what stayed. Pure.

Compared are causes, not what waits behind them: a finding of a host at an endpoint that no other finding explains.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..judge.verdict import verdict_of_statuses
from ..model import Status, Verdict
from .rows import Subject, Subjects, fingerprint, places

NEW, UNCHANGED = "new", "unchanged"
FIXED_NAMED = 200
"""How many of the fixed findings fleet.json names; all are counted."""


@dataclass(frozen=True)
class Comparison:
    run_id: str
    """Of the baseline."""
    states: Mapping[str, str]
    """Fingerprint of what is open now to NEW or UNCHANGED."""
    fixed: tuple[Mapping[str, str], ...]

    def as_dict(self) -> dict[str, Any]:
        counted = list(self.states.values())
        return {
            "run_id": self.run_id, "new": counted.count(NEW), "unchanged": counted.count(UNCHANGED), "fixed": len(self.fixed),
            "fixed_findings": [dict(one) for one in self.fixed[:FIXED_NAMED]],
        }

    @property
    def remark(self) -> str:
        told = self.as_dict()
        return f"Compared with the run {self.run_id}: {told['new']} new, {told['fixed']} fixed, {told['unchanged']} unchanged."


def marks(subject: Subject) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Fingerprint of each open cause, and what it is of."""
    for finding in subject.causes:
        for endpoint in places(finding):
            yield fingerprint(subject.name, finding, endpoint), {"host": subject.name, "id": finding["id"], "endpoint": endpoint}


def compare(now: Subjects, before: Subjects, run_id: str) -> Comparison:
    """Hosts that this run does not have are not fixed: they were not looked at."""
    known = {mark: what for subject in before() for mark, what in marks(subject)}
    states: dict[str, str] = {}
    looked_at = set()
    for subject in now():
        looked_at.add(subject.name)
        states.update((mark, UNCHANGED if mark in known else NEW) for mark, _what in marks(subject))
    fixed = tuple(what for mark, what in known.items() if mark not in states and what["host"] in looked_at)
    return Comparison(run_id, states, fixed)


def only_new(report: Mapping[str, Any], name: str, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """The report with the causes that the earlier one of the same host does not have, and the verdict of those."""
    known = {mark for mark, _what in marks(Subject(name, before))} if before else set()
    new = [
        finding for finding in Subject(name, report).causes
        if any(fingerprint(name, finding, endpoint) not in known for endpoint in places(finding))
    ]
    verdict = verdict_of_statuses({Status(finding["status"]) for finding in new})
    if verdict.value == report["verdict"]:
        return {**report, "findings": new}
    headline = f"{report['headline']} Nothing of it is new." if verdict is Verdict.READY else f"New is: {new[0]['title']} ({new[0]['id']})."
    return {**report, "findings": new, "verdict": verdict.value, "headline": headline}
