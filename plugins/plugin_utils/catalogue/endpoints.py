# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every host and port that a connector talks to, and the users' own.

The tables below are data. A host with `{tenant}` in it carries the tenant's id. `sample=True` is a name that stands for a
documented wildcard and that nobody promises to exist: it need not resolve. `needed=False` is documented or seen, but a
connector is not known to fail without it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from ..model import Endpoint, Phase
from . import sources
from .errors import CatalogueError
from .sources import Source

__all__ = [
    "CLOUDS",
    "OCSP_HOSTS",
    "PUBLIC",
    "ROOT_LIST_HOSTS",
    "USGOV",
    "CatalogueError",
    "Unprobed",
    "check_cloud",
    "endpoints",
    "federation_endpoint",
    "parse_version",
    "unprobed",
    "user_endpoint",
]

PUBLIC = "public"
USGOV = "usgov"
CLOUDS = (PUBLIC, USGOV)

SERVICE_BUS_SOCKET = "/$servicebus/websocket"
ROOT_LIST = "/msdownload/update/v3/static/trustedr/en/authrootstl.cab"
"""The list of trusted roots that Windows fetches."""

# OCSP requests in a path, as RFC 6960 A.1 writes them: is "Microsoft TLS RSA Root G2" (issued by DigiCert Global Root G2) or
# "Microsoft TLS G2 RSA CA OCSP 02" (issued by the former) revoked? Both run until June 2029. A responder answers such a request
# with application/ocsp-response whatever it thinks of the certificate; to "/" it may answer anything.
_OCSP_DIGICERT = (
    "/MFEwTzBNMEswSTAJBgUrDgMCGgUABBQ50otx%2Fh0Ztl%2Bz8SiPI7wEWVxDlQQUTiJUIBiV5uNu5g%2F6%2BrkS7QYXjzkCEAsMayxGaRewR3PGR9SvwMg%3D"
)
_OCSP_MICROSOFT = (
    "/ocsp/MFQwUjBQME4wTDAJBgUrDgMCGgUABBR0TBEVYklX7A9yLoLD9hqmCWDxFgQU3pGGSLehMVkx8UtfB6nciHnaqHYCEzMAAAAMSWShb0QgOyIAAAAAAAw%3D"
)

ROOT_LIST_HOSTS = frozenset({"ctldl.windowsupdate.com", "ctldl.windowsupdate.us"})
OCSP_HOSTS = frozenset({"ocsp.digicert.com", "oneocsp.microsoft.com", "ocsp.msocsp.com", "ocsp.msocsp.us"})
"""Where these are down and the lists are up, revocation still works (slower): that is a warning, no failure."""

ONE_PORT_SINCE = (1, 5, 1526, 0)
"""From this connector version on only 80 and 443 are used: the fallback to 8080 was removed."""
TWO_PORTS_SINCE = (1, 5, 132, 0)
"""Connectors older than this need the old ports; those between may fall back to them."""


@dataclass(frozen=True)
class Unprobed:
    """A documented name that no concrete host is known for, so nothing can be looked at."""

    name: str
    why: str


def _https(host: str, phase: Phase, stands_for: str, row: str, source: Source, **more: Any) -> Endpoint:
    return Endpoint(**{"port": 443, "tls": True, "needed": True, **more}, host=host, phase=phase, stands_for=stands_for,
                    row=row, source=source.url, date=source.date)


def _http(host: str, get: str, row: str, source: Source, **more: Any) -> Endpoint:
    return Endpoint(**{"port": 80, "needed": True, "stands_for": host, **more}, host=host, tls=False, phase=Phase.REVOCATION,
                    get=get, row=row, source=source.url, date=source.date)


def _sample(host: str, stands_for: str, seen: Source, **more: Any) -> Endpoint:
    return _https(host, Phase.RUNTIME, stands_for, _SERVICE, sources.CONNECTORS, sample=True, **more,
                  note=f"The name was seen in connectors' traffic: {seen}.")


def _bus(namespace: str, seen: Source) -> Endpoint:
    return _sample(f"{namespace}.servicebus.windows.net", "*.servicebus.windows.net", seen, websocket=SERVICE_BUS_SOCKET)


def _sign_in(host: str, stands_for: str, source: Source, **more: Any) -> Endpoint:
    return _https(host, Phase.SIGN_IN, stands_for, f"{stands_for}, 443: {_REGISTRATION}", source, **more)


