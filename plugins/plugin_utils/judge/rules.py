# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules over the facts of a server: what one needs, and what becomes of it where a fact is not known.

FOR INTERNAL COLLECTION USE ONLY. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..model import Status
from ..observe.observation import Fact
from .context import Context
from .observed import PARTLY_OBSERVED, partly_observed
from .route import Row

Facts = Mapping[str, Fact]


@dataclass(frozen=True)
class Rule:
    """`judge` gets the values of `needs` in that order, then the context. It says one thing, and it only when the facts are all known."""

    id: str
    needs: tuple[str, ...]
    judge: Callable[..., Row]


def known(facts: Facts, name: str) -> bool:
    fact = facts.get(name)
    return fact is not None and fact.error is None


def value(facts: Facts, name: str) -> Any:
    """None where it is not known."""
    return facts[name].value if known(facts, name) else None


def passed(id_: str, note: str = "") -> Row:
    return Row(id_, Status.PASS, None, None, note=note)


def found(id_: str, status: Status = Status.FAIL, because: tuple[str, ...] = (), **evidence: Any) -> Row:
    return Row(id_, status, None, None, evidence, because=because)


def not_seen(id_: str) -> Row:
    """A fact that the check needs could not be read: APC903 says which."""
    return Row(id_, Status.UNKNOWN, None, None, because=(PARTLY_OBSERVED,))


def apply(rules: Iterable[Rule], facts: Facts, context: Context) -> Iterator[Row]:
    for rule in rules:
        if all(known(facts, name) for name in rule.needs):
            yield rule.judge(*(facts[name].value for name in rule.needs), context)
        else:
            yield not_seen(rule.id)


_OF_A_USER = ("hive_not_loaded", "account_unknown")
"""Errors of one user's settings that have a finding of their own (APC508)."""


def _unread(facts: Facts, needed: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Name and error code of what could not be read."""
    for name in needed:
        fact = facts.get(name)
        if fact is None:
            yield name, "absent"
        elif fact.error is not None:
            yield name, fact.error.code
        elif name == "internet_settings":
            for owner, one in fact.value.items():
                if one.error is not None and one.error.code not in _OF_A_USER:
                    yield f"{name} of {owner}", one.error.code


def judge_unread(facts: Facts, needed: Sequence[str]) -> Iterator[Row]:
    """One row for all facts that some check needed and that could not be read."""
    unread = tuple(_unread(facts, needed))
    if unread:
        yield partly_observed(", ".join(f"{name} ({code})" for name, code in unread))
