# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# FOR INTERNAL COLLECTION USE ONLY. The two opt-in rehearsals. The first makes a named machine key and deletes it: the one thing that
# this collection ever writes on a server. Schannel cannot use a key that exists nowhere.

#AnsibleRequires -CSharpUtil ..module_utils._Rehearsal
#AnsibleRequires -PowerShell ..module_utils._ConnectorFact

Set-StrictMode -Version 2.0

$script:KeyName = 'appproxy.connector rehearsal'
$script:Milliseconds = 6000

function Test-ConnectorKey {
    <#
    .SYNOPSIS
    Whether the rehearsal's machine key is there; null off Windows, where there are no machine keys.
    #>
    try {
        return [System.Security.Cryptography.CngKey]::Exists(
            $script:KeyName, [System.Security.Cryptography.CngProvider]::MicrosoftSoftwareKeyStorageProvider,
            [System.Security.Cryptography.CngKeyOpenOptions]::MachineKey)
    } catch [System.PlatformNotSupportedException] {
        return $null
    }
}

function Remove-ConnectorKey {
    <#
    .SYNOPSIS
    Deletes the rehearsal's machine key where there is one; whether there was.
    #>
    [Diagnostics.CodeAnalysis.SuppressMessageAttribute('PSUseShouldProcessForStateChangingFunctions', '', Justification = 'Called by a module.')]
    param()
    if (-not (Test-ConnectorKey)) {
        return $false
    }
    [System.Security.Cryptography.CngKey]::Open(
        $script:KeyName, [System.Security.Cryptography.CngProvider]::MicrosoftSoftwareKeyStorageProvider,
        [System.Security.Cryptography.CngKeyOpenOptions]::MachineKey).Delete()
    return $true
}

function New-ConnectorKey {
    <#
    .SYNOPSIS
    A named machine key, RSA with 2048 bits. Off Windows one in memory: so that the TLS part runs in tests.
    #>
    [Diagnostics.CodeAnalysis.SuppressMessageAttribute('PSUseShouldProcessForStateChangingFunctions', '', Justification = 'Called by a module.')]
    param()
    if ($null -eq (Test-ConnectorKey)) {
        return [System.Security.Cryptography.RSA]::Create()
    }
    $wanted = New-Object System.Security.Cryptography.CngKeyCreationParameters
    $wanted.Provider = [System.Security.Cryptography.CngProvider]::MicrosoftSoftwareKeyStorageProvider
    $wanted.KeyCreationOptions = [System.Security.Cryptography.CngKeyCreationOptions]::MachineKey
    $length = [System.BitConverter]::GetBytes(2048)
    $null = $wanted.Parameters.Add((New-Object System.Security.Cryptography.CngProperty 'Length', $length, 'None'))
    $rsa = [System.Security.Cryptography.CngAlgorithm]::Rsa
    return New-Object System.Security.Cryptography.RSACng ([System.Security.Cryptography.CngKey]::Create($rsa, $script:KeyName, $wanted))
}

function New-ConnectorCertificate {
    <#
    .SYNOPSIS
    A self-signed certificate over a key, signed with SHA-512, for client and server; it is put into no store.
    #>
    [Diagnostics.CodeAnalysis.SuppressMessageAttribute('PSUseShouldProcessForStateChangingFunctions', '', Justification = 'Called by a module.')]
    param($Key)
    $sha512 = [System.Security.Cryptography.HashAlgorithmName]::SHA512
    $padding = [System.Security.Cryptography.RSASignaturePadding]::Pkcs1
    $request = New-Object System.Security.Cryptography.X509Certificates.CertificateRequest "CN=$script:KeyName", $Key, $sha512, $padding
    $uses = New-Object System.Security.Cryptography.OidCollection
    foreach ($oid in '1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2') {
        $null = $uses.Add((New-Object System.Security.Cryptography.Oid $oid))
    }
    $request.CertificateExtensions.Add((New-Object System.Security.Cryptography.X509Certificates.X509EnhancedKeyUsageExtension $uses, $false))
    $now = [System.DateTimeOffset]::UtcNow
    return , $request.CreateSelfSigned($now.AddDays(-1), $now.AddDays(1))
}

function Invoke-ConnectorTrustRehearsal {
    <#
    .SYNOPSIS
    TLS 1.2 within the server, with a SHA-512 certificate of its own at both ends: a fact, {passed, version, error, swept, deleted}.
    What a killed run left is swept first; what this one makes is deleted whatever happens.
    #>
    if ($null -eq ('System.Security.Cryptography.X509Certificates.CertificateRequest' -as [type])) {
        return @{ ok = $false; error = @{ code = 'unsupported'; message = 'making a certificate needs .NET Framework 4.7.2' } }
    }
    return New-ConnectorFact {
        $null = Get-ConnectorTimeLeft -Wanted $script:Milliseconds -Least $script:Milliseconds
        $answer = @{ passed = $false; version = $null; error = $null; swept = $false; deleted = $false }
        $made = @()
        try {
            try {
                $answer.swept = Remove-ConnectorKey
                $made += $key = New-ConnectorKey
            } catch {
                throw (New-ConnectorException 'key_not_made' $_.Exception.GetBaseException().Message)
            }
            $made += $certificate = New-ConnectorCertificate $key
            $seen = [ansible_collections.appproxy.connector.plugins.module_utils._Rehearsal.TrustRehearsal]::Run(
                $certificate, $script:Milliseconds)
            $answer.version = $seen['version']
            $answer.error = $seen['error']
            $answer.passed = $null -eq $seen['error']
        } finally {
            try {
                $made | ForEach-Object { $_.Dispose() }
            } finally {
                $null = Remove-ConnectorKey
                $answer.deleted = -not (Test-ConnectorKey)
            }
        }
        $answer
    }
}

function Invoke-ConnectorClientCertificateRehearsal {
    <#
    .SYNOPSIS
    One endpoint is shown a certificate twice, signed with SHA-256 and with SHA-512, over the first path that it is looked at on: a fact.
    #>
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Request, [Parameter(Mandatory = $true)] [string] $Target)
    try {
        $way = $Request['paths'] | Where-Object { $null -eq $_['targets'] -or $_['targets'] -contains $Target } | Select-Object -First 1
        if ($null -eq $way) {
            throw (New-ConnectorException 'absent' "no path leads to $Target")
        }
        return [ansible_collections.appproxy.connector.plugins.module_utils._Rehearsal.ClientCertificateRehearsal]::Run(
            $Request, $Target, $way['id'], $script:Milliseconds)
    } catch {
        return @{ ok = $false; error = (Get-ConnectorError $_) }
    }
}

Export-ModuleMember -Function Invoke-ConnectorTrustRehearsal, Invoke-ConnectorClientCertificateRehearsal
