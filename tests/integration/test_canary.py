# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret in any channel: canaries are given in every way that a secret can be given, and everything that a run leaves is searched.

With the oldest and the newest ansible-core that can be installed here.
"""

from __future__ import annotations

import base64
import secrets
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from integration import recorded
from integration.conftest import SECONDS, Site
from integration.test_series import SERIES, environment, python_for
from lab import entra
from lab.pki import Pki

OWN = secrets.token_hex(3)
"""The process list is everybody's: another run of these tests must not find this one's canaries there."""
SECRET, PASSWORD, PASSPHRASE, ASSERTION = (f"canary-{kind}-{OWN}" for kind in ("secret", "password", "passphrase", "assertion"))
ACCOUNT = entra.Account("canary", roles=(entra.Assignment(entra.GLOBAL_ADMINISTRATOR),), password="another-one")
TOKEN = entra.token(ACCOUNT, recorded.SEEN_AT, jti=f"canary-token-{OWN}")
CANARIES = {
    "secret": SECRET, "password": PASSWORD, "passphrase": PASSPHRASE, "assertion": ASSERTION,
    "token": TOKEN, "the token's claims": TOKEN.split(".")[1], "the token's signature": TOKEN.split(".")[2],
}
NAMED = {"tenant_id": entra.TENANT, "admin_upn": ACCOUNT.upn}


def env(name: str) -> str:
    return "{{ lookup('ansible.builtin.env', '" + name + "') }}"


def tasks(service: entra.Entra, pki: Pki, folder: Path) -> list[dict[str, Any]]:
    """Every secret as an option, tasks that work and tasks that fail in each way that somebody could make them fail."""
    at = {"authority": service.url, "graph_url": service.url, "ca_path": str(pki.public_roots), "deadline": 10}
    application = {"client_id": entra.APPLICATION, "client_secret": env("CANARY_SECRET")}
    given: dict[str, dict[str, Any]] = {
        "works": {**NAMED, **at, **application, "registration_token": env("CANARY_TOKEN")},
        "wrong secret, which the service repeats": {**NAMED, **at, **application, "client_secret": env("CANARY_SECRET") + "x"},
        "wrong password, which the service repeats": {
            **NAMED, **at, "sign_in": "password", "admin_password": env("CANARY_PASSWORD"),
        },
        "passphrase": {
            **NAMED, **at, "client_id": entra.APPLICATION, "client_certificate": str(folder / "reader.pfx"),
            "client_certificate_password": env("CANARY_PASSPHRASE"),
        },
        "wrong passphrase": {
            **NAMED, **at, "client_id": entra.APPLICATION, "client_certificate": str(folder / "reader.pfx"),
            "client_certificate_password": env("CANARY_PASSPHRASE") + "x",
        },
        "assertion": {**NAMED, **at, "client_id": entra.APPLICATION, "federated_token_file": str(folder / "assertion")},
        "not a token": {**NAMED, **at, "registration_token": env("CANARY_SECRET")},
        "half a token": {**NAMED, **at, "registration_token": env("CANARY_TOKEN") + ".x.y"},
        "unknown option": {**NAMED, **at, **application, "client_secrt": env("CANARY_SECRET")},
        "a list in place of a secret": {**NAMED, **at, **application, "client_secret": [env("CANARY_SECRET")]},
        "two proofs": {**NAMED, **at, **application, "federated_token_file": str(folder / "assertion")},
        "bad number": {**NAMED, **at, **application, "deadline": "soon"},
        "template that fails": {**NAMED, **at, **application, "admin_upn": "{{ nobody_defined_this }}"},
        "template of a secret that fails": {
            **NAMED, **at, **application, "client_secret": "{{ lookup('ansible.builtin.env', 'CANARY_SECRET') | nofilter }}",
        },
    }
    made: list[dict[str, Any]] = []
    for name, options in given.items():
        made += [
            {"name": name, "appproxy.connector.admin": options, "register": "result", "ignore_errors": True},
            {"name": f"{name}: show what came of it", "ansible.builtin.debug": {"var": "result"}},
        ]
    return made


@contextmanager
def processes_watched(found: set[str]) -> Iterator[None]:
    """What the process list shows of canaries while something runs."""
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    line = file.read_bytes().decode("utf-8", "replace")
                except OSError:
                    continue
                found.update(name for name, canary in CANARIES.items() if canary in line)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def shown(text: str) -> list[str]:
    """Canaries in a text, as they are and in base64."""
    coded = {name: base64.b64encode(canary.encode()).decode()[:-4] for name, canary in CANARIES.items()}
    return [name for name in CANARIES if CANARIES[name] in text or coded[name] in text]


def left_in(folder: Path, given: frozenset[Path]) -> list[str]:
    """Files below a folder that hold a canary, without those in which it was given."""
    files = (file for file in folder.rglob("*") if file.is_file() and not file.is_symlink() and file not in given)
    return [f"{file.name}: {', '.join(names)}" for file in files if (names := shown(file.read_text("utf-8", "replace")))]


def series() -> list[str]:
    fitting = [name for name, minors in SERIES.items() if python_for(minors) is not None]
    return list(dict.fromkeys((fitting[0], fitting[-1])))


def give(site: Site, pki: Pki) -> tuple[frozenset[Path], dict[str, str]]:
    """Files and environment with the canaries."""
    credential = pki.self_signed("reader")
    raw = pkcs12.serialize_key_and_certificates(b"reader", credential.key, credential.certificate, None,
                                                BestAvailableEncryption(PASSPHRASE.encode()))
    files = {"reader.pfx": raw, "assertion": ASSERTION.encode(), "token": TOKEN.encode()}
    for name, content in files.items():
        (site.path / name).write_bytes(content)
    assert isinstance(credential.certificate, x509.Certificate)
    return frozenset(site.path / name for name in files), {
        "CANARY_SECRET": SECRET, "CANARY_PASSWORD": PASSWORD, "CANARY_PASSPHRASE": PASSPHRASE, "CANARY_TOKEN": TOKEN,
    }


LOUD = {"ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "1", "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.junit", "ANSIBLE_DISPLAY_TRACEBACK": "always",
        "ANSIBLE_DEBUG": "0", "ANSIBLE_KEEP_REMOTE_FILES": "1"}


def run(site: Site, playbook: str | list[Mapping[str, Any]], *arguments: str, **more: str) -> str:
    """Everything that a terminal would have shown, and the process list's canaries as an assertion."""
    in_processes: set[str] = set()
    outputs = {"ANSIBLE_LOG_PATH": str(site.path / "ansible.log"), "JUNIT_OUTPUT_DIR": str(site.path / "junit"),
               "ANSIBLE_LOCAL_TEMP": str(site.path / "local_tmp")}
    with processes_watched(in_processes):
        done = subprocess.run(
            site.command(playbook, *arguments), cwd=site.path, env=site.environment(**LOUD, **outputs, **more), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS * 2, check=False,
        )
    assert in_processes == set()
    return done.stdout


