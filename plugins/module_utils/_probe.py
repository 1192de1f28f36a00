# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network engine of path_info: takes a request (request.schema.json), gives an observation (observation.schema.json).

FOR INTERNAL COLLECTION USE ONLY. Standard library only, Python 3.9+; it parses on older Pythons, so that path_info can say
that they are too old. The words are explained in docs/observation.md.

In order: faults, request, bytes, hello by hand, certificates, HTTP, board (what was planned and seen), names, sockets and TLS,
the stages, the plan, the entry.
"""

import asyncio
import base64
import contextlib
import errno
import hashlib
import ipaddress
import os
import pwd
import random
import re
import socket
import ssl
import struct
import sys
import threading
import time
from calendar import timegm
from typing import Any, Awaitable, Callable, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Tuple, Union
from urllib.parse import quote

VERSION = "1.0.0"
"""The collection's, as in galaxy.yml."""

STAGES = ("resolve", "connect", "proxy", "hello", "handshake", "request", "websocket")
"""In the order in which an attempt goes through them."""

CERTIFICATE_ERRORS = ("untrusted", "name_mismatch", "expired")
"""In the order in which the first names the handshake's error."""

Facts = Dict[str, Any]


# ---- faults -------------------------------------------------------------------------------------------------------------


class Fault(Exception):
    """A typed error of the observation. `facts`: level and description, bytes or first_bytes, as the schema's error has them."""

    def __init__(self, code: str, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.code = code
        self.facts = facts

    def as_table(self) -> Facts:
        table = {"code": self.code, "message": str(self)[:500]}  # type: Facts
        table.update(self.facts)
        return table


def malformed(message: str) -> Fault:
    return Fault("malformed", message)


def _late(timeout_ms: int) -> Fault:
    return Fault("timeout", "not done within {0} ms".format(timeout_ms))


_LOCAL_LIMITS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_RESETS = (errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE)


def _connect_fault(error: OSError) -> Fault:
    codes = {
        errno.ECONNREFUSED: "refused", errno.ETIMEDOUT: "timeout", errno.ECONNRESET: "reset", errno.ECONNABORTED: "reset",
        errno.EACCES: "denied", errno.EPERM: "denied",
    }
    if error.errno in _LOCAL_LIMITS:
        # Not the network's word: this machine gives out no more sockets.
        return Fault("denied", str(error))
    return Fault(codes.get(error.errno or 0, "unreachable"), str(error))


def _broken(error: Exception, reset: str) -> Fault:
    """What a connection that broke means where `reset` is the stage's code for a TCP reset."""
    number = getattr(error, "errno", None)
    if isinstance(error, ssl.SSLError):
        return Fault("closed", str(error))
    if number == errno.ETIMEDOUT:
        return Fault("timeout", str(error))
    return Fault(reset if number in _RESETS else "closed", str(error))


def _broken_http(error: Exception) -> Fault:
    return _broken(error, "closed")


def _broken_tls(error: Exception) -> Fault:
    return _broken(error, "reset")


# ---- request ------------------------------------------------------------------------------------------------------------


class BadRequest(ValueError):
    """The message names the option, as in request.targets[3].port."""


class Place(NamedTuple):
    """A host and a port; the host without brackets."""

    host: str
    port: int

    def bracketed(self) -> str:
        return "[{0}]".format(self.host) if ":" in self.host else self.host

    def text(self) -> str:
        return "{0}:{1}".format(self.bracketed(), self.port)

    def header(self, usual_port: int) -> str:
        """As a Host header says it."""
        return self.bracketed() if self.port == usual_port else self.text()

    def literal(self) -> Optional[str]:
        """The address, or None when the host is a name. Short forms such as 10.1 are names here."""
        try:
            ipaddress.ip_address(self.host.split("%", 1)[0])
        except ValueError:
            return None
        return self.host

    def tls_name(self) -> str:
        """What the certificate must be for."""
        return self.host.rstrip(".")


class Target(NamedTuple):
    id: str
    place: Place
    tls: bool
    get: str
    websocket: Optional[str]
    user_agent: str
    addresses: bool

    def host_header(self) -> str:
        return self.place.header(443 if self.tls else 80)


class Path(NamedTuple):
    id: str
    proxy: Optional[Place]
    """None is direct."""


class Request(NamedTuple):
    deadline_ms: int
    timeouts_ms: Mapping[str, int]
    parallel: int
    paths: Tuple[Path, ...]
    targets: Tuple[Target, ...]
    connect_to: Mapping[Place, Place]
    """By the place with its host in lower case."""
    revocation_limit: int
    revocation_user_agent: str

    def redirect(self, place: Place) -> Optional[Place]:
        return self.connect_to.get(Place(place.host.lower(), place.port))


TIMEOUTS_MS = {"resolve": 5000, "connect": 6000, "proxy": 6000, "hello": 5000, "handshake": 7000, "request": 6000}
_REQUIRED = object()
_LONG = 10 ** 9
_PLAIN = re.compile(r"[\x21-\x7e]+")


def _bad(where: str, why: str) -> BadRequest:
    return BadRequest("{0}: {1}".format(where, why))


class _Options:
    """Typed reading of one table of the request."""

    def __init__(self, where: str, table: Any, known: Tuple[str, ...] = ()) -> None:
        if not isinstance(table, dict):
            raise _bad(where, "must be a dictionary")
        for key in table:
            if not isinstance(key, str) or (known and key not in known):
                raise _bad("{0}.{1}".format(where, key), "is not known; known are: " + ", ".join(known))
        self._where = where
        self.table = table  # type: Dict[str, Any]

    def at(self, key: str) -> str:
        return "{0}.{1}".format(self._where, key)

    def get(self, key: str, default: Any = _REQUIRED) -> Any:
        if key in self.table:
            return self.table[key]
        if default is _REQUIRED:
            raise _bad(self.at(key), "is required")
        return default

    def number(self, key: str, least: int, most: int, default: Any = _REQUIRED) -> int:
        value = self.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise _bad(self.at(key), "must be a whole number from {0} to {1}".format(least, most))
        return value

    def flag(self, key: str, default: Any = _REQUIRED) -> bool:
        value = self.get(key, default)
        if not isinstance(value, bool):
            raise _bad(self.at(key), "must be true or false")
        return value

    def text(self, key: str, default: Any = _REQUIRED) -> str:
        value = self.get(key, default)
        if not isinstance(value, str) or not value:
            raise _bad(self.at(key), "must be a text that is not empty")
        return value

    def header(self, key: str, default: str) -> str:
        value = self.get(key, default)
        if not isinstance(value, str) or not re.fullmatch(r"[\x20-\x7e]*", value):
            raise _bad(self.at(key), "must be a text of printable ASCII")
        return value

    def url_path(self, key: str, default: Any = _REQUIRED) -> str:
        value = self.text(key, default)
        if not value.startswith("/") or not _PLAIN.fullmatch(value):
            raise _bad(self.at(key), "must begin with / and hold no spaces or control characters")
        return value

    def items(self, key: str, most_needed: int = 0) -> List[Any]:
        value = self.get(key)
        if not isinstance(value, list) or len(value) < most_needed:
            raise _bad(self.at(key), "must be a list" + (" that is not empty" if most_needed else ""))
        return value

    def part(self, key: str, *known: str) -> "_Options":
        return _Options(self.at(key), self.get(key, {}), known)

    def parts(self, key: str, least: int, *known: str) -> "List[_Options]":
        return [_Options("{0}[{1}]".format(self.at(key), number), item, known) for number, item in enumerate(self.items(key, least))]


def parse_place(text: Any) -> Optional[Place]:
    """host:port, an IPv6 address in brackets; None when it is not that."""
    if not isinstance(text, str):
        return None
    host, _colon, port = text.rpartition(":")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        return None
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not _PLAIN.fullmatch(bare) or re.search(r"[\[\]/@]", bare) or (":" in bare and bare == host):
        return None
    return Place(bare, int(port))


def _host(options: _Options) -> str:
    host = options.text("host")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    labels = bare.rstrip(".").split(".")
    named = len(bare) <= 253 and all(1 <= len(label) <= 63 for label in labels)
    if not _PLAIN.fullmatch(bare) or re.search(r"[\[\]/@]", bare) or not (named or Place(bare, 1).literal()):
        raise _bad(options.at("host"), "must be a host name or an address")
    if ":" in bare and not Place(bare, 1).literal():
        raise _bad(options.at("host"), "must be a host name or an address, without a port")
    return bare


def _read_path(options: _Options) -> Path:
    ways = options.items("ways", 1)
    proxies = []  # type: List[Optional[Place]]
    for way in ways:
        proxy = parse_place(way[7:]) if isinstance(way, str) and way.startswith("http://") else None
        if way != "direct" and proxy is None:
            raise _bad(options.at("ways"), "must hold 'direct' and 'http://host:port' only")
        proxies.append(proxy)
    return Path(options.text("id"), proxies[0])


def _read_target(options: _Options) -> Target:
    asked = options.get("websocket", None)
    return Target(
        id=options.text("id"),
        place=Place(_host(options), options.number("port", 1, 65535)),
        tls=options.flag("tls"),
        get=options.url_path("get", "/"),
        websocket=None if asked is None else options.url_path("websocket"),
        user_agent=options.header("user_agent", "appproxy.connector"),
        addresses=options.flag("addresses", True),
    )


def _read_connect_to(options: _Options) -> Dict[Place, Place]:
    read = {}
    for key, value in options.table.items():
        asked, instead = parse_place(key), parse_place(value)
        if asked is None:
            raise _bad(options.at(key), "must be named host:port")
        if instead is None:
            raise _bad(options.at(key), "must be address:port, an IPv6 address in brackets")
        read[Place(asked.host.lower(), asked.port)] = instead
    return read


def read_request(request: Any) -> Request:
    """Fills in the defaults. Raises BadRequest."""
    top = _Options(
        "request", request,
        ("schema", "deadline_ms", "timeouts_ms", "parallel", "paths", "targets", "connect_to", "revocation"),
    )
    top.number("schema", 1, 1)
    timeouts = top.part("timeouts_ms", *TIMEOUTS_MS)
    revocation = top.part("revocation", "limit", "user_agent")
    return Request(
        deadline_ms=top.number("deadline_ms", 1000, 600000, 20000),
        timeouts_ms={stage: timeouts.number(stage, 100, _LONG, usual) for stage, usual in TIMEOUTS_MS.items()},
        parallel=top.number("parallel", 1, 64, 16),
        paths=tuple(_read_path(item) for item in top.parts("paths", 1, "id", "ways")),
        targets=tuple(
            _read_target(item)
            for item in top.parts("targets", 0, "id", "host", "port", "tls", "get", "websocket", "user_agent", "addresses")
        ),
        connect_to=_read_connect_to(top.part("connect_to")),
        revocation_limit=revocation.number("limit", 0, _LONG, 24),
        revocation_user_agent=revocation.header("user_agent", "Microsoft-CryptoAPI/10.0"),
    )


# ---- bytes --------------------------------------------------------------------------------------------------------------


class Reader:
    """Reads numbers and parts out of bytes and never beyond them: too short is a malformed fault."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, length: int) -> bytes:
        if length > self.left:
            raise malformed("a length goes beyond the end of its message")
        self._at += length
        return self._data[self._at - length:self._at]

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    def vector(self, width: int) -> "Reader":
        """A part that begins with its own length, of `width` bytes."""
        return Reader(self.take(self.number(width)))

    def rest(self) -> bytes:
        return self.take(self.left)

    def numbers(self, width: int) -> List[int]:
        found = []
        while self.left:
            found.append(self.number(width))
        return found

    def element(self) -> Tuple[int, "Reader", bytes]:
        """One DER element: its tag, its content, and itself with its header."""
        start = self._at
        tag, length = self.number(1), self.number(1)
        if length > 127:
            width = length & 127
            if not 1 <= width <= 3:
                raise malformed("a DER length that no certificate has")
            length = self.number(width)
        content = self.take(length)
        return tag, Reader(content), self._data[start:self._at]

    def inside(self, wanted: int) -> "Reader":
        """The content of a DER element that must have this tag."""
        tag, content, _whole = self.element()
        if tag != wanted:
            raise malformed("a DER element of type {0:#x} where {1:#x} was expected".format(tag, wanted))
        return content


def _vector(width: int, content: bytes) -> bytes:
    return len(content).to_bytes(width, "big") + content


def _pairs(numbers: Iterable[int]) -> bytes:
    return b"".join(number.to_bytes(2, "big") for number in numbers)


# ---- hello --------------------------------------------------------------------------------------------------------------

SERVER_NAME, GROUPS, POINT_FORMATS, SIGNATURE_ALGORITHMS, SUPPORTED_VERSIONS = 0, 10, 11, 13, 43
ENCRYPT_THEN_MAC, EXTENDED_MASTER_SECRET, SESSION_TICKET, RENEGOTIATION_INFO = 22, 23, 35, 0xFF01
RENEGOTIATION_SCSV = 0x00FF
TLS12 = 0x0303
VERSION_NAMES = {0x0300: "SSLv3", 0x0301: "TLSv1.0", 0x0302: "TLSv1.1", TLS12: "TLSv1.2"}
DOWNGRADE_TO_12 = b"DOWNGRD\x01"
"""The end of the server's random, where a server that also speaks 1.3 answers with 1.2 (RFC 8446, 4.1.3)."""


class PlatformHello(NamedTuple):
    """What a ClientHello offers, GREASE values dropped; `bytes` as they go over the wire."""

    versions: Tuple[int, ...]
    suites: Tuple[int, ...]
    groups: Tuple[int, ...]
    signature_algorithms: Tuple[int, ...]
    extensions: Tuple[int, ...]
    point_formats: bytes
    bytes: int

    def as_facts(self) -> Facts:
        facts = {key: list(getattr(self, key)) for key in ("versions", "suites", "groups", "signature_algorithms", "extensions")}
        return {**facts, "bytes": self.bytes}

    def suites_of_12(self) -> Tuple[int, ...]:
        return tuple(suite for suite in self.suites if suite >> 8 != 0x13)

    def groups_of_12(self) -> Tuple[int, ...]:
        """Curves up to x448 and the finite fields of RFC 7919; the newer ones are for TLS 1.3 alone."""
        return tuple(group for group in self.groups if group <= 30 or 0x0100 <= group <= 0x0104)


RECORDED = PlatformHello(
    versions=(TLS12,),
    suites=(
        0xC02C, 0xC030, 0x009F, 0xCCA9, 0xCCA8, 0xCCAA, 0xC02B, 0xC02F, 0x009E, 0xC024, 0xC028, 0x006B, 0xC023, 0xC027, 0x0067,
        0xC00A, 0xC014, 0x0039, 0xC009, 0xC013, 0x0033, 0x009D, 0x009C, 0x003D, 0x003C, 0x0035, 0x002F,
    ),
    groups=(29, 23, 30, 25, 24),
    signature_algorithms=(
        0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0809, 0x080A, 0x080B, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0303, 0x0301,
    ),
    extensions=(
        SERVER_NAME, RENEGOTIATION_INFO, POINT_FORMATS, GROUPS, SESSION_TICKET, ENCRYPT_THEN_MAC, EXTENDED_MASTER_SECRET,
        SIGNATURE_ALGORITHMS,
    ),
    point_formats=b"\x03\x00\x01\x02",
    bytes=0,
)
"""OpenSSL 3.0's defaults, for where the platform's own hello is not to be had."""


def _known(numbers: Reader) -> Tuple[int, ...]:
    return tuple(number for number in numbers.numbers(2) if not _is_grease(number))


def _is_grease(number: int) -> bool:
    """Values that mean nothing, so that nobody chokes on new ones (RFC 8701)."""
    return number & 0x0F0F == 0x0A0A and number >> 8 == number & 0xFF


def parse_client_hello(records: bytes) -> PlatformHello:
    """Reads whole handshake records. Raises a malformed Fault."""
    reader, message = Reader(records), b""
    while reader.left:
        if reader.number(1) != 22:
            raise malformed("the platform's hello is no handshake record")
        reader.number(2)
        message += reader.vector(2).rest()
    outer = Reader(message)
    if outer.number(1) != 1:
        raise malformed("the platform's first message is no ClientHello")
    body = outer.vector(3)
    versions = (body.number(2),)  # type: Tuple[int, ...]
    body.take(32)
    body.vector(1)
    suites = _known(body.vector(2))
    body.vector(1)
    groups, algorithms, formats, order = (), (), b"\x01\x00", []  # type: Tuple[int, ...], Tuple[int, ...], bytes, List[int]
    extensions = body.vector(2) if body.left else Reader(b"")
    while extensions.left:
        kind, content = extensions.number(2), extensions.vector(2)
        if _is_grease(kind):
            continue
        order.append(kind)
        if kind == GROUPS:
            groups = _known(content.vector(2))
        elif kind == SIGNATURE_ALGORITHMS:
            algorithms = _known(content.vector(2))
        elif kind == SUPPORTED_VERSIONS:
            versions = _known(content.vector(1))
        elif kind == POINT_FORMATS:
            formats = content.rest()
    return PlatformHello(versions, suites, groups, algorithms, tuple(order), formats, len(records))


def read_platform_hello(context: ssl.SSLContext) -> PlatformHello:
    """The ClientHello that a client context really sends: the same bytes as on a socket. Raises Fault or ssl.SSLError."""
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="platform-hello.invalid")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        return parse_client_hello(outgoing.read())
    raise malformed("the platform's client did not wait for an answer")


