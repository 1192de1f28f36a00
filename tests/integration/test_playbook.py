# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook and the role, run by ansible-playbook: verdicts, files, exit codes, what a user sees."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration import recorded
from integration.conftest import Site

BAD = {"stages": recorded.password_wanted, "proxy": recorded.PROXY}
ROLE = "appproxy.connector.preflight"


def role_play(**keywords: Any) -> list[dict[str, Any]]:
    return [{"hosts": "all", "gather_facts": False, "roles": [{"role": ROLE}], **keywords}]


# --- who comes out how -------------------------------------------------------------------------------------------------


def test_all_ready(site: Site) -> None:
    site.add("one")
    site.add("two")
    run = site.run()
    assert run.code == 0, run.output
    assert run.verdicts() == {"one": "ready", "two": "ready"}
    assert run.fleet["state"] == "complete"
    assert "Ready: all 2 servers are ready." in run.output


@pytest.mark.parametrize("ready", [0, 1, 2])
def test_not_ready(site: Site, ready: int) -> None:
    for number in range(3):
        if number < ready:
            site.add(f"host{number}")
        else:
            site.add(f"host{number}", **BAD)
    run = site.run()
    assert run.code == 2, run.output
    assert list(run.verdicts().values()) == ["ready"] * ready + ["not_ready"] * (3 - ready)
    assert [run.recap(f"host{number}")["failed"] for number in range(3)] == [0] * ready + [1] * (3 - ready)


@pytest.mark.parametrize("reachable", [0, 1, 2])
def test_unreachable(site: Site, reachable: int) -> None:
    for number in range(3):
        if number < reachable:
            site.add(f"host{number}")
        else:
            site.add_unreachable(f"host{number}")
    run = site.run()
    assert run.code == 4, run.output
    assert list(run.verdicts().values()) == ["ready"] * reachable + ["inconclusive"] * (3 - reachable)
    assert [run.recap(f"host{number}")["unreachable"] for number in range(3)] == [0] * reachable + [1] * (3 - reachable)
    assert run.fleet["counts"]["unreachable"] == 3 - reachable


def mixed(site: Site) -> None:
    site.add("ready")
    site.add("refused", **BAD)
    site.add_unreachable("gone")


def test_one_of_each_ends_with_4(site: Site) -> None:
    mixed(site)
    run = site.run()
    assert run.code == 4, run.output
    assert run.verdicts() == {"ready": "ready", "refused": "not_ready", "gone": "inconclusive"}
    assert run.recap("gone")["unreachable"] == 1
    assert run.recap("refused")["failed"] == 1
    assert run.recap("ready") == {**run.recap("ready"), "failed": 0, "unreachable": 0, "changed": 0}


def test_warnings_and_unknowns_fail_only_where_asked(site: Site) -> None:
    site.add_unreachable("gone")
    site.add("refused", **BAD)
    site.hosts["refused"]["preflight_fail_on"] = "never"
    run = site.run()
    assert run.code == 4, "an unreachable host stays unreachable"
    assert run.recap("refused")["failed"] == 0
    assert run.verdicts()["refused"] == "not_ready", "the verdict does not depend on what fails"


def test_real_look_at_closed_ports(site: Site) -> None:
    """Not recorded: path_info looks, and every endpoint is led to a closed port of this machine."""
    closed = {target["id"]: f"127.0.0.1:{site.closed_port}" for target in site.requests()["targets"]}
    site.hosts["here"] = {
        "ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}", "preflight_connect_to": closed,
    }
    run = site.run("appproxy.connector.preflight", "-e", "preflight_save_observations=true")
    assert run.code == 2, run.output
    assert run.fleet["causes"][0]["id"] == "APC111"
    assert run.fleet["connect_to"]
    seen = json.loads((run.run_folder / "observations" / "here.json").read_text(encoding="utf-8"))
    assert len(seen["attempts"]) == len(closed)
    report = json.loads((run.run_folder / "hosts" / "here.json").read_text(encoding="utf-8"))
    assert {finding["seen_from"] for finding in report["findings"]} == {"controller"}


