# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules over a server's own facts: each with its edges, and what becomes of it where a fact is not known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from ansible_collections.appproxy.connector.plugins.plugin_utils.catalogue.clients import PRODUCTS, SERVICES, STEERING
from ansible_collections.appproxy.connector.plugins.plugin_utils.catalogue.requirements import SERVERS
from ansible_collections.appproxy.connector.plugins.plugin_utils.judge.context import Context
from ansible_collections.appproxy.connector.plugins.plugin_utils.judge.platform_tls import judge_platform_tls
from ansible_collections.appproxy.connector.plugins.plugin_utils.judge.server import RULES, constrained, judge_denied, judge_server
from ansible_collections.appproxy.connector.plugins.plugin_utils.model import Status
from ansible_collections.appproxy.connector.plugins.plugin_utils.observe.host import SHAPES, parse_host
from ansible_collections.appproxy.connector.plugins.plugin_utils.observe.observation import ObservationError, PlatformHello
from lab.seen import known, server_facts, unknown

TODAY = Context(date(2026, 11, 26), None, None)
HELLO = PlatformHello(
    versions=(0x0304, 0x0303), suites=(0x1301, 0xC02F), groups=(29,), signature_algorithms=(0x0401, 0x0601),
)
FAIL, WARN, PASS, UNKNOWN = Status.FAIL, Status.WARN, Status.PASS, Status.UNKNOWN


def facts(**changes: Any) -> Mapping[str, Any]:
    """Each change is a value, or a whole fact."""
    whole = {name: one if isinstance(one, dict) and "ok" in one else known(one) for name, one in changes.items()}
    return parse_host(server_facts(**whole), "host") or {}


def changed(name: str, **values: Any) -> dict[str, Any]:
    """The healthy fact with some of its values changed."""
    return {name: {**server_facts()[name]["value"], **values}}


def statuses(rows: Iterable[Any]) -> dict[str, Status]:
    """Of what is not well."""
    return {row.id: row.status for row in rows if row.status is not PASS}


def of_server(context: Context = TODAY, **changes: Any) -> dict[str, Status]:
    return statuses(judge_server(facts(**changes), context))


def of_tls(hello: PlatformHello | None = HELLO, context: Context = TODAY, **changes: Any) -> dict[str, Status]:
    return statuses(judge_platform_tls(facts(**changes), hello, context))


# --- the server -----------------------------------------------------------------------------------------------------------


def test_a_healthy_server_has_nothing() -> None:
    assert of_server() == {}
    assert of_tls() == {}
    assert list(judge_denied(facts())) == []


def older(build: int, net: int) -> dict[str, Any]:
    """A Windows as it is installed: its build, and the .NET Framework that comes with it."""
    return {**changed("windows", build=build), "dotnet": {"native": net, "wow64": net},
            "ie_enhanced_security": {"administrators": 1, "users": 1}}


TLS12_ALONE = replace(HELLO, versions=(0x0303, 0x0302, 0x0301), suites=(0xC028, 0xC02B))
WITHOUT_UPDATE = replace(TLS12_ALONE, signature_algorithms=(0x0401, 0x0501, 0x0201))


@pytest.mark.parametrize(("server", "hello", "expected"), [
    (older(9600, 378675), TLS12_ALONE, {"APC204": FAIL, "APC401": WARN, "APC402": WARN, "APC461": WARN}),
    (older(9600, 378675), WITHOUT_UPDATE, {"APC204": FAIL, "APC211": FAIL, "APC401": WARN, "APC402": WARN, "APC461": WARN}),
    (older(14393, 394802), TLS12_ALONE, {"APC204": FAIL, "APC402": WARN, "APC461": WARN}),
    (older(17763, 461814), TLS12_ALONE, {"APC461": WARN}),
    (older(20348, 528449), HELLO, {"APC461": WARN}),
    (older(26100, 533509), HELLO, {"APC461": WARN}),
], ids=["2012 R2", "2012 R2 without SHA-512", "2016", "2019", "2022", "2025"])
def test_windows_as_it_is_installed(server: dict[str, Any], hello: PlatformHello, expected: dict[str, Status]) -> None:
    assert {**of_server(**server), **of_tls(hello, **server)} == expected


