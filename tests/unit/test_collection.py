# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as users get it: what the archive holds, that it installs, that its parts name each other rightly."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

MEGABYTE = 1_000_000
SHIPPED = re.compile(
    r"""
      (MANIFEST|FILES)\.json
    | (README|CHANGELOG|CONTRIBUTING)\.md
    | LICENSE
    | requirements\.txt
    | meta/(runtime|execution-environment)\.yml
    | changelogs/(config|changelog)\.yaml
    | docs/([\w-]+/)*[\w-]+\.(md|rst|yml)
    | playbooks/[\w-]+\.yml
    | roles/\w+/(README\.md|(defaults|meta|tasks|vars|handlers)/[\w-]+\.yml)
    | docs/report\.png
    | plugins/plugin_utils/report/report\.html\.j2
    | extensions/[\w/.-]+\.(yml|md)
    | plugins/(action|doc_fragments|filter|modules|module_utils)/\w+\.(py|ps1|psm1|cs|yml)
    | plugins/plugin_utils/([a-z_]+/)*[\w.-]+\.(py|json|pem)
    """,
    re.VERBOSE,
)
"""The whole name of each file that may be in the archive."""
NEEDED = ("README.md", "CHANGELOG.md", "LICENSE", "requirements.txt", "meta/runtime.yml", "meta/execution-environment.yml")
HEADER = (
    "Copyright (c) 2026 appproxy.connector contributors",
    "GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)",
    "SPDX-License-Identifier: GPL-3.0-or-later",
)
SOURCES = ("*.py", "*.ps1", "*.psm1", "*.cs")


def galaxy(*arguments: str, home: Path) -> str:
    """Run ansible-galaxy's collection command beside this Python; return its output. Nothing is read from the network."""
    program = Path(sys.executable).parent / "ansible-galaxy"
    if not program.exists():
        pytest.skip("ansible-core is not installed beside this Python (./test installs it)")
    env = os.environ | {"ANSIBLE_HOME": str(home), "ANSIBLE_COLLECTIONS_PATH": str(home / "collections")}
    done = subprocess.run(
        [str(program), "collection", *arguments], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def archive(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the archive, built of the work tree."""
    folder = tmp_path_factory.mktemp("built")
    galaxy("build", "--output-path", str(folder), str(root), home=folder / "home")
    (built,) = folder.glob("*.tar.gz")
    return built


@pytest.fixture(scope="module")
def names(archive: Path) -> list[str]:
    """Return the names of the archive's files."""
    with tarfile.open(archive) as content:
        return [member.name for member in content.getmembers() if not member.isdir()]


def load(path: Path) -> Any:
    """Return a YAML file's content."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def modules(root: Path) -> set[str]:
    """Return the names of the collection's modules."""
    suffixes = {".py", ".ps1", ".yml"}
    return {path.stem for path in (root / "plugins" / "modules").iterdir() if path.suffix in suffixes} - {"__init__"}


def test_archive_has_only_what_a_user_needs(names: list[str]) -> None:
    assert [name for name in names if not SHIPPED.fullmatch(name)] == []


def test_archive_has_all_that_a_user_needs(root: Path, names: list[str]) -> None:
    kinds = (*SOURCES, "*.json", "*.yml", "*.j2")
    plugins = {str(path.relative_to(root)) for pattern in kinds for path in (root / "plugins").rglob(pattern)}
    roles = {str(path.relative_to(root)) for folder in ("roles", "playbooks") for path in (root / folder).rglob("*.yml")}
    assert {*NEEDED, *plugins, *roles} - set(names) == set()


def test_archive_is_small(archive: Path) -> None:
    assert archive.stat().st_size < MEGABYTE


def test_archive_installs_without_network(archive: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    galaxy("install", "--offline", "-p", str(home / "collections"), str(archive), home=home)
    listed = json.loads(galaxy("list", "--format", "json", home=home))
    (found,) = (versions["appproxy.connector"]["version"] for versions in listed.values() if "appproxy.connector" in versions)
    manifest = home / "collections" / "ansible_collections" / "appproxy" / "connector" / "MANIFEST.json"
    assert found == load(manifest)["collection_info"]["version"]


def test_galaxy_metadata(root: Path) -> None:
    metadata = load(root / "galaxy.yml")
    assert (metadata["namespace"], metadata["name"], metadata["license"]) == ("appproxy", "connector", ["GPL-3.0-or-later"])
    assert {"windows", "security", "networking"} <= set(metadata["tags"])
    assert all(metadata[key].startswith("https://") for key in ("repository", "documentation", "homepage", "issues"))


def test_changelog_has_the_version(root: Path) -> None:
    version = load(root / "galaxy.yml")["version"]
    assert version in load(root / "changelogs" / "changelog.yaml")["releases"]
    # Markdown's punctuation is escaped there.
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8").replace("\\", "")
    assert f"## v{version}" in text.splitlines()


def test_action_group_has_the_modules_that_share_the_options(root: Path) -> None:
    """Defaults of the group reach each of its modules, and one that does not know an option refuses it."""
    runtime = load(root / "meta" / "runtime.yml")
    fragment = re.compile(r"^ *- appproxy\.connector\._options$", re.MULTILINE)
    documents = [path for path in (root / "plugins" / "modules").iterdir() if path.suffix in {".py", ".yml"}]
    sharing = {path.stem for path in documents if fragment.search(path.read_text(encoding="utf-8"))}
    assert sharing
    assert set(runtime["action_groups"]["preflight"]) == sharing


def test_each_action_has_a_module_that_documents_it(root: Path) -> None:
    actions = {path.stem for path in (root / "plugins" / "action").glob("*.py")} - {"__init__"}
    assert actions - modules(root) == set()


def test_execution_environment_gets_the_requirements(root: Path) -> None:
    described = load(root / "meta" / "execution-environment.yml")["dependencies"]["python"]
    assert (root / described).read_text(encoding="utf-8") == (root / "requirements.txt").read_text(encoding="utf-8")


def test_sources_carry_the_licence_header(root: Path) -> None:
    def has_header(path: Path) -> bool:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#!")]
        return tuple(line.lstrip("#/ ").strip() for line in lines[: len(HEADER)]) == HEADER

    sources = [path for folder in ("plugins", "tests") for pattern in SOURCES for path in (root / folder).rglob(pattern)]
    without = [str(path.relative_to(root)) for path in sources if path.stat().st_size and not has_header(path)]
    assert len(sources) > 10
    assert without == []
