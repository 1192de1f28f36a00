# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the READMEs and CONTRIBUTING.md show can be copied, and what they name is there."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.appproxy.connector.plugins.module_utils._argspecs import JUDGING_OPTIONS
from ansible_collections.appproxy.connector.plugins.plugin_utils.catalogue.findings import FINDINGS
from ansible_collections.appproxy.connector.plugins.plugin_utils.options import parse_options

ROOT = Path(__file__).absolute().parent.parent.parent
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "roles/preflight/README.md")
EXAMPLE = "APC157"
"""The finding that CONTRIBUTING.md adds as its example: the next free number, so neither it nor its page is there."""
OUTPUT = (
    ".state", "preflight-reports", "fleet.json", "tenant.json", "hosts", "report.html", "report.md", "junit.xml", "findings.sarif",
    "change-request.csv", "change-request.md", "remediation.yml",
)
"""What runs make."""
PLAYS_KEYWORDS = {"preflight_hosts", "preflight_serial", "preflight_strategy", "preflight_reports"}
"""Variables of the playbook, not of the role."""
NOW = datetime(2026, 11, 26, 1, 15, tzinfo=timezone.utc)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def unfenced(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def blocks(name: str) -> list[Any]:
    """The YAML blocks of a document, parsed: the fenced ones, and those that are indented by four and begin with a list."""
    text = read(name)
    fenced = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^    - .*\n(?:    .*\n)*", unfenced(text), re.MULTILINE)
    return [yaml.safe_load(block) for block in (*fenced, *map(textwrap.dedent, indented))]


def pairs(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, however deep it stands."""
    if isinstance(value, list):
        for one in value:
            yield from pairs(one)
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key), inner
            yield from pairs(inner)


def judging_tasks(value: Any) -> list[dict[str, Any]]:
    """The arguments of the judging modules."""
    return [inner for key, inner in pairs(value) if key in ("appproxy.connector.preflight", "appproxy.connector.connectivity")]


def known_variables() -> set[str]:
    points = yaml.safe_load(read("roles/preflight/meta/argument_specs.yml"))["argument_specs"].values()
    return {name for point in points for name in point.get("options", {})}


def named_paths(name: str) -> set[str]:
    """What looks like a path in code spans."""
    words = {word.removeprefix("./") for span in re.findall(r"`([^`\n]+)`", unfenced(read(name))) for word in span.split()}
    return {word for word in words if re.fullmatch(r"[\w*.-]+(/[\w*.-]+)*/?", word)
            and ("/" in word or re.search(r"\.(py|cs|ps1|yml|md|json)$", word) or (ROOT / word).is_file())}


def everything() -> list[str]:
    """Files and folders of the tree, from its root."""
    tops = [top for top in ROOT.iterdir() if not top.name.startswith(".")]
    found = [*tops, *(path for top in tops if top.is_dir() for path in top.rglob("*"))]
    return [path.relative_to(ROOT).as_posix() for path in found]


# --- what can be copied --------------------------------------------------------------------------------------------------


def test_the_readme_shows_an_inventory_and_a_play() -> None:
    inventory, play, waivers = blocks("README.md")
    assert inventory["connectors"]["hosts"]
    assert waivers["preflight_waivers"]
    assert len(judging_tasks(play)) == 1


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_arguments_that_are_shown_are_good(name: str) -> None:
    for arguments in judging_tasks(blocks(name)):
        checked = ArgumentSpecValidator(JUDGING_OPTIONS).validate(arguments)
        assert checked.error_messages == []
        options = parse_options(checked.validated_parameters, NOW)
        assert len(options.waivers) == len(arguments.get("waivers", ()))
        for waiver, written in zip(options.waivers, arguments.get("waivers", ()), strict=True):
            assert waiver.reason == written["reason"]
            assert waiver.until > NOW.date()


@pytest.mark.parametrize("name", ["README.md", "roles/preflight/README.md"])
def test_the_variables_that_are_named_are_the_roles(name: str) -> None:
    known = known_variables()
    assert "preflight_tenant_id" in known
    named = set(re.findall(r"\bpreflight_\w+", read(name)))
    assert named
    assert named - known - PLAYS_KEYWORDS == set()


def test_the_roles_readme_shows_a_play_and_has_every_variable() -> None:
    (play,) = blocks("roles/preflight/README.md")
    shown = {key for key, _inner in pairs(play) if key.startswith("preflight_")}
    assert "preflight_tenant_id" in shown
    assert shown <= known_variables()
    table = set(re.findall(r"`(preflight_\w+)`", "\n".join(re.findall(r"^\| `.*$", read("roles/preflight/README.md"), re.MULTILINE))))
    assert table == known_variables()


# --- what is named -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_findings_that_are_named_are_there(name: str) -> None:
    named = set(re.findall(r"\bAPC\d{3}\b", read(name)))
    assert named - {EXAMPLE} <= set(FINDINGS)


def test_the_example_of_a_new_finding_is_the_next_free_number() -> None:
    assert EXAMPLE in read("CONTRIBUTING.md")
    assert EXAMPLE not in FINDINGS
    assert f"APC{int(EXAMPLE[3:]) - 1}" in FINDINGS


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_links_lead_to_files(name: str) -> None:
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", read(name)) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / name).parent.joinpath(link).is_file()] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_paths_that_are_named_are_there(name: str) -> None:
    """A path may be written from any folder on, as `judge/http.py`, and with `*`."""
    files = everything()
    named = {path for path in named_paths(name) if path.split("/")[0] not in OUTPUT and EXAMPLE not in path}
    missing = [path for path in named if not any(fnmatchcase(f"/{file}", f"*/{path.rstrip('/')}") for file in files)]
    assert missing == []


def test_paths_are_found_in_the_text() -> None:
    """The test above cannot pass by finding nothing."""
    assert {"demo", "test"} <= named_paths("README.md") | named_paths("CONTRIBUTING.md")
    assert {"judge/http.py", "plugins/module_utils/_probe*.py", "tests/lab/faults.py"} <= named_paths("CONTRIBUTING.md")
