# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Windows engine (_Probe*.cs) and its module, in the `pwsh` on PATH, against small servers on loopback.

The engine is compiled as Ansible compiles it. One PowerShell makes all observations, since each start costs seconds;
the tests then look at them. What this shows is the engine's logic on PowerShell 7, not Schannel.
"""

from __future__ import annotations

import base64
import datetime
import json
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
x509 = pytest.importorskip("cryptography.x509", reason="cryptography is not installed")

from ansible_collections.appproxy.connector.plugins.plugin_utils.observe.host import SHAPES, parse_host  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402
from cryptography.x509 import ocsp  # noqa: E402

PWSH = shutil.which("pwsh")
if PWSH is None:
    pytest.skip("pwsh is not on PATH", allow_module_level=True)

ansible_utils = pytest.importorskip("ansible.module_utils", reason="ansible-core is not installed")
UTILS = Path(ansible_utils.__file__).parent

ROOT = Path(__file__).absolute().parent.parent.parent
OBSERVE = ROOT / "plugins" / "plugin_utils" / "observe"
PLUGINS = ROOT / "plugins"
NAMESPACE = "ansible_collections.appproxy.connector.plugins.module_utils._Probe"
DOMAIN = "example.test"
DEADLINE_MS = 3000

HARNESS = r"""
param([string] $Utils, [string] $Plugins, [string] $Fuzz, [string] $Work)
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
Import-Module (Join-Path $Utils 'powershell/Ansible.ModuleUtils.AddType.psm1')
# Since ansible-core 2.22 Ansible.Basic uses Ansible.Secrets.
$basic = Get-ChildItem (Join-Path $Utils 'csharp/*') -Include Ansible.Basic.cs, Ansible.Secrets.cs |
    ForEach-Object { Get-Content -Raw $_.FullName }
$probe = Get-ChildItem (Join-Path $Plugins 'module_utils/_Probe*.cs') | ForEach-Object { Get-Content -Raw $_.FullName }
$more = Get-ChildItem (Join-Path $Plugins 'module_utils/*') -Include _WinHttp.cs, _Rehearsal.cs |
    ForEach-Object { Get-Content -Raw $_.FullName }
Add-CSharpType -References (@($probe) + @($more) + @(Get-Content -Raw $Fuzz) + @($basic))
foreach ($name in '_ConnectorFact', '_ConnectorHost', '_ConnectorProxy', '_ConnectorRehearsal') {
    $body = [scriptblock]::Create((Get-Content -Raw (Join-Path $Plugins "module_utils/$name.psm1")))
    New-Module -Name $name -ScriptBlock $body | Import-Module
}
foreach ($file in Get-ChildItem $Work -Filter '*.request.json') {
    $request = [NAMESPACE.Json]::Read((Get-Content -Raw $file.FullName))
    $clock = [System.Diagnostics.Stopwatch]::StartNew()
    try {
        $answer = @{ observation = [NAMESPACE.Probe]::End([NAMESPACE.Probe]::Begin($request, $clock)) }
    } catch [System.ArgumentException] {
        $answer = @{ bad = $_.Exception.GetBaseException().Message }
    }
    $answer['wall_ms'] = $clock.ElapsedMilliseconds
    $to = $file.FullName -replace '\.request\.json$', '.answer.json'
    [System.IO.File]::WriteAllText($to, (ConvertTo-Json -Depth 99 $answer))
}
foreach ($file in Get-ChildItem $Work -Filter '*.module.json') {
    # The module itself; what it prints is kept, and where it would end the process it only stops.
    $printed = New-Object System.Collections.ArrayList
    [Ansible.Basic.AnsibleModule]::WriteLine = { param($line) $null = $printed.Add($line) }
    [Ansible.Basic.AnsibleModule]::Exit = { param($rc) throw "exit $rc" }
    # As Ansible hands the arguments over; a file of them is read otherwise by each series of ansible-core.
    $global:complex_args = New-Object System.Collections.Hashtable ([NAMESPACE.Json]::Read((Get-Content -Raw $file.FullName)))
    try { & (Join-Path $Plugins 'modules/connector_info.ps1') } catch { $null = $_ }
    [System.IO.File]::WriteAllText("$($file.FullName).out", ($printed -join "`n"))
}
foreach ($file in Get-ChildItem $Work -Filter '*.flight') {
    $verdicts = [NAMESPACE.Fuzz]::Run([System.IO.File]::ReadAllBytes($file.FullName), 3000, 7)
    [System.IO.File]::WriteAllText("$($file.FullName).json", (ConvertTo-Json -Depth 9 $verdicts))
}
""".replace("NAMESPACE", NAMESPACE)

# Compiled into one unit with the engine, so that it sees the parser, which is internal.
FUZZ = r"""
using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using Newtonsoft.Json.Linq;
using NAMESPACEHello;
using NAMESPACEStage;
using NAMESPACEWire;
namespace NAMESPACE
{
    public static class Json
    {
        public static IDictionary Read(string text)
        {
            return (IDictionary)Plain(JToken.Parse(text));
        }

        private static object Plain(JToken token)
        {
            JObject table = token as JObject;
            if (table != null)
                return table.Properties().ToDictionary(one => one.Name, one => Plain(one.Value));
            JArray list = token as JArray;
            return list != null ? list.Select(Plain).ToList() : ((JValue)token).Value;
        }
    }

