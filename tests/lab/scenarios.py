# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of scenarios: what is wrong (or only odd) around one server, and what must come of it. Data only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import faults, proxies
from .faults import Fault
from .proxies import Policy

READY, NOT_READY, INCONCLUSIVE = "ready", "not_ready", "inconclusive"
FAIL, WARN, UNKNOWN = "fail", "warn", "unknown"

# Patterns of endpoints, host:port.
EVERY_TLS = "*:443"
EVERY_PLAIN = "*:80"
SIGN_IN = "login.*:443"
REGISTRATION = "*.registration.msappproxy.net:443"
BOOTSTRAP = "*.bootstrap.msappproxy.net:443"
SERVICE = "*.msappproxy.net:443"
BUS = "*.servicebus.windows.net:443"
ONE_BUS = "cwap-eur1-weur2.servicebus.windows.net:443"
OCSP = "ocsp.digicert.com:80"

LARGE = 1900
"""Bytes: more than a platform's own hello and the requests after it, less than the padded one."""

PUBLIC = "public"
WITH_COMPANY = "public+company"
OTHER = "other"

NAMESPACE = "namespace"
"""Runs inside dns.py's namespace only."""
OPENSSL = "openssl"
NXDOMAIN = "nxdomain"
"""The machine's resolver says that a name under .invalid does not exist (one that answers nothing does not)."""
SSH = "ssh"


@dataclass(frozen=True)
class ProxyPlan:
    """The proxy that a server is told to use. `dead` puts a fault in the place of a proxy."""

    policy: Policy = proxies.open_to_all
    inspects: Callable[[str], bool] = lambda host: False
    dead: Fault | None = None


@dataclass(frozen=True)
class Scenario:
    """One server of the fleet."""

    name: str
    says: str
    """One sentence: what real thing this is."""
    faults: Mapping[str, Fault] = field(default_factory=dict)
    """host:port with * to what stands there; the first pattern that matches counts; all else is the healthy cloud."""
    proxy: ProxyPlan | None = None
    trust: str = PUBLIC
    """Which roots the server trusts: a key of Pki.trust."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    """More inventory variables."""
    expects: Mapping[str, str] = field(default_factory=dict)
    """Finding to status. `APC113|APC131` is either of the two, where the network decides which."""
    absent: tuple[str, ...] = ()
    """Findings that must not show (not with fail, warn or unknown)."""
    verdict: str | None = READY
    """None: depends on what the engine's platform speaks."""
    finds_proxy: bool = False
    """The server is told no proxy: it has to find it itself."""
    direct: Fault | None = None
    """Then: what stands in the place of every endpoint for those who do not go over the proxy; None: all is open."""
    demo: bool = False
    unreachable: bool = False
    """The server itself cannot be reached by Ansible."""
    needs: tuple[str, ...] = ()
    forced: bool = False
    """The platform forces the engines apart: why stands in docs/observation.md, in the row of this name."""

    @property
    def healthy(self) -> bool:
        return self.verdict == READY


QUIET = ("APC101", "APC102", "APC103", "APC111", "APC112", "APC113", "APC114", "APC115", "APC116", "APC117")
QUIET_TLS = ("APC131", "APC132", "APC133", "APC134", "APC135", "APC136", "APC141", "APC142", "APC143", "APC144", "APC146", "APC213")
QUIET_HTTP = ("APC147", "APC151", "APC152", "APC153", "APC155", "APC156", "APC161", "APC162")
QUIET_PROXY = ("APC121", "APC122", "APC123", "APC124", "APC125", "APC126")
QUIET_TOOL = ("APC901", "APC902", "APC904", "APC905", "APC906", "APC907")
ALL_QUIET = (*QUIET, *QUIET_TLS, *QUIET_HTTP, *QUIET_PROXY, *QUIET_TOOL)


def without(*ids: str) -> tuple[str, ...]:
    """All that a healthy server must not show, but these."""
    return tuple(one for one in ALL_QUIET if one not in ids)


