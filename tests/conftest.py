# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make `ansible_collections.appproxy.connector` importable from the work tree, under its full name.

Where the tree already lies at …/ansible_collections/appproxy/connector (ansible-test demands it), that folder serves;
elsewhere a link in the state folder leads to it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).absolute().parent.parent
STATE = Path(os.environ.get("APPPROXY_STATE") or ROOT / ".state").absolute()
NAME = ("ansible_collections", "appproxy", "connector")


def collections_path() -> Path:
    """Return a folder that has ansible_collections/appproxy/connector in it, made of a link to the work tree where need be."""
    if ROOT.parts[-3:] == NAME:
        return ROOT.parents[2]
    source = STATE / "src"
    link = source.joinpath(*NAME)
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink() or link.resolve() != ROOT.resolve():
        # Renamed into place, so that test processes that start together do not meet half of it.
        fresh = link.with_name(f"{link.name}.{os.getpid()}")
        fresh.symlink_to(ROOT, target_is_directory=True)
        fresh.replace(link)
    return source


SOURCE = collections_path()
sys.path.insert(0, str(SOURCE))


@pytest.fixture(scope="session")
def collections() -> Path:
    """Return where the collection is installed by ./test, else the folder whose collection is the work tree."""
    for folder in os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(os.pathsep):
        if folder and Path(folder, *NAME).is_dir():
            return Path(folder)
    return SOURCE


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the collection's root: the work tree."""
    return ROOT


@pytest.fixture(scope="session")
def state() -> Path:
    """Return the folder for what tests may keep from run to run."""
    STATE.mkdir(parents=True, exist_ok=True)
    return STATE


@pytest.fixture(scope="session")
def source() -> Path:
    """Return the folder whose ansible_collections/appproxy/connector is the work tree."""
    return SOURCE


_SAID = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def say(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Take a line for the end of the run: how much of something was tried, which dots do not tell."""
    lines = pytestconfig.stash.setdefault(_SAID, [])

    def keep(line: str) -> None:
        if line not in lines:
            lines.append(line)

    return keep


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash.get(_SAID, [])
    if lines:
        terminalreporter.section("what was tried")
        for line in lines:
            terminalreporter.write_line(line)
