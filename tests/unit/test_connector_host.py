# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's facts (_ConnectorHost.psm1) in the `pwsh` on PATH, over registries and a CIM that the test writes.

One PowerShell for each registry answers every case, all at once, since each start costs a second. What this shows is the logic on
PowerShell 7, not Windows. This PowerShell takes "/" in the name of a key for a separator, which Windows does not: no cipher here has one.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.appproxy.connector.plugins.plugin_utils.observe.host import SHAPES, parse_host

x509 = pytest.importorskip("cryptography.x509", reason="cryptography is not installed")

from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402

PWSH = shutil.which("pwsh")
if PWSH is None:
    pytest.skip("pwsh is not on PATH", allow_module_level=True)

UTILS = Path(__file__).absolute().parent.parent.parent / "plugins" / "module_utils"
SOURCES = ("_ConnectorFact.psm1", "_ConnectorHost.psm1")

# Facts 24 to 29 of docs/observation.md are _ConnectorProxy's, the roots are read by themselves.
OTHERS = {"roots", "winhttp_proxy", "proxy_policy", "internet_settings", "default_proxy", "environment_proxy", "pac"}

HARNESS = r"""
param([string] $Utils, [string] $Cases, [string] $To)
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
foreach ($name in '_ConnectorFact', '_ConnectorHost') {
    $body = [scriptblock]::Create((Get-Content -Raw (Join-Path $Utils "$name.psm1")))
    New-Module -Name $name -ScriptBlock $body | Import-Module
}
$env:SystemDrive = 'C:'
$answers = @{}
foreach ($case in Get-Content -Raw $Cases | ConvertFrom-Json -AsHashtable) {
    $global:LabCim = $case.cim
    $global:LabCalls = [System.Collections.ArrayList] @()
    if ($case.registry_denied) {
        function global:Get-ConnectorKey {
            $inner = [System.Security.SecurityException]::new('Requested registry access is not allowed.')
            throw [System.Management.Automation.MethodInvocationException]::new('Exception calling "OpenSubKey"', $inner)
        }
        function global:Get-ConnectorValue { Get-ConnectorKey }
        function global:Get-ConnectorSubkey { Get-ConnectorKey }
    }
    $answers[$case.name] = @{
        roots = Get-ConnectorRootFact -Wanted $case.wanted
        facts = Get-ConnectorHostFact -Wanted $case.wanted
        calls = [object[]] @($global:LabCalls)
    }
}
[System.IO.File]::WriteAllText($To, (ConvertTo-Json -Depth 99 $answers))
"""

# Stands in for CIM, which this PowerShell lacks: a class is its instances, or the name of an error.
CIM = r"""
class LabCimException : Exception {
    [string] $NativeErrorCode
    LabCimException([string] $message, [string] $code) : base($message) { $this.NativeErrorCode = $code }
}
function Get-LabInstance([string] $ClassName) {
    $answer = $global:LabCim[$ClassName]
    switch -CaseSensitive ([string] $answer) {
        'unauthorized' { throw [System.UnauthorizedAccessException]::new('Access denied ') }
        'native' { throw [LabCimException]::new('Zugriff verweigert', 'AccessDenied') }
        'wbem' { throw [System.Runtime.InteropServices.COMException]::new('Accès refusé', 0x80041003) }
        'com' { throw [System.Runtime.InteropServices.COMException]::new('Access is denied.', 0x80070005) }
        'missing' { throw [LabCimException]::new('Invalid namespace', 'InvalidNamespace') }
        'wordy' { throw [System.InvalidOperationException]::new('x' * 1000) }
    }
    foreach ($one in @($answer | Where-Object { $null -ne $_ })) { [pscustomobject] $one }
}
function Get-CimInstance {
    [CmdletBinding()]
    param([string] $ClassName, [string[]] $Property, [string] $Filter, [string] $Namespace, [uint32] $OperationTimeoutSec)
    $null = $global:LabCalls.Add(@{ class = $ClassName; filter = $Filter; namespace = $Namespace; seconds = $OperationTimeoutSec })
    Get-LabInstance $ClassName | Select-Object -Property $Property
}
function Invoke-CimMethod {
    [CmdletBinding()]
    param([string] $Namespace, [string] $ClassName, [string] $MethodName, [uint32] $OperationTimeoutSec)
    $null = $global:LabCalls.Add(@{ class = $ClassName; method = $MethodName; namespace = $Namespace; seconds = $OperationTimeoutSec })
    Get-LabInstance $ClassName
}
Export-ModuleMember -Function Get-CimInstance, Invoke-CimMethod
"""


