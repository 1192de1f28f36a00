# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every format is made from: the findings of all hosts and of the tenant, one after the other. Pure.

Reports of hosts are read one by one and not kept, so that a format that writes as it goes needs the same memory for ten hosts and for
ten thousand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..judge.observed import COULD_NOT_OBSERVE
from ..model import Status
from .fleet_json import NO_RESULT_HINT, NO_RESULT_TITLE, Row

TENANT = "tenant"
"""Stands where a host's name stands, for what is about the tenant. No host is called so: a host's name has a kind beside it."""

_OPEN = (Status.FAIL.value, Status.UNKNOWN.value, Status.WARN.value)


@dataclass(frozen=True)
class Subject:
    """A host or the tenant, with its report."""

    name: str
    report: Mapping[str, Any]
    """Empty where this run has none of the host."""
    is_tenant: bool = False

    @property
    def findings(self) -> tuple[Mapping[str, Any], ...]:
        """Worst first, as the judges ordered them; a host without a result has one finding that says so."""
        return tuple(self.report["findings"]) if self.report else (_NO_RESULT,)

    @property
    def causes(self) -> tuple[Mapping[str, Any], ...]:
        """What is wrong, open or a warning, and explained by no other finding."""
        return tuple(one for one in self.findings if one["status"] in _OPEN and not one["because"])

    @property
    def verdict(self) -> str:
        return str(self.report["verdict"]) if self.report else "inconclusive"

    @property
    def headline(self) -> str:
        return str(self.report["headline"]) if self.report else f"Inconclusive: {NO_RESULT_TITLE} ({COULD_NOT_OBSERVE})."


_NO_RESULT: Mapping[str, Any] = {
    "id": COULD_NOT_OBSERVE, "name": "could-not-observe", "status": Status.UNKNOWN.value, "severity": "error", "owner": "tool",
    "title": NO_RESULT_TITLE, "evidence": {}, "hint": NO_RESULT_HINT, "docs": "", "endpoints": [], "path": None, "because": [],
    "waiver": None, "seen_from": "controller",
}


def places(finding: Mapping[str, Any]) -> tuple[str, ...]:
    """The endpoints that it is about; one empty name where it is about none."""
    return tuple(finding["endpoints"]) or ("",)


def fingerprint(host: str, finding: Mapping[str, Any], endpoint: str) -> str:
    """The same for the same finding of the same host at the same endpoint, whatever its words are today."""
    parts = (host, finding["id"], endpoint, str(finding["path"] or ""))
    return hashlib.sha256("\x00".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


Subjects = Callable[[], Iterable[Subject]]
"""Begins anew each time that it is called: some formats go over all twice."""


def subjects(rows: Callable[[], Iterable[Row]], tenant: Mapping[str, Any] | None) -> Subjects:
    """The tenant first, where it was asked."""

    def each() -> Iterator[Subject]:
        if tenant is not None and tenant["asked"]:
            yield Subject(TENANT, tenant, is_tenant=True)
        for row in rows():
            yield Subject(row.host, row.report or {})

    return each
