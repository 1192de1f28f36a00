# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of servers: for each scenario a network of its own before one healthy cloud, and an inventory of them.

    with Lab(folder, DEMO) as lab:
        lab.write_inventory(folder / "inventory.yml")
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from . import dns
from .cloud import Cloud
from .faults import Fault, World, closed_port, says_http
from .pki import REVOCATION_HOSTS, Pki
from .proxies import Proxy
from .scenarios import NAMESPACE, NXDOMAIN, OPENSSL, SSH, Scenario
from .servers import Response, split

TENANT = "00000000-1111-2222-3333-444444444444"
FEDERATION_HOST = "sts.contoso.example:443"
"""The company's own identity provider, for scenarios that have one."""
INSIDE = "APPPROXY_LAB_NAMESPACE"
"""Set in the environment of what dns.py's namespace runs."""


class LabError(Exception):
    """A scenario that says something of an endpoint that is not there, or the like: a mistake in the table."""


@dataclass(frozen=True)
class Site:
    """What one server has around it. `connect_to` is empty where it is told a proxy: that one knows the names."""

    scenario: Scenario
    connect_to: Mapping[str, str]
    proxy_url: str | None
    trust: Path
    names: Mapping[str, str]
    """host:port to the lab's address:port, whoever leads there."""
    proxy: Proxy | None = None
    connection: Mapping[str, Any] = field(default_factory=dict)
    """Inventory variables of the connection, where it is not a local one."""


class Lab:
    """Starts the cloud and what the scenarios need, in `folder`; stops all of it at the end.

    `endpoints` are "host:port" with whether TLS is spoken there; by default the catalogue's for the public cloud.
    """

    def __init__(
        self,
        folder: Path,
        scenarios: Iterable[Scenario],
        *,
        endpoints: Mapping[str, bool] | None = None,
        pki_folder: Path | None = None,
    ) -> None:
        self.folder = folder
        self.scenarios = tuple(scenarios)
        self.endpoints = dict(catalogue_endpoints() if endpoints is None else endpoints)
        self.endpoints |= {**dict.fromkeys(REVOCATION_HOSTS, False), FEDERATION_HOST: True}
        self._pki_folder = pki_folder or folder / "pki"
        self.sites: dict[str, Site] = {}

    def __enter__(self) -> Lab:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.pki = Pki(self._pki_folder)
        self.cloud = Cloud(self.pki)
        hosts = tuple(dict.fromkeys(split(one)[0] for one, tls in self.endpoints.items() if tls))
        self._world = World(self.pki, self.cloud, hosts)
        try:
            for scenario in self.scenarios:
                self.sites[scenario.name] = self._site(scenario)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        try:
            self._world.close()
        finally:
            self.cloud.close()

    # -- what a server may be set to

    def closed_port(self) -> str:
        """host:port at which nothing listens."""
        return closed_port(self._world)

    def serve(self, text: str) -> str:
        """The URL at which a proxy script is served from now on."""
        answer = Response(200, text.encode("ascii"), type="application/x-ns-proxy-autoconfig")
        return f"http://{says_http(lambda request: answer)(self._world)}/proxy.pac"

    # -- inventory

    def variables(self, name: str) -> dict[str, Any]:
        """The role's variables for one server, without those of its connection."""
        site = self.sites[name]
        found: dict[str, Any] = {"preflight_tenant_id": TENANT, "preflight_public_roots": str(self.pki.public_roots)}
        if site.proxy_url is not None and not site.connect_to:
            found["preflight_proxy"] = site.proxy_url
        else:
            found |= {
                "preflight_proxy": "direct" if site.proxy_url is None else "auto",
                "preflight_connect_to": dict(site.connect_to),
                "preflight_connect_to_counts": True,
            }
        return {**found, **site.scenario.variables}

    def inventory(self, python: str = sys.executable) -> dict[str, Any]:
        """An inventory of local connections, each with an interpreter that trusts what the scenario's server trusts."""
        hosts = {}
        for name, site in self.sites.items():
            local = {"ansible_connection": "local", "ansible_python_interpreter": str(self._interpreter(name, python))}
            hosts[name] = {**(site.connection or local), **self.variables(name)}
        return {"all": {"children": {"fleet": {"hosts": hosts}}}}

    def write_inventory(self, path: Path, python: str = sys.executable) -> Path:
        """JSON, which is YAML too: nothing in it needs a library."""
        path.write_text(json.dumps(self.inventory(python), indent=2) + "\n", encoding="utf-8")
        return path

    def _interpreter(self, name: str, python: str) -> Path:
        """A program that is this Python with the server's own roots."""
        return trusting_python(self.folder / "python" / name, self.sites[name].trust, python)

    # -- one server's network

    def _site(self, scenario: Scenario) -> Site:
        names = {one: self.cloud.tls if tls else self.cloud.http for one, tls in self.endpoints.items()}
        # Backwards, so that of two patterns that match the first one counts.
        for pattern, fault in reversed(tuple(scenario.faults.items())):
            matching = [one for one in names if fnmatchcase(one, pattern)]
            if not matching:
                raise LabError(f"{scenario.name}: no endpoint matches {pattern}")
            to = fault(self._world)
            names |= dict.fromkeys(matching, to)
        connect_to = names
        if scenario.proxy is not None:
            connect_to = names if scenario.finds_proxy else {}
        if scenario.direct is not None:
            connect_to = self._directly(scenario.direct)
        # The proxy is asked for what connect_to says.
        beyond = {connect_to[one]: to for one, to in names.items() if one in connect_to and connect_to[one] != to}
        proxy, url = self._proxy(scenario, {**names, **beyond, **{to: to for to in names.values()}})
        return Site(
            scenario=scenario,
            connect_to=connect_to,
            proxy_url=url,
            trust=self.pki.trust[scenario.trust],
            names=names,
            proxy=proxy,
            connection=self._unreachable() if scenario.unreachable else {},
        )

    def _directly(self, fault: Fault) -> dict[str, str]:
        """Two places in which it stands, so that a proxy can tell what speaks TLS from what does not."""
        places = {tls: fault(self._world) for tls in (True, False)}
        return {one: places[tls] for one, tls in self.endpoints.items()}

    def _proxy(self, scenario: Scenario, names: Mapping[str, str]) -> tuple[Proxy | None, str | None]:
        plan = scenario.proxy
        if plan is None:
            return None, None
        if plan.dead is not None:
            return None, f"http://{plan.dead(self._world)}"
        proxy = self._world.keep(Proxy(self.pki, lambda: names, plan.policy, plan.inspects))
        return proxy, proxy.url

    def _unreachable(self) -> dict[str, Any]:
        address, port = split(closed_port(self._world))
        return {
            "ansible_connection": "ssh",
            "ansible_host": address,
            "ansible_port": port,
            "ansible_ssh_common_args": "-o ConnectTimeout=3 -o BatchMode=yes",
            "ansible_ssh_retries": 0,
        }


