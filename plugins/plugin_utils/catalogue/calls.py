# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every call that is ever made to the sign-in and to Microsoft Graph: what it is for, and the least application permission for it.

FOR INTERNAL COLLECTION USE ONLY. entra/transport.py makes no call that is not here. What is posted asks for a token; nothing is
written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from . import sources
from .sources import Source


@dataclass(frozen=True)
class Call:
    name: str
    path: str
    """After the address of the service, `{}` for the one thing that differs."""
    permission: str
    """The least application permission by Microsoft's table; empty where none is needed."""
    adds: str
    """What one knows with it."""
    source: Source
    note: str = ""
    method: str = "GET"

    def url(self, base: str, value: str = "") -> str:
        """`value` is escaped for where it stands: a part of the path, or text within the quotation marks of a filter."""
        text = value.replace("'", "''") if "'{}'" in self.path else value
        return base + self.path.replace("{}", quote(text, safe=""))

    def is_of(self, method: str, path: str) -> bool:
        """Whether a request is this call; `path` is without its query."""
        shape = re.escape(self.path.split("?", maxsplit=1)[0]).replace(r"\{\}", "[^/?]+")
        return method == self.method and re.fullmatch(shape, path) is not None


OPENID = Call(
    "tenant", "/{}/v2.0/.well-known/openid-configuration", "", "which tenant a domain belongs to (APC306)", sources.ACCESS_TOKENS,
)
REALM = Call(
    "realm", "/common/userrealm/{}?api-version=1.0", "", "whether the account is federated, and with which host (APC154)", sources.MSAL,
)
TOKEN = Call("token", "/{}/oauth2/v2.0/token", "", "whether a sign-in is let in (APC302 to APC307)", sources.MSAL, method="POST")
DEVICE = Call("device code", "/{}/oauth2/v2.0/devicecode", "", "the code that a person enters", sources.DEVICE_CODE, method="POST")

SIGN_IN_CALLS = (OPENID, REALM, TOKEN, DEVICE)

_ROLES = "RoleManagement.Read.Directory"
_NONE = "nothing that is documented (beta: look_for_connectors)"
_BETA = "Beta, which Microsoft does not support in production; only with look_for_connectors. An application is refused as a rule: APC331."

USER = Call(
    "user", "/v1.0/users/{}?$select=id,userPrincipalName,accountEnabled,userType,mail", "User.Read.All",
    "whether the account is there, enabled, a member or a guest (APC305, APC306)", sources.GRAPH_USER,
)
USER_BY_MAIL = Call(
    "user by mail", "/v1.0/users?$filter=mail eq '{}'&$select=id,userPrincipalName,accountEnabled,userType,mail", "User.Read.All",
    "whether a name that is not there is a guest's (APC306)", sources.GRAPH_USER,
)
MEMBER_OF = Call(
    "memberships", "/v1.0/users/{}/transitiveMemberOf?$select=id,displayName,isAssignableToRole,roleTemplateId", "GroupMember.Read.All",
    "the groups that may give a role (APC311)", sources.GRAPH_MEMBER_OF,
    note="Without it Graph answers with empty shells, which are APC331 and never \"role missing\".",
)
ROLE_ASSIGNMENTS = Call(
    "role assignments", "/v1.0/roleManagement/directory/roleAssignments?$filter=principalId eq '{}'&$expand=roleDefinition", _ROLES,
    "roles that are active, and for which part of the tenant (APC311, APC313, APC314)", sources.GRAPH_ROLE_ASSIGNMENTS,
)
ACTIVE = Call(
    "active assignments", "/v1.0/roleManagement/directory/roleAssignmentScheduleInstances?$filter=principalId eq '{}'",
    "RoleAssignmentSchedule.Read.Directory", "when an activated role ends (APC312)", sources.GRAPH_ACTIVE,
    note=f"{_ROLES} has it, too.",
)
ELIGIBLE = Call(
    "eligible assignments", "/v1.0/roleManagement/directory/roleEligibilityScheduleInstances?$filter=principalId eq '{}'",
    "RoleEligibilitySchedule.Read.Directory", "roles that could be activated (APC312)", sources.GRAPH_ELIGIBLE,
    note=f"Asked only where no role is active. {_ROLES} has it, too.",
)
GROUP_ELIGIBLE = Call(
    "eligible memberships", "/v1.0/identityGovernance/privilegedAccess/group/eligibilityScheduleInstances?$filter=principalId eq '{}'",
    "PrivilegedEligibilitySchedule.Read.AzureADGroup", "groups with a role whose membership could be activated (APC312)",
    sources.GRAPH_GROUP_ELIGIBLE, note="Asked only where no role is active.",
)
SKUS = Call(
    "licences", "/v1.0/subscribedSkus?$select=skuPartNumber,capabilityStatus,servicePlans", "LicenseAssignment.Read.All",
    "whether the tenant has Entra ID P1 or P2, and in which state (APC321)", sources.GRAPH_SKUS,
    note="Organization.Read.All has it, too.",
)
PROFILE = Call(
    "application proxy", "/beta/onPremisesPublishingProfiles/applicationProxy", _NONE,
    "whether the application proxy is switched on (APC322)", sources.GRAPH_PROFILE,
    note=_BETA,
)
CONNECTORS = Call(
    "connectors", "/beta/onPremisesPublishingProfiles/applicationProxy/connectors", _NONE,
    "whether there is a connector already (APC314)", sources.GRAPH_CONNECTORS,
    note=_BETA,
)

GRAPH_CALLS = (USER, USER_BY_MAIL, MEMBER_OF, ROLE_ASSIGNMENTS, ACTIVE, ELIGIBLE, GROUP_ELIGIBLE, SKUS, PROFILE, CONNECTORS)
