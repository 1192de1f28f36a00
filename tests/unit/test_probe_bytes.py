# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The POSIX engine's readers of bytes: hellos, certificates, HTTP, the request. No sockets: OpenSSL answers in memory."""

from __future__ import annotations

import ast
import asyncio
import base64
import json
import random
import ssl
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.appproxy.connector.plugins.module_utils import (
    _probe,
    _probe_bytes,
    _probe_certificates,
    _probe_faults,
    _probe_flight,
    _probe_hello,
    _probe_http,
    _probe_request,
)
from ansible_collections.appproxy.connector.plugins.modules import path_info
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from fuzz import samples
from lab.pki import ISSUING_CERTIFICATE, ISSUING_CRL, ISSUING_CRL_MIRROR, Pki, ocsp_request_of_path, server_context

NAME = "login.example.com"
TLS10, TLS12 = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_2


@pytest.fixture(scope="module")
def pki(state: Path) -> Pki:
    return Pki(state / "pki")


def answer_to(hello: bytes, context: ssl.SSLContext) -> bytes:
    """What OpenSSL's server sends after a ClientHello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(hello)
    with pytest.raises(ssl.SSLError):
        server.do_handshake()
    return outgoing.read()


def read(flight: bytes, step: int | None = None) -> _probe_faults.Facts:
    """The facts of a flight that is fed in pieces of `step` bytes."""
    facts: _probe_faults.Facts = {}
    parser = _probe_flight.ServerFlight(facts)
    for start in range(0, len(flight), step or len(flight)):
        parser.feed(flight[start:start + (step or len(flight))])
    assert parser.done
    return facts


def usual_hello() -> bytes:
    return _probe_hello.build_hello(_probe_hello.RECORDED, NAME)


def message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def record(body: bytes, kind: int = 22) -> bytes:
    return bytes([kind, 3, 3]) + len(body).to_bytes(2, "big") + body


def messages_of(flight: bytes) -> bytes:
    """The handshake messages of a flight, without their records."""
    body, at = b"", 0
    while at < len(flight):
        length = int.from_bytes(flight[at + 3:at + 5], "big")
        body += flight[at + 5:at + 5 + length]
        at += 5 + length
    return body


# -- the platform's hello and ours


def test_the_platforms_hello_is_read() -> None:
    hello = _probe_hello.read_platform_hello(ssl.create_default_context())
    assert hello.versions[0] == 0x0304
    assert 0x1301 in hello.suites
    assert 29 in hello.groups
    assert 0x0804 in hello.signature_algorithms
    assert hello.extensions.count(_probe_hello.SERVER_NAME) == 1
    assert hello.bytes > 100


def test_our_hello_offers_what_the_platform_offers_in_tls_1_2() -> None:
    platform = _probe_hello.read_platform_hello(ssl.create_default_context())
    ours = _probe_hello.parse_client_hello(_probe_hello.build_hello(platform, NAME))
    assert ours.versions == (0x0303,)
    assert ours.suites == tuple(suite for suite in platform.suites if suite >> 8 != 0x13)
    assert ours.signature_algorithms == platform.signature_algorithms
    assert set(ours.groups) <= set(platform.groups)
    assert {_probe_hello.EXTENDED_MASTER_SECRET, _probe_hello.POINT_FORMATS, _probe_hello.SESSION_TICKET} <= set(ours.extensions)
    assert _probe_hello.RENEGOTIATION_INFO in ours.extensions or _probe_hello.RENEGOTIATION_SCSV in ours.suites
    assert not {_probe_hello.SUPPORTED_VERSIONS, 51, 16, 45} & set(ours.extensions)


def test_an_address_is_no_server_name() -> None:
    ours = _probe_hello.parse_client_hello(_probe_hello.build_hello(_probe_hello.RECORDED, None))
    assert _probe_hello.SERVER_NAME not in ours.extensions
    assert NAME.encode() in usual_hello()


def test_grease_is_dropped() -> None:
    grease = _probe_hello.RECORDED._replace(suites=(0x0A0A, 0xC02F, 0xFAFA), groups=(0x1A1A, 29), extensions=(10, 13))
    # groups_of_12 leaves it out already: what a hello with it looks like is written by hand.
    body = b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x04\x0a\x0a\xc0\x2f" + b"\x01\x00"
    body += b"\x00\x14" + b"\x2a\x2a\x00\x00" + b"\x00\x0a\x00\x06\x00\x04\x1a\x1a\x00\x1d" + b"\x00\x0d\x00\x02\x00\x00"
    parsed = _probe_hello.parse_client_hello(record(message(1, body)))
    assert (parsed.suites, parsed.groups, parsed.extensions) == ((0xC02F,), (29,), (10, 13))
    assert _probe_hello.parse_client_hello(_probe_hello.build_hello(grease, NAME)).suites == (0xC02F,)


# -- a server's flight


def test_an_ecdhe_flight(pki: Pki) -> None:
    credential = pki.leaf(NAME)
    facts = read(answer_to(usual_hello(), server_context(pki, credential)))
    leaf, issuer = (one.public_bytes(serialization.Encoding.DER) for one in (credential.certificate, *credential.chain))
    assert facts["version"] == "TLSv1.2"
    assert facts["cipher"] in _probe_hello.RECORDED.suites
    assert facts["chain"] == [leaf, issuer]
    assert facts["key_exchange"] == {"kind": "ecdhe", "group": 29, "signature_algorithm": 0x0804}
    assert facts["downgrade_sentinel"] is True
    assert facts["certificate_request"] is None


def test_a_server_of_tls_1_2_alone_has_no_downgrade_sentinel(pki: Pki) -> None:
    facts = read(answer_to(usual_hello(), server_context(pki, pki.leaf(NAME), highest=TLS12)))
    assert facts["downgrade_sentinel"] is False


def test_a_flight_without_a_server_key_exchange(pki: Pki) -> None:
    context = server_context(pki, pki.leaf(NAME), highest=TLS12, ciphers="AES128-GCM-SHA256")
    facts = read(answer_to(usual_hello(), context))
    assert facts["key_exchange"] == {"kind": "rsa", "group": None, "signature_algorithm": None}


def test_an_old_server_names_no_algorithms(pki: Pki) -> None:
    context = server_context(
        pki, pki.leaf(NAME), lowest=TLS10, highest=TLS10, ciphers="ECDHE-RSA-AES128-SHA:@SECLEVEL=0", client_certificate=ssl.CERT_OPTIONAL,
    )
    facts = read(answer_to(usual_hello(), context))
    assert facts["version"] == "TLSv1.0"
    assert facts["key_exchange"]["signature_algorithm"] is None
    assert facts["certificate_request"]["signature_algorithms"] == []


def test_a_client_certificate_that_is_asked_for(pki: Pki) -> None:
    context = server_context(pki, pki.leaf(NAME), client_certificate=ssl.CERT_OPTIONAL)
    asked = read(answer_to(usual_hello(), context))["certificate_request"]
    assert 1 in asked["types"]
    assert 0x0601 in asked["signature_algorithms"]
    assert asked["issuers"] >= 0


def test_issuers_are_counted(pki: Pki) -> None:
    flight = messages_of(answer_to(usual_hello(), server_context(pki, pki.leaf(NAME))))
    names = b"".join(len(name).to_bytes(2, "big") + name for name in (b"0" * 40, b"1" * 9000, b""))
    request = message(13, b"\x02\x01\x40" + b"\x00\x02\x06\x01" + len(names).to_bytes(2, "big") + names)
    done = message(14, b"")
    facts = read(record(flight[:-len(done)] + request + done))
    assert facts["certificate_request"] == {"types": [1, 64], "signature_algorithms": [0x0601], "issuers": 3}


@pytest.mark.parametrize("step", [1, 2, 5, 7, 1000])
def test_split_and_coalesced_alike(pki: Pki, step: int) -> None:
    flight = answer_to(usual_hello(), server_context(pki, pki.leaf(NAME), client_certificate=ssl.CERT_OPTIONAL))
    whole = read(flight)
    assert read(flight, step) == whole
    inner = messages_of(flight)
    several = b"".join(record(inner[at:at + 100]) for at in range(0, len(inner), 100))
    coalesced = record(inner)
    for other in (several, coalesced):
        assert {**read(other, step), "bytes": 0} == {**whole, "bytes": 0}


def test_a_certificate_status_is_passed_over(pki: Pki) -> None:
    inner = messages_of(answer_to(usual_hello(), server_context(pki, pki.leaf(NAME))))
    hello_end = 4 + int.from_bytes(inner[1:4], "big")
    certificate_end = hello_end + 4 + int.from_bytes(inner[hello_end + 1:hello_end + 4], "big")
    with_status = inner[:certificate_end] + message(22, b"\x01\x00\x00\x01\x00") + inner[certificate_end:]
    assert read(record(with_status))["chain"] == read(record(inner))["chain"]


def test_warnings_are_recorded_and_reading_goes_on(pki: Pki) -> None:
    flight = answer_to(usual_hello(), server_context(pki, pki.leaf(NAME)))
    assert read(record(b"\x01\x70", 21) + flight)["warnings"] == [[1, 112]]


SERVER_HELLO = message(2, b"\x03\x03" + bytes(32) + b"\x00" + b"\xc0\x2f" + b"\x00")
CERTIFICATE = message(11, b"\x00\x00\x07" + b"\x00\x00\x04" + b"\x30\x02\x05\x00")
KEY_EXCHANGE = message(12, b"\x03\x00\x1d\x01\x04\x04\x01\x00\x01\x00")

MALFORMED = {
    "a record of no bytes": record(b""),
    "a record that is too long": b"\x16\x03\x03\xff\xff",
    "application data": record(b"x" * 20, 23),
    "ChangeCipherSpec": record(b"\x01", 20),
    "an alert of one byte": record(b"\x02", 21),
    "an alert of level 3": record(b"\x03\x28", 21),
    "warnings without an end": record(b"\x01\x00", 21) * 100,
    "no record after a record": record(SERVER_HELLO) + b"HTTP/1.1",
    "certificate first": record(CERTIFICATE),
    "hello twice": record(SERVER_HELLO + SERVER_HELLO),
    "done without a certificate": record(SERVER_HELLO + message(14, b"")),
    "done without a key exchange": record(SERVER_HELLO + CERTIFICATE + message(14, b"")),
    "done with a body": record(SERVER_HELLO + CERTIFICATE + KEY_EXCHANGE + message(14, b"x")),
    "done without a certificate, and none is missed later": record(message(2, SERVER_HELLO[4:39] + b"\x00\x9c\x00") + message(14, b"")),
    "key exchange without a certificate": record(SERVER_HELLO + KEY_EXCHANGE + message(14, b"")),
    "certificate after key exchange": record(SERVER_HELLO + CERTIFICATE + KEY_EXCHANGE + CERTIFICATE),
    "no certificate in it": record(SERVER_HELLO + message(11, b"\x00\x00\x00")),
    "a length beyond the end": record(SERVER_HELLO + message(11, b"\x00\x00\x09\x00\x00\x06\x30\x02")),
    "an unknown message": record(SERVER_HELLO + message(4, b"")),
    "a huge message": record(b"\x0b\xff\xff\xff"),
    "a version that was not offered": record(message(2, b"\x03\x04" + SERVER_HELLO[6:])),
    "TLS 1.3 that was not offered": record(message(2, SERVER_HELLO[4:] + b"\x00\x06\x00\x2b\x00\x02\x03\x04")),
    "a suite that nobody knows": record(message(2, SERVER_HELLO[4:39] + b"\xde\xad\x00") + CERTIFICATE + KEY_EXCHANGE),
    "a curve without a name": record(SERVER_HELLO + CERTIFICATE + message(12, b"\x01" + KEY_EXCHANGE[5:])),
    "bytes without an end": record(SERVER_HELLO + message(11, b"")[:1] + b"\x03\xff\xff") + record(b"\x00" * 16000) * 20,
}


@pytest.mark.parametrize("flight", MALFORMED.values(), ids=MALFORMED)
def test_malformed(flight: bytes) -> None:
    with pytest.raises(_probe_faults.Fault) as caught:
        _probe_flight.ServerFlight({}).feed(flight)
    assert caught.value.code == "malformed"


def test_these_pieces_are_well_formed_otherwise() -> None:
    facts = read(record(SERVER_HELLO + CERTIFICATE + KEY_EXCHANGE + message(14, b"")))
    assert facts["key_exchange"] == {"kind": "ecdhe", "group": 29, "signature_algorithm": 0x0401}


def test_a_dhe_flight() -> None:
    greeting = message(2, SERVER_HELLO[4:39] + b"\x00\x9e\x00")
    exchange = message(12, b"\x00\x02\x01\x0d" + b"\x00\x01\x02" + b"\x00\x02\x00\xaa" + b"\x06\x01" + b"\x00\x01\x00")
    facts = read(record(greeting + CERTIFICATE + exchange + message(14, b"")))
    assert facts["key_exchange"] == {"kind": "dhe", "group": None, "signature_algorithm": 0x0601}


def test_a_fatal_alert() -> None:
    facts: _probe_faults.Facts = {}
    with pytest.raises(_probe_faults.Fault) as caught:
        _probe_flight.ServerFlight(facts).feed(record(SERVER_HELLO) + record(b"\x02\x28", 21))
    assert (caught.value.code, caught.value.facts) == ("alert", {"level": 2, "description": 40})
    assert facts["cipher"] == 0xC02F


@pytest.mark.parametrize(
    ("sent", "silence", "end"),
    [
        (b"", "timeout", "closed"),
        (b"\x16\x03", "stalled", "closed"),
        (record(SERVER_HELLO), "stalled", "closed"),
        (b"HTT", "not_tls", "not_tls"),
        (b"\x16\x09", "not_tls", "not_tls"),
    ],
)
def test_silence_and_end(sent: bytes, silence: str, end: str) -> None:
    flight = _probe_flight.ServerFlight({})
    flight.feed(sent)
    assert (flight.silence(100).code, flight.end().code) == (silence, end)
    if silence == "stalled":
        assert flight.silence(100).facts == {"bytes": len(sent)}


def test_what_is_not_tls_shows_its_first_bytes() -> None:
    with pytest.raises(_probe_faults.Fault) as caught:
        _probe_flight.ServerFlight({}).feed(b"HTTP/1.1 400 Bad Request\r\n" + b"x" * 100)
    assert caught.value.code == "not_tls"
    assert bytes.fromhex(caught.value.facts["first_bytes"]).startswith(b"HTTP/1.1 400")
    assert len(caught.value.facts["first_bytes"]) == 128


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Bytes changed, left out, doubled or cut."""
    changed = bytearray(data)
    for _count in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed))
        kind = chance.randrange(4)
        if kind == 0:
            changed[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        elif kind == 1:
            del changed[at:at + chance.randint(1, 8)]
        elif kind == 2:
            changed[at:at] = changed[at:at + chance.randint(1, 40)]
        elif chance.random() < 0.5:
            del changed[at:]
        if not changed:
            return b""
    return bytes(changed)


def test_hostile_flights_end_in_a_typed_error(pki: Pki) -> None:
    chance = random.Random(20261126)
    seeds = [
        answer_to(usual_hello(), server_context(pki, pki.leaf(NAME), client_certificate=ssl.CERT_OPTIONAL)),
        answer_to(usual_hello(), server_context(pki, pki.leaf(NAME), highest=TLS12, ciphers="AES128-GCM-SHA256")),
        record(SERVER_HELLO + CERTIFICATE + KEY_EXCHANGE + message(14, b"")),
    ]
    outcomes = dict.fromkeys(("malformed", "alert", "not_tls", "done", "more"), 0)
    for number in range(4000):
        flight = _probe_flight.ServerFlight({})
        data = mutated(seeds[number % 3], chance)
        step = chance.choice((70000, 1000, 61))
        try:
            for start in range(0, len(data), step):
                flight.feed(data[start:start + step])
        except _probe_faults.Fault as fault:
            outcomes[fault.code] += 1
            continue
        outcomes["done" if flight.done else "more"] += 1
        assert flight.end().code in ("closed", "not_tls")
        assert flight.silence(1).code in ("timeout", "stalled", "not_tls")
    assert sum(outcomes.values()) == 4000
    assert min(outcomes["malformed"], outcomes["done"], outcomes["more"]) > 100


# -- certificates


def test_a_certificate_is_read_as_cryptography_reads_it(pki: Pki) -> None:
    credential = pki.leaf(NAME, "*.example.org", "192.0.2.7")
    wanted = credential.certificate
    read_one = _probe_certificates.parse_certificate(wanted.public_bytes(serialization.Encoding.DER))
    assert int.from_bytes(read_one.serial, "big") == wanted.serial_number
    assert read_one.issuer == wanted.issuer.public_bytes()
    assert read_one.subject == wanted.subject.public_bytes()
    assert read_one.not_before == int(wanted.not_valid_before_utc.timestamp())
    assert read_one.not_after == int(wanted.not_valid_after_utc.timestamp())
    assert read_one.crl_urls == (ISSUING_CRL, ISSUING_CRL_MIRROR)
    assert read_one.issuer_urls == (ISSUING_CERTIFICATE,)
    for host, fits in {
        NAME: True, NAME.upper(): True, f"{NAME}.": True, "example.com": False, "a.example.org": True, "a.b.example.org": False,
        "example.org": False, "192.0.2.7": True, "192.0.2.8": False,
    }.items():
        assert _probe_certificates.names_match(read_one, _probe_request.Place(host, 443)) is fits, host


def test_the_common_name_counts_where_there_are_no_names(pki: Pki) -> None:
    root = _probe_certificates.parse_certificate(pki.public_root.certificate.public_bytes(serialization.Encoding.DER))
    assert root.names == ()
    assert _probe_certificates.names_match(root, _probe_request.Place(pki.public_root.name, 443))
    assert not _probe_certificates.names_match(root, _probe_request.Place(NAME, 443))


def test_the_ocsp_request_is_what_cryptography_would_send(pki: Pki) -> None:
    leaf, issuer = pki.leaf(NAME).certificate, pki.public_issuing.certificate
    wanted = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, hashes.SHA1()).build()
    mine = _probe_certificates.ocsp_request(*(
        _probe_certificates.parse_certificate(one.public_bytes(serialization.Encoding.DER)) for one in (leaf, issuer)
    ))
    assert mine == wanted.public_bytes(serialization.Encoding.DER)


