# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Damage: to bytes and to values of JSON. Everything is drawn from a random.Random, so a seed and a number give the same case anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from random import Random
from typing import Any

NUMBERS = (0, 1, 0x7F, 0x80, 0xFE, 0xFF)
LONGEST = 300_000
"""Bytes that a damaged case may have: beyond the 256 KiB that the engines read of a hello."""


def damaged(data: bytes, chance: Random, others: Sequence[bytes] = ()) -> bytes:
    """One to four changes: bits, bytes, lengths, pieces left out, doubled or repeated, the end cut, another sample spliced in."""
    changed = bytearray(data)
    for _count in range(chance.randint(1, 4)):
        if not changed:
            break
        chance.choice(_CHANGES)(changed, chance, others)
    return bytes(changed[:LONGEST])


def _bit(data: bytearray, chance: Random, _others: Sequence[bytes]) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _byte(data: bytearray, chance: Random, _others: Sequence[bytes]) -> None:
    data[chance.randrange(len(data))] = chance.choice((*NUMBERS, chance.randrange(256)))


def _length(data: bytearray, chance: Random, _others: Sequence[bytes]) -> None:
    """Some bytes as a big-endian number, which becomes another one."""
    width = chance.randint(1, 4)
    at = chance.randrange(len(data))
    piece = data[at:at + width]
    most = 256 ** len(piece) - 1
    number = int.from_bytes(piece, "big") + chance.choice((-2, -1, 1, 2, 255))
    data[at:at + width] = chance.choice((0, most, most // 2, max(0, min(most, number)))).to_bytes(len(piece), "big")


def _leave_out(data: bytearray, chance: Random, _others: Sequence[bytes]) -> None:
    at = chance.randrange(len(data))
    del data[at:at + chance.choice((1, 2, 8, 100))]


def _double(data: bytearray, chance: Random, _others: Sequence[bytes]) -> None:
    at = chance.randrange(len(data))
    data[at:at] = data[at:at + chance.randint(1, 200)]


def _repeat(data: bytearray, chance: Random, _others: Sequence[bytes]) -> None:
    """Seldom a great many times."""
    at = chance.randrange(len(data))
    piece = data[at:at + chance.randint(1, 40)]
    data[at:at] = piece * (chance.choice((2, 16, 100)) if chance.random() < 0.98 else 70_000 // len(piece))


def _cut(data: bytearray, chance: Random, _others: Sequence[bytes]) -> None:
    if chance.random() < 0.3:
        del data[chance.randrange(len(data)):]


def _splice(data: bytearray, chance: Random, others: Sequence[bytes]) -> None:
    if others:
        other = chance.choice(others)
        data[chance.randrange(len(data)):] = other[chance.randrange(len(other)):]


_CHANGES: tuple[Callable[[bytearray, Random, Sequence[bytes]], None], ...] = (
    _bit, _byte, _byte, _length, _length, _leave_out, _double, _repeat, _cut, _splice,
)


# ---- values of JSON

Spot = tuple[Any, ...]
"""The keys and places that lead to a value."""

LIES: tuple[Any, ...] = (
    None, True, False, 0, -1, 10 ** 30, 1.5, float("nan"), float("inf"), "", "0", "x" * 5000, "\x00\x1b[31m\u202e", "\ud800", [], {}, [1],
    [None], {"a": []}, {"": ""}, [[]], [{}], "2026-13-40T99:99:99Z", "direct", "ok",
)


def spots(value: Any, above: Spot = ()) -> list[Spot]:
    """Every place in a value, in its order."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: list[Spot] = []
    for key, inner in items:
        found.append((*above, key))
        found += spots(inner, (*above, key))
    return found


def holder(value: Any, spot: Spot) -> Any:
    """What the last key of a spot is a key of; None where that is not there (any more)."""
    for key in spot[:-1]:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def has(value: Any, spot: Spot) -> bool:
    inner, key = holder(value, spot), spot[-1]
    return (isinstance(inner, dict) and key in inner) or (isinstance(inner, list) and isinstance(key, int) and key < len(inner))


def lied(value: Any, places: Sequence[Spot], chance: Random) -> Any:
    """A copy with one to three places taken away, given another type or content, exchanged, or deep as no honest target makes it."""
    lie = deepcopy(value)
    for _count in range(chance.randint(1, 3)):
        spot = chance.choice(places)
        if not has(lie, spot):
            continue
        inner, key = holder(lie, spot), spot[-1]
        kind = chance.randrange(6)
        if kind == 0:
            del inner[key]
        elif kind == 1:
            # Of what it was: what it has become may be too deep to be copied.
            other = chance.choice(places)
            inner[key] = deepcopy(holder(value, other)[other[-1]])
        elif kind == 2:
            inner[key] = deep(chance.choice((3, 40, 900)), chance)
        elif kind == 3 and isinstance(inner[key], str):
            inner[key] = damaged(inner[key].encode("utf-8", "replace"), chance).decode("latin-1")
        else:
            inner[key] = deepcopy(chance.choice(LIES))
    return lie


def deep(levels: int, chance: Random) -> Any:
    value: Any = chance.choice(LIES)
    for _level in range(levels):
        value = [value] if chance.random() < 0.5 else {"a": value}
    return value
