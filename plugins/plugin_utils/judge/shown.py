# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate chains that were seen, each once with where it was shown: to look at and to compare, no judgement.

FOR INTERNAL COLLECTION USE ONLY. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..model import TIME_FORMAT
from .chain import ChainReading, SeenCertificate, Standing
from .route import Route


@dataclass(frozen=True)
class Shown:
    """A chain and where it was shown."""

    path: str
    endpoints: tuple[str, ...]
    standing: Standing
    trusted: bool | None
    """The server's word; None where it gave none."""
    root: str
    """The last name reached: the root's, or the issuer that is missing."""
    certificates: tuple[SeenCertificate, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "standing": self.standing.value, "trusted": self.trusted, "root": self.root,
            "certificates": [_as_dict(one) for one in self.certificates], "endpoints": list(self.endpoints), "path": self.path,
        }


def _as_dict(one: SeenCertificate) -> Mapping[str, str]:
    return {
        "subject": one.subject, "issuer": one.issuer, "not_before": one.not_before.strftime(TIME_FORMAT),
        "not_after": one.not_after.strftime(TIME_FORMAT), "signature": one.signature, "sha256": one.sha256,
    }


def shown(routes: Iterable[Route]) -> tuple[Shown, ...]:
    """In the order of the routes. What cannot be read is a finding, and not here."""
    places: dict[tuple[Any, ...], list[str]] = {}
    for route in routes:
        for reading, trusted in _readings(route):
            places.setdefault((route.path, reading.standing, trusted, reading.top, reading.certificates), []).append(route.endpoint.id)
    return tuple(
        Shown(path, tuple(endpoints), standing, trusted, top, certificates)
        for (path, standing, trusted, top, certificates), endpoints in places.items()
    )


def _readings(route: Route) -> Iterator[tuple[ChainReading, bool | None]]:
    """The platform's, and beside it what TLS 1.2 alone is shown by a box that lets 1.3 pass: of that one the server said nothing."""
    chain, hello = route.chain, route.hello_chain
    if chain is not None and chain.certificates:
        yield chain, route.trusted
    if hello is not None and hello.certificates and (chain is None or hello.certificates[:1] != chain.certificates[:1]):
        yield hello, None