@pytest.mark.parametrize("name", series())
def test_no_canary_in_any_channel(site: Site, state: Path, tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    python = python_for(SERIES[name])
    assert python is not None
    site.programs = environment(state, name, python)
    pki = Pki(tmp_path_factory.mktemp("pki"))
    for host in ("one", "two"):
        site.add(host)
    given, variables = give(site, pki)
    directory = entra.Directory((ACCOUNT,), secret=SECRET, assertion=ASSERTION)
    with entra.Entra(pki, directory, lambda request, before: time.sleep(0.3), recorded.SEEN_AT) as service:  # type: ignore[func-returns-value]
        play = [{"hosts": "one", "gather_facts": False, "tasks": tasks(service, pki, site.path)}]
        output = run(site, play, "-vvvv", **variables)
        assert "wrong secret, which the service repeats" in output
        assert "AADSTS7000215" in output
        assert "AADSTS50126" in output
        assert "********" in output or "$REDACTED$" in output
        assert shown(output) == [], [line[:300] for line in output.splitlines() if shown(line)]

        role = {**service.variables, "preflight_ca_path": str(pki.public_roots), "preflight_admin_upn": ACCOUNT.upn}
        arguments = [f"-e{key}={value}" for key, value in role.items()]
        variables = {"AZURE_CLIENT_ID": entra.APPLICATION, "AZURE_CLIENT_SECRET": SECRET, "AZURE_PASSWORD": PASSWORD,
                     "APPPROXY_REGISTRATION_TOKEN": TOKEN}
        output = run(site, "appproxy.connector.preflight", "-vvvv", *arguments, "-epreflight_sign_in=password", **variables)
        assert "The sign-in" in output
        assert shown(output) == []
    assert service.passwords == [ACCOUNT.upn] * 2
    assert list((site.path / "junit").iterdir())
    assert (site.path / "ansible.log").stat().st_size > 10000
    assert left_in(site.path, given) == []


def test_the_canaries_would_be_found(tmp_path: Path) -> None:
    """A search that finds nothing proves something only if it finds what is there."""
    assert shown(f"x {SECRET} y") == ["secret"]
    assert shown(base64.b64encode(SECRET.encode()).decode()) == ["secret"]
    (tmp_path / "file").write_text(PASSWORD, encoding="utf-8")
    assert left_in(tmp_path, frozenset()) == ["file: password"]
    found: set[str] = set()
    with processes_watched(found):
        subprocess.run(["sh", "-c", f": {SECRET}; sleep 0.4"], check=True)
    assert found == {"secret"}
