# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The observation as types. A target is not believed: what is not of the published shape is one clear ObservationError.

FOR INTERNAL COLLECTION USE ONLY. The shape: observation.schema.json and docs/observation.md. Unknown keys are tolerated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from ..model import Identity
from .host import Fact, parse_fact, parse_host
from .readers import (
    ObservationError,
    StageError,
    a_list,
    a_time,
    an_error,
    check_bounds,
    flag,
    from_base64,
    headers,
    mapping,
    maybe,
    number,
    numbers,
    text,
    texts,
)

__all__ = [
    "FACTS", "SCHEMA", "Attempt", "Bracket", "Fact", "Observation", "ObservationError", "PlatformHello", "Recheck", "Stage", "StageError",
    "StageName", "State", "Taken", "Ways", "parse_observation",
]

SCHEMA = 1
MOST_ACCOUNT = 256
"""Characters that are kept of an account's name."""


class StageName(str, Enum):
    """In the order in which an attempt goes through them."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    PROXY = "proxy"
    HELLO = "hello"
    HELLO_SHA512 = "hello_sha512"
    HELLO_PADDED = "hello_padded"
    HANDSHAKE = "handshake"
    REQUEST = "request"
    WEBSOCKET = "websocket"


_STAGES = frozenset(name.value for name in StageName)
"""A stage of a newer engine that is not in here is passed over, like any unknown key."""


class State(str, Enum):
    OK = "ok"
    ERROR = "error"
    NOT_RUN = "not_run"


@dataclass(frozen=True)
class Stage:
    state: State
    ms: int
    """Milliseconds; 0 where it did not run."""
    facts: Mapping[str, Any]
    """Of the types that FACTS gives for the stage."""
    error: StageError | None = None

    @property
    def ok(self) -> bool:
        return self.state is State.OK

    @property
    def code(self) -> str:
        """The error's code, or the empty string."""
        return self.error.code if self.error else ""


@dataclass(frozen=True)
class Attempt:
    target: str
    path: str
    wave: int
    url: str | None
    address: str | None
    port: int
    redirected_to: str | None
    stages: Mapping[StageName, Stage]


@dataclass(frozen=True)
class Recheck:
    path: str
    target: str
    stage: StageName
    result: Stage


@dataclass(frozen=True)
class PlatformHello:
    versions: tuple[int, ...]
    suites: tuple[int, ...]
    groups: tuple[int, ...]
    signature_algorithms: tuple[int, ...]


@dataclass(frozen=True)
class Taken:
    """The way that an identity takes to some targets."""

    ways: tuple[str, ...]
    """Each `direct` or `http://host:port`, the first choice first."""
    by: str
    """The setting that says so."""
    targets: frozenset[str]


@dataclass(frozen=True)
class Ways:
    """All that is known of an identity's ways."""

    account: str
    taken: tuple[Taken, ...]
    error: StageError | None = None
    """Why nothing is known."""

    def to(self, target: str) -> tuple[str, ...]:
        """Empty where nothing is known."""
        return next((one.ways for one in self.taken if target in one.targets), ())


@dataclass(frozen=True)
class Bracket:
    """The controller's clock before and after it was looked."""

    before: datetime
    after: datetime


@dataclass(frozen=True)
class Observation:
    engine: str
    family: str
    platform: str
    seen_as: str
    seen_at: datetime
    elapsed_ms: int
    deadline_ms: int
    platform_hello: PlatformHello | None
    platform_hello_error: StageError | None
    attempts: tuple[Attempt, ...]
    rechecks: tuple[Recheck, ...]
    certificates: Mapping[str, bytes]
    """SHA-256 in lower-case hex to DER; every digest was checked."""
    host: Mapping[str, Fact] | None = None
    """What the server told of itself; None where nobody asked, or where it is no Windows server."""
    identities: Mapping[Identity, Ways] | None = None
    rehearsals: Mapping[str, Fact] = field(default_factory=dict)
    bracket: Bracket | None = None

    def paths(self) -> tuple[str, ...]:
        """The path ids, each once, in the order seen."""
        return tuple(dict.fromkeys(attempt.path for attempt in self.attempts))


