# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that judging modules share: read, validated, typed. One clear message for the first that is wrong.

FOR INTERNAL COLLECTION USE ONLY. Reads no file and touches no host.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from .catalogue.endpoints import endpoints, federation_endpoint, parse_version, user_endpoint
from .catalogue.errors import CatalogueError
from .catalogue.findings import FINDINGS
from .judge.waivers import Waiver, WaiverError, parse_waiver
from .model import Area, Endpoint, SeenFrom


class OptionError(ValueError):
    """A bad option: the message names it and what to write instead."""


@dataclass(frozen=True)
class Options:
    tenant_id: str | None
    """Lower-case GUID; None where the user wrote `none`."""
    cloud: str
    connector_version: str | None
    proxy: str
    """`auto`, `detect`, `direct` or `http://host:port`, as given."""
    endpoints: tuple[Endpoint, ...]
    """The catalogue's for cloud, tenant and version, then the user's own."""
    connect_to: Mapping[str, str]
    connect_to_counts: bool
    deadline: int
    """Seconds."""
    checks: tuple[str, ...]
    """Finding ids that are asked for."""
    left_out: tuple[str, ...]
    """Finding ids that the module asks for by itself, and checks or skip_checks leave out."""
    waivers: tuple[Waiver, ...]
    fail_on: str
    unknown: str
    as_of: datetime
    public_roots: str | None
    return_passes: bool
    return_observation: bool
    seen_from: SeenFrom
    installing_user: str | None
    """`DOMAIN\\name`, `name@domain` or a SID, as given."""
    rehearse_trust: bool
    rehearse_client_certificate: bool
    service_observation: Mapping[str, Any] | None
    """What was seen as the service itself; without `schema` where it was asked for and not had, with `msg` then, if somebody said why."""

    @property
    def as_service_failed(self) -> str | None:
        """Why the look as the service itself, which was asked for, is not there; None where it is, or nobody asked."""
        seen = self.service_observation
        if seen is None or seen.get("seen_as_sid") == NETWORK_SERVICE_SID:
            return None
        # Variables of the inventory win over a task's become, and who looked is what counts.
        failed = f"it was made as {seen.get('seen_as')}" if "schema" in seen else seen.get("msg") or "it did not succeed"
        return " ".join(str(failed).split())[:300]

    @property
    def version(self) -> tuple[int, ...] | None:
        return parse_version(self.connector_version) if self.connector_version else None

    @property
    def detects_proxy(self) -> bool:
        """Nobody named a path: the target is to find the one that it would take."""
        return self.proxy in ("auto", "detect")


GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NAME = re.compile(r"(?=.{1,253}$)(?!-)[a-z0-9_-]{1,63}(\.(?!-)[a-z0-9_-]{1,63})*\.?", re.IGNORECASE)
DEADLINE_SECONDS = (5, 600)
NETWORK_SERVICE_SID = "S-1-5-20"


def tenant(value: Any) -> str | None:
    text = str(value or "").strip().lower()
    if text == "none":
        return None
    if not GUID.fullmatch(text):
        raise OptionError(
            f"tenant_id: '{value or ''}' is not a tenant id. Write the directory (tenant) id, a GUID like "
            "00000000-1111-2222-3333-444444444444 (Entra admin center, Overview), or 'none' to leave out what needs it."
        )
    return text


def choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise OptionError(f"{name}: '{value}' is not known. Write one of: {', '.join(choices)}.")
    return str(value)


