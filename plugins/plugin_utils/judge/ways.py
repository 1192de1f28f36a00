# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways out: on which path an endpoint is judged, by who talks to it; and what is wrong with the settings that lead there.

FOR INTERNAL COLLECTION USE ONLY. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..catalogue.identities import WORDS, identity_of
from ..model import Endpoint, Identity, Phase, Status
from ..observe.observation import Fact, Observation, StageName, Ways
from .fold import some
from .observed import partly_observed
from .route import DIRECT, Row

DIFFERS, REVOCATION_WAY, MALFORMED, PAC_UNREACHABLE = "APC501", "APC502", "APC503", "APC504"
PAC_NOT_EVALUATED, CAPTURED, FALLS_BACK, USER_UNKNOWN = "APC505", "APC506", "APC507", "APC508"

Journeys = Mapping[str, tuple[Endpoint, ...]]
"""Path id to the endpoints that are judged on it, in the order of the endpoints."""

OF_PROGRAMS = (Identity.NETWORK_SERVICE, Identity.LOCAL_SYSTEM, Identity.INSTALLING_USER)
"""Whose programs make the connections of a connector."""


# --- which path ---------------------------------------------------------------------------------------------------------


def _dead_proxies(observation: Observation) -> frozenset[str]:
    """Paths whose proxy was never reached, whatever was asked of it."""
    reached: dict[str, bool] = {}
    for attempt in observation.attempts:
        connect = attempt.stages.get(StageName.CONNECT)
        if attempt.path != DIRECT:
            reached[attempt.path] = reached.get(attempt.path, False) or (connect is not None and connect.ok)
    return frozenset(path for path, alive in reached.items() if not alive)


def _first_alive(ways: Sequence[str], dead: frozenset[str]) -> str:
    """Clients go down a list until a proxy answers; where none does, the first is what they name."""
    return next((way for way in ways if way not in dead), ways[0])


def _ways_to(endpoint: Endpoint, identities: Mapping[Identity, Ways], identity: Identity) -> tuple[str, ...]:
    """As the engine does it: where nothing is known of the identity, Network Service's way, else direct."""
    for one in (identity, Identity.NETWORK_SERVICE):
        ways = identities[one].to(endpoint.id) if one in identities else ()
        if ways:
            return ways
    return (DIRECT,)


def journeys(
    endpoints: Sequence[Endpoint], observation: Observation, paths: Sequence[str] | None, installing_user: bool
) -> dict[str, tuple[Endpoint, ...]]:
    """`paths`: those that somebody named; with None each endpoint goes by the way of who talks to it, as the target found it."""
    if paths is None and observation.identities is not None:
        dead = _dead_proxies(observation)
        found: dict[str, list[Endpoint]] = {}
        for endpoint in endpoints:
            identity = identity_of(endpoint, installing_user)
            way = _first_alive(_ways_to(endpoint, observation.identities, identity), dead)
            found.setdefault(way, []).append(endpoint)
        return {way: tuple(some_of_them) for way, some_of_them in found.items()}
    return dict.fromkeys(observation.paths() if paths is None else paths, tuple(endpoints))


@dataclass(frozen=True)
class RevocationWays:
    """Over which path Windows would fetch what a certificate names, and over which the service would."""

    windows: str
    service: str


def revocation_ways(endpoints: Iterable[Endpoint], observation: Observation) -> RevocationWays | None:
    """None where nobody knows of identities, or where no endpoint belongs to revocation: then each path speaks for itself."""
    of_revocation = [endpoint for endpoint in endpoints if endpoint.phase is Phase.REVOCATION]
    if observation.identities is None or not of_revocation:
        return None
    dead = _dead_proxies(observation)

    def usual(identity: Identity) -> str:
        taken = [_first_alive(_ways_to(endpoint, observation.identities or {}, identity), dead) for endpoint in of_revocation]
        return max(taken, key=taken.count)

    return RevocationWays(usual(Identity.WINDOWS), usual(Identity.NETWORK_SERVICE))


