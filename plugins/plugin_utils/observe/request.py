# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request: what a target is asked to look at.

FOR INTERNAL COLLECTION USE ONLY. The shape: request.schema.json. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..model import Endpoint, Phase

SCHEMA = 1
REVOCATION_USER_AGENT = "Microsoft-CryptoAPI/10.0"
"""What Windows itself sends when it fetches revocation lists: rules on proxies know it."""


def _target(endpoint: Endpoint) -> dict[str, Any]:
    target: dict[str, Any] = {"id": endpoint.id, "host": endpoint.host, "port": endpoint.port, "tls": endpoint.tls, "get": endpoint.get}
    if endpoint.websocket:
        target["websocket"] = endpoint.websocket
    if endpoint.phase is Phase.REVOCATION:
        # Content delivery networks answer with a dozen addresses; Windows takes the first that connects.
        target.update(user_agent=REVOCATION_USER_AGENT, addresses=False)
    return target


def build_request(
    endpoints: Iterable[Endpoint], ways: Iterable[str], deadline_seconds: int, connect_to: Mapping[str, str]
) -> dict[str, Any]:
    """`ways` are the ways out to look over, each `direct` or `http://host:port`, and the ids of their paths."""
    return {
        "schema": SCHEMA,
        "deadline_ms": deadline_seconds * 1000,
        "paths": [{"id": way, "ways": [way]} for way in ways],
        "targets": [_target(endpoint) for endpoint in endpoints],
        "connect_to": dict(connect_to),
        "revocation": {"user_agent": REVOCATION_USER_AGENT},
    }
