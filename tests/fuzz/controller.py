# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's parsers under fuzz: what targets answer, and what users write. What each may answer, and never: see its `run`."""

from __future__ import annotations

import base64
import json
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from ansible_collections.appproxy.connector.plugins.plugin_utils.catalogue.findings import FINDINGS
from ansible_collections.appproxy.connector.plugins.plugin_utils.judge import revocation
from ansible_collections.appproxy.connector.plugins.plugin_utils.judge.chain import Standing, read_chain
from ansible_collections.appproxy.connector.plugins.plugin_utils.judge.waivers import WaiverError, covers, parse_waiver
from ansible_collections.appproxy.connector.plugins.plugin_utils.model import Phase
from ansible_collections.appproxy.connector.plugins.plugin_utils.observe.observation import (
    Attempt,
    ObservationError,
    Stage,
    StageName,
    State,
    parse_observation,
)
from ansible_collections.appproxy.connector.plugins.plugin_utils.options import SERVER_AREAS, OptionError, parse_options
from ansible_collections.appproxy.connector.plugins.plugin_utils.preflight import Plan, conclude, plan
from ansible_collections.appproxy.connector.plugins.plugin_utils.roots import Roots, load_roots
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lab.pki import Credential

from . import samples
from .mutate import LIES, Spot, damaged, lied, spots

TENANT = "00000000-1111-2222-3333-444444444444"


@cache
def roots() -> Roots:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "roots.pem"
        path.write_bytes(samples.certificates()[2].public_bytes(Encoding.PEM))
        return load_roots(str(path))


# ---- certificates, by cryptography


def make_chain(chance: Random) -> list[bytes]:
    leaf, issuer, root = samples.ders()
    chain = [leaf, issuer, *((root,) if chance.random() < 0.3 else ())]
    for at in range(len(chain)):
        if chance.random() < 0.6:
            chain[at] = damaged(chain[at], chance, samples.ders()) if chance.random() < 0.7 else samples.built_certificate(chance)
    kind = chance.randrange(12)
    if kind == 0:
        chance.shuffle(chain)
    elif kind == 1:
        chain = chain * chance.choice((2, 20))
    elif kind == 2:
        del chain[chance.randrange(len(chain))]
    return chain


def run_chain(chain: list[bytes]) -> str:
    """A reading, whatever the bytes. Genuine only where what is signed of the leaf is the leaf's own, byte by byte; public only where
    it is one of the three that the root stands behind."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = read_chain(chain, samples.AT, roots()).at(samples.NAME)
        if read.standing is Standing.PUBLIC:
            signed = x509.load_der_x509_certificate(chain[0]).tbs_certificate_bytes
            good = [one.tbs_certificate_bytes for one in samples.certificates()]
            assert signed in good, "a certificate that nobody signed passes"
            assert not read.genuine or signed == good[0], "another certificate than the leaf is genuine for its name"
    json.dumps([read.subject, read.issuer, read.top, read.names])
    return f"{read.standing.value}{' genuine' if read.genuine else ''}"


# ---- revocation lists, OCSP


def _stage(body: bytes, status: int = 200, **headers: str) -> Stage:
    kept = body[:revocation.KEPT]
    named = {name.replace("_", "-"): (value,) for name, value in headers.items()}
    return Stage(State.OK, 1, {"status": status, "reason": "", "headers": named, "body": kept, "body_bytes": len(kept)})


def make_revocation(chance: Random) -> dict[str, Any]:
    """`harm`: what was done to it, so that it must never pass for a list or an answer; empty where only bytes were changed."""
    responder = chance.random() < 0.4
    short, long = samples.revocation_list(), samples.long_list()
    body = samples.ocsp_answer() if responder else chance.choice((short, long))
    status, length, kind, harm = 200, str(len(body)), "application/pkix-crl", ""
    chosen = chance.randrange(8)
    if chosen == 0:
        harm, body = "cut", body[:chance.randrange(len(body))]
        length = str(len(body))
    elif chosen == 1:
        harm, status = "status", chance.choice((0, 204, 301, 403, 404, 407, 500, 999, -1))
    elif chosen == 2:
        harm, kind = "page", "text/html; charset=utf-8"
    elif chosen == 3:
        harm, body = "page", b"<html>" + body
        length = str(len(body))
    elif chosen == 4 and responder:
        harm, body = "refusal", b"\x30\x03\x0a\x01" + bytes([chance.randint(1, 6)])
        length = str(len(body))
    elif chosen < 7:
        body = damaged(body, chance, (short, long, samples.ocsp_answer()))
        length = chance.choice((length, str(len(body)), "", "-1", "x", "\u0661", "9" * 40, "0" * 30 + "5"))
    return {"body": base64.b64encode(body).decode(), "status": status, "length": length, "type": kind, "responder": responder, "harm": harm}


def run_revocation(case: Mapping[str, Any]) -> str:
    """An outcome, whatever the bytes; good never where it was cut, is a page, has another status than 200, or is OCSP's refusal."""
    headers = {"content_type": case["type"], **({"content_length": case["length"]} if case["length"] else {})}
    stage = _stage(base64.b64decode(case["body"]), case["status"], **headers)
    kind = revocation.Kind.RESPONDER if case["responder"] else revocation.Kind.FILE
    attempt = Attempt("crl.example:80", "direct", 2, samples.CRL, "192.0.2.1", 80, None, {StageName.REQUEST: stage})
    found = revocation._fetch(samples.CRL, kind, [attempt])
    assert not (case["harm"] and found.outcome is revocation.Outcome.GOOD), case["harm"]
    return found.outcome.value