def told(observation: Observation, installing_user: bool) -> str:
    """One sentence on the ways that were found; empty where all go directly, or nothing is known."""
    identities = observation.identities or {}
    wanted = (*(OF_PROGRAMS if installing_user else OF_PROGRAMS[:2]), Identity.WINDOWS)
    dead = _dead_proxies(observation)
    ways = {identity: _usual(identities[identity], dead) for identity in wanted if identity in identities and identities[identity].taken}
    if not ways or set(ways.values()) == {DIRECT}:
        return ""
    by_way: dict[str, list[str]] = {}
    for identity, way in ways.items():
        by_way.setdefault(way, []).append(WORDS[identity])
    said = "; ".join(f"{_and(who)} {'go' if len(who) > 1 else 'goes'} {_in_words(way)}" for way, who in by_way.items())
    return f"proxy: auto found: {said}."


def _usual(ways: Ways, dead: frozenset[str]) -> str:
    """The way to most targets."""
    return _first_alive(max(ways.taken, key=lambda one: len(one.targets)).ways, dead)


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _in_words(way: str) -> str:
    return "directly" if way == DIRECT else f"through {way.removeprefix('http://')}"


# --- what is wrong with the settings --------------------------------------------------------------------------------------


def judge_ways(
    endpoints: Sequence[Endpoint], found: Journeys, observation: Observation, installing_user: str | None, detected: bool
) -> Iterator[Row]:
    """All of APC5xx but what needs the rows of connections (see explain_captured, explain_revocation). `detected`: the endpoints were
    looked at over these ways, and not over one that somebody named."""
    identities = observation.identities
    if identities is None:
        return
    yield from _differs(endpoints, identities)
    yield from _malformed(observation.host or {})
    yield from _pac(observation.host or {}, identities)
    yield from _user(identities, installing_user)
    if detected:
        yield from _falls_back(endpoints, found, identities, installing_user is not None)
    else:
        note = "proxy names the way, whatever the settings say"
        yield from (Row(id_, Status.NOT_APPLICABLE, None, None, note=note) for id_ in (REVOCATION_WAY, CAPTURED, FALLS_BACK))


def judge_known(endpoints: Iterable[Endpoint], observation: Observation, installing_user: bool) -> Iterator[Row]:
    """Whose way to needed endpoints nobody told: the engine looked for them as it could, and that passes for nothing.

    The installing user has a finding of his own (APC508), and so has a PAC script that was not evaluated (APC505).
    """
    targets = {attempt.target for attempt in observation.attempts}
    for identity in (Identity.NETWORK_SERVICE, Identity.LOCAL_SYSTEM, Identity.WINDOWS):
        own = [one.id for one in endpoints if one.needed and one.id in targets and identity_of(one, installing_user) is identity]
        ways = (observation.identities or {}).get(identity)
        if ways is not None and ways.error is not None and ways.error.code == "pac_not_evaluated":
            continue
        untold = [id_ for id_ in own if ways is None or not ways.to(id_)]
        if untold:
            why = f"{ways.error.code}: {ways.error.message}" if ways is not None and ways.error else f"not told for {untold[0]}"
            yield partly_observed(f"the way that {WORDS[identity]} takes ({why})")


def _differs(endpoints: Sequence[Endpoint], identities: Mapping[Identity, Ways]) -> Iterator[Row]:
    known = {identity: identities[identity] for identity in OF_PROGRAMS if identity in identities and not identities[identity].error}
    different = []
    for endpoint in endpoints:
        firsts = {ways.to(endpoint.id)[:1] for ways in known.values()} - {()}
        if len(firsts) > 1:
            different.append(endpoint)
    if not different:
        yield Row(DIFFERS, Status.PASS, None, None)
        return
    said = "; ".join(f"{WORDS[identity]} {_in_words(ways.to(different[0].id)[0])}" for identity, ways in known.items())
    yield Row(DIFFERS, Status.WARN, None, None, {"ways": said, "example": different[0].id})


_ADDRESS = re.compile(r"(https?://)?(\[[0-9A-Fa-f:.%]+\]|[^/:\s\[\]]+)(:[0-9]{1,5})?/?")
_IN_CONFIG = re.compile(r"https?://(\[[0-9A-Fa-f:.%]+\]|[^/:\s\[\]]+)(:[0-9]{1,5})?/?", re.IGNORECASE)


def _is_proxy_list(text: str) -> bool:
    """`host:port`, or `scheme=host:port` for some schemes, parted by `;` or spaces."""
    parts = [part.rpartition("=")[2] for part in re.split(r"[;\s]+", text.strip()) if part]
    return bool(parts) and all(_ADDRESS.fullmatch(part) for part in parts)