def test_hostile_certificates_end_in_a_typed_error(pki: Pki) -> None:
    chance = random.Random(20261126)
    der = pki.leaf(NAME).certificate.public_bytes(serialization.Encoding.DER)
    codes = []
    for _number in range(2000):
        try:
            _probe_certificates.names_match(_probe_certificates.parse_certificate(mutated(der, chance)), _probe_request.Place(NAME, 443))
        except _probe_faults.Fault as fault:
            codes.append(fault.code)
    assert set(codes) == {"malformed"}
    assert 100 < len(codes) < 2000


def test_a_monster_of_a_certificate_costs_no_observation() -> None:
    """A serial number of 66,000 bytes once ended the whole look; a responder is not asked about it."""
    leaf, issuer, _root = samples.ders()
    at = leaf.index(b"\x02\x02\x03\xe9")
    fields = _probe_bytes.Reader(leaf).inside(0x30).inside(0x30).rest()
    start = fields.index(b"\x02\x02\x03\xe9")
    monster = samples.element(0x30, fields[:start], samples.element(0x02, b"\x01" * 66_000), fields[start + 4:])
    whole = samples.element(0x30, monster, leaf[at + 4 + len(fields) - start - 4:])
    assert _probe_certificates.parse_certificate(whole).serial == b"\x01" * 66_000
    assert [url.get for url in _probe_certificates.revocation_urls([whole, issuer]) if "ocsp" in url.url][:1] == ["/"]


