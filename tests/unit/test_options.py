# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options: what is good is read, what is bad gets one message that names the option and what to write."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from ansible_collections.appproxy.connector.plugins.plugin_utils.options import OptionError, parse_options
from ansible_collections.appproxy.connector.plugins.plugin_utils.preflight import plan

TENANT = "00000000-1111-2222-3333-444444444444"
NOW = datetime(2026, 11, 26, 1, 15, tzinfo=timezone.utc)
WAIVER = {"id": "APC112", "until": "2026-12-31", "reason": "the rule comes in December"}


def read(**options: Any) -> Any:
    return parse_options({"tenant_id": TENANT, **options}, NOW)


@pytest.mark.parametrize(("options", "names"), [
    ({"tenant_id": ""}, ["tenant_id", "GUID", "none"]),
    ({"tenant_id": "contoso.example"}, ["tenant_id", "contoso.example", "GUID"]),
    ({"tenant_id": "{00000000-1111-2222-3333-444444444444}"}, ["tenant_id", "GUID"]),
    ({"cloud": "mars"}, ["cloud", "mars", "public", "usgov"]),
    ({"cloud": "china"}, ["cloud", "21Vianet", "documents no"]),
    ({"connector_version": "latest"}, ["connector_version", "latest"]),
    ({"proxy": "proxy.example:8080"}, ["proxy", "http://host:port"]),
    ({"proxy": "https://proxy.example:8080"}, ["proxy", "http://host:port"]),
    ({"proxy": "http://proxy.example"}, ["proxy", "http://host:port"]),
    ({"proxy": "http://proxy.example:99999"}, ["proxy", "http://host:port"]),
    ({"endpoints": ["no port here!"]}, ["endpoints", "no port here!", "host:port"]),
    ({"endpoints": ["https://"]}, ["endpoints", "host:port"]),
    ({"connect_to": {"login.microsoftonline.com": "192.0.2.1:443"}}, ["connect_to", "login.microsoftonline.com", "host:port"]),
    ({"connect_to": {"login.microsoftonline.com:443": "192.0.2.1"}}, ["connect_to", "address:port"]),
    ({"connect_to": {"login.microsoftonline.com:443": "192.0.2.1:\u0664\u0664\u0663"}}, ["connect_to", "address:port"]),
    ({"connect_to": "login.microsoftonline.com:443"}, ["connect_to", "map"]),
    ({"deadline": -1}, ["deadline", "-1", "seconds"]),
    ({"deadline": 0}, ["deadline", "seconds"]),
    ({"deadline": 100000}, ["deadline", "600"]),
    ({"checks": ["conectivity"]}, ["checks", "conectivity", "connectivity"]),
    ({"checks": [{"APC141": []}]}, ["checks", "APC141", "finding id"]),
    ({"skip_checks": ["APC999"]}, ["skip_checks", "APC999"]),
    ({"skip_checks": ["APC902"]}, ["skip_checks", "APC902", "unknown: report"]),
    ({"checks": ["tool"]}, ["checks", "nothing to ask"]),
    ({"skip_checks": ["connectivity"]}, ["skip_checks", "nothing to ask"]),
    ({"waivers": [{**WAIVER, "id": "APC901"}]}, ["waivers", "APC901", "unknown: report"]),
    ({"waivers": [{**WAIVER, "endpoint": "login.microsoftonline.com"}]}, ["waivers", "endpoint", "host:port"]),
    ({"as_of": "0001-01-01T00:00:00+14:00"}, ["as_of", "range"]),
    ({"waivers": [{"id": "APC112", "reason": "x"}]}, ["waivers", "number 1", "until", "YYYY-MM-DD"]),
    ({"waivers": [{**WAIVER, "until": "soon"}]}, ["waivers", "until", "soon", "YYYY-MM-DD"]),
    ({"waivers": [{**WAIVER, "until": "2026-02-30"}]}, ["waivers", "until", "2026-02-30"]),
    ({"waivers": [WAIVER, {"id": "APC112", "until": "2026-12-31"}]}, ["waivers", "number 2", "reason"]),
    ({"waivers": [{**WAIVER, "id": "APC000"}]}, ["waivers", "APC000"]),
    ({"waivers": [{**WAIVER, "ticket": "1"}]}, ["waivers", "ticket"]),
    ({"waivers": ["APC112"]}, ["waivers", "number 1"]),
    ({"fail_on": "always"}, ["fail_on", "always", "never"]),
    ({"unknown": "pass"}, ["unknown", "pass", "report"]),
    ({"as_of": "yesterday"}, ["as_of", "yesterday"]),
    ({"seen_from": "moon"}, ["seen_from", "moon"]),
])
def test_a_bad_option_gets_one_message_that_names_it_and_what_to_write(options: dict[str, Any], names: list[str]) -> None:
    with pytest.raises(OptionError) as raised:
        read(**options)
    message = str(raised.value)
    assert "\n" not in message
    assert [name for name in names if name not in message] == [], message