HEALTHY = (
    Scenario("ready-direct", "Everything is open, no proxy.", absent=ALL_QUIET, demo=True),
    Scenario(
        "ready-via-proxy", "The only way out is a proxy that lets this server through.", proxy=ProxyPlan(),
        absent=ALL_QUIET, demo=True,
    ),
    Scenario("tls12-only", "The service speaks TLS 1.2 and nothing else.", {EVERY_TLS: faults.tls12_only}, absent=ALL_QUIET),
    Scenario("tls13-only", "A front end speaks TLS 1.3 and nothing else.", {ONE_BUS: faults.tls13_only}, absent=ALL_QUIET),
    Scenario("ecdsa", "The service shows ECDSA certificates.", {EVERY_TLS: faults.ecdsa}, absent=ALL_QUIET),
    Scenario("sha384-signed", "The certificates are signed with SHA-384.", {EVERY_TLS: faults.sha384_signed}, absent=ALL_QUIET),
    Scenario(
        # .NET on Linux offers no DHE, and Python 3.10 and newer do.
        "dhe-only", "The registration service has no elliptic curves in its key exchange.", {REGISTRATION: faults.dhe_only},
        verdict=None, needs=(OPENSSL,), forced=True,
    ),
    Scenario(
        "strict-about-hashes", "The registration service refuses hellos that do not cover its chain's hashes.",
        {REGISTRATION: faults.strict_about_hashes}, absent=ALL_QUIET, needs=(OPENSSL,),
    ),
    Scenario(
        "limited-to-sha256", "The bootstrap service signs and accepts SHA-256 alone.",
        {BOOTSTRAP: faults.limited_to_sha256}, absent=ALL_QUIET, needs=(OPENSSL,),
    ),
    Scenario(
        "client-certificate-late", "The bootstrap service asks for no certificate in its first flight.",
        {BOOTSTRAP: faults.client_certificate_never}, absent=(*ALL_QUIET, "APC145"),
    ),
    Scenario(
        "client-certificate-required", "The bootstrap service ends the handshake of a client without a certificate.",
        {BOOTSTRAP: faults.client_certificate_required}, absent=ALL_QUIET,
    ),
    Scenario(
        "private-address", "The sign-in name has a private address that leads to the genuine service.",
        {SIGN_IN: faults.named("private.lab.test")}, absent=ALL_QUIET, needs=(NAMESPACE,),
    ),
    Scenario(
        "several-addresses", "The registration name has three addresses, and all answer.",
        {REGISTRATION: faults.several_addresses}, absent=ALL_QUIET, needs=(NAMESPACE,),
    ),
    Scenario(
        "both-families", "The registration name has an IPv6 and an IPv4 address, and both answer.",
        {REGISTRATION: faults.both_families}, absent=ALL_QUIET, needs=(NAMESPACE,),
    ),
    Scenario(
        "sign-in-redirected", "The genuine sign-in service sends the browser on: its own business.",
        {SIGN_IN: faults.redirected_sign_in}, absent=ALL_QUIET,
    ),
    Scenario(
        "ocsp-down", "The OCSP responder is down, the revocation lists are there.", {OCSP: faults.ocsp_down},
        expects={"APC161|APC162": WARN}, absent=without("APC161", "APC162"),
    ),
    Scenario(
        "service-behind-a-cache", "The genuine service's front end names a product in its headers: nobody stands in the way.",
        {SERVICE: faults.behind_a_cache}, absent=ALL_QUIET,
    ),
    Scenario(
        "service-error", "The genuine Service Bus answers 503.", {BUS: faults.service_error},
        expects={"APC155": WARN}, absent=without("APC155"),
    ),
)

