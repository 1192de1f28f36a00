# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# FOR INTERNAL COLLECTION USE ONLY. The proxy settings of each identity on a Windows server, and the way that each would take to
# each target. Nothing is written, no program is started. Credentials in addresses are blotted out before anything leaves.

#AnsibleRequires -CSharpUtil ..module_utils._WinHttp
#AnsibleRequires -PowerShell ..module_utils._ConnectorFact

Set-StrictMode -Version 2.0

$script:Settings = 'SOFTWARE\Microsoft\Windows\CurrentVersion\Internet Settings'
$script:PacMilliseconds = 6000
$script:MostWays = 3

# ---- settings, read

function Hide-ConnectorSecret {
    <#
    .SYNOPSIS
    A text with what stands before an @ in an address blotted out; null stays null.
    #>
    param($Text)
    if ($null -eq $Text) {
        return $null
    }
    return [regex]::Replace([string] $Text, '[^\s/;=@]+(:[^\s/;@]*)?@', '***@')
}

function Read-ConnectorText {
    <#
    .SYNOPSIS
    The ASCII text whose length stands at a place of a binary value, and the place after it. An empty text is null.
    #>
    param([byte[]] $Bytes, [int] $At)
    if ($At + 4 -gt $Bytes.Length) {
        throw 'the value ends before a length'
    }
    $length = [System.BitConverter]::ToInt32($Bytes, $At)
    if ($length -lt 0 -or $At + 4 + $length -gt $Bytes.Length) {
        throw 'the value ends before a text of the length that it names'
    }
    $text = [System.Text.Encoding]::ASCII.GetString($Bytes, $At + 4, $length).Trim([char] 0)
    if ($text -eq '') {
        $text = $null
    }
    return @{ text = $text; next = $At + 4 + $length }
}

function Read-ConnectorConnection {
    <#
    .SYNOPSIS
    DefaultConnectionSettings: version, counter, flags (1 direct, 2 proxy, 4 script, 8 automatic), proxy, bypass list, script.
    #>
    param([byte[]] $Bytes)
    if ($Bytes.Length -lt 12) {
        throw 'DefaultConnectionSettings ends before its flags'
    }
    $flags = [System.BitConverter]::ToInt32($Bytes, 8)
    $proxy = Read-ConnectorText $Bytes 12
    $bypass = Read-ConnectorText $Bytes $proxy.next
    $pac = Read-ConnectorText $Bytes $bypass.next
    $settings = @{ from = 'connections'; auto_detect = [bool] ($flags -band 8); pac = $null; proxy = $null; bypass = $bypass.text }
    if ($flags -band 4) {
        $settings.pac = $pac.text
    }
    if ($flags -band 2) {
        $settings.proxy = $proxy.text
    }
    return $settings
}

function Read-ConnectorWinHttp {
    <#
    .SYNOPSIS
    WinHttpSettings: size, counter, flags (1 direct, 2 a proxy is named), proxy, bypass list. Null where there is no such value.
    #>
    param([string] $Path)
    $bytes = Get-ConnectorValue -Path "$Path\Connections" -Name 'WinHttpSettings'
    if ($null -eq $bytes) {
        return $null
    }
    if ($bytes.Length -lt 12) {
        throw 'WinHttpSettings ends before its flags'
    }
    if (-not ([System.BitConverter]::ToInt32($bytes, 8) -band 2)) {
        return @{ kind = 'direct'; proxy = $null; bypass = $null }
    }
    $proxy = Read-ConnectorText $bytes 12
    $bypass = Read-ConnectorText $bytes $proxy.next
    return @{ kind = 'named'; proxy = $proxy.text; bypass = $bypass.text }
}

