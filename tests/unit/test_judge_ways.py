# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways, hello variants, clocks, rehearsals and the answer about SHA-512, one test or more for each rule: drop the rule and it fails.

The worlds are lab.seen's, with the facts of a healthy Windows server. No network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest
from ansible_collections.appproxy.connector.plugins.plugin_utils.model import Area, Phase
from ansible_collections.appproxy.connector.plugins.plugin_utils.options import OptionError, parse_options
from ansible_collections.appproxy.connector.plugins.plugin_utils.preflight import Failure, Plan, conclude, plan
from lab.pki import Pki
from lab.seen import (
    HELLO,
    SEEN_AT,
    World,
    all_direct,
    answer,
    error,
    identity,
    internet,
    known,
    server_facts,
    together,
    unknown,
    ways,
)

TENANT = "00000000-1111-2222-3333-444444444444"
LOGIN = "login.microsoftonline.com:443"
REGISTRATION = f"{TENANT}.registration.msappproxy.net:443"
BOOTSTRAP = f"{TENANT}.bootstrap.msappproxy.net:443"
PROXY, OTHER = "http://proxy.example:8080", "http://other.example:3128"
NOW = datetime.now(timezone.utc).replace(microsecond=0)
AREAS = (Area.CONNECTIVITY, Area.TRUST, Area.SERVER)
CRL = "crl3.digicert.com:80"


class Judged:
    def __init__(self, result: Mapping[str, Any]) -> None:
        self.result = result

    @property
    def verdict(self) -> str:
        return str(self.result["verdict"])

    def open(self) -> dict[str, str]:
        """Findings that are not pass, not_applicable or waived, without those that wait behind others: id to status."""
        return {one["id"]: one["status"] for one in self.result["findings"]
                if one["status"] in ("fail", "warn", "unknown") and not (one["status"] == "unknown" and one["because"])}

    def of(self, id_: str, status: str) -> dict[str, Any]:
        found = [one for one in self.result["findings"] if one["id"] == id_ and one["status"] == status]
        assert len(found) == 1, (id_, status, self.result["msg"])
        return dict(found[0])

    def because(self, id_: str) -> set[tuple[str, ...]]:
        """What its failures wait behind."""
        return {tuple(one["because"]) for one in self.result["findings"] if one["id"] == id_ and one["status"] == "fail"}

    def statuses(self, id_: str) -> set[str]:
        return {one["status"] for one in self.result["findings"] if one["id"] == id_}


@pytest.fixture(scope="module")
def pki(state: Any) -> Pki:
    return Pki(state / "pki")


Ready = Callable[..., Plan]


@pytest.fixture
def asked(pki: Pki) -> Ready:
    def make(**options: Any) -> Plan:
        given = {"tenant_id": TENANT, "public_roots": str(pki.public_roots), "return_passes": True, **options}
        return plan(parse_options(given, NOW, AREAS), "server", windows=True)

    return make


class Looks:
    """Worlds of several paths, and what is known of the ways to them."""

    def __init__(self, pki: Pki, planned: Plan, *paths: str) -> None:
        self.planned = planned
        self.targets = [endpoint.id for endpoint in planned.endpoints]
        self.worlds = {path: World(pki, planned.endpoints, path) for path in paths or ("direct",)}
        self.identities = all_direct(self.targets)
        self.facts = server_facts()
        self.more: dict[str, Any] = {}
        self.seen_at = NOW

    @property
    def world(self) -> World:
        return self.worlds["direct"]

    def everybody(self, *choices: str, by: str = "internet_settings") -> None:
        self.identities = {name: identity(ways(self.targets, *choices, by=by)) for name in self.identities}

    def observation(self) -> dict[str, Any]:
        stamp = self.seen_at.strftime(SEEN_AT)
        seen = together(*(world.observation(stamp) for world in self.worlds.values()))
        bracket = {"before": stamp, "after": stamp}
        return {**seen, "host": self.facts, "identities": self.identities, "rehearsals": None, "bracket": bracket, **self.more}

    def judge(self) -> Judged:
        return Judged(conclude(self.planned, self.observation()))


@pytest.fixture
def looks(pki: Pki, asked: Ready) -> Callable[..., Looks]:
    def make(*paths: str, **options: Any) -> Looks:
        return Looks(pki, asked(**options), *paths)

    return make


def test_a_healthy_server_is_ready_in_one_line(looks: Callable[..., Looks]) -> None:
    judged = looks().judge()
    assert (judged.verdict, judged.open()) == ("ready", {}), judged.result["msg"]
    assert "\n" not in judged.result["msg"]
    assert "proxy: auto" not in judged.result["msg"]


# --- the request ---------------------------------------------------------------------------------------------------------


