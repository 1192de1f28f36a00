# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server's answer to a TLS 1.2 hello, read in the clear as far as ServerHelloDone: versions, suite, chain, what it asks for.

FOR INTERNAL COLLECTION USE ONLY. Bytes in, facts out: it opens no connection and judges nothing.
"""

from ansible_collections.appproxy.connector.plugins.module_utils._probe_bytes import Reader
from ansible_collections.appproxy.connector.plugins.module_utils._probe_faults import Facts, Fault, late, malformed
from ansible_collections.appproxy.connector.plugins.module_utils._probe_hello import SUPPORTED_VERSIONS, TLS12

_VERSION_NAMES = {0x0300: "SSLv3", 0x0301: "TLSv1.0", 0x0302: "TLSv1.1", TLS12: "TLSv1.2"}
_DOWNGRADE_TO_12 = b"DOWNGRD\x01"
"""The end of the server's random, where a server that also speaks 1.3 answers with 1.2 (RFC 8446, 4.1.3)."""
_MOST_BYTES = 256 * 1024
_MOST_RECORD = 16384 + 2048
_MOST_WARNINGS = 16

_ALERT, _HANDSHAKE = 21, 22
_HELLO_REQUEST, _SERVER_HELLO, _CERTIFICATE, _KEY_EXCHANGE, _CERTIFICATE_REQUEST, _HELLO_DONE, _STATUS = 0, 2, 11, 12, 13, 14, 22
_TURN = {_SERVER_HELLO: 1, _CERTIFICATE: 2, _STATUS: 3, _KEY_EXCHANGE: 4, _CERTIFICATE_REQUEST: 5, _HELLO_DONE: 6}
"""Each message at most once, and in this order (RFC 5246, 7.3; RFC 6066, 8). The first two are never left out."""

# The key exchanges of IANA's TLS cipher suites.
_ECDHE = frozenset((
    *range(0xC006, 0xC00B), *range(0xC010, 0xC015), 0xC023, 0xC024, 0xC027, 0xC028, 0xC02B, 0xC02C, 0xC02F, 0xC030,
    0xC048, 0xC049, 0xC04C, 0xC04D, 0xC05C, 0xC05D, 0xC060, 0xC061, 0xC072, 0xC073, 0xC076, 0xC077, 0xC086, 0xC087, 0xC08A, 0xC08B,
    *range(0xC0AC, 0xC0B0), 0xCCA8, 0xCCA9,
))
_DHE = frozenset((
    0x0013, 0x0016, 0x0032, 0x0033, 0x0038, 0x0039, 0x0040, 0x0044, 0x0045, 0x0067, 0x006A, 0x006B, 0x0087, 0x0088,
    0x009E, 0x009F, 0x00A2, 0x00A3, 0x00BD, 0x00BE, 0x00C3, 0x00C4, 0xC044, 0xC045, 0xC052, 0xC053, 0xC056, 0xC057,
    0xC07C, 0xC07D, 0xC080, 0xC081, 0xC09E, 0xC09F, 0xC0A2, 0xC0A3, 0xCCAA,
))
_RSA = frozenset((
    0x0004, 0x0005, 0x000A, 0x002F, 0x0035, 0x003B, 0x003C, 0x003D, 0x0041, 0x0084, 0x009C, 0x009D, 0x00BA, 0x00C0,
    0xC03C, 0xC03D, 0xC050, 0xC051, 0xC07A, 0xC07B, 0xC09C, 0xC09D, 0xC0A0, 0xC0A1,
))


def key_exchange_of(suite: int) -> str:
    """ecdhe, dhe or rsa. Raises a malformed Fault for a suite that no client of today offers."""
    for kind, suites in (("ecdhe", _ECDHE), ("dhe", _DHE), ("rsa", _RSA)):
        if suite in suites:
            return kind
    raise malformed(f"the key exchange of cipher suite {suite:#06x} is not known")


