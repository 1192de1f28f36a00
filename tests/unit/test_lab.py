# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's servers, faults and proxies do what they say, seen with a plain socket or ssl client."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cryptography")

from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.x509 import ocsp  # noqa: E402
from lab import cloud as healthy  # noqa: E402
from lab import dns, faults, fleet, proxies, servers, told  # noqa: E402
from lab.cloud import Cloud  # noqa: E402
from lab.faults import Fault, World  # noqa: E402
from lab.fleet import Lab, LabError  # noqa: E402
from lab.pki import Pki, ended  # noqa: E402
from lab.scenarios import DEMO, SCENARIOS, ProxyPlan, Scenario, scenario  # noqa: E402
from lab.windows import DEFAULTS, WINDOWS, Around  # noqa: E402
from lab.windows import looks as windows_looks  # noqa: E402

NAME = "cwap-eur1-weur2.servicebus.windows.net"
SIGN_IN = "login.microsoftonline.com"
BOOTSTRAP = f"{fleet.TENANT}.bootstrap.msappproxy.net"
ENDPOINTS = {
    f"{SIGN_IN}:443": True,
    f"{fleet.TENANT}.registration.msappproxy.net:443": True,
    f"{BOOTSTRAP}:443": True,
    f"{NAME}:443": True,
    "crl3.digicert.com:80": False,
}
PATIENCE = 10.0
"""Seconds for what must come."""
SILENCE = 0.6
"""Seconds after which nothing more is thought to come."""


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def world(pki: Pki) -> Iterator[World]:
    cloud = Cloud(pki)
    made = World(pki, cloud, (NAME, SIGN_IN, BOOTSTRAP))
    yield made
    made.close()
    cloud.close()


def client(pki: Pki, trust: str = "public", highest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=pki.trust[trust])
    context.maximum_version = highest
    return context


def connect(to: str) -> socket.socket:
    return socket.create_connection(servers.split(to), timeout=PATIENCE)


def shake(to: str, context: ssl.SSLContext, name: str = NAME) -> ssl.SSLSocket:
    raw = connect(to)
    try:
        return context.wrap_socket(raw, server_hostname=name)
    except BaseException:
        raw.close()
        raise


def ask(connection: socket.socket, host: str, target: str = "/", more: str = "", method: str = "GET") -> tuple[int, bytes, bytes]:
    """Status, head, body."""
    connection.sendall(f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode())
    head, body = servers.read_head(connection)
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length and (got := connection.recv(65536)):
        body += got
    return int(head.split(b" ", 2)[1]), head, body


def hello_bytes(name: str = NAME, highest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> bytes:
    """The ClientHello of this Python."""
    context = ssl.create_default_context()
    context.maximum_version = highest
    out = ssl.MemoryBIO()
    secured = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        secured.do_handshake()
    return out.read()


def after_hello(to: str, *, first: float = PATIENCE) -> tuple[str, bytes]:
    """How a connection ends on which a ClientHello is sent (reset, closed, timeout), and what came before.

    `first` is how long the first bytes, or the end, may take.
    """
    got = b""
    try:
        with connect(to) as connection:
            connection.settimeout(first)
            connection.sendall(hello_bytes())
            while more := connection.recv(65536):
                got += more
                connection.settimeout(SILENCE)
    except (ConnectionResetError, BrokenPipeError):
        return "reset", got
    except TimeoutError:
        return "timeout", got
    return "closed", got


def raw_end(connection: socket.socket) -> str:
    """How TCP ends: ssl says the same of a reset and of an orderly end."""
    try:
        while socket.socket.recv(connection, 65536):
            pass
    except ConnectionResetError:
        return "reset"
    return "closed"


# -- certificates


def test_a_second_start_keeps_keys_and_authorities(tmp_path: Path) -> None:
    first = Pki(tmp_path)
    begin = time.process_time()
    second = Pki(tmp_path)
    assert time.process_time() - begin < 0.5
    assert second.public_root.certificate == first.public_root.certificate
    assert second.public_issuing.certificate == first.public_issuing.certificate
    assert Pki(tmp_path).public_roots.read_bytes() == first.public_roots.read_bytes()


def test_an_authority_of_other_keys_is_made_anew(tmp_path: Path) -> None:
    first = Pki(tmp_path)
    (tmp_path / "public-root.key.pem").unlink()
    second = Pki(tmp_path)
    assert second.public_root.certificate != first.public_root.certificate
    second.public_issuing.certificate.verify_directly_issued_by(second.public_root.certificate)


def test_leaves_name_lists_issuers_and_responders_of_the_revocation_hosts(pki: Pki) -> None:
    leaf = pki.leaf(NAME).certificate
    points = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    access = leaf.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert [one.full_name[0].value for one in points if one.full_name] == [
        "http://crl3.digicert.com/lab-issuing.crl", "http://crl4.digicert.com/lab-issuing.crl",
    ]
    assert {one.access_location.value for one in access} == {
        "http://ocsp.digicert.com", "http://www.microsoft.com/pkiops/certs/lab-issuing.crt",
    }


def test_kinds_of_leaves(pki: Pki) -> None:
    now = datetime.now(timezone.utc)
    assert pki.leaf(NAME, algorithm=hashes.SHA384()).certificate.signature_algorithm_oid.dotted_string == "1.2.840.113549.1.1.12"
    assert type(pki.leaf(NAME, ecdsa=True).key) is type(pki.ec_key)
    assert ended(pki.expired(NAME).certificate) < now
    own = pki.self_signed(NAME).certificate
    own.verify_directly_issued_by(own)
    pki.leaf(NAME, by=pki.company_issuing).certificate.verify_directly_issued_by(pki.company_issuing.certificate)


def test_the_list_is_signed_and_current(pki: Pki) -> None:
    for root, authority in ((False, pki.public_issuing), (True, pki.public_root)):
        crl = x509.load_der_x509_crl(pki.crl(root=root))
        assert crl.is_signature_valid(authority.certificate.public_key())  # type: ignore[arg-type]
        assert x509.load_der_x509_certificate(pki.issuer(root=root)) == authority.certificate


def test_ocsp_answers_for_what_was_issued_only(pki: Pki) -> None:
    leaf, issuer = pki.leaf(NAME).certificate, pki.public_issuing.certificate
    request = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, hashes.SHA1()).build()
    answer = ocsp.load_der_ocsp_response(pki.ocsp(request.public_bytes(serialization.Encoding.DER)))
    assert answer.certificate_status is ocsp.OCSPCertStatus.GOOD
    assert answer.serial_number == leaf.serial_number
    foreign = pki.self_signed(NAME).certificate
    request = ocsp.OCSPRequestBuilder().add_certificate(foreign, issuer, hashes.SHA1()).build()
    unknown = ocsp.load_der_ocsp_response(pki.ocsp(request.public_bytes(serialization.Encoding.DER)))
    assert unknown.response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED
    nothing = ocsp.load_der_ocsp_response(pki.ocsp(b""))
    assert nothing.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