# ---- observations


@cache
def _asked() -> tuple[Plan, dict[str, Any]]:
    """A plan over four endpoints, one of each kind, and the healthy observation that is ready."""
    from lab.seen import SEEN_AT, World, all_direct, server_facts  # noqa: PLC0415  it needs the collection, as all here does

    everything = plan(parse_options({"tenant_id": TENANT, "proxy": "auto"}, samples.AT, SERVER_AREAS), "server", windows=True)
    first = {}
    for endpoint in everything.endpoints:
        if endpoint.needed or endpoint.phase is Phase.REVOCATION:
            first.setdefault((endpoint.phase, endpoint.tls), endpoint)
    asked = replace(everything, endpoints=tuple(first.values()), roots=roots())
    world = World(Fixed(), asked.endpoints)  # type: ignore[arg-type]
    seen = world.observation(samples.AT.strftime(SEEN_AT))
    ids = [endpoint.id for endpoint in asked.endpoints]
    seen["bracket"] = {"before": seen["seen_at"], "after": seen["seen_at"]}
    seen.update(host=server_facts(), identities=all_direct(ids), later={"unknown": [1]})
    seen["rechecks"] = [{"path": "direct", "target": ids[0], "stage": "connect", "result": {"state": "ok", "ms": 1, "facts": {}}}]
    return asked, seen


class Fixed:
    """In the place of lab.pki's authorities, which are made anew on every machine."""

    public_issuing = Credential(samples.certificates()[1], None, ())  # type: ignore[arg-type]

    def leaf(self, *hosts: str) -> Credential:
        return Credential(samples.leaf_for(*hosts), None, samples.certificates()[1:2])  # type: ignore[arg-type]

    def crl(self) -> bytes:
        return samples.revocation_list()

    def ocsp(self, _request: Any) -> bytes:
        return samples.ocsp_answer()


@cache
def _places() -> list[Spot]:
    return spots(_asked()[1])


def make_observation(chance: Random) -> Any:
    if chance.random() < 0.02:
        return chance.choice((*LIES, [_asked()[1]], {"schema": 1}, {"schema": 2}))
    return lied(_asked()[1], _places(), chance)


def run_observation(value: Any) -> str:
    """An Observation, or ObservationError with one line."""
    try:
        parse_observation(value)
    except ObservationError as error:
        assert str(error)
        return "refused"
    return "read"


def run_judge(value: Any) -> str:
    """The result of a module, whatever the target said: JSON, one verdict, and no judge that stumbled. Ready only where nothing that is
    needed of the healthy observation is gone or of another type (is_spare names what is not needed)."""
    asked, healthy = _asked()
    result = conclude(asked, value)
    json.dumps(result)
    verdict = result["verdict"]
    assert verdict in ("ready", "not_ready", "inconclusive")
    assert len(result["msg"]) < 200_000
    assert "judging it failed" not in result["msg"], result["msg"][:500]
    if verdict == "ready":
        changed = [spot for spot in _different(healthy, value) if not is_spare(spot)]
        assert not changed, f"ready without {changed[:3]}"
    return verdict


