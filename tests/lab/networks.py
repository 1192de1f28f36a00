# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of networks for the root part of the lab: real names at ports 80 and 443, name servers, firewalls, proxies. Data only.

What is there for a server to have: CLOUD (two addresses of both families), GATED (another address of the cloud, for rules by address),
INSIDE (the cloud at a private address, as a private endpoint has one), NOBODY (an address at which nobody is).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .dns import NODATA, NXDOMAIN, SERVFAIL, SILENCE
from .play import WINRM
from .scenarios import (
    FAIL,
    INCONCLUSIVE,
    NOT_READY,
    READY,
    UNKNOWN,
    WARN,
    WITH_COMPANY,
    Scenario,
    without,
)
from .windows import BY_INSTALLER, INSTALLER_HIVE, SERVICE_HIVE, SYSTEM_HIVE, everywhere, internet, winhttp

CLOUD, CLOUD_TOO, CLOUD6 = "20.60.0.10", "20.60.0.11", "2603:1040::10"
GATED = "20.60.0.20"
INSIDE = "10.60.0.10"
NOBODY = "10.50.0.5"
PROXIES = "10.99.0"
"""The first three bytes of the proxies' addresses."""

# Patterns of names.
EVERY = "*"
SIGN_IN = "login.*"
SERVICE = "*.msappproxy.net"
BUS = "*.servicebus.windows.net"

EVERYTHING = (".",)
"""What a squid inspects that inspects all."""

Answer = str | tuple[str, ...]
HERE: Answer = (CLOUD,)


@dataclass(frozen=True)
class Squid:
    """A squid of its own. `access`: lines before `http_access allow all`; `bumps`: server names that it inspects; `login`: a scheme."""

    access: tuple[str, ...] = ()
    bumps: tuple[str, ...] = ()
    cuts: tuple[str, ...] = ()
    """Server names whose TLS it ends without a word."""
    login: str = ""
    knows_server: bool = False
    """By its address: it needs no login."""
    takes: tuple[int, ...] = ()
    """Ports whose connections the router leads to it: then it is no proxy that the server is told of."""
    names: Mapping[str, Answer] = field(default_factory=dict)
    """What its name server answers, as of a Network; empty: what the others' does."""
    rules: tuple[str, ...] = ()
    """Of nftables, for packets from and to it, in the router."""
    seconds: int = 0
    """Until it answers; the time is its own, not the way's."""


@dataclass(frozen=True)
class Tinyproxy:
    ports: tuple[int, ...] = ()
    """To which CONNECT is let through; empty: all."""
    names: tuple[str, ...] = ()
    """Which it lets through, with * for all labels; empty: all."""


@dataclass(frozen=True)
class Gone:
    """A proxy that the server is told of, and that is not there."""


Proxy = Squid | Tinyproxy | Gone


@dataclass(frozen=True)
class Network:
    """One server and its way out. `scenario` says what must come of it."""

    scenario: Scenario
    names: Mapping[str, Answer] = field(default_factory=dict)
    """Pattern to the answer of the server's name server; the first that matches counts, the rest is HERE."""
    rules: tuple[str, ...] = ()
    """Of nftables, for packets from and to the server, in the router."""
    proxy: Proxy | None = None
    """The only way out, where there is one."""
    proxy_name: str = ""
    """By which the server is told of it; empty: by its address. Its name server knows it unless `names` has it."""
    registry: Callable[[str], str] | None = None
    """Of a Windows server that has to find the proxy itself: host:port of the proxy to what a .reg export has of it."""
    server: tuple[str, ...] = ()
    """What `ip` is told on the server."""
    router: tuple[str, ...] = ()
    """What `ip` is told on the router; {number} is the server's: its cable there is s{number}, its network 10.77.{number}.0/24."""

    @property
    def told_proxy(self) -> bool:
        """The server is told to use the proxy, and nothing else leads out."""
        return self.proxy is not None and not (isinstance(self.proxy, Squid) and self.proxy.takes)

    @property
    def name(self) -> str:
        return self.scenario.name

    def played_by(self, engine: str) -> bool:
        return self.registry is None or engine == WINRM


