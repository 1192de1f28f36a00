# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps servers of the lab up while somebody else looks at them: molecule, or a person.

    python3 tests/bootstrap.py run python tests/lab/serve.py start FOLDER SCENARIO [...]
    python3 tests/bootstrap.py run python tests/lab/serve.py stop FOLDER

`start` comes back when FOLDER/inventory.json is there; the lab goes on for an hour at most, or until `stop`.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests"), os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(os.pathsep)[0]]

from lab.fleet import Lab, lacking  # noqa: E402
from lab.scenarios import scenario  # noqa: E402

PROCESS = "lab.pid"
SECONDS = 3600
TO_END = 20
"""Seconds that a lab gets to stop what it started."""


def start(folder: Path, names: Sequence[str]) -> int:
    scenarios = [scenario(name) for name in names]
    missing = [reason for one in scenarios if (reason := lacking(one))]
    if missing:
        print(missing[0], file=sys.stderr)
        return 1
    stop(folder)
    ready, says = os.pipe()
    if os.fork():
        os.close(says)
        with os.fdopen(ready) as told:
            # The end of the pipe without a word is the end of the lab.
            return 0 if told.read() else 1
    os.setsid()
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: over.set())
    with Lab(folder, scenarios, pki_folder=Path(os.environ["APPPROXY_STATE"]) / "pki") as lab:
        lab.write_inventory(folder / "inventory.json").chmod(0o600)
        held = (folder / PROCESS).open("w", encoding="utf-8")
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write(str(os.getpid()))
        held.flush()
        os.write(says, b"ready")
        os.close(says)
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        over.wait(SECONDS)
    os._exit(0)


def stop(folder: Path) -> int:
    """Comes back when the lab has ended; also where none runs."""
    process = folder / PROCESS
    if not process.exists():
        return 0
    with process.open(encoding="utf-8") as file:
        if not _free(file):
            number = int(file.read())
            os.kill(number, signal.SIGTERM)
            deadline = time.monotonic() + TO_END
            while not _free(file):
                if time.monotonic() > deadline:
                    print(f"The lab (process {number}) did not end within {TO_END} seconds.", file=sys.stderr)
                    return 1
                time.sleep(0.1)
    process.unlink(missing_ok=True)
    return 0


def _free(file: TextIO) -> bool:
    """Whether no lab holds its file any more. Its number alone may by now be another process's."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="serve", description="Servers of the lab, kept up.")
    parser.add_argument("action", choices=("start", "stop"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("scenarios", nargs="*")
    chosen = parser.parse_args(arguments)
    return start(chosen.folder, chosen.scenarios) if chosen.action == "start" else stop(chosen.folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
