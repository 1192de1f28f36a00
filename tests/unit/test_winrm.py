# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's WinRM server, seen by pywinrm, by plain HTTP and by a real `ansible`.

Most of it runs with a small program in PowerShell's place, so that it is quick and needs nothing; what is said of
PowerShell itself needs `pwsh` on PATH.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from lab.personalities import SERVER_2016, SERVER_2022, Personality
from lab.winrm import Trouble, WinRMServer, find_powershell
from lab.winrm.commandline import CommandLineError, split_arguments, with_prelude, without_carets

winrm = pytest.importorskip("winrm", reason="pywinrm is not installed")
exceptions = pytest.importorskip("winrm.exceptions")

needs_pwsh = pytest.mark.skipif(find_powershell() is None, reason="pwsh is not on PATH")
needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="/proc is not there")

# Stands for PowerShell: its first argument says what to do.
STAND_IN = """\
    import os, subprocess, sys, time
    what, rest = sys.argv[1], sys.argv[2:]
    if what == "arguments":
        print("|".join(rest))
    elif what == "variable":
        print(os.environ.get(rest[0], "(none)"))
    elif what == "count":
        print(len(sys.stdin.buffer.read()))
    elif what == "print":
        sys.stdout.write("x" * int(rest[0]))
        sys.stderr.write("to the error stream")
        sys.exit(int(rest[1]))
    elif what == "wait":
        time.sleep(float(rest[0]))
        print("done")
    elif what == "close-input":
        os.close(0)
        time.sleep(0.2)
        print("closed", flush=True)
        time.sleep(30)
    elif what == "family":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        print(os.getpid(), child.pid, flush=True)
        time.sleep(60)
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> str:
    program = tmp_path / "stand-in"
    program.write_text(f"#!{sys.executable} -IS\n" + textwrap.dedent(STAND_IN), encoding="utf-8")
    program.chmod(0o755)
    return str(program)


@pytest.fixture
def server(stand_in: str) -> Iterator[WinRMServer]:
    with WinRMServer(Personality("plain"), powershell=stand_in) as running:
        yield running


def connect(server: WinRMServer, password: str = "lab", operation_seconds: int = 10) -> winrm.Protocol:
    return winrm.Protocol(
        f"http://127.0.0.1:{server.port}/wsman",
        transport="basic",
        username="lab",
        password=password,
        operation_timeout_sec=operation_seconds,
        read_timeout_sec=operation_seconds + 5,
        proxy=None,
        ca_trust_path=None,
    )


def run(server: WinRMServer, *arguments: str) -> tuple[str, str, int]:
    """Run PowerShell with the arguments in a shell of its own: standard output, standard error, exit code."""
    client = connect(server)
    shell = client.open_shell(codepage=65001)
    command = client.run_command(shell, "powershell", arguments)
    output, errors, code = client.get_command_output(shell, command)
    client.cleanup_command(shell, command)
    client.close_shell(shell)
    return output.decode(), errors.decode(), code


def until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


# The command line


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("powershell -NoProfile  -Command 1", ["powershell", "-NoProfile", "-Command", "1"]),
        ('"C:\\Program Files\\pwsh.exe" -x', ["C:\\Program Files\\pwsh.exe", "-x"]),
        ('a "b c" d', ["a", "b c", "d"]),
        ('a ""', ["a", ""]),
        ('a b"c d"e', ["a", "bc de"]),
        ('a "b\\"c"', ["a", 'b"c']),
        ('a "b\\\\" c', ["a", "b\\", "c"]),
        ("a \\\\server\\share\\", ["a", "\\\\server\\share\\"]),
        ("a ä", ["a", "ä"]),
        ("  ", []),
    ],
)
def test_arguments_are_split_as_windows_does(line: str, expected: list[str]) -> None:
    assert split_arguments(line) == expected


def test_arguments_survive_the_quoting_of_the_standard_library() -> None:
    arguments = ["pwsh", "", "a b", 'say "x"', "back\\", "back\\ slash\\", '\\"', "tab\there"]
    assert split_arguments(subprocess.list2cmdline(arguments)) == arguments


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a ^b", "a b"),
        ('a "^b|c"', 'a "^b|c"'),
        ('pwsh ^"it^\'s 100^% \\^"true\\^"^"', 'pwsh "it\'s 100% \\"true\\""'),
        ("a ^^ ^&", "a ^ &"),
    ],
)
def test_carets_are_what_they_are_for_cmd(line: str, expected: str) -> None:
    assert without_carets(line) == expected


@pytest.mark.parametrize("line", ["a & b", "a | b", "a > b", "a < b", "a\nb"])
def test_more_of_cmd_is_refused(line: str) -> None:
    with pytest.raises(CommandLineError):
        without_carets(line)


def encoded(script: str) -> str:
    return base64.b64encode(script.encode("utf-16-le")).decode()


@pytest.mark.parametrize("name", ["-EncodedCommand", "-ENC", "-e"])
def test_a_prelude_runs_first_in_the_same_process(name: str) -> None:
    changed = with_prelude(["pwsh", "-NoProfile", name, encoded("the script")], Path("/lab/first.ps1"))
    assert changed == ["pwsh", "-NoProfile", name, encoded(". '/lab/first.ps1'; the script")]


@pytest.mark.parametrize("arguments", [["pwsh", "-Command", "1"], ["pwsh", "-EncodedCommand", "no base64"], ["pwsh", "-EncodedCommand"]])
def test_without_a_script_in_sight_nothing_runs_first(arguments: list[str]) -> None:
    assert with_prelude(arguments, Path("/lab/first.ps1")) == arguments


# One command


def test_arguments_output_and_exit_code_arrive(server: WinRMServer) -> None:
    assert run(server, "arguments", "one", '"two words"', "ä") == ("one|two words|ä\n", "", 0)
    assert run(server, "print", "3", "7") == ("xxx", "to the error stream", 7)


def test_input_comes_in_chunks_and_ends(server: WinRMServer) -> None:
    client = connect(server)
    shell = client.open_shell()
    command = client.run_command(shell, "PowerShell.exe", ["count"])
    for end in (False, False, True):
        client.send_command_input(shell, command, b"x" * 200_000, end=end)
    assert client.get_command_output(shell, command) == (b"600000\n", b"", 0)
    assert server.commands[0].stdin_bytes == 600_000


def test_a_long_output_comes_in_pieces(server: WinRMServer) -> None:
    client = connect(server)
    shell = client.open_shell()
    command = client.run_command(shell, "powershell", ["print", "3000000", "0"])
    time.sleep(0.3)
    output, errors, _code, done = client.get_command_output_raw(shell, command)
    # So many that the answer keeps below the 153,600 bytes that pywinrm asks for.
    assert 0 < len(output) + len(errors) <= 100_000
    assert not done
    rest, later_errors, code = client.get_command_output(shell, command)
    assert (len(output + rest), errors + later_errors, code) == (3_000_000, b"to the error stream", 0)


def test_a_receive_without_output_times_out_and_may_be_repeated(server: WinRMServer) -> None:
    client = connect(server, operation_seconds=1)
    shell = client.open_shell()
    command = client.run_command(shell, "powershell", ["wait", "3"])
    started = time.monotonic()
    with pytest.raises(exceptions.WinRMOperationTimeoutError):
        client.get_command_output_raw(shell, command)
    assert 0.9 < time.monotonic() - started < 2.5
    assert client.get_command_output(shell, command) == (b"done\n", b"", 0)


def test_a_send_that_nobody_reads_times_out_and_is_then_busy(server: WinRMServer) -> None:
    client = connect(server, operation_seconds=1)
    shell = client.open_shell()
    command = client.run_command(shell, "powershell", ["wait", "60"])
    with pytest.raises(exceptions.WinRMOperationTimeoutError):
        client.send_command_input(shell, command, b"x" * 200_000)
    with pytest.raises(exceptions.WSManFaultError) as caught:
        client.send_command_input(shell, command, b"x")
    assert caught.value.wsman_fault_code == 170


def test_a_send_to_a_closed_input_says_so(server: WinRMServer) -> None:
    client = connect(server)
    shell = client.open_shell()
    command = client.run_command(shell, "powershell", ["close-input"])
    assert client.get_command_output_raw(shell, command)[0] == b"closed\n"
    with pytest.raises(exceptions.WSManFaultError) as caught:
        client.send_command_input(shell, command, b"x", end=True)
    assert caught.value.wsman_fault_code == 232


def test_another_program_is_not_recognized(server: WinRMServer) -> None:
    client = connect(server)
    shell = client.open_shell()
    for line in ("ipconfig", "powershellx"):
        output, errors, code = client.get_command_output(shell, client.run_command(shell, line, ["/all"]))
        assert (output, code) == (b"", 1)
        assert f"'{line}' is not recognized" in errors.decode()


def test_a_command_sees_the_shells_variables_and_not_the_callers(stand_in: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    (tmp_path / "a.reg").write_text("Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\A]\n", encoding="utf-8")
    looks = Personality("looks", registry=(tmp_path / "a.reg",), modules=tmp_path, trust=tmp_path / "a.pem", environment={"EXTRA": "1"})
    with WinRMServer(looks, powershell=stand_in) as server:
        client = connect(server)
        shell = client.open_shell(env_vars={"FROM_SHELL": "ä"})

        def value(name: str) -> str:
            return client.get_command_output(shell, client.run_command(shell, "pwsh", ["variable", name]))[0].decode().strip()

        assert value("FROM_SHELL") == "ä"
        assert value("EXTRA") == "1"
        assert value("https_proxy") == "(none)"
        assert Path(value("PWSH_REGISTRY_FIXTURE")).read_text(encoding="utf-8").strip().endswith("[HKEY_LOCAL_MACHINE\\A]")
        assert value("PSModulePath") == str(tmp_path)
        assert value("SSL_CERT_FILE") == str(looks.trust)
        assert value("HOME") == value("TEMP") != os.environ.get("HOME")


# The log


def test_the_log_has_every_command(stand_in: str, tmp_path: Path) -> None:
    script = base64.b64encode("Write-Output\n  1".encode("utf-16-le")).decode()
    log = tmp_path / "commands.jsonl"
    before = datetime.now(timezone.utc)
    with WinRMServer(Personality("logged"), powershell=stand_in, log=log) as server:
        run(server, "wait", "0.2", "-EncodedCommand", script)
        run(server, "print", "1", "3", "y" * 300)
        records = server.commands
        assert (server.shells_created, server.shells_open, server.most_shells) == (2, 0, 1)
        # Create, Command, Receive, Signal and Delete at the least.
        assert server.requests >= 10
    assert [record.exit_code for record in records] == [0, 3]
    assert records[0].script == "Write-Output 1"
    assert records[0].line.startswith("powershell wait 0.2 -EncodedCommand ")
    assert records[0].milliseconds >= 200
    assert before - timedelta(seconds=1) < datetime.fromisoformat(records[0].at) < datetime.now(timezone.utc)
    assert records[0].shell != records[1].shell
    assert len(records[1].line) == 160
    written = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [(entry["server"], entry["exit_code"]) for entry in written] == [("logged", 0), ("logged", 3)]


def test_many_shells_at_once(server: WinRMServer) -> None:
    together = threading.Barrier(8)

    def one(number: int) -> str:
        client = connect(server)
        shell = client.open_shell()
        together.wait(20)
        output = client.get_command_output(shell, client.run_command(shell, "powershell", ["arguments", str(number)]))[0]
        client.close_shell(shell)
        return output.decode().strip()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(8))) == [str(number) for number in range(8)]
    assert (server.most_shells, server.shells_open, len(server.commands)) == (8, 0, 8)


# The end of things


@needs_proc
@pytest.mark.parametrize("how", ["signal", "delete", "close"])
def test_a_command_and_its_children_are_ended(stand_in: str, how: str) -> None:
    with WinRMServer(Personality("family"), powershell=stand_in) as server:
        client = connect(server)
        shell = client.open_shell()
        command = client.run_command(shell, "powershell", ["family"])
        parent, child = (int(pid) for pid in client.get_command_output_raw(shell, command)[0].split())
        assert alive(parent)
        assert alive(child)
        if how == "signal":
            client.cleanup_command(shell, command)
        elif how == "delete":
            client.close_shell(shell)
        else:
            server.close()
        assert until(lambda: not alive(parent) and not alive(child))
        assert until(lambda: server.commands[0].exit_code is not None)
        assert server.commands[0].killed


def test_a_receive_ends_with_the_shell(server: WinRMServer) -> None:
    client = connect(server)
    shell = client.open_shell()
    command = client.run_command(shell, "powershell", ["wait", "60"])
    with ThreadPoolExecutor(1) as pool:
        before = server.requests
        waiting = pool.submit(connect(server).get_command_output_raw, shell, command)
        assert until(lambda: server.requests > before)
        # From the request's arrival to its waiting for output.
        time.sleep(0.3)
        client.close_shell(shell)
        with pytest.raises(exceptions.WSManFaultError) as caught:
            waiting.result(5)
    assert caught.value.wsman_fault_code == 995


def test_close_leaves_nothing(stand_in: str) -> None:
    before = set(threading.enumerate())
    server = WinRMServer(Personality("closed"), powershell=stand_in)
    with server, socket.create_connection(("127.0.0.1", server.port)):
        client = connect(server)
        shell = client.open_shell()
        client.run_command(shell, "powershell", ["wait", "60"])
        folder = client.get_command_output(shell, client.run_command(shell, "powershell", ["variable", "TEMP"]))[0].decode().strip()
        assert Path(folder).is_dir()
        started = time.monotonic()
        server.close()
        assert time.monotonic() - started < 5
        client.transport.close_session()
    assert not Path(folder).exists()
    assert until(lambda: set(threading.enumerate()) <= before)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=2)


def test_a_program_that_cannot_be_started_is_a_fault(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/nonexistent/interpreter\n", encoding="utf-8")
    broken.chmod(0o755)
    with WinRMServer(Personality("broken"), powershell=str(broken)) as server:
        client = connect(server)
        shell = client.open_shell()
        with pytest.raises(exceptions.WSManFaultError) as caught:
            client.run_command(shell, "powershell")
        assert caught.value.wsman_fault_code == 1450
        assert server.commands == ()


# What is wrong in a request


def post(server: WinRMServer, body: bytes, *, path: str = "/wsman", password: str = "lab") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    token = base64.b64encode(f"lab:{password}".encode()).decode()
    connection.request("POST", path, body, {"Authorization": f"Basic {token}"})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def envelope(client: winrm.Protocol, action: str, body: str = "", shell: str = "") -> bytes:
    """An envelope of pywinrm's header and a body of one's own."""
    import xmltodict

    content = {"env:Envelope": {**client.build_wsman_header(action=action, resource_uri="r", shell_id=shell), "env:Body": {}}}
    return str(xmltodict.unparse(content)).replace("<env:Body></env:Body>", f"<env:Body>{body}</env:Body>").encode()


CREATE = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Create"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<",
        b"no xml",
        b"<a/>",
        b"\xff\xfe\x00",
        b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"/>',
    ],
)
def test_what_is_no_envelope_is_a_fault(server: WinRMServer, body: bytes) -> None:
    status, content = post(server, body)
    assert status == 500
    assert b"w:SchemaValidationError" in content


@pytest.mark.parametrize(
    ("action", "body", "fault"),
    [
        (CREATE, "", b"w:SchemaValidationError"),
        (CREATE, "<rsp:Shell><rsp:WorkingDirectory>C:\\</rsp:WorkingDirectory></rsp:Shell>", b"w:SchemaValidationError"),
        (
            CREATE,
            '<rsp:Shell><rsp:Environment><rsp:Variable Name="A=B">1</rsp:Variable></rsp:Environment></rsp:Shell>',
            b"w:SchemaValidationError",
        ),
        (f"{SHELL}/Nonsense", "", b"a:ActionNotSupported"),
        (f"{SHELL}/Command", "", b"w:SchemaValidationError"),
        (f"{SHELL}/Command", "<rsp:CommandLine><rsp:Command> </rsp:Command></rsp:CommandLine>", b"w:SchemaValidationError"),
        (f"{SHELL}/Send", "", b"w:SchemaValidationError"),
        (f"{SHELL}/Send", '<rsp:Send><rsp:Stream Name="stdin" CommandId="none">eA==</rsp:Stream></rsp:Send>', b"w:InvalidParameter"),
        (f"{SHELL}/Receive", "", b"w:SchemaValidationError"),
        (f"{SHELL}/Receive", '<rsp:Receive><rsp:DesiredStream CommandId="none"/></rsp:Receive>', b"w:InvalidParameter"),
        (f"{SHELL}/Signal", "<rsp:Signal><rsp:Code>x/nonsense</rsp:Code></rsp:Signal>", b"w:SchemaValidationError"),
        (f"{SHELL}/Signal", '<rsp:Signal CommandId="none"><rsp:Code>x/terminate</rsp:Code></rsp:Signal>', b"w:InvalidParameter"),
    ],
)
def test_a_wrong_body_is_a_fault(server: WinRMServer, action: str, body: str, fault: bytes) -> None:
    client = connect(server)
    status, content = post(server, envelope(client, action, body, client.open_shell()))
    assert status == 500
    assert fault in content
    # The server goes on.
    assert run(server, "arguments", "still here")[2] == 0


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_is_a_fault(server: WinRMServer, encoding: str) -> None:
    good = envelope(connect(server), CREATE, "<rsp:Shell/>").decode().partition("?>")[2]
    assert post(server, good.encode(encoding))[0] == 200
    bad = '<!DOCTYPE a [<!ENTITY b "c">]>' + good.replace("PT10S", "&b;")
    status, content = post(server, bad.encode(encoding))
    assert status == 500
    assert b"A document type is not allowed" in content


def test_a_wrong_stream_is_a_fault(server: WinRMServer) -> None:
    client = connect(server)
    shell = client.open_shell()
    command = client.run_command(shell, "powershell", ["wait", "60"])
    body = f'<rsp:Send><rsp:Stream Name="stdin" CommandId="{command}">no base64!</rsp:Stream></rsp:Send>'
    status, content = post(server, envelope(client, f"{SHELL}/Send", body, shell))
    assert status == 500
    assert b"not base64" in content


def test_a_wrong_operation_timeout_is_a_fault(server: WinRMServer) -> None:
    client = connect(server)
    content = envelope(client, CREATE, "<rsp:Shell/>").replace(b"PT10S", b"soon")
    status, answer = post(server, content)
    assert status == 500
    assert b"OperationTimeout is no duration" in answer


def test_an_unknown_shell_is_a_fault(server: WinRMServer) -> None:
    client = connect(server)
    for operation in (
        lambda: client.run_command("00000000-0000-0000-0000-000000000000", "powershell"),
        lambda: client.get_command_output_raw("00000000-0000-0000-0000-000000000000", "x"),
        lambda: client.close_shell("00000000-0000-0000-0000-000000000000"),
    ):
        with pytest.raises(exceptions.WSManFaultError) as caught:
            operation()
        assert caught.value.wsman_fault_code == 2150858843


def test_more_shells_than_allowed_is_a_fault(server: WinRMServer) -> None:
    client = connect(server)
    for _number in range(30):
        client.open_shell()
    with pytest.raises(exceptions.WSManFaultError) as caught:
        client.open_shell()
    assert caught.value.wsman_fault_code == 0x803381A5


def test_a_wrong_password_is_rejected(server: WinRMServer) -> None:
    with pytest.raises(exceptions.InvalidCredentialsError):
        connect(server, password="wrong").open_shell()
    assert post(server, b"<a/>", password="wrong")[0] == 401
    assert server.shells_created == 0


def test_sizes_and_paths_are_bounded(server: WinRMServer) -> None:
    assert post(server, b"<a/>", path="/other")[0] == 404
    assert post(server, b"x" * 512_001)[0] == 413
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(b"POST /wsman HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 411 ")
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(b"POST /wsman HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        raw.shutdown(socket.SHUT_WR)
        assert raw.recv(100) == b""
    assert run(server, "arguments", "still here")[2] == 0


# Servers in trouble


def test_refuse(stand_in: str) -> None:
    with WinRMServer(Personality("x"), trouble=Trouble.REFUSE, powershell=stand_in) as server, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=2)


def test_silent(stand_in: str) -> None:
    with (
        WinRMServer(Personality("x"), trouble=Trouble.SILENT, powershell=stand_in) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=2) as raw,
    ):
        raw.sendall(b"POST /wsman HTTP/1.1\r\n\r\n")
        raw.settimeout(0.5)
        with pytest.raises(TimeoutError):
            raw.recv(1)


def test_unauthorized(stand_in: str) -> None:
    with (
        WinRMServer(Personality("x"), trouble=Trouble.UNAUTHORIZED, powershell=stand_in) as server,
        pytest.raises(exceptions.InvalidCredentialsError),
    ):
        connect(server).open_shell()


def test_breaks(stand_in: str) -> None:
    import requests

    with WinRMServer(Personality("x"), trouble=Trouble.BREAKS, powershell=stand_in) as server:
        client = connect(server)
        shell = client.open_shell()
        command = client.run_command(shell, "powershell", ["arguments", "a"])
        with pytest.raises(requests.exceptions.ConnectionError):
            client.get_command_output(shell, command)


# PowerShell itself


@needs_pwsh
@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        (SERVER_2022, ["Windows Server 2022 Standard", "20348", "528449", "LAB-2022"]),
        (SERVER_2016, ["Windows Server 2016 Standard", "14393", "394802", "LAB-2016"]),
    ],
    ids=lambda value: value.name if isinstance(value, Personality) else "",
)
def test_a_personality_is_what_powershell_sees(looks: Personality, expected: list[str], tmp_path: Path) -> None:
    script = r"""
        $windows = Get-ItemProperty -LiteralPath 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
        $windows.ProductName
        $windows.CurrentBuild
        (Get-ItemProperty -LiteralPath 'HKLM:\SOFTWARE\Microsoft\NET Framework Setup\NDP\v4\Full').Release
        $env:COMPUTERNAME
        Get-Thing
    """
    module = tmp_path / "LabThings"
    module.mkdir()
    (module / "LabThings.psm1").write_text("function Get-Thing { 'from a module' }\n", encoding="utf-8")
    with WinRMServer(replace(looks, modules=tmp_path)) as server:
        output, errors, code = run(
            server, "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Unrestricted", "-EncodedCommand", encoded(script)
        )
    assert (output.split("\n")[:-1], errors, code) == ([*expected, "from a module"], "", 0)


@needs_pwsh
def test_trust_is_what_dotnet_trusts(tmp_path: Path) -> None:
    x509 = pytest.importorskip("cryptography.x509", reason="cryptography is not installed")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    now = datetime.now(timezone.utc)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Lab Root")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    root = tmp_path / "root.pem"
    root.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    other = tmp_path / "none.pem"
    other.write_bytes(b"")
    script = f"""
        $chain = [System.Security.Cryptography.X509Certificates.X509Chain]::new()
        $chain.ChainPolicy.RevocationMode = 'NoCheck'
        $chain.Build([System.Security.Cryptography.X509Certificates.X509Certificate2]::new('{root}'))
    """
    for trust, expected in ((root, "True"), (other, "False")):
        with WinRMServer(Personality("trust", trust=trust)) as server:
            output, errors, code = run(server, "-NoProfile", "-NonInteractive", "-EncodedCommand", encoded(script))
        assert (output.strip(), errors, code) == (expected, "", 0)


def said(server: WinRMServer, script: str) -> list[str]:
    """What a script prints, line by line."""
    output, errors, code = run(server, "-NoProfile", "-NonInteractive", "-EncodedCommand", encoded(script))
    assert (errors, code) == ("", 0)
    return output.splitlines()


@needs_pwsh
def test_a_windows_server_has_what_this_powershell_lacks() -> None:
    looks = replace(
        SERVER_2022, account="LAB\\somebody", administrator=False, accounts={"LAB\\installer": "S-1-5-21-1-2-3-1105"},
        cim={"Win32_Service": [{"Name": name, "State": "Running"} for name in ("One", "Two", "Three")], "Win32_LogicalDisk": "denied"},
        files={"Windows/a.config": "a file"},
    )
    # In another runspace, as Ansible runs its modules, and not a part of what is parsed before the types are there.
    inner = r"""
        $identity = [System.Security.Principal.WindowsIdentity]::GetCurrent()
        $identity.Name
        (New-Object System.Security.Principal.WindowsPrincipal $identity).IsInRole(544)
        (New-Object System.Security.Principal.NTAccount 'LAB\installer').Translate([string]).Value
        try { (New-Object System.Security.Principal.NTAccount 'LAB\other').Translate([string]) } catch { 'no such account' }
        (Get-CimInstance -ClassName Win32_Service -Property Name -Filter "Name='two' OR Name='Three'").Name
        try { Get-CimInstance -ClassName Win32_LogicalDisk } catch { $_.Exception.GetType().Name }
        (Get-CimInstance -ClassName Win32_OperatingSystem -Property LastBootUpTime).LastBootUpTime.GetType().Name
        [System.IO.File]::ReadAllText("$env:SystemRoot/a.config")
    """
    script = f"[powershell]::Create().AddScript(@'\n{inner}\n'@).Invoke()"
    with WinRMServer(looks) as server:
        assert said(server, script) == [
            "LAB\\somebody", "False", "S-1-5-21-1-2-3-1105", "no such account", "Two", "Three", "UnauthorizedAccessException", "DateTime",
            "a file",
        ]


@needs_pwsh
def test_a_proxy_script_is_fetched_and_its_answer_taken(tmp_path: Path) -> None:
    script = tmp_path / "proxy.pac"
    script.write_text('function FindProxyForURL(u, h) { return "PROXY one.example:8080; DIRECT; PROXY two.example:3128"; }\n')
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as pages, WinRMServer(SERVER_2022) as server:
        serving = threading.Thread(target=pages.serve_forever)
        serving.start()
        try:
            asked = "[ansible_collections.appproxy.connector.plugins.module_utils._WinHttp.WinHttp]::ProxyForUrl"
            lines = said(server, f"""
                $site = 'http://127.0.0.1:{pages.server_port}'
                foreach ($pac in "$site/proxy.pac", "$site/gone.pac", '') {{
                    $answer = Invoke-Expression "{asked}('$pac', 'https://x.example/', 5000)"
                    "$($answer.error) $($answer.proxies)"
                }}
            """)
        finally:
            pages.shutdown()
            serving.join()
    # ERROR_WINHTTP_UNABLE_TO_DOWNLOAD_SCRIPT, ERROR_WINHTTP_AUTODETECTION_FAILED
    assert lines == ["0 one.example:8080 two.example:3128", "12167 ", "12180 "]


@needs_pwsh
@pytest.mark.parametrize(("script", "written"), [
    ("$null = Get-ItemProperty -LiteralPath 'HKLM:\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion'", False),
    ("Set-ItemProperty -LiteralPath 'HKLM:\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion' -Name UBR -Value 1", True),
    ("$null = New-Item -Path 'HKCU:\\Software\\Left'", True),
])
def test_what_is_written_to_the_registry_is_noticed(script: str, written: bool) -> None:
    with WinRMServer(SERVER_2022) as server:
        assert server.registry_was_written() is False
        assert said(server, script) == []
        assert server.registry_was_written() is written


MODULE = r"""#!powershell
#AnsibleRequires -CSharpUtil Ansible.Basic
$spec = @{ options = @{ text = @{ type = 'str'; required = $true } }; supports_check_mode = $true }
$module = [Ansible.Basic.AnsibleModule]::Create($args, $spec)
$windows = Get-ItemProperty -LiteralPath 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
$module.Result.product = $windows.ProductName
$module.Result.length = $module.Params.text.Length
$module.ExitJson()
"""


@needs_pwsh
def test_ansible_runs_a_windows_module(tmp_path: Path) -> None:
    ansible = Path(sys.executable).with_name("ansible")
    if not ansible.exists():
        pytest.skip("ansible is not installed beside this Python")
    modules = tmp_path / "ansible_collections" / "lab" / "tiny" / "plugins" / "modules"
    modules.mkdir(parents=True)
    (modules / "product.ps1").write_text(MODULE, encoding="utf-8")
    (tmp_path / "ansible.cfg").touch()
    # Does not shrink when it is compressed, as the newest releases do; a second chunk of input in the older ones.
    text = os.urandom(60_000).hex()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(tmp_path),
        # Must not be asked about a server on loopback.
        "http_proxy": "http://127.0.0.1:9",
    }
    with (
        WinRMServer(SERVER_2022) as first,
        WinRMServer(SERVER_2016, user="other", password="pass word") as second,
        WinRMServer(SERVER_2022, trouble=Trouble.UNAUTHORIZED) as third,
    ):
        inventory = tmp_path / "hosts.json"
        hosts = {name: server.inventory_vars() for name, server in (("first", first), ("second", second), ("third", third))}
        inventory.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
        command = [str(ansible), "-i", str(inventory), "all", "-m", "lab.tiny.product", "-t", str(tmp_path / "results")]
        done = subprocess.run(
            [*command, "-a", json.dumps({"text": text})],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 4, done.stdout + done.stderr
        results = {name: json.loads((tmp_path / "results" / name).read_text(encoding="utf-8")) for name in ("first", "second", "third")}
        assert results["first"]["product"] == "Windows Server 2022 Standard"
        assert results["second"]["product"] == "Windows Server 2016 Standard"
        assert results["first"]["length"] == results["second"]["length"] == len(text)
        assert results["third"]["unreachable"] is True
        for server in (first, second):
            assert [command.exit_code for command in server.commands] == [0]
            assert server.commands[0].stdin_bytes > 100_000
            assert server.most_shells == 1
            assert until(lambda: server.shells_open == 0)  # noqa: B023 (called at once)
        assert (len(third.commands), third.shells_created) == (0, 0)
