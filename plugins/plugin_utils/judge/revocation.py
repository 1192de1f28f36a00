# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Revocation: can the server learn whether the service's certificates were revoked.

FOR INTERNAL COLLECTION USE ONLY. Pure. What is needed comes from the genuine chains that were seen: for each certificate one
source (a list, or an OCSP responder) that gives real content. The catalogue's hosts are the fallback, and the source where
no genuine chain was seen. On port 80 only content counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from ..catalogue.endpoints import OCSP_HOSTS
from ..model import Endpoint, Phase, Status
from ..observe.observation import Attempt, Observation, Stage, StageName
from . import proxy
from .addresses import host_and_port, same_site
from .chain import Standing
from .observed import NOT_RUN
from .proxy import BLOCK_STATUSES
from .route import DIRECT, Route, Row, not_run, words

UNREACHABLE, WRONG = "APC161", "APC162"
IDS = (UNREACHABLE, WRONG)


class Outcome(str, Enum):
    GOOD = "good"
    WRONG = "wrong"
    SENT_ON = "sent on"
    """To another place of the same site, which Windows would follow and the probe does not."""
    DOWN = "down"
    NOT_RUN = "not_run"


class Kind(str, Enum):
    """What a URL must give."""

    FILE = "file"
    RESPONDER = "responder"
    """An OCSP answer that says success."""
    CATALOGUES_RESPONDER = "catalogue's responder"
    """Any OCSP answer: it is asked about a certificate that may have ended since."""
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Fetch:
    """One URL that was asked for over one path."""

    url: str
    outcome: Outcome
    detail: str
    because: tuple[str, ...] = ()


# --- content -----------------------------------------------------------------------------------------------------------


def _der_length(body: bytes) -> int | None:
    """The whole length that a DER SEQUENCE announces in its first bytes; None where it is none."""
    if len(body) < 2 or body[0] != 0x30:
        return None
    if body[1] < 0x80:
        return 2 + body[1]
    size = body[1] & 0x7F
    if not 1 <= size <= 4 or len(body) < 2 + size:
        return None
    return 2 + size + int.from_bytes(body[2:2 + size], "big")


_LONGEST_LENGTH = 18
"""Digits of a Content-Length that is believed."""


def _announced(request: Stage) -> int | None:
    values = request.facts.get("headers", {}).get("content-length", ())
    return int(values[0]) if values and values[0].isascii() and values[0].isdigit() and len(values[0]) <= _LONGEST_LENGTH else None


KEPT = 512
"""Bytes of a body that an engine keeps."""


def _whole_der(request: Stage) -> bool:
    """Real DER, and as long as it says itself: a list that was cut on the way is no list, a page is none either."""
    body: bytes = request.facts.get("body", b"")
    length, announced = _der_length(body), _announced(request)
    if length is None or _is_page(request):
        return False
    if len(body) < KEPT:
        return len(body) == length
    return announced is None or announced == length


def _is_page(request: Stage) -> bool:
    return any(kind.startswith("text/html") for kind in request.facts.get("headers", {}).get("content-type", ()))


def _ocsp_status(request: Stage) -> int | None:
    """An OCSPResponse begins with its status, an ENUMERATED; 0 is success. None where it is no such answer."""
    body: bytes = request.facts.get("body", b"")
    start = 2 if body[1:2] < b"\x80" else 2 + (body[1] & 0x7F)
    return body[start + 2] if _whole_der(request) and body[start:start + 2] == b"\x0a\x01" and len(body) > start + 2 else None


def _file(request: Stage) -> bool:
    """A list (a SEQUENCE in a SEQUENCE), or Windows' list of roots (a cabinet)."""
    body: bytes = request.facts.get("body", b"")
    return (_whole_der(request) and b"\x30" in body[2:6]) or body.startswith(b"MSCF")


def _no_filters_page(request: Stage) -> bool:
    """For a host of which no public source says what it has at its root: only a filter's own answer is known to be wrong."""
    status = request.facts.get("status", 0)
    return status not in BLOCK_STATUSES and not 300 <= status < 400 and not (status == 200 and _is_page(request))


