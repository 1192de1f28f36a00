# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of what is fuzzed, and the bounds that hold for every case: no other end than the documented ones, and a time."""

from __future__ import annotations

import base64
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from types import FrameType
from typing import Any

from . import controller, engine, windows

SECONDS = 30
"""That one case may take at most, on a machine with much other work: what takes longer hangs."""


@dataclass(frozen=True)
class Parser:
    make: Callable[[Random], Any]
    run: Callable[[Any], Any]
    """Its outcome (a word, or facts with an `end`). Raises AssertionError where it passes what it must not."""

    def case(self, name: str, seed: int, number: int) -> Any:
        return self.make(Random(f"{seed} {name} {number}"))


PARSERS = {
    "http": Parser(engine.make_http, engine.run_http),
    "connect": Parser(engine.make_http, engine.run_connect),
    "flight": Parser(engine.make_flight, engine.run_flight),
    "client_hello": Parser(engine.make_client_hello, engine.run_client_hello),
    "certificate": Parser(engine.make_certificate, engine.run_certificate),
    "chain": Parser(controller.make_chain, controller.run_chain),
    "revocation": Parser(controller.make_revocation, controller.run_revocation),
    "observation": Parser(controller.make_observation, controller.run_observation),
    "judge": Parser(controller.make_observation, controller.run_judge),
    "waiver": Parser(controller.make_waiver, controller.run_waiver),
    "options": Parser(controller.make_options, controller.run_options),
}


class Failure(Exception):
    """A case that did what none may."""

    def __init__(self, number: int, case: Any, why: str) -> None:
        super().__init__(why)
        self.number = number
        self.case = case


@dataclass
class Outcome:
    words: Counter[str]
    failures: list[Failure]
    slowest: float = 0.0
    """Seconds."""

    def add(self, other: Outcome) -> None:
        self.words += other.words
        self.failures += other.failures
        self.slowest = max(self.slowest, other.slowest)


class Hang(BaseException):
    """Not an Exception: what is under test may catch those."""


@contextmanager
def _watched() -> Iterator[None]:
    def ring(_number: int, _frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def one(name: str, seed: int, number: int, other: windows.Harness | None = None) -> str:
    """Its outcome in a word; by both engines where the other is given. Raises Failure."""
    parser = PARSERS[name]
    case = parser.case(name, seed, number)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        outcome = parser.run(case)
        if other is not None:
            difference = windows.differ(name, case, outcome, next(other.answers([(name, case)])))
            assert not difference, f"the engines differ: {difference}"
    except Hang:
        raise Failure(number, case, f"it took more than {SECONDS} seconds") from None
    except Exception as error:  # noqa: BLE001  anything that leaves a parser is what is looked for
        raise Failure(number, case, f"{type(error).__name__}: {str(error)[:500]}") from error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return str(outcome if isinstance(outcome, str) else outcome["end"])


def fuzz(name: str, numbers: Iterable[int], seed: int, other: windows.Harness | None = None) -> Outcome:
    """Many cases, in the main thread (the watch is a signal)."""
    outcome = Outcome(Counter(), [])
    with _watched():
        for number in numbers:
            began = time.process_time()
            try:
                outcome.words[one(name, seed, number, other)] += 1
            except Failure as failure:
                outcome.words["FAILED"] += 1
                if len(outcome.failures) < 20:
                    outcome.failures.append(failure)
                if other is not None and isinstance(failure.__context__, Hang):
                    break  # Its answer may come yet: from here on the two would be out of step.
            outcome.slowest = max(outcome.slowest, time.process_time() - began)
    return outcome


def shown(case: Any) -> Any:
    """As JSON can have it."""
    if isinstance(case, engine.Bytes):
        return {"step": case.step, "data": base64.b64encode(case.data).decode()}
    if isinstance(case, list) and all(isinstance(part, bytes) for part in case):
        return [base64.b64encode(part).decode() for part in case]
    return case
