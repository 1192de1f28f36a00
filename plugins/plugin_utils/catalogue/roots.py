# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roots and issuing authorities that Microsoft's services are known to use, by the digests of their certificates.

A chain is not judged by this list alone: roots and issuers move without notice, and what is not here may be genuine too. What
is here is genuine for certain. The digests identify certificates that were seen; the certificates themselves are not here.
"""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass

from . import sources
from .sources import Source


@dataclass(frozen=True)
class Authority:
    """One certificate of an authority. Authorities that two roots vouch for have two."""

    name: str
    """The common name."""
    issuer: str
    """The common name of who issued it: itself, of a root."""
    sha1: str
    """Thumbprint as Windows shows it: lower-case hex of SHA-1 over the DER."""
    sha256: str
    """Lower-case hex of SHA-256 over the DER; empty where only the thumbprint is published."""
    source: str
    date: str


def _authority(name: str, issuer: str, sha1: str, sha256: str = "", source: Source = sources.AZURE_CAS) -> Authority:
    return Authority(name, issuer, sha1, sha256, source.url, source.date)


_G2, _G3, _GLOBAL = "DigiCert Global Root G2", "DigiCert Global Root G3", "DigiCert Global Root CA"
_RSA, _ECC = "Microsoft RSA Root Certificate Authority 2017", "Microsoft ECC Root Certificate Authority 2017"
_BALTIMORE, _TLS_G2 = "Baltimore CyberTrust Root", "Microsoft TLS RSA Root G2"

KNOWN_ROOTS: tuple[Authority, ...] = (
    _authority(_BALTIMORE, _BALTIMORE, "d4de20d05e66fc53fe1a50882c78db2852cae474"),
    _authority(_GLOBAL, _GLOBAL, "a8985d3a65e5e5c4b2d7d66d40c6dd2fb19c5436"),
    _authority(_G2, _G2, "df3c24f9bfd666761b268073fe06d1cc8d4f82a4",
               "cb3ccbb76031e5e0138f8dd39a23f9de47ffc35e43c1144cea27d46a5ab1cb5f"),
    _authority(_G3, _G3, "7e04de896a3e666d00e687d33ffad93be83d349e",
               "31ad6648f8104138c738f39ea4320133393e3a18cc02296ef97c2ac9ef6731d0"),
    _authority(_ECC, _ECC, "999a64c37ff47d9fab95f14769891460eec4c3c5",
               "358df39d764af9e1b766e9c972df352ee15cfac227af6ad1d70e8e4a6edcba02"),
    _authority(_RSA, _RSA, "73a5e64a3bff8316ff0edccc618a906e4eae4d74",
               "c741f70f4b2a8d88bf2e71c14122ef53ef10eba0cfa5e64cfa20f418853073e0"),
    _authority(_TLS_G2, _TLS_G2, "21734d95a2473be25cbfd12a84c6fbc5bc8e2414",
               "6a170583db584151e1c454eeca2a64cc5d8e484a5bd1156e720b4458654ee9e5", sources.AZURE_CA_FILES),
)

KNOWN_INTERMEDIATES: tuple[Authority, ...] = (
    # Of today: the chain since November 2025. Microsoft's page names the even numbers to 16 (sources.POSTGRESQL_TLS); the digests
    # of 06 to 16 were not found with a certificate to check them by, so they are not here.
    _authority(_TLS_G2, _G2, "b5ee89e77326ab2bf1775bd99c19a28947ff8184",
               "ddcd1e8a20638d4aaff7201bb1d56452acd2c759f1686bdc38f73dd15732bdc2", sources.AZURE_CA_FILES),
    _authority("Microsoft TLS G2 RSA CA OCSP 02", _TLS_G2, "f8a408b8fbeea077b75738658641be77154720eb",
               "ea7a25255d111fc3ce4cb8fabe3adf9c27bbe6db203f955066bab4c5a71f3d08", sources.AZURE_CA_FILES),
    _authority("Microsoft TLS G2 RSA CA OCSP 04", _TLS_G2, "da6d0400641b45aecc595d24e5037aa6bc09c358",
               "ac8ea9f2874fd368a3e778b1a0b165ee898db9b9687c17edcdc76908ab58c82c", sources.AZURE_CA_FILES),
    # The chain from 2023 on: each has a certificate of DigiCert's root and one of Microsoft's.
    _authority("Microsoft Azure RSA TLS Issuing CA 03", _G2, "f9388ea2c9b7d632b66a2b0b406df1d37d3901f6",
               "9d1bc5d2dd75bf8b64f35e7f919e2546c225be888c1a8cbe82c0e9579234a7ed"),
    _authority("Microsoft Azure RSA TLS Issuing CA 03", _RSA, "37461aacfa5970f7f2d2bac5a659b53b72541c68",
               "3d3f4b440f933ffd269565eda9e20e8df863c9cbe3651d3b476c5b4f4af5ce28"),
    _authority("Microsoft Azure RSA TLS Issuing CA 04", _G2, "be68d0adaa2345b48e507320b695d386080e5b25",
               "33f9731be910a66dc6acd07d9d9ca212ee8d0a9a5c78c8bf3e89bb74df8fb936"),
    _authority("Microsoft Azure RSA TLS Issuing CA 04", _RSA, "7304022ca8a9ff7e3e0c1242e0110e643822c45e",
               "fd39ffc48f148354262162a2f55dd46dc2564cfc1499309ad53f09c10981dcca"),
    _authority("Microsoft Azure RSA TLS Issuing CA 07", _G2, "3382517058a0c20228d598ee7501b61256a76442",
               "724247794951c93f3e41711617e95ce143263e3196c345a1da78f6639749ec03"),
    _authority("Microsoft Azure RSA TLS Issuing CA 07", _RSA, "0e5f41b697daadd808bf55ad080350a2a5dfca93",
               "fbb7926a451badf516be518614a77e6e325e29819908796d807f59320f918ee2"),
    _authority("Microsoft Azure RSA TLS Issuing CA 08", _G2, "31600991ed5fec63d355a5484a6dcc787ead89bc",
               "511c1c41cb7eb2a10078c32c82f17925ba786de46c633921d038e7409e15a5ea"),
    _authority("Microsoft Azure RSA TLS Issuing CA 08", _RSA, "512c8f3fb71edacf7ada490402e710b10c73026e",
               "cfdd061fcd4cff3bb9e133264ca7fde45ca49b70cfaa977ae0dc422b4330a8c1"),
    _authority("Microsoft Azure ECC TLS Issuing CA 03", _G3, "56d955c849887874aa1767810366d90adf6c8536"),
    _authority("Microsoft Azure ECC TLS Issuing CA 03", _ECC, "91503be7bf74e2a10aa078b48b71c3477175fec3"),
    _authority("Microsoft Azure ECC TLS Issuing CA 04", _G3, "fb73fdc24f06998e070a06b6afc78fdf2a155b25"),
    _authority("Microsoft Azure ECC TLS Issuing CA 04", _ECC, "406e3b38eff35a727f276fe993590b70f8224aed"),
    _authority("Microsoft Azure ECC TLS Issuing CA 07", _G3, "3be6ca5856e3b9709056da51f32cbc8970a83e28"),
    _authority("Microsoft Azure ECC TLS Issuing CA 07", _ECC, "ab3490b7e37b3a8a1e715036522ab42652c3cffe"),
    _authority("Microsoft Azure ECC TLS Issuing CA 08", _G3, "716df84638ac8e6eebe64416c8dd38c2a25f6630"),
    _authority("Microsoft Azure ECC TLS Issuing CA 08", _ECC, "cf33d5a1c2f0355b207fce940026e6c1580067fd"),
    _authority("Microsoft RSA TLS Issuing AOC CA 01", _RSA, "4697fdbed95739b457b347056f8f16a975baf8ee"),
    _authority("Microsoft RSA TLS Issuing AOC CA 02", _RSA, "90ed2e9cb40d0cb49a20651033086b1ea2f76e0e"),
    _authority("Microsoft RSA TLS Issuing EOC CA 01", _RSA, "a04d3750debfccf1259d553dbec33162c6b42737"),
    _authority("Microsoft RSA TLS Issuing EOC CA 02", _RSA, "697c6404399cc4e7bb3c0d4a8328b71dd3205563"),
    _authority("Microsoft ECC TLS Issuing AOC CA 01", _ECC, "30ab5c33eb4b77d4cbff00a11ee0a7507d9dd316"),
    _authority("Microsoft ECC TLS Issuing AOC CA 02", _ECC, "3709cd92105d074349d00ea8327f7d5303d729c8"),
    _authority("Microsoft ECC TLS Issuing EOC CA 01", _ECC, "5fa13b879b2ad1b12e69d476e6cad90d01013b46"),
    _authority("Microsoft ECC TLS Issuing EOC CA 02", _ECC, "58a1d8b1056571d32be6a7c77ed27f73081d6e7a"),
    # DigiCert's own, as the sign-in and revocation hosts use them.
    _authority("DigiCert Cloud Services CA-1", _GLOBAL, "81b68d6cd2f221f8f534e677523bb236bba1dc56"),
    _authority("DigiCert SHA2 Secure Server CA", _GLOBAL, "626d44e704d1ceabe3bf0d53397464ac8080142c"),
    _authority("DigiCert TLS Hybrid ECC SHA384 2020 CA1", _GLOBAL, "51e39a8bdb08878c52d6186588a0fa266a69cf28"),
    _authority("DigiCert TLS RSA SHA256 2020 CA1", _GLOBAL, "1c58a3a8518e8759bf075b76b750d4f2df264fcd"),
    _authority("GeoTrust Global TLS RSA4096 SHA256 2022 CA1", _GLOBAL, "7e6db7b7584d8cf2003e0931e6cfc41a3a62d3df"),
)
"""Issuing authorities that are in use or were lately. Those that expired before 2025 are left out."""

KNOWN_AUTHORITIES = frozenset(
    digest for authority in (*KNOWN_ROOTS, *KNOWN_INTERMEDIATES) for digest in (authority.sha1, authority.sha256) if digest
)
"""Both kinds of digest, lower-case hex."""


def digest() -> str:
    """SHA-256 over the data above, hex: the report says with it which list a judgement was made from."""
    lines = sorted("\t".join(astuple(authority)) for authority in (*KNOWN_ROOTS, *KNOWN_INTERMEDIATES))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
