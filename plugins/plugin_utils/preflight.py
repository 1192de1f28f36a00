# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of the data for one host: options to request, observation to result.

FOR INTERNAL COLLECTION USE ONLY. Imports no Ansible; the time of judging comes with the options.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .catalogue.endpoints import unprobed
from .catalogue.identities import identity_of
from .catalogue.version import VERSION
from .judge.fold import fold
from .judge.observed import could_not_observe, library_missing, not_understood, unsupported
from .judge.route import DIRECT, Row
from .judge.run import OF_THE_SERVER, Asked, Judgement, judge
from .judge.server import constrained
from .judge.verdict import (
    NOT_COVERED,
    NOT_THE_INSTALLER,
    NOT_THE_SERVICE,
    NOT_THEIR_PAC,
    Seen,
    about_waivers,
    ready_server,
)
from .judge.ways import told
from .model import TIME_FORMAT, Endpoint, Identity, SeenFrom, Status
from .observe.merge import AS_THE_SERVICE, merge
from .observe.observation import Observation, ObservationError, parse_observation
from .observe.request import ServersOwn, build_request
from .options import OptionError, Options
from .result import Policy, not_asked_for, result_of
from .roots import MISSING, Roots, RootsError, load_roots


@dataclass(frozen=True)
class Plan:
    options: Options
    endpoints: tuple[Endpoint, ...]
    request: dict[str, Any]
    roots: Roots | None
    """None where a library is missing; the result says which."""
    host: str
    """Its name in the inventory, for waivers."""


def plan(options: Options, host: str, *, windows: bool = False) -> Plan:
    """What to ask the target. `windows`: it is a Windows server, which can tell of itself and of the ways that it would take.

    Raises OptionError where the file of roots cannot be read.
    """
    detect, tells = windows and options.detects_proxy, windows and options.seen_from is SeenFrom.SERVER
    ways = () if detect else (DIRECT if options.detects_proxy else options.proxy,)
    own = ServersOwn(
        detect=detect, facts=tells and bool(OF_THE_SERVER.intersection(options.checks)), installing_user=options.installing_user,
        rehearse_trust=options.rehearse_trust, rehearse_client_certificate=windows and options.rehearse_client_certificate,
    )
    try:
        roots = load_roots(options.public_roots) if MISSING is None else None
    except RootsError as error:
        raise OptionError(str(error)) from error
    return Plan(
        options=options,
        endpoints=options.endpoints,
        request=build_request(options.endpoints, ways, options.deadline, options.connect_to, own),
        roots=roots,
        host=host,
    )


def seen_from(plan_: Plan, where: SeenFrom) -> Plan:
    """The same, judged as seen from there."""
    return replace(plan_, options=replace(plan_.options, seen_from=where))


def saved_from(answer: Mapping[str, Any], usual: SeenFrom) -> SeenFrom:
    """Where a saved observation was made: as it says itself; the Windows engine runs on servers."""
    said = answer.get("seen_from")
    if said in [one.value for one in SeenFrom]:
        return SeenFrom(said)
    engine = answer.get("engine")
    return SeenFrom.SERVER if isinstance(engine, Mapping) and engine.get("family") == "windows" else usual


def _ways_remark(options: Options, observation: Observation | None) -> str:
    """How the ways came about, where that is worth a word."""
    if observation is None or not options.detects_proxy:
        return ""
    if observation.identities is None:
        return f"proxy: {options.proxy} looked directly: only a Windows server tells which proxy it would take."
    return told(observation, options.installing_user is not None)


def _remarks(options: Options, redirected: bool, judgement: Judgement, observation: Observation | None) -> tuple[str, ...]:
    """What a reader of the verdict must know of how this run was made."""
    said = []
    if options.seen_from is not SeenFrom.SERVER:
        said.append(f"Seen from the {options.seen_from.value.replace('_', ' ')}, not from the server itself.")
    said += filter(None, (_ways_remark(options, observation),))
    if redirected:
        counted = "counted" if options.connect_to_counts else "not counted"
        said.append(f"connect_to led endpoints elsewhere; what passed there was {counted}.")
    if options.public_roots:
        said.append("Judged with the roots of public_roots.")
    rehearsed = [name for name, wanted in _rehearsals(options).items() if wanted]
    if rehearsed:
        said.append(f"Rehearsed: {' and '.join(rehearsed)}.")
    if options.tenant_id is None:
        said.append("tenant_id: none left out registration and bootstrap.")
    said += not_asked_for(options.left_out, options.checks)
    return (*said, *about_waivers(judgement.findings, judgement.unused_waivers))


_ABOUT_SHA512 = ("APC211", "APC213", "APC214", "APC216")


def _sha512(judgement: Judgement) -> str:
    """The one answer, where a finding says that something is wrong with it: what is merely not known waits behind other findings."""
    wrong = any(one.id in _ABOUT_SHA512 and one.status in (Status.FAIL, Status.WARN) for one in judgement.findings)
    return judgement.sha512.text if wrong and judgement.sha512 is not None else ""


def _rehearsals(options: Options) -> dict[str, bool]:
    return {
        "trust (a machine key was made and deleted)": options.rehearse_trust,
        "the client certificate (an odd client at bootstrap)": options.rehearse_client_certificate,
    }


def _judged(plan_: Plan, observation: Observation) -> Judgement:
    options = plan_.options
    if plan_.roots is None:
        return _only((library_missing(MISSING or ""),), options)
    asked = Asked(
        checks=options.checks,
        paths=None if options.detects_proxy else tuple(path["id"] for path in plan_.request["paths"]),
        connect_to_counts=options.connect_to_counts, seen_from=options.seen_from,
        waivers=options.waivers, host=plan_.host, today=options.as_of.date(),
        connector_version=options.version, installing_user=options.installing_user, rehearse_trust=options.rehearse_trust,
        rehearse_client_certificate=options.rehearse_client_certificate,
        as_service_failed=options.as_service_failed,
    )
    return judge(plan_.endpoints, observation, plan_.roots, asked)