def test_the_request_names_who_talks_to_what(asked: Ready) -> None:
    request = asked().request
    assert (request["detect"], request["paths"]) == (True, [])
    of = {target["id"]: target["identities"] for target in request["targets"]}
    assert (of[LOGIN], of[BOOTSTRAP], of[CRL]) == (["network_service"], ["network_service"], ["windows", "network_service"])
    named = {target["id"]: target["identities"] for target in asked(installing_user="EXAMPLE\\ada").request["targets"]}
    assert (named[LOGIN], named[REGISTRATION], named[BOOTSTRAP]) == (["installing_user"], ["installing_user"], ["network_service"])
    assert [target["id"] for target in request["targets"] if "hellos" in target and ".bootstrap." in target["id"]] == [BOOTSTRAP]


def test_facts_are_asked_for_only_where_a_check_needs_them(pki: Pki, asked: Ready) -> None:
    assert "host" in asked().request
    assert "host" not in asked(checks=["connectivity"]).request
    assert "host" not in asked(checks=["APC213"]).request
    given = {"tenant_id": TENANT, "public_roots": str(pki.public_roots)}
    posix = plan(parse_options(given, NOW, AREAS), "server").request
    assert "host" not in posix
    assert "detect" not in posix
    assert posix["paths"] == [{"id": "direct", "ways": ["direct"]}]


def test_a_named_way_is_not_searched(asked: Ready) -> None:
    request = asked(proxy=PROXY).request
    assert "detect" not in request
    assert request["paths"] == [{"id": PROXY, "ways": [PROXY]}]


@pytest.mark.parametrize("user", ["EXAMPLE\\ada", ".\\ada", "ada@example.com", "S-1-5-21-1-2-3-1001"])
def test_an_account_is_taken_in_three_forms(user: str) -> None:
    assert parse_options({"tenant_id": TENANT, "installing_user": user}, NOW).installing_user == user


@pytest.mark.parametrize("user", ["ada", "a\\b\\c", "EXAMPLE\\", "ada@", "S-1-", "x;y\\z"])
def test_what_is_no_account_is_refused_in_one_line(user: str) -> None:
    with pytest.raises(OptionError, match="installing_user: .*Write DOMAIN"):
        parse_options({"tenant_id": TENANT, "installing_user": user}, NOW)


# --- an endpoint is judged on the way of who talks to it ---------------------------------------------------------------------


def test_the_services_way_is_judged_and_not_the_sessions(looks: Callable[..., Looks]) -> None:
    made = looks("direct", PROXY)
    made.identities["session"] = identity(ways(made.targets, PROXY, by="internet_settings"))
    made.world.every("connect", error("timeout"))
    assert made.judge().verdict == "not_ready"
    made.everybody(PROXY)
    judged = made.judge()
    assert judged.verdict == "ready", judged.result["msg"]
    assert "through proxy.example:8080" in judged.result["remarks"][0]


def test_sign_in_goes_the_way_of_the_installing_user(looks: Callable[..., Looks]) -> None:
    made = looks("direct", PROXY, installing_user="EXAMPLE\\ada")
    made.identities["installing_user"] = identity(ways(made.targets, PROXY, by="internet_settings"))
    made.world.stage(LOGIN, "connect", error("timeout"))
    judged = made.judge()
    assert judged.open() == {"APC501": "warn"}, judged.result["msg"]
    made.world.stage(BOOTSTRAP, "connect", error("timeout"))
    assert made.judge().of("APC112", "fail")["endpoints"] == [BOOTSTRAP]


def test_who_is_not_known_goes_as_network_service_and_that_is_said(looks: Callable[..., Looks]) -> None:
    made = looks(PROXY, installing_user="EXAMPLE\\ada")
    made.everybody(PROXY)
    made.identities["installing_user"] = unknown("hive_not_loaded")
    judged = made.judge()
    assert judged.open() == {"APC508": "unknown"}
    assert judged.of("APC508", "unknown")["evidence"]["account"] == "EXAMPLE\\ada"


def test_a_known_user_whose_script_was_not_evaluated_is_no_unknown_user(looks: Callable[..., Looks]) -> None:
    made = looks(installing_user="EXAMPLE\\ada")
    made.identities["installing_user"] = unknown("pac_not_evaluated", "file:")
    assert made.judge().open() == {"APC505": "unknown"}


@pytest.mark.parametrize("who", ["network_service", "windows"])
@pytest.mark.parametrize("told", [unknown("denied"), None, identity()], ids=["an error", "nothing", "of no endpoint"])
@pytest.mark.parametrize("facts", [True, False])
def test_a_way_that_nobody_told_is_no_pass(looks: Callable[..., Looks], who: str, told: Any, facts: bool) -> None:
    """The engine looks directly then, and the service may go through a proxy."""
    world = looks(**({} if facts else {"checks": ["connectivity"]}))
    world.identities = {name: one for name, one in {**world.identities, who: told}.items() if one is not None}
    if not facts:
        world.facts = None
    judged = world.judge()
    assert (judged.verdict, judged.open()) == ("inconclusive", {"APC903": "unknown"}), judged.result["msg"]
    assert {"network_service": "Network Service", "windows": "Windows' own"}[who] in judged.of("APC903", "unknown")["evidence"]["facts"]