# -- the healthy cloud


def test_every_name_gets_its_own_genuine_certificate(pki: Pki, world: World) -> None:
    for name in (SIGN_IN, NAME, "anything.example"):
        with shake(world.cloud.tls, client(pki), name) as secured:
            assert ("DNS", name) in secured.getpeercert()["subjectAltName"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("host", "target", "more", "status", "says"),
    [
        (SIGN_IN, "/", "", 200, b"Sign in to your account"),
        (BOOTSTRAP, "/", "", 403, b""),
        (NAME, "/", "", 404, b"nothing here"),
        (NAME, "/$servicebus/websocket", "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 101, b""),
        (NAME, "/other", "Upgrade: websocket\r\n", 404, b""),
    ],
)
def test_the_cloud_answers(pki: Pki, world: World, host: str, target: str, more: str, status: int, says: bytes) -> None:
    with shake(world.cloud.tls, client(pki), host) as secured:
        got, head, body = ask(secured, host, target, more)
    assert got == status
    assert says in body
    assert b"\r\nDate: " in head
    if status == 101:
        assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head  # the example of RFC 6455, 1.3


def test_the_cloud_publishes_lists_issuers_ocsp_and_the_root_list(pki: Pki, world: World) -> None:
    with connect(world.cloud.http) as connection:
        assert ask(connection, "crl3.digicert.com", "/lab-issuing.crl")[2] == pki.crl()
        assert ask(connection, "crl3.digicert.com", "/DigiCertGlobalRootG2.crl")[2] == pki.crl(root=True)
        assert ask(connection, "www.microsoft.com", "/pkiops/certs/lab-issuing.crt")[2] == pki.issuer()
        cabinet = ask(connection, "ctldl.windowsupdate.com", "/x/authrootstl.cab")[2]
        assert cabinet.startswith(b"MSCF")
        assert int.from_bytes(cabinet[8:12], "little") == len(cabinet)
        request = ocsp.OCSPRequestBuilder().add_certificate(
            pki.leaf(NAME).certificate, pki.public_issuing.certificate, hashes.SHA1()
        ).build().public_bytes(serialization.Encoding.DER)
        path = "/ocsp/" + base64.b64encode(request).decode().replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
        answer = ocsp.load_der_ocsp_response(ask(connection, "oneocsp.microsoft.com", path)[2])
        assert answer.certificate_status is ocsp.OCSPCertStatus.GOOD
        assert ask(connection, "crl.microsoft.com", "/")[0] == 404
    assert [one.status for one in world.cloud.requests] == [200, 200, 200, 200, 200, 404]


def test_only_bootstrap_asks_for_a_client_certificate(pki: Pki, world: World) -> None:
    assert asks_for_certificate(world.cloud.tls, BOOTSTRAP)
    assert not asks_for_certificate(world.cloud.tls, NAME)


def asks_for_certificate(to: str, name: str) -> bool:
    """Whether message 13 is among the messages of a TLS 1.2 server's first flight."""
    kinds = []
    with connect(to) as connection:
        connection.sendall(hello_bytes(name, ssl.TLSVersion.TLSv1_2))
        data = b""
        while 14 not in kinds:
            got = connection.recv(65536)
            assert got, "ended before ServerHelloDone"
            data += got
            kinds = message_kinds(data)
    return 13 in kinds


def message_kinds(data: bytes) -> list[int]:
    messages = b""
    while len(data) >= 5 and len(data) >= 5 + int.from_bytes(data[3:5], "big"):
        length = int.from_bytes(data[3:5], "big")
        assert data[0] == 22
        messages += data[5 : 5 + length]
        data = data[5 + length :]
    kinds = []
    while len(messages) >= 4:
        kinds.append(messages[0])
        messages = messages[4 + int.from_bytes(messages[1:4], "big") :]
    return kinds


def test_connections_are_counted(pki: Pki, world: World) -> None:
    with shake(world.cloud.tls, client(pki)), shake(world.cloud.tls, client(pki)):
        assert world.cloud.tls_connections.now == 2
    assert world.cloud.tls_connections.most == 2
    assert world.cloud.tls_connections.total == 2


def test_a_mistake_of_the_lab_is_raised_at_the_end() -> None:
    def broken(connection: socket.socket) -> None:
        raise KeyError("broken")

    listener = servers.Listener(broken)
    with connect(listener.to) as connection:
        assert connection.recv(1) == b""
    with pytest.raises(KeyError, match="broken"):
        listener.close()


def test_closing_ends_what_is_still_connected(pki: Pki) -> None:
    cloud = Cloud(pki)
    with shake(cloud.tls, client(pki)) as secured, connect(cloud.http):
        begin = time.monotonic()
        cloud.close()
        assert time.monotonic() - begin < 4  # a thread that has to be waited for takes 5
        assert secured.recv(1) == b""


# -- faults: the way there


def test_closed_port(world: World) -> None:
    to = faults.closed_port(world)
    with pytest.raises(ConnectionRefusedError):
        connect(to)


def test_dropped(world: World) -> None:
    to = faults.dropped(world)
    for _again in range(3):
        with pytest.raises(TimeoutError):
            socket.create_connection(servers.split(to), timeout=0.3)


def test_unreachable(world: World) -> None:
    to = faults.unreachable(world)
    with pytest.raises(OSError, match="unreachable"):
        connect(to)


# -- faults: the first bytes


@pytest.mark.parametrize(
    ("fault", "end", "first"),
    [
        (faults.reset_on_accept, "reset", b""),
        (faults.silent_on_accept, "timeout", b""),
        (faults.reset_on_hello, "reset", b""),
        (faults.silent_on_hello, "timeout", b""),
        (faults.closed_on_hello, "closed", b""),
        (faults.alert(2, 40), "closed", bytes([21, 3, 3, 0, 2, 2, 40])),
        (faults.no_common_cipher, "closed", bytes([21, 3, 3, 0, 2, 2, 40])),
        (faults.tls13_broken, "reset", b""),
        (faults.plain_http, "closed", b"HTTP/1.1 400 Bad Request"),
        (faults.garbage, "closed", b"\x00\xff\x13\x37"),
        (faults.half_a_certificate, "closed", b"\x16\x03\x03"),
        (faults.one_byte_a_second, "timeout", b"\x16"),
        (faults.stalled_after(1000), "timeout", b"\x16\x03\x03"),
        (faults.large_hello_lost(100), "timeout", b""),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_comes_after_the_hello(world: World, fault: Fault, end: str, first: bytes) -> None:
    silent = end == "timeout" and not first
    how, got = after_hello(fault(world), first=SILENCE if silent else PATIENCE)
    assert how == end
    assert got.startswith(first)
    if not first:
        assert got == b""


def test_stalled_after_passes_exactly_so_much(world: World) -> None:
    assert len(after_hello(faults.stalled_after(1000)(world))[1]) == 1000


def test_one_byte_a_second_is_slow_and_ends_with_the_world(world: World) -> None:
    assert len(after_hello(faults.one_byte_a_second(world))[1]) == 1


def test_half_a_certificate_announces_more_than_comes(world: World) -> None:
    got = after_hello(faults.half_a_certificate(world))[1]
    certificate = got[got.index(b"\x0b\x00\x0b\xb8") :]
    assert len(certificate) < 4 + 3000


def test_tls13_broken_lets_tls12_through(pki: Pki, world: World) -> None:
    to = faults.tls13_broken(world)
    with pytest.raises(ConnectionResetError):
        shake(to, client(pki))
    with shake(to, client(pki, highest=ssl.TLSVersion.TLSv1_2)) as secured:
        assert secured.version() == "TLSv1.2"
        assert ask(secured, NAME)[0] == 404


def test_old_hello_reset_lets_tls13_through(pki: Pki, world: World) -> None:
    to = faults.old_hello_reset(world)
    with pytest.raises(ConnectionResetError):
        shake(to, client(pki, highest=ssl.TLSVersion.TLSv1_2))
    with shake(to, client(pki)) as secured:
        assert secured.version() == "TLSv1.3"


def test_sha512_first_cut_looks_at_the_first_algorithm(world: World) -> None:
    to = faults.sha512_first_cut(world)
    hello = hello_bytes()
    algorithms = servers.read_client_hello(hello)
    assert algorithms is not None
    assert 0x0601 in algorithms.signature_algorithms
    whole = b"".join(one.to_bytes(2, "big") for one in algorithms.signature_algorithms)
    first = sorted(algorithms.signature_algorithms, key=lambda one: one != 0x0601)
    with connect(to) as connection:
        connection.sendall(hello)
        assert connection.recv(1) == b"\x16"
    with connect(to) as connection:
        connection.sendall(hello.replace(whole, b"".join(one.to_bytes(2, "big") for one in first)))
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_the_hello_reader() -> None:
    hello = servers.read_client_hello(hello_bytes(SIGN_IN))
    assert hello is not None
    assert hello.name == SIGN_IN
    assert 0x0304 in hello.versions
    assert servers.read_client_hello(hello_bytes()[:-1]) is None
    assert servers.read_client_hello(b"GET / HTTP/1.1\r\n" * 10) is None
    no_name = ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.check_hostname = False
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), no_name).do_handshake()
    nameless = servers.read_client_hello(no_name.read())
    assert nameless is not None
    assert nameless.name is None


def test_a_hello_in_pieces_is_read_whole(pki: Pki, world: World) -> None:
    hello = hello_bytes(SIGN_IN)
    with connect(world.cloud.tls) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in (hello[:3], hello[3:90], hello[90:]):
            connection.sendall(piece)
            time.sleep(0.05)
        assert connection.recv(1) == b"\x16"


# -- faults: certificates


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (faults.expired, "expired"),
        (faults.not_yet_valid, "not yet valid"),
        (faults.wrong_name, "Hostname mismatch"),
        (faults.self_signed, "self.signed certificate"),
        (faults.incomplete_chain, "unable to get local issuer certificate"),
        (faults.inspected, "unable to get local issuer certificate|self.signed certificate in certificate chain"),
        (faults.block_page, "unable to get local issuer certificate|self.signed certificate in certificate chain"),
        (faults.inspected_by_appliance, "self.signed certificate in certificate chain"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_a_client_says_of_the_certificate(pki: Pki, world: World, fault: Fault, says: str) -> None:
    to = fault(world)
    with pytest.raises(ssl.SSLCertVerificationError, match=says):
        shake(to, client(pki))


def test_inspection_is_trusted_with_the_companys_root(pki: Pki, world: World) -> None:
    with shake(faults.inspected(world), client(pki, "public+company"), SIGN_IN) as secured:
        assert ask(secured, SIGN_IN)[0] == 200
        issuer = dict(part[0] for part in secured.getpeercert()["issuer"])  # type: ignore[index, arg-type, misc]
    assert issuer["commonName"] == "Example Corp TLS Inspection CA"
    assert not asks_for_certificate(faults.inspected(world), BOOTSTRAP)
    with shake(faults.block_page(world), client(pki, "public+company")) as secured:
        status, _head, body = ask(secured, NAME)
    assert (status, b"blocked" in body) == (403, True)


def test_an_appliance_signs_with_its_makers_name(pki: Pki, world: World) -> None:
    (issuer,) = pki.leaf(NAME, by=pki.appliance).chain
    assert issuer.subject.rfc4514_string() == "CN=FG100FTK00000000,O=Fortinet"


def test_a_front_end_that_names_a_product_is_genuine(pki: Pki, world: World) -> None:
    with shake(faults.behind_a_cache(world), client(pki)) as secured:
        status, head, _body = ask(secured, NAME)
    assert (status, b"Server: squid/5.7" in head) == (404, True)


def test_the_other_roots_do_not_know_the_cloud(pki: Pki, world: World) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(world.cloud.tls, client(pki, "other"))


# -- faults: versions and ciphers


@pytest.mark.parametrize(
    ("fault", "highest", "version", "cipher"),
    [
        (faults.tls12_only, ssl.TLSVersion.TLSv1_3, "TLSv1.2", "ECDHE-RSA"),
        (faults.tls13_only, ssl.TLSVersion.TLSv1_3, "TLSv1.3", "TLS_"),
        (faults.ecdsa, ssl.TLSVersion.TLSv1_2, "TLSv1.2", "ECDHE-ECDSA"),
        (faults.sha384_signed, ssl.TLSVersion.TLSv1_2, "TLSv1.2", "ECDHE-RSA"),
        (faults.client_certificate_never, ssl.TLSVersion.TLSv1_2, "TLSv1.2", "ECDHE-RSA"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_healthy_but_odd(pki: Pki, world: World, fault: Fault, highest: ssl.TLSVersion, version: str, cipher: str) -> None:
    with shake(fault(world), client(pki, highest=highest)) as secured:
        assert secured.version() == version
        negotiated = secured.cipher()
        assert negotiated is not None
        assert negotiated[0].startswith(cipher)


def test_versions_and_ciphers_that_are_refused(pki: Pki, world: World) -> None:
    with pytest.raises(ssl.SSLError, match="(?i)protocol.version"):
        shake(faults.tls13_only(world), client(pki, highest=ssl.TLSVersion.TLSv1_2))
    old = faults.tls10_only(world)
    # A client of a distribution that is stricter than OpenSSL itself stops at the signature first.
    with pytest.raises(ssl.SSLError, match="(?i)protocol|sigalg"):
        shake(old, client(pki, "public+company"))
    # An alert, or a ServerHello of TLS 1.0: by what the suites of the hello leave to a server of that age.
    assert after_hello(old)[1].startswith((b"\x15", b"\x16\x03\x01"))
    narrow = client(pki, "public+company", ssl.TLSVersion.TLSv1_2)
    narrow.set_ciphers("ECDHE+AESGCM")
    to = faults.rsa_key_exchange_only(world)
    with pytest.raises(ssl.SSLError, match="(?i)handshake.failure"):
        shake(to, narrow)
    wide = client(pki, "public+company", ssl.TLSVersion.TLSv1_2)
    wide.set_ciphers("AES128-GCM-SHA256")
    with shake(to, wide) as secured:
        assert secured.version() == "TLSv1.2"


def test_a_required_client_certificate_is_asked_for_and_missed(pki: Pki, world: World) -> None:
    to = faults.client_certificate_required(world)
    assert asks_for_certificate(to, BOOTSTRAP)
    with pytest.raises(ssl.SSLError, match="(?i)handshake.failure|certificate"):
        shake(to, client(pki), BOOTSTRAP)


@pytest.mark.skipif(fleet.lacking(scenario("strict-about-hashes")) is not None, reason="the program openssl is not on PATH")
def test_openssl_servers(pki: Pki, world: World) -> None:
    with shake(faults.strict_about_hashes(world), client(pki, highest=ssl.TLSVersion.TLSv1_2)) as secured:
        assert ask(secured, NAME, more="Connection: close\r\n")[0] == 200
    assert asks_for_certificate(faults.limited_to_sha256(world), BOOTSTRAP)
    with shake(faults.dhe_only(world), client(pki)) as secured:
        negotiated = secured.cipher()
    assert negotiated is not None
    assert negotiated[0].startswith("DHE-RSA")


def test_a_machine_without_openssl_is_told_so(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(servers.Missing, match="openssl"):
        servers.OpensslServer(pki.file(pki.leaf(NAME)))
    assert fleet.lacking(scenario("strict-about-hashes")) == "the program openssl is not on PATH"


# -- faults: HTTP


@pytest.mark.parametrize(
    ("fault", "status", "says"),
    [
        (faults.service_error, 503, b"Unavailable"),
        (faults.other_sign_in_page, 200, b"nginx"),
        (faults.redirected_sign_in, 302, b""),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_answers_on_a_genuine_chain(pki: Pki, world: World, fault: Fault, status: int, says: bytes) -> None:
    with shake(fault(world), client(pki), SIGN_IN) as secured:
        got, head, body = ask(secured, SIGN_IN)
    assert got == status
    assert says in body
    if status == 302:
        assert b"\r\nLocation: https://gateway.filter.example/" in head


def test_websocket_cut(pki: Pki, world: World) -> None:
    to = faults.websocket_cut(world)
    with shake(to, client(pki)) as secured:
        assert ask(secured, NAME)[0] == 404
    with shake(to, client(pki)) as secured:
        secured.sendall(f"GET /$servicebus/websocket HTTP/1.1\r\nHost: {NAME}\r\nUpgrade: websocket\r\n\r\n".encode())
        assert raw_end(secured) == "reset"


def test_answers_late(pki: Pki, world: World) -> None:
    with shake(faults.answers_late(world), client(pki), SIGN_IN) as secured:
        secured.settimeout(0.5)
        secured.sendall(f"GET / HTTP/1.1\r\nHost: {SIGN_IN}\r\n\r\n".encode())
        with pytest.raises(TimeoutError):
            secured.recv(1)


@pytest.mark.parametrize(
    ("fault", "status", "says"),
    [
        (faults.http_block_page, 200, b"blocked"),
        (faults.http_forbidden, 403, b"blocked"),
        (faults.captive_portal, 302, b""),
        (faults.ocsp_down, 503, b""),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_answers_on_port_80(world: World, fault: Fault, status: int, says: bytes) -> None:
    with connect(fault(world)) as connection:
        got, _head, body = ask(connection, "crl3.digicert.com", "/lab-issuing.crl")
    assert got == status
    assert says in body


def test_lists_that_are_not_whole(pki: Pki, world: World) -> None:
    with connect(faults.truncated_list(world)) as connection:
        body = ask(connection, "crl3.digicert.com", "/lab-issuing.crl")[2]
    assert body == pki.crl()[: len(pki.crl()) // 2]
    with connect(faults.cut_list(world)) as connection:
        _status, head, body = ask(connection, "crl3.digicert.com", "/lab-issuing.crl")
    assert f"Content-Length: {len(pki.crl())}".encode() in head
    assert len(body) == len(pki.crl()) - 200


# -- proxies


def proxy(world: World, plan: ProxyPlan) -> proxies.Proxy:
    names = {f"{NAME}:443": world.cloud.tls, f"{SIGN_IN}:443": world.cloud.tls, "crl3.digicert.com:80": world.cloud.http}
    return world.keep(proxies.Proxy(world.pki, lambda: names, plan.policy, plan.inspects))


def at(one: proxies.Proxy) -> str:
    return one.url.removeprefix("http://")


def tunnel(one: proxies.Proxy, to: str = f"{NAME}:443") -> tuple[int, bytes, bytes]:
    with connect(at(one)) as connection:
        return ask(connection, to, to, method="CONNECT")


def test_an_open_proxy_tunnels_and_fetches(pki: Pki, world: World) -> None:
    one = proxy(world, ProxyPlan())
    with connect(at(one)) as connection:
        assert ask(connection, f"{NAME}:443", f"{NAME}:443", method="CONNECT")[0] == 200
        with client(pki).wrap_socket(connection, server_hostname=NAME) as secured:
            assert ask(secured, NAME)[0] == 404
    with connect(at(one)) as connection:
        status, head, body = ask(connection, "crl3.digicert.com", "http://crl3.digicert.com/lab-issuing.crl")
    assert (status, body) == (200, pki.crl())
    assert b"\r\nVia: 1.1 proxy.example.com" in head
    assert tunnel(one, "unknown.example:443")[0] == 502
    assert [logged.asked.to for logged in one.log] == [f"{NAME}:443", "crl3.digicert.com:80", "unknown.example:443"]
    assert not one.saw_credentials


def test_credentials_would_be_seen(world: World) -> None:
    one = proxy(world, ProxyPlan())
    with connect(at(one)) as connection:
        ask(connection, NAME, f"{NAME}:443", "Proxy-Authorization: Basic eDp5\r\n", "CONNECT")
    assert one.saw_credentials


def test_the_password_proxy(world: World) -> None:
    one = proxy(world, ProxyPlan(proxies.asks_for_password("Negotiate", 'Basic realm="x"')))
    status, head, body = tunnel(one)
    assert status == 407
    assert b"Proxy-Authenticate: Negotiate\r\n" in head
    assert b'Proxy-Authenticate: Basic realm="x"' in head
    assert b"<html>" in body
    with connect(at(one)) as connection:
        assert ask(connection, "crl3.digicert.com", "http://crl3.digicert.com/")[0] == 407


@pytest.mark.parametrize(
    ("policy", "bus", "sign_in", "plain"),
    [
        (proxies.denies(), 403, 403, 403),
        (proxies.denies("*.servicebus.windows.net"), 403, 200, 200),
        (proxies.denies("*.servicebus.windows.net", 470), 470, 200, 200),
        (proxies.only_port(443), 200, 200, 403),
        (proxies.only_port(80), 403, 403, 200),
        (proxies.fails(504), 504, 504, 504),
    ],
)
def test_policies(world: World, policy: proxies.Policy, bus: int, sign_in: int, plain: int) -> None:
    one = proxy(world, ProxyPlan(policy))
    assert tunnel(one)[0] == bus
    assert tunnel(one, f"{SIGN_IN}:443")[0] == sign_in
    with connect(at(one)) as connection:
        assert ask(connection, "crl3.digicert.com", "http://crl3.digicert.com/lab-issuing.crl")[0] == plain


def test_proxies_that_speak_no_http(world: World) -> None:
    connect_to_bus = f"CONNECT {NAME}:443 HTTP/1.1\r\n\r\n".encode()
    with connect(at(proxy(world, ProxyPlan(proxies.closes)))) as connection:
        connection.sendall(connect_to_bus)
        assert connection.recv(1) == b""
    with connect(at(proxy(world, ProxyPlan(proxies.malformed)))) as connection:
        connection.sendall(connect_to_bus)
        assert connection.recv(4) not in (b"", b"HTTP")
    with connect(at(proxy(world, ProxyPlan(proxies.silent)))) as connection:
        connection.sendall(connect_to_bus)
        connection.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_the_inspecting_proxy_inspects_what_it_is_told_to(pki: Pki, world: World) -> None:
    one = proxy(world, ProxyPlan(inspects=proxies.matching("login.*")))
    for name, inspected in ((SIGN_IN, True), (NAME, False)):
        with connect(at(one)) as connection:
            assert ask(connection, f"{name}:443", f"{name}:443", method="CONNECT")[0] == 200
            with client(pki, "public+company").wrap_socket(connection, server_hostname=name) as secured:
                issuer = dict(part[0] for part in secured.getpeercert()["issuer"])  # type: ignore[index, arg-type, misc]
                assert ask(secured, name)[0] == (200 if inspected else 404)
        assert issuer["commonName"].startswith("Example Corp") is inspected


# -- DNS


def query(name: str, kind: int = dns.A) -> bytes:
    labels = b"".join(bytes([len(one)]) + one.encode() for one in name.split("."))
    return b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + labels + b"\0" + bytes([0, kind, 0, 1])


def test_dns_answers_by_its_table() -> None:
    table = {"two.test": ("192.0.2.1", "2001:db8::1"), "none.test": dns.NODATA, "bad.test": dns.SERVFAIL, "mute.test": dns.SILENCE}
    with dns.Server(table) as server:
        told = {}
        for name, kind in (("two.test", dns.A), ("two.test", dns.AAAA), ("none.test", dns.A), ("bad.test", dns.A), ("x.test", dns.A)):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                udp.settimeout(PATIENCE)
                udp.sendto(query(name, kind), ("127.0.0.1", server.port))
                told[name, kind] = udp.recv(512)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.settimeout(0.3)
            udp.sendto(query("mute.test"), ("127.0.0.1", server.port))
            with pytest.raises(TimeoutError):
                udp.recv(512)
        with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as tcp:
            asked = query("two.test")
            tcp.sendall(len(asked).to_bytes(2, "big") + asked)
            over_tcp = tcp.recv(512)
    assert told["two.test", dns.A].endswith(socket.inet_aton("192.0.2.1"))
    assert told["two.test", dns.AAAA].endswith(socket.inet_pton(socket.AF_INET6, "2001:db8::1"))
    assert over_tcp[2:] == told["two.test", dns.A]
    codes = {name: answer[3] & 15 for (name, _kind), answer in told.items()}
    assert codes == {"two.test": 0, "none.test": 0, "bad.test": 2, "x.test": 3}
    assert told["none.test", dns.A][6:10] == b"\0\0\0\1"  # no answer, one authority record


def test_dns_is_not_upset_by_what_is_no_query() -> None:
    for junk in (b"", b"x" * 16, b"\0" * 12 + b"\x3fabc", query("a.test")[:-3]):
        with pytest.raises(ValueError, match="."):
            dns.answer(junk, {})


@pytest.mark.skipif(dns.missing() is not None, reason=f"no namespace: {dns.missing()}")
def test_the_namespace_has_its_own_resolver_and_routes() -> None:
    code = (
        "import json, socket\n"
        "def look(name):\n"
        "    try: return [one[4][0] for one in socket.getaddrinfo(name, 1, type=socket.SOCK_STREAM)]\n"
        "    except socket.gaierror as error: return error.errno\n"
        "def go(address):\n"
        "    with socket.socket() as one: return one.connect_ex((address, 443))\n"
        "print(json.dumps([look('several.lab.test'), look('both-families.lab.test'), look('nobody.lab.test'), look('no-data.lab.test'),"
        " look('server-failure.lab.test'), go('192.0.2.66'), go('10.66.66.67')]))\n"
    )
    done = fleet.run_in_namespace([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    several, both, nobody, no_data, failing, prohibited, unreachable = json.loads(done.stdout)
    assert several == ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    assert both == ["::1", "127.0.0.1"]
    assert (nobody, no_data, failing) == (socket.EAI_NONAME, socket.EAI_NODATA, socket.EAI_AGAIN)
    assert (prohibited, unreachable) == (13, 113)  # EACCES, EHOSTUNREACH


# -- the fleet


def test_every_scenario_can_be_set_up(pki: Pki, tmp_path: Path) -> None:
    wanted = [one for one in SCENARIOS if fleet.lacking(one) is None]
    assert len(wanted) > 40
    begin = time.monotonic()
    with Lab(tmp_path, wanted, endpoints=ENDPOINTS, pki_folder=pki.folder) as lab:
        hosts = lab.inventory()["all"]["children"]["fleet"]["hosts"]
        assert list(hosts) == [one.name for one in wanted]
        for name, variables in hosts.items():
            site = lab.sites[name]
            assert ("preflight_connect_to" in variables) is (site.proxy_url is None)
            assert set(site.names) >= set(ENDPOINTS)
    assert time.monotonic() - begin < 60


def test_the_inventory_gives_each_server_its_own_roots(pki: Pki, tmp_path: Path) -> None:
    with Lab(tmp_path, [scenario("proxy-inspects"), scenario("ready-direct")], endpoints=ENDPOINTS, pki_folder=pki.folder) as lab:
        written = json.loads(lab.write_inventory(tmp_path / "inventory.yml").read_text())
        hosts = written["all"]["children"]["fleet"]["hosts"]
        for name, trust in (("proxy-inspects", "public+company"), ("ready-direct", "public")):
            code = "import os, ssl; print(os.environ['SSL_CERT_FILE'], len(ssl.create_default_context().get_ca_certs()))"
            done = subprocess.run(
                [hosts[name]["ansible_python_interpreter"], "-c", code], capture_output=True, text=True, check=True
            )
            assert done.stdout.split() == [str(pki.trust[trust]), str(len(trust.split("+")))]
        assert hosts["ready-direct"]["preflight_connect_to"][f"{NAME}:443"] == lab.cloud.tls
        assert hosts["ready-direct"]["preflight_public_roots"] == str(pki.public_roots)
        assert hosts["proxy-inspects"]["preflight_proxy"].startswith("http://127.0.0.1:")


def test_the_first_pattern_that_matches_counts(pki: Pki, tmp_path: Path) -> None:
    table = Scenario("x", "", {"login.*:443": faults.closed_port, "*:443": faults.reset_on_accept})
    with Lab(tmp_path, [table], endpoints=ENDPOINTS, pki_folder=pki.folder) as lab:
        names = lab.sites["x"].names
        assert names[f"{SIGN_IN}:443"] != names[f"{NAME}:443"] == names[f"{BOOTSTRAP}:443"]
        assert names["crl3.digicert.com:80"] == lab.cloud.http
        assert names["ocsp.digicert.com:80"] == lab.cloud.http  # named by the certificates


def test_a_pattern_that_matches_nothing_is_a_mistake(pki: Pki, tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"x: no endpoint matches login\.example:443"), Lab(
        tmp_path, [Scenario("x", "", {"login.example:443": faults.closed_port})], endpoints=ENDPOINTS, pki_folder=pki.folder
    ):
        pass


def test_the_table_is_sound() -> None:
    assert len({one.name for one in SCENARIOS}) == len(SCENARIOS)
    for one in SCENARIOS:
        assert one.says.endswith("."), one.name
        assert set(one.trust.split("+")) <= {"public", "company", "other"}, one.name
        expected = {id_ for ids in one.expects for id_ in ids.split("|")}
        assert not expected & set(one.absent), one.name
        if one.verdict == "not_ready":
            assert "fail" in one.expects.values(), one.name
        if one.healthy:
            assert "fail" not in one.expects.values(), one.name
    assert {one.verdict for one in DEMO} == {"ready", "not_ready", "inconclusive"}


def test_the_table_of_windows_servers_is_sound() -> None:
    names = [row.name for row in WINDOWS]
    assert len({*names, *(one.name for one in SCENARIOS)}) == len(names) + len(SCENARIOS)
    around = Around("proxy.example:8080", "127.0.0.1:9", lambda text: "http://127.0.0.1:9/proxy.pac")
    for row in WINDOWS:
        one = row.scenario
        assert one.says.endswith("."), row.name
        assert row.looks(around).registry, row.name
        worst = [word for status, word in (("fail", "not_ready"), ("unknown", "inconclusive")) if status in one.expects.values()]
        assert one.verdict == (worst or ["ready"])[0], row.name
    assert {row.looks(around).name for row in DEFAULTS} == {f"server{version}" for version in ("2012r2", "2016", "2019", "2022", "2025")}


def test_a_windows_server_is_set_to_what_is_around_it(pki: Pki, tmp_path: Path) -> None:
    (row,) = [one for one in WINDOWS if one.name == "pac-list"]
    with Lab(tmp_path, [row.scenario], endpoints=ENDPOINTS, pki_folder=pki.folder) as lab:
        looks = windows_looks(lab, "pac-list")
        variables = looks.lay_out(tmp_path)
        written = Path(variables["PWSH_REGISTRY_FIXTURE"]).read_text()
        # Later values stand after earlier ones, under one header.
        assert written.count("Windows Registry Editor") == 1
        assert written.index('"UBR"') < written.rindex('"DefaultConnectionSettings"')
        values = [
            bytes.fromhex(line.partition("hex:")[2].replace(",", ""))
            for line in looks.values.splitlines() if line.startswith('"DefaultConnectionSettings"')
        ]
        url = values[0][values[0].index(b"http://") :].rstrip(b"\0").decode()
        with connect(url.removeprefix("http://").partition("/")[0]) as connection:
            status, head, body = ask(connection, "pac.example", "/proxy.pac")
        assert (status, b"application/x-ns-proxy-autoconfig" in head) == (200, True)
        dead, used = (entry.split()[1] for entry in body.decode().split('"')[1].split(";"))
        assert f"http://{used}" == lab.sites["pac-list"].proxy_url
        with pytest.raises(ConnectionRefusedError):
            connect(dead)


def test_healthy_answers_are_the_clouds_own(pki: Pki) -> None:
    request = servers.Request("GET", "/", {"host": "Login.MicrosoftOnline.com:443"}, secure=True)
    assert request.host == SIGN_IN
    assert healthy.answer(pki, request).status == 200


# --- what two runs are compared by ---------------------------------------------------------------------------------------


def of_one_request(kind: str, length: int, body: bytes) -> dict[str, Any]:
    facts = {
        "status": 200, "headers": {"content-type": [kind], "content-length": [str(length)], "date": [f"in the {length}th minute"]},
        "body": base64.b64encode(body).decode(), "body_bytes": length,
    }
    stages = {"request": {"state": "ok", "ms": length, "facts": facts}}
    attempt = {"path": "direct", "target": "ocsp.digicert.com:80", "wave": 2, "url": "http://ocsp.digicert.com", "stages": stages}
    return {"certificates": {}, "attempts": [attempt], "rechecks": []}


@pytest.mark.parametrize("kind", told.MADE_ANEW)
def test_what_is_signed_anew_may_be_a_byte_longer(kind: str) -> None:
    assert told.told(of_one_request(kind, 474, b"one")) == told.told(of_one_request(kind, 475, b"other"))


def test_what_else_was_answered_is_compared_whole() -> None:
    first = told.told(of_one_request("text/html", 474, b"one"))
    assert first != told.told(of_one_request("text/html", 475, b"one"))
    assert first != told.told(of_one_request("text/html", 474, b"other"))
