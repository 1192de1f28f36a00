# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell of tests that were skipped for a reason that is not allowed.

    python3 .ci/check_skips.py JUNIT_REPORT ALLOWED

ALLOWED has one regular expression a line, each matched against the whole reason; # begins a comment.
Prints nothing and ends with 0 when all is as allowed; prints the unexpected skips and ends with 1 otherwise, also when
the report has no test or does not exist.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.etree import ElementTree


def allowed_reasons(text: str) -> list[re.Pattern[str]]:
    """Return the patterns of an allow-list."""
    lines = (line.strip() for line in text.splitlines())
    return [re.compile(line) for line in lines if line and not line.startswith("#")]


def unexpected_skips(report: str, allowed: list[re.Pattern[str]]) -> list[str]:
    """Return one line per test of a JUnit report (XML text) that was skipped for another reason; ValueError without tests."""
    cases = list(ElementTree.fromstring(report).iter("testcase"))
    if not cases:
        raise ValueError("the report has no test")
    found = []
    for case in cases:
        for skipped in case.findall("skipped"):
            reason = skipped.get("message", "")
            if not any(pattern.fullmatch(reason) for pattern in allowed):
                found.append(f"{case.get('classname')}::{case.get('name')}: {reason}")
    return found


def main(report: str, allowed: str) -> int:
    """Check a report file against an allow-list file; return the exit code."""
    try:
        found = unexpected_skips(Path(report).read_text(encoding="utf-8"), allowed_reasons(Path(allowed).read_text(encoding="utf-8")))
    except (OSError, ValueError, ElementTree.ParseError) as error:
        print(f"{report}: {error}", file=sys.stderr)
        return 1
    for line in found:
        print(f"skipped, and not in {allowed}: {line}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
