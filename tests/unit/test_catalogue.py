# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue: endpoints, findings and authorities, and the pages that are made from or checked against them."""

from __future__ import annotations

import base64
import hashlib
import re
import string
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from ansible_collections.appproxy.connector.plugins.module_utils._probe_http import KEPT_HEADERS
from ansible_collections.appproxy.connector.plugins.plugin_utils.admin import Surroundings, parse_admin_options
from ansible_collections.appproxy.connector.plugins.plugin_utils.catalogue import page, roots, sources
from ansible_collections.appproxy.connector.plugins.plugin_utils.catalogue.endpoints import (
    CLOUDS,
    OCSP_HOSTS,
    ROOT_LIST_HOSTS,
    CatalogueError,
    endpoints,
    parse_version,
    unprobed,
    user_endpoint,
)
from ansible_collections.appproxy.connector.plugins.plugin_utils.catalogue.findings import FINDINGS
from ansible_collections.appproxy.connector.plugins.plugin_utils.catalogue.middleboxes import SIGNS, Kind, Sign
from ansible_collections.appproxy.connector.plugins.plugin_utils.model import (
    STANDARD_PLACEHOLDERS,
    Area,
    Endpoint,
    FindingSpec,
    Owner,
    Phase,
    Severity,
)
from ansible_collections.appproxy.connector.plugins.plugin_utils.options import SERVER_AREAS, parse_options

DOCS = Path(__file__).absolute().parent.parent.parent / "docs"
TENANT = "01234567-89ab-cdef-0123-456789abcdef"

