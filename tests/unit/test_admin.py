# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sign-in: options, secrets, claims, the transport, and the judges over evidence. Whole runs: tests/integration/test_admin.py."""

from __future__ import annotations

import dataclasses
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.appproxy.connector.plugins.plugin_utils import admin as admin_room
from ansible_collections.appproxy.connector.plugins.plugin_utils.admin import (
    AdminOptions,
    Surroundings,
    admin,
    parse_admin_options,
    without_secrets,
)
from ansible_collections.appproxy.connector.plugins.plugin_utils.catalogue import calls, registration, signin_errors
from ansible_collections.appproxy.connector.plugins.plugin_utils.catalogue.findings import FINDINGS
from ansible_collections.appproxy.connector.plugins.plugin_utils.entra import credentials, libraries, transport
from ansible_collections.appproxy.connector.plugins.plugin_utils.entra import look as look_room
from ansible_collections.appproxy.connector.plugins.plugin_utils.entra.claims import read_claims
from ansible_collections.appproxy.connector.plugins.plugin_utils.entra.evidence import (
    BadToken,
    Claims,
    Entra,
    Gap,
    NotSeen,
    Person,
    Plan,
    Realm,
    Refusal,
    Role,
)
from ansible_collections.appproxy.connector.plugins.plugin_utils.entra.graph import Graph
from ansible_collections.appproxy.connector.plugins.plugin_utils.entra.signin import refusal
from ansible_collections.appproxy.connector.plugins.plugin_utils.judge.admin import Asked, judge_admin
from ansible_collections.appproxy.connector.plugins.plugin_utils.model import Area, Severity, Status
from ansible_collections.appproxy.connector.plugins.plugin_utils.options import OptionError
from ansible_collections.appproxy.connector.plugins.plugin_utils.report import gate, tenant_json
from lab import entra as lab
from lab.pki import Pki

NOW = datetime(2026, 11, 26, 1, 0, tzinfo=timezone.utc)
TENANT = lab.TENANT
UPN = "admin@contoso.example"
APPLICATION = {"client_id": "an-id", "client_secret": "a-secret"}
IDS = tuple(id_ for id_, spec in FINDINGS.items() if spec.area is Area.ADMIN)


def parsed(environment: dict[str, str] | None = None, where: Surroundings | None = None, **args: Any) -> AdminOptions:
    return parse_admin_options({"tenant_id": TENANT, **args}, environment or {}, NOW, where or Surroundings())


