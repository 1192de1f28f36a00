# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set up what the demonstration and the tests need, then run one of them.

    python3 tests/bootstrap.py demo [ARGUMENT ...]    tests/lab/demo.py
    python3 tests/bootstrap.py test [ARGUMENT ...]    pytest, over tests/unit and tests/integration
    python3 tests/bootstrap.py run COMMAND [...]      any command, with the same environment
    python3 tests/bootstrap.py setup                  only the set-up

Standard library only: this runs before anything is installed. All that it makes lies in one folder, `.state` (or
$APPPROXY_STATE): a virtual environment per Python version, the collection as built and installed, the home folder of
what is run, caches. A later run uses what is still right: the environment is stamped with the digest of its
requirements, the installed collection lies under the digest of its sources.

What is run sees: the environment's programs first on PATH, ANSIBLE_COLLECTIONS_PATH with the installed collection,
APPPROXY_STATE (absolute), a neutral Ansible configuration, and a home folder of its own, so that nothing is read from
or left in the user's.
"""

from __future__ import annotations

import ast
import configparser
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = Path(os.environ.get("APPPROXY_STATE") or ROOT / ".state").absolute()
REQUIREMENTS = (ROOT / "tests" / "requirements.txt", ROOT / "requirements.txt")
PYTHONS = ((3, 10), (3, 13))
"""Oldest and newest supported Python, as (major, minor)."""
NOT_SOURCES = frozenset({
    ".git", ".state", ".ci", "tests", "extensions", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".ansible",
})
"""Folder names that never hold a file of the built collection."""
OLD_COLLECTION = 24 * 3600
"""Seconds after which an installed collection of other sources is removed; a run that still uses it is over by then."""


class SetupError(Exception):
    """The set-up cannot go on; the text says why and what to do."""


def say(text: str) -> None:
    """Tell the user on standard error, so that standard output belongs to what is run."""
    print(text, file=sys.stderr, flush=True)


def digest(files: list[Path], *more: str) -> str:
    """Return the SHA-256 (hex) of the files' names, modes and contents, and of the other words."""
    result = hashlib.sha256()
    for word in more:
        result.update(word.encode() + b"\0")
    for file in files:
        content = file.read_bytes()
        executable = os.access(file, os.X_OK)
        result.update(f"{file.relative_to(ROOT)}\0{executable}\0{len(content)}\0".encode() + content)
    return result.hexdigest()


