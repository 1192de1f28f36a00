# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The healthy cloud: every https endpoint behind one TLS listener, by name, and every plain one behind another.

What the pages say is the lab's own wording; what they are (status, type, real lists, real OCSP) is what the real ones are.
"""

from __future__ import annotations

import base64
import hashlib
import ssl
import struct
import threading
from dataclasses import dataclass

from .pki import Pki, contexts, ocsp_request_of_path
from .servers import Counter, Request, Response, http_listener, tls_listener

SIGN_IN_HOSTS = ("login.", "enterpriseregistration.")
OCSP_HOSTS = ("ocsp.", "oneocsp.")
WEBSOCKET_PATH = "/$servicebus/websocket"
WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
SERVER = {"Server": "Microsoft-HTTPAPI/2.0"}

SIGN_IN_PAGE = b"""<!DOCTYPE html>
<html dir="ltr" lang="en"><head><title>Sign in to your account</title>
<meta name="PageID" content="ConvergedSignIn"><meta name="SiteID" content="">
<script>//<![CDATA[
$Config={"fShowPersistentCookiesWarning":false,"urlMsaSignUp":"","urlGoToAADError":"https://login.live.com/"};
//]]></script></head>
<body>The sign-in page of the lab.</body></html>
"""


@dataclass(frozen=True)
class Seen:
    """One request that the cloud answered."""

    host: str
    path: str
    secure: bool
    upgrade: bool
    status: int


class Cloud:
    """`tls` and `http` are its two addresses (address:port). `ports`: of the two; 0: the kernel chooses."""

    def __init__(self, pki: Pki, *, address: str = "127.0.0.1", ports: tuple[int, int] = (0, 0)) -> None:
        self._pki = pki
        self._lock = threading.Lock()
        self.requests: list[Seen] = []
        self._tls = tls_listener(contexts(pki, asks=asks_for_certificate), self._answer, address=address, port=ports[0])
        self._http = http_listener(self._answer, address=address, port=ports[1])

    @property
    def tls(self) -> str:
        return self._tls.to

    @property
    def http(self) -> str:
        return self._http.to

    @property
    def tls_connections(self) -> Counter:
        return self._tls.connections

    @property
    def http_connections(self) -> Counter:
        return self._http.connections

    def close(self) -> None:
        self._tls.close()
        self._http.close()

    def _answer(self, request: Request) -> Response:
        response = answer(self._pki, request)
        with self._lock:
            self.requests.append(
                Seen(request.host, request.path, request.secure, request.upgrade, response.status)
            )
        return response


def asks_for_certificate(name: str) -> ssl.VerifyMode:
    """The bootstrap service asks for the connector's certificate, and goes on without one (to answer 403)."""
    return ssl.CERT_OPTIONAL if ".bootstrap." in f".{name}" else ssl.CERT_NONE


def answer(pki: Pki, request: Request) -> Response:
    """What the service says to one request."""
    if request.upgrade:
        return _websocket(request)
    if request.host.startswith(OCSP_HOSTS):
        return _ocsp(pki, request)
    if (content := _published(pki, request.path)) is not None:
        return content
    if not request.secure:
        return _missing()
    if request.host.startswith(SIGN_IN_HOSTS):
        return Response(200, SIGN_IN_PAGE, headers={"x-ms-request-id": "00000000-0000-4000-8000-000000000000"})
    if ".bootstrap." in f".{request.host}" and not request.client_certificate:
        return Response(403, b"", headers=SERVER, reason="Forbidden")
    return _missing()


def _websocket(request: Request) -> Response:
    if request.path != WEBSOCKET_PATH:
        return _missing()
    key = request.headers.get("sec-websocket-key", "").encode()
    accept = base64.b64encode(hashlib.sha1(key + WEBSOCKET_GUID).digest()).decode()
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept}
    return Response(101, headers={**SERVER, **upgrade})


def _ocsp(pki: Pki, request: Request) -> Response:
    asked = request.body if request.method == "POST" else ocsp_request_of_path(request.path)
    return Response(200, pki.ocsp(asked), type="application/ocsp-response", headers={"Server": "ECAcc (lab)"})


def _published(pki: Pki, path: str) -> Response | None:
    """Lists and certificates by the end of their name; the issuing authority's unless the name says root."""
    root = "issuing" not in path
    if path.endswith(".crl"):
        return Response(200, pki.crl(root=root), type="application/pkix-crl", headers={"Server": "ECAcc (lab)"})
    if path.endswith((".crt", ".cer")):
        return Response(200, pki.issuer(root=root), type="application/pkix-cert", headers={"Server": "ECAcc (lab)"})
    if path.endswith(".cab"):
        return Response(200, cabinet("authroot.stl", b"The root list of the lab."), type="application/vnd.ms-cab-compressed")
    return None


def _missing() -> Response:
    return Response(404, b"<html><body>There is nothing here.</body></html>", headers=SERVER)


def cabinet(name: str, content: bytes) -> bytes:
    """A cabinet file ([MS-CAB]) with one file in it, stored."""
    stored_name = name.encode() + b"\0"
    data = struct.pack("<IHH", 0, len(content), len(content)) + content
    first_file = 36 + 8
    first_data = first_file + 16 + len(stored_name)
    header = struct.pack(
        "<4sIIIIIBBHHHHH", b"MSCF", 0, first_data + len(data), 0, first_file, 0, 3, 1, 1, 1, 0, 0, 0
    )
    folder = struct.pack("<IHH", first_data, 1, 0)
    file = struct.pack("<IIHHHH", len(content), 0, 0, 0, 0, 0x20) + stored_name
    return header + folder + file + data
