# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdict: findings to one word, and to the sentences that a person acts on.

FOR INTERNAL COLLECTION USE ONLY. Pure. Every sentence of a verdict that a user sees stands here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..model import Finding, Status, Verdict
from .fold import ORDER, lower_first, some
from .middlebox import LIKELY
from .waivers import Waiver

NOT_COVERED = (
    "the real client certificate, which the service issues at registration",
    "the Service Bus names that the service assigns at registration (samples stand for their wildcard)",
    "renewal of the connector's certificate, months later",
    "connections that a firewall cuts after minutes of silence",
)
"""What nobody can see before an install."""
NOT_THE_INSTALLER = "proxy settings of the person who will run the installer (installing_user names nobody)"
NOT_THEIR_PAC = "what a PAC script answers to the services themselves: it was evaluated as {account}"
NOT_THE_SERVICE = "the way that the service's own identity (Network Service) would take: seen as {account}"


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """Any error: not ready. Else any unknown: inconclusive. Else ready."""
    return verdict_of_statuses({finding.status for finding in findings})


def verdict_of_statuses(statuses: Collection[Status]) -> Verdict:
    if Status.FAIL in statuses:
        return Verdict.NOT_READY
    return Verdict.INCONCLUSIVE if Status.UNKNOWN in statuses else Verdict.READY


def has_failed(verdict: Verdict, warned: bool, fail_on: str, unknown: str) -> bool:
    """`warned`: whether any finding is a warning."""
    if verdict is Verdict.NOT_READY and fail_on != "never":
        return True
    if verdict is Verdict.INCONCLUSIVE and unknown == "fail":
        return True
    return fail_on == "warning" and warned


def stopped_by_warnings(verdict: Verdict, warnings: Iterable[str], fail_on: str, unknown: str) -> str:
    """The sentence for a server that only its warnings stop; else empty. `warnings`: their ids."""
    ids = ", ".join(dict.fromkeys(warnings))
    alone = has_failed(verdict, bool(ids), fail_on, unknown) and not has_failed(verdict, False, fail_on, unknown)
    return f"Stopped because of fail_on: {fail_on} ({ids})." if alone else ""


def counts(findings: Iterable[Finding]) -> dict[str, int]:
    found = Counter(finding.status for finding in findings)
    return {status.value: found[status] for status in Status}


def causes(findings: Sequence[Finding]) -> tuple[dict[str, Any], ...]:
    """What to act on, in order: findings that no other one explains; last, what stands behind something that is not shown, since it was
    waived or not asked for."""
    acting = [one for one in findings if one.status in (Status.FAIL, Status.UNKNOWN, Status.WARN)]
    shown = [one for one in acting if not one.because]
    explained = _explained(acting, {one.id for one in shown})
    orphans = [one for one in acting if one.because and not explained.intersection(one.because)]
    hidden = [one for one in orphans if one.status is Status.UNKNOWN]
    shown += [one for one in orphans if one.status is not Status.UNKNOWN]
    ordered = sorted(shown, key=lambda one: (ORDER.index(one.status), -len(one.endpoints), one.id))
    waived = frozenset(one.id for one in findings if one.status is Status.WAIVED)
    return (*(_cause(replace(one, hint=_whose(one, acting))) for one in ordered), *_behind(hidden, waived))


def _whose(cause: Finding, acting: Iterable[Finding]) -> str:
    """The hint, and whose product it likely is, where something says so: a person looks for the owner of that."""
    named = [
        str(one.evidence["product"]) for one in acting
        if one.id == LIKELY and cause.id in one.because and one.path == cause.path and set(one.endpoints) & set(cause.endpoints)
    ]
    return f"{cause.hint} It is likely {some(named)} ({LIKELY})." if named else cause.hint


def _explained(acting: Sequence[Finding], shown: set[str]) -> set[str]:
    """Ids that are shown, or that one of them explains, over however many others."""
    known = set(shown)
    while more := {one.id for one in acting if known.intersection(one.because)} - known:
        known |= more
    return known


def _cause(one: Finding) -> dict[str, Any]:
    return {
        "id": one.id, "title": one.title, "hint": one.hint, "owner": one.owner.value, "status": one.status.value,
        "severity": one.severity.value, "endpoints": list(one.endpoints), "waits": len(one.endpoints), "path": one.path,
        "waiver": None if one.waiver is None else dict(one.waiver),
    }


