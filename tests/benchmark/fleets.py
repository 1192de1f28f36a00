# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time and memory of the reports of large fleets, from files, as a run leaves them.

    python3 tests/bootstrap.py run python tests/benchmark/fleets.py [--json FILE] [HOSTS ...]

Hosts are copies of recorded ones: every third is ready, the others have a proxy that asks for a password or no way at all.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(os.pathsep)[0]]

from ansible_collections.appproxy.connector.plugins.plugin_utils.options import parse_options  # noqa: E402
from ansible_collections.appproxy.connector.plugins.plugin_utils.preflight import conclude, plan  # noqa: E402
from ansible_collections.appproxy.connector.plugins.plugin_utils.report import (  # noqa: E402
    files,
    fleet_json,
    formats,
    host_json,
    rows,
)
from integration import recorded  # noqa: E402

ROUNDS = 20
STAMP = "2026-11-26T01:00:00Z"


def reports(folder: Path) -> tuple[list[dict[str, Any]], float]:
    """Of one server of each kind, judged for real; and the milliseconds that judging one takes, folded and with its report made."""
    made, took = [], []
    for stages, proxy in ((recorded.healthy, "direct"), (recorded.dropped, "direct"), (recorded.password_wanted, recorded.PROXY)):
        given = {"tenant_id": recorded.TENANT, "proxy": proxy, "public_roots": str(folder / "roots.pem")}
        request = plan(parse_options(given | {"public_roots": None}, recorded.SEEN_AT), "server").request
        world = recorded.make_world([target["host"] for target in request["targets"]])
        world.write_roots(folder / "roots.pem")
        planned = plan(parse_options(given, recorded.SEEN_AT), "server")
        seen = recorded.observation(request, world, stages)
        for _round in range(ROUNDS):
            began = time.perf_counter()
            report = host_json.build("server", "run", conclude(planned, seen))
            took.append(time.perf_counter() - began)
        made.append(report)
    return made, statistics.mean(took) * 1000


def measured(work: Callable[[], Any]) -> tuple[Any, float, int]:
    """What came of it, seconds, and the most memory that it held at once, in bytes."""
    tracemalloc.start()
    began = time.perf_counter()
    result = work()
    took = time.perf_counter() - began
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return result, took, peak


def rows_of(folder: Path, number: int) -> Callable[[], Iterator[fleet_json.Row]]:
    def each() -> Iterator[fleet_json.Row]:
        for index in range(number):
            name = f"srv-{index:05}.contoso.example"
            yield fleet_json.Row(name, f"hosts/{name}.json", files.read(files.host_file(folder, name)))

    return each


def run(number: int) -> dict[str, dict[str, float]]:
    """Row to milliseconds a host and the peak in MB, for a fleet of so many; the first row is measured without memory traced."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made_here, judged_ms = reports(folder)
        kinds = [host_json.dump(report) for report in made_here]
        for index in range(number):
            files.write(files.host_file(folder, f"srv-{index:05}.contoso.example"), kinds[index % len(kinds)])
        each = rows_of(folder, number)
        begun = fleet_json.begin("run", STAMP)
        fleet, took, peak = measured(lambda: fleet_json.build(begun, each(), STAMP, complete=True))
        table = {"judge, fold, report": {"ms_per_host": judged_ms, "peak_mb": 0.0}}
        table |= {"fleet.json": {"ms_per_host": took * 1000 / number, "peak_mb": peak / 1e6}}
        material = formats.Material(fleet, rows.subjects(each, None))
        for made in formats.FORMATS.values():
            for file, make in made.items():
                _none, took, peak = measured(lambda file=file, make=make: files.write(folder / file, make(material)))  # type: ignore[misc]
                table[file] = {"ms_per_host": took * 1000 / number, "peak_mb": peak / 1e6}
    return table


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Time and memory of the reports of large fleets.")
    parser.add_argument("hosts", nargs="*", type=int, default=[100, 1000, 10000])
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args(arguments)
    tables = {number: run(number) for number in chosen.hosts}
    print(f"{'':22}" + "".join(f"{number:>12} hosts     " for number in tables))
    for row in next(iter(tables.values())):
        cells = "".join(f"{table[row]['ms_per_host']:9.2f} ms {table[row]['peak_mb']:7.1f} MB" for table in tables.values())
        print(f"{row:22}{cells}")
    print("ms: for each host, below the first row with memory traced, which costs about half of it. MB: the most held at once.")
    if chosen.json:
        chosen.json.write_text(json.dumps(tables, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