def test_without_an_installing_user_it_is_not_applicable_and_not_covered(looks: Callable[..., Looks]) -> None:
    judged = looks().judge()
    assert judged.statuses("APC508") == {"not_applicable"}
    assert any("installing_user names nobody" in text for text in judged.result["not_covered"])


def test_different_ways_are_a_warning(looks: Callable[..., Looks]) -> None:
    made = looks("direct", PROXY)
    made.identities["local_system"] = identity(ways(made.targets, PROXY, by="internet_settings"))
    judged = made.judge()
    assert judged.open() == {"APC501": "warn"}
    assert judged.of("APC501", "warn")["evidence"]["ways"] == "Network Service directly; Local System through proxy.example:8080"


@pytest.mark.parametrize("code", ["timeout", "refused", "unreachable"])
def test_who_is_not_needed_and_finds_his_own_way_closed_is_a_warning(looks: Callable[..., Looks], code: str) -> None:
    """All that is needed goes another way and is well there: what nobody else has a word on leaves nothing open."""
    for usual, updaters, ids in ((PROXY, "direct", {"timeout": "APC112", "refused": "APC111", "unreachable": "APC114"}),
                                 ("direct", PROXY, dict.fromkeys(("timeout", "refused", "unreachable"), "APC121"))):
        made = looks("direct", PROXY)
        made.everybody(usual)
        made.identities["local_system"] = identity(ways(made.targets, updaters, by="none"))
        made.worlds[updaters].every("connect", error(code))
        judged = made.judge()
        assert (judged.verdict, judged.open()) == ("ready", {ids[code]: "warn", "APC501": "warn"}), judged.result["msg"]


# --- revocation ------------------------------------------------------------------------------------------------------------


def over_proxy_but_windows_direct(made: Looks) -> None:
    """An exe.config with a proxy and no WinHTTP setting beside it: GlobalSecureAccess issue 24."""
    made.everybody(PROXY, by="exe_config")
    made.identities["windows"] = identity(ways(made.targets, "direct"))


def test_revocation_that_goes_another_way_and_fails_there_is_the_cause(looks: Callable[..., Looks]) -> None:
    made = looks("direct", PROXY)
    over_proxy_but_windows_direct(made)
    refused(made.world)
    judged = made.judge()
    assert judged.result["causes"][0]["id"] == "APC502", judged.result["msg"]
    assert judged.because("APC161") == {("APC502",)}
    assert judged.of("APC502", "fail")["evidence"] == {"windows_way": "directly", "service_way": "through proxy.example:8080"}


def test_revocation_goes_the_way_that_windows_takes_to_most_hosts(looks: Callable[..., Looks]) -> None:
    made = looks("direct", PROXY)
    made.everybody(PROXY, by="winhttp")
    one = next(target for target in made.targets if target.endswith(":80"))
    others = [target for target in made.targets if target != one]
    made.identities["windows"] = identity(ways([one], "direct", by="winhttp"), ways(others, PROXY, by="winhttp"))
    refused(made.world)
    made.world.stage(one, "connect", {"state": "ok", "ms": 5, "facts": {}})
    made.world.stage(one, "request", made.worlds[PROXY].first[one]["stages"]["request"])
    assert made.judge().open() == {}


def test_revocation_that_fails_on_the_one_way_of_both_is_the_networks(looks: Callable[..., Looks]) -> None:
    made = looks()
    refused(made.world)
    assert made.judge().statuses("APC502") == {"pass"}


def test_revocation_that_goes_another_way_and_works_is_fine(looks: Callable[..., Looks]) -> None:
    made = looks("direct", PROXY)
    over_proxy_but_windows_direct(made)
    assert made.judge().open() == {}


def test_revocation_that_fails_on_both_ways_is_the_networks(looks: Callable[..., Looks]) -> None:
    made = looks("direct", PROXY)
    over_proxy_but_windows_direct(made)
    for world in made.worlds.values():
        world.every("request", answer(403), tls=False)
        world.fetched("http://", answer(403))
    judged = made.judge()
    assert judged.statuses("APC502") == {"pass"}
    assert judged.verdict == "not_ready"