def _row(
    name: str, says: str, expects: Mapping[str, str] | None = None, verdict: str | None = READY, *, trust: str = "public",
    absent: tuple[str, ...] | None = None, forced: bool = False, names: Mapping[str, Answer] | None = None, rules: tuple[str, ...] = (),
    proxy: Proxy | None = None, proxy_name: str = "", registry: Callable[[str], str] | None = None,
    server: tuple[str, ...] = (), router: tuple[str, ...] = (), variables: Mapping[str, Any] | None = None,
) -> Network:
    ids = [id_ for both in expects or {} for id_ in both.split("|")]
    absent = without(*ids) if absent is None else absent
    scenario = Scenario(
        name, says, expects=expects or {}, absent=absent, verdict=verdict, trust=trust, forced=forced, variables=variables or {},
    )
    return Network(scenario, names or {}, rules, proxy, proxy_name, registry, server, router)


NAMES = (
    _row("net-direct", "All is open."),
    _row("net-two-addresses", "Every name has two addresses.", names={EVERY: (CLOUD, CLOUD_TOO)}),
    _row("net-second-dead", "The second address of every name answers nobody.", {"APC116": WARN}, names={EVERY: (CLOUD, GATED)},
         rules=(f"ip daddr {GATED} drop",)),
    _row("net-ipv6-only", "The names have IPv6 addresses alone.", names={EVERY: (CLOUD6,)}),
    _row("net-ipv6-broken", "The names have both, and what goes out by IPv6 is dropped.", {"APC116": FAIL}, NOT_READY,
         absent=without("APC116", "APC112", "APC161", "APC902"), names={EVERY: (CLOUD6, CLOUD)},
         rules=("meta nfproto ipv6 tcp dport { 80, 443 } drop",)),
    _row("net-zone-unknown", "The name server knows no name of the service.", {"APC101": FAIL}, NOT_READY, names={SERVICE: NXDOMAIN}),
    _row("net-bus-unknown", "The name server knows no name of Service Bus: they exist after the registration only.", {"APC101": UNKNOWN},
         INCONCLUSIVE, names={BUS: NXDOMAIN}),
    _row("net-zone-empty", "The names of the service have no address.", {"APC101": FAIL}, NOT_READY, names={SERVICE: NODATA}),
    _row("net-resolver-fails", "The name server cannot find the sign-in.", {"APC102": FAIL}, NOT_READY, names={SIGN_IN: SERVFAIL}),
    _row("net-resolver-silent", "The name server answers nothing for Service Bus.", {"APC102": FAIL}, NOT_READY, names={BUS: SILENCE}),
    _row("net-shadow-zone", "A private zone shadows Service Bus, and its addresses lead nowhere.", {"APC103": FAIL}, NOT_READY,
         absent=without("APC103", "APC112", "APC114"), names={BUS: (NOBODY,)}),
    _row("net-private-endpoint", "A private zone leads Service Bus to the genuine service.", names={BUS: (INSIDE,)}),
)

FIREWALLS = (
    _row("net-dropped", "The firewall drops all to port 443.", {"APC112": FAIL}, NOT_READY, rules=("tcp dport 443 drop",)),
    _row("net-reset", "The firewall refuses port 443 with a reset.", {"APC111": FAIL}, NOT_READY,
         rules=("tcp dport 443 reject with tcp reset",)),
    _row("net-prohibited", "The firewall says by ICMP that port 443 is prohibited.", {"APC114": FAIL}, NOT_READY,
         rules=("tcp dport 443 reject with icmpx admin-prohibited",)),
    _row("net-port-unreachable", "The firewall says by ICMP that the port cannot be reached.", {"APC111": FAIL}, NOT_READY,
         rules=("tcp dport 443 reject with icmpx port-unreachable",)),
    _row("net-host-unreachable", "The firewall says by ICMP that the host cannot be reached.", {"APC114": FAIL}, NOT_READY,
         rules=("tcp dport 443 reject with icmpx host-unreachable",)),
    _row("net-one-address-dropped", "A rule by address has forgotten that of Service Bus.", {"APC112": FAIL}, NOT_READY,
         names={BUS: (GATED,)}, rules=(f"ip daddr {GATED} drop",)),
    _row("net-port-80-dropped", "The firewall knows port 443 alone.", {"APC161": FAIL}, NOT_READY, rules=("tcp dport 80 drop",)),
    _row("net-hello-reset", "The firewall lets connections pass, and resets them at the first bytes.", {"APC131": FAIL}, NOT_READY,
         rules=("tcp dport 443 tcp flags & (syn|fin|rst) == 0 meta length > 120 reject with tcp reset",)),
    _row("net-mtu-black-hole", "Large packets are lost on the way, and nobody says so.", {"APC135|APC131": FAIL}, NOT_READY,
         absent=without("APC131", "APC135", "APC161", "APC162", "APC902"), rules=("meta length > 1400 drop",)),
)

