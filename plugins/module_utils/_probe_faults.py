# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The POSIX engine's typed errors, and what an exception of the network means in them. It opens and reads nothing itself.

FOR INTERNAL COLLECTION USE ONLY. The codes are those of docs/observation.md.
"""

import errno
import re
import ssl
from typing import Any, Dict

Facts = Dict[str, Any]
"""What a stage tells, as observation.schema.json has it."""

CERTIFICATE_ERRORS = ("untrusted", "name_mismatch", "expired")
"""In the order in which the first names the handshake's error."""

_LOCAL_LIMITS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_RESETS = (errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE)
_TELL_RESETS = ("connect", "hello", "handshake")
"""The stages that tell a TCP reset from an end."""

# Fatal alerts as OpenSSL names them, after SSLV3_ALERT_ and the like (RFC 8446, 6; RFC 5246, 7.2).
_ALERTS = {
    "UNEXPECTED_MESSAGE": 10, "BAD_RECORD_MAC": 20, "DECRYPTION_FAILED": 21, "RECORD_OVERFLOW": 22, "DECOMPRESSION_FAILURE": 30,
    "HANDSHAKE_FAILURE": 40, "NO_CERTIFICATE": 41, "BAD_CERTIFICATE": 42, "UNSUPPORTED_CERTIFICATE": 43, "CERTIFICATE_REVOKED": 44,
    "CERTIFICATE_EXPIRED": 45, "CERTIFICATE_UNKNOWN": 46, "ILLEGAL_PARAMETER": 47, "UNKNOWN_CA": 48, "ACCESS_DENIED": 49,
    "DECODE_ERROR": 50, "DECRYPT_ERROR": 51, "EXPORT_RESTRICTION": 60, "PROTOCOL_VERSION": 70, "INSUFFICIENT_SECURITY": 71,
    "INTERNAL_ERROR": 80, "INAPPROPRIATE_FALLBACK": 86, "USER_CANCELLED": 90, "NO_RENEGOTIATION": 100, "MISSING_EXTENSION": 109,
    "UNSUPPORTED_EXTENSION": 110, "CERTIFICATE_UNOBTAINABLE": 111, "UNRECOGNIZED_NAME": 112, "BAD_CERTIFICATE_STATUS_RESPONSE": 113,
    "BAD_CERTIFICATE_HASH_VALUE": 114, "UNKNOWN_PSK_IDENTITY": 115, "CERTIFICATE_REQUIRED": 116, "NO_APPLICATION_PROTOCOL": 120,
}
# OpenSSL's verification results (X509_V_ERR_…); every other one is about the chain.
_TIME_RESULTS = (9, 10)
_NAME_RESULTS = (62, 63, 64)


class Fault(Exception):
    """A typed error of the observation. `facts`: level and description, bytes or first_bytes, as the schema's error has them."""

    def __init__(self, code: str, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.code = code
        self.facts = facts

    def as_table(self) -> Facts:
        return {"code": self.code, "message": str(self)[:500], **self.facts}


def malformed(message: str) -> Fault:
    return Fault("malformed", message)


def late(timeout_ms: int) -> Fault:
    return Fault("timeout", f"not done within {timeout_ms} ms")


def connect_fault(error: OSError) -> Fault:
    """Why there is no TCP connection."""
    codes = {
        errno.ECONNREFUSED: "refused", errno.ETIMEDOUT: "timeout", errno.ECONNRESET: "reset", errno.ECONNABORTED: "reset",
        errno.EACCES: "denied", errno.EPERM: "denied",
        # Not the network's word: this machine gives out no more sockets.
        **dict.fromkeys(_LOCAL_LIMITS, "denied"),
    }
    return Fault(codes.get(error.errno or 0, "unreachable"), str(error))


def broken_fault(error: OSError, stage: str) -> Fault:
    """What it means that the connection broke in a stage."""
    code = "closed"
    if not isinstance(error, ssl.SSLError):
        if error.errno == errno.ETIMEDOUT:
            code = "timeout"
        elif error.errno in _RESETS and stage in _TELL_RESETS:
            code = "reset"
    return Fault(code, str(error))


def tls_fault(error: OSError) -> Fault:
    """What a failed handshake means, where it was not the certificate."""
    if not isinstance(error, ssl.SSLError) or isinstance(error, ssl.SSLEOFError):
        return broken_fault(error, "handshake")
    match = re.fullmatch(r"(?:SSL|TLS)V[0-9]+_(?:ALERT_)?(.+)", error.reason or "")
    if match is not None and match.group(1) in _ALERTS:
        return Fault("alert", str(error), level=2, description=_ALERTS[match.group(1)])
    return Fault("protocol", str(error))


def certificate_error(verify_code: int) -> str:
    """One of CERTIFICATE_ERRORS for a verification result of OpenSSL's."""
    return "expired" if verify_code in _TIME_RESULTS else "name_mismatch" if verify_code in _NAME_RESULTS else "untrusted"
