# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All judges over one observation.

FOR INTERNAL COLLECTION USE ONLY. Pure: the same observation, endpoints and roots give the same findings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ..catalogue.findings import FINDINGS
from ..model import Area, Endpoint, Finding, Owner, Phase, SeenFrom, Status
from ..observe.observation import Observation
from ..roots import Roots
from . import certificate, dns, http, observed, proxy, revocation, samples, tcp, tls
from .chain import ChainReading, read_chain
from .fold import fold, order, without_findings
from .route import DIRECT, Route, Row, routes

PER_ROUTE = (
    dns.judge_dns, tcp.judge_tcp, proxy.judge_proxy, tls.judge_tls, certificate.judge_certificate, http.judge_http,
    observed.judge_deadline,
)


def _rows(endpoints: Sequence[Endpoint], seen: Sequence[Route], observation: Observation) -> Iterator[Row]:
    for route in seen:
        for judge in PER_ROUTE:
            yield from judge(route)
    for path in observation.paths():
        yield from revocation.judge_revocation(path, seen, observation)
    yield from observed.judge_missing(endpoints, seen, observation.paths())
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


def _not_of_this_run(endpoints: Iterable[Endpoint], paths: Iterable[str]) -> dict[str, str]:
    """Ids that this run's paths and endpoints leave nothing to say for."""
    paths, endpoints = tuple(paths), tuple(endpoints)
    reasons = {spec.id: "nothing of the kind was seen" for spec in FINDINGS.values() if spec.area is Area.TOOL or spec.owner is Owner.TOOL}
    if paths and all(path == DIRECT for path in paths):
        reasons.update(dict.fromkeys(proxy.IDS, "no proxy on the path"))
    if paths and DIRECT not in paths:
        reasons.update(dict.fromkeys((*dns.IDS, *tcp.IDS), "the proxy resolves and connects"))
    if not any(endpoint.phase is Phase.BOOTSTRAP for endpoint in endpoints):
        reasons[certificate.CLIENT_CERTIFICATE] = "without a tenant id the bootstrap endpoint has no name"
    if not any(endpoint.websocket for endpoint in endpoints):
        reasons[http.WEBSOCKET] = "no endpoint of this run takes a WebSocket"
    return reasons


def judge(
    endpoints: Sequence[Endpoint], observation: Observation, roots: Roots, *,
    asked: Sequence[str], connect_to_counts: bool, seen_from: SeenFrom,
) -> tuple[Finding, ...]:
    """Every finding of the ids in `asked`, in order. `endpoints` are those that the verdict is about."""

    def read(ders: tuple[bytes, ...], host: str) -> ChainReading:
        return read_chain(ders, host, observation.seen_at, roots)

    seen = routes(endpoints, observation, read)
    rows: Iterable[Row] = _rows(endpoints, seen, observation)
    rows = proxy.judge_ports(rows, seen)
    rows = samples.judge_samples(rows, seen)
    rows = certificate.judge_sign_in_alone(rows)
    if not connect_to_counts:
        rows = observed.redirected(rows, seen)
    findings = fold(_optional(row for row in rows if row.id in asked), seen_from)
    silent = without_findings(asked, findings, _not_of_this_run(endpoints, observation.paths()), seen_from)
    return order((*findings, *silent))
