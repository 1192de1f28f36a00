# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What everything in the lab is built from: a listener, a little HTTP, TLS in front of it, a relay.

All of it listens on loopback on a port that the kernel chooses. Times are seconds.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

IPV4 = "127.0.0.1"
IPV6 = "::1"
PATIENCE = 60.0
"""How long a server waits for a client that says nothing, at most."""
HEAD_LIMIT = 65536

Connection = socket.socket | ssl.SSLSocket
Handler = Callable[[socket.socket], None]


class Missing(Exception):
    """A program or a right that this machine does not have; the text says which."""


@dataclass
class Counter:
    """Connections of one server: now, at most at once, altogether."""

    now: int = 0
    most: int = 0
    total: int = 0

    def enter(self) -> None:
        self.now += 1
        self.total += 1
        self.most = max(self.most, self.now)

    def leave(self) -> None:
        self.now -= 1


class Census:
    """The connections of one or several listeners that are open at once, by the clients' doing: accepted, and the client has not closed its
    side (on loopback the server's kernel knows of that before the client opens another one). `Counter` counts until a server is done."""

    def __init__(self) -> None:
        self.most = 0
        self.total = 0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def enter(self, connection: socket.socket) -> None:
        with self._lock:
            self._open = {one for one in (*self._open, connection) if _is_established(one)}
            self.total += 1
            self.most = max(self.most, len(self._open))


def _is_established(connection: socket.socket) -> bool:
    """By TCP_INFO's state."""
    return connection.fileno() != -1 and connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == b"\x01"


