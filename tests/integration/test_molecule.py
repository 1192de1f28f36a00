# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenarios of extensions/molecule, with molecule itself, over servers of the lab."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from integration.conftest import ROOT

MOLECULE = ROOT / "extensions" / "molecule"
SCENARIOS = sorted(path.parent.name for path in MOLECULE.glob("*/molecule.yml"))


def sequence(scenario: str) -> list[str]:
    """The steps of a scenario: its own, else those that all share."""
    files = (MOLECULE / scenario / "molecule.yml", MOLECULE / "config.yml")
    own, shared = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in files)
    steps: list[str] = (own.get("scenario") or shared["scenario"])["test_sequence"]
    return steps


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_scenario_passes(scenario: str, state: Path, collections: Path, tmp_path: Path) -> None:
    programs = Path(sys.executable).parent
    environment = {
        **os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(tmp_path), "NO_COLOR": "1", "APPPROXY_STATE": str(state),
        "ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_HOME": str(tmp_path / "ansible"),
    }
    done = subprocess.run([programs / "molecule", "test", "--scenario-name", scenario], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    told = done.stdout.partition("DETAILS")[2]
    assert re.findall(rf"^{scenario} \S+ (\w+): Executed: Successful$", told, re.MULTILINE) == sequence(scenario)
    assert list(tmp_path.rglob("lab.pid")) == [], "the lab still runs"


def test_there_are_scenarios() -> None:
    """The test above cannot pass by finding none."""
    assert {"default", "modules", "unreachable"} <= set(SCENARIOS)
