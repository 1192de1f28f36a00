# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the POSIX engine is asked: the request (request.schema.json), read and checked before anything is looked at.

FOR INTERNAL COLLECTION USE ONLY. Hosts, ports and addresses as text are read here, also for the other parts of the engine.
"""

import ipaddress
import re
from typing import Any, Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Tuple, Union

TIMEOUTS_MS = {"resolve": 5000, "connect": 6000, "proxy": 6000, "hello": 5000, "handshake": 7000, "request": 6000}
HELLOS = ("sha512", "padded")
IDENTITIES = ("installing_user", "network_service", "local_system", "windows", "session")
PLAIN = re.compile(r"[\x21-\x7e]+")
"""Printable ASCII without spaces."""
_HOST = re.compile(r"(?:(?![\[\]/@])[\x21-\x7e])+")
_REQUIRED = object()
_MOST = 10 ** 9


class BadRequest(ValueError):
    """The message names the option, as in request.targets[3].port."""


# ---- what a request holds


class Place(NamedTuple):
    """A host and a port; the host without brackets."""

    host: str
    port: int

    def bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    def text(self) -> str:
        return f"{self.bracketed()}:{self.port}"

    def header(self, usual_port: int) -> str:
        """As a Host header says it."""
        return self.bracketed() if self.port == usual_port else self.text()

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
    hellos: Tuple[str, ...]
    """Further ones, of HELLOS."""

    def host_header(self) -> str:
        return self.place.header(443 if self.tls else 80)


class Path(NamedTuple):
    id: str
    proxy: Optional[Place]
    """None is direct."""
    targets: Optional[FrozenSet[str]]
    """Ids of those that go over it; None: all."""


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
    revocation_paths: Optional[FrozenSet[str]]
    """Path ids of the second wave, for the chains that all paths have seen; None: each path for its own."""

    def redirect(self, place: Place) -> Optional[Place]:
        return self.connect_to.get(Place(place.host.lower(), place.port))

    def timeout_ms(self, stage: str) -> int:
        """A websocket has the time of a request."""
        return self.timeouts_ms["request" if stage == "websocket" else stage]


# ---- text


def ip_of(host: str) -> Union[ipaddress.IPv4Address, ipaddress.IPv6Address, None]:
    """The address without its scope, or None when the host is a name. Short forms such as 10.1 are names here."""
    try:
        return ipaddress.ip_address(host.split("%", 1)[0])
    except ValueError:
        return None


def parse_place(text: Any) -> Optional[Place]:
    """host:port, an IPv6 address in brackets; None when it is not that."""
    if not isinstance(text, str):
        return None
    host, _colon, port = text.rpartition(":")
    bare = _bare(host)
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        return None
    if not _is_sound(bare) or (":" in bare) != (bare != host):
        return None
    return Place(bare, int(port))


def _is_sound(host: str) -> bool:
    """Fit for a request line, a Host header, SNI and the resolver."""
    if not _HOST.fullmatch(host):
        return False
    if ":" in host:
        return ip_of(host) is not None
    return len(host) <= 253 and all(1 <= len(label) <= 63 for label in host.rstrip(".").split("."))


def _bare(host: str) -> str:
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


# ---- reading


def _bad(where: str, why: str) -> BadRequest:
    return BadRequest(f"{where}: {why}")


class _Options:
    """Typed reading of one table of the request."""

    def __init__(self, where: str, table: Any, known: Tuple[str, ...] = ()) -> None:
        if not isinstance(table, dict):
            raise _bad(where, "must be a dictionary")
        for key in table:
            if not isinstance(key, str) or (known and key not in known):
                raise _bad(f"{where}.{key}", "is not known; known are: " + ", ".join(known))
        self._where = where
        self.table: Dict[str, Any] = table

    def at(self, key: str) -> str:
        return f"{self._where}.{key}"

    def get(self, key: str, default: Any = _REQUIRED) -> Any:
        if key not in self.table and default is _REQUIRED:
            raise _bad(self.at(key), "is required")
        return self.table.get(key, default)

    def number(self, key: str, least: int, most: int, default: Any = _REQUIRED) -> int:
        value = self.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise _bad(self.at(key), f"must be a whole number from {least} to {most}")
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
        if not value.startswith("/") or not PLAIN.fullmatch(value):
            raise _bad(self.at(key), "must begin with / and hold no spaces or control characters")
        return value

    def items(self, key: str, least: int) -> List[Any]:
        value = self.get(key)
        if not isinstance(value, list) or len(value) < least:
            raise _bad(self.at(key), "must be a list" + (" that is not empty" if least else ""))
        return value

    def texts(self, key: str, *allowed: str) -> Tuple[str, ...]:
        """Empty where the key is missing."""
        value = self.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) and (not allowed or one in allowed) for one in value):
            raise _bad(self.at(key), "must be a list of texts" + (", each of: " + ", ".join(allowed) if allowed else ""))
        return tuple(value)

    def part(self, key: str, *known: str) -> "_Options":
        return _Options(self.at(key), self.get(key, {}), known)

    def parts(self, key: str, least: int, *known: str) -> "List[_Options]":
        return [_Options(f"{self.at(key)}[{number}]", item, known) for number, item in enumerate(self.items(key, least))]


def _read_host(options: _Options) -> str:
    bare = _bare(options.text("host"))
    if not _is_sound(bare):
        raise _bad(options.at("host"), "must be a host name or an address, without a port")
    return bare


def _read_path(options: _Options) -> Path:
    proxies: List[Optional[Place]] = []
    for way in options.items("ways", 1):
        proxy = parse_place(way[7:]) if isinstance(way, str) and way.startswith("http://") else None
        if way != "direct" and proxy is None:
            raise _bad(options.at("ways"), "must hold 'direct' and 'http://host:port' only")
        proxies.append(proxy)
    return Path(options.text("id"), proxies[0], frozenset(options.texts("targets")) if "targets" in options.table else None)


def _read_target(options: _Options) -> Target:
    asked = options.get("websocket", None)
    # Who will talk to it matters to connector_info alone, which finds the ways of each.
    options.texts("identities", *IDENTITIES)
    return Target(
        id=options.text("id"),
        place=Place(_read_host(options), options.number("port", 1, 65535)),
        tls=options.flag("tls"),
        get=options.url_path("get", "/"),
        websocket=None if asked is None else options.url_path("websocket"),
        user_agent=options.header("user_agent", "appproxy.connector"),
        addresses=options.flag("addresses", True),
        hellos=options.texts("hellos", *HELLOS),
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
        (
            "schema", "deadline_ms", "timeouts_ms", "parallel", "paths", "targets", "connect_to", "revocation", "detect", "host",
            "rehearse_client_certificate",
        ),
    )
    top.number("schema", 1, 1)
    if top.flag("detect", False):
        raise _bad(top.at("detect"), "must be left out: only connector_info finds the ways that the accounts of a Windows server take")
    timeouts = top.part("timeouts_ms", *TIMEOUTS_MS)
    revocation = top.part("revocation", "limit", "user_agent", "paths")
    return Request(
        deadline_ms=top.number("deadline_ms", 1000, 600000, 20000),
        timeouts_ms={stage: timeouts.number(stage, 100, _MOST, usual) for stage, usual in TIMEOUTS_MS.items()},
        parallel=top.number("parallel", 1, 64, 16),
        paths=tuple(_read_path(item) for item in top.parts("paths", 1, "id", "ways", "targets")),
        targets=tuple(
            _read_target(item)
            for item in top.parts(
                "targets", 0, "id", "host", "port", "tls", "get", "websocket", "user_agent", "addresses", "hellos", "identities",
            )
        ),
        connect_to=_read_connect_to(top.part("connect_to")),
        revocation_limit=revocation.number("limit", 0, _MOST, 24),
        revocation_user_agent=revocation.header("user_agent", "Microsoft-CryptoAPI/10.0"),
        revocation_paths=frozenset(revocation.texts("paths")) if "paths" in revocation.table else None,
    )
