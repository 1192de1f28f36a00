# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The people of the lab's directory, each with what must come of looking at them, by each way that can see it.

Findings are those that are `fail`, `warn` or `unknown` and that no other one explains; the lists are exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .entra import (
    APPLICATION_ADMINISTRATOR,
    CLOUD_APPLICATION_ADMINISTRATOR,
    CUSTOM_ROLE,
    GLOBAL_ADMINISTRATOR,
    HELPDESK_ADMINISTRATOR,
    HYBRID_IDENTITY_ADMINISTRATOR,
    OTHER_TENANT,
    Account,
    Assignment,
    Directory,
    Group,
)

FAIL, WARN, UNKNOWN = "fail", "warn", "unknown"
READY, NOT_READY, INCONCLUSIVE = "ready", "not_ready", "inconclusive"

GRAPH, TOKEN, PASSWORD, DEVICE_CODE = "graph", "token", "password", "device_code"
"""Ways to look: the directory; a token that was given out; the two rehearsals, without the directory."""

Findings = Mapping[str, str]
_FIRST: Findings = {"APC314": WARN}
_NO_ROLE_TOLD: Findings = {"APC311": UNKNOWN}
"""What a token that names no role leaves open."""


@dataclass(frozen=True)
class Person:
    """Somebody of the directory. `expects` is by way; a way that cannot tell more than another person's run is left out."""

    account: Account
    why: str
    expects: Mapping[str, Findings]
    directory: Mapping[str, object] = field(default_factory=dict)
    """The tenant, where it differs from the usual one."""
    variables: Mapping[str, object] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.account.name

    def tenant(self) -> Directory:
        return Directory(people=(self.account,), **self.directory)  # type: ignore[arg-type]


def verdict(findings: Findings) -> str:
    """That the design gives for these."""
    if FAIL in findings.values():
        return NOT_READY
    return INCONCLUSIVE if UNKNOWN in findings.values() else READY


_ACTIVE = (Assignment(APPLICATION_ADMINISTRATOR),)
_GLOBAL = (Assignment(GLOBAL_ADMINISTRATOR),)
_UNIT = "/administrativeUnits/5d107bba-d8e2-4e13-b6ae-884be90e5d1a"
_ADMINS = Group("Connector admins", roles=_ACTIVE)
_ELIGIBLE = (Assignment(APPLICATION_ADMINISTRATOR),)


def _refused(name: str, why: str, code: int, finding: str, device: str | None = None) -> Person:
    """A sign-in that the service refuses. By password that is the registration's own; by device code nobody documents it."""
    return Person(
        Account(name, roles=_GLOBAL, refused=code), why,
        {PASSWORD: {finding: FAIL if device is None else UNKNOWN}, DEVICE_CODE: {finding: UNKNOWN}},
    )