@pytest.mark.parametrize("options", [
    {"proxy": "http://someone:hunter2@proxy.example:8080"},
    {"endpoints": ["https://someone:hunter2@host.example/"]},
    {"connect_to": {"host.example:443": "someone:hunter2@192.0.2.1:443"}},
])
def test_a_password_is_refused_and_not_repeated(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="user name or password") as raised:
        read(**options)
    assert "hunter2" not in str(raised.value)
    assert "someone" not in str(raised.value)


def test_a_file_of_roots_that_is_none_is_a_bad_option(tmp_path: Any) -> None:
    for content in (None, "no certificate"):
        path = tmp_path / "roots.pem"
        if content:
            path.write_text(content)
        with pytest.raises(OptionError, match="public_roots"):
            plan(read(public_roots=str(path)), "server")


@pytest.mark.parametrize(("given", "read_as"), [
    ("http://Proxy.example:8080/", "http://proxy.example:8080"), ("http://[2001:db8::1]:3128", "http://[2001:db8::1]:3128"),
    ("direct", "direct"), ("auto", "auto"), (None, "auto"),
])
def test_proxies_are_read(given: Any, read_as: str) -> None:
    assert read(proxy=given).proxy == read_as


def test_the_tenant_is_in_the_endpoints_that_carry_it() -> None:
    hosts = [endpoint.host for endpoint in read(tenant_id=TENANT.upper()).endpoints]
    assert f"{TENANT}.registration.msappproxy.net" in hosts
    assert not any(".registration." in endpoint.host for endpoint in read(tenant_id="none").endpoints)


def test_the_users_own_endpoints_are_added_once() -> None:
    options = read(endpoints=["idp.example:443", "https://login.windows.net/adfs"])
    assert [endpoint.id for endpoint in options.endpoints].count("login.windows.net:443") == 1
    assert options.endpoints[-1].id == "idp.example:443"


def test_old_ports_only_for_old_connectors() -> None:
    def ports(version: str | None) -> set[int]:
        return {endpoint.port for endpoint in read(connector_version=version).endpoints}

    assert ports(None) == ports("1.5.1526.0") == {80, 443}
    assert 8080 in ports("1.5.1525.9")


def test_checks_and_skip_checks_take_areas_and_ids() -> None:
    assert "APC122" in read(checks=["APC122"]).checks
    assert "APC112" not in read(checks=["APC122"]).checks
    assert set(read(checks=["connectivity"]).checks) == set(read().checks)
    skipped = read(skip_checks=["APC141"])
    assert "APC141" not in skipped.checks
    assert skipped.left_out == ("APC141",)
    assert "APC112" in read(checks=["APC122"]).left_out


def test_what_the_tool_says_of_itself_is_always_asked_for() -> None:
    assert {"APC901", "APC902", "APC906"} <= set(read(checks=["APC122"]).checks)


def test_as_of_is_utc_and_the_clock_where_it_is_not_given() -> None:
    assert read().as_of == NOW
    assert read(as_of="2026-01-02T03:04:05+02:00").as_of == datetime(2026, 1, 2, 1, 4, 5, tzinfo=timezone.utc)
