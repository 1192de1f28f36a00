# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the project as types: what catalogue, judges, fold, verdict and reports hand to each other.

FOR INTERNAL COLLECTION USE ONLY. Nothing here imports Ansible, does I/O or reads a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
"""How a time (UTC) is written: in observations, results and reports."""


class Area(str, Enum):
    """What a check belongs to; also what the options `checks` and `skip_checks` name."""

    CONNECTIVITY = "connectivity"
    TRUST = "trust"
    SERVER = "server"
    ADMIN = "admin"
    TOOL = "tool"


class Owner(str, Enum):
    """Who can mend it."""

    NETWORK = "network"
    DNS = "dns"
    PROXY = "proxy"
    SERVER = "server"
    IDENTITY = "identity"
    SERVICE = "service"
    TOOL = "tool"


class Severity(str, Enum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Status(str, Enum):
    """`unknown` is what was needed but could not be seen: never a pass."""

    PASS = "pass"
    FAIL = "fail"
    WARN = "warn"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"
    WAIVED = "waived"


class Verdict(str, Enum):
    READY = "ready"
    NOT_READY = "not_ready"
    INCONCLUSIVE = "inconclusive"


class SeenFrom(str, Enum):
    SERVER = "server"
    CONTROLLER = "controller"
    JUMP_HOST = "jump_host"


class Identity(str, Enum):
    """As whom a way out of the server is taken."""

    INSTALLING_USER = "installing_user"
    NETWORK_SERVICE = "network_service"
    """The connector's own account."""
    LOCAL_SYSTEM = "local_system"
    """The updater's."""
    WINDOWS = "windows"
    """Windows itself, when it fetches revocation lists for Network Service."""
    SESSION = "session"
    """Ansible's own: what is seen of it says nothing of the others."""


class Phase(str, Enum):
    """When a connector talks to an endpoint."""

    SIGN_IN = "sign-in"
    REGISTRATION = "registration"
    BOOTSTRAP = "bootstrap"
    RUNTIME = "runtime"
    REVOCATION = "revocation"
    UPDATE = "update"
    FEDERATION = "federation"
    """The sign-in at the company's own identity provider."""
    EXTRA = "extra"


@dataclass(frozen=True)
class Endpoint:
    """A concrete host and port that a connector talks to."""

    host: str
    port: int
    tls: bool
    phase: Phase
    needed: bool
    stands_for: str
    """The documented name or wildcard that a firewall rule would carry."""
    row: str
    """The documentation row, in its own words, that the endpoint comes from."""
    source: str
    """Where the row stands: a URL."""
    date: str
    """Of the source: ISO date, or the month that it gives."""
    sample: bool = False
    """A documented example of a name that exists only after registration; it need not resolve."""
    get: str = "/"
    """Path of the one harmless GET."""
    websocket: str | None = None
    """Path of a WebSocket upgrade, where the connector makes one."""
    note: str = ""
    """What documents say against each other about it."""

    @property
    def id(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class FindingSpec:
    """What is known of a finding before anything was seen: its words, whose it is, how bad, where it is documented."""

    id: str
    name: str
    area: Area
    owner: Owner
    severity: Severity
    title: str
    """One line; `{placeholders}` are evidence keys or one of STANDARD_PLACEHOLDERS."""
    cause: str
    """Why it happens, in one or two sentences, without placeholders."""
    hint: str
    """What to do, imperative, with the exact value, command or rule; placeholders as in the title."""
    docs: str
    """Documentation link (Microsoft's page where there is one)."""
    sources: tuple[str, ...]
    evidence: tuple[str, ...] = ()
    """Keys that a finding of this id always carries in its evidence."""
    tells_what_was_not_seen: bool = False
    """The title holds as it is where the status is `unknown`: it says what kept from seeing."""


STANDARD_PLACEHOLDERS = ("endpoints", "hosts", "ports", "count", "path", "proxy")
"""Always there: up to three endpoints in words, their host names or wildcards in words, their ports, their number, the path, and
the proxy as host:port (empty on a direct path)."""


@dataclass(frozen=True)
class Finding:
    """One answer. The shape that results, files and reports carry (see as_dict)."""

    id: str
    name: str
    status: Status
    severity: Severity
    owner: Owner
    title: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    hint: str = ""
    docs: str = ""
    endpoints: tuple[str, ...] = ()
    path: str | None = None
    because: tuple[str, ...] = ()
    waiver: Mapping[str, Any] | None = None
    seen_from: SeenFrom = SeenFrom.SERVER

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types, keys in the order of the design."""
        return {
            "id": self.id,
            "name": self.name,
            "status": self.status.value,
            "severity": self.severity.value,
            "owner": self.owner.value,
            "title": self.title,
            "evidence": dict(self.evidence),
            "hint": self.hint,
            "docs": self.docs,
            "endpoints": list(self.endpoints),
            "path": self.path,
            "because": list(self.because),
            "waiver": None if self.waiver is None else dict(self.waiver),
            "seen_from": self.seen_from.value,
        }
