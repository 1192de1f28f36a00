# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates of the lab's own world: public authorities, a company's (for inspection), leaves, CRLs and OCSP.

Keys and authorities are kept in a folder, so that a second start makes none anew; leaves are signed when asked for.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import ipaddress
import os
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
Kept = TypeVar("Kept")

AUTHORITY_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=90)
CRL_LIFE = timedelta(days=7)

PUBLIC_ROOT = "Lab Public Root CA"
PUBLIC_ISSUING = "Lab Public TLS Issuing CA 01"
COMPANY_ROOT = "Example Corp Root CA"
COMPANY_ISSUING = "Example Corp TLS Inspection CA"
UNKNOWN_ROOT = "Some Other Root CA"
APPLIANCE, APPLIANCES_MAKER = "FG100FTK00000000", "Fortinet"
"""A firewall as it comes out of the box: its serial number, and who made it, are the names of the authority that it signs with."""

# Where the public certificates say that their lists, issuers and responders are: names of the product's own documents.
ISSUING_CRL = "http://crl3.digicert.com/lab-issuing.crl"
ISSUING_CRL_MIRROR = "http://crl4.digicert.com/lab-issuing.crl"
ROOT_CRL = "http://crl3.digicert.com/lab-root.crl"
ISSUING_CERTIFICATE = "http://www.microsoft.com/pkiops/certs/lab-issuing.crt"
ROOT_CERTIFICATE = "http://www.microsoft.com/pkiops/certs/lab-root.crt"
OCSP_URL = "http://ocsp.digicert.com"
NAMELESS = "nameless.lab.example"
"""In the certificate that a client is shown that asks for no name."""
REVOCATION_HOSTS = ("crl3.digicert.com:80", "crl4.digicert.com:80", "ocsp.digicert.com:80", "www.microsoft.com:80")


