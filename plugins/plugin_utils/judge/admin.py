# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sign-in, the account and the tenant of who registers: evidence in, findings out.

FOR INTERNAL COLLECTION USE ONLY. Pure. Roles have a file of their own (roles.py).
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta

from ..catalogue.registration import AUDIENCE, LICENCE_PLANS, SCOPE
from ..catalogue.signin_errors import ACCOUNT, NOT_OF_TENANT, REJECTED, SIGN_IN_ERRORS, TOKEN, UNREACHABLE
from ..entra.evidence import BadToken, Claims, Entra, Gap, NotSeen, Person, Plan, Refusal, asked_for
from ..model import Finding, SeenFrom, Status
from . import roles, waived
from .fold import fold, order, some, with_shown_causes, without_findings
from .route import Row
from .rules import found, passed
from .waivers import Waiver

NOT_PERMITTED, LICENCE, SWITCHED_OFF = "APC331", "APC321", "APC322"
OF_A_SIGN_IN = (REJECTED, "APC303", "APC304", ACCOUNT, "APC307")
"""What only a sign-in as the person tells (of the account, Graph tells too)."""


@dataclass(frozen=True)
class Asked:
    """What is wanted of a judgement."""

    checks: Sequence[str]
    tenant_id: str
    who: str
    """Who registers, for sentences."""
    as_of: datetime
    margin: timedelta
    """How long a token and an activated role must still hold."""
    audience_known: bool
    """Whether the registration's audience is documented for the cloud."""
    final_refusals: bool
    """A refusal is the registration's own: the password's is, that of a device code is not documented for its client."""
    waivers: Sequence[Waiver] = ()


@dataclass(frozen=True)
class AdminJudgement:
    findings: tuple[Finding, ...]
    unused_waivers: tuple[Waiver, ...]


def _gaps(*facts: object) -> tuple[NotSeen, ...]:
    """Why some of them were not seen, though asked for."""
    return tuple(fact for fact in facts if isinstance(fact, NotSeen) and asked_for(fact))


def judge_gaps(entra: Entra) -> Iterator[Row]:
    """One word on all that did not answer, and one on all that may not be read."""
    gaps = _gaps(*(getattr(entra, one.name) for one in fields(entra)))
    silent = [gap.error for gap in gaps if gap.gap is Gap.UNREACHABLE]
    denied = [gap for gap in gaps if gap.gap is Gap.DENIED]
    if silent:
        yield found(UNREACHABLE, Status.UNKNOWN, error=some(silent, 4))
    else:
        yield passed(UNREACHABLE)
    if denied:
        what, permissions = some((gap.error for gap in denied), 4), some((gap.permission for gap in denied), 8)
        yield found(NOT_PERMITTED, Status.UNKNOWN, what=what, permissions=permissions)
    elif entra.application is None and not any(gap.gap is Gap.UNREACHABLE for gap in gaps):
        yield passed(NOT_PERMITTED)


def _refused(refusal: Refusal, who: str, final: bool, group: str) -> Row:
    """A code that nobody knows decides nothing."""
    known = SIGN_IN_ERRORS.get(refusal.code or 0)
    id_ = known.finding if known else REJECTED
    status = Status.FAIL if final and known and id_ != UNREACHABLE else Status.UNKNOWN
    meaning = known.meaning if known else refusal.error
    fix = known.hint if known else "Look the code up at https://login.microsoftonline.com/error, and run again when it is mended."
    code = "no code" if refusal.code is None else f"AADSTS{refusal.code}"
    if id_ == UNREACHABLE:
        return found(id_, status, error=f"{meaning} ({code})")
    evidence = {"who": who, "meaning": meaning, "code": code, "fix": fix}
    said = {"said": refusal.error, "source": str(known.source)} if known else {}
    return Row(id_, status, None, None, {**evidence, **said}, group=(group,))


def judge_application(entra: Entra) -> Iterator[Row]:
    """The application that looks. That it is refused says nothing of the person."""
    if isinstance(entra.application, Refusal):
        row = _refused(entra.application, "the application that looks", final=False, group="application")
        # Whatever keeps the application out is no word on a person's second factor, account or token.
        yield row if row.id == UNREACHABLE else replace(row, id=REJECTED)


def judge_sign_in(entra: Entra, asked: Asked) -> Iterator[Row]:
    """The sign-in as the person: tried here, or shown by a token that was given out."""
    rehearsal = entra.rehearsal
    if isinstance(rehearsal, Refusal):
        yield _refused(rehearsal, asked.who, asked.final_refusals, "person")
    elif isinstance(rehearsal, (Claims, BadToken)):
        for id_ in OF_A_SIGN_IN:
            yield passed(id_, "signed in from the controller")
    elif isinstance(entra.token, Claims) and _token_fault(entra.token, asked) is None:
        for id_ in OF_A_SIGN_IN:
            yield passed(id_, "the token was given out")


