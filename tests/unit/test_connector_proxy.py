# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proxy settings of a Windows server and the ways that follow from them: the functions of _ConnectorProxy.psm1, in PowerShell.

One start of PowerShell 7 on this machine for all cases; WinHTTP's own call is a table of the test. This shows the logic, not Windows.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

PWSH = shutil.which("pwsh")
if PWSH is None:
    pytest.skip("pwsh is not on PATH", allow_module_level=True)

UTILS = Path(__file__).absolute().parents[2] / "plugins" / "module_utils"

HARNESS = r"""
param([string] $Utils, [string] $Cases, [string] $Answers)
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
[NoRunspaceAffinity()]
class TableWinHttp {
    static [int] $Calls = 0
    static [object] ProxyForUrl([object] $pac, [string] $url, [int] $ms) {
        [TableWinHttp]::Calls++
        switch ([string] $pac) {
            '' { return @{ error = 12180; proxies = @() } }
            'http://pac.example/list' { return @{ error = 0; proxies = @('a.example:8080', 'b.example:3128') } }
            'http://pac.example/direct' { return @{ error = 0; proxies = @() } }
            'http://user:secret@pac.example/bad' { return @{ error = 12166; proxies = @() } }
            'http://pac.example/throws' { throw [System.DllNotFoundException]::new('no such library') }
        }
        return @{ error = 12167; proxies = @() }
    }
}
[psobject].Assembly.GetType('System.Management.Automation.TypeAccelerators')::Add(
    'ansible_collections.appproxy.connector.plugins.module_utils._WinHttp.WinHttp', [TableWinHttp])
foreach ($name in '_ConnectorFact', '_ConnectorProxy') {
    New-Module -Name $name -ScriptBlock ([scriptblock]::Create((Get-Content -Raw (Join-Path $Utils "$name.psm1")))) | Import-Module
}
$proxy = Get-Module _ConnectorProxy
$told = foreach ($case in ConvertFrom-Json -AsHashtable (Get-Content -Raw $Cases)) {
    $given = $case.arguments
    for ($i = 0; $i -lt $given.Count; $i++) {
        if ($given[$i] -is [hashtable] -and $given[$i].Contains('hex')) {
            $given[$i] = [System.Convert]::FromHexString($given[$i].hex)
        }
        if ($given[$i] -is [hashtable] -and $given[$i].Contains('internet')) {
            $given[$i]['scripts'] = [ordered] @{}
            $given[$i]['clock'] = [System.Diagnostics.Stopwatch]::StartNew()
            $given[$i]['script_ms'] = 6000
        }
        if ($given[$i] -is [hashtable] -and $given[$i].Contains('port')) {
            $given[$i] = & $proxy { ConvertTo-ConnectorTarget $args[0] } $given[$i]
        }
    }
    [TableWinHttp]::Calls = 0
    try {
        $value = & $proxy { param($name, $list) & $name @list } $case.function $given
        @{ value = $value; calls = [TableWinHttp]::Calls }
    } catch {
        @{ error = $_.Exception.Message; code = $_.Exception.Data['code'] }
    }
}
[System.IO.File]::WriteAllText($Answers, (ConvertTo-Json -Depth 99 @($told)))
"""


def target(host: str = "a.msappproxy.net", port: int = 443, tls: bool = True, **more: Any) -> dict[str, Any]:
    return {"id": f"{host}:{port}", "host": host, "port": port, "tls": tls, **more}


def blob(first: int, flags: int, *texts: str, tail: bytes = b"") -> dict[str, Any]:
    data = struct.pack("<III", first, 7, flags)
    for text in texts:
        data += struct.pack("<I", len(text)) + text.encode("ascii")
    return {"hex": (data + tail).hex()}


def settings(**values: Any) -> dict[str, Any]:
    empty = {"sid": "S", "from": "connections", "auto_detect": False, "pac": None, "proxy": None, "bypass": None}
    return {"ok": True, "value": {**empty, **values}}


def world(**changes: Any) -> dict[str, Any]:
    """Of Get-ConnectorIdentityWay: every account without a setting, but for what is changed."""
    internet = {name: settings() for name in ("network_service", "local_system", "session", "machine")}
    return {"winhttp": None, "configs": {"service": None, "updater": None, "machine_config": None}, "unread": {}, "per_machine": False,
            **changes, "internet": {**internet, **changes.get("internet", {})}}


def config(**values: Any) -> dict[str, Any]:
    empty = dict.fromkeys(("address", "bypass_on_local", "use_system_default", "script"))
    return {"path": "x", "enabled": True, **empty, "bypass": [], **values}


def configs(**more: Any) -> dict[str, Any]:
    return {"configs": {"service": None, "updater": None, "machine_config": None, **more}}


def connection(**values: Any) -> dict[str, Any]:
    return {"from": "connections", "auto_detect": False, "pac": None, "proxy": None, "bypass": None, **values}


def way(*ways: str, by: str = "none") -> dict[str, Any]:
    return {"ways": list(ways), "by": by}


def choice(of: str, around: dict[str, Any], to: dict[str, Any] | None = None) -> tuple[str, list[Any]]:
    """Which way an identity takes to a target."""
    return "Get-ConnectorIdentityWay", [around, of, to or target()]


