# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the actions have in common: options, the one remote task, the run's folder.

FOR INTERNAL COLLECTION USE ONLY. The only part of plugin_utils that imports Ansible.
"""

from __future__ import annotations

import fcntl
import gc
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ..module_utils._argspecs import JUDGING_OPTIONS
from .judge.observed import UNSUPPORTED
from .model import TIME_FORMAT, Area, SeenFrom
from .options import OptionError, parse_options
from .preflight import Failure, Plan, conclude, plan, saved_from, seen_from
from .report import files
from .report.text import inert

WINDOWS_MODULE = "appproxy.connector.connector_info"
POSIX_MODULE = "appproxy.connector.path_info"
MESSAGE_LIMIT = 2000
"""Characters of one line of a message that Ansible shows as it is."""
MOST_WARNINGS = 10
_WORDS_OF_FAILURE = ("msg", "module_stderr", "module_stdout")


def is_windows(connection: Any) -> bool:
    """By the connection, not by facts: a Windows one prefers .ps1 modules."""
    return ".ps1" in connection.module_implementation_preferences


def failure_text(result: Mapping[str, Any]) -> str:
    """Why a remote module failed, on one line: its message, and what the interpreter or the shell said."""
    words = (inert(result[key]) for key in _WORDS_OF_FAILURE if result.get(key))
    return "; ".join(dict.fromkeys(word for word in words if word)) or "the module failed without a word"


def warnings_of(result: Mapping[str, Any]) -> list[str]:
    """What a remote module warned of, a line each and not for ever. ansible-core 2.19 and newer wrap what the module itself said."""
    heard = result.get("warnings")
    if not isinstance(heard, list):
        return []
    return [inert(getattr(getattr(one, "event", None), "msg", one), limit=MESSAGE_LIMIT) for one in heard[:MOST_WARNINGS]]


def now() -> datetime:
    """Controller's clock, whole seconds, UTC."""
    return datetime.now(timezone.utc).replace(microsecond=0)


def fail(error: Exception) -> AnsibleActionFail:
    """One line, no traceback. To be raised `from None`: newer Ansible appends the words of causes, which are the same here."""
    return AnsibleActionFail(inert(error, limit=MESSAGE_LIMIT))


