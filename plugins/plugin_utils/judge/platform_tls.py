# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's own TLS: what it offers (its own hello decides), what the registry says of it, and what .NET makes of it.

FOR INTERNAL COLLECTION USE ONLY. Pure. Order of truth: the platform's hello, then the registry, then the version of Windows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..catalogue.requirements import (
    BUILD_2012_R2,
    BUILD_2016,
    FORWARD_SECRET_GCM,
    FORWARD_SECRET_GCM_NAMES,
    HASHES,
    NEEDS_NET_472,
    NET_471,
    NET_472,
    RSA_SHA512,
    SIGNATURE_PAIRS,
)
from ..model import Status
from ..observe.observation import PlatformHello
from .context import Context
from .route import Row
from .rules import Facts, Rule, apply, found, known, not_seen, passed, value

NOT_OFFERED, OFF_BY_DEFAULT, STRONG_CRYPTO, DOTNET = "APC201", "APC202", "APC203", "APC204"
SHA512, HASH_OFF, LIST_DAMAGED, SUITES, FIPS = "APC211", "APC212", "APC215", "APC221", "APC232"

TLS12 = 0x0303
_CLIENT = r"SCHANNEL\Protocols\TLS 1.2\Client"
_LATER = "what the server offers now says otherwise: it takes effect after a restart"
_VERSIONS = {0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}
_HELLO_NOT_SEEN = "its own hello was not seen"


def _untold(id_: str, facts: Facts, needs: Sequence[str], **evidence: Any) -> Row:
    """Unknown: because of what could not be read, else since nothing of what was read tells."""
    return found(id_, Status.UNKNOWN, **evidence) if all(known(facts, name) for name in needs) else not_seen(id_)


# --- TLS 1.2 ------------------------------------------------------------------------------------------------------------


def _client(facts: Facts) -> Mapping[str, int | None]:
    """The registry takes its names in any case."""
    protocols = (value(facts, "schannel") or {}).get("protocols", {})
    return next((sides["client"] for name, sides in protocols.items() if name.upper() == "TLS 1.2"), {})


def _off(facts: Facts) -> str | None:
    """Why the registry switches TLS 1.2 off; None where it does not."""
    return f"{_CLIENT}: Enabled = 0" if _client(facts).get("enabled") == 0 else None


def _off_by_default(facts: Facts) -> str | None:
    by_default = _client(facts).get("disabled_by_default")
    return f"{_CLIENT}: DisabledByDefault = {by_default}" if by_default and not _off(facts) else None


def _tls12(facts: Facts, hello: PlatformHello | None) -> Iterator[Row]:
    off, by_default = _off(facts), _off_by_default(facts)
    if hello is None:
        yield from _tls12_by_registry(facts, off, by_default)
        return
    if TLS12 in hello.versions:
        yield passed(NOT_OFFERED)
        reason = off or by_default
        yield found(OFF_BY_DEFAULT, Status.WARN, reason=f"{reason}; {_LATER}") if reason else passed(OFF_BY_DEFAULT)
        return
    offered = ", ".join(_VERSIONS.get(version, hex(version)) for version in hello.versions) or "nothing"
    if by_default:
        yield passed(NOT_OFFERED, f"see {OFF_BY_DEFAULT}")
        yield found(OFF_BY_DEFAULT, reason=by_default)
    else:
        yield found(NOT_OFFERED, offered=offered, reason=off or "the registry does not tell why")
        yield passed(OFF_BY_DEFAULT)


def _tls12_by_registry(facts: Facts, off: str | None, by_default: str | None) -> Iterator[Row]:
    if off:
        yield found(NOT_OFFERED, offered="not seen", reason=off)
        yield passed(OFF_BY_DEFAULT)
    elif by_default:
        yield passed(NOT_OFFERED, f"see {OFF_BY_DEFAULT}")
        yield found(OFF_BY_DEFAULT, reason=by_default)
    elif known(facts, "schannel") and known(facts, "windows") and facts["windows"].value["build"] >= BUILD_2012_R2:
        yield passed(NOT_OFFERED, "the server's own hello was not seen; this Windows offers TLS 1.2 unasked")
        yield passed(OFF_BY_DEFAULT)
    else:
        reason = f"{_HELLO_NOT_SEEN}, and this Windows does not offer it unasked"
        yield _untold(NOT_OFFERED, facts, ("schannel", "windows"), offered="not seen", reason=reason)
        yield _untold(OFF_BY_DEFAULT, facts, ("schannel", "windows"), reason=reason)


# --- SHA-512 ------------------------------------------------------------------------------------------------------------


def _hash_off(facts: Facts) -> bool:
    hashes = (value(facts, "schannel") or {}).get("hashes", {})
    return any(name.upper() == "SHA512" and switch == 0 for name, switch in hashes.items())


def _damage(entries: Sequence[str] | None) -> str | None:
    """What is wrong with a list of signature and hash pairs; None where nothing is, or where there is no list of its own."""
    if entries is None:
        return None
    names = [entry.strip().upper() for entry in entries if entry.strip()]
    if not names:
        return "it is empty"
    strange = [name for name in names if not _is_pair(name)]
    if strange:
        return f"{strange[0]} is no pair of signature and hash"
    return None if "RSA/SHA512" in names else "RSA/SHA512 is not in it"


