# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roots and intermediates that a chain is judged against: certifi's and the catalogue's, or a list of the user's own.

FOR INTERNAL COLLECTION USE ONLY. The one place that imports certifi, and that reads a certificate file.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from .catalogue.roots import digest as catalogue_digest

try:
    import certifi
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding
except ImportError as error:
    MISSING: str | None = str(error.name or error).split(".", maxsplit=1)[0]
    """The name of the package that is not installed, else None."""
else:
    MISSING = None


class RootsError(ValueError):
    """The file of roots cannot be read; the message names the option."""


@dataclass(frozen=True)
class Roots:
    by_subject: Mapping[bytes, tuple[x509.Certificate, ...]]
    """DER of the subject to the certificates of that name."""
    digest: str
    """SHA-256 over the sorted SHA-256s of the certificates and the catalogue's list, in hex: recorded in every report."""
    source: str
    """`certifi <version>`, or the path of the user's own list."""


@lru_cache(maxsize=4)
def load_roots(path: str | None) -> Roots:
    """Read certifi's list, or the PEM file at `path` on the controller. Call only where MISSING is None."""
    try:
        with open(path or certifi.where(), "rb") as file, warnings.catch_warnings():
            # Some old roots have serial numbers that a later cryptography will refuse: nothing that a user can act on.
            warnings.simplefilter("ignore")
            certificates = x509.load_pem_x509_certificates(file.read())
    except (OSError, ValueError) as error:
        named = f"public_roots: '{path}'" if path else "certifi's list of roots"
        raise RootsError(f"{named} cannot be read as a PEM file of certificates: {error}") from error
    by_subject: dict[bytes, list[x509.Certificate]] = {}
    digests = []
    for certificate in certificates:
        by_subject.setdefault(certificate.subject.public_bytes(), []).append(certificate)
        digests.append(hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest())
    return Roots(
        by_subject={name: tuple(found) for name, found in by_subject.items()},
        digest=hashlib.sha256("\n".join([*sorted(digests), catalogue_digest()]).encode()).hexdigest(),
        source=path or f"certifi {certifi.__version__}",
    )
