# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names: does the server's own resolver know the endpoint (direct paths only; a proxy resolves for itself).

FOR INTERNAL COLLECTION USE ONLY. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..model import Status
from ..observe.observation import StageName
from .addresses import is_private, is_sinkhole
from .route import Route, Row, failed, not_run, passed, words

IDS = ("APC101", "APC102", "APC103")


def judge_dns(route: Route) -> Iterator[Row]:
    stage = route.stage(StageName.RESOLVE)
    if not route.direct or route.deferred or stage is None or not_run(stage):
        return
    if stage.facts.get("literal"):
        yield from (Row(id_, Status.NOT_APPLICABLE, route.endpoint, route.path, note="an address was given, so no name was looked up")
                    for id_ in IDS)
        return
    name = str(stage.facts.get("name") or route.endpoint.host)
    if stage.code in ("nxdomain", "no_data") or (stage.ok and not stage.facts.get("addresses")):
        yield failed("APC101", route, {"name": name, "error": stage.code or "no address"})
        return
    yield passed("APC101", route)
    if not stage.ok:
        yield failed("APC102", route, {"name": name, "error": words(stage)}, group=(stage.code,))
        return
    yield passed("APC102", route)
    yield from _addresses(route, name, tuple(stage.facts.get("addresses", ())))


def _addresses(route: Route, name: str, addresses: tuple[str, ...]) -> Iterator[Row]:
    """A private address that leads to a genuine chain is a private link and fine; one that leads nowhere is the cause."""
    evidence = {"name": name, "addresses": ", ".join(addresses[:4])}
    sinkholes = [address for address in addresses if is_sinkhole(address)]
    if sinkholes and not route.genuine:
        yield failed("APC103", route, evidence, group=(sinkholes[0],))
    elif all(is_private(address) for address in addresses):
        if route.genuine:
            yield passed("APC103", route, note=f"{name} has a private address ({addresses[0]}) that leads to the genuine service")
        elif route.the_users:
            yield passed("APC103", route)
        elif not route.connected:
            yield failed("APC103", route, evidence, group=("private",))
        else:
            yield failed("APC103", route, evidence, status=Status.WARN, group=("private",))
    else:
        yield passed("APC103", route)
