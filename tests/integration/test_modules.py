# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules by their full names, as a task of one's own would call them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from integration import recorded
from integration.conftest import Site

MODULES = ("connectivity", "preflight", "report", "gate", "connector_info", "path_info")


def task_play(*tasks: dict[str, Any], **keywords: Any) -> list[dict[str, Any]]:
    return [{"hosts": "all", "gather_facts": False, "tasks": list(tasks), **keywords}]


def kept(name: str) -> dict[str, Any]:
    """Writes a registered result to <name>.json beside the playbook."""
    return {"copy": {"content": "{{ " + name + " }}", "dest": "{{ playbook_dir }}/" + name + ".json"}, "delegate_to": "localhost"}


@pytest.mark.parametrize("name", MODULES)
def test_documentation_is_whole(site: Site, name: str) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-doc"), "--json", "-t", "module", f"appproxy.connector.{name}"],
        cwd=site.path, env=site.environment(), capture_output=True, text=True, check=False, timeout=60,
    )
    assert done.returncode == 0, done.stderr
    page = json.loads(done.stdout)[f"appproxy.connector.{name}"]
    assert page["doc"]["has_action"]
    assert page["doc"]["short_description"]
    assert page["examples"].strip()
    assert page["return"]
    assert page["doc"]["attributes"]["check_mode"]["support"] == "full"
    assert page["doc"]["attributes"]["async"]["support"] == "none"


@pytest.mark.parametrize("name", ["connectivity", "preflight"])
def test_group_defaults_and_shape_of_the_result(site: Site, name: str) -> None:
    site.add("refused", recorded.password_wanted, proxy=recorded.PROXY)
    defaults = {"tenant_id": recorded.TENANT, "proxy": recorded.PROXY, "fail_on": "never"}
    defaults |= {"public_roots": "{{ preflight_public_roots }}", "observations": "{{ preflight_observations }}"}
    tasks = ({f"appproxy.connector.{name}": {}, "register": "result"}, kept("result"))
    run = site.run(task_play(*tasks, module_defaults={"group/appproxy.connector.preflight": defaults}))
    assert run.code == 0, run.output
    result = json.loads((site.path / "result.json").read_text(encoding="utf-8"))
    assert result["verdict"] == "not_ready"
    assert result["msg"].startswith(result["summary"])
    assert not {"rc", "skipped", "results", "invocation", "observation", "ansible_facts"} & set(result)
    assert result["changed"] is result["failed"] is False


def test_judging_fails_the_host_by_itself(site: Site) -> None:
    site.add("refused", recorded.password_wanted, proxy=recorded.PROXY)
    arguments = {"tenant_id": recorded.TENANT, "proxy": recorded.PROXY, "observations": "{{ preflight_observations }}"}
    run = site.run(task_play({"appproxy.connector.preflight": arguments}))
    assert run.code == 2, run.output
    assert "APC122" in run.output


def test_unreachable_host_is_a_result(site: Site) -> None:
    site.add_unreachable("gone")
    tasks = ({"appproxy.connector.preflight": {"tenant_id": "none", "unknown": "report"}, "register": "result"}, kept("result"))
    run = site.run(task_play(*tasks))
    assert run.code == 0, run.output
    result = json.loads((site.path / "result.json").read_text(encoding="utf-8"))
    assert result["reached"] is False
    assert result["verdict"] == "inconclusive"
    assert [cause["id"] for cause in result["causes"]] == ["APC901"]


def test_missing_saved_observation_is_inconclusive(site: Site) -> None:
    site.add("one")
    run = site.run(task_play({"appproxy.connector.preflight": {"tenant_id": "none", "observations": "nowhere"}}))
    assert run.code == 2, run.output
    assert "there is no saved observation" in run.output
    assert "APC901" in run.output


def test_interpreter_that_is_missing_is_a_text(site: Site) -> None:
    site.hosts["bare"] = {"ansible_connection": "local", "ansible_python_interpreter": "/nowhere/python3"}
    tasks = ({"appproxy.connector.preflight": {"tenant_id": "none", "unknown": "report"}, "register": "result"}, kept("result"))
    run = site.run(task_play(*tasks))
    assert run.code == 0, run.output
    result = json.loads((site.path / "result.json").read_text(encoding="utf-8"))
    assert result["reached"] is True
    (finding,) = (finding for finding in result["findings"] if finding["id"] == "APC901")
    assert "/nowhere/python3" in finding["evidence"]["error"]


def test_information_modules_are_for_one_platform(site: Site) -> None:
    site.add("posix")
    site.add_unreachable("windows")
    request = {"schema": 1, "targets": [], "paths": [{"id": "direct", "ways": ["direct"]}]}
    wrong = {"posix": "connector_info", "windows": "path_info"}
    for host, name in wrong.items():
        run = site.run(task_play({f"appproxy.connector.{name}": {"request": request}}), "--limit", host)
        other = ({"connector_info", "path_info"} - {name}).pop()
        assert run.code == 2, run.output
        assert f"use appproxy.connector.{other}" in run.output


def test_async_is_refused(site: Site) -> None:
    """Ansible's own loop would poll the job and never judge."""
    site.add("one")
    run = site.run(task_play({"appproxy.connector.preflight": {"tenant_id": "none"}, "async": 60, "poll": 1}))
    assert run.code == 2
    assert "async" in run.output


def test_report_refuses_what_is_no_result(site: Site) -> None:
    site.add("one")
    run = site.run(task_play({"appproxy.connector.report": {"part": "host", "result": {"verdict": "ready"}}}))
    assert run.code == 2
    assert "result is not what a judging module of appproxy.connector returned: it has no" in run.output
    run = site.run(task_play({"appproxy.connector.report": {"part": "host"}}))
    assert run.code == 2
    assert "part is host but all of the following are missing: result" in run.output


def test_disk_that_refuses_is_one_line(site: Site) -> None:
    site.add("one")
    (site.path / "preflight-reports").write_text("a file is in the way", encoding="utf-8")
    run = site.run()
    assert run.code == 2
    assert "cannot" in run.output
    assert "Traceback" not in run.output


def test_gate_without_a_report_fails(site: Site) -> None:
    site.add("one")
    run = site.run(task_play({"appproxy.connector.gate": {"unknown": "report"}}))
    assert run.code == 2
    assert "No result of this run" in run.output
