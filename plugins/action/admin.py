# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sign-in, the role and the licence of who registers: looked at from the controller, never from a server."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from ansible.utils.display import Display

from ..module_utils._argspecs import ADMIN_OPTIONS
from ..plugin_utils.action_base import ControllerAction, awx_job, fail, inert_message, now, on_controller, once_in_a_run, options_of
from ..plugin_utils.admin import Surroundings, admin, parse_admin_options
from ..plugin_utils.entra.masking import mask
from ..plugin_utils.options import OptionError
from ..plugin_utils.report import files

_PATHS = ("client_certificate", "federated_token_file", "registration_token_file", "ca_path")
_NO = ("", "0", "false", "no")


class ActionModule(ControllerAction):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        args = options_of(self, ADMIN_OPTIONS)
        args.update({name: on_controller(args[name]) for name in _PATHS})
        try:
            options = parse_admin_options(args, os.environ, now(), self._surroundings(task_vars or {}))
            mask(options.secrets.values)
            look = partial(admin, options, now, _show)
            plain = {name: value for name, value in args.items() if not ADMIN_OPTIONS[name].get("no_log")}
            result = once_in_a_run("admin", plain, look) if args["once"] else look()
        except (OptionError, files.FilesError) as error:
            raise fail(error) from None
        return {**result, "msg": inert_message(result["msg"])}

    def _surroundings(self, variables: dict[str, Any]) -> Surroundings:
        return Surroundings(
            check_mode=bool(self._task.check_mode),
            awx=awx_job(variables) is not None,
            ci=os.environ.get("CI", "").strip().lower() not in _NO,
        )


def _show(text: str) -> None:
    """What a person must do now, while the task waits."""
    Display().display(f"\n{text}\n", color="yellow")
