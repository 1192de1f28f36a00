# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reading rules of the design (§5, "How the judge reads them"), one test or more for each: drop the rule and it fails.

The worlds are lab.seen's: healthy but for what the test changes. No network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from ansible_collections.appproxy.connector.plugins.plugin_utils.judge import proxy
from ansible_collections.appproxy.connector.plugins.plugin_utils.judge.route import Row
from ansible_collections.appproxy.connector.plugins.plugin_utils.model import Status
from ansible_collections.appproxy.connector.plugins.plugin_utils.options import OptionError, parse_options
from ansible_collections.appproxy.connector.plugins.plugin_utils.preflight import conclude, plan
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from lab.pki import OCSP_URL, Authority, Credential, Pki
from lab.seen import NOT_RUN, SEEN_AT, World, answer, error, ok, whole

TENANT = "00000000-1111-2222-3333-444444444444"
LOGIN = "login.microsoftonline.com:443"
REGISTRATION = f"{TENANT}.registration.msappproxy.net:443"
BOOTSTRAP = f"{TENANT}.bootstrap.msappproxy.net:443"
LIST = "crl3.digicert.com:80"
OPTIONAL = "management.azure.com:443"
PROXY = "http://proxy.example:8080"
NOW = datetime.now(timezone.utc).replace(microsecond=0)

Change = Callable[[World], None]


@dataclass(frozen=True)
class Judged:
    result: dict[str, Any]

    @property
    def verdict(self) -> str:
        return str(self.result["verdict"])

    def status(self, id_: str, endpoint: str | None = None) -> set[str]:
        """The statuses of the findings of one id (that name the endpoint)."""
        return {one["status"] for one in self.result["findings"] if one["id"] == id_ and (endpoint is None or endpoint in one["endpoints"])}

    def finding(self, id_: str, status: str) -> dict[str, Any]:
        found = [one for one in self.result["findings"] if one["id"] == id_ and one["status"] == status]
        assert len(found) == 1, (id_, status, self.result["msg"])
        return dict(found[0])

    @property
    def causes(self) -> list[str]:
        return [one["id"] for one in self.result["causes"]]


@pytest.fixture(scope="module")
def pki(state: Any) -> Pki:
    return Pki(state / "pki")


Judge = Callable[..., Judged]


@pytest.fixture
def judge(pki: Pki) -> Judge:
    def run(
        change: Change | None = None, *, family: str = "windows", seen_at: datetime = NOW, path: str | None = None, **options: Any
    ) -> Judged:
        asked = plan(parse_options({"tenant_id": TENANT, "proxy": "direct", "public_roots": str(pki.public_roots), "return_passes": True,
                                    **options}, NOW), "server")
        world = World(pki, asked.endpoints, path or asked.request["paths"][0]["id"])
        if change:
            change(world)
        return Judged(conclude(asked, world.observation(seen_at.strftime(SEEN_AT), family)))

    return run


def bus(world: World) -> list[str]:
    return [one.id for one in world.endpoints if one.host.endswith(".servicebus.windows.net")]


def test_a_healthy_world_is_ready_without_a_warning(judge: Judge) -> None:
    for options in ({}, {"proxy": PROXY}, {"cloud": "usgov"}, {"tenant_id": "none"}):
        judged = judge(**options)
        assert judged.verdict == "ready", judged.result["msg"]
        assert judged.causes == []


# --- the hello alone never fails an endpoint -----------------------------------------------------------------------------


def test_a_failed_hello_beside_a_standing_handshake_is_unknown_and_the_tools(judge: Judge) -> None:
    judged = judge(lambda world: world.stage(LOGIN, "hello", error("reset")))
    assert judged.verdict == "inconclusive"
    assert judged.finding("APC906", "unknown")["owner"] == "tool"
    assert judged.causes == ["APC906"]


def test_a_server_that_speaks_only_tls13_refuses_the_hello_and_is_fine(judge: Judge) -> None:
    def change(world: World) -> None:
        world.stage(LOGIN, "hello", error("alert", level=2, description=70))
        world.first[LOGIN]["stages"]["handshake"]["facts"]["version"] = "TLSv1.3"

    assert judge(change).verdict == "ready"


@pytest.mark.parametrize(("handshake", "hello", "id_"), [
    (error("reset"), ok(), "APC131"),
    (error("timeout"), error("timeout"), "APC131"),
    (error("closed"), error("closed"), "APC131"),
    (error("alert", description=None), error("alert", level=2, description=70), "APC132"),
    (error("protocol"), ok(version="TLSv1.0"), "APC132"),
    (error("alert", level=2, description=40), error("alert", level=2, description=40), "APC133"),
    (error("protocol"), error("not_tls", first_bytes="485454502f312e31"), "APC134"),
    (error("timeout"), error("stalled", bytes=1380), "APC135"),
    (error("alert", level=2, description=80), error("alert", level=2, description=80), "APC131"),
])
def test_where_both_fail_the_handshake_decides_and_the_hello_tells_why(
    judge: Judge, handshake: dict[str, Any], hello: dict[str, Any], id_: str
) -> None:
    def change(world: World) -> None:
        world.stage(REGISTRATION, "hello", hello)
        world.stage(REGISTRATION, "handshake", handshake)
        world.stage(REGISTRATION, "request", None)

    judged = judge(change)
    assert judged.verdict == "not_ready"
    assert judged.causes == [id_]
    assert judged.finding(id_, "fail")["endpoints"] == [REGISTRATION]


def test_tls13_broken_on_the_path_is_a_warning(judge: Judge) -> None:
    def change(world: World) -> None:
        world.first[LOGIN]["stages"]["handshake"]["facts"].update(protocols="tls12", default_error="reset")

    judged = judge(change)
    assert judged.verdict == "ready"
    assert judged.status("APC136", LOGIN) == {"warn"}


def test_a_version_refusal_is_the_servers_own_where_its_hello_lacks_tls12(judge: Judge, pki: Pki) -> None:
    def change(world: World) -> None:
        world.stage(LOGIN, "hello", error("alert", level=2, description=70))
        world.stage(LOGIN, "handshake", error("alert", level=2, description=70))
        world.stage(LOGIN, "request", None)

    asked = plan(parse_options({"tenant_id": TENANT, "proxy": "direct", "public_roots": str(pki.public_roots)}, NOW), "server")
    world = World(pki, asked.endpoints)
    change(world)
    seen = world.observation(NOW.strftime(SEEN_AT))
    owners = []
    for versions in ([772, 771], [769]):
        seen["platform_hello"]["value"]["versions"] = versions
        owners.append(Judged(conclude(asked, seen)).finding("APC132", "fail")["owner"])
    assert owners == ["network", "server"]


# --- chains ----------------------------------------------------------------------------------------------------------------


def inspected(world: World, target: str, *, trusted: bool) -> None:
    leaf = world.pki.leaf(target.rsplit(":", 1)[0], by=world.pki.company_root)
    world.first[target]["stages"] |= world.shown(leaf, trusted=trusted)
    world._keep(world.pki.company_root.certificate)
    for name in ("hello", "handshake"):
        world.first[target]["stages"][name]["facts"]["chain"].append(world._keep(world.pki.company_root.certificate))


@pytest.mark.parametrize("trusted", [True, False])
def test_a_private_chain_before_the_service_is_inspection_trusted_or_not(judge: Judge, trusted: bool) -> None:
    judged = judge(lambda world: inspected(world, REGISTRATION, trusted=trusted))
    assert judged.verdict == "not_ready"
    finding = judged.finding("APC141", "fail")
    assert finding["endpoints"] == [REGISTRATION]
    assert finding["evidence"]["root"] == "Example Corp Root CA"
    assert finding["evidence"]["trusted"] == ("yes" if trusted else "no")


