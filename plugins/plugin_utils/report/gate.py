# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the gate does with a host, from the host's report. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..judge.fold import lower_first
from ..judge.observed import COULD_NOT_OBSERVE
from ..judge.verdict import has_failed, stopped_by_warnings
from ..model import Severity, Status, Verdict
from .baseline import only_new
from .fleet_json import NO_RESULT_HINT, NO_RESULT_TITLE
from .rows import TENANT


@dataclass(frozen=True)
class Decision:
    failed: bool
    unreachable: bool
    verdict: str
    message: str


@dataclass(frozen=True)
class Before:
    """What an earlier run said of the same host and of the tenant; None where it has nothing of it: all of it is new."""

    host: str
    report: Mapping[str, Any] | None
    tenant: Mapping[str, Any] | None


def since(
    report: Mapping[str, Any] | None, tenant: Mapping[str, Any] | None, before: Before
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """Both with what is new alone. A host without a result, or that was not reached, stays what it is."""
    if report is not None and report["reached"]:
        report = only_new(report, before.host, before.report)
    if tenant is not None:
        tenant = only_new(tenant, TENANT, before.tenant)
    return report, tenant


def decide(report: Mapping[str, Any] | None, fail_on: str, unknown: str, tenant: Mapping[str, Any] | None = None) -> Decision:
    """report is None where this run has none of the host: the host fails as inconclusive, whatever `unknown` says.

    `tenant` is what admin said, if it did: a server on which nobody may register is stopped by that.
    """
    of_host = _of_host(report, fail_on, unknown)
    if of_host.failed or of_host.unreachable or tenant is None or not tenant["asked"]:
        return of_host
    failed, message = _policy(tenant, fail_on, unknown)
    return Decision(True, False, tenant["verdict"], f"The sign-in: {lower_first(message)}") if failed else of_host


def _policy(report: Mapping[str, Any], fail_on: str, unknown: str) -> tuple[bool, str]:
    verdict = Verdict(report["verdict"])
    warnings = [
        finding["id"] for finding in report["findings"]
        # Information stops nobody, here as in the modules.
        if finding["status"] == Status.WARN.value and finding["severity"] == Severity.WARNING.value
    ]
    stopped = stopped_by_warnings(verdict, warnings, fail_on, unknown)
    return has_failed(verdict, bool(warnings), fail_on, unknown), " ".join(filter(None, (report["headline"], stopped)))


def _of_host(report: Mapping[str, Any] | None, fail_on: str, unknown: str) -> Decision:
    if report is None:
        return Decision(True, False, Verdict.INCONCLUSIVE.value, f"Inconclusive: {NO_RESULT_TITLE} ({COULD_NOT_OBSERVE}). {NO_RESULT_HINT}")
    verdict = report["verdict"]
    if not report["reached"] and verdict == Verdict.INCONCLUSIVE.value:
        return Decision(False, True, verdict, _words_of_connection(report))
    failed, message = _policy(report, fail_on, unknown)
    return Decision(failed, False, verdict, message)


def _words_of_connection(report: Mapping[str, Any]) -> str:
    """The connection's own words, as APC901 carries them."""
    for finding in report["findings"]:
        if finding["id"] == COULD_NOT_OBSERVE and finding["evidence"].get("error"):
            return str(finding["evidence"]["error"])
    return str(report["summary"])
