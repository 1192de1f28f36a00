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


def judge_certificate(route: Route) -> Iterator[Row]:
    chain = route.chain
    if not route.endpoint.tls or chain is None:
        return
    if chain.standing is Standing.UNREADABLE:
        yield failed(NOT_UNDERSTOOD, route, {"error": "the certificate cannot be read"}, status=Status.UNKNOWN, group=("certificate",))
        return
    if route.private:
        yield passed(INCOMPLETE, route)
        yield from _private(route, chain)
    elif chain.standing is Standing.INCOMPLETE:
        yield from _incomplete(route, chain)
        return
    else:
        yield passed(INCOMPLETE, route)
        yield from _public(route)
    if not route.intercepted:
        yield from _shown_to_everybody(route, chain)


def _incomplete(route: Route, chain: ChainReading) -> Iterator[Row]:
    yield failed(INSPECTED, route, _whose(route, chain), status=Status.UNKNOWN, because=(INCOMPLETE,), group=(chain.top,))
    status = Status.FAIL if route.trusted is False else Status.UNKNOWN
    yield failed(INCOMPLETE, route, {"issuer": chain.top}, status=status, group=(chain.top,))


def _public(route: Route) -> Iterator[Row]:
    hello = route.hello_chain
    if hello is not None and hello.standing is Standing.PRIVATE:
        # A box that opens TLS 1.2 and lets 1.3 pass: the platform took 1.3 today.
        yield failed(INSPECTED, route, {**_whose(route, hello), "trusted": "not known"}, status=Status.WARN, group=("TLS 1.2", hello.top))
    else:
        yield passed(INSPECTED, route)


def _shown_to_everybody(route: Route, chain: ChainReading) -> Iterator[Row]:
    """Name, time and trust, by the reading and by what the platform said."""
    said = ", ".join(sorted(route.said)) or "nothing"
    if not chain.name_matches or "name_mismatch" in route.said:
        names = ", ".join(chain.names[:4]) or chain.subject
        yield failed(NAME, route, {"names": names, "platform": said}, group=(chain.subject,))
    else:
        yield passed(NAME, route)
    if not chain.time_ok or "expired" in route.said:
        evidence = {"not_before": _day(chain.not_before), "not_after": _day(chain.not_after), "platform": said}
        yield failed(TIME, route, evidence, group=(chain.subject,))
    else:
        yield passed(TIME, route)
    if route.trusted is False:
        yield failed(UNTRUSTED, route, {"root": chain.top, "platform": said}, group=(chain.top,))
    elif route.trusted:
        yield passed(UNTRUSTED, route)
    if route.endpoint.phase is Phase.BOOTSTRAP:
        seen = route.asks_for_client_certificate
        yield passed(CLIENT_CERTIFICATE, route, "" if seen else "not asked for at once; it may be asked for later, encrypted")


def _private(route: Route, chain: ChainReading) -> Iterator[Row]:
    """Tenant restrictions need the sign-in hosts inspected: alone, and trusted, that is a warning."""
    if not route.intercepted:
        yield passed(INSPECTED, route, note="a certificate of the company's own")
        return
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
    broken = {
        (row.path, row.group) for row in rows
        if row.id == INSPECTED and row.status is Status.FAIL and row.endpoint and row.endpoint.needed
    }
    return tuple(
        replace(row, status=Status.FAIL)
        if row.id == INSPECTED and row.status is Status.WARN and (row.path, row.group) in broken
        else row
        for row in rows
    )
