# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waivers: named, dated, reasoned exceptions. What they do to rows: waived.py.

FOR INTERNAL COLLECTION USE ONLY. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from typing import Any

from ..model import Area, FindingSpec


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


def parse_waiver(value: Any, number: int, known: Mapping[str, FindingSpec]) -> Waiver:
    """`number` counts from 1 and is only for the message; `known` are the findings of this release."""
    where = f"waivers, number {number}"
    if not isinstance(value, Mapping):
        raise WaiverError(f"{where}: write it as {{id: APC112, until: 2026-12-31, reason: ...}}")
    unknown = sorted(str(key) for key in value if key not in KEYS)
    if unknown:
        raise WaiverError(f"{where}: '{unknown[0]}' is not known; a waiver has {', '.join(KEYS)}")
    texts = {key: text for key in KEYS if value.get(key) is not None and (text := str(value[key]).strip())}
    for key in ("id", "until", "reason"):
        if key not in texts:
            what = {"id": "a finding id such as APC112", "until": "its last day as YYYY-MM-DD", "reason": "why it is accepted"}[key]
            raise WaiverError(f"{where}: '{key}' is missing; write {what}")
    if texts["id"] not in known:
        raise WaiverError(f"{where}: id '{texts['id']}' is no finding of this release")
    if known[texts["id"]].area is Area.TOOL:
        raise WaiverError(f"{where}: {texts['id']} says that something was not seen; no waiver makes it seen. Set unknown: report instead")
    if "endpoint" in texts and ":" not in texts["endpoint"]:
        raise WaiverError(f"{where}: endpoint '{texts['endpoint']}' has no port; write host:port, with * as in a shell")
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", texts["until"]):
            raise ValueError(texts["until"])
        until = date.fromisoformat(texts["until"])
    except ValueError as error:
        raise WaiverError(f"{where}: until '{texts['until']}' is no day; write it as YYYY-MM-DD") from error
    endpoint = texts["endpoint"].lower() if "endpoint" in texts else None
    return Waiver(texts["id"], until, texts["reason"], endpoint, texts.get("host"))


def covers(waiver: Waiver, id_: str, endpoint: str | None, host: str) -> bool:
    """Whether it is about this finding of this endpoint (None: the finding is about none) on this host."""
    if waiver.id != id_ or (waiver.host and not fnmatchcase(host, waiver.host)):
        return False
    return waiver.endpoint is None or (endpoint is not None and fnmatchcase(endpoint, waiver.endpoint))