def test_inspection_of_the_sign_in_hosts_alone_is_a_warning_where_the_server_trusts_it(judge: Judge) -> None:
    def change(world: World, *, trusted: bool = True) -> None:
        inspected(world, LOGIN, trusted=trusted)
        world.stage(LOGIN, "request", answer(200, x_ms_request_id="7b"))

    judged = judge(change)
    assert judged.verdict == "ready", judged.result["msg"]
    assert judged.status("APC141", LOGIN) == {"warn"}
    assert judge(lambda world: change(world, trusted=False)).status("APC141", LOGIN) == {"fail"}


def test_inspection_of_sign_in_and_service_is_one_cause(judge: Judge) -> None:
    def change(world: World) -> None:
        for target in (LOGIN, REGISTRATION):
            inspected(world, target, trusted=True)

    assert judge(change).finding("APC141", "fail")["endpoints"] == [LOGIN, REGISTRATION]


def test_a_sign_of_what_is_waived_is_waived_and_not_called_unseen(judge: Judge) -> None:
    waiver = {"id": "APC141", "until": (NOW + timedelta(days=9)).date().isoformat(), "reason": "known"}
    judged = judge(lambda world: inspected(world, BOOTSTRAP, trusted=True), waivers=[waiver])
    assert judged.finding("APC145", "waived")["title"].endswith("did not ask for a client certificate")
    assert "APC145" not in str(judged.causes) + judged.result["msg"]


def test_public_and_untrusted_is_a_missing_root_and_the_servers(judge: Judge) -> None:
    judged = judge(lambda world: world.shows(REGISTRATION, world.leaf, trusted=False))
    assert judged.causes == ["APC144"]
    finding = judged.finding("APC144", "fail")
    assert (finding["owner"], finding["evidence"]["root"]) == ("server", "Lab Public Root CA")


def test_an_incomplete_chain_is_unknown_and_said(judge: Judge) -> None:
    judged = judge(lambda world: world.shows(REGISTRATION, world.leaf, chain=False))
    # The handshake of the other endpoints carries the same leaf, but each chain is read by itself.
    assert judged.status("APC141", REGISTRATION) == {"unknown"}
    assert judged.causes == ["APC146"]
    assert judged.verdict == "inconclusive"
    untrusted = judge(lambda world: world.shows(REGISTRATION, world.leaf, chain=False, trusted=False))
    assert untrusted.status("APC146", REGISTRATION) == {"fail"}


def test_what_a_posix_server_trusts_without_a_public_root_is_its_own_stores(judge: Judge) -> None:
    def change(world: World) -> None:
        world.shows(REGISTRATION, world.pki.leaf(REGISTRATION.rsplit(":", 1)[0], by=world.pki.company_root), chain=False)

    assert judge(change, family="posix").status("APC141", REGISTRATION) == {"fail"}
    assert judge(change, family="windows").status("APC141", REGISTRATION) == {"unknown"}


@pytest.mark.parametrize("key_usage", [True, False])
def test_a_public_leaf_cannot_issue(judge: Judge, key_usage: bool) -> None:
    """A forged chain under anybody's genuine public certificate must not read as public, whatever the leaf leaves out."""
    def change(world: World) -> None:
        mule = world.pki.leaf("mule.example") if key_usage else without_key_usage(world.pki)
        forged = world.pki.leaf(REGISTRATION.rsplit(":", 1)[0], by=Authority(mule.certificate, mule.key, world.pki.public_issuing))
        chain = (mule.certificate, *mule.chain)
        world.shows(REGISTRATION, type(forged)(forged.certificate, forged.key, chain), trusted=False)

    judged = judge(change)
    assert judged.status("APC141", REGISTRATION) == {"unknown"}
    assert judged.verdict == "not_ready"


def without_key_usage(pki: Pki) -> Credential:
    """By the root itself: an issuing authority's own path length would stop the forgery already."""
    issuing, now = pki.public_root, datetime.now(timezone.utc)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mule.example")])
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(issuing.certificate.subject).public_key(pki.rsa_key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=9))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True).sign(issuing.key, SHA256())
    )
    return Credential(certificate, pki.rsa_key, ())


def test_names_and_times_are_told_apart(judge: Judge) -> None:
    judged = judge(lambda world: world.shows(REGISTRATION, world.pki.leaf("other.example"), errors=["name_mismatch"]))
    assert judged.causes == ["APC142"]
    assert judged.finding("APC142", "fail")["evidence"]["names"] == "other.example"
    host = REGISTRATION.rsplit(":", 1)[0]
    judged = judge(lambda world: world.shows(REGISTRATION, world.pki.expired(host), errors=["expired"]))
    assert "APC143" in judged.causes
    assert "APC142" not in judged.causes


def test_the_time_of_a_certificate_is_judged_at_the_time_of_observation(judge: Judge) -> None:
    assert judge(seen_at=NOW).status("APC143") == {"pass"}
    assert judge(seen_at=NOW + timedelta(days=200)).status("APC143") == {"fail"}


# --- the client certificate ---------------------------------------------------------------------------------------------


def test_a_client_certificate_not_asked_for_is_a_note_on_a_genuine_chain(judge: Judge) -> None:
    judged = judge(lambda world: world.shows(BOOTSTRAP, world.leaf))
    assert judged.verdict == "ready"
    assert "later" in judged.finding("APC145", "pass")["evidence"]["note"]


def test_a_client_certificate_not_asked_for_is_evidence_of_inspection_on_a_private_chain(judge: Judge) -> None:
    judged = judge(lambda world: inspected(world, BOOTSTRAP, trusted=True))
    assert judged.finding("APC145", "warn")["because"] == ["APC141"]
    assert judged.causes[0] == "APC141"


def test_a_server_that_insists_on_a_client_certificate_is_fine(judge: Judge) -> None:
    def change(world: World) -> None:
        world.stage(BOOTSTRAP, "handshake", error("alert", level=2, description=40))
        world.stage(BOOTSTRAP, "request", None)

    assert judge(change).verdict == "ready"


# --- HTTP ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 302, 401, 403, 404, 405])
def test_any_answer_on_a_genuine_chain_counts_as_reached(judge: Judge, status: int) -> None:
    def change(world: World) -> None:
        for target in (LOGIN, REGISTRATION, BOOTSTRAP, *bus(world)):
            world.stage(target, "request", answer(status))

    assert judge(change).verdict == "ready"


def test_a_server_error_on_a_genuine_chain_is_the_services(judge: Judge) -> None:
    judged = judge(lambda world: world.stage(REGISTRATION, "request", answer(503)))
    finding = judged.finding("APC155", "warn")
    assert (judged.verdict, finding["owner"]) == ("ready", "service")


def test_a_block_page_is_a_403_too(judge: Judge) -> None:
    def change(world: World) -> None:
        inspected(world, REGISTRATION, trusted=True)
        world.stage(REGISTRATION, "request", answer(403, server="Filter"))

    judged = judge(change)
    assert judged.status("APC151", REGISTRATION) == {"fail"}


def test_an_answer_over_an_inspected_chain_is_not_reached(judge: Judge) -> None:
    judged = judge(lambda world: inspected(world, REGISTRATION, trusted=True))
    assert judged.status("APC151", REGISTRATION) == {"unknown"}


def test_a_sign_in_page_replaced_behind_inspection_fails(judge: Judge) -> None:
    def change(world: World) -> None:
        inspected(world, LOGIN, trusted=True)
        world.stage(LOGIN, "request", answer(302, location="https://filter.example/blocked"))

    judged = judge(change)
    assert judged.status("APC152", LOGIN) == {"fail"}
    assert judged.verdict == "not_ready"


def test_a_get_that_is_cut_after_a_genuine_handshake_is_not_reached(judge: Judge) -> None:
    assert judge(lambda world: world.stage(LOGIN, "request", error("closed"))).causes == ["APC152"]
    assert judge(lambda world: world.stage(REGISTRATION, "request", error("timeout"))).causes == ["APC156"]
    assert judge(lambda world: world.stage(BOOTSTRAP, "request", error("timeout"))).causes == ["APC156"]
    assert judge(lambda world: world.stage(BOOTSTRAP, "request", error("closed"))).verdict == "ready"


