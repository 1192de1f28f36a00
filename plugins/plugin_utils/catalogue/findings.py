# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every finding that can be given: its words, owner, severity and sources.

The words are for a tired reader: the title says what is wrong, the hint what to do, with the exact rule or command. Rules are
written by name or service tag, never by today's addresses. Each finding has a page, docs/findings/<id>.md.

Placeholders are the finding's own `evidence` and model.STANDARD_PLACEHOLDERS.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..model import Area, FindingSpec, Owner, Severity
from . import sources
from .findings_admin import ADMIN
from .findings_server import SERVER
from .findings_trust import TRUST
from .spec import TLS12_CLIENT, spec

_RULE = (
    "Write the rule by name; where only addresses are possible, allow all of Azure's published ranges (Azure IP Ranges and Service Tags) "
    "and renew them every week: a part of them is not enough."
)


_DNS = (
    spec(
        101, "dns-name-not-found", Owner.DNS, evidence=("name",),
        title="DNS does not know {name}",
        cause="The DNS servers of this server do not forward the name to the internet, or block it. The names lead through aliases "
        "(CNAME) under other domains, and each of them has to be resolved.",
        hint="Let this server's DNS servers resolve {name} and every alias behind it, in the internet's DNS and without a zone of "
        "your own for it. If only the proxy resolves internet names, run the check again with the option proxy: http://host:port.",
        docs=sources.ADD_APPLICATION, more=(sources.CONNECTORS, sources.RFC_DNS),
    ),
    spec(
        102, "dns-no-answer", Owner.DNS, evidence=("name", "error"),
        title="DNS gives no usable answer for {name} ({error})",
        cause="The DNS servers of this server are not reached, do not answer in time, fail, or know the name without an address.",
        hint="Let this server reach its DNS servers on UDP and TCP port 53, and let them ask the internet for {name} and every alias "
        "behind it. On the server, Resolve-DnsName {name} must give an address.",
        docs=sources.ADD_APPLICATION, more=(sources.RFC_DNS,),
    ),
    spec(
        103, "dns-unexpected-address", Owner.DNS, evidence=("name", "addresses"),
        title="DNS sends {name} to {addresses}, which is not the service",
        cause="A block list, a sinkhole, a hosts file or a DNS zone of the company answers in place of the internet's DNS.",
        hint="Remove {name} from the DNS block list, sinkhole, hosts file or own zone that gives {addresses}. A private address is "
        "fine only where it leads to the service itself.",
        docs=sources.ADD_APPLICATION, more=(sources.CONNECTORS,),
    ),
)

