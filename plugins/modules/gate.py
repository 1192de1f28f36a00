#!/usr/bin/python
# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: gate
version_added: 1.0.0
short_description: Stop the servers that are not ready
description:
  - Reads the host's report of this run, as M(appproxy.connector.report) wrote it, and fails the host where it must not go on.
  - A host that could not be reached fails with the connection's own words as unreachable, so that Ansible counts it so and ends with C(4).
  - Where M(appproxy.connector.admin) found that nobody may register, all hosts fail with its words.
  - A host without a report fails as C(inconclusive).
  - A host that is ready and stops because of O(fail_on=warning) fails with the ids of its warnings.
options:
  gate_on:
    description:
      - V(all), or V(new) to stop only servers of which something is wrong that O(baseline) does not have.
      - A server that was not reached, or has no result, stops either way.
    type: str
    choices: [all, new]
    default: all
seealso:
  - module: appproxy.connector.report
  - module: appproxy.connector.preflight
author:
  - appproxy.connector contributors (!UNKNOWN)
extends_documentation_fragment:
  - appproxy.connector._options.run
  - appproxy.connector._options.policy
  - appproxy.connector._attributes
  - appproxy.connector._attributes.controller
"""

EXAMPLES = r"""
- name: Go on only with servers that are ready
  appproxy.connector.gate:

- name: Stop at warnings too, but not at what could not be seen
  appproxy.connector.gate:
    fail_on: warning
    unknown: report
"""

RETURN = r"""
run_id:
  description: The run's id, which names its folder.
  returned: unless the host is unreachable
  type: str
  sample: 20261126T011500Z-1a2b3c4d
verdict:
  description: The host's verdict.
  returned: unless the host is unreachable
  type: str
  sample: not_ready
msg:
  description: The verdict in one line, and why it stops the host where the verdict alone does not say it.
  returned: unless the host is unreachable
  type: str
  sample: "Not ready: the proxy proxy.example:8080 asks for a password (APC122); 14 endpoints wait behind it."
"""

from ansible.module_utils.basic import AnsibleModule  # noqa: E402  pylint: disable=wrong-import-position
from ansible_collections.appproxy.connector.plugins.module_utils._argspecs import (  # noqa: E402
    GATE_OPTIONS,
)


def main() -> None:
    module = AnsibleModule(argument_spec=GATE_OPTIONS, supports_check_mode=True)
    module.fail_json(msg="appproxy.connector.gate runs as an action plugin: call it from a task by its full name")


if __name__ == "__main__":
    main()
