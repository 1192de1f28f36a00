# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Galaxy and docs.ansible.com make of the collection: the importer takes it, and its pages are built, without a warning."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from integration.environments import programs

PROGRAMS = Path(sys.executable).parent
IMPORTER = "galaxy-importer>=0.4.30,<1"


def run(command: list[str], folder: Path, **environment: str) -> str:
    env = {**os.environ, "NO_COLOR": "1", "HOME": str(folder), **environment}
    done = subprocess.run(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_importer_takes_it_without_a_warning(root: Path, state: Path, tmp_path: Path) -> None:
    own = programs(state, "galaxy-importer", [IMPORTER])
    run([str(PROGRAMS / "ansible-galaxy"), "collection", "build", "--output-path", str(tmp_path), str(root)], tmp_path)
    (archive,) = tmp_path.glob("*.tar.gz")
    settings = tmp_path / "settings.cfg"
    settings.write_text("[galaxy-importer]\nRUN_ANSIBLE_TEST = False\nRUN_ANSIBLE_LINT = True\n", encoding="utf-8")
    said = run([str(own / "python"), "-m", "galaxy_importer.main", archive.name], tmp_path,
               GALAXY_IMPORTER_CONFIG=str(settings), PATH=f"{own}:{os.environ['PATH']}")
    assert "Importer processing completed successfully" in said
    assert "ansible-lint run complete" in said
    assert [line for line in said.splitlines() if line.startswith(("WARNING", "ERROR"))] == []


def test_the_pages_are_built_without_a_warning(collections: Path, tmp_path: Path) -> None:
    command = [str(PROGRAMS / "antsibull-docs"), "collection", "--use-current", "--fail-on-error", "--dest-dir", str(tmp_path / "pages"),
               "appproxy.connector"]
    (tmp_path / "pages").mkdir()
    said = run(command, tmp_path, ANSIBLE_COLLECTIONS_PATH=str(collections), PATH=f"{PROGRAMS}:{os.environ['PATH']}")
    assert "WARNING" not in said
    pages = {path.name for path in (tmp_path / "pages").rglob("*.rst")}
    assert {"admin_module.rst", "preflight_module.rst", "report_module.rst", "preflight_role.rst"} <= pages