_ALLOW = f"On the firewall, allow this server outbound TCP, port {{ports}}, to {{hosts}}. {_RULE}"
_TCP = (
    spec(
        111, "tcp-refused", Owner.NETWORK, evidence=("addresses", "error"),
        title="The connection to {endpoints} is refused",
        cause="Something on the way rejects the connection: mostly a firewall that answers with a reset or a reject.",
        hint=_ALLOW, docs=sources.CONNECTORS, more=(sources.TROUBLESHOOT, sources.SERVICE_TAGS, sources.RFC_TCP),
    ),
    spec(
        112, "tcp-timeout", Owner.NETWORK, evidence=("addresses", "error"),
        title="The connection to {endpoints} gets no answer",
        cause="A firewall drops the packets silently, or nothing routes them: a server that may only use a proxy looks like this too.",
        hint=f"{_ALLOW} If this server has to use a proxy, run the check again with the option proxy: http://host:port.",
        docs=sources.CONNECTORS, more=(sources.TROUBLESHOOT, sources.SERVICE_TAGS, sources.RFC_TCP),
    ),
    spec(
        113, "tcp-reset", Owner.NETWORK, evidence=("addresses", "error"),
        title="The connection to {endpoints} is reset at once",
        cause="A firewall or an intrusion prevention system on the way ends the connection right after it was made.",
        hint=f"{_ALLOW} If the rule is there already, exempt {{hosts}} from intrusion prevention for this server.",
        docs=sources.CONNECTORS, more=(sources.TROUBLESHOOT, sources.RFC_TCP),
    ),
    spec(
        114, "network-unreachable", Owner.NETWORK, evidence=("addresses", "error"),
        title="This server has no route to {endpoints}",
        cause="No default gateway, no route for this address family, or a router that says the network is not to be reached.",
        hint="Give this server a route to the internet for {hosts} (addresses tried: {addresses}), or a proxy: then run the check again "
        "with the option proxy: http://host:port.",
        docs=sources.CONNECTORS, more=(sources.WINDOWS_SOCKETS,),
    ),
    spec(
        115, "tcp-denied-locally", Owner.SERVER, evidence=("addresses", "error"),
        title="This server itself forbids the connection to {endpoints}",
        cause="Windows Firewall or a security agent on the server denies outbound connections to the program that the check runs in. "
        "The connector's services are other programs, so the rule for them may differ.",
        hint="In the outbound rules of Windows Firewall and of the security agents on this server, allow the connector's services "
        "(WAPCSvc and WAPCUpdaterSvc) and its installer TCP 443 and 80. If they are allowed already, this blocks only the check: "
        "allow powershell.exe for the time of the check, or add a waiver.",
        docs=sources.WINDOWS_FIREWALL, more=(sources.WINDOWS_SOCKETS, sources.CONNECTORS),
    ),
    spec(
        116, "tcp-partly-reachable", Owner.NETWORK, evidence=("dead", "alive"), severity=Severity.WARNING,
        title="Some addresses of {hosts} cannot be reached: {dead}",
        cause="A rule by addresses that has fallen behind, or one of the two address families without a way out. The connector works "
        "or fails by which address it happens to get.",
        hint=f"Change the rule for {{hosts}} from addresses to names ({{alive}} answered, {{dead}} did not). {_RULE}",
        docs=sources.CONNECTORS, more=(sources.SERVICE_TAGS,),
    ),
    spec(
        117, "connections-limited", Owner.NETWORK, evidence=("stage",), severity=Severity.WARNING,
        title="Connections to {hosts} were lost among many, and stood when tried alone",
        cause="A firewall or proxy on the way limits how many connections one server may open in a second or keep open at once, or packets "
        "get lost. The check opens at most 16 at once over a path.",
        hint="On the firewalls and proxies between this server and {hosts}, raise the limit of new and of open connections for each "
        "source (protection against floods, sessions for each user), or exempt this server from it.",
        docs=sources.CAPACITY, more=(sources.CONNECTORS,),
    ),
)

_PROXY = (
    spec(
        121, "proxy-unreachable", Owner.PROXY, evidence=("error",),
        title="The proxy {proxy} cannot be reached ({error})",
        cause="The address or port of the proxy is wrong, the proxy is down, or a firewall stands between this server and it.",
        hint="Check the address {proxy}; let this server connect to it over TCP, and add its network to the clients that the proxy serves.",
        docs=sources.PROXIES, more=(sources.CONNECTORS,),
    ),
    spec(
        122, "proxy-authentication-required", Owner.PROXY, evidence=("challenges", "status"),
        title="The proxy {proxy} asks for a password",
        cause="The proxy answers 407: it wants its users to log in. The connector and its updater run as Network Service and Local "
        "System and cannot log in to a proxy.",
        hint="Let this server through {proxy} without authentication, by its address, for {hosts}: the connector cannot log in to a "
        "proxy. (The proxy offered: {challenges}.)",
        docs=sources.PROXIES, more=(sources.FAQ,),
    ),
    spec(
        123, "proxy-denied", Owner.PROXY, evidence=("status", "server"),
        title="The proxy {proxy} refuses {endpoints} (status {status})",
        cause="A rule of the proxy does not allow this server, these names, or this port.",
        hint="On {proxy}, allow this server CONNECT to {hosts} on port 443 and plain HTTP on port 80, without authentication and "
        "without TLS inspection.",
        docs=sources.PROXIES, more=(sources.CONNECTORS, sources.RFC_CONNECT),
    ),
    spec(
        124, "proxy-cannot-reach", Owner.PROXY, evidence=("status",),
        title="The proxy {proxy} cannot reach {endpoints} (answer: {status})",
        cause="The proxy takes the request and then fails: it does not resolve the name, or the firewall behind it does not let it out. "
        "Microsoft's page adds that some proxies say 502 when they block or want authentication.",
        hint="On {proxy}: make it resolve {hosts} and connect to them on ports 443 and 80, and open the firewall behind it for them. "
        "If it can do so already, look on it for a rule about this server (answer: {status}).",
        docs=sources.PROXIES, more=(sources.RFC_HTTP,),
    ),
    spec(
        125, "proxy-port-not-allowed", Owner.PROXY, evidence=("port",),
        title="The proxy {proxy} does not allow port {port}",
        cause="The proxy tunnels to some ports only, and this one is not among them.",
        hint="On {proxy}, add port {port} to the ports that CONNECT may go to, for {hosts}.",
        docs=sources.PROXIES, more=(sources.CONNECTORS, sources.RFC_CONNECT),
    ),
    spec(
        126, "proxy-malformed", Owner.PROXY, evidence=("error",),
        title="{proxy} does not answer like an HTTP proxy ({error})",
        cause="Another service listens there (a web server, SOCKS, a proxy that is spoken to over TLS), or it closes the connection.",
        hint="Check that {proxy} is the port of an HTTP proxy that takes CONNECT in plain HTTP: neither SOCKS nor HTTPS nor a web "
        "server. Write it as http://host:port.",
        docs=sources.PROXIES, more=(sources.RFC_CONNECT,),
    ),
)

