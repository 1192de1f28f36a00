# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# FOR INTERNAL COLLECTION USE ONLY. What a Windows server tells of itself, fact by fact, as docs/observation.md lists them.
# Registry, CIM and .NET only: nothing is written, no program is started, no text of Windows is parsed.

#AnsibleRequires -PowerShell ..module_utils._ConnectorFact

Set-StrictMode -Version 2.0

$script:CimSeconds = 5
$script:Schannel = 'SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL'
$script:Views = [ordered] @{ native = 'SOFTWARE'; wow64 = 'SOFTWARE\WOW6432Node' }

function Get-ConnectorCimSecond {
    <#
    .SYNOPSIS
    Whole seconds that one question to CIM may take: 0 would mean without an end.
    #>
    return [uint32] [System.Math]::Floor((Get-ConnectorTimeLeft -Wanted (1000 * $script:CimSeconds) -Least 1000) / 1000)
}

function Get-ConnectorCim {
    <#
    .SYNOPSIS
    Instances of a CIM class, with these properties only.
    #>
    param([string] $Class, [string[]] $Property, [string] $Filter, [string] $Namespace = 'root/cimv2')
    $seconds = Get-ConnectorCimSecond
    $query = @{ ClassName = $Class; Property = $Property; Namespace = $Namespace; OperationTimeoutSec = $seconds; ErrorAction = 'Stop' }
    if ($Filter) {
        $query['Filter'] = $Filter
    }
    return Get-CimInstance @query
}

function Get-ConnectorCimOne {
    <#
    .SYNOPSIS
    The one instance of a CIM class. What it does not say must not pass for a zero.
    #>
    param([string] $Class, [string[]] $Property, [string[]] $Optional = @(), [string] $Filter)
    $one = Get-ConnectorCim -Class $Class -Property ($Property + $Optional) -Filter $Filter | Select-Object -First 1
    foreach ($name in $Property) {
        if ($null -eq $one -or $null -eq $one.$name) {
            throw (New-ConnectorException 'absent' "$Class does not say its $name")
        }
    }
    return $one
}

function Get-ConnectorView {
    <#
    .SYNOPSIS
    What a script block makes of the path of each view of SOFTWARE: {native, wow64}.
    #>
    param([scriptblock] $Read)
    $both = @{}
    foreach ($view in $script:Views.Keys) {
        $both[$view] = & $Read $script:Views[$view]
    }
    return $both
}

function ConvertTo-ConnectorText {
    <#
    .SYNOPSIS
    A value as text, whatever type it was written as; null stays null.
    #>
    param($Value)
    if ($null -eq $Value) {
        return $null
    }
    return [string] $Value
}

function Get-ConnectorText {
    <#
    .SYNOPSIS
    The value Functions as a list, a REG_MULTI_SZ or a REG_SZ with commas; null where the value is not there.
    #>
    param([string] $Path)
    $value = Get-ConnectorValue -Path $Path -Name 'Functions'
    if ($null -eq $value) {
        return $null
    }
    $texts = @($value | ForEach-Object { ([string] $_).Split(',') } | ForEach-Object { $_.Trim() } | Where-Object { $_ })
    return , ([object[]] $texts)
}

function Get-ConnectorNumber {
    <#
    .SYNOPSIS
    A number of the registry, or null where it is not there. A value of another type is an error: what Windows makes of a text "1"
    where it wants a number is not known.
    #>
    param([string] $Path, [string] $Name, [string] $Hive = 'LocalMachine')
    $value = Get-ConnectorValue -Hive $Hive -Path $Path -Name $Name
    if ($null -ne $value -and $value -isnot [int] -and $value -isnot [long]) {
        throw (New-ConnectorException 'failed' "the value $Name of $Path is no number")
    }
    return $value
}

function Get-ConnectorNumberSet {
    <#
    .SYNOPSIS
    Numbers of one key, under the names that the observation gives them.
    #>
    param([string] $Path, [System.Collections.IDictionary] $Names)
    $numbers = @{}
    foreach ($name in $Names.Keys) {
        $numbers[$name] = Get-ConnectorNumber -Path $Path -Name $Names[$name]
    }
    return $numbers
}

function Get-ConnectorSwitch {
    <#
    .SYNOPSIS
    `Enabled` of each key below one of Schannel's: name to number.
    #>
    param([string] $Kind)
    $switches = @{}
    foreach ($name in Get-ConnectorSubkey -Path "$script:Schannel\$Kind") {
        $switches[$name] = Get-ConnectorNumber -Path "$script:Schannel\$Kind\$name" -Name 'Enabled'
    }
    return $switches
}

