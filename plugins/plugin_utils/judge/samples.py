# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples: names that exist only after registration stand for their wildcard.

FOR INTERNAL COLLECTION USE ONLY. Pure. A sample that does not exist says nothing; all that exist failing alike is a closed wildcard;
none existing is unknown; one going through means that the others' failure is theirs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..model import Endpoint, Status
from .http import BLOCKED
from .proxy import CANNOT_REACH
from .route import Route, Row

_NAME_NOT_FOUND = "APC101"
_OF_ONE_MACHINE = frozenset((
    "APC102", "APC111", "APC112", "APC113", "APC114", "APC116", CANNOT_REACH, "APC131", "APC135", BLOCKED, "APC153", "APC156",
))
"""What a machine that is gone looks like. Denials, inspection, wrong certificates are certain, whatever a sibling says."""


def _absent(row: Row) -> bool:
    """Through a proxy 502 is how a name that does not exist looks; 403 is policy."""
    return row.status is Status.FAIL and (row.id == _NAME_NOT_FOUND or (row.id == CANNOT_REACH and row.evidence.get("status") == 502))


def _kind(endpoint: Endpoint) -> tuple[object, ...]:
    """Samples of one kind differ in their first label alone: a rule that matches one label only lets one kind through."""
    return endpoint.host.split(".", maxsplit=1)[-1], endpoint.port, endpoint.needed


def judge_samples(rows: Iterable[Row], routes: Iterable[Route]) -> tuple[Row, ...]:
    """Change the rows of samples by what their siblings on the same path say."""
    rows = tuple(rows)
    samples = [route for route in routes if route.endpoint.sample]
    absent = {(row.path, row.endpoint.id) for row in rows if row.endpoint and row.endpoint.sample and _absent(row)}
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
        elif _absent(row):
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