def _is_real(kind: Kind, request: Stage) -> bool:
    if kind is Kind.UNKNOWN:
        return _no_filters_page(request)
    if request.facts.get("status") != 200:
        return False
    if kind is Kind.FILE:
        return _file(request)
    status = _ocsp_status(request)
    return status == 0 or (status is not None and kind is Kind.CATALOGUES_RESPONDER)


def _outcome(url: str, kind: Kind, request: Stage) -> Outcome:
    if _is_real(kind, request):
        return Outcome.GOOD
    location = next(iter(request.facts.get("headers", {}).get("location", ())), "")
    place = host_and_port(url)
    return Outcome.SENT_ON if location and place and same_site(place[0], location) else Outcome.WRONG


def _got(request: Stage) -> str:
    headers = request.facts.get("headers", {})
    kind = next(iter(headers.get("content-type", ())), "no content type")
    where = "".join(f", to {location}" for location in headers.get("location", ())[:1])
    return f"status {request.facts.get('status')}, {kind}{where}"


# --- what was fetched ----------------------------------------------------------------------------------------------------


def _fetch(url: str, kind: Kind, attempts: Iterable[Attempt]) -> Fetch:
    """The first address that gives an answer speaks for the URL."""
    worst: Fetch | None = None
    for attempt in attempts:
        request = attempt.stages.get(StageName.REQUEST)
        if request is not None and request.ok:
            outcome = _outcome(url, kind, request)
            return Fetch(url, outcome, "" if outcome is Outcome.GOOD else _got(request))
        name, stage = next(((name, stage) for name, stage in attempt.stages.items() if not stage.ok), (StageName.REQUEST, None))
        if stage is None or not_run(stage):
            worst = worst or Fetch(url, Outcome.NOT_RUN, "not run")
        else:
            worst = Fetch(url, Outcome.DOWN, words(stage), _the_proxys(attempt, name, stage))
    return worst or Fetch(url, Outcome.NOT_RUN, "not looked at")


def _the_proxys(attempt: Attempt, name: StageName, stage: Stage) -> tuple[str, ...]:
    """What the proxy does to every request is the proxy's finding, and this one waits behind it."""
    if attempt.path != DIRECT and name in (StageName.RESOLVE, StageName.CONNECT):
        return (proxy.UNREACHABLE,)
    return (proxy.AUTHENTICATION,) if stage.code == "auth_required" else ()


def _catalogue_url(endpoint: Endpoint) -> str:
    return f"http://{endpoint.host}{'' if endpoint.port == 80 else f':{endpoint.port}'}{endpoint.get}"


def _attempts(path: str, observation: Observation) -> dict[str, list[Attempt]]:
    """The second wave by the URL that a certificate names."""
    by_url: dict[str, list[Attempt]] = {}
    for attempt in observation.attempts:
        if attempt.path == path and attempt.wave == 2 and attempt.url:
            by_url.setdefault(attempt.url, []).append(attempt)
    return by_url


def _catalogues(route: Route) -> Fetch:
    """What came of a catalogue's host; the catalogue knows what its responders and files are."""
    if route.endpoint.get == "/":
        kind = Kind.UNKNOWN
    else:
        kind = Kind.CATALOGUES_RESPONDER if route.endpoint.host in OCSP_HOSTS else Kind.FILE
    return _fetch(_catalogue_url(route.endpoint), kind, route.attempts)


# --- rows ----------------------------------------------------------------------------------------------------------------


def _endpoint(url: str, needed: bool) -> Endpoint | None:
    """None for a URL that cannot be read: it is no source of anything."""
    place = host_and_port(url)
    return Endpoint(*place, False, Phase.REVOCATION, needed, place[0], "named by a certificate", url, "") if place else None


