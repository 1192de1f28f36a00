# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What sslyze's command does with `--certinfo --tlsv1_2 --tlsv1_3`, with a time-out of one's own, which the command has no option for.

Runs in sslyze's environment. Standard input: {targets: [[host, port, address or null]], proxy, timeout}. Prints how many were scanned.
"""

from __future__ import annotations

import json
import sys

from sslyze import (
    HttpProxySettings,
    ScanCommand,
    Scanner,
    ServerNetworkConfiguration,
    ServerNetworkLocation,
    ServerScanRequest,
    ServerScanStatusEnum,
)

COMMANDS = {ScanCommand.CERTIFICATE_INFO, ScanCommand.TLS_1_2_CIPHER_SUITES, ScanCommand.TLS_1_3_CIPHER_SUITES}


def main() -> None:
    asked = json.load(sys.stdin)
    proxy = HttpProxySettings.from_url(asked["proxy"]) if asked["proxy"] else None
    scanner = Scanner()
    scanner.queue_scans([
        ServerScanRequest(
            server_location=ServerNetworkLocation(host, port, ip_address=address, http_proxy_settings=proxy),
            network_configuration=ServerNetworkConfiguration(host, network_timeout=asked["timeout"]),
            scan_commands=COMMANDS,
        )
        for host, port, address in asked["targets"]
    ])
    print(sum(result.scan_status is ServerScanStatusEnum.COMPLETED for result in scanner.get_results()))


if __name__ == "__main__":
    main()