# --- how it is run -------------------------------------------------------------------------------------------------------


def test_serial_looks_at_all_before_the_gate(site: Site) -> None:
    mixed(site)
    run = site.run("appproxy.connector.preflight", "-e", "preflight_serial=1")
    assert run.code == 4, run.output
    assert len(run.verdicts()) == 3
    assert run.output.count("PLAY [Look at every server and judge]") == 3
    assert run.output.count("Servers: ") == 1


def test_role_with_serial_completes_with_the_last_batch(site: Site) -> None:
    site.add("one")
    site.add("two")
    run = site.run(role_play(serial=1))
    assert run.code == 0, run.output
    assert run.verdicts() == {"one": "ready", "two": "ready"}
    assert run.fleet["state"] == "complete"


def test_role_with_serial_that_stops_stays_in_progress(site: Site) -> None:
    site.add("one", **BAD)
    site.add("two")
    run = site.run(role_play(serial=1))
    assert run.code == 2, run.output
    assert run.fleet["state"] == "in_progress"
    assert run.verdicts() == {"one": "not_ready", "two": "inconclusive"}


def test_looking_under_any_strategy(site: Site) -> None:
    mixed(site)
    run = site.run("appproxy.connector.preflight", "-e", "preflight_strategy=free")
    assert run.code == 4, run.output
    assert len(run.verdicts()) == 3


@pytest.mark.parametrize("strategy", ["free", "ansible.builtin.host_pinned"])
def test_role_stops_under_a_strategy_that_ignores_run_once(site: Site, strategy: str) -> None:
    site.add("one")
    run = site.run(role_play(strategy=strategy))
    assert run.code == 2, run.output
    assert f"the strategy {strategy} ignores run_once" in run.output
    assert "Servers: " not in run.output


@pytest.mark.parametrize(("fatal", "installed_on"), [("false", {"ready"}), ("true", set())])
def test_what_comes_after_the_gate(site: Site, fatal: str, installed_on: set[str]) -> None:
    """Only ready servers go on; none does with any_errors_fatal."""
    site.add("ready")
    site.add("refused", **BAD)
    install = {"hosts": "all", "gather_facts": False, "tasks": [{"debug": {"msg": "installs on {{ inventory_hostname }}"}}]}
    run = site.run([{"import_playbook": "appproxy.connector.preflight"}, install], ANSIBLE_ANY_ERRORS_FATAL=fatal)
    assert run.code == 2, run.output
    assert set(re.findall(r"installs on (\w+)", run.output)) == installed_on


def test_any_errors_fatal_still_looks_and_reports(site: Site) -> None:
    site.add("refused", **BAD)
    site.add("ready")
    run = site.run(ANSIBLE_ANY_ERRORS_FATAL="true")
    assert run.code == 2, run.output
    assert run.verdicts() == {"refused": "not_ready", "ready": "ready"}


def test_any_errors_fatal_with_an_unreachable_host(site: Site) -> None:
    mixed(site)
    run = site.run(ANSIBLE_ANY_ERRORS_FATAL="true")
    assert run.code == 4, run.output
    assert len(run.verdicts()) == 3


def test_check_mode_does_the_same(site: Site) -> None:
    mixed(site)
    run = site.run("appproxy.connector.preflight", "--check", "--diff")
    assert run.code == 4, run.output
    assert len(run.verdicts()) == 3


def test_limit_is_the_fleet(site: Site) -> None:
    mixed(site)
    run = site.run("appproxy.connector.preflight", "--limit", "ready")
    assert run.code == 0, run.output
    assert run.verdicts() == {"ready": "ready"}


def test_hosts_by_variable(site: Site) -> None:
    mixed(site)
    run = site.run("appproxy.connector.preflight", "-e", "preflight_hosts=ready:refused")
    assert run.verdicts() == {"ready": "ready", "refused": "not_ready"}