def _key_exchange(value: Any, where: str) -> dict[str, Any]:
    found = mapping(value, where)
    return {
        "kind": text(found.get("kind"), where),
        "group": maybe(number)(found.get("group"), where),
        "signature_algorithm": maybe(number)(found.get("signature_algorithm"), where),
    }


def _certificate_request(value: Any, where: str) -> dict[str, Any]:
    found = mapping(value, where)
    return {
        "types": numbers(found.get("types"), where),
        "signature_algorithms": numbers(found.get("signature_algorithms"), where),
        "issuers": number(found.get("issuers"), where),
    }


def _warnings(value: Any, where: str) -> tuple[tuple[int, ...], ...]:
    return tuple(numbers(pair, where) for pair in a_list(value, where))


_ANSWER: dict[str, Callable[[Any, str], Any]] = {
    "status": number, "reason": text, "headers": headers, "body": from_base64, "body_bytes": number,
}

_VARIANT: dict[str, Callable[[Any, str], Any]] = {
    "bytes": number, "version": text, "signature_algorithm": maybe(number), "repeats": texts,
}

FACTS: Mapping[StageName, Mapping[str, Callable[[Any, str], Any]]] = {
    StageName.RESOLVE: {"name": text, "addresses": texts, "literal": flag, "endpoint": mapping},
    StageName.CONNECT: {"local": maybe(text)},
    StageName.PROXY: {**_ANSWER, "challenges": texts, "plain": flag},
    StageName.HELLO: {
        "version": text, "cipher": number, "chain": texts, "key_exchange": maybe(_key_exchange),
        "certificate_request": maybe(_certificate_request), "downgrade_sentinel": flag, "warnings": _warnings,
        "bytes": number, "template": text,
    },
    StageName.HELLO_SHA512: _VARIANT,
    StageName.HELLO_PADDED: _VARIANT,
    StageName.HANDSHAKE: {
        "version": text, "cipher": text, "chain": texts, "protocols": text, "errors": texts, "chain_status": texts,
        "callback_ms": number, "chain_ms": number, "default_error": text,
    },
    StageName.REQUEST: _ANSWER,
    StageName.WEBSOCKET: _ANSWER,
}
"""The facts that judges may read, and their types. Each may be absent."""


# --- the parts ---------------------------------------------------------------------------------------------------------


def _named(words: type[Any], value: Any, where: str) -> Any:
    try:
        return words(text(value, where))
    except ValueError as error:
        raise ObservationError(f"{where}: one of {', '.join(word.value for word in words)} was expected") from error


def _stage(name: StageName, value: Any, where: str) -> Stage:
    found = mapping(value, where)
    state = _named(State, found.get("state"), f"{where}.state")
    if state is State.NOT_RUN:
        return Stage(state, 0, {})
    facts = mapping(found.get("facts", {}), f"{where}.facts")
    read = {key: FACTS[name][key](fact, f"{where}.facts.{key}") for key, fact in facts.items() if key in FACTS[name]}
    error = an_error(found.get("error"), f"{where}.error") if state is State.ERROR else None
    return Stage(state, number(found.get("ms"), f"{where}.ms"), read, error)


def _attempt(value: Any, where: str) -> Attempt:
    found = mapping(value, where)
    stages: dict[StageName, Stage] = {}
    for key, stage in mapping(found.get("stages"), f"{where}.stages").items():
        if key in _STAGES:
            name = StageName(key)
            stages[name] = _stage(name, stage, f"{where}.stages.{key}")
    return Attempt(
        target=text(found.get("target"), f"{where}.target"),
        path=text(found.get("path"), f"{where}.path"),
        wave=number(found.get("wave"), f"{where}.wave"),
        url=maybe(text)(found.get("url"), f"{where}.url"),
        address=maybe(text)(found.get("address"), f"{where}.address"),
        port=number(found.get("port"), f"{where}.port"),
        redirected_to=maybe(text)(found.get("redirected_to"), f"{where}.redirected_to"),
        stages=stages,
    )


def _recheck(value: Any, where: str) -> Recheck:
    found = mapping(value, where)
    stage = _named(StageName, found.get("stage"), f"{where}.stage")
    return Recheck(
        path=text(found.get("path"), f"{where}.path"),
        target=text(found.get("target"), f"{where}.target"),
        stage=stage,
        result=_stage(stage, found.get("result"), f"{where}.result"),
    )