def _extension(kind: int, like: PlatformHello, server_name: Optional[str]) -> Optional[bytes]:
    """The content of an extension of a TLS 1.2 hello; None for what is left out."""
    if kind == SERVER_NAME:
        return None if server_name is None else _vector(2, b"\x00" + _vector(2, server_name.encode("ascii")))
    contents = {
        GROUPS: _vector(2, _pairs(like.groups_of_12())),
        SIGNATURE_ALGORITHMS: _vector(2, _pairs(like.signature_algorithms)),
        POINT_FORMATS: like.point_formats,
        RENEGOTIATION_INFO: b"\x00",
        ENCRYPT_THEN_MAC: b"",
        EXTENDED_MASTER_SECRET: b"",
        SESSION_TICKET: b"",
    }
    return contents.get(kind)


def build_hello(like: PlatformHello, server_name: Optional[str]) -> bytes:
    """A TLS 1.2 hello that looks like the platform's own, as one record; `server_name` is None for an address.

    This is the usual variant. Others (SHA-512 first, padded) differ in what they pass here as `like`, or append an extension.
    """
    suites = like.suites_of_12()
    order = list(like.extensions)
    # The name stands first in OpenSSL's hello; the platform's own hello, which was read with a name, has it already.
    for needed in (EXTENDED_MASTER_SECRET, POINT_FORMATS, RENEGOTIATION_INFO):
        said = needed in order or (needed == RENEGOTIATION_INFO and RENEGOTIATION_SCSV in suites)
        if not said:
            order.append(needed)
    extensions = b""
    for kind in order:
        content = _extension(kind, like, server_name)
        if content is not None:
            extensions += kind.to_bytes(2, "big") + _vector(2, content)
    body = TLS12.to_bytes(2, "big") + os.urandom(32) + b"\x00" + _vector(2, _pairs(suites)) + b"\x01\x00" + _vector(2, extensions)
    return b"\x16\x03\x01" + _vector(2, b"\x01" + _vector(3, body))