ADDRESSES = (
    Scenario(
        "name-not-found", "The sign-in name does not exist for this server's resolver.",
        {"login.microsoftonline.com:443": faults.name_not_found},
        expects={"APC101": FAIL}, absent=without("APC101"), verdict=NOT_READY, needs=(NXDOMAIN,),
    ),
    Scenario(
        "name-without-address", "The registration name exists but has no address: a split zone.",
        {REGISTRATION: faults.named("no-data.lab.test")}, expects={"APC101": FAIL}, verdict=NOT_READY, needs=(NAMESPACE,),
    ),
    Scenario(
        "resolver-fails", "The resolver answers SERVFAIL for the sign-in name.",
        {SIGN_IN: faults.named("server-failure.lab.test")}, expects={"APC102": FAIL}, verdict=NOT_READY, needs=(NAMESPACE,),
    ),
    Scenario(
        "resolver-silent", "The resolver never answers for the sign-in name.",
        {SIGN_IN: faults.named("silent.lab.test")}, expects={"APC102": FAIL}, verdict=NOT_READY, needs=(NAMESPACE,),
    ),
    Scenario(
        "sinkhole", "A DNS filter answers 0.0.0.0 for the registration name.",
        {REGISTRATION: faults.named("sinkhole.lab.test", faults.closed_port)},
        expects={"APC103": FAIL}, verdict=NOT_READY, needs=(NAMESPACE,),
    ),
    Scenario(
        "private-address-nowhere", "The registration name has a private address that leads nowhere.",
        {REGISTRATION: faults.named("private-nowhere.lab.test")}, expects={"APC103": FAIL}, verdict=NOT_READY, needs=(NAMESPACE,),
    ),
)

CONNECTIONS = (
    Scenario(
        "refused", "The firewall rejects connections to the connector service.", {SERVICE: faults.closed_port},
        expects={"APC111": FAIL}, absent=without("APC111"), verdict=NOT_READY,
    ),
    Scenario(
        "dropped", "The firewall drops connections to the connector service without a word.", {SERVICE: faults.dropped},
        expects={"APC112": FAIL}, absent=without("APC112"), verdict=NOT_READY, demo=True,
    ),
    Scenario(
        "reset-on-accept", "A box accepts connections to the service and resets them at once.", {SERVICE: faults.reset_on_accept},
        # Whether the reset is seen by connect() or by what is sent next is a race that no one can decide.
        expects={"APC113|APC131": FAIL}, absent=without("APC113", "APC131"), verdict=NOT_READY, forced=True,
    ),
    Scenario(
        "unreachable-network", "There is no route to the service.", {SERVICE: faults.unreachable},
        expects={"APC114": FAIL}, absent=without("APC114"), verdict=NOT_READY,
    ),
    Scenario(
        "denied-locally", "A rule on the server forbids the connection.", {SERVICE: faults.denied_locally},
        expects={"APC115": FAIL}, absent=without("APC115"), verdict=NOT_READY, needs=(NAMESPACE,),
    ),
    Scenario(
        "connections-limited", "A firewall counts connections: of many at once it loses some, and one alone it lets through.",
        {"crl3.digicert.com:80": faults.lost_at_first}, expects={"APC117": WARN}, absent=without("APC117"),
    ),
    Scenario(
        "second-address-dead", "One of two addresses of the registration name is dead, the one that comes second.",
        {REGISTRATION: faults.second_address_dead}, expects={"APC116": WARN}, absent=without("APC116"), needs=(NAMESPACE,),
    ),
    Scenario(
        "first-address-dead", "One of two addresses of the registration name is dead, the one that every client takes first.",
        {REGISTRATION: faults.first_address_dead}, expects={"APC116": FAIL}, verdict=NOT_READY, needs=(NAMESPACE,),
    ),
)