def judge_account(entra: Entra) -> Iterator[Row]:
    person = entra.person
    if isinstance(person, Person):
        if person.enabled:
            yield passed(ACCOUNT, "enabled in the directory")
        else:
            fix = "Enable it in Entra ID, or take another administrator."
            yield found(ACCOUNT, who=person.upn, meaning="the account is disabled", fix=fix)
    else:
        yield from (roles.not_seen(ACCOUNT, gap) for gap in _gaps(person))


def judge_tenant(entra: Entra, asked: Asked) -> Iterator[Row]:
    """All words on whose account it is; a person of another tenant is a fact, wherever it shows."""
    foreign = list(_foreign(entra, asked))
    if foreign:
        yield found(NOT_OF_TENANT, who=asked.who, meaning=some(foreign, 3))
        return
    claims = [one for one in (entra.token, entra.rehearsal) if isinstance(one, Claims) and one.tenant == asked.tenant_id]
    if isinstance(entra.person, Person) or claims:
        yield passed(NOT_OF_TENANT)
        return
    gaps = _gaps(entra.person, entra.home_tenant)
    if gaps:
        yield roles.not_seen(NOT_OF_TENANT, gaps[0])
    elif entra.home_tenant == asked.tenant_id:
        yield passed(NOT_OF_TENANT, "its domain belongs to the tenant; whether it has such an account was not asked")


def _foreign(entra: Entra, asked: Asked) -> Iterator[str]:
    home = entra.home_tenant
    if home is None:
        yield "this cloud knows no tenant of its domain"
    elif isinstance(home, str) and home != asked.tenant_id:
        yield f"its domain belongs to the tenant {home}"
    if entra.person is None:
        yield "the directory of the tenant has no such account"
    elif isinstance(entra.person, Person) and entra.person.guest:
        yield "it is a guest in the tenant"
    for claims in (entra.token, entra.rehearsal):
        if isinstance(claims, Claims):
            if claims.tenant is not None and claims.tenant != asked.tenant_id:
                yield f"the token is of the tenant {claims.tenant}"
            elif claims.foreign_provider:
                yield f"the token is a guest's, signed in by {claims.foreign_provider}"


