# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports: text, names of files, folding of causes over hosts, the gate's rule."""

from __future__ import annotations

import json
import os
import stat
import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.appproxy.connector.plugins.plugin_utils.report import console, files, fleet_json, gate, host_json
from ansible_collections.appproxy.connector.plugins.plugin_utils.report.formats import FORMATS, Material
from ansible_collections.appproxy.connector.plugins.plugin_utils.report.rows import subjects
from ansible_collections.appproxy.connector.plugins.plugin_utils.report.text import LIMIT, inert

NOW = datetime(2026, 11, 26, 1, 0, 0, tzinfo=timezone.utc)


def cause(**given: Any) -> dict[str, Any]:
    made = {
        "id": "APC122", "title": "The proxy p.example:8080 asks for a password", "hint": "Let this server through.", "owner": "proxy",
        "status": "fail", "severity": "error", "endpoints": ["a.example:443"], "waits": 1,
    }
    return {**made, **given}


def report(verdict: str = "ready", *causes: dict[str, Any], **given: Any) -> dict[str, Any]:
    made = {
        "schema": 1, "verdict": verdict, "headline": f"{verdict}.", "summary": f"{verdict}. Do this.", "counts": {"warn": 0},
        "findings": [], "causes": list(causes), "reached": True,
        "seen_from": "server", "seen_as": "CONTOSO\\svc", "seen_at": "2026-11-26T01:00:00Z", "elapsed_ms": 5, "not_covered": ["renewal"],
        "judged": {"connect_to": False},
    }
    return {**made, **given}


def fleet(*rows: tuple[str, dict[str, Any] | None]) -> dict[str, Any]:
    made = (fleet_json.Row(host, None if found is None else f"hosts/{host}.json", found) for host, found in rows)
    return fleet_json.build(fleet_json.begin("run", "2026-11-26T01:00:00Z"), made, "2026-11-26T01:01:00Z", complete=True)


# --- text ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "shown"), [
    ("plain", "plain"),
    ("a\r\nb\tc", "a b c"),
    ("\x1b[31mred", "\\x1b[31mred"),
    ("\x07\x00\x9b", "\\x07\\x00\\x9b"),
    ("\u202eabc\u2066", "\\u202eabc\\u2066"),
    ("a\u2028b", "a\\u2028b"),
    ("\udc80", "\\udc80"),
    ("Zürich 東京", "Zürich 東京"),
])
def test_inert(text: str, shown: str) -> None:
    assert inert(text) == shown


def test_inert_is_short() -> None:
    assert len(inert("x" * 10_000)) == LIMIT
    assert len(inert("\x1b" * 10_000)) == LIMIT


# --- files ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "encoded"), [
    ("srv01.contoso.example", "srv01.contoso.example"),
    ("../x", "%2E%2E%2Fx"),
    (".hidden", "%2Ehidden"),
    ("..", "%2E%2E"),
    ("a%2Fb", "a%252Fb"),
    ("ü", "%C3%BC"),
    ("a b\n\x00", "a%20b%0A%00"),
    ("fe80::1", "fe80%3A%3A1"),
])
def test_encode(name: str, encoded: str) -> None:
    assert files.encode(name) == encoded


def test_encode_long_names_apart() -> None:
    names = ["x" * 200, "x" * 201, "x" * 300, "x" * 300 + "y", "/" * 100, "/" * 101]
    encoded = [files.encode(name) for name in names]
    assert len(set(encoded)) == len(names)
    assert all(len(name) <= 200 for name in encoded)


