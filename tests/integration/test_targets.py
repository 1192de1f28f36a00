# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Targets and controllers that cannot do their part: said as a finding of the tool, never as a fault of the network, never a pass."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.release import __version__ as core
from integration.conftest import Run, Site
from lab.personalities import SERVER_2022
from lab.play import find_powershell
from lab.winrm import Trouble, WinRMServer


@pytest.fixture
def play(site: Site) -> Any:
    """One run of the playbook over one host that is really looked at."""
    def run(variables: Mapping[str, Any], **environment: str) -> tuple[Run, dict[str, Any]]:
        site.hosts["server"] = dict(variables)
        done = site.run("appproxy.connector.preflight", "-e", "preflight_deadline=5", **environment)
        report = json.loads(next((done.run_folder / "hosts").iterdir()).read_text(encoding="utf-8"))
        return done, report

    return run


def local(folder: Path, *, lines: str = "") -> dict[str, Any]:
    """A local connection whose Python first runs `lines`."""
    if not lines:
        return {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (folder / "sitecustomize.py").write_text(lines, encoding="utf-8")
    wrapper = folder / "python"
    wrapper.write_text(f'#!/bin/sh\nPYTHONPATH="{folder}" exec "{sys.executable}" "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    return {"ansible_connection": "local", "ansible_python_interpreter": str(wrapper)}


def only_cause(report: Mapping[str, Any]) -> Mapping[str, Any]:
    assert (report["verdict"], len(report["causes"])) == ("inconclusive", 1), report["summary"]
    return dict(report["causes"][0])


def test_a_python_that_is_too_old_is_named(play: Any, tmp_path: Path) -> None:
    if tuple(map(int, core.split(".")[:2])) >= (2, 20):
        pytest.skip(f"ansible-core {core} itself refuses the Pythons that path_info is too new for")
    old = tmp_path / "old"
    old.mkdir()
    done, report = play(local(old, lines="import sys\nsys.version_info = (3, 8, 18, 'final', 0)\n"))
    cause = only_cause(report)
    assert (cause["id"], done.code) == ("APC904", 2)
    assert "3.8.18" in cause["title"]


def test_a_library_that_the_controller_lacks_is_named_with_where_to_add_it(play: Any, tmp_path: Path) -> None:
    shadow = tmp_path / "shadow"
    shadow.mkdir()
    (shadow / "certifi.py").write_text("raise ImportError('No module named certifi', name='certifi')\n", encoding="utf-8")
    done, report = play(local(tmp_path), PYTHONPATH=str(shadow))
    cause = only_cause(report)
    assert (cause["id"], done.code) == ("APC905", 2)
    assert "certifi" in cause["title"]
    assert "requirements.txt" in cause["hint"]
    assert "meta/execution-environment.yml" in cause["hint"]


def test_an_interpreter_that_is_not_there_is_a_finding_and_no_traceback(play: Any) -> None:
    done, report = play({"ansible_connection": "local", "ansible_python_interpreter": "/nonexistent/python3"})
    assert (only_cause(report)["id"], done.code) == ("APC901", 2)
    assert "/nonexistent/python3" in report["summary"]
    assert "Traceback" not in done.output


@pytest.mark.parametrize("trouble", [Trouble.REFUSE, Trouble.SILENT, Trouble.UNAUTHORIZED])
def test_a_windows_server_that_cannot_be_reached(play: Any, trouble: Trouble) -> None:
    with WinRMServer(SERVER_2022, trouble=trouble) as server:
        done, report = play(server.inventory_vars(operation_seconds=2))
    assert (only_cause(report)["id"], report["reached"], done.code) == ("APC901", False, 4)
    assert done.recap("server")["unreachable"] == 1


def test_a_windows_server_that_breaks_in_the_middle(play: Any) -> None:
    if find_powershell() is None:
        pytest.skip("pwsh is not on PATH")
    with WinRMServer(SERVER_2022, trouble=Trouble.BREAKS) as server:
        done, report = play(server.inventory_vars(operation_seconds=20))
    assert only_cause(report)["id"] == "APC901"
    assert done.code in (2, 4)


@pytest.mark.parametrize(("windows", "module", "other"), [(True, "path_info", "connector_info"), (False, "connector_info", "path_info")])
def test_the_raw_modules_refuse_the_other_platform_and_name_the_other_module(
    site: Site, windows: bool, module: str, other: str
) -> None:
    if windows:
        site.add_unreachable("server")
    else:
        site.hosts["server"] = {"ansible_connection": "local"}
    done = site.run([{"hosts": "server", "gather_facts": False, "tasks": [{f"appproxy.connector.{module}": {"request": {}}}]}])
    assert done.code == 2
    assert f"appproxy.connector.{other}" in done.output
