# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's identity service: the token endpoints, discovery and the calls of Microsoft Graph that the module admin makes.

A stand-in for Microsoft's cloud, with real HTTP and TLS. Shapes of answers and errors are the documented ones; what is decided
(who has which role) comes from a Directory. It records every request.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .fleet import TENANT
from .pki import Pki, contexts
from .servers import IPV4, Listener, Request, Response, tls_listener

OTHER_TENANT = "aaaaaaaa-1111-2222-3333-bbbbbbbbbbbb"
DOMAIN = "contoso.example"
APPLICATION = "22222222-aaaa-bbbb-cccc-333333333333"
REGISTRATION = "https://proxy.cloudwebappproxy.net/registerapp"
REGISTRATION_CLIENT = "55747057-9b5d-4bd4-b387-abf52a8bd489"
DEFAULT_USER = "b79fbf4d-3ef9-4689-8143-76b194e85509"
"""What `wids` carries for people without a role, too."""

GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
APPLICATION_ADMINISTRATOR = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"
CLOUD_APPLICATION_ADMINISTRATOR = "158c047a-c907-4556-b7ef-446551a6b5f7"
HYBRID_IDENTITY_ADMINISTRATOR = "8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2"
HELPDESK_ADMINISTRATOR = "729827e3-9c14-49f7-bb1b-9608f156bbb8"
CUSTOM_ROLE = "c0ffee00-1234-5678-9abc-def012345678"
ROLES = {
    GLOBAL_ADMINISTRATOR: "Global Administrator", APPLICATION_ADMINISTRATOR: "Application Administrator",
    CLOUD_APPLICATION_ADMINISTRATOR: "Cloud Application Administrator", HYBRID_IDENTITY_ADMINISTRATOR: "Hybrid Identity Administrator",
    HELPDESK_ADMINISTRATOR: "Helpdesk Administrator", CUSTOM_ROLE: "Connector Keeper",
}
PERMISSIONS = (
    "User.Read.All", "GroupMember.Read.All", "RoleManagement.Read.Directory", "RoleAssignmentSchedule.Read.Directory",
    "RoleEligibilitySchedule.Read.Directory", "PrivilegedEligibilitySchedule.Read.AzureADGroup", "LicenseAssignment.Read.All",
    "OnPremisesPublishingProfiles",
)
"""What the application may be granted. The last is no permission of Graph's: none is documented for what it stands for."""
PAGE = 2
"""Objects on a page: small, so that every list of some length has several."""


@dataclass(frozen=True)
class Assignment:
    """A role that somebody has, or could activate."""

    role: str
    scope: str = "/"
    ends_in: float | None = None
    """Minutes; None where it never ends."""


@dataclass(frozen=True)
class Group:
    name: str
    roles: tuple[Assignment, ...] = ()
    eligible: tuple[Assignment, ...] = ()
    assignable: bool = True

    @property
    def id(self) -> str:
        return _id(f"group {self.name}")


@dataclass(frozen=True)
class Account:
    """Somebody of the directory, and how a sign-in of theirs ends."""

    name: str
    domain: str = DOMAIN
    enabled: bool = True
    guest: bool = False
    roles: tuple[Assignment, ...] = ()
    eligible: tuple[Assignment, ...] = ()
    groups: tuple[Group, ...] = ()
    eligible_groups: tuple[Group, ...] = ()
    password: str = "correct horse battery staple"
    refused: int | None = None
    """AADSTS code with which every sign-in ends."""
    claims: Mapping[str, Any] = field(default_factory=dict)
    """Of a token: these in place of the usual ones; None takes one away."""
    absent: bool = False
    """There is no such account in the directory."""

    @property
    def id(self) -> str:
        return _id(f"account {self.name}")

    @property
    def upn(self) -> str:
        """As the person signs in."""
        return f"{self.name}@{self.domain}"

    @property
    def directory_name(self) -> str:
        return f"{self.name}_{self.domain}#EXT#@contoso.onmicrosoft.example" if self.guest else self.upn