def _behind(hidden: Sequence[Finding], waived: frozenset[str]) -> list[dict[str, Any]]:
    """One cause for all that was not seen: a waiver accepts what it names, not what comes after, and neither does not asking."""
    if not hidden:
        return []
    ids = list(dict.fromkeys(id_ for one in hidden for id_ in one.because))
    named, checks = ", ".join(ids), ", ".join(dict.fromkeys(one.id for one in hidden))
    if waived.issuperset(ids):
        hint = f"Mend {named}, or let this run pass with unknown: report. A waiver accepts a fault; it does not make seen what comes after."
    else:
        hint = f"{named} failed and was not asked for: run again without checks and skip_checks, and mend it."
    endpoints = tuple(dict.fromkeys(endpoint for one in hidden for endpoint in one.endpoints))
    return [_cause(replace(hidden[0], id=ids[0], title=f"What comes after {named} was not seen: {checks}", hint=hint, endpoints=endpoints))]


@dataclass(frozen=True)
class Seen:
    """What the sentences say besides the findings."""

    reached: int
    """How many endpoints were seen to answer themselves."""
    endpoints: int
    """How many the verdict is about."""
    paths: tuple[str, ...]
    seen_from: str
    seen_as: str


def _wait(count: int) -> str:
    if count == 0:
        return ""
    return "; 1 endpoint waits behind it" if count == 1 else f"; {count} endpoints wait behind it"


def _more(count: int) -> str:
    return "" if count < 1 else "1 more cause follows." if count == 1 else f"{count} more causes follow."


def _way(paths: Sequence[str]) -> str:
    return " and ".join("directly" if path == "direct" else f"through {path}" for path in paths) or "nowhere"


def _of_all(seen: Seen) -> str:
    if seen.reached == seen.endpoints:
        return f"all {seen.endpoints} endpoints" if seen.endpoints > 1 else "the one endpoint"
    return f"{seen.reached} of {seen.endpoints} endpoints"


def ready_server(seen: Seen) -> str:
    """What is ready, where a server is."""
    return f"{_of_all(seen)} reached {_way(seen.paths)}, seen from the {seen.seen_from.replace('_', ' ')} as {seen.seen_as}"


def headline(verdict: Verdict, found: Sequence[dict[str, Any]], ready: str) -> str:
    """The verdict and its first cause, without what to do. `ready`: what is ready, if it is."""
    if verdict is Verdict.READY:
        warnings = sum(cause["status"] == Status.WARN.value for cause in found)
        also = "" if not warnings else " 1 warning." if warnings == 1 else f" {warnings} warnings."
        return f"Ready: {ready}.{also}"
    word = "Not ready" if verdict is Verdict.NOT_READY else "Inconclusive"
    first = found[0]
    return f"{word}: {lower_first(first['title'])} ({first['id']}){_wait(first['waits'])}."


def summary(verdict: Verdict, found: Sequence[dict[str, Any]], ready: str, remarks: Sequence[str]) -> str:
    """One line: the headline, what to do about its cause, how many more there are, and the remarks on the run."""
    said = [headline(verdict, found, ready)]
    if verdict is not Verdict.READY:
        serious = sum(cause["status"] != Status.WARN.value for cause in found)
        said += [found[0]["hint"], _more(serious - 1)]
    return " ".join(part for part in (*said, *remarks) if part)


def about_waivers(findings: Sequence[Finding], unused: Iterable[Waiver]) -> tuple[str, ...]:
    """What a reader must know of waivers: which held, which no longer do, which cover nothing."""
    until = {one.waiver["id"]: one.waiver["until"] for one in findings if one.status is Status.WAIVED and one.waiver}
    expired = {one.waiver["id"]: one.waiver["until"] for one in findings if one.waiver and one.waiver.get("expired")}
    return (
        *((f"Waived: {', '.join(f'{id_} until {day}' for id_, day in until.items())}.",) if until else ()),
        *(f"The waiver of {id_} expired after {day}." for id_, day in expired.items()),
        *(f"The waiver of {waiver.id} until {waiver.until} covers nothing here." for waiver in unused),
    )


def message(line: str, found: Sequence[dict[str, Any]]) -> str:
    """The summary, then each cause with its owner and what to do: a module's `msg`."""
    rows = [line]
    for cause in found:
        rows.append(f"- {cause['id']} [{cause['status']}, {cause['owner']}] {cause['title']}")
        if cause["hint"]:
            rows.append(f"  {cause['hint']}")
    return "\n".join(rows)