def split_address(text: str) -> tuple[str, int]:
    """`host:port` or `[IPv6]:port` to its parts. Raises ValueError."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%]+)\]|([^:\[\]/@\s]+)):([0-9]{1,5})", text.strip())
    if not match:
        raise ValueError(text)
    host, port = match[1] or match[2], int(match[3])
    if match[1]:
        ipaddress.IPv6Address(match[1].split("%", maxsplit=1)[0])
    elif not _NAME.fullmatch(host):
        raise ValueError(text)
    if not 1 <= port <= 65535:
        raise ValueError(text)
    return host.lower(), port


def _proxy(value: Any) -> str:
    text = str(value or "auto").strip()
    if text in ("auto", "detect", "direct"):
        return text
    if "@" in text:
        raise OptionError(
            "proxy: a user name or password is not taken: the connector cannot log in to a proxy. Write http://host:port."
        )
    if not text.startswith("http://"):
        raise OptionError(f"proxy: '{text}' is not known. Write auto, detect, direct or http://host:port (with http:// and the port).")
    try:
        host, port = split_address(text[len("http://"):].rstrip("/"))
    except ValueError as error:
        raise OptionError(f"proxy: '{text}' is not an address. Write http://host:port, for example http://proxy.example:8080.") from error
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _connect_to(value: Any) -> dict[str, str]:
    if value is not None and not isinstance(value, Mapping):
        raise OptionError("connect_to: write a map of host:port to address:port, for example login.microsoftonline.com:443: 192.0.2.7:443.")
    read = {}
    for key, target in (value or {}).items():
        if "@" in f"{key}{target}":
            raise OptionError("connect_to: a user name or password has no place in it. Write host:port to address:port.")
        try:
            host, port = split_address(str(key))
            split_address(str(target))
        except ValueError as error:
            raise OptionError(
                f"connect_to: '{key}: {target}' is not host:port to address:port, for example "
                "login.microsoftonline.com:443: 192.0.2.7:443."
            ) from error
        read[f"{host}:{port}"] = str(target).strip()
    return read


def number(name: str, value: Any, unit: str, bounds: tuple[int, int]) -> int:
    """A whole number within both bounds."""
    least, most = bounds
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise OptionError(f"{name}: '{value}' is not a number of {unit} from {least} to {most}.")
    return value


def as_of(value: Any, now: datetime) -> datetime:
    if value in (None, ""):
        return now
    try:
        read = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError as error:
        raise OptionError(f"as_of: '{value}' is no time. Write it as 2026-11-26 or 2026-11-26T01:15:00Z.") from error
    try:
        return read.replace(tzinfo=timezone.utc) if read.tzinfo is None else read.astimezone(timezone.utc)
    except OverflowError as error:
        raise OptionError(f"as_of: '{value}' is out of range. Write it as 2026-11-26 or 2026-11-26T01:15:00Z.") from error


_SID = re.compile(r"S-1-[0-9]{1,14}(-[0-9]{1,10}){1,15}", re.IGNORECASE)
_ACCOUNT = re.compile(r"[^\\/\"\[\]:;|=,+*?<>@\s][^\\/\"\[\]:;|=,+*?<>@]{0,254}")


def _installing_user(value: Any) -> str | None:
    text = str(value or "").strip()
    if not text:
        return None
    before, backslash, name = text.rpartition("\\")
    local, at, domain = text.partition("@")
    down_level = backslash and _ACCOUNT.fullmatch(before) and _ACCOUNT.fullmatch(name)
    principal = at and not backslash and _ACCOUNT.fullmatch(local) and _NAME.fullmatch(domain)
    if not (_SID.fullmatch(text) or down_level or principal):
        raise OptionError(
            f"installing_user: '{text}' is no account. Write DOMAIN\\name (SERVER\\name for a local one), name@domain, or a SID like "
            "S-1-5-21-..."
        )
    return text


def _federation(values: Any) -> tuple[Endpoint, ...]:
    try:
        return tuple(federation_endpoint(*split_address(str(value))) for value in values or ())
    except ValueError as error:
        raise OptionError(f"federation_hosts: '{error}' is no address. Write host:port, as the module admin returns them.") from error


def _service_observation(value: Any) -> Mapping[str, Any] | None:
    if value is None or isinstance(value, Mapping):
        return value
    raise OptionError("service_observation: write what connector_info returned as observation, a dictionary.")


def _check_ids(name: str, values: Any) -> tuple[str, ...]:
    """Areas and ids to ids, in the catalogue's order."""
    wanted: set[str] = set()
    areas = {spec.area.value for spec in FINDINGS.values()}
    for value in map(str, values or ()):
        if value in FINDINGS:
            wanted.add(value)
        elif value in areas:
            wanted.update(spec.id for spec in FINDINGS.values() if spec.area.value == value)
        else:
            raise OptionError(f"{name}: '{value}' is neither an area ({', '.join(sorted(areas))}) nor a finding id of this release.")
    return tuple(id_ for id_ in FINDINGS if id_ in wanted)