# The design's table of findings built with connectivity: name, owner. 155, 156 and 907 came with the judges.
DESIGN = {
    "APC101": ("dns-name-not-found", "dns"),
    "APC102": ("dns-no-answer", "dns"),
    "APC103": ("dns-unexpected-address", "dns"),
    "APC111": ("tcp-refused", "network"),
    "APC112": ("tcp-timeout", "network"),
    "APC113": ("tcp-reset", "network"),
    "APC114": ("network-unreachable", "network"),
    "APC115": ("tcp-denied-locally", "server"),
    "APC116": ("tcp-partly-reachable", "network"),
    "APC117": ("connections-limited", "network"),
    "APC121": ("proxy-unreachable", "proxy"),
    "APC122": ("proxy-authentication-required", "proxy"),
    "APC123": ("proxy-denied", "proxy"),
    "APC124": ("proxy-cannot-reach", "proxy"),
    "APC125": ("proxy-port-not-allowed", "proxy"),
    "APC126": ("proxy-malformed", "proxy"),
    "APC131": ("tls-blocked", "network"),
    "APC132": ("tls-version-refused", "network"),
    "APC133": ("tls-no-common-cipher", "network"),
    "APC134": ("not-tls", "network"),
    "APC135": ("tls-stalled", "network"),
    "APC136": ("tls13-broken-on-path", "network"),
    "APC141": ("tls-inspected", "network"),
    "APC142": ("certificate-name-mismatch", "network"),
    "APC143": ("certificate-outside-validity", "network"),
    "APC144": ("certificate-untrusted-by-server", "server"),
    "APC145": ("client-certificate-not-requested", "network"),
    "APC146": ("chain-incomplete", "network"),
    "APC147": ("middlebox-likely", "network"),
    "APC151": ("http-blocked", "network"),
    "APC152": ("signin-page-not-reached", "network"),
    "APC153": ("websocket-cut", "network"),
    "APC154": ("federation-host-blocked", "network"),
    "APC155": ("service-error", "service"),
    "APC156": ("http-cut", "network"),
    "APC161": ("revocation-unreachable", "network"),
    "APC162": ("revocation-wrong-content", "network"),
    "APC201": ("tls12-not-offered", "server"),
    "APC202": ("tls12-off-by-default", "server"),
    "APC203": ("dotnet-strong-crypto-off", "server"),
    "APC204": ("dotnet-too-old", "server"),
    "APC211": ("sha512-not-offered", "server"),
    "APC212": ("sha512-hash-disabled", "server"),
    "APC213": ("sha512-cut-on-path", "network"),
    "APC214": ("trust-rehearsal-failed", "server"),
    "APC215": ("signature-list-damaged", "server"),
    "APC216": ("client-certificate-rehearsal-failed", "network"),
    "APC221": ("cipher-suites-restricted", "server"),
    "APC232": ("fips-mode", "server"),
    "APC301": ("signin-service-unreachable", "network"),
    "APC302": ("credentials-rejected", "identity"),
    "APC303": ("mfa-required", "identity"),
    "APC304": ("conditional-access-blocked", "identity"),
    "APC305": ("account-disabled-locked-or-expired", "identity"),
    "APC306": ("account-not-of-this-tenant", "identity"),
    "APC307": ("tenant-restricted-by-proxy", "proxy"),
    "APC308": ("token-unsuitable", "identity"),
    "APC311": ("role-missing", "identity"),
    "APC312": ("role-eligible-not-active", "identity"),
    "APC313": ("role-near-miss", "identity"),
    "APC314": ("first-connector-may-need-global-administrator", "identity"),
    "APC321": ("licence-missing", "identity"),
    "APC322": ("application-proxy-disabled", "identity"),
    "APC331": ("directory-read-not-permitted", "identity"),
    "APC401": ("os-unsupported", "server"),
    "APC402": ("os-near-end-of-support", "server"),
    "APC403": ("server-core", "server"),
    "APC411": ("too-small", "server"),
    "APC421": ("execution-policy-blocks-installer", "server"),
    "APC422": ("application-control", "server"),
    "APC431": ("reboot-pending", "server"),
    "APC441": ("clock-skew", "server"),
    "APC451": ("conflicting-product", "server"),
    "APC452": ("traffic-steered-by-client", "server"),
    "APC453": ("ephemeral-ports-low", "server"),
    "APC461": ("ie-enhanced-security", "server"),
    "APC471": ("not-administrator", "server"),
    "APC501": ("proxy-differs-by-identity", "server"),
    "APC502": ("revocation-goes-another-way", "server"),
    "APC503": ("proxy-address-malformed", "server"),
    "APC504": ("pac-unreachable", "proxy"),
    "APC505": ("pac-not-evaluated", "server"),
    "APC506": ("bypass-list-captures-service", "server"),
    "APC507": ("proxy-list-falls-back", "proxy"),
    "APC508": ("installing-user-unknown", "server"),
    "APC901": ("could-not-observe", "tool"),
    "APC902": ("not-run", "tool"),
    "APC903": ("partly-observed", "server"),
    "APC904": ("target-unsupported", "tool"),
    "APC905": ("library-missing", "tool"),
    "APC906": ("probe-not-understood", "tool"),
    "APC907": ("redirected-not-counted", "tool"),
}
MILDER = {
    "APC116": Severity.WARNING,
    "APC117": Severity.WARNING,
    "APC136": Severity.WARNING,
    "APC145": Severity.INFO,
    "APC146": Severity.WARNING,
    "APC147": Severity.INFO,
    "APC155": Severity.WARNING,
    "APC232": Severity.INFO,
    **dict.fromkeys(
        ("APC203", "APC213", "APC221", "APC314", "APC321", "APC402", "APC403", "APC411", "APC431", "APC452", "APC453", "APC461", "APC501",
         "APC504", "APC507"),
        Severity.WARNING,
    ),
}
# Evidence that the judges promise, by id (design and brief of the judges).
PROMISED = {
    "APC101": {"name"}, "APC102": {"name", "error"}, "APC103": {"name", "addresses"}, "APC116": {"dead", "alive"}, "APC117": {"stage"},
    "APC111": {"addresses", "error"}, "APC112": {"addresses", "error"}, "APC113": {"addresses", "error"},
    "APC114": {"addresses", "error"}, "APC115": {"addresses", "error"}, "APC121": {"error"}, "APC122": {"challenges", "status"},
    "APC123": {"status", "server"}, "APC124": {"status"}, "APC125": {"port"}, "APC126": {"error"}, "APC131": {"error"},
    "APC132": {"error", "alert"}, "APC133": {"error", "alert"}, "APC134": {"first_bytes"}, "APC135": {"bytes"}, "APC136": {"error"},
    "APC141": {"issuer", "subject", "root"}, "APC142": {"names"}, "APC143": {"not_before", "not_after"}, "APC144": {"root"},
    "APC145": set(), "APC146": {"issuer"}, "APC147": {"product", "certainty", "signs", "known_from"},
    "APC151": {"status", "server", "location"}, "APC152": {"status", "location"},
    "APC153": {"error"}, "APC155": {"status"}, "APC156": {"error"}, "APC161": {"urls", "error"}, "APC162": {"urls", "got"},
    "APC201": {"offered", "reason"}, "APC202": {"reason"}, "APC203": {"values"}, "APC204": {"release"}, "APC211": {"reason"},
    "APC212": {"reason"}, "APC213": {"how"}, "APC214": {"error"}, "APC215": {"list"}, "APC216": {"sha256", "sha512"},
    **dict.fromkeys(("APC302", "APC303", "APC304", "APC307"), {"who", "meaning", "code", "fix"}),
    "APC154": {"how"}, "APC301": {"error"},
    "APC305": {"who", "meaning", "fix"}, "APC306": {"who", "meaning"}, "APC308": {"meaning", "fix"}, "APC311": {"who", "reason"},
    "APC312": {"who", "role", "meaning"}, "APC313": {"who", "role", "meaning"}, "APC314": {"who", "connectors"}, "APC321": {"found"},
    "APC322": {"connectors"}, "APC331": {"what", "permissions"},
    "APC221": {"reason"}, "APC232": set(), "APC401": {"os"}, "APC402": {"os", "ends"}, "APC403": set(),
    "APC411": {"memory", "processors"}, "APC421": {"setting"}, "APC422": {"mode"}, "APC431": {"reasons"}, "APC441": {"skew", "by"},
    "APC451": {"product"}, "APC452": {"product"}, "APC453": {"number", "in_use"}, "APC461": {"who"}, "APC471": set(),
    "APC501": {"ways", "example"}, "APC502": {"windows_way", "service_way"}, "APC503": {"where", "address"},
    "APC504": {"pac", "error", "evaluated_as"}, "APC505": {"pac", "why"}, "APC506": {"bypass", "set_proxy"}, "APC507": {"dead", "used"},
    "APC508": {"account", "error"},
    "APC901": {"error"}, "APC902": {"stages"}, "APC903": {"facts"},
    "APC904": {"error"}, "APC905": {"library"}, "APC906": {"error"}, "APC907": {"to"},
}
SPECS = pytest.mark.parametrize("spec", FINDINGS.values(), ids=FINDINGS.keys())