def test_write_is_whole_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "file.json"
    files.write(path, "one")
    files.write(path, "two")
    assert path.read_text(encoding="utf-8") == "two"
    assert list(path.parent.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_write_says_why_not(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(files.FilesError, match=r"cannot write .*/file/x: Not a directory"):
        files.write(tmp_path / "file" / "x", "text")


def test_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.json"
    files.write(path, "old")

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(files.FilesError, match="No space left on device"):
        files.write(path, "new")
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_read(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    assert files.read(path) is None
    path.write_text("[1]", encoding="utf-8")
    with pytest.raises(files.FilesError, match="holds no JSON object"):
        files.read(path)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(files.FilesError, match="is not JSON"):
        files.read(path)
    path.write_text('{"a": 1}', encoding="utf-8")
    assert files.read(path) == {"a": 1}


@pytest.mark.parametrize("run_id", ["", ".", "..", "a/b", "../x", "a b", "x\n", "-", "x" * 200])
def test_run_id_names_a_folder(run_id: str) -> None:
    with pytest.raises(files.FilesError, match="run_id"):
        files.run_folder("reports", run_id)


def test_one_run_has_one_id(tmp_path: Path) -> None:
    found: list[str] = []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        found.append(files.this_run(str(tmp_path), NOW))

    threads = [threading.Thread(target=ask) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert found[0].startswith("20261126T010000Z-")
    files.run_folder("reports", found[0])


def test_a_runs_own_id_says_when_it_began(tmp_path: Path) -> None:
    assert files.begun_at(files.this_run(str(tmp_path), NOW)) == NOW


# --- one host ----------------------------------------------------------------------------------------------------------


def test_host_report_drops_what_only_ansible_reads() -> None:
    ansible = {"changed": False, "failed": False, "msg": "x", "warnings": [], "_ansible_no_log": False, "observation": {}}
    given = {**report(), **ansible, "new": 1}
    made = host_json.build("one", "run", given)
    assert list(made)[:3] == ["schema", "host", "run_id"]
    assert made["new"] == 1
    assert not set(ansible) & set(made)
    assert json.loads(host_json.dump(made)) == made


def test_host_report_of_something_else() -> None:
    with pytest.raises(host_json.NotAResultError, match="it has no schema, verdict"):
        host_json.build("one", "run", {"skipped": True})


# --- all hosts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("verdicts", "verdict", "summary"), [
    (["ready"], "ready", "Ready: the server is ready."),
    (["ready", "ready"], "ready", "Ready: all 2 servers are ready."),
    (["not_ready"], "not_ready", "Not ready: the server is not ready."),
    (["inconclusive"], "inconclusive", "Inconclusive: the server could not be judged."),
    (["ready", "not_ready"], "not_ready", "Not ready: 1 of 2 servers is ready, 1 is not."),
    (["ready", "ready", "inconclusive"], "inconclusive", "Inconclusive: 2 of 3 servers are ready, 1 could not be judged."),
    (["not_ready", "not_ready", "inconclusive"], "not_ready", "Not ready: 0 of 3 servers are ready, 2 are not, 1 could not be judged."),
    ([], "inconclusive", "Inconclusive: 0 of 0 servers are ready."),
])
def test_fleet_verdict(verdicts: list[str], verdict: str, summary: str) -> None:
    made = fleet(*((f"host{number}", report(word)) for number, word in enumerate(verdicts)))
    assert (made["verdict"], made["summary"]) == (verdict, summary)


def test_host_without_a_file_is_inconclusive() -> None:
    made = fleet(("one", report()), ("lost", None))
    assert made["verdict"] == "inconclusive"
    assert made["hosts"][1] == {**made["hosts"][1], "verdict": "inconclusive", "reached": None, "file": None, "causes": ["APC901"]}
    assert made["counts"] == {**made["counts"], "without_result": 1, "unreachable": 0}


@pytest.mark.parametrize("name", FORMATS)
def test_host_without_a_file_is_in_every_format(name: str) -> None:
    one = report(judged={"connect_to": False, "cloud": "public", "tenant_id": None, "connector_version": None})
    rows = [fleet_json.Row("one", "hosts/one.json", one), fleet_json.Row("lost", None, None)]
    material = Material(fleet(("one", one), ("lost", None)), subjects(lambda: rows, None))
    for dump in FORMATS[name].values():
        text = "".join(dump(material))
        assert "lost" in text or name in ("change_request", "remediation"), "nothing can be done for it there"


def test_same_cause_folds_over_hosts() -> None:
    rows = [(f"host{number}", report("not_ready", cause(waits=number, endpoints=[f"e{number % 2}:443"]))) for number in range(20)]
    other = ("other", report("not_ready", cause(title="The proxy q.example:3128 asks for a password")))
    made = fleet(*rows, other)
    assert [len(found["hosts"]) for found in made["causes"]] == [20, 1]
    assert made["causes"][0]["waits"] == 19
    assert made["causes"][0]["endpoints"] == ["e0:443", "e1:443"]


def gone(words: str, proxy: str = "p.example:8080") -> dict[str, Any]:
    return report("not_ready", cause(id="APC121", title=f"The proxy {proxy} cannot be reached ({words})"))


def test_a_cause_is_one_line_whatever_words_each_platform_has_for_it() -> None:
    made = fleet(("a", gone("timeout: no answer (within 6 s)")), ("b", gone("unreachable, timeout")), ("c", gone("refused", "q.example:1")))
    assert [(found["title"], found["hosts"]) for found in made["causes"]] == [
        ("The proxy p.example:8080 cannot be reached", ["a", "b"]), ("The proxy q.example:1 cannot be reached (refused)", ["c"]),
    ]


def test_the_answer_of_the_far_end_makes_causes_different() -> None:
    rows = [(str(status), report("not_ready", cause(id="APC123", title=f"The proxy p refuses x ({status})"))) for status in (403, 470)]
    assert len(fleet(*rows)["causes"]) == 2


def unreachable(words: str) -> dict[str, Any]:
    found = cause(id="APC901", title=f"Nothing was seen: {words}", hint="Try Ansible's own ping.", owner="tool", status="unknown")
    return report("inconclusive", found, reached=False)


def test_unreachable_hosts_are_one_cause_whatever_their_connections_said() -> None:
    made = fleet(("a", unreachable("a: refused")), ("b", unreachable("b: timed out")), ("c", unreachable("c: refused")), ("lost", None))
    assert [(found["title"], found["hosts"]) for found in made["causes"]] == [
        ("Ansible could not reach or observe the server", ["a", "b", "c"]), ("No result of this run", ["lost"]),
    ]
    assert "Nothing was seen" not in "\n".join(console.lines(made, "x"))


def test_one_unreachable_host_keeps_its_words() -> None:
    assert fleet(("a", unreachable("a: refused")))["causes"][0]["title"] == "Nothing was seen: a: refused"


def test_hosts_say_where_they_were_seen_from() -> None:
    made = fleet(("a", report()), ("b", report(seen_from="jump_host")), ("lost", None))
    assert [host["seen_from"] for host in made["hosts"]] == ["server", "jump_host", None]


def test_causes_in_order_of_importance() -> None:
    warned = report("ready", cause(id="APC116", status="warn", severity="warning"))
    made = fleet(
        ("a", warned), ("b", warned), ("c", warned), ("d", report("inconclusive", cause(id="APC901", status="unknown"))),
        ("e", report("not_ready", cause(id="APC112"))), ("f", report("not_ready", cause())), ("g", report("not_ready", cause())),
    )
    assert [found["id"] for found in made["causes"]] == ["APC122", "APC112", "APC901", "APC116"]


def test_stats_are_small() -> None:
    made = fleet_json.stats(fleet(*((f"host{number}", report("not_ready")) for number in range(1000))), "/fleet.json")
    assert len(made["hosts_not_ready"]) == 200
    assert made["hosts_not_ready_cut"]
    assert made["counts"]["not_ready"] == 1000


def test_fleet_of_thousands_is_read_one_by_one() -> None:
    alive = 0
    most = 0

    class Watched(dict[str, Any]):
        def __init__(self, content: dict[str, Any]) -> None:
            nonlocal alive, most
            super().__init__(content)
            alive += 1
            most = max(most, alive)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    rows = (fleet_json.Row(f"host{number}", "x", Watched(report("not_ready", cause(endpoints=["a:443"] * 3)))) for number in range(5000))
    made = fleet_json.build(fleet_json.begin("run", ""), rows, "", complete=True)
    assert made["counts"]["not_ready"] == 5000
    assert most <= 3


# --- console ---------------------------------------------------------------------------------------------------------------


def test_console_is_bounded() -> None:
    rows = [(f"host{number}", report("not_ready", cause(title=f"Cause {number} " + "x" * 5000))) for number in range(300)]
    rows += [(f"ready{number}", report()) for number in range(300)]
    text = console.lines(fleet(*rows), "/fleet.json")
    assert len(text) < 600
    assert all(len(line) <= console.WIDTH for line in text)
    assert "And 280 more, all in fleet.json." in text
    assert "  and 250 more" in text


def test_console_says_the_verdict_first_and_the_file_last() -> None:
    text = console.lines(fleet(("one", report("not_ready", cause())), ("two", report())), "/reports/run/fleet.json")
    assert text[0] == "Not ready: 1 of 2 servers is ready, 1 is not."
    assert text[2:5] == [
        "one: The proxy p.example:8080 asks for a password",
        "  APC122, owner: proxy, 1 endpoint waits behind it",
        "  Let this server through.",
    ]
    assert "  two: ready, as CONTOSO\\svc from the server, 2026-11-26T01:00:00Z" in text
    assert text[-3:] == ["", "Findings explained: docs/findings/<id>.md of the collection", "Report: /reports/run/fleet.json"]


def test_console_explains_nothing_where_there_is_no_finding() -> None:
    assert not any("Findings explained" in line for line in console.lines(fleet(("one", report())), "x"))


def test_console_says_where_ready_servers_were_seen_from() -> None:
    accepted = report(seen_as="nobody", seen_at=None, reached=False)
    text = console.lines(fleet(("jump", report(seen_from="jump_host")), ("accepted", accepted)), "x")
    assert "  jump: ready, as CONTOSO\\svc from the jump host, 2026-11-26T01:00:00Z" in text
    assert "  accepted: ready, though not seen: a waiver accepts that" in text


def test_console_shows_that_a_line_was_cut() -> None:
    (line,) = (line for line in console.lines(fleet(("h" * 40, report())), "x") if line.startswith("  h"))
    assert len(line) == console.WIDTH
    assert line.endswith("...")


def test_console_names_hosts_of_a_common_cause() -> None:
    text = " ".join(console.lines(fleet(*((f"h{number}", report("not_ready", cause())) for number in range(12))), "x"))
    assert "12 of 12 servers: The proxy" in text
    assert "On h0, h1, h2, h3, h4, h5, h6, h7 and 4 more." in text


def test_console_is_inert() -> None:
    evil = "\x1b[2J\nReport: all is well\u202e"
    found = cause(title=evil, hint=evil, owner="proxy")
    made = fleet((f"a{evil}", report("not_ready", found)), (f"b{evil}", report(seen_as=evil, not_covered=[evil], remarks=[evil])))
    text = console.lines(made, "/fleet.json")
    joined = "\n".join(text)
    assert "\x1b" not in joined
    assert "\u202e" not in joined
    assert [line for line in text if line.startswith("Report:")] == ["Report: /fleet.json"]


# --- the gate --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("found", "fail_on", "unknown", "failed"), [
    (report("ready"), "error", "fail", False),
    (report("not_ready"), "error", "fail", True),
    (report("not_ready"), "never", "fail", False),
    (report("inconclusive"), "error", "fail", True),
    (report("inconclusive"), "never", "fail", True),
    (report("inconclusive"), "error", "report", False),
    (report("ready", counts={"warn": 1}), "error", "fail", False),
])
def test_gate(found: dict[str, Any], fail_on: str, unknown: str, failed: bool) -> None:
    decision = gate.decide(found, fail_on, unknown)
    assert (decision.failed, decision.unreachable, decision.message) == (failed, False, found["headline"])