# --- settings --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("address", "wrong"), [
    ("http://proxy.example:8080", False), ("http://10.0.0.1:3128/", False), ("proxy.example:8080", True), ("10.0.0.1", True),
    ("http:/proxy.example", True), ("http://proxy.example:8080:1", True),
])
def test_an_address_in_a_config_file_needs_its_scheme(looks: Callable[..., Looks], address: str, wrong: bool) -> None:
    made = looks()
    config = {"path": "C:\\x.exe.config", "enabled": True, "address": address, "bypass_on_local": None, "use_system_default": None,
              "script": None, "bypass": []}
    made.facts["default_proxy"] = known({"machine_config": None, "machine_config_32": None, "service": config, "updater": None})
    assert made.judge().open() == ({"APC503": "fail"} if wrong else {})


@pytest.mark.parametrize(("proxy", "wrong"), [
    ("proxy.example:8080", False), ("http=proxy.example:80;https=proxy.example:443", False), ("http://proxy.example:8080", False),
    ("proxy example:8080 x y:z:1", True), ("http=;", True),
])
def test_settings_of_windows_are_lists_of_host_and_port(looks: Callable[..., Looks], proxy: str, wrong: bool) -> None:
    made = looks()
    made.facts["winhttp_proxy"] = known({"native": {"kind": "named", "proxy": proxy, "bypass": None}, "wow64": None})
    assert made.judge().open() == ({"APC503": "fail"} if wrong else {})
    made = looks()
    settings = server_facts()["internet_settings"]["value"] | {"network_service": internet("S-1-5-20", proxy=proxy)}
    made.facts["internet_settings"] = known(settings)
    assert made.judge().open() == ({"APC503": "fail"} if wrong else {})


def pac(identity_: str, **more: Any) -> dict[str, Any]:
    usual = {"url": "http://pac.example/p.pac", "evaluated_as": "EXAMPLE\\ada", "ms": 5, "answers": 0, "error": None}
    return {"identity": identity_, **usual, **more}


def test_a_script_that_cannot_be_had_is_a_warning_and_the_way_is_the_one_without_it(looks: Callable[..., Looks]) -> None:
    made = looks()
    broken = {"code": "download", "message": "cannot be had"}
    made.facts["pac"] = known([pac("network_service", error=broken), pac("session", url="http://other/", error=broken),
                               pac("network_service", url="wpad", error=broken)])
    judged = made.judge()
    assert judged.open() == {"APC504": "warn"}
    assert judged.of("APC504", "warn")["evidence"]["pac"] == "http://pac.example/p.pac"
    assert "what a PAC script answers to the services themselves: it was evaluated as EXAMPLE\\ada" in judged.result["not_covered"]


def test_a_script_that_was_not_evaluated_leaves_the_way_open(looks: Callable[..., Looks]) -> None:
    made = looks()
    made.identities["network_service"] = unknown("pac_not_evaluated", "file:")
    assert made.judge().open() == {"APC505": "unknown"}
    made = looks()
    made.identities["session"] = unknown("pac_not_evaluated", "file:")
    assert made.judge().open() == {}


def captures(made: Looks) -> None:
    captured = [target for target in made.targets if ".msappproxy.net:" in target]
    others = [target for target in made.targets if target not in captured]
    both = identity(ways(others, PROXY, by="internet_settings"), ways(captured, "direct", by="internet_settings"))
    made.identities = dict.fromkeys(made.identities, both)
    settings = {name: internet("S-1-5-20", proxy="proxy.example:8080", bypass="*.msappproxy.net;<local>") for name in ("network_service",)}
    made.facts["internet_settings"] = known(settings)


def test_a_bypass_list_that_captures_the_service_is_the_cause_of_what_fails_there(looks: Callable[..., Looks]) -> None:
    made = looks("direct", PROXY)
    captures(made)
    made.world.every("connect", error("timeout"))
    judged = made.judge()
    assert judged.result["causes"][0]["id"] == "APC506", judged.result["msg"]
    assert judged.of("APC506", "fail")["evidence"]["bypass"] == "*.msappproxy.net;<local>"
    assert judged.because("APC112") == {("APC506",)}


def test_a_script_that_sends_endpoints_directly_is_no_bypass_list(looks: Callable[..., Looks]) -> None:
    made = looks("direct", PROXY)
    captures(made)
    for entry in made.identities["network_service"]["value"]["ways"]:
        entry["by"] = "internet_settings_pac"
    made.world.every("connect", error("timeout"))
    assert made.judge().statuses("APC506") == {"pass"}


def test_what_fails_over_the_proxy_is_not_the_bypass_lists(looks: Callable[..., Looks]) -> None:
    made = looks("direct", PROXY)
    captures(made)
    made.worlds[PROXY].stage(LOGIN, "proxy", error("denied", facts={"status": 403, "headers": {}}))
    judged = made.judge()
    assert judged.statuses("APC506") == {"pass"}
    assert judged.open() == {"APC123": "fail"}


def test_a_bypass_list_whose_hosts_answer_is_fine(looks: Callable[..., Looks]) -> None:
    made = looks("direct", PROXY)
    captures(made)
    assert made.judge().open() == {}