_INSPECTED = without("APC141", "APC145", "APC146", "APC147", "APC151", "APC152")
REAL_PROXIES = (
    _row("squid-open", "squid lets everybody through, and is the only way out.", proxy=Squid()),
    _row("squid-resolves", "squid knows the names, and the server's name server none.", names={EVERY: NXDOMAIN}, proxy=Squid()),
    _row("squid-inspects", "squid inspects everything, and the server trusts it.", {"APC141": FAIL, "APC147": WARN}, NOT_READY,
         trust=WITH_COMPANY, absent=tuple(id_ for id_ in _INSPECTED if id_ != "APC144"), proxy=Squid(bumps=EVERYTHING)),
    _row("squid-inspects-untrusted", "squid inspects everything, and the server does not trust it.", {"APC141": FAIL, "APC147": WARN},
         NOT_READY, absent=tuple(id_ for id_ in _INSPECTED if id_ != "APC144"), proxy=Squid(bumps=EVERYTHING)),
    _row("squid-inspects-sign-in", "squid inspects the sign-in alone, and the server trusts it.", {"APC141": WARN, "APC147": WARN},
         trust=WITH_COMPANY, proxy=Squid(bumps=("login.microsoftonline.com", "login.windows.net"))),
    _row("squid-inspects-service", "squid inspects the service alone.", {"APC141": FAIL, "APC147": WARN}, NOT_READY, trust=WITH_COMPANY,
         absent=_INSPECTED, proxy=Squid(bumps=(".msappproxy.net",))),
    _row("squid-basic", "squid asks for a password.", {"APC122": FAIL, "APC147": WARN}, NOT_READY, proxy=Squid(login="basic")),
    _row("squid-negotiate", "squid asks for a Windows login.", {"APC122": FAIL, "APC147": WARN}, NOT_READY,
         proxy=Squid(login="negotiate")),
    _row("squid-knows-the-server", "squid asks for a password, and lets this server through by its address.",
         proxy=Squid(login="basic", knows_server=True)),
    _row("squid-443-only", "squid lets port 443 alone through.", {"APC125|APC161|APC162": FAIL}, NOT_READY,
         absent=without("APC125", "APC161", "APC162", "APC123", "APC147"),
         proxy=Squid(access=("acl tls port 443", "http_access deny !tls"))),
    _row("squid-80-only", "squid lets port 80 alone through.", {"APC125": FAIL}, NOT_READY, absent=without("APC125", "APC123", "APC147"),
         proxy=Squid(access=("acl tls port 443", "http_access deny tls"))),
    _row("squid-denies-bus", "squid has a list, and Service Bus is not on it.", {"APC123": FAIL, "APC147": WARN}, NOT_READY,
         proxy=Squid(access=("acl bus dstdomain .servicebus.windows.net", "http_access deny bus"))),
    _row("squid-denies-sign-in", "squid has a list, and the sign-in is not on it.", {"APC123": FAIL, "APC147": WARN}, NOT_READY,
         proxy=Squid(access=("acl login dstdomain login.microsoftonline.com login.windows.net", "http_access deny login"))),
    _row("tinyproxy-open", "tinyproxy lets everybody through.", proxy=Tinyproxy()),
    _row("tinyproxy-563-only", "tinyproxy lets CONNECT through to another port.", {"APC123|APC125": FAIL}, NOT_READY,
         absent=without("APC123", "APC125", "APC147"), proxy=Tinyproxy(ports=(563,))),
)

