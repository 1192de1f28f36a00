# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two faults at once: the observation that a server would give which has the networks of two scenarios. Pure.

Each endpoint is seen as the scenario that spoils it lets it be seen; where both do, as the one that fails at the earlier stage: it hides
the other. Where neither fails at a stage (what is wrong is in certificates, pages, or the further hellos) the worse of the two is seen. So
this stands for faults that sit at different places of one way, and says nothing of faults that change each other's nature.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from .scenarios import INCONCLUSIVE, NAMESPACE, NOT_READY, OTHER, PUBLIC, READY, WITH_COMPANY, Scenario

STAGES = ("resolve", "connect", "proxy", "hello", "handshake", "request", "websocket")
ALL_STAGES = len(STAGES)
"""Stands for the stage that failed where none did: what is wrong is in facts, or in the further hellos."""
REFUSALS = (403, 511)
"""With what the lab's proxies refuse a plain request: an answer like the endpoint's own, and no failed stage."""
WORST_FIRST = (NOT_READY, INCONCLUSIVE, READY)


@dataclass(frozen=True)
class Seen:
    """One scenario and its observation."""

    scenario: Scenario
    observation: Mapping[str, Any]
    verdict: str
    """What came of it alone; what is odd for one engine can be too much for the other."""

    def spoils(self, target: str) -> bool:
        """Whether something of the scenario's stands before this endpoint."""
        proxy = self.scenario.proxy
        if proxy is None:
            return any(fnmatchcase(target, pattern) for pattern in self.scenario.faults)
        # A proxy stands before all endpoints; which of them it spoils shows.
        answers = [attempt["stages"].get("request", {}).get("facts", {}).get("status") for attempt in self.attempts(target)]
        refused = any(status in REFUSALS for status in answers)
        return refused or self.failing(target) < ALL_STAGES or proxy.inspects(target.rpartition(":")[0])

    @property
    def odd(self) -> bool:
        """Nothing is wrong with it."""
        return not self.scenario.expects and self.verdict == READY

    @property
    def targets(self) -> list[str]:
        return list(dict.fromkeys(one["target"] for one in self.observation["attempts"] if one["wave"] == 1))

    def attempts(self, target: str) -> list[Mapping[str, Any]]:
        return [one for one in self.observation["attempts"] if one["wave"] == 1 and one["target"] == target]

    def failing(self, target: str) -> int:
        """The stage at which the endpoint fails, the one that went furthest counts."""
        return max(map(_failing, self.attempts(target)), default=0)


def _failing(attempt: Mapping[str, Any]) -> int:
    stages = attempt["stages"]
    failed = [number for number, name in enumerate(STAGES) if stages.get(name, {}).get("state") == "error"]
    # A hello of one's own that fails bars nothing where the platform's handshake stands.
    if failed[:1] == [STAGES.index("hello")] and stages.get("handshake", {}).get("state") == "ok":
        failed = failed[1:]
    return failed[0] if failed else ALL_STAGES


def why_not(one: Scenario, other: Scenario) -> str | None:
    """Why the two cannot stand around one server; None where they can."""
    for scenario in (one, other):
        if scenario.unreachable:
            return "the server itself is not reached"
        if NAMESPACE in scenario.needs:
            return "names of a namespace of its own"
        if scenario.variables or scenario.finds_proxy or scenario.direct is not None:
            return "options of its own"
        if scenario.proxy is not None and scenario.proxy.dead is not None and scenario is not one:
            return "one proxy is not there at all"
    if (one.proxy is None) is not (other.proxy is None):
        return "one is direct, the other over a proxy"
    trusts = {one.trust, other.trust}
    if len(trusts) > 1 and (OTHER in trusts or _distrusts(one, other)):
        return "the server trusts other roots"
    return None


def _distrusts(one: Scenario, other: Scenario) -> bool:
    """What is wrong with one of them is that the company's root is not there."""
    return any(
        mine.trust == PUBLIC and theirs.trust == WITH_COMPANY and ("APC141" in mine.expects or "APC144" in mine.expects)
        for mine, theirs in ((one, other), (other, one))
    )


def both(first: Seen, second: Seen) -> tuple[dict[str, Any], set[str]]:
    """The observation of both, and the endpoints at which the second hides what the first alone would show."""
    made = deepcopy(dict(first.observation))
    seconds = {target for target in first.targets if hides(second, first, target)}
    path = made["attempts"][0]["path"]
    attempts = [one for target in first.targets for one in (second if target in seconds else first).attempts(target)]
    attempts += list(_second_wave(first, second))
    made["attempts"] = [{**one, "path": path} for one in attempts]
    rechecks = [*first.observation["rechecks"], *second.observation["rechecks"]]
    chosen = {target: (second if target in seconds else first) for target in first.targets}
    made["rechecks"] = [
        {**one, "path": path} for one in rechecks if one in chosen.get(one["target"], first).observation["rechecks"]
    ]
    made["certificates"] = {**first.observation["certificates"], **second.observation["certificates"]}
    made["elapsed_ms"] = max(first.observation["elapsed_ms"], second.observation["elapsed_ms"])
    return made, {target for target in seconds if first.spoils(target)}


def hides(one: Seen, other: Seen, target: str) -> bool | None:
    """Whether the one hides the other at an endpoint; None: as likely the other way round."""
    if one.spoils(target) is not other.spoils(target):
        return one.spoils(target)
    # What is only odd about the cloud is behind what is wrong on the way.
    mine, theirs = ((seen.odd, seen.failing(target), WORST_FIRST.index(seen.verdict)) for seen in (one, other))
    return None if mine == theirs else mine < theirs


def orders(one: Seen, other: Seen) -> list[tuple[Seen, Seen]]:
    """The pair, and the pair the other way round where that may look different."""
    ties = any(hides(one, other, target) is None for target in one.targets if one.spoils(target))
    return [(one, other), *([(other, one)] if ties else [])]


def _second_wave(first: Seen, second: Seen) -> Iterator[Mapping[str, Any]]:
    """Every URL once, as the one lets it be seen that spoils it."""
    urls: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for name, seen in (("first", first), ("second", second)):
        for one in seen.observation["attempts"]:
            if one["wave"] == 2:
                urls.setdefault((one["target"], one["url"]), {})[name] = one
    for (target, _url), by in urls.items():
        preferred: Sequence[str] = ("second", "first") if hides(second, first, target) else ("first", "second")
        yield [by[name] for name in preferred if name in by][0]