def _value(facts: Mapping[str, Fact], name: str) -> Any:
    fact = facts.get(name)
    return fact.value if fact is not None and fact.error is None else None


def _malformed(facts: Mapping[str, Fact]) -> Iterator[Row]:
    wrong: dict[str, str] = {}
    for name, config in (_value(facts, "default_proxy") or {}).items():
        address = (config or {}).get("address")
        if address and not _IN_CONFIG.fullmatch(address):
            wrong[f"{name} ({config['path']})"] = address
    for view, settings in (_value(facts, "winhttp_proxy") or {}).items():
        proxy = (settings or {}).get("proxy")
        if proxy and not _is_proxy_list(proxy):
            wrong[f"WinHTTP ({view})"] = proxy
    for name, fact in (_value(facts, "internet_settings") or {}).items():
        proxy = None if fact.error else fact.value["proxy"]
        if proxy and not _is_proxy_list(proxy):
            wrong[f"Internet settings of {name}"] = proxy
    if not wrong:
        yield Row(MALFORMED, Status.PASS, None, None)
    for where, address in wrong.items():
        yield Row(MALFORMED, Status.FAIL, None, None, {"where": where, "address": address}, group=(where,))


def _pac(facts: Mapping[str, Fact], identities: Mapping[Identity, Ways]) -> Iterator[Row]:
    """A script that cannot be had is passed over by clients; one that was not evaluated leaves the way open."""
    unread = {identity: ways for identity, ways in identities.items() if ways.error and ways.error.code == "pac_not_evaluated"}
    for identity, ways in unread.items():
        if identity is not Identity.SESSION:
            why = ways.error.message if ways.error else ""
            yield Row(PAC_NOT_EVALUATED, Status.UNKNOWN, None, None, {"pac": WORDS[identity], "why": why}, group=(why,))
    if not set(unread) - {Identity.SESSION}:
        yield Row(PAC_NOT_EVALUATED, Status.PASS, None, None)
    of_others = [one for one in _value(facts, "pac") or () if one["identity"] != Identity.SESSION.value]
    failed = [one for one in of_others if one["error"] and one["url"] != "wpad"]
    for one in failed:
        evidence = {"pac": one["url"], "error": f"{one['error'].code}: {one['error'].message}", "evaluated_as": one["evaluated_as"]}
        yield Row(PAC_UNREACHABLE, Status.WARN, None, None, evidence, group=(one["url"],))
    if not failed:
        yield Row(PAC_UNREACHABLE, Status.PASS, None, None)


def _falls_back(
    endpoints: Sequence[Endpoint], found: Journeys, identities: Mapping[Identity, Ways], installing_user: bool
) -> Iterator[Row]:
    """The way that is judged is not the first of its list: so the first did not answer."""
    used = {endpoint.id: path for path, judged in found.items() for endpoint in judged}
    rows = []
    for endpoint in endpoints:
        ways = _ways_to(endpoint, identities, identity_of(endpoint, installing_user))
        path = used.get(endpoint.id, ways[0])
        if path in ways[1:]:
            rows.append(Row(FALLS_BACK, Status.WARN, endpoint, path, {"dead": ways[0], "used": _in_words(path)}, group=(ways[0],)))
    yield from rows or (Row(FALLS_BACK, Status.PASS, None, None),)


def _user(identities: Mapping[Identity, Ways], installing_user: str | None) -> Iterator[Row]:
    if installing_user is None:
        yield Row(USER_UNKNOWN, Status.NOT_APPLICABLE, None, None, note="installing_user names nobody")
        return
    ways = identities.get(Identity.INSTALLING_USER)
    error = ways.error if ways else None
    if ways is None or (error is not None and error.code != "pac_not_evaluated"):
        evidence = {"account": installing_user, "error": error.code if error else "not looked at"}
        yield Row(USER_UNKNOWN, Status.UNKNOWN, None, None, evidence)
    else:
        yield Row(USER_UNKNOWN, Status.PASS, None, None)


# --- settings that explain what failed ------------------------------------------------------------------------------------


