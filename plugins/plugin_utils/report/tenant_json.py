# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON report of the tenant: what the module admin returned, once for all servers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..model import Verdict
from .host_json import REQUIRED, NotAResultError, kept

_IN_FLEET = ("verdict", "headline", "summary", "counts", "causes", "findings", "remarks", "not_covered", "seen_as", "seen_from", "seen_at",
             "elapsed_ms")


def build(run_id: str, started_at: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """`started_at` tells this run's report from one that an earlier run with the same id left. Raises NotAResultError."""
    missing = [key for key in (*REQUIRED, "asked") if key not in result]
    if missing:
        raise NotAResultError(f"result is not what appproxy.connector.admin returned: it has no {', '.join(missing)}")
    return {"schema": result["schema"], "run_id": run_id, "started_at": started_at, **kept(result)}


def of_run(report: Mapping[str, Any] | None, started_at: str) -> Mapping[str, Any] | None:
    """The tenant's report where it is of this run, else None."""
    return report if report is not None and report.get("started_at") == started_at else None


def in_fleet(report: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What fleet.json says of it under `tenant`; None where nobody asked."""
    if report is None or not report["asked"]:
        return None
    return {**{name: report[name] for name in _IN_FLEET if name in report}, "file": "tenant.json"}


def worse(servers: Verdict, tenant: Mapping[str, Any] | None) -> Verdict:
    """The verdict of servers and tenant together."""
    order = (Verdict.READY, Verdict.INCONCLUSIVE, Verdict.NOT_READY)
    return max((servers, Verdict(tenant["verdict"]) if tenant else Verdict.READY), key=order.index)