function Get-ConnectorInternetSetting {
    <#
    .SYNOPSIS
    The Internet settings below a key: of DefaultConnectionSettings, else of the values beside it.
    #>
    param([string] $Hive, [string] $Path, [string] $Sid)
    $settings = @{ from = 'none'; auto_detect = $false; pac = $null; proxy = $null; bypass = $null }
    $bytes = Get-ConnectorValue -Hive $Hive -Path "$Path\Connections" -Name 'DefaultConnectionSettings'
    $values = Get-ConnectorKey -Hive $Hive -Path $Path
    if ($null -ne $bytes) {
        $settings = Read-ConnectorConnection $bytes
    } elseif ($null -ne $values -and @('ProxyEnable', 'ProxyServer', 'AutoConfigURL' | Where-Object { $values.ContainsKey($_) })) {
        # An empty text, and a value of another type, say nothing.
        $text = { param($name) if ($values[$name] -is [string] -and $values[$name] -ne '') { $values[$name] } }
        $settings = @{ from = 'values'; auto_detect = $false; pac = & $text 'AutoConfigURL'; proxy = $null; bypass = & $text 'ProxyOverride' }
        if ($values['ProxyEnable']) {
            $settings.proxy = & $text 'ProxyServer'
        }
    }
    $settings['sid'] = $Sid
    return $settings
}

function Get-ConnectorUserSetting {
    <#
    .SYNOPSIS
    The Internet settings of an account by its SID. Its hive has to be loaded, and only Windows loads it.
    #>
    param([string] $Sid)
    if ($null -eq (Get-ConnectorKey -Hive 'Users' -Path $Sid)) {
        throw (New-ConnectorException 'hive_not_loaded' "the registry of $Sid is not loaded: that account is not logged on")
    }
    return Get-ConnectorInternetSetting -Hive 'Users' -Path "$Sid\$script:Settings" -Sid $Sid
}

function Get-ConnectorSid {
    <#
    .SYNOPSIS
    The SID of an account that is named DOMAIN\name, name@domain or by its SID.
    #>
    param([string] $Account)
    if ($Account -match '^S-1-[0-9-]+$') {
        return $Account
    }
    try {
        return (New-Object System.Security.Principal.NTAccount $Account).Translate([System.Security.Principal.SecurityIdentifier]).Value
    } catch {
        throw (New-ConnectorException 'account_unknown' "Windows does not know the account ${Account}: $($_.Exception.Message)")
    }
}

function Get-ConnectorConfig {
    <#
    .SYNOPSIS
    defaultProxy of a .NET configuration file; null where the file or the element is not there.
    #>
    param([string[]] $Parts)
    if (@($Parts | Where-Object { -not $_ })) {
        return $null
    }
    $path = [System.IO.Path]::Combine($Parts)
    if (-not [System.IO.File]::Exists($path)) {
        return $null
    }
    $document = New-Object System.Xml.XmlDocument
    $document.XmlResolver = $null
    $document.LoadXml([System.IO.File]::ReadAllText($path))
    $element = $document.SelectSingleNode('/configuration/system.net/defaultProxy')
    if ($null -eq $element) {
        return $null
    }
    $proxy = $element.SelectSingleNode('proxy')
    $read = { param($name) if ($null -ne $proxy -and $proxy.HasAttribute($name)) { $proxy.GetAttribute($name) } }
    return @{
        path = $path
        enabled = $element.GetAttribute('enabled') -ne 'false'
        address = & $read 'proxyaddress'
        bypass_on_local = & $read 'bypassonlocal'
        use_system_default = & $read 'usesystemdefault'
        script = & $read 'scriptLocation'
        bypass = [object[]] @($element.SelectNodes('bypasslist/add') | ForEach-Object { $_.GetAttribute('address') })
    }
}

function Get-ConnectorProgramConfig {
    <#
    .SYNOPSIS
    defaultProxy of an installed connector's service or updater, the product's new name before its old one.
    #>
    param([string] $Folder, [string] $File)
    $names = @(
        @('Microsoft Entra private network connector', 'MicrosoftEntraPrivateNetworkConnector'),
        @('Microsoft AAD App Proxy Connector', 'ApplicationProxyConnector')
    )
    foreach ($name in $names) {
        $config = Get-ConnectorConfig @($env:ProgramFiles, ($name[0] + $Folder), ('{0}{1}.exe.config' -f $name[1], $File))
        if ($null -ne $config) {
            return $config
        }
    }
    return $null
}