PROXIES = (
    Scenario(
        "proxy-refused", "Nothing listens where the proxy is said to be.", proxy=ProxyPlan(dead=faults.closed_port),
        expects={"APC121": FAIL}, absent=QUIET, verdict=NOT_READY,
    ),
    Scenario(
        "proxy-dropped", "The firewall drops connections to the proxy.", proxy=ProxyPlan(dead=faults.dropped),
        expects={"APC121": FAIL}, absent=QUIET, verdict=NOT_READY,
    ),
    Scenario(
        "proxy-password", "The proxy asks for a password.",
        proxy=ProxyPlan(proxies.asks_for_password("Negotiate", "NTLM", 'Basic realm="proxy.example.com"')),
        expects={"APC122": FAIL, "APC147": WARN}, absent=(*QUIET, "APC121", "APC123"), verdict=NOT_READY, demo=True,
    ),
    Scenario(
        "proxy-denies-all", "The proxy denies this server everything.", proxy=ProxyPlan(proxies.denies()),
        expects={"APC123": FAIL, "APC147": WARN}, absent=(*QUIET, "APC121", "APC122"), verdict=NOT_READY,
    ),
    Scenario(
        "proxy-denies-bus", "The proxy's allow list lacks *.servicebus.windows.net.",
        proxy=ProxyPlan(proxies.denies("*.servicebus.windows.net")),
        expects={"APC123": FAIL, "APC147": WARN}, absent=without("APC123", "APC147"), verdict=NOT_READY,
    ),
    Scenario(
        "proxy-denies-470", "Azure Firewall as a proxy has no rule for the service.",
        proxy=ProxyPlan(proxies.denies("*.msappproxy.net", 470)),
        expects={"APC123": FAIL, "APC147": WARN}, absent=without("APC123", "APC147"), verdict=NOT_READY,
    ),
    Scenario(
        "proxy-portal", "The proxy wants a log-in on its own page first: it answers 511.", proxy=ProxyPlan(proxies.portal),
        expects={"APC123": FAIL}, absent=(*QUIET, "APC121", "APC122", "APC124"), verdict=NOT_READY,
    ),
    Scenario(
        "proxy-cannot-reach", "The proxy answers 504 to everything: it has no way out.", proxy=ProxyPlan(proxies.fails(504)),
        expects={"APC124": FAIL}, absent=(*QUIET, "APC122", "APC123"), verdict=NOT_READY,
    ),
    Scenario(
        "proxy-bad-gateway", "The proxy answers 502 to everything: it resolves no names.", proxy=ProxyPlan(proxies.fails(502)),
        expects={"APC124": FAIL}, verdict=NOT_READY,
    ),
    Scenario(
        "proxy-silent", "The proxy accepts connections and never answers.", proxy=ProxyPlan(proxies.silent),
        expects={"APC124": FAIL}, verdict=NOT_READY,
    ),
    Scenario(
        "proxy-port-80-only", "The proxy lets through port 80 alone.", proxy=ProxyPlan(proxies.only_port(80)),
        expects={"APC125": FAIL}, absent=("APC123", "APC161", "APC162"), verdict=NOT_READY,
    ),
    Scenario(
        "proxy-port-443-only", "The proxy lets through port 443 alone, so revocation lists are out of reach.",
        proxy=ProxyPlan(proxies.only_port(443)), expects={"APC125|APC161|APC162": FAIL}, verdict=NOT_READY,
    ),
    Scenario(
        "proxy-malformed", "Something that is no proxy listens on the proxy's port.", proxy=ProxyPlan(proxies.malformed),
        expects={"APC126": FAIL}, absent=(*QUIET, "APC121", "APC147"), verdict=NOT_READY,
    ),
    Scenario(
        "proxy-closes", "The proxy ends every connection in place of an answer.", proxy=ProxyPlan(proxies.closes),
        expects={"APC126": FAIL}, verdict=NOT_READY,
    ),
    Scenario(
        "proxy-inspects", "The proxy inspects TLS; the company's root is installed on the server.",
        proxy=ProxyPlan(inspects=proxies.matching("*")), trust=WITH_COMPANY,
        # The bootstrap service's own 403, carried on by the box, is no block page.
        expects={"APC141": FAIL}, absent=(*QUIET, *QUIET_PROXY, "APC144", "APC151"), verdict=NOT_READY, demo=True,
    ),
    Scenario(
        "proxy-inspects-sign-in", "The proxy inspects the sign-in hosts alone, for tenant restrictions.",
        proxy=ProxyPlan(inspects=proxies.matching("login.*")), trust=WITH_COMPANY,
        expects={"APC141": WARN}, absent=without("APC141"), verdict=READY, demo=True,
    ),
)

