# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the actions do with Ansible: which module, how often, what of its answer stays."""

from __future__ import annotations

import importlib
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible_collections.appproxy.connector.plugins.action import report as report_action
from ansible_collections.appproxy.connector.plugins.action.connectivity import ActionModule as Connectivity
from ansible_collections.appproxy.connector.plugins.action.gate import ActionModule as Gate
from ansible_collections.appproxy.connector.plugins.action.path_info import ActionModule as PathInfo
from ansible_collections.appproxy.connector.plugins.action.preflight import ActionModule as Preflight
from ansible_collections.appproxy.connector.plugins.module_utils._argspecs import (
    ADMIN_OPTIONS,
    GATE_OPTIONS,
    JUDGING_OPTIONS,
    REPORT_OPTIONS,
)
from ansible_collections.appproxy.connector.plugins.plugin_utils import action_base
from ansible_collections.appproxy.connector.plugins.plugin_utils.action_base import JudgingAction, failure_text, given
from ansible_collections.appproxy.connector.plugins.plugin_utils.options import OptionError, parse_options
from ansible_collections.appproxy.connector.plugins.plugin_utils.preflight import plan
from integration import recorded

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


@pytest.mark.parametrize(("warnings", "kept"), [
    (["\x1b[2Jlook\r\nthere"], ["\\x1b[2Jlook there"]),
    ([SimpleNamespace(event=SimpleNamespace(msg="as ansible-core 2.19 wraps it"))], ["as ansible-core 2.19 wraps it"]),
    (["w" * 10**7], ["w" * 1997 + "..."]),
    (["more"] * 1000, ["more"] * 10),
    ([5, None, {"a": 1}], ["5", "None", "{'a': 1}"]),
    ("text", None),
    (5, None),
    ({"a": 1}, None),
])
def test_what_the_module_warns_of_is_a_few_lines(warnings: Any, kept: list[str] | None) -> None:
    assert run(action(Preflight, {"changed": False, "warnings": warnings})).get("warnings") == kept


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


@pytest.mark.parametrize("options", [{"proxy": "http://a b:1"}, {"as_of": "soon"}, {"fail_on": "sometimes"}, {"waivers": "[{"}])
def test_bad_option_is_said_once(options: dict[str, Any]) -> None:
    """Newer Ansible appends the words of an error's causes, and shows what an error was found in."""
    with pytest.raises(AnsibleActionFail) as caught:
        run(action(Preflight, {}, **options))
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert caught.value.obj is None


def test_what_was_left_empty_is_not_given() -> None:
    spec = {"must": {"type": "str", "required": True}, "text": {"type": "str"}, "many": {"type": "list"}, "flag": {"type": "bool"}}
    assert given({"must": "", "text": "", "many": "", "flag": "", "other": ""}, spec) == {"must": "", "other": ""}
    assert given({"must": None, "text": None, "many": None, "flag": None}, spec) == {"must": ""}
    kept = {"must": "x", "text": " ", "many": [], "flag": False}
    assert given(kept, spec) == kept


@pytest.mark.parametrize(("kind", "text", "value"), [
    ("list", '["a:443", "b:443"]', ["a:443", "b:443"]),
    ("list", ' [{"id": "APC112"}]', [{"id": "APC112"}]),
    ("list", "a:443,b:443", "a:443,b:443"),
    ("dict", '{"a:443": "192.0.2.1:443"}', {"a:443": "192.0.2.1:443"}),
    ("str", "[a]", "[a]"),
])
def test_lists_and_maps_may_be_json(kind: str, text: str, value: Any) -> None:
    assert given({"option": text}, {"option": {"type": kind}}) == {"option": value}


@pytest.mark.parametrize("text", ['["a:443"', "{'a': 1}", "[a]"])
def test_broken_json_names_the_option(text: str) -> None:
    with pytest.raises(OptionError, match=r"^endpoints: the text begins as JSON does and cannot be read as JSON: .*\.$"):
        given({"endpoints": text}, {"endpoints": {"type": "list"}})


def test_gate_and_report_take_what_was_left_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    empty = {"tenant_id": None, "run_id": "", "report_dir": str(tmp_path / "reports")}
    begun = run(controller_action(report_action.ActionModule, part="begin", stats_key="", save_observation="", result="", **empty))
    stopped = run(controller_action(Gate, fail_on="", unknown="", **empty))
    assert stopped["run_id"] == begun["run_id"]
    assert stopped["failed"]


# --- one run and the next ------------------------------------------------------------------------------------------------


def controller_action(kind: Any, **options: Any) -> Any:
    made = action(kind, {})
    made._task.args = {key: value for key, value in options.items() if value is not None}
    return made


def begin(tmp_path: Path, host: str) -> dict[str, Any]:
    """The fleet's report after a host of a run with the id `mine` has begun."""
    made = controller_action(report_action.ActionModule, part="begin", run_id="mine", report_dir=str(tmp_path / "reports"))
    made.run(task_vars={"inventory_hostname": host})
    fleet: dict[str, Any] = json.loads((tmp_path / "reports" / "mine" / "fleet.json").read_text(encoding="utf-8"))
    return fleet