# ---- registries ------------------------------------------------------------------------------------------------------


class Dword(int):
    """A number as the registry keeps it; a plain text is REG_SZ, a list REG_MULTI_SZ."""


Registry = dict[str, dict[str, Any]]

CONTROL = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control"
SERVICES = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services"
SOFTWARE = r"HKEY_LOCAL_MACHINE\SOFTWARE"
WOW64 = rf"{SOFTWARE}\WOW6432Node"
POLICIES = rf"{SOFTWARE}\Policies\Microsoft"
WINDOWS = rf"{SOFTWARE}\Microsoft\Windows\CurrentVersion"
SCHANNEL = rf"{CONTROL}\SecurityProviders\SCHANNEL"
FIREWALL = rf"{SERVICES}\SharedAccess\Parameters\FirewallPolicy"
FIREWALL_POLICY = rf"{POLICIES}\WindowsFirewall"
RELEASE = rf"{SOFTWARE}\Microsoft\Windows NT\CurrentVersion"
UNINSTALL = r"Microsoft\Windows\CurrentVersion\Uninstall"
SSL_POLICY = rf"{POLICIES}\Cryptography\Configuration\SSL"
SSL_LOCAL = rf"{CONTROL}\Cryptography\Configuration\Local\SSL"
ACTIVE_SETUP = rf"{SOFTWARE}\Microsoft\Active Setup\Installed Components"
POWERSHELL_USER = r"HKEY_CURRENT_USER\SOFTWARE\Policies\Microsoft\Windows\PowerShell"


def written(value: Any) -> str:
    if isinstance(value, Dword):
        return f"dword:{value:08x}"
    if isinstance(value, list):
        raw = ("".join(f"{one}\0" for one in value) + "\0").encode("utf-16-le")
        return "hex(7):" + ",".join(f"{byte:02x}" for byte in raw)
    return '"{}"'.format(value.replace("\\", "\\\\").replace('"', '\\"'))


def reg(registry: Registry) -> str:
    lines = ["Windows Registry Editor Version 5.00", ""]
    for key, values in registry.items():
        lines += [f"[{key}]", *(f'"{name}"={written(value)}' for name, value in values.items()), ""]
    return "\r\n".join(lines)