_ECDHE = frozenset((
    *range(0xC006, 0xC00B), *range(0xC010, 0xC015), 0xC023, 0xC024, 0xC027, 0xC028, 0xC02B, 0xC02C, 0xC02F, 0xC030,
    0xC048, 0xC049, 0xC04C, 0xC04D, 0xC05C, 0xC05D, 0xC060, 0xC061, 0xC072, 0xC073, 0xC076, 0xC077, 0xC086, 0xC087, 0xC08A, 0xC08B,
    *range(0xC0AC, 0xC0B0), 0xCCA8, 0xCCA9,
))
_DHE = frozenset((
    0x0013, 0x0016, 0x0032, 0x0033, 0x0038, 0x0039, 0x0040, 0x0044, 0x0045, 0x0067, 0x006A, 0x006B, 0x0087, 0x0088,
    0x009E, 0x009F, 0x00A2, 0x00A3, 0x00BD, 0x00BE, 0x00C3, 0x00C4, 0xC044, 0xC045, 0xC052, 0xC053, 0xC056, 0xC057,
    0xC07C, 0xC07D, 0xC080, 0xC081, 0xC09E, 0xC09F, 0xC0A2, 0xC0A3, 0xCCAA,
))
_RSA = frozenset((
    0x0004, 0x0005, 0x000A, 0x002F, 0x0035, 0x003B, 0x003C, 0x003D, 0x0041, 0x0084, 0x009C, 0x009D, 0x00BA, 0x00C0,
    0xC03C, 0xC03D, 0xC050, 0xC051, 0xC07A, 0xC07B, 0xC09C, 0xC09D, 0xC0A0, 0xC0A1,
))


def key_exchange_of(suite: int) -> str:
    """ecdhe, dhe or rsa. Raises a malformed Fault for a suite that no client of today offers."""
    for kind, suites in (("ecdhe", _ECDHE), ("dhe", _DHE), ("rsa", _RSA)):
        if suite in suites:
            return kind
    raise malformed("the key exchange of cipher suite {0:#06x} is not known".format(suite))


_MOST_BYTES = 256 * 1024
_MOST_RECORD = 16384 + 2048
_MOST_WARNINGS = 16
HELLO_REQUEST, SERVER_HELLO, CERTIFICATE, KEY_EXCHANGE, CERTIFICATE_REQUEST, HELLO_DONE, CERTIFICATE_STATUS = 0, 2, 11, 12, 13, 14, 22
_TURN = {SERVER_HELLO: 1, CERTIFICATE: 2, CERTIFICATE_STATUS: 3, KEY_EXCHANGE: 4, CERTIFICATE_REQUEST: 5, HELLO_DONE: 6}
"""Each message at most once, and in this order (RFC 5246, 7.3; RFC 6066, 8)."""


class ServerFlight:
    """A server's answer to a TLS 1.2 hello, in the clear, as far as ServerHelloDone: fed with bytes, does no I/O.

    `facts` are the hello stage's, but `chain` holds the DERs. Whatever a server sends ends in a Fault or in `done`.
    """

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.done = False
        self._raw = b""
        self._handshake = b""
        self._first = b""
        self._total = 0
        self._in_records = False
        self._turn = 0
        self._version = 0
        self._suite = 0
        facts.update(bytes=0, warnings=[])

    def feed(self, data: bytes) -> None:
        self._total += len(data)
        self.facts["bytes"] = self._total
        self._first = (self._first + data)[:64] if len(self._first) < 64 else self._first
        self._raw += data
        while not self.done and self._next_record():
            pass
        if not self.done and self._total > _MOST_BYTES:
            raise malformed("more bytes than a server's hello may have")

    def silence(self, timeout_ms: int) -> Fault:
        """The stage's time is up: nothing came, or something and then silence."""
        if not self._total:
            return _late(timeout_ms)
        if self._is_not_tls():
            return self._not_tls()
        return Fault("stalled", "{0} bytes came, then nothing more".format(self._total), bytes=self._total)

    def end(self) -> Fault:
        """The server has closed before it was done."""
        if self._total and self._is_not_tls():
            return self._not_tls()
        return Fault("closed", "the server closed the connection before its hello was done")

    def _is_not_tls(self) -> bool:
        return not self._in_records and not _begins_record(self._first)

    def _not_tls(self) -> Fault:
        return Fault("not_tls", "the answer is no TLS record", first_bytes=self._first.hex())

    def _next_record(self) -> bool:
        """Whether a whole record was there."""
        raw = self._raw
        if len(raw) < 5:
            return False
        if not _begins_record(raw):
            raise malformed("no TLS record where one should begin") if self._in_records else self._not_tls()
        self._in_records = True
        length = raw[3] << 8 | raw[4]
        if not 1 <= length <= _MOST_RECORD:
            raise malformed("a record of {0} bytes".format(length))
        if len(raw) < 5 + length:
            return False
        self._raw = raw[5 + length:]
        self._record(raw[0], raw[5:5 + length])
        return True

    def _record(self, kind: int, body: bytes) -> None:
        if kind == 21:
            self._alert(body)
        elif kind == 22:
            self._handshake += body
            while not self.done and self._next_message():
                pass
        else:
            raise malformed("a record of type {0} before the keys are agreed".format(kind))

    def _alert(self, body: bytes) -> None:
        if len(body) != 2 or body[0] not in (1, 2):
            raise malformed("an alert that is none")
        if body[0] == 2:
            raise Fault("alert", "the server sent alert {0}".format(body[1]), level=2, description=body[1])
        self.facts["warnings"] = self.facts["warnings"] + [[body[0], body[1]]]
        if len(self.facts["warnings"]) > _MOST_WARNINGS:
            raise malformed("warnings without an end")

    def _next_message(self) -> bool:
        """Whether a whole message was there."""
        data = self._handshake
        if len(data) < 4:
            return False
        length = int.from_bytes(data[1:4], "big")
        if length > _MOST_BYTES:
            raise malformed("a message of {0} bytes".format(length))
        if len(data) < 4 + length:
            return False
        self._handshake = data[4 + length:]
        self._message(data[0], Reader(data[4:4 + length]))
        return True

    def _message(self, kind: int, body: Reader) -> None:
        if kind == HELLO_REQUEST:
            return
        turn = _TURN.get(kind, 0)
        if turn <= self._turn or min(turn, 2) > self._turn + 1:
            raise malformed("handshake message {0} out of order".format(kind))
        self._turn = turn
        if kind == SERVER_HELLO:
            self._server_hello(body)
        elif kind == CERTIFICATE:
            self._certificate(body)
        elif kind == KEY_EXCHANGE:
            self._key_exchange(body)
        elif kind == CERTIFICATE_REQUEST:
            self._certificate_request(body)
        elif kind == HELLO_DONE:
            self._hello_done(body)

    def _server_hello(self, body: Reader) -> None:
        self._version = body.number(2)
        if self._version not in VERSION_NAMES:
            raise malformed("a version that was not offered: {0:#06x}".format(self._version))
        ending = body.take(32)[24:]
        body.vector(1)
        self._suite = body.number(2)
        if body.number(1) != 0:
            raise malformed("a compression that was not offered")
        extensions = body.vector(2) if body.left else Reader(b"")
        while extensions.left:
            if extensions.number(2) == SUPPORTED_VERSIONS:
                raise malformed("TLS 1.3, which was not offered")
            extensions.vector(2)
        self.facts.update(
            version=VERSION_NAMES[self._version], cipher=self._suite, downgrade_sentinel=ending == DOWNGRADE_TO_12,
        )

    def _certificate(self, body: Reader) -> None:
        listed, chain = body.vector(3), []
        while listed.left:
            chain.append(listed.vector(3).rest())
        if not chain or not all(chain):
            raise malformed("a Certificate message without a certificate")
        self.facts["chain"] = chain

    def _key_exchange(self, body: Reader) -> None:
        kind, group = key_exchange_of(self._suite), None
        if kind == "ecdhe":
            if body.number(1) != 3:
                raise malformed("a key exchange over a curve without a name")
            group = body.number(2)
            body.vector(1)
        elif kind == "dhe":
            for _number in ("prime", "generator", "public value"):
                body.vector(2)
        else:
            raise malformed("a ServerKeyExchange that the cipher suite has no use for")
        # Before TLS 1.2 the algorithm is not named.
        algorithm = body.number(2) if self._version == TLS12 else None
        body.vector(2)
        self.facts["key_exchange"] = {"kind": kind, "group": group, "signature_algorithm": algorithm}

    def _certificate_request(self, body: Reader) -> None:
        types = body.vector(1).numbers(1)
        algorithms = body.vector(2).numbers(2) if self._version == TLS12 else []
        issuers, count = body.vector(2), 0
        while issuers.left:
            issuers.vector(2)
            count += 1
        self.facts["certificate_request"] = {"types": types, "signature_algorithms": algorithms, "issuers": count}

    def _hello_done(self, body: Reader) -> None:
        if body.left:
            raise malformed("a ServerHelloDone with a body")
        if "key_exchange" not in self.facts:
            if key_exchange_of(self._suite) != "rsa":
                raise malformed("no ServerKeyExchange though the cipher suite needs one")
            self.facts["key_exchange"] = {"kind": "rsa", "group": None, "signature_algorithm": None}
        self.facts.setdefault("certificate_request", None)
        self.done = True


def _begins_record(data: bytes) -> bool:
    """As far as the bytes tell."""
    return 20 <= data[0] <= 23 and (len(data) < 2 or data[1] == 3)


# ---- certificates -------------------------------------------------------------------------------------------------------

_OID_SUBJECT_NAMES, _OID_CRL_POINTS = b"\x55\x1d\x11", b"\x55\x1d\x1f"
_OID_AUTHORITY_ACCESS = b"\x2b\x06\x01\x05\x05\x07\x01\x01"
_OID_OCSP, _OID_ISSUERS = b"\x2b\x06\x01\x05\x05\x07\x30\x01", b"\x2b\x06\x01\x05\x05\x07\x30\x02"
_OID_COMMON_NAME = b"\x55\x04\x03"
_SHA1_ALGORITHM = b"\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00"
_SEQUENCE, _INTEGER, _BIT_STRING, _OCTETS, _OID = 0x30, 0x02, 0x03, 0x04, 0x06
_URI, _DNS_NAME, _IP_ADDRESS = 0x86, 0x82, 0x87