def refused(world: World) -> None:
    """Nothing of the world's path is reached."""
    world.every("connect", error("refused"))
    for attempt in world.second:
        attempt["stages"] = {"resolve": attempt["stages"]["resolve"], "connect": error("refused")}


def test_a_list_falls_back_where_its_first_proxy_is_dead(looks: Callable[..., Looks]) -> None:
    made = looks(OTHER, PROXY)
    made.everybody(OTHER, PROXY, by="internet_settings_pac")
    refused(made.worlds[OTHER])
    judged = made.judge()
    assert judged.open() == {"APC507": "warn"}, judged.result["msg"]
    assert "go through proxy.example:8080" in judged.result["remarks"][0]
    assert judged.of("APC507", "warn")["evidence"] == {"dead": OTHER, "used": "through proxy.example:8080"}


def test_a_list_whose_proxies_are_all_dead_is_judged_by_its_first(looks: Callable[..., Looks]) -> None:
    made = looks(OTHER, PROXY)
    made.everybody(OTHER, PROXY, by="internet_settings_pac")
    for world in made.worlds.values():
        refused(world)
    judged = made.judge()
    assert judged.statuses("APC507") == {"pass"}
    assert {one["path"] for one in judged.result["findings"] if one["id"] == "APC121"} == {OTHER}


# --- hello variants ----------------------------------------------------------------------------------------------------------


def cut(code: str = "reset", *repeats: str) -> dict[str, Any]:
    return error(code, facts={"repeats": list(repeats or ("ok", code))})


@pytest.mark.parametrize(("stage", "code", "id_", "status"), [
    ("hello_sha512", "reset", "APC213", "warn"), ("hello_sha512", "timeout", "APC213", "warn"),
    ("hello_sha512", "stalled", "APC213", "warn"),
    ("hello_padded", "timeout", "APC135", "fail"), ("hello_padded", "stalled", "APC135", "fail"),
    ("hello_padded", "reset", "APC135", "warn"), ("hello_padded", "closed", "APC135", "warn"),
])
def test_a_path_that_cuts_a_variant_again_and_on_two_endpoints(
    looks: Callable[..., Looks], stage: str, code: str, id_: str, status: str
) -> None:
    made = looks()
    for target in (REGISTRATION, BOOTSTRAP):
        made.world.stage(target, stage, cut(code))
    judged = made.judge()
    assert judged.open() == {id_: status}, judged.result["msg"]
    assert judged.of(id_, status)["endpoints"] == [REGISTRATION, BOOTSTRAP]


@pytest.mark.parametrize("stage", ["hello_sha512", "hello_padded"])
@pytest.mark.parametrize("seen", [
    {BOOTSTRAP: cut()},
    {BOOTSTRAP: cut("reset", "ok", "ok"), REGISTRATION: cut("reset", "ok", "ok")},
    {BOOTSTRAP: cut("reset", "reset", "reset"), REGISTRATION: cut("reset", "reset", "reset")},
    {BOOTSTRAP: error("alert", level=2, description=40), REGISTRATION: error("alert", level=2, description=40)},
    {BOOTSTRAP: error("reset"), REGISTRATION: error("reset")},
    {BOOTSTRAP: error("not_tls", facts={"repeats": ["ok", "reset"]}), REGISTRATION: error("not_tls", facts={"repeats": ["ok", "reset"]})},
    {BOOTSTRAP: cut("reset", "ok", "not_connected"), REGISTRATION: cut("reset", "ok", "not_connected")},
], ids=["one endpoint", "not again", "the usual one too", "alerts", "not repeated", "another code", "not connected again"])
def test_what_does_not_show_that_the_path_cuts(looks: Callable[..., Looks], stage: str, seen: dict[str, Any]) -> None:
    made = looks()
    for target, how in seen.items():
        made.world.stage(target, stage, how)
    assert made.judge().open() == {}


def test_without_its_connection_nothing_is_learned_of_a_variant(looks: Callable[..., Looks]) -> None:
    made = looks()
    made.world.stage(BOOTSTRAP, "hello_sha512", error("not_connected"))
    judged = made.judge()
    assert judged.open() == {}
    assert BOOTSTRAP not in judged.of("APC213", "pass")["endpoints"]
    for endpoint in made.world.endpoints:
        made.world.stage(endpoint.id, "hello_sha512", error("not_connected"))
    nothing = made.judge()
    assert nothing.open() == {"APC213": "unknown"}
    for endpoint in made.world.endpoints:
        made.world.stage(endpoint.id, "hello_sha512", cut("reset", "ok", "not_connected"))
    assert made.judge().open() == {"APC213": "unknown"}


