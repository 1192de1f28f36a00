# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile bytes and lying targets, some thousand for each parser (tests/fuzz): a typed end, in time, and no pass that is none.

More of them: python3 tests/bootstrap.py run python tests/fuzz/run.py --help
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from fuzz import controller, windows
from fuzz.mutate import Spot, holder
from fuzz.parsers import PARSERS, fuzz, one
from fuzz.run import SEED, main, peak
from lab.winrm import find_powershell

CASES = dict.fromkeys(PARSERS, 2000)
WORDS = {
    "http": {"ok", "closed", "malformed"},
    "connect": {"ok", "closed", "malformed", "denied", "auth_required", "bad_gateway"},
    "flight": {"ok", "closed", "malformed", "alert", "not_tls"},
    "client_hello": {"ok", "malformed"},
    "certificate": {"ok", "malformed"},
    "chain": {"public genuine", "public", "incomplete", "unreadable"},
    "revocation": {"good", "wrong"},
    "observation": {"read", "refused"},
    "judge": {"ready", "not_ready", "inconclusive"},
    "waiver": {"read", "refused"},
    "options": {"read", "refused"},
}
"""Each of them must come: cases that all end alike try nothing."""
MEMORY_KIB = 32 * 1024


@pytest.mark.parametrize("name", PARSERS)
def test_whatever_comes_ends_as_documented(name: str, say: Callable[[str], None]) -> None:
    # What is loaded and cached at first is no growth.
    fuzz(name, range(100), SEED + 1)
    before = peak()
    outcome = fuzz(name, range(CASES[name]), SEED)
    assert not outcome.failures, [f"{one.number}: {one}" for one in outcome.failures]
    assert sum(outcome.words.values()) == CASES[name]
    assert set(outcome.words) >= WORDS[name]
    assert peak() - before < MEMORY_KIB
    say(f"hostile cases, {name}: {CASES[name]}")


def test_the_engines_tell_the_same(tmp_path: Path) -> None:
    if find_powershell() is None:
        pytest.skip("pwsh is not on PATH")
    with windows.harness(tmp_path) as engine:
        for name in windows.PARSERS:
            outcome = fuzz(name, range(CASES[name]), SEED, engine)
            assert not outcome.failures, [f"{name} {one.number}: {one}" for one in outcome.failures]
        assert engine.live_bytes() < 64 << 20


def test_a_case_is_the_same_again(capsys: pytest.CaptureFixture[str]) -> None:
    for name in PARSERS:
        assert repr(PARSERS[name].case(name, 1, 7)) == repr(PARSERS[name].case(name, 1, 7))
    assert main(["--parser", "http", "--seed", "1", "--case", "7"]) == 0
    first = capsys.readouterr().out
    assert f"outcome: {one('http', 1, 7)}" in first
    assert main(["--parser", "http", "--seed", "1", "--case", "7"]) == 0
    assert capsys.readouterr().out == first


def test_a_failing_case_is_told_and_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def parse(_value: Any, _number: int, _known: Any) -> Any:
        raise KeyError("a mistake")

    monkeypatch.setattr(controller, "parse_waiver", parse)
    assert main(["--parser", "waiver", "--cases", "3", "--save", str(tmp_path)]) == 1
    assert "KeyError: 'a mistake'" in capsys.readouterr().out
    assert (tmp_path / f"fuzz-waiver-{SEED}-0.json").is_file()


def test_each_place_of_an_observation_is_needed_or_named_as_spare() -> None:
    """One by one: taken away, and of another type. What is ready all the same must be named in fuzz.controller.is_spare."""
    _asked, healthy = controller._asked()
    assert controller.run_judge(healthy) == "ready"
    needed = 0
    for spot in controller._places():
        for lie in (_without(healthy, spot), _of_another_type(healthy, spot)):
            needed += controller.run_judge(lie) != "ready"
    assert needed > len(controller._places())


def _without(value: Any, spot: Spot) -> Any:
    lie = deepcopy(value)
    del holder(lie, spot)[spot[-1]]
    return lie


def _of_another_type(value: Any, spot: Spot) -> Any:
    lie = deepcopy(value)
    inner = holder(lie, spot)
    inner[spot[-1]] = "text" if isinstance(inner[spot[-1]], dict) else {"a": [1.5]}
    return lie
