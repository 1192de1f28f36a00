# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What judges read and what they answer: routes in, rows out.

FOR INTERNAL COLLECTION USE ONLY. Pure. A route is one endpoint over one path, with all that was seen of it; a row is one
judge's word about one route, folded into findings later (fold.py).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ..model import Endpoint, Owner, Phase, Status
from ..observe.observation import Attempt, Observation, PlatformHello, Stage, StageName, State
from .chain import ChainReading, Standing

DIRECT = "direct"
CERTIFICATE_ERRORS = ("untrusted", "name_mismatch", "expired")
"""Handshake errors after which the TLS connection itself stands."""


@dataclass(frozen=True)
class Route:
    """One endpoint over one path."""

    endpoint: Endpoint
    path: str
    attempts: tuple[Attempt, ...]
    """One for each address, in the system's order; the first carries `resolve`."""
    chain: ChainReading | None
    """Of the certificate that the platform's handshake saw, else of the hello's; None where neither saw one."""
    platform_hello: PlatformHello | None = None
    fetches_no_issuers: bool = False
    """The engine's TLS library builds chains from what was sent and its own store alone (POSIX)."""
    doubted: frozenset[StageName] = frozenset()
    """Stages at which a lone second try went through on this path: a time-out there may be the probe's own crowd."""

    @property
    def direct(self) -> bool:
        return self.path == DIRECT

    @property
    def proxy(self) -> str:
        """host:port of the path's proxy, or the empty string."""
        return "" if self.direct else self.path.removeprefix("http://")

    @property
    def carrier(self) -> Attempt:
        """The attempt that went furthest: the first whose connection stood, else the first."""
        return next((one for one in self.attempts if _ok(one, StageName.CONNECT)), self.attempts[0])

    def stage(self, name: StageName) -> Stage | None:
        """The carrier's stage; `resolve` from the first attempt."""
        attempt = self.attempts[0] if name is StageName.RESOLVE else self.carrier
        return attempt.stages.get(name)

    @property
    def redirected(self) -> bool:
        return any(one.redirected_to for one in self.attempts)

    @property
    def deferred(self) -> bool:
        """Judged by revocation.py alone: a plain-http endpoint of the revocation phase."""
        return self.endpoint.phase is Phase.REVOCATION and not self.endpoint.tls

    @property
    def connected(self) -> bool:
        """TCP stands, and over a proxy the tunnel."""
        proxy = self.stage(StageName.PROXY)
        return _ok(self.carrier, StageName.CONNECT) and (self.direct or (proxy is not None and proxy.ok))

    @property
    def tls_stands(self) -> bool:
        """The platform's handshake came to an end, whatever it said of the certificate."""
        handshake = self.stage(StageName.HANDSHAKE)
        return handshake is not None and (handshake.ok or handshake.code in CERTIFICATE_ERRORS)

    @property
    def trusted(self) -> bool | None:
        """The platform's word on the issuer; None where it gave none."""
        handshake = self.stage(StageName.HANDSHAKE)
        if handshake is None or not self.tls_stands:
            return None
        return handshake.code != "untrusted" and "untrusted" not in handshake.facts.get("errors", ())

    @property
    def genuine(self) -> bool:
        return self.chain is not None and self.chain.genuine

    @property
    def intercepted(self) -> bool:
        """A chain that no public root stands behind, for an endpoint that has a public one."""
        return self.chain is not None and self.chain.standing is Standing.PRIVATE

    @property
    def asks_for_client_certificate(self) -> bool:
        hello = self.stage(StageName.HELLO)
        return hello is not None and hello.facts.get("certificate_request") is not None


def _ok(attempt: Attempt, name: StageName) -> bool:
    stage = attempt.stages.get(name)
    return stage is not None and stage.ok


@dataclass(frozen=True)
class Row:
    """One word about one endpoint over one path."""

    id: str
    status: Status
    endpoint: Endpoint | None
    path: str | None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    because: tuple[str, ...] = ()
    owner: Owner | None = None
    """Only where it is another than the catalogue's."""
    group: tuple[str, ...] = ()
    """Rows of one id fold into one finding where this is the same: what makes it the same cause."""
    note: str = ""
    """For a pass that is worth a word."""

    @property
    def cause(self) -> tuple[object, ...]:
        """Rows in which this is the same are one finding."""
        return self.id, self.path, self.status, self.owner, self.group, self.because


def passed(id_: str, route: Route, note: str = "") -> Row:
    return Row(id_, Status.PASS, route.endpoint, route.path, note=note)


def failed(id_: str, route: Route, evidence: Mapping[str, Any], *, status: Status = Status.FAIL, because: tuple[str, ...] = (),
           owner: Owner | None = None, group: tuple[str, ...] = ()) -> Row:
    return Row(id_, status, route.endpoint, route.path, evidence, because, owner, group)


def words(stage: Stage | None) -> str:
    """A stage's error for evidence: its code, and the platform's words where there are some."""
    if stage is None or stage.error is None:
        return "no answer"
    said = stage.error.message
    return f"{stage.error.code}: {said}" if said and said != stage.error.code else stage.error.code


_PRIVATE = tuple(ipaddress.ip_network(text) for text in (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8", "fc00::/7", "fe80::/10", "::1/128",
))


def is_private(address: str) -> bool:
    """Private (RFC 1918, RFC 4193), shared (RFC 6598), link-local or loopback."""
    try:
        read = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    except ValueError:
        return False
    return any(read.version == network.version and read in network for network in _PRIVATE)


def is_sinkhole(address: str) -> bool:
    """An address that answers nobody: where a name is answered with it, somebody blocks the name."""
    try:
        read = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    except ValueError:
        return False
    return read.is_unspecified or read.is_loopback


ReadChain = Callable[[tuple[bytes, ...], str], ChainReading]


def _chain(attempts: Sequence[Attempt], host: str, certificates: Mapping[str, bytes], read: ReadChain) -> ChainReading | None:
    """The handshake's leaf decides; issuers may come from either flight, since a platform may show only the leaf."""
    seen: list[str] = []
    for attempt in attempts:
        for name in (StageName.HANDSHAKE, StageName.HELLO):
            stage = attempt.stages.get(name)
            seen += stage.facts.get("chain", ()) if stage else ()
    ders = tuple(certificates[digest] for digest in dict.fromkeys(seen) if digest in certificates)
    return read(ders, host) if ders else None


def routes(endpoints: Iterable[Endpoint], observation: Observation, read: ReadChain) -> tuple[Route, ...]:
    """Every endpoint over every path that was looked at, in the order of path and endpoint.

    An endpoint that the observation does not have is left out: observed.py says so.
    """
    seen: dict[tuple[str, str], list[Attempt]] = {}
    for attempt in observation.attempts:
        if attempt.wave == 1:
            seen.setdefault((attempt.path, attempt.target), []).append(attempt)
    doubted = {
        path: frozenset(one.stage for one in observation.rechecks if one.path == path and one.result.ok) for path in observation.paths()
    }
    read_once = lru_cache(maxsize=None)(read)
    return tuple(
        Route(
            endpoint=endpoint,
            path=path,
            attempts=tuple(seen[path, endpoint.id]),
            chain=_chain(seen[path, endpoint.id], endpoint.host, observation.certificates, read_once),
            platform_hello=observation.platform_hello,
            fetches_no_issuers=observation.family == "posix",
            doubted=doubted[path],
        )
        for path in observation.paths()
        for endpoint in endpoints
        if (path, endpoint.id) in seen
    )


def not_run(stage: Stage | None) -> bool:
    return stage is not None and stage.state is State.NOT_RUN