@dataclass
class Directory:
    """A tenant, and what the application that looks may read of it."""

    people: tuple[Account, ...] = ()
    domains: Mapping[str, str] = field(default_factory=lambda: {DOMAIN: TENANT, "partner.example": OTHER_TENANT})
    federated: Mapping[str, str] = field(default_factory=dict)
    """Domain to host[:port] of its identity provider."""
    plans: Sequence[tuple[str, str, str]] = (("41781fb2-bc02-4b7c-bd55-b576c07bb09d", "Enabled", "Success"),)
    """Service plan, state of the subscription, state of the plan."""
    connectors: int = 0
    proxy_enabled: bool = True
    privileged_identities: bool = True
    """Whether the tenant is licensed for PIM."""
    granted: tuple[str, ...] = PERMISSIONS
    secret: str = "app-secret-0123456789"
    certificate: Path | None = None
    assertion: str | None = None

    def account(self, name: str) -> Account | None:
        wanted = name.lower()
        return next((one for one in self.people if wanted in (one.directory_name.lower(), one.id) and not one.absent), None)


def token(account: Account | None = None, now: datetime | None = None, **changed: Any) -> str:
    """A registration token as the service gives it out at a time; its signature is nobody's."""
    now = now or datetime.now(timezone.utc)
    roles = [one.role for one in account.roles if one.scope == "/"] if account else []
    claims = {
        "aud": REGISTRATION, "iss": f"https://sts.windows.net/{TENANT}/", "iat": int(now.timestamp()),
        "exp": int((now + timedelta(minutes=65)).timestamp()), "appid": REGISTRATION_CLIENT, "scp": "user_impersonation", "tid": TENANT,
        "upn": account.upn if account else f"admin@{DOMAIN}", "ver": "1.0", "wids": [*roles, DEFAULT_USER],
        **(account.claims if account else {}), **changed,
    }
    kept = {key: value for key, value in claims.items() if value is not None}
    return jwt.encode(kept, "nobody-checks-this-signature-in-the-lab", algorithm="HS256")


@dataclass(frozen=True)
class Call:
    """One request, without what is secret in it."""

    method: str
    path: str
    query: str
    grant: str = ""


RESET = Response(0)
"""In place of an answer: the connection is reset."""
Fault = Callable[[Request, int], Response | None]
"""(request, how many like it came before) -> an answer in place of the usual one, or None."""


