# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server needs for a connector, and until when its Windows is looked after: numbers with their source.

FOR INTERNAL COLLECTION USE ONLY. Pure data.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from . import sources
from .sources import Source


@dataclass(frozen=True)
class WindowsServer:
    """A release with long-term servicing."""

    build: int
    name: str
    support_ends: date
    """End of extended support. Updates that are paid for (ESU) do not count."""
    source: Source


SERVERS = (
    WindowsServer(9600, "Windows Server 2012 R2", date(2023, 10, 10), sources.LIFECYCLE_2012_R2),
    WindowsServer(14393, "Windows Server 2016", date(2027, 1, 12), sources.LIFECYCLE_2016),
    WindowsServer(17763, "Windows Server 2019", date(2029, 1, 9), sources.LIFECYCLE_2019),
    WindowsServer(20348, "Windows Server 2022", date(2031, 10, 14), sources.LIFECYCLE_2022),
    WindowsServer(26100, "Windows Server 2025", date(2034, 11, 14), sources.LIFECYCLE_2025),
)

BUILD_2012_R2 = 9600
"""The oldest that older documents allow (2025-02), and the first whose Schannel offers TLS 1.2 unasked."""
BUILD_2016 = 14393
"""The oldest that today's document allows (2026-02)."""

NET_472, NET_471 = 461808, 461308
"""`Release` of .NET Framework: the least value of 4.7.2 and 4.7.1 on any Windows (sources.NET_RELEASES)."""
NEEDS_NET_472 = (1, 5, 3437, 0)
"""From this connector on 4.7.2 is needed (sources.VERSIONS); before it the documents disagree between 4.7.1 and 4.7.2."""

MEMORY_BYTES = 15 << 29
"""7.5 GiB: the 8 that are recommended, less what firmware keeps for itself."""
PROCESSORS = 4
DYNAMIC_PORTS = 16384
"""Windows' default number of dynamic ports."""
PORTS_IN_USE_PERCENT = 80
SUPPORT_AHEAD_DAYS = 365
"""From how long before the end of support on it is said."""

RSA_SHA512 = 0x0601
FORWARD_SECRET_GCM = frozenset({0xC02F, 0xC030, 0xC02B, 0xC02C})
"""TLS_ECDHE_(RSA|ECDSA)_WITH_AES_(128_GCM_SHA256|256_GCM_SHA384)."""
FORWARD_SECRET_GCM_NAMES = tuple(
    f"TLS_ECDHE_{key}_WITH_AES_{cipher}" for key in ("RSA", "ECDSA") for cipher in ("128_GCM_SHA256", "256_GCM_SHA384")
)
SIGNATURE_PAIRS = frozenset({"RSA", "RSAE-PSS", "PSS", "ECDSA", "DSA"})
"""What stands before the slash in a healthy signature list (00010003)."""
HASHES = frozenset({"MD5", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512"})
