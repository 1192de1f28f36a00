# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observations written by hand, in the shape that the engines give: for tests of judges, which need no network.

A world begins healthy; a test changes what it is about: `world.stage("login.microsoftonline.com:443", "connect", error("timeout"))`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from ansible_collections.appproxy.connector.plugins.plugin_utils.model import Endpoint, Phase
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from .pki import Credential, Pki

ADDRESS = "203.0.113.10"
SEEN_AT = "%Y-%m-%dT%H:%M:%SZ"
ALERT = {"handshake_failure": 40, "protocol_version": 70}


def ok(**facts: Any) -> dict[str, Any]:
    return {"state": "ok", "ms": 5, "facts": facts}


def error(code: str, message: str = "", facts: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"state": "error", "ms": 5, "facts": dict(facts or {}), "error": {"code": code, "message": message, **more}}


NOT_RUN = {"state": "not_run", "reason": "deadline"}


def answer(status: int = 200, body: bytes = b"<html>", **headers: str) -> dict[str, Any]:
    """A request stage; header names with `_` for `-`."""
    named = {name.replace("_", "-"): [value] for name, value in headers.items()}
    return ok(status=status, reason="", headers=named, body=base64.b64encode(body[:512]).decode(), body_bytes=min(len(body), 512))


def whole(body: bytes, kind: str = "application/pkix-crl") -> dict[str, Any]:
    """An answer of which the length is told."""
    return answer(200, body, content_type=kind, content_length=str(len(body)))


SUITES = [0xC02C, 0xC02B, 0xC030, 0xC02F]
HELLO = {"versions": [772, 771], "suites": SUITES, "groups": [29, 23], "signature_algorithms": [0x0804, 0x0401, 0x0601], "extensions": [0],
         "bytes": 300}


def known(value: Any) -> dict[str, Any]:
    return {"ok": True, "value": value}


def denied(message: str = "Access is denied") -> dict[str, Any]:
    return unknown("denied", message)


def unknown(code: str, message: str = "") -> dict[str, Any]:
    return {"ok": False, "error": {"code": code, "message": message}}


def internet(sid: str, **settings: Any) -> dict[str, Any]:
    return known({"sid": sid, "from": "connections", "auto_detect": False, "pac": None, "proxy": None, "bypass": None, **settings})


def server_facts(**changes: Any) -> dict[str, Any]:
    """The facts of a Windows Server 2022 with its defaults, but IE Enhanced Security Configuration, which is off; `changes` are facts."""
    policy = {"enable_scripts": None, "policy": None}
    profile = {"enabled": 1, "outbound": 0}
    facts: dict[str, Any] = {
        "windows": {"product": "Windows Server 2022 Standard", "edition": "ServerStandard", "installation": "Server", "build": 20348,
                    "revision": 2700, "release": "21H2"},
        "computer": {"domain_joined": True, "memory_bytes": 16 << 30, "processors": 4},
        "system": {"product_type": 3, "booted_at": "2026-11-20T01:00:00Z"},
        "disk": {"drive": "C:", "free_bytes": 50 << 30},
        "clock": {"zone": "UTC", "offset_minutes": 0},
        "pending_reboot": {"reasons": []},
        "powershell": {"version": "5.1.20348.2849", "language_mode": "FullLanguage"},
        "execution_policy": {"machine": policy, "user": policy},
        "ie_enhanced_security": {"administrators": 0, "users": 0},
        "fips": {"enabled": 0},
        "dynamic_ports": {"start": 49152, "number": 16384, "in_use": 60},
        "administrator": True,
        "firewall": {"profiles": dict.fromkeys(("domain", "private", "public"), profile),
                     "policy_profiles": dict.fromkeys(("domain", "private", "public"), {"enabled": None, "outbound": None}),
                     "blocking": []},
        "services": [],
        "products": [],
        "dotnet": {"native": 528449, "wow64": 528449},
        "dotnet_tls": {view: {"strong_crypto": None, "system_default": None} for view in ("native", "wow64")},
        "schannel": {"protocols": {}, "hashes": {}, "ciphers": {}, "key_exchange": {}},
        "cipher_order": {"policy": None, "local": None},
        "signature_list": {"policy": None, "local": None},
        "winhttp_protocols": {"native": None, "wow64": None},
        "roots": {"present": ["df3c24f9bfd666761b268073fe06d1cc8d4f82a4"], "count": 40},
        "root_update": {"disabled": None},
        "winhttp_proxy": {"native": None, "wow64": None},
        "proxy_policy": {"per_user": None},
        "internet_settings": {"network_service": internet("S-1-5-20"), "local_system": internet("S-1-5-18"),
                              "session": internet("S-1-5-21-1"), "machine": internet("machine")},
        "default_proxy": {"machine_config": None, "machine_config_32": None, "service": None, "updater": None},
        "environment_proxy": {"machine": {"http_proxy": None, "https_proxy": None, "no_proxy": None}},
        "pac": [],
    }
    return {name: known(value) for name, value in facts.items()} | changes