def test_a_run_id_that_is_used_again_begins_anew_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first run was killed: its report says in_progress for ever, and none of its times are the second run's."""
    clock = datetime(2026, 11, 26, 1, 0, tzinfo=timezone.utc)
    path = tmp_path / "reports" / "mine" / "fleet.json"

    def start(scratch: str, at: datetime) -> None:
        (tmp_path / scratch).mkdir()
        monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path / scratch))
        monkeypatch.setattr(action_base, "now", lambda: at)

    start("first", clock)
    assert begin(tmp_path, "one")["started_at"] == "2026-11-26T01:00:00Z"
    start("second", clock + timedelta(hours=1))
    assert begin(tmp_path, "one")["started_at"] == "2026-11-26T02:00:00Z"

    # What the first batch of the second run reported stays when later hosts begin, minutes later.
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), "verdict": "ready"}), encoding="utf-8")
    monkeypatch.setattr(action_base, "now", lambda: clock + timedelta(hours=1, minutes=5))
    assert begin(tmp_path, "two") == {
        "schema": 1, "state": "in_progress", "run_id": "mine", "started_at": "2026-11-26T02:00:00Z", "verdict": "ready",
    }


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
    options = {**ADMIN_OPTIONS, **REPORT_OPTIONS, **JUDGING_OPTIONS, **GATE_OPTIONS, "admin_deadline": ADMIN_OPTIONS["deadline"]}
    written = {"save_observations": "save_observation"}
    # What the role itself makes of tasks, and no module has.
    own = {"preflight_as_service", "preflight_publish_tasks"}
    assert all(specs["main"]["options"][name].get("default") == defaults.get(name) for name in own)
    for name, described in specs["main"]["options"].items():
        if name in own:
            continue
        plain = name.removeprefix("preflight_")
        option = options[written.get(plain, plain)]
        assert described["type"] == option["type"], name
        assert described.get("default") == defaults.get(name) == option.get("default"), name
        assert described.get("choices") == option.get("choices"), name
    given_to_main = set(specs["main"]["options"])
    assert given_to_main == {name for entry in ("admin", "observe", "report", "gate") for name in specs[entry]["options"]}
    internal = {
        "part", "result", "reports", "save_observation", "return_observation", "service_observation", "once",
        # Secrets come from the environment or from files.
        "registration_token", "client_secret", "client_certificate_password", "admin_password",
    }
    assert {f"preflight_{name}" for name in set(options) - internal} | {"preflight_save_observations"} | own == given_to_main


JUDGING = ("connectivity", "preflight", "server", "trust")


def test_judging_modules_return_the_same() -> None:
    """ansible-core before 2.20 takes no RETURN from a documentation fragment, so each module carries it."""
    modules = [importlib.import_module(f"ansible_collections.appproxy.connector.plugins.modules.{name}") for name in JUDGING]
    assert len({module.RETURN for module in modules}) == 1


def documented(described: dict[str, Any], value: Any, where: str) -> None:
    """Keys of a result are those of RETURN, as deep as RETURN goes."""
    assert set(described) == set(value), where
    for key, one in described.items():
        if "contains" in one:
            inner = value[key] if one["type"] == "list" else [value[key]]
            if (inner, key) in (([None], "sha512"), ([], "chains")):
                # Nothing was judged, nothing was seen.
                continue
            assert inner, f"{where}{key}: nothing to compare"
            for item in inner:
                documented(one["contains"], item, f"{where}{key}.")


@pytest.mark.parametrize("name", JUDGING)
@pytest.mark.parametrize("seen", [True, False])
def test_return_is_what_is_returned(tmp_path: Path, name: str, seen: bool) -> None:
    documentation = importlib.import_module(f"ansible_collections.appproxy.connector.plugins.modules.{name}")
    described = yaml.safe_load(documentation.RETURN)
    made = action(Preflight, {"failed": True, "msg": "no"}, proxy="direct", return_observation=True, return_passes=True)

    def one_dropped(target: dict[str, Any], chain: list[str]) -> dict[str, Any]:
        return (recorded.dropped if target["host"] == "login.microsoftonline.com" else recorded.healthy)(target, chain)

    if seen:
        request = plan(parse_options(made._task.args, recorded.SEEN_AT), "one").request
        world = recorded.make_world([target["host"] for target in request["targets"]])
        made._task.args["public_roots"] = str(world.write_roots(tmp_path / "roots.pem"))
        made._task.args["observations"] = str(
            recorded.save(tmp_path / "seen.json", recorded.observation(request, world, one_dropped))
        )
    else:
        described.pop("observation")
    result = run(made)
    ansibles = {"changed", "failed"}
    documented(described, {key: value for key, value in result.items() if key not in ansibles}, "")
    assert {one["returned"] for key, one in described.items() if key != "observation"} == {"when the options are good"}
    types = {"str": str, "int": int, "bool": bool, "list": list, "dict": dict}
    empty = set() if seen else {"seen_at", "sha512"}
    assert {key for key, one in described.items() if not isinstance(result[key], types[one["type"]])} == empty


def test_failure_text_is_one_line_without_repeats() -> None:
    assert failure_text({"msg": "a\nb", "module_stdout": "a b", "module_stderr": "\x1bc"}) == "a b; \\x1bc"
    assert failure_text({}) == "the module failed without a word"