_TLS = (
    spec(
        131, "tls-blocked", Owner.NETWORK, evidence=("error",),
        title="TLS to {endpoints} is cut after the first message ({error})",
        cause="The TCP connection is made, and then the first TLS message gets a reset or no answer: a firewall that reads the server "
        "name (SNI) and blocks it does this.",
        hint="On the firewall or web filter, allow TLS with the server names {hosts} for this server, without inspection. A rule for "
        "the port alone is not enough. If it is silence and nothing filters there, the service's large packets are lost on the way back "
        "(path MTU): do what APC135 says.",
        docs=sources.CONNECTORS, more=(sources.NO_INSPECTION, sources.WILDCARD_DROPPED, sources.AZURE_MTU, sources.RFC_TLS12),
    ),
    spec(
        132, "tls-version-refused", Owner.NETWORK, evidence=("error", "alert"),
        title="TLS 1.2 to {endpoints} is refused ({alert})",
        cause="The two ends have no TLS version in common. The service takes TLS 1.2 or newer, so it is either a device on the way "
        "that ends TLS with an old version, or this server, when it does not offer TLS 1.2.",
        hint=f"If a device on the way ends TLS: exempt {{hosts}} from inspection there, or allow TLS 1.2 on it. If this server does not "
        f"offer TLS 1.2: set Enabled = 1 and DisabledByDefault = 0 (DWORD) under {TLS12_CLIENT}, and restart.",
        docs=sources.CONNECTORS, more=(sources.WINDOWS_TLS, sources.TROUBLESHOOT, sources.RFC_TLS12),
    ),
    spec(
        133, "tls-no-common-cipher", Owner.NETWORK, evidence=("error", "alert"),
        title="{endpoints} and this server have no TLS cipher suite in common ({alert})",
        cause="A device on the way that ends TLS takes other suites, or a policy leaves this server too few. Microsoft publishes no "
        "list of the suites that the service takes.",
        hint="If a device on the way ends TLS: exempt {hosts} from inspection there. If not: set the policy Computer Configuration > "
        "Administrative Templates > Network > SSL Configuration Settings > SSL Cipher Suite Order to Not configured on this server, "
        "and restart.",
        docs=sources.WINDOWS_CIPHERS, more=(sources.CONNECTORS, sources.RFC_TLS12),
    ),
    spec(
        134, "not-tls", Owner.NETWORK, evidence=("first_bytes",),
        title="Something that is not TLS answers at {endpoints} ({first_bytes})",
        cause="A block page in plain HTTP, a captive portal, or a redirect to another machine answers in place of the service.",
        hint="On the firewall or web filter, allow {hosts} for this server without a block page, portal or redirect.",
        docs=sources.CONNECTORS, more=(sources.RFC_TLS12,),
    ),
    spec(
        135, "tls-stalled", Owner.NETWORK, evidence=("bytes",),
        title="TLS to {endpoints} stops after {bytes} bytes",
        cause="The answer begins and does not go on: large packets are lost and nobody says so. A tunnel with a smaller packet size "
        "(MTU) and a firewall that drops ICMP do this together.",
        hint="On the firewalls to {hosts}, allow ICMP 'fragmentation needed' (IPv4 type 3 code 4; IPv6 type 2) towards this server; or "
        "lower the TCP segment size (MSS clamping) on the tunnel; or lower this server's MTU.",
        docs=sources.AZURE_MTU, more=(sources.RFC_PMTU,),
    ),
    spec(
        136, "tls13-broken-on-path", Owner.NETWORK, evidence=("error",), severity=Severity.WARNING,
        title="TLS 1.3 to {endpoints} fails where TLS 1.2 works ({error})",
        cause="A device on the way does not understand TLS 1.3. The connector needs TLS 1.2, so it may work; other programs may not.",
        hint="Update the firewall or inspection device on the way to one that passes TLS 1.3, or exempt {hosts} from it.",
        docs=sources.CONNECTORS, more=(sources.RFC_TLS13,),
    ),
)

