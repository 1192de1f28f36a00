# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What judges read and what they answer: routes in, rows out.

FOR INTERNAL COLLECTION USE ONLY. Pure. A route is one endpoint over one path, with all that was seen of it; a row is one
judge's word about one route, folded into findings later (fold.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..model import Endpoint, Owner, Phase, Status
from ..observe.observation import Attempt, Observation, PlatformHello, Recheck, Stage, StageName, State
from .chain import UNREADABLE, ChainReading, Standing
from .waivers import Waiver

DIRECT = "direct"
CERTIFICATE_ERRORS = ("untrusted", "name_mismatch", "expired")
"""Handshake errors after which the TLS connection itself stands."""
LOSSES = ("timeout", "refused", "reset", "closed", "unreachable")
"""What a box says that counts connections, whatever the stage; what the engines try again alone."""


@dataclass(frozen=True)
class Route:
    """One endpoint over one path."""

    endpoint: Endpoint
    path: str
    attempts: tuple[Attempt, ...]
    """One for each address, in the system's order; the first carries `resolve`."""
    chain: ChainReading | None
    """Of the certificates that the platform's handshake saw, else the hello; None where neither saw one."""
    hello_chain: ChainReading | None = None
    """Of what the TLS 1.2 hello saw."""
    platform_hello: PlatformHello | None = None
    fetches_no_issuers: bool = False
    """The engine's TLS library builds chains from what was sent and its own store alone (POSIX)."""
    doubted: frozenset[StageName] = frozenset()
    """Stages at which a lone second try on this path went through, and none of this endpoint failed: a loss may be the crowd's."""
    lost_once: StageName | None = None
    """The stage at which it was lost among many; what is told is the second try, alone."""

    @property
    def direct(self) -> bool:
        return self.path == DIRECT

    @property
    def carrier(self) -> Attempt:
        """The attempt that went furthest: the first whose connection stood, else the first."""
        return next((one for one in self.attempts if _ok(one, StageName.CONNECT)), self.attempts[0])

    def loss(self, name: StageName) -> Status:
        """What a failure at this stage is: unknown where it may be the probe's own crowd."""
        stage = self.stage(name)
        return Status.UNKNOWN if stage is not None and stage.code in LOSSES and name in self.doubted else Status.FAIL

    def stage(self, name: StageName) -> Stage | None:
        """The carrier's stage; `resolve` from the first attempt."""
        attempt = self.attempts[0] if name is StageName.RESOLVE else self.carrier
        return attempt.stages.get(name)

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
        return "untrusted" not in self.said if self.tls_stands else None

    @property
    def said(self) -> frozenset[str]:
        """Every certificate error that the platform's handshake told."""
        handshake = self.stage(StageName.HANDSHAKE)
        if handshake is None:
            return frozenset()
        return frozenset((*handshake.facts.get("errors", ()), *({handshake.code} & set(CERTIFICATE_ERRORS))))

    @property
    def private(self) -> bool:
        """A chain that ends in no public root. A POSIX client fetches no issuers: what it trusts although the chain is open ends in
        its own store. Windows fetches them, and shows the whole chain that it built: there an open end stays open."""
        standing = self.chain.standing if self.chain else None
        return standing is Standing.PRIVATE or (standing is Standing.INCOMPLETE and bool(self.trusted) and self.fetches_no_issuers)

    @property
    def the_users(self) -> bool:
        """An endpoint of the company's own: a certificate of the company is as good there as the server says that it is."""
        return self.endpoint.phase in (Phase.EXTRA, Phase.FEDERATION)

    @property
    def genuine(self) -> bool:
        """It is the endpoint itself that answered: by a public chain, or, of the user's own endpoints, by one that the server trusts."""
        if self.chain is None or self.said & {"name_mismatch", "expired"}:
            return False
        return self.chain.genuine or (self.the_users and bool(self.trusted) and self.chain.name_matches and self.chain.time_ok)

    @property
    def intercepted(self) -> bool:
        """Somebody else's certificate stands before an endpoint that has a public one. Of the company's own endpoints a private one is
        their own: there the platform's word on its root counts, where it gave one."""
        return self.private and not (self.the_users and self.trusted is not None)

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
    waiver: Waiver | None = None
    """The one that covers it, or covered it until it expired (then the status is still its own)."""

    @property
    def cause(self) -> tuple[object, ...]:
        """Rows in which this is the same are one finding."""
        return self.id, self.path, self.status, self.owner, self.group, self.because, self.waiver


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


ReadChain = Callable[[tuple[bytes, ...]], ChainReading]


def _shown(attempts: Sequence[Attempt], name: StageName) -> tuple[str, ...]:
    """The digests of the chain that a stage saw, the leaf first."""
    stages = (attempt.stages.get(name) for attempt in attempts)
    return next((tuple(stage.facts["chain"]) for stage in stages if stage is not None and stage.facts.get("chain")), ())


def _chain(
    shown: tuple[str, ...], more: tuple[str, ...], host: str, certificates: Mapping[str, bytes], read: ReadChain
) -> ChainReading | None:
    """The reading of a chain; issuers may come from the other flight too, since a platform may show only the leaf."""
    if not shown:
        return None
    if shown[0] not in certificates:
        return UNREADABLE
    return read(tuple(certificates[digest] for digest in dict.fromkeys((*shown, *more)) if digest in certificates)).at(host)


def _stood(again: Recheck) -> bool:
    """Alone it was not lost: of a handshake the first try, by the platform's defaults, counts, too."""
    return again.result.ok and "default_error" not in again.result.facts


def _lost_once(again: Recheck | None, attempts: Sequence[Attempt]) -> StageName | None:
    return again.stage if again is not None and attempts and _stood(again) and _ok(attempts[0], again.stage) else None


def routes(journeys: Mapping[str, Iterable[Endpoint]], observation: Observation, read: ReadChain) -> tuple[Route, ...]:
    """Every path's endpoints, in this order. An endpoint that the observation does not have is left out: observed.py says so."""
    seen: dict[tuple[str, str], list[Attempt]] = {}
    for attempt in observation.attempts:
        if attempt.wave == 1:
            seen.setdefault((attempt.path, attempt.target), []).append(attempt)
    again = {(one.path, one.target): one for one in observation.rechecks}
    failed_again = {(one.path, one.target) for one in observation.rechecks if one.result.state is State.ERROR}
    # One that got further, and was lost there, has not taken the place of its first try: it went through nothing.
    passed_again = {(one.path, one.stage) for one in observation.rechecks if _lost_once(one, seen.get((one.path, one.target), ()))}

    def route(path: str, endpoint: Endpoint) -> Route:
        attempts = tuple(seen[path, endpoint.id])
        handshake, hello = _shown(attempts, StageName.HANDSHAKE), _shown(attempts, StageName.HELLO)
        return Route(
            endpoint=endpoint,
            path=path,
            attempts=attempts,
            chain=_chain(handshake or hello, hello, endpoint.host, observation.certificates, read),
            hello_chain=_chain(hello, handshake, endpoint.host, observation.certificates, read),
            platform_hello=observation.platform_hello,
            fetches_no_issuers=observation.family == "posix",
            doubted=frozenset(stage for of, stage in passed_again if of == path and (path, endpoint.id) not in failed_again),
            lost_once=_lost_once(again.get((path, endpoint.id)), attempts),
        )

    return tuple(route(path, endpoint) for path, endpoints in journeys.items() for endpoint in endpoints if (path, endpoint.id) in seen)


def not_run(stage: Stage | None) -> bool:
    return stage is not None and stage.state is State.NOT_RUN