# --- options -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("given", "says"), [
    ({"tenant_id": "contoso"}, "tenant_id: 'contoso' is not a tenant id"),
    ({"tenant_id": "none", "admin_upn": UPN}, "tenant_id: 'none' leaves nothing to compare an account with"),
    ({"cloud": "china"}, "21Vianet"),
    ({"admin_upn": "admin"}, "admin_upn: 'admin' is no user principal name. Write name@domain"),
    ({"admin_upn": "a/../b@contoso.example"}, "admin_upn: "),
    ({"admin_upn": "CONTOSO\\admin"}, "admin_upn: "),
    ({"admin_upn": "admin@contoso"}, "admin_upn: "),
    ({"client_id": "x", "admin_upn": UPN}, "client_id: give client_secret, client_certificate or federated_token_file with it."),
    ({"client_secret": "x", "admin_upn": UPN}, "client_secret: it proves that one is an application: name that one in client_id."),
    ({**APPLICATION}, "admin_upn: name the account that will register"),
    ({**APPLICATION, "client_certificate": "/x", "admin_upn": UPN}, "client_secret, client_certificate: give one of them, not both."),
    ({"client_id": "x", "client_certificate": "/no/such/file", "admin_upn": UPN},
     "client_certificate: '/no/such/file' cannot be read on the controller (No such file or directory)."),
    ({"client_id": "x", "federated_token_file": "/no/such/file", "admin_upn": UPN},
     "federated_token_file: '/no/such/file' cannot be read on the controller"),
    ({"registration_token_file": "/no/such/file"}, "registration_token_file: '/no/such/file' cannot be read on the controller"),
    ({"registration_token": "x", "registration_token_file": "/x"}, "registration_token, registration_token_file: give one of them"),
    ({"sign_in": "browser", "admin_upn": UPN}, "sign_in: 'browser' is not known. Write one of: device_code, password, none."),
    ({"sign_in": "password"}, "sign_in: password needs admin_upn"),
    ({"sign_in": "password", "admin_upn": UPN}, "sign_in: password needs admin_password, or AZURE_PASSWORD in the environment."),
    ({"sign_in": "device_code", "cloud": "usgov"}, "sign_in: for cloud usgov no document names the registration's client."),
    ({"sign_in": "device_code", "sign_in_timeout": 5}, "sign_in_timeout: '5' is not a number of seconds from 10 to 900."),
    ({"activation_margin": -1}, "activation_margin: '-1' is not a number of minutes from 0 to 1440."),
    ({"deadline": 1}, "deadline: '1' is not a number of seconds from 5 to 600."),
    ({"authority": "http://login.example"}, "authority: 'http://login.example' is no https:// address."),
    ({"authority": "https://user:pw@login.example"}, "authority: 'login.example' is no https:// address."),
    ({"graph_url": "graph.example"}, "graph_url: 'graph.example' is no https:// address."),
    ({"checks": ["identity"]}, "checks: 'identity' is neither an area"),
    ({"skip_checks": ["APC905"]}, "skip_checks: APC905 says what could not be seen"),
    ({"waivers": [{"id": "APC311"}]}, "waivers, number 1: 'until' is missing"),
    ({"waivers": [{"id": "APC311", "until": "2026-12-31", "reason": " \n"}]}, "waivers, number 1: 'reason' is missing"),
    ({"fail_on": "nothing"}, "fail_on: 'nothing' is not known"),
    ({"as_of": "yesterday"}, "as_of: 'yesterday' is no time"),
])
def test_a_bad_option_is_named(given: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError) as raised:
        parsed(**given)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("sign_in", "where", "says"), [
    ("device_code", Surroundings(check_mode=True), "in check mode"),
    ("device_code", Surroundings(awx=True), "under AWX"),
    ("device_code", Surroundings(ci=True), "CI is set"),
    ("password", Surroundings(check_mode=True), "in check mode"),
    ("password", Surroundings(awx=True), "under AWX"),
])
def test_a_rehearsal_is_refused_where_nobody_is_or_everybody_would(sign_in: str, where: Surroundings, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        parsed(where=where, sign_in=sign_in, admin_upn=UPN, admin_password="x")


def test_a_pipeline_may_try_a_password() -> None:
    assert parsed(where=Surroundings(ci=True), sign_in="password", admin_upn=UPN, admin_password="x").wanted.password == "x"


def test_the_environment_counts_where_somebody_is_to_be_looked_up() -> None:
    found = {"AZURE_CLIENT_ID": "an-id", "AZURE_SECRET": "old", "AZURE_CLIENT_SECRET": "new", "AZURE_PASSWORD": "pw"}
    assert parsed(found).wanted.client_id is None
    options = parsed(found, admin_upn=UPN)
    assert (options.wanted.client_id, options.wanted.credential) == ("an-id", "new")
    assert options.wanted.password is None
    assert parsed(found, admin_upn=UPN, client_id="mine", client_secret="own").wanted.credential == "own"
    assert parsed({"AZURE_CLIENT_ID": "of-a-managed-identity"}, admin_upn=UPN).wanted.client_id is None
    assert parsed({"AZURE_CLIENT_SECRET": "alone"}, admin_upn=UPN).wanted.client_id is None


NAMES = ["o'neil@contoso.example", "a.b-c_d@sub.contoso.example", "x_y.example#EXT#@contoso.example", "é@contoso.example"]


@pytest.mark.parametrize("upn", NAMES)
def test_names_as_people_have_them(upn: str) -> None:
    assert parsed(admin_upn=upn).wanted.upn == upn


def test_nothing_secret_shows_in_a_repr(tmp_path: Path) -> None:
    file = tmp_path / "assertion"
    file.write_text("canary-assertion", encoding="utf-8")
    options = parsed(registration_token="canary-token", admin_upn=UPN, client_id="x", federated_token_file=str(file), sign_in="password",
                     admin_password="canary-password")
    assert "canary" not in repr(options)
    assert set(options.secrets.values) == {"canary-token", "canary-assertion", "canary-password"}


def test_secrets_are_taken_out_wherever_they_stand() -> None:
    dirty = {"a": ["x canary y", {"b": "canary"}], "n": 1, "none": None}
    assert without_secrets(dirty, ("canary",)) == {"a": ["x ******** y", {"b": "********"}], "n": 1, "none": None}


@pytest.mark.parametrize(("cloud", "authority", "graph"), [
    ("public", "https://login.microsoftonline.com", "https://graph.microsoft.com"),
    ("usgov", "https://login.microsoftonline.us", "https://graph.microsoft.us"),
])
def test_the_cloud_chooses_where_to_ask(cloud: str, authority: str, graph: str) -> None:
    wanted = parsed(cloud=cloud, admin_upn=UPN).wanted
    assert (wanted.authority, wanted.graph, wanted.resource) == (authority, graph, graph)
    relayed = parsed(cloud=cloud, admin_upn=UPN, authority="https://a.example/", graph_url="https://g.example:8443/graph").wanted
    assert (relayed.authority, relayed.graph, relayed.resource) == ("https://a.example", "https://g.example:8443/graph", graph)


def test_certificates(tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki")
    whole = pki.file(pki.self_signed("reader"))
    assert parsed(client_id="x", client_certificate=str(whole), admin_upn=UPN).wanted.credential
    (tmp_path / "only.pem").write_bytes(whole.read_bytes()[: whole.read_bytes().index(b"-----BEGIN CERT")])
    (tmp_path / "noise").write_bytes(b"\x30\x82noise")
    for name in ("only.pem", "noise"):
        with pytest.raises(OptionError, match="client_certificate: .* holds no certificate with its key"):
            parsed(client_id="x", client_certificate=str(tmp_path / name), admin_upn=UPN)


def test_the_credential_type_of_awx_fills_what_is_read() -> None:
    path = Path(__file__).absolute().parents[2] / "docs" / "awx" / "credential_type.yml"
    described = yaml.safe_load(path.read_text(encoding="utf-8"))
    read = set(itertools.chain.from_iterable(credentials.ENVIRONMENT.values()))
    assert set(described["injectors"]["env"]) <= read
    fields = {one["id"]: one for one in described["inputs"]["fields"]}
    used = " ".join([*described["injectors"]["env"].values(), *described["injectors"]["file"].values()])
    assert all(id_ in used for id_ in fields)
    assert all(fields[id_].get("secret") for id_ in fields if id_ != "client_id")


# --- tokens --------------------------------------------------------------------------------------------------------------


def claims(**changed: Any) -> Claims:
    read = read_claims(lab.token(None, NOW, **changed))
    assert isinstance(read, Claims)
    return read


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "a.b.c.d.e", "eyJhbGciOiJub25lIn0.e30", "\x00", "." * 5, "é.é.é"])
def test_what_is_no_token_is_none(text: str) -> None:
    read = read_claims(text)
    assert isinstance(read, BadToken)
    assert text == "" or text not in read.error or len(text) < 2


