# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs on the server that matter before the install, by the names under which Windows knows them.

FOR INTERNAL COLLECTION USE ONLY. Pure data. The service names are those that the products register; a name here proves nothing but
that a product is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

STEERING: Mapping[str, str] = MappingProxyType({
    "ZSAService": "Zscaler Client Connector",
    "ZSATunnel": "Zscaler Client Connector",
    "stAgentSvc": "Netskope Client",
    "csc_swgagent": "Cisco Secure Client (secure web gateway)",
    "csc_umbrellaagent": "Cisco Secure Client (Umbrella)",
    "Umbrella_RC": "Cisco Umbrella Roaming Client",
    "PanGPS": "Palo Alto GlobalProtect",
    "CloudflareWARP": "Cloudflare WARP",
    "GlobalSecureAccessEngineService": "Microsoft Global Secure Access client",
    "GlobalSecureAccessTunnelingService": "Microsoft Global Secure Access client",
})
"""Service to product: clients that lead traffic another way by process, user or name, so that one process gets through and another does
not (sources.ZSCALER_PROCESSES, sources.GSA_CLIENT; the others: the names in public scripts that start and stop them)."""

CONNECTOR_SERVICE = "WAPCSvc"
UPDATER_SERVICE = "WAPCUpdaterSvc"

CONNECTOR_PRODUCTS = ("Microsoft Entra private network connector", "Microsoft AAD Application Proxy Connector",
                      "Microsoft Azure AD Application Proxy Connector")
"""Beginnings of the names under which installed programs list a connector (sources.VERSIONS: renamed with 1.5.3829.0)."""
PASSWORD_PROTECTION_PROXY = "AzureADPasswordProtectionProxy"
"""Its service."""
PASSWORD_PROTECTION_PRODUCTS = ("Azure AD Password Protection Proxy", "Microsoft Entra Password Protection Proxy")

SERVICES = (*STEERING, CONNECTOR_SERVICE, UPDATER_SERVICE, PASSWORD_PROTECTION_PROXY)
"""Every service that a server is asked for."""
PRODUCTS = (*CONNECTOR_PRODUCTS, *PASSWORD_PROTECTION_PRODUCTS)
"""The beginning of the name of every program that a server is asked for."""
