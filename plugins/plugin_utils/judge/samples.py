# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples: names that exist only after registration stand for their wildcard.

FOR INTERNAL COLLECTION USE ONLY. Pure. A sample that does not exist says nothing; all that exist failing alike is a closed wildcard;
none existing is unknown; one going through means that the others' failure is theirs.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace

from ..model import Endpoint, Status
from ..observe.observation import StageName
from .http import BLOCKED
from .proxy import CANNOT_REACH, refused_alike
from .route import Route, Row

_NAME_NOT_FOUND = "APC101"
_OF_ONE_MACHINE = frozenset((
    "APC102", "APC111", "APC112", "APC113", "APC114", "APC116", CANNOT_REACH, "APC131", "APC135", BLOCKED, "APC153", "APC156",
))
"""What a machine that is gone looks like. Denials, inspection, wrong certificates are certain, whatever a sibling says."""
_NO_SUCH_NAME = (500, 502)
"""What proxies say where a name does not exist: many 502, squid 5 and tinyproxy 500, and with both of what they cannot connect to."""
_SQUIDS_NO_SUCH_NAME = "ERR_DNS_FAIL"
"""Older squids, with 503."""


def _may_not_exist(route: Route) -> bool:
    """By what the proxy says of the name; 403 is policy."""
    stage = route.stage(StageName.PROXY)
    if stage is None or stage.code != "bad_gateway":
        return False
    squids = stage.facts.get("headers", {}).get("x-squid-error", ())
    return stage.facts.get("status") in _NO_SUCH_NAME or any(value.startswith(_SQUIDS_NO_SUCH_NAME) for value in squids)


def _absent(row: Row, nameless: Container[tuple[str | None, str]]) -> bool:
    """`nameless`: paths, and endpoints that may not exist by what is said there."""
    if row.status is not Status.FAIL or row.endpoint is None:
        return False
    return row.id == _NAME_NOT_FOUND or (row.id == CANNOT_REACH and (row.path, row.endpoint.id) in nameless)


def _kind(endpoint: Endpoint) -> tuple[object, ...]:
    """Samples of one kind differ in their first label alone: a rule that matches one label only lets one kind through."""
    return endpoint.host.split(".", maxsplit=1)[-1], endpoint.port, endpoint.needed


def judge_samples(rows: Iterable[Row], routes: Sequence[Route]) -> tuple[Row, ...]:
    """Change the rows of samples by what their siblings on the same path say."""
    rows = tuple(rows)
    samples = [route for route in routes if route.endpoint.sample]
    # A proxy that says so to everything does not say it of a name.
    dead = refused_alike(rows, routes)
    nameless = {(route.path, route.endpoint.id) for route in samples if route.path not in dead and _may_not_exist(route)}
    absent = {(row.path, row.endpoint.id) for row in rows if row.endpoint and row.endpoint.sample and _absent(row, nameless)}
    exists = {(route.path, route.endpoint.stands_for, route.endpoint.needed) for route in samples
              if (route.path, route.endpoint.id) not in absent}
    passes: dict[tuple[object, ...], dict[str, set[str]]] = {}
    for row in rows:
        if row.endpoint and row.endpoint.sample and row.status is Status.PASS:
            passes.setdefault((row.path, *_kind(row.endpoint)), {}).setdefault(row.endpoint.id, set()).add(row.id)
    changed = []
    for row in rows:
        if row.endpoint is None or not row.endpoint.sample:
            changed.append(row)
        elif _absent(row, nameless):
            changed += _of_absent(row, (row.path, row.endpoint.stands_for, row.endpoint.needed) in exists)
        elif row.status in (Status.FAIL, Status.UNKNOWN) and row.id in _OF_ONE_MACHINE:
            siblings = passes.get((row.path, *_kind(row.endpoint)), {}).values()
            through = any({BLOCKED, row.id} <= passed for passed in siblings)
            changed.append(replace(row, status=Status.WARN) if through else row)
        else:
            changed.append(row)
    return tuple(changed)


def _of_absent(row: Row, sibling_exists: bool) -> list[Row]:
    if row.endpoint is None or sibling_exists:
        return []
    if not row.endpoint.needed:
        return [replace(row, status=Status.NOT_APPLICABLE, evidence={}, note=f"{row.endpoint.host} does not exist, and need not")]
    return [replace(row, status=Status.UNKNOWN, group=(row.endpoint.stands_for,))]
