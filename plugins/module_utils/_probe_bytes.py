# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers and parts in bytes, for the POSIX engine's readers and writers of TLS messages and certificates.

FOR INTERNAL COLLECTION USE ONLY. What the bytes mean is said in _probe_hello, _probe_flight and _probe_certificates.
"""
from typing import Iterable, List, Tuple

from ansible_collections.appproxy.connector.plugins.module_utils._probe_faults import malformed


class Reader:
    """Reads numbers and parts out of bytes and never beyond them: too short is a malformed fault."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, length: int) -> bytes:
        if length > self.left:
            raise malformed("a length goes beyond the end of its message")
        self._at += length
        return self._data[self._at - length:self._at]

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    def vector(self, width: int) -> "Reader":
        """A part that begins with its own length, of `width` bytes."""
        return Reader(self.take(self.number(width)))

    def rest(self) -> bytes:
        return self.take(self.left)

    def numbers(self, width: int) -> List[int]:
        found = []
        while self.left:
            found.append(self.number(width))
        return found

    def element(self) -> "Tuple[int, Reader, bytes]":
        """One DER element: its tag, its content, and itself with its header."""
        start = self._at
        tag, length = self.number(1), self.number(1)
        if length > 127:
            width = length & 127
            if not 1 <= width <= 3:
                raise malformed("a DER length that no certificate has")
            length = self.number(width)
            if length < 128 or length >> 8 * (width - 1) == 0:
                raise malformed("a DER length that is longer than it need be")
        content = self.take(length)
        return tag, Reader(content), self._data[start:self._at]

    def inside(self, wanted: int) -> "Reader":
        """The content of a DER element that must have this tag."""
        tag, content, _whole = self.element()
        if tag != wanted:
            raise malformed(f"a DER element of type {tag:#x} where {wanted:#x} was expected")
        return content


def vector(width: int, content: bytes) -> bytes:
    """`content` behind its length, of `width` bytes."""
    return len(content).to_bytes(width, "big") + content


def pairs(numbers: Iterable[int]) -> bytes:
    """Numbers of two bytes each."""
    return b"".join(number.to_bytes(2, "big") for number in numbers)


def der(tag: int, *parts: bytes) -> bytes:
    """A DER element of less than 64 KiB."""
    content = b"".join(parts)
    length = bytes((len(content),)) if len(content) < 128 else b"\x82" + len(content).to_bytes(2, "big")
    return bytes((tag,)) + length + content