def test_every_rule_says_one_thing_of_its_own() -> None:
    rows = [*judge_server(facts(), TODAY), *judge_platform_tls(facts(), HELLO, TODAY)]
    assert len({row.id for row in rows}) == len(rows) == 21
    assert all(set(rule.needs) <= set(SHAPES) for rule in RULES)


@pytest.mark.parametrize(("build", "kind", "status"), [
    (9200, 3, FAIL), (9600, 3, WARN), (14392, 3, WARN), (14393, 3, None), (26100, 2, None), (26100, 1, FAIL),
])
def test_which_windows(build: int, kind: int, status: Status | None) -> None:
    found = of_server(TODAY, **changed("windows", build=build), **changed("system", product_type=kind))
    assert found.get("APC401") == status


@pytest.mark.parametrize(("build", "today", "warns"), [
    (14393, date(2026, 1, 11), False), (14393, date(2026, 1, 12), True), (14393, date(2030, 1, 1), True),
    (17763, date(2026, 11, 26), False),
    (9600, date(2020, 1, 1), False), (9600, date(2026, 11, 26), True),
])
def test_the_end_of_support_is_told_a_year_ahead(build: int, today: date, warns: bool) -> None:
    found = of_server(replace(TODAY, as_of=today), **changed("windows", build=build))
    assert found.get("APC402") == (WARN if warns else None)


@pytest.mark.parametrize("build", [9200, 18363, 20349, 25398, 29000])
def test_of_a_build_without_a_date_nothing_is_said(build: int) -> None:
    found = of_server(replace(TODAY, as_of=date(2040, 1, 1)), **changed("windows", build=build))
    assert found["APC402"] is Status.NOT_APPLICABLE


@pytest.mark.parametrize(("build", "name", "ends"), [
    (9600, "Windows Server 2012 R2", date(2023, 10, 10)), (14393, "Windows Server 2016", date(2027, 1, 12)),
    (17763, "Windows Server 2019", date(2029, 1, 9)), (20348, "Windows Server 2022", date(2031, 10, 14)),
    (26100, "Windows Server 2025", date(2034, 11, 14)),
])
def test_when_support_ends(build: int, name: str, ends: date) -> None:
    seen = facts(**changed("windows", build=build))
    for days, warns in ((365, True), (366, False)):
        rows = judge_server(seen, replace(TODAY, as_of=ends - timedelta(days=days)))
        assert [row.evidence for row in rows if row.id == "APC402" and row.status is WARN] == (
            [{"os": name, "ends": ends.isoformat()}] if warns else [])


def test_releases_are_in_order() -> None:
    assert [one.build for one in SERVERS] == sorted(one.build for one in SERVERS)
    assert [one.support_ends for one in SERVERS] == sorted(one.support_ends for one in SERVERS)


