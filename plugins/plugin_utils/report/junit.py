# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JUnit XML, as GitLab, Azure DevOps, Jenkins and readers on GitHub take it. Pure.

A suite is a host; a case is a finding at an endpoint. What failed is a failure, what could not be seen an error; what was waived, does
not apply or waits behind another finding is skipped; a warning passes with its words in the output. The case `verdict` is there for
every host, and ends as it does.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree

from ..model import Status, Verdict
from .rows import Subject, Subjects, places
from .text import inert

NAME = "junit.xml"
_KINDS = {
    Status.FAIL.value: "failure", Status.UNKNOWN.value: "error", Status.WAIVED.value: "skipped", Status.NOT_APPLICABLE.value: "skipped",
}
_OF_VERDICTS = {Verdict.NOT_READY.value: "failure", Verdict.INCONCLUSIVE.value: "error"}
_LONGEST = 20_000


def dump(subjects: Subjects, written_at: str) -> Iterator[str]:
    """Piece by piece. `written_at`: UTC, as reports write it."""
    total: Counter[str] = Counter()
    for subject in subjects():
        total.update(_counted(subject))
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    attributes = {"tests": total["tests"], "failures": total["failure"], "errors": total["error"], "skipped": total["skipped"]}
    shown = " ".join(f'{key}="{value}"' for key, value in attributes.items() if key != "skipped")
    yield f'<testsuites name="appproxy.connector preflight" {shown} time="0">\n'
    for number, subject in enumerate(subjects()):
        suite = _suite(subject, number, written_at)
        ElementTree.indent(suite, level=1)
        yield f"  {ElementTree.tostring(suite, encoding='unicode')}\n"
    yield "</testsuites>\n"


def _cases(subject: Subject) -> Iterator[tuple[Mapping[str, Any], str]]:
    """A finding, and one endpoint of it (empty: it is about none)."""
    for finding in subject.findings:
        for endpoint in places(finding):
            yield finding, endpoint


def _kind(finding: Mapping[str, Any]) -> str:
    """What waits behind another finding is skipped: that one fails, and a pipeline's list stays as short as the list of causes."""
    kind = _KINDS.get(finding["status"], "passed")
    return "skipped" if finding["because"] and kind in ("failure", "error") else kind


def _counted(subject: Subject) -> Counter[str]:
    found = Counter(_kind(finding) for finding, _endpoint in _cases(subject))
    found[_OF_VERDICTS.get(subject.verdict, "passed")] += 1
    found["tests"] = sum(found.values())
    return found


def _suite(subject: Subject, number: int, written_at: str) -> ElementTree.Element:
    counted = _counted(subject)
    name = inert(subject.name, limit=300)
    suite = ElementTree.Element("testsuite", {
        "name": name, "package": "appproxy.connector.preflight", "id": str(number), "hostname": name,
        # XML Schema's pattern of this attribute has no time zone; it is UTC.
        "timestamp": str(subject.report.get("seen_at") or written_at).removesuffix("Z"),
        "tests": str(counted["tests"]), "failures": str(counted["failure"]), "errors": str(counted["error"]),
        "skipped": str(counted["skipped"]), "time": f"{subject.report.get('elapsed_ms', 0) / 1000:.3f}",
    })
    ElementTree.SubElement(suite, "properties")
    verdict = ElementTree.SubElement(suite, "testcase", {"name": "verdict", "classname": name, "time": "0"})
    if subject.verdict in _OF_VERDICTS:
        ElementTree.SubElement(verdict, _OF_VERDICTS[subject.verdict], {"message": inert(subject.headline), "type": subject.verdict})
    for finding, endpoint in _cases(subject):
        _case(suite, name, finding, endpoint)
    ElementTree.SubElement(suite, "system-out").text = "\n".join(_output(subject))
    ElementTree.SubElement(suite, "system-err")
    return suite


def _case(suite: ElementTree.Element, host: str, finding: Mapping[str, Any], endpoint: str) -> None:
    where = " ".join(filter(None, (endpoint, f"over {finding['path']}" if finding["path"] else "")))
    name = inert(" ".join(filter(None, (finding["id"], finding["name"], where))), limit=300)
    case = ElementTree.SubElement(suite, "testcase", {"name": name, "classname": host, "time": "0"})
    kind = _kind(finding)
    if kind == "skipped":
        ElementTree.SubElement(case, "skipped", {"message": inert(_why_skipped(finding))})
    elif kind != "passed":
        said = ElementTree.SubElement(case, kind, {"message": inert(finding["title"]), "type": finding["name"]})
        said.text = inert_lines(finding)


def _why_skipped(finding: Mapping[str, Any]) -> str:
    if finding["because"]:
        return f"Waits behind {', '.join(finding['because'])}: {finding['title']}"
    if finding["waiver"]:
        return f"Waived until {finding['waiver']['until']}: {finding['waiver']['reason']}"
    return str(finding["evidence"].get("reason") or finding["title"])


def inert_lines(finding: Mapping[str, Any]) -> str:
    """What a reader of one finding needs: who, what to do, the evidence, where it is explained."""
    evidence = json.dumps(finding["evidence"], ensure_ascii=False, default=str)
    rows = [f"Owner: {finding['owner']}. Severity: {finding['severity']}.", finding["hint"], f"Evidence: {evidence}"]
    rows += [f"Because of {', '.join(finding['because'])}."] if finding["because"] else []
    rows += [finding["docs"]]
    return "\n".join(inert(row, limit=_LONGEST) for row in rows if row)


def _output(subject: Subject) -> Iterator[str]:
    yield inert(subject.headline)
    for finding in subject.findings:
        if finding["status"] == Status.WARN.value:
            yield inert(f"Warning: {finding['id']} {finding['title']}. {finding['hint']}")
        elif finding["status"] == Status.WAIVED.value and finding["waiver"]:
            yield inert(f"Waived: {finding['id']} until {finding['waiver']['until']}: {finding['waiver']['reason']}")