@dataclass(frozen=True)
class Authority:
    """Something that signs. `issuer` is None for a root."""

    certificate: x509.Certificate
    key: Key
    issuer: Authority | None = None

    @property
    def name(self) -> str:
        return str(self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


@dataclass(frozen=True)
class Credential:
    """What a server shows: the leaf, its key, and what stands behind it (without the root, where that is a public one)."""

    certificate: x509.Certificate
    key: Key
    chain: tuple[x509.Certificate, ...]

    def pem(self, *, chain: bool = True) -> bytes:
        """Key, leaf and (unless told not to) issuers, as ssl's load_cert_chain wants them in one file."""
        shown = (self.certificate, *(self.chain if chain else ()))
        return key_pem(self.key) + b"".join(one.public_bytes(serialization.Encoding.PEM) for one in shown)


@dataclass
class Pki:
    """All authorities, the keys of the leaves, and the files under `folder` that targets and judges are given."""

    folder: Path
    public_root: Authority = field(init=False)
    public_issuing: Authority = field(init=False)
    company_root: Authority = field(init=False)
    company_issuing: Authority = field(init=False)
    unknown_root: Authority = field(init=False)
    appliance: Authority = field(init=False)
    rsa_key: Key = field(init=False)
    ec_key: Key = field(init=False)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._issued: dict[int, tuple[x509.Certificate, Authority]] = {}
        self._files: dict[str, Path] = {}
        self._lists: dict[str, bytes] = {}
        self.folder.mkdir(parents=True, exist_ok=True)
        with _only_one(self.folder / "lock"):
            self.public_root = self._authority("public-root", PUBLIC_ROOT, None)
            self.public_issuing = self._authority("public-issuing", PUBLIC_ISSUING, self.public_root)
            self.company_root = self._authority("company-root", COMPANY_ROOT, None)
            self.company_issuing = self._authority("company-issuing", COMPANY_ISSUING, self.company_root)
            self.unknown_root = self._authority("unknown-root", UNKNOWN_ROOT, None)
            self.appliance = self._authority("appliance", APPLIANCE, None)
            self.rsa_key = self._key("leaf-rsa", _new_rsa)
            self.ec_key = self._key("leaf-ec", _new_ec)
            self.trust = {
                "public": self._bundle("trust-public", self.public_root),
                "public+company": self._bundle("trust-public-company", self.public_root, self.company_root),
                "other": self._bundle("trust-other", self.unknown_root),
            }
        for authority in (self.public_issuing, self.company_issuing):
            self._issued[authority.certificate.serial_number] = (authority.certificate, authority.issuer or authority)

    @property
    def public_roots(self) -> Path:
        """PEM of the roots that the lab's world calls public: for the judge, in place of certifi's."""
        return self.trust["public"]

    # -- leaves

    def leaf(
        self,
        *names: str,
        by: Authority | None = None,
        ecdsa: bool = False,
        algorithm: hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None = None,
        valid: tuple[datetime, datetime] | None = None,
    ) -> Credential:
        """A certificate for `names` (host names or addresses), by the public issuing authority unless told otherwise.

        `valid` is (not before, not after), aware; the default is a leaf of today.
        """
        issuer = by or self.public_issuing
        key = self.ec_key if ecdsa else self.rsa_key
        begin, end = valid or (_now() - timedelta(days=1), _now() + LEAF_LIFE)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(names[0]))
            .issuer_name(issuer.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(_authority_key(issuer), critical=False)
        )
        if issuer is self.public_issuing:
            builder = builder.add_extension(_lists(ISSUING_CRL, ISSUING_CRL_MIRROR), critical=False)
            builder = builder.add_extension(_access(ISSUING_CERTIFICATE), critical=False)
        certificate = builder.sign(issuer.key, algorithm or hashes.SHA256())
        with self._lock:
            self._issued[certificate.serial_number] = (certificate, issuer)
        chain: tuple[x509.Certificate, ...] = () if issuer.issuer is None else (issuer.certificate,)
        if issuer is self.company_issuing:
            chain = (issuer.certificate, self.company_root.certificate)  # inspecting boxes show their root too
        if issuer is self.appliance:
            chain = (issuer.certificate,)
        return Credential(certificate, key, chain)

    def expired(self, *names: str) -> Credential:
        """Ended a month ago."""
        return self.leaf(*names, valid=(_now() - timedelta(days=120), _now() - timedelta(days=30)))

    def self_signed(self, *names: str) -> Credential:
        """Its own issuer, as appliances come out of the box."""
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(names[0]))
            .issuer_name(_name(names[0]))
            .public_key(self.rsa_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_now() - timedelta(days=1))
            .not_valid_after(_now() + LEAF_LIFE)
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
            .sign(self.rsa_key, hashes.SHA256())
        )
        return Credential(certificate, self.rsa_key, ())

    def file(self, credential: Credential, *, chain: bool = True) -> Path:
        """The credential as one PEM file (key first), which ssl and openssl can load."""
        pem = credential.pem(chain=chain)
        name = hashlib.sha256(pem).hexdigest()[:24]
        with self._lock:
            if name not in self._files:
                leaves = self.folder / "leaves"
                leaves.mkdir(exist_ok=True)
                _write(leaves / f"{name}.pem", pem)
                self._files[name] = leaves / f"{name}.pem"
            return self._files[name]

    # -- revocation

    def crl(self, *, root: bool = False) -> bytes:
        """The list of the issuing authority, or of the root: DER, signed, nothing revoked."""
        authority = self.public_root if root else self.public_issuing
        with self._lock:
            if authority.name not in self._lists:
                crl = (
                    x509.CertificateRevocationListBuilder()
                    .issuer_name(authority.certificate.subject)
                    .last_update(_now() - timedelta(hours=1))
                    .next_update(_now() + CRL_LIFE)
                    .add_extension(x509.CRLNumber(1), critical=False)
                    .add_extension(_authority_key(authority), critical=False)
                    .sign(authority.key, hashes.SHA256())
                )
                self._lists[authority.name] = crl.public_bytes(serialization.Encoding.DER)
            return self._lists[authority.name]

    def issuer(self, *, root: bool = False) -> bytes:
        """The issuing authority's certificate, or the root's: DER, as AIA gives it."""
        authority = self.public_root if root else self.public_issuing
        return authority.certificate.public_bytes(serialization.Encoding.DER)

    def ocsp(self, request: bytes) -> bytes:
        """The responder's answer (DER) to a request (DER): `good` for what the lab issued, else an error status."""
        try:
            asked = ocsp.load_der_ocsp_request(request)
            serial = asked.serial_number
        except (ValueError, NotImplementedError):
            return _no_answer(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        with self._lock:
            issued = self._issued.get(serial)
        if issued is None:
            return _no_answer(ocsp.OCSPResponseStatus.UNAUTHORIZED)
        certificate, issuer = issued
        answer = (
            ocsp.OCSPResponseBuilder()
            .add_response(
                cert=certificate,
                issuer=issuer.certificate,
                algorithm=asked.hash_algorithm,
                cert_status=ocsp.OCSPCertStatus.GOOD,
                this_update=_now() - timedelta(hours=1),
                next_update=_now() + CRL_LIFE,
                revocation_time=None,
                revocation_reason=None,
            )
            .responder_id(ocsp.OCSPResponderEncoding.HASH, issuer.certificate)
            .sign(issuer.key, hashes.SHA256())
        )
        return answer.public_bytes(serialization.Encoding.DER)

    # -- what is kept in the folder

    def _key(self, name: str, make: Callable[[], Key]) -> Key:
        path = self.folder / f"{name}.key.pem"

        def load() -> Key | None:
            key = serialization.load_pem_private_key(path.read_bytes(), None)
            return key if isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)) else None

        return _kept(path, load, make, key_pem)

    def _authority(self, name: str, common_name: str, issuer: Authority | None) -> Authority:
        key = self._key(name, _new_rsa)
        path = self.folder / f"{name}.pem"

        def load() -> x509.Certificate | None:
            """None when it ends soon, or belongs to keys that are no longer here."""
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
            signer = key if issuer is None else issuer.key
            known = _authority_key_of(certificate) == _digest(signer) and _subject_key_of(certificate) == _digest(key)
            return certificate if known and ended(certificate) > _now() + LEAF_LIFE * 2 else None

        def make() -> x509.Certificate:
            return _sign_authority(common_name, key, issuer)

        return Authority(_kept(path, load, make, _pem), key, issuer)

    def _bundle(self, name: str, *roots: Authority) -> Path:
        path = self.folder / f"{name}.pem"
        _write(path, b"".join(_pem(root.certificate) for root in roots))
        return path


