# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The POSIX engine's parsers under fuzz. What each may answer, and never: the docstring of its `run`."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Coroutine
from functools import cache
from random import Random
from typing import Any, NamedTuple

from ansible_collections.appproxy.connector.plugins.module_utils import _probe_stages
from ansible_collections.appproxy.connector.plugins.module_utils._probe_certificates import (
    names_match,
    parse_certificate,
    revocation_urls,
)
from ansible_collections.appproxy.connector.plugins.module_utils._probe_faults import Facts, Fault
from ansible_collections.appproxy.connector.plugins.module_utils._probe_flight import ServerFlight
from ansible_collections.appproxy.connector.plugins.module_utils._probe_hello import RECORDED, build_hello, parse_client_hello
from ansible_collections.appproxy.connector.plugins.module_utils._probe_http import Answer, challenge_schemes
from ansible_collections.appproxy.connector.plugins.module_utils._probe_request import Place

from . import samples
from .mutate import damaged


class Bytes(NamedTuple):
    """A case of a parser of bytes: they come in pieces of `step` bytes, then the end."""

    data: bytes
    step: int


STEPS = (1, 7, 61, 1000, 16384)


def _step(data: bytes, chance: Random) -> int:
    """One byte at a time only where there are not many."""
    return chance.choice(STEPS if len(data) < 4000 else STEPS[3:])


class Pieces:
    """A far end that says these bytes, and hears anything."""

    def __init__(self, case: Bytes) -> None:
        self._case, self._at = case, 0

    async def recv(self) -> bytes:
        piece = self._case.data[self._at:self._at + self._case.step]
        self._at += len(piece)
        return piece

    async def send(self, data: bytes) -> None:
        assert data