def _certificates(value: Any, where: str) -> dict[str, bytes]:
    read = {}
    for digest, encoded in mapping(value, where).items():
        der = from_base64(encoded, f"{where}.{digest[:16]}")
        if hashlib.sha256(der).hexdigest() != digest:
            raise ObservationError(f"{where}.{digest[:16]}: the certificate is not the one that its digest names")
        read[digest] = der
    return read


def _taken(value: Any, where: str) -> Taken:
    found = mapping(value, where)
    choices = texts(found.get("ways"), f"{where}.ways")
    if not choices:
        raise ObservationError(f"{where}.ways: at least one way was expected")
    return Taken(choices, text(found.get("by"), f"{where}.by"), frozenset(texts(found.get("targets"), f"{where}.targets")))


def _ways(value: Any, where: str) -> Ways:
    found = mapping(value, where)
    if not flag(found.get("ok"), f"{where}.ok"):
        return Ways("", (), an_error(found.get("error"), f"{where}.error"))
    known = mapping(found.get("value"), f"{where}.value")
    taken = tuple(_taken(one, f"{where}.ways") for one in a_list(known.get("ways"), f"{where}.ways"))
    return Ways(text(known.get("account"), f"{where}.account"), taken)


def _identities(value: Any, where: str) -> dict[Identity, Ways] | None:
    if value is None:
        return None
    names = {identity.value: identity for identity in Identity}
    return {names[name]: _ways(ways, f"{where}.{name}") for name, ways in mapping(value, where).items() if name in names}


def _rehearsals(value: Any, where: str) -> dict[str, Fact]:
    return {} if value is None else {name: parse_fact(name, fact, f"{where}.{name}") for name, fact in mapping(value, where).items()}


def _bracket(value: Any, where: str) -> Bracket | None:
    if value is None:
        return None
    found = mapping(value, where)
    return Bracket(a_time(found.get("before"), f"{where}.before"), a_time(found.get("after"), f"{where}.after"))


def _platform_hello(value: Any, where: str) -> tuple[PlatformHello | None, StageError | None]:
    found = mapping(value, where)
    if not flag(found.get("ok"), f"{where}.ok"):
        return None, an_error(found.get("error"), f"{where}.error")
    facts = mapping(found.get("value"), f"{where}.value")
    keys = ("versions", "suites", "groups", "signature_algorithms")
    return PlatformHello(**{key: numbers(facts.get(key), f"{where}.value.{key}") for key in keys}), None


def parse_observation(value: Any) -> Observation:
    """Read what an engine answered. Raises ObservationError with the place and what was expected there."""
    check_bounds(value, "observation")
    found = mapping(value, "observation")
    schema = found.get("schema")
    if schema != SCHEMA or isinstance(schema, bool):
        raise ObservationError(f"observation.schema: this release reads version {SCHEMA}, the observation says {schema!r:.40}")
    engine = mapping(found.get("engine"), "engine")
    hello, hello_error = _platform_hello(found.get("platform_hello"), "platform_hello")
    attempts = a_list(found.get("attempts"), "attempts")
    rechecks = a_list(found.get("rechecks"), "rechecks")
    return Observation(
        engine=text(engine.get("name"), "engine.name"),
        family=text(engine.get("family"), "engine.family"),
        platform=text(engine.get("platform"), "engine.platform"),
        seen_as=text(found.get("seen_as"), "seen_as")[:MOST_ACCOUNT],
        seen_at=a_time(found.get("seen_at"), "seen_at"),
        elapsed_ms=number(found.get("elapsed_ms"), "elapsed_ms"),
        deadline_ms=number(found.get("deadline_ms"), "deadline_ms"),
        platform_hello=hello,
        platform_hello_error=hello_error,
        attempts=tuple(_attempt(item, f"attempts[{number}]") for number, item in enumerate(attempts)),
        rechecks=tuple(_recheck(item, f"rechecks[{number}]") for number, item in enumerate(rechecks)),
        certificates=_certificates(found.get("certificates"), "certificates"),
        host=parse_host(found.get("host"), "host"),
        identities=_identities(found.get("identities"), "identities"),
        rehearsals=_rehearsals(found.get("rehearsals"), "rehearsals"),
        bracket=_bracket(found.get("bracket"), "bracket"),
    )