HEALTHY: Registry = {
    RELEASE: {
        "ProductName": "Windows Server 2022 Datacenter",
        "EditionID": "ServerDatacenter",
        "InstallationType": "Server",
        "CurrentBuildNumber": "20348",
        "UBR": Dword(2700),
        "ReleaseId": "2009",
        "DisplayVersion": "21H2",
    },
    rf"{CONTROL}\ComputerName\ActiveComputerName": {"ComputerName": "CONNECTOR1"},
    rf"{CONTROL}\ComputerName\ComputerName": {"ComputerName": "connector1"},
    rf"{CONTROL}\Session Manager": {"PendingFileRenameOperations": [], "PendingFileRenameOperations2": ""},
    rf"{SERVICES}\Netlogon": {"Start": Dword(2)},
    rf"{SOFTWARE}\Microsoft\Updates": {"UpdateExeVolatile": Dword(0)},
    rf"{WINDOWS}\Component Based Servicing\Packages": {},
    rf"{POLICIES}\Windows\PowerShell": {"EnableScripts": Dword(1), "ExecutionPolicy": "RemoteSigned"},
    POWERSHELL_USER: {"EnableScripts": Dword(0)},
    rf"{ACTIVE_SETUP}\{{A509B1A7-37EF-4b3f-8CFC-4F3A74704073}}": {"IsInstalled": Dword(0)},
    rf"{ACTIVE_SETUP}\{{A509B1A8-37EF-4b3f-8CFC-4F3A74704073}}": {"IsInstalled": Dword(1)},
    rf"{CONTROL}\Lsa\FipsAlgorithmPolicy": {"Enabled": Dword(0)},
    rf"{FIREWALL}\DomainProfile": {"EnableFirewall": Dword(1), "DefaultOutboundAction": Dword(0)},
    rf"{FIREWALL}\StandardProfile": {"EnableFirewall": Dword(1)},
    rf"{FIREWALL}\PublicProfile": {"EnableFirewall": Dword(0)},
    rf"{FIREWALL}\FirewallRules": {
        "{1}": "v2.31|Action=Allow|Active=TRUE|Dir=Out|Protocol=6|RPort=443|Name=allowed|",
        "{2}": "v2.31|Action=Block|Active=FALSE|Dir=Out|Protocol=6|RPort=443|Name=off|",
        "{3}": "v2.31|Action=Block|Active=TRUE|Dir=In|Protocol=6|LPort=443|Name=inbound|",
        "{4}": "v2.31|Action=Block|Active=TRUE|Dir=Out|Name=an app|AppPkgId=S-1-15-2-1|",
        "{5}": r"v2.31|Action=Block|Active=TRUE|Dir=Out|Protocol=6|RPort=80|RPort2_10=8000-8080|RA42=LocalSubnet|RA62=LocalSubnet"
        r"|App=C:\a.exe|Svc=a|Name=web|",
    },
    rf"{FIREWALL_POLICY}\PrivateProfile": {"EnableFirewall": Dword(1), "DefaultOutboundAction": Dword(1)},
    rf"{FIREWALL_POLICY}\FirewallRules": {"{6}": "v2.31|Action=Block|Active=TRUE|Dir=Out|RA4=10.0.0.0/255.0.0.0|RA4=8.8.8.8|Name=policy|"},
    rf"{SOFTWARE}\{UNINSTALL}\{{1}}": {"DisplayName": "Microsoft Entra private network connector", "DisplayVersion": "1.5.3829.0"},
    rf"{SOFTWARE}\{UNINSTALL}\{{2}}": {"DisplayName": "Something else", "DisplayVersion": "1"},
    rf"{SOFTWARE}\{UNINSTALL}\{{3}}": {"UninstallString": "nameless"},
    rf"{WOW64}\{UNINSTALL}\{{4}}": {"DisplayName": "MICROSOFT ENTRA old", "DisplayVersion": Dword(7)},
    rf"{SOFTWARE}\Microsoft\NET Framework Setup\NDP\v4\Full": {"Release": Dword(528449)},
    rf"{WOW64}\Microsoft\NET Framework Setup\NDP\v4\Full": {"Release": Dword(461814)},
    rf"{SOFTWARE}\Microsoft\.NETFramework\v4.0.30319": {"SchUseStrongCrypto": Dword(1), "SystemDefaultTlsVersions": Dword(1)},
    rf"{WOW64}\Microsoft\.NETFramework\v4.0.30319": {"SchUseStrongCrypto": Dword(0)},
    rf"{SCHANNEL}\Protocols\TLS 1.2\Client": {"Enabled": Dword(0xFFFFFFFF), "DisabledByDefault": Dword(0)},
    rf"{SCHANNEL}\Protocols\SSL 2.0\Server": {"Enabled": Dword(0)},
    rf"{SCHANNEL}\Hashes\SHA512": {"Enabled": Dword(0xFFFFFFFF)},
    rf"{SCHANNEL}\Hashes\MD5": {},
    rf"{SCHANNEL}\Ciphers\NULL": {"Enabled": Dword(0)},
    rf"{SCHANNEL}\KeyExchangeAlgorithms\Diffie-Hellman": {"ServerMinKeyBitLength": Dword(2048)},
    rf"{SSL_POLICY}\00010002": {"Functions": "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,"},
    rf"{SSL_LOCAL}\00010002": {"Functions": ["TLS_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"]},
    rf"{SSL_LOCAL}\00010003": {"Functions": ["RSA/SHA512"]},
    rf"{WINDOWS}\Internet Settings\WinHttp": {"DefaultSecureProtocols": Dword(0xA80)},
    rf"{WOW64}\Microsoft\Windows\CurrentVersion\Internet Settings\WinHttp": {"DefaultSecureProtocols": Dword(0x800)},
    rf"{POLICIES}\SystemCertificates\AuthRoot": {"DisableRootAutoUpdate": Dword(1)},
}

