# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a registration needs of the tenant, and where a tenant is asked: roles, licence plans, the registration's own client, clouds.

FOR INTERNAL COLLECTION USE ONLY.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .endpoints import PUBLIC, USGOV

GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
APPLICATION_ADMINISTRATOR = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"

ACCEPTED: Mapping[str, str] = MappingProxyType({
    GLOBAL_ADMINISTRATOR: "Global Administrator",
    APPLICATION_ADMINISTRATOR: "Application Administrator",
})
"""Template ids of the roles that documents accept for registration."""

NEAR_MISSES: Mapping[str, str] = MappingProxyType({
    "158c047a-c907-4556-b7ef-446551a6b5f7": "Cloud Application Administrator",
    "8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2": "Hybrid Identity Administrator",
    "ac434307-12b9-4fa1-a708-88bf58caabc1": "Global Secure Access Administrator",
})
"""Roles that are taken for one of the accepted ones. The first is documented as the same without the application proxy; of the
others no document says that they may register."""

LICENCE_PLANS: Mapping[str, str] = MappingProxyType({
    "41781fb2-bc02-4b7c-bd55-b576c07bb09d": "AAD_PREMIUM",
    "eec0eb4f-6444-4f95-aba0-50c24d67f998": "AAD_PREMIUM_P2",
})
"""Service plans that carry the application proxy."""

CLIENT_ID = "55747057-9b5d-4bd4-b387-abf52a8bd489"
"""The public client that Microsoft's own sample of the token way signs in with."""
AUDIENCE = "https://proxy.cloudwebappproxy.net/registerapp"
SCOPE = f"{AUDIENCE}/user_impersonation"


@dataclass(frozen=True)
class IdentityCloud:
    """Where a cloud's sign-in and directory are."""

    authority: str
    graph: str
    registration_known: bool
    """Whether the registration's client and audience are documented for this cloud."""


IDENTITY_CLOUDS: Mapping[str, IdentityCloud] = MappingProxyType({
    PUBLIC: IdentityCloud("https://login.microsoftonline.com", "https://graph.microsoft.com", registration_known=True),
    USGOV: IdentityCloud("https://login.microsoftonline.us", "https://graph.microsoft.us", registration_known=False),
})