function Get-ConnectorDefaultProxy {
    <#
    .SYNOPSIS
    defaultProxy of each configuration file that matters.
    #>
    $framework = @($env:SystemRoot, 'Microsoft.NET')
    $machine = @('v4.0.30319', 'Config', 'machine.config')
    return @{
        machine_config = Get-ConnectorConfig ($framework + 'Framework64' + $machine)
        machine_config_32 = Get-ConnectorConfig ($framework + 'Framework' + $machine)
        service = Get-ConnectorProgramConfig '' 'Service'
        updater = Get-ConnectorProgramConfig ' Updater' 'UpdaterService'
    }
}

# ---- ways, chosen

function ConvertTo-ConnectorWay {
    <#
    .SYNOPSIS
    host:port, or scheme=host:port for some schemes, as the way for one scheme. `direct` where it names none that can be used.
    #>
    param([string] $Proxy, [string] $Scheme)
    $any = $null
    foreach ($part in ($Proxy -split '[;\s]+' | Where-Object { $_ })) {
        $cut = $part.IndexOf('=')
        if ($cut -lt 0) {
            $any = $part
        } elseif ($part.Substring(0, $cut) -eq $Scheme) {
            $any = $part.Substring($cut + 1)
            break
        }
    }
    $address = [regex]::Match([string] $any, '^(?:http://)?(?:[^@/]*@)?(\[[0-9A-Fa-f:.]+\]|[^:/@\s]+)(?::([0-9]{1,5}))?/?$')
    if (-not $address.Success) {
        return 'direct'
    }
    $port = $address.Groups[2].Value
    if (-not $port) {
        $port = '80'
    }
    return 'http://{0}:{1}' -f $address.Groups[1].Value, $port
}

function Test-ConnectorBypass {
    <#
    .SYNOPSIS
    Whether a bypass list of Internet settings or WinHTTP covers a target: names with *, perhaps with scheme and port, or <local>.
    #>
    param([string] $Bypass, $Target)
    foreach ($entry in ($Bypass -split '[;\s]+' | Where-Object { $_ })) {
        if ($entry -eq '<local>') {
            if ($Target.host.IndexOf('.') -lt 0) {
                return $true
            }
            continue
        }
        $parts = [regex]::Match($entry, '^(?:(https?)://)?(.+?)(?::([0-9]+))?$')
        if ($parts.Groups[1].Success -and $parts.Groups[1].Value -ne $Target.scheme) {
            continue
        }
        if ($parts.Groups[3].Success -and $parts.Groups[3].Value -ne [string] $Target.port) {
            continue
        }
        $pattern = '^' + [regex]::Escape($parts.Groups[2].Value).Replace('\*', '.*') + '$'
        if ([regex]::IsMatch($Target.host, $pattern, 'IgnoreCase, CultureInvariant')) {
            return $true
        }
    }
    return $false
}

function New-ConnectorChoice {
    <#
    .SYNOPSIS
    An ordered list of ways and the setting that says so.
    #>
    [Diagnostics.CodeAnalysis.SuppressMessageAttribute('PSUseShouldProcessForStateChangingFunctions', '', Justification = 'It changes nothing.')]
    param([object[]] $Ways, [string] $By)
    return @{ ways = $Ways; by = $By }
}