_IPV6_FIRST = {EVERY: (CLOUD6, CLOUD)}
FAMILIES = (
    _row("net-ipv6-no-route", "The names have both, and the server has IPv6 addresses and no way out for them.", names=_IPV6_FIRST,
         server=("-6 route del default",)),
    _row("net-ipv6-rejected", "The names have both, and the router says that it has no way for IPv6.", names=_IPV6_FIRST,
         rules=("meta nfproto ipv6 reject with icmpv6 no-route",)),
    _row("net-ipv4-dropped", "The names have both, and what goes out by IPv4, which comes second, is dropped.", {"APC116": WARN},
         names=_IPV6_FIRST, rules=("meta nfproto ipv4 tcp dport { 80, 443 } drop",)),
    _row("net-ipv6-only-no-route", "The names have IPv6 addresses alone, and the server has no way out for them.", {"APC114": FAIL},
         NOT_READY, absent=without("APC114", "APC161"), names={EVERY: (CLOUD6,)}, server=("-6 route del default",)),
    _row("net-sinkhole", "The name server answers the sign-in with an address that is none.", {"APC103": FAIL}, NOT_READY,
         absent=without("APC103", "APC111"), names={SIGN_IN: ("0.0.0.0",)}),
    _row("net-no-resolver", "No name server answers anything.", {"APC102": FAIL}, NOT_READY, names={EVERY: SILENCE},
         absent=without("APC102", "APC161", "APC902")),
)

SIZES = (
    _row("net-small-mtu", "Packets of 1,280 bytes at most come to the server, and the router says so to who sends larger ones.",
         router=("route replace 10.77.{number}.0/24 dev s{number} mtu 1280",)),
    _row("net-large-up-lost", "Large packets from the server are lost, and nobody says so.", {"APC135": FAIL}, NOT_READY,
         absent=without("APC135", "APC902"), rules=("ip saddr 10.77.0.0/16 meta length > 1400 drop",)),
    _row("net-syn-limited", "The firewall takes 40 new connections a second, and drops the rest without a word.",
         rules=("tcp flags & (syn|ack) == syn limit rate over 40/second burst 20 packets drop",)),
    _row("net-syn-limited-more", "The firewall takes 20 new connections a second, and drops the rest without a word.",
         absent=without("APC117"), forced=True, rules=("tcp flags & (syn|ack) == syn limit rate over 20/second burst 10 packets drop",)),
    _row("net-sessions-limited", "The firewall takes 10 open connections of a server, and refuses the rest.", {"APC117": WARN},
         forced=True, rules=("tcp flags & (syn|ack) == syn ct count over 10 reject with tcp reset",)),
)

_REDIRECTED = ("deny_info 302:https://portal.example/login all",)
FURTHER_PROXIES = (
    _row("squid-takes-all", "The router leads ports 80 and 443 to a squid that looks at nothing.", proxy=Squid(takes=(80, 443))),
    _row("squid-takes-80", "The router leads port 80 alone to a squid.", proxy=Squid(takes=(80,))),
    _row("squid-takes-and-inspects", "The router leads ports 80 and 443 to a squid that inspects, and the server trusts it.",
         {"APC141": FAIL, "APC147": WARN}, NOT_READY, trust=WITH_COMPANY, absent=_INSPECTED,
         proxy=Squid(takes=(80, 443), bumps=EVERYTHING)),
    _row("squid-takes-80-and-redirects", "The router leads port 80 to a squid that sends everybody to a log-in page.",
         {"APC162": FAIL, "APC147": WARN}, NOT_READY, proxy=Squid(takes=(80,), access=(*_REDIRECTED, "http_access deny all"))),
    _row("squid-cuts-bus", "squid lets CONNECT through, and ends TLS to Service Bus by its name.", {"APC131": FAIL}, NOT_READY,
         proxy=Squid(cuts=(".servicebus.windows.net",))),
    _row("squid-takes-and-cuts-bus", "The router leads port 443 to a squid that ends TLS to Service Bus by its name.", {"APC131": FAIL},
         NOT_READY, proxy=Squid(takes=(443,), cuts=(".servicebus.windows.net",))),
    _row("squid-redirects", "squid sends everybody to a log-in page first.", {"APC123": FAIL, "APC147": WARN}, NOT_READY,
         absent=without("APC123", "APC147", "APC162"), proxy=Squid(access=(*_REDIRECTED, "http_access deny all"))),
    _row("squid-way-out-dropped", "The firewall drops what squid sends to port 443.", {"APC124": FAIL}, NOT_READY,
         proxy=Squid(rules=("tcp dport 443 drop",))),
    _row("squid-way-out-refused", "The firewall rejects what squid sends to port 443.", {"APC124": FAIL, "APC147": WARN}, NOT_READY,
         proxy=Squid(rules=("tcp dport 443 reject with icmpx admin-prohibited",))),
    _row("squid-knows-no-name", "squid's name server knows no name.", {"APC124": FAIL, "APC147": WARN}, NOT_READY,
         absent=without("APC124", "APC147", "APC161"),
         proxy=Squid(names={EVERY: NXDOMAIN})),
    _row("squid-bus-unknown", "squid's name server knows no name of Service Bus: they exist after the registration only.",
         {"APC124": UNKNOWN}, INCONCLUSIVE, absent=without("APC124", "APC147"), proxy=Squid(names={BUS: NXDOMAIN})),
)

