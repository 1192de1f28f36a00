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

from ..model import Phase, Status
from ..observe.observation import Stage, StageName
from .addresses import same_site
from .certificate import INSPECTED
from .observed import NOT_UNDERSTOOD
from .proxy import BLOCK_STATUSES
from .route import Route, Row, failed, not_run, passed, words

BLOCKED, SIGN_IN, WEBSOCKET, SERVICE, CUT = "APC151", "APC152", "APC153", "APC155", "APC156"
REACHED = (BLOCKED, SIGN_IN)
"""What a route passes whose service answered."""

SIGN_IN_MARK = "x-ms-request-id"
"""A header of the sign-in service's answers, which an inspecting box carries on."""
BOOTSTRAP_STATUS = 403
"""What the genuine bootstrap service says to whom shows no client certificate: an inspecting box passes it on."""


def judge_http(route: Route) -> Iterator[Row]:
    request = route.stage(StageName.REQUEST)
    if route.deferred or not route.connected or request is None or not_run(request):
        return
    if _says_nothing(request):
        yield _not_understood(route, "request")
    elif not route.endpoint.tls:
        yield from _plain(route, request)
    elif route.genuine:
        yield from _genuine(route, request)
        yield from _websocket(route)
    elif route.intercepted:
        yield from _intercepted(route, request)


def _says_nothing(stage: Stage) -> bool:
    return stage.ok and not isinstance(stage.facts.get("status"), int)


def _not_understood(route: Route, stage: str) -> Row:
    return failed(NOT_UNDERSTOOD, route, {"error": "an answer without a status"}, status=Status.UNKNOWN, group=(stage,))


def _reached(route: Route) -> str:
    """The id that a route passes where its service answered."""
    return SIGN_IN if route.endpoint.phase is Phase.SIGN_IN else BLOCKED


def _evidence(request: Stage) -> dict[str, Any]:
    headers: Mapping[str, tuple[str, ...]] = request.facts.get("headers", {})
    return {
        "status": request.facts["status"],
        "location": next(iter(headers.get("location", ())), "none"),
        "server": ", ".join((*headers.get("server", ()), *headers.get("via", ()))) or "not named",
    }


def _cut(route: Route, request: Stage, status: Status) -> Row:
    if route.endpoint.phase is Phase.SIGN_IN:
        return failed(SIGN_IN, route, {"status": words(request), "location": "none"}, status=status, group=(request.code,))
    return failed(CUT, route, {"error": words(request)}, status=status, group=(request.code,))


def _genuine(route: Route, request: Stage) -> Iterator[Row]:
    if request.ok:
        yield passed(_reached(route), route)
        yield passed(CUT, route)
        status = request.facts["status"]
        if status >= 500:
            yield failed(SERVICE, route, {"status": status}, status=Status.WARN, group=(str(status),))
        else:
            yield passed(SERVICE, route)
    elif route.endpoint.phase is Phase.BOOTSTRAP and route.asks_for_client_certificate and request.code == "closed":
        yield passed(_reached(route), route, note="ends the connection without a client certificate, as it may")
    else:
        # Whether the names that exist only after registration answer a GET at all is documented nowhere.
        yield _cut(route, request, Status.UNKNOWN if route.endpoint.sample else route.loss(StageName.REQUEST))


def _websocket(route: Route) -> Iterator[Row]:
    stage = route.stage(StageName.WEBSOCKET)
    if stage is None or not_run(stage):
        return
    if _says_nothing(stage):
        yield _not_understood(route, "websocket")
    elif stage.ok:
        yield passed(WEBSOCKET, route)
    else:
        yield failed(WEBSOCKET, route, {"error": words(stage)}, group=(stage.code,), status=route.loss(StageName.WEBSOCKET))


def _answered_by_somebody_else(route: Route, request: Stage) -> bool:
    evidence = _evidence(request)
    if route.endpoint.phase is Phase.BOOTSTRAP and evidence["status"] == BOOTSTRAP_STATUS:
        return False
    sent_away = evidence["location"] != "none" and not same_site(route.endpoint.host, evidence["location"])
    return evidence["status"] in BLOCK_STATUSES or sent_away


def _intercepted(route: Route, request: Stage) -> Iterator[Row]:
    """Nobody vouches for what answers, but the sign-in service marks its answers."""
    sign_in = route.endpoint.phase is Phase.SIGN_IN
    if not request.ok:
        yield _cut(route, request, Status.FAIL)
    elif sign_in and SIGN_IN_MARK in request.facts.get("headers", {}):
        yield passed(SIGN_IN, route, note="through an inspecting box")
    elif _answered_by_somebody_else(route, request):
        evidence = _evidence(request)
        yield failed(_reached(route), route, evidence, group=(str(evidence["status"]),))
    else:
        # Inspected sign-in hosts are tolerated (certificate.py), so that this has to speak for itself where they are needed.
        because = () if sign_in and route.endpoint.needed else (INSPECTED,)
        yield failed(_reached(route), route, _evidence(request), status=Status.UNKNOWN, because=because)


def _plain(route: Route, request: Stage) -> Iterator[Row]:
    if not request.ok:
        yield _cut(route, request, Status.FAIL)
    elif _answered_by_somebody_else(route, request):
        evidence = _evidence(request)
        yield failed(BLOCKED, route, evidence, group=(str(evidence["status"]),))
    else:
        yield passed(BLOCKED, route, note="answers; plain http does not show who")