@pytest.mark.parametrize(("changes", "expected"), [
    (changed("windows", installation="Server Core"), {"APC403": WARN}),
    (changed("windows", installation=None), {}),
    (changed("computer", memory_bytes=(15 << 29) - 1), {"APC411": WARN}),
    (changed("computer", memory_bytes=15 << 29), {}),
    (changed("computer", processors=3), {"APC411": WARN}),
    (changed("computer", processors=5), {}),
    (changed("execution_policy", machine={"enable_scripts": 0, "policy": None}), {"APC421": FAIL}),
    (changed("execution_policy", user={"enable_scripts": 0, "policy": None}), {"APC421": FAIL}),
    (changed("execution_policy", machine={"enable_scripts": 1, "policy": "AllSigned"}), {"APC421": FAIL}),
    (changed("execution_policy", machine={"enable_scripts": None, "policy": "restricted"}), {"APC421": FAIL}),
    (changed("execution_policy", machine={"enable_scripts": 1, "policy": "RemoteSigned"}), {}),
    (changed("powershell", language_mode="ConstrainedLanguage"), {"APC422": FAIL}),
    ({"pending_reboot": {"reasons": ["windows_update"]}}, {"APC431": WARN}),
    (changed("dynamic_ports", number=16383), {"APC453": WARN}),
    (changed("dynamic_ports", number=16384, in_use=13107), {}),
    (changed("dynamic_ports", number=16384, in_use=13108), {"APC453": WARN}),
    (changed("dynamic_ports", number=20000, in_use=16000), {}),
    ({"ie_enhanced_security": {"administrators": 1, "users": 0}}, {"APC461": WARN}),
    ({"ie_enhanced_security": {"administrators": 0, "users": 1}}, {"APC461": WARN}),
    ({"ie_enhanced_security": {"administrators": None, "users": None}}, {}),
    ({"administrator": False}, {"APC471": FAIL}),
])
def test_states_of_the_server(changes: dict[str, Any], expected: dict[str, Status]) -> None:
    assert of_server(**changes) == expected


def test_the_size_is_told_in_gibibytes() -> None:
    rows = judge_server(facts(**changed("computer", memory_bytes=3 << 29, processors=2)), TODAY)
    assert [row.evidence for row in rows if row.id == "APC411"] == [{"memory": "1.5 GiB", "processors": 2}]


def test_who_installs_need_not_be_the_session() -> None:
    assert of_server(replace(TODAY, installing_user="CORP\\installer"), administrator=False) == {"APC471": WARN}


def service(name: str, state: str = "Running") -> dict[str, Any]:
    return {"name": name, "state": state, "start_mode": "Auto", "account": "LocalSystem"}


@pytest.mark.parametrize(("services", "products", "expected"), [
    ([service("WAPCSvc")], [], WARN),
    ([service("wapcsvc", "Stopped")], [], WARN),
    ([], [{"name": "Microsoft Entra private network connector", "version": "1.5.4287.0"}], WARN),
    ([], [{"name": "microsoft aad application proxy connector", "version": None}], WARN),
    ([service("AzureADPasswordProtectionProxy", "Stopped")], [], FAIL),
    ([], [{"name": "Azure AD Password Protection Proxy", "version": "1.2"}], FAIL),
    ([service("WAPCSvc"), service("AzureADPasswordProtectionProxy")], [], FAIL),
    ([service("WAPCUpdaterSvc")], [], None),
    ([], [{"name": "Azure AD Connect", "version": "2"}], None),
])
def test_other_products(services: list[Any], products: list[Any], expected: Status | None) -> None:
    assert of_server(services=services, products=products).get("APC451") == expected


CONNECTOR = {"name": "Microsoft Entra private network connector", "version": "1.5.4287.0"}
PROTECTION = {"name": "Azure AD Password Protection Proxy Bundle", "version": "1.2"}


@pytest.mark.parametrize(("services", "products", "told"), [
    ([], [CONNECTOR], "Microsoft Entra private network connector 1.5.4287.0"),
    ([], [{**CONNECTOR, "version": None}], "Microsoft Entra private network connector"),
    ([service("WAPCSvc")], [], "the service WAPCSvc"),
    ([service("AzureADPasswordProtectionProxy")], [PROTECTION], "Azure AD Password Protection Proxy Bundle"),
    ([service("AzureADPasswordProtectionProxy")], [], "AzureADPasswordProtectionProxy"),
])
def test_what_is_there_is_named(services: list[Any], products: list[Any], told: str) -> None:
    rows = judge_server(facts(services=services, products=products), TODAY)
    assert [row.evidence["product"] for row in rows if row.id == "APC451"] == [told]


@pytest.mark.parametrize("name", STEERING)
def test_clients_that_steer_traffic(name: str) -> None:
    assert of_server(services=[service(name.upper())]) == {"APC452": WARN}
    assert of_server(services=[service(name, "Stopped")]) == {}


