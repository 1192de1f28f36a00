# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages of one attempt after one another: resolve, connect, proxy, hello, handshake, request, websocket, further hellos.

FOR INTERNAL COLLECTION USE ONLY. Each notes on its attempt how it ended. Which attempts there are is the plan's business, in _probe.
"""

import asyncio
import base64
import contextlib
import os
import ssl
import time
from typing import Awaitable, Callable, List, Mapping, Optional, Union

from ansible_collections.appproxy.connector.plugins.module_utils._probe_board import FURTHER_HELLOS, NOT_CONNECTED, Attempt, Board, Stage
from ansible_collections.appproxy.connector.plugins.module_utils._probe_certificates import names_match, parse_certificate
from ansible_collections.appproxy.connector.plugins.module_utils._probe_faults import (
    CERTIFICATE_ERRORS,
    Facts,
    Fault,
    broken_fault,
    certificate_error,
    late,
    tls_fault,
)
from ansible_collections.appproxy.connector.plugins.module_utils._probe_flight import ServerFlight
from ansible_collections.appproxy.connector.plugins.module_utils._probe_hello import PADDED_BYTES, RECORDED, PlatformHello, build_hello
from ansible_collections.appproxy.connector.plugins.module_utils._probe_http import Answer, challenge_schemes, http_request
from ansible_collections.appproxy.connector.plugins.module_utils._probe_request import Place, Target, ip_of
from ansible_collections.appproxy.connector.plugins.module_utils._probe_sockets import Session, Wire

Stream = Union[Wire, Session]
_REFUSAL_BODY_SECONDS = 1.0


async def _stage(
    board: Board, attempt: Attempt, name: str, facts: Facts, work: Awaitable[None],
    silence: Callable[[], Optional[Fault]] = lambda: None, turns: int = 1,
) -> bool:
    """Runs a stage for as long as `turns` of its timeouts; whether it was well. `silence` says what a timeout means, where it knows."""
    timeout_ms = board.wanted.timeout_ms("hello" if name in FURTHER_HELLOS else name)
    began = time.monotonic()
    fault: Optional[Fault] = None
    try:
        await asyncio.wait_for(work, turns * timeout_ms / 1000)
    except Fault as error:
        fault = error
    except asyncio.TimeoutError:
        fault = silence() or late(timeout_ms)
    except OSError as error:
        # ssl.SSLError is one too.
        fault = broken_fault(error, name)
    attempt.ended[name] = Stage(int((time.monotonic() - began) * 1000), facts, fault)
    return fault is None


# ---- resolve, connect


async def resolve(board: Board, attempt: Attempt) -> bool:
    host = attempt.dial.host
    facts: Facts = {"name": host}

    async def work() -> None:
        looked = await asyncio.shield(board.names.find(host))
        if looked.fault is not None:
            raise looked.fault
        attempt.addresses = looked.addresses
        facts["addresses"] = list(looked.addresses)
        if ip_of(host):
            facts["literal"] = True

    if not await _stage(board, attempt, "resolve", facts, work()):
        return False
    attempt.address = attempt.addresses[0]
    return True


async def connect(board: Board, attempt: Attempt) -> Optional[Wire]:
    """None when it did not connect, or was not to."""
    if "connect" not in attempt.due or attempt.address is None:
        return None
    wire, address = Wire(board.wires), attempt.address
    facts: Facts = {}

    async def work() -> None:
        await wire.connect(address, attempt.dial.port)
        facts["local"] = wire.local

    if await _stage(board, attempt, "connect", facts, work()):
        return wire
    wire.close()
    return None


async def _connect_again(attempt: Attempt, wire: Wire, codes: Mapping[str, str]) -> None:
    """A further connection to the same address, through a CONNECT of its own.

    Raises Fault. `codes`: what the codes of connect and proxy are in the stage that needs it; those that it lacks are `closed`.
    """
    try:
        await wire.connect(attempt.address or "", attempt.dial.port)
        if attempt.path.proxy is not None:
            await _ask_for_tunnel(attempt, wire, {})
    except Fault as fault:
        # The words say what it was.
        raise Fault(codes.get(fault.code, "closed"), f"{fault.code}: {fault}") from fault


# ---- proxy


_LOG_IN_FIRST = 511
"""A captive portal's word (RFC 6585, 6): no failure of what lies behind it, although it is a 5xx."""