def test_urls_of_a_chain_in_the_order_of_sight(pki: Pki) -> None:
    credential = pki.leaf(NAME)
    chain = [one.public_bytes(serialization.Encoding.DER) for one in (credential.certificate, *credential.chain)]
    urls = _probe_certificates.revocation_urls([*chain, b"no certificate"])
    assert [url.url for url in urls][:3] == [ISSUING_CRL, ISSUING_CRL_MIRROR, ISSUING_CERTIFICATE]
    assert [url.get for url in urls][:1] == ["/lab-issuing.crl"]
    asked = [url for url in urls if "ocsp" in url.url]
    assert [url.url for url in asked] == ["http://ocsp.digicert.com"]
    certificate = x509.load_der_x509_certificate(chain[0])
    request = ocsp.load_der_ocsp_request(ocsp_request_of_path(asked[0].get))
    assert request.serial_number == certificate.serial_number
    # Without its issuer a leaf names the responder, and there is nothing to ask for in particular.
    assert [url.get for url in _probe_certificates.revocation_urls(chain[:1]) if "ocsp" in url.url] == ["/"]


@pytest.mark.parametrize(
    ("url", "place", "get"),
    [
        ("http://a.example", ("a.example", 80), "/"),
        ("HTTP://a.example:8080/x?y#z", ("a.example", 8080), "/x?y"),
        ("http://a.example?y", ("a.example", 80), "/?y"),
        ("http://[2001:db8::1]/x", ("2001:db8::1", 80), "/x"),
        ("http://[2001:db8::1]:81/x", ("2001:db8::1", 81), "/x"),
    ],
)
def test_http_urls(url: str, place: tuple[str, int], get: str) -> None:
    parsed = _probe_certificates.parse_http_url(url)
    assert parsed is not None
    assert (tuple(parsed.place), parsed.get) == (place, get)