HANDSHAKES = (
    Scenario(
        "hello-reset", "A firewall reads the name in the ClientHello and resets.", {SERVICE: faults.reset_on_hello},
        expects={"APC131": FAIL}, absent=without("APC131"), verdict=NOT_READY,
    ),
    Scenario(
        "hello-dropped", "A firewall drops everything from the ClientHello on.", {SERVICE: faults.silent_on_hello},
        expects={"APC131": FAIL}, absent=without("APC131"), verdict=NOT_READY,
    ),
    Scenario(
        "hello-closed", "A load balancer has no back end for the name and closes.", {SERVICE: faults.closed_on_hello},
        expects={"APC131": FAIL}, absent=without("APC131"), verdict=NOT_READY,
    ),
    Scenario(
        "silent-on-accept", "A transparent proxy accepts everything and has no way out itself.", {SERVICE: faults.silent_on_accept},
        expects={"APC131": FAIL}, absent=without("APC131"), verdict=NOT_READY,
    ),
    Scenario(
        "half-a-certificate", "A box ends the connection in the middle of the certificate.", {SERVICE: faults.half_a_certificate},
        expects={"APC131|APC135": FAIL}, verdict=NOT_READY,
    ),
    Scenario(
        "one-byte-a-second", "A tar pit answers one byte a second.", {SERVICE: faults.one_byte_a_second},
        expects={"APC131|APC135": FAIL}, verdict=NOT_READY,
    ),
    Scenario(
        "tls10-only", "An old box speaks TLS 1.0 at most.", {SERVICE: faults.tls10_only},
        # A box that finds no suite of its old version in the hello says so before it says anything of the version.
        expects={"APC132|APC133": FAIL}, absent=("APC131",), verdict=NOT_READY, forced=True,
    ),
    Scenario(
        "version-alert", "A box refuses TLS 1.2 and 1.3 with protocol_version.", {SERVICE: faults.alert(2, 70)},
        expects={"APC132": FAIL}, absent=("APC131", "APC133"), verdict=NOT_READY,
    ),
    Scenario(
        "rsa-key-exchange-only", "An old box has no forward secrecy.", {SERVICE: faults.rsa_key_exchange_only},
        # A platform that still offers RSA key exchange gets through, and sees whose certificate it is.
        expects={"APC133|APC141": FAIL}, verdict=NOT_READY,
    ),
    Scenario(
        "no-common-cipher", "A box has only ciphers that nobody offers.", {SERVICE: faults.no_common_cipher},
        expects={"APC133": FAIL}, absent=("APC131", "APC132"), verdict=NOT_READY,
    ),
    Scenario(
        "http-on-443", "A block page answers in plain HTTP on port 443.", {SERVICE: faults.plain_http},
        expects={"APC134": FAIL}, absent=("APC131",), verdict=NOT_READY,
    ),
    Scenario(
        "garbage-on-443", "Something else altogether answers on port 443.", {SERVICE: faults.garbage},
        expects={"APC134": FAIL}, absent=("APC131",), verdict=NOT_READY,
    ),
    Scenario(
        "path-mtu", "Full packets of the service never arrive: a path-MTU black hole.", {SERVICE: faults.stalled_after(1000)},
        expects={"APC135": FAIL}, absent=without("APC135"), verdict=NOT_READY,
    ),
    Scenario(
        "tls13-broken", "A box resets hellos that offer TLS 1.3.", {SERVICE: faults.tls13_broken},
        expects={"APC136": WARN}, absent=without("APC136"),
    ),
    Scenario(
        "old-hello-reset", "A box resets hellos that do not offer TLS 1.3; the platform's own gets through.",
        {REGISTRATION: faults.old_hello_reset}, expects={"APC906": UNKNOWN}, absent=without("APC906"), verdict=INCONCLUSIVE,
    ),
)

FURTHER_HELLOS = (
    Scenario(
        "sha512-first-cut", "A box resets hellos that put SHA-512 first.", {SERVICE: faults.sha512_first_cut},
        expects={"APC213": WARN}, absent=without("APC213"),
    ),
    Scenario(
        "sha512-first-cut-once", "One endpoint alone resets hellos that put SHA-512 first: no pattern yet.",
        {ONE_BUS: faults.sha512_first_cut}, absent=ALL_QUIET,
    ),
    Scenario(
        "sha512-first-refused", "The service itself refuses hellos that put SHA-512 first, as it may.",
        {SERVICE: faults.sha512_first_refused}, absent=ALL_QUIET,
    ),
    Scenario(
        "large-hello-lost", "Large packets to the service never arrive: the connector's certificate would not either.",
        {SERVICE: faults.large_hello_lost(LARGE)}, expects={"APC135": FAIL}, absent=without("APC135"), verdict=NOT_READY,
    ),
)

