# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By what proxies, firewalls and filters show whose they are, as data: each sign with where it is known from.

FOR INTERNAL COLLECTION USE ONLY. A sign is never proof: who sets a device up can write other names, and software is built into the
products of others. Only what was read of a product is here; most products sign with an authority of the company's own and show nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from . import sources
from .sources import Source


class Certainty(str, Enum):
    """The surest first."""

    NAMES_ITSELF = "names itself"
    """The product's own name, where it writes that of itself in what it makes."""
    TYPICAL = "typical"
    """The maker's name, or a place or text of the product's: other products of the maker, or built on it, say the same."""
    HINT = "hint"
    """A number, a text or a part of a name that others can have too."""


class Kind(str, Enum):
    """Where the sign is."""

    ISSUER = "issuer"
    """A part (CN, O) of the name of a certificate's issuer, in a chain that no public root vouches for."""
    HEADER = "header"
    PAGE = "page"
    """The first 512 bytes of the body."""
    STATUS = "status"


@dataclass(frozen=True)
class Sign:
    product: str
    kind: Kind
    part: str
    """CN or O; the header's name in lower case; empty for the others."""
    pattern: str
    """Regular expression, found anywhere in it."""
    certainty: Certainty
    source: Source

    def found_in(self, text: str) -> str:
        """What matched; empty where nothing does."""
        match = re.search(self.pattern, text)
        return match.group() if match else ""


_NAMES, _TYPICAL, _HINT = Certainty


def _issuer(product: str, part: str, pattern: str, certainty: Certainty = _NAMES, source: Source = sources.CHROME_INSPECTION) -> Sign:
    return Sign(product, Kind.ISSUER, part, pattern, certainty, source)


def _header(product: str, name: str, pattern: str, certainty: Certainty = _NAMES, source: Source = sources.OONI_FINGERPRINTS) -> Sign:
    return Sign(product, Kind.HEADER, name, pattern, certainty, source)


def _page(product: str, pattern: str, certainty: Certainty = _TYPICAL, source: Source = sources.OONI_FINGERPRINTS) -> Sign:
    return Sign(product, Kind.PAGE, "", pattern, certainty, source)


_BLUE_COAT, _FORCEPOINT, _FORTINET = "Symantec (Blue Coat) ProxySG", "Forcepoint (Websense)", "Fortinet FortiGate"
_UMBRELLA, _PALO_ALTO, _AZURE, _CHECK_POINT = "Cisco Umbrella", "Palo Alto Networks firewall", "Azure Firewall", "Check Point"

