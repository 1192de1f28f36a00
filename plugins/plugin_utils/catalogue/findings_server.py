# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The findings of the server itself, and of the proxy that each identity on it takes. Words as findings.py says."""

from __future__ import annotations

from functools import partial

from ..model import Area, Owner, Severity
from . import sources
from .spec import spec as _any_spec

_spec = partial(_any_spec, area=Area.SERVER)
_warn = partial(_spec, severity=Severity.WARNING)
_CONFIG = (
    r"in MicrosoftEntraPrivateNetworkConnectorService.exe.config under C:\Program Files\Microsoft Entra private network connector: "
    '<system.net><defaultProxy><proxy proxyaddress="http://host:port" bypassonlocal="True" usesystemdefault="True"/></defaultProxy>'
    "</system.net>"
)
_WINHTTP = "netsh winhttp set proxy proxy-server=\"host:port\" bypass-list=\"<local>\""
_POLICY = (
    "Computer Configuration > Administrative Templates > Windows Components > Windows PowerShell > Turn on Script Execution"
)

_WINDOWS = (
    _spec(
        401, "os-unsupported", Owner.SERVER, evidence=("os",),
        title="The connector is not for this Windows: {os}",
        cause="Microsoft's page names Windows Server 2016 or later (2026-02). Until 2025 it named Windows Server 2012 R2 or later: there "
        "it is a warning. Client Windows is not named at all.",
        hint="Take a server with Windows Server 2016 or later; better, one whose support does not end soon.",
        docs=sources.CONNECTORS, more=(sources.LIST_2018,),
    ),
    _warn(
        402, "os-near-end-of-support", Owner.SERVER, evidence=("os", "ends"),
        title="Support for {os} ends on {ends}",
        cause="Extended support ends within a year, or has ended. Paid updates (ESU) are not counted here.",
        hint="Put the connector on a newer Windows Server, or plan to move it before {ends}.",
        docs=sources.LIFECYCLE_2016,
        more=(sources.LIFECYCLE_2012_R2, sources.LIFECYCLE_2019, sources.LIFECYCLE_2022, sources.LIFECYCLE_2025),
    ),
    _warn(
        403, "server-core", Owner.SERVER,
        title="This is Server Core, where the installer cannot show its sign-in window",
        cause="Registration with a credential object is reported to fail there as well, and Microsoft gives no statement of support.",
        hint="Take a server with Desktop Experience; or register with a token, unattended, and try it on one server first.",
        docs=sources.SERVER_CORE, more=(sources.CONNECTORS,),
    ),
    _warn(
        411, "too-small", Owner.SERVER, evidence=("memory", "processors"),
        title="This server is smaller than recommended ({memory}, {processors} logical processors)",
        cause="Microsoft recommends 8 GiB of memory and 4 cores or more. It installs on less.",
        hint="Give it 8 GiB of memory and 4 processors, unless it serves very few people.",
        docs=sources.CAPACITY,
    ),
    _spec(
        421, "execution-policy-blocks-installer", Owner.SERVER, evidence=("setting",),
        title="A policy keeps the installer's scripts from running ({setting})",
        cause="The installer runs PowerShell scripts. With this policy it stops with: Failed to retrieve the current execution policy for "
        "running PowerShell scripts.",
        hint=f"Set {_POLICY} to Allow local scripts and remote signed scripts, or to Not Configured; then gpupdate /force.",
        docs=sources.TROUBLESHOOT, more=(sources.TROUBLESHOOT_ERRORS, sources.EXECUTION_POLICIES),
    ),
    _spec(
        422, "application-control", Owner.SERVER, evidence=("mode",),
        title="Application control restricts PowerShell on this server ({mode})",
        cause="WDAC or AppLocker lets only signed and allowed code use the whole language. The installer's scripts and this check need it.",
        hint="Allow the connector's installer and its scripts (publisher Microsoft) in the application control policy; for this check, "
        "allow Ansible's scripts for its account, or waive the finding.",
        docs=sources.LANGUAGE_MODES, more=(sources.ANSIBLE_WINDOWS,),
    ),
    _warn(
        431, "reboot-pending", Owner.SERVER, evidence=("reasons",),
        title="A restart is pending ({reasons})",
        cause="Updates or other installations wait for a restart. Microsoft's page says to restart before any other search for faults.",
        hint="Restart this server before the install.",
        docs=sources.TROUBLESHOOT, more=(sources.VERSIONS,),
    ),
    _spec(
        441, "clock-skew", Owner.SERVER, evidence=("skew", "by"),
        title="This server's clock is wrong by {skew} (compared with {by})",
        cause="Certificates look expired or not yet valid to it, and the tokens of the sign-in do too.",
        hint="Compare and set it: w32tm /query /status, then w32tm /resync. On a virtual machine, look at the host's clock as well.",
        docs=sources.WINDOWS_TIME, more=(sources.TROUBLESHOOT_ERRORS,),
    ),
    _spec(
        451, "conflicting-product", Owner.SERVER, evidence=("product",),
        title="{product} is installed on this server",
        cause="The Password Protection Proxy and the connector need incompatible versions of the same updater service. Where it is "
        "a connector already (a warning), installing upgrades or repairs it, and registers it again.",
        hint="Put the connector on a server without the Password Protection Proxy. If a connector is installed already and that is what "
        "you want, waive this finding.",
        docs=sources.CONNECTORS, more=(sources.PASSWORD_PROTECTION, sources.VERSIONS),
    ),
    _warn(
        452, "traffic-steered-by-client", Owner.SERVER, evidence=("product",),
        title="A client on this server may lead traffic another way: {product}",
        cause="Such clients treat programs, users and names unlike: what gets through for the check may not for the connector's services, "
        "and the other way round.",
        hint="In that client, exempt the connector's services (WAPCSvc, WAPCUpdaterSvc) and *.msappproxy.net, *.servicebus.windows.net; or "
        "take it off this server. The option preflight_as_service looks as Network Service does.",
        docs=sources.ZSCALER_PROCESSES, more=(sources.GSA_CLIENT,),
    ),
    _warn(
        453, "ephemeral-ports-low", Owner.SERVER, evidence=("number", "in_use"),
        title="Few ports are left for outbound connections ({in_use} of {number} in use)",
        cause="The connector opens many connections at once. Windows' default is 16384 dynamic ports.",
        hint="Find what uses them: Get-NetTCPConnection | Group-Object OwningProcess. Widen the range: netsh int ipv4 set dynamicport tcp "
        "start=1025 num=64511.",
        docs=sources.CAPACITY, more=(sources.WINDOWS_PORTS,),
    ),
    _warn(
        461, "ie-enhanced-security", Owner.SERVER, evidence=("who",),
        title="IE Enhanced Security Configuration is on for {who}",
        cause="The installer's sign-in window may then stay empty. It does not matter to an unattended registration.",
        hint="In Server Manager > Local Server, set IE Enhanced Security Configuration to Off for the time of the install.",
        docs=sources.CONNECTORS, more=(sources.LIST_2018,),
    ),
    _spec(
        471, "not-administrator", Owner.SERVER,
        title="The account that Ansible uses is no administrator of this server",
        cause="The installer needs a local administrator. Where installing_user names somebody else, this only limits what could be seen.",
        hint="Let an administrator of this server run the check and the installer, or add the account to the group Administrators; over "
        "WinRM with a local account, look at LocalAccountTokenFilterPolicy as well.",
        docs=sources.CONNECTORS, more=(sources.ANSIBLE_WINRM,),
    ),
)