class Certificate(NamedTuple):
    """The fields that this file needs. `issuer` and `subject` are DER, the times seconds since 1970."""

    serial: bytes
    issuer: bytes
    subject: bytes
    not_before: int
    not_after: int
    key_bits: bytes
    names: Tuple[Tuple[int, bytes], ...]
    crl_urls: Tuple[str, ...]
    issuer_urls: Tuple[str, ...]
    ocsp_urls: Tuple[str, ...]


def _time(tag: int, content: Reader) -> int:
    text = content.rest().decode("latin-1")
    if tag == 0x17:
        text = ("19" if text[:2] >= "50" else "20") + text
    try:
        return timegm(time.strptime(text, "%Y%m%d%H%M%SZ"))
    except ValueError as error:
        raise malformed("a time that no certificate has") from error


def _uris(names: Reader) -> Iterator[str]:
    while names.left:
        tag, content, _whole = names.element()
        if tag == _URI:
            yield content.rest().decode("latin-1")


def _crl_urls(value: Reader) -> Iterator[str]:
    points = value.inside(_SEQUENCE)
    while points.left:
        point = points.inside(_SEQUENCE)
        while point.left:
            tag, name, _whole = point.element()
            while tag == 0xA0 and name.left:
                kind, names, _inner = name.element()
                if kind == 0xA0:
                    yield from _uris(names)


def _access_urls(value: Reader, method: bytes) -> Iterator[str]:
    descriptions = value.inside(_SEQUENCE)
    while descriptions.left:
        description = descriptions.inside(_SEQUENCE)
        if description.inside(_OID).rest() == method:
            yield from _uris(description)


def _subject_names(value: Reader) -> Iterator[Tuple[int, bytes]]:
    names = value.inside(_SEQUENCE)
    while names.left:
        tag, content, _whole = names.element()
        yield tag, content.rest()


def _extensions(fields: Reader) -> Dict[bytes, bytes]:
    found = {}
    while fields.left:
        tag, content, _whole = fields.element()
        listed = content.inside(_SEQUENCE) if tag == 0xA3 else Reader(b"")
        while listed.left:
            extension = listed.inside(_SEQUENCE)
            oid = extension.inside(_OID).rest()
            tag, value, _whole = extension.element()
            found[oid] = (value if tag == _OCTETS else extension.inside(_OCTETS)).rest()
    return found


def parse_certificate(der: bytes) -> Certificate:
    """Raises a malformed Fault."""
    fields = Reader(der).inside(_SEQUENCE).inside(_SEQUENCE)
    tag, first, _whole = fields.element()
    serial = (fields.inside(_INTEGER) if tag == 0xA0 else first).rest()
    fields.inside(_SEQUENCE)
    issuer = fields.element()[2]
    validity = fields.inside(_SEQUENCE)
    not_before, not_after = (_time(kind, content) for kind, content, _all in (validity.element(), validity.element()))
    subject = fields.element()[2]
    key = fields.inside(_SEQUENCE)
    key.inside(_SEQUENCE)
    key_bits = key.inside(_BIT_STRING).rest()[1:]
    extensions = _extensions(fields)
    points, access, names = (extensions.get(oid) for oid in (_OID_CRL_POINTS, _OID_AUTHORITY_ACCESS, _OID_SUBJECT_NAMES))
    return Certificate(
        serial, issuer, subject, not_before, not_after, key_bits,
        names=tuple(_subject_names(Reader(names))) if names else (),
        crl_urls=tuple(_crl_urls(Reader(points))) if points else (),
        issuer_urls=tuple(_access_urls(Reader(access), _OID_ISSUERS)) if access else (),
        ocsp_urls=tuple(_access_urls(Reader(access), _OID_OCSP)) if access else (),
    )


def _common_names(subject: bytes) -> Iterator[str]:
    relative = Reader(subject).inside(_SEQUENCE)
    while relative.left:
        attributes = relative.inside(0x31)
        while attributes.left:
            attribute = attributes.inside(_SEQUENCE)
            oid, value = attribute.inside(_OID).rest(), attribute.element()[1].rest()
            if oid == _OID_COMMON_NAME:
                yield value.decode("latin-1")


def names_match(certificate: Certificate, place: Place) -> bool:
    """Whether the certificate is for this host, by the rules of RFC 6125 as OpenSSL has them. Raises a malformed Fault."""
    address = place.literal()
    if address is not None:
        packed = ipaddress.ip_address(address.split("%", 1)[0]).packed
        return any(tag == _IP_ADDRESS and value == packed for tag, value in certificate.names)
    listed = [value.decode("latin-1") for tag, value in certificate.names if tag == _DNS_NAME]
    wanted = place.tls_name().lower()
    parent = wanted.partition(".")[2]
    patterns = [name.lower() for name in listed or _common_names(certificate.subject)]
    return any(name == wanted or (parent and name == "*." + parent) for name in patterns)


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    length = bytes((len(content),)) if len(content) < 128 else b"\x82" + len(content).to_bytes(2, "big")
    return bytes((tag,)) + length + content


def ocsp_request(certificate: Certificate, issuer: Certificate) -> bytes:
    """The DER of a request for one certificate (RFC 6960, 4.1.1), with SHA-1 as responders expect it."""
    identity = _der(
        _SEQUENCE, _SHA1_ALGORITHM,
        _der(_OCTETS, hashlib.sha1(certificate.issuer).digest()),
        _der(_OCTETS, hashlib.sha1(issuer.key_bits).digest()),
        _der(_INTEGER, certificate.serial),
    )
    return _der(_SEQUENCE, _der(_SEQUENCE, _der(_SEQUENCE, _der(_SEQUENCE, identity))))


def _asked(place: Place, path: str) -> Tuple[str, int, str]:
    return place.host.lower(), place.port, path


class RevocationUrl(NamedTuple):
    """An http URL that a certificate names: `path` is its own, `get` what is asked for there, for OCSP with a request in it."""

    url: str
    place: Place
    path: str
    get: str

    def same(self) -> Tuple[str, int, str]:
        """Equal for URLs that mean the same."""
        return _asked(self.place, self.path)


def parse_http_url(url: str) -> Optional[RevocationUrl]:
    """None when it is not an http URL that can be asked for."""
    if not url.lower().startswith("http://") or not _PLAIN.fullmatch(url):
        return None
    rest = url[7:].split("#", 1)[0]
    match = re.search(r"[/?]", rest)
    authority, get = (rest, "/") if match is None else (rest[:match.start()], rest[match.start():])
    has_port = ":" in authority[authority.rfind("]") + 1:]
    place = parse_place(authority if has_port else authority + ":80")
    path = get if get.startswith("/") else "/" + get
    return None if place is None else RevocationUrl(url, place, path, path)


def revocation_urls(ders: Iterable[bytes]) -> List[RevocationUrl]:
    """Each once, in the order of sight; of one certificate revocation lists, issuers, OCSP. What does not parse names no URL."""
    certificates = []
    for der in ders:
        try:
            certificates.append(parse_certificate(der))
        except Fault:
            # The judge sees its bytes all the same.
            continue
    found = {}  # type: Dict[Tuple[str, int, str], RevocationUrl]
    for one in certificates:
        issuer = next((other for other in certificates if other.subject == one.issuer), None)
        for url in one.crl_urls + one.issuer_urls + one.ocsp_urls:
            named = parse_http_url(url)
            if named is None:
                continue
            if url in one.ocsp_urls and issuer is not None:
                request = base64.b64encode(ocsp_request(one, issuer)).decode("ascii")
                named = named._replace(get=named.path.rstrip("/") + "/" + quote(request, safe=""))
            found.setdefault(named.same(), named)
    return list(found.values())


# ---- HTTP ---------------------------------------------------------------------------------------------------------------

KEPT_HEADERS = frozenset((
    "server", "via", "location", "content-type", "content-length", "transfer-encoding", "date", "connection", "upgrade",
    "www-authenticate", "proxy-authenticate", "proxy-agent", "x-cache", "x-squid-error", "x-ms-request-id", "retry-after", "age",
    "last-modified",
))
_MOST_HEAD = 64 * 1024
_MOST_BODY = 512
_MOST_HEADER = 256
_STATUS_LINE = re.compile(r"HTTP/1\.[0-9] ([0-9]{3})(?: (.*))?")


