# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forward proxies: CONNECT for TLS, an absolute URI for plain HTTP, names from a table of the lab's own.

What a proxy does with a request is one policy: a function that lets it through (None) or says what is sent instead.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from .pki import Credential, Pki, contexts
from .servers import (
    PATIENCE,
    Listener,
    Request,
    Response,
    accept_tls,
    drain,
    read_head,
    read_request,
    relay,
    split,
)

VIA = "1.1 proxy.example.com (squid/5.7)"
SQUID = {"Server": "squid/5.7", "Via": VIA}

Names = Callable[[], Mapping[str, str]]
"""host:port -> address:port of the lab; asked at each request, since the lab's servers may start after the proxy."""


@dataclass(frozen=True)
class Asked:
    """One request to a proxy: `host` and `port` are where it is to go."""

    method: str
    host: str
    port: int
    headers: Mapping[str, str]

    @property
    def to(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Logged:
    """`status` is what the proxy itself said; 0 where it said nothing that is HTTP."""

    asked: Asked
    status: int


class Raw(bytes):
    """What a proxy sends that is no HTTP; empty is nothing at all."""


@dataclass(frozen=True)
class Silence:
    """Says nothing and keeps the connection."""


Refusal = Response | Raw | Silence
Policy = Callable[[Asked], Refusal | None]


class Proxy:
    """A running proxy. `inspects` says for which hosts it ends TLS with a certificate of the company's."""

    def __init__(
        self, pki: Pki, names: Names, policy: Policy, inspects: Callable[[str], bool] = lambda host: False
    ) -> None:
        self._names = names
        self._policy = policy
        self._inspects = inspects
        self._contexts = contexts(pki, company_leaf(pki))
        self._outside = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._outside.check_hostname = False
        self._outside.verify_mode = ssl.CERT_NONE  # what the lab's cloud shows the proxy is no matter here
        self._lock = threading.Lock()
        self.log: list[Logged] = []
        self._listener = Listener(self._serve)

    @property
    def url(self) -> str:
        return f"http://{self._listener.to}"

    @property
    def port(self) -> int:
        return int(self._listener.port)

    @property
    def saw_credentials(self) -> bool:
        """Whether anybody ever sent a Proxy-Authorization or an Authorization: nobody must."""
        return any({"proxy-authorization", "authorization"} & set(one.asked.headers) for one in self.log)

    def close(self) -> None:
        self._listener.close()

    def _serve(self, connection: socket.socket) -> None:
        while (request := read_request(connection)) is not None:
            asked = _asked(request)
            if asked is None:
                self._say(connection, Asked(request.method, "", 0, request.headers), Response(400, b"Bad request"))
                return
            refusal = self._policy(asked)
            if refusal is not None:
                self._say(connection, asked, refusal)
                return
            to = self._names().get(asked.to)
            if to is None:
                self._say(connection, asked, cannot_reach(502, "Unable to determine IP address from host name"))
                return
            if asked.method == "CONNECT":
                self._tunnel(connection, asked, to)
                return
            if not self._fetch(connection, request, asked, to):
                return

    def _say(self, connection: socket.socket, asked: Asked, refusal: Refusal) -> None:
        with self._lock:
            self.log.append(Logged(asked, refusal.status if isinstance(refusal, Response) else 0))
        if isinstance(refusal, Silence):
            drain(connection)
        else:
            connection.sendall(refusal.to_bytes() if isinstance(refusal, Response) else refusal)

    def _tunnel(self, connection: socket.socket, asked: Asked, to: str) -> None:
        try:
            socket.create_connection(split(to), timeout=5).close()
        except OSError:
            self._say(connection, asked, cannot_reach(503, "Connection failed"))
            return
        self._say(connection, asked, Raw(b"HTTP/1.1 200 Connection established\r\n\r\n"))
        if self._inspects(asked.host):
            self._inspect(connection, asked, to)
        else:
            relay(connection, to)

    def _inspect(self, connection: socket.socket, asked: Asked, to: str) -> None:
        """Ends TLS and carries request after request over TLS of the proxy's own. A client certificate gets lost."""
        with contextlib.closing(accept_tls(connection, lambda name: self._contexts(name or asked.host))) as inside:
            while (request := read_request(inside, secure=True)) is not None:
                with (
                    socket.create_connection(split(to), timeout=PATIENCE) as plain,
                    self._outside.wrap_socket(plain, server_hostname=asked.host) as server,
                ):
                    inside.sendall(_carry(request, server))

    def _fetch(self, connection: socket.socket, request: Request, asked: Asked, to: str) -> bool:
        """Plain HTTP; whether the client may go on with this connection."""
        try:
            with socket.create_connection(split(to), timeout=5) as server:
                answer = _carry(request, server)
        except OSError:
            self._say(connection, asked, cannot_reach(503, "Connection failed"))
            return False
        head, _end, body = answer.partition(b"\r\n\r\n")
        more = f"\r\nVia: {VIA}\r\nX-Cache: MISS from proxy.example.com\r\n\r\n".encode()
        self._say(connection, asked, Raw(head + more + body))
        return request.headers.get("connection", "").lower() != "close"


def _asked(request: Request) -> Asked | None:
    """None where it is no request to a proxy."""
    if request.method == "CONNECT":
        host, port = split(request.target)
    elif request.target.startswith("http://"):
        place = request.target[len("http://") :].partition("/")[0]
        host, port = split(place if ":" in place else f"{place}:80")
    else:
        return None
    return Asked(request.method, host.lower(), port, request.headers)


def _carry(request: Request, server: socket.socket) -> bytes:
    """Asks the server the same, and gives its whole answer."""
    query = "?" + request.target.partition("?")[2] if "?" in request.target else ""
    lines = [f"{request.method} {request.path}{query} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in request.headers.items() if not name.startswith("proxy-")]
    server.sendall("\r\n".join((*lines, "", "")).encode("latin-1") + request.body)
    head, body = read_head(server)
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length and (more := server.recv(65536)):
        body += more
    return head + b"\r\n\r\n" + body


def company_leaf(pki: Pki) -> Callable[[str], Credential]:
    """What inspection shows: for each name a certificate of the company's authority."""
    return lambda name: pki.leaf(name, by=pki.company_issuing)


# -- policies


def open_to_all(asked: Asked) -> Refusal | None:
    """Lets everything through."""
    return None


def asks_for_password(*schemes: str) -> Policy:
    """407 with these challenges, as squid sends it: `Negotiate`, `NTLM`, `Basic realm="proxy"`."""
    challenges = tuple(("Proxy-Authenticate", scheme) for scheme in schemes)
    headers = {**SQUID, "X-Squid-Error": "ERR_CACHE_ACCESS_DENIED 0"}
    page = _page("Cache Access Denied", "Sorry, you are not allowed until you have authenticated yourself.")
    return lambda asked: Response(407, page, headers=headers, repeated=challenges)


def denies(pattern: str = "*", status: int = 403, port: int | None = None) -> Policy:
    """Denies hosts that match (and the port, where one is given). 470 is what Azure Firewall says."""
    if status == 470:
        body = b"Action: Deny. Reason: No rule matched. Proceeding with default action"
        answer = Response(status, body, type="text/plain", reason="Request denied by Azure Firewall")
    else:
        page = _page("Access Denied", "Access control configuration prevents your request from being allowed.")
        answer = Response(status, page, headers={**SQUID, "X-Squid-Error": "ERR_ACCESS_DENIED 0"})
    return lambda asked: answer if fnmatchcase(asked.host, pattern) and port in (None, asked.port) else None


def portal(asked: Asked) -> Refusal | None:
    """Wants a log-in on its own page first (RFC 6585, 6), as captive portals do."""
    return Response(511, _page("Log in", "Log in to use this network."), reason="Network Authentication Required")


def only_port(port: int) -> Policy:
    """Denies every other port, as a proxy does whose ports are restricted (squid's Safe_ports and SSL_ports)."""
    answer = denies()
    return lambda asked: None if asked.port == port else answer(asked)


def fails(status: int) -> Policy:
    """502, 503 or 504: the proxy has no way out, or no names."""
    return lambda asked: cannot_reach(status, "The system returned: (110) Connection timed out")


def closes(asked: Asked) -> Refusal | None:
    """Ends the connection in place of an answer."""
    return Raw()


def malformed(asked: Asked) -> Refusal | None:
    """Speaks no HTTP: something else listens on the proxy's port."""
    return Raw(b"\x05\xff SSH-2.0-none of this is HTTP\r\n\r\n")


def silent(asked: Asked) -> Refusal | None:
    """Never answers."""
    return Silence()


def cannot_reach(status: int, words: str) -> Response:
    headers = {**SQUID, "X-Squid-Error": "ERR_CONNECT_FAIL 110"}
    return Response(status, _page("The requested URL could not be retrieved", words), headers=headers)


def matching(*patterns: str) -> Callable[[str], bool]:
    """For `inspects`: hosts that match one of the patterns."""
    return lambda host: any(fnmatchcase(host, pattern) for pattern in patterns)


def _page(title: str, words: str) -> bytes:
    return f"<html><head><title>ERROR: {title}</title></head><body><h1>{title}</h1><p>{words}</p></body></html>\n".encode()
