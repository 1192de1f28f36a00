# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reports of an earlier run, or of another slice of one: read from its folder, one host at a time. Controller only."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import files
from .fleet_json import Row
from .rows import Subjects, subjects


@dataclass(frozen=True)
class Saved:
    folder: Path
    fleet: Mapping[str, Any]

    @classmethod
    def at(cls, path: str, own: Path | None = None, option: str = "baseline") -> Saved:
        """`path` of fleet.json or of its folder; `own` is this run's folder, which cannot be compared with itself. Raises FilesError."""
        given = Path(os.path.abspath(os.path.expanduser(path)))
        folder = given if given.is_dir() else given.parent
        if own is not None and folder.resolve() == own.resolve():
            raise files.FilesError(f"{option}: '{path}' is this run's own report. Give that of an earlier run, or another run_id.")
        fleet = files.read(files.fleet_file(folder))
        if fleet is None or not isinstance(fleet.get("hosts"), list):
            raise files.FilesError(f"{option}: '{path}' is no report of a run that came to its end. Give the path of its fleet.json.")
        return cls(folder, fleet)

    @property
    def run_id(self) -> str:
        return str(self.fleet["run_id"])

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(str(host["host"]) for host in self.fleet["hosts"])

    @property
    def tenant(self) -> Mapping[str, Any] | None:
        """None where nobody asked."""
        report = files.read(files.tenant_file(self.folder)) if self.fleet.get("tenant") else None
        return report if report and report.get("asked") else None

    def of(self, host: str) -> Mapping[str, Any] | None:
        return files.read(files.host_file(self.folder, host))

    def subjects(self) -> Subjects:
        def rows() -> Iterator[Row]:
            return (Row(host, None, self.of(host)) for host in self.hosts)

        return subjects(rows, self.tenant)