CERTIFICATES = (
    Scenario(
        "inspected", "TLS inspection on the path; the company's root is installed on the server.",
        {EVERY_TLS: faults.inspected}, trust=WITH_COMPANY,
        expects={"APC141": FAIL}, absent=(*QUIET, "APC144", "APC147", "APC151"), verdict=NOT_READY,
    ),
    Scenario(
        "inspected-by-appliance", "A firewall inspects TLS with the authority that it came with, which the server does not know.",
        {EVERY_TLS: faults.inspected_by_appliance},
        expects={"APC141": FAIL, "APC147": WARN}, absent=(*QUIET, "APC144", "APC151"), verdict=NOT_READY,
    ),
    Scenario(
        "inspected-untrusted", "TLS inspection on the path; the server does not know the company's root.",
        {EVERY_TLS: faults.inspected}, expects={"APC141": FAIL}, absent=(*QUIET, "APC144", "APC151"), verdict=NOT_READY,
    ),
    Scenario(
        "inspected-without-root", "As inspected-untrusted, and the box does not show its root.",
        {EVERY_TLS: faults.inspected_without_root}, expects={"APC141|APC146": FAIL}, absent=(*QUIET, "APC144"), verdict=NOT_READY,
    ),
    Scenario(
        "inspected-bootstrap", "TLS inspection of the bootstrap service: the client certificate gets lost.",
        {BOOTSTRAP: faults.inspected}, trust=WITH_COMPANY, expects={"APC141": FAIL, "APC145": WARN}, verdict=NOT_READY,
    ),
    Scenario(
        "self-signed", "An appliance answers in the service's place with its own certificate.", {SERVICE: faults.self_signed},
        expects={"APC141": FAIL}, verdict=NOT_READY,
    ),
    Scenario(
        "wrong-name", "DNS or NAT leads to somebody else's server.", {SERVICE: faults.wrong_name},
        expects={"APC142": FAIL}, absent=("APC141",), verdict=NOT_READY,
    ),
    Scenario(
        "expired", "The certificate ended a month ago.", {SERVICE: faults.expired},
        expects={"APC143": FAIL}, absent=("APC141", "APC142"), verdict=NOT_READY,
    ),
    Scenario(
        "not-yet-valid", "The certificate begins in a month.", {SERVICE: faults.not_yet_valid},
        expects={"APC143": FAIL}, absent=("APC141", "APC142"), verdict=NOT_READY,
    ),
    Scenario(
        "root-missing", "The server lacks the public root of the service.", trust=OTHER,
        expects={"APC144": FAIL}, absent=("APC141",), verdict=NOT_READY,
    ),
    Scenario(
        "chain-incomplete", "The issuer is neither sent nor can it be fetched.", {SERVICE: faults.incomplete_chain},
        # A platform that fetches issuers itself trusts the chain: then it is a warning.
        expects={"APC146": FAIL}, verdict=NOT_READY,
    ),
)