def test_an_encrypted_token_may_be_good() -> None:
    found = judged(Entra(token=read_claims("a.b.c.d.e")))
    assert found["APC308"].status is Status.UNKNOWN
    assert found["APC311"].status is Status.UNKNOWN
    signed_in = judged(Entra(home_tenant=TENANT, rehearsal=BadToken("encrypted", encrypted=True)))
    assert signed_in["APC302"].status is Status.PASS
    assert signed_in["APC311"].status is Status.UNKNOWN
    assert all(one.evidence.get("reason") != "nothing was seen that tells" for one in signed_in.values())


def test_claims_of_odd_types_are_no_crash() -> None:
    odd = claims(aud=["a", "b"], wids="not a list", exp="soon", scp=None, upn=None, tid=None)
    assert (odd.audience, odd.roles, odd.expires, odd.scopes, odd.name, odd.tenant) == (("a", "b"), None, None, (), None, None)


@pytest.mark.parametrize(("changed", "status", "meaning"), [
    ({}, "pass", ""),
    ({"aud": "https://proxy.cloudwebappproxy.net/registerapp/"}, "pass", ""),
    ({"aud": "https://graph.microsoft.com"}, "fail", "it is for https://graph.microsoft.com"),
    ({"aud": "fb78d390-0c51-40cd-8e17-fdbfab77341b"}, "unknown", "it is for fb78d390"),
    ({"aud": None}, "fail", "it is for nobody"),
    ({"scp": "openid"}, "fail", "its scope is openid"),
    ({"exp": None}, "fail", "it does not say when it expires"),
    ({"exp": int(NOW.timestamp())}, "fail", "it expired at 2026-11-26 01:00 UTC"),
    ({"exp": int(NOW.timestamp()) + 600}, "warn", "it expires in 10 min"),
    ({"upn": "other@contoso.example"}, "unknown", "it is of other@contoso.example, and admin_upn names admin@contoso.example"),
    ({"upn": "ADMIN@contoso.example"}, "pass", ""),
    ({"idtyp": "app", "scp": None}, "unknown", "it is an application's"),
])
def test_a_token_is_fit_or_not(changed: dict[str, Any], status: str, meaning: str) -> None:
    finding = judged(Entra(token=claims(**changed)))["APC308"]
    assert finding.status.value == status
    assert meaning in finding.evidence.get("meaning", "")


