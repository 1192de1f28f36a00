# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the trust rehearsal does with its machine key: swept, made, deleted, whatever comes in between.

The store of machine keys is a list of the test's own, since only Windows has one; the TLS is real (test_windows.py has it over WinRM).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

PWSH = shutil.which("pwsh")
if PWSH is None:
    pytest.skip("pwsh is not on PATH", allow_module_level=True)

UTILS = Path(__file__).absolute().parents[2] / "plugins" / "module_utils"
HARNESS = r"""
param([string] $Utils, [string] $To)
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
[NoRunspaceAffinity()]
class LabKeys {
    static [System.Collections.ArrayList] $Stored = [System.Collections.ArrayList]::new()
    static [System.Collections.ArrayList] $Done = [System.Collections.ArrayList]::new()
    static [string] $Trouble = ''
    [string] $Name
    static [bool] Exists([string] $name, [object] $provider, [object] $options) {
        if ([LabKeys]::Trouble -eq 'elsewhere') { throw [System.PlatformNotSupportedException]::new('no machine keys') }
        return [LabKeys]::Stored.Contains($name)
    }
    static [object] Open([string] $name, [object] $provider, [object] $options) {
        $key = [LabKeys]::new()
        $key.Name = $name
        return $key
    }
    static [object] Create([object] $algorithm, [string] $name, [object] $wanted) {
        if ([LabKeys]::Trouble -eq 'create') { throw [System.Security.Cryptography.CryptographicException]::new('Access is denied.') }
        [LabKeys]::Done.Add("create $name")
        [LabKeys]::Stored.Add($name)
        return [LabKeys]::Open($name, $null, $null)
    }
    [void] Delete() {
        if ([LabKeys]::Trouble -eq 'delete') { throw [System.Security.Cryptography.CryptographicException]::new('Access is denied.') }
        [LabKeys]::Done.Add("delete $($this.Name)")
        [LabKeys]::Stored.Remove($this.Name)
    }
}
[NoRunspaceAffinity()]
class LabTls {
    static [string] $Trouble = ''
    static [object] Run([object] $certificate, [int] $milliseconds) {
        if ([LabTls]::Trouble -eq 'throws') { throw [System.InvalidOperationException]::new('out of the blue') }
        if ([LabTls]::Trouble -eq 'fails') { return @{ version = $null; error = 'no common algorithm' } }
        [LabTls]::Trouble = $certificate.SignatureAlgorithm.FriendlyName
        return @{ version = 'Tls12'; error = $null }
    }
}
$accelerators = [psobject].Assembly.GetType('System.Management.Automation.TypeAccelerators')
$accelerators::Add('System.Security.Cryptography.CngKey', [LabKeys])
$accelerators::Add('ansible_collections.appproxy.connector.plugins.module_utils._Rehearsal.TrustRehearsal', [LabTls])
foreach ($name in '_ConnectorFact', '_ConnectorRehearsal') {
    New-Module -Name $name -ScriptBlock ([scriptblock]::Create((Get-Content -Raw (Join-Path $Utils "$name.psm1")))) | Import-Module
}
# A key of the store as .NET's RSA: the store is the test's, so the numbers come from memory.
& (Get-Module _ConnectorRehearsal) {
    function script:New-Object {
        if ($args[0] -eq 'System.Security.Cryptography.RSACng') { return [System.Security.Cryptography.RSA]::Create() }
        if ($args[0] -like '*CngKeyCreationParameters') {
            return [pscustomobject] @{ Provider = $null; KeyCreationOptions = $null; Parameters = [System.Collections.ArrayList]::new() }
        }
        if ($args[0] -like '*CngProperty') { return $args[0] }
        Microsoft.PowerShell.Utility\New-Object @args
    }
}
$cases = [ordered] @{
    clean = @('', '', $false); swept = @('', '', $true); fails = @('', 'fails', $false); throws = @('', 'throws', $false)
    create = @('create', '', $false); delete = @('delete', '', $true); elsewhere = @('elsewhere', '', $false)
}
$told = @{}
foreach ($name in $cases.Keys) {
    [LabKeys]::Trouble, [LabTls]::Trouble, $before = $cases[$name]
    [LabKeys]::Stored.Clear()
    [LabKeys]::Done.Clear()
    if ($before) { $null = [LabKeys]::Stored.Add('appproxy.connector rehearsal') }
    $fact = Invoke-ConnectorTrustRehearsal
    $told[$name] = @{ fact = $fact; left = @([LabKeys]::Stored); done = @([LabKeys]::Done); tls = [LabTls]::Trouble }
}
[System.IO.File]::WriteAllText($To, (ConvertTo-Json -Depth 9 $told))
"""
KEY = "appproxy.connector rehearsal"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("rehearsal")
    (folder / "harness.ps1").write_text(HARNESS, encoding="utf-8")
    command = [PWSH or "", "-NoProfile", "-File", str(folder / "harness.ps1"), str(UTILS), str(folder / "told.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"}, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "told.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def test_a_key_is_made_and_deleted(told: dict[str, Any]) -> None:
    one = told["clean"]
    assert one["fact"] == {"ok": True, "value": {"passed": True, "version": "Tls12", "error": None, "swept": False, "deleted": True}}
    assert (one["done"], one["left"]) == ([f"create {KEY}", f"delete {KEY}"], [])
    assert one["tls"].lower() in ("sha512rsa", "sha512withrsaencryption")


def test_what_a_killed_run_left_is_swept_first(told: dict[str, Any]) -> None:
    one = told["swept"]
    assert one["fact"]["value"]["swept"] is True
    assert (one["done"], one["left"]) == ([f"delete {KEY}", f"create {KEY}", f"delete {KEY}"], [])


@pytest.mark.parametrize("name", ["fails", "throws"])
def test_it_is_deleted_whatever_happens(name: str, told: dict[str, Any]) -> None:
    assert told[name]["left"] == []
    assert told[name]["done"] == [f"create {KEY}", f"delete {KEY}"]


def test_a_handshake_that_fails_is_told(told: dict[str, Any]) -> None:
    assert told["fails"]["fact"]["value"]["passed"] is False
    assert told["fails"]["fact"]["value"]["error"] == "no common algorithm"
    assert told["throws"]["fact"]["error"]["code"] == "failed"


def test_a_key_that_cannot_be_made_is_unknown_and_no_fail(told: dict[str, Any]) -> None:
    assert told["create"]["fact"] == {"ok": False, "error": {"code": "key_not_made", "message": "Access is denied."}}
    assert told["create"]["left"] == []


def test_an_old_key_that_cannot_be_deleted_stops_it(told: dict[str, Any]) -> None:
    assert told["delete"]["fact"]["ok"] is False
    assert told["delete"]["done"] == []


def test_off_windows_the_key_is_in_memory(told: dict[str, Any]) -> None:
    assert told["elsewhere"]["fact"]["value"] == {"passed": True, "version": "Tls12", "error": None, "swept": False, "deleted": True}
    assert told["elsewhere"]["done"] == []
