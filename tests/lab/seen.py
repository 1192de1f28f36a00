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

    def observation(self, seen_at: str, family: str = "windows") -> dict[str, Any]:
        attempts = [one for endpoint in self.endpoints for one in (self.first[endpoint.id], *self.more.get(endpoint.id, ()))]
        return deepcopy({
            "schema": 1,
            "engine": {"name": {"windows": "connector_info", "posix": "path_info"}[family], "version": "1.0.0", "family": family,
                       "platform": "written by hand"},
            "seen_as": "EXAMPLE\\engineer",
            "seen_at": seen_at,
            "elapsed_ms": 900,
            "deadline_ms": 20000,
            "platform_hello": {"ok": True, "value": {"versions": [772, 771], "suites": [0xC02F], "groups": [29],
                                                     "signature_algorithms": [0x0401, 0x0601], "extensions": [0], "bytes": 300}},
            "attempts": [*attempts, *self.second],
            "rechecks": self.rechecks,
            "certificates": self.certificates,
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


__all__ = ["ADDRESS", "ALERT", "NOT_RUN", "SEEN_AT", "World", "answer", "error", "ok", "whole"]
