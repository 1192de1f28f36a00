# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Peers that are slow, late, or never end, at every stage, through both engines: a stage ends when its time is up, the look when the
deadline comes, and nothing passes that was not seen.

One run of ansible-playbook for each engine; a host of it has many slow peers, each the target of its own in one request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from lab import dns, faults
from lab.cloud import WEBSOCKET_PATH
from lab.faults import HELLO_REQUESTS, Fault, World, after, byte_by_byte, for_ever, slow_line, speaks
from lab.looks import look, look_in_namespace
from lab.personalities import CIM, SERVER_2022
from lab.play import LOCAL, WINRM, differences, play, without
from lab.scenarios import EVERY_PLAIN, INCONCLUSIVE, SERVICE, SIGN_IN, UNKNOWN, ProxyPlan, Scenario
from lab.windows import SERVICE_HIVE, SYSTEM_HIVE, internet

pytestmark = pytest.mark.xdist_group("slow")

DEADLINE = 5
"""Seconds; shorter than the stages' usual timeouts, but for the look-up, which is as long."""
SHORT = {"resolve": 900, "connect": 900, "proxy": 900, "hello": 900, "handshake": 1200, "request": 900}
"""Milliseconds that a stage has where the deadline is far away."""
FAR = 30
LATE = 1.5
"""Seconds: after a stage's short time, while the engine still looks."""
NEVER_IN_TIME = 8
SPARE_MS = 1000
"""By which a deadline may be missed, and a stage's time on a machine that is busy."""
NOT_RUN = "not_run"


@dataclass(frozen=True)
class Slow:
    """A peer that is slow in one stage."""

    name: str
    stage: str
    fault: Fault
    short: str | None
    """How the stage ends where its own time is short and the deadline far; None: that is another case's business."""
    deadline: str | None = NOT_RUN
    """How it ends where the deadline comes first."""
    proxy: bool = False
    """It stands in the place of a proxy."""
    port: int = 443
    more: tuple[tuple[str, Any], ...] = ()
    """More of its target."""


def head(*lines: bytes) -> bytes:
    return b"\r\n".join((b"HTTP/1.1 200 OK", *lines, b"", b""))


LIST = b"Content-Type: application/pkix-crl"
TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"
REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 99\r\n\r\n"
WARNING = b"\x15\x03\x03\x00\x02\x01\x70"
FILLER = b"X-Filler: " + b"a" * 1000 + b"\r\n"
CHUNK = b"1\r\nx\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def once(*pieces: bytes) -> faults.Pieces:
    return lambda world: pieces


def proxy(name: str, fault: Fault, short: str | None, deadline: str | None = NOT_RUN, stage: str = "proxy", port: int = 443) -> Slow:
    return Slow(f"proxy: {name}", stage, fault, short, deadline, proxy=True, port=port)


def request(name: str, short: str | None, deadline: str | None, pieces: faults.Pieces, **how: Any) -> Slow:
    return Slow(f"request: {name}", "request", speaks(pieces, tls=True, **how), short, deadline)


