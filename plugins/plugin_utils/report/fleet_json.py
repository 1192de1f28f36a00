# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON report of all hosts of a run: begun before the first host is looked at, completed last. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..catalogue.findings import FINDINGS
from ..judge.fold import lower_first, some
from ..judge.observed import COULD_NOT_OBSERVE
from ..model import Owner, Severity, Status, Verdict
from ..result import SCHEMA
from . import tenant_json

NO_RESULT_TITLE = "No result of this run"
NO_RESULT_HINT = "Look further up in Ansible's output for what stopped this server before it was judged, and run again."
SIGN_IN_NOT_ASKED = "the sign-in, role and licence of who registers (admin_upn, a registration token)"
STATS_HOSTS = 200
"""How many hosts that are not ready set_stats carries at most."""

_ONE = {
    Verdict.READY: "Ready: the server is ready.",
    Verdict.NOT_READY: "Not ready: the server is not ready.",
    Verdict.INCONCLUSIVE: "Inconclusive: the server could not be judged.",
}
_SAME = ("id", "title", "hint", "owner", "status", "severity")
"""What makes causes of two hosts one line."""
_SAME_FOR_ANY_TITLE = {COULD_NOT_OBSERVE: "Ansible could not reach or observe the server"}
"""Causes whose title is made of the words of one host's connection: one line whatever they are. The host's own report keeps them."""
_WORDS = " ({error})"
"""What a title of the catalogue ends with where the platform's words stand behind the sentence."""


@dataclass(frozen=True)
class Row:
    """One host of the play, with its own report where there is one."""

    host: str
    file: str | None
    """Relative to fleet.json."""
    report: Mapping[str, Any] | None


def begin(run_id: str, started_at: str) -> dict[str, Any]:
    """What stands there while the run goes on, and after one that was cut off."""
    return {"schema": SCHEMA, "state": "in_progress", "run_id": run_id, "started_at": started_at}


def build(
    begun: Mapping[str, Any], rows: Iterable[Row], written_at: str, tenant_report: Mapping[str, Any] | None = None,
    compared: Mapping[str, Any] | None = None, *, complete: bool,
) -> dict[str, Any]:
    """rows are read one by one, and only what the fleet's report needs of each is kept. `tenant_report`: what admin said, if it did;
    `compared`: with a baseline, if there is one."""
    hosts: list[dict[str, Any]] = []
    causes: dict[tuple[Any, ...], dict[str, Any]] = {}
    remarks: dict[str, list[str]] = {}
    not_covered: list[str] = []
    redirected = False
    for row in rows:
        report = row.report if row.report is not None else _no_result()
        hosts.append(_host(row, report))
        for cause in report["causes"]:
            _fold(causes, row.host, cause)
        for remark in report.get("remarks", ()):
            remarks.setdefault(remark, []).append(row.host)
        if report["verdict"] == Verdict.READY.value:
            # What a ready server may still meet. Of the others there is nothing to be too sure of.
            not_covered.extend(item for item in report.get("not_covered", ()) if item not in not_covered)
        redirected = redirected or bool(report.get("judged", {}).get("connect_to"))
    counts = _counts(hosts)
    tenant = tenant_json.in_fleet(tenant_report)
    not_covered.extend((tenant or {"not_covered": [SIGN_IN_NOT_ASKED]})["not_covered"] if _worth_saying(counts, tenant) else ())
    return {
        **begin(begun["run_id"], begun["started_at"]),
        "state": "complete" if complete else "in_progress",
        "written_at": written_at,
        "verdict": tenant_json.worse(_verdict(counts), tenant).value,
        "summary": _with_tenant(_summary(counts), tenant),
        "counts": counts,
        "connect_to": redirected,
        "causes": sorted(causes.values(), key=_importance),
        "hosts": hosts,
        "tenant": tenant,
        "baseline": None if compared is None else dict(compared),
        "remarks": [remark if len(of) == len(hosts) else f"{some(of)}: {remark}" for remark, of in remarks.items()],
        "not_covered": not_covered,
    }


def stats(fleet: Mapping[str, Any], path: str) -> dict[str, Any]:
    """What set_stats hands to a workflow: small, whatever the number of hosts."""
    not_ready = [host["host"] for host in fleet["hosts"] if host["verdict"] != Verdict.READY.value]
    return {
        "schema": SCHEMA,
        "verdict": fleet["verdict"],
        "tenant": fleet["tenant"]["verdict"] if fleet["tenant"] else None,
        "counts": fleet["counts"],
        "hosts_not_ready": not_ready[:STATS_HOSTS],
        "hosts_not_ready_cut": len(not_ready) > STATS_HOSTS,
        "report": path,
    }