def trusting_python(path: Path, trust: Path, python: str = sys.executable) -> Path:
    """A program that is this Python with these roots."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        f"#!/bin/sh\nSSL_CERT_FILE={shlex.quote(str(trust))}\nSSL_CERT_DIR=/nonexistent\nexport SSL_CERT_FILE SSL_CERT_DIR\n"
        f'exec {shlex.quote(python)} "$@"\n',
        encoding="utf-8",
    )
    path.chmod(0o755)
    return path


def catalogue_endpoints() -> dict[str, bool]:
    """The catalogue's endpoints of the public cloud for the lab's tenant."""
    from ansible_collections.appproxy.connector.plugins.plugin_utils.catalogue.endpoints import endpoints

    return {one.id: one.tls for one in endpoints("public", TENANT, None)}


def lacking(scenario: Scenario) -> str | None:
    """What this machine lacks for the scenario, in words for a skip; None where it lacks nothing."""
    for need in scenario.needs:
        reason = _LACKS[need]()
        if reason is not None:
            return reason
    return None


def _no_namespace() -> str | None:
    if os.environ.get(INSIDE):
        return None
    return dns.missing() or "runs inside a network namespace of its own only"


def _no_openssl() -> str | None:
    return None if shutil.which("openssl") else "the program openssl is not on PATH"


def _no_ssh() -> str | None:
    return None if shutil.which("ssh") else "the program ssh is not on PATH"


def _no_nxdomain() -> str | None:
    try:
        socket.getaddrinfo("connector-lab.invalid", 443)
    except socket.gaierror as error:
        return None if error.errno == socket.EAI_NONAME else f"the resolver of this machine does not answer: {error}"
    return "the resolver of this machine invents addresses for names that do not exist"


_LACKS = {NAMESPACE: _no_namespace, OPENSSL: _no_openssl, SSH: _no_ssh, NXDOMAIN: _no_nxdomain}


def run_in_namespace(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[Any]:
    """Runs a command where dns.py is the resolver; `options` are subprocess.run's. Ask dns.missing() first."""
    environment = {**(options.pop("env", None) or os.environ), INSIDE: "1"}
    environment["PATH"] = f"{environment.get('PATH', '')}:/usr/sbin:/sbin"
    return subprocess.run(dns.command(command), env=environment, check=False, **options)