function Get-ConnectorScriptWay {
    <#
    .SYNOPSIS
    What a proxy script says of a target, by Windows' own call: ways, or null where there is no script to be had. `Pac` is null for
    automatic detection. What was asked is kept, and a script that cannot be had is not asked for again.
    #>
    param([System.Collections.IDictionary] $World, [string] $Identity, $Pac, $Target)
    $name = 'wpad'
    if ($Pac) {
        $name = $Pac
        if ($Pac -notmatch '^https?://') {
            throw (New-ConnectorException 'pac_not_evaluated' "Windows' own call takes no script at $(Hide-ConnectorSecret $Pac)")
        }
    }
    if (-not $World.scripts.Contains($name)) {
        $World.scripts[$name] = @{ answers = @{}; ms = 0; error = $null; identity = $Identity }
    }
    $script = $World.scripts[$name]
    if ($null -ne $script.error) {
        return $null
    }
    if (-not $script.answers.ContainsKey($Target.url)) {
        $left = $World.script_ms - $World.clock.ElapsedMilliseconds
        $began = $World.clock.ElapsedMilliseconds
        $answer = @{ error = 12002; proxies = @() }
        if ($left -gt 0) {
            try {
                $answer = [ansible_collections.appproxy.connector.plugins.module_utils._WinHttp.WinHttp]::ProxyForUrl($Pac, $Target.url, $left)
            } catch {
                throw (New-ConnectorException 'pac_not_evaluated' "Windows' own call is not to be had: $($_.Exception.GetBaseException().Message)")
            }
        }
        $script.ms += [int] ($World.clock.ElapsedMilliseconds - $began)
        if ($answer['error'] -ne 0) {
            $codes = @{ 12180 = 'not_found'; 12167 = 'download'; 12166 = 'script'; 12015 = 'login'; 12002 = 'timeout' }
            $code = $codes[[int] $answer['error']]
            if (-not $code) {
                $code = 'failed'
            }
            $script.error = @{ code = $code; message = "WinHttpGetProxyForUrl answered $($answer['error'])" }
            return $null
        }
        $script.answers[$Target.url] = [object[]] @($answer['proxies'] | ForEach-Object { ConvertTo-ConnectorWay $_ $Target.scheme })
    }
    $ways = $script.answers[$Target.url]
    if ($ways.Count -eq 0) {
        return , ([object[]] @('direct'))
    }
    return , $ways
}

function Get-ConnectorInternetWay {
    <#
    .SYNOPSIS
    By Internet settings: automatic detection, then the script, then the proxy, as each is set.
    #>
    param([System.Collections.IDictionary] $World, [string] $Identity, [System.Collections.IDictionary] $Settings, $Target)
    if ($Settings.auto_detect) {
        $ways = Get-ConnectorScriptWay $World $Identity $null $Target
        if ($null -ne $ways) {
            return New-ConnectorChoice $ways 'wpad'
        }
    }
    if ($Settings.pac) {
        $ways = Get-ConnectorScriptWay $World $Identity $Settings.pac $Target
        if ($null -ne $ways) {
            return New-ConnectorChoice $ways 'internet_settings_pac'
        }
    }
    if ($Settings.proxy) {
        $by = 'internet_settings'
        if ($World.per_machine) {
            $by = 'per_machine_policy'
        }
        if (Test-ConnectorBypass $Settings.bypass $Target) {
            return New-ConnectorChoice @('direct') $by
        }
        return New-ConnectorChoice @(ConvertTo-ConnectorWay $Settings.proxy $Target.scheme) $by
    }
    return New-ConnectorChoice @('direct') 'none'
}

function Get-ConnectorConfigWay {
    <#
    .SYNOPSIS
    By defaultProxy of a configuration file; null where it leaves the choice to the Internet settings.
    #>
    param($Config, [string] $By, $Target)
    if ($null -eq $Config) {
        return $null
    }
    if (-not $Config.enabled) {
        return New-ConnectorChoice @('direct') $By
    }
    if (-not $Config.address) {
        if ($Config.use_system_default -eq 'false') {
            return New-ConnectorChoice @('direct') $By
        }
        return $null
    }
    $local = $Config.bypass_on_local -eq 'true' -and $Target.host.IndexOf('.') -lt 0
    # As System.Net.WebProxy matches: against scheme, host and a port that is not the usual one.
    $covered = @($Config.bypass | Where-Object {
            try { [regex]::IsMatch($Target.url.TrimEnd('/'), $_, 'IgnoreCase, CultureInvariant') } catch [System.ArgumentException] { $false }
        })
    # Without http:// .NET does not take it.
    if ($local -or $covered -or $Config.address -notmatch '^https?://') {
        return New-ConnectorChoice @('direct') $By
    }
    return New-ConnectorChoice @(ConvertTo-ConnectorWay ($Config.address -replace '^https', 'http') $Target.scheme) $By
}