def _worth_saying(counts: Mapping[str, int], tenant: Mapping[str, Any] | None) -> bool:
    """What was not covered matters where something is ready."""
    return bool(counts[Verdict.READY.value]) or (tenant is not None and tenant["verdict"] == Verdict.READY.value)


def _with_tenant(summary: str, tenant: Mapping[str, Any] | None) -> str:
    """The servers, then the sign-in where it keeps them from being ready."""
    if tenant is None or tenant["verdict"] == Verdict.READY.value:
        return summary
    return f"{summary} The sign-in: {lower_first(tenant['headline'])}"


def _no_result() -> dict[str, Any]:
    cause = {
        "id": COULD_NOT_OBSERVE,
        "title": NO_RESULT_TITLE,
        "hint": NO_RESULT_HINT,
        "owner": Owner.TOOL.value,
        "status": Status.UNKNOWN.value,
        "severity": Severity.ERROR.value,
        "endpoints": [],
        "waits": 0,
    }
    summary = f"Inconclusive: {NO_RESULT_TITLE} ({COULD_NOT_OBSERVE})."
    return {"verdict": Verdict.INCONCLUSIVE.value, "summary": summary, "reached": None, "causes": [cause]}


def _host(row: Row, report: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "host": row.host,
        "verdict": report["verdict"],
        "summary": report["summary"],
        "reached": report["reached"],
        "causes": list(dict.fromkeys(cause["id"] for cause in report["causes"])),
        "seen_from": report.get("seen_from"),
        "seen_as": report.get("seen_as"),
        "seen_at": report.get("seen_at"),
        "elapsed_ms": report.get("elapsed_ms"),
        "file": row.file,
    }


def _common_title(cause: Mapping[str, Any]) -> str:
    """What hosts have in common whose platforms have other words for it."""
    title: str = _SAME_FOR_ANY_TITLE.get(cause["id"]) or cause["title"]
    spec = FINDINGS.get(cause["id"])
    return title.split(_WORDS[:2], maxsplit=1)[0] if spec is not None and spec.title.endswith(_WORDS) else title


def _fold(causes: dict[tuple[Any, ...], dict[str, Any]], host: str, cause: Mapping[str, Any]) -> None:
    common = _common_title(cause)
    key = (common, *(cause[name] for name in _SAME if name != "title"))
    folded = causes.setdefault(key, {**{name: cause[name] for name in _SAME}, "endpoints": [], "waits": 0, "hosts": []})
    if folded["title"] != cause["title"]:
        folded["title"] = common
    folded["endpoints"].extend(endpoint for endpoint in cause["endpoints"] if endpoint not in folded["endpoints"])
    folded["waits"] = max(folded["waits"], cause["waits"])
    if not folded["hosts"] or folded["hosts"][-1] != host:
        folded["hosts"].append(host)


def _importance(cause: Mapping[str, Any]) -> tuple[int, int, int, str, str]:
    statuses = (Status.FAIL.value, Status.UNKNOWN.value, Status.WARN.value)
    severities = (Severity.ERROR.value, Severity.WARNING.value, Severity.INFO.value)
    status = statuses.index(cause["status"]) if cause["status"] in statuses else len(statuses)
    return status, severities.index(cause["severity"]), -len(cause["hosts"]), cause["id"], cause["title"]


def _counts(hosts: list[dict[str, Any]]) -> dict[str, int]:
    counts = {"hosts": len(hosts), **{verdict.value: 0 for verdict in Verdict}, "unreachable": 0, "without_result": 0}
    for host in hosts:
        counts[host["verdict"]] += 1
        counts["unreachable"] += host["reached"] is False
        counts["without_result"] += host["file"] is None
    return counts


def _verdict(counts: Mapping[str, int]) -> Verdict:
    """No host at all is nothing that could be called ready."""
    if counts[Verdict.NOT_READY.value]:
        return Verdict.NOT_READY
    if counts[Verdict.INCONCLUSIVE.value] or not counts["hosts"]:
        return Verdict.INCONCLUSIVE
    return Verdict.READY


def _summary(counts: Mapping[str, int]) -> str:
    total = counts["hosts"]
    ready, not_ready, open_ones = (counts[verdict.value] for verdict in Verdict)
    if total == 1:
        return _ONE[_verdict(counts)]
    if total and ready == total:
        return f"Ready: all {total} servers are ready."
    word = {Verdict.NOT_READY: "Not ready", Verdict.INCONCLUSIVE: "Inconclusive", Verdict.READY: "Ready"}[_verdict(counts)]
    parts = [f"{ready} of {total} servers {'is' if ready == 1 else 'are'} ready"]
    if not_ready:
        parts.append(f"{not_ready} {'is' if not_ready == 1 else 'are'} not")
    if open_ones:
        parts.append(f"{open_ones} could not be judged")
    return f"{word}: {', '.join(parts)}."