def test_on_port_80_a_redirect_elsewhere_is_a_portal(judge: Judge) -> None:
    def change(world: World) -> None:
        world.stage("files.example:80", "request", answer(302, location="http://portal.example/"))

    assert judge(change, endpoints=["http://files.example/"]).causes == ["APC151"]


@pytest.mark.parametrize("stage", [None, ok()], ids=["not tried", "without a status"])
def test_a_websocket_of_which_nothing_is_told_is_no_pass(judge: Judge, stage: dict[str, Any] | None) -> None:
    judged = judge(lambda world: world.stage(bus(world)[0], "websocket", stage))
    assert judged.verdict == "inconclusive"
    assert judged.causes == ["APC906"]


def test_a_websocket_that_is_cut_fails(judge: Judge) -> None:
    def change(world: World) -> None:
        for target in bus(world):
            world.stage(target, "websocket", error("reset"))

    judged = judge(change)
    assert judged.causes == ["APC153"]
    assert len(judged.finding("APC153", "fail")["endpoints"]) == 6


# --- DNS -----------------------------------------------------------------------------------------------------------------


def test_a_private_address_that_leads_to_a_genuine_chain_is_a_pass_with_a_note(judge: Judge) -> None:
    judged = judge(lambda world: world.stage(LOGIN, "resolve", ok(name=LOGIN[:-4], addresses=["10.1.2.3"])))
    assert judged.verdict == "ready"
    assert "private" in judged.finding("APC103", "pass")["evidence"]["note"]


def test_a_private_address_that_leads_nowhere_is_the_cause(judge: Judge) -> None:
    judged = judge(lambda world: world.addresses(LOGIN, ("10.1.2.3", error("timeout"))))
    assert judged.causes == ["APC103"]
    assert judged.finding("APC112", "fail")["because"] == ["APC103"]


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "127.0.0.1"])  # noqa: S104
def test_a_sinkhole_fails(judge: Judge, address: str) -> None:
    judged = judge(lambda world: world.addresses(LOGIN, (address, error("refused"))))
    assert judged.causes == ["APC103"]


@pytest.mark.parametrize(("code", "id_"), [("nxdomain", "APC101"), ("no_data", "APC101"), ("server_failure", "APC102"),
                                           ("timeout", "APC102")])
def test_names_that_give_no_address(judge: Judge, code: str, id_: str) -> None:
    judged = judge(lambda world: world.stage(LOGIN, "resolve", error(code)))
    assert judged.causes == [id_]


# --- TCP -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "id_"), [("refused", "APC111"), ("timeout", "APC112"), ("reset", "APC113"), ("unreachable", "APC114"),
                                           ("denied", "APC115")])
def test_each_way_not_to_connect_is_a_finding_of_its_own(judge: Judge, code: str, id_: str) -> None:
    judged = judge(lambda world: world.stage(REGISTRATION, "connect", error(code)))
    assert judged.causes == [id_]
    assert judged.verdict == "not_ready"


def test_some_addresses_dead_is_a_warning_the_first_dead_a_failure(judge: Judge) -> None:
    alive, dead = ("203.0.113.1", ok()), ("203.0.113.2", error("timeout"))
    later = judge(lambda world: world.addresses(LOGIN, alive, dead))
    assert (later.verdict, later.status("APC116", LOGIN)) == ("ready", {"warn"})
    first = judge(lambda world: world.addresses(LOGIN, dead, alive))
    assert (first.verdict, first.causes) == ("not_ready", ["APC116"])


def test_ipv6_without_a_way_out_beside_ipv4_is_fine(judge: Judge) -> None:
    judged = judge(lambda world: world.addresses(LOGIN, ("2001:db8::1", error("unreachable")), ("203.0.113.1", ok())))
    assert (judged.verdict, judged.causes) == ("ready", [])


def test_a_crowd_of_timeouts_is_doubted_when_one_alone_goes_through(judge: Judge) -> None:
    def change(world: World, result: dict[str, Any]) -> None:
        world.every("connect", error("timeout"), tls=True)
        world.stage(LOGIN, "connect", result)
        world.rechecks.append({"path": "direct", "target": LOGIN, "stage": "connect", "result": result})

    assert judge(lambda world: change(world, ok())).status("APC112", REGISTRATION) == {"unknown"}
    assert judge(lambda world: change(world, error("timeout"))).status("APC112", REGISTRATION) == {"fail"}


def test_a_second_try_that_was_lost_later_on_is_no_reason_for_doubt(judge: Judge) -> None:
    """It connected alone, and was reset then: its first try stands as it was."""

    def change(world: World) -> None:
        world.stage(LOGIN, "connect", error("reset"))
        world.stage(REGISTRATION, "connect", error("timeout"))
        world.rechecks.append({"path": "direct", "target": LOGIN, "stage": "connect", "result": ok()})

    judged = judge(change)
    assert judged.verdict == "not_ready"
    assert (judged.status("APC113", LOGIN), judged.status("APC112", REGISTRATION)) == ({"fail"}, {"fail"})


@pytest.mark.parametrize("code", ["timeout", "refused", "reset", "unreachable"])
def test_what_nobody_tried_alone_is_doubted_where_one_alone_went_through(judge: Judge, code: str) -> None:
    def change(world: World) -> None:
        world.every("connect", error(code), tls=True)
        world.stage(LOGIN, "connect", ok())
        world.rechecks += [{"path": "direct", "target": LOGIN, "stage": "connect", "result": ok()},
                           {"path": "direct", "target": REGISTRATION, "stage": "connect", "result": error(code)}]

    judged = judge(change)
    id_ = {"timeout": "APC112", "refused": "APC111", "reset": "APC113", "unreachable": "APC114"}[code]
    assert judged.status(id_, REGISTRATION) == {"fail"}, "lost alone, too"
    assert judged.status(id_, BOOTSTRAP) == {"unknown"}
    assert judged.verdict == "not_ready"


def test_what_was_lost_among_many_and_stood_alone_is_a_warning(judge: Judge) -> None:
    def change(world: World, *lost: str) -> None:
        for one in lost:
            world.stage(one, "connect", error("timeout"))
        for one in (LOGIN, REGISTRATION):
            result = error("timeout") if one in lost else ok()
            world.rechecks.append({"path": "direct", "target": one, "stage": "connect", "result": result})

    judged = judge(change)
    assert (judged.verdict, judged.causes) == ("ready", ["APC117"])
    assert set(judged.finding("APC117", "warn")["endpoints"]) == {LOGIN, REGISTRATION}
    tls13_cut = ok(version="TLSv1.2", protocols="tls12", default_error="reset")
    again = {"path": "direct", "target": LOGIN, "stage": "handshake", "result": tls13_cut}
    assert judge(lambda world: world.rechecks.append(again)).causes == [], "what is cut alone, too, is no limit"
    one_lost_again = judge(lambda world: change(world, REGISTRATION))
    assert one_lost_again.status("APC117", LOGIN) == {"warn"}
    assert one_lost_again.status("APC112", REGISTRATION) == {"fail"}, "a limit is no excuse for what is lost alone, too"


# --- proxy ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stage", "id_"), [
    (error("auth_required", facts={"status": 407, "challenges": ["Negotiate"]}), "APC122"),
    (error("denied", facts={"status": 403, "headers": {"server": ["squid"]}}), "APC123"),
    (error("bad_gateway", facts={"status": 502}), "APC124"),
    (error("timeout"), "APC124"),
    (error("malformed"), "APC126"),
    (error("closed"), "APC126"),
])
def test_one_refusing_proxy_is_one_cause_for_every_endpoint(judge: Judge, stage: dict[str, Any], id_: str) -> None:
    judged = judge(lambda world: world.every("proxy", stage), proxy=PROXY)
    assert judged.causes[0] == id_, judged.result["msg"]
    assert judged.verdict == "not_ready"
    assert judged.causes == [id_]
    assert LIST in judged.finding(id_, "fail")["endpoints"], "the lists, which it refuses just so, are the same cause"


