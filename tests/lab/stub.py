# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that stand where a server's PowerShell or Python would, and say what they are given."""

from __future__ import annotations

import shlex
from pathlib import Path


def stub(folder: Path, name: str, says: str, *, seconds: float = 0, hears: bool = True) -> Path:
    """A program that waits so long and says this, whatever it is asked. `hears`: it takes its standard input to the end first."""
    words, program = folder / f"{name}.says", folder / name
    words.write_text(says, encoding="utf-8")
    lines = ["#!/bin/sh", *(["cat >/dev/null"] if hears else []), f"sleep {seconds}", f"exec cat {shlex.quote(str(words))}"]
    program.write_text("\n".join(lines) + "\n", encoding="utf-8")
    program.chmod(0o755)
    return program
