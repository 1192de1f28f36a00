# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# What Windows has and this PowerShell lacks: types of the lab under the names of Windows' own, for all scripts that are parsed after
# this one. The lab's WinRM server runs it before each command. Nothing of the collection knows of it.
# Classes without affinity: they are called from other runspaces too.

[NoRunspaceAffinity()]
class LabIdentity {
    [string] $Name = $env:LAB_ACCOUNT
    [string] $User = $env:LAB_SID
    static [object] GetCurrent() { return [LabIdentity]::new() }
}

[NoRunspaceAffinity()]
class LabPrincipal {
    LabPrincipal([object] $identity) { }
    [bool] IsInRole([object] $role) { return $env:LAB_ADMINISTRATOR -eq 'yes' }
}

[NoRunspaceAffinity()]
class LabAccount {
    [string] $Value
    LabAccount([string] $name) { $this.Value = $name }
    [object] Translate([type] $type) {
        $known = ConvertFrom-Json $env:LAB_ACCOUNTS
        $sid = $known.PSObject.Properties[$this.Value]
        if ($null -eq $sid) {
            throw [System.InvalidOperationException]::new('Some or all identity references could not be translated.')
        }
        return [pscustomobject] @{ Value = [string] $sid.Value }
    }
}

# WinHTTP's own call fetches the script and runs it. Here it is really fetched, and what its only return statement names is the answer.
[NoRunspaceAffinity()]
class LabWinHttp {
    static [object] ProxyForUrl([object] $pac, [string] $url, [int] $milliseconds) {
        if (-not $pac) {
            return [LabWinHttp]::Answer(12180, @())
        }
        $client = [System.Net.Http.HttpClient]::new()
        $client.Timeout = [timespan]::FromMilliseconds($milliseconds)
        try {
            $text = $client.GetStringAsync([string] $pac).GetAwaiter().GetResult()
        } catch {
            return [LabWinHttp]::Answer(12167, @())
        }
        $said = [regex]::Match($text, 'return "([^"]*)"').Groups[1].Value
        return [LabWinHttp]::Answer(0, @($said.Split(';').Trim() | Where-Object { $_ -like 'PROXY *' } | ForEach-Object { $_.Substring(6) }))
    }
    static [object] Answer([int] $number, [object[]] $proxies) {
        return @{ error = $number; proxies = $proxies }
    }
}

# Ansible's become with runas logs another account on. Here only the name changes: it is the same account of this machine.
[NoRunspaceAffinity()]
class LabBecome {
    static [object] CreateProcessAsUser(
        [string] $user, [object] $password, [object] $flags, [object] $type, [string] $program, [string] $line, [string] $folder,
        [object] $environment, [string] $text
    ) {
        if ($env:LAB_BECOMES -ne 'yes') {
            throw [System.ComponentModel.Win32Exception]::new('Failed to get token for NetworkService become user required for become')
        }
        $script = [System.Text.Encoding]::Unicode.GetString([System.Convert]::FromBase64String($line.Split(' ')[-1]))
        $whole = [System.Convert]::ToBase64String([System.Text.Encoding]::Unicode.GetBytes(". '$env:LAB_PRELUDE'; $script"))
        $start = [System.Diagnostics.ProcessStartInfo]::new([System.Environment]::ProcessPath)
        '-NonInteractive', '-NoProfile', '-EncodedCommand', $whole | ForEach-Object { $start.ArgumentList.Add($_) }
        $start.RedirectStandardInput = $start.RedirectStandardOutput = $start.RedirectStandardError = $true
        $start.Environment['LAB_ACCOUNT'] = $user
        $start.Environment['LAB_SID'] = if ($user -eq 'NT AUTHORITY\NetworkService') { 'S-1-5-20' } else { 'S-1-5-21-1-2-3-1107' }
        $process = [System.Diagnostics.Process]::Start($start)
        $out = $process.StandardOutput.ReadToEndAsync()
        $errors = $process.StandardError.ReadToEndAsync()
        $process.StandardInput.Write($text)
        $process.StandardInput.Close()
        $process.WaitForExit()
        return @{ StandardOut = $out.Result; StandardError = $errors.Result; ExitCode = $process.ExitCode }
    }
}

$accelerators = [psobject].Assembly.GetType('System.Management.Automation.TypeAccelerators')
$names = @{
    'System.Security.Principal.WindowsIdentity' = [LabIdentity]
    'System.Security.Principal.WindowsPrincipal' = [LabPrincipal]
    'System.Security.Principal.NTAccount' = [LabAccount]
    'Ansible.Become.BecomeUtil' = [LabBecome]
    'ansible_collections.appproxy.connector.plugins.module_utils._WinHttp.WinHttp' = [LabWinHttp]
}
foreach ($name in $names.Keys) {
    $null = $accelerators::Remove($name)
    $accelerators::Add($name, $names[$name])
}
