# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which identity talks to an endpoint in which phase of a connector's life.

The services' accounts are documented (sources.FAQ); that Windows fetches revocation lists by a way of its own is too
(sources.TROUBLESHOOT). That the installer takes the way of who runs it is how Windows programs work; no page says it.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..model import Endpoint, Identity, Phase

_BY_PHASE: Mapping[Phase, Identity] = {
    Phase.SIGN_IN: Identity.INSTALLING_USER,
    Phase.REGISTRATION: Identity.INSTALLING_USER,
    Phase.BOOTSTRAP: Identity.NETWORK_SERVICE,
    Phase.RUNTIME: Identity.NETWORK_SERVICE,
    Phase.UPDATE: Identity.LOCAL_SYSTEM,
    Phase.REVOCATION: Identity.WINDOWS,
    Phase.FEDERATION: Identity.INSTALLING_USER,
    Phase.EXTRA: Identity.NETWORK_SERVICE,
}
WORDS: Mapping[Identity, str] = {
    Identity.INSTALLING_USER: "the installing user",
    Identity.NETWORK_SERVICE: "Network Service",
    Identity.LOCAL_SYSTEM: "Local System",
    Identity.WINDOWS: "Windows' own revocation check",
    Identity.SESSION: "Ansible's session",
}
"""For sentences."""


def identity_of(endpoint: Endpoint, installing_user: bool) -> Identity:
    """Who talks to the endpoint. Where nobody named the installing user, his phases are looked at as Network Service: the
    session's own settings are never taken for his."""
    identity = _BY_PHASE[endpoint.phase]
    return Identity.NETWORK_SERVICE if identity is Identity.INSTALLING_USER and not installing_user else identity


def identities_of(endpoint: Endpoint, installing_user: bool) -> tuple[Identity, ...]:
    """Over whose ways the endpoint is looked at: who talks to it; of revocation the service's way too, to compare (APC502)."""
    identity = identity_of(endpoint, installing_user)
    return (identity, Identity.NETWORK_SERVICE) if identity is Identity.WINDOWS else (identity,)
