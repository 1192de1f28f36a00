# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every judging module's result says of its findings, whatever was looked at.

FOR INTERNAL COLLECTION USE ONLY. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .judge.verdict import causes, counts, has_failed, headline, message, stopped_by_warnings, summary, verdict_of
from .model import Finding, Severity, Status

SCHEMA = 1
"""Of the result and of the reports."""


@dataclass(frozen=True)
class Policy:
    """What a result is to fail for, and whether it carries what passed."""

    fail_on: str
    unknown: str
    return_passes: bool


def result_of(findings: Sequence[Finding], ready: str, remarks: Sequence[str], policy: Policy, also: str = "") -> dict[str, Any]:
    """`ready`: what is ready, if it is; `also`: a sentence for the message alone."""
    verdict, found = verdict_of(findings), causes(findings)
    warnings = [one.id for one in findings if one.status is Status.WARN and one.severity is Severity.WARNING]
    line, stopped = summary(verdict, found, ready, remarks), stopped_by_warnings(verdict, warnings, policy.fail_on, policy.unknown)
    return {
        "changed": False,
        "failed": has_failed(verdict, bool(warnings), policy.fail_on, policy.unknown),
        "msg": message(" ".join(filter(None, (line, also, stopped))), found),
        "schema": SCHEMA,
        "verdict": verdict.value,
        "headline": headline(verdict, found, ready),
        "summary": line,
        "causes": list(found),
        "remarks": list(remarks),
        "counts": counts(findings),
        "findings": [one.as_dict() for one in findings if policy.return_passes or one.status is not Status.PASS],
    }


def not_asked_for(left_out: Sequence[str], asked: Sequence[str]) -> tuple[str, ...]:
    """The remark on checks that were left out, where some were."""
    return (f"{len(left_out)} of {len(left_out) + len(asked)} checks were not asked for.",) if left_out else ()