_SERVICE = "*.msappproxy.net, *.servicebus.windows.net, 443: between the connector and the cloud service"
_REGISTRATION = "during registration, and later"
_CERTIFICATES = "80: to verify certificates"
_TRUST_LISTS = f"ctldl.windowsupdate.com, www.microsoft.com/pkiops, 443 and 80: {_REGISTRATION}"

_INFERRED = (
    "No public document or capture shows this name. It is inferred from the public cloud's <tenant>.{part}.msappproxy.net "
    "and the documented wildcard *.msappproxy.us."
)
_RETIRED = f"The only concrete names that Microsoft published belong to its retired multifactor server ({sources.MFA_SERVER.url})."
_NOT_LOADED_BY_ALL = "A file store of the sign-in page. Which of them a page loads from changes, so one alone is not known to be needed."
_GOV_REVOCATION = (
    "The Government page names it. No capture of a Government chain is public, so the addresses in the chains that were seen "
    "count for more."
)

_PUBLIC: tuple[Endpoint, ...] = (
    _sign_in("login.microsoftonline.com", "*.microsoftonline.com", sources.CONNECTORS),
    _sign_in("login.windows.net", "login.windows.net", sources.CONNECTORS),
    _https("{tenant}.registration.msappproxy.net", Phase.REGISTRATION, "*.msappproxy.net", _SERVICE, sources.CONNECTORS,
           note=f"The name stands in a page on seamless sign-on ({sources.SEAMLESS_SSO.url}) and in captures of a registration."),
    _https("{tenant}.bootstrap.msappproxy.net", Phase.BOOTSTRAP, "*.msappproxy.net", _SERVICE, sources.CONNECTORS,
           note=f"The name stands in a capture of connector 1.5.3437.0 ({sources.CAPTURE.url})."),
    # A connector learns the names of its namespaces after registration: these are samples.
    _bus("cwap-eur1-weur2", sources.CAPTURE),
    _bus("cwap-eur1-neur2", sources.CAPTURE),
    _bus("cwap-nam1-eus2", sources.MONITOR),
    _bus("cwap-nam1-cus2", sources.MONITOR),
    _bus("cwap-asia1-seas3", sources.MONITOR),
    _bus("cwap-aus1-eaus3", sources.MONITOR),
    # Other second labels than registration and bootstrap: rules made from the names of a registration do not cover them.
    _sample("vm18-proxy-appproxy-neur-dub01p-3.connector.msappproxy.net", "*.msappproxy.net", sources.CAPTURE),
    _sample("cwap-weur-1.renewtrust.msappproxy.net", "*.msappproxy.net", sources.CAPTURE),
    _sample("cwap-eus-2.renewtrust.msappproxy.net", "*.msappproxy.net", sources.MONITOR),
    _http("crl3.digicert.com", "/DigiCertGlobalRootG2.crl", _CERTIFICATES, sources.CONNECTORS),
    _http("crl4.digicert.com", "/DigiCertGlobalRootG2.crl", _CERTIFICATES, sources.CONNECTORS),
    _http("ocsp.digicert.com", _OCSP_DIGICERT, _CERTIFICATES, sources.CONNECTORS),
    _http("crl.microsoft.com", "/pki/crl/products/MicRooCerAut2011_2011_03_22.crl", _CERTIFICATES, sources.CONNECTORS),
    _http("oneocsp.microsoft.com", _OCSP_MICROSOFT, _CERTIFICATES, sources.CONNECTORS),
    _http("ocsp.msocsp.com", "/", _CERTIFICATES, sources.CONNECTORS,
          note="No certificate of today's chains is known that names it: that it answers at all is what counts."),
    _http("www.microsoft.com", "/pkiops/crl/Microsoft%20TLS%20RSA%20Root%20G2.crl", _TRUST_LISTS, sources.CONNECTORS,
          note="Older pages say www.microsoft.com:80, newer ones www.microsoft.com/pkiops. A rule by host name covers both."),
    _http("ctldl.windowsupdate.com", ROOT_LIST, _TRUST_LISTS, sources.CONNECTORS,
          note="A page of 2019 spells it ctdl.windowsupdate.com: a slip. Rules that were copied from it are wrong."),
    _https("ctldl.windowsupdate.com", Phase.REVOCATION, "ctldl.windowsupdate.com", _TRUST_LISTS, sources.CONNECTORS, needed=False,
           note="Documented for 443 and 80. Windows fetches the lists over port 80."),
    _https("www.microsoft.com", Phase.REVOCATION, "www.microsoft.com", _TRUST_LISTS, sources.CONNECTORS, needed=False,
           note="Documented for 443 and 80. Certificates name it with http:, so with port 80."),
    _http("mscrl.microsoft.com", "/", "mscrl.microsoft.com, 80: to verify certificates", sources.LIST_2019, needed=False,
          note="In the lists of 2018 and 2019 and among Azure's revocation hosts, absent from the connector's list of 2026."),
    _sign_in("secure.aadcdn.microsoftonline-p.com", "*.microsoftonline-p.com", sources.CONNECTORS, needed=False,
             note=_NOT_LOADED_BY_ALL),
    _sign_in("aadcdn.msauth.net", "*.msauth.net", sources.CONNECTORS, needed=False, note=_NOT_LOADED_BY_ALL),
    _sign_in("aadcdn.msftauth.net", "*.msftauth.net", sources.CONNECTORS, needed=False, note=_NOT_LOADED_BY_ALL),
    _sign_in("aadcdn.msauthimages.net", "*.msauthimages.net", sources.CONNECTORS, needed=False, note=_NOT_LOADED_BY_ALL),
    _sign_in("aadcdn.msftauthimages.net", "*.msftauthimages.net", sources.CONNECTORS, needed=False, note=_NOT_LOADED_BY_ALL),
    _sign_in("pfd.phonefactor.net", "*.phonefactor.net", sources.CONNECTORS, needed=False, sample=True,
             note=_RETIRED),
    _sign_in("enterpriseregistration.windows.net", "enterpriseregistration.windows.net", sources.CONNECTORS, needed=False,
             note="Documented; absent from the captures of a registration."),
    _sign_in("management.azure.com", "management.azure.com", sources.CONNECTORS, needed=False,
             note="Documented; absent from the captures of a registration."),
    _sign_in("policykeyservice.dc.ad.msft.net", "policykeyservice.dc.ad.msft.net", sources.PROXIES, needed=False,
             note="The page on proxies (2025-05-01) lists it, the connector's list (2026-02-04) does not."),
    _https("download.msappproxy.net", Phase.UPDATE, "*.msappproxy.net",
           "download.msappproxy.net: where the installer is fetched from", sources.VERSIONS, needed=False,
           note="In no list of its own; the wildcard *.msappproxy.net covers it."),
    _https("connector-update.msappproxy.net", Phase.UPDATE, "*.msappproxy.net", "the updater's channel", sources.MONITOR,
           needed=False, sample=True, note="Seen by one public tool only; unverified."),
)