def test_all_that_is_judged_is_asked_for() -> None:
    assert {"WAPCSvc", "AzureADPasswordProtectionProxy", *STEERING} <= set(SERVICES)
    assert all(PRODUCTS)


@pytest.mark.parametrize(("text", "found"), [
    ("Cannot invoke method. Method invocation is supported only on core types in this language mode: ConstrainedLanguage", True),
    ("runs in Constrained Language mode", True), ("the network was constrained", False), ("", False),
])
def test_application_control_is_read_from_a_failed_task(text: str, found: bool) -> None:
    row = constrained(text)
    assert (row is not None) is found
    assert row is None or (row.id, row.status) == ("APC422", FAIL)


GCM_ORDER = {"policy": None, "local": ["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"]}


# --- TLS 1.2 --------------------------------------------------------------------------------------------------------------


def client(**switches: Any) -> dict[str, Any]:
    tls12 = {"client": {"enabled": None, "disabled_by_default": None, **switches}, "server": {"enabled": None, "disabled_by_default": None}}
    return changed("schannel", protocols={"TLS 1.2": tls12})


NO_TLS12 = replace(HELLO, versions=(0x0304,))


@pytest.mark.parametrize(("hello", "changes", "expected"), [
    (NO_TLS12, {}, {"APC201": FAIL}),
    (NO_TLS12, client(enabled=0), {"APC201": FAIL}),
    (NO_TLS12, client(enabled=0, disabled_by_default=1), {"APC201": FAIL}),
    (NO_TLS12, client(disabled_by_default=1), {"APC202": FAIL}),
    (NO_TLS12, client(enabled=1, disabled_by_default=1), {"APC202": FAIL}),
    (NO_TLS12, client(disabled_by_default=0), {"APC201": FAIL}),
    # What the server offers decides; the registry is for later.
    (HELLO, client(enabled=0), {"APC202": WARN}),
    (HELLO, client(disabled_by_default=1), {"APC202": WARN}),
    (HELLO, client(enabled=1, disabled_by_default=0), {}),
    (HELLO, client(enabled=4294967295), {}),
    # Not seen: the registry, then Windows.
    (None, client(enabled=0), {"APC201": FAIL}),
    (None, client(disabled_by_default=1), {"APC202": FAIL}),
    (None, {}, {}),
    (None, changed("windows", build=9600), {"APC204": None}),
    (None, changed("windows", build=9200), {"APC201": UNKNOWN, "APC202": UNKNOWN}),
    (None, {"schannel": unknown("denied")}, {"APC201": UNKNOWN, "APC202": UNKNOWN}),
    (None, {"windows": unknown("denied")}, {"APC201": UNKNOWN, "APC202": UNKNOWN}),
    (HELLO, {"schannel": unknown("denied")}, {}),
])
def test_tls12(hello: PlatformHello | None, changes: dict[str, Any], expected: dict[str, Status | None]) -> None:
    found = of_tls(hello, cipher_order=GCM_ORDER, **changes)
    assert {id_: status for id_, status in found.items() if id_ in ("APC201", "APC202")} == {
        id_: status for id_, status in expected.items() if status is not None}


OFF = r"SCHANNEL\Protocols\TLS 1.2\Client: Enabled = 0"


@pytest.mark.parametrize(("versions", "changes", "offered", "reason"), [
    ((0x0304,), client(enabled=0), "TLS 1.3", OFF),
    ((0x0302, 0x0301), {}, "TLS 1.1, TLS 1.0", "the registry does not tell why"),
    ((0x7F1C,), {}, "0x7f1c", "the registry does not tell why"),
    ((), {}, "nothing", "the registry does not tell why"),
])
def test_the_registry_explains_in_its_own_words(versions: tuple[int, ...], changes: dict[str, Any], offered: str, reason: str) -> None:
    rows = {row.id: row for row in judge_platform_tls(facts(**changes), replace(HELLO, versions=versions), TODAY)}
    assert rows["APC201"].evidence == {"offered": offered, "reason": reason}


