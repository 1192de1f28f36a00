# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a large inventory costs the controller: many Windows servers over WinRM, with several numbers of forks.

    python3 tests/bootstrap.py run python tests/benchmark/winrm_fleet.py [--hosts 200] [--forks 10 25 50] [--json FILE]

The protocol and all that goes over it are real; the servers are stubs. In PowerShell's place stands a program that takes the task, waits as
long as a look takes, and answers with a recorded observation: so the figures are those of the controller, not of a server.

Compared with a playbook of single checks, as one would write it instead: one `ansible.windows.win_uri` for each endpoint (the real
module of the PyPI package `ansible`, in an environment of its own), answered by a stub too. It is so much slower that fewer servers
stand for all.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(os.pathsep)[0]]

from ansible_collections.appproxy.connector.plugins.plugin_utils.options import parse_options  # noqa: E402
from ansible_collections.appproxy.connector.plugins.plugin_utils.preflight import plan  # noqa: E402
from integration import recorded  # noqa: E402
from integration.environments import NotInstalledError, installed  # noqa: E402
from lab.personalities import SERVER_2022  # noqa: E402
from lab.stub import stub  # noqa: E402
from lab.winrm import WinRMServer  # noqa: E402

STATE = Path(os.environ.get("APPPROXY_STATE") or ROOT / ".state").absolute()
PLAYBOOK = "appproxy.connector.preflight"
ANSIBLE = "ansible>=11,<13"
"""The package that brings ansible.windows with it."""


@dataclass(frozen=True)
class Cost:
    """Of one run of ansible-playbook."""

    hosts: int
    forks: int
    seconds: float
    cpu_seconds: float
    """Of the controller: ansible-playbook and its forks."""
    stub_cpu_seconds: float
    """Of the process that plays all servers, on the same processors."""
    memory_mb: float
    """The most that ansible-playbook and its forks had at once, shared pages counted once (PSS)."""
    remote_tasks: float
    """Commands for each server, as the servers counted them."""
    sent_kb: float
    """Standard input of these commands for each server: the task with its code."""


# -- the servers, in a process of their own


def serve(program: str, number: int) -> int:
    """Prints the inventory variables of so many servers, waits for the end of standard input, prints what they counted."""
    with ExitStack() as stack:
        servers = [stack.enter_context(WinRMServer(SERVER_2022, powershell=program)) for _one in range(number)]
        print(json.dumps([server.inventory_vars(operation_seconds=60) for server in servers]), flush=True)
        sys.stdin.read()
        records = [record for server in servers for record in server.commands]
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        cpu = sum(one.ru_utime + one.ru_stime for one in used)
        counted = {"commands": len(records), "sent": sum(record.stdin_bytes for record in records), "cpu": cpu}
        print(json.dumps(counted), flush=True)
    return 0