function Get-ConnectorIdentityWay {
    <#
    .SYNOPSIS
    The way that an identity takes to a target. Programs of .NET Framework look into their own file, machine.config and the
    account's Internet settings; Windows itself into the WinHTTP proxy and the Internet settings.
    #>
    param([System.Collections.IDictionary] $World, [string] $Identity, $Target)
    $source = 'default_proxy'
    if ($Identity -eq 'windows') {
        $source = 'winhttp_proxy'
    }
    if ($null -ne $World.unread[$source]) {
        # What could not be read must not pass for "nothing is set".
        throw (New-ConnectorException $World.unread[$source].code $World.unread[$source].message)
    }
    if ($Identity -eq 'windows') {
        $winhttp = $World.winhttp
        if ($null -ne $winhttp -and $winhttp.kind -eq 'named') {
            if (Test-ConnectorBypass $winhttp.bypass $Target) {
                return New-ConnectorChoice @('direct') 'winhttp'
            }
            return New-ConnectorChoice @(ConvertTo-ConnectorWay $winhttp.proxy $Target.scheme) 'winhttp'
        }
    } else {
        $own = @{ network_service = 'service'; local_system = 'updater' }[$Identity]
        if ($own) {
            $choice = Get-ConnectorConfigWay $World.configs[$own] 'exe_config' $Target
            if ($null -ne $choice) {
                return $choice
            }
        }
        $choice = Get-ConnectorConfigWay $World.configs['machine_config'] 'machine_config' $Target
        if ($null -ne $choice) {
            return $choice
        }
    }
    if ($null -ne $World.unread['proxy_policy']) {
        throw (New-ConnectorException $World.unread['proxy_policy'].code $World.unread['proxy_policy'].message)
    }
    $of = $Identity
    if ($Identity -eq 'windows') {
        $of = 'network_service'
    }
    $fact = $World.internet[$of]
    if ($World.per_machine) {
        $fact = $World.internet['machine']
    }
    if (-not $fact.ok) {
        throw (New-ConnectorException $fact.error.code $fact.error.message)
    }
    return Get-ConnectorInternetWay $World $of $fact.value $Target
}

function Group-ConnectorWay {
    <#
    .SYNOPSIS
    The ways of an identity to all targets: each list of ways once, with the targets that it is for.
    #>
    param([System.Collections.IDictionary] $World, [string] $Identity, [object[]] $Targets)
    $groups = [ordered] @{}
    foreach ($target in $Targets) {
        $choice = Get-ConnectorIdentityWay $World $Identity $target
        $key = '{0} {1}' -f ($choice.ways -join ' '), $choice.by
        if (-not $groups.Contains($key)) {
            $groups[$key] = @{ ways = [object[]] $choice.ways; by = $choice.by; targets = New-Object System.Collections.ArrayList }
        }
        $null = $groups[$key].targets.Add($target.id)
    }
    return , ([object[]] @($groups.Values | ForEach-Object { $_.targets = [object[]] @($_.targets); $_ }))
}

# ---- what others call

function ConvertTo-ConnectorTarget {
    <#
    .SYNOPSIS
    A target of the request with its scheme and URL.
    #>
    param($Target)
    $scheme = 'http'
    $usual = 80
    if ($Target['tls']) {
        $scheme = 'https'
        $usual = 443
    }
    $port = ''
    if ([int] $Target['port'] -ne $usual) {
        $port = ':{0}' -f $Target['port']
    }
    $identities = @('network_service')
    if ($Target['identities']) {
        $identities = @($Target['identities'])
    }
    return @{
        id = [string] $Target['id']; host = [string] $Target['host']; port = [int] $Target['port']; scheme = $scheme
        url = '{0}://{1}{2}/' -f $scheme, $Target['host'], $port; identities = $identities
    }
}

