# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one way to the sign-in and to Graph: HTTPS, bounded in number and time, only the calls of the catalogue, only the two services.

FOR INTERNAL COLLECTION USE ONLY. MSAL is given this as its HTTP client, so that its calls obey the same.
"""

from __future__ import annotations

import queue
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from ..catalogue.calls import GRAPH_CALLS, SIGN_IN_CALLS
from .libraries import httpx

CALLS = 100
"""At most, for one look."""
TRIES = 3
"""Of one call to Graph that is throttled or meets an outage. What is posted is never sent twice."""
PATIENCE = 20.0
"""Seconds without a byte."""
LARGEST = 10_000_000
"""Bytes of one answer."""
AGAIN = (429, 503, 504)


class UnreachableError(Exception):
    """No answer; the text is one line and holds no secret."""


class NotOfTheCatalogueError(Exception):
    """A call that must not be made. A fault of the collection, or an answer that leads elsewhere."""


class Transport:
    """One for each look. `authority` and `graph` are https:// addresses without a last slash."""

    def __init__(self, authority: str, graph: str, ca_path: str | None, seconds: float) -> None:
        """Errors: OSError or ssl.SSLError where ca_path cannot be read; ValueError where the environment names an impossible proxy."""
        self._services = ((authority, SIGN_IN_CALLS), (graph, GRAPH_CALLS))
        verify: Any = ssl.create_default_context(cafile=ca_path) if ca_path else True
        self._client = httpx.Client(verify=verify, trust_env=True, follow_redirects=False)
        self._until = time.monotonic() + seconds
        self._made = 0
        self._remembered: dict[tuple[str | None, str, str], Any] = {}
        self._passwords_sent = 0

    def close(self) -> None:
        """Also called by MSAL, which may."""
        self._client.close()

    def extend(self, seconds: float) -> None:
        """From now on there is so much time again: a person is asked to sign in."""
        self._until = max(self._until, time.monotonic() + seconds)

    def get(self, url: str, params: Mapping[str, str] | None = None, headers: Mapping[str, Any] | None = None, **_more: Any) -> Any:
        """Documents of the sign-in are asked for once: MSAL asks again for what was seen already."""
        whole = httpx.URL(url, params=params) if params else httpx.URL(url)
        # MSAL leaves the authority's port out where it asks for the realm.
        key = (whole.host, whole.path, whole.query.decode())
        if key not in self._remembered:
            self._remembered[key] = self._send("GET", str(whole), headers=headers)
        return self._remembered[key]

    def post(
        self, url: str, params: Mapping[str, str] | None = None, data: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None, **_more: Any,
    ) -> Any:
        if (data or {}).get("grant_type") == "password":
            self._passwords_sent += 1
            if self._passwords_sent > 1:
                raise NotOfTheCatalogueError("a password is tried once")
        # MSAL signs an assertion as bytes, which httpx would write as Python writes them.
        form = {name: value.decode("ascii") if isinstance(value, bytes) else value for name, value in (data or {}).items()}
        return self._send("POST", str(httpx.URL(url, params=params) if params else url), headers=headers, data=form)

    def graph(self, url: str, token: str) -> Any:
        """One answer of Graph, waited for where it says that it is busy. Raises UnreachableError."""
        answer: Any = None
        for number in range(TRIES):
            answer = self._send("GET", url, headers={"Authorization": f"Bearer {token}"})
            if answer.status_code not in AGAIN or number == TRIES - 1:
                break
            pause = _retry_after(answer.headers.get("Retry-After"), 2.0**number)
            if pause >= self._left():
                raise UnreachableError(f"status {answer.status_code}, and it wants to be asked again after {pause:.0f} s")
            time.sleep(pause)
        return answer

    def _left(self) -> float:
        return self._until - time.monotonic()

    def _check(self, method: str, url: str) -> None:
        parts = urlsplit(url)
        for base, calls in self._services:
            service = urlsplit(base)
            prefix = service.path.rstrip("/")
            same = (parts.scheme, parts.netloc) == (service.scheme, service.netloc) and parts.path.startswith(prefix)
            if same and any(call.is_of(method, parts.path[len(prefix):]) for call in calls):
                return
        raise NotOfTheCatalogueError(f"{method} {parts.scheme}://{parts.hostname}{parts.path} is no call of the catalogue")

    def _send(self, method: str, url: str, headers: Mapping[str, Any] | None, data: Any = None) -> Any:
        self._check(method, url)
        self._made += 1
        if self._made > CALLS:
            raise UnreachableError(f"more than {CALLS} calls would be needed")
        seconds = self._left()
        if seconds <= 0:
            raise UnreachableError("the deadline was over")
        kept = {name: str(value) for name, value in (headers or {}).items() if value is not None}
        timeout = httpx.Timeout(min(PATIENCE, seconds))
        return _bounded(lambda: self._exchange(method, url, kept, data, timeout), seconds)

    def _exchange(self, method: str, url: str, headers: Mapping[str, str], data: Any, timeout: Any) -> Any:
        try:
            with self._client.stream(method, url, headers=headers, data=data, timeout=timeout) as answer:
                body = b""
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > LARGEST:
                        raise UnreachableError(f"an answer of more than {LARGEST // 1_000_000} MB")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnreachableError(f"{type(error).__name__}: {error}".rstrip(": ")) from error
        # Decoded already: the header would have it decoded again.
        plain = {name: value for name, value in answer.headers.items() if name not in ("content-encoding", "content-length")}
        return httpx.Response(answer.status_code, headers=plain, content=body, request=answer.request)


def json_of(answer: Any) -> Mapping[str, Any] | None:
    """The JSON object of an answer; None where it holds none."""
    try:
        value = answer.json()
    except ValueError:
        return None
    return value if isinstance(value, Mapping) else None


def _bounded(work: Callable[[], Any], seconds: float) -> Any:
    """httpx bounds each read, not all of them together: a server that says one byte a second would never end."""
    box: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue()

    def run() -> None:
        try:
            box.put((work(), None))
        except BaseException as error:  # noqa: BLE001  it is raised below, where somebody waits for it
            box.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        result, error = box.get(timeout=seconds)
    except queue.Empty:
        raise UnreachableError("no whole answer before the deadline") from None
    if error is not None:
        raise error
    return result


def _retry_after(value: str | None, otherwise: float) -> float:
    """Seconds; a date is read, too."""
    if value is None:
        return otherwise
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(timezone.utc)).total_seconds())
    except (TypeError, ValueError):
        return otherwise