@contextmanager
def servers(program: Path, number: int, counted: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """The inventory variables of each; `counted` is filled when they have ended."""
    command = [sys.executable, __file__, "--serve", str(program), "--hosts", str(number)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None:
            raise RuntimeError("the servers have no standard output")
        yield json.loads(process.stdout.readline())
        said, _error = process.communicate()
        counted.update(json.loads(said))


# -- the controller


class Memory:
    """Watches what a process and its children have, until it is told to stop."""

    def __init__(self, process: int) -> None:
        self.most_mb = 0.0
        self._process = process
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> float:
        self._over.set()
        self._thread.join()
        return self.most_mb

    def _watch(self) -> None:
        while not self._over.wait(0.3):
            self.most_mb = max(self.most_mb, sum(map(_pss_mb, _family(self._process))))


def _family(process: int) -> list[int]:
    found = [process]
    for one in found:
        try:
            found += map(int, Path(f"/proc/{one}/task/{one}/children").read_text(encoding="utf-8").split())
        except OSError:
            continue  # It has ended.
    return found


def _pss_mb(process: int) -> float:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0  # It has ended.
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def run(
    folder: Path, command: Sequence[str], program: Path, hosts: int, forks: int, variables: Mapping[str, Any], collections: str,
    strategy: str = "linear",
) -> Cost:
    counted: dict[str, Any] = {}
    with servers(program, hosts, counted) as each:
        named = {f"srv-{number:03}": {**of_host, "ansible_winrm_server_cert_validation": "ignore"} for number, of_host in enumerate(each)}
        (folder / "inventory.json").write_text(json.dumps({"all": {"hosts": named, "vars": dict(variables)}}), encoding="utf-8")
        environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": collections, "ANSIBLE_NOCOLOR": "1"}
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        with (folder / "output").open("w", encoding="utf-8") as output:
            words = [*command, "-i", "inventory.json", "--forks", str(forks), "-e", f"preflight_strategy={strategy}"]
            process = subprocess.Popen(words, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
            memory = Memory(process.pid)
            code = process.wait()
        took, after, most = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN), memory.stop()
    if code != 0:
        lines = (folder / "output").read_text(encoding="utf-8").splitlines()
        wrong = [line[:2000] for line in lines if "fatal:" in line or "ERROR" in line]
        raise SystemExit("\n".join([f"{command[0]} ended with {code}:", *(wrong or lines)[:5]]))
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(hosts, forks, took, cpu, counted["cpu"], most, counted["commands"] / hosts, counted["sent"] / 1000 / hosts)


def preflight(folder: Path, hosts: int, forks: int, seconds: float, strategy: str = "linear") -> Cost:
    """The collection's playbook; every server has to come out ready."""
    variables = {"preflight_tenant_id": recorded.TENANT, "preflight_proxy": "direct", "preflight_public_roots": str(folder / "roots.pem"),
                 "preflight_report_dir": str(folder / "reports"), "preflight_run_id": f"{hosts}-{forks}-{strategy}"}
    request = plan(parse_options({"tenant_id": recorded.TENANT, "proxy": "direct"}, recorded.SEEN_AT), "server", windows=True).request
    world = recorded.make_world([target["host"] for target in request["targets"]])
    world.write_roots(folder / "roots.pem")
    answer = {"changed": False, "observation": recorded.observation(request, world, recorded.healthy)}
    program = stub(folder, "look", json.dumps(answer), seconds=seconds)
    cost = run(folder, [str(Path(sys.executable).parent / "ansible-playbook"), PLAYBOOK], program, hosts, forks, variables,
               os.environ["ANSIBLE_COLLECTIONS_PATH"], strategy)
    fleet = json.loads((folder / "reports" / variables["preflight_run_id"] / "fleet.json").read_text(encoding="utf-8"))
    if fleet["counts"]["ready"] != hosts:
        raise SystemExit(f"not every server came out as recorded: {fleet['summary']}")
    return cost


def single_checks(folder: Path, hosts: int, forks: int, seconds: float, endpoints: int) -> Cost:
    """One win_uri for each endpoint. Raises NotInstalledError."""
    programs = installed(STATE, "ansible with ansible.windows", [ANSIBLE, "pywinrm"])
    site = subprocess.run([programs / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], capture_output=True,
                          text=True, check=True).stdout.strip()
    names = [f"e{one}.example" for one in range(endpoints)]
    task = {"name": "Look", "ansible.windows.win_uri": {"url": "https://{{ item }}/"}, "loop": names}
    (folder / "single.json").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [task]}]), encoding="utf-8")
    program = stub(folder, "check", json.dumps({"changed": False, "status_code": 200, "status_description": "OK"}), seconds=seconds)
    return run(folder, [str(programs / "ansible-playbook"), "single.json"], program, hosts, forks, {}, site)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Many Windows servers over WinRM: stubs that answer recorded observations.")
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--forks", type=int, nargs="+", default=[10, 25, 50])
    parser.add_argument("--look-seconds", type=float, default=3, help="that a look takes on a server (default: 3)")
    parser.add_argument("--check-seconds", type=float, default=1, help="that a single check takes on a server (default: 1)")
    parser.add_argument("--single-hosts", type=int, default=20, help="servers of the playbook of single checks; 0: leave it out")
    parser.add_argument("--endpoints", type=int, default=26, help="single checks for each server (default: 26)")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.serve:
        return serve(chosen.serve, chosen.hosts)
    recorded.SEEN_AT = datetime.now(timezone.utc).replace(microsecond=0)  # what is recorded is answered as seen now
    table: dict[str, Cost] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for forks in chosen.forks:
            table[f"preflight, {forks} forks"] = preflight(folder, chosen.hosts, forks, chosen.look_seconds)
        table[f"preflight, {forks} forks, free"] = preflight(folder, chosen.hosts, forks, chosen.look_seconds, "free")
        if chosen.single_hosts:
            try:
                hosts = chosen.single_hosts
                table["single checks"] = single_checks(folder, hosts, min(forks, hosts), chosen.check_seconds, chosen.endpoints)
            except NotInstalledError as error:
                print(f"Left out: single checks (ansible.windows cannot be installed: {error})")
    print(f"{'':28} {'servers':>7} {'seconds':>8} {'s/server':>8} {'CPU s/server':>12} {'stub CPU':>8} {'MB':>6} {'tasks':>6} "
          f"{'kB sent':>8}")
    for row, cost in table.items():
        print(f"{row:28} {cost.hosts:7} {cost.seconds:8.1f} {cost.seconds / cost.hosts:8.2f} {cost.cpu_seconds / cost.hosts:12.2f} "
              f"{cost.stub_cpu_seconds / cost.hosts:8.2f} {cost.memory_mb:6.0f} {cost.remote_tasks:6.1f} {cost.sent_kb:8.0f}")
    print(f"Servers are stubs: a look is answered after {chosen.look_seconds:g} s, a single check after {chosen.check_seconds:g} s. "
          "Times vary from run to run: quote ratios.")
    if chosen.json:
        chosen.json.write_text(json.dumps({row: asdict(cost) for row, cost in table.items()}, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
