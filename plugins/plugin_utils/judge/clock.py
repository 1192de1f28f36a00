# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's clock, by two others: the date of genuine HTTPS answers, and the controller's around the task.

FOR INTERNAL COLLECTION USE ONLY. Pure. A fail needs both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from statistics import median

from ..model import Status
from ..observe.observation import Observation, StageName
from .certificate import TIME
from .chain import Standing
from .route import Route, Row

SKEW = "APC441"
TOLERATED_SECONDS = 300
"""Kerberos' own limit, and far less than what a certificate's begin or end could make of it."""


def _ahead(seen: datetime, earliest: datetime, latest: datetime) -> float:
    """Seconds that `seen` lies after `latest`, or (negative) before `earliest`; 0 within."""
    if seen > latest:
        return (seen - latest).total_seconds()
    return min(0.0, (seen - earliest).total_seconds())


def _date(route: Route) -> datetime | None:
    """What a genuine answer says; whether the certificate is in its time must not matter here."""
    request = route.stage(StageName.REQUEST)
    public = route.chain is not None and route.chain.standing is Standing.PUBLIC and route.chain.name_matches
    if request is None or not request.ok or not public:
        return None
    try:
        said = parsedate_to_datetime(next(iter(request.facts.get("headers", {}).get("date", ("",)))))
    except ValueError:
        return None
    return said.replace(tzinfo=timezone.utc) if said.tzinfo is None else said.astimezone(timezone.utc)


def _by_answers(routes: Iterable[Route], observation: Observation) -> float | None:
    """Each answer came at some time while it was looked."""
    looked = timedelta(milliseconds=observation.elapsed_ms)
    ahead = [_ahead(observation.seen_at, date - looked, date) for date in map(_date, routes) if date is not None]
    return median(ahead) if ahead else None


def _by_controller(observation: Observation) -> float | None:
    bracket = observation.bracket
    return None if bracket is None else _ahead(observation.seen_at, bracket.before, bracket.after)


def _words(seconds: float) -> str:
    amount = abs(seconds)
    size = f"{round(amount / 86400)} days" if amount > 2 * 86400 else f"{round(amount / 60)} minutes"
    return f"{size} {'ahead' if seconds > 0 else 'behind'}"


def judge_clock(routes: Sequence[Route], observation: Observation) -> Iterator[Row]:
    """`routes`: all of them."""
    told = {"the service's answers": _by_answers(routes, observation), "the controller's clock": _by_controller(observation)}
    known = {by: seconds for by, seconds in told.items() if seconds is not None}
    wrong = {by: seconds for by, seconds in known.items() if abs(seconds) > TOLERATED_SECONDS}
    if not known:
        yield Row(SKEW, Status.UNKNOWN, None, None, {"skew": "an unknown time", "by": "nothing: no other clock was seen"})
    elif not wrong:
        yield Row(SKEW, Status.PASS, None, None)
    else:
        alike = len(wrong) == len(told) and len({seconds > 0 for seconds in wrong.values()}) == 1
        evidence = {"skew": _words(max(wrong.values(), key=abs)), "by": " and ".join(wrong)}
        yield Row(SKEW, Status.FAIL if alike else Status.WARN, None, None, evidence)


def explain_times(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Certificates that seem out of their time to a clock that is wrong."""
    rows = tuple(rows)
    if not any(row.id == SKEW and row.status is Status.FAIL for row in rows):
        return rows
    return tuple(replace(row, because=(*row.because, SKEW)) if row.id == TIME and row.status is Status.FAIL else row for row in rows)