def _is_pair(name: str) -> bool:
    signature, dummy, digest = name.partition("/")
    return signature in SIGNATURE_PAIRS and digest in HASHES


def _list_of(facts: Facts) -> Sequence[str] | None:
    """The policy's list goes before the local one."""
    lists = value(facts, "signature_list") or {}
    names: Sequence[str] | None = lists.get("policy") if lists.get("policy") is not None else lists.get("local")
    return names


_TELL_SHA512 = ("schannel", "signature_list", "windows")
"""Facts that tell of it together where the server's own hello was not seen."""


def _sha512(facts: Facts, hello: PlatformHello | None) -> Iterator[Row]:
    hash_off, damage = _hash_off(facts), _damage(_list_of(facts))
    offered = None if hello is None else RSA_SHA512 in hello.signature_algorithms
    explained = Status.WARN if offered else Status.FAIL
    later = f"; {_LATER}" if offered else ""
    because = (*((HASH_OFF,) if hash_off else ()), *((LIST_DAMAGED,) if damage else ()))
    if offered:
        yield passed(SHA512)
    elif offered is False or because:
        reason = "the registry says why" if because else "the registry does not tell why"
        yield found(SHA512, because=because, reason=reason)
    elif all(known(facts, name) for name in _TELL_SHA512) and (
        facts["windows"].value["build"] >= BUILD_2016 or _list_of(facts) is not None
    ):
        yield passed(SHA512, "the server's own hello was not seen; by its registry and its Windows it offers it")
    else:
        yield _untold(SHA512, facts, _TELL_SHA512, reason=f"{_HELLO_NOT_SEEN}, and this Windows needs an update for it")
    yield _explaining(HASH_OFF, "schannel", facts, found(HASH_OFF, explained, reason=f"Hashes\\SHA512: Enabled = 0{later}"), hash_off)
    yield _explaining(LIST_DAMAGED, "signature_list", facts, found(LIST_DAMAGED, explained, list=f"{damage}{later}"), damage is not None)


def _explaining(id_: str, needs: str, facts: Facts, row: Row, holds: bool) -> Row:
    if not known(facts, needs):
        return not_seen(id_)
    return row if holds else passed(id_)


# --- the rest -----------------------------------------------------------------------------------------------------------


def _names_of_suites(facts: Facts) -> Sequence[str] | None:
    """The policy's order goes before the local one; None where neither is there."""
    order = value(facts, "cipher_order") or {}
    names: Sequence[str] | None = order.get("policy") if order.get("policy") is not None else order.get("local")
    return names


def _suites(facts: Facts, hello: PlatformHello | None) -> Row:
    names = _names_of_suites(facts)
    if hello is not None and TLS12 not in hello.versions:
        return passed(SUITES, f"without TLS 1.2 there are none to look at: see {NOT_OFFERED} and {OFF_BY_DEFAULT}")
    if hello is not None:
        offered = bool(FORWARD_SECRET_GCM & set(hello.suites))
    elif names is not None:
        # Before Windows 10 the names end with a curve.
        offered = any(name.strip().startswith(FORWARD_SECRET_GCM_NAMES) for name in names)
    else:
        return _untold(SUITES, facts, ("cipher_order",), reason=f"{_HELLO_NOT_SEEN}, and there is no order of cipher suites")
    if offered:
        return passed(SUITES, "" if hello is not None else "the server's own hello was not seen; its order of cipher suites has them")
    policy = (value(facts, "cipher_order") or {}).get("policy") is not None
    where = "the policy's order of cipher suites lacks them" if policy else "the local order lacks them, or ciphers are switched off"
    return found(SUITES, Status.WARN, reason=where)


_STRONG = {"strong_crypto": "SchUseStrongCrypto", "system_default": "SystemDefaultTlsVersions"}


def _strong_crypto(views: Mapping[str, Mapping[str, int | None]], dummy: Context) -> Row:
    off = [f"{name} = 0 ({view} view)" for view, switches in views.items() for key, name in _STRONG.items() if switches[key] == 0]
    return found(STRONG_CRYPTO, Status.WARN, values=", ".join(off)) if off else passed(STRONG_CRYPTO)


def _dotnet(releases: Mapping[str, int | None], context: Context) -> Row:
    release = releases["native"]
    needs_472 = context.connector_version is None or context.connector_version >= NEEDS_NET_472
    said = "none" if release is None else str(release)
    if release is not None and release >= NET_472:
        return passed(DOTNET)
    if release is not None and release >= NET_471 and not needs_472:
        return found(DOTNET, Status.WARN, release=said)
    return found(DOTNET, release=said)


def _fips(switch: Mapping[str, Any], dummy: Context) -> Row:
    return found(FIPS, Status.WARN) if switch["enabled"] == 1 else passed(FIPS)


RULES = (Rule(STRONG_CRYPTO, ("dotnet_tls",), _strong_crypto), Rule(DOTNET, ("dotnet",), _dotnet), Rule(FIPS, ("fips",), _fips))
NEEDED = ("windows", "dotnet", "dotnet_tls", "schannel", "cipher_order", "signature_list", "fips")


def judge_platform_tls(facts: Facts, hello: PlatformHello | None, context: Context) -> Iterator[Row]:
    """`hello`: what the platform's own library sent by itself; None where it was not seen."""
    yield from _tls12(facts, hello)
    yield from _sha512(facts, hello)
    yield _suites(facts, hello)
    yield from apply(RULES, facts, context)