# --- judges --------------------------------------------------------------------------------------------------------------


def asked(**changed: Any) -> Asked:
    usual = Asked(IDS, TENANT, UPN, NOW, timedelta(minutes=60), audience_known=True, final_refusals=True)
    return dataclasses.replace(usual, **changed)


def judged(entra: Entra, **changed: Any) -> dict[str, Any]:
    return {one.id: one for one in judge_admin(entra, asked(**changed)).findings}


APPLICATION_ADMINISTRATOR = Role(registration.APPLICATION_ADMINISTRATOR, "Application Administrator", True, True)
ALL_WELL = Entra(
    realm=Realm(False), home_tenant=TENANT, token=claims(wids=[registration.GLOBAL_ADMINISTRATOR]), application=None,
    rehearsal=claims(wids=[registration.GLOBAL_ADMINISTRATOR]), person=Person("1", UPN, True, False),
    active=(dataclasses.replace(APPLICATION_ADMINISTRATOR, template=registration.GLOBAL_ADMINISTRATOR),), eligible=(), ends=None,
    plans=(Plan("41781fb2-bc02-4b7c-bd55-b576c07bb09d", "P1", "Enabled", "Success"),), switched_on=True, connectors=2,
)


def test_all_well_is_all_passed() -> None:
    assert {one.status for one in judged(ALL_WELL).values()} == {Status.PASS}


def test_nothing_asked_is_nothing_red() -> None:
    assert {one.status for one in judged(Entra()).values()} == {Status.NOT_APPLICABLE}
    assert all(one.evidence["reason"] for one in judged(Entra()).values())


NO_FACTS = ("token", "realm", "eligible", "eligible_unseen", "groups_unseen")
FACTS = [one.name for one in dataclasses.fields(Entra) if one.name not in NO_FACTS]


@pytest.mark.parametrize("gap", [Gap.UNREACHABLE, Gap.DENIED])
@pytest.mark.parametrize("fact", FACTS)
def test_what_was_not_seen_is_never_a_pass_of_all(fact: str, gap: Gap) -> None:
    """Without the token, each fact that is missing leaves something unknown, and it says why."""
    without = dataclasses.replace(ALL_WELL, token=NotSeen(Gap.NOT_ASKED), **{fact: NotSeen(gap, "no answer", "Some.Permission")})
    found = judged(without)
    why = found["APC301" if gap is Gap.UNREACHABLE else "APC331"]
    assert why.status is Status.UNKNOWN
    assert "no answer" in (why.evidence.get("error") or why.evidence.get("what"))
    assert not any(one.status in (Status.FAIL, Status.WARN) for one in found.values())


@pytest.mark.parametrize("refused", [True, False])
def test_a_directory_that_lets_nobody_in_leaves_roles_open(refused: bool) -> None:
    gap = NotSeen(Gap.NO_SIGN_IN if refused else Gap.UNREACHABLE, "no")
    application = Refusal(7000215, "no") if refused else gap
    found = judged(Entra(home_tenant=TENANT, application=application, person=gap, active=gap, plans=gap))
    why = "APC302" if refused else "APC301"
    assert (found["APC311"].status, found["APC311"].because) == (Status.UNKNOWN, (why,))
    assert found["APC321"].because == (why,)
    assert found["APC306"].status is Status.UNKNOWN


