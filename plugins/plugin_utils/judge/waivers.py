# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waivers: named, dated, reasoned exceptions.

FOR INTERNAL COLLECTION USE ONLY. Pure; the day of judging is an argument.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from typing import Any

from ..model import Finding, Status


class WaiverError(ValueError):
    """A waiver that cannot be read; the message names the waiver, the key and what to write."""


KEYS = ("id", "until", "reason", "endpoint", "host")


@dataclass(frozen=True)
class Waiver:
    id: str
    until: date
    """The last day on which it counts."""
    reason: str
    endpoint: str | None = None
    """`host:port`, with `*` as in a shell; None is every endpoint."""
    host: str | None = None
    """Inventory name, with `*` as in a shell; None is every host."""

    def as_dict(self) -> dict[str, Any]:
        return {"id": self.id, "until": self.until.isoformat(), "reason": self.reason, "endpoint": self.endpoint, "host": self.host}


def parse_waiver(value: Any, number: int, known_ids: Iterable[str]) -> Waiver:
    """`number` counts from 1 and is only for the message."""
    where = f"waivers, number {number}"
    if not isinstance(value, Mapping):
        raise WaiverError(f"{where}: write it as {{id: APC112, until: 2026-12-31, reason: ...}}")
    unknown = sorted(str(key) for key in value if key not in KEYS)
    if unknown:
        raise WaiverError(f"{where}: '{unknown[0]}' is not known; a waiver has {', '.join(KEYS)}")
    texts = {key: str(value[key]).strip() for key in KEYS if value.get(key) not in (None, "")}
    for key in ("id", "until", "reason"):
        if key not in texts:
            what = {"id": "a finding id such as APC112", "until": "its last day as YYYY-MM-DD", "reason": "why it is accepted"}[key]
            raise WaiverError(f"{where}: '{key}' is missing; write {what}")
    if texts["id"] not in set(known_ids):
        raise WaiverError(f"{where}: id '{texts['id']}' is no finding of this release")
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", texts["until"]):
            raise ValueError(texts["until"])
        until = date.fromisoformat(texts["until"])
    except ValueError as error:
        raise WaiverError(f"{where}: until '{texts['until']}' is no day; write it as YYYY-MM-DD") from error
    return Waiver(texts["id"], until, texts["reason"], texts.get("endpoint"), texts.get("host"))


def _covers(waiver: Waiver, finding: Finding, host: str) -> bool:
    """A waiver for one endpoint covers a finding only when it covers all that the finding names."""
    if waiver.id != finding.id or (waiver.host and not fnmatchcase(host, waiver.host)):
        return False
    if waiver.endpoint is None:
        return True
    return bool(finding.endpoints) and all(fnmatchcase(endpoint, waiver.endpoint) for endpoint in finding.endpoints)


def apply_waivers(findings: Iterable[Finding], waivers: Iterable[Waiver], host: str, today: date) -> tuple[Finding, ...]:
    """Mark what is waived. What is unknown only because of waived findings is waived with them.

    An expired waiver no longer counts, and the finding that it covered carries it with `expired: true`.
    """
    waivers = tuple(waivers)
    marked = []
    for finding in findings:
        if finding.status in (Status.FAIL, Status.WARN, Status.UNKNOWN):
            covering = [waiver for waiver in waivers if _covers(waiver, finding, host)]
            current = [waiver for waiver in covering if waiver.until >= today]
            if current:
                finding = replace(finding, status=Status.WAIVED, waiver=current[0].as_dict())
            elif covering:
                finding = replace(finding, waiver={**covering[0].as_dict(), "expired": True})
        marked.append(finding)
    waived = {finding.id: finding.waiver for finding in marked if finding.status is Status.WAIVED}
    open_ids = {finding.id for finding in marked if finding.status in (Status.FAIL, Status.UNKNOWN) and not finding.because}
    return tuple(
        replace(finding, status=Status.WAIVED, waiver=waived[finding.because[0]])
        if finding.status is Status.UNKNOWN and finding.because
        and all(cause in waived and cause not in open_ids for cause in finding.because)
        else finding
        for finding in marked
    )