def _refusal(facts: Facts) -> Optional[Fault]:
    """What the answer of a proxy means when it is a refusal."""
    status = facts.get("status")
    if status is None:
        return None
    words = f"the proxy answered {status} {facts['reason']}".rstrip()
    if status == 407:
        return Fault("auth_required", words)
    if facts.get("plain"):
        return Fault("bad_gateway", words) if status in (502, 503, 504) else None
    if 200 <= status <= 299:
        return None
    return Fault("bad_gateway" if 500 <= status <= 599 and status != _LOG_IN_FIRST else "denied", words)


async def _ask_proxy(wire: Wire, request: bytes, answer: Answer, facts: Facts) -> None:
    """Reads the head of its answer. A refusal's body is evidence only: it may be cut short, and the refusal stands."""
    await wire.send(request)
    await answer.read_head()
    facts.update(answer.head_facts(), challenges=challenge_schemes(answer.headers.get("proxy-authenticate", ())))
    refusal = _refusal(facts)
    if refusal is not None:
        with contextlib.suppress(Fault, OSError, asyncio.TimeoutError):
            await asyncio.wait_for(answer.read_body(facts), _REFUSAL_BODY_SECONDS)
        raise refusal


async def _ask_for_tunnel(attempt: Attempt, wire: Wire, facts: Facts) -> None:
    """From then on the wire leads to the endpoint."""
    authority, answer = attempt.endpoint.text(), Answer(wire.recv)
    await _ask_proxy(wire, http_request("CONNECT", authority, authority, attempt.target.user_agent), answer, facts)
    wire.put_back(answer.unread())


async def _tunnel(board: Board, attempt: Attempt, wire: Wire) -> bool:
    facts: Facts = {}
    return await _stage(board, attempt, "proxy", facts, _ask_for_tunnel(attempt, wire, facts), lambda: _refusal(facts))


# ---- hello


def _like(board: Board) -> PlatformHello:
    """The platform's own, where it has something for TLS 1.2."""
    platform = board.platform_hello
    return platform if platform is not None and platform.speaks_12() else RECORDED


def _build(board: Board, attempt: Attempt, variant: str = "") -> bytes:
    like, place = _like(board), attempt.target.place
    if variant == "sha512":
        like = like.sha512_first()
    return build_hello(like, None if ip_of(place.host) else place.tls_name(), PADDED_BYTES if variant == "padded" else 0)


async def _exchange(wire: Wire, hello: bytes, flight: ServerFlight) -> None:
    await wire.send(hello)
    while not flight.done:
        data = await wire.recv()
        if not data:
            raise flight.end()
        flight.feed(data)


async def _hello(board: Board, attempt: Attempt, wire: Wire) -> bool:
    facts: Facts = {}
    flight = ServerFlight(facts)
    facts["template"] = "recorded" if _like(board) is RECORDED else "platform"
    work = _exchange(wire, _build(board, attempt), flight)
    well = await _stage(board, attempt, "hello", facts, work, lambda: flight.silence(board.wanted.timeout_ms("hello")))
    if "chain" in facts:
        facts["chain"] = board.keep(facts["chain"])
    return well


_CUT = ("reset", "closed", "timeout", "stalled")


