# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The further hellos, paths with targets of their own, and revocation over chosen paths: both engines over the same sockets."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import ansible.module_utils
import jsonschema
import pytest
from ansible_collections.appproxy.connector.plugins.module_utils import _probe, _probe_hello, _probe_request
from ansible_collections.appproxy.connector.plugins.plugin_utils.observe.observation import parse_observation
from lab import faults
from lab.cloud import Cloud
from lab.faults import Fault, World
from lab.pki import REVOCATION_HOSTS, Pki
from lab.servers import read_head, receive_record, relay

SIGN_IN = "login.microsoftonline.com"
PWSH = shutil.which("pwsh")
NAMESPACE = "ansible_collections.appproxy.connector.plugins.module_utils._Probe"
HARNESS = r"""
param([string] $Utils, [string] $Plugins, [string] $Work)
$ErrorActionPreference = 'Stop'
Import-Module (Join-Path $Utils 'powershell/Ansible.ModuleUtils.AddType.psm1')
Add-CSharpType -References @(Get-ChildItem (Join-Path $Plugins 'module_utils/_Probe*.cs') | ForEach-Object { Get-Content -Raw $_.FullName })
foreach ($file in Get-ChildItem $Work -Filter '*.request.json') {
    $request = ConvertFrom-Json -AsHashtable (Get-Content -Raw $file.FullName)
    try {
        $answer = [NAMESPACE.Probe]::End([NAMESPACE.Probe]::Begin($request, [System.Diagnostics.Stopwatch]::StartNew()))
    } catch {
        $answer = @{ bad = $_.Exception.GetBaseException().Message }
    }
    [System.IO.File]::WriteAllText(($file.FullName -replace '\.request\.json$', '.answer.json'), (ConvertTo-Json -Depth 99 $answer))
}
""".replace("NAMESPACE", NAMESPACE)

BOTH = ["sha512", "padded"]


def once_only(world: World) -> str:
    """Resets the first hello with SHA-512 first that it sees, and no other: chance, and no box."""
    seen: list[bool] = []

    def serve(connection: Any) -> None:
        hello = faults.read_client_hello(connection.recv(65536, faults.MSG_PEEK))
        if hello is not None and hello.signature_algorithms[:1] == (0x0601,) and not seen:
            seen.append(True)
            receive_record(connection)
            faults.reset(connection)
        else:
            relay(connection, world.cloud.tls)

    return world.listen(serve)


def tired_proxy(world: World, end: Callable[[Any], None], *, for_good: bool = False) -> str:
    """Ends the third connection without a word: by then the usual hello and the handshake were made, and the first further hello is due.
    `for_good`: after that it refuses all."""
    connections: list[bool] = []

    def serve(connection: Any) -> None:
        head, _rest = read_head(connection)
        if not head:
            return
        connections.append(True)
        if len(connections) == 3:
            end(connection)
        elif for_good and len(connections) > 3:
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        else:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            relay(connection, world.cloud.tls)

    return world.listen(serve)


def heard_and_reset(connection: Any) -> None:
    connection.recv(65536)
    faults.reset(connection)


once_reset = faults.first_only(heard_and_reset)


WORLDS: dict[str, tuple[Fault, list[str]]] = {
    "healthy": (lambda world: world.cloud.tls, BOTH),
    "only-padded": (lambda world: world.cloud.tls, ["padded"]),
    "not-asked": (lambda world: world.cloud.tls, []),
    "cut": (faults.sha512_first_cut, BOTH),
    "once": (once_only, BOTH),
    "refused": (faults.sha512_first_refused, BOTH),
    "lost": (faults.large_hello_lost(1900), BOTH),
    "no-hello": (faults.alert(2, 40), BOTH),
}


def target(name: str, hellos: list[str], host: str = SIGN_IN, port: int = 443) -> dict[str, Any]:
    return {"id": name, "host": host, "port": port, "tls": True, "hellos": hellos}


