# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a run's reports on the controller, and says at the end what came out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible.utils.display import Display

from ..module_utils._argspecs import REPORT_OPTIONS, REPORT_REQUIRED_IF
from ..plugin_utils.action_base import ControllerAction, awx_job, fail, now, options_of, run_of, started_at
from ..plugin_utils.model import TIME_FORMAT
from ..plugin_utils.report import baseline, console, files, fleet_json, host_json, tenant_json
from ..plugin_utils.report.formats import FORMATS, Material
from ..plugin_utils.report.rows import TENANT, Subjects, subjects
from ..plugin_utils.report.saved import Saved

WITHOUT_RUN_ONCE = ("free", "host_pinned", "mitogen_free", "mitogen_host_pinned")


class ActionModule(ControllerAction):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        args = options_of(self, REPORT_OPTIONS, required_if=REPORT_REQUIRED_IF)
        parts: dict[str, Callable[[Mapping[str, Any], str, Path, Mapping[str, Any]], dict[str, Any]]]
        parts = {"begin": self._begin, "tenant": self._tenant, "host": self._host, "fleet": self._fleet, "merge": self._merge}
        try:
            _check_formats(args["formats"])
            run_id, folder = run_of(args)
            return {"changed": False, "run_id": run_id, **parts[args["part"]](args, run_id, folder, task_vars or {})}
        except (files.FilesError, host_json.NotAResultError) as error:
            raise fail(error) from None

    def _begin(self, args: Mapping[str, Any], run_id: str, folder: Path, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Also takes away what an earlier run with the same id said of this host.

        The first host that asks begins the fleet's report, anew where an earlier run with the same id left one. The others
        find it by the time at which this run of Ansible began, and leave it alone.
        """
        path = files.fleet_file(folder)
        at = started_at()
        begun = files.read(path)
        first = begun is None or begun.get("state") != "in_progress" or begun.get("started_at") != at
        if first:
            _baseline(args, folder)  # Read once: it grows with the fleet. Where it is wrong nothing is begun, and each host says so.
        files.remove(files.host_file(folder, variables["inventory_hostname"]))
        if first:
            for made in FORMATS.values():
                for name in made:
                    files.remove(folder / name)
            files.write(path, host_json.dump(fleet_json.begin(run_id, at)))
        return {"path": str(path)}

    def _tenant(self, args: Mapping[str, Any], run_id: str, folder: Path, variables: Mapping[str, Any]) -> dict[str, Any]:
        path = files.tenant_file(folder)
        files.write(path, host_json.dump(tenant_json.build(run_id, started_at(), args["result"])))
        return {"path": str(path)}

    def _host(self, args: Mapping[str, Any], run_id: str, folder: Path, variables: Mapping[str, Any]) -> dict[str, Any]:
        host = variables["inventory_hostname"]
        path = files.host_file(folder, host)
        files.write(path, host_json.dump(host_json.build(host, run_id, args["result"])))
        if args["save_observation"] and args["result"].get("observation"):
            files.write(files.observation_file(folder, host), host_json.dump(args["result"]["observation"]))
        return {"path": str(path)}

    def _fleet(self, args: Mapping[str, Any], run_id: str, folder: Path, variables: Mapping[str, Any]) -> dict[str, Any]:
        strategy = self._templar.template(self._task.get_play().strategy)
        if strategy.rpartition(".")[2] in WITHOUT_RUN_ONCE:
            raise files.FilesError(
                f"The fleet's report is made once for all servers, and the strategy {strategy} ignores run_once: "
                "report and gate in a play of their own with strategy linear, as the playbook appproxy.connector.preflight does."
            )
        hosts = list(variables["ansible_play_hosts_all"])
        # With serial the report is made once a batch; the batch with the play's last host completes it.
        last = not hosts or hosts[-1] in variables["ansible_play_batch"]
        tenant = tenant_json.of_run(files.read(files.tenant_file(folder)), started_at())
        return _complete(args, run_id, folder, hosts, tenant, variables, last=last)

    def _merge(self, args: Mapping[str, Any], run_id: str, folder: Path, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Runs, or slices of one, to one report. Of a host that is in several the last one given counts."""
        _baseline(args, folder)
        saved = [Saved.at(path, folder, "reports") for path in args["reports"]]
        if not saved:
            raise files.FilesError("reports: name the fleet.json of each run that is to be merged.")
        hosts = list(dict.fromkeys(host for one in saved for host in one.hosts))
        for host in hosts:
            known = [report for one in saved if host in one.hosts and (report := one.of(host)) is not None]
            if known:
                files.write(files.host_file(folder, host), host_json.dump({**known[-1], "run_id": run_id}))
            else:
                files.remove(files.host_file(folder, host))
        tenant = next((one.tenant for one in reversed(saved) if one.tenant), None)
        if tenant is not None:
            files.write(files.tenant_file(folder), host_json.dump({**tenant, "run_id": run_id, "started_at": started_at()}))
        files.remove(files.fleet_file(folder))
        return _complete(args, run_id, folder, hosts, tenant, variables, last=True)


def _complete(
    args: Mapping[str, Any], run_id: str, folder: Path, hosts: list[str], tenant: Mapping[str, Any] | None, variables: Mapping[str, Any],
    *, last: bool,
) -> dict[str, Any]:
    """fleet.json, the text, the other formats, and what workflows get. `last`: no other batch of hosts will come."""
    path = files.fleet_file(folder)
    begun = files.read(path) or fleet_json.begin(run_id, started_at())
    seen = subjects(lambda: (_row(folder, host) for host in hosts), tenant)
    earlier = _baseline(args, folder) if last else None
    compared = None if earlier is None else baseline.compare(seen, earlier.subjects(), earlier.run_id)
    told = None if compared is None else compared.as_dict()
    rows = (_row(folder, host) for host in hosts)
    fleet = fleet_json.build(begun, rows, now().strftime(TIME_FORMAT), tenant, told, complete=last)
    if compared is not None:
        fleet["remarks"].insert(0, compared.remark)
    files.write(path, host_json.dump(fleet))
    made = _write_formats(args["formats"], folder, fleet, seen, compared.states if compared else {}) if last else []
    Display().display("\n".join(["", *console.lines(fleet, str(path))]))
    # Slices of one AWX job, and jobs of one workflow, would overwrite each other's key.
    key = "_".join(filter(None, (args["stats_key"], awx_job(variables))))
    data = {key: fleet_json.stats(fleet, str(path))}
    answer = {name: fleet[name] for name in ("state", "verdict", "counts")}
    stats = {"data": data, "per_host": False, "aggregate": False}
    return {"msg": fleet["summary"], **answer, "path": str(path), "files": made, "ansible_stats": stats}


def _baseline(args: Mapping[str, Any], folder: Path) -> Saved | None:
    return Saved.at(args["baseline"], folder) if args["baseline"] else None


def _check_formats(names: list[str]) -> None:
    """Before anything is looked at: the end of a long run is late for a misspelt word."""
    unknown = [name for name in names if name not in FORMATS]
    if unknown:
        raise files.FilesError(f"formats: '{unknown[0]}' is not known. Write some of: {', '.join(FORMATS)}.")


def _write_formats(
    names: list[str], folder: Path, fleet: Mapping[str, Any], seen: Subjects, states: Mapping[str, str]
) -> list[str]:
    """The other formats, from the same reports; paths of what was written."""
    of_hosts = {row["host"]: row["file"] for row in fleet["hosts"] if row["file"]}
    material = Material(fleet, seen, {**of_hosts, TENANT: "tenant.json"}, states)
    written = []
    for name in names:
        for file, make in FORMATS[name].items():
            files.write(folder / file, make(material))
            written.append(str(folder / file))
    return written


def _row(folder: Path, host: str) -> fleet_json.Row:
    path = files.host_file(folder, host)
    report = files.read(path)
    return fleet_json.Row(host, None if report is None else os.path.relpath(path, folder), report)
