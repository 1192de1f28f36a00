#!/usr/bin/python
# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: report
version_added: 1.0.0
short_description: Write the reports of a preflight on the controller
description:
  - Writes, on the controller, one JSON report for each host and one for all of them, and prints what came out.
  - The files are C(<report_dir>/<run_id>/fleet.json), C(<report_dir>/<run_id>/hosts/<host>.json) and, on request,
    C(<report_dir>/<run_id>/observations/<host>.json). Each is written whole or not at all, with mode C(0640).
  - Characters of a host's name other than letters, digits, C(.), C(_) and C(-) are percent-encoded in the file's name.
  - Reports are output, not state. They are written in check mode too, and nothing is ever C(changed).
options:
  part:
    description:
      - V(begin), before looking, for every host. Makes C(fleet.json), which says C(in_progress) from then on. What an earlier run
        with the same O(run_id) left there is begun anew, once for all hosts, and the host's earlier report is removed.
      - V(tenant), once, after M(appproxy.connector.admin). Writes C(tenant.json), which C(fleet.json) and the gate take up.
      - V(host), after judging, for every host. Writes that host's report.
      - V(fleet), once, with C(run_once). Makes C(fleet.json) from this run's files, with every host of the play. Those
        without a file are C(inconclusive). Prints the text, and hands a small summary to workflows as C(set_stats) does.
      - V(merge), once, in a play of its own. Makes one report of several that lie in folders, for example of the slices of an AWX job.
      - With C(serial), V(fleet) is run once for each batch. The batch with the play's last host completes C(fleet.json).
    type: str
    required: true
    choices: [begin, tenant, host, fleet, merge]
  result:
    description:
      - What M(appproxy.connector.preflight) or M(appproxy.connector.connectivity) returned, for O(part=host), or
        M(appproxy.connector.admin), for O(part=tenant).
    type: dict
  reports:
    description:
      - Paths of the C(fleet.json) of each run that V(merge) puts together, or of their folders. Of a host that is in several the last
        counts.
    type: list
    elements: str
    default: []
  formats:
    description:
      - Further formats that V(fleet) writes into the run's folder, beside JSON.
      - V(html) is one file without scripts or outside resources, V(markdown) is for a ticket, V(junit) and V(sarif) are for pipelines.
      - V(change_request) is for the owners of firewall and proxy, as CSV and Markdown. It has the least that the failing findings need.
      - V(remediation) is what is the servers' own to mend, as data. Nothing is applied.
    type: list
    elements: str
    default: [html, markdown, junit, sarif, change_request, remediation]
  save_observation:
    description:
      - Whether O(part=host) also saves the observation that O(result) holds, to be judged again later.
    type: bool
    default: false
  stats_key:
    description:
      - Name under which O(part=fleet) hands its summary to workflows.
      - In AWX the job's id is appended, as slices overwrite each other's names.
    type: str
    default: appproxy_preflight
seealso:
  - module: appproxy.connector.preflight
  - module: appproxy.connector.gate
author:
  - appproxy.connector contributors (!UNKNOWN)
extends_documentation_fragment:
  - appproxy.connector._options.run
  - appproxy.connector._attributes
  - appproxy.connector._attributes.controller
"""

EXAMPLES = r"""
- name: Begin
  appproxy.connector.report:
    part: begin

- name: Look and judge
  appproxy.connector.preflight:
    tenant_id: 00000000-1111-2222-3333-444444444444
    fail_on: never
    unknown: report
  register: result

- name: Keep the result
  appproxy.connector.report:
    part: host
    result: "{{ result }}"

- name: Report on all servers
  appproxy.connector.report:
    part: fleet
  run_once: true
"""

RETURN = r"""
files:
  description: The further files that were written. With O(part=fleet).
  returned: with O(part=fleet)
  type: list
  elements: str
  sample: [/home/user/preflight-reports/20261126T011500Z-1a2b3c4d/report.html]
run_id:
  description: The run's id, which names its folder.
  returned: always
  type: str
  sample: 20261126T011500Z-1a2b3c4d
path:
  description: The file that was written.
  returned: always
  type: str
  sample: /home/user/preflight-reports/20261126T011500Z-1a2b3c4d/fleet.json
msg:
  description: What came out, in one line.
  returned: with O(part=fleet)
  type: str
  sample: "Not ready: 3 of 20 servers are ready, 17 are not."
state:
  description: V(complete), or V(in_progress) with C(serial) before the last batch.
  returned: with O(part=fleet)
  type: str
  sample: complete
verdict:
  description: V(not_ready) where any host is; else V(inconclusive) where any host is; else V(ready).
  returned: with O(part=fleet)
  type: str
  sample: not_ready
counts:
  description: How many hosts there are and what became of them.
  returned: with O(part=fleet)
  type: dict
  sample: {hosts: 20, ready: 3, not_ready: 17, inconclusive: 0, unreachable: 0, without_result: 0}
"""

from ansible.module_utils.basic import AnsibleModule  # noqa: E402  pylint: disable=wrong-import-position
from ansible_collections.appproxy.connector.plugins.module_utils._argspecs import (  # noqa: E402
    REPORT_OPTIONS,
    REPORT_REQUIRED_IF,
)


def main() -> None:
    module = AnsibleModule(argument_spec=REPORT_OPTIONS, required_if=REPORT_REQUIRED_IF, supports_check_mode=True)
    module.fail_json(msg="appproxy.connector.report runs as an action plugin: call it from a task by its full name")


if __name__ == "__main__":
    main()