def test_where_no_large_hello_was_connected_nothing_is_known_of_large_packets(looks: Callable[..., Looks]) -> None:
    made = looks()
    for endpoint in made.world.endpoints:
        made.world.stage(endpoint.id, "hello_padded", error("not_connected"))
    judged = made.judge()
    assert judged.verdict == "inconclusive"
    assert BOOTSTRAP in judged.of("APC135", "unknown")["endpoints"]
    assert "not_connected" in judged.of("APC135", "unknown")["evidence"]["error"]


# --- rehearsals --------------------------------------------------------------------------------------------------------------


def rehearsed(sha256: Any, sha512: Any, asked: bool = True) -> dict[str, Any]:
    def said(what: Any) -> dict[str, Any]:
        return {"code": "alert", "alert": what} if isinstance(what, int) else {"code": what, "alert": None}

    return known({"asked": asked, "target": BOOTSTRAP, "path": "direct", "sha256": said(sha256), "sha512": said(sha512)})


@pytest.mark.parametrize(("fact", "status"), [
    (rehearsed(20, 20), "pass"), (rehearsed(20, 40), "pass"), (rehearsed(20, "reset"), "fail"), (rehearsed(20, "timeout"), "fail"),
    (rehearsed("reset", "reset"), "unknown"), (rehearsed(20, 20, asked=False), "unknown"), (unknown("unsupported"), "unknown"),
    (None, "unknown"),
])
def test_the_rehearsal_of_the_client_certificate(looks: Callable[..., Looks], fact: Any, status: str) -> None:
    made = looks(rehearse_client_certificate=True)
    made.more["rehearsals"] = None if fact is None else {"trust": unknown("not_asked"), "client_certificate": fact}
    assert made.judge().statuses("APC216") == {status}
    assert looks().judge().statuses("APC216") == {"not_applicable"}


def test_a_rehearsal_confirms_what_the_path_seems_to_do(looks: Callable[..., Looks]) -> None:
    made = looks(rehearse_client_certificate=True)
    for target in (REGISTRATION, BOOTSTRAP):
        made.world.stage(target, "hello_sha512", cut())
    made.more["rehearsals"] = {"trust": unknown("not_asked"), "client_certificate": rehearsed(20, "reset")}
    assert made.judge().open() == {"APC213": "fail", "APC216": "fail"}


@pytest.mark.parametrize(("fact", "status"), [
    (known({"passed": True, "version": "TLSv1.2", "error": "", "swept": False, "deleted": True}), "pass"),
    (known({"passed": False, "version": "", "error": "no common algorithm", "swept": False, "deleted": True}), "fail"),
    (unknown("key_not_made"), "unknown"),
])
def test_the_rehearsal_of_trust(looks: Callable[..., Looks], fact: Any, status: str) -> None:
    made = looks(rehearse_trust=True)
    made.more["rehearsals"] = {"trust": fact, "client_certificate": unknown("not_asked")}
    judged = made.judge()
    assert judged.statuses("APC214") == {status}
    assert "Rehearsed: trust (a machine key was made and deleted)." in judged.result["remarks"]


# --- one answer about SHA-512 --------------------------------------------------------------------------------------------------


def without_sha512(made: Looks) -> None:
    made.more["platform_hello"] = known({**HELLO, "signature_algorithms": [0x0401, 0x0501]})


def cutting(made: Looks) -> None:
    for target in (REGISTRATION, BOOTSTRAP):
        made.world.stage(target, "hello_sha512", cut())


def inspected(made: Looks) -> None:
    company = made.world.pki.company_issuing
    for endpoint in made.planned.endpoints:
        if endpoint.tls:
            made.world.shows(endpoint.id, made.world.pki.leaf(endpoint.host, by=company))


@pytest.mark.parametrize(("changes", "machine", "path"), [
    ((), "offers", "passes"), ((without_sha512,), "does_not_offer", "passes"), ((cutting,), "offers", "cuts"),
    ((without_sha512, cutting), "does_not_offer", "cuts"), ((inspected,), "offers", "inspected"),
])
def test_one_answer_says_machine_path_or_both(
    looks: Callable[..., Looks], changes: tuple[Callable[[Looks], None], ...], machine: str, path: str
) -> None:
    made = looks()
    for change in changes:
        change(made)
    result = made.judge().result
    assert (result["sha512"]["machine"], result["sha512"]["path"]) == (machine, path)
    assert (result["sha512"]["text"] in result["msg"]) is (changes not in ((), (inspected,)))


def test_the_answer_says_what_the_service_takes(looks: Callable[..., Looks]) -> None:
    assert looks().judge().result["sha512"]["service"] == "accepts"
    made = looks()
    made.world.first[BOOTSTRAP]["stages"]["hello"]["facts"]["certificate_request"]["signature_algorithms"] = [0x0401]
    assert made.judge().result["sha512"]["service"] == "does_not_accept"
    made.world.first[BOOTSTRAP]["stages"]["hello"]["facts"]["certificate_request"] = None
    assert made.judge().result["sha512"]["service"] == "not_told"


