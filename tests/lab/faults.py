# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of faults: each says which real thing it stands for, starts it, and gives its address as address:port.

A fault is a function of the world; one with a choice in it is a function that gives such a function.
"""

from __future__ import annotations

import contextlib
import re
import ssl
import struct
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from itertools import chain, count, cycle
from socket import MSG_PEEK, SHUT_WR, socket
from typing import Protocol, TypeVar

from cryptography.hazmat.primitives import hashes

from . import cloud as healthy
from .pki import Credential, Pki, contexts
from .proxies import SQUID
from .servers import (
    IPV4,
    IPV6,
    PATIENCE,
    Answer,
    Connection,
    Handler,
    Listener,
    OpensslServer,
    Request,
    Response,
    accept_tls,
    at,
    drain,
    http_listener,
    read_client_hello,
    read_head,
    receive_record,
    relay,
    reset,
    tls_listener,
)


class Closes(Protocol):
    def close(self) -> None: ...


Thing = TypeVar("Thing", bound=Closes)


@dataclass
class World:
    """What faults are made from: the certificates, the healthy cloud, the names that a fault's one certificate is for.

    `close` ends all that was started in it, the youngest first.
    """

    pki: Pki
    cloud: healthy.Cloud
    hosts: tuple[str, ...] = ()
    closing: threading.Event = field(default_factory=threading.Event)
    """What waits in the lab waits on this, so that the end need not wait for it."""
    _started: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def keep(self, thing: Thing) -> Thing:
        self._started.callback(thing.close)
        return thing

    def listen(self, handler: Handler) -> str:
        return self.keep(Listener(handler)).to

    def close(self) -> None:
        self.closing.set()
        self._started.close()


Fault = Callable[[World], str]


# -- the name


def name_not_found(world: World) -> str:
    """The name is unknown: a wrong forwarder, a split zone, a typo in a DNS policy. `.invalid` never exists (RFC 6761)."""
    return "connector-lab.invalid:443"


def named(name: str, fault: Fault | None = None) -> Fault:
    """The name of the lab's own DNS server (dns.py), at the port of `fault` or of the healthy cloud."""

    def start(world: World) -> str:
        return f"{name}:{(fault(world) if fault else world.cloud.tls).rpartition(':')[2]}"

    return start


# -- the way there


def closed_port(world: World) -> str:
    """Nothing listens, or a firewall rejects with a TCP reset: the connection is refused."""
    return at(IPV4, world.keep(_bound()).getsockname()[1])


def dropped(world: World) -> str:
    """A firewall drops the SYN without a word. On loopback: a full accept queue, whose kernel does the same."""
    listener = world.keep(_bound())
    listener.listen(0)
    for _one in range(4):
        waiting = world.keep(socket())
        waiting.setblocking(False)
        waiting.connect_ex(listener.getsockname())
    return at(IPV4, listener.getsockname()[1])


def first_only(end: Callable[[socket], None]) -> Fault:
    """A firewall that counts: of a host of lists the first connection, which is one of many, ends so, and no other."""

    def start(world: World) -> str:
        met: list[bool] = []

        def serve(connection: socket) -> None:
            if met:
                relay(connection, world.cloud.http)
            else:
                met.append(True)
                end(connection)

        return world.listen(serve)

    return start


lost_at_first = first_only(drain)


def unreachable(world: World) -> str:
    """No route. The broadcast address has none for TCP on any machine, so that no packet leaves."""
    return "255.255.255.255:443"


def denied_locally(world: World) -> str:
    """A rule on the server itself forbids it. The namespace of dns.py has a prohibiting route to this address."""
    return "192.0.2.66:443"


def first_address_dead(world: World) -> str:
    """The name has two addresses (in dns.py's table); nothing listens on the first, the second is healthy."""
    return named("second-alive.lab.test", listening_on("127.0.0.2", dead=("127.0.0.1",)))(world)


def second_address_dead(world: World) -> str:
    """The name has two addresses (in dns.py's table); the first is healthy, nothing listens on the second."""
    return named("first-alive.lab.test", listening_on("127.0.0.2", dead=("127.0.0.4",)))(world)


PORT_TRIES = 20


