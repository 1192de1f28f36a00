# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server itself: its Windows, its size, what its policies forbid, and what else is installed on it.

FOR INTERNAL COLLECTION USE ONLY. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from ..catalogue import clients
from ..catalogue.requirements import (
    BUILD_2012_R2,
    BUILD_2016,
    DYNAMIC_PORTS,
    MEMORY_BYTES,
    PORTS_IN_USE_PERCENT,
    PROCESSORS,
    SERVERS,
    SUPPORT_AHEAD_DAYS,
)
from ..model import Status
from . import platform_tls
from .context import Context
from .route import Row
from .rules import Facts, Rule, apply, found, judge_unread, passed

OS, SUPPORT, CORE, SIZE = "APC401", "APC402", "APC403", "APC411"
EXECUTION_POLICY, APPLICATION_CONTROL, REBOOT = "APC421", "APC422", "APC431"
CONFLICT, STEERED, PORTS = "APC451", "APC452", "APC453"
BROWSER, ADMINISTRATOR = "APC461", "APC471"

_CLIENT_WINDOWS = 1
"""ProductType of Win32_OperatingSystem: a workstation."""
_FULL = "FullLanguage"
_RUNNING = "running"


def _os(windows: Mapping[str, Any], system: Mapping[str, Any], dummy: Context) -> Row:
    named = f"{windows['product']} (build {windows['build']})"
    if system["product_type"] == _CLIENT_WINDOWS or windows["build"] < BUILD_2012_R2:
        return found(OS, os=named)
    if windows["build"] < BUILD_2016:
        return found(OS, Status.WARN, os=named)
    return passed(OS)


def _support(windows: Mapping[str, Any], context: Context) -> Row:
    """Builds between those of the table are of an annual channel or a preview, whose dates are not the long-term releases'."""
    release = next((one for one in SERVERS if one.build == windows["build"]), None)
    if release is None:
        return found(SUPPORT, Status.NOT_APPLICABLE, reason=f"no date of build {windows['build']} is known")
    if context.as_of + timedelta(days=SUPPORT_AHEAD_DAYS) < release.support_ends:
        return passed(SUPPORT)
    return found(SUPPORT, Status.WARN, os=release.name, ends=release.support_ends.isoformat())


def _core(windows: Mapping[str, Any], dummy: Context) -> Row:
    return found(CORE, Status.WARN) if windows["installation"] == "Server Core" else passed(CORE)


def _size(computer: Mapping[str, Any], dummy: Context) -> Row:
    if computer["memory_bytes"] >= MEMORY_BYTES and computer["processors"] >= PROCESSORS:
        return passed(SIZE)
    return found(SIZE, Status.WARN, memory=f"{computer['memory_bytes'] / 2**30:.1f} GiB", processors=computer["processors"])


def _execution_policy(policy: Mapping[str, Mapping[str, Any]], dummy: Context) -> Row:
    """Group policy alone: what a user sets for one process does not reach the installer."""
    for scope, settings in policy.items():
        if settings["enable_scripts"] == 0:
            return found(EXECUTION_POLICY, setting=f"{scope} policy: EnableScripts = 0")
        if (settings["policy"] or "").lower() in ("allsigned", "restricted"):
            return found(EXECUTION_POLICY, setting=f"{scope} policy: ExecutionPolicy = {settings['policy']}")
    return passed(EXECUTION_POLICY)


def _language(powershell: Mapping[str, Any], dummy: Context) -> Row:
    mode = powershell["language_mode"]
    return passed(APPLICATION_CONTROL) if mode == _FULL else found(APPLICATION_CONTROL, mode=mode)


def constrained(text: str) -> Row | None:
    """From the text of a task that failed: PowerShell names the language mode in it. None where it speaks of something else."""
    said = text.lower()
    if "constrainedlanguage" in said or "constrained language" in said:
        return found(APPLICATION_CONTROL, mode="ConstrainedLanguage")
    return None


