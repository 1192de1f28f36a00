# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tools that read the sources, each one a test. A tool that cannot run here is skipped with the reason.

Tools that leave files, or that demand the path …/ansible_collections/appproxy/connector, work on a copy.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.quality

NOT_COPIED = frozenset({".git", ".ansible", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache"})
OLDEST_TO_NEWEST = range(8, 15)
"""Minor versions of Python 3 that ansible-test may look for."""
NO_DOWNLOAD = """\
# ansible-test fetches pip from a server of its own. The pip that comes with Python does as well,
# and so nothing but the package index is needed.
import subprocess
import sys

wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "ensurepip"])
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "--quiet", *wanted]))
"""


def tool(name: str) -> str:
    """Return the path of a program of the environment that pytest runs in; skip the test where it is not installed."""
    path = Path(sys.executable).parent / name
    if not path.exists():
        pytest.skip(f"{name} is not installed beside this Python (./test installs it)")
    return str(path)


def run(command: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder; return its result, with standard error in `stdout`."""
    env = os.environ | {"NO_COLOR": "1"} | variables
    return subprocess.run(
        command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


def passes(command: list[str], folder: Path, **variables: str) -> None:
    """Run a command in a folder; fail the test with its output when the command fails."""
    result = run(command, folder, **variables)
    if result.returncode != 0:
        pytest.fail(f"{' '.join(command)} ended with {result.returncode}:\n{result.stdout}", pytrace=False)


@pytest.fixture(scope="module")
def copy(root: Path, state: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a fresh copy of the sources at the path that ansible-test demands.

    No repository may be around it: ansible-test would ask that one for the files, and be told that they are ignored.
    """
    folder = tmp_path_factory.mktemp("quality") / "ansible_collections" / "appproxy" / "connector"

    def left_out(where: str, names: list[str]) -> set[str]:
        return {name for name in names if name in NOT_COPIED or Path(where, name) in (state, root / ".state")}

    shutil.copytree(root, folder, ignore=left_out, symlinks=True)
    return folder


def starts(python: Path) -> bool:
    """Tell whether a Python program runs; a version manager's stub may lead nowhere."""
    return subprocess.run([str(python), "-c", ""], stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0


def search_path() -> str:
    """Return PATH without the folders that have a pythonX.Y that does not start: ansible-test stumbles over those."""
    kept = []
    for folder in os.environ["PATH"].split(os.pathsep):
        pythons = [Path(folder, f"python3.{minor}") for minor in OLDEST_TO_NEWEST]
        if all(starts(python) for python in pythons if python.exists()):
            kept.append(folder)
    return os.pathsep.join(kept)


def sanity(copy: Path, *arguments: str) -> str:
    """Run ansible-test sanity on the copy; return its output, or fail the test with what it found."""
    command = [tool("ansible-test"), "sanity", "--local", "--requirements", "--color", "no", *arguments]
    path = search_path()
    result = run(command, copy, PATH=path)
    # Each version of pip that it wants is asked for apart.
    while missing := re.search(r"can be manually downloaded and saved to: (\S+)", result.stdout):
        script = Path(missing[1])
        if script.exists():
            pytest.fail(f"ansible-test does not take {script}:\n{result.stdout}", pytrace=False)
        script.write_text(NO_DOWNLOAD, encoding="utf-8")
        result = run(command, copy, PATH=path)
    if result.returncode != 0 or "All targets skipped" in result.stdout:
        found = [line for line in result.stdout.splitlines() if line.startswith(("ERROR: ", "See documentation"))]
        shown = "\n".join(found) or result.stdout
        pytest.fail(f"{' '.join(command)} ended with {result.returncode}:\n{shown}", pytrace=False)
    return result.stdout


def powershell() -> str:
    """Return the path of pwsh; skip the test where there is none."""
    path = shutil.which("pwsh")
    if not path:
        pytest.skip("pwsh is not on PATH")
    return path


def test_mypy_strict(root: Path, source: Path, state: Path) -> None:
    package = "ansible_collections.appproxy.connector.plugins.plugin_utils"
    cache = str(state / "cache" / "mypy")
    passes([tool("mypy"), "--config-file", str(root / "pyproject.toml"), "-p", package], state, MYPYPATH=str(source), MYPY_CACHE_DIR=cache)


def test_ruff(root: Path, state: Path) -> None:
    passes([tool("ruff"), "check", "--no-cache", "."], root)


def test_ansible_lint(copy: Path) -> None:
    passes([tool("ansible-lint"), "--profile", "production", "--offline", "--strict", "--nocolor"], copy)


def test_sanity(copy: Path) -> None:
    """All of ansible-test's sanity tests but the two that have a test of their own below."""
    output = sanity(copy, "--skip-test", "pslint", "--skip-test", "validate-modules")
    missing = re.findall(r"Skipping sanity test \"(?:compile|import)\" on Python ([\d.]+) because it could not be found", output)
    absent = sorted(set(missing))
    if absent:
        pytest.skip(f"passed, but not compiled and imported with the Pythons that are not on PATH: {', '.join(absent)}")


def test_sanity_validate_modules(copy: Path) -> None:
    sanity(copy, "--test", "validate-modules", "--exclude", r"plugins/modules/.*\.ps1")


def test_sanity_validate_modules_powershell(copy: Path) -> None:
    powershell()
    scripts = sorted(str(path.relative_to(copy)) for path in (copy / "plugins" / "modules").glob("*.ps1"))
    assert scripts
    sanity(copy, "--test", "validate-modules", *scripts)


def test_sanity_pslint(copy: Path) -> None:
    listing = "Get-Module -ListAvailable PSScriptAnalyzer | ForEach-Object Name"
    found = run([powershell(), "-NoProfile", "-NonInteractive", "-Command", listing], copy)
    if "PSScriptAnalyzer" not in found.stdout:
        pytest.skip("PSScriptAnalyzer is not installed for pwsh")
    sanity(copy, "--test", "pslint")


def test_windows_powershell_5_1(root: Path) -> None:
    """The PowerShell and C# sources use only what Windows PowerShell 5.1 and .NET Framework have."""
    checker = Path(os.environ.get("APPPROXY_CHECK51") or root.parent / "shared" / "pwsh" / "check-51.ps1")
    if not checker.is_file():
        pytest.skip("check-51.ps1 is not here (APPPROXY_CHECK51 names it)")
    beside = checker.parent / "app" / "pwsh"
    shell = str(beside) if beside.exists() else powershell()
    patterns = ("modules/*.ps1", "module_utils/*.psm1", "module_utils/*.cs")
    sources = sorted(str(path) for pattern in patterns for path in (root / "plugins").glob(pattern))
    assert sources
    result = run([shell, "-NoProfile", "-NonInteractive", "-File", str(checker), *sources], root)
    assert (result.returncode, result.stdout.splitlines()[-1:]) == (0, ["0 findings"]), result.stdout


def test_documentation(copy: Path) -> None:
    options = ["--plugin-docs", "--validate-collection-refs", "all", "--disallow-unknown-collection-refs", "--check-extra-docs-refs"]
    passes([tool("antsibull-docs"), "lint-collection-docs", *options, "."], copy)


def test_changelog(copy: Path) -> None:
    passes([tool("antsibull-changelog"), "lint"], copy)
    passes([tool("antsibull-changelog"), "lint-changelog-yaml", "changelogs/changelog.yaml"], copy)