def placeholders(text: str) -> set[str]:
    return {name for _literal, name, _format, _conversion in string.Formatter().parse(text) if name is not None}


def by_id(cloud: str, tenant: str | None = TENANT, version: str | None = None) -> dict[str, Endpoint]:
    return {endpoint.id: endpoint for endpoint in endpoints(cloud, tenant, version)}


# --- findings ------------------------------------------------------------------------------------------------------------


def test_the_findings_are_those_of_the_design() -> None:
    assert {id_: (spec.name, spec.owner.value) for id_, spec in FINDINGS.items()} == DESIGN
    assert list(FINDINGS) == sorted(FINDINGS)
    assert all(id_ == spec.id for id_, spec in FINDINGS.items())


@SPECS
def test_severity_and_area(spec: FindingSpec) -> None:
    assert spec.severity is MILDER.get(spec.id, Severity.ERROR)
    by_hundred = {"1": Area.CONNECTIVITY, "2": Area.TRUST, "3": Area.ADMIN, "4": Area.SERVER, "5": Area.SERVER, "9": Area.TOOL}
    assert spec.area is by_hundred[spec.id[3]]
    assert (spec.owner is Owner.TOOL) <= (spec.area is Area.TOOL)


@SPECS
def test_words_use_declared_evidence_only(spec: FindingSpec) -> None:
    assert set(spec.evidence) <= PROMISED[spec.id]
    assert placeholders(spec.title) | placeholders(spec.hint) <= {*spec.evidence, *STANDARD_PLACEHOLDERS}
    assert placeholders(spec.cause) == set()


@SPECS
def test_words_can_be_read_aloud(spec: FindingSpec) -> None:
    values = dict.fromkeys((*spec.evidence, *STANDARD_PLACEHOLDERS), "x")
    title, hint = spec.title.format(**values), spec.hint.format(**values)
    assert title
    assert "\n" not in title
    assert not title.endswith(".")
    assert len(title) <= 120
    # A hint that is the error code's own stands in the table of codes.
    assert spec.hint == "{fix}" or hint.endswith((".", ")"))
    assert len(hint) <= 520
    assert spec.cause.endswith(".") or spec.cause.endswith(")")
    for text in (title, spec.cause, hint):
        assert "  " not in text
        assert "{" not in text
        assert "}" not in text
        # A rule by today's address is wrong tomorrow.
        assert not re.search(r"\b\d{1,3}(\.\d{1,3}){3}\b", text)