class Answer:
    """One HTTP answer, read with bounds from what has `recv()`: bytes, empty at the end. Raises Fault: closed, malformed."""

    def __init__(self, source: "Union[Wire, Session]") -> None:
        self._source = source
        self._buffer = b""
        self._first = b""
        self._head_length = 0
        self._body = b""
        self.status = 0
        self.reason = ""
        self.headers = {}  # type: Dict[str, List[str]]

    def unread(self) -> bytes:
        return self._buffer

    def head_facts(self) -> Facts:
        kept = {name: values for name, values in self.headers.items() if name in KEPT_HEADERS}
        return {"status": self.status, "reason": self.reason, "headers": kept}

    async def read_head(self) -> None:
        """Interim answers (100, 103) are passed over."""
        while True:
            self.headers = {}
            self._read_status(await self._line())
            line = await self._line()
            while line:
                self._read_header(line)
                line = await self._line()
            if not 100 <= self.status < 200 or self.status == 101:
                return

    async def read_body(self, facts: Facts) -> None:
        """As much as is kept; its facts are there also when it breaks off."""
        self._tell_body(facts)
        if self.status in (101, 204, 304):
            return
        if self._header("transfer-encoding").lower().endswith("chunked"):
            await self._read_chunks(facts)
            return
        length = self._header("content-length")
        if not length:
            await self._take(None, facts)
        elif re.fullmatch(r"[0-9]{1,18}", length):
            await self._take(int(length), facts)
        else:
            raise self._malformed("a content-length that is no number")

    def _read_status(self, line: str) -> None:
        match = _STATUS_LINE.fullmatch(line)
        if match is None:
            raise self._malformed("the answer does not begin with an HTTP status line")
        self.status = int(match.group(1))
        self.reason = (match.group(2) or "").strip()[:_MOST_HEADER]

    def _read_header(self, line: str) -> None:
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        if not name or not colon:
            raise self._malformed("a header line without a name")
        self.headers.setdefault(name, []).append(value.strip()[:_MOST_HEADER])

    def _header(self, name: str) -> str:
        return self.headers.get(name, [""])[0]

    def _malformed(self, message: str) -> Fault:
        return Fault("malformed", message, first_bytes=self._first.hex())

    def _looks_like_http(self) -> bool:
        return b"HTTP/".startswith(self._first[:5])

    async def _fill(self) -> bool:
        """False at the end."""
        data = await self._source.recv()
        if len(self._first) < 64:
            self._first = (self._first + data)[:64]
        self._buffer += data
        return bool(data)

    async def _line(self) -> str:
        while b"\n" not in self._buffer:
            if self._head_length + len(self._buffer) > _MOST_HEAD:
                raise self._malformed("a head of more than 64 KiB")
            whole = await self._fill()
            if self._first and not self._looks_like_http():
                raise self._malformed("the answer is no HTTP")
            if not whole:
                raise Fault("closed", "the far end closed the connection before its answer was whole")
        line, _end, self._buffer = self._buffer.partition(b"\n")
        self._head_length += len(line) + 1
        if self._head_length > _MOST_HEAD:
            raise self._malformed("a head of more than 64 KiB")
        return line.rstrip(b"\r").decode("latin-1")

    async def _read_chunks(self, facts: Facts) -> None:
        self._head_length = 0
        while len(self._body) < _MOST_BODY:
            size = (await self._line()).partition(";")[0].strip()
            if not re.fullmatch(r"[0-9A-Fa-f]{1,15}", size):
                raise self._malformed("a chunk without a size")
            if int(size, 16) == 0:
                return
            await self._take(int(size, 16), facts)
            if len(self._body) < _MOST_BODY and await self._line():
                raise self._malformed("a chunk that is longer than its size")

    async def _take(self, count: Optional[int], facts: Facts) -> None:
        """Takes so many bytes, or as many as are kept; an end before that is an error, unless the end is the length (None)."""
        left = _LONG if count is None else count
        while left and len(self._body) < _MOST_BODY:
            if not self._buffer and not await self._fill():
                if count is None:
                    return
                raise Fault("closed", "the far end closed the connection before its answer was whole")
            size = min(left, len(self._buffer), _MOST_BODY - len(self._body))
            self._body += self._buffer[:size]
            self._buffer = self._buffer[size:]
            left -= size
            self._tell_body(facts)

    def _tell_body(self, facts: Facts) -> None:
        facts.update(body=base64.b64encode(self._body).decode("ascii"), body_bytes=len(self._body))


def challenge_schemes(values: Iterable[str]) -> List[str]:
    """Scheme names, each once; a header may hold several, with parameters that hold commas in quotes."""
    schemes = []  # type: List[str]
    for value in values:
        for part in re.sub(r'"[^"]*"?', "", value).split(","):
            words = part.split()
            if words and "=" not in words[0] and words[0] not in schemes:
                schemes.append(words[0])
    return schemes


def http_request(method: str, what: str, host: str, user_agent: str, *more: str) -> bytes:
    """Never with credentials."""
    lines = ("{0} {1} HTTP/1.1".format(method, what), "Host: " + host, "User-Agent: " + user_agent) + more
    return "\r\n".join(lines + ("", "")).encode("ascii")


# ---- board --------------------------------------------------------------------------------------------------------------


class Stage(NamedTuple):
    """How a stage ended."""

    ms: int
    facts: Facts
    fault: Optional[Fault]

    @property
    def ok(self) -> bool:
        return self.fault is None

    @property
    def bars(self) -> bool:
        """Whether later stages have no ground: not after an untrusted certificate."""
        return self.fault is not None and self.fault.code not in CERTIFICATE_ERRORS

    def as_table(self) -> Facts:
        table = {"state": "ok" if self.ok else "error", "ms": self.ms, "facts": self.facts}  # type: Facts
        if self.fault is not None:
            table["error"] = self.fault.as_table()
        return table


def _not_run() -> Facts:
    return {"state": "not_run", "reason": "deadline"}


class Attempt:
    """One target over one path at one address: what is due, and what has ended."""

    def __init__(self, wanted: Request, path: Path, target: Target, wave: int = 1, url: Optional[str] = None) -> None:
        self.wanted = wanted
        self.path = path
        self.target = target
        self.wave = wave
        self.url = url
        self.redirected = wanted.redirect(target.place)
        # Whom to ask for: the endpoint, or what connect_to puts in its place.
        self.endpoint = self.redirected or target.place
        # Where the TCP connection goes: the endpoint, or the proxy.
        self.dial = self.endpoint if path.proxy is None else wanted.redirect(path.proxy) or path.proxy
        self.addresses = ()  # type: Tuple[str, ...]
        self.address = None  # type: Optional[str]
        self.ended = {}  # type: Dict[str, Stage]
        self.finished = False
        self.further = []  # type: List[Attempt]
        # Over a proxy the look-up of the endpoint's own name: a fact, not a need.
        self.own_name = None  # type: Optional[asyncio.Future[Looked]]
        self.due = tuple(stage for stage in STAGES if self._wants(stage))

    def _wants(self, stage: str) -> bool:
        if stage == "proxy":
            return self.path.proxy is not None
        if stage in ("hello", "handshake"):
            return self.target.tls
        return stage != "websocket" or self.target.websocket is not None

    def at(self, address: str) -> "Attempt":
        """The same at a further address, which is only connected to at first."""
        further = Attempt(self.wanted, self.path, self.target, self.wave, self.url)
        further.due = ("connect",)
        further.address = address
        return further

    def carry(self) -> None:
        """Take a further address through the other stages too."""
        self.due = tuple(stage for stage in STAGES[1:] if self._wants(stage))

    def up_to(self, stage: str) -> "Attempt":
        """The same from the start, as far as a stage; a hello on the way there is left out, since it bars nothing."""
        again = Attempt(self.wanted, self.path, self.target, self.wave, self.url)
        last = STAGES.index(stage)
        again.due = tuple(name for name in again.due if STAGES.index(name) <= last and (name != "hello" or stage == "hello"))
        return again

    def failed_with(self, stage: str, code: str) -> bool:
        ended = self.ended.get(stage)
        return ended is not None and ended.fault is not None and ended.fault.code == code

    def stages(self) -> Dict[str, Facts]:
        """Of those due: what ended, up to one that bars the others; what has not ended was not run."""
        told = {}
        for name in self.due:
            stage = self.ended.get(name)
            if stage is not None:
                told[name] = stage.as_table()
                if stage.bars and name != "hello":
                    break
            elif not self.finished:
                told[name] = _not_run()
        if "facts" in told.get("resolve", {}) and self.own_name is not None and self.own_name.done():
            told["resolve"]["facts"] = dict(told["resolve"]["facts"], endpoint=self.own_name.result().as_facts())
        return told

    def as_table(self) -> Facts:
        return {
            "target": self.target.id, "path": self.path.id, "wave": self.wave, "url": self.url, "address": self.address,
            "port": self.dial.port, "redirected_to": self.redirected.text() if self.redirected else None, "stages": self.stages(),
        }

    def as_recheck(self) -> Facts:
        """The stage in question is the last that is due; where an earlier one failed, that one is the answer."""
        told = self.stages()
        last = self.due[-1]
        stage = last if last in told else list(told)[-1]
        return {"path": self.path.id, "target": self.target.id, "stage": stage, "result": told[stage]}


class Run:
    """One path: its attempts, and the slots for its connections."""

    def __init__(self, wanted: Request, path: Path) -> None:
        self.path = path
        self.first = [Attempt(wanted, path, target) for target in wanted.targets]
        self.second = None  # type: Optional[List[Attempt]]
        self.rechecks = []  # type: List[Attempt]
        self.slots = asyncio.Semaphore(wanted.parallel)


class Board:
    """What was planned and what was seen."""

    def __init__(self, wanted: Request) -> None:
        self.wanted = wanted
        self.runs = [Run(wanted, path) for path in wanted.paths]
        self.names = Names()
        self.contexts = Contexts()
        self.wires = set()  # type: set[Wire]
        self.certificates = {}  # type: Dict[str, bytes]
        self.platform_hello = None  # type: Optional[PlatformHello]
        self.platform_fault = None  # type: Optional[Fault]

    def keep(self, chain: Iterable[bytes]) -> List[str]:
        """The fingerprints of a chain, whose certificates are kept once."""
        digests = []
        for der in chain:
            digests.append(hashlib.sha256(der).hexdigest())
            self.certificates[digests[-1]] = der
        return digests

    def plan_second_wave(self, run: Run) -> List[Attempt]:
        """Each http URL that the chains of the first wave name, once, and none that a target has asked for already."""
        if run.second is None:
            sight = {}  # type: Dict[str, None]
            for attempt in (one for first in run.first for one in [first, *first.further]):
                for name in ("hello", "handshake"):
                    ended = attempt.ended.get(name)
                    sight.update(dict.fromkeys(ended.facts.get("chain", ()) if ended else ()))
            asked = {_asked(target.place, target.get) for target in self.wanted.targets if not target.tls}
            run.second = []
            for url in revocation_urls(self.certificates[digest] for digest in sight):
                if url.same() not in asked and len(run.second) < self.wanted.revocation_limit:
                    run.second.append(self._second(run, url))
        return run.second

    def _second(self, run: Run, url: RevocationUrl) -> Attempt:
        agent = self.wanted.revocation_user_agent
        target = Target(url.place.text(), url.place, False, url.get, None, agent, False)
        return Attempt(self.wanted, run.path, target, 2, url.url)

    def snapshot(self) -> Facts:
        """What has been seen until now, in the order of the request."""
        first = [one for run in self.runs for attempt in run.first for one in [attempt, *attempt.further]]
        # What the chains named is due also where there was no time left for it.
        second = [attempt for run in self.runs for attempt in self.plan_second_wave(run)]
        if self.platform_hello is not None:
            hello = {"ok": True, "value": self.platform_hello.as_facts()}  # type: Facts
        else:
            fault = self.platform_fault or Fault("timeout", "it had not come at the deadline")
            hello = {"ok": False, "error": fault.as_table()}
        return {
            "platform_hello": hello,
            "attempts": [attempt.as_table() for attempt in first + second],
            "rechecks": [attempt.as_recheck() for run in self.runs for attempt in run.rechecks],
            "certificates": {digest: base64.b64encode(der).decode("ascii") for digest, der in self.certificates.items()},
        }


