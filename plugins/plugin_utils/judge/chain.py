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
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from enum import Enum

from ..catalogue.roots import KNOWN_AUTHORITIES
from ..roots import MISSING, Roots

if MISSING is None:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import AuthorityInformationAccessOID

    BROKEN: tuple[type[Exception], ...] = (
        ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.DuplicateExtension, x509.ExtensionNotFound,
        x509.InvalidVersion, x509.UnsupportedGeneralNameType,
    )
    """What cryptography raises for a certificate, or a field of one, that is not there or not as it should be."""

LONGEST_PATH = 8
"""Certificates from the leaf to the root; a longer path is no path."""
MOST_SIGNATURES = 64
"""A hostile chain of many certificates of one name must not cost more than this."""


class Standing(str, Enum):
    """Whose chain it is."""

    PUBLIC = "public"
    PRIVATE = "private"
    INCOMPLETE = "incomplete"
    """An issuer is neither in the chain nor known: nothing can be said."""
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class SeenCertificate:
    """One certificate of a path, as a person compares it."""

    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    signature: str
    """Hash that its issuer signed with (`sha256`); empty where the algorithm has none of its own, or it is not known."""
    sha256: str
    """Of its DER, in hexadecimal."""


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
    issuer_seen: tuple[bool, ...] = ()
    """Per certificate of the path: whether its issuer was sent too, so that an engine could ask the responder about it."""
    certificates: tuple[SeenCertificate, ...] = ()
    """The path, the leaf first; without a root that was not sent."""
    issuers: tuple[tuple[str, str], ...] = ()
    """The parts (`CN` or `O`, and the text) of the names of all issuers of the path, from the leaf upwards."""

    @property
    def genuine(self) -> bool:
        """A public chain for this name, in its time: nobody stands between."""
        return self.standing is Standing.PUBLIC and self.name_matches and self.time_ok

    def at(self, host: str) -> ChainReading:
        """The same, shown by a host of this name."""
        return replace(self, name_matches=_name_matches(host, self.names))


UNREADABLE = ChainReading(Standing.UNREADABLE, "", "", "", (), False, None, None, False)


def name_text(name: x509.Name) -> str:
    """The common name, else the organisation, else the whole name in RFC 4514."""
    for oid in (x509.NameOID.COMMON_NAME, x509.NameOID.ORGANIZATION_NAME):
        found = name.get_attributes_for_oid(oid)
        if found:
            return str(found[0].value)
    return name.rfc4514_string()


def _parts(names: Iterable[x509.Name]) -> tuple[tuple[str, str], ...]:
    read = (("CN", x509.NameOID.COMMON_NAME), ("O", x509.NameOID.ORGANIZATION_NAME))
    found = ((part, str(one.value)) for name in names for part, oid in read for one in name.get_attributes_for_oid(oid))
    return tuple(dict.fromkeys(found))


def matches_name(host: str, pattern: str) -> bool:
    """RFC 6125: the same name, or a wildcard that stands for the whole first label."""
    host, pattern = host.lower().rstrip("."), pattern.lower().rstrip(".")
    if not pattern.startswith("*."):
        return host == pattern
    return "." in host and host.split(".", maxsplit=1)[1] == pattern[2:]


def _alternative_names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except BROKEN:
        return ()
    return tuple(str(name) for name in (*names.get_values_for_type(x509.DNSName), *names.get_values_for_type(x509.IPAddress)))


def _name_matches(host: str, names: Iterable[str]) -> bool:
    try:
        address = str(ipaddress.ip_address(host))
    except ValueError:
        return any(matches_name(host, name) for name in names)
    return address in names


def _may_issue(certificate: x509.Certificate, below: int) -> bool:
    """Only a CA may: without this, anybody's public leaf could stand as the issuer of a forged one.

    `below` is how many issuers stand between it and the leaf.
    """
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        if not basic.ca or (basic.path_length is not None and below > basic.path_length):
            return False
        return bool(certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign)
    except x509.ExtensionNotFound as missing:
        return missing.oid == x509.KeyUsage.oid
    except BROKEN:
        return False


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except BROKEN:
        return False
    return True


def _is_known(certificate: x509.Certificate) -> bool:
    """Whether it is a root or an issuer that the catalogue knows by digest: certifi drops roots that Microsoft still uses."""
    der = certificate.public_bytes(Encoding.DER)
    return bool({hashlib.sha1(der).hexdigest(), hashlib.sha256(der).hexdigest()} & KNOWN_AUTHORITIES)  # noqa: S324


@dataclass(frozen=True)
class _Path:
    """From the leaf upwards, without a root that was not sent."""

    standing: Standing
    certificates: tuple[x509.Certificate, ...]
    top: str
    """The last name reached."""