PEOPLE = (
    Person(Account("global", roles=_GLOBAL), "Global Administrator.", {GRAPH: {}, TOKEN: {}, PASSWORD: {}, DEVICE_CODE: {}}),
    Person(Account("application", roles=_ACTIVE), "Application Administrator; whether there is a connector was not asked.",
           {GRAPH: _FIRST, TOKEN: _FIRST, PASSWORD: _FIRST, DEVICE_CODE: _FIRST}),
    Person(Account("second", roles=_ACTIVE), "Application Administrator, and there are connectors, more than a page of them.", {GRAPH: {}},
           directory={"connectors": 5}, variables={"preflight_look_for_connectors": True}),
    Person(Account("first", roles=_ACTIVE), "Application Administrator, and there is no connector; the proxy is off, as it is then.",
           {GRAPH: _FIRST}, directory={"connectors": 0, "proxy_enabled": False}, variables={"preflight_look_for_connectors": True}),
    Person(Account("through-group", groups=(Group("Everybody", assignable=False), Group("Staff", assignable=False), _ADMINS)),
           "The role comes through a group, on the second page.", {GRAPH: _FIRST, TOKEN: _NO_ROLE_TOLD}),
    Person(Account("nobody"), "No role at all.", {GRAPH: {"APC311": FAIL}, TOKEN: _NO_ROLE_TOLD, PASSWORD: _NO_ROLE_TOLD}),
    Person(Account("helpdesk", roles=(Assignment(HELPDESK_ADMINISTRATOR),)), "Another role.", {GRAPH: {"APC311": FAIL}}),
    Person(Account("eligible", eligible=_ELIGIBLE), "Eligible, not active.", {GRAPH: {"APC312": FAIL}, TOKEN: _NO_ROLE_TOLD}),
    Person(Account("eligible-by-group", groups=(Group("Eligible admins", eligible=_ELIGIBLE),)), "Eligible through a group.",
           {GRAPH: {"APC312": FAIL}}),
    Person(Account("eligible-for-group", eligible_groups=(_ADMINS,)), "Eligible for the membership of a group that has the role.",
           {GRAPH: {"APC312": FAIL}}),
    Person(Account("ends-soon", roles=(Assignment(GLOBAL_ADMINISTRATOR, ends_in=20),)), "The activation ends in twenty minutes.",
           {GRAPH: {"APC312": WARN}}),
    Person(Account("ends-later", roles=(Assignment(GLOBAL_ADMINISTRATOR, ends_in=400),)), "The activation holds long enough.", {GRAPH: {}}),
    Person(Account("cloud-application", roles=(Assignment(CLOUD_APPLICATION_ADMINISTRATOR),)), "The role that lacks the application proxy.",
           {GRAPH: {"APC313": FAIL}}),
    Person(Account("hybrid", roles=(Assignment(HYBRID_IDENTITY_ADMINISTRATOR),)), "A role for other agents.", {GRAPH: {"APC313": FAIL}}),
    Person(Account("scoped", roles=(Assignment(APPLICATION_ADMINISTRATOR, scope=_UNIT),)),
           "The role for a part of the tenant.", {GRAPH: {"APC313": FAIL}}),
    Person(Account("custom", roles=(Assignment(CUSTOM_ROLE),)), "A custom role, which may do or not.", {GRAPH: {"APC311": UNKNOWN}}),
    Person(Account("disabled", enabled=False, roles=_GLOBAL, refused=50057), "Disabled.",
           {GRAPH: {"APC305": FAIL}, PASSWORD: {"APC305": FAIL}, DEVICE_CODE: {"APC305": UNKNOWN}}),
    Person(Account("guest", domain="partner.example", guest=True, roles=_GLOBAL, claims={"idp": f"https://sts.windows.net/{OTHER_TENANT}/"}),
           "A guest, named as at home.", {GRAPH: {"APC306": FAIL}, TOKEN: {"APC306": FAIL}}),
    Person(Account("stranger", domain="nowhere.example", absent=True), "A domain that no tenant has.",
           {GRAPH: {"APC306": FAIL}}),
    Person(Account("gone", absent=True), "No such account.", {GRAPH: {"APC306": FAIL}}),
    Person(Account("elsewhere", roles=_GLOBAL, claims={"tid": OTHER_TENANT}), "A token of another tenant.",
           {TOKEN: {"APC306": FAIL, "APC311": UNKNOWN}}),
    Person(Account("other-audience", roles=_GLOBAL, claims={"aud": "https://graph.microsoft.com"}), "A token for somebody else.",
           {TOKEN: {"APC308": FAIL}}),
    Person(Account("expired", roles=_GLOBAL, claims={"exp": 1700000000}), "A token that has expired.",
           {TOKEN: {"APC308": FAIL, "APC311": UNKNOWN}}),
    Person(Account("no-claims", claims={"wids": None}), "A token that says nothing of roles.", {TOKEN: _NO_ROLE_TOLD}),
    Person(Account("applications-own", claims={"scp": None, "idtyp": "app", "wids": None, "upn": None}), "An application's token.",
           {TOKEN: {"APC308": UNKNOWN, "APC311": UNKNOWN}}),
    Person(Account("unlicensed", roles=_GLOBAL), "The tenant has no premium licence, so no PIM either.", {GRAPH: {"APC321": WARN}},
           directory={"plans": (("11111111-2222-3333-4444-555555555555", "Enabled", "Success"),), "privileged_identities": False}),
    Person(Account("licence-over", roles=_GLOBAL), "The licence is suspended.", {GRAPH: {"APC321": WARN}},
           directory={"plans": (("41781fb2-bc02-4b7c-bd55-b576c07bb09d", "Suspended", "Success"),)}),
    Person(Account("plan-off", roles=_GLOBAL), "The subscription is there, its plan is not switched on.", {GRAPH: {"APC321": WARN}},
           directory={"plans": (("eec0eb4f-6444-4f95-aba0-50c24d67f998", "Enabled", "Disabled"),)}),
    Person(Account("switched-off", roles=_GLOBAL), "There are connectors, and the application proxy is off.", {GRAPH: {"APC322": FAIL}},
           directory={"connectors": 3, "proxy_enabled": False}, variables={"preflight_look_for_connectors": True}),
    Person(Account("shells", groups=(_ADMINS,)), "Groups come as empty shells.", {GRAPH: {"APC331": UNKNOWN}},
           directory={"granted": ("User.Read.All", "RoleManagement.Read.Directory", "LicenseAssignment.Read.All")}),
    _refused("locked", "Locked.", 50053, "APC305"),
    _refused("password-expired", "The password has expired.", 50055, "APC305"),
    _refused("second-factor", "A second factor is asked for.", 50076, "APC303"),
    _refused("must-enrol", "A second factor must be set up first.", 50072, "APC303"),
    _refused("policy", "Conditional Access blocks.", 53003, "APC304"),
    _refused("restricted", "A proxy restricts the tenants.", 500021, "APC307"),
    _refused("no-consent", "Consent is missing.", 65001, "APC302"),
    _refused("new-code", "A code that nobody knows yet.", 999999, "APC302", device="unknown, by any way"),
)
