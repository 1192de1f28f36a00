# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the catalogue's facts stand: one entry for each document, so that its address and date have one home."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A public document."""

    url: str
    date: str
    """The date that the document gives itself (ISO day, month or year); empty where it gives none or was not read for one."""

    def __str__(self) -> str:
        return f"{self.url} ({self.date})" if self.date else self.url


_LEARN = "https://learn.microsoft.com"
_AZURE_DOCS_ISSUE = "https://github.com/MicrosoftDocs/azure-docs/issues"

CONNECTORS = Source(f"{_LEARN}/entra/global-secure-access/how-to-configure-connectors", "2026-02-04")
TROUBLESHOOT = Source(f"{_LEARN}/entra/global-secure-access/troubleshoot-connectors", "2025-05-07")
TROUBLESHOOT_ERRORS = Source(f"{_LEARN}/entra/identity/app-proxy/application-proxy-troubleshoot", "2024-02-15")
VERSIONS = Source(f"{_LEARN}/entra/global-secure-access/reference-version-history", "2026-06-08")
PROXIES = Source(f"{_LEARN}/entra/identity/app-proxy/application-proxy-configure-connectors-with-proxy-servers", "2025-05-01")
ADD_APPLICATION = Source(f"{_LEARN}/entra/identity/app-proxy/application-proxy-add-on-premises-application", "2024-04-22")
SECURITY = Source(f"{_LEARN}/entra/identity/app-proxy/application-proxy-security", "2024-02-14")
FAQ = Source(f"{_LEARN}/entra/identity/app-proxy/application-proxy-faq", "2026-03-11")
GOVERNMENT = Source(f"{_LEARN}/entra/identity/hybrid/connect/reference-connect-government-cloud", "2025-04-09")
NATIONAL_CLOUDS = Source(f"{_LEARN}/entra/identity-platform/authentication-national-cloud", "")
SEAMLESS_SSO = Source(f"{_LEARN}/entra/identity/hybrid/connect/how-to-connect-sso-quick-start", "")
AZURE_CAS = Source(f"{_LEARN}/azure/security/fundamentals/azure-ca-details", "2023-11-27")
POSTGRESQL_TLS = Source(f"{_LEARN}/azure/postgresql/security/security-tls", "2025-12-02")
AZURE_CA_FILES = Source(
    "https://github.com/taskcluster/taskcluster/tree/main/services/worker-manager/src/providers/azure/azure-ca-certs", "2026-08-21"
)
"""Certificates fetched from Microsoft's download addresses; each digest taken from them was checked by signature, up to a root."""

LIST_2018 = Source(f"{_LEARN}/azure/active-directory/manage-apps/application-proxy-enable", "2018-11-14")
LIST_2019 = Source(f"{_LEARN}/azure/active-directory/manage-apps/application-proxy-add-on-premises-application", "2019-10-24")
MFA_SERVER = Source(f"{_LEARN}/entra/identity/authentication/howto-mfaserver-deploy", "2016")

CAPTURE = Source("https://github.com/xybytes/xybytes.github.io", "2024-11-05")
"""A decrypted capture of connector 1.5.3437.0, taken 2023-10 and 2023-12, in a public article ("Azure Application Proxy Hijacking")."""
MONITOR = Source("https://github.com/ZaherButt/EPA-Connectivity-Monitor", "2026-04-29")
"""A public connectivity monitor whose example configuration lists host names out of connector traces."""
OLD_TROUBLESHOOTER = Source(f"{_AZURE_DOCS_ISSUE}/81174", "2021-09-16")
MISSING_ASSET_HOST = Source(f"{_AZURE_DOCS_ISSUE}/16883", "2018-10-15")
MISSING_DIGICERT_HOSTS = Source(f"{_AZURE_DOCS_ISSUE}/64496", "2020-10-16")
NO_INSPECTION = Source("https://github.com/MicrosoftDocs/azure-docs/pull/76664", "2021-06-09")
WILDCARD_DROPPED = Source("https://github.com/MicrosoftDocs/microsoft-365-docs/issues/3067", "2020-10-03")
INVALID_CHAIN = Source("https://github.com/microsoft/GlobalSecureAccess/issues/24", "2025-07-18")