def test_roles_that_no_token_names_are_open_and_those_that_it_names_are_proven() -> None:
    assert judged(Entra(token=claims(wids=None)))["APC311"].status is Status.UNKNOWN
    named = judged(Entra(token=claims(wids=[registration.APPLICATION_ADMINISTRATOR])))
    assert (named["APC311"].status, named["APC314"].status) == (Status.PASS, Status.WARN)
    expired = judged(Entra(token=claims(wids=[registration.GLOBAL_ADMINISTRATOR], exp=int(NOW.timestamp()) - 1)))
    assert expired["APC311"].status is Status.UNKNOWN
    elsewhere = judged(Entra(token=claims(wids=[registration.GLOBAL_ADMINISTRATOR], tid=lab.OTHER_TENANT)))
    assert elsewhere["APC311"].status is Status.UNKNOWN


def with_roles(*active: Role, **more: Any) -> dict[str, Any]:
    return judged(dataclasses.replace(ALL_WELL, token=NotSeen(Gap.NOT_ASKED), rehearsal=NotSeen(Gap.NOT_ASKED), active=active, **more))


def test_a_missing_role_is_certain_only_where_all_was_seen() -> None:
    assert with_roles()["APC311"].status is Status.FAIL
    shells = NotSeen(Gap.DENIED, "shells", "GroupMember.Read.All")
    assert with_roles(groups_unseen=shells)["APC311"].status is Status.UNKNOWN
    assert with_roles(groups_unseen=shells)["APC331"].status is Status.UNKNOWN
    pim = with_roles(eligible=NotSeen(Gap.DENIED, "no", "X"))
    assert (pim["APC311"].status, pim["APC312"].status) == (Status.FAIL, Status.UNKNOWN)
    unlicensed = with_roles(eligible=NotSeen(Gap.UNLICENSED, "no P2"))
    assert (unlicensed["APC311"].status, unlicensed["APC312"].status) == (Status.FAIL, Status.NOT_APPLICABLE)
    assert with_roles(APPLICATION_ADMINISTRATOR, ends=NotSeen(Gap.UNLICENSED, "no P2"))["APC312"].status is Status.NOT_APPLICABLE


def test_a_custom_role_decides_nothing() -> None:
    custom = Role("c0ffee", "Keeper", True, False)
    near = Role("158c047a-c907-4556-b7ef-446551a6b5f7", "Cloud Application Administrator", True, True)
    found = with_roles(custom, near, eligible=(APPLICATION_ADMINISTRATOR,))
    assert {found[id_].status for id_ in ("APC311", "APC312", "APC313")} == {Status.UNKNOWN}
    assert "Keeper" in found["APC311"].title


def test_a_role_for_a_part_of_the_tenant_is_none() -> None:
    part = dataclasses.replace(APPLICATION_ADMINISTRATOR, whole_tenant=False, through="Admins")
    found = with_roles(part)
    assert found["APC313"].status is Status.FAIL
    assert "through the group Admins" in found["APC313"].title
    assert "for a part of the tenant only" in found["APC313"].title
    assert with_roles(eligible=(part,))["APC312"].status is Status.PASS


def test_a_role_that_could_be_activated_is_the_cause() -> None:
    found = with_roles(eligible=(APPLICATION_ADMINISTRATOR,))
    assert (found["APC312"].status, found["APC311"].because) == (Status.FAIL, ("APC312",))
    near = Role("158c047a-c907-4556-b7ef-446551a6b5f7", "Cloud Application Administrator", True, True)
    assert (with_roles(near)["APC313"].status, with_roles(near)["APC311"].because) == (Status.FAIL, ("APC313",))


@pytest.mark.parametrize("role", [Role("729827e3", "Helpdesk Administrator", True, True), Role("c0ffee", "Keeper", False, False)])
def test_other_roles_and_custom_ones_for_a_part_are_no_roles(role: Role) -> None:
    found = with_roles(role)
    assert (found["APC311"].status, found["APC313"].status) == (Status.FAIL, Status.PASS)


@pytest.mark.parametrize(("connectors", "status"), [(0, Status.WARN), (1, Status.PASS), (NotSeen(Gap.NOT_ASKED), Status.WARN)])
def test_the_first_connector_is_a_warning_for_an_application_administrator(connectors: Any, status: Status) -> None:
    found = with_roles(APPLICATION_ADMINISTRATOR, connectors=connectors)["APC314"]
    assert found.status is status
    assert status is Status.PASS or ("2025-05-07" in found.hint and "2026-03-11" in found.hint)


