# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One server and the time that it takes, beside what one would run instead, over the same endpoints of the lab in the same run.

    python3 tests/bootstrap.py run python tests/benchmark/speed.py [--json FILE] [--networks healthy dropped proxy]

Compared are: the playbook appproxy.connector.preflight by both engines (`winrm` is PowerShell 7 on this machine behind the lab's WinRM
server, not Windows), a playbook of one `uri` for each endpoint, one of `wait_for` and `uri`, one of `win_uri` over the same WinRM, sslyze
(in an environment of its own) and testssl.sh where it is on PATH. No Windows module runs here: behind `win_uri` stands a stub that answers
after a second, and after the time-out where all is dropped, so only the protocol is real. The others ask for less: no revocation, no
WebSocket, no judgement.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(os.pathsep)[0]]

from benchmark import winrm_fleet  # noqa: E402
from integration.environments import NotInstalledError, installed  # noqa: E402
from lab import faults  # noqa: E402
from lab.fleet import Lab, catalogue_endpoints  # noqa: E402
from lab.play import LOCAL, PLAYBOOK, WINRM, windows, without  # noqa: E402
from lab.scenarios import NOT_READY, ProxyPlan, Scenario  # noqa: E402
from lab.servers import split  # noqa: E402

STATE = Path(os.environ.get("APPPROXY_STATE") or ROOT / ".state").absolute()
SSLYZE = "sslyze>=6.1,<7"
TIMEOUT = 6
"""Seconds that a single task waits, as the engines do: one lost SYN still counts."""
STUB_SECONDS = 1
"""That a `win_uri` takes on a server: PowerShell has to start, and compile."""
FEW = 3
"""Endpoints that testssl.sh is shown: it takes them one after the other, at many seconds each."""
NETWORKS: Mapping[str, Scenario] = {
    "healthy": Scenario("healthy", "Everything is open."),
    "dropped": Scenario("dropped", "A firewall drops everything.", {"*": faults.dropped}, verdict=NOT_READY),
    "proxy": Scenario("proxy", "The only way out is a proxy that lets this server through.", proxy=ProxyPlan()),
}


@dataclass(frozen=True)
class Took:
    """What one way of looking took."""

    seconds: float
    """Of the whole command."""
    endpoints: int
    cpu_seconds: float
    """User and system, of the command and what it started; what the lab's WinRM server starts is not in it."""
    in_host_seconds: float | None = None
    """What looking took on the server, as it says itself."""
    remote_tasks: int | None = None
    """Tasks that went to the server."""


class NotHereError(Exception):
    """This machine cannot run it; the text says why."""


Endpoints = Mapping[str, tuple[str, bool]]
"""host:port to the lab's address:port and whether TLS is spoken there."""
Way = Callable[[Lab, Scenario, Path, Endpoints], Took]