class Entra:
    """The service, on loopback. `fault` stands before every answer."""

    def __init__(self, pki: Pki, directory: Directory, fault: Fault | None = None, now: datetime | None = None) -> None:
        """`now`: the time of the service's world, where it is not this machine's."""
        self.directory, self.fault, self._now = directory, fault, now
        self.calls: list[Call] = []
        self.passwords: list[str] = []
        """User names with which a password was tried."""
        self._polls: dict[str, int] = {}
        self._lock = threading.Lock()
        self.listener: Listener = tls_listener(contexts(pki, lambda _name: pki.leaf(IPV4)), self._answer)
        self.url = f"https://{self.listener.to}"
        self.completed_after = 3
        """Polls after which a person has entered the code; 0: never."""
        self.who_enters: Account | None = None

    def __enter__(self) -> Entra:
        return self

    def __exit__(self, *_error: object) -> None:
        self.listener.close()

    @property
    def variables(self) -> dict[str, str]:
        """Of the role: where to ask in place of Microsoft's cloud."""
        return {"preflight_authority": self.url, "preflight_graph_url": self.url}

    # -- HTTP

    def _answer(self, request: Request) -> Response | None:
        form = {key: value[0] for key, value in parse_qs(request.body.decode("utf-8", "replace")).items()}
        query = request.target.partition("?")[2]
        call = Call(request.method, unquote(request.path), unquote(query), form.get("grant_type", ""))
        with self._lock:
            before = sum(one.path == call.path for one in self.calls)
            self.calls.append(call)
        if self.fault is not None and (answer := self.fault(request, before)) is not None:
            return None if answer is RESET else answer
        if request.path.startswith(("/v1.0/", "/beta/")):
            return self._graph(request, {key: value[0] for key, value in parse_qs(query).items()})
        return self._sign_in(request, form)

    def _sign_in(self, request: Request, form: Mapping[str, str]) -> Response:
        path = unquote(request.path)
        if match := re.fullmatch(r"/([^/]+)/v2\.0/\.well-known/openid-configuration", path):
            return self._openid(match[1])
        if match := re.fullmatch(r"/common/userrealm/([^/]+)", path):
            return self._realm(match[1])
        if re.fullmatch(r"/[^/]+/oauth2/v2\.0/devicecode", path) and request.method == "POST":
            return self._device_code(form)
        if re.fullmatch(r"/[^/]+/oauth2/v2\.0/token", path) and request.method == "POST":
            return self._token(form)
        return Response(404, b"not of this service", "text/plain")

    def _openid(self, name: str) -> Response:
        tenant = name if name == TENANT else self.directory.domains.get(name)
        if tenant is None:
            return _refusal(90002, f"Tenant '{name}' not found. Check to make sure you have the correct tenant ID.", "invalid_tenant")
        base = f"{self.url}/{tenant}"
        return _json({
            "token_endpoint": f"{base}/oauth2/v2.0/token", "issuer": f"https://login.microsoftonline.com/{tenant}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize", "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{base}/discovery/v2.0/keys", "tenant_region_scope": "EU", "cloud_instance_name": "microsoftonline.com",
        })

    def _realm(self, upn: str) -> Response:
        domain = upn.rpartition("@")[2].lower()
        common = {"ver": "1.0", "cloud_instance_name": "microsoftonline.com", "cloud_audience_urn": "urn:federation:MicrosoftOnline"}
        if domain in self.directory.federated:
            host = self.directory.federated[domain]
            return _json({
                **common, "account_type": "Federated", "domain_name": domain, "federation_protocol": "WSTrust",
                "federation_metadata_url": f"https://{host}/adfs/services/trust/mex",
                "federation_active_auth_url": f"https://{host}/adfs/services/trust/2005/usernamemixed",
            })
        kind = "Managed" if domain in self.directory.domains else "Unknown"
        return _json({**common, "account_type": kind, "domain_name": domain})

    def _token(self, form: Mapping[str, str]) -> Response:
        grants = {
            "client_credentials": self._application, "password": self._password,
            "urn:ietf:params:oauth:grant-type:device_code": self._device, "device_code": self._device,
        }
        grant = grants.get(form.get("grant_type", ""))
        return grant(form) if grant else _refusal(70003, "The app requested an unsupported grant type.", "unsupported_grant_type")

    def _application(self, form: Mapping[str, str]) -> Response:
        if form.get("client_id") != APPLICATION:
            said = f"Application with identifier '{form.get('client_id')}' was not found in the directory."
            return _refusal(700016, said, "unauthorized_client")
        if "client_assertion" in form:
            if not self._proves(form["client_assertion"]):
                return _refusal(700027, "The certificate used to sign the client assertion is not registered.", "invalid_client")
        elif "client_secret" not in form:
            return _refusal(7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
                            "invalid_client")
        elif form["client_secret"] != self.directory.secret:
            # Worse than the real one, which does not repeat it.
            said = f"Invalid client secret provided. Sent for app '{APPLICATION}': {form['client_secret']}"
            return _refusal(7000215, said, "invalid_client")
        graph = token(None, aud="https://graph.microsoft.com", scp=None, idtyp="app", upn=None, roles=list(self.directory.granted))
        return _json({"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": graph})

    def _proves(self, assertion: str) -> bool:
        if self.directory.certificate is None:
            return assertion == self.directory.assertion
        key = x509.load_pem_x509_certificate(self.directory.certificate.read_bytes()).public_key()
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        try:
            claims = jwt.decode(assertion, pem, algorithms=["PS256", "RS256"], audience=f"{self.url}/{TENANT}/oauth2/v2.0/token")
        except jwt.InvalidTokenError:
            return False
        return bool(claims["iss"] == claims["sub"] == APPLICATION)

    def _password(self, form: Mapping[str, str]) -> Response:
        name = form.get("username", "")
        with self._lock:
            self.passwords.append(name)
        account = self.directory.account(name)
        if account is None:
            return _refusal(50034, f"The user account {name} does not exist in the {TENANT} directory.")
        if form.get("password") != account.password:
            return _refusal(50126, f"Error validating credentials due to invalid username or password. Sent: {form.get('password')}")
        return self._let_in(account) if _for_registration(form) else _not_preauthorised()

    def _let_in(self, account: Account) -> Response:
        if account.refused is not None:
            return _refusal(account.refused, _SAID.get(account.refused, "Something that no document names."), *_suberror(account.refused))
        return _json({
            "token_type": "Bearer", "scope": f"{REGISTRATION}/user_impersonation", "expires_in": 4057, "ext_expires_in": 4057,
            "access_token": token(account, self._now),
        })

    def _device_code(self, form: Mapping[str, str]) -> Response:
        if not _for_registration(form):
            return _not_preauthorised()
        code = uuid.uuid4().hex
        self._polls[code] = 0
        return _json({
            "user_code": "ABCD-EFGH", "device_code": code, "verification_uri": "https://microsoft.com/devicelogin", "expires_in": 900,
            "interval": 1, "message": "To sign in, use a web browser to open the page https://microsoft.com/devicelogin and enter the code "
            "ABCD-EFGH to authenticate.",
        })

    def _device(self, form: Mapping[str, str]) -> Response:
        code = form.get("device_code", "")
        if code not in self._polls:
            return _refusal(70018, "The device code is wrong.", "bad_verification_code")
        self._polls[code] += 1
        if self._polls[code] == 2:
            return _json({"error": "slow_down", "error_description": "Polled too often.", "error_codes": [70016]}, 400)
        if not self.completed_after or self._polls[code] < self.completed_after or self.who_enters is None:
            return _refusal(70016, "OAuth 2.0 device flow error. Authorization is pending. Continue polling.", "authorization_pending")
        return self._let_in(self.who_enters)

    # -- Graph

    def _graph(self, request: Request, query: Mapping[str, str]) -> Response:
        if request.method != "GET":
            return _error(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            aud = jwt.decode(bearer, options={"verify_signature": False})["aud"]
        except (jwt.InvalidTokenError, KeyError):
            return _error(401, "InvalidAuthenticationToken", "Access token is empty or malformed.")
        if aud != "https://graph.microsoft.com":
            return _error(401, "InvalidAuthenticationToken", "Access token validation failure. Invalid audience.")
        path = unquote(request.path)
        for shape, permission, answer in self._routes():
            if match := re.fullmatch(shape, path):
                if permission and permission not in self.directory.granted:
                    return _not_permitted(path, permission)
                return answer(match[1] if match.groups() else "", query)
        return _error(404, "ResourceNotFound", f"Resource not found for the segment '{path}'.")

    def _routes(self) -> tuple[tuple[str, str, Callable[[str, Mapping[str, str]], Response]], ...]:
        directory = r"/v1\.0/roleManagement/directory/"
        return (
            (r"/v1\.0/users", "User.Read.All", self._by_mail),
            (r"/v1\.0/users/([^/]+)", "User.Read.All", self._user),
            (r"/v1\.0/users/([^/]+)/transitiveMemberOf", "User.Read.All", self._memberships),
            (f"{directory}roleAssignments", "RoleManagement.Read.Directory", self._assignments),
            (f"{directory}roleAssignmentScheduleInstances", "RoleAssignmentSchedule.Read.Directory", self._instances),
            (f"{directory}roleEligibilityScheduleInstances", "RoleEligibilitySchedule.Read.Directory", self._eligible),
            (r"/v1\.0/identityGovernance/privilegedAccess/group/eligibilityScheduleInstances",
             "PrivilegedEligibilitySchedule.Read.AzureADGroup", self._eligible_groups),
            (r"/v1\.0/subscribedSkus", "LicenseAssignment.Read.All", self._skus),
            (r"/beta/onPremisesPublishingProfiles/applicationProxy", "OnPremisesPublishingProfiles", self._profile),
            (r"/beta/onPremisesPublishingProfiles/applicationProxy/connectors", "OnPremisesPublishingProfiles", self._connectors),
        )

    def _user(self, name: str, _query: Mapping[str, str]) -> Response:
        account = self.directory.account(name)
        if account is None:
            return _error(404, "Request_ResourceNotFound", f"Resource '{name}' does not exist.")
        return _json(_user_object(account))

    def _by_mail(self, _name: str, query: Mapping[str, str]) -> Response:
        wanted = _quoted(query.get("$filter", ""))
        return self._list([_user_object(one) for one in self.directory.people if one.upn.lower() == wanted.lower()], "/v1.0/users", query)

    def _memberships(self, name: str, query: Mapping[str, str]) -> Response:
        account = self.directory.account(name)
        if account is None:
            return _error(404, "Request_ResourceNotFound", "Resource does not exist.")
        readable = "GroupMember.Read.All" in self.directory.granted
        rows = [
            {"@odata.type": "#microsoft.graph.group", "id": group.id, "displayName": group.name if readable else None,
             "isAssignableToRole": (group.assignable or None) if readable else None}
            for group in account.groups
        ]
        # What an application may not read comes as type and id alone.
        rows += [{"@odata.type": "#microsoft.graph.directoryRole", "id": _id(one.role), "displayName": None, "roleTemplateId": None}
                 for one in account.roles]
        return self._list(rows, f"/v1.0/users/{quote(name)}/transitiveMemberOf", query)

    def _principal(self, query: Mapping[str, str]) -> Account | Group | None:
        wanted = _quoted(query.get("$filter", ""))
        holders: list[Account | Group] = list(self.directory.people)
        holders += [group for one in self.directory.people for group in (*one.groups, *one.eligible_groups)]
        return next((one for one in holders if one.id == wanted), None)

    def _assignments(self, _name: str, query: Mapping[str, str]) -> Response:
        who = self._principal(query)
        rows = [
            {"id": _id(f"{who.id}{one}"), "principalId": who.id, "directoryScopeId": one.scope, "roleDefinitionId": one.role,
             "roleDefinition": {"id": one.role, "displayName": ROLES[one.role], "isBuiltIn": one.role != CUSTOM_ROLE,
                                "templateId": one.role}}
            for one in who.roles
        ] if who else []
        return self._list(rows, "/v1.0/roleManagement/directory/roleAssignments", query)

    def _scheduled(self, rows: Sequence[tuple[str, Assignment]], name: str, query: Mapping[str, str]) -> Response:
        if not self.directory.privileged_identities:
            return _error(400, "AadPremiumLicenseRequired",
                          "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license.")
        found = [
            {"id": _id(f"{name}{who}{one}"), "principalId": who, "roleDefinitionId": one.role, "directoryScopeId": one.scope,
             "memberType": "Direct", "startDateTime": "2026-01-01T00:00:00Z", "endDateTime": self._end(one.ends_in)}
            for who, one in rows
        ]
        return self._list(found, f"/v1.0/roleManagement/directory/{name}", query)

    def _end(self, minutes: float | None) -> str | None:
        if minutes is None:
            return None
        return f"{(self._now or datetime.now(timezone.utc)) + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%S.%f}0Z"

    def _instances(self, _name: str, query: Mapping[str, str]) -> Response:
        who = self._principal(query)
        return self._scheduled([(who.id, one) for one in who.roles] if who else [], "roleAssignmentScheduleInstances", query)

    def _eligible(self, _name: str, query: Mapping[str, str]) -> Response:
        who = self._principal(query)
        return self._scheduled([(who.id, one) for one in who.eligible] if who else [], "roleEligibilityScheduleInstances", query)

    def _eligible_groups(self, _name: str, query: Mapping[str, str]) -> Response:
        if not self.directory.privileged_identities:
            return self._scheduled([], "", query)
        who = self._principal(query)
        rows = [
            {"id": _id(f"eligible {group.id}"), "principalId": who.id, "groupId": group.id, "accessId": "member", "memberType": "direct",
             "startDateTime": "2026-01-01T00:00:00Z", "endDateTime": None}
            for group in who.eligible_groups
        ] if isinstance(who, Account) else []
        return self._list(rows, "/v1.0/identityGovernance/privilegedAccess/group/eligibilityScheduleInstances", query)

    def _skus(self, _name: str, query: Mapping[str, str]) -> Response:
        rows = [
            {"skuPartNumber": f"SUBSCRIPTION_{number}", "capabilityStatus": state,
             "servicePlans": [{"servicePlanId": plan, "servicePlanName": "PLAN", "provisioningStatus": provisioned, "appliesTo": "User"}]}
            for number, (plan, state, provisioned) in enumerate(self.directory.plans, start=1)
        ]
        return self._list(rows, "/v1.0/subscribedSkus", query)

    def _profile(self, _name: str, _query: Mapping[str, str]) -> Response:
        return _json({"id": "applicationProxy", "isEnabled": self.directory.proxy_enabled, "isDefaultAccessEnabled": False})

    def _connectors(self, _name: str, query: Mapping[str, str]) -> Response:
        rows = [{"id": _id(f"connector {number}"), "machineName": f"srv{number}.{DOMAIN}", "externalIp": "203.0.113.7", "status": "active",
                 "version": "1.5.4594.0"} for number in range(self.directory.connectors)]
        return self._list(rows, "/beta/onPremisesPublishingProfiles/applicationProxy/connectors", query)

    def _list(self, rows: Sequence[Mapping[str, Any]], path: str, query: Mapping[str, str]) -> Response:
        start = int(query.get("$skiptoken", "0"))
        kept = {key: value for key, value in query.items() if key != "$skiptoken"}
        page: dict[str, Any] = {"@odata.context": f"{self.url}/v1.0/$metadata", "value": list(rows[start: start + PAGE])}
        if start + PAGE < len(rows):
            more = "&".join(f"{quote(key, safe='$')}={quote(value)}" for key, value in {**kept, "$skiptoken": str(start + PAGE)}.items())
            page["@odata.nextLink"] = f"{self.url}{path}?{more}"
        return _json(page)


# -- shapes


def _json(value: Mapping[str, Any], status: int = 200, **headers: str) -> Response:
    return Response(status, json.dumps(value).encode(), "application/json; charset=utf-8", headers)


def _for_registration(form: Mapping[str, str]) -> bool:
    """The registration's own client, for its own scope."""
    return form.get("client_id") == REGISTRATION_CLIENT and f"{REGISTRATION}/user_impersonation" in form.get("scope", "").split()


def _not_preauthorised() -> Response:
    return _refusal(65002, "Consent between first party application and first party resource must be configured via preauthorization.")


def _refusal(code: int, said: str, error: str = "invalid_grant", suberror: str = "", claims: str = "") -> Response:
    """As the token endpoint says no."""
    trace, correlation = _id(f"trace {code}"), _id(f"correlation {code}")
    stamp = f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M:%SZ}"
    return _json({
        "error": error, "error_description": f"AADSTS{code}: {said} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}",
        "error_codes": [code], "timestamp": stamp, "trace_id": trace, "correlation_id": correlation,
        "error_uri": f"https://login.microsoftonline.com/error?code={code}",
        **({"suberror": suberror} if suberror else {}), **({"claims": claims} if claims else {}),
    }, 400 if error != "invalid_client" else 401)


