# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SARIF 2.1.0: a rule for each finding of the catalogue, a result for each that is wrong, unknown, a warning or waived. Pure.

A finding has no line of source. Its place is the host's report, which lies beside, and logically the host and the endpoint.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..catalogue.findings import FINDINGS
from ..catalogue.version import VERSION
from ..model import FindingSpec, Severity, Status
from .rows import Subject, Subjects, fingerprint, places
from .text import inert

NAME = "findings.sarif"
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Status.FAIL.value: "error", Status.UNKNOWN.value: "warning", Status.WARN.value: "warning", Status.WAIVED.value: "note"}
_OF_SEVERITY = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_LONGEST = 4000
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
"""In a rule's words, what a result says itself."""
_RULE_INDEX = {name: index for index, name in enumerate(FINDINGS)}
"""Where a finding's rule stands in the list that _driver() writes."""


def dump(subjects: Subjects, files: Mapping[str, str], states: Mapping[str, str]) -> Iterator[str]:
    """Piece by piece. `files`: name to the report's path, relative to this file; `states`: fingerprint to SARIF's baselineState."""
    head = {"version": "2.1.0", "$schema": SCHEMA}
    yield json.dumps(head)[:-1] + ', "runs": [{"tool": '
    yield json.dumps({"driver": _driver()}, ensure_ascii=False)
    yield ', "columnKind": "unicodeCodePoints", "results": ['
    separator = "\n"
    for subject in subjects():
        for result in _results(subject, files, states):
            yield separator + json.dumps(result, ensure_ascii=False)
            separator = ",\n"
    yield "\n]}]}\n"


def _driver() -> dict[str, Any]:
    return {
        "name": "appproxy.connector", "semanticVersion": "1.0.0", "version": f"catalogue {VERSION}",
        "informationUri": "https://galaxy.ansible.com/ui/repo/published/appproxy/connector/",
        "rules": [_rule(spec) for spec in FINDINGS.values()],
    }


def _rule(spec: FindingSpec) -> dict[str, Any]:
    words = "".join(part.title() for part in spec.name.split("-"))
    hint = "It comes with each result." if spec.hint == "{fix}" else _PLACEHOLDER.sub(r"(\1)", spec.hint)
    markdown = f"{spec.cause}\n\n**What to do.** {hint}\n\nOwner: {spec.owner.value}. [Documentation]({spec.docs})"
    return {
        "id": spec.id, "name": words, "shortDescription": {"text": spec.name.replace("-", " ")}, "fullDescription": {"text": spec.cause},
        "help": {"text": f"{spec.cause} What to do: {hint}", "markdown": markdown}, "helpUri": spec.docs,
        "defaultConfiguration": {"level": _OF_SEVERITY[spec.severity]},
        "properties": {"tags": list(dict.fromkeys((spec.area.value, spec.owner.value)))},
    }


def _results(subject: Subject, files: Mapping[str, str], states: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for finding in subject.findings:
        if finding["status"] not in _LEVELS:
            continue
        for endpoint in places(finding):
            mark = fingerprint(subject.name, finding, endpoint)
            result: dict[str, Any] = {
                "ruleId": finding["id"], "ruleIndex": _RULE_INDEX[finding["id"]], "level": _LEVELS[finding["status"]],
                "message": {"text": _message(subject, finding)},
                "locations": [_location(subject, endpoint, files)],
                "partialFingerprints": {"finding/v1": mark},
                "properties": {
                    "status": finding["status"], "owner": finding["owner"], "because": finding["because"],
                    "path": None if finding["path"] is None else inert(finding["path"], limit=300),
                },
            }
            if finding["status"] == Status.WAIVED.value and finding["waiver"]:
                reason = inert(finding["waiver"]["reason"], limit=_LONGEST)
                result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": reason}]
            if mark in states:
                result["baselineState"] = states[mark]
            yield result


def _message(subject: Subject, finding: Mapping[str, Any]) -> str:
    prefix = "Could not be seen: " if finding["status"] == Status.UNKNOWN.value else ""
    return inert(f"{subject.name}: {prefix}{finding['title']}. {finding['hint']}", limit=_LONGEST)


def _location(subject: Subject, endpoint: str, files: Mapping[str, str]) -> dict[str, Any]:
    host = inert(subject.name, limit=300)
    logical = [{"name": host, "kind": "tenant" if subject.is_tenant else "host"}]
    if endpoint:
        named = inert(endpoint, limit=300)
        logical.append({"name": named, "fullyQualifiedName": f"{host}/{named}", "kind": "endpoint"})
    uri = files.get(subject.name, "fleet.json")
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": 1}}, "logicalLocations": logical}
