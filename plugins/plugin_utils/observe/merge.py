# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two observations of one server, by Ansible's session and as the service, put together to one.

FOR INTERNAL COLLECTION USE ONLY. Pure.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ..model import Identity
from .observation import Observation

AS_THE_SERVICE = (Identity.NETWORK_SERVICE, Identity.WINDOWS)
"""What the service's own look tells better than the session's."""


def merge(session: Observation, service: Observation, of_service: Collection[str]) -> Observation:
    """`of_service`: the targets that the service itself talks to; they, and what certificates name, are taken from its look.

    Facts of the server, the platform's hello and the clock stay the session's.
    """
    attempts = (
        *(one for one in session.attempts if one.wave == 1 and one.target not in of_service),
        *(one for one in service.attempts if one.wave == 2 or one.target in of_service),
    )
    rechecks = (
        *(one for one in session.rechecks if one.target not in of_service),
        *(one for one in service.rechecks if one.target in of_service),
    )
    identities = session.identities
    if identities is not None and service.identities is not None:
        better = {identity: ways for identity, ways in service.identities.items() if identity in AS_THE_SERVICE and ways.error is None}
        identities = {**identities, **better}
    return replace(
        session,
        seen_as=f"{session.seen_as} and {service.seen_as}",
        elapsed_ms=session.elapsed_ms + service.elapsed_ms,
        attempts=attempts,
        rechecks=rechecks,
        identities=identities,
        certificates={**session.certificates, **service.certificates},
    )