def test_a_denial_of_plain_requests_is_the_same_cause(judge: Judge) -> None:
    """A plain request has the refusal as its answer."""

    def change(world: World, tunnels: int, lists: int) -> None:
        world.every("proxy", error("denied", facts={"status": tunnels}), tls=True)
        world.every("proxy", ok(plain=True, status=lists), tls=False)
        world.every("request", answer(lists), tls=False)

    alike = judge(lambda world: change(world, 403, 403), proxy=PROXY)
    assert alike.causes == ["APC123"]
    assert LIST in alike.finding("APC123", "fail")["endpoints"]
    other = judge(lambda world: change(world, 403, 470), proxy=PROXY)
    assert other.causes == ["APC123", "APC162"], "the answer of another rule is another cause"
    lists_alone = judge(lambda world: (world.every("proxy", ok(plain=True, status=403), tls=False),
                                       world.every("request", answer(403), tls=False)), proxy=PROXY)
    assert lists_alone.causes == ["APC162"]


def test_lists_stand_for_themselves_where_nobody_asked_for_the_proxy(judge: Judge) -> None:
    def change(world: World) -> None:
        world.every("proxy", error("bad_gateway", facts={"status": 502}))
        world.stage("crl4.digicert.com:80", "proxy", ok(plain=True, status=200))
        world.stage("crl4.digicert.com:80", "request", whole(b""))

    judged = judge(change, proxy=PROXY, checks=["APC161", "APC162"])
    assert judged.verdict == "not_ready", judged.result["msg"]
    assert LIST in judged.finding("APC161", "fail")["endpoints"]


def test_a_proxy_that_refuses_in_two_ways_has_two_causes(judge: Judge) -> None:
    def change(world: World) -> None:
        world.every("proxy", error("denied", facts={"status": 403}))
        world.stage(LOGIN, "proxy", error("bad_gateway", facts={"status": 503}))

    assert set(judge(change, proxy=PROXY).causes) == {"APC123", "APC124", "APC161"}


def test_the_sentence_of_the_design(judge: Judge) -> None:
    judged = judge(lambda world: world.every("proxy", error("auth_required", facts={"status": 407, "challenges": ["Basic"]})), proxy=PROXY)
    said = "Not ready: the proxy proxy.example:8080 asks for a password (APC122); 35 endpoints wait behind it."
    assert judged.result["headline"] == said
    assert judged.result["summary"].startswith(f"{said} ")
    assert "the connector cannot log in to a proxy" in judged.result["summary"]


def test_a_proxy_that_cannot_be_reached(judge: Judge) -> None:
    for name, code in (("resolve", "nxdomain"), ("connect", "refused")):
        judged = judge(lambda world, name=name, code=code: world.every(name, error(code)), proxy=PROXY)
        assert judged.causes == ["APC121"]


def test_a_proxy_that_is_gone_is_one_cause_however_each_connection_learns_of_it(judge: Judge) -> None:
    """Its router says so to some and nothing to the rest, and the deadline comes before the last."""

    def change(world: World) -> None:
        for number, endpoint in enumerate(world.endpoints):
            world.stage(endpoint.id, "connect", NOT_RUN if number > 30 else error("timeout" if number % 2 else "unreachable"))

    judged = judge(change, proxy=PROXY)
    assert (judged.verdict, judged.causes) == ("not_ready", ["APC121"]), judged.result["msg"]
    assert judged.finding("APC121", "fail")["evidence"] == {"error": "unreachable, timeout"}


def test_what_was_not_run_over_a_proxy_that_answered_others_is_its_own_cause(judge: Judge) -> None:
    def change(world: World) -> None:
        world.stage(LOGIN, "connect", error("timeout"))
        world.stage(REGISTRATION, "connect", NOT_RUN)

    assert set(judge(change, proxy=PROXY).causes) == {"APC121", "APC902"}


def test_a_proxy_that_was_asked_for_samples_alone_is_not_said_to_refuse_everything(pki: Pki) -> None:
    """On ways that differ it may be asked for nothing else, and the names may not exist."""
    endpoints = plan(parse_options({"tenant_id": TENANT, "proxy": PROXY, "public_roots": str(pki.public_roots)}, NOW), "server").endpoints
    rows = [Row("APC124", Status.FAIL, endpoint, PROXY, {"status": 502}, group=("502",)) for endpoint in endpoints]
    assert proxy.refused_alike([row for row in rows if row.endpoint and row.endpoint.sample], ()) == {}
    assert proxy.refused_alike(rows, ()) == {PROXY: ("APC124", Status.FAIL, ("502",))}


def test_a_proxy_that_took_connections_is_not_gone_where_the_deadline_came_first(judge: Judge) -> None:
    def change(world: World) -> None:
        world.every("proxy", NOT_RUN)
        world.stage(LOGIN, "connect", error("timeout"))

    judged = judge(change, proxy=PROXY)
    assert {"APC121", "APC902"} == set(judged.causes)


def test_a_port_that_a_proxy_denies_for_all_is_the_ports(judge: Judge) -> None:
    denied = error("denied", facts={"status": 403})
    judged = judge(lambda world: world.every("proxy", denied, tls=True), proxy=PROXY)
    assert judged.finding("APC125", "fail")["evidence"]["port"] == 443
    some = judge(lambda world: world.stage(REGISTRATION, "proxy", denied), proxy=PROXY)
    assert some.causes == ["APC123"]


def test_a_proxy_that_sends_everybody_to_a_page_denies_no_port(judge: Judge) -> None:
    sent = {"status": 302, "headers": {"location": ["https://portal.example/login"]}}

    def change(world: World) -> None:
        world.every("proxy", error("denied", facts=sent), tls=True)
        world.every("proxy", ok(plain=True, **sent), tls=False)
        world.every("request", ok(**sent), tls=False)

    judged = judge(change, proxy=PROXY)
    assert "APC123" in judged.causes
    assert judged.status("APC125") <= {"unknown", "pass"}


# --- samples -------------------------------------------------------------------------------------------------------------


def test_samples_that_do_not_exist_say_nothing_while_one_does(judge: Judge) -> None:
    def change(world: World) -> None:
        for target in bus(world)[1:]:
            world.stage(target, "resolve", error("nxdomain"))

    assert judge(change).verdict == "ready"


def test_no_sample_existing_is_unknown(judge: Judge) -> None:
    def change(world: World) -> None:
        for target in bus(world):
            world.stage(target, "resolve", error("nxdomain"))

    judged = judge(change)
    assert judged.verdict == "inconclusive"
    assert judged.status("APC101", "cwap-eur1-weur2.servicebus.windows.net:443") == {"unknown"}


def test_all_samples_that_exist_failing_alike_is_a_closed_wildcard(judge: Judge) -> None:
    def change(world: World) -> None:
        for number, target in enumerate(bus(world)):
            world.stage(target, "resolve" if number < 2 else "connect", error("nxdomain" if number < 2 else "timeout"))

    judged = judge(change)
    assert judged.causes == ["APC112"]
    assert len(judged.finding("APC112", "fail")["endpoints"]) == 4
    assert "*.servicebus.windows.net" in judged.finding("APC112", "fail")["hint"]


def test_one_sample_going_through_makes_the_others_a_warning(judge: Judge) -> None:
    def change(world: World) -> None:
        for target in bus(world)[1:]:
            world.stage(target, "connect", error("timeout"))

    judged = judge(change)
    assert (judged.verdict, judged.status("APC112", bus_sample())) == ("ready", {"warn"})


def bus_sample() -> str:
    return "cwap-eur1-neur2.servicebus.windows.net:443"


