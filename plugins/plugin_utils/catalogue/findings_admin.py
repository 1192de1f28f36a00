# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The findings of the sign-in, the role and the licence of who registers. Words as findings.py says."""

from __future__ import annotations

from functools import partial

from ..model import Area, Owner, Severity
from . import sources
from .spec import spec as _any_spec

_spec = partial(_any_spec, area=Area.ADMIN)
_warn = partial(_spec, severity=Severity.WARNING)
_refusal = partial(_spec, evidence=("who", "meaning", "code", "fix"), tells_what_was_not_seen=True, hint="{fix}")

_SIGN_IN = (
    _spec(
        301, "signin-service-unreachable", Owner.NETWORK, evidence=("error",), tells_what_was_not_seen=True,
        title="The sign-in or the directory did not answer the controller ({error})",
        cause="The controller, on which Ansible runs, got no usable answer in time. Of the servers this says nothing: they have a way of "
        "their own.",
        hint="Run again in some minutes. If it stays, let the controller reach the sign-in and Microsoft Graph over HTTPS (HTTPS_PROXY is "
        "taken from its environment), raise deadline, or leave out what asks them.",
        docs=sources.NATIONAL_CLOUDS,
    ),
    _refusal(
        302, "credentials-rejected", Owner.IDENTITY,
        title="No sign-in as {who}: {meaning} ({code})",
        cause="The sign-in refused what was shown to it, or the application in whose name it was shown. What refused the application that "
        "only looks says nothing of the person who registers: it is unknown then.",
        docs=sources.SIGN_IN_ERRORS, more=(sources.PASSWORD_GRANT, sources.DEVICE_CODE),
    ),
    _refusal(
        303, "mfa-required", Owner.IDENTITY,
        title="No sign-in as {who} without a second factor: {meaning} ({code})",
        cause="A registration by user name and password has nobody who could answer a second factor. The token way signs in before, "
        "where somebody can.",
        docs=sources.REGISTER_TOKEN, more=(sources.SIGN_IN_ERRORS,),
    ),
    _refusal(
        304, "conditional-access-blocked", Owner.IDENTITY,
        title="A policy of the tenant blocks the sign-in as {who}: {meaning} ({code})",
        cause="Conditional Access, security defaults or risk keep the account out. It was seen from the controller: from the server a "
        "policy that looks at devices or places may say otherwise.",
        docs=sources.SIGN_IN_ERRORS, more=(sources.REGISTER_TOKEN,),
    ),
    _spec(
        305, "account-disabled-locked-or-expired", Owner.IDENTITY, evidence=("who", "meaning", "fix"), tells_what_was_not_seen=True,
        title="{who} cannot sign in: {meaning}",
        cause="The account itself is disabled or locked, or its password has expired.",
        hint="{fix}",
        docs=sources.SIGN_IN_ERRORS, more=(sources.GRAPH_USER,),
    ),
    _spec(
        306, "account-not-of-this-tenant", Owner.IDENTITY, evidence=("who", "meaning"), tells_what_was_not_seen=True,
        title="{who} cannot register here: {meaning}",
        cause="A connector is always registered in the home tenant of who signs in. A guest, or an account of another tenant, registers "
        "elsewhere or not at all.",
        hint="Sign in with an account of this tenant (name@a verified domain of it), no guest; or correct tenant_id, admin_upn and cloud.",
        docs=sources.FAQ, more=(sources.TROUBLESHOOT,),
    ),
    _refusal(
        307, "tenant-restricted-by-proxy", Owner.PROXY,
        title="A proxy keeps {who} from signing in to this tenant: {meaning} ({code})",
        cause="A proxy that inspects TLS adds a header that names the tenants to which one may sign in, and this one is not among them. "
        "Seen from the controller; from the server another proxy may stand between.",
        docs=sources.TENANT_RESTRICTIONS, more=(sources.SIGN_IN_ERRORS,),
    ),
    _spec(
        308, "token-unsuitable", Owner.IDENTITY, evidence=("meaning", "fix"), tells_what_was_not_seen=True,
        title="The registration token is not fit: {meaning}",
        cause="The service takes a person's access token for the registration (audience and scope of its own), for about an hour.",
        hint="{fix}",
        docs=sources.REGISTER_TOKEN, more=(sources.ACCESS_TOKENS,),
    ),
)

