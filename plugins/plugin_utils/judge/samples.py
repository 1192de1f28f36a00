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

from ..model import Status
from .proxy import CANNOT_REACH
from .route import Route, Row

_NAME_NOT_FOUND = "APC101"


def _absent(row: Row) -> bool:
    """Through a proxy 502 is how a name that does not exist looks; 403 is policy."""
    return row.status is Status.FAIL and row.id in (_NAME_NOT_FOUND, CANNOT_REACH)


def judge_samples(rows: Iterable[Row], routes: Iterable[Route]) -> tuple[Row, ...]:
    """Change the rows of samples by what their siblings (same wildcard and path, needed alike) say."""
    rows = tuple(rows)
    groups: dict[tuple[str, str, bool], set[str]] = {}
    for route in routes:
        if route.endpoint.sample:
            groups.setdefault((route.path, route.endpoint.stands_for, route.endpoint.needed), set()).add(route.endpoint.id)
    for (path, wildcard, _needed), ids in groups.items():
        rows = _group(rows, path, wildcard, ids)
    return rows


def _group(rows: tuple[Row, ...], path: str, wildcard: str, ids: set[str]) -> tuple[Row, ...]:
    def mine(row: Row) -> bool:
        return row.path == path and row.endpoint is not None and row.endpoint.id in ids

    def endpoints(found: Iterable[Row]) -> set[str]:
        return {row.endpoint.id for row in found if row.endpoint}

    absent = endpoints(row for row in rows if mine(row) and _absent(row))
    present = ids - absent
    troubled = endpoints(row for row in rows if mine(row) and row.status in (Status.FAIL, Status.UNKNOWN))
    healthy = present - troubled
    changed = []
    for row in rows:
        if mine(row) and _absent(row):
            if present:
                continue
            row = replace(row, status=Status.UNKNOWN, group=(wildcard,))
        elif mine(row) and healthy and row.status in (Status.FAIL, Status.UNKNOWN):
            row = replace(row, status=Status.WARN)
        changed.append(row)
    return tuple(changed)