def server_context(
    pki: Pki,
    credential: Credential,
    *,
    chain: bool = True,
    lowest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    highest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    ciphers: str | None = None,
    client_certificate: ssl.VerifyMode = ssl.CERT_NONE,
) -> ssl.SSLContext:
    """A server's side for ssl. `ciphers` is OpenSSL's list for TLS 1.2 and older."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # TLS 1.0 is what some faults stand for
        context.minimum_version = lowest
        context.maximum_version = highest
    if ciphers:
        context.set_ciphers(ciphers)
    context.load_cert_chain(pki.file(credential, chain=chain))
    context.verify_mode = client_certificate
    if client_certificate is not ssl.CERT_NONE:
        context.load_verify_locations(pki.trust["public"])
    return context


def contexts(
    pki: Pki,
    mint: Callable[[str], Credential] | None = None,
    *,
    asks: Callable[[str], ssl.VerifyMode] = lambda name: ssl.CERT_NONE,
    chain: bool = True,
    lowest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    highest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    ciphers: str | None = None,
) -> Callable[[str | None], ssl.SSLContext]:
    """For each name that a client asks for, a context with a leaf of that name: made once, then kept.

    `mint` makes the leaf (the public issuing authority does by default); `asks` says for which names a client
    certificate is asked for; the rest is server_context's.
    """
    make = mint or pki.leaf
    kept: dict[str, ssl.SSLContext] = {}
    lock = threading.Lock()

    def context_of(name: str | None) -> ssl.SSLContext:
        asked = name or NAMELESS
        with lock:
            if asked not in kept:
                kept[asked] = server_context(
                    pki,
                    make(asked),
                    chain=chain,
                    lowest=lowest,
                    highest=highest,
                    ciphers=ciphers,
                    client_certificate=asks(asked),
                )
            return kept[asked]

    return context_of


def key_pem(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def ocsp_request_of_path(path: str) -> bytes:
    """The DER request in the last part of an OCSP GET's path (RFC 6960, A.1). Empty where there is none."""
    try:
        return base64.b64decode(unquote(path.rpartition("/")[2]), validate=True)
    except ValueError:
        return b""


def _kept(path: Path, load: Callable[[], Kept | None], make: Callable[[], Kept], pem: Callable[[Kept], bytes]) -> Kept:
    """What the file holds; made and written where it holds nothing of use."""
    try:
        kept = load()
    except (FileNotFoundError, ValueError):
        kept = None
    if kept is None:
        kept = make()
        _write(path, pem(kept))
    return kept


def _write(path: Path, data: bytes) -> None:
    """Atomically: another lab may read the same folder."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    draft.write_bytes(data)
    draft.chmod(0o600)
    draft.replace(path)


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Two labs that start at once in one folder must not each make the keys."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sign_authority(common_name: str, key: Key, issuer: Authority | None) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .issuer_name(_name(common_name) if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - timedelta(days=30))
        .not_valid_after(_now() + AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None if issuer is None else 0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key((issuer.key if issuer else key).public_key()),
            critical=False,
        )
    )
    if issuer is not None and issuer.name == PUBLIC_ROOT:
        builder = builder.add_extension(_lists(ROOT_CRL), critical=False)
        builder = builder.add_extension(_access(ROOT_CERTIFICATE), critical=False)
    return builder.sign(issuer.key if issuer else key, hashes.SHA256())


def _name(common_name: str) -> x509.Name:
    organisation = "Example Corp" if common_name.startswith("Example Corp") else "Lab"
    if common_name == APPLIANCE:
        organisation = APPLIANCES_MAKER
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64]),  # X.520 allows no more
        ]
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _lists(*urls: str) -> x509.CRLDistributionPoints:
    return x509.CRLDistributionPoints(
        [x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None) for url in urls]
    )


def _access(certificate_url: str) -> x509.AuthorityInformationAccess:
    return x509.AuthorityInformationAccess(
        [
            x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(OCSP_URL)),
            x509.AccessDescription(
                AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(certificate_url)
            ),
        ]
    )


def _authority_key(authority: Authority) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())


def _digest(key: Key) -> bytes:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest


def _subject_key_of(certificate: x509.Certificate) -> bytes:
    return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest


def _authority_key_of(certificate: x509.Certificate) -> bytes | None:
    return certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier


def ended(certificate: x509.Certificate) -> datetime:
    """When it ends, aware."""
    # not_valid_after_utc is younger (cryptography 42) than the oldest that the tests allow.
    end: datetime | None = getattr(certificate, "not_valid_after_utc", None)
    return end if end is not None else certificate.not_valid_after.replace(tzinfo=timezone.utc)


def _no_answer(status: ocsp.OCSPResponseStatus) -> bytes:
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(serialization.Encoding.DER)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _new_rsa() -> Key:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _new_ec() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def _now() -> datetime:
    return datetime.now(timezone.utc).replace(microsecond=0)