def given(args: Mapping[str, Any], spec: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What a task really gave of its options. Raises OptionError.

    A form's field that was left empty arrives as '' and means "not given", except where the option must be given. Lists and
    maps from forms and -e arrive as text: what begins like JSON is read as JSON.
    """
    kept: dict[str, Any] = {}
    for name, value in args.items():
        option = spec.get(name)
        empty = value is None or value == ""
        if option is None or not empty:
            kept[name] = _read(name, value, (option or {}).get("type"))
        elif option.get("required"):
            kept[name] = ""
    return kept


def _read(name: str, value: Any, kind: str | None) -> Any:
    if kind not in ("list", "dict") or not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise OptionError(f"{name}: the text begins as JSON does and cannot be read as JSON: {error}.") from error


def options_of(action: ActionBase, spec: Mapping[str, Any], **rules: Any) -> dict[str, Any]:
    """The task's options, checked and completed with the defaults. Raises AnsibleActionFail with one message."""
    try:
        action._task.args = given(action._task.args, spec)
        _checked, args = action.validate_argument_spec(spec, **rules)
    except (OptionError, AnsibleActionFail) as error:
        # Ansible's own error carries all arguments, and newer Ansible would show them and its words twice.
        raise fail(error) from None
    return dict(args)


def inert_message(message: str) -> str:
    """A module's `msg`: its lines, each of which a terminal can show."""
    return "\n".join(inert(line, limit=MESSAGE_LIMIT) for line in message.split("\n"))


def awx_job(variables: Mapping[str, Any]) -> str | None:
    """The id of the AWX job that this is; None where it is none."""
    job = variables.get("awx_job_id") or variables.get("tower_job_id") or os.environ.get("JOB_ID")
    return str(job) if job else None


def once_in_a_run(name: str, asked: Mapping[str, Any], work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Does it for the first who asks this in this run of Ansible; all others get what came of it, whatever the strategy and the serial.

    What came of it lies where the run's id does, and goes with it at the end. `asked` holds no secret. Raises FilesError.
    """
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()[:16]
    path = Path(constants.DEFAULT_LOCAL_TMP) / f"appproxy-connector-{name}-{digest}.json"
    try:
        lock = (path.parent / f"{path.name}.lock").open("w", encoding="utf-8")
    except OSError as error:
        raise files.FilesError(f"cannot write {path.parent}: {error.strerror}") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = files.read(path)
        if known is None:
            known = work()
            files.write(path, json.dumps(known))
    return known


def run_of(args: Mapping[str, Any]) -> tuple[str, Path]:
    """The id and the folder of this run. Raises FilesError."""
    run_id = args["run_id"] or files.this_run(constants.DEFAULT_LOCAL_TMP, now())
    return run_id, files.run_folder(args["report_dir"], run_id)


def started_at() -> str:
    """When this run of Ansible began: the same for all hosts, whatever their run_id."""
    return files.begun_at(files.this_run(constants.DEFAULT_LOCAL_TMP, now())).strftime(TIME_FORMAT)


class ControllerAction(ActionBase):  # type: ignore[misc]
    """Works on the controller only: output, so it does the same in check mode."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False


class ObservingAction(ActionBase):  # type: ignore[misc]
    """Runs the module of its own name, where the target is of the platform that the module is for."""

    _supports_check_mode = True
    _supports_async = False
    module = ""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        fitting = WINDOWS_MODULE if is_windows(self._connection) else POSIX_MODULE
        if self.module != fitting:
            platform = "Windows" if fitting == WINDOWS_MODULE else "POSIX"
            return {"changed": False, "failed": True, "msg": f"{self.module} is not for {platform} targets: use {fitting}."}
        result: dict[str, Any] = self._execute_module(module_name=self.module, module_args=dict(self._task.args), task_vars=task_vars)
        return result


class JudgingAction(ActionBase):  # type: ignore[misc]
    """Options, one remote task (none with saved observations), judgement."""

    _supports_check_mode = True
    _supports_async = False
    areas: tuple[Area, ...] = ()

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        # This process is a fork of all of Ansible and ends with the task. To look through what it inherited for garbage copies that
        # memory, and takes several times as long as judging.
        gc.freeze()
        variables = task_vars or {}
        args = options_of(self, JUDGING_OPTIONS)
        host = str(variables["inventory_hostname"])
        named, args["seen_from"] = args["seen_from"], args["seen_from"] or self._seen_from().value
        args["public_roots"] = on_controller(args["public_roots"])
        try:
            planned = plan(parse_options(args, now(), self.areas), host, windows=is_windows(self._connection))
        except OptionError as error:
            raise fail(error) from None
        warnings: list[str] = []
        seen = self._look(planned, args["observations"], host, variables, warnings)
        if args["observations"] and not named and not isinstance(seen, Failure):
            planned = seen_from(planned, saved_from(seen, planned.options.seen_from))
        result = conclude(planned, None, seen) if isinstance(seen, Failure) else conclude(planned, seen)
        result["msg"] = inert_message(result["msg"])
        return {**result, **({"warnings": warnings} if warnings else {})}

    def _seen_from(self) -> SeenFrom:
        if is_windows(self._connection):
            return SeenFrom.SERVER
        return SeenFrom.CONTROLLER if self._connection.transport == "local" else SeenFrom.JUMP_HOST

    def _look(
        self, planned: Plan, saved: str | None, host: str, variables: dict[str, Any], warnings: list[str]
    ) -> Mapping[str, Any] | Failure:
        """The observation, or why there is none."""
        if saved:
            return _saved(Path(str(on_controller(saved))), host)
        module = WINDOWS_MODULE if is_windows(self._connection) else POSIX_MODULE
        before = now()
        try:
            answer = self._execute_module(module_name=module, module_args={"request": planned.request}, task_vars=variables)
        except AnsibleConnectionFailure as error:
            return Failure(inert(error), reached=False)
        except Exception as error:  # noqa: BLE001  connection plugins raise what their libraries raise, and the host must not get lost
            return Failure(inert(error))
        warnings.extend(warnings_of(answer))
        if answer.get("unreachable") or answer.get("failed"):
            return Failure(failure_text(answer), reached=not answer.get("unreachable"), supported=answer.get("apc") != UNSUPPORTED)
        observation = answer.get("observation")
        if not isinstance(observation, Mapping):
            return Failure(f"{module} answered without an observation")
        bracket = {"before": before.strftime(TIME_FORMAT), "after": now().strftime(TIME_FORMAT)}
        return {**observation, "seen_from": planned.options.seen_from.value, "bracket": bracket}


def on_controller(path: str | None) -> str | None:
    """A relative path starts where ansible-playbook was run, also for a playbook inside a collection."""
    return None if not path else os.path.abspath(os.path.expanduser(path))


def _saved(path: Path, host: str) -> Mapping[str, Any] | Failure:
    """A saved observation: the file, or the host's own in the folder."""
    file = path / f"{files.encode(host)}.json" if path.is_dir() else path
    try:
        observation = files.read(file)
    except files.FilesError as error:
        return Failure(inert(error))
    return Failure(f"there is no saved observation {file}") if observation is None else observation
