# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The POSIX engine over real sockets, against the lab's servers. Every observation is held against the published schema."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.appproxy.connector.plugins.module_utils import _probe, _probe_faults, _probe_sockets
from ansible_collections.appproxy.connector.plugins.modules import path_info
from ansible_collections.appproxy.connector.plugins.plugin_utils.observe.observation import parse_observation
from lab import faults
from lab.cloud import WEBSOCKET_PATH, Cloud
from lab.faults import Fault, World
from lab.pki import ISSUING_CERTIFICATE, ISSUING_CRL, ISSUING_CRL_MIRROR, OCSP_URL, REVOCATION_HOSTS, Pki
from lab.proxies import Policy, Proxy, asks_for_password, closes, denies, fails, malformed, open_to_all, portal, silent
from lab.servers import Census, Missing, drain, read_head, relay, reset

SIGN_IN = "login.microsoftonline.com"
BOOTSTRAP = "a.bootstrap.msappproxy.net"
SHORT = {"resolve": 400, "connect": 400, "proxy": 400, "hello": 400, "handshake": 700, "request": 400}
"""Timeouts, in milliseconds, for faults that are silent."""

Look = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def pki(state: Path) -> Pki:
    return Pki(state / "pki")


@pytest.fixture(scope="module")
def cloud(pki: Pki) -> Iterator[Cloud]:
    cloud = Cloud(pki)
    yield cloud
    cloud.close()


@pytest.fixture
def world(pki: Pki, cloud: Cloud) -> Iterator[World]:
    world = World(pki, cloud, (SIGN_IN,))
    yield world
    world.close()


