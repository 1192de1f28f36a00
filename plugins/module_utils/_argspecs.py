# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the controller-side modules, once: for the actions that run and for the documentation modules.

FOR INTERNAL COLLECTION USE ONLY. What a value may be beyond its type is said by plugin_utils/options.py.
"""

from __future__ import annotations

# What a waiver must have is not said here: plugin_utils/judge/waivers.py says it in words that tell what to write.
WAIVER_OPTIONS = {
    "id": {"type": "str"},
    "endpoint": {"type": "str"},
    "host": {"type": "str"},
    "until": {"type": "str"},
    "reason": {"type": "str"},
}

POLICY_OPTIONS = {
    "fail_on": {"type": "str", "default": "error", "choices": ["error", "warning", "never"]},
    "unknown": {"type": "str", "default": "fail", "choices": ["fail", "report"]},
}

JUDGING_OPTIONS = {
    "tenant_id": {"type": "str", "required": True},
    "cloud": {"type": "str", "default": "public"},
    "connector_version": {"type": "str"},
    "proxy": {"type": "str", "default": "auto"},
    "endpoints": {"type": "list", "elements": "str", "default": []},
    "connect_to": {"type": "dict", "default": {}},
    "connect_to_counts": {"type": "bool", "default": False},
    "deadline": {"type": "int", "default": 20},
    "checks": {"type": "list", "elements": "str", "default": []},
    "skip_checks": {"type": "list", "elements": "str", "default": []},
    "waivers": {"type": "list", "elements": "dict", "default": [], "options": WAIVER_OPTIONS},
    **POLICY_OPTIONS,
    "observations": {"type": "str"},
    "as_of": {"type": "str"},
    "public_roots": {"type": "str"},
    "return_passes": {"type": "bool", "default": False},
    "return_observation": {"type": "bool", "default": False},
    "seen_from": {"type": "str", "choices": ["server", "jump_host", "controller"]},
    "installing_user": {"type": "str"},
    "service_observation": {"type": "dict"},
    "federation_hosts": {"type": "list", "elements": "str", "default": []},
    "rehearse_trust": {"type": "bool", "default": False},
    "rehearse_client_certificate": {"type": "bool", "default": False},
}

# Secrets are said to be such: Ansible shows none of them.
ADMIN_OPTIONS = {
    "tenant_id": {"type": "str", "required": True},
    "cloud": {"type": "str", "default": "public"},
    "admin_upn": {"type": "str"},
    "registration_token": {"type": "str", "no_log": True},
    "registration_token_file": {"type": "str", "no_log": False},
    "client_id": {"type": "str"},
    "client_secret": {"type": "str", "no_log": True},
    "client_certificate": {"type": "str"},
    "client_certificate_password": {"type": "str", "no_log": True},
    "federated_token_file": {"type": "str", "no_log": False},
    "sign_in": {"type": "str", "default": "none"},
    "sign_in_timeout": {"type": "int", "default": 300},
    "admin_password": {"type": "str", "no_log": True},
    "look_for_connectors": {"type": "bool", "default": False},
    "activation_margin": {"type": "int", "default": 60},
    "authority": {"type": "str"},
    "graph_url": {"type": "str"},
    "ca_path": {"type": "str"},
    "deadline": {"type": "int", "default": 60},
    "once": {"type": "bool", "default": False},
    "checks": {"type": "list", "elements": "str", "default": []},
    "skip_checks": {"type": "list", "elements": "str", "default": []},
    "waivers": {"type": "list", "elements": "dict", "default": [], "options": WAIVER_OPTIONS},
    **POLICY_OPTIONS,
    "as_of": {"type": "str"},
    "return_passes": {"type": "bool", "default": False},
}

RUN_OPTIONS = {
    "report_dir": {"type": "str", "default": "preflight-reports"},
    "run_id": {"type": "str"},
    "baseline": {"type": "str"},
}

REPORT_OPTIONS = {
    "part": {"type": "str", "required": True, "choices": ["begin", "tenant", "host", "fleet", "merge"]},
    **RUN_OPTIONS,
    "result": {"type": "dict"},
    "formats": {"type": "list", "elements": "str", "default": ["html", "markdown", "junit", "sarif", "change_request", "remediation"]},
    "save_observation": {"type": "bool", "default": False},
    "reports": {"type": "list", "elements": "str", "default": []},
    # Names what is handed over; said here because "key" sounds like a secret.
    "stats_key": {"type": "str", "default": "appproxy_preflight", "no_log": False},
}
REPORT_REQUIRED_IF = [("part", "host", ["result"]), ("part", "tenant", ["result"])]

GATE_OPTIONS = {**RUN_OPTIONS, **POLICY_OPTIONS, "gate_on": {"type": "str", "default": "all", "choices": ["all", "new"]}}
