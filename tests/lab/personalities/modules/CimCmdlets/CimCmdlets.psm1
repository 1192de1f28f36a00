# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The lab's stand-in for CIM, which this PowerShell lacks: answers from the JSON file that LAB_CIM names, class to instances.
# A class whose value is a text is not given away: `hangs` takes all the time that it is given, any other text is a denial.

function Get-LabInstance {
    param([string] $ClassName, [string] $Namespace, [int] $Seconds)
    $data = [System.IO.File]::ReadAllText($env:LAB_CIM) | ConvertFrom-Json
    $instances = $data.PSObject.Properties[$ClassName]
    if ($null -eq $instances) {
        throw (New-Object System.Management.Automation.RuntimeException "the class $ClassName of $Namespace is not here")
    }
    if ($instances.Value -eq 'hangs') {
        # Without an end where nobody gives it one, as CIM has it.
        Start-Sleep -Seconds $(if ($Seconds) { $Seconds } else { 3600 })
        throw (New-Object System.TimeoutException 'This operation returned because the timeout period expired.')
    }
    if ($instances.Value -is [string]) {
        $exception = New-Object System.UnauthorizedAccessException 'Access denied '
        throw $exception
    }
    return $instances.Value
}

function Get-CimInstance {
    [CmdletBinding()]
    param([string] $ClassName, [string[]] $Property, [string] $Filter, [string] $Namespace = 'root/cimv2', [int] $OperationTimeoutSec)
    foreach ($instance in Get-LabInstance $ClassName $Namespace $OperationTimeoutSec) {
        if ($ClassName -eq 'Win32_OperatingSystem') {
            $instance.LastBootUpTime = [datetime] $instance.LastBootUpTime
        }
        # The one kind of filter that is used: NAME='value' OR NAME='value'.
        $wanted = @($Filter -split ' OR ' | Where-Object { $_ } | ForEach-Object { , $_.Split('=', 2) })
        if (-not $wanted -or @($wanted | Where-Object { [string] $instance.($_[0]) -eq $_[1].Trim("'") })) {
            $instance | Select-Object -Property $Property
        }
    }
}

function Invoke-CimMethod {
    [CmdletBinding()]
    param([string] $Namespace, [string] $ClassName, [string] $MethodName, [int] $OperationTimeoutSec)
    Get-LabInstance $ClassName $Namespace $OperationTimeoutSec
}

Export-ModuleMember -Function Get-CimInstance, Invoke-CimMethod
