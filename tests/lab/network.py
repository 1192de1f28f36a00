# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The root part of the lab: for each row of networks.py a network namespace with a server in it, one router, one cloud, real proxies.

    with World(folder, NETWORKS) as world:
        world.inventory(LOCAL), world.inventory(WINRM)

Names and ports are the real ones; nothing is led anywhere by connect_to. All of it is gone at the end; what a killed run left is gone
when the next one begins. Linux and root.
"""

from __future__ import annotations

import ctypes
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from . import dns
from .cloud import Cloud
from .fleet import FEDERATION_HOST, TENANT, catalogue_endpoints
from .networks import CLOUD, CLOUD6, CLOUD_TOO, EVERYTHING, GATED, HERE, INSIDE, PROXIES, Answer, Gone, Network, Squid, Tinyproxy
from .personalities import SERVER_2022
from .pki import REVOCATION_HOSTS, Credential, Pki
from .play import LOCAL
from .servers import split
from .windows import KNOWS_INSTALLER
from .winrm import WinRMServer

PROGRAMS = {"ip": "iproute2", "nft": "nftables", "squid": "squid-openssl", "tinyproxy": "tinyproxy-bin"}
"""Program to Debian's package of it."""
CERTIFICATES = Path("/usr/lib/squid/security_file_certgen")
PROXY_PORT = 3128
_ASIDE = 10000
"""A squid's port for what is led to it is that of the endpoint and this."""
_NAMESPACES, _CONFIGURED = Path("/run/netns"), Path("/etc/netns")
_NAMED, _FOLDER = r"appproxy-(\d+)-", r"appproxy-lab-(\d+)-"
"""Names of namespaces and of folders; the number is that of the process whose they are."""
_CLONE_NEWNET = 0x40000000
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def missing() -> str | None:
    """Why this machine cannot have such networks; None where it can."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "network namespaces with real ports need Linux and root"
    for program, package in PROGRAMS.items():
        if shutil.which(program, path=_PATH) is None:
            return f"the program {program} is not there (Debian: {package})"
    if not CERTIFICATES.is_file():
        return f"squid cannot inspect TLS: {CERTIFICATES} is not there (Debian: squid-openssl)"
    name = f"appproxy-{os.getpid()}-try"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False, env=_environment())
    if tried.returncode != 0:
        return f"no network namespace can be made: {tried.stderr.strip()[:200]}"
    _run("ip", "netns", "del", name)
    return None


def sweep() -> None:
    """Takes away what runs left that were killed: what bears the number of a process that no longer lives. Two may do so at once."""
    for namespace in _of_the_dead(_NAMESPACES, _NAMED):
        inside_it = subprocess.run(["ip", "netns", "pids", namespace.name], capture_output=True, text=True, check=False, env=_environment())
        for pid in map(int, inside_it.stdout.split()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        told = subprocess.run(["ip", "netns", "del", namespace.name], capture_output=True, text=True, check=False, env=_environment())
        _is_gone(namespace, told.stderr)
    for folder in (*_of_the_dead(_CONFIGURED, _NAMED), *_of_the_dead(Path(tempfile.gettempdir()), _FOLDER)):
        shutil.rmtree(folder, ignore_errors=True)
        _is_gone(folder, "it cannot be taken away")


def _of_the_dead(folder: Path, named: str) -> list[Path]:
    """What lies there by a name whose number is that of a process, where that has ended."""
    found = [(path, re.match(named, path.name)) for path in folder.glob("appproxy-*")]
    return [path for path, match in found if match and not Path("/proc", match[1]).exists()]


def _is_gone(path: Path, why: str) -> None:
    if path.exists():
        raise RuntimeError(f"{path}, which a killed run left, is still there: {why.strip()}")


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": _PATH}


def _run(*words: str, text: str | None = None) -> None:
    done = subprocess.run(words, env=_environment(), input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}: {done.stderr.strip()}")


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Sockets that this thread makes are the namespace's, and so are those of the threads and programs that it starts."""
    setns = ctypes.CDLL(None, use_errno=True).setns
    with open("/proc/thread-self/ns/net", "rb") as before, open(_NAMESPACES / namespace, "rb") as there:
        if setns(there.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
        try:
            yield
        finally:
            if setns(before.fileno(), _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns back")


class World:
    """All networks at once: one run of a playbook sees them all."""

    def __init__(self, folder: Path, networks: Sequence[Network], pki_folder: Path, prefix: str = f"appproxy-{os.getpid()}") -> None:
        self.folder, self.networks = folder, tuple(networks)
        self._pki_folder = pki_folder
        self._prefix = prefix
        self._stack = ExitStack()
        self._numbers = {one.name: number for number, one in enumerate(self.networks, start=1)}
        self.winrm: dict[str, WinRMServer] = {}

    def __enter__(self) -> World:
        with ExitStack() as stack:
            self._build(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    # -- building

    def _build(self, stack: ExitStack) -> None:
        sweep()
        self.pki = Pki(self._pki_folder)
        # squid works as a user of its own, for whom tests' folders are closed.
        self._open = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"appproxy-lab-{os.getpid()}-")))
        self._open.chmod(0o755)
        self._router = self._namespace(stack, "router")
        self._cloud = self._namespace(stack, "cloud")
        self._proxies = self._namespace(stack, "proxies")
        self._link(self._router, "cloud", "20.60.0.1/24", self._cloud, "20.60.0.2/24", "2603:1040::1/64", "2603:1040::2/64")
        self._link(self._router, "proxies", f"{PROXIES}.1/24", self._proxies, f"{PROXIES}.2/24")
        for address in (f"{CLOUD}/32", f"{CLOUD_TOO}/32", f"{GATED}/32", f"{INSIDE}/32", f"{CLOUD6}/128"):
            self._in(self._cloud, "ip", "addr", "add", address, "dev", "up0")
        self._in(self._router, "ip", "route", "add", f"{INSIDE}/32", "via", "20.60.0.2")
        # Without its limit of ICMP a crowd of connections gets some refusals and else silence; that is another fault.
        # A connection that is led aside comes back by another cable than it went.
        self._set(self._router, "ipv4/ip_forward=1", "ipv6/conf/all/forwarding=1", "ipv4/icmp_ratelimit=0", "ipv6/icmp/ratelimit=0",
                  "ipv4/conf/all/rp_filter=0", "ipv4/conf/proxies/rp_filter=0")
        with inside(self._cloud):
            for address in ("0.0.0.0", "::"):
                cloud = Cloud(self.pki, address=address, ports=(443, 80))
                stack.callback(self._close_inside, self._cloud, cloud)
        endpoints = {**catalogue_endpoints(), **dict.fromkeys(REVOCATION_HOSTS, False), FEDERATION_HOST: True}
        self._hosts = tuple(dict.fromkeys(split(one)[0] for one in endpoints))
        self._resolver(stack, self._proxies, {})
        for network in self.networks:
            self._server(stack, network)
        self._filter()
        for network in self.networks:
            if network.proxy is not None and not isinstance(network.proxy, Gone):
                self._proxy(stack, network)

    def _namespace(self, stack: ExitStack, name: str) -> str:
        full = f"{self._prefix}-{name}"
        _run("ip", "netns", "add", full)
        stack.callback(_run, "ip", "netns", "del", full)
        self._in(full, "ip", "link", "set", "lo", "up")
        return full

    @staticmethod
    def _in(namespace: str, *words: str, text: str | None = None) -> None:
        _run("ip", "netns", "exec", namespace, *words, text=text)

    @staticmethod
    def _set(namespace: str, *settings: str) -> None:
        """Of the kernel, as path=value below /proc/sys/net."""
        with inside(namespace):
            for one in settings:
                path, _is, value = one.partition("=")
                Path("/proc/sys/net", path).write_text(value, encoding="ascii")

    def _close_inside(self, namespace: str, one: Any) -> None:
        """A listener is woken by a connection to itself."""
        with inside(namespace):
            one.close()

    def _link(self, here: str, name: str, address: str, there: str, address_there: str, six: str = "", six_there: str = "") -> None:
        """A cable: `name` in the one, `up0` in the other, whose default route leads over it."""
        self._in(here, "ip", "link", "add", name, "type", "veth", "peer", "name", "up0", "netns", there)
        for namespace, device, addresses in ((here, name, (address, six)), (there, "up0", (address_there, six_there))):
            for one in filter(None, addresses):
                self._in(namespace, "ip", "addr", "add", one, "dev", device, *(["nodad"] if ":" in one else []))
            # No packet larger than the cable carries: a rule about sizes must see what the wire would.
            self._in(namespace, "ip", "link", "set", device, "up", "gso_max_segs", "1", "gso_max_size", "1514")
        for one in filter(None, (address, six)):
            self._in(there, "ip", "route", "add", "default", "via", one.partition("/")[0])

    def _server(self, stack: ExitStack, network: Network) -> None:
        number = self._numbers[network.name]
        name = self._namespace(stack, f"s{number}")
        self._link(self._router, f"s{number}", f"10.77.{number}.1/24", name, f"10.77.{number}.2/24",
                   f"2603:77:0:{number}::1/64", f"2603:77:0:{number}::2/64")
        own = {network.proxy_name: (self.proxy_address(network.name),)} if network.proxy_name else {}
        self._resolver(stack, name, {**own, **network.names}, own)
        for namespace, commands in ((name, network.server), (self._router, network.router)):
            for command in commands:
                self._in(namespace, "ip", *command.format(number=number).split())

    def _name_server(
        self, stack: ExitStack, namespace: str, names: Mapping[str, Answer], address: str = "127.0.0.1", more: Iterable[str] = ()
    ) -> None:
        """`more`: names that it knows besides those of the cloud."""
        table = {
            host: next((answer for pattern, answer in names.items() if fnmatchcase(host, pattern)), HERE) for host in (*self._hosts, *more)
        }
        with inside(namespace):
            stack.callback(dns.Server(table, address, port=53).close)

    def _resolver(self, stack: ExitStack, namespace: str, names: Mapping[str, Answer], more: Iterable[str] = ()) -> None:
        """A name server of the namespace's own, and that it is the one that programs in it ask."""
        self._name_server(stack, namespace, names, more=more)
        folder = _CONFIGURED / namespace
        folder.mkdir(parents=True)
        stack.callback(shutil.rmtree, folder)
        (folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:2 attempts:2\n", encoding="utf-8")

    def _filter(self) -> None:
        """The router's rules: of each server by its cable, of each proxy by its address, whichever way the packets go."""
        jumps, chains = [], {}
        for one in self.networks:
            number = self._numbers[one.name]
            jumps += [f"iifname s{number} jump s{number}", f"oifname s{number} jump s{number}"]
            only_proxy = [f"iifname s{number} ip daddr != {PROXIES}.0/24 drop", f"iifname s{number} meta nfproto ipv6 drop"]
            chains[f"s{number}"] = [*one.rules, *(only_proxy if one.told_proxy else ())]
            if isinstance(one.proxy, Squid) and one.proxy.rules:
                jumps += [f"ip {end} {self.proxy_address(one.name)} jump p{number}" for end in ("saddr", "daddr")]
                chains[f"p{number}"] = list(one.proxy.rules)
        forward = ["chain forward { type filter hook forward priority 0; policy accept;", *jumps, "}"]
        # What a chain jumps to has to be there first.
        declared = ["table inet lab {", *(f"chain {name} {{ }}" for name in chains), "}"]
        filled = [line for name, rules in chains.items() for line in (f"chain {name} {{", *rules, "}")]
        self._in(self._router, "nft", "-f", "-", text="\n".join([*declared, "table inet lab {", *filled, *forward, "}"]) + "\n")

    def _lead_aside(self, network: Network, squid: Squid) -> None:
        """The router sends the server's connections to these ports to the proxies, and there they end at the squid's own ports."""
        number, address = self._numbers[network.name], self.proxy_address(network.name)
        for port in squid.takes:
            for words in (f"rule add iif s{number} ipproto tcp dport {port} lookup {number + 100}",):
                self._in(self._router, "ip", *words.split())
        self._in(self._router, "ip", *f"route add default via {PROXIES}.2 table {number + 100}".split())
        self._set(self._proxies, "ipv4/conf/up0/rp_filter=0")
        rules = [f"ip saddr 10.77.{number}.2 tcp dport {port} dnat to {address}:{_ASIDE + port}" for port in squid.takes]
        chain = f"chain s{number} {{ type nat hook prerouting priority dstnat; policy accept;"
        self._in(self._proxies, "nft", "-f", "-", text="\n".join(["table ip lab {", chain, *rules, "}", "}"]) + "\n")

    # -- proxies

    def proxy_address(self, name: str) -> str:
        return f"{PROXIES}.{self._numbers[name] + 9}"

    def _proxys_name_server(self, name: str) -> str:
        return f"127.0.1.{self._numbers[name]}"

    def _proxy(self, stack: ExitStack, network: Network) -> None:
        address, folder = self.proxy_address(network.name), self._open / network.name
        self._in(self._proxies, "ip", "addr", "add", f"{address}/24", "dev", "up0")
        folder.mkdir()
        shutil.chown(folder, "proxy", "proxy")
        if isinstance(network.proxy, Squid):
            if network.proxy.names:
                self._name_server(stack, self._proxies, network.proxy.names, self._proxys_name_server(network.name))
            self._lead_aside(network, network.proxy)
            (folder / "squid.conf").write_text(self._squid(network.proxy, network.name, folder), encoding="utf-8")
            command = ["squid", "-N", "-f", str(folder / "squid.conf")]
        elif isinstance(network.proxy, Tinyproxy):
            ports = "".join(f"ConnectPort {port}\n" for port in network.proxy.ports)
            allowed = ""
            if network.proxy.names:
                (folder / "allowed").write_text("\n".join((*network.proxy.names, "")), encoding="ascii")
                allowed = f"Filter \"{folder / 'allowed'}\"\nFilterType fnmatch\nFilterDefaultDeny Yes\n"
            text = f"Port {PROXY_PORT}\nListen {address}\nTimeout 60\nMaxClients 100\n{ports}{allowed}"
            (folder / "tinyproxy.conf").write_text(text, encoding="utf-8")
            command = ["tinyproxy", "-d", "-c", str(folder / "tinyproxy.conf")]
        else:
            return
        log = stack.enter_context((folder / "output").open("wb"))
        process = subprocess.Popen(["ip", "netns", "exec", self._proxies, *command], env=_environment(), stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=log)
        stack.callback(_end, process)
        with inside(self._proxies):
            _wait_for(address, PROXY_PORT, process, folder)

    def _squid(self, squid: Squid, name: str, folder: Path) -> str:
        looks_into = squid.bumps or squid.cuts or 443 in squid.takes
        tls = ""
        if looks_into:
            issuing = self.pki.company_issuing
            (folder / "ca.pem").write_bytes(Credential(issuing.certificate, issuing.key, (self.pki.company_root.certificate,)).pem())
            (folder / "roots.pem").write_bytes(self.pki.public_roots.read_bytes())
            _run(str(CERTIFICATES), "-c", "-s", str(folder / "db"), "-M", "4MB")
            for path in (folder, *folder.rglob("*")):
                shutil.chown(path, "proxy", "proxy")
            tls = f" ssl-bump tls-cert={folder / 'ca.pem'} generate-host-certificates=on dynamic_cert_mem_cache_size=4MB"
        address = self.proxy_address(name)
        aside = [
            f"{'https_port' if port == 443 else 'http_port'} {address}:{_ASIDE + port} intercept{tls if port == 443 else ''}"
            for port in squid.takes
        ]
        inspects = [
            f"sslcrtd_program {CERTIFICATES} -s {folder / 'db'} -M 4MB", "sslcrtd_children 2 startup=1 idle=1",
            f"tls_outgoing_options cafile={folder / 'roots.pem'}", "acl first at_step SslBump1", "ssl_bump peek first",
            *_by_server_name("terminate", squid.cuts), *_by_server_name("bump", squid.bumps), "ssl_bump splice all",
        ] if looks_into else []
        logins = {
            "basic": [f"auth_param basic program /usr/lib/squid/basic_ncsa_auth {os.devnull}", "auth_param basic realm example"],
            "negotiate": [f"auth_param negotiate program {self._denies_all()}", "auth_param negotiate children 1"],
        }.get(squid.login, [])
        known = [f"acl known src 10.77.{self._numbers[name]}.2", "http_access allow known"] if squid.knows_server else []
        asks = ["acl people proxy_auth REQUIRED", "http_access allow people", "http_access deny all"] if squid.login else []
        # The page is what is sent where `access` denies by "portal".
        (folder / "portal.html").write_text("<html><body>Log in first.</body></html>\n", encoding="ascii")
        return "\n".join([
            f"http_port {address}:{PROXY_PORT}{tls}", *aside, "visible_hostname proxy.example", f"tcp_outgoing_address {address}",
            f"dns_nameservers {self._proxys_name_server(name) if squid.names else '127.0.0.1'}", "pid_filename none",
            "logformat asked %>a %Ss/%>Hs %rm %ru %{Proxy-Authorization}>h %{Authorization}>h", f"access_log {self.log(name)} asked",
            f"cache_log {folder / 'cache.log'}", f"coredump_dir {folder}", "cache deny all", "pinger_enable off",
            "shutdown_lifetime 0 seconds", *inspects, *logins, *self._waits(squid.seconds), *known, *squid.access, *asks,
            "http_access allow all", "",
        ])

    def log(self, name: str) -> Path:
        """A line for each request to a squid: who, what squid said, method, URL, credentials of both kinds (- where there were none)."""
        return self._open / name / "access.log"

    def _waits(self, seconds: int) -> list[str]:
        """Each connection is a question of its own (its port is in it), and squid asks them all of one program."""
        if not seconds:
            return []
        program = self._open / f"waits-{seconds}"
        answers = f'{{ sleep {seconds}; echo "$number OK"; }}'
        program.write_text(f"#!/bin/sh\nwhile read -r number rest; do {answers} & done\n", encoding="ascii")
        program.chmod(0o755)
        asks = f"external_acl_type waits concurrency=500 children-max=1 ttl=0 negative_ttl=0 %>p {program}"
        return [asks, "acl waits external waits", "http_access deny !waits"]

    def _denies_all(self) -> Path:
        """What squid asks about Windows logins: nobody ever gets in."""
        program = self._open / "denies-all"
        if not program.exists():
            program.write_text("#!/bin/sh\nwhile read -r line; do echo 'BH nobody'; done\n", encoding="utf-8")
            program.chmod(0o755)
        return program

    # -- what the playbook is given

    def inventory(self, engine: str) -> dict[str, Any]:
        hosts = {one.name: self._host(one, engine) for one in self.networks if one.played_by(engine)}
        return {"all": {"children": {"fleet": {"hosts": hosts}}}}

    def _host(self, network: Network, engine: str) -> dict[str, Any]:
        trust = self.pki.trust[network.scenario.trust]
        proxy = network.proxy_name or self.proxy_address(network.name)
        place = f"{proxy}:{PROXY_PORT}"
        way = "auto" if network.registry else f"http://{place}" if network.told_proxy else "direct"
        variables = {
            "preflight_tenant_id": TENANT, "preflight_public_roots": str(self.pki.public_roots), "preflight_proxy": way,
            **network.scenario.variables,
        }
        if engine == LOCAL:
            python = self._enters(network, f"{network.name}-python", sys.executable, SSL_CERT_FILE=str(trust), SSL_CERT_DIR="/nonexistent")
            return {"ansible_connection": "local", "ansible_python_interpreter": str(python), **variables}
        if network.name not in self.winrm:
            program = self._enters(network, f"{network.name}-pwsh", shutil.which("pwsh") or "pwsh")
            values = network.registry(place) if network.registry else ""
            looks = replace(SERVER_2022, trust=trust, values=values, accounts=KNOWS_INSTALLER)
            server = WinRMServer(looks, powershell=str(program))
            self.winrm[network.name] = self._stack.enter_context(server)
        return {**variables, **self.winrm[network.name].inventory_vars(operation_seconds=60)}

    def _enters(self, network: Network, name: str, program: str, **variables: str) -> Path:
        """A program that is this one inside the server's namespace."""
        path = self.folder / name
        exports = "".join(f"export {key}={shlex.quote(value)}\n" for key, value in variables.items())
        enter = f"exec ip netns exec {self._prefix}-s{self._numbers[network.name]} {shlex.quote(program)}"
        path.write_text(f'#!/bin/sh\nPATH=$PATH:/usr/sbin:/sbin\n{exports}{enter} "$@"\n', encoding="utf-8")
        path.chmod(0o755)
        return path


def _by_server_name(action: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    if names == EVERYTHING:
        return [f"ssl_bump {action} all"]
    return [f"acl {action}s ssl::server_name {' '.join(names)}", f"ssl_bump {action} {action}s"]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_for(address: str, port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    for _tenth in range(200):
        if process.poll() is not None:
            break
        try:
            with socket.create_connection((address, port), timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    logs = (file for file in (folder / "output", folder / "cache.log") if file.exists())
    said = "\n".join(file.read_text(encoding="utf-8", errors="replace")[-1500:] for file in logs)
    raise RuntimeError(f"the proxy at {address}:{port} does not listen:\n{said}")
