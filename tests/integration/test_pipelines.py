# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWX's engine runs the playbook, and what docs/pipelines.md gives to copy is what its readers take."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import ansible_runner
import pytest
import yaml
from integration import recorded
from integration.conftest import ROOT, Site

DOCS = ROOT / "docs"
PROGRAMS = Path(sys.executable).parent


def runner(site: Site, **extra: Any) -> Any:
    """One job of ansible-runner, in a folder of its own, over the site's servers."""
    site.command("appproxy.connector.preflight")
    private = site.path / "private"
    private.mkdir()
    return ansible_runner.run(
        private_data_dir=str(private), playbook="appproxy.connector.preflight", inventory=str(site.path / "inventory.json"), quiet=True,
        ident="job", extravars={"preflight_report_dir": str(site.path / "exposed"), "preflight_run_id": "job", **extra},
        envvars={**site.environment(JOB_ID="4711"), "PATH": f"{PROGRAMS}:{os.environ['PATH']}"},
    )


def test_awxs_engine_runs_it_and_the_reports_come_out(site: Site) -> None:
    site.add("walled", recorded.dropped)
    site.add("ready")
    (site.path / "publish.yml").write_text(yaml.safe_dump([
        {"name": "Copy", "ansible.builtin.copy": {"src": "{{ item }}", "dest": str(site.path / "published") + "/", "mode": "0640"},
         "loop": "{{ preflight_files }}", "delegate_to": "localhost"},
        {"name": "Folder", "ansible.builtin.debug": {"msg": "from {{ preflight_run_folder }}"}},
    ]), encoding="utf-8")
    done = runner(site, preflight_publish_tasks=str(site.path / "publish.yml"))
    assert (done.status, done.rc) == ("failed", 2)
    events = list(done.events)
    gated = {
        one["event_data"]["host"]: one["event"] for one in events
        if one["event"].startswith("runner_on_") and "Stop the servers" in one["event_data"].get("task", "") and "start" not in one["event"]
    }
    assert gated == {"walled": "runner_on_failed", "ready": "runner_on_ok"}
    (failed,) = [one for one in events if one["event"] == "runner_on_failed" and one["event_data"]["host"] == "walled"]
    assert failed["event_data"]["res"]["verdict"] == "not_ready"
    (stats,) = [one for one in events if one["event"] == "playbook_on_stats"]
    assert stats["event_data"]["artifact_data"]["appproxy_preflight_4711"]["hosts_not_ready"] == ["walled"]
    assert (site.path / "private" / "artifacts" / "job" / "stdout").is_file()
    # The exposed path, and the hook.
    assert json.loads((site.path / "exposed" / "job" / "fleet.json").read_text(encoding="utf-8"))["state"] == "complete"
    assert {"fleet.json", "report.html", "junit.xml"} <= {path.name for path in (site.path / "published").iterdir()}


def test_two_slices_are_one_report(site: Site) -> None:
    """A sliced job is several jobs, each with a part of the inventory."""
    site.add("walled", recorded.dropped)
    site.add("ready")
    for slice_ in ("walled", "ready"):
        site.run("appproxy.connector.preflight", "--limit", slice_, "-e", f"preflight_run_id={slice_}", JOB_ID=slice_)
    paths = [f"preflight-reports/{slice_}" for slice_ in ("walled", "ready")]
    merged = site.run("appproxy.connector.merge", "-e", json.dumps({"preflight_reports": paths, "preflight_run_id": "merged"}))
    assert merged.code == 0, merged.output
    fleet = json.loads((site.path / "preflight-reports" / "merged" / "fleet.json").read_text(encoding="utf-8"))
    assert fleet["counts"] == {"hosts": 2, "ready": 1, "not_ready": 1, "inconclusive": 0, "unreachable": 0, "without_result": 0}


@pytest.mark.parametrize(("file", "schema"), [
    ("github.yml", "vendor.github-workflows"), ("gitlab.yml", "vendor.gitlab-ci"), ("azure.yml", "vendor.azure-pipelines"),
])
def test_a_pipeline_is_as_its_reader_takes_it(file: str, schema: str) -> None:
    command = [PROGRAMS / "check-jsonschema", "--builtin-schema", schema, DOCS / "pipelines" / file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_an_execution_environment_can_be_built_of_its_definition(tmp_path: Path) -> None:
    command = [PROGRAMS / "ansible-builder", "create", "-f", DOCS / "awx" / "execution-environment.yml", "-c", tmp_path / "context"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "appproxy.connector" in (tmp_path / "context" / "_build" / "requirements.yml").read_text(encoding="utf-8")


def test_the_survey_and_the_pipelines_name_variables_of_the_role() -> None:
    specs = yaml.safe_load((ROOT / "roles" / "preflight" / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    known = specs["main"]["options"]
    template = yaml.safe_load((DOCS / "awx" / "controller.yml").read_text(encoding="utf-8"))["controller_templates"][0]
    for question in template["survey_spec"]["spec"]:
        option = known[question["variable"]]
        assert question.get("default") == option.get("default"), question
        assert question.get("choices", option.get("choices")) == option.get("choices")
    assert set(template["extra_vars"]) <= set(known)
