# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The root part of the lab: real names and ports, name servers, firewalls and proxies in network namespaces, through both engines.

One run of the playbook for each engine takes all servers.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from lab.network import World, missing, sweep
from lab.networks import NETWORKS, PROXIES_BY_NAME_OR_GONE, Network, Squid
from lab.play import LOCAL, PLAYBOOK, RUN_ID, WINRM, Outcome, differences, read, without
from lab.told import FORCED, saved, told

pytestmark = pytest.mark.xdist_group("network")
FORKS = {LOCAL: 6, WINRM: 3}
"""More would make the lab's servers so slow on two cores that healthy ones time out."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, state: Path) -> Iterator[World]:
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with World(tmp_path_factory.mktemp("network"), NETWORKS, state / "pki") as made:
        yield made


BOTH = [one for one in NETWORKS if all(map(one.played_by, (LOCAL, WINRM)))]

_PLAYED: dict[str, Outcome] = {}


def outcome(world: World, engine: str, collections: Path) -> Outcome:
    """Once for each engine."""
    lacks = without(engine)
    if lacks:
        pytest.skip(lacks)
    if engine not in _PLAYED:
        folder = world.folder / engine
        folder.mkdir()
        (folder / "inventory.json").write_text(json.dumps(world.inventory(engine)), encoding="utf-8")
        command = ["ansible-playbook", PLAYBOOK, "-i", "inventory.json", "--forks", str(FORKS[engine]),
                   "-e", f"preflight_report_dir={folder / 'reports'}", "-e", f"preflight_run_id={RUN_ID}",
                   "-e", "preflight_save_observations=true"]
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_COLLECTIONS_PATH": str(collections)}
        ended = subprocess.run(command, cwd=folder, env=environment, check=False, text=True, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        _PLAYED[engine] = read(folder, ended.returncode, ended.stdout)
    return _PLAYED[engine]


@pytest.mark.parametrize("engine", [LOCAL, WINRM])
def test_the_whole_table_was_played(world: World, engine: str, collections: Path, say: Callable[[str], None]) -> None:
    played = outcome(world, engine, collections)
    assert set(played.hosts) == {one.name for one in NETWORKS if one.played_by(engine)}
    say(f"networks in namespaces, engine {engine}: {len(played.hosts)} of {len(NETWORKS)} played")


def report(world: World, one: Network, engine: str, collections: Path) -> Mapping[str, Any]:
    played = outcome(world, engine, collections)
    assert one.name in played.hosts, played.text[-4000:]
    return played.hosts[one.name]


@pytest.mark.parametrize(("one", "engine"), [
    pytest.param(one, engine, id=f"{one.name}-{engine}") for one in NETWORKS for engine in (LOCAL, WINRM) if one.played_by(engine)
])
def test_the_network_comes_out_as_designed(world: World, one: Network, engine: str, collections: Path) -> None:
    said = report(world, one, engine, collections)
    assert differences(one.scenario, said) == [], said["summary"]
    assert not said["judged"]["connect_to"]


@pytest.mark.parametrize("one", BOTH, ids=lambda one: one.name)
def test_both_engines_give_the_same_codes(world: World, one: Network, collections: Path) -> None:
    from ansible_collections.appproxy.connector.plugins.plugin_utils.judge.run import OF_THE_SERVER

    if one.scenario.forced:
        # Each is as designed (above); what the design leaves open is chance.
        assert one.name in FORCED
        return
    local, winrm = (report(world, one, engine, collections) for engine in (LOCAL, WINRM))
    codes = [{(found["id"], found["status"]) for found in said["findings"] if found["id"] not in OF_THE_SERVER} for said in (local, winrm)]
    assert codes[0] == codes[1], f"{local['summary']}\n{winrm['summary']}"


@pytest.mark.parametrize("one", BOTH, ids=lambda one: one.name)
def test_both_engines_tell_the_same_facts_in_the_same_order(world: World, one: Network, collections: Path) -> None:
    if one.scenario.forced:
        assert one.name in FORCED
        return
    local, winrm = (told(saved(outcome(world, engine, collections).folder, one.name)) for engine in (LOCAL, WINRM))
    assert local == winrm


@pytest.mark.parametrize("engine", [LOCAL, WINRM])
@pytest.mark.parametrize("one", PROXIES_BY_NAME_OR_GONE, ids=lambda one: one.name)
def test_a_proxy_that_is_gone_is_one_cause(world: World, one: Network, engine: str, collections: Path) -> None:
    assert [cause["id"] for cause in report(world, one, engine, collections)["causes"]] == list(one.scenario.expects)


@pytest.mark.parametrize("one", [one for one in NETWORKS if isinstance(one.proxy, Squid)], ids=lambda one: one.name)
def test_no_squid_saw_credentials(world: World, one: Network, collections: Path) -> None:
    """Whoever asked for a login, or for none."""
    for engine in (LOCAL, WINRM):
        outcome(world, engine, collections)
    asked = [line.split() for line in world.log(one.name).read_text(encoding="utf-8").splitlines()]
    assert {"CONNECT", "GET"} & {words[2] for words in asked}
    assert {tuple(words[-2:]) for words in asked} == {("-", "-")}


def test_nothing_of_the_networks_is_left(world: World, state: Path) -> None:
    """Also where what uses them fails."""
    prefix = f"appproxy-{os.getpid()}-small"

    def left() -> list[Path]:
        return list(Path("/run/netns").glob(f"{prefix}-*"))

    def fails() -> None:
        with World(world.folder / "small", NETWORKS[:1], state / "pki", prefix=prefix):
            assert len(left()) == 4
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fails()
    assert left() == []
    assert list(Path("/etc/netns").glob(f"{prefix}-*")) == []


def leftovers(stack: ExitStack, pid: int) -> tuple[subprocess.Popen[bytes], list[Path]]:
    """What a run of this process would have: a namespace with a program in it, its resolver, its folder."""
    name = f"appproxy-{pid}-router"
    subprocess.run(["ip", "netns", "add", name], check=True)
    paths = [Path("/run/netns", name), Path("/etc/netns", name), Path(tempfile.mkdtemp(prefix=f"appproxy-lab-{pid}-"))]
    stack.callback(lambda: [shutil.rmtree(path) for path in paths[1:] if path.exists()])
    stack.callback(lambda: paths[0].exists() and subprocess.run(["ip", "netns", "del", name], check=True))
    paths[1].mkdir(parents=True)
    for folder in paths[1:]:
        (folder / "resolv.conf").touch()
    program = stack.enter_context(subprocess.Popen(["ip", "netns", "exec", name, "sleep", "60"]))
    stack.callback(program.kill)
    return program, paths


def test_what_a_killed_run_left_is_swept_and_what_a_living_one_has_is_kept() -> None:
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with ExitStack() as stack:
        living, dead = (stack.enter_context(subprocess.Popen(["sleep", "60"])) for _number in range(2))
        stack.callback(living.kill)
        dead.kill()
        dead.wait()
        (kept_program, kept), (swept_program, swept) = leftovers(stack, living.pid), leftovers(stack, dead.pid)
        deadline = time.monotonic() + 10
        while not all(f"{program.pid}\n" in pids(paths[0]) for program, paths in ((kept_program, kept), (swept_program, swept))):
            assert time.monotonic() < deadline
        sweep()
        assert [path for path in swept if path.exists()] == []
        assert swept_program.wait(10) == -signal.SIGKILL
        assert [path for path in kept if not path.exists()] == []
        assert kept_program.poll() is None


def pids(namespace: Path) -> str:
    return subprocess.run(["ip", "netns", "pids", namespace.name], capture_output=True, text=True, check=True).stdout
