# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that is looked at of a tenant, from light to heavy, each thing only where a check was asked for that needs it.

FOR INTERNAL COLLECTION USE ONLY.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .claims import read_claims
from .evidence import NOT_ASKED, BadToken, Claims, Entra, Gap, NotSeen, Person, Realm, Refusal, Role
from .graph import Graph
from .signin import application_token, home_tenant, realm, with_device_code, with_password
from .transport import Transport
from .wanted import DEVICE_CODE, PASSWORD, UnusableError, Wanted


def look(wanted: Wanted, show: Callable[[str], None]) -> Entra:
    """Raises UnusableError."""
    entra = Entra() if wanted.token is None else Entra(token=read_claims(wanted.token))
    if wanted.upn is None and wanted.client_id is None and wanted.sign_in is None:
        return entra
    try:
        transport = Transport(wanted.authority, wanted.graph, wanted.ca_path, wanted.seconds)
    except OSError as error:
        raise UnusableError(f"ca_path: '{wanted.ca_path}' cannot be read as certificates in PEM ({error.strerror or error}).") from None
    except (ValueError, ImportError):
        raise UnusableError("HTTPS_PROXY: the environment names a proxy that cannot be used. Write http://host:port.") from None
    try:
        entra = _of_anybody(wanted, transport, entra)
        entra = _of_the_directory(wanted, transport, entra)
        return replace(entra, rehearsal=_rehearsed(wanted, transport, entra, show))
    finally:
        transport.close()


def _of_anybody(wanted: Wanted, transport: Transport, entra: Entra) -> Entra:
    """What the sign-in tells without a sign-in."""
    if wanted.upn is None:
        return entra
    domain = wanted.upn.rpartition("@")[2]
    # The realm first: MSAL asks for it again, and is given this answer.
    known = realm(transport, wanted.authority, wanted.upn)
    return replace(entra, realm=known, home_tenant=home_tenant(transport, wanted.authority, domain))


def _of_the_directory(wanted: Wanted, transport: Transport, entra: Entra) -> Entra:
    if wanted.client_id is None or wanted.credential is None:
        return entra
    token = application_token(transport, wanted.authority, wanted.tenant_id, wanted.client_id, wanted.credential, wanted.resource)
    if not isinstance(token, str):
        gap = token if isinstance(token, NotSeen) else NotSeen(Gap.NO_SIGN_IN, token.error)
        return _nothing_of_it(wanted, replace(entra, application=token), gap)
    graph = Graph(transport, wanted.graph, token)
    entra = replace(entra, application=None)
    if wanted.upn is not None:
        entra = _of_the_person(wanted, graph, entra, wanted.upn)
    entra = replace(entra, plans=graph.plans() if wanted.asks("APC321") else NOT_ASKED)
    if wanted.connectors:
        entra = replace(
            entra,
            switched_on=graph.switched_on() if wanted.asks("APC322") else NOT_ASKED,
            connectors=graph.connectors() if wanted.asks("APC314", "APC322") else NOT_ASKED,
        )
    return entra


def _nothing_of_it(wanted: Wanted, entra: Entra, gap: NotSeen) -> Entra:
    """The directory was to be asked, and could not be."""
    person: NotSeen = gap if wanted.upn is not None else NOT_ASKED
    beta: NotSeen = gap if wanted.connectors else NOT_ASKED
    return replace(entra, person=person, active=person, plans=gap, switched_on=beta, connectors=beta)


def _of_the_person(wanted: Wanted, graph: Graph, entra: Entra, upn: str) -> Entra:
    person = graph.person(upn)
    entra = replace(entra, person=person)
    if not wanted.asks("APC311", "APC312", "APC313", "APC314"):
        return entra
    if not isinstance(person, Person):
        return replace(entra, active=person) if isinstance(person, NotSeen) else entra
    groups, unseen = graph.groups(person.id)
    principals = {person.id: "", **groups}
    active = graph.roles(principals)
    entra = replace(entra, active=active, groups_unseen=unseen)
    if not isinstance(active, tuple) or not wanted.asks("APC312"):
        return entra
    if any(role.accepted for role in active):
        return replace(entra, ends=graph.ends(principals))
    return _of_pim(graph, entra, person, principals)


def _of_pim(graph: Graph, entra: Entra, person: Person, principals: dict[str, str]) -> Entra:
    """What could be activated: roles, and memberships of groups that have or could activate a role."""
    eligible = graph.eligible(principals)
    groups = graph.eligible_groups(person.id)
    if not isinstance(groups, tuple):
        return replace(entra, eligible=eligible, eligible_unseen=groups)
    through = {group: group for group in groups}
    more: tuple[Role, ...] = ()
    for found in (graph.roles(through), graph.eligible(through)) if through else ():
        if isinstance(found, NotSeen):
            return replace(entra, eligible=eligible, eligible_unseen=found)
        more += found
    return replace(entra, eligible=(*eligible, *more) if isinstance(eligible, tuple) else eligible)


def _rehearsed(wanted: Wanted, transport: Transport, entra: Entra, show: Callable[[str], None]) -> Claims | BadToken | Refusal | NotSeen:
    if wanted.sign_in == DEVICE_CODE:
        return with_device_code(transport, wanted.authority, wanted.tenant_id, wanted.sign_in_seconds, show)
    if wanted.sign_in != PASSWORD or wanted.upn is None or wanted.password is None:
        return NOT_ASKED
    if not isinstance(entra.realm, Realm):
        return Refusal(None, "the password was not tried: whether the account is federated could not be asked")
    if entra.realm.federated:
        return Refusal(None, "the password was not tried: the account is federated, and the company's own identity provider would get it")
    return with_password(transport, wanted.authority, wanted.tenant_id, wanted.upn, wanted.password)