function Get-ConnectorProxyFact {
    <#
    .SYNOPSIS
    The facts of proxies, and the ways of each identity: {facts, identities} as docs/observation.md has them.
    #>
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Wanted, [object[]] $Targets, [string] $Account, [string] $Sid)
    $targets = @($Targets | Where-Object { $_ } | ForEach-Object { ConvertTo-ConnectorTarget $_ })
    $facts = @{}
    $facts['winhttp_proxy'] = New-ConnectorFact {
        @{
            native = Read-ConnectorWinHttp $script:Settings
            wow64 = Read-ConnectorWinHttp ($script:Settings -replace '^SOFTWARE', 'SOFTWARE\WOW6432Node')
        }
    }
    $facts['proxy_policy'] = New-ConnectorFact {
        $path = $script:Settings -replace '^SOFTWARE\\', 'SOFTWARE\Policies\'
        $value = Get-ConnectorValue -Path $path -Name 'ProxySettingsPerUser'
        if ($null -ne $value -and $value -isnot [int] -and $value -isnot [long]) {
            throw 'ProxySettingsPerUser is no number'
        }
        @{ per_user = $value }
    }
    $internet = @{
        network_service = New-ConnectorFact { Get-ConnectorUserSetting 'S-1-5-20' }
        local_system = New-ConnectorFact { Get-ConnectorUserSetting 'S-1-5-18' }
        session = New-ConnectorFact { Get-ConnectorInternetSetting -Hive 'CurrentUser' -Path $script:Settings -Sid $Sid }
        machine = New-ConnectorFact { Get-ConnectorInternetSetting -Hive 'LocalMachine' -Path $script:Settings -Sid 'machine' }
    }
    if ($Wanted['installing_user']) {
        $internet['installing_user'] = New-ConnectorFact { Get-ConnectorUserSetting (Get-ConnectorSid $Wanted['installing_user']) }
    }
    $facts['internet_settings'] = @{ ok = $true; value = $internet }
    $facts['default_proxy'] = New-ConnectorFact { Get-ConnectorDefaultProxy }
    $facts['environment_proxy'] = New-ConnectorFact {
        $values = Get-ConnectorKey -Path 'SYSTEM\CurrentControlSet\Control\Session Manager\Environment'
        if ($null -eq $values) {
            $values = @{}
        }
        $machine = @{}
        foreach ($name in 'http_proxy', 'https_proxy', 'no_proxy') {
            $machine[$name] = $null
            if ($null -ne $values[$name]) {
                $machine[$name] = [string] $values[$name]
            }
        }
        @{ machine = $machine }
    }
    $world = @{
        winhttp = $null; configs = @{ service = $null; updater = $null; machine_config = $null }; internet = $internet
        unread = @{}; per_machine = $false; scripts = [ordered] @{}; clock = [System.Diagnostics.Stopwatch]::StartNew()
        # Half of the time is kept for the look at the network.
        script_ms = [int] ((Get-ConnectorTimeLeft -Wanted (2 * $script:PacMilliseconds) -Least 0) / 2)
    }
    if ($facts.winhttp_proxy.ok) {
        $world.winhttp = $facts.winhttp_proxy.value.native
    }
    if ($facts.default_proxy.ok) {
        $world.configs = $facts.default_proxy.value
    }
    if ($facts.proxy_policy.ok) {
        $world.per_machine = $facts.proxy_policy.value.per_user -eq 0
    }
    foreach ($source in 'winhttp_proxy', 'default_proxy', 'proxy_policy') {
        if (-not $facts[$source].ok) {
            $world.unread[$source] = $facts[$source].error
        }
    }
    $accounts = [ordered] @{ network_service = 'S-1-5-20'; local_system = 'S-1-5-18'; windows = 'S-1-5-20'; session = $Account }
    if ($Wanted['installing_user']) {
        $accounts['installing_user'] = $Wanted['installing_user']
    }
    $identities = @{}
    foreach ($name in $accounts.Keys) {
        $identities[$name] = New-ConnectorFact { @{ account = $accounts[$name]; ways = Group-ConnectorWay $world $name $targets } }
    }
    $facts['pac'] = @{
        ok = $true
        value = [object[]] @($world.scripts.Keys | ForEach-Object {
                $one = $world.scripts[$_]
                @{
                    identity = $one.identity; url = Hide-ConnectorSecret $_; evaluated_as = $Account
                    ms = $one.ms; answers = $one.answers.Count; error = $one.error
                }
            })
    }
    Protect-ConnectorFact $facts
    return @{ facts = $facts; identities = $identities }
}