SERVER_AREAS = (Area.CONNECTIVITY, Area.TRUST, Area.SERVER)
"""What is asked of each server. The sign-in is asked once, by the module admin: a run gives both the same checks and waivers."""


def selected(
    checks: Any, skip_checks: Any, usual: tuple[Area, ...], judged: tuple[Area, ...] = SERVER_AREAS
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Ids that are asked for (none of the tool's own, APC9.., which are always there), and those that were taken away.

    `usual`: areas that the module asks for by itself; `judged`: those that it can ask for.
    """
    by_itself = tuple(spec.id for spec in FINDINGS.values() if spec.area in usual)
    asked = _check_ids("checks", checks) or by_itself
    skipped = _check_ids("skip_checks", skip_checks)
    tool = sorted(id_ for id_ in skipped if FINDINGS[id_].area is Area.TOOL)
    if tool:
        raise OptionError(f"skip_checks: {tool[0]} says what could not be seen and cannot be skipped; set unknown: report instead.")
    wanted = tuple(id_ for id_ in asked if id_ not in skipped and FINDINGS[id_].area in judged)
    return wanted, tuple(id_ for id_ in by_itself if id_ not in wanted)


def parse_waivers(values: Any, judged: tuple[Area, ...]) -> tuple[Waiver, ...]:
    """Those about the areas that a module judges. Raises WaiverError."""
    waivers = (parse_waiver(waiver, number, FINDINGS) for number, waiver in enumerate(values or (), start=1))
    return tuple(waiver for waiver in waivers if FINDINGS[waiver.id].area in judged)


def parse_options(args: Mapping[str, Any], now: datetime, areas: tuple[Area, ...] = (Area.CONNECTIVITY,)) -> Options:
    """Validate the arguments of a judging module.

    `now` is the time of judging where `as_of` is not given; `areas` are those that the module asks for by itself.
    Raises OptionError with one message.
    """
    tenant_id = tenant(args.get("tenant_id"))
    cloud = str(args.get("cloud") or "public").strip()
    version = str(args.get("connector_version") or "").strip() or None
    try:
        if version:
            parse_version(version)
        known = endpoints(cloud, tenant_id, version)
        extra = (*_federation(args.get("federation_hosts")), *(user_endpoint(str(text)) for text in args.get("endpoints") or ()))
        waivers = parse_waivers(args.get("waivers"), SERVER_AREAS)
    except (CatalogueError, WaiverError) as error:
        raise OptionError(str(error)) from error
    wanted, left_out = selected(args.get("checks"), args.get("skip_checks"), areas)
    if not wanted:
        raise OptionError("checks, skip_checks: together they leave nothing to ask of a server. Name an area or a finding id of it.")
    checks = tuple(id_ for id_, spec in FINDINGS.items() if id_ in wanted or spec.area is Area.TOOL)
    return Options(
        tenant_id=tenant_id,
        cloud=cloud,
        connector_version=version,
        proxy=_proxy(args.get("proxy")),
        endpoints=tuple({endpoint.id: endpoint for endpoint in (*extra, *known)}[id_]
                        for id_ in dict.fromkeys(endpoint.id for endpoint in (*known, *extra))),
        connect_to=_connect_to(args.get("connect_to")),
        connect_to_counts=bool(args.get("connect_to_counts")),
        deadline=number("deadline", args.get("deadline", 20), "seconds", DEADLINE_SECONDS),
        checks=checks,
        left_out=left_out,
        waivers=waivers,
        fail_on=choice("fail_on", args.get("fail_on") or "error", ("error", "warning", "never")),
        unknown=choice("unknown", args.get("unknown") or "fail", ("fail", "report")),
        as_of=as_of(args.get("as_of"), now),
        public_roots=str(args["public_roots"]) if args.get("public_roots") else None,
        return_passes=bool(args.get("return_passes")),
        return_observation=bool(args.get("return_observation")),
        installing_user=_installing_user(args.get("installing_user")),
        rehearse_trust=bool(args.get("rehearse_trust")),
        rehearse_client_certificate=bool(args.get("rehearse_client_certificate")),
        service_observation=_service_observation(args.get("service_observation")),
        seen_from=SeenFrom(choice("seen_from", args.get("seen_from") or "server", tuple(word.value for word in SeenFrom))),
    )