def script(pac: str, **more: Any) -> dict[str, Any]:
    return world(internet={"network_service": settings(pac=pac, **more)})


LOGIN = target("login.example")
CRL = target("crl.example", 80, False)
P, Q = "http://p.example:8080", "http://q.example:8080"
SERVICE_PROXY = {"internet": {"network_service": settings(proxy="p.example:8080", bypass="*.msappproxy.net;<local>")}}
NAMED = {"winhttp": {"kind": "named", "proxy": "q.example:8080", "bypass": "*.windows.net"}}

CASES: dict[str, tuple[str, list[Any], Any]] = {
    # -- binary values
    "nothing set": ("Read-ConnectorConnection", [blob(0x46, 1, "", "", "", tail=bytes(32))], connection()),
    "automatic": ("Read-ConnectorConnection", [blob(0x46, 9, "", "", "")], connection(auto_detect=True)),
    "all three": ("Read-ConnectorConnection", [blob(0x46, 15, "p:1", "*.x;<local>", "http://s/p.pac")],
                  connection(auto_detect=True, proxy="p:1", bypass="*.x;<local>", pac="http://s/p.pac")),
    "a script alone": ("Read-ConnectorConnection", [blob(0x46, 5, "", "", "http://s/p.pac")], connection(pac="http://s/p.pac")),
    "named but off": ("Read-ConnectorConnection", [blob(0x3C, 1, "p:1", "x", "http://s/p.pac")], connection(bypass="x")),
    "cut": ("Read-ConnectorConnection", [{"hex": "46000000070000000300"}], ValueError),
    "cut in a text": ("Read-ConnectorConnection", [{"hex": blob(0x46, 2, "proxy:8080")["hex"][:-4]}], ValueError),
    "a length that lies": ("Read-ConnectorConnection", [{"hex": "460000000700000002000000ffffff7f"}], ValueError),
    # -- proxies as they are written
    **{f"proxy {text!r} for {scheme}": ("ConvertTo-ConnectorWay", [text, scheme], expected) for text, scheme, expected in (
        ("p.example:8080", "https", P), ("http://p.example:8080/", "https", P), ("p.example", "http", "http://p.example:80"),
        ("http=p.example:8080;https=q.example:8080", "http", P), ("http=p.example:8080;https=q.example:8080", "https", Q),
        ("http=p.example:8080", "https", "direct"), ("socks=p.example:1080", "https", "direct"), ("HTTPS=p.example:8080", "https", P),
        ("[2001:db8::1]:8080", "https", "http://[2001:db8::1]:8080"), ("user:secret@p.example:8080", "https", P),
        ("", "https", "direct"), ("p.example:80800x", "https", "direct"), ("q.example:8080 p.example:8080", "https", P),
    )},
    # -- bypass lists
    **{f"bypass {entry!r} for {host}": ("Test-ConnectorBypass", [entry, target(host)], expected) for entry, host, expected in (
        ("*.msappproxy.net", "a.msappproxy.net", True), ("*.MSAPPPROXY.net", "a.b.msappproxy.net", True),
        ("msappproxy.net", "a.msappproxy.net", False), ("*msappproxy*", "a.msappproxy.net", True),
        ("<local>", "a.msappproxy.net", False), ("<local>", "server", True), ("", "a.msappproxy.net", False),
        ("x;*.msappproxy.net", "a.msappproxy.net", True), ("https://*.msappproxy.net", "a.msappproxy.net", True),
        ("http://*.msappproxy.net", "a.msappproxy.net", False), ("*.msappproxy.net:443", "a.msappproxy.net", True),
        ("*.msappproxy.net:80", "a.msappproxy.net", False), ("a.msappproxyXnet", "a.msappproxy.net", False),
    )},
    # -- secrets
    **{f"secret {text!r}": ("Hide-ConnectorSecret", [text], expected) for text, expected in (
        ("http://user:secret@p:1", "http://***@p:1"), ("https=user:secret@p:1;http=q:2", "https=***@p:1;http=q:2"), ("p:1", "p:1"),
        ("user@p:1", "***@p:1"), (None, None), ("http://p/x?y=a@b", "http://p/x?y=***@b"),
    )},
    # -- who goes where
    "all direct": (*choice("network_service", world()), way("direct")),
    "own proxy": (*choice("network_service", world(**SERVICE_PROXY), LOGIN), way(P, by="internet_settings")),
    "own bypass": (*choice("network_service", world(**SERVICE_PROXY)), way("direct", by="internet_settings")),
    "another account": (*choice("local_system", world(**SERVICE_PROXY), LOGIN), way("direct")),
    "its own file first": (
        *choice("network_service", world(**SERVICE_PROXY, **configs(service=config(address=Q), machine_config=config(address=P))), LOGIN),
        way(Q, by="exe_config")),
    "the updater's file is not the service's": (*choice("network_service", world(**configs(updater=config(address=Q)))), way("direct")),
    "the updater's file": (*choice("local_system", world(**configs(updater=config(address=Q)))), way(Q, by="exe_config")),
    "the machine's file": (
        *choice("session", world(**SERVICE_PROXY, **configs(machine_config=config(address=Q)))), way(Q, by="machine_config")),
    "off in its file": (
        *choice("network_service", world(**SERVICE_PROXY, **configs(service=config(enabled=False))), LOGIN),
        way("direct", by="exe_config")),
    "the system's default in its file": (
        *choice("network_service", world(**SERVICE_PROXY, **configs(service=config(use_system_default="True"))), LOGIN),
        way(P, by="internet_settings")),
    "no default in its file": (
        *choice("network_service", world(**SERVICE_PROXY, **configs(service=config(use_system_default="False"))), LOGIN),
        way("direct", by="exe_config")),
    "no http in its file": (
        *choice("network_service", world(**configs(service=config(address="q.example:8080")))), way("direct", by="exe_config")),
    "a pattern of its file": (
        *choice("network_service", world(**configs(service=config(address=Q, bypass=["(", r"^https://a\.msappproxy\.net$"])))),
        way("direct", by="exe_config")),
    "Windows by WinHTTP": (*choice("windows", world(**SERVICE_PROXY, **NAMED), CRL), way(Q, by="winhttp")),
    "Windows past WinHTTP's proxy": (
        *choice("windows", world(**NAMED), target("a.windows.net", 80, False)), way("direct", by="winhttp")),
    "Windows without WinHTTP": (
        *choice("windows", world(**SERVICE_PROXY, **configs(service=config(address=Q)), winhttp={"kind": "direct"}), CRL),
        way(P, by="internet_settings")),
    "one setting for the machine": (
        *choice("network_service", world(
            per_machine=True, internet={"network_service": settings(proxy="p.example:1"), "machine": settings(proxy="q.example:8080")})),
        way(Q, by="per_machine_policy")),
    "a list from a script": (
        *choice("network_service", script("http://pac.example/list")),
        way("http://a.example:8080", "http://b.example:3128", by="internet_settings_pac")),
    "a script says direct": (
        *choice("network_service", script("http://pac.example/direct", proxy="p.example:8080")), way("direct", by="internet_settings_pac")),
    "automatic finds nothing, then the script": (
        *choice("network_service", script("http://pac.example/list", auto_detect=True)),
        way("http://a.example:8080", "http://b.example:3128", by="internet_settings_pac")),
    "a script that is not to be had, then the proxy": (
        *choice("network_service", script("http://gone.example/", proxy="p.example:8080")), way(P, by="internet_settings")),
    "a script in a file": (*choice("network_service", script("file://c:/x.pac")), "pac_not_evaluated"),
    "no call": (*choice("network_service", script("http://pac.example/throws")), "pac_not_evaluated"),
    "WinHTTP's proxy unread": (*choice("windows", world(unread={"winhttp_proxy": {"code": "failed", "message": "no"}})), "failed"),
    "another's unread": (*choice("session", world(unread={"winhttp_proxy": {"code": "failed", "message": "no"}})), way("direct")),
    "a file unread": (*choice("network_service", world(unread={"default_proxy": {"code": "denied", "message": "no"}})), "denied"),
    "the policy unread": (*choice("network_service", world(unread={"proxy_policy": {"code": "failed", "message": "no"}})), "failed"),
    "settings denied": (
        *choice("network_service", world(internet={"network_service": {"ok": False, "error": {"code": "denied", "message": "no"}}})),
        "denied"),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("proxy")
    (folder / "harness.ps1").write_text(HARNESS, encoding="utf-8")
    cases = [{"function": function, "arguments": arguments} for function, arguments, _expected in CASES.values()]
    (folder / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
    files = [str(folder / "harness.ps1"), str(UTILS), str(folder / "cases.json"), str(folder / "answers.json")]
    command = [PWSH or "", "-NoProfile", "-File", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"}, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(zip(CASES, json.loads((folder / "answers.json").read_text(encoding="utf-8")), strict=True))


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name][2] is not None or CASES[name][0] == "Hide-ConnectorSecret"])
def test_what_follows_from_a_setting(name: str, answers: dict[str, Any]) -> None:
    expected, answer = CASES[name][2], answers[name]
    if expected is ValueError:
        assert "ends before" in answer["error"]
    elif CASES[name][0] == "Get-ConnectorIdentityWay" and isinstance(expected, str):
        assert answer["code"] == expected
    else:
        assert answer.get("value") == expected, answer


def test_no_script_means_no_call(answers: dict[str, Any]) -> None:
    assert answers["own proxy"]["calls"] == 0
    assert answers["automatic finds nothing, then the script"]["calls"] == 2


def test_the_source_writes_nothing_and_starts_nothing() -> None:
    for name in ("_ConnectorFact.psm1", "_ConnectorHost.psm1", "_ConnectorProxy.psm1"):
        text = (UTILS / name).read_text(encoding="utf-8")
        for word in ("Set-Item", "New-Item", "Remove-Item", "SetValue", "CreateSubKey", "DeleteSubKey", "Start-Process", "netsh",
                     "Invoke-Expression", "Out-File", "WriteAllText", "Set-Content"):
            assert word not in text, f"{name}: {word}"
