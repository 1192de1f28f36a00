# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stops the servers that must not go on, by what this run's reports say of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleConnectionFailure

from ..module_utils._argspecs import GATE_OPTIONS
from ..plugin_utils.action_base import MESSAGE_LIMIT, ControllerAction, fail, options_of, run_of, started_at
from ..plugin_utils.report import files, gate, tenant_json
from ..plugin_utils.report.saved import Saved
from ..plugin_utils.report.text import inert


class ActionModule(ControllerAction):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        args = options_of(self, GATE_OPTIONS)
        try:
            run_id, folder = run_of(args)
            report = files.read(files.host_file(folder, (task_vars or {})["inventory_hostname"]))
            tenant = tenant_json.of_run(files.read(files.tenant_file(folder)), started_at())
            if args["gate_on"] == "new":
                report, tenant = gate.since(report, tenant, _before(args["baseline"], folder, (task_vars or {})["inventory_hostname"]))
        except files.FilesError as error:
            raise fail(error) from None
        decision = gate.decide(report, args["fail_on"], args["unknown"], tenant)
        message = inert(decision.message, limit=MESSAGE_LIMIT)
        if decision.unreachable:
            # Ansible counts a host as unreachable only where the connection itself says so.
            raise AnsibleConnectionFailure(message)
        return {"changed": False, "failed": decision.failed, "msg": message, "verdict": decision.verdict, "run_id": run_id}


def _before(baseline: str | None, folder: Path, host: str) -> gate.Before:
    """What the baseline has of this host. Raises FilesError."""
    if not baseline:
        raise files.FilesError("gate_on: new needs baseline, the path of the fleet.json of an earlier run.")
    earlier = Saved.at(baseline, folder)
    return gate.Before(host, earlier.of(host), earlier.tenant)
