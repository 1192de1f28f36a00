# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sign-in, by the collection's own playbook over several hosts, against the lab's identity service."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from integration import recorded
from integration.conftest import Run, Site
from lab import entra, people
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
