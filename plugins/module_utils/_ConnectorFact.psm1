# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# FOR INTERNAL COLLECTION USE ONLY. Facts with their errors, and the registry, for _ConnectorHost and _ConnectorProxy. Reads only.

Set-StrictMode -Version 2.0

$script:Clock = [System.Diagnostics.Stopwatch]::StartNew()
$script:DeadlineMilliseconds = [long]::MaxValue

function Set-ConnectorDeadline {
    <#
    .SYNOPSIS
    When all looking has to end, counted from where the clock began.
    #>
    [Diagnostics.CodeAnalysis.SuppressMessageAttribute('PSUseShouldProcessForStateChangingFunctions', '', Justification = 'It changes no state of the server.')]
    param([Parameter(Mandatory = $true)] [System.Diagnostics.Stopwatch] $Clock, [Parameter(Mandatory = $true)] [long] $Milliseconds)
    $script:Clock = $Clock
    $script:DeadlineMilliseconds = $Milliseconds
}

function Get-ConnectorTimeLeft {
    <#
    .SYNOPSIS
    Milliseconds until the deadline, at most as many as are wanted. Where the least is not left, nothing is begun: code timeout.
    #>
    param([Parameter(Mandatory = $true)] [long] $Wanted, [Parameter(Mandatory = $true)] [long] $Least)
    $left = [System.Math]::Min($Wanted, $script:DeadlineMilliseconds - $script:Clock.ElapsedMilliseconds)
    if ($left -lt $Least) {
        throw (New-ConnectorException 'timeout' 'the deadline leaves no time for it: raise it')
    }
    return $left
}

function Get-ConnectorError {
    <#
    .SYNOPSIS
    What an error record says, as an observation has it: {code, message}. The message is the platform's own words, and never parsed.
    #>
    param([Parameter(Mandatory = $true)] $ErrorRecord)
    $exception = $ErrorRecord.Exception
    $code = 'failed'
    for ($inner = $exception; $null -ne $inner; $inner = $inner.InnerException) {
        $native = $inner.PSObject.Properties['NativeErrorCode']
        if ($inner -is [System.Security.SecurityException] -or $inner -is [System.UnauthorizedAccessException]) {
            $code = 'denied'
        } elseif ($null -ne $native -and [string] $native.Value -eq 'AccessDenied') {
            $code = 'denied'
        } elseif (@(-2147217405, -2147024891) -contains $inner.HResult) {
            # WBEM_E_ACCESS_DENIED, E_ACCESSDENIED
            $code = 'denied'
        } elseif ($inner -is [System.PlatformNotSupportedException] -or $inner -is [System.Management.Automation.CommandNotFoundException]) {
            $code = 'unsupported'
        } elseif ($inner.Data.Contains('code')) {
            $code = $inner.Data['code']
        }
    }
    $message = [string] $exception.Message
    return @{ code = $code; message = $message.Substring(0, [System.Math]::Min(300, $message.Length)) }
}

function New-ConnectorException {
    <#
    .SYNOPSIS
    An exception whose code Get-ConnectorError gives.
    #>
    [Diagnostics.CodeAnalysis.SuppressMessageAttribute('PSUseShouldProcessForStateChangingFunctions', '', Justification = 'It changes nothing.')]
    param([Parameter(Mandatory = $true)] [string] $Code, [Parameter(Mandatory = $true)] [string] $Message)
    $exception = New-Object System.InvalidOperationException $Message
    $exception.Data['code'] = $Code
    return $exception
}

function New-ConnectorFact {
    <#
    .SYNOPSIS
    What a script block gives as one object, as a fact: {ok, value}, or {ok: false, error}.
    #>
    [Diagnostics.CodeAnalysis.SuppressMessageAttribute('PSUseShouldProcessForStateChangingFunctions', '', Justification = 'It changes nothing.')]
    param([Parameter(Mandatory = $true)] [scriptblock] $Read)
    try {
        return @{ ok = $true; value = (& $Read) }
    } catch {
        return @{ ok = $false; error = (Get-ConnectorError $_) }
    }
}

function Get-ConnectorKey {
    <#
    .SYNOPSIS
    The values of a registry key by name (names in any case), or null where there is no such key. Of the 64-bit view.
    #>
    param([Parameter(Mandatory = $true)] [string] $Path, [string] $Hive = 'LocalMachine')
    $base = [Microsoft.Win32.RegistryKey]::OpenBaseKey($Hive, 'Registry64')
    $key = $base.OpenSubKey($Path)
    if ($null -eq $key) {
        return $null
    }
    $values = @{}
    foreach ($name in $key.GetValueNames()) {
        $values[$name] = $key.GetValue($name, $null, 'DoNotExpandEnvironmentNames')
    }
    $key.Close()
    return $values
}

function Get-ConnectorSubkey {
    <#
    .SYNOPSIS
    The names of the keys below a registry key; none where there is no such key.
    #>
    param([Parameter(Mandatory = $true)] [string] $Path, [string] $Hive = 'LocalMachine')
    $base = [Microsoft.Win32.RegistryKey]::OpenBaseKey($Hive, 'Registry64')
    $key = $base.OpenSubKey($Path)
    if ($null -eq $key) {
        return
    }
    $key.GetSubKeyNames()
    $key.Close()
}

function Get-ConnectorValue {
    <#
    .SYNOPSIS
    One value of a registry key, or null where it is not there. A DWORD comes without a sign, a binary value as bytes.
    #>
    param([Parameter(Mandatory = $true)] [string] $Path, [Parameter(Mandatory = $true)] [string] $Name, [string] $Hive = 'LocalMachine')
    $values = Get-ConnectorKey -Path $Path -Hive $Hive
    if ($null -eq $values -or -not $values.ContainsKey($Name)) {
        return $null
    }
    return , (ConvertTo-ConnectorValue $values[$Name])
}

function ConvertTo-ConnectorValue {
    <#
    .SYNOPSIS
    A number without its sign: 0xffffffff is 4294967295. Anything else as it is.
    #>
    param($Value)
    if ($Value -is [int] -and $Value -lt 0) {
        return ([long] $Value) + 4294967296
    }
    return , $Value
}

Export-ModuleMember -Function Set-ConnectorDeadline, Get-ConnectorTimeLeft, Get-ConnectorError, New-ConnectorException, New-ConnectorFact,
    Get-ConnectorKey, Get-ConnectorSubkey, Get-ConnectorValue, ConvertTo-ConnectorValue
