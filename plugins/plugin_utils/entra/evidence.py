# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen of a tenant and of who signs in: facts only, none of them a secret. What judge/admin.py reads.

FOR INTERNAL COLLECTION USE ONLY. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TypeVar, Union

from ..catalogue.registration import ACCEPTED


class Gap(Enum):
    """Why something was not seen."""

    NOT_ASKED = "not asked"
    UNREACHABLE = "unreachable"
    """No answer, too late, throttled, an error of the service, or one that is not understood."""
    DENIED = "denied"
    """The permission is missing."""
    UNLICENSED = "unlicensed"
    """The tenant has no licence for what was asked: there is none of it."""
    NO_SIGN_IN = "no sign-in"
    """The application that looks was not let in."""


@dataclass(frozen=True)
class NotSeen:
    gap: Gap
    error: str = ""
    """One line, in the words of who refused."""
    permission: str = ""
    """Of a refused call: what to grant."""


NOT_ASKED = NotSeen(Gap.NOT_ASKED)


def asked_for(fact: object) -> bool:
    """Whether it was to be seen, and was seen or not."""
    return not (isinstance(fact, NotSeen) and fact.gap is Gap.NOT_ASKED)


_Fact = TypeVar("_Fact")
Seen = Union[_Fact, NotSeen]  # noqa: UP007  mypy takes no other form of a generic alias here


@dataclass(frozen=True)
class Refusal:
    """Why a sign-in was not let in."""

    code: int | None
    """AADSTS number; None where the answer has none."""
    error: str
    """The service's words on one line, shortened."""


@dataclass(frozen=True)
class Realm:
    """Who checks the password of an account."""

    federated: bool
    hosts: tuple[str, ...] = ()
    """host:port of the company's own identity provider."""


@dataclass(frozen=True)
class Claims:
    """Of a registration token, read without checking its signature: evidence of what it says, no proof that it is genuine."""

    audience: tuple[str, ...]
    tenant: str | None
    expires: datetime | None
    roles: tuple[str, ...] | None
    """Template ids (`wids`); None where the token has no such claim, which proves nothing."""
    foreign_provider: str | None
    """`idp`: who signed in a guest."""
    scopes: tuple[str, ...]
    name: str | None
    """The account's, where the token says it."""
    application: bool = False
    """It is an application's own token, no person's."""


@dataclass(frozen=True)
class BadToken:
    """Nothing can be read of it."""

    error: str
    encrypted: bool = False
    """It may be good: it is for the service's eyes alone."""


@dataclass(frozen=True)
class Person:
    id: str
    upn: str
    enabled: bool
    guest: bool


@dataclass(frozen=True)
class Role:
    """A role that somebody has or could activate."""

    template: str
    name: str
    whole_tenant: bool
    built_in: bool
    through: str = ""
    """The group that gives it, by name or id; empty where it is the person's own."""

    @property
    def accepted(self) -> bool:
        """One may register with it, by what documents say."""
        return self.template in ACCEPTED and self.whole_tenant


@dataclass(frozen=True)
class Plan:
    """One service plan of one subscription."""

    plan: str
    subscription: str
    state: str
    """`capabilityStatus` of the subscription: Enabled, Warning, Suspended, Deleted, LockedOut."""
    provisioned: str
    """`provisioningStatus` of the plan: Success, Disabled, PendingActivation, ..."""


@dataclass(frozen=True)
class Entra:
    """All of it. `NOT_ASKED` is where nobody asked."""

    realm: Seen[Realm] = NOT_ASKED
    home_tenant: Seen[str | None] = NOT_ASKED
    """The tenant of the account's domain; None where this cloud knows no such domain."""
    token: Seen[Claims | BadToken] = NOT_ASKED
    application: Seen[None | Refusal] = NOT_ASKED
    """The sign-in of the application that looks: None where it was let in."""
    rehearsal: Seen[Claims | BadToken | Refusal] = NOT_ASKED
    """The sign-in of the person, tried here."""
    person: Seen[Person | None] = NOT_ASKED
    """None where the directory has no such account."""
    active: Seen[tuple[Role, ...]] = NOT_ASKED
    """Seen in part where `groups_unseen` is there."""
    groups_unseen: NotSeen | None = None
    """Why groups that may give a role could not be read."""
    eligible: Seen[tuple[Role, ...]] = NOT_ASKED
    eligible_unseen: NotSeen | None = None
    """Why some of what could be activated was not seen."""
    ends: Seen[datetime | None] = NOT_ASKED
    """When the last of the accepted active assignments ends; None where one has no end."""
    plans: Seen[tuple[Plan, ...]] = NOT_ASKED
    switched_on: Seen[bool] = NOT_ASKED
    connectors: Seen[int] = NOT_ASKED