def listening_on(*alive: str, dead: tuple[str, ...] = ()) -> Fault:
    """Healthy on these addresses, refused on the dead ones, all with the same port; gives the last healthy one."""

    def listen(world: World, opened: list[Closes]) -> str:
        port = 0
        for address in alive:
            listener = tls_listener(contexts(world.pki, asks=healthy.asks_for_certificate), world_answer(world), address, port)
            opened.append(listener)
            port = listener.port
        opened.extend(_bound(address, port) for address in dead)
        return at(alive[-1], port)

    def start(world: World) -> str:
        """A port that the kernel gives on one address may be taken on another: then again with another one."""
        for tries_left in reversed(range(PORT_TRIES)):
            opened: list[Closes] = []
            try:
                to = listen(world, opened)
            except OSError:
                for one in opened:
                    one.close()
                if not tries_left:
                    raise
            else:
                for one in opened:
                    world.keep(one)
                return to
        raise AssertionError("no try was made")

    return start


# -- the first bytes


def reset_on_accept(world: World) -> str:
    """A box accepts in the server's name and resets at once: an inline filter with the destination on its list."""
    return world.listen(reset)


def silent_on_accept(world: World) -> str:
    """Accepts and never says a word: a transparent proxy whose own way out is closed."""
    return world.listen(drain)


def reset_on_hello(world: World) -> str:
    """A next-generation firewall reads the name in the ClientHello, does not like it, and resets."""

    def serve(connection: socket) -> None:
        receive_record(connection)
        reset(connection)

    return world.listen(serve)


def silent_on_hello(world: World) -> str:
    """As reset_on_hello, but the firewall drops everything from the ClientHello on."""

    def serve(connection: socket) -> None:
        receive_record(connection)
        drain(connection)

    return world.listen(serve)


def closed_on_hello(world: World) -> str:
    """As reset_on_hello, with an orderly end: a proxy or load balancer without a back end for the name."""
    return world.listen(lambda connection: _discard(receive_record(connection)))


def alert(level: int, description: int) -> Fault:
    """Refuses the ClientHello in TLS's own words: (2, 40) no agreement, (2, 70) version, (2, 112) unknown name."""

    def start(world: World) -> str:
        def serve(connection: socket) -> None:
            receive_record(connection)
            connection.sendall(bytes([21, 3, 3, 0, 2, level, description]))

        return world.listen(serve)

    return start


def stalled_after(size: int) -> Fault:
    """A path-MTU black hole: the server's small packets come through, the full ones with its certificate never do."""

    def hold(data: bytes, passed: int) -> bytes:
        return data[: max(0, size - passed)]

    return relayed(down=hold)


def large_hello_lost(limit: int) -> Fault:
    """The other direction of it: a ClientHello of more than `limit` bytes never arrives."""

    def hold(data: bytes, passed: int) -> bytes:
        return b"" if passed + len(data) > limit else data

    return relayed(up=hold)


def tls13_broken(world: World) -> str:
    """A box that was written before TLS 1.3 resets hellos that offer it; TLS 1.2 alone comes through."""

    def cut(data: bytes, passed: int) -> bytes | None:
        hello = read_client_hello(data)
        return None if hello is not None and 0x0304 in hello.versions else data

    return relayed(up=cut)(world)


def old_hello_reset(world: World) -> str:
    """A box that resets hellos which do not offer TLS 1.3: hand-written ones are cut, a platform's own gets through."""

    def cut(data: bytes, passed: int) -> bytes | None:
        hello = read_client_hello(data)
        return None if hello is not None and 0x0304 not in hello.versions else data

    return relayed(up=cut)(world)


def sha512_first_cut(world: World) -> str:
    """A box that resets hellos whose first signature algorithm is RSA with SHA-512."""

    def cut(data: bytes, passed: int) -> bytes | None:
        hello = read_client_hello(data)
        return None if hello is not None and hello.signature_algorithms[:1] == (0x0601,) else data

    return relayed(up=cut)(world)


def sha512_certificate_cut(world: World) -> str:
    """A box that resets clients which sign with RSA and SHA-512; hellos pass, whatever they put first."""

    def cut(data: bytes, passed: int) -> bytes | None:
        # CertificateVerify of at most 512 bytes, in the clear.
        return None if re.search(rb"\x0f\x00[\x00\x01\x02].\x06\x01", data, re.DOTALL) and read_client_hello(data) is None else data

    return relayed(up=cut)(world)


