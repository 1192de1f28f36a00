# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine told, in a form in which two runs can be compared: without what each run, and each platform, makes anew."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography import x509

FORCED = {
    line.split("|")[1].strip() for line in (Path(__file__).parents[2] / "docs/observation.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("|")
}
"""First cells of the tables: among them the scenarios in which the platform forces the engines apart."""
FORCED_FACTS = {fact for row in FORCED if row.startswith("(facts)") for fact in re.findall(r"`(\w+\.\w+)`", row)}
"""Stage and fact, as `handshake.cipher`; of these the table says why they differ."""

MADE_ANEW = ("application/pkix-crl", "application/ocsp-response", "application/pkix-cert")
"""Content types of what the lab makes for each run."""


def saved(run: Path, name: str) -> dict[str, Any]:
    """The observation that a run of the playbook saved of a server."""
    read: dict[str, Any] = json.loads((run / "observations" / f"{name}.json").read_text(encoding="utf-8"))
    return read


def told(seen: Mapping[str, Any]) -> list[Any]:
    """What an engine saw, in its order, without what the lab makes anew for each run (ports, serial numbers, dates) and times."""
    names = {digest: _names(base64.b64decode(der)) for digest, der in seen["certificates"].items()}

    def fact(key: str, value: Any) -> Any:
        if key == "chain":
            # One platform shows what was sent, the other what it built of that: a certificate that was sent twice stands there once.
            return list(dict.fromkeys(names[digest] for digest in value))
        if key == "headers":
            return {name: values for name, values in value.items() if name != "date"}
        return value

    def stage(name: str, one: Mapping[str, Any]) -> Any:
        facts = {key: fact(key, value) for key, value in one.get("facts", {}).items() if f"{name}.{key}" not in FORCED_FACTS}
        return name, one["state"], _error(one.get("error", {})), _without_chance(name, facts)

    first = [
        (_without_port(one["path"]), one["target"], one["wave"], one["url"], [stage(name, of) for name, of in one["stages"].items()])
        for one in seen["attempts"]
    ]
    return [*first, [(_without_port(one["path"]), one["target"], one["stage"], one["result"]["state"]) for one in seen["rechecks"]]]


def _names(der: bytes) -> tuple[str, str]:
    certificate = x509.load_der_x509_certificate(der)
    return certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()


def _error(error: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without the platform's words, and what hangs on the second: a date in the first bytes, how many came of a slow answer."""
    first = {key: value[:20] if key == "first_bytes" else value for key, value in error.items() if key != "message"}
    # The table of differences has it: PowerShell on Linux cannot tell the two.
    first |= {"code": "nxdomain"} if first.get("code") == "no_data" else {}
    return {key: value for key, value in first.items() if key != "bytes" or value > 100}


def _without_chance(stage: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Without the facts that differ between two runs of one engine, too."""
    # Keys and signatures made anew are a byte longer or shorter; whether the endpoint's own name was known in time.
    chance = {"endpoint", *(["bytes"] if stage.startswith("hello") else [])}
    headers = dict(facts.get("headers", {}))
    body = base64.b64decode(facts.get("body") or "")
    # Lists and answers of responders carry their time and are signed anew, issuers their key, and openssl's page the command
    # line with the port: neither their text nor its length is the same twice.
    if "".join(headers.get("content-type", ())) in MADE_ANEW or b"s_server" in body:
        chance |= {"body", "body_bytes"}
        headers.pop("content-length", None)
    kept = {key: value for key, value in facts.items() if key not in chance}
    return kept | {"headers": headers} if "headers" in kept else kept


def _without_port(path: str) -> str:
    return path.rpartition(":")[0] if path.startswith("http://") else path