PENDING: Registry = {
    RELEASE: {"ProductName": "Windows Server 2016 Standard", "CurrentBuildNumber": "14393", "ReleaseId": "1607"},
    rf"{WINDOWS}\Component Based Servicing\RebootPending": {},
    rf"{WINDOWS}\WindowsUpdate\Auto Update\RebootRequired": {},
    rf"{CONTROL}\Session Manager": {"PendingFileRenameOperations": [r"\??\C:\old", ""], "PendingFileRenameOperations2": [r"\??\C:\b", ""]},
    rf"{CONTROL}\ComputerName\ActiveComputerName": {"ComputerName": "OLD"},
    rf"{CONTROL}\ComputerName\ComputerName": {"ComputerName": "NEW"},
    rf"{SERVICES}\Netlogon\AvoidSpnSet": {},
    rf"{SERVICES}\CcmExec": {},
    rf"{SOFTWARE}\Microsoft\Updates": {"UpdateExeVolatile": Dword(3)},
    rf"{SOFTWARE}\Microsoft\ServerManager\CurrentRebootAttempts": {},
    rf"{FIREWALL}\FirewallRules": {
        "{a}": "|||=|Action=Block|rubbish",
        "{b}": "",
        **{f"{{c{place:02}}}": f"v2.31|Action=Block|Active=TRUE|Dir=Out|Name=rule {place:02}|" for place in range(45)},
    },
    rf"{SSL_POLICY}\00010003": {"Functions": ""},
    rf"{SSL_LOCAL}\00010003": {"Functions": ["RSA/SHA256", "TLS_RSA_WITH_AES_128_CBC_SHA", "NistP256"]},
    rf"{SOFTWARE}\Microsoft\.NETFramework\v4.0.30319": {"SchUseStrongCrypto": "1"},
    rf"{SCHANNEL}\Protocols\TLS 1.2\Client": {"Enabled": "0"},
}

MANAGED: Registry = {RELEASE: {"ProductName": "no build"}, rf"{SERVICES}\CcmExec": {}, rf"{SERVICES}\Netlogon": {"JoinDomain": "x"}}
UNJOINED: Registry = {rf"{SERVICES}\CcmExec": {}}


# ---- cases -----------------------------------------------------------------------------------------------------------

CIM_HEALTHY: dict[str, Any] = {
    "Win32_ComputerSystem": [{"PartOfDomain": True, "TotalPhysicalMemory": 17179869184, "NumberOfLogicalProcessors": 4}],
    "Win32_OperatingSystem": [{"ProductType": 3, "LastBootUpTime": "2026-03-01T11:30:00+02:00"}],
    "Win32_LogicalDisk": [{"DeviceID": "C:", "FreeSpace": 50000000000}],
    "MSFT_NetTCPSetting": [
        {"SettingName": "Automatic", "DynamicPortRangeStartPort": None, "DynamicPortRangeNumberOfPorts": None},
        {"SettingName": "Internet", "DynamicPortRangeStartPort": 49152, "DynamicPortRangeNumberOfPorts": 16384},
    ],
    "Win32_Service": [
        {"Name": "WAPCSvc", "State": "Running", "StartMode": "Auto", "StartName": r"NT AUTHORITY\NetworkService"},
        {"Name": "Other", "State": "Running", "StartMode": "Auto", "StartName": "LocalSystem"},
    ],
    "CCM_ClientUtilities": [{"RebootPending": True, "IsHardRebootPending": False}],
}
CLASSES_OF = {
    "computer": "Win32_ComputerSystem",
    "system": "Win32_OperatingSystem",
    "disk": "Win32_LogicalDisk",
    "dynamic_ports": "MSFT_NetTCPSetting",
    "services": "Win32_Service",
}
WANTED = {"services": ["wapcsvc", r"o'brien\x", "absent"], "products": ["microsoft entra"], "installing_user": None}
REFUSALS = ("unauthorized", "native", "wbem", "com")