_WAYS = (
    _warn(
        501, "proxy-differs-by-identity", Owner.SERVER, evidence=("ways", "example"),
        title="Not all accounts of this server go out the same way: {ways}",
        cause="The installer, the connector (Network Service), the updater (Local System) each have proxy settings of their own. "
        "One getting through says nothing of the others.",
        hint=f"Set the proxy for all of them: for Windows, {_WINHTTP}; for the connector and its updater, {_CONFIG}; for who installs, in "
        "its own Internet settings. (Seen for {example}.)",
        docs=sources.PROXIES, more=(sources.TROUBLESHOOT, sources.NETSH_WINHTTP),
    ),
    _spec(
        502, "revocation-goes-another-way", Owner.SERVER, evidence=("windows_way", "service_way"),
        title="Revocation lists, which Windows fetches {windows_way}, are not had; the service's way ({service_way}) brings them",
        cause="Windows itself fetches the lists, by the WinHTTP proxy and not by the connector's configuration file. Two proxies have to "
        "be set.",
        hint=f"As administrator: {_WINHTTP}, with the proxy that the service uses ({{service_way}}). Then: certutil -urlcache * delete.",
        docs=sources.TROUBLESHOOT, more=(sources.PROXIES, sources.NETSH_WINHTTP, sources.INVALID_CHAIN),
    ),
    _spec(
        503, "proxy-address-malformed", Owner.SERVER, evidence=("where", "address"),
        title="The proxy address {address} in {where} cannot be used",
        cause="In configuration files an address needs http:// in front, even before an IP address. In WinHTTP and Internet settings it is "
        "host:port, or http=host:port;https=host:port.",
        hint=f"Correct it in {{where}}. As it should be, {_CONFIG}; or: {_WINHTTP}.",
        docs=sources.PROXIES, more=(sources.NET_DEFAULT_PROXY, sources.NETSH_WINHTTP),
    ),
    _warn(
        504, "pac-unreachable", Owner.PROXY, evidence=("pac", "error", "evaluated_as"),
        title="The proxy script {pac} cannot be fetched ({error})",
        cause="Programs then go on as if there were no script: directly, or by a fixed proxy.",
        hint="Make {pac} answer this server without a login; or take the address of the script out of the settings. "
        "(It was asked for as {evaluated_as}.)",
        docs=sources.PROXIES, more=(sources.WINHTTP_PAC,),
    ),
    _spec(
        505, "pac-not-evaluated", Owner.SERVER, evidence=("pac", "why"),
        title="The proxy script of {pac} was not evaluated ({why})",
        cause="Windows' own call takes scripts from http:// and https:// alone, and only as the account that asks. Which way this account "
        "takes is not known.",
        hint="Put the script on a web server and give its http:// address in place of a file; or name the proxy yourself with the option "
        "proxy: http://host:port.",
        docs=sources.WINHTTP_PAC, more=(sources.PROXIES,),
    ),
    _spec(
        506, "bypass-list-captures-service", Owner.SERVER, evidence=("bypass", "set_proxy"),
        title="The bypass list sends {endpoints} past the proxy {set_proxy}, and there they fail",
        cause="An entry of the list covers names of the service, so they go out directly, where nothing lets them through.",
        hint="Take the entry that covers {hosts} out of the bypass list ({bypass}); or open the firewall for them.",
        docs=sources.PROXIES, more=(sources.NETSH_WINHTTP, sources.NET_DEFAULT_PROXY),
    ),
    _warn(
        507, "proxy-list-falls-back", Owner.PROXY, evidence=("dead", "used"),
        title="The first proxy of the list, {dead}, does not answer; {used} does",
        cause="Each connection first waits for the dead one. The connector may be slow, or give up before the next is tried.",
        hint="Bring {dead} back, or take it out of the proxy script or list.",
        docs=sources.PROXIES, more=(sources.WINHTTP_PAC,),
    ),
    _spec(
        508, "installing-user-unknown", Owner.SERVER, evidence=("account", "error"),
        title="The proxy settings of {account} could not be read ({error})",
        cause="They are there only while that account is logged on here; or there is no such account. The settings of the account "
        "that Ansible uses are not taken in their place.",
        hint="Let {account} log on to this server (remote desktop, or runas) and run the check again while it is; or leave out "
        "installing_user and look at the sign-in by hand.",
        docs=sources.PROXIES, more=(sources.TROUBLESHOOT,),
    ),
)

SERVER = (*_WINDOWS, *_WAYS)
"""By number."""