def test_a_token_proves_until_it_ends_and_of_its_own_tenant() -> None:
    at_its_end = claims(wids=[registration.GLOBAL_ADMINISTRATOR], exp=int(NOW.timestamp()))
    assert judged(Entra(token=at_its_end))["APC311"].status is Status.UNKNOWN
    assert judged(Entra(token=claims(tid=lab.OTHER_TENANT)))["APC306"].status is Status.FAIL
    assert judged(Entra(token=claims(tid=None)))["APC306"].status is not Status.FAIL
    assert judged(Entra(token=BadToken("it is no JSON Web Token")))["APC308"].status is Status.FAIL


@pytest.mark.parametrize(("ends", "status"), [(30, Status.WARN), (60, Status.WARN), (61, Status.PASS), (None, Status.PASS)])
def test_an_activation_ends(ends: int | None, status: Status) -> None:
    moment = None if ends is None else NOW + timedelta(minutes=ends)
    assert with_roles(APPLICATION_ADMINISTRATOR, ends=moment)["APC312"].status is status


@pytest.mark.parametrize(("states", "status"), [
    ([("Enabled", "Success")], Status.PASS), ([("Suspended", "Success"), ("Enabled", "Success")], Status.PASS),
    ([("Warning", "Success")], Status.WARN), ([("Enabled", "PendingActivation")], Status.WARN), ([], Status.WARN),
])
def test_a_licence_counts_in_force_only(states: list[tuple[str, str]], status: Status) -> None:
    plans = tuple(Plan("41781fb2-bc02-4b7c-bd55-b576c07bb09d", "P1", *state) for state in states)
    assert judged(dataclasses.replace(ALL_WELL, plans=plans))["APC321"].status is status


@pytest.mark.parametrize(("on", "connectors", "status"), [
    (False, 0, Status.PASS), (False, 1, Status.FAIL), (True, 0, Status.PASS), (False, NotSeen(Gap.DENIED, "x", "y"), Status.UNKNOWN),
])
def test_off_is_a_fault_only_with_connectors(on: bool, connectors: Any, status: Status) -> None:
    assert judged(dataclasses.replace(ALL_WELL, switched_on=on, connectors=connectors))["APC322"].status is status


# --- error codes ---------------------------------------------------------------------------------------------------------

# All that the facts of the product list, with what they group.
DOCUMENTED = (
    16000, 50001, 500011, 50002, 500021, 500022, 50005, 50014, 50020, 50034, 500208, 50053, 50055, 50144, 50056, 50057, 50058, 50059,
    50128, 90019, 50072, 50079, 50074, 50076, 50078, 50097, 50129, 50187, 50105, 50126, 50131, 50132, 50133, 50173, 50135, 53004, 53011,
    50158, 50194, 9001023, 9002332, 50196, 53000, 53001, 53002, 53003, 530032, 530035, 530034, 530003, 65001, 65004, 90094, 65002, 650052,
    70000, 70008, 700082, 70043, 70016, 70018, 70019, 700016, 700011, 7000112, 7000215, 7000222, 7000218, 80001, 80002, 80007, 80013,
    80014, *range(81004, 81013), 90002, 90033, 90006, 90012, 90024, 90038, 90043, 90051, 90072,
)


def test_every_documented_code_is_there() -> None:
    assert set(signin_errors.SIGN_IN_ERRORS) == set(DOCUMENTED)


@pytest.mark.parametrize("code", DOCUMENTED)
def test_a_code_makes_its_finding(code: int) -> None:
    known = signin_errors.SIGN_IN_ERRORS[code]
    assert known.finding in IDS
    assert known.hint.endswith(".")
    assert known.source.url.startswith("https://learn.microsoft.com/")
    found = judged(Entra(realm=Realm(False), home_tenant=TENANT, rehearsal=Refusal(code, f"AADSTS{code}: in the service's words")))
    one = found[known.finding]
    assert one.status is (Status.UNKNOWN if known.finding == "APC301" else Status.FAIL)
    assert str(code) in f"{one.title} {one.evidence}" or known.meaning in one.title
    assert len(one.title) <= 200
    # By a device code nobody documents it.
    softly = judged(Entra(home_tenant=TENANT, rehearsal=Refusal(code, "x")), final_refusals=False)
    assert softly[known.finding].status is Status.UNKNOWN
    # The application that looks says nothing of the person.
    application = judged(Entra(home_tenant=TENANT, application=Refusal(code, "x"), person=NotSeen(Gap.NO_SIGN_IN, "x"),
                               active=NotSeen(Gap.NO_SIGN_IN, "x"), plans=NotSeen(Gap.NO_SIGN_IN, "x")))
    assert not any(one.status is Status.FAIL for one in application.values())
    assert application["APC301" if known.finding == "APC301" else "APC302"].status is Status.UNKNOWN