class ServerFlight:
    """Fed with bytes as they come, until it is `done`.

    `facts` are the hello stage's, but `chain` holds the DERs. Whatever a server sends ends in a Fault or in `done`.
    """

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.done = False
        self._raw = b""
        self._handshake = b""
        self._first = b""
        self._total = 0
        self._in_records = False
        self._turn = 0
        self._version = 0
        self._suite = 0
        facts.update(bytes=0, warnings=[])

    def feed(self, data: bytes) -> None:
        self._total += len(data)
        self.facts["bytes"] = self._total
        self._first = (self._first + data)[:64]
        self._raw += data
        while not self.done and self._next_record():
            pass
        if not self.done and self._total > _MOST_BYTES:
            raise malformed("more bytes than a server's hello may have")

    def silence(self, timeout_ms: int) -> Fault:
        """The stage's time is up: nothing came, or something and then silence."""
        if not self._total:
            return late(timeout_ms)
        if self._is_not_tls():
            return self._not_tls()
        return Fault("stalled", f"{self._total} bytes came, then nothing more", bytes=self._total)

    def end(self) -> Fault:
        """The server has closed before it was done."""
        if self._total and self._is_not_tls():
            return self._not_tls()
        return Fault("closed", "the server closed the connection before its hello was done")

    def _is_not_tls(self) -> bool:
        return not self._in_records and not _begins_record(self._first)

    def _not_tls(self) -> Fault:
        return Fault("not_tls", "the answer is no TLS record", first_bytes=self._first.hex())

    def _next_record(self) -> bool:
        """Whether a whole record was there."""
        raw = self._raw
        if len(raw) < 5:
            return False
        if not _begins_record(raw):
            raise malformed("no TLS record where one should begin") if self._in_records else self._not_tls()
        self._in_records = True
        length = raw[3] << 8 | raw[4]
        if not 1 <= length <= _MOST_RECORD:
            raise malformed(f"a record of {length} bytes")
        if len(raw) < 5 + length:
            return False
        self._raw = raw[5 + length:]
        self._record(raw[0], raw[5:5 + length])
        return True

    def _record(self, kind: int, body: bytes) -> None:
        if kind == _ALERT:
            self._alert(body)
        elif kind == _HANDSHAKE:
            self._handshake += body
            while not self.done and self._next_message():
                pass
        else:
            raise malformed(f"a record of type {kind} before the keys are agreed")

    def _alert(self, body: bytes) -> None:
        if len(body) != 2 or body[0] not in (1, 2):
            raise malformed("an alert that is none")
        if body[0] == 2:
            raise Fault("alert", f"the server sent alert {body[1]}", level=2, description=body[1])
        if len(self.facts["warnings"]) == _MOST_WARNINGS:
            raise malformed("warnings without an end")
        self.facts["warnings"] = self.facts["warnings"] + [[body[0], body[1]]]

    def _next_message(self) -> bool:
        """Whether a whole message was there."""
        data = self._handshake
        if len(data) < 4:
            return False
        length = int.from_bytes(data[1:4], "big")
        if length > _MOST_BYTES:
            raise malformed(f"a message of {length} bytes")
        if len(data) < 4 + length:
            return False
        self._handshake = data[4 + length:]
        self._message(data[0], Reader(data[4:4 + length]))
        return True

    def _message(self, kind: int, body: Reader) -> None:
        if kind == _HELLO_REQUEST:
            return
        turn = _TURN.get(kind, 0)
        if turn <= self._turn or (self._turn < _TURN[_CERTIFICATE] and turn != self._turn + 1):
            raise malformed(f"handshake message {kind} out of order")
        self._turn = turn
        readers = {
            _SERVER_HELLO: self._server_hello, _CERTIFICATE: self._certificate, _KEY_EXCHANGE: self._key_exchange,
            _CERTIFICATE_REQUEST: self._certificate_request, _HELLO_DONE: self._hello_done,
        }
        if kind in readers:
            readers[kind](body)

    def _server_hello(self, body: Reader) -> None:
        self._version = body.number(2)
        if self._version not in _VERSION_NAMES:
            raise malformed(f"a version that was not offered: {self._version:#06x}")
        ending = body.take(32)[24:]
        body.vector(1)
        self._suite = body.number(2)
        if body.number(1) != 0:
            raise malformed("a compression that was not offered")
        extensions = body.vector(2) if body.left else Reader(b"")
        while extensions.left:
            if extensions.number(2) == SUPPORTED_VERSIONS:
                raise malformed("TLS 1.3, which was not offered")
            extensions.vector(2)
        self.facts.update(
            version=_VERSION_NAMES[self._version], cipher=self._suite, downgrade_sentinel=ending == _DOWNGRADE_TO_12,
        )

    def _certificate(self, body: Reader) -> None:
        listed, chain = body.vector(3), []
        while listed.left:
            chain.append(listed.vector(3).rest())
        if not chain or not all(chain):
            raise malformed("a Certificate message without a certificate")
        self.facts["chain"] = chain

    def _key_exchange(self, body: Reader) -> None:
        kind, group = key_exchange_of(self._suite), None
        if kind == "ecdhe":
            if body.number(1) != 3:
                raise malformed("a key exchange over a curve without a name")
            group = body.number(2)
            body.vector(1)
        elif kind == "dhe":
            for _number in ("prime", "generator", "public value"):
                body.vector(2)
        else:
            raise malformed("a ServerKeyExchange that the cipher suite has no use for")
        # Before TLS 1.2 the algorithm is not named.
        algorithm = body.number(2) if self._version == TLS12 else None
        body.vector(2)
        self.facts["key_exchange"] = {"kind": kind, "group": group, "signature_algorithm": algorithm}

    def _certificate_request(self, body: Reader) -> None:
        types = body.vector(1).numbers(1)
        algorithms = body.vector(2).numbers(2) if self._version == TLS12 else []
        issuers, count = body.vector(2), 0
        while issuers.left:
            issuers.vector(2)
            count += 1
        self.facts["certificate_request"] = {"types": types, "signature_algorithms": algorithms, "issuers": count}

    def _hello_done(self, body: Reader) -> None:
        if body.left:
            raise malformed("a ServerHelloDone with a body")
        if "key_exchange" not in self.facts:
            if key_exchange_of(self._suite) != "rsa":
                raise malformed("no ServerKeyExchange though the cipher suite needs one")
            self.facts["key_exchange"] = {"kind": "rsa", "group": None, "signature_algorithm": None}
        self.facts.setdefault("certificate_request", None)
        self.done = True


def _begins_record(data: bytes) -> bool:
    """As far as the bytes tell."""
    return 20 <= data[0] <= 23 and (len(data) < 2 or data[1] == 3)
