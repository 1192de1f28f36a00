# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two opt-in rehearsals: what came of them, and what the second one says of the path.

FOR INTERNAL COLLECTION USE ONLY. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..model import Status
from ..observe.observation import Fact
from .hellos import SHA512
from .route import Row

TRUST, CLIENT_CERTIFICATE = "APC214", "APC216"
_CUT = ("reset", "closed", "timeout")


def judge_rehearsals(rehearsals: Mapping[str, Fact], trust: bool, client_certificate: bool) -> Iterator[Row]:
    """The flags say which were asked for."""
    asked = ((TRUST, "trust", trust, _trust), (CLIENT_CERTIFICATE, "client_certificate", client_certificate, _client_certificate))
    for id_, name, wanted, judge in asked:
        fact = rehearsals.get(name)
        if not wanted:
            yield Row(id_, Status.NOT_APPLICABLE, None, None, note="not asked for")
        elif fact is None or fact.error is not None:
            why = "nothing was told of it" if fact is None or fact.error is None else f"{fact.error.code}: {fact.error.message}"
            yield Row(id_, Status.UNKNOWN, None, None, dict.fromkeys(_EVIDENCE[id_], why))
        else:
            yield judge(fact.value)


_EVIDENCE = {TRUST: ("error",), CLIENT_CERTIFICATE: ("sha256", "sha512")}


def _trust(value: Mapping[str, Any]) -> Row:
    if value["passed"] and value["deleted"]:
        return Row(TRUST, Status.PASS, None, None)
    if value["passed"]:
        left = "it can; but the rehearsal's own machine key, appproxy.connector rehearsal, could not be deleted"
        return Row(TRUST, Status.WARN, None, None, {"error": left})
    return Row(TRUST, Status.FAIL, None, None, {"error": value["error"] or "the handshake failed"})


def _said(answer: Mapping[str, Any]) -> str:
    return f"alert {answer['alert']}" if answer["code"] == "alert" else str(answer["code"])


def _client_certificate(value: Mapping[str, Any]) -> Row:
    """The same answer to both means that the path makes no difference; a refusal by alert is the far end's own."""
    old, new = value["sha256"], value["sha512"]
    if not value["asked"]:
        nothing = dict.fromkeys(_EVIDENCE[CLIENT_CERTIFICATE], "no certificate was asked for")
        return Row(CLIENT_CERTIFICATE, Status.UNKNOWN, None, None, nothing)
    if old["code"] == "alert" and new["code"] in _CUT:
        return Row(CLIENT_CERTIFICATE, Status.FAIL, None, None, {"sha256": _said(old), "sha512": _said(new)})
    if old["code"] in _CUT:
        return Row(CLIENT_CERTIFICATE, Status.UNKNOWN, None, None, {"sha256": _said(old), "sha512": _said(new)})
    alike = _said(old) == _said(new)
    note = "" if alike else f"the service answers {_said(old)} to SHA-256, {_said(new)} to SHA-512"
    return Row(CLIENT_CERTIFICATE, Status.PASS, None, None, note=note)


def confirm(rows: Iterable[Row]) -> tuple[Row, ...]:
    """What was only likely of the path is certain where the rehearsal saw it too."""
    rows = tuple(rows)
    confirmed = any(row.id == CLIENT_CERTIFICATE and row.status is Status.FAIL for row in rows)
    return tuple(replace(row, status=Status.FAIL) if confirmed and row.id == SHA512 and row.status is Status.WARN else row for row in rows)
