# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What could not be seen: said as itself, never as a fault of the network, never as a pass.

FOR INTERNAL COLLECTION USE ONLY. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..model import Endpoint, Status
from ..observe.observation import Observation, StageName
from .route import Route, Row, failed, not_run

COULD_NOT_OBSERVE, NOT_RUN = "APC901", "APC902"
UNSUPPORTED, LIBRARY_MISSING, NOT_UNDERSTOOD, REDIRECTED = "APC904", "APC905", "APC906", "APC907"


def judge_deadline(route: Route) -> Iterator[Row]:
    """Stages of the carrying attempt that were due when the deadline came; revocation.py speaks for its own."""
    due = [name.value for name in StageName if not_run(route.stage(name))]
    handshake = route.stage(StageName.HANDSHAKE)
    if handshake is not None and handshake.ok and due == [StageName.HELLO.value]:
        return
    if due and not route.deferred:
        yield failed(NOT_RUN, route, {"stages": ", ".join(due)}, status=Status.UNKNOWN)


def judge_missing(endpoints: Iterable[Endpoint], routes: Iterable[Route], paths: Iterable[str]) -> Iterator[Row]:
    """Endpoints that the observation does not have at all (recorded with other options, say)."""
    seen = {(route.path, route.endpoint.id) for route in routes}
    endpoints = tuple(endpoints)
    for path in paths:
        for endpoint in endpoints:
            if (path, endpoint.id) not in seen:
                yield Row(NOT_RUN, Status.UNKNOWN, endpoint, path, {"stages": "all"})


def judge_empty(observation: Observation) -> Iterator[Row]:
    if not observation.attempts:
        yield could_not_observe("the observation has no attempt")


def could_not_observe(why: str) -> Row:
    return Row(COULD_NOT_OBSERVE, Status.UNKNOWN, None, None, {"error": why})


def unsupported(why: str) -> Row:
    return Row(UNSUPPORTED, Status.UNKNOWN, None, None, {"error": why})


def not_understood(why: str) -> Row:
    return Row(NOT_UNDERSTOOD, Status.UNKNOWN, None, None, {"error": why})


def library_missing(package: str) -> Row:
    return Row(LIBRARY_MISSING, Status.UNKNOWN, None, None, {"library": package})


def redirected(rows: Iterable[Row], routes: Iterable[Route]) -> tuple[Row, ...]:
    """What passed only where connect_to led it says nothing of the real endpoint."""
    elsewhere = {(route.path, route.endpoint.id): route for route in routes if route.redirected}
    kept = []
    passes = set()
    for row in rows:
        key = (row.path or "", row.endpoint.id if row.endpoint else "")
        if row.status is Status.PASS and key in elsewhere:
            passes.add(key)
        else:
            kept.append(row)
    for key, route in elsewhere.items():
        if key in passes:
            kept.append(failed(REDIRECTED, route, {"to": route.carrier.redirected_to or ""}, status=Status.UNKNOWN))
    return tuple(kept)
