# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of Windows servers: what each is, what is around it, and the exact list of findings that must come of it.

PowerShell 7 on this machine stands for them (see personalities); OpenSSL stands for Schannel: where a server's TLS lacks something, its
OpenSSL really does.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from . import faults
from .fleet import Lab
from .personalities import CIM, SERVER_2012_R2, SERVER_2016, SERVER_2019, SERVER_2022, SERVER_2025, Personality
from .scenarios import (
    BOOTSTRAP,
    EVERY_TLS,
    FAIL,
    INCONCLUSIVE,
    NOT_READY,
    READY,
    SERVICE,
    UNKNOWN,
    WARN,
    WITH_COMPANY,
    ProxyPlan,
    Scenario,
)

# --- the registry, in the layouts of real exports -------------------------------------------------------------------------

_SETTINGS = r"Microsoft\Windows\CurrentVersion\Internet Settings"
_INTERNET = rf"Software\{_SETTINGS}"
SERVICE_HIVE, SYSTEM_HIVE, SESSION_HIVE = r"HKEY_USERS\S-1-5-20", r"HKEY_USERS\S-1-5-18", "HKEY_CURRENT_USER"
_SCHANNEL = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL"
_TLS12 = rf"{_SCHANNEL}\Protocols\TLS 1.2\Client"


def key(path: str, **values: str) -> str:
    """One key of a .reg export; a value as it stands there, `dword:00000001`, `hex:..` or a quoted text."""
    return f"[{path}]\n" + "".join(f'"{name}"={value}\n' for name, value in values.items()) + "\n"


def dword(number: int) -> str:
    return f"dword:{number:08x}"


def binary(data: bytes, kind: str = "hex") -> str:
    return f"{kind}:" + ",".join(f"{byte:02x}" for byte in data)


def several(*texts: str) -> str:
    """REG_MULTI_SZ."""
    return binary(("\0".join([*texts, "", ""])).encode("utf-16-le"), "hex(7)")