def _at_once(work: Coroutine[Any, Any, None]) -> None:
    """Runs what never has to wait, without a loop."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits for something")


# ---- HTTP


def make_http(chance: Random) -> Bytes:
    kind = chance.randrange(10)
    if kind == 0:
        whole = chance.choice(samples.ANSWERS)
        data = whole[:chance.randrange(len(whole))]
    elif kind < 5:
        data = damaged(chance.choice(samples.ANSWERS), chance, samples.ANSWERS)
    else:
        data = samples.built_answer(chance)
    return Bytes(data, _step(data, chance))


def run_http(case: Bytes) -> dict[str, Any]:
    """Facts, or a fault closed or malformed. What a whole answer needs is never missing: cut short, none is whole; a status that is told
    stands in the bytes; no more than 512 bytes of a body and 256 characters of a header are kept."""
    answer, facts, end = Answer(Pieces(case).recv), {}, "ok"

    async def work() -> None:
        await answer.read_head()
        facts.update(answer.head_facts(), challenges=challenge_schemes(answer.headers.get("proxy-authenticate", ())))
        await answer.read_body(facts)

    try:
        _at_once(work())
    except Fault as fault:
        end = fault.code
        assert end in ("closed", "malformed"), end
        assert len(fault.facts.get("first_bytes", "")) <= 128
    assert_answer(case, facts, end)
    return {"end": end, **facts}


def assert_answer(case: Bytes, facts: Facts, end: str) -> None:
    if end == "ok":
        assert not any(whole.startswith(case.data) and whole != case.data for whole in samples.ANSWERS), "a part passes for the whole"
        assert case.data.startswith(b"HTTP/1.")
    if "status" in facts:
        assert b" %03d" % facts["status"] in case.data
        assert all(len(value) <= 256 for values in facts["headers"].values() for value in values)
    assert len(base64.b64decode(facts.get("body", ""))) == facts.get("body_bytes", 0) <= 512


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


def run_connect(case: Bytes) -> dict[str, Any]:
    """A proxy's answer to CONNECT: a tunnel only after a status of 200 to 299, else one of the stage's faults."""
    wire, facts, end = Pieces(case), {}, "ok"
    answer = Answer(wire.recv)
    try:
        _loop().run_until_complete(_probe_stages._ask_proxy(wire, b"CONNECT", answer, facts))  # type: ignore[arg-type]
    except Fault as fault:
        end = fault.code
    assert end in ("ok", "auth_required", "denied", "bad_gateway", "closed", "malformed"), end
    assert (end == "ok") == (200 <= facts.get("status", 0) <= 299), "a tunnel where none was granted"
    if end == "ok":
        assert case.data.endswith(answer.unread()) or case.step < len(case.data)
    return {"end": end, **facts}


# ---- TLS


def make_flight(chance: Random) -> Bytes:
    kind = chance.randrange(10)
    whole = chance.choice(samples.flights())
    if kind == 0:
        data = whole[:chance.randrange(len(whole))]
    elif kind < 5:
        data = damaged(whole, chance, samples.flights())
    else:
        data = samples.built_flight(chance)
    return Bytes(data, _step(data, chance))


def run_flight(case: Bytes) -> dict[str, Any]:
    """Done, a fault malformed, alert or not_tls, or not yet. Done only with version, suite, chain, key exchange and the word on the client
    certificate; never before the last byte; no certificate that was not sent; no more than 256 KiB are read."""
    facts: Facts = {}
    flight, end = ServerFlight(facts), "ok"
    try:
        for at in range(0, len(case.data), case.step):
            flight.feed(case.data[at:at + case.step])
            if flight.done:
                break
        else:
            end = flight.end().code
            assert end in ("closed", "not_tls"), end
            assert flight.silence(1).code in ("timeout", "stalled", "not_tls")
    except Fault as fault:
        end = fault.code
        assert end in ("malformed", "alert", "not_tls"), end
    assert flight.done == (end == "ok")
    chain = facts.get("chain", [])
    if flight.done:
        assert {"version", "cipher", "key_exchange", "certificate_request", "downgrade_sentinel"} <= set(facts)
        assert chain
        assert not any(whole.startswith(case.data) and whole != case.data for whole in samples.flights()), "a part passes for the whole"
    assert sum(map(len, chain)) <= len(case.data)
    assert facts["bytes"] <= 256 * 1024 + case.step
    assert len(facts["warnings"]) <= 17
    told = {key: facts.get(key) for key in ("version", "cipher", "key_exchange", "certificate_request", "downgrade_sentinel")}
    return {"end": end, **told, "warnings": facts["warnings"], "chain": [hashlib.sha256(one).hexdigest() for one in chain]}


def make_client_hello(chance: Random) -> Bytes:
    hello = build_hello(RECORDED, samples.NAME)
    at = hello.index(samples.NAME.encode()) + 40
    # The 32 random bytes are replaced: a case must be the same again.
    hello = hello[:11] + bytes(32) + hello[43:]
    return Bytes(damaged(hello, chance, (hello[at:],)), 1)


def run_client_hello(case: Bytes) -> dict[str, Any]:
    """The platform's own hello: its facts, or malformed."""
    try:
        hello = parse_client_hello(case.data)
    except Fault as fault:
        assert fault.code == "malformed"
        return {"end": "malformed"}
    assert all(0 <= number <= 0xFFFF for key, value in hello.as_facts().items() if key != "bytes" for number in value)
    build_hello(hello, samples.NAME, 2000)
    return {"end": "ok"}


# ---- certificates


def make_certificate(chance: Random) -> Bytes:
    if chance.random() < 0.4:
        return Bytes(damaged(chance.choice(samples.ders()), chance, samples.ders()), 1)
    return Bytes(samples.built_certificate(chance), 1)


MOST_URL = 2048 + 400


def run_certificate(case: Bytes) -> dict[str, Any]:
    """Its fields, or malformed. A name matches only where it (or the wildcard above it) stands in the bytes; each URL that is asked for,
    the OCSP request in it too, is plain http, fit for a request line, and not longer than MOST_URL."""
    data = case.data
    matches, end = False, "ok"
    try:
        read = parse_certificate(data)
    except Fault as fault:
        assert fault.code == "malformed"
        end = "malformed"
    else:
        try:
            matches = names_match(read, Place(samples.NAME, 443))
        except Fault as fault:
            assert fault.code == "malformed"
    if matches:
        small = data.lower()
        assert samples.NAME.encode() in small or b"*.example.com" in small, "a name that is not in it"
    urls = revocation_urls([data, samples.ders()[1]])
    for url in urls:
        assert url.url.lower().startswith("http://")
        assert url.get.startswith("/")
        assert 1 <= url.place.port <= 65535
        url.get.encode("ascii")
        assert not set(url.get + url.place.host) & set(" \r\n\t")
        assert len(url.get) <= MOST_URL, "more than any server reads"
    return {"end": end, "urls": [[url.url, url.place.host, url.place.port, url.get] for url in urls]}
