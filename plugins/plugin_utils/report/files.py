# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a run's files lie, and how they are written: atomically, not for everyone's eyes. Controller only.

    <report_dir>/<run_id>/fleet.json
    <report_dir>/<run_id>/tenant.json
    <report_dir>/<run_id>/hosts/<host>.json
    <report_dir>/<run_id>/observations/<host>.json
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

FILE_MODE = 0o640
FOLDER_MODE = 0o750
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")
_LONGEST_NAME = 200
"""Bytes; file systems end at 255, and a suffix and the name of a temporary file come on top."""
_MARKER = "appproxy-connector-run"
_MADE_AT = "%Y%m%dT%H%M%SZ"
"""What a run's own id begins with."""


class FilesError(Exception):
    """Something on the controller's disk; the message names the path and the reason."""


def encode(name: str) -> str:
    """A host's name as a file's: one name, one file, and no name leads out of the folder.

    Everything but letters, digits, `.`, `_` and `-` is percent-encoded (UTF-8), leading dots too. Very long names are
    cut, and told apart by a digest behind a `~`, which no encoded name contains.
    """
    raw = name.encode("utf-8", "surrogateescape")
    dots = len(raw) - len(raw.lstrip(b"."))
    encoded = "%2E" * dots + "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in raw[dots:])
    if len(encoded) <= _LONGEST_NAME:
        return encoded
    return f"{encoded[: _LONGEST_NAME - 33]}~{hashlib.sha256(raw).hexdigest()[:32]}"


def run_folder(report_dir: str, run_id: str) -> Path:
    """A relative report_dir starts where ansible-playbook was run."""
    if not _RUN_ID.match(run_id):
        raise FilesError(
            f"run_id: {run_id!r} cannot name a folder. Use letters, digits, '.', '_' and '-', at most 128, the first a letter or digit."
        )
    return Path(os.path.abspath(os.path.expanduser(report_dir))) / run_id


def host_file(folder: Path, host: str) -> Path:
    return folder / "hosts" / f"{encode(host)}.json"


def observation_file(folder: Path, host: str) -> Path:
    return folder / "observations" / f"{encode(host)}.json"


def tenant_file(folder: Path) -> Path:
    return folder / "tenant.json"


def fleet_file(folder: Path) -> Path:
    return folder / "fleet.json"


def this_run(scratch: str, now: datetime) -> str:
    """The id of this run of Ansible: the first who asks makes it, all others read it.

    scratch is a folder that belongs to the run, that all its processes share and that Ansible removes at its end. The
    marker is a symbolic link, because making one is a single step: nobody can read a half-written id.
    """
    marker = os.path.join(scratch, _MARKER)
    try:
        os.symlink(f"{now:{_MADE_AT}}-{secrets.token_hex(4)}", marker)
    except FileExistsError:
        pass
    except OSError as error:
        raise FilesError(f"cannot keep the run's id in {scratch}: {error.strerror}; give run_id instead") from error
    return os.readlink(marker)


def begun_at(run_id: str) -> datetime:
    """When an id of this_run was made, UTC."""
    return datetime.strptime(run_id.split("-", maxsplit=1)[0], _MADE_AT).replace(tzinfo=timezone.utc)


def write(path: Path, text: str | Iterable[str]) -> None:
    """Whole or not at all: a reader never sees half a file. `text` may come piece by piece."""
    temporary = None
    try:
        _make_folder(path.parent)
        handle, temporary = tempfile.mkstemp(prefix=".new-", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            os.fchmod(file.fileno(), FILE_MODE)
            file.writelines((text,) if isinstance(text, str) else text)
        os.replace(temporary, path)
    except OSError as error:
        raise FilesError(f"cannot write {path}: {error.strerror}") from error
    finally:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)


def remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise FilesError(f"cannot remove {path}: {error.strerror}") from error


def read(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file; None where there is no file."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise FilesError(f"cannot read {path}: {error}") from error
    return _object(path, text)


def _object(path: Path, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise FilesError(f"{path} is not JSON: {error}") from error
    if not isinstance(value, Mapping):
        raise FilesError(f"{path} holds no JSON object")
    return dict(value)


def _make_folder(folder: Path) -> None:
    """Each missing folder of the way gets FOLDER_MODE; pathlib would give it to the last one only."""
    for step in reversed((folder, *folder.parents)):
        if not step.exists():
            step.mkdir(mode=FOLDER_MODE, exist_ok=True)
