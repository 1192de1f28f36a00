# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP over what TCP and TLS let through: does the service itself answer, or somebody in its place.

FOR INTERNAL COLLECTION USE ONLY. Pure. An answer counts as reached only on a connection whose chain is genuine: a block page is a
403 too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ..model import Phase, Status
from ..observe.observation import Stage, StageName
from .proxy import BLOCK_STATUSES
from .route import Route, Row, failed, not_run, passed, words

BLOCKED, SIGN_IN, WEBSOCKET, SERVICE = "APC151", "APC152", "APC153", "APC155"
INSPECTED = "APC141"
IDS = (BLOCKED, SIGN_IN, WEBSOCKET, SERVICE)

BOOTSTRAP_STATUS = 403
"""What the genuine bootstrap service says to whom shows no client certificate: an inspecting box passes it on."""


def judge_http(route: Route) -> Iterator[Row]:
    request = route.stage(StageName.REQUEST)
    if route.deferred or not route.connected or request is None or not_run(request):
        return
    if not route.endpoint.tls:
        yield _plain(route, request)
    elif route.genuine:
        yield from _genuine(route, request)
        yield from _websocket(route)
    elif route.intercepted:
        yield _intercepted(route, request)


def _id(route: Route) -> str:
    return SIGN_IN if route.endpoint.phase is Phase.SIGN_IN else BLOCKED


def _evidence(request: Stage) -> dict[str, Any]:
    headers: Mapping[str, tuple[str, ...]] = request.facts.get("headers", {})
    return {
        "status": request.facts.get("status", words(request)),
        "location": next(iter(headers.get("location", ())), "none"),
        "server": ", ".join((*headers.get("server", ()), *headers.get("via", ()))) or "not named",
    }


def _genuine(route: Route, request: Stage) -> Iterator[Row]:
    if request.ok:
        yield passed(_id(route), route)
        status = request.facts.get("status", 0)
        if status >= 500:
            yield failed(SERVICE, route, {"status": status}, status=Status.WARN, group=(str(status),))
        else:
            yield passed(SERVICE, route)
    elif route.asks_for_client_certificate:
        yield passed(_id(route), route, note="ends the connection without a client certificate, as it may")
    else:
        # Whether the names that exist only after registration answer a GET at all is documented nowhere.
        status = Status.UNKNOWN if route.endpoint.sample else Status.FAIL
        yield failed(_id(route), route, _evidence(request), status=status, group=(request.code,))


def _websocket(route: Route) -> Iterator[Row]:
    stage = route.stage(StageName.WEBSOCKET)
    if stage is None or not_run(stage):
        return
    if stage.ok:
        yield passed(WEBSOCKET, route)
    else:
        yield failed(WEBSOCKET, route, {"error": words(stage)}, group=(stage.code,))


def _foreign(host: str, location: str) -> bool:
    """A redirect to another domain: on a connection that nobody vouches for, somebody else's page."""
    target = urlsplit(location).hostname
    return target is not None and target.split(".")[-2:] != host.lower().split(".")[-2:]


def _answered_by_somebody_else(route: Route, request: Stage) -> bool:
    location, status = _evidence(request)["location"], request.facts.get("status")
    if route.endpoint.phase is Phase.BOOTSTRAP and status == BOOTSTRAP_STATUS:
        return False
    return status in BLOCK_STATUSES or (location != "none" and _foreign(route.endpoint.host, location))


def _intercepted(route: Route, request: Stage) -> Row:
    evidence = _evidence(request)
    if not request.ok or _answered_by_somebody_else(route, request):
        vouched = "x-ms-request-id" in request.facts.get("headers", {})
        if not (vouched and route.endpoint.phase is Phase.SIGN_IN):
            return failed(_id(route), route, evidence, group=(str(evidence["status"]),))
    if route.endpoint.phase is Phase.SIGN_IN and request.ok:
        return passed(SIGN_IN, route, note="through an inspecting box")
    return failed(_id(route), route, evidence, status=Status.UNKNOWN, because=(INSPECTED,))


def _plain(route: Route, request: Stage) -> Row:
    if not request.ok or _answered_by_somebody_else(route, request):
        evidence = _evidence(request)
        return failed(BLOCKED, route, evidence, group=(str(evidence["status"]),))
    return passed(BLOCKED, route, note="answers; plain http does not show who")