def _observed(plan_: Plan, answer: Any) -> Observation:
    """What the session saw, and beside it what was seen as the service. Raises ObservationError."""
    seen, as_service = parse_observation(answer), plan_.options.service_observation
    if as_service is None or plan_.options.as_service_failed is not None:
        return seen
    known = plan_.options.installing_user is not None
    of_service = {endpoint.id for endpoint in plan_.endpoints if identity_of(endpoint, known) in AS_THE_SERVICE}
    return merge(seen, parse_observation(as_service), of_service)


def _only(rows: Sequence[Row], options: Options) -> Judgement:
    """Nothing could be judged but this."""
    return Judgement(fold(rows, options.seen_from), frozenset(), ())


@dataclass(frozen=True)
class Failure:
    """Why there is no observation."""

    text: str
    reached: bool = True
    """False: the connection's own words, and the gate raises them again."""
    supported: bool = True
    """False: the target itself said that it is too old."""


def _failed(failure: Failure) -> tuple[Row, ...]:
    """A task that application control stopped tells of the server, too."""
    if not failure.supported:
        return (unsupported(failure.text),)
    failed, stopped = could_not_observe(failure.text), constrained(failure.text)
    return (failed,) if stopped is None else (stopped, replace(failed, because=(stopped.id,)))


def conclude(plan_: Plan, answer: Any, failure: Failure | None = None) -> dict[str, Any]:
    """The result of a judging module. `answer` is what the target gave (nothing of it is believed), None with a `failure`."""
    observation: Observation | None = None
    if failure is not None:
        judgement = _only(_failed(failure), plan_.options)
    else:
        try:
            observation = _observed(plan_, answer)
            judgement = _judged(plan_, observation)
        except ObservationError as error:
            judgement = _only((not_understood(str(error)),), plan_.options)
        except Exception as error:  # noqa: BLE001  one host's observation must not take its own result away, whatever is in it
            judgement = _only((not_understood(f"judging it failed ({type(error).__name__}: {error})"),), plan_.options)
    return _result(plan_, observation, answer, judgement, reached=failure is None or failure.reached)


def _result(plan_: Plan, observation: Observation | None, answer: Any, judgement: Judgement, *, reached: bool) -> dict[str, Any]:
    options = plan_.options
    account = observation.seen_as if observation else "nobody"
    redirected = observation is not None and any(attempt.redirected_to for attempt in observation.attempts)
    seen = Seen(
        reached=len(judgement.reached.intersection(endpoint.id for endpoint in plan_.endpoints)), endpoints=len(plan_.endpoints),
        paths=judgement.paths, seen_from=options.seen_from.value, seen_as=account,
    )
    ready, remarks = ready_server(seen), _remarks(options, redirected, judgement, observation)
    policy = Policy(options.fail_on, options.unknown, options.return_passes)
    result: dict[str, Any] = {
        **result_of(judgement.findings, ready, remarks, policy, _sha512(judgement)),
        "not_covered": [*NOT_COVERED, *_not_as_them(options, observation, account), *_not_asked(options)],
        "seen_as": account,
        "seen_from": options.seen_from.value,
        "seen_at": observation.seen_at.strftime(TIME_FORMAT) if observation else None,
        "elapsed_ms": observation.elapsed_ms if observation else 0,
        "reached": reached,
        "sha512": None if judgement.sha512 is None else judgement.sha512.as_dict(),
        "chains": [one.as_dict() for one in judgement.chains],
        "judged": _judged_with(plan_, redirected),
    }
    if options.return_observation and observation is not None:
        result["observation"] = dict(answer) if isinstance(answer, Mapping) else answer
    return result


def _not_as_them(options: Options, observation: Observation | None, account: str) -> list[str]:
    """Identities whose own eyes nobody had."""
    seen_as_service = options.service_observation is not None and options.as_service_failed is None
    left_out = [] if seen_as_service else [NOT_THE_SERVICE.format(account=account)]
    if observation is not None and observation.identities is not None and options.installing_user is None:
        left_out.append(NOT_THE_INSTALLER)
    pac = (observation.host or {}).get("pac") if observation is not None else None
    evaluated = {one["evaluated_as"] for one in (pac.value if pac else None) or () if one["identity"] != Identity.SESSION.value}
    return [*left_out, *(NOT_THEIR_PAC.format(account=account) for account in sorted(evaluated))]


def _not_asked(options: Options) -> list[str]:
    left_out = [f"{one.name}: {one.why}" for one in unprobed(options.cloud, options.connector_version)]
    if options.left_out:
        left_out.append(f"the checks {', '.join(options.left_out)}, which checks and skip_checks leave out")
    return left_out if options.tenant_id else [*left_out, "registration and bootstrap, which need the tenant id"]


def _judged_with(plan_: Plan, redirected: bool) -> dict[str, Any]:
    """With these four the same observation gives the same findings again; and what else shaped the verdict."""
    return {
        "as_of": plan_.options.as_of.strftime(TIME_FORMAT),
        "catalogue": VERSION,
        "roots": plan_.roots.digest if plan_.roots else None,
        "roots_source": plan_.roots.source if plan_.roots else None,
        "connect_to": redirected,
        "connect_to_counts": plan_.options.connect_to_counts,
        "proxy": plan_.options.proxy,
        "cloud": plan_.options.cloud,
        "tenant_id": plan_.options.tenant_id,
        "connector_version": plan_.options.connector_version,
    }
