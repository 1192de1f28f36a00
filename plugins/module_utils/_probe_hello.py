# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ClientHellos: the one that the platform really sends, read; and one of TLS 1.2 that looks like it, built.

FOR INTERNAL COLLECTION USE ONLY. The answer to a hello is read in _probe_flight; sending it is the business of _probe_stages.
"""

import os
import ssl
from typing import NamedTuple, Optional, Tuple

from ansible_collections.appproxy.connector.plugins.module_utils._probe_bytes import Reader, pairs, vector
from ansible_collections.appproxy.connector.plugins.module_utils._probe_faults import Facts, malformed

SERVER_NAME, GROUPS, POINT_FORMATS, SIGNATURE_ALGORITHMS, PADDING, SUPPORTED_VERSIONS = 0, 10, 11, 13, 21, 43
ENCRYPT_THEN_MAC, EXTENDED_MASTER_SECRET, SESSION_TICKET, RENEGOTIATION_INFO = 22, 23, 35, 0xFF01
RENEGOTIATION_SCSV = 0x00FF
TLS12 = 0x0303
SHA512_ALGORITHMS = (0x0601, 0x0806, 0x0603)
"""RSA, RSA-PSS and ECDSA, each with SHA-512."""
PADDED_BYTES = 2000
"""A record of this size does not fit into one packet of an Ethernet."""


class PlatformHello(NamedTuple):
    """What a ClientHello offers, GREASE values dropped; `bytes` as they go over the wire."""

    versions: Tuple[int, ...]
    suites: Tuple[int, ...]
    groups: Tuple[int, ...]
    signature_algorithms: Tuple[int, ...]
    extensions: Tuple[int, ...]
    point_formats: bytes
    bytes: int

    def as_facts(self) -> Facts:
        facts = {key: list(getattr(self, key)) for key in ("versions", "suites", "groups", "signature_algorithms", "extensions")}
        return {**facts, "bytes": self.bytes}

    def suites_of_12(self) -> Tuple[int, ...]:
        return tuple(suite for suite in self.suites if suite >> 8 != 0x13)

    def speaks_12(self) -> bool:
        """Whether it has a suite for TLS 1.2; the one that only says a word of renegotiation is none."""
        return any(suite != RENEGOTIATION_SCSV for suite in self.suites_of_12())

    def groups_of_12(self) -> Tuple[int, ...]:
        """Curves up to x448 and the finite fields of RFC 7919; the newer ones are for TLS 1.3 alone."""
        return tuple(group for group in self.groups if group <= 30 or 0x0100 <= group <= 0x0104)

    def sha512_first(self) -> "PlatformHello":
        """Added where it is missing: the path can be looked at although the platform does not offer it."""
        others = tuple(one for one in self.signature_algorithms if one not in SHA512_ALGORITHMS)
        order = self.extensions if SIGNATURE_ALGORITHMS in self.extensions else (*self.extensions, SIGNATURE_ALGORITHMS)
        return self._replace(signature_algorithms=SHA512_ALGORITHMS + others, extensions=order)


RECORDED = PlatformHello(
    versions=(TLS12,),
    suites=(
        0xC02C, 0xC030, 0x009F, 0xCCA9, 0xCCA8, 0xCCAA, 0xC02B, 0xC02F, 0x009E, 0xC024, 0xC028, 0x006B, 0xC023, 0xC027, 0x0067,
        0xC00A, 0xC014, 0x0039, 0xC009, 0xC013, 0x0033, 0x009D, 0x009C, 0x003D, 0x003C, 0x0035, 0x002F,
    ),
    groups=(29, 23, 30, 25, 24),
    signature_algorithms=(
        0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0809, 0x080A, 0x080B, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0303, 0x0301,
    ),
    extensions=(
        SERVER_NAME, RENEGOTIATION_INFO, POINT_FORMATS, GROUPS, SESSION_TICKET, ENCRYPT_THEN_MAC, EXTENDED_MASTER_SECRET,
        SIGNATURE_ALGORITHMS,
    ),
    point_formats=b"\x03\x00\x01\x02",
    bytes=0,
)
"""OpenSSL 3.0's defaults, for where the platform's own hello is not to be had."""


# ---- the platform's own


def _is_grease(number: int) -> bool:
    """Values that mean nothing, so that nobody chokes on new ones (RFC 8701)."""
    return number & 0x0F0F == 0x0A0A and number >> 8 == number & 0xFF


def _known(numbers: Reader) -> Tuple[int, ...]:
    return tuple(number for number in numbers.numbers(2) if not _is_grease(number))


def _client_hello_body(records: bytes) -> Reader:
    reader, message = Reader(records), b""
    while reader.left:
        if reader.number(1) != 22:
            raise malformed("the platform's hello is no handshake record")
        reader.number(2)
        message += reader.vector(2).rest()
    outer = Reader(message)
    if outer.number(1) != 1:
        raise malformed("the platform's first message is no ClientHello")
    return outer.vector(3)


def parse_client_hello(records: bytes) -> PlatformHello:
    """Reads whole handshake records. Raises a malformed Fault."""
    body = _client_hello_body(records)
    versions: Tuple[int, ...] = (body.number(2),)
    body.take(32)
    body.vector(1)
    suites = _known(body.vector(2))
    body.vector(1)
    groups: Tuple[int, ...] = ()
    algorithms: Tuple[int, ...] = ()
    formats, order = b"\x01\x00", []
    extensions = body.vector(2) if body.left else Reader(b"")
    while extensions.left:
        kind, content = extensions.number(2), extensions.vector(2)
        if _is_grease(kind):
            continue
        order.append(kind)
        if kind == GROUPS:
            groups = _known(content.vector(2))
        elif kind == SIGNATURE_ALGORITHMS:
            algorithms = _known(content.vector(2))
        elif kind == SUPPORTED_VERSIONS:
            versions = _known(content.vector(1))
        elif kind == POINT_FORMATS:
            formats = content.rest()
    return PlatformHello(versions, suites, groups, algorithms, tuple(order), formats, len(records))


def read_platform_hello(context: ssl.SSLContext) -> PlatformHello:
    """The ClientHello that a client context really sends: the same bytes as on a socket. Raises Fault or ssl.SSLError."""
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="platform-hello.invalid")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        return parse_client_hello(outgoing.read())
    raise malformed("the platform's client did not wait for an answer")


# ---- ours


def build_hello(like: PlatformHello, server_name: Optional[str], pad_to: int = 0) -> bytes:
    """A TLS 1.2 hello that looks like the platform's own, as one record; `server_name` is None for an address.

    With `pad_to` the record has at least so many bytes (RFC 7685).
    """
    suites = like.suites_of_12()
    # Whatever else the platform says is not for TLS 1.2, or asks for what is of no use here.
    contents = {
        GROUPS: vector(2, pairs(like.groups_of_12())),
        SIGNATURE_ALGORITHMS: vector(2, pairs(like.signature_algorithms)),
        POINT_FORMATS: like.point_formats,
        RENEGOTIATION_INFO: b"\x00",
        ENCRYPT_THEN_MAC: b"",
        EXTENDED_MASTER_SECRET: b"",
        SESSION_TICKET: b"",
    }
    if server_name is not None:
        # Its place is known: the platform's hello was read with a name in it.
        contents[SERVER_NAME] = vector(2, b"\x00" + vector(2, server_name.encode("ascii")))
    order = list(like.extensions)
    for needed in (EXTENDED_MASTER_SECRET, POINT_FORMATS, RENEGOTIATION_INFO):
        said = needed in order or (needed == RENEGOTIATION_INFO and RENEGOTIATION_SCSV in suites)
        if not said:
            order.append(needed)
    extensions = b"".join(pairs((kind,)) + vector(2, contents[kind]) for kind in order if kind in contents)
    head = pairs((TLS12,)) + os.urandom(32) + b"\x00" + vector(2, pairs(suites)) + b"\x01\x00"
    record = _as_record(head, extensions)
    if pad_to:
        padding = bytes(max(0, pad_to - len(record) - 4))
        record = _as_record(head, extensions + pairs((PADDING,)) + vector(2, padding))
    return record


def _as_record(head: bytes, extensions: bytes) -> bytes:
    return b"\x16\x03\x01" + vector(2, b"\x01" + vector(3, head + vector(2, extensions)))
