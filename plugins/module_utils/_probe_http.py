# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/1.1 as far as the POSIX engine speaks it: a request, and the bounded reading of its answer.

FOR INTERNAL COLLECTION USE ONLY. No connections, no redirects, no credentials.
"""

import base64
import re
from typing import Awaitable, Callable, Dict, Iterable, List, Optional

from ansible_collections.appproxy.connector.plugins.module_utils._probe_faults import Facts, Fault

KEPT_HEADERS = frozenset((
    "server", "via", "location", "content-type", "content-length", "transfer-encoding", "date", "connection", "upgrade",
    "www-authenticate", "proxy-authenticate", "proxy-agent", "x-cache", "x-squid-error", "x-ms-request-id", "retry-after", "age",
    "last-modified",
))
_MOST_HEAD = 64 * 1024
_MOST_BODY = 512
_MOST_HEADER = 256
_BLANKS = " \t"
"""No other character may be around a value (RFC 9110, 5.6.3)."""
_STATUS_LINE = re.compile(r"HTTP/1\.[0-9] ([0-9]{3})(?: (.*))?")


class Answer:
    """One HTTP answer, read with bounds by `receive`, which gives bytes, and none at the end. Raises Fault: closed, malformed."""

    def __init__(self, receive: Callable[[], Awaitable[bytes]]) -> None:
        self._receive = receive
        self._buffer = b""
        self._first = b""
        self._head_length = 0
        self._body = b""
        self.status = 0
        self.reason = ""
        self.headers: Dict[str, List[str]] = {}

    def unread(self) -> bytes:
        return self._buffer

    def head_facts(self) -> Facts:
        kept = {name: values for name, values in self.headers.items() if name in KEPT_HEADERS}
        return {"status": self.status, "reason": self.reason, "headers": kept}

    async def read_head(self) -> None:
        """Interim answers (100, 103) are passed over."""
        while True:
            self.headers = {}
            self._read_status(await self._line())
            line = await self._line()
            while line:
                self._read_header(line)
                line = await self._line()
            if not 100 <= self.status < 200 or self.status == 101:
                return

    async def read_body(self, facts: Facts) -> None:
        """As much as is kept; its facts are there also when it breaks off."""
        self._tell_body(facts)
        if self.status in (101, 204, 304):
            return
        if self._header("transfer-encoding").lower().endswith("chunked"):
            await self._read_chunks(facts)
            return
        length = self._header("content-length")
        if "content-length" not in self.headers:
            await self._take(None, facts)
        elif re.fullmatch(r"[0-9]{1,18}", length):
            await self._take(int(length), facts)
        else:
            raise self._malformed("a content-length that is no number")

    def _read_status(self, line: str) -> None:
        match = _STATUS_LINE.fullmatch(line)
        if match is None:
            raise self._malformed("the answer does not begin with an HTTP status line")
        self.status = int(match.group(1))
        self.reason = (match.group(2) or "").strip(_BLANKS)[:_MOST_HEADER]

    def _read_header(self, line: str) -> None:
        name, colon, value = line.partition(":")
        name = name.strip(_BLANKS).lower()
        if not name or not colon:
            raise self._malformed("a header line without a name")
        self.headers.setdefault(name, []).append(value.strip(_BLANKS)[:_MOST_HEADER])

    def _header(self, name: str) -> str:
        return self.headers.get(name, [""])[0]

    def _malformed(self, message: str) -> Fault:
        return Fault("malformed", message, first_bytes=self._first.hex())

    def _looks_like_http(self) -> bool:
        return b"HTTP/".startswith(self._first[:5])

    async def _fill(self) -> bool:
        """False at the end."""
        data = await self._receive()
        self._first = (self._first + data)[:64]
        self._buffer += data
        return bool(data)

    async def _line(self) -> str:
        while b"\n" not in self._buffer:
            if self._head_length + len(self._buffer) > _MOST_HEAD:
                raise self._malformed("a head of more than 64 KiB")
            whole = await self._fill()
            if self._first and not self._looks_like_http():
                raise self._malformed("the answer is no HTTP")
            if not whole:
                raise Fault("closed", "the far end closed the connection before its answer was whole")
        line, _end, self._buffer = self._buffer.partition(b"\n")
        self._head_length += len(line) + 1
        if self._head_length > _MOST_HEAD:
            raise self._malformed("a head of more than 64 KiB")
        return line.rstrip(b"\r").decode("latin-1")

    async def _read_chunks(self, facts: Facts) -> None:
        self._head_length = 0
        while len(self._body) < _MOST_BODY:
            size = (await self._line()).partition(";")[0].strip(_BLANKS)
            if not re.fullmatch(r"[0-9A-Fa-f]{1,15}", size):
                raise self._malformed("a chunk without a size")
            if int(size, 16) == 0:
                return
            await self._take(int(size, 16), facts)
            if len(self._body) < _MOST_BODY and await self._line():
                raise self._malformed("a chunk that is longer than its size")

    async def _take(self, count: Optional[int], facts: Facts) -> None:
        """Takes so many bytes, or as many as are kept; an end before that is an error, unless the end is the length (None)."""
        left = _MOST_BODY if count is None else count
        while left and len(self._body) < _MOST_BODY:
            if not self._buffer and not await self._fill():
                if count is None:
                    return
                raise Fault("closed", "the far end closed the connection before its answer was whole")
            size = min(left, len(self._buffer), _MOST_BODY - len(self._body))
            self._body += self._buffer[:size]
            self._buffer = self._buffer[size:]
            left -= size
            self._tell_body(facts)

    def _tell_body(self, facts: Facts) -> None:
        facts.update(body=base64.b64encode(self._body).decode("ascii"), body_bytes=len(self._body))


def challenge_schemes(values: Iterable[str]) -> List[str]:
    """Scheme names, each once; a header may hold several, with parameters that hold commas in quotes."""
    schemes: List[str] = []
    for value in values:
        for part in re.sub(r'"[^"]*"?', "", value).split(","):
            word = re.split("[ \t]", part.strip(_BLANKS))[0]
            if word and "=" not in word and word not in schemes:
                schemes.append(word)
    return schemes


def http_request(method: str, what: str, host: str, user_agent: str, *more: str) -> bytes:
    """Never with credentials."""
    return "\r\n".join((f"{method} {what} HTTP/1.1", f"Host: {host}", f"User-Agent: {user_agent}", *more, "", "")).encode("ascii")