def _counted(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("ascii")


def internet(hive: str, *, proxy: str = "", bypass: str = "", pac: str = "", automatic: bool = False) -> str:
    """DefaultConnectionSettings: version 0x46, counter, flags (1 direct, 2 proxy, 4 script, 8 automatic), three texts, zeros."""
    flags = 1 | (2 if proxy else 0) | (4 if pac else 0) | (8 if automatic else 0)
    data = struct.pack("<III", 0x46, 5, flags) + _counted(proxy) + _counted(bypass) + _counted(pac) + bytes(32)
    return key(rf"{hive}\{_INTERNET}\Connections", DefaultConnectionSettings=binary(data))


def winhttp(proxy: str, bypass: str = "") -> str:
    """WinHttpSettings: size 0x28, counter, flags (1 direct, 3 a proxy is named), two texts."""
    data = struct.pack("<III", 0x28, 0, 3) + _counted(proxy) + _counted(bypass)
    return key(rf"HKEY_LOCAL_MACHINE\SOFTWARE\{_SETTINGS}\Connections", WinHttpSettings=binary(data))


def config(address: str) -> str:
    """The part of a .NET configuration file that Microsoft's page on proxies shows."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<configuration>\n  <system.net>\n    <defaultProxy>\n'
        f'      <proxy proxyaddress="{address}" bypassonlocal="True" usesystemdefault="True"/>\n'
        "    </defaultProxy>\n  </system.net>\n</configuration>\n"
    )


_FOLDER = "Program Files/Microsoft Entra private network connector"
SERVICE_CONFIG = f"{_FOLDER}/MicrosoftEntraPrivateNetworkConnectorService.exe.config"
UPDATER_CONFIG = f"{_FOLDER} Updater/MicrosoftEntraPrivateNetworkConnectorUpdaterService.exe.config"

# --- what OpenSSL has to lack, so that the server's TLS really does -------------------------------------------------------

WITHOUT_SHA512 = "SignatureAlgorithms = RSA+SHA256:RSA-PSS+SHA256:ECDSA+SHA256:RSA+SHA384:RSA-PSS+SHA384:ECDSA+SHA384:RSA+SHA1"
ONLY_TLS13 = "MinProtocol = TLSv1.3"
ONLY_CBC = "CipherString = ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES128-SHA256"


# --- the table ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Around:
    """What is there for a server to be set to."""

    proxy: str
    """host:port; empty where the row has none."""
    dead: str
    """host:port at which nothing listens."""
    serve: Callable[[str], str]
    """A text, and the http URL at which it is then served."""


@dataclass(frozen=True)
class WindowsServer:
    """`scenario.expects` is exact: these findings, each with its worst status, and no other."""

    scenario: Scenario
    looks: Callable[[Around], Personality]

    @property
    def alone(self) -> bool:
        """Played in a run of its own: the role shows a certificate on the first host of a play only."""
        return self.scenario.variables.get("preflight_rehearse_client_certificate") is True

    @property
    def name(self) -> str:
        return self.scenario.name


def _row(
    name: str, says: str, looks: Personality | Callable[[Around], Personality], expects: Mapping[str, str] | None = None,
    verdict: str = READY, **more: Any,
) -> WindowsServer:
    variables = {"preflight_proxy": "auto", **more.pop("variables", {})}
    scenario = Scenario(name, says, expects=expects or {}, verdict=verdict, variables=variables, **more)
    return WindowsServer(scenario, looks if callable(looks) else lambda around: looks)


def _with(values: str = "", base: Personality = SERVER_2022, **more: Any) -> Personality:
    return replace(base, values=values, **more)


def _default(base: Personality, **more: Any) -> Personality:
    """As it is installed: with IE Enhanced Security Configuration on."""
    on = "".join(
        key(rf"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Active Setup\Installed Components\{{A509B1A{one}-37EF-4b3f-8CFC-4F3A74704073}}",
            IsInstalled=dword(1))
        for one in (7, 8)
    )
    return _with(on, base, **more)


_OLD = {"APC204": FAIL, "APC401": WARN, "APC402": WARN, "APC461": WARN}

DEFAULTS = (
    _row("default-2012r2", "Windows Server 2012 R2 with all updates.", _default(SERVER_2012_R2), _OLD, NOT_READY),
    _row(
        "default-2012r2-without-sha512", "Windows Server 2012 R2 without the update for SHA-512.",
        _default(SERVER_2012_R2, tls=WITHOUT_SHA512), {**_OLD, "APC211": FAIL}, NOT_READY,
    ),
    _row(
        "default-2016", "Windows Server 2016 with its own .NET Framework 4.6.2.", _default(SERVER_2016),
        {"APC204": FAIL, "APC402": WARN, "APC461": WARN}, NOT_READY,
    ),
    _row("default-2019", "Windows Server 2019.", _default(SERVER_2019), {"APC461": WARN}),
    _row("default-2022", "Windows Server 2022.", _default(SERVER_2022), {"APC461": WARN}),
    _row("default-2025", "Windows Server 2025.", _default(SERVER_2025), {"APC461": WARN}),
)

_HASH_OFF = key(rf"{_SCHANNEL}\Hashes\SHA512", Enabled=dword(0))
_SIGNATURES = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Cryptography\Configuration\Local\SSL\00010003"
_DAMAGED = key(_SIGNATURES, Functions=several("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "NistP384"))
_HEALTHY_LIST = key(_SIGNATURES, Functions=several(
    "RSAE-PSS/SHA256", "RSAE-PSS/SHA384", "RSAE-PSS/SHA512", "RSA/SHA256", "RSA/SHA384", "RSA/SHA1", "ECDSA/SHA256", "ECDSA/SHA384",
    "ECDSA/SHA1", "DSA/SHA1", "RSA/SHA512", "ECDSA/SHA512",
))

HARDENED = (
    _row(
        "hash-off", "A baseline switched SHA-512 off.", _with(_HASH_OFF, tls=WITHOUT_SHA512), {"APC211": FAIL, "APC212": FAIL}, NOT_READY,
    ),
    _row("hash-off-later", "As hash-off, but the server was not restarted since.", _with(_HASH_OFF), {"APC212": WARN}),
    _row(
        "list-damaged", "A script wrote cipher suites into the list of signatures.", _with(_DAMAGED, tls=WITHOUT_SHA512),
        {"APC211": FAIL, "APC215": FAIL}, NOT_READY,
    ),
    _row("list-healthy", "A list as servers of 2022 have it.", _with(_HEALTHY_LIST)),
    _row(
        "only-tls13", "A baseline left TLS 1.3 alone.",
        _with(key(_TLS12, Enabled=dword(0), DisabledByDefault=dword(1)), tls=ONLY_TLS13), {"APC201": FAIL}, NOT_READY,
    ),
    _row(
        "tls12-off-by-default", "TLS 1.2 only for programs that ask for it.",
        _with(key(_TLS12, DisabledByDefault=dword(1)), tls=ONLY_TLS13), {"APC202": FAIL}, NOT_READY,
    ),
    _row(
        "strong-crypto-off", ".NET is told to use old TLS.",
        _with(key(r"HKEY_LOCAL_MACHINE\SOFTWARE\WOW6432Node\Microsoft\.NETFramework\v4.0.30319", SchUseStrongCrypto=dword(0))),
        {"APC203": WARN},
    ),
    _row("only-cbc", "A policy took the AES-GCM suites away.", _with(tls=ONLY_CBC), {"APC221": WARN}),
    _row(
        "fips", "FIPS mode is on.",
        _with(key(r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Lsa\FipsAlgorithmPolicy", Enabled=dword(1))), {"APC232": WARN},
    ),
)

_REHEARSE = {"preflight_rehearse_trust": True, "preflight_rehearse_client_certificate": True, "preflight_deadline": 60}
"""The rehearsals want time after all else, which a busy machine may not have left."""

SHA512 = (
    _row(
        "sha512-path-cuts", "The machine is fine, and a firewall resets hellos that put SHA-512 first.", SERVER_2022,
        {"APC213": WARN}, faults={SERVICE: faults.sha512_first_cut},
    ),
    _row(
        "sha512-neither", "The machine does not offer it, and a firewall cuts it.", _with(_HASH_OFF, tls=WITHOUT_SHA512),
        {"APC211": FAIL, "APC212": FAIL, "APC213": WARN}, NOT_READY, faults={SERVICE: faults.sha512_first_cut},
    ),
    _row(
        "sha512-inspected", "TLS is inspected; the company's root is installed.", SERVER_2022,
        {"APC141": FAIL, "APC145": WARN, "APC152": WARN}, NOT_READY,
        faults={EVERY_TLS: faults.inspected}, trust=WITH_COMPANY,
    ),
    _row(
        "sha512-inspected-without-root", "TLS is inspected; the company's root is not installed.", SERVER_2022,
        {"APC141": FAIL, "APC145": WARN, "APC152": WARN}, NOT_READY, faults={EVERY_TLS: faults.inspected},
    ),
)

REHEARSALS = (
    _row(
        "rehearsal-declined", "As an extra variable a false is a text.", SERVER_2022,
        variables={"preflight_rehearse_trust": "false", "preflight_rehearse_client_certificate": "false", "preflight_as_service": "false"},
        faults={BOOTSTRAP: faults.sha512_certificate_cut},
    ),
    _row("rehearsed", "Both rehearsals are asked for, and nothing stands in the way.", SERVER_2022, variables=_REHEARSE),
    _row(
        "rehearsed-cut", "A firewall lets hellos through and resets clients that sign with SHA-512.", SERVER_2022, {"APC216": FAIL},
        NOT_READY, faults={BOOTSTRAP: faults.sha512_certificate_cut}, variables=_REHEARSE,
    ),
    _row(
        "rehearsed-in-vain", "Only suites for ECDSA are left; the service has ECDSA certificates, the connector's would be RSA.",
        _with(tls="CipherString = ECDHE-ECDSA-AES128-GCM-SHA256"), {"APC214": FAIL}, NOT_READY, faults={EVERY_TLS: faults.ecdsa},
        variables={"preflight_rehearse_trust": True, "preflight_deadline": 60},
    ),
    _row(
        "rehearsed-never-asked", "The bootstrap service asks for no certificate in its first flight.", SERVER_2022, {"APC216": UNKNOWN},
        INCONCLUSIVE, faults={BOOTSTRAP: faults.client_certificate_never}, variables=_REHEARSE,
    ),
)

_VERSION = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
_PROGRAMS = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall"


def _service(name: str, state: str = "Running") -> dict[str, Any]:
    return {"Win32_Service": [{"Name": name, "State": state, "StartMode": "Auto", "StartName": "LocalSystem"}]}


def _cim(name: str, **values: Any) -> dict[str, Any]:
    """One class with some values of its last instance changed."""
    *others, last = CIM[name]
    return {name: [*others, {**last, **values}]}


_UNREADABLE = (
    key(r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Lsa\FipsAlgorithmPolicy", Enabled='"0"')
    + key(r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\.NETFramework\v4.0.30319", SchUseStrongCrypto='"1"')
    + key(r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\NET Framework Setup\NDP\v4\Full", Release='"528449"')
    + key(_TLS12, Enabled='"1"')
    + key(r"HKEY_LOCAL_MACHINE\SOFTWARE\Policies\Microsoft\Windows\PowerShell", EnableScripts='"1"')
    + key(r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Active Setup\Installed Components\{A509B1A7-37EF-4b3f-8CFC-4F3A74704073}",
          IsInstalled='"0"')
    + key(r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows\CurrentVersion\Internet Settings\Connections", WinHttpSettings="hex:28,00")
    + key(rf"{SYSTEM_HIVE}\{_INTERNET}\Connections", DefaultConnectionSettings="hex:46,00")
)
"""Values of a wrong type, or cut short."""

STATES = (
    _row(
        "client-windows", "Somebody took a workstation.",
        _with(key(_VERSION, ProductName='"Windows 11 Enterprise"', InstallationType='"Client"', CurrentBuildNumber='"26100"'),
              cim=_cim("Win32_OperatingSystem", ProductType=1)),
        {"APC401": FAIL}, NOT_READY,
    ),
    _row("server-core", "There is no desktop.", _with(key(_VERSION, InstallationType='"Server Core"')), {"APC403": WARN}),
    _row(
        "too-small", "2 processors and 4 GiB.",
        _with(cim=_cim("Win32_ComputerSystem", TotalPhysicalMemory=4 << 30, NumberOfLogicalProcessors=2)), {"APC411": WARN},
    ),
    _row(
        "scripts-forbidden", "Group policy forbids PowerShell scripts.",
        _with(key(r"HKEY_LOCAL_MACHINE\SOFTWARE\Policies\Microsoft\Windows\PowerShell", EnableScripts=dword(0))),
        {"APC421": FAIL}, NOT_READY,
    ),
    _row(
        "restart-pending", "Windows Update waits for a restart.",
        _with(key(r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired")),
        {"APC431": WARN},
    ),
    _row(
        "clock-behind", "By what the service answers, the clock is two hours behind; the controller's clock agrees with the server's.",
        SERVER_2022, {"APC441": WARN}, faults={EVERY_TLS: faults.two_hours_ahead},
    ),
    _row(
        "connector-there", "A connector of the old name is installed.",
        _with(key(_PROGRAMS + r"\{00000000-0000-0000-0000-000000000001}",
                  DisplayName='"Microsoft AAD Application Proxy Connector"', DisplayVersion='"1.5.3437.0"'), cim=_service("WAPCSvc")),
        {"APC451": WARN},
    ),
    _row(
        "password-protection-there", "The Password Protection Proxy is installed.", _with(cim=_service("AzureADPasswordProtectionProxy")),
        {"APC451": FAIL}, NOT_READY,
    ),
    _row("steered", "Zscaler's client runs.", _with(cim=_service("ZSAService")), {"APC452": WARN}),
    _row("steering-stopped", "Zscaler's client is there and does not run.", _with(cim=_service("ZSAService", "Stopped"))),
    _row("few-ports", "Somebody narrowed the dynamic ports.", _with(cim=_cim("MSFT_NetTCPSetting", DynamicPortRangeNumberOfPorts=1000)),
         {"APC453": WARN}),
    _row("not-administrator", "The session's account is no administrator.", _with(administrator=False), {"APC471": FAIL}, NOT_READY),
    _row(
        "facts-denied", "CIM gives nothing away, and half of what the registry says cannot be read as what it must be.",
        _with(_UNREADABLE, cim=dict.fromkeys(CIM, "denied")), {"APC903": UNKNOWN}, INCONCLUSIVE,
    ),
)


def everywhere(proxy: str) -> str:
    """Every account, and Windows itself, is set to it."""
    return "".join(internet(hive, proxy=proxy) for hive in (SERVICE_HIVE, SYSTEM_HIVE, SESSION_HIVE)) + winhttp(proxy)


INSTALLER_HIVE = r"HKEY_USERS\S-1-5-21-1-2-3-1105"
KNOWS_INSTALLER = {"LAB\\installer": "S-1-5-21-1-2-3-1105"}
BY_INSTALLER = {"preflight_installing_user": "LAB\\installer"}

WAYS = (
    _row(
        "proxy-found", "The only way out is a proxy, and every account is set to it.", lambda around: _with(everywhere(around.proxy)),
        proxy=ProxyPlan(), finds_proxy=True, direct=faults.closed_port,
    ),
    _row(
        "proxy-per-machine", "The only way out is a proxy, and a policy sets it for the machine in place of every account.",
        lambda around: _with(
            key(rf"HKEY_LOCAL_MACHINE\SOFTWARE\Policies\{_SETTINGS}", ProxySettingsPerUser=dword(0))
            + internet("HKEY_LOCAL_MACHINE", proxy=around.proxy)
        ),
        proxy=ProxyPlan(), finds_proxy=True, direct=faults.closed_port,
    ),
    _row(
        "proxy-of-the-session-only", "Whoever runs Ansible has set a proxy that is gone; nobody who matters uses it.",
        lambda around: _with(internet(SESSION_HIVE, proxy=around.dead)),
    ),
    _row(
        "nothing-to-detect", "Every account detects its settings automatically, and the network has nothing to detect.",
        _with("".join(internet(hive, automatic=True) for hive in (SERVICE_HIVE, SYSTEM_HIVE, SESSION_HIVE))),
    ),
    _row(
        "proxy-for-installer-only", "The proxy is set for who installs and for nobody else, and directly nothing gets out.",
        lambda around: _with(internet(INSTALLER_HIVE, proxy=around.proxy), accounts=KNOWS_INSTALLER),
        {"APC111": FAIL, "APC161": FAIL, "APC501": WARN}, NOT_READY, proxy=ProxyPlan(), finds_proxy=True, direct=faults.closed_port,
        variables=BY_INSTALLER,
    ),
    _row(
        "winhttp-missing", "The connector's files name the proxy, and nobody set it for Windows.",
        lambda around: _with(files={SERVICE_CONFIG: config(f"http://{around.proxy}"), UPDATER_CONFIG: config(f"http://{around.proxy}")}),
        {"APC111": WARN, "APC161": FAIL, "APC502": FAIL}, NOT_READY, proxy=ProxyPlan(), finds_proxy=True, direct=faults.closed_port,
    ),
    _row(
        "proxy-differs", "Only the connector's account has the proxy; directly all is open as well.",
        lambda around: _with(internet(SERVICE_HIVE, proxy=around.proxy)), {"APC501": WARN}, proxy=ProxyPlan(), finds_proxy=True,
    ),
    _row(
        "bypass-captures", "A bypass list for another service covers *.msappproxy.net too.",
        lambda around: _with(
            "".join(internet(hive, proxy=around.proxy, bypass="*.msappproxy.net;<local>") for hive in (SERVICE_HIVE, SYSTEM_HIVE))
            + winhttp(around.proxy)
        ),
        {"APC111": FAIL, "APC506": FAIL}, NOT_READY, proxy=ProxyPlan(), finds_proxy=True, direct=faults.closed_port,
    ),
    _row(
        "pac-list", "The proxy script names a dead proxy first.",
        lambda around: _with("".join(
            internet(hive, pac=around.serve(f'function FindProxyForURL(u, h) {{ return "PROXY {around.dead}; PROXY {around.proxy}"; }}'))
            for hive in (SERVICE_HIVE, SYSTEM_HIVE)
        ) + winhttp(around.proxy)),
        {"APC507": WARN}, proxy=ProxyPlan(), finds_proxy=True, direct=faults.closed_port,
    ),
    _row(
        "pac-unreachable", "The proxy script's server is gone; directly all is open.",
        lambda around: _with("".join(internet(hive, pac=f"http://{around.dead}/proxy.pac") for hive in (SERVICE_HIVE, SYSTEM_HIVE))),
        {"APC504": WARN},
    ),
    _row(
        "pac-in-a-file", "The proxy script lies in a file.",
        _with("".join(internet(hive, pac="file://c:/windows/proxy.pac") for hive in (SERVICE_HIVE, SYSTEM_HIVE))),
        {"APC505": UNKNOWN}, INCONCLUSIVE,
    ),
    _row(
        "proxy-without-http", "The connector's file names the proxy without http://; directly all is open.",
        _with(files={SERVICE_CONFIG: config("proxy.example:8080")}), {"APC503": FAIL}, NOT_READY,
    ),
    _row(
        "installer-not-logged-on", "The account that will install is not logged on.", _with(accounts=KNOWS_INSTALLER),
        {"APC508": UNKNOWN}, INCONCLUSIVE, variables=BY_INSTALLER,
    ),
    _row("installer-unknown", "Windows does not know the account that will install.", SERVER_2022, {"APC508": UNKNOWN}, INCONCLUSIVE,
         variables=BY_INSTALLER),
)

AS_SERVICE = (
    _row(
        "as-service", "The network is looked at as Network Service, too, whomever the inventory would become.", SERVER_2022,
        variables={"preflight_as_service": True, "ansible_become_user": "EXAMPLE\\other", "ansible_become_method": "runas"},
    ),
    _row(
        "as-somebody-else", "A variable that wins over the task's own makes Ansible become somebody else.", SERVER_2022,
        {"APC903": UNKNOWN}, INCONCLUSIVE, variables={"preflight_as_service": True, "ansible_runas_user": "EXAMPLE\\other"},
    ),
    _row(
        "as-service-refused", "Ansible may not become Network Service.", _with(becomes=False), {"APC903": UNKNOWN}, INCONCLUSIVE,
        variables={"preflight_as_service": True},
    ),
)

WINDOWS: tuple[WindowsServer, ...] = (*DEFAULTS, *HARDENED, *SHA512, *REHEARSALS, *STATES, *WAYS, *AS_SERVICE)


def looks(lab: Lab, name: str) -> Personality:
    """The personality of a row, set to what is around it in the lab."""
    site = lab.sites[name]
    (row,) = [one for one in WINDOWS if one.name == name]
    return row.looks(Around((site.proxy_url or "").removeprefix("http://"), lab.closed_port(), lab.serve))