function Get-ConnectorProtocol {
    <#
    .SYNOPSIS
    Schannel's protocols: name to {client, server}, each {enabled, disabled_by_default}.
    #>
    $names = @{ enabled = 'Enabled'; disabled_by_default = 'DisabledByDefault' }
    $protocols = @{}
    foreach ($name in Get-ConnectorSubkey -Path "$script:Schannel\Protocols") {
        $protocols[$name] = @{
            client = Get-ConnectorNumberSet -Path "$script:Schannel\Protocols\$name\Client" -Names $names
            server = Get-ConnectorNumberSet -Path "$script:Schannel\Protocols\$name\Server" -Names $names
        }
    }
    return $protocols
}

function Get-ConnectorRelease {
    <#
    .SYNOPSIS
    Which Windows it is.
    #>
    $path = 'SOFTWARE\Microsoft\Windows NT\CurrentVersion'
    $values = Get-ConnectorKey -Path $path
    if ($null -eq $values -or -not $values['CurrentBuildNumber']) {
        throw (New-ConnectorException 'absent' 'the registry does not say which Windows this is')
    }
    $release = $values['DisplayVersion']
    if (-not $release) {
        $release = $values['ReleaseId']
    }
    return @{
        product = [string] $values['ProductName']
        edition = ConvertTo-ConnectorText $values['EditionID']
        installation = ConvertTo-ConnectorText $values['InstallationType']
        build = [int] $values['CurrentBuildNumber']
        revision = Get-ConnectorNumber -Path $path -Name 'UBR'
        release = ConvertTo-ConnectorText $release
    }
}

function Get-ConnectorReboot {
    <#
    .SYNOPSIS
    Why a restart is pending, by the places where Windows and its installers note it.
    #>
    $reasons = New-Object System.Collections.ArrayList
    $servicing = 'SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing'
    if (@(Get-ConnectorSubkey -Path $servicing | Where-Object { @('RebootPending', 'RebootInProgress', 'PackagesPending') -contains $_ })) {
        $null = $reasons.Add('component_servicing')
    }
    if ($null -ne (Get-ConnectorKey -Path 'SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired')) {
        $null = $reasons.Add('windows_update')
    }
    $session = 'SYSTEM\CurrentControlSet\Control\Session Manager'
    foreach ($name in 'PendingFileRenameOperations', 'PendingFileRenameOperations2') {
        if ((Get-ConnectorValue -Path $session -Name $name) -and -not $reasons.Contains('file_rename')) {
            $null = $reasons.Add('file_rename')
        }
    }
    $computer = 'SYSTEM\CurrentControlSet\Control\ComputerName'
    $active = Get-ConnectorValue -Path "$computer\ActiveComputerName" -Name 'ComputerName'
    $named = Get-ConnectorValue -Path "$computer\ComputerName" -Name 'ComputerName'
    if ($active -and $named -and $active -ne $named) {
        $null = $reasons.Add('computer_rename')
    }
    # Keys to some who look for them, values to others.
    $logon = 'SYSTEM\CurrentControlSet\Services\Netlogon'
    $values = Get-ConnectorKey -Path $logon
    if (@('JoinDomain', 'AvoidSpnSet' | Where-Object {
                ($null -ne $values -and $values.ContainsKey($_)) -or $null -ne (Get-ConnectorKey -Path "$logon\$_")
            })) {
        $null = $reasons.Add('domain_join')
    }
    if (Get-ConnectorNumber -Path 'SOFTWARE\Microsoft\Updates' -Name 'UpdateExeVolatile') {
        $null = $reasons.Add('update_exe')
    }
    if ($null -ne (Get-ConnectorKey -Path 'SOFTWARE\Microsoft\ServerManager\CurrentRebootAttempts')) {
        $null = $reasons.Add('server_manager')
    }
    # Asked for only where Configuration Manager's client is there. If it does not answer, a reason found elsewhere still holds,
    # but "none" would be a guess.
    if ($null -ne (Get-ConnectorKey -Path 'SYSTEM\CurrentControlSet\Services\CcmExec')) {
        $client = @{ Namespace = 'root/ccm/ClientSDK'; ClassName = 'CCM_ClientUtilities'; MethodName = 'DetermineIfRebootPending' }
        try {
            $answer = Invoke-CimMethod @client -OperationTimeoutSec (Get-ConnectorCimSecond) -ErrorAction Stop
            if ($answer.RebootPending -or $answer.IsHardRebootPending) {
                $null = $reasons.Add('configuration_manager')
            }
        } catch {
            # Without its namespace the client is gone, and the service is a remnant.
            $native = $_.Exception.PSObject.Properties['NativeErrorCode']
            if ($reasons.Count -eq 0 -and ($null -eq $native -or [string] $native.Value -ne 'InvalidNamespace')) {
                throw
            }
        }
    }
    return @{ reasons = [object[]] @($reasons) }
}