    public static class Fuzz
    {
        // How often each verdict came over mutated flights; the first entry is the whole flight's, then byte by byte.
        public static Dictionary<string, object> Run(byte[] flight, int rounds, int seed)
        {
            Random random = new Random(seed);
            Dictionary<string, int> counts = new Dictionary<string, int>();
            for (int round = 0; round < rounds; round++)
            {
                List<byte> bytes = new List<byte>(flight);
                for (int change = random.Next(1, 4); change > 0; change--)
                {
                    int at = random.Next(bytes.Count);
                    switch (random.Next(4))
                    {
                        case 0: bytes[at] = (byte)random.Next(256); break;
                        case 1: bytes.RemoveRange(at, Math.Min(random.Next(1, 40), bytes.Count - at)); break;
                        case 2: bytes.InsertRange(at, new byte[random.Next(1, 40)]); break;
                        default: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                    }
                    if (bytes.Count == 0) { bytes.Add(0); }
                }
                string verdict = Read(bytes.ToArray(), random.Next(1, 2000));
                counts[verdict] = counts.ContainsKey(verdict) ? counts[verdict] + 1 : 1;
            }
            return new Dictionary<string, object> {
                { "whole", Read(flight, flight.Length) }, { "by_byte", Read(flight, 1) },
                { "split", Read(Split(flight), 100) }, { "counts", counts }, { "kept_bytes", Kept(flight) } };
        }

        // What is held of 16 MiB that a server says in the clear after its flight.
        private static long Kept(byte[] flight)
        {
            ClearWords words = new ClearWords();
            words.Feed(flight);
            byte[] requests = new byte[5 + 4096];
            new byte[] { 22, 3, 3, 16, 0 }.CopyTo(requests, 0);
            long before = GC.GetTotalMemory(true);
            for (int i = 0; i < 4096; i++)
                words.Feed(requests);
            long after = GC.GetTotalMemory(true);
            GC.KeepAlive(words);
            if (words.Suite == null || words.Alert != null)
                throw new InvalidOperationException("the flight was not read");
            return after - before;
        }

        // The same messages, one byte to a record.
        private static byte[] Split(byte[] flight)
        {
            List<byte> bytes = new List<byte>();
            int at = 0;
            while (at < flight.Length)
            {
                int length = flight[at + 3] << 8 | flight[at + 4];
                for (int i = 0; i < length; i++)
                {
                    bytes.AddRange(new byte[] { flight[at], 3, 3, 0, 1, flight[at + 5 + i] });
                }
                at += 5 + length;
            }
            return bytes.ToArray();
        }

        private static string Read(byte[] bytes, int step)
        {
            ServerFlight flight = new ServerFlight(chain => new List<object>());
            flight.Begin(new Facts());
            try
            {
                for (int at = 0; at < bytes.Length && !flight.Done; at += step)
                {
                    byte[] part = new byte[Math.Min(step, bytes.Length - at)];
                    Array.Copy(bytes, at, part, 0, part.Length);
                    flight.Feed(part, part.Length);
                }
                return flight.Done ? "done" : flight.Closed().Code;
            }
            catch (Fault e)
            {
                return e.Code;
            }
        }
    }
}
""".replace("NAMESPACE", NAMESPACE)


Handler = Callable[[socket.socket], None]


# ---- the lab ---------------------------------------------------------------------------------------------------------


class Authority:
    """A certificate authority with one intermediate, and leaves that name revocation URLs."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.root_key, self.issuer_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        self.root = self._sign(f"{name} Root", self.root_key, f"{name} Root", self.root_key, authority=True)
        self.issuer = self._sign(f"{name} Issuing", self.issuer_key, f"{name} Root", self.root_key, authority=True)
        self.root_file = folder / f"{name}.pem"
        self.root_file.write_bytes(self.root.public_bytes(serialization.Encoding.PEM))

    def _sign(self, name: str, key: Any, by: str, by_key: Any, *, authority: bool, hosts: tuple[str, ...] = (), days: int = 30) -> Any:
        now = datetime.datetime.now(datetime.timezone.utc)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, by)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=60))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if hosts:
            crl = x509.DistributionPoint([x509.UniformResourceIdentifier(f"http://crl.{DOMAIN}/lab.crl")], None, None, None)
            oids = x509.AuthorityInformationAccessOID
            issuer_url = x509.AccessDescription(oids.CA_ISSUERS, x509.UniformResourceIdentifier(f"http://crl.{DOMAIN}/lab.crt"))
            ocsp_url = x509.AccessDescription(oids.OCSP, x509.UniformResourceIdentifier(f"http://ocsp.{DOMAIN}"))
            builder = (
                builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
                .add_extension(x509.CRLDistributionPoints([crl]), critical=False)
                .add_extension(x509.AuthorityInformationAccess([ocsp_url, issuer_url]), critical=False)
            )
        return builder.sign(by_key, hashes.SHA256())

    def context(self, *hosts: str, days: int = 30) -> ssl.SSLContext:
        """Return a server's context with a leaf for the hosts and the intermediate."""
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = self._sign(hosts[0], key, f"{self.name} Issuing", self.issuer_key, authority=False, hosts=hosts, days=days)
        pem = self.folder / f"{self.name}-{hosts[0].replace('*', '_')}-{days}.pem"
        pem.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            + leaf.public_bytes(serialization.Encoding.PEM)
            + self.issuer.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        return context


class Servers:
    """Loopback servers by name, each connection in a thread of its own."""

    def __init__(self) -> None:
        self.connect_to: dict[str, str] = {}
        self._open: list[socket.socket] = []

    def listen(self, handler: Handler | None, backlog: int = 50) -> int:
        """Start a server and return its port; without a handler nobody accepts."""
        server = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self._open.append(server)
        if handler is not None:
            threading.Thread(target=self._accept, args=(server, handler), daemon=True).start()
        return int(server.getsockname()[1])

    def _accept(self, server: socket.socket, handler: Handler) -> None:
        with suppress(OSError):
            while True:
                connection, dummy = server.accept()
                connection.settimeout(20)
                threading.Thread(target=self._serve, args=(connection, handler), daemon=True).start()

    @staticmethod
    def _serve(connection: socket.socket, handler: Handler) -> None:
        with suppress(OSError), connection:
            handler(connection)

    def name(self, name: str, port: int, endpoint_port: int = 443) -> str:
        """Give a server a name of the lab's domain; returns host:port as asked for."""
        self.connect_to[f"{name}.{DOMAIN}:{endpoint_port}"] = f"127.0.0.1:{port}"
        return f"{name}.{DOMAIN}:{endpoint_port}"

    def full(self) -> int:
        """Return a port whose accept queue is full: a SYN to it is dropped."""
        port = self.listen(None, backlog=0)
        for _round in range(3):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
            self._open.append(client)
        time.sleep(0.1)
        return port

    def close(self) -> None:
        for one in self._open:
            one.close()


