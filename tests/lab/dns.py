# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A DNS server with a table, and a private network namespace in which it is the resolver.

    python3 dns.py COMMAND ...     runs COMMAND inside such a namespace (needs `unshare` to be allowed)

Inside, loopback is all the network there is; 192.0.2.66 has a prohibiting route, 10.66.66.67 an unreachable one.
Standard library only, and no other file of the lab: it starts itself again inside the namespace.
"""

from __future__ import annotations

import os
import shutil
import socket
import socketserver
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

A, AAAA, SOA = 1, 28, 6
NO_ERROR, SERVER_FAILURE, NAME_ERROR = 0, 2, 3
TTL = 60

NXDOMAIN = "NXDOMAIN"
NODATA = "NODATA"
SERVFAIL = "SERVFAIL"
SILENCE = "SILENCE"
LATE = "LATE"
"""The address 127.0.0.1, after so long that a client has asked again, but not given up."""
LATE_SECONDS = 3

Table = Mapping[str, str | tuple[str, ...]]
"""Name to one of the words above, or to addresses of both families in the order of the answer. Other names: NXDOMAIN."""

TABLE: Table = {
    "no-data.lab.test": NODATA,
    "server-failure.lab.test": SERVFAIL,
    "silent.lab.test": SILENCE,
    "late.lab.test": LATE,
    "sinkhole.lab.test": ("0.0.0.0",),
    "private-nowhere.lab.test": ("10.66.66.67",),
    "first-alive.lab.test": ("127.0.0.2", "127.0.0.4"),
    "second-alive.lab.test": ("127.0.0.1", "127.0.0.2"),
    "several.lab.test": ("127.0.0.1", "127.0.0.2", "127.0.0.3"),
    "both-families.lab.test": ("::1", "127.0.0.1"),
    "private.lab.test": ("127.0.0.1",),
}
PROHIBITED = "192.0.2.66"
UNREACHABLE = "10.66.66.67"


def answer(query: bytes, table: Table) -> bytes | None:
    """The answer to one query (both without TCP's length); None is silence. Raises ValueError for what is no query."""
    if len(query) < 17:
        raise ValueError("too short for a DNS query")
    number, flags, questions = struct.unpack_from("!HHH", query)
    name, end = _name(query, 12)
    kind, _class = struct.unpack_from("!HH", query, end)
    question = query[12 : end + 4]
    told = table.get(name.lower(), NXDOMAIN)
    if told == SILENCE or questions != 1:
        return None
    if told == LATE:
        time.sleep(LATE_SECONDS)
        told = ("127.0.0.1",)
    code = {NXDOMAIN: NAME_ERROR, SERVFAIL: SERVER_FAILURE}.get(told if isinstance(told, str) else "", NO_ERROR)
    records = [_address(one, kind) for one in told if (":" in one) == (kind == AAAA)] if isinstance(told, tuple) else []
    records = records if kind in (A, AAAA) else []
    # Without an SOA an empty answer reads as "no such name" on Linux.
    authority = [] if records or code == SERVER_FAILURE else [_authority()]
    header = struct.pack("!HHHHHH", number, 0x8180 | (flags & 0x0100) | code, 1, len(records), len(authority), 0)
    return header + question + b"".join(records) + b"".join(authority)


def _name(query: bytes, at: int) -> tuple[str, int]:
    labels = []
    while (length := query[at]) != 0:
        if length > 63 or at + 1 + length >= len(query):
            raise ValueError("not a name")
        labels.append(query[at + 1 : at + 1 + length].decode("ascii", "replace"))
        at += 1 + length
    if at + 5 > len(query):
        raise ValueError("no type and class")
    return ".".join(labels), at + 1


def _address(address: str, kind: int) -> bytes:
    data = socket.inet_pton(socket.AF_INET6 if kind == AAAA else socket.AF_INET, address)
    return struct.pack("!HHHIH", 0xC00C, kind, 1, TTL, len(data)) + data


def _authority() -> bytes:
    """An SOA of the root."""
    data = b"\0\0" + struct.pack("!IIIII", 1, TTL, TTL, TTL, TTL)
    return b"\0" + struct.pack("!HHIH", SOA, 1, TTL, len(data)) + data


class Server:
    """UDP and TCP on one port (0: the kernel chooses)."""

    def __init__(self, table: Table | None = None, address: str = "127.0.0.1", port: int = 0) -> None:
        answers = TABLE if table is None else table

        class Udp(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                query, sock = self.request
                told = _answer_or_none(query, answers)
                if told is not None:
                    sock.sendto(told, self.client_address)

        class Tcp(socketserver.StreamRequestHandler):
            timeout = 10

            def handle(self) -> None:
                length = self.rfile.read(2)
                if len(length) == 2:
                    told = _answer_or_none(self.rfile.read(struct.unpack("!H", length)[0]), answers)
                    if told is not None:
                        self.wfile.write(struct.pack("!H", len(told)) + told)

        self._tcp = _TcpServer((address, port), Tcp)
        self.port: int = self._tcp.server_address[1]
        self._udp = socketserver.ThreadingUDPServer((address, self.port), Udp)
        self._udp.daemon_threads = True
        self._threads = [threading.Thread(target=one.serve_forever, args=(0.05,), daemon=True) for one in (self._tcp, self._udp)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        for server in (self._tcp, self._udp):
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join(5)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def _answer_or_none(query: bytes, table: Table) -> bytes | None:
    try:
        return answer(query, table)
    except ValueError:
        return None


# -- the namespace


def missing() -> str | None:
    """Why this machine gives no namespace of the kind needed; None where it does."""
    for program in ("unshare", "ip", "mount"):
        if shutil.which(program, path=_path()) is None:
            return f"the program {program} is not there"
    tried = subprocess.run(
        [*_unshare(), "mount", "--bind", "/dev/null", "/dev/null"], capture_output=True, env=_environment(), check=False, text=True
    )
    return None if tried.returncode == 0 else f"no network namespace without rights: {tried.stderr.strip()[:200]}"


def command(inside: Sequence[str]) -> list[str]:
    """The command line that runs `inside` in a namespace of its own, with this server as its resolver."""
    return [*_unshare(), sys.executable, str(Path(__file__).resolve()), "--inside", *inside]


def _unshare() -> list[str]:
    return ["unshare", "--map-root-user", "--net", "--mount", "--fork", "--pid", "--kill-child"]


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": _path()}


def _inside(inside: Sequence[str]) -> int:
    """Already in the namespace: makes loopback, routes and resolver, then runs the command to its end."""
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "route", "add", "prohibit", f"{PROHIBITED}/32")
    _run("ip", "route", "add", "unreachable", f"{UNREACHABLE}/32")
    with tempfile.NamedTemporaryFile("w", prefix="resolv-", suffix=".conf") as resolver:
        resolver.write("nameserver 127.0.0.1\noptions timeout:2 attempts:2\n")
        resolver.flush()
        _run("mount", "--bind", resolver.name, str(Path("/etc/resolv.conf").resolve()))
        with Server(port=53):
            return subprocess.run(inside, env=_environment(), check=False).returncode


def _run(*words: str) -> None:
    subprocess.run(words, check=True, env=_environment())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        sys.exit(_inside(sys.argv[2:]))
    reason = missing()
    if reason is not None:
        sys.exit(f"dns.py: {reason}")
    sys.exit(subprocess.run(command(sys.argv[1:]), env=_environment(), check=False).returncode)
