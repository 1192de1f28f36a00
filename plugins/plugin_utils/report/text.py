# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text that a terminal can show without being steered by it. Pure."""

from __future__ import annotations

import unicodedata

LIMIT = 1500
"""Characters that one text may have on a console."""

_UNSAFE_CATEGORIES = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def inert(text: object, limit: int = LIMIT) -> str:
    """One line without anything that a terminal obeys.

    What a target or a middlebox sent may hold escape sequences, line ends and marks that turn the direction of
    reading: white space of any kind becomes a blank, the others show as their code.
    """
    cut = str(text)[: limit + 1]
    shown = "".join(_shown(character) for character in cut)
    joined = " ".join(shown.split())
    return joined if len(joined) <= limit else joined[: limit - 3] + "..."


def _shown(character: str) -> str:
    if character in "\t\n\r\v\f":
        return " "
    if unicodedata.category(character) not in _UNSAFE_CATEGORIES:
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