_TOLD_BY_OTHERS = {"APC403": ("https://github.com/MicrosoftDocs/azure-docs/issues",), "APC452": ("https://help.zscaler.com/",)}


@SPECS
def test_every_finding_has_a_link_and_a_source(spec: FindingSpec) -> None:
    assert spec.sources
    # What Microsoft says nothing of is told by who knows it.
    own = ("https://docs.ansible.com/",) if spec.area is Area.TOOL else _TOLD_BY_OTHERS.get(spec.id, ())
    assert spec.docs.startswith(("https://learn.microsoft.com/", *own))
    assert any(source.startswith(spec.docs) for source in spec.sources)
    assert len(set(spec.sources)) == len(spec.sources)


# --- pages ---------------------------------------------------------------------------------------------------------------

SECTIONS = ["Symptom", "Cause", "Fix", "How to verify", "Sources"]


@SPECS
def test_every_finding_has_its_page(spec: FindingSpec) -> None:
    text = (DOCS / "findings" / f"{spec.id}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {spec.id} {spec.name}\n")
    assert f"Who mends it: {spec.owner.value}. Severity: {spec.severity.value}." in text
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    parts = dict(zip(SECTIONS, re.split(r"^## .*$", text, flags=re.MULTILINE)[1:], strict=True))
    assert all(part.strip() for part in parts.values())
    assert spec.cause in " ".join(parts["Cause"].split())
    (example,) = re.findall(r"^```yaml\n(.*?)^```$", parts["How to verify"], re.MULTILINE | re.DOTALL)
    assert "# and the same proxy, cloud and other options as before\n" in example
    ((module, arguments),) = yaml.safe_load(example)[0].items()
    modules = ("connectivity", "preflight") if spec.area is Area.TOOL else (spec.area.value,)
    assert module in {f"appproxy.connector.{name}" for name in modules}
    # What the tool says of itself is always asked for, and `checks` with nothing else is refused.
    assert arguments.get("checks") == (None if spec.area is Area.TOOL else [spec.id])
    now = datetime(2026, 11, 26, tzinfo=timezone.utc)
    if spec.area is Area.ADMIN:
        parse_admin_options({**arguments, "tenant_id": TENANT}, {}, now, Surroundings())
    else:
        parse_options({**arguments, "tenant_id": TENANT}, now, SERVER_AREAS)
    assert ("a full run" in parts["How to verify"]) is (spec.area is not Area.TOOL)
    assert re.search(r"^```(powershell|shell)$", parts["How to verify"], re.MULTILINE)
    assert max(map(len, re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL).splitlines())) <= 220
    for source in spec.sources:
        assert source.split(" ")[0] in parts["Sources"], source
    for linked in re.findall(r"\]\(([^):]+\.md)\)", text):
        assert (DOCS / "findings" / linked).resolve().is_file(), linked


def test_no_page_without_its_finding() -> None:
    assert {path.stem for path in (DOCS / "findings").glob("APC*.md")} == set(FINDINGS)


@pytest.mark.parametrize(("name", "made"), [
    ("endpoints.md", page.endpoints_page), ("findings/README.md", page.findings_page), ("calls.md", page.calls_page),
    ("sign-in-errors.md", page.sign_in_errors_page), ("middleboxes.md", page.middleboxes_page),
])
def test_the_tables_are_made_from_the_catalogue(name: str, made: object) -> None:
    assert callable(made)
    text = made()
    assert (DOCS / name).read_text(encoding="utf-8") == text, f"write catalogue.page.{made.__name__}() to docs/{name}"


# --- endpoints -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("version", [None, "1.5.36.0", "1.5.612.0", "1.5.1526.0"])
def test_endpoints_are_whole_and_unique(cloud: str, version: str | None) -> None:
    found = endpoints(cloud, TENANT, version)
    assert len({endpoint.id for endpoint in found}) == len(found)
    for endpoint in found:
        assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", endpoint.host), endpoint.host
        assert urlsplit(endpoint.source).scheme == "https"
        assert endpoint.date
        assert endpoint.row
        assert endpoint.stands_for
        assert endpoint.get.startswith("/")
        assert endpoint.tls is not (endpoint.port == 80)
        wildcard = endpoint.stands_for.removeprefix("*")
        assert endpoint.host == wildcard or (endpoint.stands_for.startswith("*.") and endpoint.host.endswith(wildcard))


