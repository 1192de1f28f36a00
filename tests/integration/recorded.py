# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observations as a target would give them, made from a request: healthy ones, and ones with a fault.

Certificates are real ones of a certificate authority that exists for the tests only; its root is given to the judge as
`public_roots`.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from lab.seen import HELLO, all_direct, known, server_facts

TENANT = "00000000-1111-2222-3333-444444444444"
SEEN_AT = datetime(2026, 11, 26, 1, 0, 0, tzinfo=timezone.utc)
OCSP_SUCCESS = b"\x30\x03\x0a\x01\x00"
CABINET = b"MSCF\x00\x00\x00\x00"
PAGE = b"{}"
PROXY = "http://proxy.example:8080"
ADDRESS = "20.190.151.10"
"""Public, since a judge does not believe that the service is at an address for documentation."""
PROXY_ADDRESS = "192.0.2.8"


@dataclass(frozen=True)
class World:
    """A root that counts as public, and one certificate for all of its names."""

    root: x509.Certificate
    leaf: x509.Certificate

    def write_roots(self, path: Path) -> Path:
        path.write_bytes(self.root.public_bytes(serialization.Encoding.PEM))
        return path


def make_world(names: list[str]) -> World:
    root_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Recorded Public Root")])

    def builder(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder().subject_name(subject).issuer_name(root_name).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(SEEN_AT - timedelta(days=30)).not_valid_after(SEEN_AT + timedelta(days=300))
        )

    authority = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    root = (
        builder(root_name, root_key).add_extension(x509.BasicConstraints(True, None), True).add_extension(authority, True)
        .sign(root_key, hashes.SHA256())
    )
    leaf = (
        builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]), leaf_key)
        .add_extension(x509.BasicConstraints(False, None), True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
        .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(root_key, hashes.SHA256())
    )
    return World(root, leaf)


def _ok(**facts: Any) -> dict[str, Any]:
    return {"state": "ok", "ms": 5, "facts": facts}


def error(code: str, message: str = "", **facts: Any) -> dict[str, Any]:
    return {"state": "error", "ms": 5, "facts": facts, "error": {"code": code, "message": message or code}}


Stages = Callable[[dict[str, Any], list[str]], dict[str, Any]]
"""A target of the request and the digests of the chain, to what its one attempt saw."""


def _connected(target: dict[str, Any]) -> dict[str, Any]:
    return {"resolve": _ok(name=target["host"], addresses=[ADDRESS]), "connect": _ok(local="192.0.2.1")}


def _answered(status: int, body: bytes) -> dict[str, Any]:
    headers = {"server": ["test"], "content-length": [str(len(body))], "date": [format_datetime(SEEN_AT, usegmt=True)]}
    return _ok(status=status, reason="", headers=headers, body=base64.b64encode(body).decode(), body_bytes=len(body))


@cache
def revocation_list() -> bytes:
    """A real list, DER, of an authority of its own: what a host of lists must give."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateRevocationListBuilder().issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Recorded List")]))
        .last_update(SEEN_AT - timedelta(days=1)).next_update(SEEN_AT + timedelta(days=6))
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def _content(target: dict[str, Any]) -> bytes:
    """What the real host of the target gives: a judge believes nothing else on port 80."""
    if target["tls"]:
        return PAGE
    if target["get"].endswith(".crl"):
        return revocation_list()
    return CABINET if target["get"].endswith(".cab") else OCSP_SUCCESS


def healthy(target: dict[str, Any], chain: list[str]) -> dict[str, Any]:
    stages = _connected(target)
    if target["tls"]:
        request = {"types": [1], "signature_algorithms": [0x0401, 0x0601], "issuers": 1}
        stages["hello"] = _ok(
            version="TLSv1.2", cipher=0xC02F, chain=chain, key_exchange={"kind": "ecdhe", "group": 23, "signature_algorithm": 0x0401},
            certificate_request=request if ".bootstrap." in target["host"] else None, downgrade_sentinel=False, warnings=[], bytes=4000,
            template="platform",
        )
        stages |= {f"hello_{name}": _ok(bytes=4000, version="TLSv1.2", signature_algorithm=0x0401) for name in target.get("hellos", ())}
        stages["handshake"] = _ok(
            version="TLSv1.2", cipher="ECDHE-RSA-AES128-GCM-SHA256", chain=chain, protocols="default", errors=[], chain_status=[],
            callback_ms=3, chain_ms=2,
        )
    stages["request"] = _answered(200, _content(target))
    if target.get("websocket"):
        stages["websocket"] = _answered(401, b"")
    return stages


def dropped(target: dict[str, Any], chain: list[str]) -> dict[str, Any]:
    """A firewall that lets nothing out and says nothing."""
    return {**_connected(target), "connect": error("timeout")}


def password_wanted(target: dict[str, Any], chain: list[str]) -> dict[str, Any]:
    """A proxy that answers everything with 407."""
    refusal = {"status": 407, "reason": "", "challenges": ["Negotiate"], "headers": {}, "body": ""}
    found = _ok(name="proxy.example", addresses=[PROXY_ADDRESS], endpoint={"addresses": []})
    return {"resolve": found, "connect": _ok(local="192.0.2.1"), "proxy": error("auth_required", **refusal)}


def observation(request: dict[str, Any], world: World, stages: Stages) -> dict[str, Any]:
    ders = [certificate.public_bytes(serialization.Encoding.DER) for certificate in (world.leaf, world.root)]
    digests = [hashlib.sha256(der).hexdigest() for der in ders]
    way = request["paths"][0]["id"]
    address = ADDRESS if way == "direct" else PROXY_ADDRESS
    return {
        "schema": 1,
        "engine": {"name": "connector_info", "version": "1.0.0", "family": "windows", "platform": "Recorded"},
        "seen_as": "CONTOSO\\svc-ansible",
        "seen_at": f"{SEEN_AT:%Y-%m-%dT%H:%M:%SZ}",
        "elapsed_ms": 1234,
        "deadline_ms": request["deadline_ms"],
        "platform_hello": known(HELLO),
        "host": server_facts(),
        "bracket": {"before": f"{SEEN_AT:%Y-%m-%dT%H:%M:%SZ}", "after": f"{SEEN_AT:%Y-%m-%dT%H:%M:%SZ}"},
        "identities": all_direct(target["id"] for target in request["targets"]),
        "attempts": [
            {
                "target": target["id"], "path": way, "wave": 1, "url": None, "address": address,
                "port": target["port"] if way == "direct" else 8080, "redirected_to": None, "stages": stages(target, digests),
            }
            for target in request["targets"]
        ],
        "rechecks": [],
        "certificates": {digest: base64.b64encode(der).decode() for digest, der in zip(digests, ders, strict=True)},
    }


def save(path: Path, seen: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(seen), encoding="utf-8")
    return path