def _token_fault(claims: Claims, asked: Asked) -> tuple[Status, str, str] | None:
    """Status, what is wrong, what to do."""
    again = f"Get a new token: the scope is {SCOPE}."
    if claims.expires is None:
        return Status.FAIL, "it does not say when it expires", again
    if claims.expires <= asked.as_of:
        return Status.FAIL, f"it expired at {claims.expires:%Y-%m-%d %H:%M} UTC", f"{again} One holds for about an hour."
    if claims.application:
        return Status.UNKNOWN, "it is an application's, and documents speak of a person's", again
    fault = _audience_fault(claims, asked)
    if fault:
        return (*fault, again)
    if claims.name and "@" in asked.who and claims.name.lower() != asked.who.lower():
        return Status.UNKNOWN, f"it is of {claims.name}, and admin_upn names {asked.who}", "Name in admin_upn whose token it is."
    if claims.expires <= asked.as_of + asked.margin:
        left = int((claims.expires - asked.as_of).total_seconds() // 60)
        return Status.WARN, f"it expires in {left} min", f"{again} One holds for about an hour: do it right before the registration."
    return None


def _audience_fault(claims: Claims, asked: Asked) -> tuple[Status, str] | None:
    if any(one.rstrip("/") == AUDIENCE for one in claims.audience):
        if claims.scopes and SCOPE.rsplit("/", maxsplit=1)[-1] not in claims.scopes:
            return Status.FAIL, f"its scope is {' '.join(claims.scopes)}"
        return None
    named = ", ".join(claims.audience) or "nobody"
    # Of a newer kind of token the audience is an id that no document gives.
    certain = asked.audience_known and (not claims.audience or any("/" in one for one in claims.audience))
    return Status.FAIL if certain else Status.UNKNOWN, f"it is for {named}, not for {AUDIENCE}"


def judge_token(entra: Entra, asked: Asked) -> Iterator[Row]:
    if isinstance(entra.token, BadToken):
        status = Status.UNKNOWN if entra.token.encrypted else Status.FAIL
        yield found(TOKEN, status, meaning=entra.token.error, fix=f"Give the access token itself, with the scope {SCOPE}.")
    elif isinstance(entra.token, Claims):
        fault = _token_fault(entra.token, asked)
        yield passed(TOKEN) if fault is None else found(TOKEN, fault[0], meaning=fault[1], fix=fault[2])


_IN_FORCE = ("Enabled", "Warning")


def judge_licence(entra: Entra) -> Iterator[Row]:
    plans = entra.plans
    if isinstance(plans, NotSeen):
        yield from (roles.not_seen(LICENCE, gap) for gap in _gaps(plans))
        return
    premium = [plan for plan in plans if plan.plan in LICENCE_PLANS]
    states = [plan.state for plan in premium if plan.provisioned == "Success"]
    if "Enabled" in states:
        yield passed(LICENCE)
    elif premium:
        yield found(LICENCE, Status.WARN, found=some(map(_plan, premium), 4))
    else:
        yield found(LICENCE, Status.WARN, found="none of its subscriptions has it")


def _plan(plan: Plan) -> str:
    grace = ", in its last days" if plan.state == "Warning" else ""
    return f"{LICENCE_PLANS[plan.plan]} of {plan.subscription}: {plan.state}{grace}, plan {plan.provisioned}"


def judge_switch(entra: Entra) -> Iterator[Row]:
    """Off is how it is before the first connector, too."""
    on, connectors = entra.switched_on, entra.connectors
    if isinstance(on, NotSeen):
        yield from (roles.not_seen(SWITCHED_OFF, gap) for gap in _gaps(on))
    elif on or connectors == 0:
        yield passed(SWITCHED_OFF, "" if on else "off, as it is before the first connector")
    elif isinstance(connectors, NotSeen):
        yield roles.not_seen(SWITCHED_OFF, connectors)
    else:
        yield found(SWITCHED_OFF, connectors=f"there are connectors: {connectors}")


def _rows(entra: Entra, asked: Asked) -> Iterator[Row]:
    yield from judge_gaps(entra)
    yield from judge_application(entra)
    yield from judge_sign_in(entra, asked)
    yield from judge_account(entra)
    yield from judge_tenant(entra, asked)
    yield from judge_token(entra, asked)
    yield from roles.judge_roles(entra, asked.who, asked.tenant_id, asked.as_of, asked.margin)
    yield from judge_licence(entra)
    yield from judge_switch(entra)


def _not_asked(entra: Entra) -> dict[str, str]:
    """Ids that nobody asked for, and why."""
    nobody = "nobody signed in as the person here (sign_in), and no fit token was given"
    reasons: dict[str, str] = {}
    person_signed_in = asked_for(entra.rehearsal)
    if not person_signed_in:
        reasons |= dict.fromkeys(OF_A_SIGN_IN, nobody)
    if not asked_for(entra.token):
        reasons[TOKEN] = "no registration token was given"
    if not any(map(asked_for, (entra.home_tenant, entra.token, entra.rehearsal, entra.person))):
        reasons[NOT_OF_TENANT] = "neither admin_upn nor a token says who registers"
    if not asked_for(entra.application):
        reasons |= dict.fromkeys((NOT_PERMITTED, LICENCE, SWITCHED_OFF), "no application credentials to look into the directory with")
        if not asked_for(entra.token) and not person_signed_in:
            reasons |= dict.fromkeys(roles.IDS, "neither application credentials nor a token to read roles from")
        else:
            reasons |= dict.fromkeys((roles.ELIGIBLE, roles.NEAR_MISS), "a token does not tell it")
    if not asked_for(entra.switched_on):
        reasons[SWITCHED_OFF] = "look_for_connectors is off"
    if not any(map(asked_for, (entra.realm, entra.home_tenant, entra.application, entra.rehearsal))):
        reasons[UNREACHABLE] = "nothing was asked over the network"
    return reasons


def _decided(entra: Entra, asked: Asked, not_asked: Container[str]) -> tuple[Row, ...]:
    """A pass counts where it was asked for, and where no other way of looking says otherwise."""
    rows = tuple(_rows(entra, asked))
    otherwise = {row.id for row in rows if row.status is not Status.PASS}
    return tuple(row for row in rows if row.status is not Status.PASS or not (row.id in otherwise or row.id in not_asked))


def judge_admin(entra: Entra, asked: Asked) -> AdminJudgement:
    """All judges, then the fold. Everything is seen from the controller, and says so."""
    reasons = _not_asked(entra)
    rows = waived.waive(with_shown_causes(_decided(entra, asked, reasons), asked.checks), asked.waivers, "", asked.as_of.date())
    everything = fold(rows, SeenFrom.CONTROLLER)
    findings = [finding for finding in everything if finding.id in asked.checks]
    silent = without_findings(asked.checks, everything, reasons, SeenFrom.CONTROLLER)
    return AdminJudgement(order((*findings, *silent)), waived.unused(rows, asked.waivers, ""))