def _different(one: Any, other: Any, above: Spot = ()) -> list[Spot]:
    """The places that are gone or have become of another type."""
    if type(one) is not type(other):
        return [above]
    found: list[Spot] = []
    if isinstance(one, dict):
        for key, inner in one.items():
            found += _different(inner, other[key], (*above, key)) if key in other else [(*above, key)]
    elif isinstance(one, list):
        found += [(*above, len(other))] if len(other) < len(one) else []
        for number, inner in enumerate(one[:len(other)]):
            found += _different(inner, other[number], (*above, number))
    return found


def is_spare(spot: Spot) -> bool:
    """Whether the healthy observation is as good without it, or with something else there: what no judge reads, what only says more,
    and what is told elsewhere too. (Where a type is wrong that the schema has, the observation is refused as a whole, read or not.)"""
    if spot[0] == "attempts":
        return _spare_of_attempt(spot)
    if spot[0] == "host":
        # Of what a fact is made of, all that must be there is refused without; the rest may be null.
        return len(spot) > 3 or spot[1:2] in [(name,) for name in _SPARE_FACTS]
    if spot[0] == "identities":
        return len(spot) > 1 and (spot[1] in ("session", "local_system") or spot[5:] == ("targets", _NOT_NEEDED))
    if spot[0] == "platform_hello":
        return len(spot) > 2 and (spot[2] in ("extensions", "bytes") or len(spot) == 4)
    return spot[0] in ("later", "rechecks") or spot[:2] == ("engine", "version")


_SPARE_FACTS = ("disk", "clock", "firewall", "winhttp_protocols", "roots", "root_update", "environment_proxy", "pac")
"""They explain what others say, and nothing of them is judged alone."""
_SPARE_OF_STAGES = frozenset((
    "name", "local", "literal", "reason", "headers", "body", "body_bytes", "cipher", "version", "protocols", "errors", "chain_status",
    "callback_ms", "chain_ms", "downgrade_sentinel", "warnings", "bytes", "template", "key_exchange", "certificate_request",
    "signature_algorithm", "chain",
))
"""Facts that say more of a stage which ended well. The chain is told by hello and handshake: see _shows_no_chain."""
_NOT_NEEDED = 5
"""The place of the endpoint that is not needed."""


def _spare_of_attempt(spot: Spot) -> bool:
    if len(spot) < 3:
        return len(spot) == 2 and _is_second(spot[1])
    attempt = _asked()[1]["attempts"][spot[1]]
    if spot[2] in ("url", "address", "redirected_to", "port") or _is_second(spot[1]):
        return True
    if spot[2] != "stages" or len(spot) < 4:
        return False
    if spot[3] in ("hello", "hello_sha512", "hello_padded"):
        return True
    if not attempt["target"].endswith(":443") and spot[4:] != () and spot[4] == "facts":
        return True
    if len(spot) == 5 and spot[4] == "facts":
        return spot[3] in ("connect", "handshake")
    return len(spot) > 5 and spot[5] in _SPARE_OF_STAGES


def _is_second(number: int) -> bool:
    """What certificates name is fetched from several places, one of which is enough; and what is not needed at all."""
    attempts = _asked()[1]["attempts"]
    if number >= len(attempts):
        return True
    attempt = attempts[number]
    return attempt["wave"] == 2 or attempt["target"] == "ctldl.windowsupdate.com:443"


# ---- what users write

_WAIVER = {"id": "APC153", "until": "2026-12-31", "reason": "with CHG-1234", "endpoint": "*.servicebus.windows.net:443", "host": "srv-*"}
_WORDS: tuple[Any, ...] = (
    "APC112", "APC901", "APC000", "apc112", " APC112 ", "2026-02-30", "2026-1-1", "\u0662\u0660\u0662\u0666-12-31", "0000-00-00",
    "*", "[", "[!a", "a:1", ":", "*:*",
    "[" * 300, "*" * 60, "\n", "{{ lookup('pipe','id') }}",
)


def make_waiver(chance: Random) -> Any:
    value: Any = dict(_WAIVER)
    for _count in range(chance.randint(1, 3)):
        key = chance.choice((*_WAIVER, "later", 1, None))
        if chance.random() < 0.3:
            value.pop(key, None)
        else:
            value[key] = chance.choice((*_WORDS, *LIES))
    return value if chance.random() < 0.95 else chance.choice((*LIES, [value], str(value)))


