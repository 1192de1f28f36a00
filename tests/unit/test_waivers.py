# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waivers, and what they do to findings and to the verdict."""

from __future__ import annotations

from datetime import date

import pytest
from ansible_collections.appproxy.connector.plugins.plugin_utils.judge.verdict import has_failed, verdict_of
from ansible_collections.appproxy.connector.plugins.plugin_utils.judge.waivers import Waiver, apply_waivers
from ansible_collections.appproxy.connector.plugins.plugin_utils.model import Finding, Owner, Severity, Status, Verdict

TODAY = date(2026, 11, 26)
FAR, PAST = date(2026, 12, 31), date(2026, 11, 25)


def finding(id_: str = "APC112", status: Status = Status.FAIL, endpoints: tuple[str, ...] = ("a.example:443",),
            because: tuple[str, ...] = ()) -> Finding:
    return Finding(id_, "name", status, Severity.ERROR, Owner.NETWORK, "title", endpoints=endpoints, because=because)


def waive(findings: list[Finding], *waivers: Waiver, host: str = "server-1") -> list[Status]:
    return [one.status for one in apply_waivers(findings, waivers, host, TODAY)]


def test_a_waiver_counts_through_its_last_day() -> None:
    assert waive([finding()], Waiver("APC112", TODAY, "r")) == [Status.WAIVED]
    assert waive([finding()], Waiver("APC112", PAST, "r")) == [Status.FAIL]


def test_an_expired_waiver_is_said_with_the_finding() -> None:
    (one,) = apply_waivers([finding()], [Waiver("APC112", PAST, "r")], "server-1", TODAY)
    assert one.waiver is not None
    assert one.waiver["expired"] is True


@pytest.mark.parametrize(("waiver", "status"), [
    (Waiver("APC111", FAR, "r"), Status.FAIL),
    (Waiver("APC112", FAR, "r", host="server-*"), Status.WAIVED),
    (Waiver("APC112", FAR, "r", host="other"), Status.FAIL),
    (Waiver("APC112", FAR, "r", endpoint="*.example:443"), Status.WAIVED),
    (Waiver("APC112", FAR, "r", endpoint="b.example:443"), Status.FAIL),
])
def test_a_waiver_covers_what_it_names(waiver: Waiver, status: Status) -> None:
    assert waive([finding()], waiver) == [status]


def test_a_waiver_for_one_endpoint_does_not_cover_the_others() -> None:
    both = finding(endpoints=("a.example:443", "b.example:443"))
    assert waive([both], Waiver("APC112", FAR, "r", endpoint="a.example:443")) == [Status.FAIL]
    assert waive([finding(endpoints=())], Waiver("APC112", FAR, "r", endpoint="a.example:443")) == [Status.FAIL]


def test_passes_are_not_waived() -> None:
    assert waive([finding(status=Status.PASS)], Waiver("APC112", FAR, "r")) == [Status.PASS]


def test_what_is_unknown_only_behind_a_waived_cause_is_waived_with_it() -> None:
    behind = finding("APC131", Status.UNKNOWN, because=("APC112",))
    assert waive([finding(), behind], Waiver("APC112", FAR, "r")) == [Status.WAIVED, Status.WAIVED]
    other = finding("APC111")
    two = finding("APC131", Status.UNKNOWN, because=("APC112", "APC111"))
    assert waive([finding(), other, two], Waiver("APC112", FAR, "r")) == [Status.WAIVED, Status.FAIL, Status.UNKNOWN]
    # A second finding of the same id, for other endpoints, still stands open.
    assert waive([finding(), finding(endpoints=("b.example:443",)), behind], Waiver("APC112", FAR, "r", endpoint="a.example:443")) == [
        Status.WAIVED, Status.FAIL, Status.UNKNOWN]


@pytest.mark.parametrize(("statuses", "verdict"), [
    ([], Verdict.READY),
    ([Status.PASS, Status.WARN, Status.WAIVED, Status.NOT_APPLICABLE], Verdict.READY),
    ([Status.PASS, Status.UNKNOWN], Verdict.INCONCLUSIVE),
    ([Status.UNKNOWN, Status.FAIL], Verdict.NOT_READY),
])
def test_the_verdict_depends_only_on_findings_after_waivers(statuses: list[Status], verdict: Verdict) -> None:
    assert verdict_of([finding(status=status) for status in statuses]) is verdict


@pytest.mark.parametrize(("verdict", "warns", "fail_on", "unknown", "failed"), [
    (Verdict.READY, False, "error", "fail", False),
    (Verdict.READY, True, "error", "fail", False),
    (Verdict.READY, True, "warning", "fail", True),
    (Verdict.NOT_READY, False, "error", "fail", True),
    (Verdict.NOT_READY, False, "never", "fail", False),
    (Verdict.INCONCLUSIVE, False, "error", "fail", True),
    (Verdict.INCONCLUSIVE, False, "never", "fail", True),
    (Verdict.INCONCLUSIVE, False, "error", "report", False),
])
def test_what_fails_a_module(verdict: Verdict, warns: bool, fail_on: str, unknown: str, failed: bool) -> None:
    assert has_failed(verdict, warns, fail_on, unknown) is failed