CASES = (
    Slow("connect: dropped", "connect", faults.dropped, "timeout"),
    proxy("one byte a second", speaks(byte_by_byte(TUNNEL), pace=1), "timeout"),
    proxy("one byte a second, port 80", speaks(byte_by_byte(TUNNEL), pace=1), "timeout", port=80),
    proxy("a body of one byte a second, port 80", speaks(lambda world: (head(b"Content-Length: 99"), *[b"x"] * 99), pace=1), "timeout",
          stage="request", port=80),
    proxy("a head without an end", speaks(for_ever(FILLER, first=b"HTTP/1.1 200 OK\r\n"), pace=0.5), "timeout"),
    proxy("a head without an end, at once", speaks(for_ever(FILLER, first=b"HTTP/1.1 200 OK\r\n")), "malformed", "malformed"),
    proxy("a line without an end, at once", speaks(for_ever(b"a" * 1000, first=b"HTTP/1.1 200 ")), "malformed", "malformed"),
    proxy("interim answers without an end", speaks(for_ever(CONTINUE * 50)), "malformed", "malformed"),
    proxy("half an answer, then the end", speaks(once(TUNNEL[:20]), ends=True), "closed", "closed"),
    proxy("never reads", speaks(once(), hears=False), "timeout"),
    proxy("late", speaks(once(TUNNEL), late=LATE), "timeout", None),
    proxy("after the deadline", speaks(once(TUNNEL), late=NEVER_IN_TIME), "timeout"),
    proxy("a refusal whose page comes slowly", speaks(lambda world: (REFUSAL, *[b"x"] * 99), pace=1), "denied", "denied"),
    proxy("a tunnel to silence", speaks(once(TUNNEL)), "timeout", stage="hello"),

    Slow("hello: silence", "hello", faults.silent_on_accept, "timeout"),
    Slow("hello: never reads", "hello", speaks(once(), hears=False), "timeout"),
    Slow("hello: one byte a second", "hello", slow_line(0), "stalled"),
    Slow("hello: a certificate of one byte a second", "hello", slow_line(900), "stalled"),
    Slow("hello: warnings without an end", "hello", speaks(for_ever(WARNING * 10)), "malformed", "malformed"),
    Slow("hello: requests without an end", "hello", speaks(for_ever(HELLO_REQUESTS)), "malformed", "malformed"),
    Slow("hello: half an answer, then the end", "hello", speaks(once(b"\x16\x03\x03\x00\x50\x02\x00"), ends=True), "closed", "closed"),
    Slow("hello: late", "hello", speaks(once(b"\x16\x03\x03\x00\x50\x02\x00"), late=LATE), "timeout", None),
    Slow("hello: after the deadline", "hello", speaks(once(b"\x16\x03\x03\x00\x50\x02\x00"), late=NEVER_IN_TIME), "timeout"),
    Slow("further hellos: one byte a second", "hello_sha512", after(2, slow_line(0)), "stalled", more=(("hellos", ["sha512", "padded"]),)),

    Slow("handshake: silence", "handshake", after(1, faults.silent_on_accept), "timeout"),
    Slow("handshake: one byte a second", "handshake", after(1, slow_line(0)), "timeout"),
    Slow("handshake: a certificate of one byte a second", "handshake", after(1, slow_line(900)), "timeout"),
    Slow("handshake: requests without an end", "handshake", after(1, speaks(for_ever(HELLO_REQUESTS))), "timeout"),
    Slow("handshake: half an answer, then the end", "handshake", after(1, speaks(once(b"\x16\x03\x03\x00\x50\x02\x00"), ends=True)),
         "closed", "closed"),
    Slow("handshake: late", "handshake", after(1, speaks(once(b"\x16\x03\x03\x00\x50\x02\x00"), late=3)), "timeout", None),

    request("silence", "timeout", NOT_RUN, once()),
    request("a head of one byte a second", "timeout", NOT_RUN, byte_by_byte(head(b"Content-Length: 0")), pace=1),
    request("a head without an end", "timeout", NOT_RUN, for_ever(FILLER, first=b"HTTP/1.1 200 OK\r\n"), pace=0.5),
    request("a head without an end, at once", "malformed", "malformed", for_ever(FILLER, first=b"HTTP/1.1 200 OK\r\n")),
    request("a line without an end, at once", "malformed", "malformed", for_ever(b"a" * 1000, first=b"HTTP/1.1 200 ")),
    request("half a head, then the end", "closed", "closed", once(b"HTTP/1.1 200 OK\r\nContent-Le"), ends=True),
    request("a body of one byte a second", "timeout", NOT_RUN, lambda world: (head(b"Content-Length: 99"), *[b"x"] * 99), pace=1),
    request("half a body, then the end", "closed", "closed", once(head(b"Content-Length: 99"), b"x" * 9), ends=True),
    request("a byte a second in chunks", "timeout", NOT_RUN, for_ever(CHUNK, first=head(b"Transfer-Encoding: chunked")), pace=1),
    # As much of a body as is looked at has come: what was seen was seen.
    request("a body without an end, at once", "ok", "ok", for_ever(b"x" * 1000, first=head())),
    request("bytes in chunks without an end, at once", "ok", "ok", for_ever(CHUNK, first=head(b"Transfer-Encoding: chunked"))),
    request("late", "timeout", None, once(head(b"Content-Length: 0")), late=LATE),
    request("after the deadline", "timeout", NOT_RUN, once(head(b"Content-Length: 0")), late=NEVER_IN_TIME),
    Slow("websocket: one byte a second", "websocket",
         after(2, speaks(byte_by_byte(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"), tls=True, pace=1)), "timeout",
         more=(("websocket", WEBSOCKET_PATH),)),
)
LISTS = {
    "crl3.digicert.com:80": Slow("list: one byte a second", "request", speaks(
        lambda world: (head(LIST, b"Content-Length: 900"), *byte_by_byte(world.pki.crl())(world)), pace=1), "timeout"),
    "crl4.digicert.com:80": Slow("list: a head of one byte a second", "request", speaks(byte_by_byte(head(LIST)), pace=1), "timeout"),
    "www.microsoft.com:80": Slow("list: half of it, then the end", "request", speaks(
        once(head(LIST, b"Content-Length: 900"), b"\x30" * 90), ends=True), "closed", "closed"),
    "ocsp.digicert.com:80": Slow("list: silence", "request", speaks(once()), "timeout"),
}
NAMES = {
    "silent.lab.test": Slow("resolve: a silent name server", "resolve", faults.closed_port, "timeout"),
    "late.lab.test": Slow("resolve: a late name server", "resolve", faults.closed_port, "timeout"),
}
MODES = ("short", "deadline")


def hurried(mode: str, deadline: float) -> dict[str, Any]:
    return {"deadline_ms": FAR * 1000, "timeouts_ms": SHORT} if mode == "short" else {"deadline_ms": int(deadline * 1000)}


def request_of(world: World, cases: Mapping[str, Slow], mode: str) -> dict[str, Any]:
    """All of these peers at once, each its own target (and, in a proxy's place, its own way)."""
    targets, paths, connect_to, directly = [], [], {}, []
    for target, one in cases.items():
        host, _colon, port = target.partition(":")
        targets.append({"id": target, "host": host, "port": int(port), "tls": one.port == 443, **dict(one.more)})
        to = one.fault(world)
        if one.proxy:
            paths.append({"id": f"http://{to}", "ways": [f"http://{to}"], "targets": [target]})
        else:
            directly.append(target)
            connect_to[target] = to
    if directly:
        paths.append({"id": "direct", "ways": ["direct"], "targets": directly})
    return {"schema": 1, "targets": targets, "paths": paths, "connect_to": connect_to, "revocation": {"limit": 0},
            "parallel": len(cases), **hurried(mode, DEADLINE)}


def request_for_lists(world: World, mode: str) -> dict[str, Any]:
    """A healthy endpoint whose chain names lists at these slow hosts."""
    connect_to = {"login.microsoftonline.com:443": world.cloud.tls, **{place: one.fault(world) for place, one in LISTS.items()}}
    target = {"id": "login.microsoftonline.com:443", "host": "login.microsoftonline.com", "port": 443, "tls": True}
    return {"schema": 1, "targets": [target], "paths": [{"id": "direct", "ways": ["direct"]}], "connect_to": connect_to,
            **hurried(mode, DEADLINE)}


def hosts() -> dict[str, dict[str, Slow]]:
    """Host to its cases: by what is slow, a proxy, TCP and TLS, or what is said inside."""
    found: dict[str, dict[str, Slow]] = {"proxy": {}, "tls": {}, "http": {}}
    for number, one in enumerate(CASES):
        host = "proxy" if one.proxy else "http" if one.stage in ("request", "websocket") else "tls"
        found[host][f"slow{number}.lab.example:{one.port}"] = one
    return found


@dataclass(frozen=True)
class Looked:
    """What an engine answered, by mode and host."""

    seen: Mapping[tuple[str, str], Mapping[str, Any]]

    def attempts(self, mode: str, host: str, target: str) -> list[Mapping[str, Any]]:
        return [one for one in self.seen[mode, host]["attempts"] if one["target"] == target]


_LOOKED: dict[str, Looked] = {}


@pytest.fixture(params=[LOCAL, WINRM])
def looked(request: pytest.FixtureRequest, lab_world: World, tmp_path_factory: pytest.TempPathFactory) -> Looked:
    """Once for each engine."""
    engine = request.param
    missing = without(engine)
    if missing:
        pytest.skip(missing)
    if engine not in _LOOKED:
        trust = lab_world.pki.trust["public"]
        requests = {f"{host}-{mode}": request_of(lab_world, cases, mode) for host, cases in hosts().items() for mode in MODES}
        requests |= {f"list-{mode}": request_for_lists(lab_world, mode) for mode in MODES}
        seen = look(tmp_path_factory.mktemp("slow"), requests, engine, trust)
        if dns.missing() is None:
            targets = [{"id": f"{name}:443", "host": name, "port": 443, "tls": True} for name in NAMES]
            paths = [{"id": "direct", "ways": ["direct"]}]
            asked = {f"resolve-{mode}": {"schema": 1, "targets": targets, "paths": paths, **hurried(mode, 1.5)} for mode in MODES}
            seen |= look_in_namespace(tmp_path_factory.mktemp("names"), asked, engine, trust)
        split = {tuple(reversed(name.rsplit("-", 1))): one for name, one in seen.items()}
        _LOOKED[engine] = Looked(split)  # type: ignore[arg-type]
    return _LOOKED[engine]


def ended(stage: Mapping[str, Any]) -> str:
    return str(stage["error"]["code"] if stage["state"] == "error" else stage["state"])


ALL = [
    *[(host, target, one) for host, cases in hosts().items() for target, one in cases.items()],
    *[("list", target, one) for target, one in LISTS.items()],
    *[("resolve", f"{name}:443", one) for name, one in NAMES.items()],
]


ENDS = [(*case, mode) for case in ALL for mode in MODES if getattr(case[2], mode) is not None]


@pytest.mark.parametrize(("host", "target", "one", "mode"), ENDS, ids=[f"{case[2].name}-{case[3]}" for case in ENDS])
def test_it_ends_as_itself(looked: Looked, host: str, target: str, one: Slow, mode: str) -> None:
    """Typed, or not run; and nothing after it is well that hangs on it."""
    expected = getattr(one, mode)
    if host == "resolve" and dns.missing():
        pytest.skip(str(dns.missing()))
    attempts = looked.attempts(mode, host, target)
    assert attempts
    for attempt in attempts:
        told = attempt["stages"]
        assert ended(told[one.stage]) == expected, told
        later = list(told)[list(told).index(one.stage) + 1:]
        # A hello by hand bars nothing; but here the handshake meets the same peer.
        assert expected == "ok" or [name for name in later if told[name]["state"] == "ok" and not own_connection(one, name)] == []


def own_connection(one: Slow, name: str) -> bool:
    """Stages that are told after the slow one, but were made before it and met a healthy peer."""
    return one.stage.startswith("hello_") and name in ("handshake", "request")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("host", [*hosts(), "list", "resolve"])
def test_the_look_ends_in_time(looked: Looked, host: str, mode: str) -> None:
    """By the engine's own clock: the deadline holds within a second; and where it is far, each stage within its own time."""
    if host == "resolve" and dns.missing():
        pytest.skip(str(dns.missing()))
    seen = looked.seen[mode, host]
    assert seen["elapsed_ms"] <= seen["deadline_ms"] + SPARE_MS
    if mode == "deadline":
        assert seen["elapsed_ms"] >= seen["deadline_ms"]
        return
    assert seen["elapsed_ms"] < FAR * 1000 / 2
    assert NOT_RUN not in [ended(stage) for attempt in seen["attempts"] for stage in attempt["stages"].values()]
    for attempt in seen["attempts"]:
        for name, stage in attempt["stages"].items():
            assert stage["ms"] <= turns(name) * SHORT.get(name, 900) + SPARE_MS, (attempt["target"], name)


def turns(stage: str) -> int:
    """Times that a stage may take: the handshake by TLS 1.2 too, a further hello that was cut with its repeats."""
    return {"handshake": 2, "hello_sha512": 4, "hello_padded": 4}.get(stage, 1)


# -- the server itself


def of_a_server(world: World, **more: Any) -> dict[str, Any]:
    """One healthy endpoint, the server's facts and its ways."""
    target = {"id": "login.microsoftonline.com:443", "host": "login.microsoftonline.com", "port": 443, "tls": True}
    return {"schema": 1, "targets": [target], "connect_to": {target["id"]: world.cloud.tls}, "revocation": {"limit": 0},
            "detect": True, "host": {}, **hurried("deadline", DEADLINE), **more}


@pytest.fixture(scope="module")
def slow_servers(lab_world: World, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, Any]]:
    if without(WINRM):
        pytest.skip(str(without(WINRM)))
    silent = f"http://{faults.silent_on_accept(lab_world)}/proxy.pac"
    script = "".join(internet(hive, pac=silent) for hive in (SERVICE_HIVE, SYSTEM_HIVE))
    servers = {
        "script": replace(SERVER_2022, values=script), "cim": replace(SERVER_2022, cim=dict.fromkeys(CIM, "hangs")),
        "rehearsals": SERVER_2022,
    }
    more = {"rehearsals": {"host": {"rehearse_trust": True}, "rehearse_client_certificate": {"target": "login.microsoftonline.com:443"}}}
    requests = {name: of_a_server(lab_world, **more.get(name, {})) for name in servers}
    return look(tmp_path_factory.mktemp("servers"), requests, WINRM, lab_world.pki.trust["public"], servers=servers)


@pytest.mark.parametrize("name", ["script", "cim", "rehearsals"])
def test_the_deadline_is_for_the_server_itself_too(slow_servers: Mapping[str, Mapping[str, Any]], name: str) -> None:
    seen = slow_servers[name]
    assert seen["elapsed_ms"] <= seen["deadline_ms"] + SPARE_MS
    # What is slow costs the look at the network nothing.
    assert [ended(attempt["stages"]["request"]) for attempt in seen["attempts"]] == ["ok"]


def test_a_script_that_does_not_come_takes_half_of_the_time_and_is_told(slow_servers: Mapping[str, Mapping[str, Any]]) -> None:
    seen = slow_servers["script"]
    asked, = seen["host"]["pac"]["value"]
    assert asked["error"] is not None
    assert DEADLINE * 500 - 500 <= asked["ms"] <= DEADLINE * 500 + SPARE_MS
    assert seen["elapsed_ms"] >= asked["ms"]


def test_what_cim_does_not_say_is_unknown(slow_servers: Mapping[str, Mapping[str, Any]]) -> None:
    host = slow_servers["cim"]["host"]
    assert [host[name]["ok"] for name in ("computer", "system", "disk", "dynamic_ports")] == [False] * 4
    # The first was asked; of the last nothing was, and it says why.
    assert host["dynamic_ports"]["error"] == {"code": "timeout", "message": "the deadline leaves no time for it: raise it"}
    assert host["windows"]["ok"]


def test_a_rehearsal_without_time_is_not_begun(slow_servers: Mapping[str, Mapping[str, Any]]) -> None:
    told = slow_servers["rehearsals"]["rehearsals"]
    assert told["trust"]["error"]["code"] == "timeout"
    assert told["client_certificate"]["ok"], "it has a time of its own"


# -- judged


def slowly(name: str, expects: Mapping[str, str], verdict: str, **around: Any) -> Scenario:
    return Scenario(name, "Slow.", variables={"preflight_deadline": DEADLINE}, expects=expects, verdict=verdict, **around)


JUDGED = (
    slowly("slow-hello", {"APC902": UNKNOWN}, INCONCLUSIVE, faults={SERVICE: slow_line(900)}),
    slowly("slow-page", {"APC902": UNKNOWN}, INCONCLUSIVE, faults={SIGN_IN: speaks(byte_by_byte(head()), tls=True, pace=1)}),
    slowly("slow-lists", {"APC902": UNKNOWN}, INCONCLUSIVE, faults={EVERY_PLAIN: speaks(byte_by_byte(head(LIST)), pace=1)}),
    slowly("slow-proxy", {"APC902": UNKNOWN}, INCONCLUSIVE, proxy=ProxyPlan(dead=speaks(byte_by_byte(TUNNEL), pace=1))),
)


def test_what_was_not_seen_in_time_is_unknown(tmp_path: Path, state: Path) -> None:
    """The whole playbook, with all other endpoints healthy; by one engine, since both have told the same above."""
    outcome = play(tmp_path, JUDGED, LOCAL, forks=4, pki_folder=state / "pki")
    assert set(outcome.hosts) == {one.name for one in JUDGED}, outcome.text[-4000:]
    for one in JUDGED:
        report = outcome.hosts[one.name]
        assert differences(one, report) == [], report["summary"]
        assert report["elapsed_ms"] <= DEADLINE * 1000 + SPARE_MS
    assert outcome.code == 2
