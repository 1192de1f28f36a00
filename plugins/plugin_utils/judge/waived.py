# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What waivers do to rows: before the fold, so that one endpoint of a cause can be waived and the others not.

FOR INTERNAL COLLECTION USE ONLY. Pure; the day of judging is an argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

from ..model import Status
from .route import Row
from .waivers import Waiver, covers

_OPEN = (Status.FAIL, Status.WARN, Status.UNKNOWN)


def _endpoint(row: Row) -> str | None:
    return row.endpoint.id if row.endpoint else None


def _waive(row: Row, waivers: Sequence[Waiver], host: str, today: date) -> Row:
    """An expired waiver no longer counts, and the row says that there was one."""
    if row.status not in _OPEN:
        return row
    covering = [waiver for waiver in waivers if covers(waiver, row.id, _endpoint(row), host)]
    current = next((waiver for waiver in covering if waiver.until >= today), None)
    if current:
        return replace(row, status=Status.WAIVED, waiver=current)
    return replace(row, waiver=covering[0]) if covering else row


def waive(rows: Iterable[Row], waivers: Sequence[Waiver], host: str, today: date) -> tuple[Row, ...]:
    """Mark what is waived. What is unknown of an endpoint, or a warning, only because of its waived findings is waived with them."""
    rows = tuple(_waive(row, waivers, host, today) for row in rows)
    waived = {(row.path, _endpoint(row), row.id): row.waiver for row in rows if row.status is Status.WAIVED}
    standing = {(row.path, _endpoint(row), row.id) for row in rows if row.status in _OPEN}

    def behind(row: Row) -> Row:
        causes = [(row.path, _endpoint(row), id_) for id_ in row.because]
        follows = row.status in (Status.UNKNOWN, Status.WARN) and bool(causes)
        if not follows or any(cause not in waived or cause in standing for cause in causes):
            return row
        return replace(row, status=Status.WAIVED, waiver=waived[causes[0]])

    return tuple(behind(row) for row in rows)


def unused(rows: Iterable[Row], waivers: Sequence[Waiver], host: str) -> tuple[Waiver, ...]:
    """Waivers that name this host (or none) and cover nothing that was seen."""
    rows = tuple(row for row in rows if row.status is not Status.PASS)
    return tuple(
        waiver for waiver in waivers
        if covers(waiver, waiver.id, waiver.endpoint, host) and not any(covers(waiver, row.id, _endpoint(row), host) for row in rows)
    )
