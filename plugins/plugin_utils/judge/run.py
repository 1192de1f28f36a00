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
from functools import cache
from itertools import chain

from ..catalogue.findings import FINDINGS
from ..model import Area, Endpoint, Finding, Phase, SeenFrom, Status
from ..observe.observation import Observation
from ..roots import Roots
from . import (
    certificate,
    clock,
    dns,
    federation,
    hellos,
    http,
    middlebox,
    observed,
    platform_tls,
    proxy,
    rehearsals,
    revocation,
    samples,
    server,
    sha512,
    shown,
    tcp,
    tls,
    waived,
    ways,
)
from .chain import ChainReading, read_chain
from .context import Context
from .fold import fold, order, with_shown_causes, without_findings
from .route import DIRECT, ReadChain, Route, Row, routes
from .waivers import Waiver

PER_ROUTE = (
    dns.judge_dns, tcp.judge_tcp, tcp.judge_limit, proxy.judge_proxy, tls.judge_tls, certificate.judge_certificate, http.judge_http,
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
    connector_version: tuple[int, ...] | None = None
    installing_user: str | None = None
    rehearse_trust: bool = False
    rehearse_client_certificate: bool = False
    as_service_failed: str | None = None
    """Why the look as the service itself, which was asked for, is not there."""

    @property
    def context(self) -> Context:
        return Context(self.today, self.connector_version, self.installing_user)


@dataclass(frozen=True)
class Judgement:
    findings: tuple[Finding, ...]
    """Of the ids that were asked for, in order."""
    reached: frozenset[str]
    """Endpoints of which it was seen that they themselves answered (revocation: with real content)."""
    unused_waivers: tuple[Waiver, ...]
    paths: tuple[str, ...] = ()
    """On which the verdict stands."""
    sha512: sha512.Answer | None = None
    chains: tuple[shown.Shown, ...] = ()


@dataclass(frozen=True)
class _Look:
    """What was looked at, on which paths."""

    endpoints: Sequence[Endpoint]
    observation: Observation
    journeys: ways.Journeys
    routes: tuple[Route, ...]
    read: ReadChain
    detected: bool
    """The paths are those that the target found, and not named by somebody."""


def _look(endpoints: Sequence[Endpoint], observation: Observation, asked: Asked, read: ReadChain) -> _Look:
    journeys = ways.journeys(endpoints, observation, asked.paths, asked.installing_user is not None)
    detected = asked.paths is None and observation.identities is not None
    return _Look(endpoints, observation, journeys, routes(journeys, observation, read), read, detected)


def _of_the_network(look: _Look) -> Iterator[Row]:
    for route in look.routes:
        for judge_route in PER_ROUTE:
            yield from judge_route(route)
    for path in look.journeys:
        yield from hellos.judge_hellos(path, look.routes)
    yield from _revocation(look)
    yield from observed.judge_missing(look.journeys, look.routes, look.observation)
    yield from observed.judge_empty(look.observation)


def _revocation(look: _Look) -> Iterator[Row]:
    """Where the ways are known: as Windows fetches lists, whoever saw the chains, beside the service's own way."""
    taken = ways.revocation_ways(look.endpoints, look.observation) if look.detected else None
    for path in look.journeys:
        if taken is None:
            of_path = [route for route in look.routes if route.path == path]
            yield from revocation.judge_revocation(path, of_path, of_path, look.observation)
        elif path != taken.windows:
            yield from revocation.judge_revocation(path, look.routes, (), look.observation)
    if taken is None:
        return
    windows = tuple(revocation.judge_revocation(taken.windows, look.routes, look.routes, look.observation))
    hosts = [endpoint for endpoint in look.endpoints if endpoint.phase is Phase.REVOCATION]
    over_services_way = routes({taken.service: hosts}, look.observation, look.read)
    service = tuple(revocation.judge_revocation(taken.service, over_services_way, look.routes, look.observation))
    yield from ways.explain_revocation(taken, windows, service)


def _of_the_server(look: _Look, asked: Asked) -> Iterator[Row]:
    """What a Windows server tells of itself; nothing where it was not asked."""
    facts = look.observation.host
    if facts is None or asked.seen_from is not SeenFrom.SERVER:
        return
    yield from server.judge_server(facts, asked.context)
    yield from platform_tls.judge_platform_tls(facts, look.observation.platform_hello, asked.context)
    yield from server.judge_denied(facts)
    yield from ways.judge_ways(look.endpoints, look.journeys, look.observation, asked.installing_user, look.detected)
    yield from clock.judge_clock(look.routes, look.observation)
    yield from rehearsals.judge_rehearsals(look.observation.rehearsals, asked.rehearse_trust, asked.rehearse_client_certificate)


def _rows(look: _Look, asked: Asked) -> tuple[Row, ...]:
    """All judges, then the passes that look at their rows together."""
    rows: Iterable[Row] = _of_the_network(look)
    rows = proxy.explain_not_run(rows, look.routes)
    rows = proxy.judge_ports(rows, look.routes)
    rows = proxy.judge_plain(rows, look.routes, revocation.IDS, asked.checks)
    rows = samples.judge_samples(rows, look.routes)
    rows = certificate.judge_sign_in_alone(rows)
    rows = federation.judge_federation(rows)
    if look.detected:
        rows = (*rows, *ways.judge_known(look.endpoints, look.observation, asked.installing_user is not None))
        rows = ways.explain_by_revocation_way(rows)
        rows = ways.explain_captured(rows, look.endpoints, look.observation, asked.installing_user is not None)
    rows = (*rows, *_of_the_server(look, asked))
    rows = rehearsals.confirm(clock.explain_times(rows))
    if asked.as_service_failed is not None:
        rows = (*rows, observed.partly_observed(f"the network as Network Service ({asked.as_service_failed})"))
    return rows if asked.connect_to_counts else observed.redirected(rows, look.observation)


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
    federation.BLOCKED: (lambda one: one.phase is Phase.FEDERATION, "no federated account was named (admin_upn)"),
    http.WEBSOCKET: (lambda one: one.websocket is not None, "no endpoint of this run takes a WebSocket"),
}
"""Ids that are about some endpoints only, and what is said where none of them is there."""