async def _once(board: Board, attempt: Attempt, variant: str, facts: Facts) -> Optional[Fault]:
    """One hello over a connection of its own, in the time of a hello; None when all was well. Without the connection nothing was learned
    of the hello: that has a code of its own."""
    wire, timeout_ms = Wire(board.wires), board.wanted.timeout_ms("hello")
    answer: Facts = {}
    flight = ServerFlight(answer)
    connected, fault = False, None

    async def work() -> None:
        nonlocal connected
        await _connect_again(attempt, wire, {})
        connected = True
        await _exchange(wire, _build(board, attempt, variant), flight)

    try:
        await asyncio.wait_for(work(), timeout_ms / 1000)
    except Fault as error:
        fault = error
    except asyncio.TimeoutError:
        fault = flight.silence(timeout_ms) if connected else late(timeout_ms)
    except OSError as error:
        fault = broken_fault(error, "hello")
    finally:
        wire.close()
        # The rest is as in the answer to the usual hello.
        facts["bytes"] = answer["bytes"]
        if "key_exchange" in answer:
            facts.update(version=answer["version"], signature_algorithm=answer["key_exchange"]["signature_algorithm"])
    return fault if fault is None or connected else Fault(NOT_CONNECTED, str(fault))


async def _further_hellos(board: Board, attempt: Attempt) -> None:
    """After all else, so that they cost nothing else its time. Each only where the one before it was answered."""
    for name, variant in FURTHER_HELLOS.items():
        if name in attempt.due:
            facts: Facts = {}
            if not await _stage(board, attempt, name, facts, _in_turn(board, attempt, variant, facts), turns=4):
                return


async def _in_turn(board: Board, attempt: Attempt, variant: str, facts: Facts) -> None:
    """What is cut is tried again, the usual hello before it: a box that cuts by the hello does so each time."""
    fault = await _once(board, attempt, variant, facts)
    if fault is None:
        return
    if fault.code in _CUT:
        again = [await _once(board, attempt, "", {}), await _once(board, attempt, variant, {})]
        facts["repeats"] = ["ok" if one is None else one.code for one in again]
    raise fault


# ---- handshake


class _Handshake:
    """By the platform's own defaults, and if that fails for another reason than a certificate, by TLS 1.2 alone."""

    def __init__(self, board: Board, attempt: Attempt, hello_answered: bool) -> None:
        self._board = board
        self._attempt = attempt
        self._timeout_ms = board.wanted.timeout_ms("handshake")
        # TLS 1.2 alone gets a time of its own after silence only where a TLS 1.2 hello was answered: else it would burn the
        # deadline for the same silence.
        self._hello_answered = hello_answered
        self._facts: Facts = {}
        self._certificate_fault: Optional[Fault] = None
        self._wire: Optional[Wire] = None
        self.session: Optional[Session] = None
        self.tls12 = False

    async def run(self) -> None:
        turns = 2 if self._hello_answered else 1
        await _stage(self._board, self._attempt, "handshake", self._facts, self._work(), lambda: self._certificate_fault, turns)

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()

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
            return self._certificate_fault or late(self._timeout_ms)
        except Fault as fault:
            return self._certificate_fault or fault
        except OSError as error:
            return self._certificate_fault or tls_fault(error)
        self.tls12 = tls12
        return self._certificate_fault

    async def _once(self, tls12: bool) -> None:
        try:
            session = await self._open(True, tls12)
        except ssl.SSLCertVerificationError as error:
            # OpenSSL ends the handshake at the first error: the rest is read from a connection that takes any certificate.
            self._tell([certificate_error(error.verify_code)], error)
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
        self._certificate_fault = Fault(errors[0], f"{error.verify_message} ({error.verify_code})")

    async def _open(self, verify: bool, tls12: bool) -> Session:
        self.close()
        wire = self._wire = Wire(self._board.wires)
        await _connect_again(self._attempt, wire, {"timeout": "timeout", "refused": "reset", "reset": "reset"})
        session = Session(wire, self._board.contexts.get(verify, tls12), self._attempt.target.place)
        await session.handshake()
        return session