def test_the_answer_counts_the_rehearsal(looks: Callable[..., Looks]) -> None:
    made = looks(rehearse_trust=True)
    failed = {"passed": False, "version": "", "error": "no common algorithm", "swept": False, "deleted": True}
    made.more["rehearsals"] = {"trust": known(failed), "client_certificate": unknown("not_asked")}
    told = made.judge().result["sha512"]
    assert (told["machine"], told["rehearsed"]) == ("cannot_use", True)


@pytest.mark.parametrize(("how", "path"), [
    (error("alert", level=2, description=40), "passes"), (error("not_tls"), "unknown"), (error("malformed"), "unknown"),
])
def test_an_alert_has_come_through_the_path(looks: Callable[..., Looks], how: dict[str, Any], path: str) -> None:
    made = looks()
    made.world.stage(BOOTSTRAP, "hello_sha512", how)
    assert made.judge().result["sha512"]["path"] == path


def test_a_path_that_was_not_seen_is_not_said_to_pass(looks: Callable[..., Looks]) -> None:
    made = looks()
    made.world.stage(BOOTSTRAP, "connect", error("timeout"))
    assert made.judge().result["sha512"]["path"] == "unknown"


# --- clocks --------------------------------------------------------------------------------------------------------------------


def dated(made: Looks, moment: datetime) -> None:
    for endpoint in made.planned.endpoints:
        if endpoint.tls:
            made.world.stage(endpoint.id, "request", answer(404, date=format_datetime(moment, usegmt=True)))


@pytest.mark.parametrize(("answers", "controller", "status"), [
    (0, 0, "pass"), (290, 0, "pass"), (3600, 3600, "fail"), (-3600, -3600, "fail"), (3600, 0, "warn"), (0, 3600, "warn"),
    (3600, -3600, "warn"), (None, 0, "pass"), (None, 3600, "warn"), (3600, None, "warn"), (None, None, "unknown"),
])
def test_a_clock_is_wrong_where_two_others_say_so(
    looks: Callable[..., Looks], answers: int | None, controller: int | None, status: str
) -> None:
    """Seconds by which the server's clock is behind."""
    made = looks()
    if answers is not None:
        dated(made, NOW + timedelta(seconds=answers))
    moment = (NOW + timedelta(seconds=controller or 0)).strftime(SEEN_AT)
    made.more["bracket"] = None if controller is None else {"before": moment, "after": moment}
    assert made.judge().statuses("APC441") == {status}


def test_a_wrong_clock_explains_certificates_out_of_their_time(looks: Callable[..., Looks]) -> None:
    made = looks()
    made.seen_at = NOW - timedelta(days=4000)
    dated(made, NOW)
    stamp = NOW.strftime(SEEN_AT)
    made.more["bracket"] = {"before": stamp, "after": stamp}
    judged = made.judge()
    assert judged.result["causes"][0]["id"] == "APC441", judged.result["msg"]
    assert judged.because("APC143") == {("APC441",)}


def test_an_answer_may_come_at_any_time_while_it_was_looked(looks: Callable[..., Looks]) -> None:
    made = looks()
    made.more["elapsed_ms"] = 600_000
    dated(made, NOW + timedelta(seconds=590))
    assert made.judge().statuses("APC441") == {"pass"}


def test_what_is_not_genuine_tells_no_time(looks: Callable[..., Looks]) -> None:
    made = looks()
    inspected(made)
    dated(made, NOW + timedelta(hours=2))
    assert made.judge().statuses("APC441") == {"pass"}


# --- who looked ------------------------------------------------------------------------------------------------------------------


def test_from_a_jump_host_only_the_path_is_judged(pki: Pki) -> None:
    given = {"tenant_id": TENANT, "public_roots": str(pki.public_roots), "return_passes": True, "seen_from": "jump_host"}
    planned = plan(parse_options(given, NOW, AREAS), "server")
    judged = Judged(conclude(planned, World(pki, planned.endpoints).observation(NOW.strftime(SEEN_AT), "posix")))
    assert judged.verdict == "ready", judged.result["msg"]
    of_server = {one["status"] for one in judged.result["findings"] if one["id"][3] in "245" and one["id"] != "APC213"}
    assert of_server == {"not_applicable"}
    assert judged.statuses("APC213") == {"pass"}
    assert judged.result["sha512"]["machine"] == "not_seen"


def test_an_observation_without_the_facts_is_not_ready_to_be_judged(looks: Callable[..., Looks]) -> None:
    made = looks()
    made.more |= {"host": None, "identities": None}
    judged = made.judge()
    assert judged.verdict == "inconclusive"
    assert judged.open() == {"APC906": "unknown"}


AS_SERVICE = {"seen_as": "NT AUTHORITY\\NETWORK SERVICE", "seen_as_sid": "S-1-5-20"}