@pytest.mark.parametrize("hosts", ["nogroup", "ready:!ready", '["no", "group"]'])
def test_pattern_without_a_server_fails(site: Site, hosts: str) -> None:
    """Ansible alone would end with 0."""
    mixed(site)
    run = site.run("appproxy.connector.preflight", "-e", json.dumps({"preflight_hosts": json.loads(hosts) if "[" in hosts else hosts}))
    assert run.code == 2, run.output
    (line,) = (line for line in run.output.splitlines() if line.startswith("fatal:"))
    named = "no,group" if "[" in hosts else hosts
    assert json.loads(line.split("=> ", maxsplit=1)[1])["msg"] == (
        f"No server of the inventory matches preflight_hosts: {named}. Nothing was looked at."
    )
    assert "PLAY [Look" not in run.output
    assert not run.folder.exists()


def test_inventory_without_a_server_fails_before_what_comes_next(site: Site) -> None:
    install = {"hosts": "localhost", "gather_facts": False, "tasks": [{"debug": {"msg": "installs"}}]}
    run = site.run([{"import_playbook": "appproxy.connector.preflight"}, install])
    assert run.code == 2, run.output
    assert "matches preflight_hosts: all." in run.output
    assert "installs" not in run.output


@pytest.mark.parametrize("arguments", [
    (), ("--limit", "two"), ("-e", '{"preflight_hosts": ["two", "nobody"]}'), ("-e", "preflight_strategy=free"),
])
def test_check_for_a_server_is_not_seen_where_there_is_one(site: Site, arguments: tuple[str, ...]) -> None:
    site.add("one")
    site.add("two")
    run = site.run("appproxy.connector.preflight", *arguments)
    assert run.code == 0, run.output
    assert "localhost" not in run.output
    assert "no hosts matched" not in run.output
    assert run.verdicts()["two"] == "ready"


def test_unreachable_servers_are_one_block(site: Site) -> None:
    for number in range(3):
        site.add_unreachable(f"gone{number}")
        site.hosts[f"gone{number}"]["ansible_host"] = f"127.0.0.{number + 1}"
    run = site.run()
    assert run.code == 4, run.output
    (cause,) = run.fleet["causes"]
    assert cause["title"] == "Ansible could not reach or observe the server"
    assert cause["hosts"] == ["gone0", "gone1", "gone2"]
    assert console(run.output).count("APC901") == 1
    for number, host in enumerate(run.fleet["hosts"]):
        assert f"127.0.0.{number + 1}" in host["summary"], "the words of the connection stay with the host"


def test_empty_variables_are_not_given(site: Site) -> None:
    """A form hands over '' for each field that nobody filled in."""
    specs = yaml.safe_load((Path(__file__).parents[2] / "roles/preflight/meta/argument_specs.yml").read_text(encoding="utf-8"))
    names = {*specs["argument_specs"]["main"]["options"], "preflight_hosts", "preflight_serial", "preflight_strategy"}
    empty = dict.fromkeys(names - {"preflight_tenant_id"}, "")
    site.add_unreachable("gone")
    judged = []
    for more in ({}, empty):
        run = site.run(
            "appproxy.connector.preflight", "-e", json.dumps(more), variables={"preflight_tenant_id": recorded.TENANT},
            ANSIBLE_SHOW_CUSTOM_STATS="true",
        )
        assert run.code == 4, run.output
        assert [cause["id"] for cause in run.fleet["causes"]] == ["APC901"]
        assert '"appproxy_preflight"' in run.output
        report = json.loads((run.run_folder / "hosts" / "gone.json").read_text(encoding="utf-8"))
        judged.append({key: value for key, value in report["judged"].items() if key != "as_of"})
    assert judged[0] == judged[1]
    assert len(list(run.folder.iterdir())) == 2, "each run has an id of its own"