def test_public_cloud_has_every_documented_row() -> None:
    rules = {endpoint.stands_for for endpoint in endpoints("public", TENANT, None)} | {one.name for one in unprobed("public")}
    assert rules >= {
        "*.msappproxy.net", "*.servicebus.windows.net", "crl3.digicert.com", "crl4.digicert.com", "ocsp.digicert.com",
        "crl.microsoft.com", "oneocsp.microsoft.com", "ocsp.msocsp.com", "login.windows.net", "*.microsoftonline.com",
        "*.microsoftonline-p.com", "*.msauth.net", "*.msauthimages.net", "*.msecnd.net", "*.msftauth.net", "*.msftauthimages.net",
        "*.phonefactor.net", "enterpriseregistration.windows.net", "management.azure.com", "ctldl.windowsupdate.com",
        "www.microsoft.com", "policykeyservice.dc.ad.msft.net",
    }


def test_government_has_every_documented_row() -> None:
    rules = {endpoint.stands_for for endpoint in endpoints("usgov", TENANT, None)} | {one.name for one in unprobed("usgov")}
    assert rules >= {
        "*.msappproxy.us", "*.servicebus.usgovcloudapi.net", "mscrl.microsoft.us", "crl.microsoft.us", "ocsp.msocsp.us",
        "www.microsoft.us", "login.windows.us", "secure.aadcdn.microsoftonline-p.com", "*.microsoftonline.us", "*.microsoftonline-p.us",
        "*.msauth.net", "*.msauthimages.net", "*.msecnd.net", "*.msftauth.net", "*.msftauthimages.net", "*.phonefactor.net",
        "enterpriseregistration.windows.net", "management.azure.com", "policykeyservice.dc.ad.msft.net", "ctldl.windowsupdate.us",
    }


def test_service_bus_has_samples_in_two_regions() -> None:
    samples = [endpoint for endpoint in endpoints("public", TENANT, None) if endpoint.stands_for == "*.servicebus.windows.net"]
    assert len(samples) >= 4
    assert all(one.sample and one.needed and one.websocket == "/$servicebus/websocket" for one in samples)
    assert len({one.host.split("-")[1] for one in samples}) >= 2


def test_deeper_names_are_sampled() -> None:
    for part in (".connector.msappproxy.net", ".renewtrust.msappproxy.net"):
        deeper = [endpoint for endpoint in endpoints("public", TENANT, None) if endpoint.host.endswith(part)]
        assert deeper
        assert all(one.sample and one.needed for one in deeper)


def test_the_tenant_is_part_of_its_hosts() -> None:
    for cloud, end in (("public", "net"), ("usgov", "us")):
        found = by_id(cloud)
        for part in ("registration", "bootstrap"):
            endpoint = found[f"{TENANT}.{part}.msappproxy.{end}:443"]
            assert endpoint.needed
            assert not endpoint.sample
            assert endpoint.get == "/"
        without = by_id(cloud, None)
        assert found.keys() - without.keys() == {f"{TENANT}.{part}.msappproxy.{end}:443" for part in ("registration", "bootstrap")}


def test_names_that_are_inferred_say_so() -> None:
    found = by_id("usgov")
    for part in ("registration", "bootstrap"):
        assert "inferred" in found[f"{TENANT}.{part}.msappproxy.us:443"].note


def test_contradictions_of_the_documents_are_said() -> None:
    public, government = by_id("public"), by_id("usgov")
    for endpoint in (public["policykeyservice.dc.ad.msft.net:443"], public["mscrl.microsoft.com:80"], government["crl3.digicert.com:80"],
                     government["ctldl.windowsupdate.us:80"], public["ctldl.windowsupdate.com:443"]):
        assert endpoint.note
        assert not endpoint.needed
    assert "ctdl" in public["ctldl.windowsupdate.com:80"].note


def test_the_audience_is_no_endpoint() -> None:
    assert not any("cloudwebappproxy" in id_ for cloud in CLOUDS for id_ in by_id(cloud, version="1.5.36.0"))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_revocation_is_plain_http_and_asks_for_real_content(cloud: str) -> None:
    found = [endpoint for endpoint in endpoints(cloud, TENANT, None) if endpoint.phase is Phase.REVOCATION and not endpoint.tls]
    assert all(endpoint.port == 80 for endpoint in found)
    if cloud == "public":
        assert {endpoint.host for endpoint in found if endpoint.needed and endpoint.get == "/"} == {"ocsp.msocsp.com"}
        assert by_id(cloud)["crl3.digicert.com:80"].get.endswith(".crl")
    hosts = {endpoint.host for endpoint in found}
    assert hosts & OCSP_HOSTS
    assert hosts & ROOT_LIST_HOSTS


