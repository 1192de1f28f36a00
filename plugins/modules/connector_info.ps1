#!powershell

# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

#AnsibleRequires -CSharpUtil Ansible.Basic
#AnsibleRequires -CSharpUtil ..module_utils._Probe
#AnsibleRequires -PowerShell ..module_utils._ConnectorFact
#AnsibleRequires -PowerShell ..module_utils._ConnectorHost
#AnsibleRequires -PowerShell ..module_utils._ConnectorProxy
#AnsibleRequires -PowerShell ..module_utils._ConnectorRehearsal

Set-StrictMode -Version 2.0

function Get-Account {
    <#
    .SYNOPSIS
    The account that looks: DOMAIN\name and its SID, or what the platform has instead.
    #>
    try {
        $identity = [System.Security.Principal.WindowsIdentity]::GetCurrent()
        return @{ name = $identity.Name; sid = [string] $identity.User }
    } catch [System.PlatformNotSupportedException] {
        return @{ name = '{0}\{1}' -f [System.Environment]::UserDomainName, [System.Environment]::UserName; sid = '' }
    }
}

function Get-Way {
    <#
    .SYNOPSIS
    Proxies and ways of the identities. A mistake in it is told, and must not cost the look at the network.
    #>
    param([System.Collections.IDictionary] $Request, [System.Collections.IDictionary] $Account)
    $wanted = @{}
    if ($null -ne $Request['host']) {
        $wanted = $Request['host']
    }
    try {
        return Get-ConnectorProxyFact -Wanted $wanted -Targets $Request['targets'] -Account $Account.name -Sid $Account.sid
    } catch {
        $failed = @{ ok = $false; error = (Get-ConnectorError $_) }
        $facts = @{}
        $identities = @{}
        'winhttp_proxy', 'proxy_policy', 'internet_settings', 'default_proxy', 'environment_proxy', 'pac' | ForEach-Object { $facts[$_] = $failed }
        'network_service', 'local_system', 'windows', 'session' | ForEach-Object { $identities[$_] = $failed }
        return @{ facts = $facts; identities = $identities }
    }
}

function Get-PlatformText {
    <#
    .SYNOPSIS
    Operating system, runtime and TLS library, as they name themselves.
    #>
    $library = 'OpenSSL'
    if ([System.Environment]::OSVersion.Platform -eq [System.PlatformID]::Win32NT) {
        $library = 'Schannel'
    }
    $parts = @(
        [System.Environment]::OSVersion.VersionString
        'PowerShell {0}' -f $PSVersionTable.PSVersion
        '.NET {0}' -f [System.Environment]::Version
        $library
    )
    return $parts -join '; '
}

$spec = @{
    options = @{
        request = @{ type = 'dict'; required = $true }
    }
    supports_check_mode = $true
}
$module = [Ansible.Basic.AnsibleModule]::Create($args, $spec)
$module.Result.changed = $false

$began = [System.DateTime]::UtcNow
$clock = [System.Diagnostics.Stopwatch]::StartNew()
$request = $module.Params.request
$account = Get-Account
$facts = $null
$ways = $null
# What is read here, before the engine reads the rest.
foreach ($key in 'host', 'rehearse_client_certificate') {
    if ($null -ne $request[$key] -and $request[$key] -isnot [System.Collections.IDictionary]) {
        $module.FailJson("request.${key}: must be a dictionary")
    }
}
if ($null -ne $request['detect'] -and $request['detect'] -isnot [bool]) {
    $module.FailJson('request.detect: must be true or false')
}
try {
    Set-ConnectorDeadline -Clock $clock -Milliseconds ([ansible_collections.appproxy.connector.plugins.module_utils._Probe.Probe]::Deadline($request))
} catch [System.ArgumentException] {
    # A bad request: the message names the key.
    $module.FailJson($_.Exception.GetBaseException().Message)
}
if ($null -ne $request['host']) {
    # Before any handshake: building a chain may add roots.
    $facts = @{ roots = Get-ConnectorRootFact -Wanted $request['host'] }
}
if ($null -ne $request['host'] -or $request['detect']) {
    $ways = Get-Way $request $account
}
if ($request['detect']) {
    $found = Get-ConnectorPath -Identities $ways.identities -Targets $request['targets']
    $request['paths'] = $found.paths
    if ($found.revocation_paths) {
        $revocation = @{ paths = $found.revocation_paths }
        if ($request['revocation']) {
            $request['revocation'].Keys | ForEach-Object { $revocation[$_] = $request['revocation'][$_] }
        }
        $request['revocation'] = $revocation
    }
}
try {
    $look = [ansible_collections.appproxy.connector.plugins.module_utils._Probe.Probe]::Begin($request, $clock)
} catch [System.ArgumentException] {
    $module.FailJson($_.Exception.GetBaseException().Message)
}
if ($null -ne $facts) {
    $server = Get-ConnectorHostFact -Wanted $request['host']
    $server.Keys | ForEach-Object { $facts[$_] = $server[$_] }
    $ways.facts.Keys | ForEach-Object { $facts[$_] = $ways.facts[$_] }
}
$rehearsals = @{}
if ($null -ne $facts -and $request['host']['rehearse_trust']) {
    $rehearsals['trust'] = Invoke-ConnectorTrustRehearsal
}
$observation = [ansible_collections.appproxy.connector.plugins.module_utils._Probe.Probe]::End($look)
if ($request['rehearse_client_certificate']) {
    # Alone, so that no crowd of connections is taken for the path's word on it, and in a time of its own: it is asked for by name.
    $target = $request['rehearse_client_certificate']['target']
    $rehearsals['client_certificate'] = Invoke-ConnectorClientCertificateRehearsal -Request $request -Target $target
    $observation['elapsed_ms'] = [int] $clock.ElapsedMilliseconds
}

$observation['host'] = $facts
$observation['identities'] = $null
if ($null -ne $ways) {
    $observation['identities'] = $ways.identities
}
$observation['rehearsals'] = $null
if ($rehearsals.Count -gt 0) {
    $observation['rehearsals'] = $rehearsals
}

$observation['engine'] = @{
    name = 'connector_info'
    version = '1.0.0'
    family = 'windows'
    platform = Get-PlatformText
}
$observation['seen_as'] = $account.name
$observation['seen_as_sid'] = $account.sid
$observation['seen_at'] = $began.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", [System.Globalization.CultureInfo]::InvariantCulture)
$module.Result.observation = $observation
$module.ExitJson()