def test_through_a_proxy_403_is_policy_and_502_is_not(judge: Judge) -> None:
    def change(world: World, stage: dict[str, Any]) -> None:
        for target in bus(world):
            world.stage(target, "proxy", stage)

    policy = judge(lambda world: change(world, error("denied", facts={"status": 403})), proxy=PROXY)
    assert (policy.verdict, policy.causes) == ("not_ready", ["APC123"])
    squids = {"status": 503, "headers": {"x-squid-error": ["ERR_DNS_FAIL 0"]}}
    for facts in ({"status": 502}, {"status": 500}, squids):
        gone = judge(lambda world, facts=facts: change(world, error("bad_gateway", facts=facts)), proxy=PROXY)
        assert (gone.verdict, gone.status("APC124")) == ("inconclusive", {"unknown", "pass"})
    there = {"status": 503, "headers": {"x-squid-error": ["ERR_CONNECT_FAIL 110"]}}
    failed = judge(lambda world: change(world, error("bad_gateway", facts=there)), proxy=PROXY)
    assert (failed.verdict, failed.causes) == ("not_ready", ["APC124"])


def test_deeper_labels_are_samples_of_their_own(judge: Judge) -> None:
    def change(world: World) -> None:
        for endpoint in world.endpoints:
            if endpoint.sample and (".connector." in endpoint.host or ".renewtrust." in endpoint.host):
                world.stage(endpoint.id, "handshake", error("reset"))
                world.stage(endpoint.id, "hello", error("reset"))
                world.stage(endpoint.id, "request", None)

    judged = judge(change)
    assert (judged.verdict, judged.causes) == ("not_ready", ["APC131"])


# --- revocation ----------------------------------------------------------------------------------------------------------


def test_ocsp_down_with_a_list_up_is_a_warning(judge: Judge) -> None:
    judged = judge(lambda world: world.fetched(OCSP_URL, error("timeout"), "connect"))
    assert judged.verdict == "ready"
    assert judged.status("APC161") == {"warn", "pass"}


def test_every_source_of_a_certificate_down_fails(judge: Judge) -> None:
    judged = judge(lambda world: world.fetched("http://", error("timeout"), "connect"))
    assert judged.verdict == "not_ready"
    assert judged.causes == ["APC161"]


def test_a_page_in_the_place_of_a_list_is_wrong_content(judge: Judge) -> None:
    page = answer(200, b"<html>blocked</html>", content_type="text/html")
    judged = judge(lambda world: world.fetched("http://", page))
    assert judged.verdict == "not_ready"
    assert judged.causes[0] == "APC162"


def test_a_list_that_is_cut_on_the_way_is_no_list(judge: Judge, pki: Pki) -> None:
    short = answer(200, pki.crl()[:300], content_type="application/pkix-crl", content_length="300")
    judged = judge(lambda world: (world.fetched("http://crl", short), world.fetched(OCSP_URL, error("timeout"), "connect")))
    assert judged.status("APC162") >= {"fail"}


def test_catalogue_hosts_that_no_chain_names_are_only_a_warning(judge: Judge) -> None:
    judged = judge(lambda world: world.stage("ocsp.msocsp.com:80", "connect", error("timeout")))
    assert (judged.verdict, judged.status("APC161", "ocsp.msocsp.com:80")) == ("ready", {"warn"})


def test_with_every_chain_forged_the_catalogue_is_the_source(judge: Judge) -> None:
    def change(world: World) -> None:
        for endpoint in world.endpoints:
            if endpoint.tls:
                inspected(world, endpoint.id, trusted=True)
        world.second.clear()
        world.stage("crl3.digicert.com:80", "connect", error("timeout"))

    judged = judge(change)
    assert judged.status("APC161", "crl3.digicert.com:80") == {"fail"}


def test_with_every_chain_forged_lists_make_up_for_a_responder(judge: Judge) -> None:
    def change(world: World, *down: str) -> None:
        for endpoint in world.endpoints:
            if endpoint.tls:
                inspected(world, endpoint.id, trusted=True)
        world.second.clear()
        for host in down:
            world.stage(f"{host}:80", "connect", error("timeout"))

    judged = judge(lambda world: change(world, "ocsp.digicert.com"))
    assert judged.status("APC161", "ocsp.digicert.com:80") == {"warn"}
    judged = judge(lambda world: change(world, "ocsp.digicert.com", "crl3.digicert.com"))
    assert judged.status("APC161", "ocsp.digicert.com:80") == judged.status("APC161", "crl3.digicert.com:80") == {"fail"}


def test_an_ocsp_answer_that_knows_nothing_of_the_certificate_is_no_source(judge: Judge) -> None:
    unauthorized = whole(b"\x30\x03\x0a\x01\x06", "application/ocsp-response")
    alone = judge(lambda world: (world.fetched("http://crl", error("timeout"), "connect"), world.fetched(OCSP_URL, unauthorized)))
    assert alone.verdict == "not_ready"
    assert "fail" in alone.status("APC162", "ocsp.digicert.com:80")


# --- what was not seen ---------------------------------------------------------------------------------------------------


def test_what_the_deadline_cut_is_unknown_never_a_pass(judge: Judge) -> None:
    judged = judge(lambda world: world.stage(REGISTRATION, "handshake", NOT_RUN))
    assert judged.verdict == "inconclusive"
    assert judged.status("APC902", REGISTRATION) == {"unknown"}


def test_an_endpoint_that_the_observation_lacks_is_unknown(judge: Judge) -> None:
    judged = judge(lambda world: world.first.pop(REGISTRATION) and setattr(
        world, "endpoints", tuple(one for one in world.endpoints if one.id != REGISTRATION)))
    assert judged.status("APC906", REGISTRATION) == {"unknown"}
    assert judged.verdict == "inconclusive"


def test_an_optional_endpoint_never_makes_a_server_unready(judge: Judge) -> None:
    for name, stage in (("connect", error("timeout")), ("resolve", error("nxdomain")), ("handshake", NOT_RUN)):
        judged = judge(lambda world, name=name, stage=stage: world.stage(OPTIONAL, name, stage))
        assert judged.verdict == "ready", judged.result["msg"]
        assert len(judged.causes) == 1


def test_a_run_that_only_its_warnings_stop_says_which(judge: Judge) -> None:
    judged = judge(lambda world: world.stage(REGISTRATION, "request", answer(503)), fail_on="warning")
    assert judged.result["failed"]
    assert "Stopped because of fail_on: warning (APC155)." in judged.result["msg"]


def test_an_empty_observation_is_not_a_pass(judge: Judge) -> None:
    def change(world: World) -> None:
        world.endpoints, world.second = (), []

    assert judge(change).verdict == "inconclusive"


def test_a_redirected_endpoint_counts_only_when_asked_for(judge: Judge) -> None:
    def change(world: World) -> None:
        world.first[LOGIN]["redirected_to"] = "127.0.0.1:4443"

    judged = judge(change)
    assert (judged.verdict, judged.causes) == ("inconclusive", ["APC907"])
    counted = judge(change, connect_to_counts=True)
    assert counted.verdict == "ready"
    assert "connect_to" in counted.result["summary"]


def test_a_failure_behind_connect_to_still_fails(judge: Judge) -> None:
    def change(world: World) -> None:
        world.first[LOGIN]["redirected_to"] = "127.0.0.1:4443"
        world.stage(LOGIN, "connect", error("refused"))

    assert judge(change).verdict == "not_ready"


def test_the_order_of_findings_does_not_depend_on_the_order_of_looking(judge: Judge) -> None:
    def change(world: World) -> None:
        for target in (REGISTRATION, LOGIN, BOOTSTRAP):
            world.stage(target, "connect", error("timeout"))

    assert judge(change).result["findings"] == judge(change).result["findings"]


@pytest.mark.parametrize("target", [LOGIN, REGISTRATION, BOOTSTRAP, "cwap-eur1-weur2.servicebus.windows.net:443"])
@pytest.mark.parametrize("name", ["resolve", "connect", "handshake", "request"])
def test_a_stage_that_is_absent_is_never_a_pass(judge: Judge, target: str, name: str) -> None:
    judged = judge(lambda world: world.stage(target, name, None))
    assert (judged.verdict, judged.causes) == ("inconclusive", ["APC906"])


