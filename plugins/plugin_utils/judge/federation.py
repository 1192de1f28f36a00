# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The company's own identity provider: what keeps the server from it keeps a federated account from signing in.

FOR INTERNAL COLLECTION USE ONLY. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..catalogue.findings import FINDINGS
from ..model import Phase, Status
from .fold import some
from .route import Row

BLOCKED = "APC154"


def _of_federation(row: Row) -> bool:
    return row.endpoint is not None and row.endpoint.phase is Phase.FEDERATION


def judge_federation(rows: Iterable[Row]) -> tuple[Row, ...]:
    """What hits it alone is this finding's to explain; what hits other endpoints alike explains this one."""
    rows = tuple(rows)
    shared = {row.cause for row in rows if not _of_federation(row)}
    kept = tuple(
        replace(row, because=(BLOCKED,)) if _of_federation(row) and _fails(row) and row.cause not in shared else row for row in rows
    )
    by_place: dict[tuple[str | None, str], list[Row]] = {}
    for row in rows:
        if row.endpoint is not None and _of_federation(row):
            by_place.setdefault((row.path, row.endpoint.id), []).append(row)
    return (*kept, *(_word(of_place, shared) for of_place in by_place.values()))


def _fails(row: Row) -> bool:
    return row.status is Status.FAIL and not row.because


def _word(rows: Sequence[Row], shared: set[tuple[object, ...]]) -> Row:
    own = [row for row in rows if _fails(row) and row.cause not in shared]
    common = [row for row in rows if _fails(row) and row.cause in shared]
    open_ = [row for row in rows if row.status is Status.UNKNOWN and not row.because]
    place = rows[0].endpoint, rows[0].path
    how = {"how": some(FINDINGS[row.id].name for row in own or common)}
    if own:
        return Row(BLOCKED, Status.FAIL, *place, how)
    if common:
        return Row(BLOCKED, Status.FAIL, *place, how, because=(common[0].id,))
    if open_:
        return Row(BLOCKED, Status.UNKNOWN, *place, because=(open_[0].id,))
    return Row(BLOCKED, Status.PASS, *place)