def test_lists_and_maps_as_text(site: Site) -> None:
    """-e name=value and forms hand over text."""
    site.add("one", endpoints=["a.example:443"])
    site.hosts["one"].pop("preflight_endpoints")
    day = f"{recorded.SEEN_AT:%Y-%m-%d}"
    texts = {
        "preflight_endpoints": '["a.example:443"]', "preflight_connect_to": '{"b.example:443": "192.0.2.1:443"}',
        "preflight_waivers": f'[{{"id": "APC112", "until": "{day}", "reason": "Ticket 4711"}}]',
    }
    run = site.run("appproxy.connector.preflight", *(part for name, text in texts.items() for part in ("-e", f"{name}='{text}'")))
    assert run.verdicts() == {"one": "not_ready"}, run.output
    report = json.loads((run.run_folder / "hosts" / "one.json").read_text(encoding="utf-8"))
    assert "a.example:443" in json.dumps(report["findings"])
    assert f"The waiver of APC112 until {day} covers nothing here." in report["remarks"]


def test_killed_run_stays_in_progress(site: Site) -> None:
    """One host is there and never answers; the run is killed while it waits for it."""
    site.add("ready")
    site.add_unreachable("silent")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(60)
        site.hosts["silent"]["ansible_port"] = listener.getsockname()[1]
        process = subprocess.Popen(
            site.command("appproxy.connector.preflight"), cwd=site.path, env=site.environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )
        try:
            held, _peer = listener.accept()
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)
        held.close()
    (folder,) = (site.path / "preflight-reports").iterdir()
    fleet = json.loads((folder / "fleet.json").read_text(encoding="utf-8"))
    assert fleet["state"] == "in_progress"
    assert "verdict" not in fleet


# --- files -----------------------------------------------------------------------------------------------------------------


def test_host_names_lead_nowhere(site: Site) -> None:
    site.add("../x")
    site.add("..")
    site.add("x" * 300)
    run = site.run()
    assert run.code == 0, run.output
    files = sorted(path for path in site.path.rglob("*.json") if "saved" not in path.parts)
    inside = [path for path in files if run.run_folder in path.parents]
    assert {path.name for path in files if path not in inside} == {"inventory.json"}
    names = sorted(path.name for path in (run.run_folder / "hosts").iterdir())
    assert names[:2] == ["%2E%2E%2Fx.json", "%2E%2E.json"]
    assert len(names) == 3
    assert all(host["file"] and (run.run_folder / host["file"]).is_file() for host in run.fleet["hosts"])


def test_files_are_not_for_everyone(site: Site) -> None:
    site.add("one")
    run = site.run("appproxy.connector.preflight", "-e", "preflight_save_observations=true", "-e", '{"preflight_formats": ["html"]}')
    files = [path for path in run.folder.rglob("*") if path.is_file()]
    named = {"fleet.json", "tenant.json", "report.html", "hosts/one.json", "observations/one.json"}
    assert {path.relative_to(run.run_folder).as_posix() for path in files} == named
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o640}
    folders = [run.folder, *(path for path in run.folder.rglob("*") if path.is_dir())]
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o027 == 0 for path in folders)


def test_saved_observations_are_judged_again(site: Site) -> None:
    site.add("refused", **BAD)
    first = site.run("appproxy.connector.preflight", "-e", "preflight_save_observations=true")
    site.hosts["refused"]["preflight_observations"] = str(first.run_folder / "observations")
    again = site.run("appproxy.connector.preflight", "-e", "preflight_run_id=again")
    reports = [json.loads((folder / "hosts" / "refused.json").read_text(encoding="utf-8")) for folder in sorted(first.folder.iterdir())]
    assert again.code == 2
    assert reports[0]["findings"] == reports[1]["findings"]
    assert reports[0]["judged"] == reports[1]["judged"]


def test_host_report_is_the_result_without_what_only_ansible_reads(site: Site) -> None:
    site.add("refused", **BAD)
    run = site.run()
    report = json.loads((run.run_folder / "hosts" / "refused.json").read_text(encoding="utf-8"))
    assert list(report)[:3] == ["schema", "host", "run_id"]
    assert not {"failed", "changed", "msg", "rc", "skipped", "results", "invocation", "observation", "failed_when_result"} & set(report)
    assert [finding["id"] for finding in report["findings"] if finding["status"] == "fail"] == ["APC122"]


