# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text that a run ends with: verdict, causes, count, ready hosts. Pure; the words are those of fleet.json."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from ..judge.fold import lower_first
from ..model import Status, Verdict
from .text import inert

WIDTH = 80
CAUSES = 20
"""More different causes than that stand in fleet.json only."""
TENANT = "The tenant"
EXPLAINED = "Findings explained: docs/findings/<id>.md of the collection"
HOSTS_NAMED = 8
READY_NAMED = 50
_KINDS = {Status.FAIL.value: "", Status.UNKNOWN.value: "could not be seen", Status.WARN.value: "warning", Status.WAIVED.value: "waived"}


def lines(fleet: Mapping[str, Any], path: str) -> list[str]:
    """At most WIDTH columns each, except the path of fleet.json, which must stay whole to be copied."""
    total = fleet["counts"]["hosts"]
    text = _wrapped(fleet["summary"])
    if fleet["tenant"]:
        for cause in fleet["tenant"]["causes"][:CAUSES]:
            text += ["", *_cause({**cause, "hosts": [TENANT]}, total)]
    for cause in fleet["causes"][:CAUSES]:
        text += ["", *_cause(cause, total)]
    left = len(fleet["causes"]) - CAUSES
    if left > 0:
        text += ["", f"And {left} more, all in fleet.json."]
    text += ["", *_count(fleet["counts"])]
    if fleet["tenant"]:
        text += _wrapped(f"The sign-in, seen from the controller: {lower_first(fleet['tenant']['headline'])}")
    text += _ready([host for host in fleet["hosts"] if host["verdict"] == Verdict.READY.value])
    if fleet["remarks"]:
        text += ["", *(line for remark in fleet["remarks"] for line in _wrapped(remark))]
    if fleet["not_covered"]:
        text += ["", *_wrapped("Not covered: " + "; ".join(str(item) for item in fleet["not_covered"]) + ".")]
    text.append("")
    if fleet["causes"] or (fleet["tenant"] and fleet["tenant"]["causes"]):
        text.append(EXPLAINED)
    return [*text, f"Report: {inert(path, limit=4096)}"]


def _cause(cause: Mapping[str, Any], total: int) -> list[str]:
    hosts = cause["hosts"]
    where = inert(hosts[0]) if len(hosts) == 1 else f"{len(hosts)} of {total} servers"
    kind = _KINDS.get(cause["status"], cause["status"])
    facts = [cause["id"], *([kind] if kind else []), f"owner: {cause['owner']}"]
    if cause["waits"]:
        facts.append(f"{cause['waits']} {'endpoint waits' if cause['waits'] == 1 else 'endpoints wait'} behind it")
    block = _wrapped(f"{where}: {cause['title']}") + _wrapped(", ".join(facts), 2)
    if cause["hint"]:
        block += _wrapped(cause["hint"], 2)
    if len(hosts) > 1:
        block += _wrapped("On " + _named(hosts, HOSTS_NAMED) + ".", 2)
    return block


def _count(counts: Mapping[str, int]) -> list[str]:
    parts = [f"{counts['ready']} ready", f"{counts['not_ready']} not ready", f"{counts['inconclusive']} inconclusive"]
    if counts["unreachable"]:
        parts.append(f"{counts['unreachable']} of them unreachable")
    if counts["without_result"]:
        parts.append(f"{counts['without_result']} without a result")
    return _wrapped(f"Servers: {', '.join(parts)}.")


def _ready(hosts: Sequence[Mapping[str, Any]]) -> list[str]:
    text = [_one_line(f"  {inert(host['host'])}: ready, {_seen(host)}") for host in hosts[:READY_NAMED]]
    left = len(hosts) - READY_NAMED
    return [*text, *([f"  and {left} more"] if left > 0 else [])]


def _seen(host: Mapping[str, Any]) -> str:
    if host["seen_at"] is None:
        return "though not seen: a waiver accepts that"
    return f"as {host['seen_as']} from the {str(host['seen_from']).replace('_', ' ')}, {host['seen_at']}"


def _named(hosts: Sequence[str], limit: int) -> str:
    names = ", ".join(inert(host, limit=70) for host in hosts[:limit])
    left = len(hosts) - limit
    return f"{names} and {left} more" if left > 0 else names


def _one_line(text: str) -> str:
    start = len(text) - len(text.lstrip(" "))
    return " " * start + inert(text[start:], limit=WIDTH - start)


def _wrapped(text: str, indent: int = 0) -> list[str]:
    """Names, addresses and commands break only where they alone are longer than a line."""
    margin = " " * indent
    return textwrap.wrap(inert(text), WIDTH, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False)
