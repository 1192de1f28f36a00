# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Targets that lie, through a live path: what comes back from the remote task is hostile. One clear finding each, and nobody else suffers.

The liars are stubs: a program in PowerShell's place behind the lab's WinRM server, and one in Python's place on a local connection. What
a judge makes of each place of an observation is the fuzzers' business (tests/fuzz).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import pytest
from integration import recorded
from integration.conftest import SECONDS, Run, Site
from lab.personalities import SERVER_2022
from lab.stub import stub
from lab.winrm import WinRMServer

WINDOWS, POSIX = "windows", "posix"
NOT_UNDERSTOOD, NOT_OBSERVED = "APC906", "APC901"
MOST_BYTES = 200_000
"""Of a liar's report; an honest one has about as much."""


@dataclass(frozen=True)
class Lie:
    """What a target prints, made from the honest answer."""

    name: str
    say: Callable[[dict[str, Any]], str]
    expects: str | None
    """The one cause; None: it comes out as the honest one does."""


def changed(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], str]:
    """The honest answer with this done to it."""

    def say(answer: dict[str, Any]) -> str:
        change(answer)
        return json.dumps(answer)

    return say


def seen(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], str]:
    return changed(lambda answer: change(answer["observation"]))


def instead(text: str) -> Callable[[dict[str, Any]], str]:
    return lambda _answer: text