function Get-ConnectorDynamicPort {
    <#
    .SYNOPSIS
    The range of dynamic TCP ports, and how many of them are in use.
    #>
    $names = 'SettingName', 'DynamicPortRangeStartPort', 'DynamicPortRangeNumberOfPorts'
    $setting = Get-ConnectorCim -Namespace 'root/StandardCimv2' -Class 'MSFT_NetTCPSetting' -Property $names |
        Where-Object { $_.SettingName -eq 'Internet' } | Select-Object -First 1
    if ($null -eq $setting -or -not $setting.DynamicPortRangeNumberOfPorts) {
        throw (New-ConnectorException 'absent' 'no TCP setting called Internet tells its range of ports')
    }
    $start = [int] $setting.DynamicPortRangeStartPort
    $number = [int] $setting.DynamicPortRangeNumberOfPorts
    $used = @{}
    foreach ($one in [System.Net.NetworkInformation.IPGlobalProperties]::GetIPGlobalProperties().GetActiveTcpConnections()) {
        $port = $one.LocalEndPoint.Port
        if ($port -ge $start -and $port -lt $start + $number) {
            $used[$port] = $true
        }
    }
    return @{ start = $start; number = $number; in_use = $used.Count }
}

function Get-ConnectorFirewallProfile {
    <#
    .SYNOPSIS
    Whether each profile of Windows Firewall is on, and what it does with outbound connections that no rule names.
    #>
    param([string] $Path, [string] $Private)
    $names = @{ enabled = 'EnableFirewall'; outbound = 'DefaultOutboundAction' }
    return @{
        domain = Get-ConnectorNumberSet -Path "$Path\DomainProfile" -Names $names
        private = Get-ConnectorNumberSet -Path "$Path\$Private" -Names $names
        public = Get-ConnectorNumberSet -Path "$Path\PublicProfile" -Names $names
    }
}

function Get-ConnectorFirewall {
    <#
    .SYNOPSIS
    The outbound side of Windows Firewall: profiles, and at most 40 active rules that block. Rules for packaged apps are left out.
    Source of the layout: [MS-GPFAS] 2.2.2.19. A field that may be given more than once is told with commas.
    #>
    $own = 'SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy'
    $policy = 'SOFTWARE\Policies\Microsoft\WindowsFirewall'
    $blocking = New-Object System.Collections.ArrayList
    foreach ($path in $own, $policy) {
        $rules = Get-ConnectorKey -Path "$path\FirewallRules"
        if ($null -eq $rules) {
            continue
        }
        foreach ($id in ($rules.Keys | Sort-Object)) {
            # v2.31|Action=Block|Active=TRUE|Dir=Out|Protocol=6|RPort=443|RA4=10.0.0.0/255.0.0.0|App=...|Name=...|
            $rule = [string] $rules[$id]
            if ($blocking.Count -ge 40) {
                break
            }
            # There may be thousands of rules, and few that block.
            if ($rule -notmatch '\|Action=Block\|') {
                continue
            }
            $parts = @{}
            foreach ($part in $rule.Split('|')) {
                $cut = $part.IndexOf('=')
                if ($cut -gt 0) {
                    $name = $part.Substring(0, $cut) -replace '^(RPort|RA[46])2.*$', '$1'
                    $parts[$name] = @($parts[$name] | Where-Object { $_ }) + $part.Substring($cut + 1) -join ','
                }
            }
            if ($parts['Active'] -eq 'TRUE' -and $parts['Dir'] -eq 'Out' -and -not $parts['AppPkgId']) {
                $addresses = @($parts['RA4'], $parts['RA6'] | Where-Object { $_ } | Select-Object -Unique) -join ','
                if (-not $addresses) {
                    $addresses = $null
                }
                $null = $blocking.Add(@{
                        name = $parts['Name']; program = $parts['App']; service = $parts['Svc']; protocol = $parts['Protocol']
                        ports = $parts['RPort']; addresses = $addresses
                    })
            }
        }
    }
    return @{
        profiles = Get-ConnectorFirewallProfile -Path $own -Private 'StandardProfile'
        policy_profiles = Get-ConnectorFirewallProfile -Path $policy -Private 'PrivateProfile'
        blocking = [object[]] @($blocking)
    }
}

