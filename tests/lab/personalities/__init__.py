# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a lab's WinRM server look like one Windows server and not like another.

A personality is what the PowerShell that the server starts can see: a registry, commands that only Windows has, the
certificates it trusts, its environment. The .reg files beside this one are shared by tests: they are read, never written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Personality:
    """One Windows server's looks; `dataclasses.replace` makes a variant.

    registry: a .reg export that answers for HKLM and HKCU; None leaves them out.
    modules: a folder of script modules that stand for Windows-only commands (CIM, event logs, ...).
    trust: a PEM file with all the roots that the server trusts; None leaves the machine's own.
    environment: more variables for what is started, over everything else.
    """

    name: str
    registry: Path | None = None
    modules: Path | None = None
    trust: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


SERVER_2022 = Personality("server2022", registry=_HERE / "server2022.reg", environment={"COMPUTERNAME": "LAB-2022"})
SERVER_2016 = Personality("server2016", registry=_HERE / "server2016.reg", environment={"COMPUTERNAME": "LAB-2016"})
