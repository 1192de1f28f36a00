# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration: a fleet of servers with different troubles, judged by the real playbook.

    ./demo                the engine that this machine can run: winrm where pwsh is on PATH, else local
    ./demo --engine local

Ends with 0 when every server came out as its scenario says.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests"), os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(os.pathsep)[0]]

from lab.entra import APPLICATION, Entra  # noqa: E402
from lab.people import GRAPH, PEOPLE  # noqa: E402
from lab.pki import Pki  # noqa: E402
from lab.play import LOCAL, PLAYBOOK, WINRM, differences, play, without  # noqa: E402
from lab.scenarios import DEMO  # noqa: E402

PERSON = next(one for one in PEOPLE if one.name == "eligible")
"""Who will register."""
_ENGINES = {
    LOCAL: "local connections, looked at by path_info (Python)",
    WINRM: "WinRM, looked at by connector_info in PowerShell 7 on this machine (the lab's servers are no Windows)",
}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="demo", description="A fleet of the lab, judged by the real playbook.")
    parser.add_argument("--engine", choices=("auto", LOCAL, WINRM), default="auto")
    chosen = parser.parse_args(arguments).engine
    missing = without(WINRM)
    engine = chosen if chosen != "auto" else LOCAL if missing else WINRM
    if engine == WINRM and missing:
        parser.error(missing)
    folder = Path(os.environ["APPPROXY_STATE"]) / "demo"
    print(f"The lab: {len(DEMO)} servers, each with a network of its own before one cloud. {_ENGINES[engine]}.")
    if missing and chosen == "auto":
        print(f"Skipped: the same fleet over WinRM ({missing}).")
    for one in DEMO:
        print(f"  {one.name}: {one.says}")
    print(f"Who registers, in the lab's own identity service: {PERSON.account.upn}. {PERSON.why}")
    upn = f"preflight_admin_upn={PERSON.account.upn}"
    print(f"\n$ ansible-playbook {PLAYBOOK} -i {folder / 'inventory.json'} -e {upn}", flush=True)
    pki, directory = Pki(folder.parent / "pki"), PERSON.tenant()
    with Entra(pki, directory) as service:
        given = json.dumps({**service.variables, "preflight_ca_path": str(pki.public_roots)})
        credentials = {"AZURE_CLIENT_ID": APPLICATION, "AZURE_CLIENT_SECRET": directory.secret}
        outcome = play(folder, DEMO, engine, shown=True, pki_folder=folder.parent / "pki", arguments=("-e", upn, "-e", given),
                       environment=credentials)
    return _compare(outcome.hosts, outcome.fleet, outcome.folder, outcome.code)


def _of_the_tenant(fleet: Mapping[str, Any]) -> list[str]:
    tenant = fleet.get("tenant") or {"causes": []}
    told = {one["id"]: one["status"] for one in tenant["causes"]}
    return [] if told == dict(PERSON.expects[GRAPH]) else [f"its causes are {told}"]


def _compare(hosts: Mapping[str, Mapping[str, Any]], fleet: Mapping[str, Any], folder: Path, code: int) -> int:
    wrong = {one.name: differences(one, hosts[one.name]) if one.name in hosts else ["no report"] for one in DEMO}
    wrong["the tenant"] = _of_the_tenant(fleet)
    print(f"\nansible-playbook ended with {code}: some servers are not ready, so a pipeline stops here.")
    print(f"Reports: {folder / 'fleet.json'}, {folder / 'hosts'}")
    for name, said in wrong.items():
        for word in said:
            print(f"NOT AS DESIGNED: {name}: {word}")
    if any(wrong.values()) or code != 2:
        return 1
    print(f"All {len(DEMO)} servers and the tenant came out as designed.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
