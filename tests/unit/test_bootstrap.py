# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The start of ./demo and ./test: which Python is taken, what is said when there is none; and the check of CI's skips."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPORT = """<testsuites><testsuite>
<testcase classname="tests.a" name="test_one"/>
<testcase classname="tests.a" name="test_two"><skipped message="{reason}"/></testcase>
</testsuite></testsuites>"""


def script(path: Path, text: str) -> None:
    """Write an executable shell script."""
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


def start(root: Path, folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Start ./demo or ./test with PATH naming only a folder (and what /bin/sh needs)."""
    (folder / "dirname").symlink_to("/usr/bin/dirname")
    env = {"PATH": str(folder), "HOME": str(folder), "APPPROXY_STATE": str(folder / "state")}
    return subprocess.run([str(root / command)], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", ["demo", "test"])
def test_no_python_is_said(root: Path, tmp_path: Path, command: str) -> None:
    script(tmp_path / "python3", "exit 127")  # a version manager's stub that leads nowhere
    done = start(root, tmp_path, command)
    assert done.returncode == 1
    assert "Python 3.10, 3.11, 3.12 or 3.13 is needed" in done.stderr
    assert list(tmp_path.glob("state")) == []


@pytest.mark.parametrize("command", ["demo", "test"])
def test_the_first_python_that_starts_is_taken(root: Path, tmp_path: Path, command: str) -> None:
    script(tmp_path / "python3", "exit 1")
    script(tmp_path / "python3.12", '[ "$1" = -c ] || echo "$1" "$2"')
    done = start(root, tmp_path, command)
    assert done.returncode == 0, done.stderr
    program, action = done.stdout.split()
    assert (Path(program).resolve(), action) == (root / "tests" / "bootstrap.py", command)


def test_unknown_action_is_refused_before_any_set_up(root: Path, tmp_path: Path) -> None:
    env = os.environ | {"APPPROXY_STATE": str(tmp_path / "state")}
    command = [sys.executable, str(root / "tests" / "bootstrap.py"), "dance"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "usage: bootstrap.py demo|test|run|setup" in done.stderr
    assert not (tmp_path / "state").exists()


def check_skips(root: Path, folder: Path, report: str) -> subprocess.CompletedProcess[str]:
    """Run the check of CI over a report (XML text) with an allow-list of one reason."""
    (folder / "report.xml").write_text(report, encoding="utf-8")
    (folder / "allowed").write_text("# why\nno such program: .*\n", encoding="utf-8")
    command = [sys.executable, str(root / ".ci" / "check_skips.py"), str(folder / "report.xml"), str(folder / "allowed")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("report", "code", "said"),
    [
        (REPORT.format(reason="no such program: squid"), 0, ""),
        (REPORT.format(reason="did not feel like it"), 1, "tests.a::test_two: did not feel like it"),
        ("<testsuites/>", 1, "the report has no test"),
        ("", 1, "no element found"),
    ],
)
def test_ci_refuses_an_unexpected_skip(root: Path, tmp_path: Path, report: str, code: int, said: str) -> None:
    if not (root / ".ci").is_dir():
        pytest.skip(".ci is not in this copy")
    done = check_skips(root, tmp_path, report)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