_GOV_SERVICE = "*.msappproxy.us, *.servicebus.usgovcloudapi.net: between the agent and the cloud service"
_USGOV: tuple[Endpoint, ...] = (
    _sign_in("login.microsoftonline.us", "*.microsoftonline.us", sources.GOVERNMENT,
             note=f"The sign-in authority of the cloud ({sources.NATIONAL_CLOUDS.url})."),
    _sign_in("login.windows.us", "login.windows.us", sources.GOVERNMENT, needed=False,
             note="The Government page names it; the sign-in authority is documented as login.microsoftonline.us alone."),
    _https("{tenant}.registration.msappproxy.us", Phase.REGISTRATION, "*.msappproxy.us", _GOV_SERVICE, sources.GOVERNMENT,
           note=_INFERRED.format(part="registration")),
    _https("{tenant}.bootstrap.msappproxy.us", Phase.BOOTSTRAP, "*.msappproxy.us", _GOV_SERVICE, sources.GOVERNMENT,
           note=_INFERRED.format(part="bootstrap")),
    _http("crl.microsoft.us", "/", _CERTIFICATES, sources.GOVERNMENT, needed=False, note=_GOV_REVOCATION),
    _http("mscrl.microsoft.us", "/", _CERTIFICATES, sources.GOVERNMENT, needed=False, note=_GOV_REVOCATION),
    _http("ocsp.msocsp.us", "/", _CERTIFICATES, sources.GOVERNMENT, needed=False, note=_GOV_REVOCATION),
    _http("www.microsoft.us", "/", _CERTIFICATES, sources.GOVERNMENT, needed=False, note=_GOV_REVOCATION),
    _http("crl3.digicert.com", "/DigiCertGlobalRootG2.crl", "CRL hosts of Azure's certificates", sources.AZURE_CAS, needed=False,
          note="Not on the Government page; the page on Azure's certificates covers the national clouds and names it."),
    _http("crl4.digicert.com", "/DigiCertGlobalRootG2.crl", "CRL hosts of Azure's certificates", sources.AZURE_CAS, needed=False,
          note="Not on the Government page; the page on Azure's certificates covers the national clouds and names it."),
    _http("ocsp.digicert.com", _OCSP_DIGICERT, "OCSP hosts of Azure's certificates", sources.AZURE_CAS, needed=False,
          note="Not on the Government page; the page on Azure's certificates covers the national clouds and names it."),
    _http("ctldl.windowsupdate.us", "/", f"ctldl.windowsupdate.us, 80: {_REGISTRATION}", sources.GOVERNMENT, needed=False,
          note="The Government page names it; Windows itself asks ctldl.windowsupdate.com unless a policy says otherwise."),
    _http("ctldl.windowsupdate.com", ROOT_LIST, "Windows' own list of trusted roots", sources.AZURE_CAS, needed=False,
          note="Not on the Government page, which names ctldl.windowsupdate.us; Windows asks this one by default."),
    _sign_in("secure.aadcdn.microsoftonline-p.com", "secure.aadcdn.microsoftonline-p.com", sources.GOVERNMENT, needed=False,
             note=_NOT_LOADED_BY_ALL),
    _sign_in("aadcdn.msauth.net", "*.msauth.net", sources.GOVERNMENT, needed=False, note=_NOT_LOADED_BY_ALL),
    _sign_in("aadcdn.msftauth.net", "*.msftauth.net", sources.GOVERNMENT, needed=False, note=_NOT_LOADED_BY_ALL),
    _sign_in("aadcdn.msauthimages.net", "*.msauthimages.net", sources.GOVERNMENT, needed=False, note=_NOT_LOADED_BY_ALL),
    _sign_in("aadcdn.msftauthimages.net", "*.msftauthimages.net", sources.GOVERNMENT, needed=False, note=_NOT_LOADED_BY_ALL),
    _sign_in("pfd.phonefactor.net", "*.phonefactor.net", sources.GOVERNMENT, needed=False, sample=True,
             note=_RETIRED),
    _sign_in("enterpriseregistration.windows.net", "enterpriseregistration.windows.net", sources.GOVERNMENT, needed=False,
             note="Documented; no capture of a Government registration is public."),
    _sign_in("management.azure.com", "management.azure.com", sources.GOVERNMENT, needed=False,
             note="Documented; no capture of a Government registration is public."),
    _sign_in("policykeyservice.dc.ad.msft.net", "policykeyservice.dc.ad.msft.net", sources.GOVERNMENT, needed=False,
             note="The Government page (2025-04-09) lists it, the public cloud's list (2026-02-04) does not."),
    _https("download.msappproxy.us", Phase.UPDATE, "*.msappproxy.us", "where the installer is fetched from", sources.GOVERNMENT,
           needed=False, sample=True, note="Inferred from the public cloud's download.msappproxy.net; unverified."),
)

