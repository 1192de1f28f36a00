# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Valid answers, the same on every machine (fixed keys, times and numbers), and answers built with hostile fields."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import cache
from random import Random

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

NAME = "login.example.com"
CRL, ISSUER, OCSP = "http://crl.example/a.crl", "http://crl.example/a.crt", "http://ocsp.example"
AT = datetime(2026, 11, 26, 1, 0, tzinfo=timezone.utc)

# ---- certificates, lists, OCSP


def _key(number: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _certificate(number: int, name: str, by: int, by_name: str, *extensions: x509.ExtensionType) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder().subject_name(_named(name)).issuer_name(_named(by_name)).public_key(_key(number).public_key())
        .serial_number(1000 + number).not_valid_before(AT - timedelta(days=30)).not_valid_after(AT + timedelta(days=60))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(_key(by), None)


@cache
def certificates() -> tuple[x509.Certificate, ...]:
    """Leaf, issuer, root."""
    points = x509.CRLDistributionPoints([x509.DistributionPoint([x509.UniformResourceIdentifier(CRL)], None, None, None)])
    methods = x509.AuthorityInformationAccessOID
    access = x509.AuthorityInformationAccess([
        x509.AccessDescription(methods.OCSP, x509.UniformResourceIdentifier(OCSP)),
        x509.AccessDescription(methods.CA_ISSUERS, x509.UniformResourceIdentifier(ISSUER)),
    ])
    names = x509.SubjectAlternativeName([x509.DNSName(NAME), x509.DNSName("*.example.org")])
    authority = x509.BasicConstraints(ca=True, path_length=None)
    root = _certificate(3, "Fuzz Root", 3, "Fuzz Root", authority)
    issuer = _certificate(2, "Fuzz Issuing", 3, "Fuzz Root", authority, points, access)
    return _certificate(1, NAME, 2, "Fuzz Issuing", x509.BasicConstraints(ca=False, path_length=None), names, points, access), issuer, root


def leaf_for(*hosts: str) -> x509.Certificate:
    """Of the same issuer."""
    points = x509.CRLDistributionPoints([x509.DistributionPoint([x509.UniformResourceIdentifier(CRL)], None, None, None)])
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
    return _certificate(1, hosts[0], 2, "Fuzz Issuing", x509.BasicConstraints(ca=False, path_length=None), names, points)


@cache
def ders() -> tuple[bytes, ...]:
    return tuple(one.public_bytes(Encoding.DER) for one in certificates())


@cache
def revocation_list() -> bytes:
    builder = x509.CertificateRevocationListBuilder().issuer_name(_named("Fuzz Issuing"))
    builder = builder.last_update(AT).next_update(AT + timedelta(days=7))
    for number in range(3):
        revoked = x509.RevokedCertificateBuilder().serial_number(number + 1).revocation_date(AT).build()
        builder = builder.add_revoked_certificate(revoked)
    return builder.sign(_key(2), None).public_bytes(Encoding.DER)


@cache
def long_list() -> bytes:
    """Longer than what an engine keeps of a body."""
    return element(0x30, element(0x30, bytes(900)), element(0x03, bytes(65)))


@cache
def ocsp_answer() -> bytes:
    leaf, issuer, _root = certificates()
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=leaf, issuer=issuer, algorithm=SHA1(), cert_status=ocsp.OCSPCertStatus.GOOD, this_update=AT, next_update=None,  # noqa: S303
        revocation_time=None, revocation_reason=None,
    ).responder_id(ocsp.OCSPResponderEncoding.NAME, issuer)
    return builder.sign(_key(2), None).public_bytes(Encoding.DER)


def element(tag: int, *parts: bytes) -> bytes:
    """DER of any length."""
    content = b"".join(parts)
    size = len(content)
    width = (size.bit_length() + 7) // 8
    return bytes([tag]) + (bytes([size]) if size < 128 else bytes([128 + width]) + size.to_bytes(width, "big")) + content


def _lied_element(chance: Random, tag: int, *parts: bytes) -> bytes:
    """Seldom with another tag, or with a length of another form or size."""
    whole = element(tag, *parts)
    if chance.random() > 0.02:
        return whole
    content = b"".join(parts)
    head = chance.choice((
        bytes([tag ^ 0x20]) + whole[1:len(whole) - len(content)], bytes([tag, 0x80]), bytes([tag, 0x81, len(content) & 0xFF]),
        bytes([tag, 0x83]) + (len(content) & 0xFFFFFF).to_bytes(3, "big"), bytes([tag, 0x84]) + len(content).to_bytes(4, "big"),
        bytes([tag, 0xFF]), bytes([tag, 0x83, 0xFF, 0xFF, 0xFF]),
    ))
    return head + content


