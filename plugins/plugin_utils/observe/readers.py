# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Typed reading of what a target answered: each reader says where the value stood when it is of another type.

FOR INTERNAL COLLECTION USE ONLY. Pure. All raise ObservationError.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ..model import TIME_FORMAT


class ObservationError(ValueError):
    """What a target answered is not an observation; the message names the place."""


@dataclass(frozen=True)
class StageError:
    code: str
    message: str
    level: int | None = None
    description: int | None = None
    bytes: int | None = None
    first_bytes: str | None = None


MOST_DEPTH = 40
"""A whole observation is fifteen deep."""
MOST_TEXT = 512 * 1024
"""Characters; the longest text is a certificate, of which the engines read no longer ones."""
MOST_WEIGHT = 32 * 1024 * 1024
"""Characters of all texts and keys, and eight for each value: some thousand endpoints over several paths."""
_VALUE_WEIGHT = 8


def check_bounds(value: Any, where: str) -> None:
    """What is too large or too deep for an observation is none, whoever kept it until now: it must not get into results and reports."""
    weight, waiting = 0, [(value, 0)]
    while waiting:
        inner, depth = waiting.pop()
        if depth > MOST_DEPTH:
            raise ObservationError(f"{where}: it is nested more than {MOST_DEPTH} deep")
        below: list[Any] = []
        if isinstance(inner, str):
            if len(inner) > MOST_TEXT:
                raise ObservationError(f"{where}: a text of {len(inner)} characters is in it, {MOST_TEXT} are the most")
            weight += len(inner)
        elif isinstance(inner, Mapping):
            below = [*inner, *inner.values()]
        elif isinstance(inner, (list, tuple)):
            below = list(inner)
        weight += _VALUE_WEIGHT * len(below)
        if weight > MOST_WEIGHT:
            raise ObservationError(f"{where}: it is larger than {MOST_WEIGHT // (1024 * 1024)} MiB")
        waiting += [(one, depth + 1) for one in below]


def mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ObservationError(f"{where}: an object was expected")
    return value


def a_list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        raise ObservationError(f"{where}: a list was expected")
    return list(value)


def text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise ObservationError(f"{where}: a text was expected")
    return str(value)


_FAR = 10**18


def number(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ObservationError(f"{where}: a whole number was expected")
    if abs(value) >= _FAR:
        raise ObservationError(f"{where}: a whole number of at most 18 digits was expected")
    return int(value)


def flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise ObservationError(f"{where}: true or false was expected")
    return value


def texts(value: Any, where: str) -> tuple[str, ...]:
    return tuple(text(item, where) for item in a_list(value, where))


def numbers(value: Any, where: str) -> tuple[int, ...]:
    return tuple(number(item, where) for item in a_list(value, where))


def from_base64(value: Any, where: str) -> bytes:
    try:
        return base64.b64decode(text(value, where), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ObservationError(f"{where}: base64 was expected") from error


def headers(value: Any, where: str) -> dict[str, tuple[str, ...]]:
    return {name.lower(): texts(values, where) for name, values in mapping(value, where).items()}


def maybe(read: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    return lambda value, where: None if value is None else read(value, where)


def an_error(value: Any, where: str) -> StageError:
    found = mapping(value, where)
    return StageError(
        code=text(found.get("code"), f"{where}.code"),
        message=text(found.get("message"), f"{where}.message")[:500],
        level=maybe(number)(found.get("level"), f"{where}.level"),
        description=maybe(number)(found.get("description"), f"{where}.description"),
        bytes=maybe(number)(found.get("bytes"), f"{where}.bytes"),
        first_bytes=maybe(text)(found.get("first_bytes"), f"{where}.first_bytes"),
    )


def a_time(value: Any, where: str) -> datetime:
    try:
        return datetime.strptime(text(value, where), TIME_FORMAT).replace(tzinfo=timezone.utc)
    except ValueError as error:
        raise ObservationError(f"{where}: a time like 2026-11-26T01:15:00Z was expected") from error