_PREFERENCE = (Standing.PUBLIC, Standing.PRIVATE, Standing.INCOMPLETE)


class _Search:
    """All ways up from a leaf, and the best of them: an authority may be signed by several (cross-signing), and a chain may carry
    both. Bounded by the number of signatures that are checked."""

    def __init__(self, pool: Sequence[x509.Certificate], roots: Roots) -> None:
        self._pool = pool
        self._roots = roots
        self._checks = MOST_SIGNATURES

    def _issued(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        self._checks -= 1
        return self._checks >= 0 and _issued(certificate, issuer)

    def best(self, path: tuple[x509.Certificate, ...]) -> _Path:
        last = path[-1]
        issuer_name = last.issuer.public_bytes()
        for root in self._roots.by_subject.get(issuer_name, ()):
            if self._issued(last, root):
                return _Path(Standing.PUBLIC, path, name_text(root.subject))
        if len(path) > 1 and _is_known(last):
            return _Path(Standing.PUBLIC, path, name_text(last.issuer))
        found = _Path(Standing.INCOMPLETE, path, name_text(last.issuer))
        if last.subject.public_bytes() == issuer_name and self._issued(last, last):
            found = _Path(Standing.PRIVATE, path, name_text(last.subject))
        if len(path) == LONGEST_PATH:
            return found
        for other in self._pool:
            if other in path or other.subject.public_bytes() != issuer_name or not _may_issue(other, below=len(path) - 1):
                continue
            if self._issued(last, other):
                tried = self.best((*path, other))
                found = min(found, tried, key=lambda one: _PREFERENCE.index(one.standing))
                if found.standing is Standing.PUBLIC:
                    break
        return found


def http_urls(names: Iterable[x509.GeneralName] | None) -> tuple[str, ...]:
    return tuple(
        str(name.value) for name in names or ()
        if isinstance(name, x509.UniformResourceIdentifier) and name.value.lower().startswith("http://")
    )


def _lists(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except BROKEN:
        return ()
    return tuple(url for point in points for url in http_urls(point.full_name))


def _responders(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except BROKEN:
        return ()
    return http_urls(item.access_location for item in access if item.access_method == AuthorityInformationAccessOID.OCSP)


def _seen(certificate: x509.Certificate) -> SeenCertificate:
    return SeenCertificate(
        name_text(certificate.subject), name_text(certificate.issuer),
        _utc(certificate, "not_valid_before"), _utc(certificate, "not_valid_after"),
        _signature(certificate), hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest(),
    )


def _signature(certificate: x509.Certificate) -> str:
    try:
        algorithm = certificate.signature_hash_algorithm
    except BROKEN:
        return ""
    return algorithm.name if algorithm else ""


def read_chain(ders: Sequence[bytes], moment: datetime, roots: Roots) -> ChainReading:
    """Read what a server sent, the leaf first, at a time (UTC), and for no name yet: many hosts show the same.

    A certificate that cannot be parsed makes the whole reading UNREADABLE when it is the leaf, and is passed over elsewhere.
    """
    certificates = []
    for number, der in enumerate(ders):
        try:
            certificates.append(x509.load_der_x509_certificate(der))
        except BROKEN:
            if number == 0:
                return UNREADABLE
    if not certificates:
        return UNREADABLE
    leaf, pool = certificates[0], certificates[1:]
    try:
        found = _Search(pool, roots).best((leaf,))
        path = found.certificates
        names = _alternative_names(leaf)
        # The issuers may be passed over by a path of the platform's own; the leaf's time is what every client sees.
        times = [(_utc(one, "not_valid_before"), _utc(one, "not_valid_after")) for one in path]
        return ChainReading(
            standing=found.standing,
            subject=name_text(leaf.subject),
            issuer=name_text(leaf.issuer),
            top=found.top,
            names=names,
            name_matches=False,
            not_before=times[0][0],
            not_after=times[0][1],
            time_ok=all(start <= moment <= end for start, end in times),
            lists=tuple(_lists(one) for one in path),
            responders=tuple(_responders(one) for one in path),
            issuer_seen=tuple(any(other.subject == one.issuer for other in pool) for one in path),
            certificates=tuple(map(_seen, path)),
            issuers=_parts(one.issuer for one in path),
        )
    except BROKEN:
        # A field that is only looked at now (a name, a time, an extension) does not parse.
        return UNREADABLE


def _utc(certificate: x509.Certificate, field: str) -> datetime:
    """cryptography 42 gave the times a zone under new names; execution environments may carry an older one."""
    aware: datetime | None = getattr(certificate, f"{field}_utc", None)
    if aware is not None:
        return aware
    naive: datetime = getattr(certificate, field)
    return naive.replace(tzinfo=timezone.utc)
