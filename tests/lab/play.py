# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays the collection's own playbook over a fleet of the lab, with real ansible-playbook, and reads what it wrote.

Two engines: `local` (path_info on local connections) and `winrm` (connector_info in PowerShell behind the lab's WinRM server:
PowerShell 7 on this machine, not Windows). As a program, it plays scenarios by name and prints where the reports lie:

    python -m lab.play FOLDER ENGINE SCENARIO [...]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .fleet import Lab
from .personalities import SERVER_2022, Personality
from .scenarios import Scenario, scenario
from .winrm import WinRMServer, find_powershell

LOCAL, WINRM = "local", "winrm"
PLAYBOOK = "appproxy.connector.preflight"
RUN_ID = "lab"


@dataclass(frozen=True)
class Outcome:
    """What one run of the playbook left."""

    code: int
    text: str
    """Standard output and error of ansible-playbook; empty where it went to the user's own terminal."""
    folder: Path
    fleet: Mapping[str, Any]
    hosts: Mapping[str, Mapping[str, Any]]
    """Host name to its report."""
    commands: Mapping[str, int] = field(default_factory=dict)
    """Host name to the remote commands that its WinRM server counted (engine winrm)."""
    written: frozenset[str] = frozenset()
    """Hosts whose registry was another one after the run than before (engine winrm)."""


def without(engine: str) -> str | None:
    """What this machine lacks for the engine, in words for a skip."""
    return "the engine winrm needs pwsh on PATH" if engine == WINRM and find_powershell() is None else None


Looks = Callable[[Lab, str], Personality]
"""Which Windows server a host of the lab is."""


def usual_looks(lab: Lab, name: str) -> Personality:
    return SERVER_2022


@contextmanager
def windows(lab: Lab, inventory: dict[str, Any], looks: Looks = usual_looks) -> Iterator[dict[str, WinRMServer]]:
    """Puts a WinRM server of the lab behind every host that can be reached at all."""
    hosts = inventory["all"]["children"]["fleet"]["hosts"]
    with ExitStack() as servers:
        started = {}
        for name, site in lab.sites.items():
            if site.connection:
                continue
            server = servers.enter_context(WinRMServer(replace(looks(lab, name), trust=site.trust)))
            hosts[name] = {**lab.variables(name), **server.inventory_vars(operation_seconds=60)}
            started[name] = server
        yield started


def play(
    folder: Path, scenarios: Iterable[Scenario], engine: str = LOCAL, *, arguments: Sequence[str] = (), shown: bool = False, forks: int = 5,
    pki_folder: Path | None = None, looks: Looks = usual_looks, environment: Mapping[str, str] | None = None,
) -> Outcome:
    """One run of the playbook over one server for each scenario. `shown` sends its output to the user's terminal.

    `environment` is added to that of ansible-playbook.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with Lab(folder, scenarios, pki_folder=pki_folder) as lab, ExitStack() as stack:
        inventory = lab.inventory()
        servers = stack.enter_context(windows(lab, inventory, looks)) if engine == WINRM else {}
        path = folder / "inventory.json"
        path.write_text(json.dumps(inventory, indent=2) + "\n", encoding="utf-8")
        path.chmod(0o600)
        command = [
            "ansible-playbook", PLAYBOOK, "-i", str(path), "--forks", str(forks), "-e", f"preflight_report_dir={folder / 'reports'}",
            "-e", f"preflight_run_id={RUN_ID}", "-e", "preflight_save_observations=true", *arguments,
        ]
        ended = subprocess.run(command, cwd=folder, env={**os.environ, "ANSIBLE_NOCOLOR": "1", **(environment or {})}, check=False,
                               text=True, stdin=subprocess.DEVNULL,
                               **({} if shown else {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}))
        counted = {name: len(server.commands) for name, server in servers.items()}
        written = frozenset(name for name, server in servers.items() if server.registry_was_written())
    return replace(read(folder, ended.returncode, ended.stdout or "", counted), written=written)


def read(folder: Path, code: int, text: str, commands: Mapping[str, int] | None = None) -> Outcome:
    """What a run left in its folder; reports that are missing are missing in the outcome."""
    run = folder / "reports" / RUN_ID
    fleet = json.loads((run / "fleet.json").read_text(encoding="utf-8")) if (run / "fleet.json").exists() else {}
    hosts = {
        host["host"]: json.loads((run / host["file"]).read_text(encoding="utf-8")) for host in fleet.get("hosts", ()) if host.get("file")
    }
    return Outcome(code, text, run, fleet, hosts, commands or {})


def differences(one: Scenario, report: Mapping[str, Any]) -> list[str]:
    """How a server's report differs from what its scenario says must come of it; empty where it came out as designed."""
    found: dict[str, set[str]] = {}
    for finding in report["findings"]:
        # What is not seen yet because it waits behind a cause is no word of its own.
        waits = finding["status"] == "unknown" and finding["because"]
        if finding["status"] in ("fail", "warn", "unknown") and not waits:
            found.setdefault(finding["id"], set()).add(finding["status"])
    said = []
    if one.verdict and report["verdict"] != one.verdict:
        said.append(f"verdict {report['verdict']} in place of {one.verdict}")
    for ids, status in one.expects.items():
        if not any(status in found.get(id_, ()) for id_ in ids.split("|")):
            said.append(f"{ids} is not {status}")
    said += [f"{id_} is {', '.join(sorted(found[id_]))}" for id_ in one.absent if id_ in found]
    return said


def main(arguments: Sequence[str]) -> int:
    folder, engine, *names = arguments
    outcome = play(Path(folder), map(scenario, names), engine)
    print(outcome.text)
    return outcome.code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