def test_a_tunnel_that_is_absent_is_never_a_pass(judge: Judge) -> None:
    assert judge(lambda world: world.stage(REGISTRATION, "proxy", None), proxy=PROXY).verdict == "inconclusive"


def test_answers_that_say_nothing_are_never_a_pass(judge: Judge) -> None:
    def no_certificate(world: World) -> None:
        world.first[REGISTRATION]["stages"]["handshake"]["facts"].update(chain=[], version="TLSv1.3")
        world.stage(REGISTRATION, "hello", error("alert", level=2, description=70))

    for change in (
        lambda world: world.stage(REGISTRATION, "request", ok()),
        lambda world: world.stage(REGISTRATION, "connect", error("something_new")),
        lambda world: world.first[REGISTRATION]["stages"]["handshake"]["facts"].update(chain=["0" * 64]),
        no_certificate,
    ):
        judged = judge(change)
        assert judged.verdict == "inconclusive", judged.result["msg"]
        assert "APC906" in judged.causes
    assert judge(lambda world: world.stage(LOGIN, "resolve", ok(name="x", addresses=[]))).verdict == "not_ready"


def test_a_handshake_on_an_old_version_fails(judge: Judge) -> None:
    judged = judge(lambda world: world.first[LOGIN]["stages"]["handshake"]["facts"].update(version="TLSv1.1"))
    assert judged.causes == ["APC132"]


@pytest.mark.parametrize(("said", "id_"), [("expired", "APC143"), ("name_mismatch", "APC142")])
def test_what_the_platform_said_of_a_certificate_counts(judge: Judge, said: str, id_: str) -> None:
    judged = judge(lambda world: world.shows(REGISTRATION, world.leaf, errors=[said]))
    assert (judged.verdict, judged.causes) == ("not_ready", [id_])


def test_inspection_of_tls12_alone_is_said(judge: Judge) -> None:
    def change(world: World) -> None:
        leaf = world.pki.leaf(REGISTRATION.rsplit(":", 1)[0], by=world.pki.company_root)
        chain = [world._keep(leaf.certificate), world._keep(world.pki.company_root.certificate)]
        world.first[REGISTRATION]["stages"]["hello"]["facts"]["chain"] = chain

    assert judge(change).status("APC141", REGISTRATION) == {"warn"}


def test_a_path_that_was_not_looked_over_is_never_a_pass(judge: Judge) -> None:
    for options, path in (({"proxy": PROXY}, "direct"), ({"proxy": "direct"}, PROXY)):
        judged = judge(path=path, **options)
        assert judged.verdict == "inconclusive"
        assert "ask for" in judged.result["headline"]
    assert judge(path=PROXY, proxy="auto").verdict == "ready"


def test_what_was_not_asked_for_is_said_in_the_verdict(judge: Judge) -> None:
    def silent(world: World) -> None:
        world.every("connect", error("timeout"))

    few = judge(silent, checks=["APC101"])
    assert "0 of 35 endpoints" in few.result["headline"]
    assert "checks were not asked for" in few.result["summary"]
    assert "APC112" in few.result["not_covered"][-1]


@pytest.mark.parametrize("options", [{"checks": ["APC141"]}, {"checks": ["APC153", "APC151"]}, {"skip_checks": ["APC112"]}])
def test_what_was_asked_for_and_is_hidden_by_what_was_not_is_never_a_pass(judge: Judge, options: dict[str, Any]) -> None:
    judged = judge(lambda world: world.stage(REGISTRATION, "connect", error("timeout")), **options)
    assert (judged.verdict, judged.causes) == ("inconclusive", ["APC112"])
    assert "was not asked for" in judged.result["causes"][0]["hint"]
    assert judged.result["causes"][0]["endpoints"] == [REGISTRATION]


def test_what_was_asked_for_and_seen_is_not_hidden_by_what_comes_after(judge: Judge) -> None:
    def change(world: World) -> None:
        world.stage(REGISTRATION, "connect", error("timeout"))

    assert judge(change, checks=["APC101", "APC103"]).verdict == "ready"
    assert judge(change, checks=["APC145"]).verdict == "ready"


def test_a_run_from_elsewhere_says_so(judge: Judge) -> None:
    assert "Seen from the jump host, not from the server itself." in judge(seen_from="jump_host").result["summary"]
    assert "not from the server" not in judge().result["summary"]


def test_an_expired_waiver_is_said_in_words(judge: Judge) -> None:
    waiver = {"id": "APC112", "until": "2020-01-01", "reason": "r"}
    judged = judge(lambda world: world.stage(LOGIN, "connect", error("timeout")), waivers=[waiver])
    assert judged.verdict == "not_ready"
    assert "The waiver of APC112 expired after 2020-01-01." in judged.result["summary"]


def test_findings_are_all_that_did_not_pass(judge: Judge) -> None:
    statuses = {one["status"] for one in judge(return_passes=False).result["findings"]}
    assert statuses == {"not_applicable"}
    assert "pass" in {one["status"] for one in judge().result["findings"]}


def test_what_waivers_hide_is_said_and_never_reached(judge: Judge) -> None:
    def change(world: World) -> None:
        world.every("proxy", error("auth_required", facts={"status": 407, "challenges": ["Basic"]}))

    waiver = {"id": "APC122", "until": "2099-01-01", "reason": "r"}
    judged = judge(change, proxy=PROXY, waivers=[waiver])
    assert judged.verdict == "inconclusive"
    assert "what comes after APC122 was not seen" in judged.result["headline"]
    assert len(judged.causes) == 1
    one = judge(lambda world: world.stage(LOGIN, "connect", error("timeout")), waivers=[{**waiver, "id": "APC112"}])
    assert one.verdict == "ready"
    assert "34 of 35 endpoints" in one.result["headline"]
    assert "Waived: APC112 until 2099-01-01." in one.result["summary"]


def test_waivers_for_single_endpoints_add_up(judge: Judge) -> None:
    def change(world: World) -> None:
        for target in (LOGIN, REGISTRATION):
            world.stage(target, "connect", error("timeout"))

    waivers = [{"id": "APC112", "until": "2099-01-01", "reason": "r", "endpoint": target} for target in (LOGIN, REGISTRATION)]
    assert judge(change, waivers=waivers[:1]).finding("APC112", "fail")["endpoints"] == [REGISTRATION]
    assert judge(change, waivers=waivers).verdict == "ready"
    assert "covers nothing here" in judge(waivers=waivers[:1]).result["summary"]


@pytest.mark.parametrize("stage", ["inspected", "denied"])
def test_one_good_sample_does_not_excuse_what_is_certain_of_the_others(judge: Judge, stage: str) -> None:
    def change(world: World) -> None:
        for target in bus(world)[1:]:
            if stage == "inspected":
                inspected(world, target, trusted=True)
            else:
                world.stage(target, "proxy", error("denied", facts={"status": 403}))

    assert judge(change, **({} if stage == "inspected" else {"proxy": PROXY})).verdict == "not_ready"


def test_one_kind_of_deeper_label_does_not_excuse_the_other(judge: Judge) -> None:
    def change(world: World) -> None:
        for endpoint in world.endpoints:
            if ".connector." in endpoint.host:
                world.stage(endpoint.id, "connect", error("timeout"))

    judged = judge(change)
    assert (judged.verdict, judged.causes) == ("not_ready", ["APC112"])


def test_an_optional_sample_that_is_gone_is_no_warning(judge: Judge) -> None:
    judged = judge(lambda world: world.stage("pfd.phonefactor.net:443", "resolve", error("nxdomain")))
    assert (judged.verdict, judged.causes) == ("ready", [])


def test_an_inspected_sign_in_page_counts_only_with_the_services_mark(judge: Judge) -> None:
    def change(world: World) -> None:
        inspected(world, LOGIN, trusted=True)
        world.stage(LOGIN, "request", answer(200, b"<html>Blocked by policy</html>"))

    judged = judge(change)
    assert (judged.verdict, judged.status("APC152", LOGIN)) == ("inconclusive", {"unknown"})