@pytest.fixture
def look(root: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> Look:
    """observe(), with the shape of its answer checked, on a server that trusts the lab's public roots."""
    schema = json.loads((root / "plugins/plugin_utils/observe/observation.schema.json").read_text())
    monkeypatch.setenv("SSL_CERT_FILE", str(pki.trust["public"]))

    def run(*targets: dict[str, Any], way: str = "direct", **more: Any) -> dict[str, Any]:
        request = {"schema": 1, "paths": [{"id": way, "ways": [way]}], "targets": list(targets), "revocation": {"limit": 0}, **more}
        observation = _probe.observe(request)
        jsonschema.validate(observation, schema)
        parse_observation(observation)
        return json.loads(json.dumps(observation))  # type: ignore[no-any-return]

    return run


def target(host: str = SIGN_IN, port: int = 443, **more: Any) -> dict[str, Any]:
    return {"id": f"{host}:{port}", "host": host, "port": port, "tls": port != 80, **more}


def stages(observation: Mapping[str, Any], number: int = 0) -> dict[str, Any]:
    return observation["attempts"][number]["stages"]  # type: ignore[no-any-return]


def codes(observed: Mapping[str, Any]) -> dict[str, str]:
    """Stage to `ok`, its error's code, or `not_run`."""
    return {name: stage["error"]["code"] if stage["state"] == "error" else stage["state"] for name, stage in observed.items()}


# -- healthy


def test_a_healthy_endpoint(look: Look, cloud: Cloud) -> None:
    seen = look(target(websocket=WEBSOCKET_PATH), connect_to={f"{SIGN_IN}:443": cloud.tls})
    (attempt,) = seen["attempts"]
    assert attempt["address"] == "127.0.0.1"
    assert f"127.0.0.1:{attempt['port']}" == attempt["redirected_to"] == cloud.tls
    assert codes(attempt["stages"]) == dict.fromkeys(("resolve", "connect", "hello", "handshake", "request", "websocket"), "ok")
    facts = {name: stage["facts"] for name, stage in attempt["stages"].items()}
    assert facts["resolve"] == {"name": "127.0.0.1", "addresses": ["127.0.0.1"], "literal": True}
    assert facts["connect"] == {"local": "127.0.0.1"}
    assert facts["hello"]["template"] == "platform"
    assert facts["hello"]["version"] == "TLSv1.2"
    assert facts["hello"]["certificate_request"] is None
    assert facts["handshake"]["version"] == "TLSv1.3"
    assert facts["handshake"]["protocols"] == "default"
    assert facts["handshake"]["errors"] == []
    assert facts["hello"]["chain"] == facts["handshake"]["chain"]
    assert sorted(facts["hello"]["chain"]) == sorted(seen["certificates"])
    assert facts["request"]["status"] == 200
    assert facts["websocket"]["status"] == 101
    assert seen["platform_hello"]["ok"]
    assert cloud.requests[-1].upgrade


def test_what_it_says_of_itself(look: Look) -> None:
    before = datetime.now(timezone.utc).replace(microsecond=0)
    seen = look(deadline_ms=5000)
    assert seen["engine"]["name"] == "path_info"
    assert seen["engine"]["family"] == "posix"
    assert "OpenSSL" in seen["engine"]["platform"] or "LibreSSL" in seen["engine"]["platform"]
    assert seen["seen_as"]
    assert before <= datetime.strptime(seen["seen_at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    assert seen["deadline_ms"] == 5000
    assert seen["attempts"] == seen["rechecks"] == []


def test_a_client_certificate_that_is_asked_for(look: Look, cloud: Cloud) -> None:
    observed = stages(look(target(BOOTSTRAP), connect_to={f"{BOOTSTRAP}:443": cloud.tls}))
    assert observed["hello"]["facts"]["certificate_request"]["signature_algorithms"]
    assert codes(observed)["handshake"] == "ok"
    assert observed["request"]["facts"]["status"] == 403


def test_plain_http(look: Look, cloud: Cloud) -> None:
    observed = stages(look(target("crl3.digicert.com", 80, get="/lab-issuing.crl"), connect_to={"crl3.digicert.com:80": cloud.http}))
    assert list(observed) == ["resolve", "connect", "request"]
    assert observed["request"]["facts"]["headers"]["content-type"] == ["application/pkix-crl"]
    assert observed["request"]["facts"]["body"].startswith("MI")


def test_targets_keep_the_order_of_the_request(look: Look, cloud: Cloud) -> None:
    names = [f"host{number}.example" for number in range(20)]
    seen = look(*map(target, names), connect_to={f"{name}:443": cloud.tls for name in names}, parallel=3)
    assert [attempt["target"] for attempt in seen["attempts"]] == [f"{name}:443" for name in names]
    assert {codes(attempt["stages"])["request"] for attempt in seen["attempts"]} == {"ok"}


def test_no_more_connections_at_once_than_asked_for(look: Look, world: World) -> None:
    at_once, most, lock = [0], [0], threading.Lock()

    def serve(connection: socket.socket) -> None:
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        connection.recv(4096)
        time.sleep(0.05)
        with lock:
            at_once[0] -= 1

    to = world.listen(serve)
    names = [f"host{number}.example" for number in range(12)]
    look(*(target(name, 80) for name in names), connect_to={f"{name}:80": to for name in names}, parallel=4)
    assert 1 < most[0] <= 4


@pytest.mark.parametrize("port", [443, 80])
def test_no_connection_for_a_websocket_after_a_request_that_failed(look: Look, world: World, port: int) -> None:
    counted = Census()
    to = faults.request_cut(world) if port == 443 else faults.reset_on_hello(world)

    def serve(connection: socket.socket) -> None:
        counted.enter(connection)
        relay(connection, to)

    place = target(port=port, websocket=WEBSOCKET_PATH)
    seen = look(place, connect_to={place["id"]: world.listen(serve)})
    assert codes(stages(seen))["request"] == "closed"
    assert "websocket" not in stages(seen)
    assert len(seen["rechecks"]) == 1
    assert counted.total == 2 * (2 if port == 443 else 1), "once more alone, and neither time for a WebSocket"


def test_without_the_platforms_hello_a_recorded_one_is_sent(look: Look, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_context: Any) -> None:
        raise _probe_faults.Fault("malformed", "no hello today")

    monkeypatch.setattr(_probe, "read_platform_hello", fail)
    seen = look(target(), connect_to={f"{SIGN_IN}:443": cloud.tls})
    assert seen["platform_hello"] == {"ok": False, "error": {"code": "malformed", "message": "no hello today"}}
    assert stages(seen)["hello"]["facts"]["template"] == "recorded"
    assert codes(stages(seen))["hello"] == "ok"


def test_ipv6(look: Look, pki: Pki) -> None:
    try:
        cloud = Cloud(pki, address="::1")
    except OSError as error:
        pytest.skip(f"no IPv6 on loopback: {error}")
    try:
        seen = look(target(), connect_to={f"{SIGN_IN}:443": cloud.tls})
    finally:
        cloud.close()
    assert codes(stages(seen))["request"] == "ok"
    assert seen["attempts"][0]["address"] == stages(seen)["connect"]["facts"]["local"] == "::1"
    assert seen["attempts"][0]["redirected_to"].startswith("[::1]:")


# -- faults


def says(data: bytes) -> Fault:
    """A server that hears the hello, says this and closes."""

    def start(world: World) -> str:
        def serve(connection: socket.socket) -> None:
            connection.recv(65536)
            connection.sendall(data)

        return world.listen(serve)

    return start


FAULTS: dict[str, tuple[Fault, dict[str, str]]] = {
    "refused": (faults.closed_port, {"resolve": "ok", "connect": "refused"}),
    "dropped": (faults.dropped, {"resolve": "ok", "connect": "timeout"}),
    "no route": (faults.unreachable, {"resolve": "ok", "connect": "unreachable"}),
    "silent": (faults.silent_on_accept, {"hello": "timeout", "handshake": "timeout"}),
    "silent on the hello": (faults.silent_on_hello, {"hello": "timeout", "handshake": "timeout"}),
    "reset on the hello": (faults.reset_on_hello, {"hello": "reset", "handshake": "reset"}),
    "closed on the hello": (faults.closed_on_hello, {"hello": "closed", "handshake": "closed"}),
    "handshake_failure": (faults.alert(2, 40), {"hello": "alert", "handshake": "alert"}),
    "stalled": (faults.stalled_after(700), {"hello": "stalled", "handshake": "timeout"}),
    "a warning, then closed": (says(b"\x15\x03\x03\x00\x02\x01\x70"), {"hello": "closed"}),
    "plain http": (faults.plain_http, {"hello": "not_tls", "handshake": "protocol"}),
    "garbage": (faults.garbage, {"hello": "not_tls", "handshake": "protocol"}),
    "half a certificate": (faults.half_a_certificate, {"hello": "closed"}),
    "slow": (faults.one_byte_a_second, {"hello": "stalled", "handshake": "timeout"}),
    "application data": (says(b"\x17\x03\x03\x00\x05hello"), {"hello": "malformed", "handshake": "protocol"}),
    "TLS 1.3 only": (faults.tls13_only, {"hello": "alert", "handshake": "ok", "request": "ok"}),
    "TLS 1.2 only": (faults.tls12_only, {"hello": "ok", "handshake": "ok", "request": "ok"}),
    "old hellos reset": (faults.old_hello_reset, {"hello": "reset", "handshake": "ok", "request": "ok"}),
    "TLS 1.3 reset": (faults.tls13_broken, {"hello": "ok", "handshake": "ok", "request": "ok"}),
    "no common cipher": (faults.no_common_cipher, {"hello": "alert", "handshake": "alert"}),
    "client certificate required": (faults.client_certificate_required, {"hello": "ok", "handshake": "alert"}),
    "ecdsa": (faults.ecdsa, {"hello": "ok", "handshake": "ok", "request": "ok"}),
    "dhe only": (faults.dhe_only, {"hello": "ok", "handshake": "ok"}),
    "answers late": (faults.answers_late, {"handshake": "ok", "request": "timeout"}),
    "inspected": (faults.inspected, {"hello": "ok", "handshake": "untrusted", "request": "ok"}),
    "incomplete chain": (faults.incomplete_chain, {"hello": "ok", "handshake": "untrusted", "request": "ok"}),
    "expired": (faults.expired, {"hello": "ok", "handshake": "expired", "request": "ok"}),
    "not yet valid": (faults.not_yet_valid, {"hello": "ok", "handshake": "expired", "request": "ok"}),
    "wrong name": (faults.wrong_name, {"hello": "ok", "handshake": "name_mismatch", "request": "ok"}),
    "self-signed": (faults.self_signed, {"hello": "ok", "handshake": "untrusted", "request": "ok"}),
}


@pytest.mark.parametrize(("fault", "expected"), FAULTS.values(), ids=FAULTS)
def test_faults(look: Look, world: World, fault: Fault, expected: dict[str, str]) -> None:
    try:
        to = fault(world)
    except Missing as missing:
        pytest.skip(str(missing))
    # The second target is refused at once: half of them timing out is not yet worth a recheck.
    other = faults.closed_port(world)
    seen = look(target(), target("other.example"), connect_to={f"{SIGN_IN}:443": to, "other.example:443": other}, timeouts_ms=SHORT)
    observed = codes(stages(seen))
    assert {**observed, **expected} == observed
    bars = {name for name, code in observed.items() if code not in ("ok", *_probe_faults.CERTIFICATE_ERRORS) and name != "hello"}
    assert bars <= {list(observed)[-1]}, "a stage that failed bars the later ones"


def test_what_an_alert_says(look: Look, world: World) -> None:
    observed = stages(look(target(), connect_to={f"{SIGN_IN}:443": faults.alert(2, 70)(world)}))
    for name in ("hello", "handshake"):
        assert {**observed[name]["error"], "message": ""} == {"code": "alert", "message": "", "level": 2, "description": 70}
    assert observed["handshake"]["facts"]["default_error"] == "alert"


def test_how_far_a_stalled_hello_came(look: Look, world: World) -> None:
    observed = stages(look(target(), connect_to={f"{SIGN_IN}:443": faults.stalled_after(700)(world)}, timeouts_ms=SHORT))
    assert observed["hello"]["error"]["bytes"] == observed["hello"]["facts"]["bytes"] == 700
    assert observed["hello"]["facts"]["version"] == "TLSv1.2"


def test_tls12_alone_is_told(look: Look, world: World) -> None:
    facts = stages(look(target(), connect_to={f"{SIGN_IN}:443": faults.tls13_broken(world)}))["handshake"]["facts"]
    assert (facts["protocols"], facts["version"], facts["default_error"]) == ("tls12", "TLSv1.2", "reset")


def test_tls12_alone_has_its_turn_after_silence(look: Look, world: World) -> None:
    """Only where the hello, which is TLS 1.2, was answered."""
    to = faults.large_hello_lost(400)(world)
    facts = stages(look(target(), connect_to={f"{SIGN_IN}:443": to}, timeouts_ms=SHORT))["handshake"]["facts"]
    assert (facts["protocols"], facts["default_error"]) == ("tls12", "timeout")


def test_every_certificate_error_is_told(look: Look, pki: Pki, world: World) -> None:
    ended = datetime.now(timezone.utc) - timedelta(days=30)
    mint = faults.shows(lambda name: pki.leaf("www.example.com", by=pki.company_issuing, valid=(ended - timedelta(days=90), ended)))
    seen = look(target(), connect_to={f"{SIGN_IN}:443": mint(world)})
    handshake = stages(seen)["handshake"]
    assert handshake["error"]["code"] == "untrusted"
    assert handshake["facts"]["errors"] == ["untrusted", "name_mismatch", "expired"]
    assert len(handshake["facts"]["chain_status"]) == 1
    assert handshake["facts"]["version"] == "TLSv1.3"
    assert set(handshake["facts"]["chain"]) <= set(seen["certificates"])
    assert stages(seen)["request"]["facts"]["status"] == 200


def test_a_trusted_company_root_is_trusted(look: Look, pki: Pki, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(pki.trust["public+company"]))
    assert codes(stages(look(target(), connect_to={f"{SIGN_IN}:443": faults.inspected(world)})))["handshake"] == "ok"


def test_an_address_as_endpoint(look: Look, pki: Pki, world: World) -> None:
    to = faults.shows(lambda name: pki.leaf("127.0.0.1"))(world)
    observed = stages(look(target("127.0.0.1", int(to.rpartition(":")[2]))))
    assert codes(observed)["handshake"] == "ok"
    assert observed["resolve"]["facts"]["literal"] is True


# -- over a proxy


@pytest.fixture
def names(cloud: Cloud) -> dict[str, str]:
    return {f"{SIGN_IN}:443": cloud.tls, "crl3.digicert.com:80": cloud.http}


@pytest.fixture
def proxied(pki: Pki, names: dict[str, str]) -> Iterator[Callable[[Policy], Proxy]]:
    started: list[Proxy] = []

    def start(policy: Policy) -> Proxy:
        started.append(Proxy(pki, lambda: names, policy))
        return started[-1]

    yield start
    for proxy in started:
        assert not proxy.saw_credentials
        proxy.close()


def test_through_a_proxy(look: Look, proxied: Callable[[Policy], Proxy]) -> None:
    proxy = proxied(open_to_all)
    seen = look(target(websocket=WEBSOCKET_PATH), target("crl3.digicert.com", 80, get="/lab-issuing.crl"), way=proxy.url)
    secure, plain = stages(seen), stages(seen, 1)
    assert codes(secure) == dict.fromkeys(("resolve", "connect", "proxy", "hello", "handshake", "request", "websocket"), "ok")
    assert secure["proxy"]["facts"]["status"] == 200
    assert seen["attempts"][0]["port"] == proxy.port
    assert codes(plain) == dict.fromkeys(("resolve", "connect", "proxy", "request"), "ok")
    assert plain["proxy"]["facts"]["plain"] is True
    assert plain["request"]["facts"]["headers"]["content-type"] == ["application/pkix-crl"]
    assert plain["request"]["facts"]["body_bytes"] > 100
    assert {one.asked.to for one in proxy.log} == {f"{SIGN_IN}:443", "crl3.digicert.com:80"}


def test_connect_to_is_what_the_proxy_is_asked_for(look: Look, proxied: Callable[[Policy], Proxy], names: dict[str, str]) -> None:
    proxy = proxied(open_to_all)
    names["edge.example:8443"] = names[f"{SIGN_IN}:443"]
    seen = look(target(), way=proxy.url, connect_to={f"{SIGN_IN}:443": "edge.example:8443"})
    assert codes(stages(seen))["request"] == "ok"
    assert seen["attempts"][0]["redirected_to"] == "edge.example:8443"
    assert {one.asked.to for one in proxy.log} == {"edge.example:8443"}


REFUSALS: dict[str, tuple[Policy, str, str]] = {
    "407": (asks_for_password("Negotiate", 'Basic realm="a, b"'), "auth_required", "auth_required"),
    "403": (denies(), "denied", "ok"),
    "470": (denies(status=470), "denied", "ok"),
    "511": (portal, "denied", "ok"),
    "502": (fails(502), "bad_gateway", "bad_gateway"),
    "503": (fails(503), "bad_gateway", "bad_gateway"),
    "504": (fails(504), "bad_gateway", "bad_gateway"),
    "closed": (closes, "closed", "closed"),
    "malformed": (malformed, "malformed", "malformed"),
    "silent": (silent, "timeout", "timeout"),
}


@pytest.mark.parametrize(("policy", "secure", "plain"), REFUSALS.values(), ids=REFUSALS)
def test_refusals(look: Look, proxied: Callable[[Policy], Proxy], policy: Policy, secure: str, plain: str) -> None:
    proxy = proxied(policy)
    seen = look(target(), target("crl3.digicert.com", 80), way=proxy.url, timeouts_ms=SHORT)
    assert codes(stages(seen)) == {"resolve": "ok", "connect": "ok", "proxy": secure}
    assert codes(stages(seen, 1)) == {"resolve": "ok", "connect": "ok", "proxy": plain, **({"request": "ok"} if plain == "ok" else {})}


def test_what_a_refusal_tells(look: Look, proxied: Callable[[Policy], Proxy]) -> None:
    proxy = proxied(asks_for_password("Negotiate", 'Basic realm="a, b"'))
    facts = stages(look(target(), way=proxy.url))["proxy"]["facts"]
    assert facts["status"] == 407
    assert facts["challenges"] == ["Negotiate", "Basic"]
    assert facts["headers"]["proxy-authenticate"] == ["Negotiate", 'Basic realm="a, b"']
    assert facts["headers"]["server"] == ["squid/5.7"]
    assert facts["headers"]["x-squid-error"] == ["ERR_CACHE_ACCESS_DENIED 0"]
    assert 0 < facts["body_bytes"] <= 512


def test_a_refusal_stands_though_its_body_never_comes(look: Look, world: World) -> None:
    def serve(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 1000\r\n\r\nSor")
        drain(connection)

    observed = stages(look(target(), way=f"http://{world.listen(serve)}", timeouts_ms=SHORT))
    assert codes(observed)["proxy"] == "denied"
    assert observed["proxy"]["facts"]["body_bytes"] == 3


def test_a_proxy_that_is_not_there(look: Look, world: World) -> None:
    seen = look(target(), way=f"http://{faults.closed_port(world)}")
    assert codes(stages(seen)) == {"resolve": "ok", "connect": "refused"}


def test_the_endpoints_own_name_is_a_fact_over_a_proxy(
    look: Look, proxied: Callable[[Policy], Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_probe_sockets, "look_up", lambda host: _probe_sockets.Looked((), _probe_faults.Fault("nxdomain", "no such name")))
    facts = stages(look(target(), way=proxied(open_to_all).url))["resolve"]["facts"]
    assert facts["name"] == "127.0.0.1"
    assert facts["endpoint"] == {"error": "nxdomain"}


# -- names and addresses


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (socket.EAI_NONAME, "nxdomain"), (socket.EAI_NODATA, "no_data"), (socket.EAI_AGAIN, "server_failure"),
        (socket.EAI_FAIL, "server_failure"),
    ],
)
def test_why_a_name_has_no_address(monkeypatch: pytest.MonkeyPatch, number: int, code: str) -> None:
    def fail(*_args: Any, **_more: Any) -> None:
        raise socket.gaierror(number, "so it is")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    looked = _probe_sockets.look_up("a.example")
    assert looked.fault is not None
    assert looked.fault.code == code


def test_a_name_that_does_not_exist_stops_the_attempt(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def look_up(host: str) -> _probe_sockets.Looked:
        asked.append(host)
        return _probe_sockets.Looked((), _probe_faults.Fault("nxdomain", "no such name"))

    monkeypatch.setattr(_probe_sockets, "look_up", look_up)
    seen = look(target("a.example"), target("A.example", 80))
    assert codes(stages(seen)) == codes(stages(seen, 1)) == {"resolve": "nxdomain"}
    assert seen["attempts"][0]["address"] is None
    assert [host.lower() for host in asked] == ["a.example"], "each name once"


def test_a_look_up_that_hangs_holds_nothing(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = threading.Event()

    def look_up(host: str) -> _probe_sockets.Looked:
        hanging.wait(20)
        return _probe_sockets.Looked(("127.0.0.1",), None)

    monkeypatch.setattr(_probe_sockets, "look_up", look_up)
    began = time.monotonic()
    seen = look(target("a.example"), deadline_ms=5000, timeouts_ms=SHORT)
    hanging.set()
    assert codes(stages(seen)) == {"resolve": "timeout"}
    assert time.monotonic() - began < 3
    assert [(one["stage"], one["result"]["error"]["code"]) for one in seen["rechecks"]] == [("resolve", "timeout")]


@pytest.fixture
def two_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
    monkeypatch.setattr(_probe_sockets, "look_up", lambda host: _probe_sockets.Looked(addresses, None))


@pytest.mark.usefixtures("two_addresses")
def test_further_addresses_are_connected_to(look: Look, world: World) -> None:
    port = int(faults.listening_on("127.0.0.1", "127.0.0.3", dead=("127.0.0.2",))(world).rpartition(":")[2])
    seen = look(target(port=port))
    assert [attempt["address"] for attempt in seen["attempts"]] == ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    assert [codes(attempt["stages"]) for attempt in seen["attempts"]] == [
        dict.fromkeys(("resolve", "connect", "hello", "handshake", "request"), "ok"), {"connect": "refused"}, {"connect": "ok"},
    ]


@pytest.mark.usefixtures("two_addresses")
def test_the_first_that_connects_carries_the_other_stages(look: Look, world: World) -> None:
    port = int(faults.listening_on("127.0.0.2", "127.0.0.3", dead=("127.0.0.1",))(world).rpartition(":")[2])
    seen = look(target(port=port))
    assert [codes(attempt["stages"]) for attempt in seen["attempts"]] == [
        {"resolve": "ok", "connect": "refused"}, dict.fromkeys(("connect", "hello", "handshake", "request"), "ok"), {"connect": "ok"},
    ]
    assert seen["rechecks"] == [], "beside one that connects the dead one is no loss of a crowd"


@pytest.mark.usefixtures("two_addresses")
def test_further_addresses_may_be_left_out(look: Look, world: World) -> None:
    port = int(faults.listening_on("127.0.0.1")(world).rpartition(":")[2])
    assert len(look(target(port=port, addresses=False))["attempts"]) == 1


@pytest.mark.usefixtures("two_addresses")
def test_further_addresses_that_may_be_left_out_are_gone_on_to_after_a_refusal(look: Look, world: World) -> None:
    port = int(faults.listening_on("127.0.0.2", "127.0.0.3", dead=("127.0.0.1",))(world).rpartition(":")[2])
    seen = look(target(port=port, addresses=False))
    assert [codes(attempt["stages"]) for attempt in seen["attempts"]] == [
        {"resolve": "ok", "connect": "refused"}, dict.fromkeys(("connect", "hello", "handshake", "request"), "ok"), {"connect": "ok"},
    ]


@pytest.mark.usefixtures("two_addresses")
def test_further_addresses_that_may_be_left_out_are_left_out_after_silence(look: Look, world: World) -> None:
    port = int(faults.dropped(world).rpartition(":")[2])
    seen = look(target(port=port, addresses=False), timeouts_ms=SHORT)
    assert [codes(attempt["stages"]) for attempt in seen["attempts"]] == [{"resolve": "ok", "connect": "timeout"}]


# -- rechecks, deadline


def test_of_what_was_lost_one_is_tried_again_alone_and_lost_again(look: Look, world: World, cloud: Cloud) -> None:
    dropped = faults.dropped(world)
    seen = look(
        target("a.example"), target("b.example"), target("c.example"), timeouts_ms=SHORT,
        connect_to={"a.example:443": cloud.tls, "b.example:443": dropped, "c.example:443": dropped},
    )
    (again,) = seen["rechecks"]
    assert (again["target"], again["path"], again["stage"]) == ("b.example:443", "direct", "connect")
    assert again["result"]["error"]["code"] == "timeout"


def once_lost(world: World, first: Callable[[socket.socket], None]) -> str:
    """A box that does `first` to the first connection, and lets the others through."""
    met: list[bool] = []

    def serve(connection: socket.socket) -> None:
        head, _rest = read_head(connection)
        assert head
        if not met:
            met.append(True)
            first(connection)
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    return world.listen(serve)


def silent(world: World) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        world.closing.wait(2)
        reset(connection)

    return serve


def test_what_stands_when_it_is_tried_again_alone_takes_the_place_of_the_first_try(look: Look, world: World) -> None:
    """And the next is tried again, until one is lost again."""
    to = {"a.example:80": once_lost(world, silent(world)), "b.example:80": once_lost(world, silent(world)),
          "c.example:80": faults.dropped(world), "d.example:80": once_lost(world, silent(world))}
    seen = look(*(target(f"{name}.example", 80) for name in "abcd"), connect_to=to, timeouts_ms=SHORT)
    assert [(one["target"], one["stage"], one["result"]["state"]) for one in seen["rechecks"]] == [
        ("a.example:80", "request", "ok"), ("b.example:80", "request", "ok"), ("c.example:80", "connect", "error"),
    ]
    ended = [list(codes(attempt["stages"]).values())[-1] for attempt in seen["attempts"]]
    assert ended == ["ok", "ok", "timeout", "timeout"]


def test_what_is_tried_again_is_tried_at_the_same_address(look: Look, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name gives its addresses in another order each time."""
    order = ["127.0.0.2", "127.0.0.1"]

    def look_up(host: str) -> _probe_sockets.Looked:
        order.reverse()
        return _probe_sockets.Looked(tuple(order), None)

    monkeypatch.setattr(_probe_sockets, "look_up", look_up)
    port = int(once_lost(world, silent(world)).rpartition(":")[2])
    seen = look(target("a.example", port, tls=False), timeouts_ms=SHORT)
    assert [(one["address"], list(codes(one["stages"]).values())[-1]) for one in seen["attempts"]] == [
        ("127.0.0.1", "ok"), ("127.0.0.2", "refused"),
    ]
    assert [one["result"]["state"] for one in seen["rechecks"]] == ["ok"]


def test_only_what_a_crowd_can_cause_is_tried_again(look: Look, world: World) -> None:
    """What was answered was not lost, whatever the answer."""
    seen = look(target(), connect_to={f"{SIGN_IN}:443": faults.alert(2, 70)(world)})
    assert seen["rechecks"] == []
    refused = look(target(), connect_to={f"{SIGN_IN}:443": faults.closed_port(world)})
    assert [(one["stage"], one["result"]["error"]["code"]) for one in refused["rechecks"]] == [("connect", "refused")]


DEADLINE = """
import json, sys, time
from ansible_collections.appproxy.connector.plugins.module_utils import _probe, _probe_sockets
request = json.loads(sys.argv[1])
if sys.argv[2:] == ["hanging"]:
    _probe_sockets.look_up = lambda host: time.sleep(60)
began = time.monotonic()
observation = _probe.observe(request)
print(json.dumps([time.monotonic() - began, observation]))
"""


def in_a_process(source: Path, request: dict[str, Any], *words: str) -> tuple[float, dict[str, Any]]:
    """How long it took, and the observation; nothing may be said on standard error, and nothing may hold the process's end."""
    command = [sys.executable, "-W", "error", "-c", DEADLINE, json.dumps(request), *words]
    run = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(source)}, capture_output=True, text=True, timeout=30, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    took, observation = json.loads(run.stdout)
    return took, observation


def test_the_deadline_holds(source: Path, root: Path, world: World) -> None:
    """Twenty targets behind a full backlog, and four that accept and are silent."""
    to = {f"d{number}.example:443": faults.dropped(world) for number in range(20)}
    to.update({f"s{number}.example:443": faults.silent_on_accept(world) for number in range(4)})
    targets = [{"id": one, "host": one[:-4], "port": 443, "tls": True} for one in to]
    request = {
        "schema": 1, "deadline_ms": 1500, "targets": targets, "connect_to": to,
        "paths": [{"id": "direct", "ways": ["direct"]}, {"id": "p", "ways": [f"http://{faults.silent_on_accept(world)}"]}],
    }
    took, seen = in_a_process(source, request)
    assert 1.4 < took < 2.0
    jsonschema.validate(seen, json.loads((root / "plugins/plugin_utils/observe/observation.schema.json").read_text()))
    parse_observation(seen)
    assert len(seen["attempts"]) == 48
    under_way = [codes(attempt["stages"]) for attempt in seen["attempts"]]
    stages_due = ("connect", "hello", "handshake", "request")
    assert {"resolve": "ok", **dict.fromkeys(stages_due, "not_run")} in under_way
    # Those that had no slot yet.
    assert dict.fromkeys(("resolve", *stages_due), "not_run") in under_way
    assert {"resolve": "ok", "connect": "ok", **dict.fromkeys(("proxy", "hello", "handshake", "request"), "not_run")} in under_way


def test_who_never_stops_talking_takes_nobodys_turn(look: Look, world: World, cloud: Cloud) -> None:
    """What has come already is read without waiting: timeouts and the deadline must have their turn all the same."""
    talks = faults.speaks(faults.for_ever(faults.HELLO_REQUESTS))(world)
    to = {"a.example:443": talks, "b.example:443": cloud.tls}
    seen = look(target("a.example"), target("b.example"), connect_to=to, deadline_ms=5000, timeouts_ms=SHORT)
    assert codes(stages(seen))["handshake"] == "timeout"
    assert stages(seen)["handshake"]["ms"] < SHORT["handshake"] + 500
    assert codes(stages(seen, 1))["request"] == "ok"
    seen = look(target("a.example"), connect_to=to, deadline_ms=1500)
    assert codes(stages(seen))["handshake"] == "not_run"
    assert seen["elapsed_ms"] < 2500


def test_the_deadline_holds_though_the_resolver_hangs(source: Path) -> None:
    request = {"schema": 1, "deadline_ms": 1000, "paths": [{"id": "direct", "ways": ["direct"]}], "targets": [target("a.example")]}
    began = time.monotonic()
    took, seen = in_a_process(source, request, "hanging")
    assert took < 1.5
    assert set(codes(stages(seen)).values()) == {"not_run"}
    assert time.monotonic() - began < 10, "the process ends though the look-up has not"


def test_a_second_wave_that_had_no_time_is_told(look: Look, world: World, cloud: Cloud) -> None:
    to = {f"{SIGN_IN}:443": cloud.tls, "slow.example:443": faults.dropped(world)}
    seen = look(target(), target("slow.example"), connect_to=to, deadline_ms=1000, revocation={})
    assert codes(stages(seen))["request"] == "ok"
    second = [attempt for attempt in seen["attempts"] if attempt["wave"] == 2]
    assert second
    assert {state for attempt in second for state in codes(attempt["stages"]).values()} == {"not_run"}


# -- the second wave


def test_the_second_wave(look: Look, cloud: Cloud) -> None:
    to = {f"{SIGN_IN}:443": cloud.tls, **dict.fromkeys(REVOCATION_HOSTS, cloud.http)}
    seen = look(target(), target("CRL4.digicert.com", 80, get="/lab-issuing.crl"), connect_to={**to}, revocation={"limit": 24})
    second = {attempt["url"]: attempt for attempt in seen["attempts"] if attempt["wave"] == 2}
    urls = [attempt["url"] for attempt in seen["attempts"] if attempt["wave"] == 2]
    assert urls[:1] == [ISSUING_CRL]
    assert {ISSUING_CERTIFICATE, OCSP_URL} < set(urls)
    assert ISSUING_CRL_MIRROR not in urls, "a target has asked for it already"
    assert len(urls) == len(set(urls))
    for attempt in second.values():
        assert codes(attempt["stages"]) == {"resolve": "ok", "connect": "ok", "request": "ok"}
    assert second[ISSUING_CRL]["target"] == "crl3.digicert.com:80"
    answer = second[OCSP_URL]["stages"]["request"]["facts"]
    assert answer["headers"]["content-type"] == ["application/ocsp-response"]
    # SEQUENCE, then ENUMERATED 0, successful: the responder has understood the request.
    assert base64.b64decode(answer["body"])[4:7] == b"\x0a\x01\x00"


def test_the_second_wave_goes_on_to_the_next_address(look: Look, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a name has an IPv6 address, too, and the router has no way for it."""
    here, port = cloud.http.split(":")
    monkeypatch.setattr(_probe_sockets, "look_up", lambda host: _probe_sockets.Looked(("127.0.0.9", here), None))
    to = {f"{SIGN_IN}:443": cloud.tls, "crl3.digicert.com:80": f"lists.example:{port}"}
    seen = look(target(), connect_to=to, revocation={"limit": 1})
    second = [(attempt["url"], attempt["address"], codes(attempt["stages"])) for attempt in seen["attempts"] if attempt["wave"] == 2]
    assert second == [
        (ISSUING_CRL, "127.0.0.9", {"resolve": "ok", "connect": "refused"}), (ISSUING_CRL, here, {"connect": "ok", "request": "ok"}),
    ]


def test_the_second_wave_is_bounded(look: Look, cloud: Cloud) -> None:
    to = {f"{SIGN_IN}:443": cloud.tls, **dict.fromkeys(REVOCATION_HOSTS, cloud.http)}
    seen = look(target(), connect_to=to, revocation={"limit": 2})
    assert [attempt["url"] for attempt in seen["attempts"] if attempt["wave"] == 2] == [ISSUING_CRL, ISSUING_CRL_MIRROR]


def test_the_second_wave_goes_over_the_proxy(look: Look, proxied: Callable[[Policy], Proxy], cloud: Cloud, names: dict[str, str]) -> None:
    names.update(dict.fromkeys(REVOCATION_HOSTS, cloud.http))
    proxy = proxied(open_to_all)
    seen = look(target(), way=proxy.url, revocation={"user_agent": "Microsoft-CryptoAPI/10.0"})
    second = [attempt for attempt in seen["attempts"] if attempt["wave"] == 2]
    assert second
    for attempt in second:
        assert codes(attempt["stages"]) == {"resolve": "ok", "connect": "ok", "proxy": "ok", "request": "ok"}
    asked = [one.asked for one in proxy.log if one.asked.method == "GET"]
    assert {one.headers["user-agent"] for one in asked} == {"Microsoft-CryptoAPI/10.0"}


# -- the module


class Ended(Exception):
    """What the module returned."""


@pytest.fixture
def run_module(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], dict[str, Any]]:
    class Module:
        def __init__(self, argument_spec: dict[str, Any], supports_check_mode: bool) -> None:
            assert argument_spec == {"request": {"type": "dict", "required": True}}
            assert supports_check_mode
            self.params = {"request": wanted}

        def exit_json(self, **result: Any) -> None:
            raise Ended(result)

        def fail_json(self, **result: Any) -> None:
            raise Ended({"failed": True, **result})

    wanted: dict[str, Any] = {}
    monkeypatch.setattr(path_info, "AnsibleModule", Module)

    def run(request: dict[str, Any]) -> dict[str, Any]:
        wanted.update(request)
        with pytest.raises(Ended) as ended:
            path_info.main()
        return ended.value.args[0]  # type: ignore[no-any-return]

    return run


def test_the_module_returns_the_observation(run_module: Callable[[Any], dict[str, Any]]) -> None:
    result = run_module({"schema": 1, "paths": [{"id": "direct", "ways": ["direct"]}], "targets": []})
    assert (sorted(result), result["changed"]) == (["changed", "observation"], False)
    parse_observation(result["observation"])


def test_the_module_refuses_a_bad_request_in_one_line(run_module: Callable[[Any], dict[str, Any]]) -> None:
    result = run_module({"schema": 1, "paths": [], "targets": []})
    assert result == {"failed": True, "msg": "Bad request: request.paths: must be a list that is not empty"}


def test_the_module_says_that_an_old_python_is_too_old(
    run_module: Callable[[Any], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(path_info, "OLDEST_PYTHON", (3, 99))
    result = run_module({"schema": 1, "paths": [], "targets": []})
    assert (result["failed"], result["apc"]) == (True, "APC904")
    assert "APC904" in result["msg"]
    assert "Python {}.{}.{}".format(*sys.version_info) in result["msg"]