def _not_of_the_path(path: str) -> dict[str, str]:
    if path == DIRECT:
        return dict.fromkeys(proxy.IDS, "no proxy on the path of what is needed")
    return dict.fromkeys((*dns.IDS, *tcp.IDS), "the proxy resolves and connects to what is needed")


def _not_of_this_run(endpoints: Sequence[Endpoint], journeys: ways.Journeys) -> dict[str, str]:
    """Ids that this run's paths and endpoints leave nothing to say for."""
    reasons = {id_: reason for id_, (about, reason) in _OF_SOME.items() if not any(map(about, endpoints))}
    directly = any(map(_leaves_open, journeys.get(DIRECT, ())))
    over = [judged for path, judged in journeys.items() if path != DIRECT]
    if not over or (directly and not any(map(_leaves_open, chain.from_iterable(over)))):
        reasons |= _not_of_the_path(DIRECT)
    if over and not directly:
        reasons |= next(_not_of_the_path(path) for path in journeys if path != DIRECT)
    return reasons


def _leaves_open(endpoint: Endpoint) -> bool:
    """Whether a check that nobody had a word on at this endpoint is still to be seen: not of what is not needed, and of revocation over
    plain http only the content counts, whatever is between."""
    return endpoint.needed and not (endpoint.phase is Phase.REVOCATION and not endpoint.tls)


_STAGES = range(101, 160)
"""Numbers of ids in the order of the stages: what fails at one hides the later ones of the same endpoint."""


def _comes_after(id_: str, failed: str) -> bool:
    number, before = int(id_[3:]), int(failed[3:])
    return before in _STAGES and number in _STAGES and before < number


def _is_about(id_: str, endpoint: Endpoint, path: str | None) -> bool:
    about = _OF_SOME[id_][0](endpoint) if id_ in _OF_SOME else True
    return about and id_ not in _not_of_the_path(path or "")


def _hidden(rows: Sequence[Row], checks: Sequence[str]) -> Iterator[Row]:
    """Checks that were asked for and not seen at a needed endpoint, because one failed before them that was not asked for.

    A product's name is information that nobody needs: that it was not seen leaves nothing open.
    """
    checks = [id_ for id_ in checks if id_ != middlebox.LIKELY]
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


OF_THE_SERVER = frozenset(
    spec.id for spec in FINDINGS.values() if spec.area in (Area.TRUST, Area.SERVER) and spec.id != hellos.SHA512
)
"""Ids that only the server itself can tell."""


def _tells_of_the_server(observation: Observation, asked: Asked) -> bool:
    """Whether it could: only a Windows server itself can."""
    return observation.family == "windows" and asked.seen_from is SeenFrom.SERVER


def _of_no_server(seen_from: SeenFrom) -> dict[str, str]:
    return dict.fromkeys(OF_THE_SERVER, f"seen from the {seen_from.value.replace('_', ' ')}: only a Windows server itself tells")


def judge(endpoints: Sequence[Endpoint], observation: Observation, roots: Roots, asked: Asked) -> Judgement:
    """All judges, then the fold. `endpoints`: those that the verdict is about."""

    @cache
    def read(ders: tuple[bytes, ...]) -> ChainReading:
        return read_chain(ders, observation.seen_at, roots)

    look = _look(endpoints, observation, asked, read)
    rows = _rows(look, asked)
    tells = _tells_of_the_server(observation, asked)
    if tells and observation.host is None and OF_THE_SERVER & set(asked.checks):
        rows = (*rows, observed.not_understood("the facts of the server are not in it: it was made with other options"))
    rows = waived.waive(_optional(with_shown_causes(rows, asked.checks)), asked.waivers, asked.host, asked.today)
    named = middlebox.judge_middleboxes(rows, look.routes, observation, asked.checks)
    rows = (*rows, *waived.waive(named, asked.waivers, asked.host, asked.today), *_hidden(rows, asked.checks))
    everything = fold(rows, asked.seen_from)
    findings = [finding for finding in everything if finding.id in asked.checks]
    reasons = {middlebox.LIKELY: middlebox.NOBODY, **_not_of_this_run(endpoints, look.journeys)}
    reasons |= {} if tells else _of_no_server(asked.seen_from)
    silent = without_findings(asked.checks, everything, reasons, asked.seen_from)
    return Judgement(
        order((*findings, *silent)), _reached(rows), waived.unused(rows, asked.waivers, asked.host), tuple(look.journeys),
        sha512.answer(rows, look.routes, observation, asked.seen_from), shown.shown(look.routes),
    )
