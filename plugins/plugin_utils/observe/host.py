# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts of a Windows server that an observation may carry: what each is made of, and their typed reading.

FOR INTERNAL COLLECTION USE ONLY. Pure. A target is not believed: a fact of another shape is an ObservationError that names the place;
facts and keys that are not known here are passed over. Where each fact comes from on the server stands in docs/observation.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .readers import StageError, a_list, a_time, an_error, flag, mapping, maybe, number, text, texts

Reader = Callable[[Any, str], Any]


@dataclass(frozen=True)
class Fact:
    """One thing looked at on the server: its value, or why there is none."""

    value: Any
    error: StageError | None = None

    @property
    def known(self) -> bool:
        return self.error is None


def _object(**fields: Reader) -> Reader:
    """An object that has these keys; a key that is not there counts as null."""

    def read(value: Any, where: str) -> dict[str, Any]:
        found = mapping(value, where)
        return {name: reader(found.get(name), f"{where}.{name}") for name, reader in fields.items()}

    return read


def _every(reader: Reader) -> Reader:
    """An object whose keys are the server's own names."""
    return lambda value, where: {name: reader(one, f"{where}.{name}") for name, one in mapping(value, where).items()}


def _list(reader: Reader) -> Reader:
    return lambda value, where: [reader(one, f"{where}[{place}]") for place, one in enumerate(a_list(value, where))]


def _fact(reader: Reader) -> Reader:
    """{"ok": true, "value": V} or {"ok": false, "error": {"code", "message"}}."""

    def read(value: Any, where: str) -> Fact:
        found = mapping(value, where)
        if flag(found.get("ok"), f"{where}.ok"):
            return Fact(reader(found.get("value"), f"{where}.value"))
        return Fact(None, an_error(found.get("error"), f"{where}.error"))

    return read


_TEXT, _NUMBER, _FLAG, _TEXTS = maybe(text), maybe(number), maybe(flag), maybe(texts)
_VIEWS = _object(native=_NUMBER, wow64=_NUMBER)
_NAMES = _object(policy=_TEXTS, local=_TEXTS)
_SWITCHES = _object(enabled=_NUMBER, disabled_by_default=_NUMBER)
_POLICY = _object(enable_scripts=_NUMBER, policy=_TEXT)
_PROFILES = _every(_object(enabled=_NUMBER, outbound=_NUMBER))
_DOTNET_TLS = _object(strong_crypto=_NUMBER, system_default=_NUMBER)
_WINHTTP = maybe(_object(kind=text, proxy=_TEXT, bypass=_TEXT))
_ANSWERED = _object(code=text, alert=_NUMBER)
_SETTINGS = _object(**{"sid": text, "from": text, "auto_detect": flag, "pac": _TEXT, "proxy": _TEXT, "bypass": _TEXT})
_DEFAULT_PROXY = maybe(_object(
    path=text, enabled=flag, address=_TEXT, bypass_on_local=_TEXT, use_system_default=_TEXT, script=_TEXT, bypass=texts,
))

SHAPES: Mapping[str, Reader] = {
    "windows": _object(product=text, edition=_TEXT, installation=_TEXT, build=number, revision=_NUMBER, release=_TEXT),
    "computer": _object(domain_joined=flag, memory_bytes=number, processors=number),
    "system": _object(product_type=number, booted_at=maybe(a_time)),
    "disk": _object(drive=text, free_bytes=number),
    "clock": _object(zone=text, offset_minutes=number),
    "pending_reboot": _object(reasons=texts),
    "powershell": _object(version=text, language_mode=text),
    "execution_policy": _object(machine=_POLICY, user=_POLICY),
    "ie_enhanced_security": _object(administrators=_NUMBER, users=_NUMBER),
    "fips": _object(enabled=_NUMBER),
    "dynamic_ports": _object(start=number, number=number, in_use=number),
    "administrator": flag,
    "firewall": _object(
        profiles=_PROFILES, policy_profiles=_PROFILES,
        blocking=_list(_object(name=_TEXT, program=_TEXT, service=_TEXT, protocol=_TEXT, ports=_TEXT, addresses=_TEXT)),
    ),
    "services": _list(_object(name=text, state=text, start_mode=_TEXT, account=_TEXT)),
    "products": _list(_object(name=text, version=_TEXT)),
    "dotnet": _VIEWS,
    "dotnet_tls": _object(native=_DOTNET_TLS, wow64=_DOTNET_TLS),
    "schannel": _object(
        protocols=_every(_object(client=_SWITCHES, server=_SWITCHES)),
        hashes=_every(_NUMBER), ciphers=_every(_NUMBER), key_exchange=_every(_NUMBER),
    ),
    "cipher_order": _NAMES,
    "signature_list": _NAMES,
    "winhttp_protocols": _VIEWS,
    "roots": _object(present=texts, count=number),
    "root_update": _object(disabled=_NUMBER),
    "winhttp_proxy": _object(native=_WINHTTP, wow64=_WINHTTP),
    "proxy_policy": _object(per_user=_NUMBER),
    "internet_settings": _every(_fact(_SETTINGS)),
    "default_proxy": _object(
        machine_config=_DEFAULT_PROXY, machine_config_32=_DEFAULT_PROXY, service=_DEFAULT_PROXY, updater=_DEFAULT_PROXY,
    ),
    "environment_proxy": _object(machine=_object(http_proxy=_TEXT, https_proxy=_TEXT, no_proxy=_TEXT)),
    "pac": _list(_object(identity=text, url=text, evaluated_as=text, ms=number, answers=number, error=maybe(an_error))),
}
"""What a known fact is made of. The order is the one of docs/observation.md."""

REHEARSALS: Mapping[str, Reader] = {
    "trust": _object(passed=flag, version=_TEXT, error=_TEXT, swept=flag, deleted=flag),
    "client_certificate": _object(asked=flag, target=text, path=text, sha256=_ANSWERED, sha512=_ANSWERED),
}
"""What came of a rehearsal that could be made."""


def _any(value: Any, where: str) -> Any:
    return value


def parse_fact(name: str, value: Any, where: str) -> Fact:
    """Raises ObservationError. A fact that is in neither table keeps its value as it is."""
    fact: Fact = _fact({**SHAPES, **REHEARSALS}.get(name, _any))(value, where)
    return fact


def parse_host(value: Any, where: str) -> Mapping[str, Fact] | None:
    """None where the server was not looked at (POSIX, or not asked for)."""
    if value is None:
        return None
    return {name: parse_fact(name, one, f"{where}.{name}") for name, one in mapping(value, where).items() if name in SHAPES}
