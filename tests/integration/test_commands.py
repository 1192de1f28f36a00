# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The README's commands with their output: each console block is run as it stands, in a folder where the README's servers are.

The servers are recorded observations: srv-conn-01.example gets no WebSocket upgrade through, srv-conn-02.example has nothing wrong.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from itertools import groupby
from typing import Any

import pytest
from integration import recorded
from integration.conftest import ROOT, SECONDS, Site

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```console\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
YAML = dict(re.findall(r"^```yaml\n# (\w+\.yml)[^\n]*\n(.*?)^```$", README, re.MULTILINE | re.DOTALL))
"""Files that the README shows, by name."""
PLAYBOOK = "appproxy.connector.preflight"


def commands(block: str) -> str:
    """What is typed: lines that begin with `$`, with those that a backslash at the end adds to them."""
    return "\n".join(re.findall(r"^\$ ((?:.*\\\n)*.*)$", block, re.MULTILINE))


def output(block: str) -> list[list[str]]:
    """What is shown: runs of lines, between which `...` leaves others out."""
    lines = re.sub(r"^\$ (?:.*\\\n)*.*\n", "", block, flags=re.MULTILINE).splitlines()
    return [list(group) for left_out, group in groupby(lines, key=lambda line: line == "...") if not left_out]


def no_websocket(target: dict[str, Any], chain: list[str]) -> dict[str, Any]:
    stages = recorded.healthy(target, chain)
    return {**stages, "websocket": recorded.error("reset")} if "websocket" in stages else stages


@pytest.fixture
def folder(site: Site) -> Site:
    """Last week's run and two slices have left their reports and observations."""
    site.add("srv-conn-01.example", no_websocket)
    site.add("srv-conn-02.example")
    for run_id, limit in (("last-week", "all"), ("slice1", "srv-conn-01.example"), ("slice2", "srv-conn-02.example")):
        site.run(PLAYBOOK, "-e", f"preflight_run_id={run_id}", "--limit", limit)
    saved = site.path / "preflight-reports" / "last-week" / "observations"
    saved.mkdir()
    for name, variables in site.hosts.items():
        shutil.copy(variables["preflight_observations"], saved / f"{name}.json")
    # JSON is YAML.
    (site.path / "inventory.json").rename(site.path / "inventory.yml")
    (site.path / "roots.json").write_text(json.dumps({"all": {"vars": site.variables}}), encoding="utf-8")
    (site.path / "waivers.yml").write_text(YAML["waivers.yml"], encoding="utf-8")
    return site


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: re.findall(r"connector\.\w+|preflight_\w+=|@\w+", block)[-1])
def test_the_command_says_what_the_readme_shows(folder: Site, block: str) -> None:
    # Where a command names no inventory, this one gives the authority of the recorded servers.
    environment = folder.environment(ANSIBLE_INVENTORY=str(folder.path / "roots.json"))
    environment["PATH"] = f"{folder.programs}:{os.environ['PATH']}"
    done = subprocess.run(["bash", "-c", commands(block)], cwd=folder.path, env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False)
    at = 0
    for shown in output(block):
        text = "\n" + "\n".join(shown) + "\n"
        found = done.stdout.find(text, at)
        assert found >= 0, f"{text}\nis not in\n{done.stdout}"
        at = found + len(text) - 1


def test_the_blocks_are_found() -> None:
    """The test above cannot pass by finding nothing."""
    typed = "\n".join(map(commands, BLOCKS))
    for part in ("preflight_baseline=", "@waivers.yml", "connector.merge", "connector.replay"):
        assert part in typed
    assert all(len(output(block)) > 0 for block in BLOCKS)
