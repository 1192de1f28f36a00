# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The findings of trust: TLS 1.2 and SHA-512 on the server and along the path. Words as findings.py says."""

from __future__ import annotations

from functools import partial

from ..model import Area, Owner, Severity
from . import sources
from .spec import SCHANNEL, TLS12_CLIENT
from .spec import spec as _any_spec

_spec = partial(_any_spec, area=Area.TRUST)
_NET = r"HKLM\SOFTWARE\Microsoft\.NETFramework\v4.0.30319"
_SIGNATURES = r"Cryptography\Configuration\Local\SSL\00010003"
_SHA512 = (
    "Microsoft's page says that the connector makes a SHA-512 certificate, and that machine, proxy and firewall have to support it. "
    "No public capture confirms the hash."
)

TRUST = (
    _spec(
        201, "tls12-not-offered", Owner.SERVER, evidence=("offered", "reason"),
        title="This server does not offer TLS 1.2, but {offered} ({reason})",
        cause="The service takes TLS 1.2 or newer, and the connector speaks TLS 1.2.",
        hint=f"Set Enabled = 1 and DisabledByDefault = 0 (DWORD) under {TLS12_CLIENT}, and restart. If a policy or a baseline sets them, "
        "change it there.",
        docs=sources.CONNECTORS, more=(sources.WINDOWS_TLS, sources.TROUBLESHOOT),
    ),
    _spec(
        202, "tls12-off-by-default", Owner.SERVER, evidence=("reason",),
        title="TLS 1.2 is not offered unless a program asks for it ({reason})",
        cause="DisabledByDefault is set: programs that leave the choice to Windows, as the connector does, go without TLS 1.2.",
        hint=f"Set DisabledByDefault = 0 and Enabled = 1 (DWORD) under {TLS12_CLIENT}, and restart.",
        docs=sources.CONNECTORS, more=(sources.WINDOWS_TLS,),
    ),
    _spec(
        203, "dotnet-strong-crypto-off", Owner.SERVER, evidence=("values",), severity=Severity.WARNING,
        title=".NET Framework is told to use old TLS: {values}",
        cause="A value of 0 makes .NET programs that were built for older versions offer old TLS and weak ciphers. Without the values "
        "nothing is wrong: programs built for 4.7 and newer take what Windows offers.",
        hint=f"Under {_NET} and under the same path in HKLM\\SOFTWARE\\WOW6432Node, set SchUseStrongCrypto = 1 and "
        "SystemDefaultTlsVersions = 1 (DWORD), and restart.",
        docs=sources.CONNECTORS, more=(sources.NET_TLS,),
    ),
    _spec(
        204, "dotnet-too-old", Owner.SERVER, evidence=("release",),
        title=".NET Framework is too old for the connector (Release {release})",
        cause="The connector needs .NET Framework 4.7.2 (Release 461808 or higher). Older documents said 4.7.1 for connectors before "
        "1.5.3437.0; Windows Server 2012 R2 and 2016 come with neither.",
        hint="Install .NET Framework 4.8 (or 4.7.2) on this server, and restart.",
        docs=sources.CONNECTORS, more=(sources.VERSIONS, sources.NET_RELEASES),
    ),
    _spec(
        211, "sha512-not-offered", Owner.SERVER, evidence=("reason",),
        title="This server does not offer RSA with SHA-512 in TLS 1.2 ({reason})",
        cause=f"{_SHA512} This server does not offer it.",
        hint=f"On Windows Server 2012 R2, install all updates (Microsoft's page names KB2973337 for it). On newer Windows, undo what took "
        f"it away: the value Enabled = 0 under {SCHANNEL}\\Hashes\\SHA512, or an edited list Functions under "
        rf"HKLM\SYSTEM\CurrentControlSet\Control\{_SIGNATURES} without RSA/SHA512. Then restart.",
        docs=sources.TROUBLESHOOT, more=(sources.SHA512_UPDATE, sources.WINDOWS_TLS),
    ),
    _spec(
        212, "sha512-hash-disabled", Owner.SERVER, evidence=("reason",),
        title="SHA-512 is switched off on this server ({reason})",
        cause=f"A hardening baseline or a tool switched the hash off in Schannel. {_SHA512}",
        hint=f"Delete the value Enabled under {SCHANNEL}\\Hashes\\SHA512, or set it to 4294967295 (0xffffffff), and restart.",
        docs=sources.WINDOWS_TLS, more=(sources.TROUBLESHOOT,),
    ),
    _spec(
        213, "sha512-cut-on-path", Owner.NETWORK, evidence=("how",), severity=Severity.WARNING,
        title="Something on the way to {endpoints} cuts TLS that puts SHA-512 first ({how})",
        cause=f"{_SHA512} The usual TLS hello passes, and the same hello with SHA-512 first is cut, again and again and at more than one "
        "endpoint: an endpoint that refuses it would say so with an alert.",
        hint="On the firewall, proxy or intrusion prevention between this server and {hosts}, allow TLS with SHA-512 signatures, and "
        "exempt {hosts} from inspection. Whether it also cuts the certificate itself, the opt-in rehearse_client_certificate: true tells.",
        docs=sources.TROUBLESHOOT, more=(sources.RFC_TLS12,),
    ),
    _spec(
        214, "trust-rehearsal-failed", Owner.SERVER, evidence=("error",),
        title="This server cannot use a SHA-512 certificate of its own in TLS 1.2 ({error})",
        cause="The rehearsal made a certificate as the connector's is said to be, and TLS 1.2 within the server failed with it.",
        hint="Look at APC211, APC212 and APC215 first. If they are fine: the key could not be used; look for Schannel errors (36870, "
        "36874) in the System log of this server.",
        docs=sources.TROUBLESHOOT, more=(sources.WINDOWS_TLS,),
    ),
    _spec(
        215, "signature-list-damaged", Owner.SERVER, evidence=("list",),
        title="The list of TLS signature algorithms on this server was edited: {list}",
        cause="The value Functions under 00010003 names the pairs of signature and hash that Schannel takes. Hardening scripts are known "
        "to write cipher suites or curves into it, or to leave RSA/SHA512 out.",
        hint=rf"Under HKLM\SYSTEM\CurrentControlSet\Control\{_SIGNATURES} (and, by policy, under HKLM\SOFTWARE\Policies\Microsoft"
        r"\Cryptography\Configuration\SSL\00010003), restore Functions from a server of the same Windows that nobody edited, and restart.",
        docs=sources.TROUBLESHOOT, more=(sources.SHA512_UPDATE, sources.WINDOWS_TLS),
    ),
    _spec(
        216, "client-certificate-rehearsal-failed", Owner.NETWORK, evidence=("sha256", "sha512"),
        title="A client certificate signed with SHA-512 does not get through (SHA-256: {sha256}; SHA-512: {sha512})",
        cause="The rehearsal showed the bootstrap service a certificate twice. The one with SHA-256 got the service's own answer; the one "
        "with SHA-512 was cut on the way.",
        hint="On the firewall, proxy or intrusion prevention between this server and the bootstrap service, allow TLS 1.2 with client "
        "certificates and SHA-512 signatures, and exempt *.msappproxy.net from inspection.",
        docs=sources.TROUBLESHOOT, more=(sources.RFC_TLS12, sources.NO_INSPECTION),
    ),
    _spec(
        221, "cipher-suites-restricted", Owner.SERVER, evidence=("reason",), severity=Severity.WARNING,
        title="This server offers no ECDHE suite with AES-GCM ({reason})",
        cause="Microsoft publishes no list of the cipher suites that the service takes; these are what Microsoft's services commonly use "
        "in TLS 1.2. If TLS to the service stands (APC133 is not there), it works today.",
        hint="Set the policy Computer Configuration > Administrative Templates > Network > SSL Configuration Settings > SSL Cipher Suite "
        "Order to Not configured, or add TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 and TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 to it; "
        "then restart.",
        docs=sources.WINDOWS_CIPHERS, more=(sources.CONNECTORS,),
    ),
    _spec(
        232, "fips-mode", Owner.SERVER, severity=Severity.INFO,
        title="FIPS mode is on",
        cause="Microsoft's page says that such machines might need a configuration change so that the connector can make and keep its "
        "certificate, and does not say which.",
        hint="Nothing yet. If the registration fails at the certificate, try it on a server without the policy System cryptography: Use "
        "FIPS compliant algorithms.",
        docs=sources.CAPACITY, more=(sources.WINDOWS_FIPS,),
    ),
)
"""By number."""
