# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a token says of itself. Read, not verified: its signature is for the service that it is for.

FOR INTERNAL COLLECTION USE ONLY.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from .evidence import BadToken, Claims
from .libraries import jwt


def read_claims(token: str) -> Claims | BadToken:
    """No error text repeats any part of the token."""
    bare = token.strip().removeprefix("Bearer ").strip()
    if bare.count(".") == 4:
        return BadToken("it is encrypted (a JWE), so nothing can be read of it", encrypted=True)
    try:
        claims: Mapping[str, Any] = jwt.decode(bare, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        return BadToken(f"it is no JSON Web Token ({type(error).__name__})")
    return _claims(claims)


def _claims(found: Mapping[str, Any]) -> Claims:
    audience, roles = found.get("aud"), found.get("wids")
    name = next((str(found[key]) for key in ("upn", "preferred_username", "unique_name", "email") if found.get(key)), None)
    scopes = tuple(str(found.get("scp") or "").split())
    return Claims(
        audience=tuple(str(one) for one in (audience if isinstance(audience, list) else [audience] if audience else [])),
        tenant=str(found["tid"]).lower() if found.get("tid") else None,
        expires=_time(found.get("exp")),
        roles=tuple(str(one).lower() for one in roles) if isinstance(roles, list) else None,
        foreign_provider=str(found["idp"]) if found.get("idp") else None,
        scopes=scopes,
        name=name,
        application=found.get("idtyp") == "app" or (not scopes and isinstance(found.get("roles"), list)),
    )


def _time(value: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(value), timezone.utc)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
