# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose product stands in the way, by what it says of itself: information beside the finding that it explains, never proof.

FOR INTERNAL COLLECTION USE ONLY. Pure. Read is only what another judge has called somebody else's: the issuers of a chain that is not
public, and answers that are not the service's. What the genuine service says is never looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..catalogue.middleboxes import SIGNS, Certainty, Kind, Sign
from ..model import Endpoint, Status
from ..observe.observation import Attempt, Observation, Stage, StageName
from . import certificate, http, proxy, revocation
from .chain import ChainReading, Standing
from .route import Route, Row, passed

LIKELY = "APC147"
NOBODY = "nothing that answered in the service's place, or refused the way to it, carries a product's name"

_READ: Mapping[str, tuple[StageName, ...]] = {
    certificate.INSPECTED: (StageName.HANDSHAKE, StageName.REQUEST),
    proxy.AUTHENTICATION: (StageName.PROXY,),
    proxy.DENIED: (StageName.PROXY,),
    proxy.CANNOT_REACH: (StageName.PROXY,),
    proxy.PORT: (StageName.PROXY,),
    proxy.MALFORMED: (StageName.PROXY,),
    http.BLOCKED: (StageName.REQUEST,),
    http.SIGN_IN: (StageName.REQUEST,),
    revocation.UNREACHABLE: (StageName.PROXY,),
    revocation.WRONG: (StageName.REQUEST,),
}
"""Finding to the stages whose word it has called somebody else's; of the handshake the issuers are read."""
_LONGEST = 80
"""Characters of what a target says that are shown of one sign."""


@dataclass(frozen=True)
class _Seen:
    sign: Sign
    shown: str
    row: Row
    """The finding that it goes with."""

    @property
    def text(self) -> str:
        where = " ".join(filter(None, (self.sign.kind.value, self.sign.part)))
        return f"{where} {self.shown[:_LONGEST]}"


def _named(sign: Sign, texts: Iterable[str]) -> str:
    return next((text for text in texts if sign.found_in(text)), "")


def _in_chain(route: Route) -> Iterator[tuple[Sign, str]]:
    readings: Iterable[ChainReading | None] = (route.chain, route.hello_chain)
    issuers = [part for one in readings if one is not None and one.standing is not Standing.PUBLIC for part in one.issuers]
    for sign in SIGNS:
        if sign.kind is Kind.ISSUER and (shown := _named(sign, (text for part, text in issuers if part == sign.part))):
            yield sign, shown


def _in_answer(stage: Stage) -> Iterator[tuple[Sign, str]]:
    headers = stage.facts.get("headers", {})
    page = stage.facts.get("body", b"").decode("latin-1")
    for sign in SIGNS:
        if sign.kind is Kind.HEADER:
            shown = _named(sign, headers.get(sign.part, ()))
        elif sign.kind is Kind.PAGE:
            shown = sign.found_in(page)
        else:
            shown = sign.found_in(str(stage.facts.get("status", ""))) if sign.kind is Kind.STATUS else ""
        if shown:
            yield sign, shown


def _at(row: Row, attempts: Sequence[Attempt], route: Route | None) -> Iterator[_Seen]:
    for name in _READ[row.id]:
        found: list[tuple[Sign, str]] = []
        if name is StageName.HANDSHAKE:
            found = list(_in_chain(route)) if route else []
        elif route is None or not route.genuine:
            stages = (attempt.stages.get(name) for attempt in attempts)
            found = [one for stage in stages if stage is not None for one in _in_answer(stage)]
        yield from (_Seen(sign, shown, row) for sign, shown in found)


def _seen(rows: Sequence[Row], routes: Iterable[Route], observation: Observation) -> Iterator[_Seen]:
    attempts: dict[tuple[str, str], list[Attempt]] = {}
    for attempt in observation.attempts:
        attempts.setdefault((attempt.path, attempt.target), []).append(attempt)
    by_place = {(route.path, route.endpoint.id): route for route in routes}
    for row in rows:
        if row.id in _READ and row.status is not Status.PASS and row.endpoint is not None:
            place = (row.path or "", row.endpoint.id)
            # Of a host that gives several lists, what was said for this one.
            asked = (one for one in attempts.get(place, ()) if one.url in (None, row.endpoint.source))
            yield from _at(row, tuple(asked), by_place.get(place))


def _waived(seen: Iterable[_Seen]) -> bool:
    """Who accepts all that it goes with needs no name for it."""
    return all(one.row.status is Status.WAIVED for one in seen)


def _row(seen: Sequence[_Seen], best: Certainty, because: tuple[str, ...]) -> Row:
    """One endpoint's word."""
    first, waived = seen[0], _waived(seen)
    evidence = {
        "product": first.sign.product,
        "certainty": best.value,
        "signs": "; ".join(dict.fromkeys(one.text for one in seen)),
        "known_from": ", ".join(dict.fromkeys(one.sign.source.url for one in seen if one.sign.certainty is best)) or first.sign.source.url,
    }
    return Row(
        LIKELY, Status.WAIVED if waived else Status.WARN, first.row.endpoint, first.row.path, evidence, because,
        group=(first.sign.product,), waiver=first.row.waiver if waived else None,
    )


def judge_middleboxes(rows: Iterable[Row], routes: Iterable[Route], observation: Observation, checks: Sequence[str]) -> Iterator[Row]:
    """One finding for each product on a path, beside all that it explains there. `rows`: after the waivers."""
    rows, routes = tuple(rows), tuple(routes)
    places: dict[tuple[str | None, str, Endpoint | None], list[_Seen]] = {}
    for one in _seen(rows, routes, observation):
        places.setdefault((one.row.path, one.sign.product, one.row.endpoint), []).append(one)
    findings: dict[tuple[str | None, str, bool], list[list[_Seen]]] = {}
    for (path, product, _endpoint), of_place in places.items():
        findings.setdefault((path, product, _waived(of_place)), []).append(of_place)
    for (_path, _product, waived), of_finding in findings.items():
        signs = [one for of_place in of_finding for one in of_place]
        best = min((one.sign.certainty for one in signs), key=list(Certainty).index)
        explained = {one.row.id for one in signs if waived or one.row.status is not Status.WAIVED}
        because = tuple(sorted(explained.intersection(checks)))
        yield from (_row(of_place, best, because) for of_place in of_finding)
    answered = {(row.path, row.endpoint.id) for row in rows if row.endpoint and row.status is Status.PASS and row.id in http.REACHED}
    yield from (passed(LIKELY, one) for one in routes if one.genuine and (one.path, one.endpoint.id) in answered)