def test_names_in_the_registry_have_no_case() -> None:
    protocols = client(enabled=0)["schannel"]["protocols"]
    lower = changed("schannel", protocols={"ssl 3.0": {**protocols["TLS 1.2"], "client": {}}, "tls 1.2": protocols["TLS 1.2"]})
    assert of_tls(None, cipher_order=GCM_ORDER, **lower)["APC201"] == FAIL


@pytest.mark.parametrize(("build", "tells", "unread"), [(9200, True, {}), (20348, False, {"schannel": unknown("denied")})])
def test_what_nothing_tells_has_its_own_words_and_what_was_denied_has_its_cause(build: int, tells: bool, unread: dict[str, Any]) -> None:
    """The fold writes of a row with a cause and no evidence: mend that first. So a cause that is not there must not be named."""
    seen = facts(**changed("windows", build=build), **unread)
    rows = [row for row in judge_platform_tls(seen, None, TODAY) if row.status is UNKNOWN and row.id != "APC221"]
    assert {row.id for row in rows} >= {"APC201", "APC202", "APC211"}
    assert all(bool(row.evidence) is tells and bool(row.because) is not tells for row in rows)
    assert bool(list(judge_denied(seen))) is not tells


# --- SHA-512 --------------------------------------------------------------------------------------------------------------

NO_SHA512 = replace(HELLO, signature_algorithms=(0x0401, 0x0603))
HASH_OFF = changed("schannel", hashes={"SHA512": 0})
HEALTHY_LIST = ["RSAE-PSS/SHA256", "RSA/SHA256", "RSA/SHA384", "RSA/SHA1", "ECDSA/SHA256", "DSA/SHA1", "RSA/SHA512", "ECDSA/SHA512"]


def names(local: Any = None, policy: Any = None) -> dict[str, Any]:
    return {"signature_list": {"policy": policy, "local": local}}


@pytest.mark.parametrize(("hello", "changes", "expected"), [
    (NO_SHA512, {}, {"APC211": FAIL}),
    (NO_SHA512, HASH_OFF, {"APC211": FAIL, "APC212": FAIL}),
    (HELLO, HASH_OFF, {"APC212": WARN}),
    (None, HASH_OFF, {"APC211": FAIL, "APC212": FAIL}),
    (HELLO, changed("schannel", hashes={"sha512": 0}), {"APC212": WARN}),
    (HELLO, changed("schannel", hashes={"SHA512": 4294967295, "SHA": 0}), {}),
    (HELLO, names(HEALTHY_LIST), {}),
    (HELLO, names([" rsa/sha512 "]), {}),
    (HELLO, names(["RSA/SHA512", "MYSTERY/SHA256"]), {"APC215": WARN}),
    (HELLO, names(["RSA/SHA512", "RSA"]), {"APC215": WARN}),
    (NO_SHA512, names([]), {"APC211": FAIL, "APC215": FAIL}),
    (NO_SHA512, names(["RSA/SHA256"]), {"APC211": FAIL, "APC215": FAIL}),
    (NO_SHA512, names([*HEALTHY_LIST, "TLS_RSA_WITH_AES_128_CBC_SHA"]), {"APC211": FAIL, "APC215": FAIL}),
    (HELLO, names([*HEALTHY_LIST, "NistP256"]), {"APC215": WARN}),
    (HELLO, names([*HEALTHY_LIST, "RSA/NistP256"]), {"APC215": WARN}),
    # The policy goes before the local list.
    (HELLO, names(["NistP256"], policy=HEALTHY_LIST), {}),
    (HELLO, names(HEALTHY_LIST, policy=["NistP256"]), {"APC215": WARN}),
    (None, {}, {}),
    (None, changed("windows", build=9600), {"APC211": UNKNOWN}),
    (None, changed("windows", build=14393), {}),
    (None, {**changed("windows", build=9600), **names(HEALTHY_LIST)}, {}),
    (None, {"signature_list": unknown("denied")}, {"APC211": UNKNOWN, "APC215": UNKNOWN}),
    (None, {"schannel": unknown("denied")}, {"APC211": UNKNOWN, "APC212": UNKNOWN}),
    (None, {"windows": unknown("denied")}, {"APC211": UNKNOWN}),
    (HELLO, {"schannel": unknown("denied"), "signature_list": unknown("denied")}, {"APC212": UNKNOWN, "APC215": UNKNOWN}),
])
def test_sha512(hello: PlatformHello | None, changes: dict[str, Any], expected: dict[str, Status]) -> None:
    found = of_tls(hello, cipher_order=GCM_ORDER, **changes)
    assert {id_: status for id_, status in found.items() if id_ in ("APC211", "APC212", "APC215")} == expected


