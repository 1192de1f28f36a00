# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A WinRM server of the lab's own: HTTP on loopback, one PowerShell for each command.

    with WinRMServer(SERVER_2022) as server:
        inventory["win1"] = server.inventory_vars()

It speaks what pywinrm and ansible-core's winrm connection speak of WSMan: Create, Command, Send, Receive, Signal and
Delete of a command shell, with basic authentication. A command that is not a PowerShell is "not recognized", as on a
Windows server without that program. What it leaves out of cmd.exe: variables (%NAME%), redirection, several commands.

Limits as on a Windows server: 30 shells, 512,000 bytes a request.
"""

from __future__ import annotations

from .command import CommandRecord
from .server import Trouble, WinRMServer, find_powershell

__all__ = ["CommandRecord", "Trouble", "WinRMServer", "find_powershell"]