SHA512_UPDATE = Source("https://support.microsoft.com/help/2973337/sha512-is-disabled-in-windows-when-you-use-tls-1.2", "")
"""Named by Microsoft's own page for Windows Server 2012 R2 and older; its text was not read."""
SERVER_CORE = Source(f"{_AZURE_DOCS_ISSUE}/95812", "2022-07")
"""Registration with a credential object fails on Server Core; 110350 says the same."""
CAPACITY = Source(f"{_LEARN}/entra/global-secure-access/concept-connectors", "")

_LIFECYCLE = f"{_LEARN}/lifecycle/products/windows-server"
LIFECYCLE_2012_R2 = Source(f"{_LIFECYCLE}-2012-r2", "2026-05")
LIFECYCLE_2016 = Source(f"{_LIFECYCLE}-2016", "2026-05")
LIFECYCLE_2019 = Source(f"{_LIFECYCLE}-2019", "2026-05")
LIFECYCLE_2022 = Source(f"{_LIFECYCLE}-2022", "2026-05")
LIFECYCLE_2025 = Source(f"{_LIFECYCLE}-2025", "2026-05")

NET_RELEASES = Source(f"{_LEARN}/dotnet/framework/install/how-to-determine-which-versions-are-installed", "2025-10-20")
NET_TLS = Source(f"{_LEARN}/dotnet/framework/network-programming/tls", "")
NET_DEFAULT_PROXY = Source(
    f"{_LEARN}/dotnet/framework/configure-apps/file-schema/network/defaultproxy-element-network-settings", ""
)
EXECUTION_POLICIES = Source(f"{_LEARN}/powershell/module/microsoft.powershell.core/about/about_execution_policies", "")
LANGUAGE_MODES = Source(f"{_LEARN}/powershell/module/microsoft.powershell.core/about/about_language_modes", "")
WINDOWS_PORTS = Source(f"{_LEARN}/troubleshoot/windows-server/networking/default-dynamic-port-range-tcpip-chang", "")
WINDOWS_FIPS = Source(f"{_LEARN}/windows/security/security-foundations/certification/fips-140-validation", "")
NETSH_WINHTTP = Source(f"{_LEARN}/windows-server/administration/windows-commands/netsh-winhttp", "")
WINHTTP_PAC = Source(f"{_LEARN}/windows/win32/api/winhttp/nf-winhttp-winhttpgetproxyforurl", "")
PASSWORD_PROTECTION = Source(f"{_LEARN}/entra/identity/authentication/howto-password-ban-bad-on-premises-deploy", "")
ZSCALER_PROCESSES = Source("https://help.zscaler.com/client-connector/zscaler-client-connector-processes-allowlist", "")
GSA_CLIENT = Source(f"{_LEARN}/entra/global-secure-access/how-to-install-windows-client", "")

WINDOWS_ROOTS = Source(f"{_LEARN}/windows-server/identity/ad-cs/configure-trusted-roots-disallowed-certificates", "2023-08-22")
WINDOWS_TLS = Source(f"{_LEARN}/windows-server/security/tls/tls-registry-settings", "")
WINDOWS_CIPHERS = Source(f"{_LEARN}/windows/win32/secauthn/prioritizing-schannel-cipher-suites", "")
WINDOWS_FIREWALL = Source(f"{_LEARN}/windows/security/operating-system-security/network-security/windows-firewall/", "")
WINDOWS_TIME = Source(f"{_LEARN}/windows-server/networking/windows-time-service/windows-time-service-tools-and-settings", "")
WINDOWS_SOCKETS = Source(f"{_LEARN}/windows/win32/winsock/windows-sockets-error-codes-2", "")
AZURE_MTU = Source(f"{_LEARN}/azure/virtual-network/virtual-network-tcpip-performance-tuning", "")
SERVICE_TAGS = Source(f"{_LEARN}/azure/virtual-network/service-tags-overview", "")