def test_a_look_as_the_service_decides_what_the_service_talks_to(looks: Callable[..., Looks]) -> None:
    made = looks()
    made.world.stage(BOOTSTRAP, "connect", error("timeout"))
    as_service = looks().observation() | AS_SERVICE
    judged = looks_with(made, as_service)
    assert judged.verdict == "ready", judged.result["msg"]
    assert judged.result["seen_as"].endswith(" and NT AUTHORITY\\NETWORK SERVICE")
    assert not any("own identity (Network Service)" in text for text in judged.result["not_covered"])
    made = looks()
    blocked = looks()
    blocked.world.stage(BOOTSTRAP, "connect", error("timeout"))
    assert looks_with(made, blocked.observation() | AS_SERVICE).of("APC112", "fail")["endpoints"] == [BOOTSTRAP]


def test_as_the_service_its_own_ways_count_and_what_certificates_name(looks: Callable[..., Looks]) -> None:
    made, as_service = looks("direct", PROXY), looks("direct", PROXY)
    as_service.everybody(PROXY)
    as_service.identities["local_system"] = identity(ways(made.targets, "direct"))
    as_service.worlds[PROXY].fetched("http://", answer(403))
    as_service.worlds[PROXY].every("request", answer(403), tls=False)
    judged = looks_with(made, as_service.observation() | AS_SERVICE)
    assert {one["path"] for one in judged.result["findings"] if one["id"] == "APC162" and one["status"] == "fail"} == {PROXY}
    assert {one["path"] for one in judged.result["findings"] if one["id"] == "APC161" and one["status"] == "pass"} <= {PROXY, "direct"}
    as_service.identities["network_service"] = unknown("failed")
    assert looks_with(made, as_service.observation() | AS_SERVICE).statuses("APC501") == {"pass"}


def test_from_a_windows_jump_host_nothing_is_said_of_the_server(looks: Callable[..., Looks]) -> None:
    made = looks(seen_from="jump_host")
    made.facts["administrator"] = known(False)
    judged = made.judge()
    assert judged.verdict == "ready", judged.result["msg"]
    assert judged.statuses("APC471") == {"not_applicable"}


def test_a_failure_stands_for_itself_where_nobody_asked_for_its_cause(looks: Callable[..., Looks]) -> None:
    made = looks("direct", PROXY, skip_checks=["APC506"])
    captures(made)
    made.world.every("connect", error("timeout"))
    judged = made.judge()
    assert judged.because("APC112") == {()}
    assert judged.result["causes"][0]["id"] == "APC112", judged.result["msg"]


def looks_with(made: Looks, as_service: Mapping[str, Any] | None) -> Judged:
    from dataclasses import replace  # noqa: PLC0415

    planned = replace(made.planned, options=replace(made.planned.options, service_observation=as_service))
    return Judged(conclude(planned, made.observation()))


def test_a_look_as_somebody_else_does_not_pass_for_one_as_the_service(looks: Callable[..., Looks]) -> None:
    judged = looks_with(looks(), looks().observation() | {"seen_as_sid": "S-1-5-21-1-2-3-500"})
    assert judged.open() == {"APC903": "unknown"}
    assert "it was made as EXAMPLE" in judged.of("APC903", "unknown")["evidence"]["facts"]
    assert judged.verdict == "inconclusive"


def test_a_look_as_the_service_that_is_missing_is_never_silent(looks: Callable[..., Looks]) -> None:
    judged = looks_with(looks(), {})
    assert judged.verdict == "inconclusive"
    assert judged.open() == {"APC903": "unknown"}
    assert "Network Service" in judged.of("APC903", "unknown")["evidence"]["facts"]


def test_application_control_is_told_from_the_tasks_failure(asked: Ready) -> None:
    text = "Cannot run module in constrained language mode: the module requires FullLanguage"
    judged = Judged(conclude(asked(), None, Failure(text)))
    assert judged.verdict == "not_ready"
    assert judged.result["causes"][0]["id"] == "APC422", judged.result["msg"]


def test_a_fips_server_has_a_word_and_no_warning(looks: Callable[..., Looks]) -> None:
    made = looks(fail_on="warning")
    made.facts["fips"] = known({"enabled": 1})
    judged = made.judge()
    assert judged.of("APC232", "warn")["severity"] == "info"
    assert judged.result["failed"] is False


def test_extra_endpoints_go_the_services_way() -> None:
    from ansible_collections.appproxy.connector.plugins.plugin_utils.catalogue.endpoints import user_endpoint  # noqa: PLC0415
    from ansible_collections.appproxy.connector.plugins.plugin_utils.catalogue.identities import identities_of  # noqa: PLC0415

    endpoint = user_endpoint("app.example:443")
    assert endpoint.phase is Phase.EXTRA
    assert [one.value for one in identities_of(endpoint, True)] == ["network_service"]