function Get-ConnectorService {
    <#
    .SYNOPSIS
    Those of the services named that are there.
    #>
    param([string[]] $Names)
    if (-not $Names) {
        return , ([object[]] @())
    }
    $filter = @($Names | ForEach-Object { "Name='{0}'" -f ($_ -replace "[\\']", '\$0') }) -join ' OR '
    $found = Get-ConnectorCim -Class 'Win32_Service' -Property 'Name', 'State', 'StartMode', 'StartName' -Filter $filter
    return , ([object[]] @($found | Where-Object { $Names -contains $_.Name } | ForEach-Object {
                @{ name = [string] $_.Name; state = [string] $_.State; start_mode = $_.StartMode; account = $_.StartName }
            }))
}

function Get-ConnectorProduct {
    <#
    .SYNOPSIS
    Installed programs whose name begins with one of those given, in any case.
    #>
    param([string[]] $Beginnings)
    $products = New-Object System.Collections.ArrayList
    foreach ($software in $script:Views.Values) {
        $path = "$software\Microsoft\Windows\CurrentVersion\Uninstall"
        foreach ($name in Get-ConnectorSubkey -Path $path) {
            $shown = [string] (Get-ConnectorValue -Path "$path\$name" -Name 'DisplayName')
            if (@($Beginnings | Where-Object { $_ -and $shown.StartsWith($_, [System.StringComparison]::OrdinalIgnoreCase) })) {
                $version = Get-ConnectorValue -Path "$path\$name" -Name 'DisplayVersion'
                $null = $products.Add(@{ name = $shown; version = ConvertTo-ConnectorText $version })
            }
        }
    }
    return , ([object[]] @($products))
}

function Get-ConnectorPolicy {
    <#
    .SYNOPSIS
    What group policy says of running scripts.
    #>
    param([string] $Hive)
    $path = 'SOFTWARE\Policies\Microsoft\Windows\PowerShell'
    return @{
        enable_scripts = Get-ConnectorNumber -Hive $Hive -Path $path -Name 'EnableScripts'
        policy = ConvertTo-ConnectorText (Get-ConnectorValue -Hive $Hive -Path $path -Name 'ExecutionPolicy')
    }
}

function Get-ConnectorRootFact {
    <#
    .SYNOPSIS
    Which of the roots asked for are in the machine's store. Read before any handshake, which may add some.
    #>
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Wanted)
    return New-ConnectorFact {
        $store = New-Object System.Security.Cryptography.X509Certificates.X509Store 'Root', 'LocalMachine'
        $store.Open('ReadOnly')
        $have = @{}
        foreach ($one in $store.Certificates) {
            $have[$one.Thumbprint.ToLowerInvariant()] = $true
        }
        $store.Close()
        @{ present = [object[]] @($Wanted['roots'] | Where-Object { $_ -and $have.ContainsKey($_) }); count = $have.Count }
    }
}

