# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look-ups, TCP connections and TLS over them, by the means of the platform.

FOR INTERNAL COLLECTION USE ONLY. Which of them are made, in which order and for how long, is the business of _probe_stages.
"""

import asyncio
import errno
import os
import socket
import ssl
import struct
import threading
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple

from ansible_collections.appproxy.connector.plugins.module_utils._probe_faults import Facts, Fault, connect_fault
from ansible_collections.appproxy.connector.plugins.module_utils._probe_request import Place, ip_of

# ---- names


class Looked(NamedTuple):
    """A name's addresses, or why there are none."""

    addresses: Tuple[str, ...]
    fault: Optional[Fault]

    def as_facts(self) -> Facts:
        return {"addresses": list(self.addresses)} if self.fault is None else {"error": self.fault.code}


_NO_DATA = tuple(getattr(socket, name) for name in ("EAI_NODATA", "EAI_ADDRFAMILY") if hasattr(socket, name))


def look_up(host: str) -> Looked:
    """By the system's own resolver, both families, in its order. Blocks."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        # EAI_AGAIN is both a server that fails and one that is silent for as long as the resolver waits.
        code = "nxdomain" if error.errno == socket.EAI_NONAME else "no_data" if error.errno in _NO_DATA else "server_failure"
        return Looked((), Fault(code, str(error)))
    except (OSError, UnicodeError) as error:
        return Looked((), Fault("server_failure", str(error)))
    addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
    return Looked(addresses, None if addresses else Fault("no_data", "the name has no address"))


class Names:
    """Each name is looked up once, in a daemon thread of its own: a look-up that hangs must not hold the end of the process."""

    def __init__(self) -> None:
        self._known: Dict[str, asyncio.Future[Looked]] = {}

    def find(self, host: str) -> "asyncio.Future[Looked]":
        key = host.lower()
        if key not in self._known:
            loop = asyncio.get_running_loop()
            future = loop.create_future()
            self._known[key] = future
            if ip_of(host):
                future.set_result(Looked((host,), None))
            else:
                threading.Thread(target=self._work, args=(loop, future, host), daemon=True).start()
        return self._known[key]

    def forget(self) -> None:
        self._known = {}

    @staticmethod
    def _work(loop: asyncio.AbstractEventLoop, future: "asyncio.Future[Looked]", host: str) -> None:
        looked = look_up(host)
        try:
            loop.call_soon_threadsafe(lambda: None if future.done() else future.set_result(looked))
        except RuntimeError:
            # The loop was closed at the deadline: nobody waits any more.
            return


# ---- connections


class Wire:
    """One TCP connection; `opened` holds it from its beginning to its end."""

    def __init__(self, opened: "Set[Wire]") -> None:
        self._opened = opened
        self._loop = asyncio.get_running_loop()
        self._socket: Optional[socket.socket] = None
        self._early = b""

    async def connect(self, address: str, port: int) -> None:
        """Raises Fault with a code of the connect stage."""
        try:
            family, kind, protocol, _name, where = socket.getaddrinfo(
                address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV)[0]
            self._socket = socket.socket(family, kind, protocol)
            self._opened.add(self)
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            error = self._socket.connect_ex(where)
            if error in (errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR):
                await self._writable()
                error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, os.strerror(error))
        except OSError as error:
            raise connect_fault(error) from error

    async def _writable(self) -> None:
        ready = self._loop.create_future()
        number = self._open().fileno()
        self._loop.add_writer(number, lambda: None if ready.done() else ready.set_result(None))
        try:
            await ready
        finally:
            self._loop.remove_writer(number)

    def _open(self) -> socket.socket:
        if self._socket is None:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        return self._socket

    @property
    def local(self) -> str:
        return str(self._open().getsockname()[0])

    def put_back(self, data: bytes) -> None:
        """What was read beyond a proxy's answer is read again."""
        self._early = data

    async def recv(self) -> bytes:
        """Empty at the end."""
        if self._early:
            early, self._early = self._early, b""
            return early
        # Where bytes are there already, reading them does not wait: who never stops talking would keep all others from their turn, and the
        # deadline from its own.
        await asyncio.sleep(0)
        return await self._loop.sock_recv(self._open(), 16384)

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self._open(), data)

    def give_up(self) -> None:
        """Closing it from now on is a reset: nothing waits for the far end."""
        if self._socket is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self._opened.discard(self)