_SAID = {
    50053: "The account is locked, you've tried to sign in too many times with an incorrect user ID or password.",
    50055: "The password is expired.",
    50057: "The user account is disabled.",
    50072: "Due to a configuration change made by your administrator, you must enroll in multi-factor authentication.",
    50076: "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor "
    "authentication.",
    53003: "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
    500021: "Access to the tenant is denied.",
}


def _suberror(code: int) -> tuple[str, str, str]:
    """error, suberror, claims."""
    if code in (50072, 50076):
        return "invalid_grant", "basic_action", ""
    if code == 53003:
        return "invalid_grant", "message_only", json.dumps({"access_token": {"capolids": {"essential": True, "values": [_id("policy")]}}})
    return "invalid_grant", "", ""


def _error(status: int, code: str, message: str) -> Response:
    """As Graph says no."""
    inner = {"date": f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%S}", "request-id": _id(code), "client-request-id": _id(code)}
    return _json({"error": {"code": code, "message": message, "innerError": inner}}, status)


def _not_permitted(path: str, permission: str) -> Response:
    if "Schedule" in path:
        return _error(403, "PermissionScopeNotGranted", f"Authorization failed due to missing permission scope {permission}.")
    return _error(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def _user_object(account: Account) -> dict[str, Any]:
    return {
        "id": account.id, "userPrincipalName": account.directory_name, "accountEnabled": account.enabled,
        "userType": "Guest" if account.guest else "Member", "mail": account.upn,
    }


def _id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def _quoted(text: str) -> str:
    match = re.search(r"eq '((?:[^']|'')*)'", text)
    return match[1].replace("''", "'") if match else ""


# -- faults


def throttled(times: int, after: str = "1") -> Fault:
    """Graph is busy for so many tries of each call."""

    def fault(request: Request, before: int) -> Response | None:
        if not request.path.startswith(("/v1.0/", "/beta/")) or before >= times:
            return None
        answer = _error(429, "TooManyRequests", "Too many requests")
        return Response(answer.status, answer.body, answer.type, {"Retry-After": after})

    return fault


def down(request: Request, _before: int) -> Response | None:
    """Graph has an outage."""
    return _error(503, "ServiceUnavailable", "Service unavailable") if request.path.startswith("/v1.0/") else None


def slow(seconds: float) -> Fault:
    """Graph takes its time."""

    def fault(request: Request, _before: int) -> Response | None:
        if request.path.startswith("/v1.0/"):
            time.sleep(seconds)
        return None

    return fault


def leads_elsewhere(request: Request, _before: int) -> Response | None:
    """A page whose next one is on another host."""
    if request.path.endswith("roleAssignments"):
        return _json({"value": [], "@odata.nextLink": "https://127.0.0.2/v1.0/roleManagement/directory/roleAssignments?$skiptoken=1"})
    return None


def says(body: bytes, kind: str) -> Fault:
    """Graph answers with 200 and something that it never says."""

    def fault(request: Request, _before: int) -> Response | None:
        return Response(200, body, kind) if request.path.startswith("/v1.0/") else None

    return fault


def drips(request: Request, _before: int) -> Response | None:
    """Graph says one byte a second and never ends."""
    return Response(200, b" " * 600, "application/json", pace=1.0) if request.path.startswith("/v1.0/") else None


def resets(request: Request, _before: int) -> Response | None:
    """Graph's connections are reset in place of an answer."""
    return RESET if request.path.startswith("/v1.0/") else None