_CERTIFICATES = (
    spec(
        141, "tls-inspected", Owner.NETWORK, evidence=("issuer", "subject", "root"),
        title="TLS to {endpoints} is inspected: the certificate is issued by {issuer}",
        cause="A device on the way opens TLS and shows a certificate of its own. The connector proves who it is with a client "
        "certificate, and that does not pass such a device.",
        hint="Exempt {hosts} from TLS inspection for this server, on the device that signs as {issuer}. Installing its root on the "
        "server does not help.",
        docs=sources.PROXIES, more=(sources.CONNECTORS, sources.NO_INSPECTION, sources.TROUBLESHOOT),
    ),
    spec(
        142, "certificate-name-mismatch", Owner.NETWORK, evidence=("names",),
        title="{endpoints} show a certificate for other names: {names}",
        cause="Another machine answers: a wrong DNS answer, a redirect, a load balancer, or an entry of connect_to or of the hosts file.",
        hint="Find out why {hosts} lead to a machine that is called {names}: look at DNS, the hosts file, redirects on the way, and the "
        "option connect_to. Let {hosts} reach the service itself.",
        docs=sources.CONNECTORS, more=(sources.RFC_X509,),
    ),
    spec(
        143, "certificate-outside-validity", Owner.NETWORK, evidence=("not_before", "not_after"),
        title="The certificate of {endpoints} is valid from {not_before} to {not_after}, and not now",
        cause="This server's clock is wrong, or a device on the way shows an old certificate.",
        hint="First compare this server's clock: w32tm /query /status. If it is right, the device that ends TLS for {hosts} needs a new "
        "certificate; better, exempt {hosts} from it.",
        docs=sources.CONNECTORS, more=(sources.WINDOWS_TIME, sources.RFC_X509),
    ),
    spec(
        144, "certificate-untrusted-by-server", Owner.SERVER, evidence=("root",),
        title="This server does not trust {root}, the root of {endpoints}",
        cause="The root of the certificate is not among the trusted roots of this server. A public root is missing where automatic updates "
        "of roots are off or blocked; a company's own, where nobody installed it.",
        hint="Allow this server http://ctldl.windowsupdate.com (port 80) and leave the policy Turn off Automatic Root Certificates Update "
        "off. Or install the root by hand, as administrator: certutil -f -addstore Root <file>, with the file of {root} from "
        "Microsoft's list of Azure's certificate authorities, or your own company's.",
        docs=sources.WINDOWS_ROOTS, more=(sources.AZURE_CAS, sources.CONNECTORS),
    ),
    spec(
        145, "client-certificate-not-requested", Owner.NETWORK, severity=Severity.INFO,
        title="{endpoints} did not ask for a client certificate",
        cause="The service knows a connector by its client certificate. It may ask for it later, where it cannot be seen from outside; "
        "a device that ends TLS never passes the question on.",
        hint="Nothing, while the certificates of {hosts} are genuine. If TLS is inspected (APC141), exempt {hosts} from it.",
        docs=sources.SECURITY, more=(sources.PROXIES, sources.CAPTURE),
    ),
    spec(
        146, "chain-incomplete", Owner.NETWORK, evidence=("issuer",), severity=Severity.WARNING,
        title="The certificate chain of {endpoints} is incomplete: {issuer} is missing",
        cause="The certificate of an issuer was not sent and could not be fetched, so nobody can say whether the chain is genuine.",
        hint="If {issuer} is your company's or a firewall's, TLS is inspected: exempt {hosts} from it for this server. If not, allow "
        "this server HTTP (port 80) to www.microsoft.com, cacerts.digicert.com and ctldl.windowsupdate.com, where issuer certificates "
        "and the list of roots come from.",
        docs=sources.AZURE_CAS, more=(sources.WINDOWS_ROOTS, sources.CONNECTORS),
    ),
    spec(
        147, "middlebox-likely", Owner.NETWORK, severity=Severity.INFO, evidence=("product", "certainty", "signs", "known_from"),
        title="{product} likely stands in the way of {hosts}",
        cause="What answers in the service's place, or refuses the way to it, carries a product's name. It is information beside the "
        "finding that it explains, and never makes a server unready.",
        hint="Take the findings that it goes with to who looks after {product}: it shows itself by {signs} (certainty: {certainty}). That "
        "is no proof: names in certificates, headers and pages are what somebody wrote there.",
        docs=sources.CONNECTORS, more=(sources.CHROME_INSPECTION, sources.NMAP_PROBES, sources.OONI_FINGERPRINTS),
    ),
)

