# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of what is each server's own to mend, as reviewable data in the shape of host_vars. Nothing is applied. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from ..model import Owner, Status
from .rows import Subject, Subjects
from .text import inert

NAME = "remediation.yml"
VARIABLE = "preflight_remediation"
_HEAD = f"""---
# What the servers' own administrators have to mend, from the findings of this run. Review it; nothing here was applied.
# A map of host names to variables: `{VARIABLE}` of a host is what its host_vars would carry.
"""


def dump(subjects: Subjects) -> Iterator[str]:
    yield _HEAD
    any_ = False
    for subject in subjects():
        steps = list(_steps(subject))
        if steps:
            any_ = True
            host = {inert(subject.name, limit=300): {VARIABLE: steps}}
            yield yaml.dump(host, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    if not any_:
        yield "{}\n"


class _Text(str):
    """What a target or a middlebox may have said: as host_vars it must not be a template."""


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(_Text, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text)))


def _text(value: object, limit: int = 1500) -> _Text:
    return _Text(inert(value, limit=limit))


def _steps(subject: Subject) -> Iterator[dict[str, object]]:
    for finding in subject.causes:
        if finding["owner"] == Owner.SERVER.value and finding["status"] != Status.UNKNOWN.value:
            yield {
                "id": finding["id"], "name": finding["name"], "status": finding["status"], "what": _text(finding["title"]),
                "do": _text(finding["hint"]),
                "evidence": {inert(key): value if isinstance(value, (int, float)) else _text(value)
                             for key, value in finding["evidence"].items()},
                "documentation": finding["docs"],
            }
