# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sign-in, by the collection's own playbook over several hosts, against the lab's identity service."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from integration import recorded
from integration.conftest import Run, Site
from lab import entra, people, proxies
from lab.pki import Pki

HOSTS = ("one", "two", "three")


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def fleet(site: Site, pki: Pki) -> Site:
    """Three ready servers."""
    for name in HOSTS:
        site.add(name)
    return site


def look(site: Site, service: entra.Entra, pki: Pki, variables: Mapping[str, Any], *arguments: str, **environment: str) -> Run:
    given = {**service.variables, "preflight_ca_path": str(pki.public_roots), **variables}
    (site.path / "admin.json").write_text(json.dumps(given), encoding="utf-8")
    return site.run("appproxy.connector.preflight", "-e", "@admin.json", *arguments, **environment)


def by(way: str, person: people.Person) -> tuple[dict[str, Any], dict[str, str]]:
    """Variables and environment of a way to look."""
    named = {"preflight_admin_upn": person.account.upn, **person.variables}
    if way == people.GRAPH:
        return named, {"AZURE_CLIENT_ID": entra.APPLICATION, "AZURE_CLIENT_SECRET": "app-secret-0123456789"}
    if way == people.TOKEN:
        return {}, {"APPPROXY_REGISTRATION_TOKEN": entra.token(person.account, recorded.SEEN_AT)}
    if way == people.PASSWORD:
        return {**named, "preflight_sign_in": "password"}, {"AZURE_PASSWORD": person.account.password}
    return {**named, "preflight_sign_in": "device_code", "preflight_sign_in_timeout": 20}, {}