def put(key: str, value: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda table: table.update({key: value})


def nested(depth: int) -> Any:
    found: Any = 1
    for _one in range(depth):
        found = [found]
    return found


def raw(key: str, text: str) -> Callable[[dict[str, Any]], str]:
    """JSON's own text for one key of the observation, as json.dumps would not write it."""
    return lambda answer: json.dumps({**answer, "observation": {**answer["observation"], key: "@here@"}}).replace('"@here@"', text)


STEERING = "\x1b[2J\x1b]0;title\x07\u202e\r\n{{ 1 + 1 }}"
HARMLESS = {
    "rc": 3, "skipped": True, "skip_reason": "lazy", "results": [{"failed": True}], "ansible_facts": {"ansible_connection": "local"},
    "stdout": "x", "_ansible_no_log": True, "_ansible_verbose_always": True, "invocation": {"module_args": {"a": 1}}, "later": [1],
}
LIES = (
    Lie("types", seen(put("attempts", "many")), NOT_UNDERSTOOD),
    Lie("deep-types", seen(lambda one: one["attempts"][0]["stages"]["connect"].update(ms="5")), NOT_UNDERSTOOD),
    Lie("null", seen(put("certificates", None)), NOT_UNDERSTOOD),
    Lie("missing-attempts", seen(lambda one: one.pop("attempts")), NOT_UNDERSTOOD),
    Lie("missing-account", seen(lambda one: one.pop("seen_as")), NOT_UNDERSTOOD),
    Lie("schema-2", seen(put("schema", 2)), NOT_UNDERSTOOD),
    Lie("extra-keys", seen(lambda one: (put("later", {"a": [1]})(one), put("x", 1)(one["attempts"][0]))), None),
    Lie("nested", seen(put("later", nested(700))), NOT_UNDERSTOOD),
    Lie("nested-too-deep", instead('{"observation": ' + "[" * 200_000 + "]" * 200_000 + "}"), NOT_OBSERVED),
    Lie("nan", raw("elapsed_ms", "NaN"), NOT_UNDERSTOOD),
    Lie("infinite", raw("elapsed_ms", "1e999"), NOT_UNDERSTOOD),
    Lie("huge-number", raw("elapsed_ms", "9" * 400), NOT_UNDERSTOOD),
    Lie("endless-number", raw("elapsed_ms", "9" * 100_000), NOT_OBSERVED),
    Lie("twice", lambda answer: json.dumps(answer)[:-1] + ', "observation": 5}', NOT_OBSERVED),
    Lie("no-json", instead("Hello, I am a server."), NOT_OBSERVED),
    Lie("empty", instead(""), NOT_OBSERVED),
    Lie("list", instead("[1, 2, 3]"), NOT_OBSERVED),
    Lie("no-observation", instead('{"changed": false}'), NOT_OBSERVED),
    Lie("failed", instead(json.dumps({"failed": True, "msg": f"no{STEERING}"})), NOT_OBSERVED),
    Lie("failed-oddly", instead(json.dumps({"failed": "yes", "msg": {"a": [STEERING]}, "exception": [1], "apc": {"a": 1}})), NOT_OBSERVED),
    Lie("other-results", instead(json.dumps(HARMLESS)), NOT_OBSERVED),
    Lie("other-results-too", changed(lambda answer: answer.update(HARMLESS)), None),
    Lie("warnings", changed(put("warnings", [f"beware{STEERING}", "w" * 10_000, *["more"] * 1000])), None),
    Lie("warnings-of-a-text", changed(put("warnings", "beware")), None),
    Lie("warnings-of-a-number", changed(put("warnings", 5)), None),
    Lie("deprecations", changed(put("deprecations", {"a": 1})), None),
    Lie("steering-account", seen(put("seen_as", STEERING)), None),
)
HONEST = Lie("honest", changed(lambda answer: None), None)


@pytest.fixture(scope="module")
def answers() -> Iterator[Callable[[Site, str], dict[str, Any]]]:
    """The honest answer of a target of a kind, seen now."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorded, "SEEN_AT", datetime.now(timezone.utc).replace(microsecond=0))
        recorded.revocation_list.cache_clear()

        def answer(site: Site, kind: str) -> dict[str, Any]:
            found = recorded.observation(site.requests(proxy="direct"), site.world, recorded.healthy)
            if kind == POSIX:
                found |= {"host": None, "identities": None, "engine": {**found["engine"], "name": "path_info", "family": "posix"}}
            return {"changed": False, "observation": found}

        yield answer
    recorded.revocation_list.cache_clear()


def add(site: Site, stack: ExitStack, name: str, said: str, kind: str) -> None:
    program = stub(site.path, name, said, hears=kind == WINDOWS)
    if kind == WINDOWS:
        server = stack.enter_context(WinRMServer(SERVER_2022, powershell=str(program)))
        site.hosts[name] = server.inventory_vars(operation_seconds=60)
    else:
        site.hosts[name] = {"ansible_connection": "local", "ansible_python_interpreter": str(program)}


def variables(site: Site) -> dict[str, Any]:
    return {
        "preflight_tenant_id": recorded.TENANT, "preflight_public_roots": str(site.path / "roots.pem"), "preflight_proxy": "direct",
        "preflight_save_observations": True,
    }


def reports(run: Run) -> dict[str, dict[str, Any]]:
    return {one["host"]: json.loads((run.run_folder / one["file"]).read_text(encoding="utf-8")) for one in run.fleet["hosts"]}


def outcome(report: Mapping[str, Any]) -> tuple[str, list[str]]:
    return report["verdict"], [one["id"] for one in report["causes"]]


def expected(lie: Lie) -> tuple[str, list[str]]:
    return ("ready", []) if lie.expects is None else ("inconclusive", [lie.expects])


@pytest.mark.parametrize("kind", [WINDOWS, POSIX])
def test_one_clear_finding_for_each_liar(site: Site, answers: Callable[[Site, str], dict[str, Any]], kind: str) -> None:
    with ExitStack() as stack:
        site.world = recorded.make_world([target["host"] for target in site.requests()["targets"]])
        honest = answers(site, kind)
        for lie in (HONEST, *LIES):
            add(site, stack, lie.name, lie.say(deepcopy(honest)), kind)
        run = site.run("appproxy.connector.preflight", "--forks", "8", variables=variables(site))
    assert "Traceback" not in run.output
    assert not {"\x1b", "\x07", "\u202e"} & set(run.output)
    found = reports(run)
    wrong = {}
    for lie in (HONEST, *LIES):
        report = found[lie.name]
        told, size = outcome(report), len(json.dumps(report))
        if told != expected(lie) or size > MOST_BYTES or set(report) != set(found["honest"]):
            wrong[lie.name] = (told, size, report["summary"])
    assert wrong == {}
    assert run.fleet["state"] == "complete"


# -- a hundred megabytes

HUNDRED = 100_000_000


def huge_text(answer: dict[str, Any]) -> str:
    return raw("seen_as", f'"{"x" * HUNDRED}"')(answer)


@dataclass(frozen=True)
class Huge:
    lie: Lie
    kinds: tuple[str, ...] = (POSIX,)
    told_mb: int = 0
    """What Ansible itself keeps once more, to warn of it on the terminal."""


HUGE = (
    Huge(Lie("text", huge_text, NOT_UNDERSTOOD), (WINDOWS, POSIX)),
    Huge(Lie("garbage", lambda _answer: "y" * HUNDRED, NOT_OBSERVED), (WINDOWS,)),
    # Ansible passes over lines before and after the JSON.
    Huge(Lie("garbage-before", lambda answer: "y" * HUNDRED + "\n" + json.dumps(answer), None)),
    Huge(Lie("garbage-after", lambda answer: json.dumps(answer) + "\n" + "y" * HUNDRED, None), told_mb=HUNDRED // 1_000_000),
    Huge(Lie("failure", lambda _answer: f'{{"failed": true, "msg": "{"x" * HUNDRED}"}}', NOT_OBSERVED)),
)
MOST_MB = {WINDOWS: 440, POSIX: 350}
"""More than with an honest answer. What Ansible makes of a hundred megabytes before any action sees them takes some 370 over WinRM and some
290 locally (the pieces, the bytes, the text, what was read from it); one more copy of it would be ours."""
_WEIGHS = (
    "import resource, subprocess, sys; code = subprocess.call(sys.argv[2:]); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=open(sys.argv[1], 'w')); sys.exit(code)"
)
"""A small process of its own: what a fork begins with counts as its own memory."""


def weigh(site: Site) -> tuple[Run, float]:
    """One run, and the most megabytes that ansible-playbook or one of its forks had."""
    command = [sys.executable, "-c", _WEIGHS, "weight", *site.command("appproxy.connector.preflight", variables=variables(site))]
    done = subprocess.run(command, cwd=site.path, env=site.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, timeout=SECONDS)
    run = Run(done.returncode, done.stdout.decode(errors="replace"), site.path / "preflight-reports")
    return run, int((site.path / "weight").read_text(encoding="ascii")) / 1024


@pytest.mark.parametrize("kind", [WINDOWS, POSIX])
def test_a_hundred_megabytes_are_not_kept(site: Site, answers: Callable[[Site, str], dict[str, Any]], kind: str) -> None:
    """Not in the result, the reports, the output, nor in one copy more of the controller's memory than Ansible itself makes."""
    site.world = recorded.make_world([target["host"] for target in site.requests()["targets"]])
    honest = answers(site, kind)
    usual, said = 0.0, []
    for huge in (Huge(HONEST, (kind,)), *(one for one in HUGE if kind in one.kinds)):
        lie = huge.lie
        with ExitStack() as stack:
            site.hosts.clear()
            add(site, stack, "server", lie.say(deepcopy(honest)), kind)
            run, megabytes = weigh(site)
        usual = usual or megabytes
        said.append(f"{kind} {lie.name}: {megabytes:.0f} MB, {megabytes / usual:.1f} times the usual {usual:.0f}")
        print(said[-1])
        told = outcome(reports(run)["server"])
        assert told == expected(lie), said
        assert sum(one.stat().st_size for one in run.run_folder.rglob("*.*")) < 10 * MOST_BYTES, said
        assert huge.told_mb or len(run.output) < MOST_BYTES, said
        assert megabytes - usual < MOST_MB[kind] + huge.told_mb, said