def timed(
    command: Sequence[str | int | Path], folder: Path, endpoints: int, good: Sequence[int] = (0,), says: str = ""
) -> tuple[Took, str]:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(list(map(str, command)), cwd=folder, env={**os.environ, "ANSIBLE_NOCOLOR": "1"}, input=says,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in good:
        raise SystemExit(f"{command[0]} ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return Took(took, endpoints, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime), done.stdout


# -- the ways


def preflight(engine: str) -> Way:
    """The collection's own playbook."""

    def look(lab: Lab, scenario: Scenario, folder: Path, endpoints: Endpoints) -> Took:
        missing = without(engine)
        if missing:
            raise NotHereError(missing)
        inventory = lab.inventory()
        with windows(lab, inventory) if engine == WINRM else nullcontext({}) as servers:
            (folder / "inventory.json").write_text(json.dumps(inventory), encoding="utf-8")
            run_id = f"{scenario.name}-{engine}"
            command = ["ansible-playbook", PLAYBOOK, "-i", "inventory.json", "-e", f"preflight_run_id={run_id}",
                       "-e", f"preflight_report_dir={folder / 'reports'}"]
            took, said = timed(command, folder, len(endpoints), good=(0, 2))
            tasks = len(servers[scenario.name].commands) if servers else 1
        report = json.loads((folder / "reports" / run_id / "hosts" / f"{scenario.name}.json").read_text(encoding="utf-8"))
        if report["verdict"] != scenario.verdict:
            raise SystemExit(f"{scenario.name} over {engine} came out as: {report['summary']}\n{said[-2000:]}")
        return replace(took, in_host_seconds=report["elapsed_ms"] / 1000, remote_tasks=tasks)

    return look


def single_tasks(lab: Lab, scenario: Scenario, folder: Path, endpoints: Endpoints) -> Took:
    """What one writes instead: `uri` for each endpoint, one after the other, in a task with a loop."""
    return _looped(lab, scenario, folder, endpoints, [_uri(lab, scenario, endpoints)])


def two_tasks(lab: Lab, scenario: Scenario, folder: Path, endpoints: Endpoints) -> Took:
    """`wait_for` before it, which tells a firewall from what comes after."""
    if lab.sites[scenario.name].proxy_url:
        raise NotHereError("wait_for knows no proxy")
    places = [dict(zip(("host", "port"), split(at), strict=True)) for at, _tls in endpoints.values()]
    wait_for = {"host": "{{ item.host }}", "port": "{{ item.port }}", "timeout": TIMEOUT, "connect_timeout": TIMEOUT}
    task = {"name": "Knock", "ansible.builtin.wait_for": wait_for, "loop": places, "ignore_errors": True}
    return _looped(lab, scenario, folder, endpoints, [task, _uri(lab, scenario, endpoints)])


def _uri(lab: Lab, scenario: Scenario, endpoints: Endpoints) -> dict[str, object]:
    proxy = lab.sites[scenario.name].proxy_url
    urls = [f"{'https' if tls else 'http'}://{name if proxy else at}/" for name, (at, tls) in endpoints.items()]
    # Whatever the service says counts as reached.
    uri = {"url": "{{ item }}", "timeout": TIMEOUT, "validate_certs": False, "status_code": [*range(200, 600)]}
    environment = {"http_proxy": proxy, "https_proxy": proxy} if proxy else {}
    return {"name": "Look", "ansible.builtin.uri": uri, "loop": urls, "ignore_errors": True, "environment": environment}


def _looped(lab: Lab, scenario: Scenario, folder: Path, endpoints: Endpoints, tasks: Sequence[Mapping[str, object]]) -> Took:
    play_ = {"hosts": "all", "connection": "local", "gather_facts": False, "tasks": tasks}
    (folder / "single.json").write_text(json.dumps([play_]), encoding="utf-8")
    command = ["ansible-playbook", "single.json", "-i", f"{scenario.name},", "-e", f"ansible_python_interpreter={sys.executable}"]
    took, said = timed(command, folder, len(endpoints))
    answered, wanted = said.count("\nok: "), len(tasks) * len(endpoints)
    if (answered == wanted) is not (scenario.name != "dropped"):
        raise SystemExit(f"{answered} of {wanted} single tasks had an answer:\n{said[-3000:]}")
    return replace(took, remote_tasks=wanted)


def windows_tasks(lab: Lab, scenario: Scenario, folder: Path, endpoints: Endpoints) -> Took:
    """`win_uri` for each endpoint, with a stub in PowerShell's place."""
    seconds = TIMEOUT if scenario.name == "dropped" else STUB_SECONDS
    try:
        cost = winrm_fleet.single_checks(folder, 1, 1, seconds, len(endpoints))
    except NotInstalledError as error:
        raise NotHereError(f"ansible.windows cannot be installed: {error}") from None
    return Took(cost.seconds, len(endpoints), cost.cpu_seconds, remote_tasks=round(cost.remote_tasks))


def sslyze(lab: Lab, scenario: Scenario, folder: Path, endpoints: Endpoints) -> Took:
    """Certificates, TLS 1.2 and 1.3: it has no smaller set that tells as much of TLS. It waits as long as the others do (by itself 5 s)."""
    try:
        programs = installed(STATE, "sslyze", [SSLYZE])
    except NotInstalledError as error:
        raise NotHereError(f"sslyze cannot be installed: {error}") from None
    proxy = lab.sites[scenario.name].proxy_url
    targets = []
    for name, (at, tls) in endpoints.items():
        if tls:
            (host, port), (address, there) = split(name), split(at)
            targets.append([host, port, None] if proxy else [host, there, address])
    asked = json.dumps({"targets": targets, "proxy": proxy or None, "timeout": TIMEOUT})
    took, said = timed([programs / "python", Path(__file__).with_name("sslyze_scan.py")], folder, len(targets), says=asked)
    scanned = int(said.splitlines()[-1])
    if (scanned == len(targets)) is not (scenario.name != "dropped"):
        raise SystemExit(f"sslyze scanned {scanned} of {len(targets)}:\n{said[-3000:]}")
    return took


def testssl(lab: Lab, scenario: Scenario, folder: Path, endpoints: Endpoints) -> Took:
    """Protocols and certificate of a few of them."""
    program = shutil.which("testssl") or shutil.which("testssl.sh")
    if program is None:
        raise NotHereError("testssl.sh is not on PATH")
    if lab.sites[scenario.name].proxy_url:
        raise NotHereError("testssl.sh resolves the names itself, which over a proxy nobody can")
    few = [(name, at) for name, (at, tls) in endpoints.items() if tls][:FEW]
    total = Took(0, len(few), 0)
    for name, at in few:
        command = [program, "--quiet", "--color", "0", "--warnings", "batch", "--connect-timeout", TIMEOUT, "--openssl-timeout", TIMEOUT,
                   "--protocols", "--server-defaults", "--ip", split(at)[0], f"{split(name)[0]}:{split(at)[1]}"]
        took, _said = timed(command, folder, 1, good=range(256))
        total = replace(total, seconds=total.seconds + took.seconds, cpu_seconds=total.cpu_seconds + took.cpu_seconds)
    return total


WAYS: Mapping[str, Way] = {
    "preflight, local": preflight(LOCAL), "preflight, winrm": preflight(WINRM), "uri": single_tasks, "wait_for and uri": two_tasks,
    "win_uri (stub-timed)": windows_tasks, "sslyze": sslyze, "testssl.sh": testssl,
}
OVER_WINRM = ("winrm", "(stub-timed)")


# -- the table


def measure(network: str, rounds: int) -> dict[str, Took | str]:
    """Each way's fastest round, or why it did not run."""
    scenario, found = NETWORKS[network], dict[str, Took | str]()
    with tempfile.TemporaryDirectory() as name, Lab(Path(name) / "lab", [scenario], pki_folder=STATE / "pki") as lab:
        endpoints = {one: (lab.sites[scenario.name].names[one], tls) for one, tls in catalogue_endpoints().items()}
        for way, look in WAYS.items():
            try:
                took = [look(lab, scenario, Path(name), endpoints) for _round in range(rounds if way.startswith("preflight") else 1)]
                found[way] = min(took, key=lambda one: one.seconds)
            except NotHereError as error:
                found[way] = str(error)
            print(f"  {network}, {way}: {found[way]}", file=sys.stderr)
    return found


def row(way: str, took: Took | str, best: Took | str) -> str:
    if isinstance(took, str):
        return f"{way:22} {took}"
    if isinstance(best, str):
        raise SystemExit(best)
    host = "" if took.in_host_seconds is None else f"{took.in_host_seconds:.1f}"
    each = took.seconds / took.endpoints
    ratio = each / (best.seconds / best.endpoints)
    tasks = "" if took.remote_tasks is None else str(took.remote_tasks)
    return f"{way:22} {took.endpoints:9} {took.seconds:9.1f} {host:>9} {took.cpu_seconds:9.1f} {tasks:>6} {each:9.2f} {ratio:7.1f}"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="The time that one server takes, beside other tools over the same endpoints.")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=2, help="of the playbook preflight; the fastest counts (default: 2)")
    parser.add_argument("--networks", nargs="*", choices=NETWORKS, default=list(NETWORKS))
    chosen = parser.parse_args(arguments)
    tables = {network: measure(network, chosen.rounds) for network in chosen.networks}
    for network, table in tables.items():
        print(f"\n{network}: {NETWORKS[network].says}")
        print(f"{'':22} {'endpoints':>9} {'seconds':>9} {'in host':>9} {'CPU':>9} {'tasks':>6} {'s each':>9} {'ratio':>7}")
        for way, took in table.items():
            print(row(way, took, table["preflight, winrm" if way.endswith(OVER_WINRM) else "preflight, local"]))
    print("\nratio: seconds for each endpoint, against preflight over the same connection. Times vary from run to run: quote ratios.")
    if chosen.json:
        chosen.json.write_text(json.dumps(tables, indent=2, default=asdict) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