@pytest.mark.parametrize("url", [
    "https://a.example/", "ldap:///CN=x", "http://", "http://u@a.example/", "http://a b/", "http://a:0/", "", "http://a..b/",
    "http://[zz:]:80/", "http://[abc]/", "http://" + "a" * 64 + ".example/", "http://a.example/" + "x" * 3000,
])
def test_other_urls_are_left_out(url: str) -> None:
    assert _probe_certificates.parse_http_url(url) is None


# -- HTTP


class Source:
    """Gives these pieces, then the end."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)

    async def recv(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


def answered(*pieces: bytes) -> _probe_faults.Facts:
    async def work() -> _probe_faults.Facts:
        answer = _probe_http.Answer(Source(*pieces).recv)
        await answer.read_head()
        facts = answer.head_facts()
        await answer.read_body(facts)
        return facts

    return asyncio.run(work())


def body_of(facts: _probe_faults.Facts) -> bytes:
    body = base64.b64decode(facts["body"])
    assert len(body) == facts["body_bytes"]
    return body


def test_an_answer_byte_by_byte() -> None:
    whole = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    whole += b"HTTP/1.1 200 OK\r\nVia: a\r\nvia: b\r\nSet-Cookie: c\r\nContent-Length: 5\r\n\r\nhello more"
    for pieces in ([whole], [whole[at:at + 1] for at in range(len(whole))]):
        facts = answered(*pieces)
        assert (facts["status"], facts["reason"]) == (200, "OK")
        assert facts["headers"] == {"via": ["a", "b"], "content-length": ["5"]}
        assert body_of(facts) == b"hello"


def test_chunks_are_taken_apart() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert body_of(answered(head + b"5;x=y\r\nhello\r\n1\r\n!\r\n0\r\n\r\n")) == b"hello!"
    assert body_of(answered(head + b"400\r\n" + b"x" * 1024)) == b"x" * 512


@pytest.mark.parametrize(
    ("head", "body", "kept"),
    [
        (b"Content-Length: 2000\r\n", b"y" * 2000, 512),
        (b"", b"z" * 100, 100),
        (b"", b"z" * 5000, 512),
        (b"Content-Length: 0\r\n", b"", 0),
    ],
)
def test_bodies_are_kept_as_far_as_512_bytes(head: bytes, body: bytes, kept: int) -> None:
    assert len(body_of(answered(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body))) == kept


@pytest.mark.parametrize("status", [b"101 Switching Protocols", b"204 No Content", b"304 Not Modified"])
def test_answers_without_a_body(status: bytes) -> None:
    assert body_of(answered(b"HTTP/1.1 " + status + b"\r\n\r\nleft")) == b""


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"", "closed"),
        (b"HTTP/1.1 200 OK\r\nVia", "closed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "closed"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf", "closed"),
        (b"SSH-2.0-OpenSSH\r\n", "malformed"),
        (b"HTTP/2 200 OK\r\n\r\n", "malformed"),
        (b"HTTP/1.1 two OK\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nno header\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 70000 + b"\r\n\r\n", "malformed"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 4000, "malformed"),
    ],
)
def test_bad_answers(sent: bytes, code: str) -> None:
    with pytest.raises(_probe_faults.Fault) as caught:
        answered(sent)
    assert caught.value.code == code


def test_long_header_values_are_cut() -> None:
    facts = answered(b"HTTP/1.1 302 " + b"f" * 400 + b"\r\nLocation: http://" + b"x" * 400 + b"\r\nContent-Length: 0\r\n\r\n")
    assert len(facts["headers"]["location"][0]) == len(facts["reason"]) == 256


def test_challenges() -> None:
    values = ["Negotiate", 'Basic realm="a, Digest b", charset="UTF-8", NTLM', "Negotiate"]
    assert _probe_http.challenge_schemes(values) == ["Negotiate", "Basic", "NTLM"]


# -- the request


def request(**more: Any) -> dict[str, Any]:
    return {"schema": 1, "paths": [{"id": "direct", "ways": ["direct"]}], "targets": [], **more}


def target(**more: Any) -> dict[str, Any]:
    return {"id": "a.example:443", "host": "a.example", "port": 443, "tls": True, **more}


def test_the_defaults_are_the_schemas(root: Path) -> None:
    schema = json.loads((root / "plugins/plugin_utils/observe/request.schema.json").read_text())["properties"]
    wanted = _probe_request.read_request(request(targets=[target()]))
    assert wanted.deadline_ms == schema["deadline_ms"]["default"]
    assert wanted.parallel == schema["parallel"]["default"]
    assert wanted.timeouts_ms == {name: one["default"] for name, one in schema["timeouts_ms"]["properties"].items()}
    assert wanted.revocation_limit == schema["revocation"]["properties"]["limit"]["default"]
    assert wanted.revocation_user_agent == schema["revocation"]["properties"]["user_agent"]["default"]
    of_target = schema["targets"]["items"]["properties"]
    for name in ("get", "websocket", "user_agent", "addresses"):
        assert getattr(wanted.targets[0], name) == of_target[name]["default"], name
    of_the_server = {"detect", "host", "rehearse_client_certificate"}
    of_the_network = {"schema", "deadline_ms", "timeouts_ms", "parallel", "paths", "targets", "connect_to", "revocation"}
    assert set(schema) == of_the_network | of_the_server


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        (None, "request"),
        (request(schema=2), "request.schema"),
        (request(deadline=5), "request.deadline"),
        (request(deadline_ms=999), "request.deadline_ms"),
        (request(deadline_ms=True), "request.deadline_ms"),
        (request(parallel=65), "request.parallel"),
        (request(timeouts_ms={"connect": "6000"}), "request.timeouts_ms.connect"),
        (request(timeouts_ms={"tls": 6000}), "request.timeouts_ms.tls"),
        (request(paths=[]), "request.paths"),
        (request(paths=[{"id": "a"}]), "request.paths[0].ways"),
        (request(paths=[{"id": "a", "ways": []}]), "request.paths[0].ways"),
        (request(paths=[{"id": "a", "ways": ["https://p:1"]}]), "request.paths[0].ways"),
        (request(paths=[{"id": "a", "ways": ["http://u@p:1"]}]), "request.paths[0].ways"),
        (request(paths=[{"id": "a", "ways": ["http://p"]}]), "request.paths[0].ways"),
        (request(paths=[{"id": "a", "ways": ["http://p:1/"]}]), "request.paths[0].ways"),
        (request(targets={}), "request.targets"),
        (request(targets=[target(), target(port=0)]), "request.targets[1].port"),
        (request(targets=[target(host="a b")]), "request.targets[0].host"),
        (request(targets=[target(host="a.example:443")]), "request.targets[0].host"),
        (request(targets=[target(host="a" * 64 + ".example")]), "request.targets[0].host"),
        (request(targets=[target(host="a..example")]), "request.targets[0].host"),
        (request(targets=[target(get="x")]), "request.targets[0].get"),
        (request(targets=[target(get="/x\r\nEvil: 1")]), "request.targets[0].get"),
        (request(targets=[target(user_agent="x\r\nEvil: 1")]), "request.targets[0].user_agent"),
        (request(targets=[target(tls="yes")]), "request.targets[0].tls"),
        (request(targets=[target(websocket="")]), "request.targets[0].websocket"),
        (request(connect_to={"a": "127.0.0.1:1"}), "request.connect_to.a"),
        (request(connect_to={"a:1": "127.0.0.1"}), "request.connect_to.a:1"),
        (request(connect_to={"a:1": "::1:1"}), "request.connect_to.a:1"),
        (request(connect_to={"a:1": 5}), "request.connect_to.a:1"),
        (request(revocation={"limit": -1}), "request.revocation.limit"),
    ],
)
def test_bad_requests_name_the_option(bad: Any, named: str) -> None:
    with pytest.raises(ValueError, match="^" + named.replace("[", r"\[").replace("]", r"\]") + ": "):
        _probe.observe(bad)


def test_connect_to_knows_case_and_ipv6() -> None:
    wanted = _probe_request.read_request(request(connect_to={"A.Example:443": "[::1]:8443", "[::1]:80": "127.0.0.1:8080"}))
    assert wanted.redirect(_probe_request.Place("a.EXAMPLE", 443)) == _probe_request.Place("::1", 8443)
    assert wanted.redirect(_probe_request.Place("::1", 80)) == _probe_request.Place("127.0.0.1", 8080)
    assert wanted.redirect(_probe_request.Place("a.example", 80)) is None


# -- the files themselves


def test_the_version_is_the_collections(root: Path) -> None:
    assert yaml.safe_load((root / "galaxy.yml").read_text())["version"] == _probe.VERSION


ENGINE = sorted(Path(__file__).parents[2].glob("plugins/module_utils/_probe*.py"))


@pytest.mark.parametrize("path", [*ENGINE, Path(path_info.__file__)], ids=lambda path: path.name)
def test_old_pythons_can_parse_it(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 6))
    # Python 3.6 does not know this one; feature_version does not look at it.
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "__future__"]


def test_the_engines_imports_go_one_way() -> None:
    """Each file can be read with those that it imports, and no file imports one that imports it."""
    imported = {
        path.stem: {
            node.module.rpartition(".")[2] for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom) and node.module and "module_utils" in node.module
        }
        for path in ENGINE
    }
    read: set[str] = set()
    while len(read) < len(imported):
        ready = {name for name, others in imported.items() if others <= read} - read
        assert ready, {name: others - read for name, others in imported.items() if name not in read}
        read |= ready