class Listener:
    """Accepts connections and gives each to `handler` in a thread of its own; the connection is closed when that ends.

    An error of the connection (OSError, also ssl's) ends it quietly: clients of the lab go away as they like. Any other
    error is kept in `errors`, and `close` raises the first: a lab that is broken must not look like a fault.
    """

    def __init__(self, handler: Handler, *, address: str = IPV4, port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = socket.create_server((address, port), family=family, backlog=256)
        self._handler = handler
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._closing = False
        self.connections = Counter()
        self.errors: list[Exception] = []
        self.address, self.port = self._socket.getsockname()[:2]
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    @property
    def to(self) -> str:
        """address:port, as connect_to wants it."""
        return at(self.address, self.port)

    def close(self) -> None:
        """Ends the listener and everything that is still connected."""
        self._closing = True
        with contextlib.suppress(OSError), socket.create_connection((self.address, self.port), timeout=1):
            pass  # accept() does not end by itself when its socket is closed: a last connection wakes it
        self._acceptor.join(5)
        self._socket.close()
        with self._lock:
            threads = list(self._threads)
            for thread in threads:
                _end(thread)
        for thread in threads:
            thread.join(5)
        if self.errors:
            raise self.errors[0]

    def _accept(self) -> None:
        while True:
            try:
                connection, _peer = self._socket.accept()
            except OSError:
                return
            if self._closing:
                connection.close()
                return
            connection.settimeout(PATIENCE)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            with self._lock:
                self._threads.add(thread)
                self.connections.enter()
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        adopt(connection)
        try:
            self._handler(connection)
        except OSError:
            pass
        except Exception as error:  # noqa: BLE001 - close() raises it, where somebody sees it
            self.errors.append(error)
        finally:
            _served.pop(threading.current_thread(), None)
            with self._lock:
                self._threads.discard(threading.current_thread())
                self.connections.leave()
            with contextlib.suppress(OSError):
                connection.close()


_served: dict[threading.Thread, socket.socket] = {}
"""The connection that each thread serves now: ssl puts another object in the place of the accepted one."""


def adopt(connection: socket.socket) -> None:
    """This is what the current thread serves from now on (so that closing the listener can end it)."""
    _served[threading.current_thread()] = connection


def _end(thread: threading.Thread) -> None:
    connection = _served.get(thread)
    if connection is not None:
        with contextlib.suppress(OSError):
            # Not ssl's own shutdown: that one is for the thread that serves.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)


def at(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def split(to: str) -> tuple[str, int]:
    """The reverse of `at`; the host may be a name."""
    host, _colon, port = to.rpartition(":")
    return host.strip("[]"), int(port)


def reset(connection: socket.socket) -> None:
    """Ends a connection with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def drain(connection: Connection) -> None:
    """Reads until the client goes away (or patience ends): holds a connection open and says nothing."""
    while connection.recv(65536):
        pass


# -- HTTP, as little as is needed


@dataclass(frozen=True)
class Request:
    """A request as it came. `host` is the Host header without its port, in lower case; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    secure: bool = False
    client_certificate: bool = False
    body: bytes = b""

    @property
    def host(self) -> str:
        return split(self.headers.get("host", "") + ":0")[0].partition(":")[0].lower()

    @property
    def path(self) -> str:
        """Without the query; of an absolute URI (sent to proxies) its path."""
        target = self.target.partition("?")[0]
        if "://" in target:
            target = "/" + target.split("://", 1)[1].partition("/")[2]
        return target

    @property
    def upgrade(self) -> bool:
        return self.headers.get("upgrade", "").lower() == "websocket"


@dataclass(frozen=True)
class Response:
    """Sent as HTTP/1.1 with a length and a date. `reason` is looked up where it is empty."""

    status: int
    body: bytes = b""
    type: str = "text/html; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    repeated: tuple[tuple[str, str], ...] = ()
    """Headers that may stand more than once."""
    ahead: int = 0
    """Seconds by which the date is ahead of this machine's clock."""
    pace: float = 0
    """Seconds between two bytes of the body; 0: all at once."""

    def to_bytes(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} {self.reason or REASONS.get(self.status, 'Status')}"]
        lines.append(f"Date: {formatdate(time.time() + self.ahead, usegmt=True)}")
        lines += [f"{name}: {value}" for name, value in (*self.headers.items(), *self.repeated)]
        if self.status != 101:
            lines += [f"Content-Type: {self.type}", f"Content-Length: {len(self.body)}"]
        return "\r\n".join((*lines, "", "")).encode("latin-1") + self.body


REASONS = {
    101: "Switching Protocols",
    200: "OK",
    302: "Found",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    407: "Proxy Authentication Required",
    470: "Denied",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}

Answer = Callable[[Request], Response | None]
"""What a server says to a request; None is a reset in place of an answer."""


def read_request(connection: Connection, *, secure: bool = False) -> Request | None:
    """One request with its body (by Content-Length). None where the client went away or sent no HTTP."""
    head, rest = read_head(connection)
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3:
        return None
    headers = dict(_header(line) for line in lines[1:] if ":" in line)
    body = rest
    while len(body) < int(headers.get("content-length", "0")) and (more := connection.recv(65536)):
        body += more
    return Request(words[0], words[1], headers, secure=secure, client_certificate=_has_certificate(connection), body=body)


def read_head(connection: Connection) -> tuple[bytes, bytes]:
    """Everything up to the empty line, and what came after it. An empty head where the other side went away first."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more or len(data) > HEAD_LIMIT:
            return b"", data
        data += more
    head, _end, rest = data.partition(b"\r\n\r\n")
    return head, rest


def serve_http(connection: Connection, answer: Answer, *, secure: bool = False) -> None:
    """Answers requests until the client has had enough; after a 101 the connection is held open."""
    while (request := read_request(connection, secure=secure)) is not None:
        response = answer(request)
        if response is None:
            reset(connection)
            return
        _send(connection, response)
        if response.status == 101:
            drain(connection)
            return
        if request.headers.get("connection", "").lower() == "close":
            return


def _send(connection: Connection, response: Response) -> None:
    raw = response.to_bytes()
    slowly = len(response.body) if response.pace else 0
    connection.sendall(raw[: len(raw) - slowly])
    for byte in raw[len(raw) - slowly:]:
        time.sleep(response.pace)
        connection.sendall(bytes((byte,)))


def _header(line: str) -> tuple[str, str]:
    name, _colon, value = line.partition(":")
    return name.strip().lower(), value.strip()


def _has_certificate(connection: Connection) -> bool:
    return isinstance(connection, ssl.SSLSocket) and bool(connection.getpeercert(binary_form=True))


# -- TLS

Contexts = Callable[[str | None], ssl.SSLContext]
"""A context for the name that the client asked for (SNI; None where it named none)."""


def serve_tls(connection: socket.socket, contexts: Contexts, answer: Answer) -> None:
    """A handshake with the context of the client's name, then HTTP over it, then an orderly end."""
    with contextlib.closing(accept_tls(connection, contexts)) as secured:
        serve_http(secured, answer, secure=True)
        if secured.fileno() != -1:
            secured.settimeout(1)
            with contextlib.suppress(OSError, ValueError):
                secured.unwrap()


def accept_tls(connection: socket.socket, contexts: Contexts) -> ssl.SSLSocket:
    """Raises OSError (ssl.SSLError) where the client does not like what it is shown.

    The name is looked up before ssl sees a byte: ssl's own callback changes the certificate of a connection, but not
    whether a client certificate is asked for.
    """
    hello = read_client_hello(peek_record(connection))
    secured = contexts(None if hello is None else hello.name).wrap_socket(
        connection, server_side=True, do_handshake_on_connect=False
    )
    adopt(secured)
    try:
        secured.do_handshake()
    except BaseException:
        secured.close()
        raise
    return secured


def http_listener(answer: Answer, address: str = IPV4, port: int = 0) -> Listener:
    return Listener(lambda connection: serve_http(connection, answer), address=address, port=port)


def tls_listener(contexts: Contexts, answer: Answer, address: str = IPV4, port: int = 0) -> Listener:
    return Listener(lambda connection: serve_tls(connection, contexts, answer), address=address, port=port)


# -- relays

Hook = Callable[[bytes, int], bytes | None]
"""(data, how much went this way before) -> what is passed on; None resets both sides; b"" holds it back."""


def relay(connection: socket.socket, to: str, *, up: Hook | None = None, down: Hook | None = None) -> None:
    """Carries bytes between a client and `to` until one of them ends; `up` sees the client's, `down` the server's."""
    with socket.create_connection(split(to), timeout=PATIENCE) as server:
        back = threading.Thread(target=_pump, args=(server, connection, down), daemon=True)
        back.start()
        _pump(connection, server, up)
        back.join(PATIENCE)


def _pump(source: socket.socket, sink: socket.socket, hook: Hook | None) -> None:
    passed = 0
    try:
        while data := source.recv(65536):
            kept = data if hook is None else hook(data, passed)
            passed += len(data)
            if kept is None:
                for side in (source, sink):
                    # Wakes the other pump, which waits on it: a socket that somebody waits on is not closed by close().
                    side.shutdown(socket.SHUT_RD)
                    reset(side)
                return
            if kept:
                sink.sendall(kept)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        # One side is gone: the other must not wait for it.
        for side in (source, sink):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)


# -- the ClientHello, as far as boxes on the path look into it


@dataclass(frozen=True)
class ClientHello:
    """`extensions` are raw: number to content."""

    name: str | None
    extensions: Mapping[int, bytes]

    @property
    def versions(self) -> tuple[int, ...]:
        """Of supported_versions (43); empty where the client does not send it."""
        return _numbers(self.extensions.get(43, b"")[1:])

    @property
    def signature_algorithms(self) -> tuple[int, ...]:
        return _numbers(self.extensions.get(13, b"")[2:])


def read_client_hello(data: bytes) -> ClientHello | None:
    """From the first record's bytes. None where they are not a whole ClientHello.

    >>> read_client_hello(b"GET / HTTP/1.1")
    """
    if len(data) < 44 or data[0] != 22 or data[5] != 1 or len(data) < 5 + int.from_bytes(data[3:5], "big"):
        return None
    at_ = 43
    at_ += 1 + data[at_]
    at_ += 2 + int.from_bytes(data[at_ : at_ + 2], "big")
    at_ += 1 + data[at_]
    end = at_ + 2 + int.from_bytes(data[at_ : at_ + 2], "big")
    at_ += 2
    extensions = {}
    while at_ + 4 <= end:
        kind, length = struct.unpack_from("!HH", data, at_)
        extensions[kind] = data[at_ + 4 : at_ + 4 + length]
        at_ += 4 + length
    name = extensions.get(0, b"")[5:].decode("ascii", "replace") or None
    return ClientHello(name, extensions)


def receive_record(connection: socket.socket) -> bytes:
    """The first TLS record that the client sends, whole. Fewer bytes where it goes away or sends no TLS."""
    data = b""
    while not _is_record(data):
        more = connection.recv(65536)
        if not more:
            break
        data += more
    return data


def peek_record(connection: socket.socket) -> bytes:
    """As receive_record, but the bytes stay to be read again."""
    end = time.monotonic() + PATIENCE
    data = connection.recv(65536, socket.MSG_PEEK)
    while data and not _is_record(data) and time.monotonic() < end:
        time.sleep(0.005)  # there is no way to wait for more than has been peeked at
        more = connection.recv(65536, socket.MSG_PEEK)
        if len(more) == len(data) and _has_ended(connection):
            break
        data = more
    return data


def _is_record(data: bytes) -> bool:
    """A whole record; or bytes that are none."""
    if data[:1] not in (b"", b"\x16"):
        return True
    return len(data) >= 5 and len(data) >= 5 + int.from_bytes(data[3:5], "big")


def _has_ended(connection: socket.socket) -> bool:
    """The client has sent FIN (TCP_INFO's state is CLOSE_WAIT): what was peeked at is all that there will be."""
    return hasattr(socket, "TCP_INFO") and connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == b"\x08"


def _numbers(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"!{len(data) // 2}H", data[: len(data) // 2 * 2])


# -- OpenSSL's own server, for what ssl cannot do (strict about signature algorithms, say)


class OpensslServer:
    """`openssl s_server -www` as a program of its own. One connection at a time. Missing where there is no openssl."""

    def __init__(self, pem: Path, *options: str) -> None:
        program = shutil.which("openssl")
        if program is None:
            raise Missing("the program openssl is not on PATH")
        self.port = _free_port()
        self.to = at(IPV4, self.port)
        command = [program, "s_server", "-accept", self.to, "-cert", str(pem), "-cert_chain", str(pem), "-key", str(pem)]
        self._process = subprocess.Popen(
            [*command, "-www", "-quiet", *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
        )
        self._wait()

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def _wait(self) -> None:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            if self._process.poll() is not None:
                words = (self._process.stderr.read() if self._process.stderr else b"").decode(errors="replace")
                raise Missing(f"openssl s_server did not start: {words.strip()[-400:]}")
            with contextlib.suppress(OSError), socket.create_connection((IPV4, self.port), timeout=1):
                return
            time.sleep(0.05)
        self.close()
        raise Missing("openssl s_server did not listen within 10 s")


def _free_port() -> int:
    """A port that was free a moment ago: openssl takes a number, not a socket."""
    with socket.create_server((IPV4, 0)) as probe:
        return int(probe.getsockname()[1])
