# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server: shells and their commands behind the operations of WSMan."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import logging
import ntpath
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from enum import Enum
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from xml.sax.saxutils import quoteattr

from ..personalities import Personality
from .command import Command, CommandRecord
from .commandline import CommandLineError, split_arguments, without_carets
from .http import HTTPServer
from .wsman import (
    ANONYMOUS,
    ERROR_INVALID_PARAMETER,
    ERROR_NO_SYSTEM_RESOURCES,
    ERROR_WSMAN_INVALID_ACTIONURI,
    ERROR_WSMAN_QUOTA_MAX_SHELLS,
    ERROR_WSMAN_UNEXPECTED_SELECTORS,
    NAMES,
    RESOURCE,
    SHELL,
    TRANSFER,
    Fault,
    Request,
    aborted,
    fault_envelope,
    invalid,
    parse_request,
    response,
    text_of,
)

LOGGER = logging.getLogger(__name__)

MAX_SHELLS = 30
_POWERSHELL_NAMES = ("powershell", "powershell.exe", "pwsh", "pwsh.exe")


class Trouble(Enum):
    """What is wrong with the server itself."""

    NONE = "none"
    REFUSE = "refuse"
    """Nothing listens at the port."""
    SILENT = "silent"
    """Connections are accepted, and nothing is ever answered."""
    UNAUTHORIZED = "unauthorized"
    """Every user and password is rejected."""
    BREAKS = "breaks"
    """The connection is closed in the middle: when a command's output is asked for."""


def find_powershell() -> str | None:
    """The PowerShell on PATH, or None: then every command answers that it is not recognized."""
    return shutil.which("pwsh")