def test_what_took_sha512_away_is_its_cause() -> None:
    rows = {row.id: row for row in judge_platform_tls(facts(**HASH_OFF, **names(["NistP256"])), NO_SHA512, TODAY)}
    assert rows["APC211"].because == ("APC212", "APC215")
    assert rows["APC212"].because == rows["APC215"].because == ()
    assert rows["APC211"].evidence["reason"] == "the registry says why"


@pytest.mark.parametrize(("hello", "local", "told"), [
    (NO_SHA512, [], "it is empty"), (NO_SHA512, [" "], "it is empty"), (NO_SHA512, ["RSA/SHA256"], "RSA/SHA512 is not in it"),
    (NO_SHA512, ["NistP256"], "NISTP256 is no pair of signature and hash"),
    (HELLO, ["RSA/SHA256"], "RSA/SHA512 is not in it; what the server offers now says otherwise: it takes effect after a restart"),
])
def test_what_is_wrong_with_the_list_is_told(hello: PlatformHello, local: list[str], told: str) -> None:
    rows = {row.id: row for row in judge_platform_tls(facts(**names(local)), hello, TODAY)}
    assert rows["APC215"].evidence == {"list": told}


# --- suites, .NET, FIPS ---------------------------------------------------------------------------------------------------

CBC = replace(HELLO, suites=(0x1301, 0xC028, 0x009C))


