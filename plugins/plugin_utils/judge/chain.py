# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate chain, read: does a public root stand behind it, for this name, at this time.

FOR INTERNAL COLLECTION USE ONLY. Pure: certificates as DER, roots and time are arguments. Signature path, time, name and key
usage are told apart, since each has another cause.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum

from ..catalogue.roots import KNOWN_INTERMEDIATE_DIGESTS
from ..roots import MISSING, Roots

if MISSING is None:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import AuthorityInformationAccessOID

LONGEST_PATH = 8
"""Certificates from the leaf to the root; a longer path is no path."""


class Standing(str, Enum):
    """Whose chain it is."""

    PUBLIC = "public"
    PRIVATE = "private"
    INCOMPLETE = "incomplete"
    """An issuer is neither in the chain nor known: nothing can be said."""
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class ChainReading:
    standing: Standing
    subject: str
    issuer: str
    """Of the leaf."""
    top: str
    """The last name reached: the root's where it was reached, else the issuer that is missing."""
    names: tuple[str, ...]
    name_matches: bool
    not_before: datetime | None
    not_after: datetime | None
    time_ok: bool
    """Every certificate of the path, at the time of observation."""
    lists: tuple[tuple[str, ...], ...] = ()
    """Per certificate of the path (root left out): its CRL URLs (http)."""
    responders: tuple[tuple[str, ...], ...] = ()
    """Per certificate of the path (root left out): its OCSP URLs (http)."""
    issuers: tuple[str, ...] = ()
    """CA issuer URLs (http) of the whole path."""

    @property
    def genuine(self) -> bool:
        """A public chain for this name, in its time: nobody stands between."""
        return self.standing is Standing.PUBLIC and self.name_matches and self.time_ok


UNREADABLE = ChainReading(Standing.UNREADABLE, "", "", "", (), False, None, None, False)


def name_text(name: x509.Name) -> str:
    """The common name, else the organisation, else the whole name in RFC 4514."""
    for oid in (x509.NameOID.COMMON_NAME, x509.NameOID.ORGANIZATION_NAME):
        found = name.get_attributes_for_oid(oid)
        if found:
            return str(found[0].value)
    return name.rfc4514_string()


def matches_name(host: str, pattern: str) -> bool:
    """RFC 6125: the same name, or a wildcard that stands for the whole first label."""
    host, pattern = host.lower().rstrip("."), pattern.lower().rstrip(".")
    if not pattern.startswith("*."):
        return host == pattern
    return "." in host and host.split(".", maxsplit=1)[1] == pattern[2:]


def _alternative_names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    return tuple(str(name) for name in (*names.get_values_for_type(x509.DNSName), *names.get_values_for_type(x509.IPAddress)))


def _name_matches(host: str, names: Iterable[str]) -> bool:
    try:
        address = str(ipaddress.ip_address(host))
    except ValueError:
        return any(matches_name(host, name) for name in names)
    return address in names


def _may_issue(certificate: x509.Certificate) -> bool:
    """Only a CA may: without this, anybody's public leaf could stand as the issuer of a forged one."""
    try:
        if not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
        return bool(certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign)
    except x509.ExtensionNotFound as missing:
        return missing.oid == x509.KeyUsage.oid
    except ValueError:
        return False


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _digest(certificate: x509.Certificate) -> str:
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def _is_known_intermediate(certificate: x509.Certificate) -> bool:
    der = certificate.public_bytes(Encoding.DER)
    return bool({hashlib.sha1(der).hexdigest(), hashlib.sha256(der).hexdigest()} & KNOWN_INTERMEDIATE_DIGESTS)  # noqa: S324


def _path(leaf: x509.Certificate, pool: Sequence[x509.Certificate], roots: Roots) -> tuple[Standing, list[x509.Certificate], str]:
    """From the leaf upwards: standing, the path without the root, and the last name reached."""
    path = [leaf]
    while len(path) < LONGEST_PATH:
        last = path[-1]
        issuer_name = last.issuer.public_bytes()
        root = next((root for root in roots.by_subject.get(issuer_name, ()) if _issued(last, root)), None)
        if root is not None:
            return Standing.PUBLIC, path, name_text(root.subject)
        if len(path) > 1 and _is_known_intermediate(last):
            return Standing.PUBLIC, path, name_text(last.issuer)
        if _issued(last, last):
            return Standing.PRIVATE, path, name_text(last.subject)
        issuer = next(
            (other for other in pool
             if other not in path and other.subject.public_bytes() == issuer_name and _may_issue(other) and _issued(last, other)),
            None,
        )
        if issuer is None:
            return Standing.INCOMPLETE, path, name_text(last.issuer)
        path.append(issuer)
    return Standing.INCOMPLETE, path, name_text(path[-1].issuer)


def http_urls(names: Iterable[x509.GeneralName] | None) -> tuple[str, ...]:
    return tuple(
        str(name.value) for name in names or ()
        if isinstance(name, x509.UniformResourceIdentifier) and name.value.lower().startswith("http://")
    )


def _lists(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    return tuple(url for point in points for url in http_urls(point.full_name))


def _access(certificate: x509.Certificate, method: x509.ObjectIdentifier) -> tuple[str, ...]:
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    return http_urls(item.access_location for item in access if item.access_method == method)


def read_chain(ders: Sequence[bytes], host: str, at: datetime, roots: Roots) -> ChainReading:
    """Read what a server sent, the leaf first, for the name `host` at the time `at` (UTC).

    A certificate that cannot be parsed makes the whole reading UNREADABLE when it is the leaf, and is passed over elsewhere.
    """
    certificates = []
    for number, der in enumerate(ders):
        try:
            certificates.append(x509.load_der_x509_certificate(der))
        except ValueError:
            if number == 0:
                return UNREADABLE
    if not certificates:
        return UNREADABLE
    leaf, pool = certificates[0], certificates[1:]
    try:
        standing, path, top = _path(leaf, pool, roots)
        names = _alternative_names(leaf)
        # The issuers may be passed over by a path of the platform's own; the leaf's time is what every client sees.
        times = [(_utc(one, "not_valid_before"), _utc(one, "not_valid_after")) for one in path]
        return ChainReading(
            standing=standing,
            subject=name_text(leaf.subject),
            issuer=name_text(leaf.issuer),
            top=top,
            names=names,
            name_matches=_name_matches(host, names),
            not_before=times[0][0],
            not_after=times[0][1],
            time_ok=all(start <= at <= end for start, end in times),
            lists=tuple(_lists(one) for one in path),
            responders=tuple(_access(one, AuthorityInformationAccessOID.OCSP) for one in path),
            issuers=tuple(url for one in path for url in _access(one, AuthorityInformationAccessOID.CA_ISSUERS)),
        )
    except ValueError:
        # A field that is only looked at now (a name, a time, an extension) does not parse.
        return UNREADABLE


def _utc(certificate: x509.Certificate, field: str) -> datetime:
    """cryptography 42 gave the times a zone under new names; execution environments may carry an older one."""
    aware: datetime | None = getattr(certificate, f"{field}_utc", None)
    if aware is not None:
        return aware
    naive: datetime = getattr(certificate, field)
    return naive.replace(tzinfo=timezone.utc)