def _reboot(pending: Mapping[str, Sequence[str]], dummy: Context) -> Row:
    reasons = pending["reasons"]
    return found(REBOOT, Status.WARN, reasons=", ".join(reasons)) if reasons else passed(REBOOT)


def _starts_with(name: str, beginnings: Sequence[str]) -> bool:
    return name.lower().startswith(tuple(beginning.lower() for beginning in beginnings))


def _conflict(services: Sequence[Mapping[str, Any]], products: Sequence[Mapping[str, Any]], dummy: Context) -> Row:
    here = {one["name"].lower() for one in services}
    protection = [one["name"] for one in products if _starts_with(one["name"], clients.PASSWORD_PROTECTION_PRODUCTS)]
    if protection or clients.PASSWORD_PROTECTION_PROXY.lower() in here:
        return found(CONFLICT, product=(protection or [clients.PASSWORD_PROTECTION_PROXY])[0])
    connectors = [f"{one['name']} {one['version'] or ''}".strip() for one in products
                  if _starts_with(one["name"], clients.CONNECTOR_PRODUCTS)]
    if connectors or clients.CONNECTOR_SERVICE.lower() in here:
        return found(CONFLICT, Status.WARN, product=(connectors or [f"the service {clients.CONNECTOR_SERVICE}"])[0])
    return passed(CONFLICT)


def _steered(services: Sequence[Mapping[str, Any]], dummy: Context) -> Row:
    products = {name.lower(): product for name, product in clients.STEERING.items()}
    running = {products[one["name"].lower()]: one["name"] for one in services
               if one["name"].lower() in products and one["state"].lower() == _RUNNING}
    if not running:
        return passed(STEERED)
    return found(STEERED, Status.WARN, product=", ".join(f"{product} ({name})" for product, name in running.items()))


def _ports(ports: Mapping[str, int], dummy: Context) -> Row:
    crowded = ports["in_use"] * 100 > ports["number"] * PORTS_IN_USE_PERCENT
    if ports["number"] >= DYNAMIC_PORTS and not crowded:
        return passed(PORTS)
    return found(PORTS, Status.WARN, number=ports["number"], in_use=ports["in_use"])


def _browser(switches: Mapping[str, int | None], dummy: Context) -> Row:
    who = [name for name in ("administrators", "users") if switches[name] == 1]
    return found(BROWSER, Status.WARN, who=" and ".join(who)) if who else passed(BROWSER)


def _administrator(administrator: bool, context: Context) -> Row:
    """Where somebody else installs, the session's rights only say what could be seen."""
    if administrator:
        return passed(ADMINISTRATOR)
    return found(ADMINISTRATOR, Status.FAIL if context.installing_user is None else Status.WARN)


RULES = (
    Rule(OS, ("windows", "system"), _os),
    Rule(SUPPORT, ("windows",), _support),
    Rule(CORE, ("windows",), _core),
    Rule(SIZE, ("computer",), _size),
    Rule(EXECUTION_POLICY, ("execution_policy",), _execution_policy),
    Rule(APPLICATION_CONTROL, ("powershell",), _language),
    Rule(REBOOT, ("pending_reboot",), _reboot),
    Rule(CONFLICT, ("services", "products"), _conflict),
    Rule(STEERED, ("services",), _steered),
    Rule(PORTS, ("dynamic_ports",), _ports),
    Rule(BROWSER, ("ie_enhanced_security",), _browser),
    Rule(ADMINISTRATOR, ("administrator",), _administrator),
)
_OF_THE_WAYS = ("internet_settings", "proxy_policy", "winhttp_proxy", "default_proxy")
NEEDED = tuple(dict.fromkeys((*(name for rule in RULES for name in rule.needs), *platform_tls.NEEDED, *_OF_THE_WAYS)))
"""Facts that some check needs; the others are there for whoever reads the observation."""


def judge_server(facts: Facts, context: Context) -> Iterator[Row]:
    yield from apply(RULES, facts, context)


def judge_denied(facts: Facts) -> Iterator[Row]:
    """APC903: names every fact that a check needs and that could not be read."""
    yield from judge_unread(facts, NEEDED)