def test_looking_and_gating_in_different_runs(site: Site) -> None:
    """With a run id of one's own; and an earlier run's result never stands in for one that is missing."""
    site.add("one")
    observe = [{"hosts": "all", "gather_facts": False, "tasks": [{"import_role": {"name": ROLE, "tasks_from": "observe"}}]}]
    gate = [{"hosts": "all", "gather_facts": False, "tasks": [{"import_role": {"name": ROLE, "tasks_from": "gate"}}]}]
    assert site.run(observe, "-e", "preflight_run_id=mine").code == 0
    assert site.run(gate, "-e", "preflight_run_id=mine").code == 0
    assert site.run(observe, "-e", "preflight_run_id=mine", "-e", "preflight_proxy=nonsense").code == 2
    run = site.run(gate, "-e", "preflight_run_id=mine")
    assert run.code == 2
    assert "No result of this run" in run.output


def test_workflows_get_a_small_summary(site: Site) -> None:
    mixed(site)
    run = site.run("appproxy.connector.preflight", ANSIBLE_SHOW_CUSTOM_STATS="true", JOB_ID="17")
    line = next(line for line in run.output.splitlines() if "appproxy_preflight_17" in line)
    summary = json.loads(line.split("RUN:", maxsplit=1)[1])["appproxy_preflight_17"]
    assert summary["counts"]["hosts"] == 3
    assert summary["hosts_not_ready"] == ["refused", "gone"]
    assert summary["report"] == str(run.run_folder / "fleet.json")


# --- bad options: one clear line, before anything is touched ------------------------------------------------------------

BAD_OPTIONS = {
    # Variables, what the message says once, what it ends with.
    "no tenant": ({"preflight_tenant_id": ""}, "tenant_id", "leave out what needs it."),
    "tenant no GUID": (
        {"preflight_tenant_id": "contoso.example"}, "tenant_id: 'contoso.example' is not a tenant id",
        "leave out what needs it.",
    ),
    "cloud": ({"preflight_cloud": "mars"}, "mars", "public, usgov"),
    "china": ({"preflight_cloud": "china"}, "21Vianet", "public, usgov"),
    "proxy": (
        {"preflight_proxy": "proxy.example:8080"}, "proxy: 'proxy.example:8080' is not known",
        "(with http:// and the port).",
    ),
    "deadline": ({"preflight_deadline": -1}, "deadline: '-1' is not a number of seconds", "from 5 to 600."),
    "deadline no number": ({"preflight_deadline": "soon"}, "deadline", "cannot be converted to an int"),
    "endpoint": ({"preflight_endpoints": ["nonsense"]}, "nonsense", "or http://host[:port][/path]"),
    "check": ({"preflight_checks": ["APC999"]}, "checks: 'APC999'", "nor a finding id of this release."),
    "skipped check": ({"preflight_skip_checks": ["weather"]}, "skip_checks: 'weather'", "nor a finding id of this release."),
    "waiver without date": (
        {"preflight_waivers": [{"id": "APC112", "reason": "because"}]}, "waivers, number 1: 'until' is missing",
        "as YYYY-MM-DD",
    ),
    "connect_to": ({"preflight_connect_to": {"a:443": "nowhere"}}, "connect_to", "login.microsoftonline.com:443: 192.0.2.7:443."),
    "version": ({"preflight_connector_version": "newest"}, "connector_version", "like 1.5.3437.0"),
    "fail_on": ({"preflight_fail_on": "sometimes"}, "fail_on", "got: sometimes"),
    "unknown": ({"preflight_unknown": "ignore"}, "unknown", "got: ignore"),
    "as_of": ({"preflight_as_of": "yesterday"}, "as_of: 'yesterday' is no time", "or 2026-11-26T01:15:00Z."),
    "public_roots": (
        {"preflight_public_roots": "/nowhere/roots.pem"}, "public_roots: '/nowhere/roots.pem'",
        "No such file or directory: '/nowhere/roots.pem'",
    ),
    "run_id": ({"preflight_run_id": "../up"}, "run_id: '../up' cannot name a folder", "the first a letter or digit."),
    "proxy without a port": (
        {"preflight_proxy": "http://proxy.example"}, "proxy: 'http://proxy.example' is not an address", "for example http://proxy.example:8080.",
    ),
    "waivers as broken JSON": ({"preflight_waivers": '[{"id": "APC112"}'}, "waivers: the text begins as JSON does", "(char 17)."),
    "endpoints as broken JSON": ({"preflight_endpoints": '["a.example:443"'}, "endpoints: the text begins as JSON does", "(char 16)."),
    "connect_to as broken JSON": ({"preflight_connect_to": "{a:443"}, "connect_to: the text begins as JSON does", "(char 1)."),
}


