# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All judges over one observation.

FOR INTERNAL COLLECTION USE ONLY. Pure: the same observation, endpoints and roots give the same findings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from ..model import Endpoint, Finding, Phase, SeenFrom, Status
from ..observe.observation import Observation
from ..roots import Roots
from . import certificate, dns, http, observed, proxy, revocation, samples, tcp, tls, waived
from .chain import ChainReading, read_chain
from .fold import fold, order, without_findings
from .route import DIRECT, Route, Row, routes
from .waivers import Waiver

PER_ROUTE = (
    dns.judge_dns, tcp.judge_tcp, proxy.judge_proxy, tls.judge_tls, certificate.judge_certificate, http.judge_http,
    observed.judge_deadline, observed.judge_complete,
)


@dataclass(frozen=True)
class Asked:
    """What is wanted of a judgement."""

    checks: Sequence[str]
    """Finding ids."""
    paths: Sequence[str] | None
    """Path ids that the verdict is about; None: those that were looked over (nobody named one)."""
    connect_to_counts: bool
    seen_from: SeenFrom
    waivers: Sequence[Waiver]
    host: str
    today: date


@dataclass(frozen=True)
class Judgement:
    findings: tuple[Finding, ...]
    """Of the ids that were asked for, in order."""
    reached: frozenset[str]
    """Endpoints of which it was seen that they themselves answered (revocation: with real content)."""
    unused_waivers: tuple[Waiver, ...]


def _rows(endpoints: Sequence[Endpoint], seen: Sequence[Route], paths: Sequence[str], observation: Observation) -> Iterator[Row]:
    for route in seen:
        for judge_route in PER_ROUTE:
            yield from judge_route(route)
    for path in paths:
        yield from revocation.judge_revocation(path, seen, observation)
    yield from observed.judge_missing(endpoints, seen, paths, observation)
    yield from observed.judge_empty(observation)


def _optional(rows: Iterable[Row]) -> tuple[Row, ...]:
    """What is not needed to register and run never makes a server unready, nor its verdict open.

    Where the same cause hits a needed endpoint too, the optional ones stay with it: it is one cause.
    """
    rows = tuple(rows)
    needed = {row.cause for row in rows if row.endpoint is None or row.endpoint.needed}
    return tuple(
        replace(row, status=Status.WARN) if row.status in (Status.FAIL, Status.UNKNOWN) and row.cause not in needed else row
        for row in rows
    )


_OF_SOME: Mapping[str, tuple[Callable[[Endpoint], bool], str]] = {
    certificate.CLIENT_CERTIFICATE: (lambda one: one.phase is Phase.BOOTSTRAP, "without a tenant id the bootstrap endpoint has no name"),
    http.SIGN_IN: (lambda one: one.phase is Phase.SIGN_IN, "no endpoint of this run belongs to the sign-in"),
    http.BLOCKED: (lambda one: one.phase is not Phase.SIGN_IN, "every endpoint of this run belongs to the sign-in"),
    http.WEBSOCKET: (lambda one: one.websocket is not None, "no endpoint of this run takes a WebSocket"),
}
"""Ids that are about some endpoints only, and what is said where none of them is there."""


def _not_of_the_path(path: str) -> dict[str, str]:
    ids, reason = (proxy.IDS, "no proxy on the path") if path == DIRECT else ((*dns.IDS, *tcp.IDS), "the proxy resolves and connects")
    return dict.fromkeys(ids, reason)


def _not_of_this_run(endpoints: Sequence[Endpoint], paths: Sequence[str]) -> dict[str, str]:
    """Ids that this run's paths and endpoints leave nothing to say for."""
    reasons = {id_: reason for id_, (about, reason) in _OF_SOME.items() if not any(map(about, endpoints))}
    for path in paths:
        if all((path == DIRECT) is (other == DIRECT) for other in paths):
            reasons |= _not_of_the_path(path)
    return reasons


_STAGES = range(101, 160)
"""Numbers of ids in the order of the stages: what fails at one hides the later ones of the same endpoint."""


def _comes_after(id_: str, failed: str) -> bool:
    number, before = int(id_[3:]), int(failed[3:])
    return before in _STAGES and number in _STAGES and before < number


def _is_about(id_: str, endpoint: Endpoint, path: str | None) -> bool:
    about = _OF_SOME[id_][0](endpoint) if id_ in _OF_SOME else True
    return about and id_ not in _not_of_the_path(path or "")


def _hidden(rows: Sequence[Row], checks: Sequence[str]) -> Iterator[Row]:
    """Checks that were asked for and not seen at a needed endpoint, because one failed before them that was not asked for."""
    have = {(row.path, row.endpoint.id, row.id) for row in rows if row.endpoint}
    for row in rows:
        endpoint = row.endpoint
        if endpoint is None or not endpoint.needed or row.id in checks or row.status not in (Status.FAIL, Status.UNKNOWN):
            continue
        for id_ in checks:
            if _comes_after(id_, row.id) and _is_about(id_, endpoint, row.path) and (row.path, endpoint.id, id_) not in have:
                yield Row(id_, Status.UNKNOWN, endpoint, row.path, because=(row.id,))


def _reached(rows: Iterable[Row]) -> frozenset[str]:
    passed = {*http.REACHED, revocation.WRONG}
    return frozenset(row.endpoint.id for row in rows if row.endpoint and row.status is Status.PASS and row.id in passed)


def judge(endpoints: Sequence[Endpoint], observation: Observation, roots: Roots, asked: Asked) -> Judgement:
    """All judges, then the passes that look at their rows together, then the fold. `endpoints`: those that the verdict is about."""

    def read(ders: tuple[bytes, ...], host: str) -> ChainReading:
        return read_chain(ders, host, observation.seen_at, roots)

    paths = observation.paths() if asked.paths is None else asked.paths
    seen = routes(endpoints, paths, observation, read)
    rows: Iterable[Row] = _rows(endpoints, seen, paths, observation)
    rows = proxy.judge_ports(rows, seen)
    rows = samples.judge_samples(rows, seen)
    rows = certificate.judge_sign_in_alone(rows)
    if not asked.connect_to_counts:
        rows = observed.redirected(rows, observation)
    rows = waived.waive(_optional(rows), asked.waivers, asked.host, asked.today)
    rows = (*rows, *_hidden(rows, asked.checks))
    everything = fold(rows, asked.seen_from)
    findings = [finding for finding in everything if finding.id in asked.checks]
    silent = without_findings(asked.checks, everything, _not_of_this_run(endpoints, paths), asked.seen_from)
    return Judgement(order((*findings, *silent)), _reached(rows), waived.unused(rows, asked.waivers, asked.host))