def told(tenant: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong and stands for itself."""
    open_ = ("fail", "warn", "unknown")
    return {one["id"]: one["status"] for one in tenant["findings"] if one["status"] in open_ and not one["because"]}


def catalogued(service: entra.Entra) -> Iterator[str]:
    """Calls that the catalogue does not have."""
    from ansible_collections.appproxy.connector.plugins.plugin_utils.catalogue import calls  # noqa: PLC0415

    known = (*calls.SIGN_IN_CALLS, *calls.GRAPH_CALLS)
    return (f"{one.method} {one.path}" for one in service.calls if not any(call.is_of(one.method, one.path) for call in known))


CASES = [(person, way) for person in people.PEOPLE for way in person.expects]


@pytest.mark.parametrize(("person", "way"), CASES, ids=[f"{person.name}-{way}" for person, way in CASES])
def test_person(fleet: Site, pki: Pki, collections: Path, person: people.Person, way: str) -> None:
    with entra.Entra(pki, person.tenant(), now=recorded.SEEN_AT) as service:
        service.who_enters = person.account
        variables, environment = by(way, person)
        run = look(fleet, service, pki, variables, **environment)
        expected = person.expects[way]
        tenant = run.fleet["tenant"]
        assert told(tenant) == dict(expected), run.output
        assert tenant["verdict"] == people.verdict(expected)
        assert run.code == (0 if tenant["verdict"] == people.READY else 2)
        assert {host["verdict"] for host in run.fleet["hosts"]} == {"ready"}
        assert all(finding["seen_from"] == "controller" for finding in tenant["findings"])
        # One set of calls for all servers: each at most once, but for pages and polls.
        once = [(one.method, one.path, one.query) for one in service.calls if one.grant in ("", "client_credentials", "password")]
        assert len(once) == len(set(once))
        assert list(catalogued(service)) == []
        assert service.passwords == ([person.account.upn] if way == people.PASSWORD else [])
        assert bool(service.calls) == (way != people.TOKEN)


# --- the directory as it is on bad days ----------------------------------------------------------------------------------

HEALTHY = {one.name: one for one in people.PEOPLE}
ACTIVE, ELIGIBLE = HEALTHY["global"], HEALTHY["eligible"]
FAULTS: dict[str, tuple[entra.Fault, dict[str, str]]] = {
    "throttled-once": (entra.throttled(1), {}),
    "throttled-for-ever": (entra.throttled(99), {"APC301": "unknown"}),
    "throttled-for-too-long": (entra.throttled(1, "3600"), {"APC301": "unknown"}),
    "down": (entra.down, {"APC301": "unknown"}),
    "slow": (entra.slow(60), {"APC301": "unknown"}),
    "drips": (entra.drips, {"APC301": "unknown"}),
    "not-json": (entra.says(b"<html>portal</html>", "text/html"), {"APC301": "unknown"}),
    "no-list": (entra.says(b'{"value": "nothing"}', "application/json"), {"APC301": "unknown"}),
    "leads-elsewhere": (entra.leads_elsewhere, {"APC301": "unknown"}),
    "reset": (entra.resets, {"APC301": "unknown"}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault(fleet: Site, pki: Pki, name: str) -> None:
    """What could not be seen is unknown, says why, and does not hold the play up."""
    fault, expected = FAULTS[name]
    with entra.Entra(pki, ACTIVE.tenant(), fault, recorded.SEEN_AT) as service:
        variables, environment = by(people.GRAPH, ACTIVE)
        began = time.monotonic()
        run = look(fleet, service, pki, {**variables, "preflight_admin_deadline": 8}, **environment)
        took = time.monotonic() - began
    tenant = run.fleet["tenant"]
    assert told(tenant) == expected, run.output
    assert tenant["elapsed_ms"] < 9500
    assert took < 40
    if expected:
        assert tenant["verdict"] == "inconclusive"
        (finding,) = [one for one in tenant["findings"] if one["id"] == "APC301"]
        assert finding["evidence"]["error"]
        assert run.code == 2


@pytest.mark.parametrize("permission", entra.PERMISSIONS)
@pytest.mark.parametrize("person", [ACTIVE, ELIGIBLE], ids=lambda person: person.name)
def test_permission_denied(fleet: Site, pki: Pki, person: people.Person, permission: str) -> None:
    """Each permission in turn: never a pass of what needs it, and the finding names what to grant."""
    directory = person.tenant()
    directory.granted = tuple(one for one in entra.PERMISSIONS if one != permission)
    with entra.Entra(pki, directory, now=recorded.SEEN_AT) as service:
        variables, environment = by(people.GRAPH, person)
        run = look(fleet, service, pki, {**variables, "preflight_look_for_connectors": True}, **environment)
    tenant = run.fleet["tenant"]
    denied = [one for one in tenant["findings"] if one["id"] == "APC331"]
    # Whoever has the role active is not asked what he could activate, and the other way round.
    not_needed = {
        "global": ("GroupMember.Read.All", "RoleEligibilitySchedule.Read.Directory", "PrivilegedEligibilitySchedule.Read.AzureADGroup"),
        "eligible": ("GroupMember.Read.All", "RoleAssignmentSchedule.Read.Directory"),
    }
    if permission in not_needed[person.name]:
        assert denied == []
        assert tenant["verdict"] == people.verdict(person.expects[people.GRAPH])
        return
    assert [one["status"] for one in denied] == ["unknown"], run.output
    named = "nothing that is documented" if permission == "OnPremisesPublishingProfiles" else permission
    assert named in denied[0]["evidence"]["permissions"]
    assert run.code == 2
    assert tenant["verdict"] == ("not_ready" if person is ELIGIBLE and permission not in (
        "User.Read.All", "RoleManagement.Read.Directory") else "inconclusive")


@pytest.mark.parametrize(("wrong", "meaning"), [
    ({"AZURE_CLIENT_SECRET": "wrong-secret-value"}, "the secret of the application is wrong"),
    ({"AZURE_CLIENT_ID": "99999999-0000-0000-0000-000000000000"}, "the application is not in this tenant or switched off"),
])
def test_the_application_is_refused(fleet: Site, pki: Pki, wrong: dict[str, str], meaning: str) -> None:
    with entra.Entra(pki, ACTIVE.tenant(), now=recorded.SEEN_AT) as service:
        variables, environment = by(people.GRAPH, ACTIVE)
        run = look(fleet, service, pki, variables, **{**environment, **wrong})
        assert [one.grant for one in service.calls if one.grant] == ["client_credentials"]
    assert told(run.fleet["tenant"]) == {"APC302": "unknown"}
    assert meaning in run.output
    assert "wrong-secret-value" not in run.output
    assert run.code == 2


def test_nobody_answers(fleet: Site, pki: Pki, closed_port: int) -> None:
    service = entra.Entra(pki, ACTIVE.tenant())
    service.listener.close()
    variables, environment = by(people.GRAPH, ACTIVE)
    run = look(fleet, service, pki, variables, **environment)
    assert told(run.fleet["tenant"]) == {"APC301": "unknown"}
    assert run.code == 2
    assert closed_port


def test_a_certificate_that_nobody_vouches_for(fleet: Site, pki: Pki) -> None:
    with entra.Entra(pki, ACTIVE.tenant()) as service:
        variables, environment = by(people.GRAPH, ACTIVE)
        run = look(fleet, service, pki, {**variables, "preflight_ca_path": str(pki.trust["other"])}, **environment)
        assert service.calls == []
    assert told(run.fleet["tenant"]) == {"APC301": "unknown"}
    assert "CERTIFICATE_VERIFY_FAILED" in run.output


@pytest.mark.parametrize(("policy", "trust", "inspects", "expected", "says"), [
    (proxies.open_to_all, "public", False, {}, "nothing keeps"),
    (proxies.asks_for_password("Basic"), "public", False, {"APC301": "unknown"}, "407"),
    (proxies.open_to_all, "public", True, {"APC301": "unknown"}, "CERTIFICATE_VERIFY_FAILED"),
    (proxies.open_to_all, "public+company", True, {}, "nothing keeps"),
], ids=["open", "asks-for-password", "inspects", "inspects-and-trusted"])
def test_the_controllers_proxy(
    fleet: Site, pki: Pki, policy: proxies.Policy, trust: str, inspects: bool, expected: dict[str, str], says: str
) -> None:
    with entra.Entra(pki, ACTIVE.tenant(), now=recorded.SEEN_AT) as service:
        proxy = proxies.Proxy(pki, lambda: {service.listener.to: service.listener.to}, policy, lambda _host: inspects)
        try:
            variables, environment = by(people.GRAPH, ACTIVE)
            run = look(fleet, service, pki, {**variables, "preflight_ca_path": str(pki.trust[trust])}, HTTPS_PROXY=proxy.url, **environment)
            assert proxy.log
        finally:
            proxy.close()
        assert bool(service.calls) == (not expected)
    assert told(run.fleet["tenant"]) == expected, run.output
    assert says in run.output


def test_a_proxy_that_is_none_is_named(fleet: Site, pki: Pki) -> None:
    with entra.Entra(pki, ACTIVE.tenant()) as service:
        variables, environment = by(people.GRAPH, ACTIVE)
        run = look(fleet, service, pki, variables, HTTPS_PROXY="what://user:canary@nowhere", **environment)
    assert "HTTPS_PROXY: the environment names a proxy that cannot be used. Write http://host:port." in run.output
    assert "canary" not in run.output
    assert "Traceback" not in run.output
    assert run.code == 2


# --- credentials ---------------------------------------------------------------------------------------------------------


def test_a_certificate_in_place_of_a_secret(fleet: Site, pki: Pki) -> None:
    file = pki.file(pki.self_signed("reader"))
    directory = ACTIVE.tenant()
    directory.certificate = file
    with entra.Entra(pki, directory, now=recorded.SEEN_AT) as service:
        named = {"preflight_admin_upn": ACTIVE.account.upn}
        run = look(fleet, service, pki, {**named, "preflight_client_id": entra.APPLICATION, "preflight_client_certificate": str(file)})
        assert told(run.fleet["tenant"]) == {}, run.output
        run = look(fleet, service, pki, named, AZURE_CLIENT_ID=entra.APPLICATION, AZURE_CLIENT_CERTIFICATE_PATH=str(file))
        assert told(run.fleet["tenant"]) == {}, run.output
    assert run.code == 0


def test_a_federated_token_in_place_of_a_secret(fleet: Site, pki: Pki, tmp_path: Path) -> None:
    file = tmp_path / "assertion"
    file.write_text("eyJ.federated.assertion\n", encoding="utf-8")
    directory = ACTIVE.tenant()
    directory.assertion = "eyJ.federated.assertion"
    with entra.Entra(pki, directory, now=recorded.SEEN_AT) as service:
        run = look(fleet, service, pki, {"preflight_admin_upn": ACTIVE.account.upn}, AZURE_CLIENT_ID=entra.APPLICATION,
                   AZURE_FEDERATED_TOKEN_FILE=str(file))
        assert told(run.fleet["tenant"]) == {}, run.output
        file.write_text("eyJ.some.other", encoding="utf-8")
        run = look(fleet, service, pki, {"preflight_admin_upn": ACTIVE.account.upn}, AZURE_CLIENT_ID=entra.APPLICATION,
                   AZURE_FEDERATED_TOKEN_FILE=str(file))
        assert told(run.fleet["tenant"]) == {"APC302": "unknown"}


def test_a_token_in_a_file(fleet: Site, pki: Pki, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(entra.token(ACTIVE.account, recorded.SEEN_AT) + "\n", encoding="utf-8")
    with entra.Entra(pki, ACTIVE.tenant()) as service:
        run = look(fleet, service, pki, {"preflight_registration_token_file": str(file)})
        assert service.calls == []
    assert told(run.fleet["tenant"]) == {}
    assert run.code == 0


# --- the rehearsals ------------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_tried_once(fleet: Site, pki: Pki) -> None:
    with entra.Entra(pki, ACTIVE.tenant(), now=recorded.SEEN_AT) as service:
        variables, _environment = by(people.PASSWORD, ACTIVE)
        run = look(fleet, service, pki, variables, AZURE_PASSWORD="not-the-password")
        assert service.passwords == [ACTIVE.account.upn]
        assert sum(one.grant == "password" for one in service.calls) == 1
    assert told(run.fleet["tenant"]) == {"APC302": "fail"}
    assert "not-the-password" not in run.output


def test_the_password_of_a_federated_account_is_not_tried(fleet: Site, pki: Pki) -> None:
    directory = ACTIVE.tenant()
    directory.federated = {entra.DOMAIN: "sts.contoso.example"}
    with entra.Entra(pki, directory) as service:
        variables, environment = by(people.PASSWORD, ACTIVE)
        run = look(fleet, service, pki, variables, **environment)
        assert service.passwords == []
    assert told(run.fleet["tenant"]) == {"APC302": "unknown"}
    assert "federated" in run.output


def test_a_device_code_that_nobody_enters(fleet: Site, pki: Pki) -> None:
    with entra.Entra(pki, ACTIVE.tenant()) as service:
        service.completed_after = 0
        variables, _environment = by(people.DEVICE_CODE, ACTIVE)
        began = time.monotonic()
        run = look(fleet, service, pki, {**variables, "preflight_sign_in_timeout": 10})
        assert time.monotonic() - began < 40
    assert "enter the code ABCD-EFGH" in " ".join(run.output.split())
    assert told(run.fleet["tenant"]) == {"APC302": "unknown"}
    assert run.code == 2


# --- once ----------------------------------------------------------------------------------------------------------------


def test_once_in_a_run_whatever_the_play(fleet: Site, pki: Pki) -> None:
    """serial plays a run_once task once for each batch, and the password must not be tried by each."""
    play = [{"hosts": "all", "gather_facts": False, "serial": 1, "roles": ["appproxy.connector.preflight"]}]
    with entra.Entra(pki, ACTIVE.tenant(), now=recorded.SEEN_AT) as service:
        variables, environment = by(people.PASSWORD, ACTIVE)
        given = {**service.variables, "preflight_ca_path": str(pki.public_roots), **variables}
        (fleet.path / "admin.json").write_text(json.dumps(given), encoding="utf-8")
        run = fleet.run(play, "-e", "@admin.json", **environment)
        assert run.code == 0, run.output
        assert service.passwords == [ACTIVE.account.upn]
    assert run.fleet["tenant"]["verdict"] == "ready"


def test_an_unreachable_first_server_keeps_nobody_from_looking(site: Site, pki: Pki) -> None:
    site.add_unreachable("gone")
    site.add("one")
    with entra.Entra(pki, ACTIVE.tenant(), now=recorded.SEEN_AT) as service:
        variables, environment = by(people.GRAPH, ACTIVE)
        run = look(site, service, pki, variables, **environment)
    assert run.fleet["tenant"]["verdict"] == "ready"
    assert (run.code, run.verdicts()) == (4, {"gone": "inconclusive", "one": "ready"})


def test_a_strategy_that_ignores_run_once_looks_once_too(fleet: Site, pki: Pki) -> None:
    tasks = [{"ansible.builtin.include_role": {"name": "appproxy.connector.preflight", "tasks_from": "admin", "rolespec_validate": False}}]
    with entra.Entra(pki, ACTIVE.tenant(), now=recorded.SEEN_AT) as service:
        variables, environment = by(people.PASSWORD, ACTIVE)
        given = {**service.variables, "preflight_ca_path": str(pki.public_roots), **variables}
        (fleet.path / "admin.json").write_text(json.dumps(given), encoding="utf-8")
        play = [{"hosts": "all", "gather_facts": False, "strategy": "free", "tasks": tasks}]
        run = fleet.run(play, "-e", "@admin.json", **environment)
        assert run.code == 0, run.output
        assert len(service.passwords) == 1


def test_two_tenants_in_one_run_are_two(fleet: Site, pki: Pki) -> None:
    """What is asked once is this question, not every question."""
    second = HEALTHY["nobody"]
    directory = ACTIVE.tenant()
    directory.people = (ACTIVE.account, second.account)
    include = {"name": "appproxy.connector.preflight", "tasks_from": "admin", "rolespec_validate": False}
    with entra.Entra(pki, directory, now=recorded.SEEN_AT) as service:
        given = {**service.variables, "preflight_ca_path": str(pki.public_roots)}
        (fleet.path / "admin.json").write_text(json.dumps(given), encoding="utf-8")
        tasks: list[dict[str, Any]] = []
        for one in (ACTIVE, second, ACTIVE):
            tasks += [
                {"ansible.builtin.include_role": include, "vars": {"preflight_admin_upn": one.account.upn}},
                {"ansible.builtin.debug": {"msg": "{{ __preflight_admin.headline }}"}, "run_once": True},
            ]
        _variables, environment = by(people.GRAPH, ACTIVE)
        run = fleet.run([{"hosts": "all", "gather_facts": False, "tasks": tasks}], "-e", "@admin.json", **environment)
        assert run.output.count("Ready: nothing keeps global@contoso.example") == 2, run.output
        assert "Not ready: nobody@contoso.example has no role" in run.output
        assert sum(one.grant == "client_credentials" for one in service.calls) == 2


def test_a_federated_domain_becomes_an_endpoint_of_the_servers(fleet: Site, pki: Pki) -> None:
    directory = ACTIVE.tenant()
    directory.federated = {entra.DOMAIN: "sts.contoso.example:8443"}
    for host in fleet.hosts.values():
        host.pop("preflight_observations")
        host["ansible_python_interpreter"] = sys.executable
    with entra.Entra(pki, directory, now=recorded.SEEN_AT) as service:
        variables, environment = by(people.GRAPH, ACTIVE)
        run = look(fleet, service, pki, {
            **variables, "preflight_connect_to": {"sts.contoso.example:8443": f"127.0.0.1:{fleet.closed_port}"},
            "preflight_checks": ["APC154", "APC311"], "preflight_deadline": 5,
        }, "--limit", "one", **environment)
    report = json.loads((run.run_folder / "hosts" / "one.json").read_text(encoding="utf-8"))
    (finding,) = [one for one in report["findings"] if one["id"] == "APC154"]
    assert (finding["status"], finding["endpoints"]) == ("fail", ["sts.contoso.example:8443"])
    assert told(run.fleet["tenant"]) == {}


def test_not_asked_is_never_red(fleet: Site) -> None:
    """Credentials of the environment that are there for something else are not used."""
    run = fleet.run("appproxy.connector.preflight", AZURE_CLIENT_ID=entra.APPLICATION, AZURE_CLIENT_SECRET="for-something-else")
    assert run.code == 0
    assert run.fleet["tenant"] is None
    assert "the sign-in, role and licence of who registers" in " ".join(run.output.split())
    written = json.loads((run.run_folder / "tenant.json").read_text(encoding="utf-8"))
    assert {one["status"] for one in written["findings"]} == {"not_applicable"}


def test_the_gate_stops_ready_servers_on_which_nobody_may_register(fleet: Site, pki: Pki) -> None:
    person = HEALTHY["nobody"]
    with entra.Entra(pki, person.tenant(), now=recorded.SEEN_AT) as service:
        variables, environment = by(people.GRAPH, person)
        run = look(fleet, service, pki, variables, **environment)
        assert run.code == 2
        assert run.fleet["verdict"] == "not_ready"
        assert run.fleet["counts"]["ready"] == 3
        assert "The sign-in: not ready: nobody@contoso.example has no role" in run.output
        waived = [{"id": "APC311", "until": "2027-01-01", "reason": "it is assigned on the day"}]
        run = look(fleet, service, pki, {**variables, "preflight_waivers": waived}, **environment)
        assert run.fleet["tenant"]["findings"][0]["status"] == "waived"
        run = look(fleet, service, pki, {**variables, "preflight_fail_on": "never", "preflight_unknown": "report"}, **environment)
        assert run.code == 0