_OLD_PORTS = "connectors older than 1.5.132.0: 8080 bootstrap and update, 9090 registration, 9091 renewal of trust"
_OLD: tuple[Endpoint, ...] = (
    _https("{tenant}.bootstrap.msappproxy.net", Phase.BOOTSTRAP, "*.msappproxy.net", _OLD_PORTS, sources.LIST_2018, port=8080),
    _https("register.msappproxy.net", Phase.REGISTRATION, "*.msappproxy.net", _OLD_PORTS, sources.OLD_TROUBLESHOOTER, port=9090,
           sample=True, note="It did not resolve any more in 2021."),
    _https("updater.msappproxy.net", Phase.UPDATE, "*.msappproxy.net", _OLD_PORTS, sources.OLD_TROUBLESHOOTER, port=8080,
           needed=False, sample=True, note="It did not resolve any more in 2021."),
)

_TABLES = {PUBLIC: _PUBLIC, USGOV: _USGOV}

_NO_HOST = "documented as a wildcard only; no concrete host of the sign-in is known"
_UNPROBED: dict[str, tuple[Unprobed, ...]] = {
    PUBLIC: (Unprobed("*.msecnd.net", _NO_HOST),),
    USGOV: (
        Unprobed("*.servicebus.usgovcloudapi.net", "its host names are given out at registration and none is public"),
        Unprobed("*.microsoftonline-p.us", _NO_HOST),
        Unprobed("*.msecnd.net", _NO_HOST),
    ),
}
_OLD_UNPROBED = tuple(
    Unprobed(f"*.msappproxy.net:{port}", "a port of connectors older than 1.5.132.0; no concrete host is known")
    for port in ("5671", "9091", "9350", "9352", "10100-10120")
)


