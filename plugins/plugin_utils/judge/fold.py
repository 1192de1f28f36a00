# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fold: many rows with one cause are one finding.

FOR INTERNAL COLLECTION USE ONLY. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..catalogue.findings import FINDINGS
from ..model import Finding, FindingSpec, Owner, SeenFrom, Severity, Status
from .route import DIRECT, Row

_SHOWN = 4
"""Values of one evidence key that are named; the rest is counted."""


def some(values: Iterable[str], shown: int = 3) -> str:
    """`a, b, c and 12 more`."""
    distinct = list(dict.fromkeys(values))
    more = len(distinct) - shown
    return ", ".join(distinct[:shown]) + (f" and {more} more" if more > 0 else "")


def _merge(rows: Sequence[Row]) -> dict[str, Any]:
    """One value stays itself (a number a number); several are named, the first few of them."""
    merged: dict[str, Any] = {}
    for key in dict.fromkeys(key for row in rows for key in row.evidence):
        values = list(dict.fromkeys(row.evidence[key] for row in rows if key in row.evidence))
        merged[key] = values[0] if len(values) == 1 else some((str(value) for value in values), _SHOWN)
    notes = some((row.note for row in rows if row.note), _SHOWN)
    return {**merged, "note": notes} if notes else merged


def _severity(spec: FindingSpec, status: Status) -> Severity:
    if status is Status.WARN:
        return Severity.WARNING
    if status is Status.FAIL:
        return Severity.ERROR
    return spec.severity


def _placeholders(rows: Sequence[Row], evidence: Mapping[str, Any]) -> dict[str, Any]:
    endpoints = [row.endpoint for row in rows if row.endpoint]
    path = rows[0].path or ""
    return {
        **evidence,
        "endpoints": some(endpoint.id for endpoint in endpoints),
        "hosts": some((endpoint.stands_for for endpoint in endpoints), _SHOWN),
        "ports": " and ".join(str(port) for port in sorted({endpoint.port for endpoint in endpoints})),
        "count": len({endpoint.id for endpoint in endpoints}),
        "path": path,
        "proxy": "" if path == DIRECT else path.removeprefix("http://"),
    }


def _title(spec: FindingSpec, status: Status, values: Mapping[str, Any]) -> str:
    if status in (Status.PASS, Status.NOT_APPLICABLE):
        return f"{'Not seen' if status is Status.PASS else 'Not of this run'}: {spec.name}"
    title = spec.title.format_map(values)
    return f"Not certain: {title}" if status is Status.UNKNOWN and spec.owner is not Owner.TOOL else title


def _finding(rows: Sequence[Row], seen_from: SeenFrom) -> Finding:
    first = rows[0]
    spec = FINDINGS[first.id]
    evidence = _merge(rows)
    values = _placeholders(rows, evidence)
    return Finding(
        id=spec.id,
        name=spec.name,
        status=first.status,
        severity=_severity(spec, first.status),
        owner=first.owner or spec.owner,
        title=_title(spec, first.status, values),
        evidence=evidence,
        hint="" if first.status in (Status.PASS, Status.NOT_APPLICABLE) else spec.hint.format_map(values),
        docs=spec.docs,
        endpoints=tuple(dict.fromkeys(row.endpoint.id for row in rows if row.endpoint)),
        path=first.path,
        because=first.because,
        seen_from=seen_from,
    )


def without_findings(ids: Iterable[str], findings: Iterable[Finding], reasons: Mapping[str, str], seen_from: SeenFrom) -> list[Finding]:
    """An id that nobody had a word on: not of this path, or hidden by a cause before it, or (last) really not seen.

    `reasons` gives, for ids that do not apply, why.
    """
    findings = tuple(findings)
    spoken = {finding.id for finding in findings}
    causes = tuple(dict.fromkeys(one.id for one in findings if one.status in (Status.FAIL, Status.UNKNOWN) and not one.because))
    made = []
    for id_ in ids:
        if id_ in spoken:
            continue
        spec = FINDINGS[id_]
        reason = reasons.get(id_)
        status = Status.NOT_APPLICABLE if reason else Status.UNKNOWN
        hidden = "" if reason else f"an earlier cause hides it: {', '.join(causes)}" if causes else "nothing was seen that tells"
        made.append(Finding(
            id=id_, name=spec.name, status=status, severity=spec.severity, owner=spec.owner,
            title=f"{'Not of this run' if reason else 'Not seen yet'}: {spec.name}",
            evidence={"reason": reason or hidden},
            hint="" if reason else f"Mend {', '.join(causes)} first, then run again." if causes else _GAP,
            docs=spec.docs, because=() if reason else causes, seen_from=seen_from,
        ))
    return made


_GAP = "Nothing of this run tells. Run again with return_observation: true, and report it as a fault of the collection."


_ORDER = (Status.FAIL, Status.UNKNOWN, Status.WARN, Status.WAIVED, Status.PASS, Status.NOT_APPLICABLE)


def order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The worst first, causes before what they explain, then by id, path and endpoint: the same list for the same facts."""
    return tuple(sorted(findings, key=lambda one: (_ORDER.index(one.status), bool(one.because), one.id, one.path or "", one.endpoints)))


def fold(rows: Iterable[Row], seen_from: SeenFrom) -> tuple[Finding, ...]:
    """One finding for the rows of one id, path, status, owner and group."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(row.cause, []).append(row)
    return tuple(_finding(found, seen_from) for found in groups.values())
