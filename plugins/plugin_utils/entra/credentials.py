# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets: from options, files and the environment of the controller. None of them is ever part of an error's text.

FOR INTERNAL COLLECTION USE ONLY.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..options import OptionError
from .wanted import Credential

TOKEN_ENV = "APPPROXY_REGISTRATION_TOKEN"
ENVIRONMENT: Mapping[str, tuple[str, ...]] = {
    "client_id": ("AZURE_CLIENT_ID",),
    "client_secret": ("AZURE_CLIENT_SECRET", "AZURE_SECRET"),
    "client_certificate": ("AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_X509_CERTIFICATE_PATH"),
    "client_certificate_password": ("AZURE_CLIENT_CERTIFICATE_PASSWORD",),
    "federated_token_file": ("AZURE_FEDERATED_TOKEN_FILE",),
    "registration_token": (TOKEN_ENV,),
    "admin_password": ("AZURE_PASSWORD",),
}
"""Option to variables, the first that is set counts: the names of the Azure SDKs, and those of azure.azcollection."""
PROOFS = ("client_secret", "client_certificate", "federated_token_file")


@dataclass(frozen=True)
class Secrets:
    """Nothing of it shows in its repr."""

    token: str | None = field(default=None, repr=False)
    client_id: str | None = None
    credential: Credential | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    values: tuple[str, ...] = field(default=(), repr=False)
    """All secret texts that were read: none of them may be in what is handed out."""


def read_secrets(args: Mapping[str, Any], environment: Mapping[str, str], person: bool, password: bool) -> Secrets:
    """`person`: somebody is named to be looked up, so credentials of the environment count; `password`: it is wanted.

    Raises OptionError.
    """
    given = {name: str(args[name]) for name in (*ENVIRONMENT, "registration_token_file") if args.get(name)}
    proofs = [name for name in PROOFS if name in given]
    if len(proofs) > 1:
        raise OptionError(f"{proofs[0]}, {proofs[1]}: give one of them, not both.")
    if proofs and "client_id" not in given:
        given |= _from_environment(environment, "client_id")
        if "client_id" not in given:
            raise OptionError(f"{proofs[0]}: it proves that one is an application: name that one in client_id.")
    if "client_id" in given and not proofs:
        given |= _proof_of(environment)
        if not any(name in given for name in PROOFS):
            raise OptionError("client_id: give client_secret, client_certificate or federated_token_file with it.")
    if "client_id" not in given and person:
        given |= _application_of(environment)
    for name in ("client_certificate_password", *(("admin_password",) if password else ())):
        given = {**_from_environment(environment, name), **given}
    if password and "admin_password" not in given:
        raise OptionError("sign_in: password needs admin_password, or AZURE_PASSWORD in the environment.")
    token = _token(given, environment)
    credential, more = _credential(given)
    values = (token, given.get("client_secret"), given.get("client_certificate_password"), given.get("admin_password"), *more)
    return Secrets(
        token, given.get("client_id"), credential, given.get("admin_password") if password else None,
        tuple(dict.fromkeys(value for value in values if value)),
    )


def _from_environment(environment: Mapping[str, str], name: str) -> dict[str, str]:
    value = next((environment[variable] for variable in ENVIRONMENT[name] if environment.get(variable)), None)
    return {} if value is None else {name: value}


def _proof_of(environment: Mapping[str, str]) -> dict[str, str]:
    """In the order of the Azure SDKs."""
    return next((found for found in (_from_environment(environment, name) for name in PROOFS) if found), {})


def _application_of(environment: Mapping[str, str]) -> dict[str, str]:
    """An id without a proof (of a managed identity, say) is not meant for this."""
    client, proof = _from_environment(environment, "client_id"), _proof_of(environment)
    return {**client, **proof} if client and proof else {}


def _token(given: Mapping[str, str], environment: Mapping[str, str]) -> str | None:
    if "registration_token" in given and "registration_token_file" in given:
        raise OptionError("registration_token, registration_token_file: give one of them, not both.")
    if "registration_token" in given:
        return given["registration_token"].strip()
    if "registration_token_file" in given:
        return _text("registration_token_file", given["registration_token_file"])
    return _from_environment(environment, "registration_token").get("registration_token", "").strip() or None


def _text(option: str, path: str) -> str:
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise OptionError(f"{option}: '{path}' cannot be read on the controller ({why}).") from None
    if not text:
        raise OptionError(f"{option}: '{path}' is empty.")
    return text


def _credential(given: Mapping[str, str]) -> tuple[Credential | None, tuple[str, ...]]:
    """As MSAL takes it, and what of it is secret."""
    if "client_id" not in given:
        return None, ()
    if "client_secret" in given:
        return given["client_secret"], ()
    if "client_certificate" in given:
        return _certificate(given["client_certificate"], given.get("client_certificate_password")), ()
    assertion = _text("federated_token_file", given["federated_token_file"])
    return {"client_assertion": assertion}, (assertion,)


def _certificate(path: str, password: str | None) -> Credential:
    """A certificate with its key: PEM in one file, or PKCS#12."""
    try:
        raw = Path(path).expanduser().read_bytes()
    except OSError as error:
        raise OptionError(f"client_certificate: '{path}' cannot be read on the controller ({error.strerror}).") from None
    pem = b"-----BEGIN" in raw
    if not _opens(raw, pem, password.encode() if password else None):
        raise OptionError(
            f"client_certificate: '{path}' holds no certificate with its key (PEM in one file, or PKCS#12), or "
            "client_certificate_password does not open it."
        )
    secret = {"passphrase": password} if password and (not pem or b"ENCRYPTED" in raw) else {}
    if not pem:
        return {"private_key_pfx_path": str(Path(path).expanduser()), **secret}
    text = raw.decode("ascii", errors="replace")
    return {"private_key": text, "public_certificate": text, **secret}


def _opens(raw: bytes, pem: bool, passphrase: bytes | None) -> bool:
    """Also where the libraries are missing, which has a finding of its own."""
    # Here, since they take long to load: only who has a certificate waits for them.
    from .libraries import MISSING, load_pem_private_key, pkcs12, x509  # noqa: PLC0415

    if MISSING is not None:
        return True
    try:
        if not pem:
            return None not in pkcs12.load_key_and_certificates(raw, passphrase)[:2]
        load_pem_private_key(raw, passphrase if b"ENCRYPTED" in raw else None)
        x509.load_pem_x509_certificate(raw)
    except (ValueError, TypeError):
        return False
    return True
