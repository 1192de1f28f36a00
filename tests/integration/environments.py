# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python environments of their own, for programs that cannot live in that of the tests."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest


class NotInstalledError(Exception):
    """pip could not install it; the text is the last line that pip said."""


def programs(state: Path, name: str, wanted: Sequence[str], python: str = sys.executable) -> Path:
    """The environment of `installed`, or a skip that says why there is none."""
    try:
        return installed(state, name, wanted, python)
    except NotInstalledError as error:
        pytest.skip(f"{name} cannot be installed: {error}")


def installed(state: Path, name: str, wanted: Sequence[str], python: str = sys.executable) -> Path:
    """The folder of the environment's programs. It is made where it is not there yet, or was made for something else.

    `wanted`: arguments of `pip install`; what a file among them says is part of what it was made for.
    Raises NotInstalledError.
    """
    folder = state / "environments" / name
    folder.mkdir(parents=True, exist_ok=True)
    read = (Path(one).read_text(encoding="utf-8") if Path(one).is_file() else one for one in wanted)
    done, made_for = folder / "done", "\n".join((python, *read))
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists() or done.read_text(encoding="utf-8") != made_for:
            done.unlink(missing_ok=True)
            subprocess.run([python, "-m", "venv", "--clear", str(folder / "venv")], check=True, capture_output=True)
            install = [str(folder / "venv/bin/python"), "-m", "pip", "install", "--quiet", *wanted]
            ended = subprocess.run(install, capture_output=True, text=True, check=False)
            if ended.returncode != 0:
                raise NotInstalledError((ended.stderr.strip().splitlines() or ["pip said nothing"])[-1])
            done.write_text(made_for, encoding="utf-8")
    return folder / "venv" / "bin"
