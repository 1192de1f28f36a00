# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fold: many rows with one cause are one finding.

FOR INTERNAL COLLECTION USE ONLY. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..catalogue.findings import FINDINGS
from ..model import Area, Finding, FindingSpec, Owner, SeenFrom, Severity, Status
from .route import DIRECT, Row

_SHOWN = 4
"""Values of one evidence key, and hosts in a title, that are named; the rest is counted."""
_ALL = 1000
_LONGEST = 160
"""Characters of one evidence value inside a title or hint; the finding's evidence has it whole."""


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
        return Severity.INFO if spec.severity is Severity.INFO else Severity.WARNING
    if status is Status.FAIL:
        return Severity.ERROR
    return spec.severity


def _line(value: Any) -> Any:
    """Evidence inside a sentence: what a target says can be long, and must not make lines of its own."""
    text = " ".join(value.split()) if isinstance(value, str) else value
    return f"{text[:_LONGEST - 3]}..." if isinstance(text, str) and len(text) > _LONGEST else text


def _placeholders(rows: Sequence[Row], evidence: Mapping[str, Any], shown: int) -> dict[str, Any]:
    """`shown`: how many hosts are named; a title names a few, a hint that a rule is made of names all, the needed ones first."""
    endpoints = sorted((row.endpoint for row in rows if row.endpoint), key=lambda one: not one.needed)
    path = rows[0].path or ""
    return {
        **{key: _line(value) for key, value in evidence.items()},
        "endpoints": some(endpoint.id for endpoint in endpoints),
        "hosts": some((endpoint.stands_for for endpoint in endpoints), shown),
        "ports": " and ".join(str(port) for port in sorted({endpoint.port for endpoint in endpoints})),
        "count": len({endpoint.id for endpoint in endpoints}),
        "path": path,
        "proxy": "" if path == DIRECT else path.removeprefix("http://"),
    }


_WITHOUT_WORDS = {Status.PASS: "Not seen", Status.NOT_APPLICABLE: "Not of this run"}
_NOT_SEEN = "Not seen yet"


def _mend(causes: Iterable[str]) -> str:
    return f"Mend {', '.join(causes)} first, then run again."


def lower_first(text: str) -> str:
    """For a sentence that goes on with a title; abbreviations and names of hosts stay as they are."""
    word = text.split(" ", maxsplit=1)[0]
    return text if word[1:].lower() != word[1:] or "." in word else text[:1].lower() + text[1:]


def _words(spec: FindingSpec, rows: Sequence[Row], evidence: Mapping[str, Any]) -> tuple[str, str]:
    """Title and hint. What passed, or does not apply, needs no sentence, and most findings are that."""
    first = rows[0]
    if first.status in _WITHOUT_WORDS:
        return f"{_WITHOUT_WORDS[first.status]}: {spec.name}", ""
    # Waived is what was seen, too: then it has the evidence that its sentence needs.
    waits = first.status is Status.UNKNOWN or (first.status is Status.WAIVED and bool(spec.evidence))
    if waits and first.because and not first.evidence:
        return f"{_NOT_SEEN}: {spec.name}", _mend(first.because)
    title = spec.title.format_map(_placeholders(rows, evidence, _SHOWN))
    if first.status is Status.UNKNOWN and spec.owner is not Owner.TOOL and not spec.tells_what_was_not_seen:
        title = f"Not certain: {lower_first(title)}"
    return title, spec.hint.format_map(_placeholders(rows, evidence, _ALL))


def _finding(rows: Sequence[Row], seen_from: SeenFrom) -> Finding:
    first = rows[0]
    spec = FINDINGS[first.id]
    evidence = _merge(rows)
    title, hint = _words(spec, rows, evidence)
    return Finding(
        id=spec.id,
        name=spec.name,
        status=first.status,
        severity=_severity(spec, first.status),
        owner=first.owner or spec.owner,
        title=title,
        evidence=evidence,
        hint=hint,
        docs=spec.docs,
        endpoints=tuple(dict.fromkeys(row.endpoint.id for row in rows if row.endpoint)),
        path=first.path,
        because=first.because,
        waiver=_waiver(first),
        seen_from=seen_from,
    )


def _waiver(row: Row) -> dict[str, Any] | None:
    if row.waiver is None:
        return None
    return {**row.waiver.as_dict(), **({} if row.status is Status.WAIVED else {"expired": True})}


def with_shown_causes(rows: Iterable[Row], checks: Sequence[str]) -> tuple[Row, ...]:
    """What failed stands for itself where nobody asked for its cause."""
    return tuple(
        replace(row, because=tuple(id_ for id_ in row.because if id_ in checks)) if row.status is Status.FAIL else row for row in rows
    )


def without_findings(ids: Iterable[str], findings: Iterable[Finding], reasons: Mapping[str, str], seen_from: SeenFrom) -> list[Finding]:
    """An id that nobody had a word on: not of this run, or hidden by a cause before it, or (last) really not seen.

    `reasons` gives, for ids that do not apply, why.
    """
    findings = tuple(findings)
    spoken = {finding.id for finding in findings}
    hiding = (Status.FAIL, Status.UNKNOWN, Status.WAIVED)
    # Information hides nothing, waived or not.
    hide = (one.id for one in findings if one.status in hiding and not one.because and one.severity is not Severity.INFO)
    causes = tuple(dict.fromkeys(hide))
    return [_silent(FINDINGS[id_], reasons.get(id_), causes, seen_from) for id_ in ids if id_ not in spoken]


def _silent(spec: FindingSpec, reason: str | None, causes: tuple[str, ...], seen_from: SeenFrom) -> Finding:
    if reason:
        return _unsaid(spec, Status.NOT_APPLICABLE, f"{_WITHOUT_WORDS[Status.NOT_APPLICABLE]}: {spec.name}", reason, "", (), seen_from)
    if spec.area is Area.TOOL:
        return _unsaid(spec, Status.PASS, f"{_WITHOUT_WORDS[Status.PASS]}: {spec.name}", "nothing of the kind happened", "", (), seen_from)
    title = f"{_NOT_SEEN}: {spec.name}"
    if not causes:
        return _unsaid(spec, Status.UNKNOWN, title, "nothing was seen that tells", _GAP, (), seen_from)
    return _unsaid(spec, Status.UNKNOWN, title, f"hidden by {', '.join(causes)}", _mend(causes), causes, seen_from)


def _unsaid(
    spec: FindingSpec, status: Status, title: str, reason: str, hint: str, because: tuple[str, ...], seen_from: SeenFrom
) -> Finding:
    return Finding(
        id=spec.id, name=spec.name, status=status, severity=spec.severity, owner=spec.owner, title=title, evidence={"reason": reason},
        hint=hint, docs=spec.docs, because=because, seen_from=seen_from,
    )


_GAP = "Nothing of this run tells. Run again with return_observation: true, and report it as a fault of the collection."

ORDER = (Status.FAIL, Status.UNKNOWN, Status.WARN, Status.WAIVED, Status.PASS, Status.NOT_APPLICABLE)
"""The worst first."""


def order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The worst first, causes before what they explain, then by id, path and endpoint: the same list for the same facts."""
    return tuple(sorted(findings, key=lambda one: (ORDER.index(one.status), bool(one.because), one.id, one.path or "", one.endpoints)))


def fold(rows: Iterable[Row], seen_from: SeenFrom) -> tuple[Finding, ...]:
    """One finding for the rows of one id, path, status, owner and group."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(row.cause, []).append(row)
    return tuple(_finding(found, seen_from) for found in groups.values())
