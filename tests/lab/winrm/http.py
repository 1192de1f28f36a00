# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP in front of the server: sizes, passwords, connections."""

from __future__ import annotations

import logging
import socket
import socketserver
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Protocol

LOGGER = logging.getLogger(__name__)

MAX_REQUEST_BYTES = 512_000
# So much of a request that is too large is still read, so that the client sees the answer and not a reset.
_DRAIN_BYTES = 8_000_000


class Endpoint(Protocol):
    """What stands behind /wsman."""

    def count_request(self) -> None:
        """Told of every request, before anything is looked at."""

    def authorized(self, header: str) -> bool:
        """Whether an Authorization header is right."""

    def answer(self, content: bytes) -> tuple[HTTPStatus, bytes]:
        """Status and body for an envelope; ConnectionAbortedError closes the connection instead."""


class HTTPServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, winrm: Endpoint) -> None:
        self.winrm = winrm
        self._connections: set[socket.socket] = set()
        self._changed = threading.Condition()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        with self._changed:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        super().shutdown_request(request)
        with self._changed:
            self._connections.discard(request)
            self._changed.notify_all()

    def handle_error(self, request: object, client_address: object) -> None:
        LOGGER.warning("a request from %s failed", client_address, exc_info=True)

    def close_connections(self, seconds: float) -> None:
        """Close every connection and wait until their threads are done with them."""
        with self._changed:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    LOGGER.debug("a connection was closed by its client")
            self._changed.wait_for(lambda: not self._connections, seconds)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Microsoft-HTTPAPI/2.0"
    sys_version = ""
    disable_nagle_algorithm = True
    # Seconds that a client may take for the next piece of a request, and between two requests.
    timeout = 120
    server: HTTPServer

    def do_POST(self) -> None:
        winrm = self.server.winrm
        winrm.count_request()
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            self.close_connection = True
            self._reply(HTTPStatus.LENGTH_REQUIRED)
            return
        if int(length) > MAX_REQUEST_BYTES:
            self._drain(int(length))
            self.close_connection = True
            self._reply(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        content = self.rfile.read(int(length))
        if len(content) < int(length):
            self.close_connection = True
            return
        if self.path.partition("?")[0].rstrip("/").lower() != "/wsman":
            self._reply(HTTPStatus.NOT_FOUND)
            return
        if not winrm.authorized(self.headers.get("Authorization", "")):
            self._reply(HTTPStatus.UNAUTHORIZED)
            return
        try:
            status, answer = winrm.answer(content)
        except ConnectionAbortedError:
            self.close_connection = True
            return
        self._reply(status, answer)

    def _drain(self, length: int) -> None:
        left = min(length, _DRAIN_BYTES)
        while left > 0 and (data := self.rfile.read(min(left, 65_536))):
            left -= len(data)

    def _reply(self, status: HTTPStatus, content: bytes = b"") -> None:
        try:
            self.send_response(status)
            if status is HTTPStatus.UNAUTHORIZED:
                self.send_header("WWW-Authenticate", 'Basic realm="WSMAN"')
            if content:
                self.send_header("Content-Type", "application/soap+xml;charset=UTF-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except ConnectionError:
            # A client that has gone, as one does whose task was ended: nobody is left to tell.
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        LOGGER.debug(format, *args)
