# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engines alone: requests of one's own to the raw modules, and the observations that come back, by real ansible-playbook.

One run for each engine takes all requests, each as a host of its own. As a program, for what has to run in dns.py's namespace:

    python -m lab.looks FOLDER ENGINE TRUST        asks what FOLDER/requests.json holds
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .fleet import run_in_namespace, trusting_python
from .personalities import SERVER_2022, Personality
from .play import LOCAL, WINRM
from .winrm import WinRMServer

MODULES = {LOCAL: "appproxy.connector.path_info", WINRM: "appproxy.connector.connector_info"}
SECONDS = 180
"""What takes this long hangs."""
Requests = Mapping[str, Mapping[str, Any]]
"""Name of a host to what it is asked."""


class LookError(Exception):
    """Ansible's own words, where a host gave no observation."""


def look(
    folder: Path, requests: Requests, engine: str, trust: Path, *, forks: int = 4, servers: Mapping[str, Personality] = MappingProxyType({})
) -> dict[str, dict[str, Any]]:
    """Host to its observation. `trust`: the roots of all servers. `servers`: hosts that look otherwise than the usual Windows server,
    over WinRM. Raises LookError."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "requests.json", requests)
    with ExitStack() as stack:
        python = trusting_python(folder / "python", trust)
        hosts = {}
        for name, request in requests.items():
            if engine == LOCAL:
                connection: Mapping[str, object] = {"ansible_connection": "local", "ansible_python_interpreter": str(python)}
            else:
                server = stack.enter_context(WinRMServer(replace(servers.get(name, SERVER_2022), trust=trust)))
                connection = server.inventory_vars(operation_seconds=60)
            hosts[name] = {**connection, "request": request}
        _write(folder / "inventory.json", {"all": {"hosts": hosts}})
        tasks = [
            {MODULES[engine]: {"request": "{{ request }}"}, "register": "seen"},
            {"ansible.builtin.copy": {"content": "{{ seen }}", "dest": f"{folder}/seen-{{{{ inventory_hostname }}}}.json"},
             "delegate_to": "localhost"},
        ]
        _write(folder / "look.json", [{"hosts": "all", "gather_facts": False, "strategy": "free", "tasks": tasks}])
        command = ["ansible-playbook", "look.json", "-i", "inventory.json", "--forks", str(forks)]
        ended = subprocess.run(command, cwd=folder, env={**os.environ, "ANSIBLE_NOCOLOR": "1"}, stdin=subprocess.DEVNULL, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=SECONDS)
    return _read(folder, requests, ended.stdout)


def look_in_namespace(folder: Path, requests: Requests, engine: str, trust: Path) -> dict[str, dict[str, Any]]:
    """The same where dns.py is the resolver and loopback all the network. Ask dns.missing() first."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "requests.json", requests)
    tests = str(Path(__file__).resolve().parents[1])
    ended = run_in_namespace([sys.executable, "-m", "lab.looks", str(folder), engine, str(trust)], cwd=tests, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS)
    return _read(folder, requests, ended.stdout)


def _read(folder: Path, requests: Requests, said: str) -> dict[str, dict[str, Any]]:
    found = {}
    for name in requests:
        path = folder / f"seen-{name}.json"
        if not path.exists():
            raise LookError(said[-4000:])
        found[name] = json.loads(path.read_text(encoding="utf-8"))["observation"]
    return found


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    folder, engine, trust = arguments
    look(Path(folder), json.loads((Path(folder) / "requests.json").read_text(encoding="utf-8")), engine, Path(trust))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