_HTTP = (
    spec(
        151, "http-blocked", Owner.NETWORK, evidence=("status", "server", "location"),
        title="A block page or portal answers for {endpoints} (status {status})",
        cause="A web filter, a captive portal or a proxy answers in place of the service, or sends the request somewhere else.",
        hint="On the web filter, allow {hosts} for this server without block page, portal or redirect (seen: server {server}, "
        "location {location}).",
        docs=sources.CONNECTORS, more=(sources.TROUBLESHOOT, sources.TROUBLESHOOT_ERRORS, sources.RFC_HTTP),
    ),
    spec(
        152, "signin-page-not-reached", Owner.NETWORK, evidence=("status", "location"),
        title="The sign-in page of {endpoints} is not reached (status {status})",
        cause="The installer shows Microsoft's sign-in page. Something on the way answers in its place or cuts it off.",
        hint="Allow this server {hosts} on port 443, without a block page or portal in between (it was sent to: {location}), and with "
        "them the files of the sign-in page, which docs/endpoints.md lists.",
        docs=sources.CONNECTORS, more=(sources.TROUBLESHOOT, sources.TROUBLESHOOT_ERRORS, sources.MISSING_ASSET_HOST),
    ),
    spec(
        153, "websocket-cut", Owner.NETWORK, evidence=("error",),
        title="The WebSocket to {endpoints} is cut ({error})",
        cause="The connector waits for work on a WebSocket. A device on the way lets HTTPS through, but not the change to a WebSocket.",
        hint="On the firewall or proxy, allow WebSocket (HTTP Upgrade) to {hosts} for this server, and exempt them from inspection.",
        docs=sources.CONNECTORS, more=(sources.CAPTURE, sources.RFC_WEBSOCKET),
    ),
    spec(
        154, "federation-host-blocked", Owner.NETWORK, evidence=("how",),
        title="{endpoints}, where the account of admin_upn signs in, is not reached ({how})",
        cause="The account's domain is federated: its password is checked by the company's own identity provider, and the browser of the "
        "sign-in has to reach it from the server.",
        hint="Let the server reach {hosts} on port {ports}, or register with a token that was got elsewhere: the token way needs no "
        "sign-in on the server.",
        docs=sources.FEDERATION, more=(sources.MSAL, sources.REGISTER_TOKEN),
    ),
    spec(
        155, "service-error", Owner.SERVICE, evidence=("status",), severity=Severity.WARNING,
        title="The service itself answers with an error at {endpoints} (status {status})",
        cause="The certificate is genuine, so the way is open and it is Microsoft's service that says it has a fault just now.",
        hint="Nothing on the network: look at the health of the service in the Microsoft Entra admin center, and run the check again "
        "before you install.",
        docs=sources.TROUBLESHOOT, more=(sources.RFC_HTTP,),
    ),
    spec(
        156, "http-cut", Owner.NETWORK, evidence=("error",),
        title="{endpoints} let TLS through, and the request gets no answer ({error})",
        cause="The TLS connection comes to stand with the genuine certificate, and is cut when it is used: a firewall that looks at what "
        "is spoken inside, or counts it as an application of its own, does this.",
        hint="On the firewall or web filter, allow this server the application (HTTPS, Azure, Microsoft Entra) to {hosts}, not the port "
        "alone, and exempt them from inspection.",
        docs=sources.CONNECTORS, more=(sources.NO_INSPECTION, sources.RFC_HTTP),
    ),
)

_REVOCATION = (
    spec(
        161, "revocation-unreachable", Owner.NETWORK, evidence=("urls", "error"),
        title="Revocation lists cannot be fetched from {hosts} ({error})",
        cause="The connector checks that the service's certificates are not revoked. If the lists are out of reach, it rejects genuine "
        "certificates (InvalidChain in its log).",
        hint="Allow this server plain HTTP (port 80) to {hosts}. Behind a proxy, set it for Windows too, as administrator: "
        "netsh winhttp set proxy host:port. The setting of the connector's own file is not used for this.",
        docs=sources.TROUBLESHOOT, more=(sources.CONNECTORS, sources.INVALID_CHAIN, sources.MISSING_DIGICERT_HOSTS, sources.RFC_OCSP),
    ),
    spec(
        162, "revocation-wrong-content", Owner.NETWORK, evidence=("urls", "got"),
        title="{hosts} answered {got} in place of revocation data",
        cause="A web filter, portal or proxy answers with a page of its own on port 80.",
        hint="On the web filter or proxy, let plain HTTP (port 80) to {hosts} through for this server unchanged: no login, no block page, "
        "no portal, no file filter.",
        docs=sources.TROUBLESHOOT, more=(sources.CONNECTORS, sources.AZURE_CAS, sources.RFC_X509),
    ),
)