_PROXY_NAME = "proxy.corp.example"
PROXIES_BY_NAME_OR_GONE = (
    _row("squid-by-name", "The server is told of squid by its name.", proxy=Squid(), proxy_name=_PROXY_NAME),
    _row("proxy-name-unknown", "The name server does not know the name of the proxy.", {"APC121": FAIL}, NOT_READY, proxy=Gone(),
         proxy_name=_PROXY_NAME, names={_PROXY_NAME: NXDOMAIN}),
    _row("proxy-gone-silent", "The proxy is gone, and nobody says so.", {"APC121": FAIL}, NOT_READY, proxy=Gone(),
         rules=("tcp dport 3128 drop",)),
    _row("proxy-gone-said", "The proxy is gone, and the router says so to each connection.", {"APC121": FAIL}, NOT_READY, proxy=Gone(),
         rules=("tcp dport 3128 reject with icmpx host-unreachable",)),
    _row("proxy-gone-partly-said", "The proxy is gone, and the router says so to some connections and nothing to the rest.",
         {"APC121": FAIL}, NOT_READY, forced=True, proxy=Gone(),
         rules=("tcp dport 3128 limit rate 2/second burst 3 packets reject with icmpx host-unreachable", "tcp dport 3128 drop")),
)
"""All of them are one cause or none."""


def _only(hive: str) -> Callable[[str], str]:
    return lambda proxy: internet(hive, proxy=proxy)


IN_THE_REGISTRY = (
    _row("registry-everybody", "squid is the only way out, and every account is set to it.", proxy=Squid(), registry=everywhere),
    _row("registry-service-only", "Network Service alone is set to squid, the only way out.", {"APC112": WARN, "APC501": WARN},
         proxy=Squid(), registry=_only(SERVICE_HIVE)),
    _row("registry-updater-only", "All is open; Local System alone is set to a proxy, and that is gone.", {"APC121": WARN, "APC501": WARN},
         proxy=Gone(), registry=_only(SYSTEM_HIVE), rules=("accept",)),
    _row("registry-user-only", "Who installs is alone set to squid, the only way out.", {"APC112": FAIL, "APC501": WARN}, NOT_READY,
         absent=without("APC112", "APC161", "APC902"), proxy=Squid(), registry=_only(INSTALLER_HIVE), variables=BY_INSTALLER),
    _row("registry-windows-only", "WinHTTP's setting alone names squid, the only way out.", {"APC112": FAIL}, NOT_READY,
         absent=without("APC112", "APC902"), proxy=Squid(), registry=winhttp),
)
"""Of Windows servers: only they have a registry."""

_ALLOWED = ("*.msappproxy.net", "login.*", "*.microsoftonline-p.com", "*.microsoftonline.com", "*.microsoft.com", "*.msocsp.com",
            "*.digicert.com", "*.windowsupdate.com")
LISTS_AND_TIME = (
    _row("tinyproxy-allows-needed", "tinyproxy has a list, and what is needed is on it.", {"APC123": WARN},
         absent=without("APC123", "APC147"), proxy=Tinyproxy(names=(*_ALLOWED, "*.servicebus.windows.net"))),
    _row("tinyproxy-denies-bus", "tinyproxy has a list, and Service Bus is not on it.", {"APC123": FAIL}, NOT_READY,
         absent=without("APC123", "APC147"), proxy=Tinyproxy(names=_ALLOWED)),
    _row("squid-slow", "squid takes a second for each answer.", proxy=Squid(seconds=1)),
    _row("squid-late", "squid takes longer for an answer than any client waits.", {"APC124": FAIL}, NOT_READY,
         absent=without("APC124", "APC161", "APC902"), proxy=Squid(seconds=8)),
)

NETWORKS = (
    *NAMES, *FIREWALLS, *REAL_PROXIES, *FAMILIES, *SIZES, *FURTHER_PROXIES, *PROXIES_BY_NAME_OR_GONE, *IN_THE_REGISTRY, *LISTS_AND_TIME,
)