def case(name: str, cim: Mapping[str, Any], wanted: Mapping[str, Any] | None = None, *, registry_denied: bool = False) -> dict[str, Any]:
    return {"name": name, "cim": cim, "wanted": WANTED if wanted is None else wanted, "registry_denied": registry_denied}


def every(answer: Any) -> dict[str, Any]:
    return dict.fromkeys(CIM_HEALTHY, answer)


def root(name: str) -> Any:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=30))
    return builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256())


Answers = dict[str, dict[str, Any]]


class Lab:
    """Starts a PowerShell over a registry, and reads what it says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.modules = folder / "modules"
        (self.modules / "CimCmdlets").mkdir(parents=True)
        (self.modules / "CimCmdlets" / "CimCmdlets.psm1").write_text(CIM, encoding="utf-8")
        (folder / "harness.ps1").write_text(HARNESS, encoding="utf-8")
        self.roots = [root("one"), root("two")]
        (folder / "none").mkdir()
        (folder / "roots.pem").write_bytes(b"".join(one.public_bytes(serialization.Encoding.PEM) for one in self.roots))
        self.started: dict[str, subprocess.Popen[bytes]] = {}

    def thumbprint(self, place: int) -> str:
        return str(self.roots[place].fingerprint(hashes.SHA1()).hex())

    def saved(self, name: str) -> bytes:
        return (self.folder / f"{name}.saved.reg").read_bytes()

    def start(self, name: str, registry: Registry, cases: list[dict[str, Any]], *, cim: bool = True) -> None:
        (self.folder / f"{name}.reg").write_text(reg(registry), encoding="utf-16")
        (self.folder / f"{name}.cases.json").write_text(json.dumps(cases), encoding="utf-8")
        environment = {
            **os.environ,
            "PWSH_REGISTRY_FIXTURE": str(self.folder / f"{name}.reg"),
            "PWSH_REGISTRY_FIXTURE_SAVE": str(self.folder / f"{name}.saved.reg"),
            "PSModulePath": str(self.modules if cim else self.folder / "none"),
            "SSL_CERT_DIR": str(self.folder / "none"),
            "SSL_CERT_FILE": str(self.folder / "roots.pem"),
            "TZ": "Europe/Berlin",
        }
        files = [str(self.folder / f"{name}.cases.json"), str(self.folder / f"{name}.answers.json")]
        command = [str(PWSH), "-NoProfile", "-NonInteractive", "-File", str(self.folder / "harness.ps1"), str(UTILS), *files]
        self.started[name] = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def answers(self, name: str) -> Answers:
        said, dummy = self.started[name].communicate(timeout=120)
        assert self.started[name].returncode == 0, said.decode(errors="replace")
        found: Answers = json.loads((self.folder / f"{name}.answers.json").read_text(encoding="utf-8"))
        return found


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    made = Lab(tmp_path_factory.mktemp("host"))
    wanted = {**WANTED, "roots": [made.thumbprint(1), "00" * 20]}
    holes = {
        "Win32_ComputerSystem": [{"PartOfDomain": False, "TotalPhysicalMemory": None, "NumberOfLogicalProcessors": 4}],
        "Win32_OperatingSystem": [{"ProductType": 3, "LastBootUpTime": None}],
        "MSFT_NetTCPSetting": [{"SettingName": "Internet", "DynamicPortRangeStartPort": 0, "DynamicPortRangeNumberOfPorts": None}],
    }
    denied = case("registry denied", CIM_HEALTHY, wanted, registry_denied=True)
    refusals = [case(one, every(one)) for one in (*REFUSALS, "wordy")]
    made.start("healthy", HEALTHY, [case("all", CIM_HEALTHY, wanted), case("nothing wanted", CIM_HEALTHY, {}), *refusals, denied])
    made.start("untouched", HEALTHY, [])
    made.start("pending", PENDING, [case("all", CIM_HEALTHY), case("native", every("native"))])
    made.start("managed", MANAGED, [case("holes", holes), case("native", every("native"))])
    made.start("unjoined", UNJOINED, [case(one, every(one)) for one in ("native", "missing")])
    made.start("bare", {}, [case("all", {})], cim=False)
    return made


@pytest.fixture(scope="module")
def healthy(lab: Lab) -> Answers:
    return lab.answers("healthy")


@pytest.fixture(scope="module")
def pending(lab: Lab) -> Answers:
    return lab.answers("pending")


@pytest.fixture(scope="module")
def managed(lab: Lab) -> Answers:
    return lab.answers("managed")


@pytest.fixture(scope="module")
def unjoined(lab: Lab) -> Answers:
    return lab.answers("unjoined")


@pytest.fixture(scope="module")
def bare(lab: Lab) -> Answers:
    return lab.answers("bare")


def known(answers: Answers, name: str, of: str = "all") -> Any:
    fact = answers[of]["facts"][name]
    assert fact["ok"] is True, fact
    return fact["value"]


def error(answers: Answers, name: str, of: str = "all") -> dict[str, Any]:
    fact = answers[of]["facts"][name]
    assert fact["ok"] is False, fact
    return dict(fact["error"])


# ---- a healthy server ------------------------------------------------------------------------------------------------

RSA_256, RSA_128 = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
NEITHER = {"enabled": None, "disabled_by_default": None}
UNSET = {"enabled": None, "outbound": None}

VALUES = {
    "windows": {
        "product": "Windows Server 2022 Datacenter",
        "edition": "ServerDatacenter",
        "installation": "Server",
        "build": 20348,
        "revision": 2700,
        "release": "21H2",
    },
    "computer": {"domain_joined": True, "memory_bytes": 17179869184, "processors": 4},
    "system": {"product_type": 3, "booted_at": "2026-03-01T09:30:00Z"},
    "disk": {"drive": "C:", "free_bytes": 50000000000},
    "pending_reboot": {"reasons": []},
    "execution_policy": {
        "machine": {"enable_scripts": 1, "policy": "RemoteSigned"},
        "user": {"enable_scripts": 0, "policy": None},
    },
    "ie_enhanced_security": {"administrators": 0, "users": 1},
    "fips": {"enabled": 0},
    "firewall": {
        "profiles": {
            "domain": {"enabled": 1, "outbound": 0},
            "private": {"enabled": 1, "outbound": None},
            "public": {"enabled": 0, "outbound": None},
        },
        "policy_profiles": {"domain": UNSET, "private": {"enabled": 1, "outbound": 1}, "public": UNSET},
        "blocking": [
            {
                "name": "web",
                "program": r"C:\a.exe",
                "service": "a",
                "protocol": "6",
                "ports": "80,8000-8080",
                "addresses": "LocalSubnet",
            },
            {
                "name": "policy",
                "program": None,
                "service": None,
                "protocol": None,
                "ports": None,
                "addresses": "10.0.0.0/255.0.0.0,8.8.8.8",
            },
        ],
    },
    "services": [{"name": "WAPCSvc", "state": "Running", "start_mode": "Auto", "account": r"NT AUTHORITY\NetworkService"}],
    "dotnet": {"native": 528449, "wow64": 461814},
    "dotnet_tls": {
        "native": {"strong_crypto": 1, "system_default": 1},
        "wow64": {"strong_crypto": 0, "system_default": None},
    },
    "schannel": {
        "protocols": {
            "TLS 1.2": {"client": {"enabled": 4294967295, "disabled_by_default": 0}, "server": NEITHER},
            "SSL 2.0": {"client": NEITHER, "server": {"enabled": 0, "disabled_by_default": None}},
        },
        "hashes": {"SHA512": 4294967295, "MD5": None},
        "ciphers": {"NULL": 0},
        "key_exchange": {"Diffie-Hellman": None},
    },
    "cipher_order": {"policy": [RSA_256, RSA_128], "local": ["TLS_AES_256_GCM_SHA384", RSA_256]},
    "signature_list": {"policy": None, "local": ["RSA/SHA512"]},
    "winhttp_protocols": {"native": 0xA80, "wow64": 0x800},
    "root_update": {"disabled": 1},
}


@pytest.mark.parametrize("name", VALUES)
def test_fact_of_a_healthy_server(healthy: Answers, name: str) -> None:
    assert known(healthy, name) == VALUES[name]


def test_programs_of_both_views(healthy: Answers) -> None:
    found = [(one["name"], one["version"]) for one in known(healthy, "products")]
    assert found == [("Microsoft Entra private network connector", "1.5.3829.0"), ("MICROSOFT ENTRA old", "7")]


def test_clock_and_powershell(healthy: Answers) -> None:
    clock = known(healthy, "clock")
    assert clock["zone"] == "Europe/Berlin"
    assert clock["offset_minutes"] in (60, 120)
    shell = known(healthy, "powershell")
    assert re.match(r"[0-9]+\.[0-9]+", shell["version"])
    assert shell["language_mode"] == "FullLanguage"


def test_ports(healthy: Answers) -> None:
    ports = known(healthy, "dynamic_ports")
    assert (ports["start"], ports["number"]) == (49152, 16384)
    assert 0 <= ports["in_use"] <= 16384


def test_what_this_platform_lacks_is_unsupported(healthy: Answers) -> None:
    assert error(healthy, "administrator")["code"] == "unsupported"


def test_roots_of_the_machine(healthy: Answers, lab: Lab) -> None:
    assert healthy["all"]["roots"] == {"ok": True, "value": {"present": [lab.thumbprint(1)], "count": 2}}
    assert healthy["nothing wanted"]["roots"]["value"] == {"present": [], "count": 2}


def test_nothing_wanted_gives_empty_lists(healthy: Answers) -> None:
    assert known(healthy, "services", "nothing wanted") == []
    assert known(healthy, "products", "nothing wanted") == []
    assert "Win32_Service" not in {one["class"] for one in healthy["nothing wanted"]["calls"]}


def test_one_bounded_query_for_each_class(healthy: Answers) -> None:
    calls = healthy["all"]["calls"]
    assert sorted(one["class"] for one in calls) == sorted(CLASSES_OF.values())
    assert {one["seconds"] for one in calls} == {5}
    filters = {one["class"]: one["filter"] for one in calls}
    assert filters["Win32_LogicalDisk"] == "DeviceID='C:'"
    assert filters["Win32_Service"] == r"Name='wapcsvc' OR Name='o\'brien\\x' OR Name='absent'"


def test_nothing_was_written(healthy: Answers, lab: Lab) -> None:
    lab.answers("untouched")
    assert healthy
    assert lab.saved("healthy") == lab.saved("untouched")


# ---- what is denied, missing, damaged --------------------------------------------------------------------------------


@pytest.mark.parametrize("how", REFUSALS)
@pytest.mark.parametrize("name", CLASSES_OF)
def test_denied_cim(healthy: Answers, how: str, name: str) -> None:
    assert error(healthy, name, how)["code"] == "denied"
    assert known(healthy, "windows", how) == VALUES["windows"]


def test_a_message_is_at_most_300_characters(healthy: Answers) -> None:
    assert error(healthy, "computer", "wordy") == {"code": "failed", "message": "x" * 300}


def test_denied_registry(healthy: Answers) -> None:
    facts = healthy["registry denied"]["facts"]
    denied = {name for name, fact in facts.items() if not fact["ok"] and fact["error"]["code"] == "denied"}
    assert denied == {
        "windows", "pending_reboot", "execution_policy", "ie_enhanced_security", "fips", "firewall", "products", "dotnet", "dotnet_tls",
        "schannel", "cipher_order", "signature_list", "winhttp_protocols", "root_update",
    }  # fmt: skip


@pytest.mark.parametrize("name", CLASSES_OF)
def test_no_cim_at_all(bare: Answers, name: str) -> None:
    assert error(bare, name)["code"] == "unsupported"


def test_an_empty_registry(bare: Answers) -> None:
    assert error(bare, "windows")["code"] == "absent"
    assert known(bare, "pending_reboot") == {"reasons": []}
    assert known(bare, "products") == []
    assert known(bare, "dotnet") == {"native": None, "wow64": None}
    assert known(bare, "schannel") == {"protocols": {}, "hashes": {}, "ciphers": {}, "key_exchange": {}}
    assert known(bare, "signature_list") == {"policy": None, "local": None}
    assert known(bare, "cipher_order") == {"policy": None, "local": None}
    assert known(bare, "fips") == {"enabled": None}
    assert known(bare, "root_update") == {"disabled": None}
    unset = {"domain": UNSET, "private": UNSET, "public": UNSET}
    assert known(bare, "firewall") == {"profiles": unset, "policy_profiles": unset, "blocking": []}


def test_what_windows_does_not_say_is_no_zero(managed: Answers) -> None:
    assert error(managed, "windows", "holes")["code"] == "absent"
    assert error(managed, "computer", "holes") == {"code": "absent", "message": "Win32_ComputerSystem does not say its TotalPhysicalMemory"}
    assert error(managed, "disk", "holes")["code"] == "absent"
    assert error(managed, "dynamic_ports", "holes")["code"] == "absent"
    assert known(managed, "system", "holes") == {"product_type": 3, "booted_at": None}


def test_an_older_release_has_its_name_in_another_value(pending: Answers) -> None:
    windows = known(pending, "windows")
    assert (windows["release"], windows["revision"], windows["edition"]) == ("1607", None, None)


EVERY_REASON = [
    "component_servicing", "windows_update", "file_rename", "computer_rename", "domain_join", "update_exe", "server_manager",
    "configuration_manager",
]  # fmt: skip


def test_every_reason_for_a_restart(pending: Answers) -> None:
    assert known(pending, "pending_reboot")["reasons"] == EVERY_REASON
    (call,) = [one for one in pending["all"]["calls"] if one["class"] == "CCM_ClientUtilities"]
    assert (call["namespace"], call["method"], call["seconds"]) == ("root/ccm/ClientSDK", "DetermineIfRebootPending", 5)


def test_a_reason_holds_without_configuration_manager(pending: Answers, managed: Answers) -> None:
    assert known(pending, "pending_reboot", "native")["reasons"] == EVERY_REASON[:-1]
    assert known(managed, "pending_reboot", "native")["reasons"] == ["domain_join"]


def test_no_reason_is_a_guess_without_configuration_manager(unjoined: Answers) -> None:
    assert error(unjoined, "pending_reboot", "native")["code"] == "denied"
    assert known(unjoined, "pending_reboot", "missing") == {"reasons": []}


def test_damaged_firewall_rules_and_too_many(pending: Answers) -> None:
    blocking = known(pending, "firewall")["blocking"]
    assert [one["name"] for one in blocking] == [f"rule {place:02}" for place in range(40)]


def test_a_damaged_signature_list_is_told_as_it_is(pending: Answers) -> None:
    assert known(pending, "signature_list") == {"policy": [], "local": ["RSA/SHA256", "TLS_RSA_WITH_AES_128_CBC_SHA", "NistP256"]}


def test_a_text_where_a_number_belongs_is_an_error(pending: Answers) -> None:
    dotnet = error(pending, "dotnet_tls")
    assert dotnet["code"] == "failed"
    assert "SchUseStrongCrypto" in dotnet["message"]
    assert error(pending, "schannel")["code"] == "failed"


# ---- the whole -------------------------------------------------------------------------------------------------------


def test_every_answer_is_of_the_observations_shape(
    healthy: Answers, pending: Answers, managed: Answers, unjoined: Answers, bare: Answers
) -> None:
    for answers in (healthy, pending, managed, unjoined, bare):
        for of, answer in answers.items():
            assert set(answer["facts"]) == set(SHAPES) - OTHERS, of
            assert parse_host({**answer["facts"], "roots": answer["roots"]}, of) is not None


@pytest.mark.parametrize("name", SOURCES)
def test_the_source_only_reads(name: str) -> None:
    source = (UTILS / name).read_text(encoding="utf-8")
    assert source.isascii()
    assert len(source) < 26 * 1024
    words = r"(Set|New|Remove|Rename|Clear|Move|Copy)-Item|Set-Content|Out-File|SetValue|DeleteSubKey|DeleteValue|CreateSubKey"
    slow = r"Get-WinEvent|Get-EventLog|Get-Net\w+|Get-HotFix|Get-WmiObject|Win32_Product\b|Win32_QuickFixEngineering"
    assert not re.findall(rf"(?i){words}|{slow}|netsh|Start-Process|Invoke-Expression|\biex\b", source)