_TOOL = (
    spec(
        901, "could-not-observe", Owner.TOOL, area=Area.TOOL, evidence=("error",),
        title="The server could not be observed: {error}",
        cause="Ansible could not run the check on the server, so nothing is known about it.",
        hint="Make Ansible reach this host: ansible <host> -m ansible.windows.win_ping (elsewhere than on Windows: ansible.builtin.ping) "
        "must work; look at its address, port (WinRM: 5985 or 5986) and account. Then run the check again.",
        docs=sources.ANSIBLE_WINRM,
    ),
    spec(
        902, "not-run", Owner.TOOL, area=Area.TOOL, evidence=("stages",),
        title="The time was up before all was looked at: {stages}",
        cause="The deadline came first. Many endpoints that do not answer at all use it up.",
        hint="Mend the other findings first. If there are none, run the check again with a longer deadline, such as deadline: 60 "
        "(seconds).",
        docs=sources.CONNECTORS, more=(sources.OBSERVATION,),
    ),
    spec(
        903, "partly-observed", Owner.SERVER, area=Area.TOOL, evidence=("facts",),
        title="A part of what the check needs could not be read: {facts}",
        cause="The account that Ansible uses may not read it, a service of Windows does not answer, or the look as Network Service did "
        "not come about.",
        hint="Run the check with an account that is an administrator of this server (after a timeout, with a longer deadline), and look "
        "at what is named: {facts}. Whatever depends on it is unknown until then.",
        docs=sources.ANSIBLE_WINRM, more=(sources.OBSERVATION,),
    ),
    spec(
        904, "target-unsupported", Owner.TOOL, area=Area.TOOL, evidence=("error",),
        title="The check cannot run on this target: {error}",
        cause="The check needs Windows PowerShell 5.1 on Windows, and Python 3.9 or newer elsewhere.",
        hint="On Windows, install Windows Management Framework 5.1 or take a newer Windows. Elsewhere, set ansible_python_interpreter to "
        "Python 3.9 or newer.",
        docs=sources.ANSIBLE_WINDOWS, more=(sources.OBSERVATION,),
    ),
    spec(
        905, "library-missing", Owner.TOOL, area=Area.TOOL, evidence=("library",),
        title="The Python package {library} is missing on the controller",
        cause="Where Ansible runs, a package that this part of the check needs is not installed.",
        hint="Install it for the Python that runs Ansible: python -m pip install {library} (all packages: the collection's "
        "requirements.txt). In an execution environment, build it in with the collection's meta/execution-environment.yml.",
        docs=sources.ANSIBLE_CONTROLLER,
    ),
    spec(
        906, "probe-not-understood", Owner.TOOL, area=Area.TOOL, evidence=("error",),
        title="What the probe saw was not understood: {error}",
        cause="What came back is no observation of this version (something wrote into the output, it was cut, or a saved one is of "
        "another version), or the probe's own TLS hello failed where the platform's handshake stands.",
        hint="Run the check again with return_observation: true and look at what was seen. If you judge saved observations, save them "
        "again with this version of the collection.",
        docs=sources.ANSIBLE_COLLECTIONS, more=(sources.OBSERVATION,),
    ),
    spec(
        907, "redirected-not-counted", Owner.TOOL, area=Area.TOOL, evidence=("to",),
        title="connect_to led {endpoints} elsewhere ({to}), so the endpoints themselves were not looked at",
        cause="The option connect_to puts other addresses in the place of the real ones. What answers there says nothing of the real way.",
        hint="Run the check without connect_to; or, where the other addresses are what you want to judge, set connect_to_counts: true.",
        docs=sources.CONNECTORS, more=(sources.OBSERVATION,),
    ),
)

FINDINGS: Mapping[str, FindingSpec] = MappingProxyType(
    {one.id: one for one in (*_DNS, *_TCP, *_PROXY, *_TLS, *_CERTIFICATES, *_HTTP, *_REVOCATION, *TRUST, *ADMIN, *SERVER, *_TOOL)}
)
"""By id, in the order of the ids."""