@pytest.mark.parametrize(("hello", "order", "expected"), [
    (HELLO, {"policy": None, "local": None}, None),
    (CBC, {"policy": None, "local": None}, WARN),
    *((replace(HELLO, suites=(0x1301, suite)), {"policy": None, "local": None}, None) for suite in (0xC02B, 0xC02C, 0xC02F, 0xC030)),
    (replace(CBC, versions=(0x0304,)), {"policy": None, "local": None}, None),
    (None, {"policy": None, "local": None}, UNKNOWN),
    (None, unknown("denied"), UNKNOWN),
    (None, {"policy": ["TLS_RSA_WITH_AES_128_CBC_SHA"], "local": ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]}, WARN),
    (None, {"policy": None, "local": ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256_P256"]}, None),
    (None, {"policy": ["TLS_RSA_WITH_AES_128_CBC_SHA", " TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"], "local": None}, None),
])
def test_suites(hello: PlatformHello | None, order: dict[str, Any], expected: Status | None) -> None:
    assert of_tls(hello, cipher_order=order).get("APC221") == expected


@pytest.mark.parametrize(("hello", "order", "status", "told"), [
    (CBC, {"policy": ["TLS_RSA_WITH_AES_128_CBC_SHA"], "local": None}, WARN, "the policy's order of cipher suites lacks them"),
    (CBC, {"policy": None, "local": ["TLS_RSA_WITH_AES_128_CBC_SHA"]}, WARN, "the local order lacks them, or ciphers are switched off"),
    (CBC, unknown("denied"), WARN, "the local order lacks them, or ciphers are switched off"),
    (None, {"policy": None, "local": None}, UNKNOWN, "its own hello was not seen, and there is no order of cipher suites"),
    (None, GCM_ORDER, PASS, "the server's own hello was not seen; its order of cipher suites has them"),
    (HELLO, GCM_ORDER, PASS, ""),
])
def test_why_suites_lack_is_told(hello: PlatformHello | None, order: dict[str, Any], status: Status, told: str) -> None:
    row = next(row for row in judge_platform_tls(facts(cipher_order=order), hello, TODAY) if row.id == "APC221")
    assert (row.status, row.evidence.get("reason", row.note)) == (status, told)


@pytest.mark.parametrize(("release", "version", "expected"), [
    (461808, None, None), (461807, None, FAIL), (None, None, FAIL), (461308, (1, 5, 3436, 0), WARN), (461307, (1, 5, 3436, 0), FAIL),
    (461308, (1, 5, 3437, 0), FAIL), (461808, (1, 5, 36, 0), None),
])
def test_dotnet(release: int | None, version: tuple[int, ...] | None, expected: Status | None) -> None:
    context = replace(TODAY, connector_version=version)
    rows = judge_platform_tls(facts(dotnet={"native": release, "wow64": 533509}), HELLO, context)
    row = next(row for row in rows if row.id == "APC204")
    assert (row.status, row.evidence) == ((expected, {"release": str(release or "none")}) if expected else (PASS, {}))


@pytest.mark.parametrize("view", ["native", "wow64"])
@pytest.mark.parametrize("name", ["strong_crypto", "system_default"])
@pytest.mark.parametrize(("number", "expected"), [(0, {"APC203": WARN}), (1, {}), (None, {})])
def test_strong_crypto(view: str, name: str, number: int | None, expected: dict[str, Status]) -> None:
    views = {one: {"strong_crypto": None, "system_default": None} for one in ("native", "wow64")}
    views[view] = {**views[view], name: number}
    assert of_tls(dotnet_tls=views) == expected


def test_fips() -> None:
    assert of_tls(fips={"enabled": 1}) == {"APC232": WARN}
    assert of_tls(fips={"enabled": None}) == {}


# --- what is not known ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted({name for rule in RULES for name in rule.needs}))
def test_a_denied_fact_makes_its_checks_unknown_and_no_other(name: str) -> None:
    denied = facts(**{name: unknown("denied")})
    found = statuses(judge_server(denied, TODAY))
    assert found == {rule.id: UNKNOWN for rule in RULES if name in rule.needs}
    rows = list(judge_denied(denied))
    assert [(row.id, row.status, row.evidence["facts"]) for row in rows] == [("APC903", UNKNOWN, f"{name} (denied)")]


def test_a_fact_that_is_missing_is_like_a_denied_one() -> None:
    without = {name: one for name, one in facts().items() if name != "fips"}
    assert statuses(judge_platform_tls(without, HELLO, TODAY)) == {"APC232": UNKNOWN}
    assert [row.evidence["facts"] for row in judge_denied(without)] == ["fips (absent)"]


def test_settings_of_one_account_are_named() -> None:
    of_accounts = {"local_system": unknown("denied"), "installing_user": unknown("hive_not_loaded")}
    rows = judge_denied(facts(internet_settings={**server_facts()["internet_settings"]["value"], **of_accounts}))
    assert [row.evidence["facts"] for row in rows] == ["internet_settings of local_system (denied)"]


def test_facts_that_no_check_needs_may_be_denied() -> None:
    assert list(judge_denied(facts(disk=unknown("denied"), firewall=unknown("failed")))) == []


@pytest.mark.parametrize(("name", "value"), [
    ("windows", {"product": "x", "build": "20348"}), ("administrator", "yes"), ("services", [{"name": 1}]), ("schannel", []),
    ("pending_reboot", {"reasons": "x"}), ("system", {"product_type": True}), ("internet_settings", {"session": {"ok": True, "value": 1}}),
])
def test_a_lying_target_is_one_error_that_names_the_fact(name: str, value: Any) -> None:
    with pytest.raises(ObservationError, match=rf"host\.{name}"):
        facts(**{name: value})