ANSWERS = (
    Scenario(
        "block-page", "A filter ends TLS only to show its block page.", {SERVICE: faults.block_page}, trust=WITH_COMPANY,
        # Whose filter it is, neither its certificate nor its page says.
        expects={"APC151": FAIL}, absent=("APC147",), verdict=NOT_READY,
    ),
    Scenario(
        "sign-in-blocked", "A filter shows its block page in the sign-in page's place.", {SIGN_IN: faults.block_page},
        trust=WITH_COMPANY, expects={"APC152": FAIL}, absent=("APC151",), verdict=NOT_READY,
    ),
    Scenario(
        "application-cut", "A firewall lets TLS to the registration service through and cuts what is spoken inside.",
        {REGISTRATION: faults.request_cut}, expects={"APC156": FAIL}, absent=without("APC156"), verdict=NOT_READY,
    ),
    Scenario(
        "websocket-cut", "A filter lets pages through and cuts WebSockets.", {BUS: faults.websocket_cut},
        expects={"APC153": FAIL}, absent=without("APC153"), verdict=NOT_READY,
    ),
    Scenario(
        "revocation-blocked", "Port 80 is dropped, so no revocation list can be had.", {EVERY_PLAIN: faults.dropped},
        expects={"APC161": FAIL}, absent=without("APC161"), verdict=NOT_READY, demo=True,
    ),
    Scenario(
        "revocation-block-page", "A filter answers with a page in the place of revocation lists.",
        {EVERY_PLAIN: faults.http_block_page}, expects={"APC162": FAIL}, absent=without("APC162"), verdict=NOT_READY,
    ),
    Scenario(
        "revocation-forbidden", "A filter answers 403 in the place of revocation lists.", {EVERY_PLAIN: faults.http_forbidden},
        expects={"APC162": FAIL}, absent=without("APC162"), verdict=NOT_READY,
    ),
    Scenario(
        "captive-portal", "Everything on port 80 is sent to a log-in page first.", {EVERY_PLAIN: faults.captive_portal},
        expects={"APC162": FAIL}, absent=without("APC162"), verdict=NOT_READY,
    ),
    Scenario(
        "revocation-truncated", "A box cuts revocation lists in half.", {EVERY_PLAIN: faults.truncated_list},
        expects={"APC162": FAIL}, absent=without("APC162"), verdict=NOT_READY,
    ),
)

_FEDERATED = {"preflight_federation_hosts": ["sts.contoso.example:443"]}
FEDERATION = (
    Scenario("federated", "Who registers signs in at the company's own host.", variables=_FEDERATED, absent=(*ALL_QUIET, "APC154")),
    Scenario(
        "federated-by-company", "The host's certificate is the company's, and the server trusts it.", {"sts.*:443": faults.inspected},
        trust=WITH_COMPANY, variables=_FEDERATED, absent=(*ALL_QUIET, "APC154"),
    ),
    Scenario(
        "federation-blocked", "Nothing listens where the account would sign in.", {"sts.*:443": faults.closed_port}, variables=_FEDERATED,
        expects={"APC154": FAIL}, absent=without("APC111"), verdict=NOT_READY,
    ),
    Scenario(
        "federation-not-trusted", "The host's certificate is the company's, which the server does not trust.",
        {"sts.*:443": faults.inspected}, variables=_FEDERATED, expects={"APC154": FAIL}, absent=QUIET, verdict=NOT_READY,
    ),
)

TOOL = (
    Scenario(
        "redirected-not-counted", "All is open where connect_to leads, and nobody said that it counts.",
        variables={"preflight_connect_to_counts": False}, expects={"APC907": UNKNOWN}, absent=without("APC907"), verdict=INCONCLUSIVE,
    ),
    Scenario(
        "unreachable-server", "Ansible cannot reach the server.", unreachable=True,
        expects={"APC901": UNKNOWN}, verdict=INCONCLUSIVE, needs=(SSH,),
    ),
    Scenario(
        "deadline", "The sign-in service answers so late that the deadline comes first.", {SIGN_IN: faults.answers_late},
        variables={"preflight_deadline": 5},
        # The second wave begins when the first has ended: revocation is not reached either.
        expects={"APC902": UNKNOWN}, absent=without("APC902", "APC161", "APC162"), verdict=INCONCLUSIVE, demo=True,
    ),
)

SCENARIOS: tuple[Scenario, ...] = (
    *HEALTHY, *ADDRESSES, *CONNECTIONS, *PROXIES, *HANDSHAKES, *FURTHER_HELLOS, *CERTIFICATES, *ANSWERS, *FEDERATION, *TOOL,
)
DEMO = tuple(one for one in SCENARIOS if one.demo)


def scenario(name: str) -> Scenario:
    """Raises KeyError where there is none of that name."""
    return {one.name: one for one in SCENARIOS}[name]