_TIMES = (b"260101000000Z", b"500101000000Z", b"491231235959Z", b"991332256199Z", b"2601010000Z", b"260101000000+0100", b"", b"\xff" * 13)
_LONG_TIMES = (b"20260101000000Z", b"00000101000000Z", b"99991231235959Z", b"2026010100000", b"20260230000000Z", b" 2026101000000Z")
_URLS = (
    CRL, "HTTP://crl.example:80/x?y#z", "ldap:///CN=x", "http://", "http://a..b/", "http://" + "a" * 64 + ".example/", "http://[::1]/x",
    "http://[::1%25lo]/", "http://[zz:]:80/", "http://[abc]/", "http://u@h/", "http://h:0/", "http://h:65536/", "http://h:99999999999/",
    "http://h:/", "http://?x", "http:///x", "http://h#x", "http://a b/", "http://\xe9.example/", "http://h/\r\nEvil: 1",
    "http://1.2.3/", "http://h/" + "x" * 3000, "http://" + "a." * 200 + "b/", "http://.example/", "http://h./", "http://127.0.0.1/",
)
_STRANGE_NAMES = (
    b"*", b"*.", b"*.com", b"**.example.com", b"*.example.com", b"login.example.com.", b"LOGIN.example.com", b"login.example.com\x00.evil",
)


def built_certificate(chance: Random) -> bytes:
    """The shape of a certificate, each field of it strange at times. Nothing of it is signed."""

    def make(tag: int, *parts: bytes) -> bytes:
        return _lied_element(chance, tag, *parts)

    def oid(*numbers: int) -> bytes:
        return make(0x06, bytes(numbers))

    def uri() -> bytes:
        return make(0x86, chance.choice(_URLS).encode("latin-1"))

    def name(text: bytes) -> bytes:
        return make(0x30, *(make(0x31, make(0x30, oid(0x55, 4, 3), make(0x0C, text))) for _count in range(chance.choice((1, 1, 1, 0, 2)))))

    def when() -> bytes:
        return make(0x17, chance.choice(_TIMES)) if chance.random() < 0.7 else make(0x18, chance.choice(_LONG_TIMES))

    def points() -> bytes:
        return make(0x30, *(make(0x30, make(0xA0, make(0xA0, uri(), uri()))) for _count in range(chance.choice((1, 1, 2, 30)))))

    def access() -> bytes:
        method = bytes((0x2B, 6, 1, 5, 5, 7, 0x30))
        many = chance.randint(0, 3)
        return make(0x30, *(make(0x30, make(0x06, method + bytes([chance.choice((1, 2, 3))])), uri()) for _count in range(many)))

    def alternative() -> bytes:
        names = (NAME.encode(), *_STRANGE_NAMES)
        return make(0x30, *(make(chance.choice((0x82, 0x82, 0x87, 0xA0)), chance.choice(names)) for _count in range(2)))

    def extension(number: bytes, value: bytes) -> bytes:
        critical = (make(0x01, b"\xff"),) if chance.random() < 0.3 else ()
        return make(0x30, make(0x06, number), *critical, make(0x04, value))

    known = [(b"\x55\x1d\x1f", points), (b"\x2b\x06\x01\x05\x05\x07\x01\x01", access), (b"\x55\x1d\x11", alternative)]
    extensions = [extension(number, value()) for number, value in known if chance.random() < 0.9]
    if chance.random() < 0.05:
        extensions.append(extension(b"\x55\x1d\x1f", points()))
    same = chance.choice((b"Fuzz Issuing", b"Self"))
    serial = b"\x01" * chance.choice((0, 1, 8, 20, 21, 300) if chance.random() < 0.995 else (66_000,))
    fields = (
        *((make(0xA0, make(0x02, b"\x02")),) if chance.random() < 0.95 else ()), make(0x02, serial), make(0x30, oid(0x2B, 0x65, 0x70)),
        name(same), make(0x30, when(), when()), name(chance.choice((same, NAME.encode()))),
        make(0x30, make(0x30, oid(0x2B, 0x65, 0x70)), make(0x03, b"\x00" + bytes(chance.choice((0, 32, 300))))),
        *((make(0xA3, make(0x30, *extensions)),) if chance.random() < 0.97 else ()),
    )
    return make(0x30, make(0x30, *fields), make(0x30, oid(0x2B, 0x65, 0x70)), make(0x03, bytes(65)))


# ---- TLS


def message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def record(body: bytes, kind: int = 22) -> bytes:
    return bytes([kind, 3, 3]) + (len(body) & 0xFFFF).to_bytes(2, "big") + body


def vector(width: int, content: bytes) -> bytes:
    return len(content).to_bytes(width, "big") + content