function Get-ConnectorHostFact {
    <#
    .SYNOPSIS
    Every fact of the server but its roots and its proxies: name to fact.
    #>
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Wanted)
    $policies = 'SOFTWARE\Policies\Microsoft\Cryptography\Configuration\SSL'
    $local = 'SYSTEM\CurrentControlSet\Control\Cryptography\Configuration\Local\SSL'
    $setup = 'SOFTWARE\Microsoft\Active Setup\Installed Components\{{A509B1A{0}-37EF-4b3f-8CFC-4F3A74704073}}'
    $reads = [ordered] @{
        windows = { Get-ConnectorRelease }
        computer = {
            $names = 'PartOfDomain', 'TotalPhysicalMemory', 'NumberOfLogicalProcessors'
            $one = Get-ConnectorCimOne -Class 'Win32_ComputerSystem' -Property $names
            @{
                domain_joined = [bool] $one.PartOfDomain
                memory_bytes = [long] $one.TotalPhysicalMemory
                processors = [int] $one.NumberOfLogicalProcessors
            }
        }
        system = {
            $one = Get-ConnectorCimOne -Class 'Win32_OperatingSystem' -Property 'ProductType' -Optional 'LastBootUpTime'
            $booted = $null
            if ($null -ne $one.LastBootUpTime) {
                $booted = ([datetime] $one.LastBootUpTime).ToUniversalTime().ToString(
                    "yyyy-MM-dd'T'HH:mm:ss'Z'", [System.Globalization.CultureInfo]::InvariantCulture)
            }
            @{ product_type = [int] $one.ProductType; booted_at = $booted }
        }
        disk = {
            $one = Get-ConnectorCimOne -Class 'Win32_LogicalDisk' -Property 'DeviceID', 'FreeSpace' -Filter "DeviceID='$env:SystemDrive'"
            @{ drive = [string] $one.DeviceID; free_bytes = [long] $one.FreeSpace }
        }
        clock = {
            $offset = [System.TimeZoneInfo]::Local.GetUtcOffset([System.DateTime]::UtcNow)
            @{ zone = [System.TimeZoneInfo]::Local.Id; offset_minutes = [int] $offset.TotalMinutes }
        }
        pending_reboot = { Get-ConnectorReboot }
        powershell = {
            @{ version = [string] $PSVersionTable.PSVersion; language_mode = [string] $ExecutionContext.SessionState.LanguageMode }
        }
        execution_policy = { @{ machine = Get-ConnectorPolicy 'LocalMachine'; user = Get-ConnectorPolicy 'CurrentUser' } }
        ie_enhanced_security = {
            @{
                administrators = Get-ConnectorNumber -Path ($setup -f 7) -Name 'IsInstalled'
                users = Get-ConnectorNumber -Path ($setup -f 8) -Name 'IsInstalled'
            }
        }
        fips = { Get-ConnectorNumberSet -Path 'SYSTEM\CurrentControlSet\Control\Lsa\FipsAlgorithmPolicy' -Names @{ enabled = 'Enabled' } }
        dynamic_ports = { Get-ConnectorDynamicPort }
        administrator = {
            $principal = New-Object System.Security.Principal.WindowsPrincipal ([System.Security.Principal.WindowsIdentity]::GetCurrent())
            [bool] $principal.IsInRole([System.Security.Principal.WindowsBuiltInRole]::Administrator)
        }
        firewall = { Get-ConnectorFirewall }
        services = { , (Get-ConnectorService $Wanted['services']) }
        products = { , (Get-ConnectorProduct $Wanted['products']) }
        dotnet = {
            Get-ConnectorView {
                Get-ConnectorNumber -Path "$($args[0])\Microsoft\NET Framework Setup\NDP\v4\Full" -Name 'Release'
            }
        }
        dotnet_tls = {
            Get-ConnectorView {
                $names = @{ strong_crypto = 'SchUseStrongCrypto'; system_default = 'SystemDefaultTlsVersions' }
                Get-ConnectorNumberSet -Path "$($args[0])\Microsoft\.NETFramework\v4.0.30319" -Names $names
            }
        }
        schannel = {
            @{
                protocols = Get-ConnectorProtocol
                hashes = Get-ConnectorSwitch 'Hashes'
                ciphers = Get-ConnectorSwitch 'Ciphers'
                key_exchange = Get-ConnectorSwitch 'KeyExchangeAlgorithms'
            }
        }
        cipher_order = { @{ policy = Get-ConnectorText "$policies\00010002"; local = Get-ConnectorText "$local\00010002" } }
        signature_list = { @{ policy = Get-ConnectorText "$policies\00010003"; local = Get-ConnectorText "$local\00010003" } }
        winhttp_protocols = {
            Get-ConnectorView {
                $path = "$($args[0])\Microsoft\Windows\CurrentVersion\Internet Settings\WinHttp"
                Get-ConnectorNumber -Path $path -Name 'DefaultSecureProtocols'
            }
        }
        root_update = {
            $names = @{ disabled = 'DisableRootAutoUpdate' }
            Get-ConnectorNumberSet -Path 'SOFTWARE\Policies\Microsoft\SystemCertificates\AuthRoot' -Names $names
        }
    }
    $facts = [ordered] @{}
    foreach ($name in $reads.Keys) {
        $facts[$name] = New-ConnectorFact $reads[$name]
    }
    return $facts
}

Export-ModuleMember -Function Get-ConnectorHostFact, Get-ConnectorRootFact