def ways(targets: Iterable[str], *choices: str, by: str = "none") -> dict[str, Any]:
    return {"ways": list(choices), "by": by, "targets": list(targets)}


def identity(*taken: dict[str, Any], account: str = "S-1-5-20") -> dict[str, Any]:
    return known({"account": account, "ways": list(taken)})


def all_direct(targets: Iterable[str]) -> dict[str, Any]:
    targets = list(targets)
    return {name: identity(ways(targets, "direct")) for name in ("network_service", "local_system", "windows", "session")}


def together(*observations: Mapping[str, Any]) -> dict[str, Any]:
    """One observation over the paths of several."""
    first = deepcopy(dict(observations[0]))
    attempts = [one for seen in observations for one in seen["attempts"]]
    first["attempts"] = [one for one in attempts if one["wave"] == 1] + [one for one in attempts if one["wave"] == 2]
    first["certificates"] = {digest: one for seen in observations for digest, one in seen["certificates"].items()}
    return first


class World:
    """One observation in the making, over one path, for the given endpoints."""

    def __init__(self, pki: Pki, endpoints: Iterable[Endpoint], path: str = "direct") -> None:
        self.pki, self.path = pki, path
        self.endpoints = tuple(endpoints)
        self.certificates: dict[str, str] = {}
        self.first: dict[str, dict[str, Any]] = {}
        self.more: dict[str, list[dict[str, Any]]] = {}
        self.second: list[dict[str, Any]] = []
        self.rechecks: list[dict[str, Any]] = []
        self.leaf = pki.leaf(*(endpoint.host for endpoint in self.endpoints))
        for endpoint in self.endpoints:
            self.first[endpoint.id] = self._attempt(endpoint.id, endpoint.port, self._healthy(endpoint))
        self._revocation()

    # -- a healthy world

    def _attempt(self, target: str, port: int, stages: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"target": target, "path": self.path, "wave": 1, "url": None, "address": ADDRESS, "port": port,
                "redirected_to": None, "stages": stages, **more}

    def _way(self, name: str) -> dict[str, Any]:
        stages = {"resolve": ok(name=name, addresses=[ADDRESS]), "connect": ok(local="192.0.2.5")}
        if self.path != "direct":
            stages["proxy"] = ok(status=200, reason="", headers={}, challenges=[])
        return stages

    def _healthy(self, endpoint: Endpoint) -> dict[str, Any]:
        stages = self._way(endpoint.host)
        if endpoint.tls:
            asks = {"types": [1], "signature_algorithms": [0x0401, 0x0601], "issuers": 0} if endpoint.phase is Phase.BOOTSTRAP else None
            stages |= self.shown(self.leaf, certificate_request=asks)
            if endpoint.needed and endpoint.phase in (Phase.REGISTRATION, Phase.BOOTSTRAP, Phase.RUNTIME):
                stages |= {name: ok(bytes=4000, version="TLSv1.2", signature_algorithm=0x0401) for name in ("hello_sha512", "hello_padded")}
            stages["request"] = answer(404)
            if endpoint.websocket:
                stages["websocket"] = answer(101)
        else:
            stages["request"] = self._published(f"http://{endpoint.host}{endpoint.get}")
        return stages

    def _published(self, url: str) -> dict[str, Any]:
        if url.startswith("http://ocsp.") or "ocsp." in url.split("/")[2]:
            leaf, issuer = self.leaf.certificate, self.pki.public_issuing.certificate
            return whole(self.pki.ocsp(_ocsp_request(leaf, issuer)), "application/ocsp-response")
        if url.endswith(".cab"):
            return whole(b"MSCF" + bytes(200), "application/vnd.ms-cab-compressed")
        return whole(self.pki.crl())

    def _revocation(self) -> None:
        """Every URL that the healthy chain names, as the second wave gives it."""
        for certificate in (self.leaf.certificate, *self.leaf.chain):
            for url in _named_urls(certificate):
                host = url.split("/")[2]
                stages = self._way(host) | {"request": self._published(url)}
                self.second.append(self._attempt(f"{host}:80", 80, stages, wave=2, url=url))

    # -- changes

    def shown(self, credential: Credential, *, chain: bool = True, trusted: bool = True, errors: Iterable[str] = (),
              certificate_request: Any = None) -> dict[str, Any]:
        """Hello and handshake stages of a server that shows this credential."""
        shown = [self._keep(one) for one in (credential.certificate, *(credential.chain if chain else ()))]
        said = [*([] if trusted else ["untrusted"]), *errors]
        hello = ok(version="TLSv1.2", cipher=0xC02F, chain=shown, certificate_request=certificate_request, downgrade_sentinel=False,
                   warnings=[], bytes=4000, template="platform",
                   key_exchange={"kind": "ecdhe", "group": 29, "signature_algorithm": 0x0401})
        facts = {"version": "TLSv1.2", "cipher": "ECDHE-RSA-AES128-GCM-SHA256", "chain": shown, "protocols": "default", "errors": said,
                 "chain_status": []}
        return {"hello": hello, "handshake": error(said[0], "certificate verify failed", facts) if said else ok(**facts)}

    def _keep(self, certificate: x509.Certificate) -> str:
        der = certificate.public_bytes(Encoding.DER)
        digest = hashlib.sha256(der).hexdigest()
        self.certificates[digest] = base64.b64encode(der).decode()
        return digest

    def stage(self, target: str, name: str, stage: Mapping[str, Any] | None) -> None:
        """Set one stage of a target's first attempt; the stages that an error bars are taken away. None takes it away."""
        stages = self.first[target]["stages"]
        if stage is None:
            stages.pop(name, None)
            return
        stages[name] = dict(stage)
        if stage["state"] != "ok" and name in ("resolve", "connect", "proxy"):
            order = ("resolve", "connect", "proxy", "hello", "handshake", "request", "websocket")
            for later in order[order.index(name) + 1:]:
                stages.pop(later, None)

    def every(self, name: str, stage: Mapping[str, Any], *, tls: bool | None = None) -> None:
        for endpoint in self.endpoints:
            if tls is None or endpoint.tls is tls:
                self.stage(endpoint.id, name, stage)

    def shows(self, target: str, credential: Credential, **more: Any) -> None:
        self.first[target]["stages"] |= self.shown(credential, **more)

    def addresses(self, target: str, *connects: tuple[str, Mapping[str, Any]]) -> None:
        """The target's addresses in order, each with its connect stage; the first that connects carries the healthy rest."""
        attempt = self.first[target]
        rest = {name: stage for name, stage in attempt["stages"].items() if name not in ("resolve", "connect")}
        attempt["stages"] = {"resolve": ok(name=target.rsplit(":", 1)[0], addresses=[address for address, dummy in connects])}
        self.more[target] = []
        carried = False
        for number, (address, connect) in enumerate(connects):
            one = attempt if number == 0 else self._attempt(target, attempt["port"], {})
            one["address"] = address
            one["stages"]["connect"] = dict(connect)
            if connect["state"] == "ok" and not carried:
                one["stages"] |= rest
                carried = True
            if number:
                self.more[target].append(one)

    def fetched(self, url: str, stage: Mapping[str, Any], name: str = "request") -> None:
        """Set what came of a URL of the second wave (a stem is enough) and of a target of the first that asks for it."""
        for attempt in self.second:
            if attempt["url"].startswith(url):
                attempt["stages"][name] = dict(stage)
                if name == "connect":
                    attempt["stages"].pop("request", None)

    def observation(self, seen_at: str, family: str = "windows", **more: Any) -> dict[str, Any]:
        attempts = [one for endpoint in self.endpoints for one in (self.first[endpoint.id], *self.more.get(endpoint.id, ()))]
        return deepcopy({
            "schema": 1,
            "engine": {"name": {"windows": "connector_info", "posix": "path_info"}[family], "version": "1.0.0", "family": family,
                       "platform": "written by hand"},
            "seen_as": "EXAMPLE\\engineer",
            "seen_at": seen_at,
            "elapsed_ms": 900,
            "deadline_ms": 20000,
            "platform_hello": known(HELLO),
            "attempts": [*attempts, *self.second],
            "rechecks": self.rechecks,
            "certificates": self.certificates,
            **more,
        })


def _named_urls(certificate: x509.Certificate) -> list[str]:
    urls = []
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.CRLDistributionPoints):
            urls += [name.value for point in extension.value for name in point.full_name or ()]
        if isinstance(extension.value, x509.AuthorityInformationAccess):
            urls += [item.access_location.value for item in extension.value]
    return urls


def _ocsp_request(leaf: x509.Certificate, issuer: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA1
    from cryptography.x509.ocsp import OCSPRequestBuilder

    return OCSPRequestBuilder().add_certificate(leaf, issuer, SHA1()).build().public_bytes(Encoding.DER)


__all__ = [
    "ADDRESS", "ALERT", "HELLO", "NOT_RUN", "SEEN_AT", "World", "all_direct", "answer", "denied", "error", "identity", "internet", "known",
    "ok", "server_facts", "together", "unknown", "ways", "whole",
]