HELLO_13 = b"\x00\x2b\x00\x02\x03\x04"


def server_hello(suite: int = 0xC02F, version: int = 0x0303, extensions: bytes | None = b"\xff\x01\x00\x01\x00") -> bytes:
    body = version.to_bytes(2, "big") + bytes(24) + b"DOWNGRD\x01" + b"\x00" + suite.to_bytes(2, "big") + b"\x00"
    return message(2, body + (b"" if extensions is None else vector(2, extensions)))


def certificate_message(*chain: bytes) -> bytes:
    return message(11, vector(3, b"".join(vector(3, one) for one in chain)))


def key_exchange(suite: int = 0xC02F, version: int = 0x0303) -> bytes:
    algorithm = b"\x08\x04" if version >= 0x0303 else b""
    head = b"\x03\x00\x1d" + vector(1, bytes(32)) if suite != 0x009E else vector(2, bytes(256)) + vector(2, b"\x02") + vector(2, bytes(256))
    return message(12, head + algorithm + vector(2, bytes(64)))


def certificate_request(version: int = 0x0303) -> bytes:
    algorithms = vector(2, b"\x04\x01\x06\x01") if version >= 0x0303 else b""
    return message(13, vector(1, b"\x01\x40") + algorithms + vector(2, vector(2, b"0" * 40) + vector(2, b"1" * 200)))


DONE = message(14, b"")
STATUS = message(22, b"\x01\x00\x00\x01\x00")


@cache
def flights() -> tuple[bytes, ...]:
    """Whole answers to a TLS 1.2 hello; none can be done before its last byte."""
    chain = certificate_message(*ders()[:2])
    ecdhe = server_hello() + chain + key_exchange() + certificate_request() + DONE
    dhe = server_hello(0x009E) + chain + STATUS + key_exchange(0x009E) + DONE
    old = server_hello(0xC013, 0x0301, None) + chain + key_exchange(0xC013, 0x0301) + certificate_request(0x0301) + DONE
    rsa = server_hello(0x009C) + chain + DONE
    return (
        record(ecdhe), record(b"\x01\x70", 21) + b"".join(record(ecdhe[at:at + 100]) for at in range(0, len(ecdhe), 100)), record(dhe),
        record(old), record(server_hello(0x009C)) + record(chain) + record(DONE), record(rsa),
    )


def built_flight(chance: Random) -> bytes:
    """Messages of the right kinds, in a wrong order at times, with wrong lengths, versions and suites, over records of any size."""
    version = chance.choice((0x0303, 0x0303, 0x0303, 0x0301, 0x0300, 0x0304, 0x0202))
    suite = chance.choice((0xC02F, 0xC02F, 0x009E, 0x009C, 0x1301, 0x00FF, 0xC013))
    chain = chance.choice((ders()[:1], ders()[:2], ders(), (), (b"",), (b"\x30" * 3,), (ders()[0],) * chance.choice((3, 40, 400))))
    parts = [
        server_hello(suite, version, chance.choice((None, b"", HELLO_13, b"\xff\x01\x00\x01\x00", b"\x00\x00\xff\xff"))),
        certificate_message(*chain), STATUS, key_exchange(chance.choice((suite, suite, suite, 0x009E)), version),
        certificate_request(version), message(13, vector(1, b"") + vector(2, b"\x04") + vector(2, b"\x00\x05ab")), DONE, message(14, b"x"),
        message(0, b""), message(20, bytes(12)), b"\x0b\xff\xff\xff", b"\x0b\x03\xff\xff", message(chance.randrange(256), bytes(3)),
    ]
    wanted = [parts[number] for number in (0, 1, *((2,) if chance.random() < 0.2 else ()), *(() if suite == 0x009C else (3,)), 4, 6)]
    for _count in range(chance.choice((0, 0, 1, 1, 2))):
        at = chance.randrange(len(wanted))
        kind = chance.randrange(3)
        if kind == 0:
            wanted.insert(at, chance.choice(parts))
        elif kind == 1 and len(wanted) > 1:
            del wanted[at]
        else:
            wanted[at] = chance.choice(parts)
    inner = b"".join(wanted)
    size = chance.choice((1, 7, 100, 1000, 16384, 16384, 18432, 18433)) if len(inner) < 3000 else chance.choice((1000, 16384))
    out = bytearray()
    for at in range(0, len(inner), size):
        if chance.random() < 0.02:
            out += chance.choice((record(b"\x01\x00", 21), record(b"\x02\x28", 21), record(b"\x02", 21), record(b""), record(b"\x01", 20),
                                  record(b"x", 23), record(b"\x01\x00", 21) * 40, b"HTTP/1.1 200 OK\r\n\r\n"))
        out += record(inner[at:at + size])
    return bytes(out)