def test_sign_in_inspected_beside_an_optional_host_is_still_alone(judge: Judge) -> None:
    def change(world: World) -> None:
        for target in (LOGIN, "www.microsoft.com:443"):
            inspected(world, target, trusted=True)
        world.stage(LOGIN, "request", answer(200, x_ms_request_id="7b"))

    assert judge(change).verdict == "ready"


def test_a_company_certificate_is_fine_on_the_users_own_endpoint(judge: Judge) -> None:
    own = "app.corp.example:443"

    def change(world: World, *, trusted: bool) -> None:
        inspected(world, own, trusted=trusted)
        world.stage(own, "resolve", ok(name="app.corp.example", addresses=["10.0.0.5"]))

    assert judge(lambda world: change(world, trusted=True), endpoints=[own]).causes == []
    assert judge(lambda world: change(world, trusted=False), endpoints=[own]).verdict == "not_ready"


def test_a_root_that_the_catalogue_knows_is_public_although_certifi_dropped_it(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.appproxy.connector.plugins.plugin_utils.judge import chain

    def change(world: World) -> None:
        inspected(world, REGISTRATION, trusted=True)
        known = world.pki.company_root.certificate.fingerprint(SHA256()).hex()
        monkeypatch.setattr(chain, "KNOWN_AUTHORITIES", {known})

    assert judge(change).status("APC141", REGISTRATION) == {"pass"} or judge(change).status("APC141") == {"pass"}


def test_revocation_that_no_needed_endpoint_names_is_a_warning(judge: Judge) -> None:
    def change(world: World) -> None:
        for endpoint in world.endpoints:
            if endpoint.tls and endpoint.needed:
                world.stage(endpoint.id, "handshake", NOT_RUN)
                world.stage(endpoint.id, "hello", NOT_RUN)
                world.stage(endpoint.id, "request", None)
                world.stage(endpoint.id, "websocket", None)
        world.fetched("http://", error("timeout"), "connect")

    assert "fail" not in judge(change).status("APC161")


def test_connect_to_in_the_second_wave_is_not_counted_silently(judge: Judge) -> None:
    def change(world: World) -> None:
        for attempt in world.second:
            attempt["redirected_to"] = "127.0.0.1:8080"

    assert judge(change).causes == ["APC907"]
    assert judge(change, connect_to_counts=True).verdict == "ready"


@pytest.mark.parametrize("page", [
    answer(200, b"\x30\x82\x10\x00\x30half", content_type="application/pkix-crl"),
    answer(200, b"0 results for your search"),
    whole(b"\x30\x03\x02\x01\x00"),
    answer(200, b"-----BEGIN nothing"),
])
def test_what_only_looks_like_a_list_is_none(judge: Judge, page: dict[str, Any]) -> None:
    def change(world: World) -> None:
        world.fetched("http://crl", page)
        world.fetched(OCSP_URL, error("timeout"), "connect")

    assert "fail" in judge(change).status("APC162")


@pytest.mark.parametrize("location", ["https://[/", "http://crl.example:99999/", "//", "javascript:alert(1)"])
def test_hostile_locations_are_read_as_elsewhere(judge: Judge, location: str) -> None:
    def change(world: World) -> None:
        world.stage("files.example:80", "request", answer(302, location=location))

    assert judge(change, endpoints=["http://files.example/"]).causes == ["APC151"]


def test_what_a_target_says_makes_no_line_of_its_own(judge: Judge) -> None:
    page = answer(200, b"<html>", content_type="x\n- APC999 [fail, server] Turn the firewall off " + "long " * 200)
    judged = judge(lambda world: world.fetched("http://crl", page))
    assert "\n- APC999" not in judged.result["msg"]
    assert all(len(line) < 900 for line in judged.result["msg"].splitlines())


# --- the company's own identity provider ---------------------------------------------------------------------------------

STS = "sts.contoso.example:443"


def test_a_federated_sign_in_that_is_reached_passes_and_one_that_nobody_has_is_not_applicable(judge: Judge) -> None:
    assert judge(federation_hosts=[STS]).status("APC154") == {"pass"}
    assert judge().status("APC154") == {"not_applicable"}


@pytest.mark.parametrize(("stage", "fault", "id_"), [
    ("resolve", error("nxdomain"), "APC101"), ("connect", error("refused"), "APC111"), ("connect", error("timeout"), "APC112"),
    ("handshake", error("reset"), "APC131"),
])
def test_what_hits_the_federation_host_alone_is_explained_by_it(judge: Judge, stage: str, fault: dict[str, Any], id_: str) -> None:
    judged = judge(lambda world: world.stage(STS, stage, fault), federation_hosts=[STS])
    assert judged.verdict == "not_ready"
    assert judged.causes == ["APC154"], judged.result["msg"]
    assert judged.finding(id_, "fail")["because"] == ["APC154"]


def test_what_hits_others_alike_explains_the_federation_host(judge: Judge) -> None:
    judged = judge(lambda world: world.every("connect", error("refused")), federation_hosts=[STS])
    assert judged.causes[0] == "APC111"
    assert "APC154" not in judged.causes
    assert judged.finding("APC154", "fail")["because"] == ["APC111"]


def test_a_federation_host_that_was_not_seen_to_its_end_is_unknown(judge: Judge) -> None:
    judged = judge(lambda world: world.stage(STS, "handshake", {"state": "not_run"}), federation_hosts=[STS])
    assert judged.verdict == "inconclusive"
    assert judged.status("APC154") == {"unknown"}


@pytest.mark.parametrize("value", ["sts.contoso.example", "https://sts.contoso.example", "a b:443"])
def test_a_bad_federation_host_is_named(value: str) -> None:
    with pytest.raises(OptionError, match="federation_hosts: "):
        parse_options({"tenant_id": TENANT, "federation_hosts": [value]}, NOW)


# --- the chains that were seen -------------------------------------------------------------------------------------------


def test_each_chain_is_told_once_with_where_it_was_shown(judge: Judge, pki: Pki) -> None:
    forged = pki.leaf("login.microsoftonline.com", by=pki.company_issuing)

    def change(world: World) -> None:
        world.shows(LOGIN, forged, trusted=False)
        # A box that opens TLS 1.2 and lets 1.3 pass.
        world.first[REGISTRATION]["stages"]["hello"] = world.shown(forged)["hello"]

    told = {(one["standing"], one["trusted"]): one for one in judge(change).result["chains"]}
    assert set(told) == {("private", False), ("private", None), ("public", True)}
    of_forged, of_hello, genuine = told["private", False], told["private", None], told["public", True]
    assert (of_forged["endpoints"], of_hello["endpoints"]) == ([LOGIN], [REGISTRATION])
    assert REGISTRATION in genuine["endpoints"]
    assert LOGIN not in genuine["endpoints"]
    leaf = of_forged["certificates"][0]
    assert leaf["sha256"] == hashlib.sha256(forged.certificate.public_bytes(Encoding.DER)).hexdigest()
    assert (leaf["signature"], leaf["not_after"]) == ("sha256", forged.certificate.not_valid_after_utc.strftime(SEEN_AT))
    assert leaf["issuer"] == of_forged["certificates"][1]["subject"]


# --- whose product stands in the way ----------------------------------------------------------------------------------------


def refusal(captured: str) -> dict[str, Any]:
    """The stage of a proxy that answers a CONNECT like this."""
    head, _end, body = captured.partition("\n\n")
    status, *lines = head.splitlines()
    headers = {name.lower(): [value] for name, value in (line.split(": ", maxsplit=1) for line in lines)}
    number = int(status.split()[1])
    return error("auth_required" if number == 407 else "denied", facts=answer(number, body.encode())["facts"] | {"headers": headers})


SQUID_57 = """HTTP/1.1 403 Forbidden
Server: squid/5.7
Content-Type: text/html;charset=utf-8
X-Squid-Error: ERR_ACCESS_DENIED 0
X-Cache: MISS from proxy.example.com
Via: 1.1 proxy.example.com (squid/5.7)
Connection: keep-alive

<!DOCTYPE html PUBLIC "-//W3C//DTD HTML 4.01//EN" "http://www.w3.org/TR/html4/strict.dtd">
"""
TINYPROXY_1111 = """HTTP/1.0 403 Access denied
Server: tinyproxy/1.11.1
Content-Type: text/html
Connection: close

<?xml version="1.0" encoding="UTF-8" ?>
"""
TINYPROXY_1111_PASSWORD = """HTTP/1.0 407 Proxy Authentication Required
Server: tinyproxy/1.11.1
Content-Type: text/html
Proxy-Authenticate: Basic realm="Tinyproxy"
Connection: close

<?xml version="1.0" encoding="UTF-8" ?>
"""
"""What Squid 5.7 and tinyproxy 1.11.1 really answered to a CONNECT: of the headers those that the engines keep, the page's first line."""


def everywhere(stage: str, seen: dict[str, Any]) -> Change:
    return lambda world: [world.stage(one.id, stage, seen) for one in world.endpoints] and None


@pytest.mark.parametrize(("captured", "product", "id_"), [
    (SQUID_57, "Squid", "APC123"), (TINYPROXY_1111, "tinyproxy", "APC123"), (TINYPROXY_1111_PASSWORD, "tinyproxy", "APC122"),
])
def test_a_proxy_that_refuses_is_named_beside_its_refusal(judge: Judge, captured: str, product: str, id_: str) -> None:
    judged = judge(everywhere("proxy", refusal(captured)), proxy=PROXY)
    found = judged.finding("APC147", "warn")
    assert (found["evidence"]["product"], found["evidence"]["certainty"], found["severity"]) == (product, "names itself", "info")
    assert id_ in found["because"]
    assert found["evidence"]["known_from"].startswith("https://")
    # It is nobody's cause, changes nothing, and is said where a person reads what to do.
    assert "APC147" not in judged.causes
    assert judged.result["causes"][0]["hint"].endswith(f" It is likely {product} (APC147).")
    assert f"likely {product}" not in judged.finding(id_, "fail")["hint"]
    assert judged.result["counts"]["warn"] == 1


def test_one_product_on_a_path_is_one_finding_beside_all_that_it_explains(judge: Judge, pki: Pki) -> None:
    def change(world: World) -> None:
        for target in (LOGIN, REGISTRATION):
            world.first[target]["stages"] |= world.shown(pki.leaf(target.split(":", maxsplit=1)[0], by=pki.appliance), trusted=False)
        world.stage(REGISTRATION, "request", answer(403, b"<p>FortiGuard Web Filtering</p>"))
        world.first["crl3.digicert.com:80"]["stages"]["request"] = answer(200, b"<p>Powered By FortiGuard</p>", content_type="text/html")

    judged = judge(change)
    found = judged.finding("APC147", "warn")
    assert found["evidence"]["product"] == "Fortinet FortiGate"
    assert found["evidence"]["certainty"] == "typical"
    assert {"APC141", "APC151"} <= set(found["because"])
    assert {LOGIN, REGISTRATION} <= set(found["endpoints"])
    assert "issuer O Fortinet" in found["evidence"]["signs"]
    assert "page FortiGuard Web Filtering" in found["evidence"]["signs"]


def test_the_surest_sign_is_the_certainty(judge: Judge) -> None:
    passed_on = error("denied", facts=answer(403, via="1.1 a (squid/5.7)")["facts"])
    judged = judge(everywhere("proxy", passed_on), proxy=PROXY)
    assert judged.finding("APC147", "warn")["evidence"]["certainty"] == "typical"
    judged = judge(everywhere("proxy", error("denied", facts=answer(470)["facts"])), proxy=PROXY)
    assert judged.finding("APC147", "warn")["evidence"]["certainty"] == "hint"
    assert judged.finding("APC147", "warn")["evidence"]["product"] == "Azure Firewall"


@pytest.mark.parametrize("status", [200, 403, 503])
def test_what_the_genuine_service_says_names_nobody(judge: Judge, status: int) -> None:
    said = answer(status, b"Internet Security by Zscaler", server="squid/5.7", via="1.1 a (squid/5.7)", x_squid_error="ERR_ACCESS_DENIED 0")
    judged = judge(everywhere("request", said))
    # Of the hosts of revocation lists on port 80 nobody knows that it is they: there it is a page in the place of a list.
    found = [one for one in judged.result["findings"] if one["id"] == "APC147" and one["status"] == "warn"]
    assert [one for found_ in found for one in found_["endpoints"] if one.endswith(":443")] == []


def test_a_box_that_opens_tls12_alone_is_named_by_its_certificate_and_not_by_the_genuine_answer(judge: Judge, pki: Pki) -> None:
    def change(world: World) -> None:
        forged = world.shown(pki.leaf(REGISTRATION.split(":", maxsplit=1)[0], by=pki.appliance))
        world.stage(REGISTRATION, "hello", forged["hello"])
        world.stage(REGISTRATION, "request", answer(404, server="squid/5.7"))

    found = judge(change).finding("APC147", "warn")
    assert (found["evidence"]["product"], found["evidence"]["signs"]) == ("Fortinet FortiGate", "issuer O Fortinet")
    assert found["because"] == ["APC141"]


def test_a_proxy_that_lets_through_is_not_named(judge: Judge) -> None:
    let_through = ok(status=200, reason="", headers={"via": ["1.1 a (squid/5.7)"], "server": ["squid/5.7"]}, challenges=[])
    judged = judge(everywhere("proxy", let_through), proxy=PROXY)
    assert judged.verdict == "ready"
    assert judged.status("APC147") == {"pass"}


def test_a_box_without_a_name_is_not_named_and_leaves_nothing_open(judge: Judge) -> None:
    judged = judge(lambda world: [inspected(world, one.id, trusted=True) for one in world.endpoints if one.tls] and None)
    assert judged.status("APC147") == {"not_applicable"}
    judged = judge(checks=["APC147"])
    assert judged.verdict == "ready"
    judged = judge(lambda world: world.stage(REGISTRATION, "connect", error("timeout")), checks=["APC147"])
    assert judged.verdict == "ready"


def test_a_name_that_stands_alone_is_said_and_stops_nobody(judge: Judge) -> None:
    judged = judge(everywhere("proxy", refusal(SQUID_57)), proxy=PROXY, checks=["APC147"], fail_on="warning")
    assert judged.causes == ["APC147"]
    assert (judged.verdict, judged.result["failed"]) == ("ready", False)


def test_a_name_is_waived_with_what_it_goes_with_or_by_itself(judge: Judge) -> None:
    until = (NOW + timedelta(days=5)).date().isoformat()
    ids = ("APC122", "APC123", "APC161")

    def waive(*waived: str, **options: Any) -> Judged:
        waivers = [{"id": id_, "until": until, "reason": "known"} for id_ in waived]
        return judge(everywhere("proxy", refusal(SQUID_57)), proxy=PROXY, waivers=waivers, unknown="report", **options)

    assert waive("APC147").status("APC147") == {"waived"}
    judged = waive(*ids)
    assert judged.status("APC147") == {"waived"}
    assert [one["title"] for one in judged.result["causes"] if "APC147" in one["id"] + one["title"]] == []
    # Alone, it hides nothing: what was not seen was not seen for another reason.
    judged = waive("APC147", skip_checks=list(ids))
    assert judged.status("APC147") == {"waived"}
    assert [one["id"] for one in judged.result["findings"] if "APC147" in one["because"]] == []


def test_where_no_certificate_was_seen_no_chain_is_told(judge: Judge) -> None:
    assert judge(lambda world: world.every("connect", error("timeout"))).result["chains"] == []
