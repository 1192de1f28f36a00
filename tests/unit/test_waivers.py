# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waivers, and what they do to findings and to the verdict."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from ansible_collections.appproxy.connector.plugins.plugin_utils.judge.fold import fold
from ansible_collections.appproxy.connector.plugins.plugin_utils.judge.route import Row
from ansible_collections.appproxy.connector.plugins.plugin_utils.judge.verdict import has_failed, verdict_of
from ansible_collections.appproxy.connector.plugins.plugin_utils.judge.waived import unused, waive
from ansible_collections.appproxy.connector.plugins.plugin_utils.judge.waivers import Waiver
from ansible_collections.appproxy.connector.plugins.plugin_utils.model import (
    Endpoint,
    Finding,
    Owner,
    Phase,
    SeenFrom,
    Severity,
    Status,
    Verdict,
)

TODAY = date(2026, 11, 26)
FAR, PAST = date(2026, 12, 31), date(2026, 11, 25)
EVIDENCE = {"addresses": "203.0.113.1", "error": "timeout"}


def endpoint(host: str) -> Endpoint:
    return Endpoint(host, 443, True, Phase.RUNTIME, True, host, "", "", "")


def row(id_: str = "APC112", status: Status = Status.FAIL, host: str = "a.example", because: tuple[str, ...] = ()) -> Row:
    return Row(id_, status, endpoint(host), "direct", EVIDENCE, because)


def finding(status: Status) -> Finding:
    return Finding("APC112", "name", status, Severity.ERROR, Owner.NETWORK, "title")


def statuses(rows: list[Row], *waivers: Waiver, host: str = "server-1") -> list[Status]:
    return [one.status for one in waive(rows, waivers, host, TODAY)]


def test_a_waiver_counts_through_its_last_day() -> None:
    assert statuses([row()], Waiver("APC112", TODAY, "r")) == [Status.WAIVED]
    assert statuses([row()], Waiver("APC112", PAST, "r")) == [Status.FAIL]


def test_an_expired_waiver_is_said_with_the_finding() -> None:
    (one,) = fold(waive([row()], [Waiver("APC112", PAST, "r")], "server-1", TODAY), SeenFrom.SERVER)
    assert one.status is Status.FAIL
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
    assert statuses([row()], waiver) == [status]


def test_a_waiver_for_one_endpoint_leaves_the_others() -> None:
    assert statuses([row(), row(host="b.example")], Waiver("APC112", FAR, "r", endpoint="a.example:443")) == [Status.WAIVED, Status.FAIL]


def test_passes_are_not_waived() -> None:
    assert statuses([row(status=Status.PASS)], Waiver("APC112", FAR, "r")) == [Status.PASS]


def test_what_is_unknown_of_an_endpoint_only_behind_its_waived_cause_is_waived_with_it() -> None:
    behind = row("APC131", Status.UNKNOWN, because=("APC112",))
    waiver = Waiver("APC112", FAR, "r", endpoint="a.example:443")
    assert statuses([row(), behind], waiver) == [Status.WAIVED, Status.WAIVED]
    assert statuses([row(), replace(behind, endpoint=endpoint("b.example"))], waiver) == [Status.WAIVED, Status.UNKNOWN]
    assert statuses([row(), replace(behind, because=("APC112", "APC111"))], waiver) == [Status.WAIVED, Status.UNKNOWN]


def test_a_waiver_that_covers_nothing_is_told() -> None:
    here, nowhere, elsewhere = (Waiver("APC112", FAR, "r", endpoint="a.example:443"), Waiver("APC111", FAR, "r"),
                                Waiver("APC111", FAR, "r", host="other"))
    assert unused([row()], [here, nowhere, elsewhere], "server-1") == (nowhere,)


@pytest.mark.parametrize(("found", "verdict"), [
    ([], Verdict.READY),
    ([Status.PASS, Status.WARN, Status.WAIVED, Status.NOT_APPLICABLE], Verdict.READY),
    ([Status.PASS, Status.UNKNOWN], Verdict.INCONCLUSIVE),
    ([Status.UNKNOWN, Status.FAIL], Verdict.NOT_READY),
])
def test_the_verdict_depends_only_on_findings_after_waivers(found: list[Status], verdict: Verdict) -> None:
    assert verdict_of([finding(status) for status in found]) is verdict


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
