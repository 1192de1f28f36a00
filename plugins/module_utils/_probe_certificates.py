# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates as far as the POSIX engine needs them: for whom, how long, and the http URLs of revocation that they name.

FOR INTERNAL COLLECTION USE ONLY. Trust is OpenSSL's business, and judging is the controller's.
"""

import base64
import hashlib
import re
import time
from calendar import timegm
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple
from urllib.parse import quote

from ansible_collections.appproxy.connector.plugins.module_utils._probe_bytes import Reader, der
from ansible_collections.appproxy.connector.plugins.module_utils._probe_faults import Fault, malformed
from ansible_collections.appproxy.connector.plugins.module_utils._probe_request import PLAIN, Place, ip_of, parse_place

_OID_SUBJECT_NAMES, _OID_CRL_POINTS = b"\x55\x1d\x11", b"\x55\x1d\x1f"
_OID_AUTHORITY_ACCESS = b"\x2b\x06\x01\x05\x05\x07\x01\x01"
_OID_OCSP, _OID_ISSUERS = b"\x2b\x06\x01\x05\x05\x07\x30\x01", b"\x2b\x06\x01\x05\x05\x07\x30\x02"
_OID_COMMON_NAME = b"\x55\x04\x03"
_SHA1_ALGORITHM = b"\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00"
_SEQUENCE, _INTEGER, _BIT_STRING, _OCTETS, _OID = 0x30, 0x02, 0x03, 0x04, 0x06
_URI, _DNS_NAME, _IP_ADDRESS = 0x86, 0x82, 0x87
_MOST_URL = 2048
"""Characters of a URL that is asked for: servers read no longer ones."""
_MOST_SERIAL = 64
"""Bytes of a serial number that a responder is asked about; certificates have 20 at most (RFC 5280, 4.1.2.2)."""


class Certificate(NamedTuple):
    """The fields that the engine needs. `issuer` and `subject` are DER, the times seconds since 1970."""

    serial: bytes
    issuer: bytes
    subject: bytes
    not_before: int
    not_after: int
    key_bits: bytes
    names: Tuple[Tuple[int, bytes], ...]
    crl_urls: Tuple[str, ...]
    issuer_urls: Tuple[str, ...]
    ocsp_urls: Tuple[str, ...]


def _time(tag: int, content: Reader) -> int:
    text = content.rest().decode("latin-1")
    if tag == 0x17:
        text = ("19" if text[:2] >= "50" else "20") + text
    try:
        return timegm(time.strptime(text, "%Y%m%d%H%M%SZ"))
    except ValueError as error:
        raise malformed("a time that no certificate has") from error


def _uris(names: Reader) -> Iterator[str]:
    while names.left:
        tag, content, _whole = names.element()
        if tag == _URI:
            yield content.rest().decode("latin-1")


def _crl_urls(value: Reader) -> Iterator[str]:
    points = value.inside(_SEQUENCE)
    while points.left:
        point = points.inside(_SEQUENCE)
        while point.left:
            tag, name, _whole = point.element()
            while tag == 0xA0 and name.left:
                kind, names, _inner = name.element()
                if kind == 0xA0:
                    yield from _uris(names)


def _access_urls(value: Reader, method: bytes) -> Iterator[str]:
    descriptions = value.inside(_SEQUENCE)
    while descriptions.left:
        description = descriptions.inside(_SEQUENCE)
        if description.inside(_OID).rest() == method:
            yield from _uris(description)


def _subject_names(value: Reader) -> Iterator[Tuple[int, bytes]]:
    names = value.inside(_SEQUENCE)
    while names.left:
        tag, content, _whole = names.element()
        yield tag, content.rest()


def _extensions(fields: Reader) -> Dict[bytes, bytes]:
    found = {}
    while fields.left:
        tag, content, _whole = fields.element()
        listed = content.inside(_SEQUENCE) if tag == 0xA3 else Reader(b"")
        while listed.left:
            extension = listed.inside(_SEQUENCE)
            oid = extension.inside(_OID).rest()
            if oid in found:
                raise malformed("an extension that is there twice")
            tag, value, _whole = extension.element()
            found[oid] = (value if tag == _OCTETS else extension.inside(_OCTETS)).rest()
    return found


def parse_certificate(data: bytes) -> Certificate:
    """Raises a malformed Fault."""
    whole = Reader(data).inside(_SEQUENCE)
    fields = whole.inside(_SEQUENCE)
    while whole.left:
        # Its signature, which is OpenSSL's and the judge's business, but must be there whole.
        whole.element()
    tag, first, _whole = fields.element()
    serial = (fields.inside(_INTEGER) if tag == 0xA0 else first).rest()
    fields.inside(_SEQUENCE)
    issuer = fields.element()[2]
    validity = fields.inside(_SEQUENCE)
    not_before, not_after = (_time(kind, content) for kind, content, _all in (validity.element(), validity.element()))
    subject = fields.element()[2]
    key = fields.inside(_SEQUENCE)
    key.inside(_SEQUENCE)
    key_bits = key.inside(_BIT_STRING).rest()[1:]
    extensions = _extensions(fields)
    points, access, names = (extensions.get(oid) for oid in (_OID_CRL_POINTS, _OID_AUTHORITY_ACCESS, _OID_SUBJECT_NAMES))
    return Certificate(
        serial, issuer, subject, not_before, not_after, key_bits,
        names=tuple(_subject_names(Reader(names))) if names else (),
        crl_urls=tuple(_crl_urls(Reader(points))) if points else (),
        issuer_urls=tuple(_access_urls(Reader(access), _OID_ISSUERS)) if access else (),
        ocsp_urls=tuple(_access_urls(Reader(access), _OID_OCSP)) if access else (),
    )


def _common_names(subject: bytes) -> Iterator[str]:
    relative = Reader(subject).inside(_SEQUENCE)
    while relative.left:
        attributes = relative.inside(0x31)
        while attributes.left:
            attribute = attributes.inside(_SEQUENCE)
            oid, value = attribute.inside(_OID).rest(), attribute.element()[1].rest()
            if oid == _OID_COMMON_NAME:
                yield value.decode("latin-1")


def names_match(certificate: Certificate, place: Place) -> bool:
    """Whether the certificate is for this host, by the rules of RFC 6125 as OpenSSL has them. Raises a malformed Fault."""
    address = ip_of(place.host)
    if address is not None:
        return any(tag == _IP_ADDRESS and value == address.packed for tag, value in certificate.names)
    listed = [value.decode("latin-1") for tag, value in certificate.names if tag == _DNS_NAME]
    wanted = place.tls_name().lower()
    parent = wanted.partition(".")[2]
    patterns = [name.lower() for name in listed or _common_names(certificate.subject)]
    return any(name == wanted or (parent and name == "*." + parent) for name in patterns)


def ocsp_request(certificate: Certificate, issuer: Certificate) -> bytes:
    """The DER of a request for one certificate (RFC 6960, 4.1.1), with SHA-1 as responders expect it."""
    identity = der(
        _SEQUENCE, _SHA1_ALGORITHM,
        der(_OCTETS, hashlib.sha1(certificate.issuer).digest()),
        der(_OCTETS, hashlib.sha1(issuer.key_bits).digest()),
        der(_INTEGER, certificate.serial),
    )
    return der(_SEQUENCE, der(_SEQUENCE, der(_SEQUENCE, der(_SEQUENCE, identity))))


# ---- the URLs of revocation


class RevocationUrl(NamedTuple):
    """An http URL that a certificate names: `path` is its own, `get` what is asked for there, for OCSP with a request in it."""

    url: str
    place: Place
    path: str
    get: str

    def key(self) -> Tuple[str, int, str]:
        return url_key(self.place, self.path)


def url_key(place: Place, path: str) -> Tuple[str, int, str]:
    """Equal for http URLs that mean the same."""
    return place.host.lower(), place.port, path


def parse_http_url(url: str) -> Optional[RevocationUrl]:
    """None when it is not an http URL that can be asked for."""
    if not url.lower().startswith("http://") or not PLAIN.fullmatch(url) or len(url) > _MOST_URL:
        return None
    rest = url[7:].split("#", 1)[0]
    match = re.search(r"[/?]", rest)
    authority, get = (rest, "/") if match is None else (rest[:match.start()], rest[match.start():])
    has_port = ":" in authority[authority.rfind("]") + 1:]
    place = parse_place(authority if has_port else authority + ":80")
    path = get if get.startswith("/") else "/" + get
    return None if place is None else RevocationUrl(url, place, path, path)


def _with_request(responder: Optional[RevocationUrl], one: Certificate, issuer: Optional[Certificate]) -> Optional[RevocationUrl]:
    """The plain URL where the issuer was not seen."""
    if responder is None or issuer is None or len(one.serial) > _MOST_SERIAL:
        return responder
    request = base64.b64encode(ocsp_request(one, issuer)).decode("ascii")
    return responder._replace(get=responder.path.rstrip("/") + "/" + quote(request, safe=""))


def revocation_urls(ders: Iterable[bytes]) -> List[RevocationUrl]:
    """Each once, in the order of sight; of one certificate revocation lists, issuers, OCSP. What does not parse names no URL."""
    certificates = []
    for data in ders:
        try:
            certificates.append(parse_certificate(data))
        except Fault:
            # The judge sees its bytes all the same.
            continue
    found: Dict[Tuple[str, int, str], RevocationUrl] = {}
    for one in certificates:
        issuer = next((other for other in certificates if other.subject == one.issuer), None)
        urls = [parse_http_url(url) for url in one.crl_urls + one.issuer_urls]
        urls += [_with_request(parse_http_url(url), one, issuer) for url in one.ocsp_urls]
        for named in urls:
            if named is not None:
                found.setdefault(named.key(), named)
    return list(found.values())