def _captured(endpoints: Iterable[Endpoint], identities: Mapping[Identity, Ways], installing_user: bool) -> dict[str, tuple[str, str]]:
    """Endpoints that a bypass list sends directly although their identity has a proxy, with that proxy and the setting."""
    captured = {}
    for endpoint in endpoints:
        ways = identities.get(identity_of(endpoint, installing_user))
        if ways is None:
            continue
        own = next((one for one in ways.taken if endpoint.id in one.targets), None)
        proxy = next((one.ways[0] for one in ways.taken if own and one.by == own.by and one.ways[0] != DIRECT), None)
        if own and proxy and own.ways == (DIRECT,) and own.by in _WITH_BYPASS:
            captured[endpoint.id] = (proxy, own.by)
    return captured


_WITH_BYPASS = ("internet_settings", "per_machine_policy", "winhttp", "exe_config", "machine_config")
"""Settings that have a list of what goes past their proxy; a PAC script decides by itself."""


def _bypass_list(facts: Mapping[str, Fact], by: str) -> str:
    if by == "winhttp":
        lists = [(settings or {}).get("bypass") for settings in (_value(facts, "winhttp_proxy") or {}).values()]
    elif by in ("exe_config", "machine_config"):
        lists = [";".join((config or {}).get("bypass", ())) for config in (_value(facts, "default_proxy") or {}).values()]
    else:
        lists = [fact.value["bypass"] for fact in (_value(facts, "internet_settings") or {}).values() if not fact.error]
    return some(dict.fromkeys(text for text in lists if text)) or "not told"


def explain_captured(
    rows: Iterable[Row], endpoints: Sequence[Endpoint], observation: Observation, installing_user: bool
) -> tuple[Row, ...]:
    """A bypass list is the cause of what fails at the endpoints that it sends directly; where they answer, it is as good as a proxy."""
    rows = tuple(rows)
    if observation.identities is None:
        return rows
    captured = _captured(endpoints, observation.identities, installing_user)
    failing = {
        row.endpoint.id for row in rows
        if row.status is Status.FAIL and row.path == DIRECT and row.endpoint and row.endpoint.needed and row.endpoint.id in captured
    }
    if not failing:
        note = "a bypass list sends endpoints past the proxy, and they answer there" if captured else ""
        return (*rows, Row(CAPTURED, Status.PASS, None, None, note=note))
    by_id = {endpoint.id: endpoint for endpoint in endpoints}
    causes = [
        Row(CAPTURED, Status.FAIL, by_id[id_], DIRECT,
            {"bypass": _bypass_list(observation.host or {}, captured[id_][1]), "set_proxy": captured[id_][0].removeprefix("http://")},
            group=captured[id_])
        for id_ in captured if id_ in failing
    ]
    explained = tuple(
        replace(row, because=(*row.because, CAPTURED)) if row.endpoint and row.endpoint.id in captured and row.path == DIRECT
        and row.status in (Status.FAIL, Status.UNKNOWN) else row
        for row in rows
    )
    return (*causes, *explained)


def explain_revocation(ways: RevocationWays, windows: Sequence[Row], service: Sequence[Row]) -> tuple[Row, ...]:
    """Windows' own rows, and the cause of what fails there where the service's way brings the lists (see explain_by_revocation_way)."""
    broken = [row for row in windows if row.status is Status.FAIL and row.endpoint and row.endpoint.needed]
    works = not any(row.status in (Status.FAIL, Status.UNKNOWN) and row.endpoint and row.endpoint.needed for row in service)
    if ways.windows == ways.service or not broken or not works:
        return (*windows, Row(REVOCATION_WAY, Status.PASS, None, None))
    evidence = {"windows_way": _in_words(ways.windows), "service_way": _in_words(ways.service)}
    causes = [Row(REVOCATION_WAY, Status.FAIL, row.endpoint, ways.windows, evidence) for row in broken]
    return (*causes, *windows)


def explain_by_revocation_way(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Whatever is wrong on Windows' way at the hosts that it fetches from has that way as its cause."""
    rows = tuple(rows)
    wrong = {row.path for row in rows if row.id == REVOCATION_WAY and row.status is Status.FAIL}
    return tuple(
        replace(row, because=(*row.because, REVOCATION_WAY)) if row.path in wrong and row.id != REVOCATION_WAY and row.endpoint
        and row.endpoint.phase is Phase.REVOCATION and row.status in (Status.FAIL, Status.WARN, Status.UNKNOWN) else row
        for row in rows
    )
