# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON report of one host: what a judging module returned, without what only Ansible reads. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

REQUIRED = ("schema", "verdict", "headline", "summary", "counts", "findings", "causes", "reached")
_ANSIBLE_ONLY = frozenset((
    "changed", "failed", "msg", "observation", "warnings", "deprecations", "exception", "invocation",
    "failed_when_result", "failed_when_suppressed_exception",
))


class NotAResultError(ValueError):
    """What was given is not a result of a judging module."""


def build(host: str, run_id: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """Raises NotAResultError with one message that names what is missing."""
    missing = [key for key in REQUIRED if key not in result]
    if missing:
        raise NotAResultError(
            f"result is not what a judging module of appproxy.connector returned: it has no {', '.join(missing)}"
        )
    return {"schema": result["schema"], "host": host, "run_id": run_id, **kept(result)}


def kept(result: Mapping[str, Any]) -> dict[str, Any]:
    """A module's result without what only Ansible reads."""
    return {str(key): value for key, value in result.items() if key not in _ANSIBLE_ONLY and not str(key).startswith("_ansible")}


def dump(report: Mapping[str, Any]) -> str:
    """Indented, so that two runs can be compared line by line."""
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"
