# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The observation as types. A target is not believed: what is not of the published shape is one clear ObservationError.

FOR INTERNAL COLLECTION USE ONLY. The shape: observation.schema.json and docs/observation.md. Unknown keys are tolerated.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from typing import Any

from ..model import TIME_FORMAT

SCHEMA = 1


class ObservationError(ValueError):
    """What a target answered is not an observation; the message names the place."""


class StageName(str, Enum):
    """In the order in which an attempt goes through them."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    PROXY = "proxy"
    HELLO = "hello"
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
class StageError:
    code: str
    message: str
    level: int | None = None
    description: int | None = None
    bytes: int | None = None
    first_bytes: str | None = None


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

    def paths(self) -> tuple[str, ...]:
        """The path ids, each once, in the order seen."""
        return tuple(dict.fromkeys(attempt.path for attempt in self.attempts))


# --- small readers: each says where the value stood when it is of another type ---------------------------------------


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ObservationError(f"{where}: an object was expected")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        raise ObservationError(f"{where}: a list was expected")
    return list(value)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise ObservationError(f"{where}: a text was expected")
    return str(value)


def _number(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ObservationError(f"{where}: a whole number was expected")
    return int(value)


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise ObservationError(f"{where}: true or false was expected")
    return value


def _texts(value: Any, where: str) -> tuple[str, ...]:
    return tuple(_text(item, where) for item in _list(value, where))


def _numbers(value: Any, where: str) -> tuple[int, ...]:
    return tuple(_number(item, where) for item in _list(value, where))


def _base64(value: Any, where: str) -> bytes:
    try:
        return base64.b64decode(_text(value, where), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ObservationError(f"{where}: base64 was expected") from error


def _headers(value: Any, where: str) -> dict[str, tuple[str, ...]]:
    return {name.lower(): _texts(values, where) for name, values in _mapping(value, where).items()}


def _maybe(read: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    return lambda value, where: None if value is None else read(value, where)


def _key_exchange(value: Any, where: str) -> dict[str, Any]:
    found = _mapping(value, where)
    return {
        "kind": _text(found.get("kind"), where),
        "group": _maybe(_number)(found.get("group"), where),
        "signature_algorithm": _maybe(_number)(found.get("signature_algorithm"), where),
    }


def _certificate_request(value: Any, where: str) -> dict[str, Any]:
    found = _mapping(value, where)
    return {
        "types": _numbers(found.get("types"), where),
        "signature_algorithms": _numbers(found.get("signature_algorithms"), where),
        "issuers": _number(found.get("issuers"), where),
    }


def _warnings(value: Any, where: str) -> tuple[tuple[int, ...], ...]:
    return tuple(_numbers(pair, where) for pair in _list(value, where))


_ANSWER: dict[str, Callable[[Any, str], Any]] = {
    "status": _number, "reason": _text, "headers": _headers, "body": _base64, "body_bytes": _number,
}

FACTS: Mapping[StageName, Mapping[str, Callable[[Any, str], Any]]] = {
    StageName.RESOLVE: {"name": _text, "addresses": _texts, "literal": _flag, "endpoint": _mapping},
    StageName.CONNECT: {"local": _maybe(_text)},
    StageName.PROXY: {**_ANSWER, "challenges": _texts, "plain": _flag},
    StageName.HELLO: {
        "version": _text, "cipher": _number, "chain": _texts, "key_exchange": _maybe(_key_exchange),
        "certificate_request": _maybe(_certificate_request), "downgrade_sentinel": _flag, "warnings": _warnings,
        "bytes": _number, "template": _text,
    },
    StageName.HANDSHAKE: {
        "version": _text, "cipher": _text, "chain": _texts, "protocols": _text, "errors": _texts, "chain_status": _texts,
        "callback_ms": _number, "chain_ms": _number, "default_error": _text,
    },
    StageName.REQUEST: _ANSWER,
    StageName.WEBSOCKET: _ANSWER,
}
"""The facts that judges may read, and their types. Each may be absent."""


# --- the parts ---------------------------------------------------------------------------------------------------------


def _error(value: Any, where: str) -> StageError:
    found = _mapping(value, where)
    return StageError(
        code=_text(found.get("code"), f"{where}.code"),
        message=_text(found.get("message"), f"{where}.message")[:500],
        level=_maybe(_number)(found.get("level"), f"{where}.level"),
        description=_maybe(_number)(found.get("description"), f"{where}.description"),
        bytes=_maybe(_number)(found.get("bytes"), f"{where}.bytes"),
        first_bytes=_maybe(_text)(found.get("first_bytes"), f"{where}.first_bytes"),
    )


def _named(words: type[Any], value: Any, where: str) -> Any:
    try:
        return words(_text(value, where))
    except ValueError as error:
        raise ObservationError(f"{where}: one of {', '.join(word.value for word in words)} was expected") from error


def _stage(name: StageName, value: Any, where: str) -> Stage:
    found = _mapping(value, where)
    state = _named(State, found.get("state"), f"{where}.state")
    if state is State.NOT_RUN:
        return Stage(state, 0, {})
    facts = _mapping(found.get("facts", {}), f"{where}.facts")
    read = {key: FACTS[name][key](fact, f"{where}.facts.{key}") for key, fact in facts.items() if key in FACTS[name]}
    error = _error(found.get("error"), f"{where}.error") if state is State.ERROR else None
    return Stage(state, _number(found.get("ms"), f"{where}.ms"), read, error)


def _attempt(value: Any, where: str) -> Attempt:
    found = _mapping(value, where)
    stages: dict[StageName, Stage] = {}
    for key, stage in _mapping(found.get("stages"), f"{where}.stages").items():
        if key in _STAGES:
            name = StageName(key)
            stages[name] = _stage(name, stage, f"{where}.stages.{key}")
    return Attempt(
        target=_text(found.get("target"), f"{where}.target"),
        path=_text(found.get("path"), f"{where}.path"),
        wave=_number(found.get("wave"), f"{where}.wave"),
        url=_maybe(_text)(found.get("url"), f"{where}.url"),
        address=_maybe(_text)(found.get("address"), f"{where}.address"),
        port=_number(found.get("port"), f"{where}.port"),
        redirected_to=_maybe(_text)(found.get("redirected_to"), f"{where}.redirected_to"),
        stages=stages,
    )


def _recheck(value: Any, where: str) -> Recheck:
    found = _mapping(value, where)
    stage = _named(StageName, found.get("stage"), f"{where}.stage")
    return Recheck(
        path=_text(found.get("path"), f"{where}.path"),
        target=_text(found.get("target"), f"{where}.target"),
        stage=stage,
        result=_stage(stage, found.get("result"), f"{where}.result"),
    )


def _certificates(value: Any, where: str) -> dict[str, bytes]:
    read = {}
    for digest, encoded in _mapping(value, where).items():
        der = _base64(encoded, f"{where}.{digest[:16]}")
        if hashlib.sha256(der).hexdigest() != digest:
            raise ObservationError(f"{where}.{digest[:16]}: the certificate is not the one that its digest names")
        read[digest] = der
    return read


def _time(value: Any, where: str) -> datetime:
    try:
        return datetime.strptime(_text(value, where), TIME_FORMAT).replace(tzinfo=timezone.utc)
    except ValueError as error:
        raise ObservationError(f"{where}: a time like 2026-11-26T01:15:00Z was expected") from error


def _platform_hello(value: Any, where: str) -> tuple[PlatformHello | None, StageError | None]:
    found = _mapping(value, where)
    if not _flag(found.get("ok"), f"{where}.ok"):
        return None, _error(found.get("error"), f"{where}.error")
    facts = _mapping(found.get("value"), f"{where}.value")
    keys = ("versions", "suites", "groups", "signature_algorithms")
    return PlatformHello(**{key: _numbers(facts.get(key), f"{where}.value.{key}") for key in keys}), None


def parse_observation(value: Any) -> Observation:
    """Read what an engine answered. Raises ObservationError with the place and what was expected there."""
    found = _mapping(value, "observation")
    schema = found.get("schema")
    if schema != SCHEMA or isinstance(schema, bool):
        raise ObservationError(f"observation.schema: this release reads version {SCHEMA}, the observation says {schema!r:.40}")
    engine = _mapping(found.get("engine"), "engine")
    hello, hello_error = _platform_hello(found.get("platform_hello"), "platform_hello")
    attempts = _list(found.get("attempts"), "attempts")
    rechecks = _list(found.get("rechecks"), "rechecks")
    return Observation(
        engine=_text(engine.get("name"), "engine.name"),
        family=_text(engine.get("family"), "engine.family"),
        platform=_text(engine.get("platform"), "engine.platform"),
        seen_as=_text(found.get("seen_as"), "seen_as"),
        seen_at=_time(found.get("seen_at"), "seen_at"),
        elapsed_ms=_number(found.get("elapsed_ms"), "elapsed_ms"),
        deadline_ms=_number(found.get("deadline_ms"), "deadline_ms"),
        platform_hello=hello,
        platform_hello_error=hello_error,
        attempts=tuple(_attempt(item, f"attempts[{number}]") for number, item in enumerate(attempts)),
        rechecks=tuple(_recheck(item, f"rechecks[{number}]") for number, item in enumerate(rechecks)),
        certificates=_certificates(found.get("certificates"), "certificates"),
    )
