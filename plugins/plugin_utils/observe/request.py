# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request: what a target is asked to look at.

FOR INTERNAL COLLECTION USE ONLY. The shape: request.schema.json. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..catalogue.clients import PRODUCTS, SERVICES
from ..catalogue.identities import identities_of
from ..catalogue.roots import KNOWN_ROOTS
from ..model import Endpoint, Phase

SCHEMA = 1
REVOCATION_USER_AGENT = "Microsoft-CryptoAPI/10.0"
"""What Windows itself sends when it fetches revocation lists: rules on proxies know it."""
HELLOS = ("sha512", "padded")
_WITH_HELLOS = (Phase.REGISTRATION, Phase.BOOTSTRAP, Phase.RUNTIME)
"""Where a connector shows its certificate or waits for work: there the path is tried with further hellos."""


@dataclass(frozen=True)
class ServersOwn:
    """What is asked of a Windows server besides the network."""

    detect: bool = False
    """Find the ways that the identities take, and look over them."""
    facts: bool = False
    installing_user: str | None = None
    rehearse_trust: bool = False
    rehearse_client_certificate: bool = False


NOTHING = ServersOwn()


def _target(endpoint: Endpoint, own: ServersOwn) -> dict[str, Any]:
    target: dict[str, Any] = {"id": endpoint.id, "host": endpoint.host, "port": endpoint.port, "tls": endpoint.tls, "get": endpoint.get}
    if endpoint.websocket:
        target["websocket"] = endpoint.websocket
    if endpoint.tls and endpoint.needed and endpoint.phase in _WITH_HELLOS:
        target["hellos"] = list(HELLOS)
    if own.detect or own.facts:
        target["identities"] = [identity.value for identity in identities_of(endpoint, own.installing_user is not None)]
    if endpoint.phase is Phase.REVOCATION:
        # Content delivery networks answer with a dozen addresses; Windows takes the first that connects.
        target.update(user_agent=REVOCATION_USER_AGENT, addresses=False)
    return target


def _host(own: ServersOwn) -> dict[str, Any]:
    return {
        "installing_user": own.installing_user,
        "services": list(SERVICES),
        "products": list(PRODUCTS),
        "roots": [root.sha1 for root in KNOWN_ROOTS],
        "rehearse_trust": own.rehearse_trust,
    }


def build_request(
    endpoints: Iterable[Endpoint], ways: Iterable[str], deadline_seconds: int, connect_to: Mapping[str, str], own: ServersOwn = NOTHING,
) -> dict[str, Any]:
    """`ways` are the ways out to look over, each `direct` or `http://host:port`, and the ids of their paths; none with `detect`."""
    endpoints = tuple(endpoints)
    request: dict[str, Any] = {
        "schema": SCHEMA,
        "deadline_ms": deadline_seconds * 1000,
        "paths": [{"id": way, "ways": [way]} for way in ways],
        "targets": [_target(endpoint, own) for endpoint in endpoints],
        "connect_to": dict(connect_to),
        "revocation": {"user_agent": REVOCATION_USER_AGENT},
    }
    if own.detect:
        request["detect"] = True
    if own.facts:
        request["host"] = _host(own)
    bootstrap = next((endpoint.id for endpoint in endpoints if endpoint.phase is Phase.BOOTSTRAP), None)
    if own.rehearse_client_certificate and bootstrap is not None:
        request["rehearse_client_certificate"] = {"target": bootstrap}
    return request