def sha512_first_refused(world: World) -> str:
    """Healthy but odd: the service itself refuses such hellos, with an alert. That is its answer, and no box's."""

    def serve(connection: socket) -> None:
        hello = read_client_hello(connection.recv(65536, MSG_PEEK))
        if hello is not None and hello.signature_algorithms[:1] == (0x0601,):
            receive_record(connection)
            connection.sendall(bytes([21, 3, 3, 0, 2, 2, 40]))
        else:
            relay(connection, world.cloud.tls)

    return world.listen(serve)


def relayed(
    up: Callable[[bytes, int], bytes | None] | None = None, down: Callable[[bytes, int], bytes | None] | None = None
) -> Fault:
    """The healthy cloud behind a box that looks at what passes (see servers.relay)."""

    def start(world: World) -> str:
        return world.listen(lambda connection: relay(connection, world.cloud.tls, up=up, down=down))

    return start


# -- not TLS


def plain_http(world: World) -> str:
    """HTTP on the TLS port: a block page or captive portal that answers every port, or a wrong NAT."""

    def serve(connection: socket) -> None:
        connection.recv(65536)
        connection.sendall(Response(400, b"<html><body>Bad Request</body></html>", headers={"Server": "nginx"}).to_bytes())

    return world.listen(serve)


def garbage(world: World) -> str:
    """Something else altogether listens there."""

    def serve(connection: socket) -> None:
        connection.recv(65536)
        connection.sendall(b"\x00\xff\x13\x37" * 64)

    return world.listen(serve)


def half_a_certificate(world: World) -> str:
    """A genuine flight, cut in the middle of the Certificate message by an orderly end: a box that dies of its size."""

    def serve(connection: socket) -> None:
        receive_record(connection)
        flight = _server_hello() + _record(22, struct.pack("!B", 11) + (3000).to_bytes(3, "big") + b"\0" * 600)
        connection.sendall(flight)

    return world.listen(serve)


def one_byte_a_second(world: World) -> str:
    """A tar pit: bytes come, but never enough of them in time."""

    def serve(connection: socket) -> None:
        receive_record(connection)
        for byte in _server_hello():
            connection.sendall(bytes([byte]))
            world.closing.wait(1)

    return world.listen(serve)


# -- slow, late, without an end

Pieces = Callable[[World], Iterable[bytes]]


def speaks(
    pieces: Pieces, *, tls: bool = False, hears: bool = True, late: float = 0, pace: float = 0, ends: bool = False
) -> Fault:
    """Hears what the client says first (or never reads a byte), waits for `late` seconds, says these pieces with `pace` seconds after
    each, and then holds the connection open, or ends its own side of it and goes on to listen (half-close)."""

    def say(world: World, connection: Connection) -> None:
        world.closing.wait(late)
        for piece in pieces(world):
            connection.sendall(piece)
            if world.closing.wait(pace):
                return
        if ends:
            connection.shutdown(SHUT_WR)
        if hears:
            drain(connection)
        else:
            world.closing.wait(PATIENCE)

    def start(world: World) -> str:
        make = contexts(world.pki)

        def serve(connection: socket) -> None:
            if not tls:
                if hears:
                    connection.recv(65536)
                say(world, connection)
                return
            with contextlib.closing(accept_tls(connection, make)) as secured:
                read_head(secured)
                say(world, secured)

        return world.listen(serve)

    return start


def byte_by_byte(data: bytes) -> Pieces:
    return lambda world: (bytes((one,)) for one in data)


def for_ever(*pieces: bytes, first: bytes = b"") -> Pieces:
    """Never stops talking."""
    return lambda world: chain((first,), cycle(pieces))


def slow_line(after: int) -> Fault:
    """The healthy cloud over a line that goes bad: so many bytes of the server come at once, the rest one byte a second."""

    def start(world: World) -> str:
        def serve(client: socket) -> None:
            def trickle(data: bytes, passed: int) -> bytes:
                at_once = max(0, after - passed)
                client.sendall(data[:at_once])
                for byte in data[at_once:]:
                    client.sendall(bytes((byte,)))
                    if world.closing.wait(1):
                        break
                return b""

            relay(client, world.cloud.tls, down=trickle)

        return world.listen(serve)

    return start