def check_cloud(cloud: str) -> str:
    """The cloud itself. Errors: CatalogueError for one that is not known, with a text of its own for China."""
    if cloud in CLOUDS:
        return cloud
    if cloud.lower() in ("china", "21vianet", "azurechina", "azurechinacloud"):
        raise CatalogueError(
            f"cloud: {cloud!r}: Microsoft documents no endpoints of the connector for Azure operated by 21Vianet, "
            f"so nothing can be judged there; the known clouds are {', '.join(CLOUDS)}"
        )
    raise CatalogueError(f"cloud: {cloud!r} is not known; write one of {', '.join(CLOUDS)}")


def endpoints(cloud: str, tenant_id: str | None, connector_version: str | None) -> tuple[Endpoint, ...]:
    """All endpoints of a cloud, in the order of the connector's life, unique by id.

    tenant_id: a GUID; with None the hosts that carry it are left out, and the caller says so.
    connector_version: with one below 1.5.1526.0 the old ports are there too (public cloud only: Government came later).
    Errors: CatalogueError.
    """
    table = _TABLES[check_cloud(cloud)] + _old(cloud, connector_version)
    if tenant_id is None:
        return tuple(endpoint for endpoint in table if "{tenant}" not in endpoint.host)
    return tuple(replace(endpoint, host=endpoint.host.replace("{tenant}", tenant_id)) for endpoint in table)


def unprobed(cloud: str, connector_version: str | None = None) -> tuple[Unprobed, ...]:
    """The documented names that no endpoint stands for: for `not_covered`. Errors: CatalogueError."""
    return _UNPROBED[check_cloud(cloud)] + (_OLD_UNPROBED if _old(cloud, connector_version) else ())


def _old(cloud: str, connector_version: str | None) -> tuple[Endpoint, ...]:
    if connector_version is None:
        return ()
    version = parse_version(connector_version)
    if cloud != PUBLIC or version >= ONE_PORT_SINCE:
        return ()
    if version < TWO_PORTS_SINCE:
        return _OLD
    fallback = "A fallback of this connector version: it uses 443 first."
    return tuple(replace(endpoint, needed=False, note=f"{fallback} {endpoint.note}".strip()) for endpoint in _OLD)


def parse_version(text: str) -> tuple[int, ...]:
    """The four numbers of a connector version. Errors: CatalogueError."""
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9}){3}", text):
        raise CatalogueError(f"connector_version: {text!r} is not a version: write four numbers, like 1.5.3437.0")
    return tuple(int(number) for number in text.split("."))


def federation_endpoint(host: str, port: int) -> Endpoint:
    """Where an account signs in whose domain is federated."""
    return Endpoint(
        host=host, port=port, tls=True, phase=Phase.FEDERATION, needed=True, stands_for=host, row="the account's own identity provider",
        source=sources.FEDERATION.url, date=sources.FEDERATION.date,
    )


_USER_SHAPE = "write host:port, https://host[:port][/path] or http://host[:port][/path]"
_URL = re.compile(r"(?:(?P<scheme>https?)://)?(?P<host>[^/:?#@\s\[\]]+)(?::(?P<port>[0-9]{1,5}))?(?P<path>/[^\s#]*)?")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)


def user_endpoint(text: str) -> Endpoint:
    """An endpoint of the users' own. `host:port` speaks TLS except on port 80; with http:// it never does.

    Errors: CatalogueError for everything that is not one of the three shapes; IPv6 literals are not accepted.
    """
    if "@" in text:
        # Not repeated: it may be a password.
        raise CatalogueError(f"endpoints: a user name or password is not taken: {_USER_SHAPE}")
    found = _URL.fullmatch(text.strip())
    if found is None:
        raise CatalogueError(f"endpoints: {text!r} is malformed: {_USER_SHAPE}")
    scheme, host, port_text, path = found.group("scheme", "host", "port", "path")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.rstrip(".").split(".")):
        raise CatalogueError(f"endpoints: {text!r}: {host!r} is no host name: {_USER_SHAPE}")
    if scheme is None and (port_text is None or path is not None):
        raise CatalogueError(f"endpoints: {text!r} has no port or no scheme: {_USER_SHAPE}")
    port = int(port_text) if port_text else (80 if scheme == "http" else 443)
    if not 1 <= port <= 65535:
        raise CatalogueError(f"endpoints: {text!r}: a port is a number from 1 to 65535: {_USER_SHAPE}")
    name = host.rstrip(".").lower()
    tls = scheme == "https" or (scheme is None and port != 80)
    return Endpoint(host=name, port=port, tls=tls, phase=Phase.EXTRA, needed=True, stands_for=name, row=text.strip(),
                    source="option endpoints", date="", get=path or "/")
