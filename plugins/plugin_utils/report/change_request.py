# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The change request for whoever owns the firewall, the proxy and the name servers: the least that the failing findings need. Pure.

As CSV, to be imported, and as Markdown, to be handed over. One row for each server, way, destination and action.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass, fields
from functools import lru_cache

from ..catalogue.endpoints import endpoints
from ..model import Endpoint, Owner, Phase, Status
from .markdown import plain
from .rows import Subject, Subjects
from .text import inert

CSV_NAME, MARKDOWN_NAME = "change-request.csv", "change-request.md"

ALLOW, RESOLVE = "allow TCP", "resolve the name"
PROXY_ALLOW, PROXY_NO_LOGIN = "allow at the proxy", "allow at the proxy without authentication"
NO_INSPECTION, NO_CHANGE = "do not inspect TLS", "let through unchanged (HTTP and WebSocket)"

_ACTIONS: Mapping[str, str] = {
    **dict.fromkeys(("APC101", "APC102", "APC103"), RESOLVE),
    **dict.fromkeys(("APC111", "APC112", "APC113", "APC114", "APC116", "APC121", "APC154", "APC161"), ALLOW),
    "APC122": PROXY_NO_LOGIN,
    **dict.fromkeys(("APC123", "APC124", "APC125", "APC126"), PROXY_ALLOW),
    **dict.fromkeys(
        ("APC131", "APC132", "APC133", "APC134", "APC135", "APC136", "APC141", "APC142", "APC143", "APC145", "APC213", "APC216"),
        NO_INSPECTION,
    ),
    **dict.fromkeys(("APC151", "APC152", "APC153", "APC156", "APC162"), NO_CHANGE),
}
"""Finding to what the owner of the network has to do about its endpoints."""
_OWNERS = (Owner.NETWORK.value, Owner.PROXY.value, Owner.DNS.value)


@dataclass(frozen=True)
class Change:
    """One row. The names of the fields are the columns."""

    source: str
    via: str
    action: str
    destination: str
    rule: str
    """The documented name or wildcard that a rule carries."""
    port: str
    protocol: str
    phase: str
    why: str
    finding: str
    documentation: str


COLUMNS = tuple(one.name for one in fields(Change))


def changes(subjects: Subjects) -> Iterator[Change]:
    """In the order of the servers, and of the endpoints of a connector's life. What waits behind another finding is not asked for."""
    for subject in subjects():
        if not subject.is_tenant:
            yield from dict.fromkeys(_of(subject))


def _of(subject: Subject) -> Iterator[Change]:
    judged = subject.report.get("judged") or {}
    known = _known(str(judged.get("cloud") or "public"), judged.get("tenant_id"), judged.get("connector_version"))
    for finding in subject.causes:
        action = _ACTIONS.get(finding["id"])
        if action is None or finding["owner"] not in _OWNERS or finding["status"] == Status.UNKNOWN.value:
            continue
        for name in finding["endpoints"]:
            yield _change(subject.name, finding["path"] or "", finding["id"], action, known.get(name) or _own(name), finding["docs"])


def _change(host: str, path: str, finding: str, action: str, endpoint: Endpoint, docs: str) -> Change:
    proxy = path.removeprefix("http://") if path.startswith("http://") else ""
    destination, rule, port = endpoint.host, endpoint.stands_for, str(endpoint.port)
    if finding == "APC121" and proxy:
        # It is the proxy itself that is not reached.
        destination, port = proxy.rpartition(":")[0].strip("[]"), proxy.rpartition(":")[2]
        rule, proxy = destination, ""
    return Change(
        source=inert(host, limit=300), via=proxy or "directly", action=action, destination=destination, rule=rule, port=port,
        protocol="TLS" if endpoint.tls and finding != "APC121" else "HTTP", phase=endpoint.phase.value, why=endpoint.row, finding=finding,
        documentation=endpoint.source if endpoint.source.startswith("https://") else docs,
    )


@lru_cache(maxsize=64)
def _known(cloud: str, tenant_id: str | None, version: str | None) -> Mapping[str, Endpoint]:
    return {one.id: one for one in endpoints(cloud, tenant_id, version)}


def _own(name: str) -> Endpoint:
    """An endpoint of the user's own, or one that a certificate named."""
    host, _colon, port = name.rpartition(":")
    number = int(port) if port.isdigit() else 443
    return Endpoint(host=host or name, port=number, tls=number != 80, phase=Phase.EXTRA, needed=True, stands_for=host or name,
                    row="named by the options of the check, or by a certificate", source="", date="")


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def cell(text: str) -> str:
    """Text that a spreadsheet takes for text, not for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def dump_csv(subjects: Subjects) -> Iterator[str]:
    yield ",".join(COLUMNS) + "\r\n"
    for change in changes(subjects):
        line = io.StringIO()
        csv.writer(line).writerow([cell(inert(value)) for value in astuple(change)])
        yield line.getvalue()


@dataclass(frozen=True)
class _Row:
    """What one rule is asked for: names in the order of sight."""

    sources: dict[str, None]
    destinations: dict[str, None]


def dump_markdown(subjects: Subjects) -> Iterator[str]:
    """Grouped by what is asked for, so that each team finds its own."""
    asked: dict[str, dict[tuple[str, ...], _Row]] = {}
    for change in changes(subjects):
        rows = asked.setdefault(change.action, {})
        key = (change.rule, change.port, change.protocol, change.via, change.phase, change.why, change.finding, change.documentation)
        row = rows.setdefault(key, _Row({}, {}))
        row.sources[change.source] = row.destinations[change.destination] = None
    yield "# Change request: Microsoft Entra private network connector\n\n"
    if not asked:
        yield "Nothing of the network has to change for what was seen.\n"
        return
    yield "Outbound only, from the servers named to the destinations named. Rules by name: the addresses behind the names change.\n"
    for action, rows in asked.items():
        yield f"\n## {action[:1].upper()}{action[1:]}\n\n"
        yield "| rule | seen at | port | protocol | from | by way of | phase | why | finding |\n"
        yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        for (rule, port, protocol, via, phase, why, finding, link), row in rows.items():
            shown = " | ".join(map(plain, (rule, ", ".join(row.destinations), port, protocol, ", ".join(row.sources), via, phase)))
            yield f"| {shown} | [{plain(why)}]({link}) | {finding} |\n"
