# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What could not be seen: said as itself, never as a fault of the network, never as a pass.

FOR INTERNAL COLLECTION USE ONLY. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ..model import Endpoint, Status
from ..observe.observation import Observation, StageName
from .route import Route, Row, failed, not_run

COULD_NOT_OBSERVE, NOT_RUN, PARTLY_OBSERVED = "APC901", "APC902", "APC903"
UNSUPPORTED, LIBRARY_MISSING, NOT_UNDERSTOOD, REDIRECTED = "APC904", "APC905", "APC906", "APC907"


def judge_deadline(route: Route) -> Iterator[Row]:
    """Stages of the carrying attempt that were due when the deadline came; revocation.py speaks for its own."""
    due = [name.value for name in StageName if not_run(route.stage(name))]
    handshake = route.stage(StageName.HANDSHAKE)
    if handshake is not None and handshake.ok and due == [StageName.HELLO.value]:
        return
    if due and not route.deferred:
        yield failed(NOT_RUN, route, {"stages": ", ".join(due)}, status=Status.UNKNOWN)


def judge_complete(route: Route) -> Iterator[Row]:
    """A stage that is absent although nothing before it failed: an engine that answers so has not looked, and nothing has passed."""
    due = [StageName.RESOLVE, StageName.CONNECT]
    due += [] if route.direct else [StageName.PROXY]
    due += [StageName.HANDSHAKE] if route.endpoint.tls else []
    due += [StageName.REQUEST, *([StageName.WEBSOCKET] if route.endpoint.websocket else [])]
    for name in due:
        stage = route.stage(name)
        if stage is None:
            yield _incomplete(route, f"the stage {name.value} is missing")
            return
        if not stage.ok and not (name is StageName.HANDSHAKE and route.tls_stands):
            return
    if route.endpoint.tls and route.chain is None:
        yield _incomplete(route, "no certificate was shown")


def _incomplete(route: Route, what: str) -> Row:
    return failed(NOT_UNDERSTOOD, route, {"error": what}, status=Status.UNKNOWN, group=("incomplete",))


def judge_missing(journeys: Mapping[str, Iterable[Endpoint]], routes: Iterable[Route], observation: Observation) -> Iterator[Row]:
    """Endpoints that the observation does not have at all, on a path that it has; and paths that it does not have."""
    seen = {(route.path, route.endpoint.id) for route in routes}
    looked_over = observation.paths()
    for path, endpoints in journeys.items():
        if path not in looked_over:
            looked = " and ".join(looked_over) or "nowhere"
            yield Row(NOT_UNDERSTOOD, Status.UNKNOWN, None, path, {"error": f"it looked {looked}, and the options ask for {path}"})
            continue
        for endpoint in endpoints:
            if (path, endpoint.id) not in seen:
                what = "endpoints are not in it: it was made with other options"
                yield Row(NOT_UNDERSTOOD, Status.UNKNOWN, endpoint, path, {"error": what}, group=("missing",))


def judge_empty(observation: Observation) -> Iterator[Row]:
    if not observation.attempts:
        yield could_not_observe("the observation has no attempt")


def could_not_observe(why: str) -> Row:
    return Row(COULD_NOT_OBSERVE, Status.UNKNOWN, None, None, {"error": why})


def partly_observed(what: str) -> Row:
    return Row(PARTLY_OBSERVED, Status.UNKNOWN, None, None, {"facts": what})


def unsupported(why: str) -> Row:
    return Row(UNSUPPORTED, Status.UNKNOWN, None, None, {"error": why})


def not_understood(why: str) -> Row:
    return Row(NOT_UNDERSTOOD, Status.UNKNOWN, None, None, {"error": why})


def library_missing(package: str) -> Row:
    return Row(LIBRARY_MISSING, Status.UNKNOWN, None, None, {"library": package})


def redirected(rows: Iterable[Row], observation: Observation) -> tuple[Row, ...]:
    """What passed only where connect_to led it says nothing of the real endpoint."""
    elsewhere = {(one.path, one.target): one.redirected_to for one in observation.attempts if one.redirected_to}
    kept: list[Row] = []
    not_counted: dict[tuple[str, str], Row] = {}
    for row in rows:
        place = (row.path or "", row.endpoint.id if row.endpoint else "")
        if row.status is Status.PASS and place in elsewhere:
            not_counted.setdefault(place, Row(REDIRECTED, Status.UNKNOWN, row.endpoint, row.path, {"to": elsewhere[place]}))
        else:
            kept.append(row)
    return (*kept, *not_counted.values())