def warned(verdict: str) -> dict[str, Any]:
    found = (("APC162", "warn"), ("APC116", "waived"), ("APC141", "warn"), ("APC162", "warn"))
    findings = [{"id": id_, "status": status, "severity": "warning"} for id_, status in found]
    return report(verdict, counts={"warn": 3}, findings=findings)


@pytest.mark.parametrize(("verdict", "unknown", "also"), [
    ("ready", "fail", " Stopped because of fail_on: warning (APC162, APC141)."),
    ("inconclusive", "report", " Stopped because of fail_on: warning (APC162, APC141)."),
    ("inconclusive", "fail", ""),
    ("not_ready", "fail", ""),
])
def test_gate_says_why_it_stops_for_warnings(verdict: str, unknown: str, also: str) -> None:
    decision = gate.decide(warned(verdict), "warning", unknown)
    assert decision.failed
    assert decision.message == f"{verdict}.{also}"


def test_gate_does_not_stop_for_information() -> None:
    found = report("ready", findings=[{"id": "APC232", "status": "warn", "severity": "info"}])
    assert not gate.decide(found, "warning", "fail").failed


def test_gate_without_a_report() -> None:
    assert gate.decide(None, "never", "report").failed


def test_gate_repeats_the_words_of_the_connection() -> None:
    error = {"id": "APC901", "status": "unknown", "evidence": {"error": "ssh: connection refused"}}
    decision = gate.decide(report("inconclusive", reached=False, findings=[error]), "never", "report")
    assert decision.unreachable
    assert decision.message == "ssh: connection refused"


def test_gate_lets_an_accepted_absence_through() -> None:
    """APC901 waived: the verdict counts, not the connection."""
    assert not gate.decide(report("ready", reached=False), "error", "fail").unreachable