@pytest.mark.parametrize("name", BAD_OPTIONS)
def test_bad_option(site: Site, name: str) -> None:
    """The host is one that could not be reached: nothing tries to."""
    options, words, end = BAD_OPTIONS[name]
    site.add_unreachable("gone")
    run = site.run(variables={**site.variables, **options})
    assert run.code == 2, run.output
    (line,) = (line for line in run.output.splitlines() if line.startswith("fatal:"))
    message = json.loads(line.split("=> ", maxsplit=1)[1])
    assert set(message) <= {"changed", "msg"}, "a message and no dump"
    assert message["msg"].count(words) == 1, "said once"
    assert message["msg"].endswith(end), "and nothing follows"
    assert "caused by" not in run.output
    assert "Traceback" not in run.output
    assert run.recap("gone") == {**run.recap("gone"), "failed": 1, "unreachable": 0}


# --- what a user sees ------------------------------------------------------------------------------------------------------


def console(output: str) -> str:
    """From the verdict to the path of the report; path and this machine's words of refusal replaced."""
    text = re.search(r"^(?:Ready|Not ready|Inconclusive):.*?^Report: .*?$", output, re.MULTILINE | re.DOTALL)
    assert text, output
    return re.sub(r"^Report: .*", "Report: FLEET.JSON", text[0], flags=re.MULTILINE) + "\n"


def golden(name: str, text: str) -> None:
    path = Path(__file__).parent / "golden" / name
    if os.environ.get("APPPROXY_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_console_text(site: Site) -> None:
    for number in range(4):
        site.add(f"proxied{number}", **BAD)
    site.add("walled", recorded.dropped)
    site.add("ready1")
    site.add("ready2")
    run = site.run()
    text = console(run.output)
    proxied = {f"proxied{number}": "not_ready" for number in range(4)}
    assert run.verdicts() == {**proxied, "walled": "not_ready", "ready1": "ready", "ready2": "ready"}
    golden("mixed.txt", text)
    assert all(len(line) <= 80 for line in text.splitlines())
    words = "".join(text.split())
    for cause in run.fleet["causes"]:
        assert "".join(cause["title"].split()) in words, "the same words as in JSON"
        assert "".join(cause["hint"].split()) in words
    assert "=> {" not in run.output.split("PLAY [Report", maxsplit=1)[0], "no dump of a result"


def test_console_text_all_ready(site: Site) -> None:
    site.add("one")
    run = site.run()
    assert run.verdicts() == {"one": "ready"}
    golden("ready.txt", console(run.output))


def test_what_a_target_says_cannot_steer_the_terminal(site: Site) -> None:
    evil = "\x1b[2J\x1b[31m{{ 7*7 }}\r\nReady: all servers are ready.\u202e"
    site.add("evil")
    site.hosts["evil"]["preflight_observations"] = str(recorded.save(site.path / "evil.json", {"schema": evil}))
    run = site.run()
    assert run.code == 2, run.output
    assert "\x1b" not in run.output
    assert "\u202e" not in run.output
    assert "49" not in console(run.output)
    assert not re.search(r"^Ready:", run.output, re.MULTILINE)