def _tlv(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Short-form DER only: tag and content of each element."""
    while data:
        tag, length = data[0], data[1]
        assert length < 0x80
        assert len(data) >= 2 + length
        yield tag, data[2:2 + length]
        data = data[2 + length:]


@pytest.mark.parametrize(("id_", "key", "serial"), [
    # The key ids are those of DigiCert Global Root G2 and of Microsoft TLS RSA Root G2.
    ("ocsp.digicert.com:80", "4e2254201895e6e36ee60ffafab912ed06178f39", "0b0c6b2c466917b04773c647d4afc0c8"),
    ("oneocsp.microsoft.com:80", "de918648b7a1315931f14b5f07a9dc8879daa876", "330000000c4964a16f44203b2200000000000c"),
])
def test_ocsp_paths_are_requests(id_: str, key: str, serial: str) -> None:
    der = base64.b64decode(unquote(by_id("public")[id_].get.rsplit("/", maxsplit=1)[1]), validate=True)
    ((dummy, body),) = _tlv(der)  # OCSPRequest
    ((dummy, requests),) = _tlv(next(_tlv(body))[1])  # TBSRequest: requestList
    ((dummy, cert_id),) = _tlv(next(_tlv(requests))[1])
    algorithm, name_hash, key_hash, number = (content for dummy, content in _tlv(cert_id))
    assert algorithm == bytes.fromhex("06052b0e03021a0500")  # SHA-1, which responders index by
    assert (len(name_hash), key_hash.hex(), number.hex()) == (20, key, serial)


def test_old_ports_only_for_old_connectors() -> None:
    new = by_id("public", version="1.5.1526.0")
    assert new == by_id("public")
    for version, needed in (("1.5.36.0", True), ("1.5.131.9", True), ("1.5.132.0", False), ("1.5.1525.9", False)):
        old = by_id("public", version=version)
        assert old.keys() - new.keys() == {
            f"{TENANT}.bootstrap.msappproxy.net:8080", "register.msappproxy.net:9090", "updater.msappproxy.net:8080",
        }
        assert old[f"{TENANT}.bootstrap.msappproxy.net:8080"].needed is needed
        assert {one.name for one in unprobed("public", version)} > {one.name for one in unprobed("public")}
    assert by_id("usgov", version="1.5.36.0") == by_id("usgov")


@pytest.mark.parametrize("text", ["", "1", "1.5.3437", "1.5.3437.0.1", "v1.5.3437.0", "1.5.3437.x", "1..5.0", " 1.5.3437.0"])
def test_bad_versions_are_refused(text: str) -> None:
    with pytest.raises(CatalogueError, match=r"connector_version.*four numbers"):
        parse_version(text)


def test_versions_compare_as_numbers() -> None:
    assert parse_version("1.5.612.0") < parse_version("1.5.1526.0") == (1, 5, 1526, 0)


@pytest.mark.parametrize("cloud", ["", "Public", "gcc", "azure"])
def test_unknown_clouds_name_the_known_ones(cloud: str) -> None:
    with pytest.raises(CatalogueError, match="public, usgov"):
        endpoints(cloud, TENANT, None)
    with pytest.raises(CatalogueError, match="public, usgov"):
        unprobed(cloud)


@pytest.mark.parametrize("cloud", ["china", "China"])
def test_china_is_refused_with_its_reason(cloud: str) -> None:
    with pytest.raises(CatalogueError, match=r"documents no endpoints .* 21Vianet"):
        endpoints(cloud, TENANT, None)


@pytest.mark.parametrize(("text", "host", "port", "tls", "get"), [
    ("app.example:443", "app.example", 443, True, "/"),
    ("app.example:8443", "app.example", 8443, True, "/"),
    ("app.example:80", "app.example", 80, False, "/"),
    ("192.0.2.7:443", "192.0.2.7", 443, True, "/"),
    ("https://App.Example", "app.example", 443, True, "/"),
    ("https://app.example:444/health?full=1", "app.example", 444, True, "/health?full=1"),
    ("http://app.example", "app.example", 80, False, "/"),
    ("http://app.example:8080/a", "app.example", 8080, False, "/a"),
    (" https://app.example. ", "app.example", 443, True, "/"),
])
def test_users_endpoints(text: str, host: str, port: int, tls: bool, get: str) -> None:
    endpoint = user_endpoint(text)
    assert (endpoint.host, endpoint.port, endpoint.tls, endpoint.get) == (host, port, tls, get)
    assert endpoint.phase is Phase.EXTRA
    assert endpoint.needed
    assert endpoint.source == "option endpoints"


@pytest.mark.parametrize("text", [
    "", "app.example", "app.example/path", "app.example:443/path", "app.example:0", "app.example:65536", "app.example:port", ":443",
    "https://", "ftp://app.example", "https://app.example#top", "https://app example", "[::1]:443",
    "-app.example:443", "app..example:443", "*.example:443", f"{'a' * 64}.example:443", "app.example:443\nother.example:443",
])
def test_malformed_endpoints_say_what_to_write(text: str) -> None:
    with pytest.raises(CatalogueError) as caught:
        user_endpoint(text)
    assert str(caught.value).startswith(f"endpoints: {text!r}")
    assert "write host:port, https://host[:port][/path] or http://host[:port][/path]" in str(caught.value)


def test_a_password_in_an_endpoint_is_refused_and_not_repeated() -> None:
    with pytest.raises(CatalogueError, match=r"^endpoints: .*password.*write host:port") as caught:
        user_endpoint("https://user:secret@app.example")
    assert "secret" not in str(caught.value)


# --- authorities ---------------------------------------------------------------------------------------------------------


def test_authorities_are_well_formed_and_unique() -> None:
    everything = (*roots.KNOWN_ROOTS, *roots.KNOWN_INTERMEDIATES)
    names = {authority.name for authority in everything}
    for authority in everything:
        assert re.fullmatch(r"[0-9a-f]{40}", authority.sha1)
        assert re.fullmatch(r"([0-9a-f]{64})?", authority.sha256)
        assert authority.issuer in names
        assert authority.source.startswith("https://")
        assert authority.date
    for kind in ("sha1", "sha256"):
        digests = [getattr(authority, kind) for authority in everything if getattr(authority, kind)]
        assert len(set(digests)) == len(digests)
    assert all(authority.issuer == authority.name for authority in roots.KNOWN_ROOTS)
    assert not any(authority.issuer == authority.name for authority in roots.KNOWN_INTERMEDIATES)


def test_authorities_agree_with_certifi() -> None:
    certifi = pytest.importorskip("certifi")
    blocks = re.findall("-----BEGIN CERTIFICATE-----(.*?)-----END", Path(certifi.where()).read_text(encoding="ascii"), re.DOTALL)
    public = {hashlib.sha1(der).hexdigest(): hashlib.sha256(der).hexdigest() for der in map(base64.b64decode, blocks)}  # noqa: S324
    shared = [authority for authority in roots.KNOWN_ROOTS if authority.sha1 in public]
    assert {authority.name for authority in shared} >= {"DigiCert Global Root G2", "Microsoft RSA Root Certificate Authority 2017"}
    for authority in shared:
        assert not authority.sha256 or authority.sha256 == public[authority.sha1]


def test_the_digest_covers_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    before = roots.digest()
    assert re.fullmatch(r"[0-9a-f]{64}", before)
    assert roots.digest() == before
    monkeypatch.setattr(roots, "KNOWN_INTERMEDIATES", tuple(reversed(roots.KNOWN_INTERMEDIATES)))
    assert roots.digest() == before
    monkeypatch.setattr(roots, "KNOWN_INTERMEDIATES", roots.KNOWN_INTERMEDIATES[1:])
    assert roots.digest() != before


def test_intermediates_are_found_by_either_digest() -> None:
    authority = next(one for one in roots.KNOWN_INTERMEDIATES if one.sha256)
    assert {authority.sha1, authority.sha256} <= roots.KNOWN_AUTHORITIES
    assert "" not in roots.KNOWN_AUTHORITIES


# --- signs of middleboxes ------------------------------------------------------------------------------------------------


def products(kind: Kind, part: str, text: str) -> set[str]:
    return {one.product for one in SIGNS if one.kind is kind and one.part == part and one.found_in(text)}


@pytest.mark.parametrize("sign", SIGNS, ids=lambda one: f"{one.product} {one.kind.value} {one.part}")
def test_a_sign_is_readable_and_has_its_source(sign: Sign) -> None:
    assert re.compile(sign.pattern)
    assert not sign.found_in("")
    assert urlsplit(sign.source.url).scheme == "https"
    if sign.kind is Kind.HEADER:
        assert sign.part in KEPT_HEADERS, "an engine keeps no such header"
    else:
        assert sign.part in (("CN", "O") if sign.kind is Kind.ISSUER else ("",))
    # Two signs at the same place are told apart by what they match, or they are one.
    assert [one for one in SIGNS if (one.kind, one.part, one.pattern) == (sign.kind, sign.part, sign.pattern)] == [sign]


@pytest.mark.parametrize(("kind", "part", "text", "product"), [
    # As the sources show them.
    (Kind.ISSUER, "CN", "Zscaler Root CA", "Zscaler"),
    (Kind.ISSUER, "O", "Zscaler Inc.", "Zscaler"),
    (Kind.ISSUER, "O", "Fortinet", "Fortinet FortiGate"),
    (Kind.ISSUER, "CN", "Cisco Umbrella Root CA", "Cisco Umbrella"),
    (Kind.ISSUER, "CN", "Cisco Umbrella Primary SubCA", "Cisco Umbrella"),
    (Kind.ISSUER, "CN", "Sophos_CA_C01001BJ8V9GX", "Sophos"),
    (Kind.ISSUER, "CN", "Gateway CA - Cloudflare Managed G1", "Cloudflare Gateway"),
    (Kind.ISSUER, "CN", "DO_NOT_TRUST_FiddlerRoot", "Fiddler"),
    (Kind.HEADER, "server", "Zscaler/5.6", "Zscaler"),
    (Kind.HEADER, "server", "squid/3.1.20", "Squid"),
    (Kind.HEADER, "via", "1.0 localhost (squid/3.1.20)", "Squid"),
    (Kind.HEADER, "via", "1.1 wsa07.example:80 (Cisco-WSA/9.1.2-010)", "Cisco Web Security Appliance"),
    (Kind.HEADER, "via", "HTTP/1.1 proxy.example (Websense_Content_Gateway/7.7.0 [c s f ])", "Forcepoint (Websense)"),
    (Kind.HEADER, "server", "BarracudaHTTP 4.0", "Barracuda firewall"),
    (Kind.HEADER, "location", "https://192.0.2.1:6082/php/urlblock.php?args=AAAA", "Palo Alto Networks firewall"),
    (Kind.PAGE, "", "<title>Internet Security by Zscaler</title>", "Zscaler"),
    (Kind.PAGE, "", "Action: Deny. Reason: No rule matched. Proceeding with default action.", "Azure Firewall"),
    (Kind.STATUS, "", "470", "Azure Firewall"),
])
def test_signs_are_those_of_their_sources(kind: Kind, part: str, text: str, product: str) -> None:
    assert products(kind, part, text) == {product}


@pytest.mark.parametrize(("kind", "part", "text"), [
    (Kind.ISSUER, "CN", "Microsoft Azure RSA TLS Issuing CA 04"),
    (Kind.ISSUER, "O", "Microsoft Corporation"),
    (Kind.ISSUER, "CN", "DigiCert Global Root G2"),
    (Kind.ISSUER, "O", "DigiCert Inc"),
    (Kind.ISSUER, "CN", "Example Corp TLS Inspection CA"),
    (Kind.HEADER, "server", "Microsoft-IIS/10.0"),
    (Kind.HEADER, "server", "Microsoft-HTTPAPI/2.0"),
    (Kind.HEADER, "via", "1.1 varnish"),
    (Kind.STATUS, "", "403"),
    (Kind.STATUS, "", "4703"),
])
def test_what_is_everybodys_is_no_sign(kind: Kind, part: str, text: str) -> None:
    assert products(kind, part, text) == set()


# --- sources -------------------------------------------------------------------------------------------------------------


def test_sources_are_addresses_with_dates_or_none() -> None:
    known = {name: value for name, value in vars(sources).items() if isinstance(value, sources.Source)}
    assert known
    for name, source in known.items():
        assert name == "OBSERVATION" or urlsplit(source.url).scheme == "https"
        assert re.fullmatch(r"(\d{4}(-\d{2}(-\d{2})?)?)?", source.date), name
