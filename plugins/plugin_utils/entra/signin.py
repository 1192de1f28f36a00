# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sign-in: what anybody may ask of it, and tokens by MSAL, whose cache never leaves the memory.

FOR INTERNAL COLLECTION USE ONLY.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ..catalogue.calls import OPENID, REALM
from ..catalogue.registration import CLIENT_ID, SCOPE
from ..catalogue.signin_errors import SIGN_IN_ERRORS, UNREACHABLE
from ..options import GUID
from .claims import read_claims
from .evidence import BadToken, Claims, Gap, NotSeen, Realm, Refusal, Seen
from .libraries import msal
from .transport import NotOfTheCatalogueError, Transport, UnreachableError, json_of
from .wanted import Credential

_CODE = re.compile(r"AADSTS(\d+)")
NO_SUCH_TENANT = 90002
PENDING = 70016
LONGEST = 300
"""Characters of an error's text."""


def one_line(text: object) -> str:
    return " ".join(str(text).split())[:LONGEST]


def refusal(answer: Mapping[str, Any]) -> Refusal:
    """An error answer of the sign-in, by its machine field, else by the number in its text."""
    said = one_line(answer.get("error_description") or answer.get("error") or "an answer without a word")
    codes = answer.get("error_codes")
    first = codes[0] if isinstance(codes, list) and codes else None
    if not isinstance(first, int):
        found = _CODE.search(said)
        first = int(found[1]) if found else None
    # The first sentence tells; what follows are ids and times of this one request.
    return Refusal(first, said.split(" Trace ID:", maxsplit=1)[0].removeprefix(f"AADSTS{first}: "))


def home_tenant(transport: Transport, authority: str, domain: str) -> Seen[str | None]:
    """The tenant that a domain belongs to; None where this cloud knows no such domain."""
    try:
        answer = transport.get(OPENID.url(authority, domain))
    except UnreachableError as error:
        return NotSeen(Gap.UNREACHABLE, str(error))
    found = json_of(answer) or {}
    if answer.status_code == 200:
        ids = GUID.search(f"{found.get('issuer')} {found.get('token_endpoint')}".lower())
        return ids[0] if ids else NotSeen(Gap.UNREACHABLE, "the answer names no tenant: it is not the sign-in's own")
    refused = refusal(found)
    if refused.code == NO_SUCH_TENANT:
        return None
    return NotSeen(Gap.UNREACHABLE, f"status {answer.status_code}: {refused.error}")


def realm(transport: Transport, authority: str, upn: str) -> Seen[Realm]:
    """Who checks the account's password."""
    try:
        answer = transport.get(REALM.url(authority, upn))
    except UnreachableError as error:
        return NotSeen(Gap.UNREACHABLE, str(error))
    found = json_of(answer) or {}
    kind = str(found.get("account_type") or found.get("NameSpaceType") or "")
    if answer.status_code != 200 or kind not in ("Managed", "Federated", "Unknown"):
        return NotSeen(Gap.UNREACHABLE, f"status {answer.status_code}, and no word on the account's realm")
    urls = (found.get(key) for key in ("federation_active_auth_url", "AuthURL", "federation_metadata_url"))
    hosts = dict.fromkeys(host for host in map(_host, urls) if host)
    return Realm(kind == "Federated", tuple(hosts))


def _host(url: Any) -> str | None:
    try:
        parts = urlsplit(str(url or ""))
        return f"{parts.hostname}:{parts.port or 443}" if parts.scheme == "https" and parts.hostname else None
    except ValueError:
        return None


def application_token(
    transport: Transport, authority: str, tenant: str, client_id: str, credential: Credential, resource: str
) -> str | Refusal | NotSeen:
    """A token for Graph."""

    def ask() -> Mapping[str, Any]:
        application = msal.ConfidentialClientApplication(client_id, credential, **_common(transport, authority, tenant))
        answer: Mapping[str, Any] = application.acquire_token_for_client([f"{resource}/.default"])
        return answer

    answer = _asked(ask)
    if isinstance(answer, (Refusal, NotSeen)):
        return answer
    if answer.get("access_token"):
        return str(answer["access_token"])
    refused = refusal(answer)
    known = SIGN_IN_ERRORS.get(refused.code or 0)
    trouble = known is not None and known.finding == UNREACHABLE
    return NotSeen(Gap.UNREACHABLE, f"token: {refused.error} (AADSTS{refused.code})") if trouble else refused


def with_password(transport: Transport, authority: str, tenant: str, upn: str, password: str) -> Claims | BadToken | Refusal | NotSeen:
    """The grant that the connector's old credentials mode takes, with its client. Tried once: the transport refuses a second time."""

    def ask() -> Mapping[str, Any]:
        application = msal.PublicClientApplication(CLIENT_ID, **_common(transport, authority, tenant))
        answer: Mapping[str, Any] = application.acquire_token_by_username_password(upn, password, [SCOPE])
        return answer

    return _claims_of(_asked(ask))


def with_device_code(
    transport: Transport, authority: str, tenant: str, seconds: float, show: Callable[[str], None]
) -> Claims | BadToken | Refusal | NotSeen:
    """`show` puts the code before a person, who has so many seconds."""

    def ask() -> Mapping[str, Any]:
        application = msal.PublicClientApplication(CLIENT_ID, **_common(transport, authority, tenant))
        flow = application.initiate_device_flow([SCOPE])
        if "user_code" not in flow:
            return dict(flow)
        transport.extend(seconds + 20)
        flow["expires_at"] = min(flow["expires_at"], time.time() + seconds)
        show(one_line(flow["message"]))
        answer: Mapping[str, Any] = application.acquire_token_by_device_flow(flow)
        if answer.get("error") in ("authorization_pending", "slow_down"):
            return {"error_codes": [PENDING], "error": f"nobody completed it within {seconds:.0f} s"}
        return answer

    return _claims_of(_asked(ask))


def _common(transport: Transport, authority: str, tenant: str) -> dict[str, Any]:
    # The authority is the user's or the catalogue's own word: there is nobody to ask whether it is one.
    return {"authority": f"{authority}/{tenant}", "instance_discovery": False, "http_client": transport}


def _asked(ask: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any] | Refusal | NotSeen:
    """MSAL raises what the transport and the libraries below it raise, and ValueError for an authority without a document."""
    try:
        return ask()
    except UnreachableError as error:
        return NotSeen(Gap.UNREACHABLE, str(error))
    except NotOfTheCatalogueError as error:
        return NotSeen(Gap.UNREACHABLE, f"the sign-in leads elsewhere: {error}")
    except ValueError as error:
        found = _CODE.search(str(error.__context__ or "")) or _CODE.search(str(error))
        return Refusal(int(found[1]), one_line(error)) if found else NotSeen(Gap.UNREACHABLE, one_line(error))
    except Exception as error:  # noqa: BLE001  a library's own error is a sign-in that was not seen; its words may hold what was sent
        return NotSeen(Gap.UNREACHABLE, f"MSAL stopped with {type(error).__name__}")


def _claims_of(answer: Mapping[str, Any] | Refusal | NotSeen) -> Claims | BadToken | Refusal | NotSeen:
    if isinstance(answer, (Refusal, NotSeen)):
        return answer
    return read_claims(str(answer["access_token"])) if answer.get("access_token") else refusal(answer)
