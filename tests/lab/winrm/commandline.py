# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command line of WinRM taken apart as cmd.exe and a Windows program do it."""

from __future__ import annotations

import base64
import binascii
import contextlib
import itertools
from pathlib import Path

_LINE_IN_LOG = 160


class CommandLineError(ValueError):
    """A command line that needs more of cmd.exe than the lab has."""


def without_carets(line: str) -> str:
    """What cmd.exe hands to the program: escapes (^) outside quotes are gone. Raises CommandLineError for | & < >."""
    out: list[str] = []
    quoted = False
    position = 0
    while position < len(line):
        char = line[position]
        if char == '"':
            quoted = not quoted
        elif not quoted and char == "^":
            position += 1
            char = line[position : position + 1]
        elif not quoted and char in "|&<>\r\n":
            raise CommandLineError(f"The lab's WinRM server does not know {char!r} of cmd.exe.")
        out.append(char)
        position += 1
    return "".join(out)


def split_arguments(line: str) -> list[str]:
    """A command line as a Windows program sees it (CommandLineToArgvW's rules for quotes and backslashes)."""
    arguments: list[str] = []
    current: str | None = None
    quoted = False
    backslashes = 0
    for char in line:
        if char == "\\":
            backslashes += 1
            continue
        if char == '"':
            # Before a quote two backslashes are one, and an odd one makes the quote a character.
            current = (current or "") + "\\" * (backslashes // 2)
            if backslashes % 2:
                current += char
            else:
                quoted = not quoted
            backslashes = 0
            continue
        if backslashes:
            current = (current or "") + "\\" * backslashes
            backslashes = 0
        if quoted or char not in " \t":
            current = (current or "") + char
        elif current is not None:
            arguments.append(current)
            current = None
    if backslashes:
        current = (current or "") + "\\" * backslashes
    return arguments if current is None else [*arguments, current]


def shortened(text: str) -> str:
    return text if len(text) <= _LINE_IN_LOG else text[: _LINE_IN_LOG - 1] + "…"


_ENCODED = ("-encodedcommand", "-enc", "-e")


def with_prelude(arguments: list[str], prelude: Path) -> list[str]:
    """The same, but the script in -EncodedCommand runs another one first, in its own process."""
    changed = list(arguments)
    for place in range(1, len(arguments)):
        if arguments[place - 1].lower() in _ENCODED:
            with contextlib.suppress(binascii.Error, UnicodeDecodeError):
                script = base64.b64decode(arguments[place], validate=True).decode("utf-16-le")
                changed[place] = base64.b64encode(f". '{prelude}'; {script}".encode("utf-16-le")).decode()
    return changed


def encoded_script(arguments: list[str]) -> str:
    """The start of the script in -EncodedCommand, on one line; "" without one. Only for the log."""
    for name, value in itertools.pairwise(arguments):
        if name.lower() in _ENCODED:
            try:
                script = base64.b64decode(value, validate=True).decode("utf-16-le")
            except (binascii.Error, UnicodeDecodeError):
                return ""
            return shortened(" ".join(script.split()))
    return ""
