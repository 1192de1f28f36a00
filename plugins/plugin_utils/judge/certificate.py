# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates: is it the genuine service that answers, does the server trust it, does it ask for the client certificate.

FOR INTERNAL COLLECTION USE ONLY. Pure. Public and trusted is genuine; private and trusted is inspection with the company's root
installed; private and untrusted is inspection that breaks the installer; public and untrusted is a missing root.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..model import Phase, Status
from .chain import ChainReading, Standing
from .observed import NOT_UNDERSTOOD
from .route import Route, Row, failed, passed

INSPECTED, NAME, TIME, UNTRUSTED, CLIENT_CERTIFICATE, INCOMPLETE = "APC141", "APC142", "APC143", "APC144", "APC145", "APC146"
IDS = (INSPECTED, NAME, TIME, UNTRUSTED, CLIENT_CERTIFICATE, INCOMPLETE)


def judge_certificate(route: Route) -> Iterator[Row]:
    chain = route.chain
    if not route.endpoint.tls or chain is None:
        return
    if chain.standing is Standing.UNREADABLE:
        yield failed(NOT_UNDERSTOOD, route, {"error": "the certificate cannot be parsed"}, status=Status.UNKNOWN)
    elif chain.standing is Standing.INCOMPLETE and not _private_after_all(route):
        yield from _incomplete(route, chain)
    elif chain.standing is Standing.PUBLIC:
        yield passed(INCOMPLETE, route)
        yield from _public(route, chain)
    else:
        yield passed(INCOMPLETE, route)
        yield from _private(route, chain)


def _private_after_all(route: Route) -> bool:
    """A POSIX client fetches no issuers: what it trusts although no public root ends the chain, its own store holds.

    Windows fetches them, and shows the whole chain that it built: there an open end stays an open end.
    """
    return bool(route.trusted) and route.fetches_no_issuers


def _incomplete(route: Route, chain: ChainReading) -> Iterator[Row]:
    evidence = {"issuer": chain.top}
    yield failed(INSPECTED, route, _whose(route, chain), status=Status.UNKNOWN, because=(INCOMPLETE,), group=(chain.top,))
    yield failed(INCOMPLETE, route, evidence, status=Status.WARN if route.trusted else Status.FAIL, group=(chain.top,))


def _public(route: Route, chain: ChainReading) -> Iterator[Row]:
    yield passed(INSPECTED, route)
    if not chain.name_matches:
        yield failed(NAME, route, {"names": ", ".join(chain.names[:4]) or chain.subject}, group=(chain.subject,))
    else:
        yield passed(NAME, route)
    if not chain.time_ok:
        yield failed(TIME, route, {"not_before": _day(chain.not_before), "not_after": _day(chain.not_after)}, group=(chain.subject,))
    else:
        yield passed(TIME, route)
    if route.trusted is False:
        yield failed(UNTRUSTED, route, {"root": chain.top}, group=(chain.top,))
    elif route.trusted:
        yield passed(UNTRUSTED, route)
    if route.endpoint.phase is Phase.BOOTSTRAP:
        seen = route.asks_for_client_certificate
        yield passed(CLIENT_CERTIFICATE, route, "" if seen else "not asked for at once; it may be asked for later, encrypted")


def _private(route: Route, chain: ChainReading) -> Iterator[Row]:
    """Tenant restrictions need the sign-in hosts inspected: alone, and trusted, that is a warning."""
    tolerated = route.endpoint.phase is Phase.SIGN_IN and route.trusted is not False
    yield failed(INSPECTED, route, _whose(route, chain), status=Status.WARN if tolerated else Status.FAIL, group=(chain.top,))
    if route.endpoint.phase is Phase.BOOTSTRAP and not route.asks_for_client_certificate:
        yield failed(CLIENT_CERTIFICATE, route, {}, status=Status.WARN, because=(INSPECTED,))


def _whose(route: Route, chain: ChainReading) -> dict[str, str]:
    trusted = {True: "yes", False: "no", None: "not known"}[route.trusted]
    return {"issuer": chain.issuer, "subject": chain.subject, "root": chain.top, "trusted": trusted}


def _day(moment: object) -> str:
    return str(moment)[:10]


def judge_sign_in_alone(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Where the same root stands before other endpoints too, the sign-in hosts are one with them: the same cause."""
    rows = tuple(rows)
    broken = {(row.path, row.group) for row in rows if row.id == INSPECTED and row.status is Status.FAIL}
    return tuple(
        replace(row, status=Status.FAIL)
        if row.id == INSPECTED and row.status is Status.WARN and (row.path, row.group) in broken
        else row
        for row in rows
    )