function Protect-ConnectorFact {
    <#
    .SYNOPSIS
    Blots out credentials in every address of the facts, in place.
    #>
    param([System.Collections.IDictionary] $Facts)
    $tables = New-Object System.Collections.ArrayList
    foreach ($name in 'winhttp_proxy', 'default_proxy', 'environment_proxy') {
        if ($Facts[$name].ok) {
            $null = $tables.AddRange(@($Facts[$name].value.Values | Where-Object { $_ }))
        }
    }
    $null = $tables.AddRange(@($Facts.internet_settings.value.Values | Where-Object { $_.ok } | ForEach-Object { $_.value }))
    foreach ($table in $tables) {
        foreach ($key in 'proxy', 'pac', 'bypass', 'address', 'script', 'http_proxy', 'https_proxy', 'no_proxy') {
            if ($table[$key] -is [string]) {
                $table[$key] = Hide-ConnectorSecret $table[$key]
            }
        }
    }
}

function Get-ConnectorPath {
    <#
    .SYNOPSIS
    The paths to look over: {paths, revocation_paths}. Each way that an identity of a target would take, with the targets that it is
    for; and those over which Windows and the service fetch revocation lists.
    #>
    param([Parameter(Mandatory = $true)] [System.Collections.IDictionary] $Identities, [object[]] $Targets)
    $targets = @($Targets | Where-Object { $_ } | ForEach-Object { ConvertTo-ConnectorTarget $_ })
    $paths = [ordered] @{}
    $revocation = [ordered] @{}
    foreach ($identity in 'windows', 'network_service') {
        $lists = @($targets | Where-Object { $_.identities -contains 'windows' } | ForEach-Object { , (Find-ConnectorWay $Identities $identity $_) })
        $usual = $lists | Group-Object { $_ -join ' ' } | Sort-Object Count -Descending | Select-Object -First 1
        if ($null -eq $usual) {
            continue
        }
        foreach ($way in $usual.Name.Split(' ')) {
            $revocation[$way] = $true
            $paths[$way] = New-Object System.Collections.ArrayList
        }
    }
    foreach ($target in $targets) {
        foreach ($identity in $target.identities) {
            foreach ($way in Find-ConnectorWay $Identities $identity $target) {
                if (-not $paths.Contains($way)) {
                    $paths[$way] = New-Object System.Collections.ArrayList
                }
                if (-not $paths[$way].Contains($target.id)) {
                    $null = $paths[$way].Add($target.id)
                }
            }
        }
    }
    return @{
        paths = [object[]] @($paths.Keys | ForEach-Object { @{ id = $_; ways = [object[]] @($_); targets = [object[]] @($paths[$_]) } })
        revocation_paths = [object[]] @($revocation.Keys)
    }
}

function Find-ConnectorWay {
    <#
    .SYNOPSIS
    The first ways of an identity to a target; where nothing is known of it, Network Service's, else direct.
    #>
    param([System.Collections.IDictionary] $Identities, [string] $Identity, $Target)
    foreach ($name in $Identity, 'network_service') {
        if ($Identities.Contains($name) -and $Identities[$name].ok) {
            foreach ($group in $Identities[$name].value.ways) {
                if ($group.targets -contains $Target.id) {
                    return $group.ways | Select-Object -First $script:MostWays
                }
            }
        }
    }
    return 'direct'
}

Export-ModuleMember -Function Get-ConnectorProxyFact, Get-ConnectorPath
