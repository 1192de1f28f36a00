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


def number(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ObservationError(f"{where}: a whole number was expected")
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
