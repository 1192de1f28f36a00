# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a lab's WinRM server look like one Windows server and not like another.

A personality is what the PowerShell that the server starts can see: a registry, commands and types that only Windows has, files,
the certificates it trusts, its environment. The .reg files beside this one are shared by tests: they are read, never written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent
PRELUDE = _HERE / "prelude.ps1"
"""What Windows has and this PowerShell lacks, as types of the lab; see there."""
MODULES = _HERE / "modules"
"""Commands that only Windows has, as modules of the lab."""
_HEADER = "Windows Registry Editor Version 5.00\n\n"

CIM: Mapping[str, Any] = {
    "Win32_ComputerSystem": [{"PartOfDomain": True, "TotalPhysicalMemory": 16 << 30, "NumberOfLogicalProcessors": 4}],
    "Win32_OperatingSystem": [{"ProductType": 3, "LastBootUpTime": "2026-11-20T01:00:00Z"}],
    "Win32_LogicalDisk": [{"DeviceID": "C:", "FreeSpace": 50 << 30}],
    "MSFT_NetTCPSetting": [
        {"SettingName": "Automatic", "DynamicPortRangeStartPort": None, "DynamicPortRangeNumberOfPorts": None},
        {"SettingName": "Internet", "DynamicPortRangeStartPort": 49152, "DynamicPortRangeNumberOfPorts": 16384},
    ],
    "Win32_Service": [],
}
"""Class to instances. A text in the place of instances: access is denied; `hangs`: no answer comes."""


@dataclass(frozen=True)
class Personality:
    """One Windows server's looks; `dataclasses.replace` makes a variant.

    registry: .reg exports that answer for HKLM, HKCU and HKU, later ones over earlier ones; none leaves them out.
    values: more of that, as the text of a .reg export without its first line.
    modules: a folder of script modules that stand for Windows-only commands (CIM, event logs, ...).
    cim: what the lab's CIM answers, over CIM.
    files: path below the system drive (with /) to content: %SystemRoot% is Windows, %ProgramFiles% is Program Files.
    trust: a PEM file with all the roots that the server trusts; None leaves the machine's own.
    account: the session's, DOMAIN\\name.
    becomes: whether become with runas works; the account changes by name only.
    accounts: other accounts that Windows knows, to their SIDs.
    tls: lines of OpenSSL's configuration for what the server's TLS offers by itself; OpenSSL stands for Schannel here.
    environment: more variables for what is started, over everything else.
    """

    name: str
    registry: tuple[Path, ...] = ()
    values: str = ""
    modules: Path | None = MODULES
    cim: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    trust: Path | None = None
    account: str = "LAB\\engineer"
    administrator: bool = True
    becomes: bool = True
    accounts: Mapping[str, str] = field(default_factory=dict)
    tls: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def prelude(self) -> Path | None:
        """A script to run before each command; a server without a registry is no Windows either way."""
        return PRELUDE if self.registry else None

    def lay_out(self, folder: Path) -> dict[str, str]:
        """Writes what the server's PowerShell will see below a folder; the variables that lead there."""
        drive = folder / "drive"
        for path, content in self.files.items():
            (drive / path).parent.mkdir(parents=True, exist_ok=True)
            (drive / path).write_text(content, encoding="utf-8")
        (folder / "cim.json").write_text(json.dumps({**CIM, **self.cim}), encoding="utf-8")
        variables = {
            "SystemDrive": "C:", "SystemRoot": str(drive / "Windows"), "ProgramFiles": str(drive / "Program Files"),
            "LAB_CIM": str(folder / "cim.json"), "LAB_ACCOUNT": self.account, "LAB_SID": "S-1-5-21-1-2-3-500",
            "LAB_BECOMES": "yes" if self.becomes else "no", "LAB_PRELUDE": str(PRELUDE),
            "LAB_ADMINISTRATOR": "yes" if self.administrator else "no", "LAB_ACCOUNTS": json.dumps(dict(self.accounts)),
        }
        if self.registry:
            parts = [path.read_text(encoding="utf-8").removeprefix(_HEADER) for path in self.registry]
            (folder / "before.reg").write_text(_HEADER + "\n".join([*parts, self.values]), encoding="utf-8")
            variables |= {"PWSH_REGISTRY_FIXTURE": str(folder / "before.reg"), "PWSH_REGISTRY_FIXTURE_SAVE": str(folder / "after.reg")}
        if self.modules is not None:
            variables["PSModulePath"] = str(self.modules)
        if self.trust is not None:
            # .NET adds the machine's own folder of roots to the file unless another one is named.
            variables |= {"SSL_CERT_FILE": str(self.trust), "SSL_CERT_DIR": str(folder / "no-certificates")}
        if self.tls:
            (folder / "openssl.cnf").write_text(
                f"openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = own\n[own]\n{self.tls}\n", encoding="utf-8"
            )
            variables["OPENSSL_CONF"] = str(folder / "openssl.cnf")
        return {**variables, **self.environment}


def _server(version: str, **more: Any) -> Personality:
    return Personality(
        f"server{version}", registry=(_HERE / "base.reg", _HERE / f"server{version}.reg"),
        environment={"COMPUTERNAME": f"LAB-{version.upper()}"}, **more,
    )


SERVER_2012_R2 = _server("2012r2")
SERVER_2016 = _server("2016")
SERVER_2019 = _server("2019")
SERVER_2022 = _server("2022")
SERVER_2025 = _server("2025")
