# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same text and the same exit codes from every series of ansible-core that can be installed here.

Each series gets an environment of its own in the state folder, with the newest Python of this machine that it supports.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from integration import recorded
from integration.conftest import ROOT, Site
from integration.environments import programs
from integration.test_playbook import BAD, console, golden

SERIES = {
    "2.16": range(10, 13), "2.17": range(10, 13), "2.18": range(11, 14), "2.19": range(11, 14), "2.20": range(12, 15),
    "2.21": range(12, 15), "2.22": range(13, 16),
}
"""ansible-core to the minor versions of Python 3 that its controller supports (ansible-core's support matrix)."""
PRE_RELEASES = ("2.22",)
"""Series that may have no final release yet."""


def _starts(python: str, minor: int) -> bool:
    asked = subprocess.run([python, "-c", "import sys; print(sys.version_info[1])"], capture_output=True, text=True, check=False)
    return asked.returncode == 0 and asked.stdout.strip() == str(minor)


def python_for(minors: range) -> str | None:
    """This Python where it fits, else the newest one on PATH that starts."""
    if sys.version_info[1] in minors:
        return sys.executable
    found = ((shutil.which(f"python3.{minor}"), minor) for minor in reversed(minors))
    return next((python for python, minor in found if python and _starts(python, minor)), None)


def environment(state: Path, series: str, python: str) -> Path:
    """The programs of the series' environment."""
    pre = ["--pre"] if series in PRE_RELEASES else []
    wanted = [*pre, f"ansible-core=={series}.*", "pywinrm", "-r", str(ROOT / "requirements.txt")]
    return programs(state, f"ansible-core {series}", wanted, python)


@pytest.mark.parametrize("series", SERIES)
def test_the_series_says_the_same(site: Site, state: Path, series: str) -> None:
    python = python_for(SERIES[series])
    if python is None:
        pytest.skip(f"ansible-core {series} needs one of Python {', '.join(f'3.{minor}' for minor in SERIES[series])} on PATH")
    site.programs = environment(state, series, python)
    version = subprocess.run([site.programs / "ansible-playbook", "--version"], capture_output=True, text=True, check=True).stdout
    assert f"[core {series}." in version

    for number in range(4):
        site.add(f"proxied{number}", **BAD)
    site.add("walled", recorded.dropped)
    site.add("ready1")
    site.add("ready2")
    run = site.run()
    golden("mixed.txt", console(run.output))
    assert run.code == 2

    site.add_unreachable("gone")
    run = site.run()
    assert (run.code, run.recap("gone")["unreachable"]) == (4, 1)
    assert len(run.fleet["hosts"]) == 8

    run = site.run("appproxy.connector.preflight", "--limit", "ready1,ready2")
    assert run.code == 0
