# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Damaged and hostile cases for the parsers, as many as one wants.

    python3 tests/bootstrap.py run python tests/fuzz/run.py --parser http --cases 1000000
    python3 tests/bootstrap.py run python tests/fuzz/run.py --parser http --seed 1 --case 4711

The first prints cases, seconds, growth of memory, what came of them, and where the first failing case was saved; it ends with 1 if there
was one. The second makes one case again: seed and number give the same one on every machine. --windows shows the cases to the engine of
Windows too (needs pwsh) and compares what both told.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(os.pathsep)[0]]

from fuzz import windows  # noqa: E402
from fuzz.parsers import PARSERS, Failure, Outcome, fuzz, one, shown  # noqa: E402

SEED = 20261126


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("--parser", choices=sorted(PARSERS), nargs="+", default=sorted(PARSERS))
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--case", type=int, help="make this one again, and show it")
    parser.add_argument("--windows", action="store_true", help="the engine of Windows too, where it has the parser")
    parser.add_argument("--save", type=Path, default=Path(tempfile.gettempdir()), help="folder for failing cases")
    given = parser.parse_args(arguments)
    if given.case is not None:
        return again(given.parser, given.seed, given.case)
    return max(many(name, given.cases, given.seed, given.windows, given.save) for name in given.parser)


def again(names: Sequence[str], seed: int, number: int) -> int:
    code = 0
    for name in names:
        print(f"{name}, seed {seed}, case {number}: {shown(PARSERS[name].case(name, seed, number))}")
        try:
            print(f"outcome: {one(name, seed, number)}")
        except Failure as failure:
            print(f"FAILED: {failure}")
            code = 1
    return code


def many(name: str, cases: int, seed: int, both: bool, save: Path) -> int:
    began, outcome, before = time.monotonic(), Outcome(Counter(), []), 0
    with ExitStack() as stack:
        engine = None
        if both and name in windows.PARSERS:
            engine = stack.enter_context(windows.harness(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        for start in range(0, cases, 10_000):
            outcome.add(fuzz(name, range(start, min(cases, start + 10_000)), seed, engine))
            # What is loaded and cached at first is no growth.
            before = before or peak()
            if engine is not None and outcome.failures:
                break  # After a hang the two are out of step.
        grown = peak() - before
    done = f"{sum(outcome.words.values())} cases{' by both engines' if engine else ''}"
    print(
        f"{name}: {done}, seed {seed}, {time.monotonic() - began:.0f} s, "
        f"peak memory +{grown / 1024:.1f} MiB, slowest {outcome.slowest * 1000:.0f} ms, "
        f"{', '.join(f'{count} {word}' for word, count in outcome.words.most_common())}: {'FAILED' if outcome.failures else 'ok'}",
        flush=True,
    )
    for failure in outcome.failures[:3]:
        path = save / f"fuzz-{name}-{seed}-{failure.number}.json"
        path.write_text(json.dumps({"parser": name, "seed": seed, "case": failure.number, "value": shown(failure.case)}), encoding="utf-8")
        print(f"  case {failure.number}: {failure}\n  saved as {path}", flush=True)
        print(f"  again: --parser {name} --seed {seed} --case {failure.number}", flush=True)
    if grown > 64 * 1024:
        print(f"  {name}: memory grows", flush=True)
    return 1 if outcome.failures or grown > 64 * 1024 else 0


def peak() -> int:
    """KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