# ---- names and sockets --------------------------------------------------------------------------------------------------


class Looked(NamedTuple):
    """A name's addresses, or why there are none."""

    addresses: Tuple[str, ...]
    fault: Optional[Fault]

    def as_facts(self) -> Facts:
        return {"addresses": list(self.addresses)} if self.fault is None else {"error": self.fault.code}


_NO_DATA = tuple(getattr(socket, name) for name in ("EAI_NODATA", "EAI_ADDRFAMILY") if hasattr(socket, name))


def look_up(host: str) -> Looked:
    """By the system's own resolver, both families, in its order. Blocks."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        # EAI_AGAIN is both a server that fails and one that is silent for as long as the resolver waits.
        code = "nxdomain" if error.errno == socket.EAI_NONAME else "no_data" if error.errno in _NO_DATA else "server_failure"
        return Looked((), Fault(code, str(error)))
    except (OSError, UnicodeError) as error:
        return Looked((), Fault("server_failure", str(error)))
    addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
    return Looked(addresses, None if addresses else Fault("no_data", "the name has no address"))


class Names:
    """Each name is looked up once, in a daemon thread of its own: a look-up that hangs must not hold the end of the process."""

    def __init__(self) -> None:
        self._known = {}  # type: Dict[str, asyncio.Future[Looked]]

    def find(self, host: str) -> "asyncio.Future[Looked]":
        key = host.lower()
        if key not in self._known:
            loop = asyncio.get_running_loop()
            future = loop.create_future()
            self._known[key] = future
            literal = Place(host, 1).literal()
            if literal is not None:
                future.set_result(Looked((literal,), None))
            else:
                threading.Thread(target=self._work, args=(loop, future, host), daemon=True).start()
        return self._known[key]

    def forget(self) -> None:
        self._known = {}

    @staticmethod
    def _work(loop: asyncio.AbstractEventLoop, future: "asyncio.Future[Looked]", host: str) -> None:
        looked = look_up(host)
        try:
            loop.call_soon_threadsafe(lambda: None if future.done() else future.set_result(looked))
        except RuntimeError:
            # The loop was closed at the deadline: nobody waits any more.
            return


class Wire:
    """One TCP connection."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._loop = asyncio.get_running_loop()
        self._socket = None  # type: Optional[socket.socket]
        self._early = b""

    async def connect(self, address: str, port: int) -> None:
        """Raises Fault with a code of the connect stage."""
        try:
            family, kind, protocol, _name, where = socket.getaddrinfo(
                address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV)[0]
            self._socket = socket.socket(family, kind, protocol)
            self._board.wires.add(self)
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            error = self._socket.connect_ex(where)
            if error in (errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR):
                await self._writable()
                error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, os.strerror(error))
        except OSError as error:
            raise _connect_fault(error) from error

    async def _writable(self) -> None:
        ready = self._loop.create_future()
        number = self._open().fileno()
        self._loop.add_writer(number, lambda: None if ready.done() else ready.set_result(None))
        try:
            await ready
        finally:
            self._loop.remove_writer(number)

    def _open(self) -> socket.socket:
        if self._socket is None:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        return self._socket

    @property
    def local(self) -> str:
        return str(self._open().getsockname()[0])

    def put_back(self, data: bytes) -> None:
        """What was read beyond a proxy's answer is read again."""
        self._early = data

    async def recv(self) -> bytes:
        """Empty at the end."""
        if self._early:
            early, self._early = self._early, b""
            return early
        return await self._loop.sock_recv(self._open(), 16384)

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self._open(), data)

    def give_up(self) -> None:
        """Closing it from now on is a reset: nothing waits for the far end."""
        if self._socket is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self._board.wires.discard(self)


class Contexts:
    """The platform's TLS clients, each made once: loading the roots takes a while."""

    def __init__(self) -> None:
        self._made = {}  # type: Dict[Tuple[bool, bool], ssl.SSLContext]

    def get(self, verify: bool, tls12: bool) -> ssl.SSLContext:
        """Without `verify` the same hello goes out, and any certificate is taken. Raises ssl.SSLError."""
        key = (verify, tls12)
        if key not in self._made:
            context = ssl.create_default_context() if verify else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if not verify:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            # Alike on all Pythons: 3.13 refuses authorities without some extensions, which OpenSSL's clients and Windows do
            # not; 3.9 still offers TLS 1.0.
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
            if context.minimum_version not in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                context.minimum_version = ssl.TLSVersion.TLSv1_2
            if tls12:
                context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
            self._made[key] = context
        return self._made[key]