# ---- HTTP

ANSWERS = (
    b"HTTP/1.1 200 OK\r\nServer: lab\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 302 Found\r\nLocation: /x\r\nVia: a\r\nvia: b\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\n",
    b"HTTP/1.0 502 Bad Gateway\r\nContent-Length: 4\r\nX-Squid-Error: ERR 0\r\n\r\nlate",
    b'HTTP/1.1 407 Who\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: Basic realm="a, b", NTLM\r\nContent-Length: 4\r\n\r\nwho?',
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"HTTP/1.1 200 Connection established\r\nContent-Length: 0\r\n\r\n",
)
"""Whole answers, each of which is none before its last byte."""

_STATUS_LINES = (
    b"HTTP/1.1 200 OK", b"HTTP/1.1 200", b"HTTP/1.0 407 x", b"HTTP/1.1 100 Continue", b"HTTP/1.1 101 x", b"HTTP/1.1 204 x", b"HTTP/1.1 304",
    b"HTTP/1.1 403 " + b"f" * 400, b"HTTP/1.1 999 x", b"HTTP/1.1 000 x", b"HTTP/1.1 20 x", b"HTTP/1.1 2000 x", b"HTTP/1.1  200 x",
    b"HTTP/1.10 200 x", b"HTTP/1. 200 x", b"HTTP/1.x 200 x", b"HTTP/2 200 x", b"http/1.1 200 OK", b"HTTP/1.1 2\xb20 x", b"HTTP/1.1 +20 x",
    b"HTTP/1.1\t200\tOK", b"HTTP/1.1 200 \x1b[31m\x00\xff", b"", b"ICY 200 OK", b"HTTP/1.1 200 OK\r", b"HTTP/1.1 502 ",
)
_HEADERS = (
    b"Server: x", b"Via: 1.1 a", b"Content-Length: 5", b"Content-Length: 0", b"Content-Length: 600", b"Content-Length: -1",
    b"Content-Length: 5, 5", b"Content-Length: ", b"Content-Length: 99999999999999999999", b"Content-Length: 00000000000000000000005",
    b"Content-Length: 0x5", b"Content-Length: 9223372036854775807", b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, CHUNKED",
    b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked, gzip", b"no header", b": x", b" : x", b" folded", b"X:", b"a\x00b: c",
    b"\xc9\xdf: x", b"Location: http://" + b"x" * 400, b"Server: \x85\xa0 x \x1c", b"X: " + b"y" * 5000, b"Proxy-Authenticate: ,,, a=b",
    b"Proxy-Authenticate: " + b'"' * 99, b"Proxy-Authenticate: Basic realm=\"a, b\",\tNTLM x",
    b"WWW-Authenticate: Negotiate" + b", N" * 300,
    b"Upgrade: websocket", b"Date: never", b"Proxy-Authenticate: Digest\xa0x",
)
_CHUNKS = (
    b"5\r\nhello\r\n", b"0\r\n\r\n", b"5;x=y\r\nhello\r\n", b"0005\r\nhello\r\n", b"5\nhello\n", b" 5 \r\nhello\r\n",
    b"FFFFFFFFFFFFFFFF\r\n",
    b"7FFFFFFFFFFFFFFF\r\nx", b"-1\r\n", b"+5\r\nhello\r\n", b"0x5\r\nhello\r\n", b"\r\n", b"g\r\n", b"258\r\n" + b"x" * 600 + b"\r\n",
    b"3\r\nhello\r\n", b"0000000000000000005\r\nhello\r\n", b"1;" + b"x" * 70_000 + b"\r\n", b"5_0\r\n",
)


def built_answer(chance: Random) -> bytes:
    end = chance.choice((b"\r\n", b"\r\n", b"\r\n", b"\n"))
    out = b""
    if chance.random() < 0.1:
        out = (b"HTTP/1.1 100 Continue" + end + end) * chance.choice((1, 2, 4000))
    status = _STATUS_LINES[0] if chance.random() < 0.5 else chance.choice(_STATUS_LINES)
    headers = [chance.choice(_HEADERS) for _count in range(chance.choice((0, 1, 2, 3, 6)))]
    out += end.join((status, *headers, b"", b""))
    if chance.random() < 0.4:
        out += b"".join(chance.choice(_CHUNKS) for _count in range(chance.randint(0, 4)))
    else:
        out += b"z" * chance.choice((0, 1, 5, 511, 512, 513, 5000))
    return out if chance.random() < 0.999 else b"HTTP/1.1 200 OK\r\n" + (b"X: y\r\n" * 20_000 if chance.random() < 0.5 else b"X" * 90_000)