# ---- TLS


class Contexts:
    """The platform's TLS clients, each made once: loading the roots takes a while."""

    def __init__(self) -> None:
        self._made: Dict[Tuple[bool, bool], ssl.SSLContext] = {}

    def get(self, verify: bool, tls12: bool) -> ssl.SSLContext:
        """Without `verify` the same hello goes out, and any certificate is taken. Raises ssl.SSLError."""
        key = (verify, tls12)
        if key not in self._made:
            context = ssl.create_default_context() if verify else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if not verify:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            # Alike on all Pythons: 3.13 refuses authorities without some extensions, which OpenSSL's clients and Windows do
            # not; 3.9 still offers TLS 1.0.
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
            if context.minimum_version not in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                context.minimum_version = ssl.TLSVersion.TLSv1_2
            if tls12:
                context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
            self._made[key] = context
        return self._made[key]


class Session:
    """TLS over a wire, by the platform's client."""

    def __init__(self, wire: Wire, context: ssl.SSLContext, place: Place) -> None:
        self._wire = wire
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=place.tls_name())

    async def handshake(self) -> None:
        """Raises ssl.SSLError, OSError, or Fault closed."""
        try:
            while not self._has_shaken_hands():
                broken = await self._flush()
                if not await self._receive():
                    raise broken or Fault("closed", "the server closed the connection before the handshake was done")
        except ssl.SSLError:
            # The platform says why in an alert of its own; whether that arrives is no matter here.
            await self._flush()
            raise
        await self._send_on()

    def _has_shaken_hands(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def _read(self) -> Optional[bytes]:
        """None where more must come first."""
        try:
            return self._tls.read(16384)
        except ssl.SSLWantReadError:
            return None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    async def _send_on(self) -> None:
        broken = await self._flush()
        if broken is not None:
            raise broken

    async def _flush(self) -> Optional[OSError]:
        """Why it could not be sent: what the server had said before that comes first."""
        try:
            await self._wire.send(self._outgoing.read())
        except OSError as error:
            return error
        return None

    async def _receive(self) -> bool:
        """False at the end."""
        data = await self._wire.recv()
        self._incoming.write(data)
        return bool(data)

    async def recv(self) -> bytes:
        """Empty at the end, also where the end was not announced."""
        data = self._read()
        while data is None:
            await self._send_on()
            if not await self._receive():
                self._incoming.write_eof()
            data = self._read()
        return data

    async def send(self, data: bytes) -> None:
        self._tls.write(data)
        await self._send_on()

    def facts(self) -> Facts:
        """`version` and `cipher` as the platform names them, but TLS 1.0 with its digit; `chain` holds the DERs."""
        version, cipher = self._tls.version() or "", self._tls.cipher()
        return {
            "version": "TLSv1.0" if version == "TLSv1" else version,
            "cipher": cipher[0] if cipher else "",
            "chain": self._chain(),
        }

    def _chain(self) -> List[bytes]:
        """What the server sent, the leaf first; the leaf alone on Python 3.9, which tells no more."""
        if hasattr(self._tls, "get_unverified_chain"):
            return list(self._tls.get_unverified_chain())
        inner: Any = getattr(self._tls, "_sslobj", None)
        if hasattr(inner, "get_unverified_chain"):
            # Python 3.10 to 3.12: certificate objects, and the number of the DER form in OpenSSL's own header.
            return [bytes(one.public_bytes(2)) for one in inner.get_unverified_chain() or ()]
        leaf = self._tls.getpeercert(binary_form=True)
        return [leaf] if leaf else []
