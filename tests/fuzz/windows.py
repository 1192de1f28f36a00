# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Windows engine's parsers over the same cases, in one PowerShell: `answers` gives for each case what the engine answered.

PowerShell 7 on this machine, not Windows. The engine is compiled as Ansible compiles it, in one unit with a harness that sees its
internal parsers.
"""

from __future__ import annotations

import base64
import json
import subprocess
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ansible.module_utils
from cryptography import x509
from lab.winrm import find_powershell

from . import samples
from .engine import Bytes

PLUGINS = Path(__file__).absolute().parents[2] / "plugins"
UTILS = Path(ansible.module_utils.__file__).parent
NAMESPACE = "ansible_collections.appproxy.connector.plugins.module_utils._Probe"
PARSERS = ("http", "flight", "certificate")
"""Those that both engines have."""

_HARNESS = r"""
param([string] $Utils, [string] $Plugins, [string] $Fuzz)
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
Import-Module (Join-Path $Utils 'powershell/Ansible.ModuleUtils.AddType.psm1')
$probe = Get-ChildItem (Join-Path $Plugins 'module_utils/_Probe*.cs') | ForEach-Object { Get-Content -Raw $_.FullName }
$null = Add-CSharpType -References (@($probe) + @(Get-Content -Raw $Fuzz))
[NAMESPACE.Fuzz]::Run()
"""

_FUZZ = r"""
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using Newtonsoft.Json;
using NAMESPACEHello;
using NAMESPACEHttp;
using NAMESPACERevocation;
using NAMESPACEStage;
//AssemblyReference -Type Newtonsoft.Json.JsonConvert -CLR Core
//NoWarn -Name CS1701 -CLR Core
namespace NAMESPACE
{
    // Says these bytes in pieces, then the end.
    internal sealed class Pieces : MemoryStream
    {
        private readonly int step;

        public Pieces(byte[] bytes, int step) : base(bytes)
        {
            this.step = step;
        }

        public override int Read(byte[] buffer, int offset, int count)
        {
            return base.Read(buffer, offset, Math.Min(count, step));
        }
    }

    public static class Fuzz
    {
        // A line in is `parser step base64`, a line out its answer as JSON; what is no typed error is told as `crash`.
        public static void Run()
        {
            TextReader lines = Console.In;
            TextWriter answers = new StreamWriter(Console.OpenStandardOutput());
            byte[] issuer = Convert.FromBase64String(lines.ReadLine());
            for (string line = lines.ReadLine(); line != null; line = lines.ReadLine())
            {
                string[] words = line.Split(' ');
                Dictionary<string, object> told;
                try
                {
                    told = One(words[0], int.Parse(words[1]), Convert.FromBase64String(words[2]), issuer);
                }
                catch (Exception e)
                {
                    told = new Dictionary<string, object> { { "crash", e.ToString() } };
                }
                answers.WriteLine(JsonConvert.SerializeObject(told));
                answers.Flush();
            }
            GC.Collect();
            answers.WriteLine(JsonConvert.SerializeObject(new Dictionary<string, object> { { "live_bytes", GC.GetTotalMemory(true) } }));
            answers.Flush();
        }

        private static Dictionary<string, object> One(string parser, int step, byte[] bytes, byte[] issuer)
        {
            if (parser == "http")
                return Http(bytes, step);
            return parser == "flight" ? Flight(bytes, step) : Certificates(bytes, issuer);
        }

        private static Dictionary<string, object> Http(byte[] bytes, int step)
        {
            Facts facts = new Facts();
            Answer answer = new Answer(new Pieces(bytes, step));
            return Told(facts, () =>
            {
                answer.ReadHead();
                answer.TellProxy(facts);
                answer.ReadBody(facts);
                return "ok";
            });
        }

        private static Dictionary<string, object> Flight(byte[] bytes, int step)
        {
            Facts facts = new Facts();
            ServerFlight flight = new ServerFlight(chain => chain.Select(one => (object)Digest(one)).ToList());
            flight.Begin(facts);
            return Told(facts, () =>
            {
                for (int at = 0; at < bytes.Length && !flight.Done; at += step)
                {
                    byte[] part = new byte[Math.Min(step, bytes.Length - at)];
                    Array.Copy(bytes, at, part, 0, part.Length);
                    flight.Feed(part, part.Length);
                }
                return flight.Done ? "ok" : flight.Closed().Code;
            });
        }

