#!powershell

# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

#AnsibleRequires -CSharpUtil Ansible.Basic
#AnsibleRequires -CSharpUtil ..module_utils._Probe

Set-StrictMode -Version 2.0

function Get-AccountName {
    <#
    .SYNOPSIS
    The account that looks: DOMAIN\name, or what the platform has instead.
    #>
    try {
        return [System.Security.Principal.WindowsIdentity]::GetCurrent().Name
    } catch [System.PlatformNotSupportedException] {
        return '{0}\{1}' -f [System.Environment]::UserDomainName, [System.Environment]::UserName
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
try {
    $observation = [ansible_collections.appproxy.connector.plugins.module_utils._Probe.Probe]::Observe($module.Params.request)
} catch [System.ArgumentException] {
    # A bad request: the message names the key.
    $module.FailJson($_.Exception.GetBaseException().Message)
}

$observation['engine'] = @{
    name = 'connector_info'
    version = '1.0.0'
    family = 'windows'
    platform = Get-PlatformText
}
$observation['seen_as'] = Get-AccountName
$observation['seen_at'] = $began.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", [System.Globalization.CultureInfo]::InvariantCulture)
$module.Result.observation = $observation
$module.ExitJson()
