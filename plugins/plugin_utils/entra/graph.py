# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Microsoft Graph tells of a person and a tenant, each call to facts or to why there are none.

FOR INTERNAL COLLECTION USE ONLY. Reads only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ..catalogue.calls import (
    ACTIVE,
    CONNECTORS,
    ELIGIBLE,
    GROUP_ELIGIBLE,
    MEMBER_OF,
    PROFILE,
    ROLE_ASSIGNMENTS,
    SKUS,
    USER,
    USER_BY_MAIL,
    Call,
)
from ..catalogue.registration import ACCEPTED, NEAR_MISSES
from .evidence import Gap, NotSeen, Person, Plan, Role, Seen
from .signin import one_line
from .transport import NotOfTheCatalogueError, Transport, UnreachableError, json_of

_Fact = TypeVar("_Fact")
PAGES = 50
GROUPS = 20
"""Groups with roles that are looked into; more are said to be unseen."""
_LICENCE = ("AadPremiumLicenseRequired", "premium license", "Microsoft Entra ID P2", "Governance license")
_NEVER = ("", None)
_WHOLE_TENANT = "/"


class _Gone(Exception):
    def __init__(self, why: NotSeen) -> None:
        super().__init__(why.error)
        self.why = why


class _Absent(_Gone):
    """404."""


class Graph:
    """`address` is https:// without a last slash; `token` is an application's."""

    def __init__(self, transport: Transport, address: str, token: str) -> None:
        self._transport, self._address, self._token = transport, address, token

    def person(self, upn: str) -> Seen[Person | None]:
        """None where the directory has nobody of that name. A guest is also found by the mail address that he has at home."""
        try:
            try:
                return _person(self._one(USER, upn))
            except _Absent:
                found = [_person(one) for one in self._all(USER_BY_MAIL, upn)]
                return next((one for one in found if one.guest), None)
        except _Absent:
            return None
        except _Gone as gone:
            return gone.why

    def groups(self, person: str) -> tuple[dict[str, str], NotSeen | None]:
        """Groups through which the person may have a role, id to name; and why others could not be told."""
        members = _seen(lambda: tuple(self._all(MEMBER_OF, person)))
        if isinstance(members, NotSeen):
            return {}, members
        groups = [one for one in members if str(one.get("@odata.type")) == "#microsoft.graph.group"]
        shells = [one for one in groups if one.get("displayName") is None]
        giving = {str(one["id"]): str(one["displayName"]) for one in groups if one.get("isAssignableToRole") is True}
        if shells:
            empty = f"Graph gave {len(shells)} of {len(groups)} groups as empty shells"
            return giving, NotSeen(Gap.DENIED, empty, MEMBER_OF.permission)
        if len(giving) > GROUPS:
            kept = dict(list(giving.items())[:GROUPS])
            return kept, NotSeen(Gap.UNREACHABLE, f"{len(giving)} groups may give roles, and {GROUPS} are looked into")
        return giving, None

    def roles(self, principals: Mapping[str, str]) -> Seen[tuple[Role, ...]]:
        """Active roles of some principals, id to the name that they are given through ('' for the person)."""
        return self._roles(ROLE_ASSIGNMENTS, principals)

    def eligible(self, principals: Mapping[str, str]) -> Seen[tuple[Role, ...]]:
        """Roles that the principals could activate."""
        return self._roles(ELIGIBLE, principals)

    def eligible_groups(self, person: str) -> Seen[tuple[str, ...]]:
        """Groups whose membership the person could activate (PIM for groups)."""
        rows = self._all(GROUP_ELIGIBLE, person)
        return _seen(lambda: tuple(str(one.get("groupId")) for one in rows if one.get("accessId") == "member"))

    def ends(self, principals: Iterable[str]) -> Seen[datetime | None]:
        """When the last accepted active assignment of these ends; None where one of them never does, or there is no PIM here."""

        def last() -> datetime | None:
            ends: list[datetime] = []
            for one in (row for principal in principals for row in self._all(ACTIVE, principal)):
                if not _role(one, "").accepted:
                    continue
                if one.get("endDateTime") in _NEVER:
                    return None
                ends.append(_time(one["endDateTime"]))
            return max(ends, default=None)

        return _seen(last)

    def plans(self) -> Seen[tuple[Plan, ...]]:
        return _seen(lambda: tuple(
            Plan(
                str(plan.get("servicePlanId")).lower(), str(sku.get("skuPartNumber")), str(sku.get("capabilityStatus")),
                str(plan.get("provisioningStatus")),
            )
            for sku in self._all(SKUS) for plan in _objects(sku.get("servicePlans"))
        ))

    def switched_on(self) -> Seen[bool]:
        return _seen(lambda: bool(self._one(PROFILE).get("isEnabled")))

    def connectors(self) -> Seen[int]:
        return _seen(lambda: sum(1 for _one in self._all(CONNECTORS)))

    def _roles(self, call: Call, principals: Mapping[str, str]) -> Seen[tuple[Role, ...]]:
        return _seen(lambda: tuple(
            _role(one, through) for principal, through in principals.items() for one in self._all(call, principal)
        ))

    def _one(self, call: Call, value: str = "") -> Mapping[str, Any]:
        return self._answer(call, call.url(self._address, value))

    def _all(self, call: Call, value: str = "") -> Iterable[Mapping[str, Any]]:
        """All pages. A page that leads to another service is not followed: the token would go there."""
        url = call.url(self._address, value)
        for _number in range(PAGES):
            page = self._answer(call, url)
            if not isinstance(page.get("value"), list):
                raise _Gone(NotSeen(Gap.UNREACHABLE, f"{call.name}: the answer holds no list"))
            yield from _objects(page["value"])
            if not page.get("@odata.nextLink"):
                return
            url = str(page["@odata.nextLink"])
        raise _Gone(NotSeen(Gap.UNREACHABLE, f"{call.name}: more than {PAGES} pages"))

    def _answer(self, call: Call, url: str) -> Mapping[str, Any]:
        try:
            answer = self._transport.graph(url, self._token)
        except UnreachableError as error:
            raise _Gone(NotSeen(Gap.UNREACHABLE, f"{call.name}: {error}")) from error
        except NotOfTheCatalogueError as error:
            raise _Gone(NotSeen(Gap.UNREACHABLE, f"{call.name}: the answer leads elsewhere: {urlsplit(url).hostname}")) from error
        found = json_of(answer)
        if answer.status_code == 404:
            raise _Absent(NotSeen(Gap.UNREACHABLE, f"{call.name}: status 404"))
        if answer.status_code == 200 and found is not None:
            return found
        raise _Gone(_refused(call, answer.status_code, found))