def after(healthy_ones: int, fault: Fault) -> Fault:
    """So many connections reach the healthy cloud, all later ones this."""

    def start(world: World) -> str:
        numbers, bad = count(), fault(world)
        return world.listen(lambda client: relay(client, world.cloud.tls if next(numbers) < healthy_ones else bad))

    return start


HELLO_REQUESTS = b"\x16\x03\x03\x10\x00" + bytes(4096)
"""A record of 1,024 of TLS's HelloRequests, which a client passes over as long as it shakes hands (RFC 5246, 7.4.1.1)."""


# -- the certificate


def inspected(world: World) -> str:
    """TLS inspection without a proxy setting: a certificate of the company's authority for every name, then a relay."""
    make = contexts(world.pki, company_leaf(world.pki))
    return world.keep(tls_listener(make, world_answer(world))).to


def inspected_without_root(world: World) -> str:
    """As inspected, by a box that shows its issuing certificate and not the root."""

    def mint(name: str) -> Credential:
        whole = company_leaf(world.pki)(name)
        return replace(whole, chain=whole.chain[:1])

    return shows(mint)(world)


def inspected_by_appliance(world: World) -> str:
    """A firewall that inspects TLS with the authority it came with: its maker's name stands in every certificate."""
    return shows(lambda name: world.pki.leaf(name, by=world.pki.appliance))(world)


def block_page(world: World) -> str:
    """A filter ends TLS with the company's certificate, only to show its block page."""

    def refuse(request: Request) -> Response:
        return Response(403, BLOCK_PAGE, headers={"Server": "BlueFilter/9"})

    return world.keep(tls_listener(contexts(world.pki, company_leaf(world.pki)), refuse)).to


def expired(world: World) -> str:
    """A certificate that ended a month ago (seen from a server with a right clock)."""
    return shows(world.pki.expired)(world)


def not_yet_valid(world: World) -> str:
    """A certificate that begins in a month: what a server whose clock is behind sees of every endpoint."""
    begin = datetime.now(timezone.utc) + timedelta(days=30)
    return shows(lambda name: world.pki.leaf(name, valid=(begin, begin + timedelta(days=90))))(world)


def wrong_name(world: World) -> str:
    """A genuine certificate for another name: DNS or NAT leads to somebody else's server."""
    return shows(lambda name: world.pki.leaf("www.example.com"))(world)


def self_signed(world: World) -> str:
    """An appliance's own certificate."""
    return shows(world.pki.self_signed)(world)


def incomplete_chain(world: World) -> str:
    """The leaf without its issuer: a server that sends too little, where the issuer cannot be fetched either."""
    return world.keep(tls_listener(contexts(world.pki, chain=False), world_answer(world))).to


def shows(mint: Callable[[str], Credential]) -> Fault:
    """The healthy cloud's answers behind another certificate."""

    def start(world: World) -> str:
        return world.keep(tls_listener(contexts(world.pki, mint), world_answer(world))).to

    return start


def company_leaf(pki: Pki) -> Callable[[str], Credential]:
    return lambda name: pki.leaf(name, by=pki.company_issuing)


# -- versions, ciphers, client certificates


def tls10_only(world: World) -> str:
    """An old inspecting box: nothing newer than TLS 1.0, and the company's certificate."""
    old = ssl.TLSVersion.TLSv1
    make = contexts(world.pki, company_leaf(world.pki), lowest=old, highest=old, ciphers="DEFAULT:@SECLEVEL=0")
    return world.keep(tls_listener(make, world_answer(world))).to


def tls12_only(world: World) -> str:
    """Healthy: the service as it is documented."""
    return _healthy(world, highest=ssl.TLSVersion.TLSv1_2)


def tls13_only(world: World) -> str:
    """Healthy where the platform speaks 1.3: a hand-written TLS 1.2 hello is refused with alert 70."""
    return _healthy(world, lowest=ssl.TLSVersion.TLSv1_3)


