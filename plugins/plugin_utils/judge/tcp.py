# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TCP: does a connection to the endpoint's addresses stand on a direct path, and does it stand beside many others.

FOR INTERNAL COLLECTION USE ONLY. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..model import Status
from ..observe.observation import Attempt, StageName, State
from .addresses import is_private, is_sinkhole
from .observed import NOT_UNDERSTOOD
from .route import LOSSES, Route, Row, failed, passed, words

BY_CODE = {"refused": "APC111", "timeout": "APC112", "reset": "APC113", "unreachable": "APC114", "denied": "APC115"}
PARTLY, LIMITED = "APC116", "APC117"
IDS = (*BY_CODE.values(), PARTLY)


def judge_tcp(route: Route) -> Iterator[Row]:
    if not route.direct or route.deferred:
        return
    tried = [one for one in route.attempts if StageName.CONNECT in one.stages and _state(one) is not State.NOT_RUN]
    if not tried:
        return
    alive = [one for one in tried if _state(one) is State.OK]
    dead = [one for one in tried if _state(one) is State.ERROR]
    if not alive:
        yield from _all_dead(route, dead)
        return
    yield from (passed(id_, route) for id_ in BY_CODE.values())
    yield from _partly(route, tried, alive, dead)


def judge_limit(route: Route) -> Iterator[Row]:
    """Also of the connections to a proxy, and whatever stands behind them."""
    if route.lost_once is not None:
        yield failed(LIMITED, route, {"stage": route.lost_once.value}, status=Status.WARN)
    elif _stands(route):
        yield passed(LIMITED, route)


def _stands(route: Route) -> bool:
    """Connected, and nothing was lost after it that nobody tried alone."""
    lost = any(stage.code in LOSSES for stage in route.carrier.stages.values())
    connected = any(_state(one) is State.OK for one in route.attempts if StageName.CONNECT in one.stages)
    return connected and not (lost and route.doubted)


def _state(attempt: Attempt) -> State:
    return attempt.stages[StageName.CONNECT].state


def _all_dead(route: Route, dead: list[Attempt]) -> Iterator[Row]:
    """The first address's error, in the system's order, names the finding: it is what every client meets."""
    first = dead[0].stages[StageName.CONNECT]
    addresses = [one.address or "" for one in dead]
    resolve = route.stage(StageName.RESOLVE)
    looked_up = resolve is not None and not resolve.facts.get("literal")
    misled = looked_up and all(is_private(address) or is_sinkhole(address) for address in addresses)
    if first.code not in BY_CODE:
        yield failed(NOT_UNDERSTOOD, route, {"error": f"connect {words(first)}"}, status=Status.UNKNOWN, group=("connect",))
        return
    yield failed(
        BY_CODE[first.code], route, {"addresses": ", ".join(addresses[:4]), "error": words(first)},
        status=route.loss(StageName.CONNECT),
        because=("APC103",) if misled else (),
    )


def _partly(route: Route, tried: list[Attempt], alive: list[Attempt], dead: list[Attempt]) -> Iterator[Row]:
    """A family that the server has no way for (IPv6 beside IPv4) is passed over at once by every client: no finding."""
    no_way = [one for one in dead if one.stages[StageName.CONNECT].code == "unreachable" and _family(one) != _family(alive[0])]
    dead = [one for one in dead if one not in no_way]
    if not dead:
        yield passed(PARTLY, route, note="IPv6 addresses have no way out; IPv4 is used" if no_way else "")
        return
    evidence = {
        "dead": ", ".join(one.address or "" for one in dead[:4]),
        "alive": ", ".join(one.address or "" for one in alive[:4]),
    }
    first = [one for one in tried if one not in no_way][0]
    yield failed(PARTLY, route, evidence, status=Status.FAIL if first in dead else Status.WARN)


def _family(attempt: Attempt) -> int:
    return 6 if ":" in (attempt.address or "") else 4