_ANSIBLE = "https://docs.ansible.com/ansible/latest"
ANSIBLE_WINRM = Source(f"{_ANSIBLE}/os_guide/windows_winrm.html", "")
ANSIBLE_WINDOWS = Source(f"{_ANSIBLE}/os_guide/intro_windows.html", "")
ANSIBLE_CONTROLLER = Source(f"{_ANSIBLE}/installation_guide/intro_installation.html", "")
ANSIBLE_COLLECTIONS = Source(f"{_ANSIBLE}/collections_guide/collections_installing.html", "")
OBSERVATION = Source("docs/observation.md of this collection", "2026-11")

SIGN_IN_ERRORS = Source(f"{_LEARN}/entra/identity-platform/reference-error-codes", "2024-04-24")
SIGN_IN_LOGS = Source(f"{_LEARN}/entra/identity/monitoring-health/concept-sign-ins", "")
"""Code 530003 is not on the page of codes; it is known from sign-in logs as "device must be managed"."""
REGISTER_TOKEN = Source(f"{_LEARN}/entra/global-secure-access/how-to-register-connector-powershell", "2026-02-21")
CONNECTOR_TUTORIAL = Source("https://github.com/MicrosoftDocs/entra-docs", "2026-03-11")
"""The tutorial "Set up the Private Network Connector"; under which path it stands there was not read."""
BUILT_IN_ROLES = Source(f"{_LEARN}/entra/identity/role-based-access-control/permissions-reference", "")
CUSTOM_ROLES = Source(f"{_LEARN}/entra/identity/role-based-access-control/custom-consent-permissions", "")
ACCESS_TOKENS = Source(f"{_LEARN}/entra/identity-platform/access-token-claims-reference", "")
TENANT_RESTRICTIONS = Source(f"{_LEARN}/entra/identity/enterprise-apps/tenant-restrictions", "")
GRAPH_PERMISSIONS = Source(f"{_LEARN}/graph/permissions-overview", "")
"""Also says what an application gets of members that it may not read: type and id, nothing else."""
GRAPH_USER = Source(f"{_LEARN}/graph/api/user-get", "")
GRAPH_MEMBER_OF = Source(f"{_LEARN}/graph/api/user-list-transitivememberof", "")
GRAPH_ROLE_ASSIGNMENTS = Source(f"{_LEARN}/graph/api/rbacapplication-list-roleassignments", "")
GRAPH_ACTIVE = Source(f"{_LEARN}/graph/api/rbacapplication-list-roleassignmentscheduleinstances", "")
GRAPH_ELIGIBLE = Source(f"{_LEARN}/graph/api/rbacapplication-list-roleeligibilityscheduleinstances", "")
GRAPH_GROUP_ELIGIBLE = Source(f"{_LEARN}/graph/api/privilegedaccessgroup-list-eligibilityscheduleinstances", "")
GRAPH_SKUS = Source(f"{_LEARN}/graph/api/subscribedsku-list", "")
GRAPH_PROFILE = Source(f"{_LEARN}/graph/api/onpremisespublishingprofile-get", "2024-11-28")
GRAPH_CONNECTORS = Source(f"{_LEARN}/graph/api/connector-list", "2024-11-28")
MSAL = Source("https://github.com/AzureAD/microsoft-authentication-library-for-python", "")
"""How realm discovery is asked, and what it answers."""
DEVICE_CODE = Source(f"{_LEARN}/entra/identity-platform/v2-oauth2-device-code", "")
PASSWORD_GRANT = Source(f"{_LEARN}/entra/identity-platform/v2-oauth-ropc", "")
FEDERATION = Source(f"{_LEARN}/entra/identity/hybrid/connect/whatis-fed", "")