def rsa_key_exchange_only(world: World) -> str:
    """An old box without forward secrecy: TLS 1.2 with RSA key exchange alone, and the company's certificate."""
    make = contexts(
        world.pki,
        company_leaf(world.pki),
        highest=ssl.TLSVersion.TLSv1_2,
        ciphers="AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA:AES256-SHA",
    )
    return world.keep(tls_listener(make, world_answer(world))).to


def dhe_only(world: World) -> str:
    """Healthy but odd: no elliptic curves in the key exchange. Needs openssl (ssl has no parameters for it)."""
    pem = world.pki.file(world.pki.leaf(*world.hosts))
    return world.keep(OpensslServer(pem, "-tls1_2", "-cipher", "DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256")).to


def no_common_cipher(world: World) -> str:
    """A box with ciphers that nobody offers any more: handshake_failure to everyone."""
    return _healthy(world, highest=ssl.TLSVersion.TLSv1_2, ciphers="AECDH-AES128-SHA:@SECLEVEL=0")


def ecdsa(world: World) -> str:
    """Healthy but odd: an ECDSA certificate."""
    return shows(lambda name: world.pki.leaf(name, ecdsa=True))(world)


def sha384_signed(world: World) -> str:
    """Healthy: as Microsoft's own issuing authorities sign."""
    return shows(lambda name: world.pki.leaf(name, algorithm=hashes.SHA384()))(world)


def client_certificate_never(world: World) -> str:
    """Healthy: no certificate is asked for in the first flight (HTTP.sys asks later, encrypted, if at all)."""
    return _healthy(world)


def client_certificate_required(world: World) -> str:
    """Healthy at bootstrap: the handshake of a client without a certificate is ended with an alert."""
    return _healthy(world, asks=lambda name: ssl.CERT_REQUIRED, highest=ssl.TLSVersion.TLSv1_2)


def strict_about_hashes(world: World) -> str:
    """Healthy but odd: refuses a hello whose algorithms do not cover its chain (RFC 5246, 7.4.2). Needs openssl."""
    credential = world.pki.leaf(*world.hosts, algorithm=hashes.SHA384())
    return world.keep(OpensslServer(world.pki.file(credential), "-strict", "-tls1_2")).to


def limited_to_sha256(world: World) -> str:
    """Healthy but odd: signs and accepts RSA with SHA-256 alone; asks for a client certificate. Needs openssl."""
    pem = world.pki.file(world.pki.leaf(*world.hosts))
    return world.keep(OpensslServer(pem, "-sigalgs", "RSA+SHA256", "-verify", "1", "-tls1_2")).to


def both_families(world: World) -> str:
    """Healthy: the name has an IPv6 and an IPv4 address (names of dns.py), and both answer."""
    return named("both-families.lab.test", listening_on(IPV6, IPV4))(world)


def several_addresses(world: World) -> str:
    """Healthy: the name has three addresses (names of dns.py), and all answer."""
    return named("several.lab.test", listening_on("127.0.0.1", "127.0.0.2", "127.0.0.3"))(world)


# -- what is said over HTTP


def websocket_cut(world: World) -> str:
    """A filter lets pages through and cuts WebSockets: the connector registers and never gets a request."""
    return says(lambda request: None if request.upgrade else healthy.answer(world.pki, request))(world)


def request_cut(world: World) -> str:
    """A firewall that knows applications lets the handshake through and cuts what it counts as another application."""
    return says(lambda request: None)(world)


def answers_late(world: World) -> str:
    """A path so slow that the answer comes after every patience: TLS stands, then nothing for ten seconds."""

    def wait(request: Request) -> Response:
        world.closing.wait(10)
        return healthy.answer(world.pki, request)

    return says(wait)(world)


def two_hours_ahead(world: World) -> str:
    """Healthy: but by the service's clock the server's is two hours behind."""
    return says(lambda request: replace(healthy.answer(world.pki, request), ahead=7200))(world)


def service_error(world: World) -> str:
    """The genuine service has a bad day: nobody here can mend it."""
    return says(lambda request: Response(503, b"<h2>Service Unavailable</h2>", headers=healthy.SERVER))(world)