        private static string Digest(byte[] bytes)
        {
            using (SHA256 hash = SHA256.Create())
                return string.Concat(hash.ComputeHash(bytes).Select(one => one.ToString("x2")));
        }

        private static Dictionary<string, object> Certificates(byte[] bytes, byte[] issuer)
        {
            Dictionary<string, RevocationUrl> urls = new Dictionary<string, RevocationUrl>();
            foreach (RevocationUrl url in RevocationUrl.Of(new byte[][] { bytes, issuer }, "fuzz"))
            {
                if (!urls.ContainsKey(url.Named))
                    urls[url.Named] = url;
            }
            object[] all = urls.Values.Select(one => (object)new object[] {
                one.Url, one.Target.Place.Host, one.Target.Place.Port, one.Target.Get }).ToArray();
            return new Dictionary<string, object> {
                { "end", Certificate.TryParse(bytes) == null ? "malformed" : "ok" }, { "urls", all } };
        }

        private static Dictionary<string, object> Told(Facts facts, Func<string> work)
        {
            string end;
            try
            {
                end = work();
            }
            catch (Fault e)
            {
                end = e.Code;
            }
            Dictionary<string, object> told = new Dictionary<string, object>(facts.Close());
            told["end"] = end;
            return told;
        }
    }
}
"""


class Harness:
    """A PowerShell that waits for cases."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def answers(self, cases: Iterable[tuple[str, Bytes]]) -> Iterator[dict[str, Any]]:
        """One for each case, in their order."""
        for name, case in cases:
            yield self._ask(f"{name} {case.step} {base64.b64encode(case.data).decode()}\n")

    def _ask(self, line: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(line)
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith("{"):
            # Not compiled, or not started: PowerShell says why.
            self._process.stdin.close()  # type: ignore[union-attr]
            raise RuntimeError(line + self._process.stdout.read())
        told: dict[str, Any] = json.loads(line)
        return told

    def live_bytes(self) -> int:
        """Of managed memory, after all cases; ends it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return int(self._read()["live_bytes"])

    def peak_kib(self) -> int:
        """Of memory that the process has had."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8")
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


@contextmanager
def harness(folder: Path) -> Iterator[Harness]:
    """Compiles the engine (some seconds). Needs pwsh on PATH."""
    (folder / "harness.ps1").write_text(_HARNESS.replace("NAMESPACE", NAMESPACE), encoding="utf-8")
    (folder / "Fuzz.cs").write_text(_FUZZ.replace("NAMESPACE", NAMESPACE), encoding="utf-8")
    arguments = [folder / "harness.ps1", UTILS, PLUGINS, folder / "Fuzz.cs"]
    command = [str(find_powershell()), "-NoProfile", "-NonInteractive", "-File", *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        try:
            assert process.stdin is not None
            process.stdin.write(base64.b64encode(samples.ders()[1]).decode() + "\n")
            process.stdin.flush()
            yield Harness(process)
        finally:
            process.kill()


def differ(name: str, case: Bytes, posix: dict[str, Any], windows: dict[str, Any]) -> str:
    """What of a case the two engines told differently; empty where nothing.

    Of certificates each reads some fields that the other has no use for: where such a one is broken, one names no URLs. The Windows engine
    knows the cipher suites that Windows and OpenSSL offer, the POSIX engine all of the registry.
    """
    if "crash" in windows:
        return str(windows["crash"])
    if name == "certificate" and "malformed" in (posix["end"], windows["end"]) and not _is_sound(case.data):
        return ""
    if name == "flight" and windows["end"] == "malformed" and posix.get("cipher") not in KNOWN_TO_BOTH:
        return ""
    same = {key: windows.get(key) for key in posix}
    if name == "flight":
        same["chain"] = windows.get("chain") or []
    wrong = [key for key in posix if posix[key] != same[key]]
    return "; ".join(f"{key}: posix {str(posix[key])[:200]}, windows {str(same[key])[:200]}" for key in wrong)


def _is_sound(der: bytes) -> bool:
    """By cryptography's reading of it, times and extensions too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            read = x509.load_der_x509_certificate(der)
            return read.not_valid_before_utc < read.not_valid_after_utc and len(read.extensions) > 0
        except (ValueError, x509.DuplicateExtension, x509.InvalidVersion):
            return False


KNOWN_TO_BOTH = (None, 0xC02F, 0x009E, 0x009C, 0xC013)