def run_logged(command: list[str], log: Path, what: str, env: dict[str, str] | None = None) -> None:
    """Run a step of the set-up with its output in a log file; raise SetupError with the log's end when it fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as out:
        result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env, cwd=ROOT, check=False)
    if result.returncode != 0:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-30:])
        raise SetupError(f"{what} failed (exit code {result.returncode}). The end of {log}:\n{tail}")


@contextmanager
def locked() -> Iterator[None]:
    """Let one set-up at a time work in the state folder."""
    STATE.mkdir(parents=True, exist_ok=True)
    with (STATE / "lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another set-up to end …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def venv_dir() -> Path:
    """Return the folder of the virtual environment for the Python that runs."""
    return STATE / f"venv-{sys.version_info.major}.{sys.version_info.minor}"


def pip_environment() -> dict[str, str]:
    """Return the environment for pip: the user's settings (index, proxy, certificates), the cache in the state folder."""
    unwanted = {"PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_USER"}
    env = {name: value for name, value in os.environ.items() if name not in unwanted}
    env.setdefault("PIP_CACHE_DIR", str(STATE / "cache" / "pip"))
    env["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    return env


def make_venv(folder: Path) -> None:
    """Make the virtual environment and install the requirements into it."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    log = STATE / "log"
    env = pip_environment()
    python = folder / "bin" / "python"
    if folder.exists():
        shutil.rmtree(folder)
    if importlib.util.find_spec("ensurepip"):
        run_logged([sys.executable, "-m", "venv", str(folder)], log / "venv.log", "Making the virtual environment", env)
        pip = [str(python), "-m", "pip"]
    else:
        # Debian and Ubuntu keep ensurepip in a package of its own; the system's pip can fill the environment as well.
        if not importlib.util.find_spec("pip"):
            raise SetupError(
                f"{sys.executable} has neither ensurepip nor pip, so no environment can be filled. "
                f"Install them (Debian, Ubuntu: apt install python{version}-venv), or name another Python: APPPROXY_PYTHON=/path/to/python3"
            )
        run_logged([sys.executable, "-m", "venv", "--without-pip", str(folder)], log / "venv.log", "Making the virtual environment", env)
        pip = [sys.executable, "-m", "pip", "--python", str(python)]
    run_logged([*pip, "install", "-r", str(REQUIREMENTS[0])], log / "pip.log", "Installing the requirements", env)
    keep_pip_settings(pip, env)


def keep_pip_settings(pip: list[str], env: dict[str, str]) -> None:
    """Write the user's pip settings into the home folder of what is run.

    ansible-test starts pip itself, without the user's environment variables; here also without the user's home folder.
    """
    listed = subprocess.run([*pip, "config", "list"], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env, check=True).stdout
    settings = configparser.RawConfigParser()
    for line in listed.splitlines():
        name, value = line.split("=", 1)
        section, key = name.rsplit(".", 1)
        section = "global" if section == ":env:" else section
        if not settings.has_section(section):
            settings.add_section(section)
        settings.set(section, key, ast.literal_eval(value))
    file = STATE / "home" / ".config" / "pip" / "pip.conf"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8") as out:
        settings.write(out)


def ensure_venv() -> Path:
    """Return the virtual environment's folder, made anew when its requirements or its Python have changed."""
    folder = venv_dir()
    stamp = folder / "appproxy-stamp"
    wanted = digest(list(REQUIREMENTS), sys.version, os.path.realpath(sys.executable), str(folder))
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        say(f"Setting up {folder} (a minute or two; only when the requirements change) …")
        make_venv(folder)
        stamp.write_text(wanted, encoding="utf-8")
    return folder


def source_files() -> list[Path]:
    """Return the files that can be part of the built collection, sorted; what the build leaves out of them is galaxy.yml's."""
    files = []
    for folder, folders, names in os.walk(ROOT):
        here = Path(folder)
        folders[:] = [name for name in folders if name not in NOT_SOURCES and here / name != STATE]
        files += [here / name for name in names if not name.endswith((".pyc", ".swp", "~")) and (here / name).is_file()]
    return sorted(files)


def ensure_collection(env: dict[str, str]) -> Path:
    """Return the folder for ANSIBLE_COLLECTIONS_PATH: the collection of the present sources, built and installed there."""
    home = STATE / "collections"
    wanted = digest(source_files())[:16]
    folder = home / wanted
    if not folder.is_dir():
        say("Building and installing the collection …")
        work = home / f"{wanted}.new"
        shutil.rmtree(work, ignore_errors=True)
        build = work / "build"
        galaxy = str(venv_dir() / "bin" / "ansible-galaxy")
        log = STATE / "log"
        command = [galaxy, "collection", "build", "--force", "--output-path", str(build), str(ROOT)]
        run_logged(command, log / "build.log", "Building the collection", env)
        (archive,) = build.glob("*.tar.gz")
        command = [galaxy, "collection", "install", "--offline", "--no-deps", "--force", "-p", str(work), str(archive)]
        run_logged(command, log / "install.log", "Installing the collection", env)
        work.rename(folder)
    for other in home.iterdir():
        if other != folder and time.time() - other.stat().st_mtime > OLD_COLLECTION:
            shutil.rmtree(other)
    os.utime(folder)
    return folder


def environment(venv: Path) -> dict[str, str]:
    """Return the environment variables of what is run, without the collections path; make the folders that they name.

    The user's own Ansible and Python settings are left out: the answer must be the same on every machine.
    """
    env = {name: value for name, value in pip_environment().items() if not name.startswith(("ANSIBLE_", "PYTEST_"))}
    env["PATH"] = os.pathsep.join([str(venv / "bin"), os.environ.get("PATH", os.defpath)])
    env["VIRTUAL_ENV"] = str(venv)
    env["APPPROXY_STATE"] = str(STATE)
    env["HOME"] = str(STATE / "home")
    env["XDG_CACHE_HOME"] = str(STATE / "cache")
    env["MYPY_CACHE_DIR"] = str(STATE / "cache" / "mypy")
    env["RUFF_CACHE_DIR"] = str(STATE / "cache" / "ruff")
    env["ANSIBLE_HOME"] = str(STATE / "ansible")
    env["ANSIBLE_LOCAL_TEMP"] = str(STATE / "ansible" / "tmp")
    env["ANSIBLE_REMOTE_TEMP"] = str(STATE / "ansible" / "remote_tmp")
    env["ANSIBLE_CONFIG"] = str(STATE / "ansible.cfg")
    # The lab listens on loopback: a proxy that the user's environment names must not come between.
    for name in ("no_proxy", "NO_PROXY"):
        env[name] = ",".join(filter(None, [env.get(name), "localhost,127.0.0.1,::1"]))
    if sys.platform != "darwin":
        # Ansible stops under a locale that is not UTF-8, and messages of the system are compared in tests.
        env["LC_ALL"] = "C.UTF-8"
    for name in ("HOME", "XDG_CACHE_HOME", "ANSIBLE_HOME", "ANSIBLE_LOCAL_TEMP", "ANSIBLE_REMOTE_TEMP"):
        Path(env[name]).mkdir(parents=True, exist_ok=True)
    Path(env["ANSIBLE_CONFIG"]).write_text("[defaults]\n", encoding="utf-8")
    return env


def set_up() -> dict[str, str]:
    """Do the whole set-up; return the environment variables of what is run."""
    with locked():
        venv = ensure_venv()
        env = environment(venv)
        env["ANSIBLE_COLLECTIONS_PATH"] = str(ensure_collection(env))
    return env


def command_line(action: str, arguments: list[str]) -> list[str]:
    """Return the command for an action of the command line; raise SetupError for one that does not exist."""
    python = str(venv_dir() / "bin" / "python")
    if action == "demo":
        return [python, str(ROOT / "tests" / "lab" / "demo.py"), *arguments]
    if action == "test":
        return [python, "-m", "pytest", "-o", f"cache_dir={STATE / 'cache' / 'pytest'}", *arguments]
    if action == "run" and arguments:
        return arguments
    raise SetupError(f"usage: {Path(sys.argv[0]).name} demo|test|run|setup [ARGUMENT ...]")


def main(argv: list[str]) -> int:
    """Set up and run; return the exit code where there is nothing to run."""
    if not PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
        say(f"Python 3.{PYTHONS[0][1]} to 3.{PYTHONS[1][1]} is needed; {sys.executable} is {sys.version.split()[0]}.")
        return 1
    action, arguments = (argv[1] if len(argv) > 1 else ""), argv[2:]
    try:
        command = [] if action == "setup" else command_line(action, arguments)
        env = set_up()
    except SetupError as error:
        say(str(error))
        return 1
    if not command:
        say(f"Set up in {STATE}.")
        return 0
    if action in {"demo", "test"}:
        os.chdir(ROOT)
    return os.execvpe(command[0], command, env)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