def _certificate_errors(verify_code: int, chain: List[bytes], place: Place) -> List[str]:
    """OpenSSL's error, and those that it had not come to: it looks at the chain first, then at the name, then at the times."""
    found = {certificate_error(verify_code)}
    # A certificate that does not parse tells no more than OpenSSL's own error.
    with contextlib.suppress(Fault, IndexError):
        leaf = parse_certificate(chain[0])
        if "untrusted" in found and not names_match(leaf, place):
            found.add("name_mismatch")
        if not leaf.not_before <= time.time() <= leaf.not_after:
            found.add("expired")
    return sorted(found, key=CERTIFICATE_ERRORS.index)


# ---- request, websocket


def _get_request(target: Target, what: str) -> bytes:
    return http_request("GET", what, target.host_header(), target.user_agent, "Accept: */*", "Connection: close")


async def _ask(over: Stream, request: bytes, facts: Facts) -> None:
    answer = Answer(over.recv)
    await over.send(request)
    await answer.read_head()
    facts.update(answer.head_facts())
    await answer.read_body(facts)


async def _request(board: Board, attempt: Attempt, over: Stream) -> bool:
    """False also where it is not due."""
    facts: Facts = {}
    return "request" in attempt.due and await _stage(
        board, attempt, "request", facts, _ask(over, _get_request(attempt.target, attempt.target.get), facts))


async def _request_over_proxy(board: Board, attempt: Attempt, wire: Wire) -> bool:
    """Without TLS a proxy gets the request itself: its head is the proxy stage, its body the request stage."""
    answer = Answer(wire.recv)
    facts: Facts = {"plain": True}
    request = _get_request(attempt.target, "http://" + attempt.endpoint.header(80) + attempt.target.get)
    if not await _stage(board, attempt, "proxy", facts, _ask_proxy(wire, request, answer, facts), lambda: _refusal(facts)):
        return False
    body = answer.head_facts()
    return "request" in attempt.due and await _stage(board, attempt, "request", body, answer.read_body(body))


async def _websocket(board: Board, attempt: Attempt, tls12: bool = False) -> None:
    """Over a connection of its own, by the protocols that the handshake has found."""
    if "websocket" not in attempt.due:
        return
    target, wire = attempt.target, Wire(board.wires)
    facts: Facts = {}
    key = base64.b64encode(os.urandom(16)).decode("ascii")
    request = http_request(
        "GET", target.websocket or "/", target.host_header(), target.user_agent,
        "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: " + key, "Sec-WebSocket-Version: 13",
    )

    async def work() -> None:
        await _connect_again(attempt, wire, {"timeout": "timeout"})
        over: Stream = wire
        if target.tls:
            over = Session(wire, board.contexts.get(False, tls12), target.place)
            await over.handshake()
        await _ask(over, request, facts)

    try:
        await _stage(board, attempt, "websocket", facts, work())
    finally:
        wire.close()


# ---- one after another


async def follow(board: Board, attempt: Attempt, wire: Wire) -> None:
    """All stages after connect, over the connection that is there; it is closed in the end. An attempt has one connection at a time."""
    try:
        if attempt.target.tls:
            await _follow_tls(board, attempt, wire)
            return
        if attempt.path.proxy is None:
            asked = await _request(board, attempt, wire)
        else:
            asked = "proxy" in attempt.due and await _request_over_proxy(board, attempt, wire)
    finally:
        wire.close()
    if asked:
        await _websocket(board, attempt)


async def _follow_tls(board: Board, attempt: Attempt, wire: Wire) -> None:
    if "proxy" in attempt.due and not await _tunnel(board, attempt, wire):
        return
    answered = "hello" in attempt.due and await _hello(board, attempt, wire)
    wire.close()
    if "handshake" not in attempt.due:
        return
    await _follow_handshake(board, attempt, answered)
    if answered:
        await _further_hellos(board, attempt)


async def _follow_handshake(board: Board, attempt: Attempt, answered: bool) -> None:
    handshake = _Handshake(board, attempt, answered)
    try:
        await handshake.run()
        if attempt.ended["handshake"].bars or handshake.session is None:
            return
        asked = await _request(board, attempt, handshake.session)
    finally:
        handshake.close()
    if asked:
        await _websocket(board, attempt, handshake.tls12)