def read_head(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(4096)
        if not more:
            return b""
        data += more
    return data


def answering(*parts: bytes, then: Handler = lambda connection: None) -> Handler:
    """Read a request's head, send the parts, then do one thing more."""

    def handle(connection: socket.socket) -> None:
        if read_head(connection):
            for part in parts:
                connection.sendall(part)
            then(connection)

    return handle


OK_ANSWER = b"HTTP/1.1 200 OK\r\nServer: lab\r\nContent-Length: 5\r\nX-Secret: no\r\n\r\nhello"


def once_silent() -> Handler:
    """Silent to the first connection; the others are answered."""
    met: list[bool] = []

    def handle(connection: socket.socket) -> None:
        if read_head(connection) and not met:
            met.append(True)
            connection.recv(1)
        else:
            connection.sendall(OK_ANSWER)

    return handle


def over_tls(context: ssl.SSLContext, handler: Handler) -> Handler:
    def handle(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            handler(secure)

    return handle


def after_hello(*parts: bytes, then: Handler = lambda connection: None, pause: float = 0.0) -> Handler:
    """Read something, send the parts in the clear, then do one thing more."""

    def handle(connection: socket.socket) -> None:
        connection.recv(65536)
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        then(connection)

    return handle


def hold(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def relay(to: int, refuse: Callable[[bytes], bool] = lambda first: False) -> Handler:
    """Pass bytes on to a port; resets when the client's first bytes are refused."""

    def handle(connection: socket.socket) -> None:
        first = connection.recv(65536)
        if refuse(first):
            reset(connection)
            return
        with socket.create_connection(("127.0.0.1", to)) as server:
            server.sendall(first)
            pump(connection, server)

    return handle


def pump(one: socket.socket, other: socket.socket) -> None:
    def copy(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=copy, args=(other, one), daemon=True)
    thread.start()
    copy(one, other)
    thread.join(20)


def offers_tls13(hello: bytes) -> bool:
    return b"\x00\x2b" in hello and b"\x03\x04" in hello[hello.rindex(b"\x00\x2b") :][:16]


def proxy(seen: list[bytes]) -> Handler:
    """A forward proxy for CONNECT and absolute-URI GET."""

    def handle(connection: socket.socket) -> None:
        head = read_head(connection)
        seen.append(head)
        method, what, dummy = head.split(b"\r\n", 1)[0].decode().split(" ")
        authority = what if method == "CONNECT" else what.split("/")[2]
        with socket.create_connection((authority.rsplit(":", 1)[0], int(authority.rsplit(":", 1)[1]))) as server:
            if method == "CONNECT":
                connection.sendall(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 lab\r\n\r\n")
            else:
                server.sendall(head)
            pump(connection, server)

    return handle


# ---- what is observed ------------------------------------------------------------------------------------------------


class Lab:
    """Servers, requests to make of them, and afterwards the answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.servers = Servers()
        self.trusted = Authority(folder, "Trusted")
        self.private = Authority(folder, "Private")
        self.proxy_seen: list[bytes] = []
        self.http_seen: list[bytes] = []
        self.requests: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, dict[str, Any]] = {}
        self.results: dict[str, dict[str, Any]] = {}
        self.fuzz: dict[str, Any] = {}

    def target(self, name: str, port: int, *, tls: bool = True, endpoint_port: int = 443, **more: Any) -> dict[str, Any]:
        identity = self.servers.name(name, port, endpoint_port)
        return {"id": identity, "host": f"{name}.{DOMAIN}", "port": endpoint_port, "tls": tls, **more}

    def request(self, name: str, targets: list[dict[str, Any]], ways: dict[str, str] | None = None, **more: Any) -> None:
        paths = [{"id": key, "ways": [way]} for key, way in (ways or {"direct": "direct"}).items()]
        self.requests[name] = {"schema": 1, "targets": targets, "paths": paths, "connect_to": self.servers.connect_to, **more}

    def observe(self) -> None:
        for name, request in self.requests.items():
            (self.folder / f"{name}.request.json").write_text(json.dumps(request), encoding="utf-8")
        for name in ("recheck", "bad0", "bad-host", "bad-detect", "bad-rehearsal", "empty-host"):
            arguments = {"request": self.requests[name], "_ansible_check_mode": name == "recheck"}
            (self.folder / f"{name}.module.json").write_text(json.dumps(arguments), encoding="utf-8")
        self.run()
        for name in self.requests:
            self.answers[name] = json.loads((self.folder / f"{name}.answer.json").read_text(encoding="utf-8"))
        for out in self.folder.glob("*.module.json.out"):
            self.results[out.name.split(".")[0]] = json.loads(out.read_text(encoding="utf-8"))
        for flight in self.folder.glob("*.flight"):
            self.fuzz[flight.stem] = json.loads((self.folder / f"{flight.name}.json").read_text(encoding="utf-8"))

    def run(self, *around: str) -> None:
        """Let one PowerShell make the observations, in a command around it; the lab's authority is the only trusted one."""
        harness, fuzz = self.folder / "harness.ps1", self.folder / "Fuzz.cs"
        harness.write_text(HARNESS, encoding="utf-8")
        fuzz.write_text(FUZZ, encoding="utf-8")
        trust = {"SSL_CERT_FILE": str(self.trusted.root_file), "SSL_CERT_DIR": "/nonexistent", "HOME": str(self.folder)}
        arguments = [harness, UTILS, PLUGINS, fuzz, self.folder]
        command = [*around, str(PWSH), "-NoProfile", "-NonInteractive", "-File", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, env={**os.environ, **trust}, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def seen(self, request: str) -> dict[str, Any]:
        observation: dict[str, Any] = self.answers[request]["observation"]
        return observation

    def stages(self, name: str, request: str = "direct", path: str = "direct", port: int = 443) -> dict[str, Any]:
        """Return the stages of the one attempt of the first wave at a name."""
        wanted = f"{name}.{DOMAIN}:{port}"
        found = [a for a in self.seen(request)["attempts"] if a["target"] == wanted and a["path"] == path and a["wave"] == 1]
        assert len(found) == 1
        stages: dict[str, Any] = found[0]["stages"]
        return stages


def add_direct(lab: Lab) -> None:
    """One observation of everything that can be had without a proxy."""
    servers = lab.servers
    wild = f"*.{DOMAIN}"
    healthy = over_tls(lab.trusted.context(wild), answering(OK_ANSWER))
    tls12 = lab.trusted.context(wild)
    tls12.maximum_version = ssl.TLSVersion.TLSv1_2
    tls13 = lab.trusted.context(wild)
    tls13.minimum_version = ssl.TLSVersion.TLSv1_3
    asking = lab.trusted.context(wild)
    asking.maximum_version = ssl.TLSVersion.TLSv1_2
    asking.load_verify_locations(lab.private.root_file)
    asking.verify_mode = ssl.CERT_OPTIONAL
    requiring = lab.trusted.context(wild)
    requiring.maximum_version = ssl.TLSVersion.TLSv1_2
    requiring.load_verify_locations(lab.private.root_file)
    requiring.verify_mode = ssl.CERT_REQUIRED
    healthy_port = servers.listen(healthy)
    upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    chunks = b"HTTP/1.1 302 Found\r\nLocation: /x\r\nVia: 1.1 a\r\nVia: 1.1 b\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as closed:
        closed_port = closed.getsockname()[1]
    handlers: dict[str, Handler] = {
        "tls12": over_tls(tls12, answering(OK_ANSWER)),
        "tls13": over_tls(tls13, answering(OK_ANSWER)),
        "asks": over_tls(asking, answering(OK_ANSWER)),
        "requires": over_tls(requiring, answering(OK_ANSWER)),
        "private": over_tls(lab.private.context(wild), answering(OK_ANSWER)),
        "wrong-name": over_tls(lab.trusted.context("other.invalid"), answering(OK_ANSWER)),
        "expired": over_tls(lab.trusted.context(wild, days=-1), answering(OK_ANSWER)),
        "all-wrong": over_tls(lab.private.context("other.invalid", days=-1), answering(OK_ANSWER)),
        "silent": hold,
        "stalls": after_hello(b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76", then=hold),
        "slow": after_hello(*[bytes([b]) for b in b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76"], then=hold, pause=0.4),
        "alert": after_hello(b"\x15\x03\x03\x00\x02\x01\x70", b"\x15\x03\x03\x00\x02\x02\x28", then=hold),
        "plain": after_hello(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
        "resets": after_hello(then=reset),
        "closes": after_hello(),
        "malformed": after_hello(b"\x16\x03\x03\x00\x04\x0e\x00\x00\x00", then=hold),
        "tls13-cut": relay(healthy_port, refuse=offers_tls13),
        "chunked": over_tls(lab.trusted.context(wild), answering(chunks + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")),
        "mute": over_tls(lab.trusted.context(wild), hold),
        "no-http": over_tls(lab.trusted.context(wild), answering(b"220 mail ready\r\n")),
        "half-body": over_tls(lab.trusted.context(wild), answering(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello")),
    }
    targets = [lab.target("healthy", healthy_port, get="/a?b", user_agent="Lab/1.0")]
    targets += [lab.target(name, servers.listen(handler)) for name, handler in handlers.items()]
    targets.append(lab.target("closed", closed_port))
    targets.append(lab.target("dropped", servers.full()))
    targets.append({"id": "nobody.invalid:443", "host": "nobody.invalid", "port": 443, "tls": True})
    socket_port = servers.listen(over_tls(lab.trusted.context(wild), answering(upgrade)))
    targets.append(lab.target("websocket", socket_port, websocket="/$servicebus/websocket"))

    def revocation(connection: socket.socket) -> None:
        head = read_head(connection)
        lab.http_seen.append(head)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/pkix-crl\r\nContent-Length: 600\r\n\r\n" + b"x" * 600)

    port = servers.listen(revocation)
    servers.name("crl", port, 80)
    servers.name("ocsp", port, 80)
    targets.append(lab.target("crl", port, tls=False, endpoint_port=80, get="/lab.crt"))
    timeouts = {"connect": 2000, "hello": 2500, "handshake": 3000, "request": 3000}
    lab.request("direct", targets, timeouts_ms=timeouts, deadline_ms=20000, parallel=32)


def add_proxies(lab: Lab) -> None:
    """One observation over a proxy of each kind, of one TLS endpoint and one plain one."""
    servers = lab.servers
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate\r\n"
    refusal += b'Proxy-Authenticate: Basic realm="a, b", Digest nonce="x=y", qop="auth"\r\nContent-Length: 4\r\n\r\nwho?'
    handlers: dict[str, Handler] = {
        "open": proxy(lab.proxy_seen),
        "password": answering(refusal),
        "denies": answering(b"HTTP/1.1 403 Forbidden\r\nServer: squid\r\nContent-Length: 600\r\n\r\n" + b"n" * 600),
        "azure": answering(b"HTTP/1.1 470 Denied\r\nContent-Length: 0\r\n\r\n"),
        "portal": answering(b"HTTP/1.1 511 Network Authentication Required\r\nContent-Length: 0\r\n\r\n"),
        "gateway": answering(b"HTTP/1.1 502 Bad Gateway\r\n\r\n"),
        "lingers": answering(b"HTTP/1.1 407 Who\r\nContent-Length: 9\r\n\r\n", b"half", then=hold),
        "malformed": answering(b"SSH-2.0-lab\r\n"),
        "closes": answering(),
        "silent": hold,
    }
    ways = {name: f"http://127.0.0.1:{servers.listen(handler)}" for name, handler in handlers.items()}
    ways["nowhere"] = "http://proxy.invalid:8080"
    port = servers.listen(answering(OK_ANSWER))
    healthy = servers.connect_to[f"healthy.{DOMAIN}:443"].rsplit(":", 1)[1]
    targets = [lab.target("healthy", int(healthy)), lab.target("web", port, tls=False, endpoint_port=80, get="/list")]
    lab.request("proxies", targets, ways, timeouts_ms={"proxy": 2500}, revocation={"limit": 1})


def add_deadline(lab: Lab) -> None:
    port = lab.servers.full()
    targets = [lab.target(f"dropped{number}", port, websocket="/x") for number in range(20)]
    lab.request("deadline", targets, deadline_ms=DEADLINE_MS)
    stand = [lab.target(name, lab.servers.listen(once_silent()), tls=False) for name in ("once1", "once2")]
    lost = [*stand, lab.target("dropped1", port), lab.target("dropped2", port)]
    lab.request("recheck", lost, timeouts_ms={"connect": 300, "request": 500})


def record_flight(lab: Lab, options: str) -> None:
    """Write a TLS 1.2 server's flight to a file, as a socket would give it."""
    context = lab.trusted.context(f"*.{DOMAIN}")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    if options == "asks":
        context.load_verify_locations(lab.private.root_file)
        context.verify_mode = ssl.CERT_OPTIONAL
    client = ssl.create_default_context().wrap_bio(to_client := ssl.MemoryBIO(), to_server := ssl.MemoryBIO(), server_hostname=DOMAIN)
    server = context.wrap_bio(from_client := ssl.MemoryBIO(), from_server := ssl.MemoryBIO(), server_side=True)
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    from_client.write(to_server.read())
    with suppress(ssl.SSLWantReadError):
        server.do_handshake()
    assert to_client.pending == 0
    (lab.folder / f"{options}.flight").write_bytes(from_server.read())


HOSTS = f"""\
127.0.0.3 living-first.{DOMAIN}
127.0.0.1 living-first.{DOMAIN}
::1 dead-first.{DOMAIN}
127.0.0.1 dead-first.{DOMAIN}
"""


BAD = {
    "targets[0].port": {"port": 0},
    "targets[0].tls": {"tls": "yes"},
    "targets[0].host": {"host": "a b"},
    "targets[0].get": {"get": "/a\r\nX: y"},
    "targets[0].user_agent": {"user_agent": "a\r\nX: y"},
    "targets[0].colour": {"colour": "red"},
}


def add_bad(lab: Lab) -> None:
    for number, change in enumerate(BAD.values()):
        lab.request(f"bad{number}", [{"id": "a:1", "host": "a", "port": 1, "tls": True, **change}])
    lab.request("bad-way", [], {"p": "http://user@proxy:1"})
    lab.request("bad-deadline", [], deadline_ms=-1)
    lab.request("bad-schema", [])
    lab.requests["bad-schema"]["schema"] = 2
    # The module's own part of a request.
    for name, more in {
        "bad-host": {"host": "x"}, "bad-detect": {"detect": 1}, "bad-rehearsal": {"rehearse_client_certificate": ["x"]},
        "empty-host": {"host": {}},
    }.items():
        lab.request(name, [])
        lab.requests[name].update(more)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    one = Lab(tmp_path_factory.mktemp("probe"))
    add_direct(one)
    add_proxies(one)
    add_deadline(one)
    add_bad(one)
    record_flight(one, "plain")
    record_flight(one, "asks")
    one.observe()
    yield one
    one.servers.close()


# ---- what it must be -------------------------------------------------------------------------------------------------


def error(stage: dict[str, Any]) -> str:
    assert stage["state"] == "error", stage
    code: str = stage["error"]["code"]
    return code


@pytest.mark.parametrize("name", ["direct", "proxies", "deadline", "recheck"])
def test_observation_follows_the_schema(lab: Lab, name: str) -> None:
    seen = {
        **lab.seen(name),
        "engine": {"name": "connector_info", "version": "1.0.0", "family": "windows", "platform": "x"},
        "seen_as": "x",
        "seen_at": "2026-01-01T00:00:00Z",
    }
    schema = json.loads((OBSERVE / "observation.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(seen)
    request = json.loads((OBSERVE / "request.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(request).validate(lab.requests[name])


def test_attempts_stand_in_the_order_of_the_request(lab: Lab) -> None:
    for name in ("direct", "proxies", "deadline"):
        request = lab.requests[name]
        first = [(a["path"], a["target"]) for a in lab.seen(name)["attempts"] if a["wave"] == 1]
        assert first == [(path["id"], target["id"]) for path in request["paths"] for target in request["targets"]]


def test_platform_hello(lab: Lab) -> None:
    hello = lab.seen("direct")["platform_hello"]
    assert hello["ok"]
    assert 771 in hello["value"]["versions"]
    assert {49199, 49200} & set(hello["value"]["suites"])
    assert 0x0401 in hello["value"]["signature_algorithms"]
    assert hello["value"]["extensions"][0] in (0, 65281, 10)
    assert hello["value"]["bytes"] > 100


def test_healthy(lab: Lab) -> None:
    stages = lab.stages("healthy")
    assert list(stages) == ["resolve", "connect", "hello", "handshake", "request"]
    assert {name: stage["state"] for name, stage in stages.items()} == dict.fromkeys(stages, "ok")
    assert stages["resolve"]["facts"] == {"name": "127.0.0.1", "literal": True, "addresses": ["127.0.0.1"]}
    assert stages["connect"]["facts"] == {"local": "127.0.0.1"}
    hello, handshake = stages["hello"]["facts"], stages["handshake"]["facts"]
    assert (hello["version"], hello["template"], hello["downgrade_sentinel"]) == ("TLSv1.2", "platform", True)
    assert hello["key_exchange"]["kind"] == "ecdhe"
    assert hello["key_exchange"]["signature_algorithm"] == 0x0403
    assert hello["certificate_request"] is None
    assert (handshake["version"], handshake["protocols"], handshake["errors"]) == ("TLSv1.3", "default", [])
    assert handshake["cipher"].startswith("TLS_AES_")
    assert handshake["chain"] == hello["chain"]
    certificates = [base64.b64decode(lab.seen("direct")["certificates"][one]) for one in hello["chain"]]
    assert [x509.load_der_x509_certificate(one).subject.rfc4514_string() for one in certificates] == [
        f"CN=*.{DOMAIN}",
        "CN=Trusted Issuing",
    ]
    answer = stages["request"]["facts"]
    assert (answer["status"], answer["reason"], answer["body_bytes"]) == (200, "OK", 5)
    assert answer["headers"] == {"server": ["lab"], "content-length": ["5"]}
    assert base64.b64decode(answer["body"]) == b"hello"


def test_tls_versions(lab: Lab) -> None:
    assert lab.stages("tls12")["handshake"]["facts"]["version"] == "TLSv1.2"
    assert lab.stages("tls12")["handshake"]["facts"]["cipher"].startswith("TLS_ECDHE_ECDSA_WITH_")
    assert lab.stages("tls12")["hello"]["facts"]["downgrade_sentinel"] is False
    only = lab.stages("tls13")
    assert (only["hello"]["error"]["code"], only["hello"]["error"]["description"]) == ("alert", 70)
    assert only["handshake"]["facts"]["version"] == "TLSv1.3"
    assert only["request"]["state"] == "ok"


def test_client_certificate(lab: Lab) -> None:
    asked = lab.stages("asks")["hello"]["facts"]["certificate_request"]
    assert asked["issuers"] == 0
    assert 0x0601 in asked["signature_algorithms"]
    assert lab.stages("asks")["request"]["state"] == "ok"
    required = lab.stages("requires")
    assert required["hello"]["facts"]["certificate_request"] is not None
    assert (error(required["handshake"]), required["handshake"]["error"]["description"]) == ("alert", 40)
    assert "request" not in required


@pytest.mark.parametrize(
    ("name", "errors"),
    [
        ("private", ["untrusted"]),
        ("wrong-name", ["name_mismatch"]),
        ("expired", ["expired"]),
        ("all-wrong", ["untrusted", "name_mismatch", "expired"]),
    ],
)
def test_certificate_errors(lab: Lab, name: str, errors: list[str]) -> None:
    stages = lab.stages(name)
    assert error(stages["handshake"]) == errors[0]
    assert stages["handshake"]["facts"]["errors"] == errors
    assert len(stages["handshake"]["facts"]["chain"]) == 2
    assert stages["request"]["facts"]["status"] == 200


@pytest.mark.parametrize(
    ("name", "hello", "handshake"),
    [
        ("silent", "timeout", "timeout"),
        ("stalls", "stalled", "timeout"),
        ("slow", "stalled", "timeout"),
        ("alert", "alert", "alert"),
        ("plain", "not_tls", "protocol"),
        ("resets", "reset", "reset"),
        ("closes", "closed", "closed"),
        ("malformed", "malformed", "protocol"),
    ],
)
def test_broken_tls(lab: Lab, name: str, hello: str, handshake: str) -> None:
    stages = lab.stages(name)
    assert (error(stages["hello"]), error(stages["handshake"])) == (hello, handshake)
    assert "request" not in stages


def test_details_of_broken_tls(lab: Lab) -> None:
    assert lab.stages("stalls")["hello"]["error"]["bytes"] == 9
    assert lab.stages("plain")["hello"]["error"]["first_bytes"].startswith(b"HTTP/1.1 400".hex())
    alert = lab.stages("alert")
    assert (alert["hello"]["error"]["level"], alert["hello"]["error"]["description"]) == (2, 40)
    assert alert["hello"]["facts"]["warnings"] == [[1, 112]]
    assert (alert["handshake"]["error"]["level"], alert["handshake"]["error"]["description"]) == (2, 40)


def test_tls13_cut_on_the_path(lab: Lab) -> None:
    stages = lab.stages("tls13-cut")
    assert stages["hello"]["state"] == "ok"
    assert stages["handshake"]["facts"]["protocols"] == "tls12"
    assert stages["handshake"]["facts"]["default_error"] == "reset"
    assert stages["request"]["facts"]["status"] == 200


def test_no_connection(lab: Lab) -> None:
    assert error(lab.stages("closed")["connect"]) == "refused"
    assert error(lab.stages("dropped")["connect"]) == "timeout"
    assert list(lab.stages("dropped")) == ["resolve", "connect"]
    nobody = [a for a in lab.seen("direct")["attempts"] if a["target"] == "nobody.invalid:443"]
    assert len(nobody) == 1
    assert nobody[0]["address"] is None
    assert list(nobody[0]["stages"]) == ["resolve"]
    assert error(nobody[0]["stages"]["resolve"]) in ("nxdomain", "server_failure")


def test_answers(lab: Lab) -> None:
    chunked = lab.stages("chunked")["request"]["facts"]
    assert (chunked["status"], chunked["headers"]["location"], chunked["headers"]["via"]) == (302, ["/x"], ["1.1 a", "1.1 b"])
    assert base64.b64decode(chunked["body"]) == b"abcde"
    assert error(lab.stages("mute")["request"]) == "timeout"
    assert error(lab.stages("no-http")["request"]) == "malformed"
    half = lab.stages("half-body")["request"]
    assert error(half) == "closed"
    assert half["facts"]["status"] == 200
    assert base64.b64decode(half["facts"]["body"]) == b"hello"
    assert lab.stages("websocket")["websocket"]["facts"]["status"] == 101


def test_second_wave(lab: Lab) -> None:
    second = [a for a in lab.seen("direct")["attempts"] if a["wave"] == 2]
    # lab.crt is a target of the first wave.
    assert [a["url"] for a in second] == [f"http://crl.{DOMAIN}/lab.crl", f"http://ocsp.{DOMAIN}"]
    assert [a["target"] for a in second] == [f"crl.{DOMAIN}:80", f"ocsp.{DOMAIN}:80"]
    for attempt in second:
        assert list(attempt["stages"]) == ["resolve", "connect", "request"]
        assert attempt["stages"]["request"]["facts"]["body_bytes"] == 512
    heads = b"".join(lab.http_seen)
    assert b"Microsoft-CryptoAPI/10.0" in heads
    path = next(head for head in lab.http_seen if head.startswith((b"GET /ME", b"GET /MF"))).split(b" ")[1]
    asked = ocsp.load_der_ocsp_request(base64.b64decode(unquote(path.decode()[1:])))
    leaf_der = base64.b64decode(lab.seen("direct")["certificates"][lab.stages("healthy")["hello"]["facts"]["chain"][0]])
    leaf = x509.load_der_x509_certificate(leaf_der)
    expected = ocsp.OCSPRequestBuilder().add_certificate(leaf, lab.trusted.issuer, hashes.SHA1()).build()
    assert asked.public_bytes(serialization.Encoding.DER) == expected.public_bytes(serialization.Encoding.DER)


def test_open_proxy(lab: Lab) -> None:
    stages = lab.stages("healthy", "proxies", "open")
    assert list(stages) == ["resolve", "connect", "proxy", "hello", "handshake", "request"]
    assert {stage["state"] for stage in stages.values()} == {"ok"}
    assert stages["proxy"]["facts"]["status"] == 200
    assert stages["proxy"]["facts"]["headers"] == {"via": ["1.1 lab"]}
    plain = lab.stages("web", "proxies", "open", 80)
    assert plain["proxy"]["facts"]["plain"] is True
    assert plain["request"]["facts"]["status"] == 200
    assert all(b"authorization" not in head.lower() for head in lab.proxy_seen)


@pytest.mark.parametrize(
    ("path", "code", "plain"),
    [
        ("password", "auth_required", "auth_required"),
        ("denies", "denied", None),
        ("azure", "denied", None),
        ("portal", "denied", None),
        ("gateway", "bad_gateway", "bad_gateway"),
        ("lingers", "auth_required", "auth_required"),
        ("malformed", "malformed", "malformed"),
        ("closes", "closed", "closed"),
        ("silent", "timeout", "timeout"),
    ],
)
def test_refusing_proxies(lab: Lab, path: str, code: str, plain: str | None) -> None:
    stages = lab.stages("healthy", "proxies", path)
    assert error(stages["proxy"]) == code
    assert list(stages) == ["resolve", "connect", "proxy"]
    web = lab.stages("web", "proxies", path, 80)
    if plain is None:
        assert web["request"]["facts"]["status"] in (403, 470, 511)
    else:
        assert error(web["proxy"]) == plain
        assert "request" not in web


def test_words_of_refusals(lab: Lab) -> None:
    asks = lab.stages("healthy", "proxies", "password")["proxy"]["facts"]
    assert asks["challenges"] == ["Negotiate", "Basic", "Digest"]
    assert base64.b64decode(asks["body"]) == b"who?"
    denies = lab.stages("healthy", "proxies", "denies")["proxy"]["facts"]
    assert denies["headers"]["server"] == ["squid"]
    assert base64.b64decode(denies["body"]) == b"n" * 512
    nowhere = lab.stages("healthy", "proxies", "nowhere")
    assert list(nowhere) == ["resolve"]
    assert nowhere["resolve"]["facts"]["name"] == "proxy.invalid"


def test_deadline_is_kept(lab: Lab) -> None:
    seen = lab.seen("deadline")
    assert lab.answers["deadline"]["wall_ms"] <= DEADLINE_MS + 500
    assert seen["elapsed_ms"] >= DEADLINE_MS - 50
    assert len(seen["attempts"]) == 20
    for attempt in seen["attempts"]:
        for name in ("connect", "hello", "handshake", "request", "websocket"):
            assert attempt["stages"][name] == {"state": "not_run", "reason": "deadline"}


def test_what_stands_when_it_is_tried_again_alone_takes_the_place_of_the_first_try(lab: Lab) -> None:
    """And the next is tried again, until one is lost again."""
    seen = lab.seen("recheck")
    assert [(one["path"], one["target"].split(".")[0], one["stage"], one["result"]["state"]) for one in seen["rechecks"]] == [
        ("direct", "once1", "request", "ok"), ("direct", "once2", "request", "ok"), ("direct", "dropped1", "connect", "error"),
    ]
    ended = [list(attempt["stages"].values())[-1] for attempt in seen["attempts"]]
    assert [one["state"] for one in ended] == ["ok", "ok", "error", "error"]
    assert [error(one) for one in ended[2:]] == ["timeout", "timeout"]


def test_only_what_a_crowd_can_cause_is_tried_again(lab: Lab) -> None:
    """Of all kinds of failure only the silence of one, which is silent again."""
    assert [(one["target"], one["stage"]) for one in lab.seen("direct")["rechecks"]] == [(f"silent.{DOMAIN}:443", "handshake")]


@pytest.mark.parametrize("name", ["plain", "asks"])
def test_parser_over_mutated_flights(lab: Lab, name: str) -> None:
    verdicts = lab.fuzz[name]
    assert (verdicts["whole"], verdicts["by_byte"], verdicts["split"]) == ("done", "done", "done")
    counts = verdicts["counts"]
    assert set(counts) <= {"done", "closed", "malformed", "not_tls", "alert"}
    assert sum(counts.values()) == 3000
    assert counts["malformed"] > 100
    assert verdicts["kept_bytes"] < 1 << 20


def test_utils_use_only_those_before_them() -> None:
    """In the order that _Probe.cs states: ansible-core finds them by their `using` lines, and a circle would confuse it."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (PLUGINS / "module_utils").glob("_Probe*.cs")}
    stated = texts["_Probe"].split("only those before it:")[1].split("using ")[0]
    order = [*re.findall(r"_Probe\w+", stated), "_Probe"]
    assert sorted(order) == sorted(texts)
    for number, name in enumerate(order):
        assert f"namespace {NAMESPACE}{name.removeprefix('_Probe')}\n" in texts[name]
        assert set(re.findall(r"^using ansible_collections\.[\w.]+\.(\w+);$", texts[name], re.MULTILINE)) <= set(order[:number])


def test_bad_requests_name_the_key(lab: Lab) -> None:
    for number, key in enumerate(BAD):
        assert lab.answers[f"bad{number}"]["bad"].startswith(f"request.{key}: ")
    assert lab.answers["bad-way"]["bad"].startswith("request.paths[0].ways: ")
    assert lab.answers["bad-deadline"]["bad"].startswith("request.deadline_ms: ")
    assert lab.answers["bad-schema"]["bad"].startswith("request.schema: ")


def test_module_returns_the_observation(lab: Lab) -> None:
    result = lab.results["recheck"]
    assert result["changed"] is False
    observation = result["observation"]
    schema = json.loads((OBSERVE / "observation.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(observation)
    assert (observation["engine"]["name"], observation["engine"]["family"]) == ("connector_info", "windows")
    assert "PowerShell" in observation["engine"]["platform"]
    assert observation["seen_as"].strip("\\")
    seen_at = datetime.datetime.strptime(observation["seen_at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)
    assert abs((datetime.datetime.now(datetime.timezone.utc) - seen_at).total_seconds()) < 120


def test_module_fails_on_a_bad_request_with_the_key(lab: Lab) -> None:
    result = lab.results["bad0"]
    assert result["failed"] is True
    assert result["msg"].startswith("request.targets[0].port: ")
    assert lab.results["bad-host"]["msg"] == "request.host: must be a dictionary"
    assert lab.results["bad-detect"]["msg"] == "request.detect: must be true or false"
    assert lab.results["bad-rehearsal"]["msg"] == "request.rehearse_client_certificate: must be a dictionary"


def test_module_reads_the_servers_facts_where_it_is_asked_to(lab: Lab) -> None:
    assert lab.results["recheck"]["observation"]["host"] is None
    host = lab.results["empty-host"]["observation"]["host"]
    assert set(host) == set(SHAPES)
    parse_host(host, "host")


def test_further_addresses(tmp_path: Path) -> None:
    """In a mount namespace with a hosts file of its own."""
    hosts = tmp_path / "hosts"
    hosts.write_text(HOSTS, encoding="utf-8")
    private = ("unshare", "--map-root-user", "--mount", "sh", "-c", f'mount --bind "{hosts}" /etc/hosts && exec "$@"', "sh")
    if shutil.which("unshare") is None or subprocess.run([*private, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no mount namespaces here")
    one = Lab(tmp_path)
    port = one.servers.listen(over_tls(one.trusted.context(f"*.{DOMAIN}"), answering(OK_ANSWER)))
    names = [f"{name}.{DOMAIN}" for name in ("living-first", "dead-first")]
    targets: list[dict[str, Any]] = [{"id": f"{name}:{port}", "host": name, "port": port, "tls": True} for name in names]
    targets += [{**targets[0], "id": "one", "addresses": False}, {**targets[1], "id": "refused", "addresses": False}]
    one.requests["many"] = {"schema": 1, "paths": [{"id": "direct", "ways": ["direct"]}], "targets": targets, "revocation": {"limit": 0}}
    (tmp_path / "many.request.json").write_text(json.dumps(one.requests["many"]), encoding="utf-8")
    one.run(*private)
    one.servers.close()
    seen = json.loads((tmp_path / "many.answer.json").read_text(encoding="utf-8"))["observation"]["attempts"]
    attempts = [(a["target"], a["address"], {name: stage["state"] for name, stage in a["stages"].items()}) for a in seen]
    rest = {"connect": "ok", "hello": "ok", "handshake": "ok", "request": "ok"}
    whole = {"resolve": "ok", **rest}
    assert attempts == [
        # The system puts the address that it would connect from first.
        (f"{names[0]}:{port}", "127.0.0.1", whole),
        (f"{names[0]}:{port}", "127.0.0.3", {"connect": "error"}),
        (f"{names[1]}:{port}", "::1", {"resolve": "ok", "connect": "error"}),
        (f"{names[1]}:{port}", "127.0.0.1", rest),
        ("one", "127.0.0.1", whole),
        # Not asked for, and gone on to all the same.
        ("refused", "::1", {"resolve": "ok", "connect": "error"}),
        ("refused", "127.0.0.1", rest),
    ]