def _seen(read: Callable[[], _Fact]) -> Seen[_Fact]:
    """What was read, or why nothing was."""
    try:
        return read()
    except _Gone as gone:
        return gone.why


def _refused(call: Call, status: int, found: Mapping[str, Any] | None) -> NotSeen:
    error = (found or {}).get("error")
    error = error if isinstance(error, Mapping) else {}
    said = one_line(f"{error.get('code') or ''} {error.get('message') or ''}")
    if any(word.lower() in said.lower() for word in _LICENCE):
        return NotSeen(Gap.UNLICENSED, said)
    if status == 403:
        return NotSeen(Gap.DENIED, f"{call.name}: {said or 'status 403'}", call.permission)
    return NotSeen(Gap.UNREACHABLE, f"{call.name}: status {status} {said}".strip())


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _person(found: Mapping[str, Any]) -> Person:
    if not isinstance(found.get("id"), str):
        raise _Gone(NotSeen(Gap.UNREACHABLE, "user: the answer names no account"))
    if found.get("accountEnabled") is None:
        raise _Gone(NotSeen(Gap.DENIED, "user: Graph gave an empty shell", USER.permission))
    upn = str(found.get("userPrincipalName") or "")
    return Person(
        found["id"], upn, bool(found["accountEnabled"]), found.get("userType") == "Guest" or "#EXT#" in upn.upper(),
    )


def _role(found: Mapping[str, Any], through: str) -> Role:
    """Of a built-in role the definition's id is the template's; of a custom one it is nobody's else."""
    template = str(found.get("roleDefinitionId") or "").lower()
    definition = found.get("roleDefinition")
    definition = definition if isinstance(definition, Mapping) else {}
    known = ACCEPTED.get(template) or NEAR_MISSES.get(template)
    return Role(
        template, known or one_line(definition.get("displayName") or template), found.get("directoryScopeId") == _WHOLE_TENANT,
        known is not None or definition.get("isBuiltIn") is not False, through,
    )


def _time(value: Any) -> datetime:
    """Graph's times end in Z and may have seven digits of a second."""
    text = str(value).removesuffix("Z").split(".", maxsplit=1)[0]
    try:
        return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)
    except ValueError:
        raise _Gone(NotSeen(Gap.UNREACHABLE, "an end that is no time")) from None