class _Shell:
    """What Create makes: an environment and the commands that were started in it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.id = str(uuid.uuid4()).upper()
        self.environment = environment
        self.commands: dict[str, Command] = {}
        self.deleted = False


class WinRMServer:
    """One Windows server of the lab; a context manager. `port` is valid inside it.

    powershell: the program to start for `powershell` and `pwsh` (default: the `pwsh` on PATH).
    log: a file that gets one JSON object a line for each command that has ended (the fields of CommandRecord).
    """

    def __init__(
        self,
        personality: Personality,
        user: str = "lab",
        password: str = "lab",
        *,
        trouble: Trouble = Trouble.NONE,
        powershell: str | None = None,
        log: Path | None = None,
    ) -> None:
        self.personality = personality
        self.trouble = trouble
        self.port = 0
        self._user = user
        self._password = password
        self._powershell = powershell if powershell is not None else find_powershell()
        self._log = log
        self._lock = threading.Lock()
        self._shells: dict[str, _Shell] = {}
        self._commands: list[Command] = []
        self._shells_created = 0
        self._most_shells = 0
        self._requests = 0
        self._closing = False
        self._http: HTTPServer | None = None
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._looks: dict[str, str] = {}

    def __enter__(self) -> WinRMServer:
        self._closing = False
        self._folder = tempfile.TemporaryDirectory(prefix="lab-winrm-", ignore_cleanup_errors=True)
        if self.trouble in (Trouble.REFUSE, Trouble.SILENT):
            # Bound, so that nobody else gets the port. Without listen() the kernel refuses; with it and no accept() the
            # kernel completes the connection and nobody ever answers.
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self._socket.bind(("127.0.0.1", 0))
            if self.trouble is Trouble.SILENT:
                self._socket.listen(64)
            self.port = self._socket.getsockname()[1]
            return self
        self._link_powershell(self._folder.name)
        self._looks = self.personality.lay_out(Path(self._folder.name))
        self._http = HTTPServer(self)
        self.port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening, end every command, close every connection. May be called again."""
        if self._http is not None:
            self._http.shutdown()
        with self._lock:
            self._closing = True
            shells = list(self._shells)
            commands = list(self._commands)
        for shell_id in shells:
            self._delete(shell_id)
        for command in commands:
            command.join(5.0)
        if self._http is not None:
            self._http.close_connections(5.0)
            self._http.server_close()
            self._http = None
        if self._thread is not None:
            self._thread.join(5.0)
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    @property
    def commands(self) -> tuple[CommandRecord, ...]:
        """Every command so far, in the order of their start."""
        with self._lock:
            commands = list(self._commands)
        return tuple(command.record() for command in commands)

    @property
    def shells_created(self) -> int:
        return self._shells_created

    @property
    def shells_open(self) -> int:
        with self._lock:
            return len(self._shells)

    @property
    def most_shells(self) -> int:
        """How many shells were open at once, at most."""
        return self._most_shells

    @property
    def requests(self) -> int:
        """HTTP requests so far, rejected ones included."""
        return self._requests

    def inventory_vars(self, operation_seconds: int = 20) -> dict[str, object]:
        """The variables that make a host of an inventory this server.

        operation_seconds: how long one WSMan operation may last; a client gives up 5 seconds later.
        """
        return {
            "ansible_connection": "winrm",
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": self._user,
            "ansible_password": self._password,
            "ansible_winrm_scheme": "http",
            "ansible_winrm_transport": "basic",
            "ansible_winrm_operation_timeout_sec": operation_seconds,
            "ansible_winrm_read_timeout_sec": operation_seconds + 5,
            # The controller's own proxy variables are not for loopback.
            "ansible_winrm_proxy": None,
        }

    def _link_powershell(self, folder: str) -> None:
        """Give it the names that Windows programs call it by; case matters here, and ansible-core 2.17 writes PowerShell."""
        programs = os.path.join(folder, "bin")
        os.mkdir(programs)
        if self._powershell is not None:
            for name in ("PowerShell", *_POWERSHELL_NAMES):
                os.symlink(os.path.realpath(self._powershell), os.path.join(programs, name))

    def authorized(self, header: str) -> bool:
        """Whether an Authorization header has this server's user and password."""
        if self.trouble is Trouble.UNAUTHORIZED:
            return False
        expected = base64.b64encode(f"{self._user}:{self._password}".encode())
        scheme, dummy, given = header.partition(" ")
        return scheme.lower() == "basic" and hmac.compare_digest(given.strip().encode(), expected)

    def count_request(self) -> None:
        with self._lock:
            self._requests += 1

    def answer(self, content: bytes) -> tuple[HTTPStatus, bytes]:
        """Do what an envelope asks for. Raises ConnectionAbortedError when the answer is to be a closed connection."""
        message_id = ""
        try:
            request = parse_request(content)
            message_id = request.message_id
            return HTTPStatus.OK, self._operate(request)
        except Fault as fault:
            return HTTPStatus.INTERNAL_SERVER_ERROR, fault_envelope(fault, message_id)

    def _operate(self, request: Request) -> bytes:
        if request.action == f"{TRANSFER}/Create":
            body = self._create(request)
        elif request.action == f"{SHELL}/Command":
            body = self._start(request, self._shell(request))
        elif request.action == f"{SHELL}/Send":
            body = self._send(request, self._shell(request))
        elif request.action == f"{SHELL}/Receive":
            body = self._receive(request, self._shell(request))
        elif request.action == f"{SHELL}/Signal":
            body = self._signal(request, self._shell(request))
        elif request.action == f"{TRANSFER}/Delete":
            self._delete(self._shell(request).id)
            body = ""
        else:
            raise Fault(
                ERROR_WSMAN_INVALID_ACTIONURI,
                "a:ActionNotSupported",
                "The WS-Management service cannot process the request. The WS-Addressing action URI is invalid.",
            )
        return response(f"{request.action}Response", request.message_id, body)

    def _shell(self, request: Request) -> _Shell:
        with self._lock:
            shell = self._shells.get(request.shell_id.upper())
        if shell is None:
            raise Fault(
                ERROR_WSMAN_UNEXPECTED_SELECTORS,
                "w:InvalidSelectors",
                f"The request for the Windows Remote Shell with ShellId {request.shell_id[:40]} failed because the shell was not found "
                "on the server.",
            )
        return shell

    def _create(self, request: Request) -> str:
        wanted = request.body.find("rsp:Shell", NAMES)
        if wanted is None:
            raise invalid("Create without a Shell.")
        if wanted.find("rsp:WorkingDirectory", NAMES) is not None:
            raise invalid("The lab's WinRM server has no working directories.")
        variables = {node.get("Name", ""): node.text or "" for node in wanted.iterfind("rsp:Environment/rsp:Variable", NAMES)}
        if any(not name or "=" in name or "\0" in name for name in variables):
            raise invalid("A variable's name is empty or has a character that it must not have.")
        shell = _Shell(self._environment(variables))
        with self._lock:
            if self._closing:
                raise aborted()
            if len(self._shells) >= MAX_SHELLS:
                raise Fault(
                    ERROR_WSMAN_QUOTA_MAX_SHELLS,
                    "w:QuotaLimit",
                    f"The WS-Management service cannot process the request. This user is allowed a maximum number of {MAX_SHELLS} "
                    "concurrent shells, which has been exceeded.",
                )
            self._shells[shell.id] = shell
            self._shells_created += 1
            self._most_shells = max(self._most_shells, len(self._shells))
        selectors = f'<w:SelectorSet><w:Selector Name="ShellId">{shell.id}</w:Selector></w:SelectorSet>'
        return (
            f"<x:ResourceCreated><a:Address>{ANONYMOUS}</a:Address><a:ReferenceParameters><w:ResourceURI>{RESOURCE}</w:ResourceURI>"
            f"{selectors}</a:ReferenceParameters></x:ResourceCreated>"
            f"<rsp:Shell><rsp:ShellId>{shell.id}</rsp:ShellId><rsp:ResourceUri>{RESOURCE}</rsp:ResourceUri>"
            "<rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>"
        )

    def registry_was_written(self) -> bool:
        """Whether the registry, as the last command left it, is another one than it was given. False without a registry or a command."""
        before, after = (Path(self._looks.get(name, "")) for name in ("PWSH_REGISTRY_FIXTURE", "PWSH_REGISTRY_FIXTURE_SAVE"))
        if not after.is_file() or self._folder is None or self._powershell is None:
            return False
        # The way it is written out is PowerShell's own: so that of a command that does nothing is what to compare with.
        untouched = Path(self._folder.name) / "untouched.reg"
        environment = {**os.environ, "PWSH_REGISTRY_FIXTURE": str(before), "PWSH_REGISTRY_FIXTURE_SAVE": str(untouched)}
        nothing = "$null = Test-Path HKLM:\\SOFTWARE"
        subprocess.run([self._powershell, "-NoProfile", "-Command", nothing], env=environment, check=True, stdin=subprocess.DEVNULL)
        return untouched.read_bytes() != after.read_bytes()

    def _environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """What a command of this server sees: nothing of the caller's environment but PATH, after the PowerShell's names."""
        if self._folder is None:
            raise RuntimeError("the server is not running")
        folder = self._folder.name
        environment = {
            "PATH": os.pathsep.join((os.path.join(folder, "bin"), os.environ.get("PATH", os.defpath))),
            "HOME": folder,
            "TMPDIR": folder,
            "TEMP": folder,
            "TMP": folder,
            "LANG": "C.UTF-8",
            "USERNAME": self._user,
            "POWERSHELL_TELEMETRY_OPTOUT": "1",
            "POWERSHELL_UPDATECHECK": "Off",
        }
        environment.update(variables)
        return {**environment, **self._looks}

    def _start(self, request: Request, shell: _Shell) -> str:
        wanted = request.body.find("rsp:CommandLine", NAMES)
        if wanted is None:
            raise invalid("Command without a CommandLine.")
        parts = [text_of(wanted, "rsp:Command"), *(node.text or "" for node in wanted.iterfind("rsp:Arguments", NAMES))]
        line = " ".join(part for part in parts if part)
        if not line or "\0" in line:
            raise invalid("Command without a command.")
        arguments = self._arguments(line, skip_cmd=request.options.get("WINRS_SKIP_CMD_SHELL", "").upper() == "TRUE")
        with self._lock:
            if shell.deleted or self._closing or self._folder is None:
                raise aborted()
            try:
                command = Command(
                    shell.id, line, arguments, shell.environment, self._folder.name, self._write_log, self.personality.prelude,
                )
            except OSError as error:
                text = f"The program could not be started: {error}"
                raise Fault(ERROR_NO_SYSTEM_RESOURCES, "w:InternalError", text, sender=False) from error
            shell.commands[command.id] = command
            self._commands.append(command)
        return f"<rsp:CommandResponse><rsp:CommandId>{command.id}</rsp:CommandId></rsp:CommandResponse>"

    def _arguments(self, line: str, skip_cmd: bool) -> list[str]:
        """The program and its arguments; a small one that complains as cmd.exe does where there is no such program."""
        try:
            arguments = split_arguments(line if skip_cmd else without_carets(line))
        except CommandLineError as error:
            return _complaint(str(error))
        name = ntpath.basename(arguments[0]).lower() if arguments else ""
        if self._powershell is None or name not in _POWERSHELL_NAMES:
            shown = arguments[0] if arguments else line
            return _complaint(f"'{shown}' is not recognized as an internal or external command,\r\noperable program or batch file.")
        return [self._powershell, *arguments[1:]]

    def _command(self, shell: _Shell, command_id: str | None) -> Command:
        with self._lock:
            command = shell.commands.get((command_id or "").upper())
        if command is None:
            raise Fault(ERROR_INVALID_PARAMETER, "w:InvalidParameter", f"No command {(command_id or '')[:40]!r} in this shell.")
        return command

    def _send(self, request: Request, shell: _Shell) -> str:
        stream = request.body.find("rsp:Send/rsp:Stream", NAMES)
        if stream is None or stream.get("Name") != "stdin":
            raise invalid("Send without a stream named stdin.")
        command = self._command(shell, stream.get("CommandId"))
        try:
            data = base64.b64decode("".join((stream.text or "").split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise invalid("The stream is not base64.") from error
        command.send(data, (stream.get("End") or "").lower() in ("true", "1"), request.deadline)
        return "<rsp:SendResponse/>"

    def _receive(self, request: Request, shell: _Shell) -> str:
        stream = request.body.find("rsp:Receive/rsp:DesiredStream", NAMES)
        if stream is None:
            raise invalid("Receive without a stream.")
        command = self._command(shell, stream.get("CommandId"))
        if self.trouble is Trouble.BREAKS:
            raise ConnectionAbortedError("closed in the middle, as the trouble wants it")
        output, exit_code = command.receive(request.deadline)
        told = quoteattr(command.id)
        streams = "".join(
            f'<rsp:Stream Name="{name}" CommandId={told}>{base64.b64encode(data).decode()}</rsp:Stream>'
            for name, data in output.items()
            if data
        )
        if exit_code is None:
            state = f'<rsp:CommandState CommandId={told} State="{SHELL}/CommandState/Running"/>'
        else:
            streams += "".join(f'<rsp:Stream Name="{name}" CommandId={told} End="true"/>' for name in output)
            state = (
                f'<rsp:CommandState CommandId={told} State="{SHELL}/CommandState/Done">'
                f"<rsp:ExitCode>{exit_code}</rsp:ExitCode></rsp:CommandState>"
            )
        return f"<rsp:ReceiveResponse>{streams}{state}</rsp:ReceiveResponse>"

    def _signal(self, request: Request, shell: _Shell) -> str:
        wanted = request.body.find("rsp:Signal", NAMES)
        code = "" if wanted is None else text_of(wanted, "rsp:Code")
        # Without a console there is nobody to handle Ctrl+C: it ends the command too.
        if wanted is None or code.rpartition("/")[2].lower() not in ("terminate", "ctrl_c", "ctrl_break"):
            raise invalid(f"Signal {code[-40:]!r} is not known.")
        command = self._command(shell, wanted.get("CommandId"))
        command.kill()
        with self._lock:
            shell.commands.pop(command.id, None)
        return "<rsp:SignalResponse/>"

    def _delete(self, shell_id: str) -> None:
        with self._lock:
            shell = self._shells.pop(shell_id, None)
            if shell is None:
                return
            shell.deleted = True
            commands = list(shell.commands.values())
        for command in commands:
            command.kill()

    def _write_log(self, record: CommandRecord) -> None:
        LOGGER.info("%s: %s", self.personality.name, record)
        if self._log is not None:
            line = json.dumps({"server": self.personality.name, **asdict(record)}) + "\n"
            with self._lock, self._log.open("a", encoding="utf-8") as stream:
                stream.write(line)


def _complaint(text: str) -> list[str]:
    """A command that prints `text` on standard error and ends with 1."""
    return ["/bin/sh", "-c", 'printf "%s\\r\\n" "$1" >&2; exit 1', "sh", text]
