# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One answer to Microsoft's question: do the machine, the proxy and the firewall support the SHA-512 certificate.

FOR INTERNAL COLLECTION USE ONLY. Pure. Never more than is known: no public capture tells the hash of the real certificate.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from ..model import Phase, SeenFrom, Status
from ..observe.observation import Observation, StageName
from .certificate import INSPECTED
from .hellos import SHA512 as CUT_ON_PATH
from .rehearsals import CLIENT_CERTIFICATE, TRUST
from .route import Route, Row

RSA_SHA512 = 0x0601
NOT_OFFERED = "APC211"


class Machine(str, Enum):
    OFFERS = "offers"
    DOES_NOT = "does_not_offer"
    CANNOT = "cannot_use"
    """It may offer it, and the rehearsal with a certificate of its own failed."""
    UNKNOWN = "unknown"
    NOT_SEEN = "not_seen"
    """What looked is not the server."""


class Path(str, Enum):
    PASSES = "passes"
    CUTS = "cuts"
    INSPECTED = "inspected"
    """The path ends at a device: what it would let through to the service cannot be seen."""
    UNKNOWN = "unknown"


class Service(str, Enum):
    """What the bootstrap service says that it takes of a client."""

    ACCEPTS = "accepts"
    DOES_NOT = "does_not_accept"
    NOT_TOLD = "not_told"


@dataclass(frozen=True)
class Answer:
    machine: Machine
    path: Path
    service: Service
    rehearsed: bool
    """A rehearsal of machine or path went through or failed, and the answer counts it."""

    @property
    def fine(self) -> bool:
        return self.machine in (Machine.OFFERS, Machine.NOT_SEEN) and self.path is Path.PASSES

    @property
    def text(self) -> str:
        return f"SHA-512: {_MACHINE[self.machine]}; {_PATH[self.path]}; {_SERVICE[self.service]}."

    def as_dict(self) -> dict[str, object]:
        return {"machine": self.machine.value, "path": self.path.value, "service": self.service.value, "rehearsed": self.rehearsed,
                "text": self.text}


_MACHINE = {
    Machine.OFFERS: "this server offers it",
    Machine.DOES_NOT: "this server does not offer it",
    Machine.CANNOT: "this server cannot use it",
    Machine.UNKNOWN: "what this server offers is not known",
    Machine.NOT_SEEN: "the server itself was not looked at",
}
_PATH = {
    Path.PASSES: "the path lets it through",
    Path.CUTS: "something on the path cuts it",
    Path.INSPECTED: "the path ends at a device that inspects TLS, so what lies behind is not known",
    Path.UNKNOWN: "what the path does is not known",
}
_SERVICE = {
    Service.ACCEPTS: "the service says that it takes it",
    Service.DOES_NOT: "the service does not name it among what it takes",
    Service.NOT_TOLD: "the service did not tell",
}


def _machine(rows: Sequence[Row], observation: Observation, seen_from: SeenFrom) -> Machine:
    if seen_from is not SeenFrom.SERVER:
        return Machine.NOT_SEEN
    if any(row.id == TRUST and row.status is Status.FAIL for row in rows):
        return Machine.CANNOT
    if observation.platform_hello is None:
        return Machine.DOES_NOT if any(row.id == NOT_OFFERED and row.status is Status.FAIL for row in rows) else Machine.UNKNOWN
    return Machine.OFFERS if RSA_SHA512 in observation.platform_hello.signature_algorithms else Machine.DOES_NOT


def _path(rows: Sequence[Row], routes: Sequence[Route]) -> Path:
    """Told by the endpoints that take a connector's certificate or its traffic, where they are genuine."""
    of_path = [row for row in rows if row.id == CUT_ON_PATH]
    if any(row.status in (Status.FAIL, Status.WARN) for row in of_path) or any(
            row.id == CLIENT_CERTIFICATE and row.status is Status.FAIL for row in rows):
        return Path.CUTS
    bootstrap = [route for route in routes if route.endpoint.phase is Phase.BOOTSTRAP]
    if any(row.id == INSPECTED and row.status is Status.FAIL and row.endpoint in [route.endpoint for route in bootstrap] for row in rows):
        return Path.INSPECTED
    tried = [route for route in routes if route.genuine and _passed(route)]
    needed = bootstrap or [route for route in routes if route.endpoint.phase is Phase.REGISTRATION]
    return Path.PASSES if tried and all(route in tried for route in needed) else Path.UNKNOWN


def _passed(route: Route) -> bool:
    """An alert came through the path as well."""
    stage = route.stage(StageName.HELLO_SHA512)
    return stage is not None and (stage.ok or stage.code == "alert")


def _service(routes: Sequence[Route]) -> Service:
    for route in routes:
        hello = route.stage(StageName.HELLO)
        asked = hello.facts.get("certificate_request") if hello is not None else None
        if route.endpoint.phase is Phase.BOOTSTRAP and route.genuine and asked:
            return Service.ACCEPTS if RSA_SHA512 in asked["signature_algorithms"] else Service.DOES_NOT
    return Service.NOT_TOLD


def answer(rows: Iterable[Row], routes: Sequence[Route], observation: Observation, seen_from: SeenFrom) -> Answer:
    rows = tuple(rows)
    rehearsed = any(row.id in (TRUST, CLIENT_CERTIFICATE) and row.status in (Status.PASS, Status.FAIL) for row in rows)
    return Answer(_machine(rows, observation, seen_from), _path(rows, routes), _service(routes), rehearsed)