def behind_a_cache(world: World) -> str:
    """The genuine service's own front end is a product that filters are built of, too, and says so."""
    return says(lambda request: Response(404, headers=SQUID))(world)


def other_sign_in_page(world: World) -> str:
    """A genuine chain, but not the sign-in page: a published error page in its place."""
    return says(lambda request: Response(200, b"<html><title>Welcome to nginx!</title></html>"))(world)


def redirected_sign_in(world: World) -> str:
    """A genuine chain, but the browser is sent to a host that is not Microsoft's: a cloud filter's own log-in."""
    elsewhere = {"Location": "https://gateway.filter.example/login?u=https%3A%2F%2Flogin.microsoftonline.com%2F"}
    return says(lambda request: Response(302, headers=elsewhere))(world)


def says(answer: Answer) -> Fault:
    """A genuine certificate, and these answers."""

    def start(world: World) -> str:
        return world.keep(tls_listener(contexts(world.pki, asks=healthy.asks_for_certificate), answer)).to

    return start


def http_block_page(world: World) -> str:
    """On port 80, a filter answers in the host's place: 200 and a page."""
    return says_http(lambda request: Response(200, BLOCK_PAGE, headers={"Server": "BlueFilter/9"}))(world)


def http_forbidden(world: World) -> str:
    """On port 80, a filter answers in the host's place: 403 and a page."""
    return says_http(lambda request: Response(403, BLOCK_PAGE, headers={"Server": "BlueFilter/9"}))(world)


def captive_portal(world: World) -> str:
    """On port 80, everything is sent to a log-in page first."""
    portal = {"Location": "http://portal.example.com/login"}
    return says_http(lambda request: Response(302, headers=portal))(world)


def truncated_list(world: World) -> str:
    """A revocation list of which only the first half comes, as a whole answer: a box that caps downloads."""

    def answer(request: Request) -> Response:
        whole = healthy.answer(world.pki, request)
        return Response(whole.status, whole.body[: len(whole.body) // 2], type=whole.type, headers=whole.headers)

    return says_http(answer)(world)


def cut_list(world: World) -> str:
    """A revocation list whose connection ends in the middle."""

    def serve(connection: socket) -> None:
        read_head(connection)
        whole = Response(200, world.pki.crl(), type="application/pkix-crl").to_bytes()
        connection.sendall(whole[:-200])

    return world.listen(serve)


def ocsp_down(world: World) -> str:
    """The responder has a bad day; lists are fine."""
    return says_http(lambda request: Response(503))(world)


def says_http(answer: Answer) -> Fault:
    """These answers, on a port without TLS."""

    def start(world: World) -> str:
        return world.keep(http_listener(answer)).to

    return start


BLOCK_PAGE = (
    b"<html><head><title>Access denied</title></head><body><h1>This web site is blocked</h1>"
    b"<p>Category: Uncategorised. Policy: Servers. Ask your administrator.</p></body></html>\n"
)


def world_answer(world: World) -> Answer:
    return lambda request: healthy.answer(world.pki, request)


def _healthy(
    world: World,
    *,
    lowest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    highest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    ciphers: str | None = None,
    asks: Callable[[str], ssl.VerifyMode] = lambda name: ssl.CERT_NONE,
) -> str:
    """The healthy cloud's answers behind TLS that differs."""
    make = contexts(world.pki, asks=asks, lowest=lowest, highest=highest, ciphers=ciphers)
    return world.keep(tls_listener(make, world_answer(world))).to


def _bound(address: str = IPV4, port: int = 0) -> socket:
    """A port that is taken, so that nobody else gets it, and on which nothing listens."""
    taken = socket()
    taken.bind((address, port))
    return taken


def _server_hello() -> bytes:
    """TLS 1.2, ECDHE-RSA-AES128-GCM-SHA256, no extensions."""
    body = struct.pack("!H", 0x0303) + bytes(range(32)) + b"\0" + struct.pack("!HB", 0xC02F, 0)
    return _record(22, b"\x02" + len(body).to_bytes(3, "big") + body)


def _record(kind: int, body: bytes) -> bytes:
    return struct.pack("!BHH", kind, 0x0303, len(body)) + body


def _discard(_data: bytes) -> None:
    """Nothing more is done with it: the connection ends."""