def run_waiver(value: Any) -> str:
    """A waiver, or WaiverError with one line. None without an id of this release, a day and a reason; none covers another finding."""
    try:
        waiver = parse_waiver(value, 1, FINDINGS)
    except WaiverError as error:
        assert str(error).startswith("waivers, number 1")
        return "refused"
    assert waiver.id == str(value["id"]).strip()
    assert waiver.id in FINDINGS
    assert waiver.reason == str(value["reason"]).strip()
    assert waiver.reason
    assert waiver.until.isoformat() == str(value["until"]).strip()
    assert not covers(waiver, "APC901", "a:1", "server")
    covers(waiver, waiver.id, "a" * 100 + ".servicebus.windows.net:443", "srv-" + "1" * 100)
    json.dumps(waiver.as_dict())
    return "read"


_GIVEN: dict[str, Any] = {
    "tenant_id": TENANT, "cloud": "public", "connector_version": "1.5.4287.0", "proxy": "http://proxy.example:8080", "deadline": 20,
    "endpoints": ["app.example:443", "http://files.example/", "https://[2001:db8::1]:8443"],
    "connect_to": {"a.example:443": "192.0.2.1:443"},
    "federation_hosts": ["adfs.example:443"], "checks": ["connectivity", "APC213"], "skip_checks": ["APC102"], "waivers": [_WAIVER],
    "fail_on": "error", "unknown": "fail", "as_of": "2026-11-26", "installing_user": "EXAMPLE\\ada", "seen_from": "server",
    "service_observation": {"schema": 1}, "public_roots": "roots.pem", "connect_to_counts": False,
}
_TEXTS: tuple[Any, ...] = (
    "http://u:p@proxy:1", "http://[::1]:3128", "http://[::1]:3128/", "http://p:0", "http://p:99999999999", "[fe80::1%eth0]:443",
    "[::1", "a:b:c", "*:443",
    "a..b:443", "-a.example:443", "a." * 200 + "b:443", "https://a.example:443/x?y#z", "ftp://a/", "https://", "http://[zz]/",
    "\u2139.example:443", "xn--:443",
    "1.2.3.4:443", "a.example:443\nb", "9.9.9.9.9", "999999999999999999999.1", "1.5", "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "2026-11-26T01:00:00.5Z", "2026-W01", "S-1-5-20", "a\\b\\c", "a@b@c", "\\", "@", "none", "NONE",
    "http://a.example:\u0668\u0660", "a.example:\u0664\u0664\u0663",
    "http://h/" + "x" * 70_000, "http://\u00e9.example/", "{{ 7*7 }}", "\ud800:443",
)


def make_options(chance: Random) -> dict[str, Any]:
    """Of the types that Ansible's own reading of options lets through, and hostile in what they hold."""
    given = dict(_GIVEN)
    for _count in range(chance.randint(1, 3)):
        key = chance.choice(tuple(given))
        if chance.random() < 0.15:
            given[key] = None
            continue
        lie = chance.choice((*_TEXTS, *_WORDS, *LIES))
        if chance.random() < 0.3 and isinstance(_GIVEN[key], str):
            lie = damaged(_GIVEN[key].encode(), chance).decode("latin-1")
        given[key] = _of_type(_GIVEN[key], lie, chance)
    return given


def _of_type(usual: Any, lie: Any, chance: Random) -> Any:
    if isinstance(usual, list):
        return [lie, *usual] if chance.random() < 0.5 else [lie]
    if isinstance(usual, dict):
        return {str(lie): "192.0.2.1:443"} if chance.random() < 0.5 else {"a.example:443": lie}
    if isinstance(usual, bool):
        return chance.random() < 0.5
    if isinstance(usual, int):
        return lie if isinstance(lie, int) else 20
    return str(lie)


def run_options(given: Mapping[str, Any]) -> str:
    """Options, or OptionError with one line. What passes can be asked for: each endpoint fits into a request that an engine takes."""
    from ansible_collections.appproxy.connector.plugins.module_utils._probe_request import read_request  # noqa: PLC0415

    try:
        options = parse_options(given, samples.AT, SERVER_AREAS)
    except OptionError as error:
        assert str(error)
        return "refused"
    asked = plan(replace(options, public_roots=None), "server")
    request = {key: value for key, value in asked.request.items() if key not in ("detect", "host", "rehearse_client_certificate")}
    read_request(json.loads(json.dumps(request)))
    return "read"
