# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role of who registers.

FOR INTERNAL COLLECTION USE ONLY. Pure. A role that is seen proves; one that is not seen proves nothing unless all was seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from ..catalogue.registration import ACCEPTED, GLOBAL_ADMINISTRATOR, NEAR_MISSES
from ..entra.evidence import BadToken, Claims, Entra, Gap, NotSeen, Role
from ..model import Status
from .fold import some
from .route import Row
from .rules import found, passed

MISSING, ELIGIBLE, NEAR_MISS, FIRST = "APC311", "APC312", "APC313", "APC314"
NOBODY = "APC306"
IDS = (MISSING, ELIGIBLE, NEAR_MISS, FIRST)

_WHY = {Gap.DENIED: "APC331", Gap.NO_SIGN_IN: "APC302", Gap.UNREACHABLE: "APC301"}
"""The finding that says why something was not seen."""


def not_seen(id_: str, gap: NotSeen) -> Row:
    return Row(id_, Status.UNKNOWN, None, None, because=(_WHY[gap.gap],))


def _seen(roles: object) -> tuple[Role, ...]:
    return roles if isinstance(roles, tuple) else ()


def _accepted(roles: Iterable[Role]) -> tuple[Role, ...]:
    return tuple(role for role in roles if role.accepted)


def _held(entra: Entra, tenant_id: str, as_of: datetime) -> frozenset[str]:
    """Template ids of accepted roles that are active, by the directory or by a token that holds."""
    ids = {role.template for role in _accepted(_seen(entra.active))}
    for claims in (entra.token, entra.rehearsal):
        if isinstance(claims, Claims) and claims.tenant == tenant_id and claims.expires is not None and claims.expires > as_of:
            ids.update(id_ for id_ in claims.roles or () if id_ in ACCEPTED)
    return frozenset(ids)


def judge_roles(entra: Entra, who: str, tenant_id: str, as_of: datetime, margin: timedelta) -> Iterator[Row]:
    held = _held(entra, tenant_id, as_of)
    if held:
        yield passed(MISSING, some(ACCEPTED[id_] for id_ in sorted(held)))
        yield passed(NEAR_MISS)
        yield _end(entra, who, held, as_of, margin)
        yield _first(entra, who, held)
    elif entra.person is None:
        # Without an account there is no role: the finding on the account says so.
        yield from (Row(id_, Status.UNKNOWN, None, None, because=(NOBODY,)) for id_ in IDS)
    elif isinstance(entra.active, tuple):
        yield from _without(entra, entra.active, who)
    elif entra.active.gap is not Gap.NOT_ASKED:
        yield from (not_seen(id_, entra.active) for id_ in IDS)
    elif any(isinstance(one, (Claims, BadToken)) for one in (entra.token, entra.rehearsal)):
        yield found(MISSING, Status.UNKNOWN, who=who, reason="the token names none, which proves nothing; admin_upn and application "
                    "credentials would tell")


def _end(entra: Entra, who: str, held: frozenset[str], as_of: datetime, margin: timedelta) -> Row:
    ends = entra.ends
    if isinstance(ends, NotSeen):
        # What only a token told ends with the token.
        return passed(ELIGIBLE) if ends.gap is Gap.NOT_ASKED else _without_pim() if ends.gap is Gap.UNLICENSED else not_seen(ELIGIBLE, ends)
    if ends is None or ends > as_of + margin:
        return passed(ELIGIBLE)
    role = some(ACCEPTED[id_] for id_ in sorted(held))
    left = max(0, int((ends - as_of).total_seconds() // 60))
    return found(ELIGIBLE, Status.WARN, who=who, role=role, meaning=f"is active until {ends:%Y-%m-%d %H:%M} UTC only, for {left} min")


def _first(entra: Entra, who: str, held: frozenset[str]) -> Row:
    if GLOBAL_ADMINISTRATOR in held:
        return passed(FIRST, "Global Administrator")
    if isinstance(entra.connectors, int) and entra.connectors > 0:
        return passed(FIRST, f"connectors: {entra.connectors}")
    if isinstance(entra.connectors, int):
        return found(FIRST, Status.WARN, who=who, connectors="it has none yet")
    known = "whether it has one was not asked" if entra.connectors.gap is Gap.NOT_ASKED else "whether it has one could not be read"
    return found(FIRST, Status.WARN, who=who, connectors=known)


def _without(entra: Entra, active: tuple[Role, ...], who: str) -> Iterator[Row]:
    """No accepted role is active, by what was seen."""
    if entra.groups_unseen is not None:
        yield not_seen(MISSING, entra.groups_unseen)
        yield from (Row(id_, Status.UNKNOWN, None, None, because=(MISSING,)) for id_ in (ELIGIBLE, NEAR_MISS, FIRST))
        return
    custom = [role for role in active if not role.built_in and role.whole_tenant]
    eligible, near = _accepted(_seen(entra.eligible)), _near(active)
    certain = not custom
    if eligible:
        # Whatever else is there: this is how to get the role.
        yield found(ELIGIBLE, Status.FAIL if certain else Status.UNKNOWN, who=who, role=some(map(_named, eligible)),
                    meaning="could be activated, and is not active now")
    else:
        yield _nothing_to_activate(entra)
    if near:
        meaning = "which is not enough to register"
        why = (ELIGIBLE,) if eligible else ()
        yield Row(NEAR_MISS, Status.FAIL if certain else Status.UNKNOWN, None, None,
                  {"who": who, "role": some(map(_near_words, near)), "meaning": meaning}, because=why)
    else:
        yield passed(NEAR_MISS)
    cause = (ELIGIBLE,) if eligible else (NEAR_MISS,) if near else ()
    if custom:
        reason = f"the custom role {some(role.name for role in custom)} may do, and no document says so"
        yield found(MISSING, Status.UNKNOWN, who=who, reason=reason)
    else:
        yield found(MISSING, because=cause, who=who, reason=_none(active))
    yield Row(FIRST, Status.UNKNOWN, None, None, because=cause or (MISSING,))


def _nothing_to_activate(entra: Entra) -> Row:
    gap = entra.eligible if isinstance(entra.eligible, NotSeen) else entra.eligible_unseen
    if gap is None or gap.gap is Gap.NOT_ASKED:
        return passed(ELIGIBLE)
    return _without_pim() if gap.gap is Gap.UNLICENSED else not_seen(ELIGIBLE, gap)


def _without_pim() -> Row:
    reason = "the tenant has no licence for Privileged Identity Management, so no role is activated for a time"
    return found(ELIGIBLE, Status.NOT_APPLICABLE, reason=reason)


def _near(active: Iterable[Role]) -> tuple[Role, ...]:
    return tuple(role for role in active if role.template in NEAR_MISSES or (role.template in ACCEPTED and not role.whole_tenant))


def _near_words(role: Role) -> str:
    return _named(role) if role.whole_tenant else f"{_named(role)} for a part of the tenant only"


def _named(role: Role) -> str:
    return f"{role.name} (through the group {role.through})" if role.through else role.name


def _none(active: tuple[Role, ...]) -> str:
    return f"active: {some((role.name for role in active), 5)}" if active else "none is active"
