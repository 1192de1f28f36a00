# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of the sign-in and Graph, and as whom.

FOR INTERNAL COLLECTION USE ONLY. Needs no library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PASSWORD, DEVICE_CODE = "password", "device_code"
Credential = str | Mapping[str, str]
"""As MSAL takes it: a secret, or a map of a certificate or an assertion."""


class UnusableError(Exception):
    """The environment or ca_path cannot be used; one line."""


@dataclass(frozen=True)
class Wanted:
    """What to look at. Nothing of it shows in its repr."""

    tenant_id: str
    upn: str | None
    checks: Sequence[str]
    authority: str
    graph: str
    resource: str
    """Whom a token for Graph is asked for; a relay in a closed network has another address, and the same resource."""
    seconds: float
    ca_path: str | None = None
    token: str | None = None
    client_id: str | None = None
    credential: Credential | None = None
    sign_in: str | None = None
    password: str | None = None
    sign_in_seconds: float = 300
    connectors: bool = False

    def __repr__(self) -> str:
        return "Wanted(...)"

    def asks(self, *ids: str) -> bool:
        return bool(set(ids).intersection(self.checks))