_GITHUB = "https://github.com"
CHROME_INSPECTION = Source(
    f"{_GITHUB}/mirror/chromium/blob/0158a2db2cab23bccb42786526931f76dcdd6b00/chrome/browser/resources/ssl/ssl_error_assistant/"
    "ssl_error_assistant.asciipb", "",
)
"""Version 4 of the list by which Chrome knows inspecting software by its issuer; it gives no date."""
BLOCKBLAME = Source(
    f"{_GITHUB}/tailscale/tailscale/blob/de9ec7ee25627e0e518f53c710a3fc3d947c86c1/net/tlsdial/blockblame/blockblame.go", "2026-08-22"
)
"""By which parts of an issuer's name another program names makers of firewalls."""
NMAP_PROBES = Source(f"{_GITHUB}/nmap/nmap/blob/db4aefddfa348ec815ffa83a109c97e05db88766/nmap-service-probes", "2026-08-21")
OONI_FINGERPRINTS = Source(
    f"{_GITHUB}/ooni/blocking-fingerprints/blob/171641e60b54231cad18753a72145da87b0d3e07/fingerprints_http.csv", "2024-10-20"
)
"""Answers of filters that were measured all over the world."""
ZSCALER_ROOT = Source(f"{_GITHUB}/sectigo/CTLogs/pull/57", "2023-08-05")
ZSCALER_ANSWER = Source(f"{_GITHUB}/Ekultek/WhatWaf/issues/178", "2018-12-20")
FORTIGATE_ISSUER = Source(f"{_GITHUB}/nextcloud/desktop/issues/7324", "2024-10-15")
SQUID_ANSWER = Source(f"{_GITHUB}/sipgate/sipgate.io/issues/35", "2015-02-12")
SQUID_VIA = Source(f"{_GITHUB}/langgenius/dify/pull/41441", "2026-08-28")
"""Also says that Squid adds Via to every answer that it passes on, and Server to its own alone."""
AZURE_FIREWALL_470 = Source("https://http.dev/470", "")
CLOUDFLARE_ROOT = Source(
    f"{_GITHUB}/cloudflare/cloudflare-docs/blob/246719dae546097c67dea70aae2b2bdcc2bf2118/src/content/docs/cloudflare-one/connections/"
    "connect-devices/user-side-certificates/manual-deployment.mdx", "",
)
ESET_ROOT = Source(f"{_GITHUB}/the-last-byte/ESET-NPM-Breakage-Fix/blob/06dd2b6749fa4ced2e1b31d76b948f5e143d4240/README.md", "")
FIDDLER_ROOT = Source(
    f"{_GITHUB}/Azure/azure-sdk-for-net/blob/011de68c8884a48579b519a4f7562071562cd103/sdk/core/Azure.Core.TestFramework/src/"
    "ProxyTransport.cs", "",
)
MITMPROXY_ROOT = Source(f"{_GITHUB}/mitmproxy/mitmproxy/blob/09ef5682cee2344dc3ffddab8af1f3e15294232d/mitmproxy/certs.py", "")

RFC_TCP = Source("https://www.rfc-editor.org/rfc/rfc9293", "2022-08")
RFC_DNS = Source("https://www.rfc-editor.org/rfc/rfc1035", "1987-11")
RFC_PMTU = Source("https://www.rfc-editor.org/rfc/rfc1191", "1990-11")
RFC_HTTP = Source("https://www.rfc-editor.org/rfc/rfc9110", "2022-06")
RFC_CONNECT = Source("https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6", "2022-06")
RFC_WEBSOCKET = Source("https://www.rfc-editor.org/rfc/rfc6455", "2011-12")
RFC_TLS12 = Source("https://www.rfc-editor.org/rfc/rfc5246", "2008-08")
RFC_TLS13 = Source("https://www.rfc-editor.org/rfc/rfc8446", "2018-08")
RFC_X509 = Source("https://www.rfc-editor.org/rfc/rfc5280", "2008-05")
RFC_OCSP = Source("https://www.rfc-editor.org/rfc/rfc6960", "2013-06")