def _rows(path: str, fetch: Fetch, endpoint: Endpoint) -> tuple[Row, ...]:
    if fetch.outcome is Outcome.GOOD:
        return tuple(Row(id_, Status.PASS, endpoint, path) for id_ in IDS)
    if fetch.outcome is Outcome.NOT_RUN:
        return (Row(NOT_RUN, Status.UNKNOWN, endpoint, path, {"stages": "revocation"}),)
    wrong = fetch.outcome in (Outcome.WRONG, Outcome.SENT_ON)
    evidence = {"urls": fetch.url[:200], "got" if wrong else "error": fetch.detail}
    status = Status.UNKNOWN if fetch.because or fetch.outcome is Outcome.SENT_ON else Status.FAIL
    code = fetch.detail.split(":", maxsplit=1)[0]
    return (Row(WRONG if wrong else UNREACHABLE, status, endpoint, path, evidence, fetch.because, group=(code,)),)


@dataclass(frozen=True)
class Source:
    """One URL that tells of a certificate."""

    url: str
    kind: Kind


def _sources(lists: Sequence[str], responders: Sequence[str], issuer_seen: bool) -> tuple[Source, ...]:
    """A responder can only be asked where the issuer was seen too (of the last issuer its root is, on POSIX, never sent): beside a
    list it is left out then, and alone it counts where it answers at all."""
    if issuer_seen:
        asked = [Source(url, Kind.RESPONDER) for url in responders]
    else:
        asked = [] if lists else [Source(url, Kind.UNKNOWN) for url in responders]
    return (*asked, *(Source(url, Kind.FILE) for url in lists))


def _certificates(routes: Iterable[Route]) -> dict[tuple[Source, ...], bool]:
    """The sources of each certificate of the genuine chains, and whether an endpoint that is needed shows it."""
    found: dict[tuple[Source, ...], bool] = {}
    for route in routes:
        if route.chain is None or route.chain.standing is not Standing.PUBLIC or not route.genuine:
            continue
        for one in zip(route.chain.lists, route.chain.responders, route.chain.issuer_seen, strict=True):
            sources = _sources(*one)
            if sources:
                found[sources] = found.get(sources, False) or route.endpoint.needed
    return found


def _of_certificate(path: str, sources: Sequence[Source], attempts: dict[str, list[Attempt]], needed: bool) -> Iterator[Row]:
    """One certificate: one good source is enough, the others are not needed then."""
    found = [_fetch(source.url, source.kind, attempts.get(source.url, ())) for source in sources]
    enough = any(fetch.outcome is Outcome.GOOD for fetch in found)
    for fetch in found:
        endpoint = _endpoint(fetch.url, needed and not enough)
        if endpoint is not None and not (enough and fetch.outcome is Outcome.NOT_RUN):
            yield from _rows(path, fetch, endpoint)


def judge_revocation(path: str, routes: Sequence[Route], of_chains: Sequence[Route], observation: Observation) -> Iterator[Row]:
    """What was fetched over `path`. `routes` has the catalogue's hosts over it, `of_chains` whose certificates are in question."""
    routes = tuple(route for route in routes if route.path == path)
    attempts = _attempts(path, observation)
    for route in routes:
        if route.deferred:
            # The first wave asks the catalogue's hosts: a URL that a certificate names too is not asked for twice.
            attempts.setdefault(_catalogue_url(route.endpoint), list(route.attempts))
    certificates = _certificates(of_chains)
    named: list[Row] = []
    for sources, needed in certificates.items():
        named += [row for row in _of_certificate(path, sources, attempts, needed) if row not in named]
    yield from named
    asked = {row.endpoint.id for row in named if row.endpoint}
    of_the_catalogue = [(route.endpoint, _catalogues(route)) for route in routes if route.deferred and route.endpoint.id not in asked]
    # Which list stands beside which responder only a certificate says: without one, lists make up for responders where all are up.
    lists = [fetch.outcome for endpoint, fetch in of_the_catalogue if endpoint.needed and endpoint.host not in OCSP_HOSTS]
    enough = bool(lists) and set(lists) == {Outcome.GOOD}
    for endpoint, fetch in of_the_catalogue:
        spare = bool(certificates) or (enough and endpoint.host in OCSP_HOSTS)
        yield from _rows(path, fetch, replace(endpoint, needed=endpoint.needed and not spare))
