# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real runs of ansible-playbook over small inventories.

Targets are recorded observations (tests/integration/recorded.py) or closed ports of this machine: no run leaves it.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from integration import recorded
from lab import faults
from lab.cloud import Cloud
from lab.pki import Pki

ROOT = Path(__file__).absolute().parents[2]
SECONDS = 120
"""A play of a few hosts takes three; what takes this long hangs."""


@pytest.fixture(scope="module")
def lab_world(state: Path) -> Iterator[faults.World]:
    """The lab's healthy cloud, and room for what is wrong around it."""
    pki = Pki(state / "pki")
    cloud = Cloud(pki)
    made = faults.World(pki, cloud)
    yield made
    made.close()
    cloud.close()


@pytest.fixture(scope="session")
def requests(collections: Path) -> Callable[..., dict[str, Any]]:
    """Options to the request that a target would be sent."""
    from ansible_collections.appproxy.connector.plugins.plugin_utils import options, preflight  # noqa: PLC0415

    def request(**given: Any) -> dict[str, Any]:
        parsed = options.parse_options({"tenant_id": recorded.TENANT, **given}, recorded.SEEN_AT)
        made: dict[str, Any] = preflight.plan(parsed, "server").request
        return made

    return request


@pytest.fixture(scope="session")
def world(requests: Callable[..., dict[str, Any]]) -> recorded.World:
    return recorded.make_world([target["host"] for target in requests()["targets"]])


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@dataclass
class Run:
    code: int
    output: str
    folder: Path
    """Where the reports lie: <folder>/<run id>."""

    @property
    def run_folder(self) -> Path:
        """Of the newest run: the ids begin with the time."""
        return max(self.folder.iterdir())

    @property
    def fleet(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads((self.run_folder / "fleet.json").read_text(encoding="utf-8"))
        return read

    def verdicts(self) -> dict[str, str]:
        return {host["host"]: host["verdict"] for host in self.fleet["hosts"]}

    def recap(self, host: str) -> dict[str, int]:
        line = next(line for line in self.output.splitlines() if line.startswith(f"{host} ") and "unreachable=" in line)
        return {key: int(value) for key, value in (word.split("=") for word in line.split(":", maxsplit=1)[1].split())}


@dataclass
class Site:
    """A folder with an inventory, recorded observations and roots, where ansible-playbook is run."""

    path: Path
    collections: Path
    requests: Callable[..., dict[str, Any]]
    world: recorded.World
    closed_port: int
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    programs: Path = Path(sys.executable).parent
    """Where ansible-playbook is."""

    def add(self, name: str, stages: recorded.Stages = recorded.healthy, **options: Any) -> None:
        """A host whose saved observation is judged instead of looking; one of the same name is replaced."""
        number = len(list((self.path / "saved").glob("*.json")))
        seen = recorded.observation(self.requests(**options), self.world, stages)
        file = recorded.save(self.path / "saved" / f"{number}.json", seen)
        variables = {f"preflight_{key}": value for key, value in options.items()}
        self.hosts[name] = {"ansible_connection": "local", "preflight_observations": str(file), **variables}

    def add_unreachable(self, name: str) -> None:
        """A Windows server whose WinRM port is closed."""
        self.hosts[name] = {
            "ansible_connection": "winrm", "ansible_host": "127.0.0.1", "ansible_port": self.closed_port, "ansible_winrm_scheme": "http",
            "ansible_winrm_transport": "basic", "ansible_user": "nobody", "ansible_password": "nothing",
        }

    @property
    def variables(self) -> dict[str, Any]:
        return {
            "preflight_tenant_id": recorded.TENANT, "preflight_public_roots": str(self.path / "roots.pem"),
            "preflight_as_of": recorded.SEEN_AT.isoformat(),
        }

    def command(
        self, playbook: str | Sequence[Mapping[str, Any]], *arguments: str, variables: Mapping[str, Any] | None = None
    ) -> list[str]:
        """playbook: its name, or its plays."""
        inventory = {"all": {"vars": self.variables if variables is None else dict(variables), "hosts": self.hosts}}
        (self.path / "inventory.json").write_text(json.dumps(inventory), encoding="utf-8")
        (self.path / "ansible.cfg").touch()
        self.world.write_roots(self.path / "roots.pem")
        if not isinstance(playbook, str):
            (self.path / "playbook.json").write_text(json.dumps(playbook), encoding="utf-8")
            playbook = "playbook.json"
        return [str(self.programs / "ansible-playbook"), playbook, "-i", "inventory.json", *arguments]

    def environment(self, **given: str) -> dict[str, str]:
        steering = ("ANSIBLE_", "JOB_ID", "AZURE_", "APPPROXY_REG")
        kept = {
            key: value for key, value in os.environ.items()
            if not (key.startswith(steering) or key == "CI" or key.lower().endswith("_proxy"))
        }
        return {
            **kept, "ANSIBLE_COLLECTIONS_PATH": str(self.collections), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(self.path / "ansible"),
            "ANSIBLE_REMOTE_TEMP": str(self.path / "remote_tmp"),
            "ANSIBLE_CONFIG": str(self.path / "ansible.cfg"), "ANSIBLE_LOCALHOST_WARNING": "false", "HOME": str(self.path / "home"),
            "COLUMNS": "80", **given,
        }

    def run(
        self, playbook: str | Sequence[Mapping[str, Any]] = "appproxy.connector.preflight", *arguments: str,
        variables: Mapping[str, Any] | None = None, **environment: str,
    ) -> Run:
        done = subprocess.run(
            self.command(playbook, *arguments, variables=variables), cwd=self.path, env=self.environment(**environment),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False,
        )
        return Run(done.returncode, done.stdout, self.path / "preflight-reports")


@pytest.fixture
def site(
    tmp_path: Path, collections: Path, requests: Callable[..., dict[str, Any]], world: recorded.World, closed_port: int
) -> Site:
    return Site(tmp_path, collections, requests, world, closed_port)