def windows(folder: Path, pki: Pki, requests: Mapping[str, Any]) -> dict[str, Any]:
    """What the C# engine answers, for all in one start of PowerShell."""
    root = Path(__file__).absolute().parents[2]
    (folder / "harness.ps1").write_text(HARNESS, encoding="utf-8")
    for name, request in requests.items():
        (folder / f"{name}.request.json").write_text(json.dumps(request), encoding="utf-8")
    utils = str(Path(ansible.module_utils.__file__).parent)
    trust = {"SSL_CERT_FILE": str(pki.trust["public"]), "SSL_CERT_DIR": "/nonexistent"}
    command = [PWSH or "", "-NoProfile", "-File", str(folder / "harness.ps1"), utils, str(root / "plugins"), str(folder)]
    done = subprocess.run(command, env={**os.environ, **trust}, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    return {name: json.loads((folder / f"{name}.answer.json").read_text(encoding="utf-8")) for name in requests}


def posix(folder: Path, pki: Pki, requests: Mapping[str, Any]) -> dict[str, Any]:
    before = {name: os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")}
    os.environ.update(SSL_CERT_FILE=str(pki.trust["public"]), SSL_CERT_DIR="/nonexistent")
    try:
        return {name: answer(request) for name, request in requests.items()}
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def answer(request: Any) -> dict[str, Any]:
    try:
        return json.loads(json.dumps(_probe.observe(request)))  # type: ignore[no-any-return]
    except _probe_request.BadRequest as error:
        return {"bad": str(error)}


def asked(world: World) -> dict[str, Any]:
    """All requests by name."""
    short = {"schema": 1, "timeouts_ms": {"hello": 700}, "revocation": {"limit": 0}}
    requests = {
        name: {**short, "paths": [{"id": "direct", "ways": ["direct"]}], "targets": [target(name, hellos)],
               "connect_to": {f"{SIGN_IN}:443": fault(world)}}
        for name, (fault, hellos) in WORLDS.items()
    }
    two = [{"id": "one", "ways": ["direct"], "targets": ["a"]}, {"id": "two", "ways": ["direct"], "targets": ["b"]}]
    to = {f"{SIGN_IN}:443": world.cloud.tls, **dict.fromkeys(REVOCATION_HOSTS, world.cloud.http)}
    paths = {"schema": 1, "paths": two, "targets": [target("a", []), target("b", []), target("c", [])], "connect_to": to}
    third = {**paths, "paths": [*two, {"id": "three", "ways": ["direct"], "targets": []}]}
    tired = {}
    for name, end in (("tired-closes", lambda connection: None), ("tired-resets", faults.reset), ("tired-for-good", faults.reset)):
        proxy = f"http://{tired_proxy(world, end, for_good=name == 'tired-for-good')}"
        tired[name] = {**short, "paths": [{"id": proxy, "ways": [proxy]}], "targets": [target(name, BOTH)]}
    direct = [{"id": "direct", "ways": ["direct"]}]
    plain = [{"id": f"{name}.example:80", "host": f"{name}.example", "port": 80, "tls": False} for name in "abcdefg"]
    return {
        **requests,
        **tired,
        "crowd": {"schema": 1, "paths": direct, "targets": plain, "revocation": {"limit": 0}, "connect_to": {
            f"{name}.example:80": faults.closed_port(world) if name in "acf" else once_reset(world) for name in "abcdefg"}},
        "crowd-list": {"schema": 1, "paths": direct, "targets": [target("a", [])], "connect_to": {
            f"{SIGN_IN}:443": world.cloud.tls, **dict.fromkeys(REVOCATION_HOSTS, world.cloud.http),
            "crl3.digicert.com:80": once_reset(world)}},
        "paths": paths,
        "revocation-elsewhere": {**third, "revocation": {"paths": ["three"]}},
        "bad-hello": {**paths, "targets": [target("a", ["sha1"])]},
        "bad-identity": {**paths, "targets": [{**target("a", []), "identities": ["me"]}]},
        "bad-path-target": {**paths, "paths": [{"id": "one", "ways": ["direct"], "targets": [1]}]},
    }


@pytest.fixture(scope="module", params=["posix", "windows"])
def answers(request: pytest.FixtureRequest, state: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    if request.param == "windows" and PWSH is None:
        pytest.skip("pwsh is not on PATH")
    look: Callable[..., dict[str, Any]] = windows if request.param == "windows" else posix
    pki = Pki(state / "pki")
    cloud = Cloud(pki)
    world = World(pki, cloud, (SIGN_IN,))
    try:
        yield look(tmp_path_factory.mktemp("hellos"), pki, asked(world))
    finally:
        world.close()
        cloud.close()


def stages(answer: Mapping[str, Any]) -> dict[str, Any]:
    (attempt,) = answer["attempts"]
    return attempt["stages"]  # type: ignore[no-any-return]


def word(stage: Mapping[str, Any]) -> str:
    return str(stage["error"]["code"]) if stage["state"] == "error" else str(stage["state"])


@pytest.mark.parametrize(("name", "sha512", "padded", "repeats"), [
    ("healthy", "ok", "ok", None),
    ("only-padded", None, "ok", None),
    ("not-asked", None, None, None),
    ("cut", "reset", None, ["ok", "reset"]),
    ("once", "reset", None, ["ok", "ok"]),
    ("refused", "alert", None, None),
    ("lost", "ok", "timeout", ["ok", "timeout"]),
    ("no-hello", None, None, None),
])
def test_what_becomes_of_the_further_hellos(
    name: str, sha512: str | None, padded: str | None, repeats: list[str] | None, answers: dict[str, Any]
) -> None:
    seen = stages(answers[name])
    assert [word(seen[stage]) if stage in seen else None for stage in ("hello_sha512", "hello_padded")] == [sha512, padded]
    last = seen.get("hello_padded") or seen.get("hello_sha512")
    assert (last or {}).get("facts", {}).get("repeats") == repeats
    # They bar nothing, and come after all else.
    assert word(seen["handshake"]) == ("alert" if name == "no-hello" else "ok")


@pytest.mark.parametrize("name", ["tired-closes", "tired-resets"])
def test_without_its_connection_nothing_is_learned_of_a_hello_and_it_is_tried_again_alone(name: str, answers: dict[str, Any]) -> None:
    again, = answers[name]["rechecks"]
    assert (again["stage"], again["result"]["state"]) == ("hello_sha512", "ok")
    assert {one: word(stage) for one, stage in stages(answers[name]).items() if one.startswith("hello")} == dict.fromkeys(
        ("hello", "hello_sha512", "hello_padded"), "ok")


def test_a_second_try_that_is_refused_takes_no_good_ones_place(answers: dict[str, Any]) -> None:
    again, = answers["tired-for-good"]["rechecks"]
    assert (again["stage"], word(again["result"])) == ("proxy", "denied")
    ended = {name: word(stage) for name, stage in stages(answers["tired-for-good"]).items()}
    assert (ended["proxy"], ended["handshake"], ended["request"], ended["hello_sha512"]) == ("ok", "ok", "ok", "not_connected")


def test_some_that_are_lost_again_at_once_do_not_keep_others_from_their_second_try(answers: dict[str, Any]) -> None:
    assert [(one["target"][0], one["stage"], word(one["result"])) for one in answers["crowd"]["rechecks"]] == [
        ("a", "connect", "refused"), ("b", "request", "ok"), ("c", "connect", "refused"), ("d", "request", "ok"), ("e", "request", "ok"),
        ("f", "connect", "refused"),
    ]
    ended = {one["target"][0]: word(list(one["stages"].values())[-1]) for one in answers["crowd"]["attempts"]}
    assert ended == {**dict.fromkeys("acf", "refused"), **dict.fromkeys("bde", "ok"), "g": "closed"}


def test_a_list_that_is_lost_is_tried_again_too(answers: dict[str, Any]) -> None:
    seen = answers["crowd-list"]
    assert [(one["target"], one["stage"], word(one["result"])) for one in seen["rechecks"]] == [("crl3.digicert.com:80", "request", "ok")]
    second = [one for one in seen["attempts"] if one["wave"] == 2]
    assert {word(one["stages"]["request"]) for one in second} == {"ok"}


def test_what_is_told_of_an_answer(answers: dict[str, Any]) -> None:
    for stage in ("hello_sha512", "hello_padded"):
        facts = stages(answers["healthy"])[stage]["facts"]
        assert set(facts) == {"bytes", "version", "signature_algorithm"}
        assert facts["version"] == "TLSv1.2"
        assert facts["bytes"] > 1000
    assert stages(answers["cut"])["hello_sha512"]["facts"] == {"bytes": 0, "repeats": ["ok", "reset"]}


def test_a_path_may_have_targets_of_its_own(answers: dict[str, Any]) -> None:
    first = [(one["path"], one["target"]) for one in answers["paths"]["attempts"] if one["wave"] == 1]
    assert first == [("one", "a"), ("two", "b")]
    assert {one["path"] for one in answers["paths"]["attempts"] if one["wave"] == 2} == {"one", "two"}


def test_revocation_may_go_over_a_path_of_its_own(answers: dict[str, Any]) -> None:
    seen = answers["revocation-elsewhere"]["attempts"]
    assert {one["path"] for one in seen if one["wave"] == 1} == {"one", "two"}
    second = [one for one in seen if one["wave"] == 2]
    assert {one["path"] for one in second} == {"three"}
    assert len({one["url"] for one in second}) == len(second) > 2


def test_bad_requests_name_the_key(answers: dict[str, Any]) -> None:
    assert answers["bad-hello"]["bad"].startswith("request.targets[0].hellos: must be a list of texts, each of: sha512, padded")
    assert answers["bad-identity"]["bad"].startswith("request.targets[0].identities: must be a list of texts, each of: ")
    assert answers["bad-path-target"]["bad"].startswith("request.paths[0].targets: must be a list of texts")


def test_the_schema_knows_it_all(answers: dict[str, Any], root: Path) -> None:
    schema = json.loads((root / "plugins/plugin_utils/observe/observation.schema.json").read_text(encoding="utf-8"))
    for name, seen in answers.items():
        if "bad" not in seen:
            whole = {"engine": {"name": "path_info", "version": "1", "family": "posix", "platform": "x"}, "seen_as": "x",
                     "seen_at": "2026-11-26T01:15:00Z", **seen}
            jsonschema.validate(whole, schema)
            assert parse_observation(whole).attempts, name


# --- the bytes ------------------------------------------------------------------------------------------------------------


def test_sha512_comes_first_and_nothing_is_lost() -> None:
    for like in (_probe_hello.RECORDED, _probe_hello.RECORDED._replace(signature_algorithms=(0x0401, 0x0603))):
        made = like.sha512_first()
        assert made.signature_algorithms[:3] == (0x0601, 0x0806, 0x0603)
        assert set(made.signature_algorithms) == set(like.signature_algorithms) | {0x0601, 0x0806, 0x0603}
        assert len(set(made.signature_algorithms)) == len(made.signature_algorithms)
    without = _probe_hello.RECORDED._replace(extensions=(0, 10, 11), signature_algorithms=())
    assert _probe_hello.parse_client_hello(_probe_hello.build_hello(without.sha512_first(), SIGN_IN)).signature_algorithms[0] == 0x0601


def test_a_padded_hello_has_its_size_and_says_the_same() -> None:
    usual = _probe_hello.parse_client_hello(_probe_hello.build_hello(_probe_hello.RECORDED, SIGN_IN))
    record = _probe_hello.build_hello(_probe_hello.RECORDED, SIGN_IN, _probe_hello.PADDED_BYTES)
    padded = _probe_hello.parse_client_hello(record)
    assert len(record) == _probe_hello.PADDED_BYTES
    assert padded._replace(extensions=padded.extensions[:-1], bytes=usual.bytes) == usual
    assert padded.extensions[-1] == 21


def test_a_suite_that_is_none_does_not_make_a_tls12_client() -> None:
    assert _probe_hello.RECORDED.speaks_12()
    assert not _probe_hello.RECORDED._replace(suites=(0x1301, 0x00FF)).speaks_12()


def test_only_windows_finds_ways() -> None:
    with pytest.raises(_probe_request.BadRequest, match=r"^request\.detect: "):
        _probe_request.read_request({"schema": 1, "detect": True, "paths": [], "targets": []})


def test_the_c_sharp_uses_no_registry_and_no_file() -> None:
    for path in (Path(__file__).absolute().parents[2] / "plugins" / "module_utils").glob("*.cs"):
        text = path.read_text(encoding="utf-8")
        for word in ("Microsoft.Win32", "RegistryKey", "File.", "FileStream", "Directory.", "Process.Start", "X509Store", "Path.Combine"):
            assert word not in text, f"{path.name}: {word}"
