# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All formats of one real run: each as its consumer takes it, and the same findings in all of them."""

from __future__ import annotations

import csv
import html
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
import xmlschema
import yaml
from integration import recorded
from integration.conftest import ROOT, Run, Site
from integration.test_admin import HEALTHY, by, look
from integration.test_playbook import BAD
from lab import entra, people
from lab.pki import Pki

SCHEMAS = ROOT / "tests" / "schemas"
REPORT = ROOT / "plugins" / "plugin_utils" / "report"
FILES = {"report.html", "report.md", "junit.xml", "findings.sarif", "change-request.csv", "change-request.md", "remediation.yml"}
OPEN = ("fail", "unknown", "warn", "waived")


@pytest.fixture
def run(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Six servers, one of them gone, and somebody who is not to register, in a tenant without a licence."""
    for number in range(2):
        site.add(f"proxied{number}", **BAD)
    site.add("walled", recorded.dropped)
    site.add("ready1")
    waivers = [{"id": "APC112", "until": "2027-01-01", "reason": "CHG-1 <b>opens it</b>"}]
    site.add("waived", recorded.dropped, waivers=waivers, unknown="report")
    site.add_unreachable("gone")
    pki, person = Pki(tmp_path_factory.mktemp("pki")), HEALTHY["eligible"]
    directory = person.tenant()
    directory.plans = ()
    with entra.Entra(pki, directory, now=recorded.SEEN_AT) as service:
        variables, environment = by(people.GRAPH, person)
        return look(site, service, pki, variables, **environment)


def text(run: Run, name: str) -> str:
    return (run.run_folder / name).read_text(encoding="utf-8")


def reports(run: Run) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Name and report of the tenant and of every host."""
    yield "tenant", json.loads(text(run, "tenant.json"))
    for host in run.fleet["hosts"]:
        yield host["host"], json.loads(text(run, host["file"]))


def found(run: Run) -> set[tuple[str, str, str, str]]:
    """Host, id, status and endpoint of everything that is open, by the JSON."""
    return {
        (name, one["id"], one["status"], endpoint)
        for name, report in reports(run) for one in report["findings"] if one["status"] in OPEN for endpoint in one["endpoints"] or ("",)
    }


def test_one_run_writes_all_formats_and_each_is_as_its_consumer_takes_it(run: Run) -> None:
    assert run.code == 4
    assert {path.name for path in run.run_folder.iterdir() if path.is_file()} == {"fleet.json", "tenant.json", *FILES}
    expected = found(run)
    assert {status for _host, _id, status, _endpoint in expected} == set(OPEN)
    for name, schema in (("fleet.json", "fleet.schema.json"), *((host["file"], "host.schema.json") for host in run.fleet["hosts"])):
        jsonschema.Draft202012Validator(json.loads((REPORT / schema).read_text(encoding="utf-8"))).validate(json.loads(text(run, name)))
    junit(text(run, "junit.xml"), expected, run)
    sarif(json.loads(text(run, "findings.sarif")), expected, run)
    page(text(run, "report.html"), expected)
    chains(text(run, "report.html"), run)
    markdown(text(run, "report.md"), run)
    change_request(text(run, "change-request.csv"), text(run, "change-request.md"), run)
    assert yaml.safe_load(text(run, "remediation.yml")) == {}


def junit(raw: str, expected: set[tuple[str, str, str, str]], run: Run) -> None:
    xmlschema.XMLSchema(str(SCHEMAS / "junit-10.xsd")).validate(raw)
    root = ElementTree.fromstring(raw)
    kinds = {"failure": "fail", "error": "unknown", "skipped": "skipped"}
    seen = set()
    for suite in root:
        cases = suite.findall("testcase")
        assert len(cases) == int(suite.attrib["tests"])
        for kind, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert sum(case.find(kind) is not None for case in cases) == int(suite.attrib[attribute])
        for case in cases:
            status = next((kinds[child.tag] for child in case if child.tag in kinds), "passed")
            if case.attrib["name"] != "verdict":
                id_, _name, *where = case.attrib["name"].split(" ")
                endpoint = where[0] if where and ":" in where[0] and where[0] != "over" else ""
                seen.add((suite.attrib["name"], id_, status, endpoint))
    assert {one[0] for one in seen} == {name for name, _report in reports(run)}
    shown = {"fail": "fail", "unknown": "unknown", "warn": "passed", "waived": "skipped"}
    waits = {(name, one["id"], one["status"]) for name, report in reports(run) for one in report["findings"] if one["because"]}
    assert waits
    assert {
        (host, id_, "skipped" if (host, id_, status) in waits and status in ("fail", "unknown") else shown[status], endpoint)
        for host, id_, status, endpoint in expected
    } <= seen
    assert sum(int(suite.attrib["failures"]) for suite in root) == int(root.attrib["failures"])


def sarif(log: Mapping[str, Any], expected: set[tuple[str, str, str, str]], run: Run) -> None:
    jsonschema.Draft4Validator(json.loads((SCHEMAS / "sarif-2.1.0.json").read_text(encoding="utf-8"))).validate(log)
    (one,) = log["runs"]
    rules = one["tool"]["driver"]["rules"]
    seen = set()
    for result in one["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        host, *endpoint = [place["name"] for place in result["locations"][0]["logicalLocations"]]
        seen.add((host, result["ruleId"], result["properties"]["status"], "".join(endpoint)))
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert (run.run_folder / uri).is_file()
        assert ("suppressions" in result) is (result["properties"]["status"] == "waived")
    assert seen == expected
    assert all(rule["help"]["text"] and rule["helpUri"].startswith("https://") for rule in rules)
    assert not [rule["id"] for rule in rules if "{" in rule["help"]["text"] + rule["help"]["markdown"]]


def page(raw: str, expected: set[tuple[str, str, str, str]]) -> None:
    shown = html.unescape(re.sub(r"<[^>]+>", " ", raw))
    assert {host for host, *_rest in expected} - {"tenant"} <= set(shown.split())
    for host, id_, _status, _endpoint in expected:
        assert id_ in shown, (host, id_)
    assert "<script" not in raw
    outside = set(re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?([^"\'\s>)]+)', raw)) - {"data:,"}
    assert all(link.startswith("https://") for link in outside)
    assert not re.search(r"<(?:img|link rel=.?style|iframe|object|embed|form)", raw)


def of_certificates(raw: str) -> str:
    """The section of the page that shows chains; empty where none was seen."""
    return raw.partition("<h2>Certificates that were seen</h2>")[2].partition("<h2>")[0]


def chains(raw: str, run: Run) -> None:
    """Each issuing chain once, with how many servers saw it; every certificate with its digest."""
    seen: dict[tuple[str, ...], set[str]] = {}
    for name, report in reports(run):
        for chain in report.get("chains", ()):
            assert chain["endpoints"]
            seen.setdefault(tuple(one["sha256"] for one in chain["certificates"]), set()).add(name)
    assert {frozenset(hosts) for hosts in seen.values()} == {frozenset(("ready1",))}
    begun = of_certificates(raw)
    assert begun.count("<details>") == len({digests[1:] for digests in seen})
    for digests in seen:
        assert all(digest in begun for digest in digests)
        assert "1 server</summary>" in begun


def markdown(raw: str, run: Run) -> None:
    ids = {cause["id"] for cause in run.fleet["causes"]} | {cause["id"] for cause in run.fleet["tenant"]["causes"]}
    assert all(f"| {id_} " in raw for id_ in ids)
    assert len(raw) < 12_000


def change_request(table: str, page_: str, run: Run) -> None:
    rows = list(csv.DictReader(table.splitlines()))
    asked = {(row["source"], row["finding"], f"{row['destination']}:{row['port']}") for row in rows}
    # What waits behind another finding, or was waived, is not asked for.
    assert asked == {
        (name, one["id"], endpoint) for name, report in reports(run) for one in report["findings"] for endpoint in one["endpoints"]
        if one["owner"] in ("network", "proxy", "dns") and one["status"] in ("fail", "warn") and not one["because"]
    }
    assert {"proxied0", "walled"} <= {host for host, _id, _endpoint in asked}
    assert "waived" not in {host for host, id_, _endpoint in asked if id_ == "APC112"}
    assert all(row["rule"] and row["why"] and row["documentation"].startswith("https://") for row in rows)
    assert "\\*.msappproxy.net" in page_
    assert "## Allow at the proxy without authentication" in page_


# --- text of a target's own ----------------------------------------------------------------------------------------------

HOSTILE = (
    "<script>alert(1)</script>", "\x1b[31mred\x1b[0m", "two\nlines\r\nthree", "\u202etxt.exe", "{{ 7 * 7 }}{% raw %}", "a ]]> b",
    "=HYPERLINK(\"x\")", "+1", "-1", "@SUM(A1)", "\t=1", "[a](javascript:alert(1))", "|pipes|", "`code`", "\x00\x08\ufffe",
    "x" * 1_000_000, "'\"&", "@everyone",
)


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_inert_in_every_format(collections: Path, hostile: str) -> None:
    from ansible_collections.appproxy.connector.plugins.plugin_utils.report import console, fleet_json, formats, rows  # noqa: PLC0415

    finding = {
        "id": "APC203", "name": "dotnet-strong-crypto-off", "status": "fail", "severity": "warning", "owner": "server", "title": hostile,
        "evidence": {"values": hostile, hostile[:50]: [hostile]}, "hint": hostile, "docs": "javascript:alert(1)",
        "endpoints": [hostile[:200]], "path": f"http://{hostile[:100]}", "because": [], "waiver": None, "seen_from": "server",
    }
    network = {**finding, "id": "APC112", "owner": "network"}
    waiver = {"id": "APC141", "until": "2027-01-01", "reason": hostile, "expired": False}
    waived = {**finding, "id": "APC141", "status": "waived", "waiver": waiver}
    certificate = dict.fromkeys(("subject", "issuer", "not_before", "not_after", "signature", "sha256"), hostile)
    cause = {key: finding[key] for key in ("id", "title", "hint", "owner", "status", "severity", "endpoints")} | {"waits": 1}
    report = {
        "verdict": "not_ready", "headline": hostile, "summary": hostile, "reached": True, "findings": [finding, network, waived],
        "causes": [cause], "remarks": [hostile], "not_covered": [hostile], "seen_at": "2026-11-26T01:00:00Z", "seen_as": hostile,
        "seen_from": "server", "elapsed_ms": 1, "judged": {"cloud": "public", "tenant_id": None, "connector_version": None},
        "chains": [{"standing": "private", "trusted": None, "root": hostile, "certificates": [certificate], "endpoints": [hostile],
                    "path": hostile}],
    }
    name = hostile[:80]
    of_run = [fleet_json.Row(name, "hosts/x.json", report)]
    made = fleet_json.build(fleet_json.begin("run", "2026-11-26T01:00:00Z"), of_run, "2026-11-26T01:00:00Z", complete=True)
    material = formats.Material(made, rows.subjects(lambda: of_run, None))
    written = {file: "".join(make(material)) for one in formats.FORMATS.values() for file, make in one.items()}
    assert set(written) == FILES
    for file, raw in written.items():
        assert "\x1b" not in raw, file
        assert "\u202e" not in raw, file
        assert "\x00" not in raw, file
        assert len(raw) < 400_000, file
    assert "<script" not in written["report.html"]
    assert 'href="javascript' not in written["report.html"]
    assert "<script>" not in written["report.md"] + written["change-request.md"]
    xmlschema.XMLSchema(str(SCHEMAS / "junit-10.xsd")).validate(written["junit.xml"])
    jsonschema.Draft4Validator(json.loads((SCHEMAS / "sarif-2.1.0.json").read_text(encoding="utf-8"))).validate(
        json.loads(written["findings.sarif"]))
    cells = [cell for row in csv.reader(written["change-request.csv"].splitlines()) for cell in row]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]
    # As host_vars it is no template: every string is marked.
    texts = [node.value for node in yaml_texts(written["remediation.yml"]) if node.tag != "!unsafe"]
    assert not any("{{" in one or "{%" in one for one in texts if one != name_in_yaml(name))
    assert not [line for line in console.lines(made, "x") if "\x1b" in line or "\n" in line]


def name_in_yaml(name: str) -> str:
    """A host's name is the inventory's, not the target's."""
    return " ".join(name.split())


def yaml_texts(raw: str) -> Iterator[yaml.ScalarNode]:
    def walk(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
        if isinstance(node, yaml.ScalarNode):
            yield node
        elif isinstance(node, yaml.MappingNode):
            for _key, value in node.value:
                yield from walk(value)
        elif isinstance(node, yaml.SequenceNode):
            for value in node.value:
                yield from walk(value)

    yield from walk(yaml.compose(raw, Loader=yaml.SafeLoader))


# --- the page, in a browser ----------------------------------------------------------------------------------------------


def fleet_of(number: int, run: Run) -> str:
    """The page of many servers, copies of those of a run."""
    from ansible_collections.appproxy.connector.plugins.plugin_utils.report import fleet_json, rows  # noqa: PLC0415
    from ansible_collections.appproxy.connector.plugins.plugin_utils.report import html as html_format  # noqa: PLC0415

    known = [report for name, report in reports(run) if name != "tenant"]
    servers = [fleet_json.Row(f"srv-{index:04}.contoso.example", "hosts/x.json", known[index % len(known)]) for index in range(number)]
    fleet = fleet_json.build(fleet_json.begin("run", "2026-11-26T01:00:00Z"), servers, "2026-11-26T01:00:00Z", complete=True)
    return "".join(html_format.dump(fleet, rows.subjects(lambda: servers, None)))


@pytest.mark.parametrize("number", [3, 300])
def test_the_page_in_a_browser(run: Run, tmp_path: Path, number: int) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("the page in a browser needs chromium on PATH")
    raw = fleet_of(number, run)
    # The page has no script and forbids any: what measures is added to a copy.
    measure = "<script>document.title = [innerWidth, document.documentElement.scrollWidth, performance.getEntriesByType('resource').length,"
    measure += "document.querySelectorAll('main > details').length, Math.ceil(performance.now())].join(' ')</script></body>"
    copy = re.sub(r"<meta http-equiv[^>]*>", "", raw).replace("</body>", measure)
    (tmp_path / "copy.html").write_text(copy, encoding="utf-8")
    for width in (400, 1280):
        done = subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={tmp_path / 'profile'}",
             f"--window-size={width},900", "--dump-dom", (tmp_path / "copy.html").as_uri()],
            capture_output=True, text=True, timeout=60, check=True,
        )
        title = re.search(r"<title>([0-9 ]+)</title>", done.stdout)
        assert title, done.stderr[-500:]
        shown, needed, fetched, folded, usable = map(int, title[1].split())
        assert needed <= shown, f"cut at {width} pixels"
        assert fetched == 0
        # Beside the servers: each chain that they saw.
        assert folded == number + of_certificates(raw).count("<details>")
        print(f"{number} servers, {width} pixels: usable after {usable} ms")
        assert usable < 2000, "milliseconds from the beginning of the navigation until all is read and laid out"


def test_large_fleets_are_streamed(collections: Path) -> None:
    """Four times the servers need not four times the memory, but for the list of hosts in fleet.json itself."""
    from benchmark import fleets  # noqa: PLC0415

    assert collections
    small, large = fleets.run(30), fleets.run(120)
    for file in ("report.html", "junit.xml", "findings.sarif", "change-request.csv", "remediation.yml"):
        assert large[file]["peak_mb"] < 2 * small[file]["peak_mb"] + 0.5, file
