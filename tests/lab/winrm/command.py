# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that a WinRM command started: its input, its output, its end, its line in the log."""

from __future__ import annotations

import logging
import os
import queue
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from .commandline import encoded_script, shortened, with_prelude
from .wsman import ERROR_BUSY, ERROR_NO_DATA, Fault, aborted, timed_out

LOGGER = logging.getLogger(__name__)

# The answer repeats the output in base64 inside some XML.
_OUTPUT_BYTES_PER_RECEIVE = 100_000
# A command that prints more than this between two Receives waits, as it does at a full pipe.
_OUTPUT_BACKLOG_BYTES = 1_000_000


@dataclass(frozen=True)
class CommandRecord:
    """One command, as the log has it.

    at: UTC, ISO 8601. line: the command line, shortened; script: the start of its -EncodedCommand in clear, or "".
    exit_code is None and milliseconds is the time until now while it runs. killed: the server ended it.
    """

    at: str
    shell: str
    line: str
    script: str
    stdin_bytes: int
    exit_code: int | None
    milliseconds: int
    killed: bool


class Command:
    """A process, its waiting input and output, and its line in the log.

    Threads: one feeds the standard input, one reads each output, one waits for the end. All that they share is guarded by
    `changed`, which tells of every change.
    """

    def __init__(
        self,
        shell_id: str,
        line: str,
        arguments: list[str],
        environment: Mapping[str, str],
        folder: str,
        ended: Callable[[CommandRecord], None],
        prelude: Path | None = None,
    ) -> None:
        self.id = str(uuid.uuid4()).upper()
        self.changed = threading.Condition()
        self._ended = ended
        self._shell_id = shell_id
        self._line = line
        self._script = encoded_script(arguments)
        self._at = datetime.now(timezone.utc)
        self._started = time.monotonic()
        self._seconds: float | None = None
        self._stdin_bytes = 0
        self._killed = False
        self._exit_code: int | None = None
        self._feeding = False
        self._input_gone = False
        self._input_broken = False
        self._reaped = False
        self._output = {"stdout": bytearray(), "stderr": bytearray()}
        self._input: queue.Queue[tuple[bytes, bool] | None] = queue.Queue()
        # A session of its own, so that the whole family can be ended by its group.
        self._process = subprocess.Popen(
            arguments if prelude is None else with_prelude(arguments, prelude),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )
        self._readers = [threading.Thread(target=self._read, args=(name,), daemon=True) for name in self._output]
        self._others = [threading.Thread(target=target, daemon=True) for target in (self._feed, self._wait)]
        for thread in self._readers + self._others:
            thread.start()

    def send(self, data: bytes, end: bool, deadline: float) -> None:
        """Hand `data` to the standard input; returns when it was written. Raises Fault, also at the deadline (monotonic)."""
        with self.changed:
            if self._feeding:
                raise Fault(ERROR_BUSY, "w:InternalError", "The requested resource is in use.", sender=False)
            if self._input_gone:
                raise Fault(ERROR_NO_DATA, "w:InternalError", "The pipe is being closed.", sender=False)
            self._feeding = True
            self._input.put((data, end))
            while self._feeding:
                if not self.changed.wait(deadline - time.monotonic()) and self._feeding:
                    raise timed_out()
            if self._input_broken:
                raise Fault(ERROR_NO_DATA, "w:InternalError", "The pipe is being closed.", sender=False)

    def receive(self, deadline: float) -> tuple[dict[str, bytes], int | None]:
        """The next output by stream, and the exit code once it is the last. Raises Fault at the deadline (monotonic)."""
        with self.changed:
            while not any(self._output.values()) and self._exit_code is None:
                if self._killed:
                    raise aborted()
                if not self.changed.wait(deadline - time.monotonic()):
                    raise timed_out()
            if self._killed:
                raise aborted()
            room = _OUTPUT_BYTES_PER_RECEIVE
            taken: dict[str, bytes] = {}
            for name, waiting in self._output.items():
                taken[name] = bytes(waiting[:room])
                del waiting[:room]
                room -= len(taken[name])
            self.changed.notify_all()
            done = self._exit_code is not None and not any(self._output.values())
            return taken, self._exit_code if done else None

    def kill(self) -> None:
        """End the process and all that it started. Nothing happens to one that has ended."""
        with self.changed:
            if self._exit_code is not None or self._killed:
                return
            self._killed = True
            if not self._reaped:
                self._end_group()
            self.changed.notify_all()

    def join(self, seconds: float) -> None:
        """Wait until the process is gone and its threads have ended."""
        until = time.monotonic() + seconds
        for thread in self._readers + self._others:
            thread.join(max(0.0, until - time.monotonic()))

    def record(self) -> CommandRecord:
        with self.changed:
            seconds = time.monotonic() - self._started if self._seconds is None else self._seconds
            return CommandRecord(
                at=self._at.isoformat(timespec="milliseconds"),
                shell=self._shell_id,
                line=shortened(self._line),
                script=self._script,
                stdin_bytes=self._stdin_bytes,
                exit_code=self._exit_code,
                milliseconds=round(seconds * 1000),
                killed=self._killed,
            )

    def _feed(self) -> None:
        stream = self._process.stdin
        if stream is None:
            raise RuntimeError("a command without a standard input")
        while (item := self._input.get()) is not None:
            data, end = item
            broken = False
            try:
                stream.write(data)
                stream.flush()
            except OSError:
                broken = True
            if end or broken:
                self._close_input()
            with self.changed:
                self._stdin_bytes += 0 if broken else len(data)
                self._input_gone = self._input_gone or end or broken
                self._input_broken = broken
                self._feeding = False
                self.changed.notify_all()
        self._close_input()

    def _close_input(self) -> None:
        if self._process.stdin is not None:
            try:
                self._process.stdin.close()
            except OSError:
                # What was not flushed has no reader any more.
                LOGGER.debug("the standard input of %s was closed by its reader", self.id)

    def _read(self, name: str) -> None:
        stream = self._process.stdout if name == "stdout" else self._process.stderr
        if stream is None:
            raise RuntimeError(f"a command without {name}")
        with stream:
            while data := os.read(stream.fileno(), 65_536):
                with self.changed:
                    self._output[name] += data
                    self.changed.notify_all()
                    while len(self._output[name]) > _OUTPUT_BACKLOG_BYTES and not self._killed:
                        self.changed.wait()

    def _wait(self) -> None:
        # Seen, but not yet reaped: its id, which is the group's too, cannot become another's before the group has ended.
        os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        with self.changed:
            self._input_gone = True
            self._end_group()
            code = self._process.wait()
            self._reaped = True
        self._input.put(None)
        for reader in self._readers:
            reader.join()
        with self.changed:
            self._feeding = False
            self._seconds = time.monotonic() - self._started
            # Windows has no signals; a shell's way to say one.
            self._exit_code = code if code >= 0 else 128 - code
            # Before anyone is told, so that who has seen the end of a command finds it in the log.
            self._ended(self.record())
            self.changed.notify_all()

    def _end_group(self) -> None:
        """Only while the process is not reaped, under the lock."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            LOGGER.debug("the processes of %s have ended", self.id)
