# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxy of a path: does it answer, and does it open a way to the endpoint.

FOR INTERNAL COLLECTION USE ONLY. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ..model import Status
from ..observe.observation import Stage, StageName, State
from .addresses import same_site
from .observed import NOT_RUN
from .route import Route, Row, failed, not_run, passed, words

UNREACHABLE, AUTHENTICATION, DENIED, CANNOT_REACH, PORT, MALFORMED = "APC121", "APC122", "APC123", "APC124", "APC125", "APC126"
IDS = (UNREACHABLE, AUTHENTICATION, DENIED, CANNOT_REACH, PORT, MALFORMED)
BLOCK_STATUSES = (403, 407, 451, 470, 511)
"""What proxies and filters refuse with: 470 is Azure Firewall's, 511 a captive portal's."""
_NO_ANSWER = "none"
_NO_STATUS = "not told"


def judge_proxy(route: Route) -> Iterator[Row]:
    if route.direct:
        return
    reached = next((stage for stage in map(route.stage, (StageName.RESOLVE, StageName.CONNECT)) if stage and not stage.ok), None)
    if not_run(reached):
        return
    if reached is not None:
        # No group: where a router says so to some connections and nothing to the rest, it is one proxy that is gone.
        yield failed(UNREACHABLE, route, {"error": words(reached)}, status=route.loss(StageName.CONNECT))
        return
    stage = route.stage(StageName.PROXY)
    if stage is None or not_run(stage):
        return
    yield passed(UNREACHABLE, route)
    if route.deferred and stage.code != "auth_required":
        # Whether a revocation host that cannot be had is needed at all, revocation.py knows.
        return
    if stage.state is State.OK:
        yield from (passed(id_, route) for id_ in (AUTHENTICATION, DENIED, CANNOT_REACH, PORT, MALFORMED))
    else:
        yield _refusal(route, stage)


def _refusal(route: Route, stage: Stage) -> Row:
    status = stage.facts.get("status")
    if stage.code == "auth_required":
        challenges = ", ".join(dict.fromkeys(stage.facts.get("challenges", ()))) or "no scheme named"
        return failed(AUTHENTICATION, route, {"challenges": challenges, "status": status})
    if stage.code == "denied":
        return _denial(route, stage)
    if stage.code in ("bad_gateway", "timeout"):
        return failed(CANNOT_REACH, route, {"status": status or _NO_ANSWER}, group=(str(status),), status=route.loss(StageName.PROXY))
    return failed(MALFORMED, route, {"error": words(stage)}, group=(stage.code,), status=route.loss(StageName.PROXY))


def _denial(route: Route, stage: Stage) -> Row:
    status = stage.facts.get("status")
    return failed(DENIED, route, {"status": status or _NO_STATUS, "server": _server(stage)}, group=(str(status),))


def _server(stage: Stage) -> str:
    headers = stage.facts.get("headers", {})
    named = [value for name in ("server", "via", "proxy-agent", "x-squid-error") for value in headers.get(name, ())]
    return ", ".join(named[:2]) or "not named"


def _denied_in_plain(route: Route, stage: Stage) -> bool:
    """A plain request has one answer for both: the proxy's refusal looks like the far end's. Whom a proxy sends to another site, as to a
    log-in page, it denies, too."""
    request = route.stage(StageName.REQUEST)
    if request is None or not stage.facts.get("plain"):
        return False
    location = next(iter(request.facts.get("headers", {}).get("location", ())), "")
    return request.facts.get("status") in BLOCK_STATUSES or (bool(location) and not same_site(route.endpoint.host, location))


def refused_alike(rows: Iterable[Row], routes: Iterable[Route]) -> dict[str, tuple[object, ...]]:
    """Path to the one way in which its proxy refused every tunnel. To samples alone, which may not exist, it says nothing of itself."""
    opened = {route.path for route in routes if not route.deferred and route.connected}
    real: set[str] = set()
    ways: dict[str, set[tuple[object, ...]]] = {}
    for row in rows:
        if row.id in (AUTHENTICATION, DENIED, CANNOT_REACH, MALFORMED) and row.status is not Status.PASS and row.path and row.endpoint:
            ways.setdefault(row.path, set()).add((row.id, row.status, row.group))
            real |= set() if row.endpoint.sample else {row.path}
    return {path: next(iter(way)) for path, way in ways.items() if len(way) == 1 and path in real - opened}


def _in_plain(route: Route) -> Row | None:
    """What the proxy's refusal of a plain request would be called if it were one of a tunnel."""
    stage, request = route.stage(StageName.PROXY), route.stage(StageName.REQUEST)
    if stage is None or not_run(stage):
        return None
    if stage.state is State.ERROR:
        return _refusal(route, stage)
    return _denial(route, request) if request is not None and _denied_in_plain(route, stage) else None


def judge_plain(rows: Iterable[Row], routes: Sequence[Route], ids: Sequence[str], checks: Sequence[str]) -> tuple[Row, ...]:
    """A proxy that opens no tunnel and refuses plain requests just so is one cause, and who mends it gets all hosts at once. `ids`:
    those of what was asked for in plain; they stand for themselves where nobody asked for the cause (`checks`)."""
    rows = tuple(rows)
    ways = refused_alike(rows, routes)
    refused = {}
    for route in routes:
        row = _in_plain(route) if route.deferred and route.path in ways else None
        if row is not None and row.id in checks and (row.id, row.status, row.group) == ways[route.path]:
            refused[route.path, route.endpoint.id] = row
    return tuple(
        replace(refused[row.path, row.endpoint.id], endpoint=row.endpoint)
        if row.id in ids and row.status is Status.FAIL and row.endpoint and row.path and (row.path, row.endpoint.id) in refused else row
        for row in rows
    )


def explain_not_run(rows: Iterable[Row], routes: Iterable[Route]) -> tuple[Row, ...]:
    """What waited so long for a proxy that took nobody's connection that the deadline came first, waits behind that proxy."""
    rows = tuple(rows)
    took = {route.path for route in routes if (connect := route.stage(StageName.CONNECT)) is not None and connect.ok}
    gone = {row.path for row in rows if row.id == UNREACHABLE and row.status is not Status.PASS} - took
    return tuple(replace(row, because=(UNREACHABLE,)) if row.id == NOT_RUN and row.path in gone else row for row in rows)


def judge_ports(rows: Iterable[Row], routes: Iterable[Route]) -> tuple[Row, ...]:
    """A proxy that denies every endpoint of one port while another port goes through denies the port, not the names."""
    rows = tuple(rows)
    by_port: dict[tuple[str, int], list[bool]] = {}
    for route in routes:
        stage = route.stage(StageName.PROXY)
        if stage is not None and not not_run(stage):
            by_port.setdefault((route.path, route.endpoint.port), []).append(stage.code == "denied" or _denied_in_plain(route, stage))
    open_ports = {(path, port) for (path, port), denied in by_port.items() if not all(denied)}
    closed = {
        (path, port) for path, port in by_port
        if (path, port) not in open_ports and any(path == other for other, _port in open_ports)
    }
    return tuple(
        Row(PORT, row.status, row.endpoint, row.path, {"port": row.endpoint.port, "status": row.evidence["status"]},
            group=(str(row.endpoint.port),))
        if row.id == DENIED and row.status is Status.FAIL and row.endpoint and (row.path, row.endpoint.port) in closed
        else row
        for row in rows
    )
