# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that imports what the sign-in and Graph need. An area that does not need it works without it.

FOR INTERNAL COLLECTION USE ONLY.
"""

from __future__ import annotations

try:
    import httpx
    import jwt
    import msal  # type: ignore[import-untyped]
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12
except ImportError as error:
    MISSING: str | None = str(error.name or error).split(".", maxsplit=1)[0].replace("jwt", "PyJWT")
    """The name of the package that is not installed, else None."""
    httpx = jwt = msal = x509 = load_pem_private_key = pkcs12 = None  # type: ignore[assignment]
else:
    MISSING = None

__all__ = ["MISSING", "httpx", "jwt", "load_pem_private_key", "msal", "pkcs12", "x509"]
