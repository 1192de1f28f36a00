# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The root part of the lab: real names and ports, name servers, firewalls and proxies in network namespaces, through both engines.

One run of the playbook for each engine takes all servers.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from lab.network import World, missing
from lab.networks import NETWORKS, PROXIES_BY_NAME_OR_GONE, Network
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


def report(world: World, one: Network, engine: str, collections: Path) -> Mapping[str, Any]:
    played = outcome(world, engine, collections)
    assert one.name in played.hosts, played.text[-4000:]
    return played.hosts[one.name]


@pytest.mark.parametrize("engine", [LOCAL, WINRM])
@pytest.mark.parametrize("one", NETWORKS, ids=lambda one: one.name)
def test_the_network_comes_out_as_designed(world: World, one: Network, engine: str, collections: Path) -> None:
    said = report(world, one, engine, collections)
    assert differences(one.scenario, said) == [], said["summary"]
    assert not said["judged"]["connect_to"]


@pytest.mark.parametrize("one", NETWORKS, ids=lambda one: one.name)
def test_both_engines_give_the_same_codes(world: World, one: Network, collections: Path) -> None:
    from ansible_collections.appproxy.connector.plugins.plugin_utils.judge.run import OF_THE_SERVER

    local, winrm = (report(world, one, engine, collections) for engine in (LOCAL, WINRM))
    codes = [{(found["id"], found["status"]) for found in said["findings"] if found["id"] not in OF_THE_SERVER} for said in (local, winrm)]
    assert codes[0] == codes[1], f"{local['summary']}\n{winrm['summary']}"


@pytest.mark.parametrize("one", NETWORKS, ids=lambda one: one.name)
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


def test_nothing_of_the_networks_is_left(world: World, state: Path) -> None:
    """Also where what uses them fails."""

    def left() -> list[str]:
        listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout.split()
        return [name for name in listed if name.startswith("appproxy-small-")]

    def fails() -> None:
        with World(world.folder / "small", NETWORKS[:1], state / "pki", prefix="appproxy-small"):
            assert len(left()) == 4
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fails()
    assert left() == []
    assert list(Path("/etc/netns").glob("appproxy-small-*")) == []
