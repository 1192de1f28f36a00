# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Markdown for a ticket or a pull request: the verdict, the causes, the servers. Short. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..judge.fold import some
from ..model import Verdict
from .text import inert

NAME = "report.md"
CAUSES = 30
HOSTS = 50
_MEANING = re.compile(r"([\\`*_{}\[\]()#!|<>~&@:])")
_SIGNS = {Verdict.READY.value: "ready", Verdict.NOT_READY.value: "**not ready**", Verdict.INCONCLUSIVE.value: "inconclusive"}


def plain(text: object, limit: int = 1500) -> str:
    """Text that Markdown shows as it is: no link, no mention, no HTML."""
    return _MEANING.sub(r"\\\1", inert(text, limit=limit))


def dump(fleet: Mapping[str, Any]) -> Iterator[str]:
    yield f"## Connector preflight\n\n{plain(fleet['summary'])}\n\n"
    causes = [*((cause, ["the tenant"]) for cause in (fleet["tenant"] or {"causes": []})["causes"]),
              *((cause, cause["hosts"]) for cause in fleet["causes"])]
    if causes:
        yield "| cause | who mends it | where | what to do |\n| --- | --- | --- | --- |\n"
        for cause, hosts in causes[:CAUSES]:
            where = some(map(str, hosts), 4)
            yield f"| {cause['id']} {plain(cause['title'])} | {cause['owner']} | {plain(where)} | {plain(cause['hint'])} |\n"
        yield f"\nAnd {len(causes) - CAUSES} more.\n" if len(causes) > CAUSES else ""
    yield "\n| server | verdict | causes |\n| --- | --- | --- |\n"
    for host in fleet["hosts"][:HOSTS]:
        yield f"| {plain(host['host'])} | {_SIGNS[host['verdict']]} | {', '.join(host['causes'])} |\n"
    yield f"\nAnd {len(fleet['hosts']) - HOSTS} more servers.\n" if len(fleet["hosts"]) > HOSTS else ""
    yield from (f"\n{plain(remark)}\n" for remark in fleet["remarks"])