def test_an_unknown_code_is_shown_and_decides_nothing() -> None:
    one = judged(Entra(home_tenant=TENANT, rehearsal=Refusal(123456, "Something new.")))["APC302"]
    assert one.status is Status.UNKNOWN
    assert "Something new." in one.title
    assert "AADSTS123456" in one.title


def test_the_unattended_way_is_in_the_hints() -> None:
    for code in (50076, 50079, 53003, 530035, 53000, 500021):
        assert "-Authenticationmode Token" in signin_errors.SIGN_IN_ERRORS[code].hint, code


@pytest.mark.parametrize(("answer", "code", "error"), [
    ({"error": "invalid_grant", "error_codes": [50076], "error_description": "AADSTS50076: MFA. Trace ID: 1 more"}, 50076, "MFA."),
    ({"error": "invalid_grant", "error_description": "AADSTS50057: off"}, 50057, "off"),
    ({"error": "temporarily_unavailable"}, None, "temporarily_unavailable"),
    ({}, None, "an answer without a word"),
    ({"error_codes": ["50076"], "error_description": "text\nof two lines"}, None, "text of two lines"),
])
def test_a_refusal_is_read_by_its_machine_field_first(answer: dict[str, Any], code: int | None, error: str) -> None:
    assert refusal(answer) == Refusal(code, error)


# --- transport and Graph -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def service(pki: Pki) -> Iterator[lab.Entra]:
    groups = tuple(lab.Group(f"group {number}") for number in range(45))
    with lab.Entra(pki, lab.Directory((lab.Account("one", groups=groups),))) as running:
        yield running


def way(service: lab.Entra, pki: Pki, seconds: float = 20) -> transport.Transport:
    return transport.Transport(service.url, service.url, str(pki.public_roots), seconds)


@pytest.mark.parametrize("url", ["{}/v1.0/me", "{}/v1.0/users/x/messages", "https://127.0.0.2/v1.0/users/x", "{}/x/oauth2/v2.0/logout"])
def test_only_calls_of_the_catalogue_are_made(service: lab.Entra, pki: Pki, url: str) -> None:
    with pytest.raises(transport.NotOfTheCatalogueError):
        way(service, pki).graph(url.format(service.url), "token")
    with pytest.raises(transport.NotOfTheCatalogueError):
        way(service, pki).post(f"{service.url}/v1.0/users/x", data={"a": "b"})
    assert service.calls == []


def test_no_call_of_the_catalogue_writes() -> None:
    assert {one.method for one in calls.GRAPH_CALLS} == {"GET"}
    assert {one.path.rsplit("/", maxsplit=1)[-1] for one in calls.SIGN_IN_CALLS if one.method == "POST"} == {"token", "devicecode"}


def test_a_password_is_sent_once(service: lab.Entra, pki: Pki) -> None:
    one = way(service, pki)
    form = {"grant_type": "password", "username": "one@contoso.example", "password": "x"}
    one.post(f"{service.url}/{TENANT}/oauth2/v2.0/token", data=form)
    with pytest.raises(transport.NotOfTheCatalogueError, match="once"):
        one.post(f"{service.url}/{TENANT}/oauth2/v2.0/token", data=form)
    assert len(service.passwords) == 1


def test_calls_are_bounded(service: lab.Entra, pki: Pki) -> None:
    one = way(service, pki)
    one._made = transport.CALLS
    with pytest.raises(transport.UnreachableError, match="more than"):
        one.get(f"{service.url}/{TENANT}/v2.0/.well-known/openid-configuration")


@pytest.mark.parametrize(("value", "seconds"), [("3", 3), ("0", 0), ("-1", 0), (None, 7), ("soon", 7), ("1.5", 1.5)])
def test_retry_after(value: str | None, seconds: float) -> None:
    assert transport._retry_after(value, 7) == seconds


def test_retry_after_as_a_date() -> None:
    later = datetime.now(timezone.utc) + timedelta(seconds=30)
    assert 25 < transport._retry_after(later.strftime("%a, %d %b %Y %H:%M:%S GMT"), 7) <= 30


