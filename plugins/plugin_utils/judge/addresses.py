# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What addresses and URLs say by themselves.

FOR INTERNAL COLLECTION USE ONLY. Pure. All of them come from targets and certificates: nothing raises.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

_PRIVATE = tuple(ipaddress.ip_network(text) for text in (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8", "fc00::/7", "fe80::/10", "::1/128",
))


def _read(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An IPv4 address in IPv6 clothes is the IPv4 address."""
    try:
        read = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    except ValueError:
        return None
    return getattr(read, "ipv4_mapped", None) or read


def is_private(address: str) -> bool:
    """Private (RFC 1918, RFC 4193), shared (RFC 6598), link-local or loopback."""
    read = _read(address)
    return read is not None and any(read.version == network.version and read in network for network in _PRIVATE)


def is_sinkhole(address: str) -> bool:
    """An address that answers nobody: where a name is answered with it, somebody blocks the name."""
    read = _read(address)
    return read is not None and (read.is_unspecified or read.is_loopback)


def host_and_port(url: str) -> tuple[str, int] | None:
    """Of an http or https URL; None where it cannot be read."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        return None
    return (parts.hostname.lower(), port) if parts.hostname and port else None


def same_site(host: str, url: str) -> bool:
    """Whether a redirect stays in the domain of the host: the last two labels. A relative one does; one that cannot be read does not."""
    if url.startswith("/") and not url.startswith("//"):
        return True
    target = host_and_port(url)
    return target is not None and target[0].rstrip(".").split(".")[-2:] == host.lower().rstrip(".").split(".")[-2:]