class Session:
    """TLS over a wire, by the platform's client."""

    def __init__(self, wire: Wire, context: ssl.SSLContext, place: Place) -> None:
        self._wire = wire
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=place.tls_name())

    async def handshake(self) -> None:
        """Raises ssl.SSLError, OSError, or Fault closed."""
        try:
            while not self._has_shaken_hands():
                broken = await self._flush()
                if not await self._receive():
                    raise broken or Fault("closed", "the server closed the connection before the handshake was done")
        except ssl.SSLError:
            # The platform says why in an alert of its own; whether that arrives is no matter here.
            await self._flush()
            raise
        await self._send_on()

    def _has_shaken_hands(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def _read(self) -> Optional[bytes]:
        """None where more must come first."""
        try:
            return self._tls.read(16384)
        except ssl.SSLWantReadError:
            return None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    async def _send_on(self) -> None:
        broken = await self._flush()
        if broken is not None:
            raise broken

    async def _flush(self) -> Optional[OSError]:
        """Why it could not be sent: what the server had said before that comes first."""
        try:
            await self._wire.send(self._outgoing.read())
        except OSError as error:
            return error
        return None

    async def _receive(self) -> bool:
        """False at the end."""
        data = await self._wire.recv()
        self._incoming.write(data)
        return bool(data)

    async def recv(self) -> bytes:
        """Empty at the end, also where the end was not announced."""
        data = self._read()
        while data is None:
            await self._send_on()
            if not await self._receive():
                self._incoming.write_eof()
            data = self._read()
        return data

    async def send(self, data: bytes) -> None:
        self._tls.write(data)
        await self._send_on()

    def facts(self) -> Facts:
        """`version` and `cipher` as the platform names them, but TLS 1.0 with its digit; `chain` holds the DERs."""
        version, cipher = self._tls.version() or "", self._tls.cipher()
        return {
            "version": "TLSv1.0" if version == "TLSv1" else version,
            "cipher": cipher[0] if cipher else "",
            "chain": self._chain(),
        }

    def _chain(self) -> List[bytes]:
        """What the server sent, the leaf first; the leaf alone on Python 3.9, which tells no more."""
        if hasattr(self._tls, "get_unverified_chain"):
            return list(self._tls.get_unverified_chain())
        inner = getattr(self._tls, "_sslobj", None)  # type: Any
        if hasattr(inner, "get_unverified_chain"):
            # Python 3.10 to 3.12: certificate objects, and the number of the DER form in OpenSSL's own header.
            return [bytes(one.public_bytes(2)) for one in inner.get_unverified_chain() or ()]
        leaf = self._tls.getpeercert(binary_form=True)
        return [leaf] if leaf else []


# ---- the stages of one attempt ------------------------------------------------------------------------------------------

# Fatal alerts as OpenSSL names them, after SSLV3_ALERT_ and the like (RFC 8446, 6; RFC 5246, 7.2).
_ALERTS = {
    "UNEXPECTED_MESSAGE": 10, "BAD_RECORD_MAC": 20, "DECRYPTION_FAILED": 21, "RECORD_OVERFLOW": 22, "DECOMPRESSION_FAILURE": 30,
    "HANDSHAKE_FAILURE": 40, "NO_CERTIFICATE": 41, "BAD_CERTIFICATE": 42, "UNSUPPORTED_CERTIFICATE": 43, "CERTIFICATE_REVOKED": 44,
    "CERTIFICATE_EXPIRED": 45, "CERTIFICATE_UNKNOWN": 46, "ILLEGAL_PARAMETER": 47, "UNKNOWN_CA": 48, "ACCESS_DENIED": 49,
    "DECODE_ERROR": 50, "DECRYPT_ERROR": 51, "EXPORT_RESTRICTION": 60, "PROTOCOL_VERSION": 70, "INSUFFICIENT_SECURITY": 71,
    "INTERNAL_ERROR": 80, "INAPPROPRIATE_FALLBACK": 86, "USER_CANCELLED": 90, "NO_RENEGOTIATION": 100, "MISSING_EXTENSION": 109,
    "UNSUPPORTED_EXTENSION": 110, "CERTIFICATE_UNOBTAINABLE": 111, "UNRECOGNIZED_NAME": 112, "BAD_CERTIFICATE_STATUS_RESPONSE": 113,
    "BAD_CERTIFICATE_HASH_VALUE": 114, "UNKNOWN_PSK_IDENTITY": 115, "CERTIFICATE_REQUIRED": 116, "NO_APPLICATION_PROTOCOL": 120,
}
# OpenSSL's verification results (X509_V_ERR_…); every other one is about the chain.
_TIME_RESULTS = (9, 10)
_NAME_RESULTS = (62, 63, 64)
_REFUSAL_BODY_SECONDS = 1.0


def _tls_fault(error: Exception) -> Fault:
    """What a failed handshake means, where it was not the certificate."""
    if isinstance(error, Fault):
        return error
    if isinstance(error, ssl.SSLEOFError):
        return Fault("closed", str(error))
    if isinstance(error, ssl.SSLError):
        match = re.fullmatch(r"(?:SSL|TLS)V[0-9]+_(?:ALERT_)?(.+)", error.reason or "")
        if match is not None and match.group(1) in _ALERTS:
            return Fault("alert", str(error), level=2, description=_ALERTS[match.group(1)])
        return Fault("protocol", str(error))
    return _broken_tls(error)


async def _stage(
    timeout_ms: int, facts: Facts, work: Awaitable[None], broken: Callable[[Exception], Fault], late: Optional[Callable[[], Fault]] = None,
) -> Stage:
    """Runs one stage with its timeout. `broken` reads an exception of the network, `late` says what silence means."""
    began = time.monotonic()
    fault = None  # type: Optional[Fault]
    try:
        await asyncio.wait_for(work, timeout_ms / 1000)
    except Fault as error:
        fault = error
    except asyncio.TimeoutError:
        fault = late() if late is not None else _late(timeout_ms)
    except OSError as error:
        # ssl.SSLError is one too.
        fault = broken(error)
    return Stage(int((time.monotonic() - began) * 1000), facts, fault)


async def _resolve(board: Board, attempt: Attempt) -> bool:
    host = attempt.dial.host
    facts = {"name": host}  # type: Facts

    async def work() -> None:
        looked = await asyncio.shield(board.names.find(host))
        if looked.fault is not None:
            raise looked.fault
        attempt.addresses = looked.addresses
        facts["addresses"] = list(looked.addresses)
        if attempt.dial.literal() is not None:
            facts["literal"] = True

    stage = await _stage(board.wanted.timeouts_ms["resolve"], facts, work(), _broken_http)
    attempt.ended["resolve"] = stage
    if stage.ok:
        attempt.address = attempt.addresses[0]
    return stage.ok


async def _connect(board: Board, attempt: Attempt) -> Optional[Wire]:
    """None when it did not connect, or was not to."""
    if "connect" not in attempt.due or attempt.address is None:
        return None
    wire, facts, address = Wire(board), {}, attempt.address  # type: Wire, Facts, str

    async def work() -> None:
        await wire.connect(address, attempt.dial.port)
        facts["local"] = wire.local

    stage = await _stage(board.wanted.timeouts_ms["connect"], facts, work(), _broken_tls)
    attempt.ended["connect"] = stage
    if stage.ok:
        return wire
    wire.close()
    return None


async def _again(board: Board, attempt: Attempt, wire: Wire) -> None:
    """A further connection to the same address, through a CONNECT of its own. Raises Fault with those stages' codes."""
    await wire.connect(attempt.address or "", attempt.dial.port)
    if attempt.path.proxy is not None:
        await _ask_proxy(attempt, wire, {})


def _proxy_facts(answer: Answer) -> Facts:
    return {**answer.head_facts(), "challenges": challenge_schemes(answer.headers.get("proxy-authenticate", ()))}


def _refusal(facts: Facts) -> Optional[Fault]:
    """What the answer of a proxy means when it is a refusal."""
    status = facts.get("status")
    if status is None:
        return None
    words = "the proxy answered {0} {1}".format(status, facts["reason"]).rstrip()
    if status == 407:
        return Fault("auth_required", words)
    if facts.get("plain"):
        return Fault("bad_gateway", words) if status in (502, 503, 504) else None
    if 200 <= status <= 299:
        return None
    return Fault("bad_gateway" if 500 <= status <= 599 else "denied", words)


async def _pass_or_refuse(answer: Answer, facts: Facts) -> None:
    """A refusal's body is evidence only: it may be cut short, and the refusal stands."""
    facts.update(_proxy_facts(answer))
    refusal = _refusal(facts)
    if refusal is not None:
        with contextlib.suppress(Fault, OSError, asyncio.TimeoutError):
            await asyncio.wait_for(answer.read_body(facts), _REFUSAL_BODY_SECONDS)
        raise refusal


async def _ask_proxy(attempt: Attempt, wire: Wire, facts: Facts) -> None:
    authority = attempt.endpoint.text()
    answer = Answer(wire)
    await wire.send(http_request("CONNECT", authority, authority, attempt.target.user_agent))
    await answer.read_head()
    await _pass_or_refuse(answer, facts)
    wire.put_back(answer.unread())


async def _tunnel(board: Board, attempt: Attempt, wire: Wire) -> bool:
    timeout, facts = board.wanted.timeouts_ms["proxy"], {}  # type: int, Facts
    work = _ask_proxy(attempt, wire, facts)
    stage = await _stage(timeout, facts, work, _broken_http, lambda: _refusal(facts) or _late(timeout))
    attempt.ended["proxy"] = stage
    return stage.ok


async def _hello(board: Board, attempt: Attempt, wire: Wire) -> Stage:
    timeout, facts, platform = board.wanted.timeouts_ms["hello"], {}, board.platform_hello  # type: int, Facts, Optional[PlatformHello]
    place = attempt.target.place
    own = platform is not None and platform.suites_of_12()
    like = platform if platform is not None and own else RECORDED
    flight = ServerFlight(facts)
    facts["template"] = "platform" if own else "recorded"

    async def work() -> None:
        await wire.send(build_hello(like, place.tls_name() if place.literal() is None else None))
        while not flight.done:
            data = await wire.recv()
            if not data:
                raise flight.end()
            flight.feed(data)

    stage = await _stage(timeout, facts, work(), _broken_tls, lambda: flight.silence(timeout))
    if "chain" in facts:
        facts["chain"] = board.keep(facts["chain"])
    return stage


class Handshake:
    """By the platform's own defaults, and if that fails for another reason than a certificate, by TLS 1.2 alone."""

    def __init__(self, board: Board, attempt: Attempt, hello_answered: bool) -> None:
        self._board = board
        self._attempt = attempt
        self._timeout_ms = board.wanted.timeouts_ms["handshake"]
        # TLS 1.2 alone gets a time of its own after silence only where a TLS 1.2 hello was answered: else it would burn the
        # deadline for the same silence.
        self._hello_answered = hello_answered
        self._facts = {}  # type: Facts
        self._certificate_fault = None  # type: Optional[Fault]
        self._wire = None  # type: Optional[Wire]
        self.session = None  # type: Optional[Session]
        self.tls12 = False

    async def run(self) -> Stage:
        limit = self._timeout_ms * (2 if self._hello_answered else 1)
        return await _stage(limit, self._facts, self._work(), _tls_fault, self._late)

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()

    def _late(self) -> Fault:
        return self._certificate_fault or _late(self._timeout_ms)

    async def _work(self) -> None:
        first = await self._try(tls12=False)
        if first is None or first.code in CERTIFICATE_ERRORS:
            self._end("default", first)
            return
        if first.code == "timeout" and not self._hello_answered:
            raise first
        self._facts["default_error"] = first.code
        second = await self._try(tls12=True)
        if second is None or second.code in CERTIFICATE_ERRORS:
            self._end("tls12", second)
            return
        # Both failed: the platform's own way is what a connector would take.
        raise first

    def _end(self, protocols: str, fault: Optional[Fault]) -> None:
        self._facts["protocols"] = protocols
        if fault is not None:
            raise fault

    async def _try(self, tls12: bool) -> Optional[Fault]:
        """None when all was well."""
        self._certificate_fault = None
        try:
            await asyncio.wait_for(self._once(tls12), self._timeout_ms / 1000)
        except asyncio.TimeoutError:
            return self._late()
        except (Fault, OSError) as error:
            return self._certificate_fault or _tls_fault(error)
        self.tls12 = tls12
        return self._certificate_fault

    async def _once(self, tls12: bool) -> None:
        try:
            session = await self._open(True, tls12)
        except ssl.SSLCertVerificationError as error:
            # OpenSSL ends the handshake at the first error: the rest is read from a connection that takes any certificate.
            self._tell([_certificate_error(error.verify_code)], error)
            session = await self._open(False, tls12)
            facts = session.facts()
            self._tell(_certificate_errors(error.verify_code, facts["chain"], self._attempt.target.place), error)
        else:
            facts = session.facts()
            self._facts.update(errors=[], chain_status=[])
        facts["chain"] = self._board.keep(facts["chain"])
        self._facts.update(facts)
        self.session = session

    def _tell(self, errors: List[str], error: "ssl.SSLCertVerificationError") -> None:
        self._facts.update(errors=errors, chain_status=[error.verify_message])
        self._certificate_fault = Fault(errors[0], "{0} ({1})".format(error.verify_message, error.verify_code))

    async def _open(self, verify: bool, tls12: bool) -> Session:
        self.close()
        wire = self._wire = Wire(self._board)
        try:
            await _again(self._board, self._attempt, wire)
        except Fault as fault:
            # This stage has fewer codes than connect and proxy have; the words say what it was.
            code = "timeout" if fault.code == "timeout" else "reset" if fault.code in ("refused", "reset") else "closed"
            raise Fault(code, "{0}: {1}".format(fault.code, fault)) from fault
        session = Session(wire, self._board.contexts.get(verify, tls12), self._attempt.target.place)
        await session.handshake()
        return session


def _certificate_error(verify_code: int) -> str:
    return "expired" if verify_code in _TIME_RESULTS else "name_mismatch" if verify_code in _NAME_RESULTS else "untrusted"


def _certificate_errors(verify_code: int, chain: List[bytes], place: Place) -> List[str]:
    """OpenSSL's error, and those that it had not come to: it looks at the chain first, then at the name, then at the times."""
    found = {_certificate_error(verify_code)}
    try:
        leaf = parse_certificate(chain[0])
        if "untrusted" in found and not names_match(leaf, place):
            found.add("name_mismatch")
        if not leaf.not_before <= time.time() <= leaf.not_after:
            found.add("expired")
    except (Fault, IndexError):
        # Such a certificate tells no more than OpenSSL's own error.
        return sorted(found, key=CERTIFICATE_ERRORS.index)
    return sorted(found, key=CERTIFICATE_ERRORS.index)


async def _get(board: Board, attempt: Attempt, over: Union[Wire, Session]) -> None:
    target, facts = attempt.target, {}  # type: Target, Facts

    async def work() -> None:
        answer = Answer(over)
        await over.send(http_request("GET", target.get, target.host_header(), target.user_agent, "Accept: */*", "Connection: close"))
        await answer.read_head()
        facts.update(answer.head_facts())
        await answer.read_body(facts)

    attempt.ended["request"] = await _stage(board.wanted.timeouts_ms["request"], facts, work(), _broken_http)


async def _get_over_proxy(board: Board, attempt: Attempt, wire: Wire) -> bool:
    """Without TLS a proxy gets the request itself: its head is the proxy stage, its body the request stage."""
    target, timeouts, answer = attempt.target, board.wanted.timeouts_ms, Answer(wire)
    facts = {"plain": True}  # type: Facts

    async def head() -> None:
        url = "http://" + attempt.endpoint.header(80) + target.get
        await wire.send(http_request("GET", url, target.host_header(), target.user_agent, "Accept: */*", "Connection: close"))
        await answer.read_head()
        await _pass_or_refuse(answer, facts)

    stage = await _stage(timeouts["proxy"], facts, head(), _broken_http, lambda: _refusal(facts) or _late(timeouts["proxy"]))
    attempt.ended["proxy"] = stage
    if not stage.ok:
        return False
    if "request" in attempt.due:
        body = answer.head_facts()
        attempt.ended["request"] = await _stage(timeouts["request"], body, answer.read_body(body), _broken_http)
    return True


async def _websocket(board: Board, attempt: Attempt, tls12: bool) -> None:
    if "websocket" not in attempt.due:
        return
    target, wire, facts = attempt.target, Wire(board), {}  # type: Target, Wire, Facts
    key = base64.b64encode(os.urandom(16)).decode("ascii")

    async def work() -> None:
        try:
            await _again(board, attempt, wire)
        except Fault as fault:
            # This stage has fewer codes than connect and proxy have; the words say what it was.
            raise Fault("timeout" if fault.code == "timeout" else "closed", "{0}: {1}".format(fault.code, fault)) from fault
        over = wire  # type: Union[Wire, Session]
        if target.tls:
            over = Session(wire, board.contexts.get(False, tls12), target.place)
            await over.handshake()
        answer = Answer(over)
        await over.send(http_request(
            "GET", target.websocket or "/", target.host_header(), target.user_agent,
            "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: " + key, "Sec-WebSocket-Version: 13",
        ))
        await answer.read_head()
        facts.update(answer.head_facts())
        await answer.read_body(facts)

    try:
        attempt.ended["websocket"] = await _stage(board.wanted.timeouts_ms["request"], facts, work(), _broken_http)
    finally:
        wire.close()


async def _follow(board: Board, attempt: Attempt, wire: Wire) -> None:
    """All stages after connect, over the connection that is there; it is closed in the end."""
    try:
        if attempt.target.tls:
            await _secure(board, attempt, wire)
        elif attempt.path.proxy is None:
            if "request" in attempt.due:
                await _get(board, attempt, wire)
            await _websocket(board, attempt, tls12=False)
        elif "proxy" in attempt.due and await _get_over_proxy(board, attempt, wire):
            await _websocket(board, attempt, tls12=False)
    finally:
        wire.close()


async def _secure(board: Board, attempt: Attempt, wire: Wire) -> None:
    if "proxy" in attempt.due and not await _tunnel(board, attempt, wire):
        return
    answered = False
    if "hello" in attempt.due:
        attempt.ended["hello"] = await _hello(board, attempt, wire)
        answered = attempt.ended["hello"].ok
    wire.close()
    if "handshake" not in attempt.due:
        return
    handshake = Handshake(board, attempt, answered)
    try:
        attempt.ended["handshake"] = stage = await handshake.run()
        if stage.bars or handshake.session is None:
            return
        if "request" in attempt.due:
            await _get(board, attempt, handshake.session)
    finally:
        handshake.close()
    await _websocket(board, attempt, handshake.tls12)


# ---- the plan -----------------------------------------------------------------------------------------------------------


async def _in_slot(run: Run, attempt: Attempt, work: Callable[[], Awaitable[None]]) -> None:
    async with run.slots:
        # So that a box in between does not meet all at the very same moment.
        await asyncio.sleep(random.uniform(0, 0.02))
        await work()
    attempt.finished = True


async def _first_address(board: Board, attempt: Attempt) -> None:
    if attempt.path.proxy is not None:
        attempt.own_name = board.names.find(attempt.endpoint.host)
    if await _resolve(board, attempt):
        wire = await _connect(board, attempt)
        if wire is not None:
            await _follow(board, attempt, wire)


async def _first_addresses(board: Board, run: Run, attempts: List[Attempt]) -> None:
    def job(attempt: Attempt) -> Awaitable[None]:
        return _in_slot(run, attempt, lambda: _first_address(board, attempt))

    await asyncio.gather(*[job(attempt) for attempt in attempts])


async def _further_address(board: Board, attempt: Attempt, earlier: "asyncio.Future[bool]", done: "asyncio.Future[bool]") -> None:
    """`earlier` says whether an address before this one connected, `done` tells the next one."""
    wire = await _connect(board, attempt)
    connected = await earlier
    done.set_result(connected or wire is not None)
    if wire is None:
        return
    if connected:
        wire.close()
        return
    attempt.carry()
    await _follow(board, attempt, wire)


async def _further_addresses(board: Board, run: Run, first: Attempt) -> None:
    if not first.target.addresses or len(first.addresses) < 2:
        return
    loop = asyncio.get_running_loop()
    before = loop.create_future()
    before.set_result("connect" in first.ended and first.ended["connect"].ok)
    first.further = [first.at(address) for address in first.addresses[1:]]
    jobs = []

    def job(attempt: Attempt, earlier: "asyncio.Future[bool]", done: "asyncio.Future[bool]") -> Awaitable[None]:
        return _in_slot(run, attempt, lambda: _further_address(board, attempt, earlier, done))

    for attempt in first.further:
        after = loop.create_future()
        jobs.append(job(attempt, before, after))
        before = after
    await asyncio.gather(*jobs)


async def _recheck(board: Board, run: Run) -> None:
    """More than half of the first attempts timed out at one stage: one of them alone, with a fresh look-up."""
    for name in STAGES:
        late = [attempt for attempt in run.first if attempt.failed_with(name, "timeout")]
        if len(late) * 2 > len(run.first):
            again = late[0].up_to(name)
            run.rechecks.append(again)
            board.names.forget()
            await _first_address(board, again)
            again.finished = True
            return


async def _run_path(board: Board, run: Run) -> None:
    await _first_addresses(board, run, run.first)
    await asyncio.gather(*[_further_addresses(board, run, first) for first in run.first])
    await _recheck(board, run)
    await _first_addresses(board, run, board.plan_second_wave(run))


async def _run(board: Board) -> None:
    try:
        board.platform_hello = read_platform_hello(board.contexts.get(True, False))
    except Fault as fault:
        board.platform_fault = fault
    except OSError as error:
        board.platform_fault = Fault("protocol", str(error))
    await asyncio.gather(*[_run_path(board, run) for run in board.runs])


# ---- entry --------------------------------------------------------------------------------------------------------------

_ENDING_SECONDS = 0.2
"""How long after the deadline tasks may take to be cancelled."""


async def _observe(wanted: Request, deadline: float) -> Facts:
    board = Board(wanted)
    work = asyncio.ensure_future(_run(board))
    await asyncio.wait([work], timeout=max(0.0, deadline - time.monotonic()))
    seen = board.snapshot()
    for wire in board.wires:
        wire.give_up()
    mistake = work.exception() if work.done() else None
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in left:
        task.cancel()
    if left:
        # Their ends are waited for, and what they raise is taken, so that nothing is said on standard error.
        ended, _others = await asyncio.wait(left, timeout=_ENDING_SECONDS)
        for task in ended:
            task.cancelled() or task.exception()
    for wire in tuple(board.wires):
        wire.close()
    if mistake is not None:
        raise mistake
    return seen


def _account() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return "uid {0}".format(os.geteuid())


def _platform() -> str:
    system, runtime = os.uname(), ".".join(map(str, sys.version_info[:3]))
    return "{0} {1} {2}; Python {3}; {4}".format(system.sysname, system.release, system.machine, runtime, ssl.OPENSSL_VERSION)


def observe(request: Any) -> Facts:
    """Look as the request says, at most half a second longer than its deadline; the observation.

    Raises BadRequest, a ValueError with the option's name. Any other exception is a mistake of this file.
    """
    began = time.monotonic()
    seen_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    wanted = read_request(request)
    loop = asyncio.new_event_loop()
    try:
        seen = loop.run_until_complete(_observe(wanted, began + wanted.deadline_ms / 1000))
    finally:
        loop.close()
    return {
        "schema": 1,
        "engine": {"name": "path_info", "version": VERSION, "family": "posix", "platform": _platform()},
        "seen_as": _account(),
        "seen_at": seen_at,
        "elapsed_ms": int((time.monotonic() - began) * 1000),
        "deadline_ms": wanted.deadline_ms,
        **seen,
    }