SIGNS: tuple[Sign, ...] = (
    _issuer("Aruba Networks", "CN", r"Aruba", _HINT, sources.BLOCKBLAME),
    _issuer("Avast Antivirus", "CN", r"^avast! Web/Mail Shield Root$"),
    _page(_AZURE, r"Action: Deny\. Reason: No rule matched\.", source=sources.AZURE_FIREWALL_470),
    Sign(_AZURE, Kind.STATUS, "", r"^470$", _HINT, sources.AZURE_FIREWALL_470),
    _header("Barracuda firewall", "server", r"^Barracuda(/NGFirewall|HTTP )"),
    _page("Barracuda firewall", r"Redirecting you to Barracuda Web Filter"),
    _issuer("Bitdefender", "CN", r"^Bitdefender Personal CA\.Net-Defender"),
    _issuer(_BLUE_COAT, "O", r"^Blue Coat"),
    _header(_BLUE_COAT, "server", r"^BlueCoat-Security-Appliance$", source=sources.NMAP_PROBES),
    _header(_BLUE_COAT, "location", r"^https?://notify\.bluecoat\.com/", _TYPICAL),
    _page(_BLUE_COAT, r"Access Denied \(policy_denied\)", _HINT, sources.NMAP_PROBES),
    _header(_CHECK_POINT, "location", r"/UserCheck/PortalMain\?IID=", _TYPICAL),
    _page(_CHECK_POINT, r"Check Point UserCheck"),
    # O=Cisco stands in Umbrella's too.
    _issuer("Cisco", "CN", r"Cisco(?! Umbrella)", _HINT, sources.BLOCKBLAME),
    _header("Cisco Meraki", "location", r"^http://wired\.meraki\.com:8090/blocked\.cgi", _TYPICAL),
    _issuer(_UMBRELLA, "CN", r"^Cisco Umbrella (Root CA|\w+ SubCA)"),
    _header(_UMBRELLA, "location", r"^https?://[\w.-]+\.opendns\.com/", _TYPICAL),
    _header("Cisco Web Security Appliance", "via", r"\(Cisco-WSA/"),
    _header("Cisco Web Security Appliance", "via", r"\(IronPort-WSA/", source=sources.NMAP_PROBES),
    _header("Clearswift Secure Web Gateway", "server", r"^Clearswift$", source=sources.NMAP_PROBES),
    _issuer("Cloudflare Gateway", "CN", r"^Gateway CA - Cloudflare Managed G1", source=sources.CLOUDFLARE_ROOT),
    _issuer("ContentKeeper", "CN", r"^ContentKeeper Appliance CA \(\d+\)$"),
    _page("ContentKeeper", r"Blocked by ContentKeeper"),
    _issuer("Cyberoam firewall", "O", r"^Cyberoam Certificate Authority$"),
    _issuer("ESET", "CN", r"^ESET SSL Filter CA$", source=sources.ESET_ROOT),
    _issuer("Fiddler", "CN", r"^DO_NOT_TRUST_FiddlerRoot$", source=sources.FIDDLER_ROOT),
    _issuer(_FORCEPOINT, "CN", r"^Forcepoint Cloud CA$"),
    _header(_FORCEPOINT, "via", r"\(Websense_Content_Gateway/", source=sources.NMAP_PROBES),
    _header(_FORCEPOINT, "location", r":15871/cgi-bin/blockpage\.cgi", _TYPICAL),
    _page(_FORCEPOINT, r":15871/cgi-bin/block(page|_message)\.cgi"),
    _issuer(_FORTINET, "CN", r"^FortiGate CA$"),
    _issuer(_FORTINET, "O", r"^Fortinet( Ltd\.)?$", _TYPICAL, sources.FORTIGATE_ISSUER),
    _page(_FORTINET, r"FortiGuard (Intrusion Prevention - Access Blocked|Web Filtering)"),
    _page(_FORTINET, r"Powered By Forti(Guard|net)"),
    _header("iboss", "location", r"/ibreports/ibp/bp\.html", _TYPICAL),
    _header("iboss", "location", r"/iboss/restricted\.html\?fn=", _TYPICAL),
    _page("Juniper Web Filtering", r"Juniper Web Filtering", _HINT),
    _issuer("Kaspersky", "CN", r"^Kaspersky Anti-Virus Personal Root Certificate$"),
    _page("Kerio Control", r"This page has been blocked by Kerio Control"),
    _issuer("McAfee Web Gateway", "CN", r"^McAfee Web Gateway$"),
    _issuer("mitmproxy", "CN", r"^mitmproxy$", source=sources.MITMPROXY_ROOT),
    _header("Olfeo", "server", r"^Olfeo"),
    _issuer(_PALO_ALTO, "CN", r"Palo Alto Networks|PAN-FW", _HINT, sources.BLOCKBLAME),
    _issuer(_PALO_ALTO, "O", r"Palo Alto Networks", _HINT, sources.BLOCKBLAME),
    _header(_PALO_ALTO, "location", r"/php/urlblock\.php\?args=", _TYPICAL),
    _page(_PALO_ALTO, r"Access to the web page you were trying to visit has been blocked in accordance with", _HINT),
    _issuer("Smoothwall", "CN", r"^Smoothwall-default-root-certificate-authority$"),
    _issuer("SonicWall", "O", r"^HTTPS Management Certificate for SonicWALL"),
    _header("SonicWall", "server", r"^SonicWALL$"),
    _issuer("Sophos", "CN", r"^Sophos SSL CA_[A-Z0-9-]+$"),
    _issuer("Sophos", "CN", r"^Sophos_CA_[A-Z0-9]+$"),
    _issuer("Sophos", "CN", r"^sophosutm Proxy CA$"),
    _issuer("Sophos", "CN", r"^Sophos Web Appliance$"),
    _issuer("Sophos", "O", r"Sophos", _HINT, sources.BLOCKBLAME),
    _header("Squid", "server", r"^[sS]quid(/|$)", source=sources.NMAP_PROBES),
    _header("Squid", "x-squid-error", r"^ERR_", source=sources.SQUID_ANSWER),
    _header("Squid", "via", r"\(squid/", _TYPICAL, sources.SQUID_VIA),
    _page("Squid", r"Stylesheet for Squid Error pages"),
    _header("tinyproxy", "server", r"^tinyproxy/", source=sources.NMAP_PROBES),
    _issuer("Trend Micro InterScan Web Security", "CN", r"^IWSS\.TREND$"),
    _issuer("Ubiquiti UniFi", "CN", r"UniFi|Ubiquiti", _HINT, sources.BLOCKBLAME),
    _issuer("Ubiquiti UniFi", "O", r"UniFi|Ubiquiti", _HINT, sources.BLOCKBLAME),
    _issuer("Zscaler", "O", r"^Zscaler Inc\.$"),
    _issuer("Zscaler", "CN", r"^Zscaler Root CA$", source=sources.ZSCALER_ROOT),
    _header("Zscaler", "server", r"^Zscaler/", source=sources.ZSCALER_ANSWER),
    _header("Zscaler", "location", r"://gateway\.zscaler(two)?\.net", _TYPICAL),
    _page("Zscaler", r"Internet Security by Zscaler"),
)
"""In the order of the names by which people know them."""
