# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS: does a TLS 1.2 (or newer) connection to the endpoint come to stand. Certificates are certificate.py's.

FOR INTERNAL COLLECTION USE ONLY. Pure. The hand-written hello alone never fails an endpoint: where the platform's handshake
stands, a failed hello is `unknown`; where both fail, the handshake's word decides and the hello tells why.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..model import Owner, Phase, Status
from ..observe.observation import Stage, StageName
from .observed import NOT_UNDERSTOOD
from .route import Route, Row, failed, not_run, passed, words

BLOCKED, VERSION, CIPHER, NOT_TLS, STALLED, TLS13 = "APC131", "APC132", "APC133", "APC134", "APC135", "APC136"
IDS = (BLOCKED, VERSION, CIPHER, NOT_TLS, STALLED, TLS13)

TLS12, TLS13_NUMBER = 771, 772
_VERSION_ALERTS = (70, 86)
"""protocol_version, inappropriate_fallback."""
_CIPHER_ALERTS = (40, 71)
"""handshake_failure, insufficient_security."""
_OLD_VERSIONS = ("SSLv3", "TLSv1", "TLSv1.0", "TLSv1.1")


def judge_tls(route: Route) -> Iterator[Row]:
    hello, handshake = route.stage(StageName.HELLO), route.stage(StageName.HANDSHAKE)
    if not route.endpoint.tls or not route.connected or handshake is None or not_run(handshake):
        return
    if route.tls_stands:
        yield from _stands(route, hello, handshake)
    elif _wants_client_certificate(route, handshake):
        yield from (passed(id_, route, note="asks for a client certificate at once, as expected") for id_ in IDS)
    else:
        yield _why(route, hello, handshake)


def _stands(route: Route, hello: Stage | None, handshake: Stage) -> Iterator[Row]:
    version = handshake.facts.get("version")
    if version in _OLD_VERSIONS:
        yield failed(VERSION, route, {"error": f"only {version} came to stand", "alert": _number(None)}, group=(version,))
        return
    yield from (passed(id_, route) for id_ in (BLOCKED, VERSION, CIPHER, NOT_TLS, STALLED))
    if handshake.facts.get("protocols") == "tls12":
        yield failed(TLS13, route, {"error": handshake.facts.get("default_error", "failed")}, status=Status.WARN)
    else:
        yield passed(TLS13, route)
    if hello is None or hello.ok or not_run(hello):
        return
    if hello.code == "alert" and handshake.facts.get("version") == "TLSv1.3":
        # Only 1.3 is spoken there, and the platform speaks it.
        return
    yield failed(NOT_UNDERSTOOD, route, {"error": f"hello {words(hello)}"}, status=Status.UNKNOWN, group=(hello.code,))


def _wants_client_certificate(route: Route, handshake: Stage) -> bool:
    """The bootstrap service knows a connector by its certificate and may refuse to go on without one."""
    asked = route.endpoint.phase is Phase.BOOTSTRAP and route.asks_for_client_certificate
    return asked and handshake.code in ("alert", "closed") and route.genuine


def _alert(hello: Stage | None, handshake: Stage) -> int | None:
    """The alert's number: the platform's where it tells, else the hello's (which tells always)."""
    for stage in (handshake, hello):
        if stage is not None and stage.error is not None and stage.error.description is not None:
            return stage.error.description
    return None


def _speaks_12(route: Route) -> bool:
    hello = route.platform_hello
    return hello is None or bool({TLS12, TLS13_NUMBER} & set(hello.versions))


def _why(route: Route, hello: Stage | None, handshake: Stage) -> Row:
    evidence = {"error": words(handshake)}
    if route.loss(StageName.HANDSHAKE) is Status.UNKNOWN:
        return failed(BLOCKED, route, evidence, status=Status.UNKNOWN)
    if hello is not None and hello.code == "not_tls":
        first = hello.error.first_bytes if hello.error else None
        return failed(NOT_TLS, route, {"first_bytes": _printable(first or "")}, group=("not_tls",))
    if handshake.code in ("timeout", "closed", "reset"):
        if hello is not None and hello.code == "stalled":
            return failed(STALLED, route, {"bytes": (hello.error.bytes if hello.error else None) or 0})
        return failed(BLOCKED, route, evidence, group=(handshake.code,))
    alert = _alert(hello, handshake)
    owner = None if _speaks_12(route) else Owner.SERVER
    if alert in _VERSION_ALERTS or (hello is not None and hello.facts.get("version") in _OLD_VERSIONS):
        return failed(VERSION, route, {**evidence, "alert": _number(alert)}, owner=owner, group=(str(alert),))
    if alert in _CIPHER_ALERTS:
        return failed(CIPHER, route, {**evidence, "alert": _number(alert)}, owner=owner, group=(str(alert),))
    if hello is not None and hello.ok and handshake.code in ("protocol", "alert"):
        # The platform turned down what the hello accepted: no common ground that either names.
        return failed(CIPHER, route, {**evidence, "alert": _number(alert)}, group=(handshake.code,))
    return failed(BLOCKED, route, {"error": f"alert {alert}" if alert is not None else words(handshake)}, group=(handshake.code,))


def _number(alert: int | None) -> str:
    return "no alert" if alert is None else f"alert {alert}"


def _printable(first_bytes: str) -> str:
    """Hex to text, what cannot be printed as dots: `HTTP/1.1 400 Bad Request` says more than its hex."""
    try:
        raw = bytes.fromhex(first_bytes)
    except ValueError:
        return first_bytes
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in raw)
