# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many connections the engines have at once, and altogether, by the lab's own counters: 16 for each path, and none that no stage needs.

One run of ansible-playbook for each engine; every host asks for all endpoints of the catalogue.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from lab import faults
from lab.faults import World
from lab.looks import look
from lab.pki import REVOCATION_HOSTS
from lab.play import LOCAL, WINRM, without
from lab.proxies import Proxy
from lab.servers import Census, relay, split

pytestmark = pytest.mark.xdist_group("limits")

AT_ONCE = 16
"""Of each path (design, chapter 5)."""
LATENCY = 0.1
"""Seconds by which each piece of an answer is late: enough that all connections that may be open are."""
DROPPED_SECONDS = 3
SYN_SENT = "02"


@dataclass
class Syns:
    """Connections to a port that have not been answered yet, as the kernel of this machine counts them."""

    port: int
    most: int = 0
    _over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._before = self._waiting()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        # A SYN that is dropped waits for seconds.
        while not self._over.wait(0.2):
            self.most = max(self.most, len(self._waiting() - self._before))

    def _waiting(self) -> set[str]:
        """Their own addresses. The fields of a line: number, local, remote, state."""
        ours = f":{self.port:04X} {SYN_SENT} "
        return {line.split()[1] for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines() if ours in line}


@dataclass(frozen=True)
class Counted:
    """What an engine told, host by host, and what the lab counted for each host and path."""

    seen: Mapping[str, Mapping[str, Any]]
    counted: Mapping[tuple[str, str], Census]
    syns: Syns


def late(data: bytes, _passed: int) -> bytes:
    time.sleep(LATENCY)
    return data


def front(world: World, census: Census, to: str) -> str:
    """Counts, and leads to `to`, whose answers come late."""

    def serve(connection: Any) -> None:
        census.enter(connection)
        relay(connection, to, down=late)

    return world.listen(serve)


def request(requests: Callable[..., dict[str, Any]], connect_to: Mapping[str, str], ways: Mapping[str, str]) -> dict[str, Any]:
    asked = requests(proxy="direct", connect_to={})
    return {**asked, "connect_to": dict(connect_to), "paths": [{"id": name, "ways": [way]} for name, way in ways.items()]}


def count(world: World, folder: Path, requests: Callable[..., dict[str, Any]], engine: str) -> Counted:
    targets = requests(proxy="direct")["targets"]
    speaks_tls = {target["id"]: target["tls"] for target in targets} | dict.fromkeys(REVOCATION_HOSTS, False)
    counted: dict[tuple[str, str], Census] = {}
    asked = {}
    for host, ways in {"direct": ("direct",), "proxied": ("proxy",), "both": ("direct", "proxy")}.items():
        directly = counted[host, "direct"] = Census()
        to = {tls: front(world, directly, world.cloud.tls if tls else world.cloud.http) for tls in (True, False)}
        # Behind the proxy stands the cloud itself: what the proxy opens is not the engine's.
        beyond = {to[True]: world.cloud.tls, to[False]: world.cloud.http}
        proxy = world.keep(Proxy(world.pki, lambda beyond=beyond: beyond, lambda _asked: None))
        over = counted[host, "proxy"] = Census()
        places = {"direct": "direct", "proxy": f"http://{front(world, over, split_url(proxy.url))}"}
        connect_to = {one: to[tls] for one, tls in speaks_tls.items()}
        asked[host] = request(requests, connect_to, {way: places[way] for way in ways})
    nowhere = faults.dropped(world)
    asked["dropped"] = request(requests, dict.fromkeys(speaks_tls, nowhere), {"direct": "direct"})
    asked["dropped"]["deadline_ms"] = DROPPED_SECONDS * 1000
    syns = world.keep(Syns(split(nowhere)[1]))
    return Counted(look(folder, asked, engine, world.pki.trust["public"], forks=2), counted, syns)


def split_url(url: str) -> str:
    return url.removeprefix("http://")


_COUNTED: dict[str, Counted] = {}


@pytest.fixture(params=[LOCAL, WINRM])
def counted(
    request: pytest.FixtureRequest, lab_world: World, requests: Callable[..., dict[str, Any]], tmp_path_factory: pytest.TempPathFactory,
) -> Counted:
    """Once for each engine."""
    engine = request.param
    missing = without(engine)
    if missing:
        pytest.skip(missing)
    if engine not in _COUNTED:
        _COUNTED[engine] = count(lab_world, tmp_path_factory.mktemp("limits"), requests, engine)
    return _COUNTED[engine]


WAYS = [("direct", "direct"), ("proxied", "proxy"), ("both", "direct"), ("both", "proxy")]


@pytest.mark.parametrize(("host", "way"), WAYS)
def test_so_many_at_once_for_each_path_and_no_more(counted: Counted, host: str, way: str) -> None:
    """Exactly: the limit is reached, so that the counter is seen to count."""
    assert all(stage["state"] == "ok" for attempt in counted.seen[host]["attempts"] for stage in attempt["stages"].values())
    assert counted.counted[host, way].most == AT_ONCE


@pytest.mark.parametrize(("host", "way"), WAYS)
def test_no_connection_that_no_stage_needs(counted: Counted, host: str, way: str) -> None:
    """One without TLS; with TLS one for the hello and one for handshake and request; one more for each further hello and a WebSocket."""
    attempts = [one for one in counted.seen[host]["attempts"] if one["path"] == way]
    needed = sum(needs(attempt["stages"]) for attempt in attempts)
    assert counted.counted[host, way].total == needed
    assert max(needs(attempt["stages"]) for attempt in attempts) == 5


def needs(stages: Mapping[str, Any]) -> int:
    return 1 + len({"handshake", "websocket", "hello_sha512", "hello_padded"}.intersection(stages))


def test_the_other_way_is_not_taken(counted: Counted) -> None:
    assert counted.counted["direct", "proxy"].total == counted.counted["proxied", "direct"].total == 0


def test_no_more_syns_at_once_where_everything_is_dropped(counted: Counted) -> None:
    assert len(counted.seen["dropped"]["attempts"]) > AT_ONCE
    assert counted.syns.most == AT_ONCE
