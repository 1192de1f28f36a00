# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All formats by name: the files that one makes, and what is in them. Pure; every one is made from the same findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from . import change_request, html, junit, markdown, remediation, sarif
from .rows import Subjects


@dataclass(frozen=True)
class Material:
    """What the formats are made from."""

    fleet: Mapping[str, Any]
    subjects: Subjects
    files: Mapping[str, str] = field(default_factory=dict)
    """Name of a host (or the tenant) to its own report, relative to the run's folder."""
    states: Mapping[str, str] = field(default_factory=dict)
    """Fingerprint to SARIF's baselineState, where there is a baseline."""


Pieces = Iterable[str]
FORMATS: Mapping[str, Mapping[str, Callable[[Material], Pieces]]] = MappingProxyType({
    "html": {html.NAME: lambda made: html.dump(made.fleet, made.subjects)},
    "markdown": {markdown.NAME: lambda made: markdown.dump(made.fleet)},
    "junit": {junit.NAME: lambda made: junit.dump(made.subjects, made.fleet["written_at"])},
    "sarif": {sarif.NAME: lambda made: sarif.dump(made.subjects, made.files, made.states)},
    "change_request": {
        change_request.CSV_NAME: lambda made: change_request.dump_csv(made.subjects),
        change_request.MARKDOWN_NAME: lambda made: change_request.dump_markdown(made.subjects),
    },
    "remediation": {remediation.NAME: lambda made: remediation.dump(made.subjects)},
})
"""Name of a format to its files. JSON is always there: the others are made from it."""