def test_the_deadline_holds_against_one_byte_a_second(service: lab.Entra, pki: Pki) -> None:
    service.fault = lab.drips
    one = way(service, pki, 2)
    began = time.monotonic()
    with pytest.raises(transport.UnreachableError, match="before the deadline"):
        one.graph(f"{service.url}/v1.0/users/x", "token")
    assert time.monotonic() - began < 3


def test_groups_over_many_pages(service: lab.Entra, pki: Pki) -> None:
    service.directory.granted = lab.PERMISSIONS
    graph = Graph(way(service, pki), service.url, lab.token(None, aud="https://graph.microsoft.com"))
    groups, unseen = graph.groups(service.directory.people[0].id)
    assert len(groups) == 20
    assert unseen is not None
    assert "45 groups" in unseen.error


def test_a_quotation_mark_stays_in_its_filter() -> None:
    assert calls.USER_BY_MAIL.url("https://graph", "o'neil@x.example").split("'")[1:-1] == ["o%27%27neil%40x.example"]


# --- what becomes of it --------------------------------------------------------------------------------------------------


def result(**changed: Any) -> dict[str, Any]:
    made = admin(parsed(registration_token=lab.token(None, NOW, **changed)), lambda: NOW, print)
    return {**made, "started_at": "now"}


def test_what_was_not_looked_at_is_said() -> None:
    by_token = " ".join(result(wids=[registration.GLOBAL_ADMINISTRATOR])["not_covered"])
    assert "roles, licence" in by_token
    assert "genuine" in by_token
    assert "from the controller" in by_token


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "MISSING", "msal")
    found = result()
    assert [(one["id"], one["status"]) for one in found["findings"]] == [("APC905", "unknown")]
    assert "msal" in found["msg"]
    assert found["failed"]
    nothing = admin(parsed(), lambda: NOW, print)
    assert not nothing["failed"]


def test_who_asks_nothing_does_not_wait_for_the_libraries() -> None:
    """They take longer to load than Ansible itself. In a process of its own: here they are loaded already."""
    source = (
        "import sys\n"
        f"from {admin_room.__name__} import Surroundings, admin, parse_admin_options\n"
        "from datetime import datetime, timezone\n"
        "now = lambda: datetime.now(timezone.utc)\n"
        "result = admin(parse_admin_options({'tenant_id': 'none'}, {}, now(), Surroundings()), now, print)\n"
        "print(result['verdict'], sorted({'msal', 'httpx', 'jwt'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", source], env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                          capture_output=True, text=True, check=False)
    assert done.stdout == "ready []\n", done.stderr


def test_a_crash_is_unknown_and_tells_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_args: Any) -> None:
        raise RuntimeError("canary")

    monkeypatch.setattr(look_room, "look", crash)
    found = result()
    assert [(one["id"], one["status"]) for one in found["findings"]] == [("APC906", "unknown")]
    assert "canary" not in str(found)
    assert "RuntimeError" in found["msg"]


def test_the_gate_takes_up_this_runs_tenant_only() -> None:
    bad = result(aud="https://graph.microsoft.com")
    assert tenant_json.of_run(bad, "now") is bad
    assert tenant_json.of_run(bad, "another time") is None
    assert tenant_json.of_run(None, "now") is None
    ready = {"verdict": "ready", "reached": True, "findings": [], "headline": "Ready: x.", "summary": "x"}
    stopped = gate.decide(ready, "error", "fail", bad)
    assert (stopped.failed, stopped.verdict) == (True, "not_ready")
    assert stopped.message.startswith("The sign-in: not ready: the registration token is not fit")
    assert not gate.decide(ready, "never", "fail", bad).failed
    assert not gate.decide(ready, "error", "fail", {**bad, "asked": False}).failed
    assert gate.decide({**ready, "verdict": "inconclusive", "reached": False}, "error", "fail", bad).unreachable


def test_warnings_of_the_tenant_stop_where_warnings_do() -> None:
    warned = result(wids=[registration.APPLICATION_ADMINISTRATOR])
    assert warned["verdict"] == "ready"
    ready = {"verdict": "ready", "reached": True, "findings": [], "headline": "Ready: x.", "summary": "x"}
    assert not gate.decide(ready, "error", "fail", warned).failed
    assert "APC314" in gate.decide(ready, "warning", "fail", warned).message


def test_milder_findings_are_warnings() -> None:
    assert {id_ for id_ in IDS if FINDINGS[id_].severity is Severity.WARNING} == {"APC314", "APC321"}