_ACTIVATE = "Activate the role (Entra admin center, Privileged Identity Management, My roles)"

_ROLES = (
    _spec(
        311, "role-missing", Owner.IDENTITY, evidence=("who", "reason"),
        title="{who} has no role that may register a connector ({reason})",
        cause="Application Administrator or Global Administrator is needed: active, for the whole tenant, at the time of registration.",
        hint="Assign the role Application Administrator to who registers, for the whole tenant, at least until it is done; or let somebody "
        "register who has it.",
        docs=sources.TROUBLESHOOT, more=(sources.SECURITY, sources.BUILT_IN_ROLES, sources.ACCESS_TOKENS),
    ),
    _spec(
        312, "role-eligible-not-active", Owner.IDENTITY, evidence=("who", "role", "meaning"),
        title="The role {role} {meaning} ({who})",
        cause="A role that one is merely eligible for counts only while it is activated. What is asked for is an active assignment.",
        hint=f"{_ACTIVATE} right before the registration, for long enough, and sign in after that: a token that was given out before does "
        "not have it.",
        docs=sources.TROUBLESHOOT, more=(sources.GRAPH_ELIGIBLE, sources.GRAPH_ACTIVE, sources.GRAPH_GROUP_ELIGIBLE),
    ),
    _spec(
        313, "role-near-miss", Owner.IDENTITY, evidence=("who", "role", "meaning"),
        title="{who} has {role}, {meaning}",
        cause="Some roles sound like the needed one and lack the right to manage the application proxy, and the needed one helps for "
        "the whole tenant only.",
        hint="Assign the role Application Administrator to who registers, for the whole tenant.",
        docs=sources.BUILT_IN_ROLES, more=(sources.TROUBLESHOOT, sources.CUSTOM_ROLES),
    ),
    _warn(
        314, "first-connector-may-need-global-administrator", Owner.IDENTITY, evidence=("who", "connectors"),
        title="If it is the first connector of the tenant, {who} may have to be Global Administrator ({connectors})",
        cause="Microsoft's pages contradict each other: most ask for an Application Administrator at least; the tutorial (2026-03-11) says "
        "that the first connector of a tenant needs a Global Administrator.",
        hint="Have a Global Administrator register the first connector, or have one at hand. The page of troubleshooting (2025-05-07) asks "
        "for an Application Administrator; the tutorial (2026-03-11) for a Global Administrator the first time.",
        docs=sources.TROUBLESHOOT, more=(sources.CONNECTOR_TUTORIAL,),
    ),
)

_TENANT = (
    _warn(
        321, "licence-missing", Owner.IDENTITY, evidence=("found",),
        title="The tenant has no Entra ID P1 or P2 in force ({found})",
        cause="The application proxy needs Microsoft Entra ID P1 or P2. Where the licence ends, it is switched off and its data are kept "
        "for a year.",
        hint="Buy or renew Microsoft Entra ID P1 or P2 for the tenant before the rollout.",
        docs=sources.FAQ, more=(sources.GRAPH_SKUS,),
    ),
    _spec(
        322, "application-proxy-disabled", Owner.IDENTITY, evidence=("connectors",),
        title="The application proxy is switched off in this tenant ({connectors})",
        cause="It is switched on by the first connector. Where there are connectors and it is off, somebody switched it off, or the "
        "licence ended. It was read from a beta interface, which Microsoft does not support in production.",
        hint="Switch it on (Entra admin center, Global Secure Access or Enterprise applications, Application proxy), and look at "
        "the licence.",
        docs=sources.FAQ, more=(sources.GRAPH_PROFILE,),
    ),
    _spec(
        331, "directory-read-not-permitted", Owner.IDENTITY, evidence=("what", "permissions"), tells_what_was_not_seen=True,
        title="The application that looks may not read what is needed ({what})",
        cause="Microsoft Graph refused a call or gave empty shells in place of what it knows, for want of an application permission.",
        hint="Grant the application: {permissions}. These are application permissions of Microsoft Graph and take an administrator's "
        "consent. Or leave out with skip_checks what needs them. docs/calls.md says what each one adds.",
        docs=sources.GRAPH_PERMISSIONS,
    ),
)

ADMIN = (*_SIGN_IN, *_ROLES, *_TENANT)
