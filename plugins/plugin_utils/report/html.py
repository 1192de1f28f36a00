# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTML file: no script, no outside resource, light and dark, to be read on a telephone and on paper. Pure but for the template.

Verdicts first, then causes, then a matrix of servers and endpoints to look at, then the certificate chains that were seen, folded over
servers, then every server's findings, folded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..catalogue.endpoints import endpoints
from ..model import Status
from .rows import Subject, Subjects
from .text import inert

NAME = "report.html"
DETAILED = 500
"""Servers whose findings are unfolded on demand; more stand in their own files only."""
LEAVES = 500
"""Different certificates of endpoints that are shown; more stand in the servers' own files only."""
_WORST = (Status.FAIL.value, Status.UNKNOWN.value, Status.WARN.value, Status.WAIVED.value)
SIGNS = {
    Status.FAIL.value: ("\u2717", "failed"), Status.UNKNOWN.value: ("?", "could not be seen"), Status.WARN.value: ("!", "warning"),
    Status.WAIVED.value: ("w", "waived"), "pass": ("\u2713", "nothing found"), "none": ("", "not looked at"),
}
"""Status to sign and word: colour is never the only difference."""


def dump(fleet: Mapping[str, Any], subjects: Subjects) -> Iterator[str]:
    """Piece by piece."""
    template = _environment().get_template("report.html.j2")
    gathered = _gather(subjects)
    columns = tuple(gathered.rules.items())

    def servers() -> Iterator[Subject]:
        return (one for one in subjects() if not one.is_tenant)

    yield from template.generate(
        fleet=fleet, servers=servers, detailed=lambda: islice(servers(), DETAILED), columns=columns,
        cells=lambda subject: _cells(subject, columns), signs=SIGNS, evidence=_evidence, chains=gathered.in_order(),
        cut=gathered.cut, limit=DETAILED,
    )


@dataclass
class _Leaf:
    """A certificate that an endpoint showed."""

    certificate: Mapping[str, str]
    endpoints: dict[str, None] = field(default_factory=dict)
    """In order, each once."""


@dataclass
class _Chain:
    """Leaves of the same issuers, folded over the servers that saw one: an inspecting box makes a leaf for every name."""

    standing: str
    trusted: bool | None
    issuer: str
    root: str
    issuers: list[Mapping[str, str]]
    leaves: dict[str, _Leaf] = field(default_factory=dict)
    """By SHA-256."""
    hosts: dict[str, None] = field(default_factory=dict)

    @property
    def endpoints(self) -> dict[str, None]:
        return {endpoint: None for leaf in self.leaves.values() for endpoint in leaf.endpoints}


@dataclass
class _Gathered:
    """What is known only when all servers were read once."""

    rules: dict[str, str] = field(default_factory=dict)
    """Documented rules and their phase, in the order of a connector's life, then whatever else findings name."""
    chains: dict[tuple[Any, ...], _Chain] = field(default_factory=dict)
    leaves: int = 0
    cut: bool = False
    """There were more leaves than are shown."""

    def add_chain(self, host: str, seen: Mapping[str, Any]) -> None:
        leaf, *issuers = seen["certificates"]
        key = (seen["standing"], seen["trusted"], leaf["issuer"], seen["root"], *(one["sha256"] for one in issuers))
        chain = self.chains.get(key) or _Chain(seen["standing"], seen["trusted"], leaf["issuer"], seen["root"], issuers)
        if leaf["sha256"] not in chain.leaves:
            if self.leaves == LEAVES:
                self.cut = True
                return
            self.leaves += 1
            chain.leaves[leaf["sha256"]] = _Leaf(leaf)
        self.chains[key] = chain
        chain.leaves[leaf["sha256"]].endpoints |= dict.fromkeys(seen["endpoints"])
        chain.hosts[host] = None

    def in_order(self) -> list[_Chain]:
        """What is not a public chain that is trusted first: it is what one looks for."""
        return sorted(self.chains.values(), key=lambda one: one.standing == "public" and one.trusted is not False)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined,
    )
    environment.filters["inert"] = inert
    return environment


def _gather(subjects: Subjects) -> _Gathered:
    gathered = _Gathered()
    for subject in subjects():
        for rule, phase in _rules(subject).values():
            gathered.rules.setdefault(rule, phase)
        # Reports of older releases have no chains.
        for chain in subject.report.get("chains", ()):
            gathered.add_chain(subject.name, chain)
    return gathered


def _rules(subject: Subject) -> Mapping[str, tuple[str, str]]:
    """Endpoint to rule with port, and phase."""
    judged = subject.report.get("judged") or {}
    if subject.is_tenant or not judged:
        return {}
    known = dict(_documented(str(judged.get("cloud")), judged.get("tenant_id"), judged.get("connector_version")))
    for finding in subject.findings:
        for name in finding["endpoints"]:
            known.setdefault(name, (str(name), "extra"))
    return known


@lru_cache(maxsize=64)
def _documented(cloud: str, tenant_id: str | None, version: str | None) -> tuple[tuple[str, tuple[str, str]], ...]:
    return tuple((one.id, (f"{one.stands_for}:{one.port}", one.phase.value)) for one in endpoints(cloud, tenant_id, version))


def _cells(subject: Subject, columns: tuple[tuple[str, str], ...]) -> list[str]:
    """The worst status at each rule. Where the server was not seen at all nothing is a pass."""
    rules = _rules(subject)
    if not subject.report.get("seen_at"):
        return [Status.UNKNOWN.value] * len(columns)
    found: dict[str, str] = {rule: "pass" for rule, _phase in rules.values()}
    for finding in subject.findings:
        for name in finding["endpoints"]:
            rule = rules[name][0]
            found[rule] = _worse(finding["status"], found[rule])
    return [found.get(rule, "none") for rule, _phase in columns]


def _worse(one: str, other: str) -> str:
    open_ = [status for status in _WORST if status in (one, other)]
    return open_[0] if open_ else other


def _evidence(value: Any) -> str:
    return inert(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str), limit=4000)
