# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the actions do with Ansible: which module, how often, what of its answer stays."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible_collections.appproxy.connector.plugins.action.connectivity import ActionModule as Connectivity
from ansible_collections.appproxy.connector.plugins.action.path_info import ActionModule as PathInfo
from ansible_collections.appproxy.connector.plugins.action.preflight import ActionModule as Preflight
from ansible_collections.appproxy.connector.plugins.module_utils._argspecs import GATE_OPTIONS, JUDGING_OPTIONS, REPORT_OPTIONS
from ansible_collections.appproxy.connector.plugins.plugin_utils.action_base import JudgingAction, failure_text

ROLE = Path(__file__).absolute().parents[2] / "roles" / "preflight"
TENANT = "00000000-1111-2222-3333-444444444444"
WINDOWS = (".ps1", ".exe", "")


def action(kind: Any, answer: Any, *, preferences: tuple[str, ...] = ("",), transport: str = "ssh", **options: Any) -> Any:
    """An action over a connection that only says what it is; `answer` is what the remote module gives or raises."""
    task = SimpleNamespace(
        args={"tenant_id": TENANT, **{key: value for key, value in options.items() if value is not None}},
        action="appproxy.connector.preflight", async_val=0, check_mode=False, no_log=False, delegate_to=None, environment=None,
        collections=[], diff=False,
    )
    connection = SimpleNamespace(module_implementation_preferences=preferences, transport=transport, _shell=SimpleNamespace(tmpdir=None))
    made = kind(task, connection, SimpleNamespace(check_mode=False), None, None, None)
    made.calls = []

    def execute(**given: Any) -> Any:
        made.calls.append(given)
        if isinstance(answer, Exception):
            raise answer
        return answer

    made._execute_module = execute
    return made


def run(made: Any) -> dict[str, Any]:
    result: dict[str, Any] = made.run(task_vars={"inventory_hostname": "one"})
    return result


@pytest.mark.parametrize("kind", [Connectivity, Preflight])
@pytest.mark.parametrize(("preferences", "module"), [(WINDOWS, "connector_info"), (("",), "path_info")])
def test_one_remote_task_of_the_right_module(kind: type[JudgingAction], preferences: tuple[str, ...], module: str) -> None:
    made = action(kind, {"failed": True, "msg": "no"}, preferences=preferences)
    run(made)
    (call,) = made.calls
    assert call["module_name"] == f"appproxy.connector.{module}"
    assert set(call["module_args"]) == {"request"}


@pytest.mark.parametrize(("preferences", "transport", "given", "seen_from"), [
    (WINDOWS, "winrm", None, "server"),
    (("",), "ssh", None, "jump_host"),
    (("",), "local", None, "controller"),
    (("",), "ssh", "server", "server"),
])
def test_where_it_is_seen_from(preferences: tuple[str, ...], transport: str, given: str | None, seen_from: str) -> None:
    result = run(action(Preflight, {"failed": True, "msg": "no"}, preferences=preferences, transport=transport, seen_from=given))
    assert {finding["seen_from"] for finding in result["findings"]} == {seen_from}


@pytest.mark.parametrize(("answer", "words", "reached"), [
    (AnsibleConnectionFailure("no route to host"), "no route to host", False),
    (AnsibleError("winrm or requests is not installed"), "winrm or requests is not installed", True),
    ({"unreachable": True, "msg": "gone"}, "gone", False),
    ({"failed": True, "msg": "MODULE FAILURE", "module_stderr": "python3: not found\r\n"}, "MODULE FAILURE; python3: not found", True),
    ({"changed": False}, "answered without an observation", True),
    ({"observation": "text"}, "answered without an observation", True),
])
def test_what_could_not_be_seen_is_a_finding(answer: Any, words: str, reached: bool) -> None:
    result = run(action(Preflight, answer))
    (cause,) = result["causes"]
    assert cause["id"] == "APC901"
    assert words in next(finding["evidence"]["error"] for finding in result["findings"] if finding["id"] == "APC901")
    assert (result["verdict"], result["reached"]) == ("inconclusive", reached)


def test_nothing_of_the_module_leaks_but_its_warnings() -> None:
    answer = {"failed": True, "msg": "no", "rc": 1, "skipped": True, "results": [], "invocation": {}, "_ansible_x": 1, "warnings": ["look"]}
    result = run(action(Preflight, {**answer, "ansible_facts": {"discovered_interpreter_python": "x"}}))
    assert result["warnings"] == ["look"]
    assert not {"rc", "skipped", "results", "invocation", "_ansible_x", "ansible_facts"} & set(result)
    assert result["changed"] is False


def test_answer_that_is_no_observation_is_not_believed() -> None:
    result = run(action(Preflight, {"observation": {"schema": "\x1b[2J"}}))
    assert [cause["id"] for cause in result["causes"]] == ["APC906"]
    assert "\x1b" not in result["msg"]


def test_bad_option_touches_nothing() -> None:
    made = action(Preflight, {}, proxy="nonsense")
    with pytest.raises(AnsibleActionFail, match="proxy: 'nonsense' is not known"):
        run(made)
    assert made.calls == []


def test_saved_observation_touches_nothing() -> None:
    made = action(Preflight, {}, observations="/nowhere/at/all")
    result = run(made)
    assert made.calls == []
    assert result["reached"] is True
    assert result["causes"][0]["id"] == "APC901"


def test_information_module_on_the_other_platform() -> None:
    made = action(PathInfo, {}, preferences=WINDOWS)
    result = run(made)
    assert result["failed"]
    assert result["msg"] == "appproxy.connector.path_info is not for Windows targets: use appproxy.connector.connector_info."
    assert made.calls == []


def test_role_variables_are_the_options_of_its_modules() -> None:
    """Names, types and defaults of the role's variables stand in three places: they must agree."""
    specs = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))
    options = {**REPORT_OPTIONS, **JUDGING_OPTIONS, **GATE_OPTIONS}
    written = {"save_observations": "save_observation"}
    for name, described in specs["main"]["options"].items():
        plain = name.removeprefix("preflight_")
        option = options[written.get(plain, plain)]
        assert described["type"] == option["type"], name
        assert described.get("default") == defaults.get(name) == option.get("default"), name
        assert described.get("choices") == option.get("choices"), name
    given_to_main = set(specs["main"]["options"])
    assert given_to_main == {name for entry in ("observe", "report", "gate") for name in specs[entry]["options"]}
    internal = {"part", "result", "save_observation", "return_observation"}
    assert {f"preflight_{name}" for name in set(options) - internal} | {"preflight_save_observations"} == given_to_main


def test_judging_modules_return_the_same() -> None:
    """ansible-core before 2.20 takes no RETURN from a documentation fragment, so each module carries it."""
    connectivity, preflight = (
        importlib.import_module(f"ansible_collections.appproxy.connector.plugins.modules.{name}") for name in ("connectivity", "preflight")
    )
    assert connectivity.RETURN == preflight.RETURN


def test_failure_text_is_one_line_without_repeats() -> None:
    assert failure_text({"msg": "a\nb", "module_stdout": "a b", "module_stderr": "\x1bc"}) == "a b; \\x1bc"
    assert failure_text({}) == "the module failed without a word"
