# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several runs: merged, compared with an earlier one, judged again from what was saved."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from integration import recorded
from integration.conftest import Run, Site
from integration.test_playbook import BAD

PLAYBOOK = "appproxy.connector.preflight"


def run(site: Site, run_id: str, *arguments: str) -> Run:
    return site.run(PLAYBOOK, "-e", f"preflight_run_id={run_id}", *arguments)


def fleet(site: Site, run_id: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((site.path / "preflight-reports" / run_id / "fleet.json").read_text(encoding="utf-8"))
    return read


def earlier(run_id: str) -> tuple[str, str]:
    return "-e", f"preflight_baseline=preflight-reports/{run_id}/fleet.json"


@pytest.fixture
def two(site: Site) -> Site:
    """A server without a way, and one with."""
    site.add("walled", recorded.dropped)
    site.add("ready")
    return site


def test_slices_are_merged_to_what_one_run_would_say(two: Site) -> None:
    run(two, "whole")
    for name in ("walled", "ready"):
        run(two, name, "--limit", name)
    reports = ["preflight-reports/walled", "preflight-reports/ready/fleet.json"]
    merged = two.run("appproxy.connector.merge", "-e", json.dumps({"preflight_reports": reports, "preflight_run_id": "merged"}))
    assert merged.code == 0, merged.output
    one, other = fleet(two, "whole"), fleet(two, "merged")
    for key in ("verdict", "summary", "counts", "causes", "state"):
        assert one[key] == other[key], key
    assert [host["verdict"] for host in other["hosts"]] == ["not_ready", "ready"]
    assert (two.path / "preflight-reports" / "merged" / "junit.xml").is_file()
    assert "1 of 2 servers is ready" in merged.output


def test_a_merge_without_reports_says_what_to_give(two: Site) -> None:
    done = two.run("appproxy.connector.merge", "-e", '{"preflight_reports": ["nowhere"]}')
    assert "reports: 'nowhere' is no report of a run that came to its end." in done.output
    assert done.code == 2


def test_a_run_is_compared_with_an_earlier_one(two: Site) -> None:
    assert run(two, "first").code == 2
    same = run(two, "second", *earlier("first"))
    told = fleet(two, "second")["baseline"]
    assert (told["new"], told["fixed"], told["run_id"]) == (0, 0, "first")
    assert told["unchanged"] > 0
    assert "Compared with the run first: 0 new, 0 fixed" in same.output
    assert same.code == 2
    assert run(two, "third", *earlier("first"), "-e", "preflight_gate_on=new").code == 0
    sarif = json.loads((two.path / "preflight-reports" / "third" / "findings.sarif").read_text(encoding="utf-8"))
    states = {result.get("baselineState") for result in sarif["runs"][0]["results"]}
    assert states <= {"unchanged", None}
    assert "unchanged" in states

    # Another server gets worse, and the first is mended.
    two.add("walled")
    two.add("ready", **BAD)
    worse = run(two, "fourth", *earlier("first"), "-e", "preflight_gate_on=new")
    told = fleet(two, "fourth")["baseline"]
    assert told["new"] > 0
    assert told["fixed"] == told["unchanged"] + told["fixed"] > 0
    assert {one["host"] for one in told["fixed_findings"]} == {"walled"}
    assert worse.code == 2
    assert worse.recap("walled")["failed"] == 0
    assert worse.recap("ready")["failed"] == 1


def test_what_is_new_never_lets_pass_what_nobody_saw(two: Site) -> None:
    two.add_unreachable("gone")
    assert run(two, "first").code == 4
    again = run(two, "second", *earlier("first"), "-e", "preflight_gate_on=new")
    assert again.code == 4
    assert again.recap("gone")["unreachable"] == 1


def test_a_baseline_that_is_none_is_named_before_anything_is_looked_at(two: Site) -> None:
    done = run(two, "first", "-e", "preflight_baseline=nowhere/fleet.json")
    assert "baseline: 'nowhere/fleet.json' is no report of a run that came to its end." in done.output
    assert "Look at the server and judge" not in done.output
    assert run(two, "second", "-e", "preflight_gate_on=new").code == 2
    run(two, "third")
    own = run(two, "third", *earlier("third"))
    assert "is this run's own report" in own.output


def test_a_bad_format_is_named_before_anything_is_looked_at(two: Site) -> None:
    done = run(two, "first", "-e", '{"preflight_formats": ["pdf"]}')
    assert "formats: 'pdf' is not known. Write some of: html, markdown, junit, sarif, change_request, remediation." in done.output
    assert "Look at the server and judge" not in done.output


def test_saved_observations_are_judged_again(two: Site) -> None:
    two.add("odd name (Köln)/1", recorded.dropped)
    run(two, "first", "-e", "preflight_save_observations=true")
    saved = two.path / "preflight-reports" / "first" / "observations"
    variables = {**two.variables, "preflight_observations": str(saved), "preflight_run_id": "again"}
    done = two.run("appproxy.connector.replay", "-e", json.dumps(variables))
    one, other = fleet(two, "first"), fleet(two, "again")
    assert {host["host"]: host["verdict"] for host in other["hosts"]} == {host["host"]: host["verdict"] for host in one["hosts"]}
    assert {cause["id"] for cause in other["causes"]} == {cause["id"] for cause in one["causes"]}
    assert done.code == 2
    variables["preflight_observations"] = str(Path(two.path / "nowhere"))
    nothing = two.run("appproxy.connector.replay", "-e", json.dumps(variables))
    assert "has no saved observation" in nothing.output
    assert nothing.code == 2


def test_many_servers_over_winrm_take_one_remote_task_each(collections: Path, tmp_path: Path) -> None:
    """As in the benchmark, by its own command: the protocol is real, the servers are stubs that answer a recorded observation.

    A process of its own, since the benchmark moves the time of what is recorded to now.
    """
    words = ["--hosts", "12", "--forks", "6", "--look-seconds", "0.5", "--single-hosts", "0", "--json", str(tmp_path / "costs.json")]
    program = [sys.executable, str(Path(__file__).resolve().parents[1] / "benchmark" / "winrm_fleet.py"), *words]
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections)}
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    costs = json.loads((tmp_path / "costs.json").read_text(encoding="utf-8"))
    assert {row: cost["remote_tasks"] for row, cost in costs.items()} == {"preflight, 6 forks": 1, "preflight, 6 forks, free": 1}
    assert all(cost["sent_kb"] > 100 for cost in costs.values()), "the task went with its code"
