# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of the data for one host: options to request, observation to result.

FOR INTERNAL COLLECTION USE ONLY. Imports no Ansible; the time of judging comes with the options.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .catalogue.endpoints import unprobed
from .catalogue.version import VERSION
from .judge.fold import fold
from .judge.observed import could_not_observe, library_missing, not_understood, unsupported
from .judge.route import DIRECT, Row
from .judge.run import Asked, Judgement, judge
from .judge.verdict import (
    NOT_COVERED,
    NOT_THE_SERVICE,
    Seen,
    causes,
    counts,
    has_failed,
    headline,
    message,
    stopped_by_warnings,
    summary,
    verdict_of,
)
from .model import TIME_FORMAT, Endpoint, SeenFrom, Status
from .observe.observation import Observation, ObservationError, parse_observation
from .observe.request import build_request
from .options import OptionError, Options
from .roots import MISSING, Roots, RootsError, load_roots

SCHEMA = 1
"""Of the result and of the reports."""


@dataclass(frozen=True)
class Plan:
    options: Options
    endpoints: tuple[Endpoint, ...]
    request: dict[str, Any]
    roots: Roots | None
    """None where a library is missing; the result says which."""
    host: str
    """Its name in the inventory, for waivers."""


def plan(options: Options, host: str) -> Plan:
    """What to ask the target. Raises OptionError where the file of roots cannot be read."""
    way = DIRECT if options.detects_proxy else options.proxy
    try:
        roots = load_roots(options.public_roots) if MISSING is None else None
    except RootsError as error:
        raise OptionError(str(error)) from error
    return Plan(
        options=options,
        endpoints=options.endpoints,
        request=build_request(options.endpoints, (way,), options.deadline, options.connect_to),
        roots=roots,
        host=host,
    )


def _remarks(options: Options, redirected: bool, judgement: Judgement) -> tuple[str, ...]:
    """What a reader of the verdict must know of how this run was made."""
    said = []
    if options.seen_from is not SeenFrom.SERVER:
        said.append(f"Seen from the {options.seen_from.value.replace('_', ' ')}, not from the server itself.")
    if options.detects_proxy:
        said.append(f"proxy: {options.proxy} looked directly: this release does not detect a proxy.")
    if redirected:
        counted = "counted" if options.connect_to_counts else "not counted"
        said.append(f"connect_to led endpoints elsewhere; what passed there was {counted}.")
    if options.public_roots:
        said.append("Judged with the roots of public_roots.")
    if options.tenant_id is None:
        said.append("tenant_id: none left out registration and bootstrap.")
    if options.left_out:
        said.append(f"{len(options.left_out)} of {len(options.left_out) + len(options.checks)} checks were not asked for.")
    until = {one.waiver["id"]: one.waiver["until"] for one in judgement.findings if one.status is Status.WAIVED and one.waiver}
    if until:
        said.append(f"Waived: {', '.join(f'{id_} until {day}' for id_, day in until.items())}.")
    expired = {one.waiver["id"]: one.waiver["until"] for one in judgement.findings if one.waiver and one.waiver.get("expired")}
    said += [f"The waiver of {id_} expired after {day}." for id_, day in expired.items()]
    said += [f"The waiver of {waiver.id} until {waiver.until} covers nothing here." for waiver in judgement.unused_waivers]
    return tuple(said)


def _judged(plan_: Plan, observation: Observation) -> Judgement:
    options = plan_.options
    if plan_.roots is None:
        return _only(library_missing(MISSING or ""), options)
    asked = Asked(
        checks=options.checks,
        paths=None if options.detects_proxy else tuple(path["id"] for path in plan_.request["paths"]),
        connect_to_counts=options.connect_to_counts, seen_from=options.seen_from,
        waivers=options.waivers, host=plan_.host, today=options.as_of.date(),
    )
    return judge(plan_.endpoints, observation, plan_.roots, asked)


def _only(row: Row, options: Options) -> Judgement:
    """Nothing could be judged but this."""
    return Judgement(fold((row,), options.seen_from), frozenset(), ())


@dataclass(frozen=True)
class Failure:
    """Why there is no observation."""

    text: str
    reached: bool = True
    """False: the connection's own words, and the gate raises them again."""
    supported: bool = True
    """False: the target itself said that it is too old."""


def conclude(plan_: Plan, answer: Any, failure: Failure | None = None) -> dict[str, Any]:
    """The result of a judging module. `answer` is what the target gave (nothing of it is believed), None with a `failure`."""
    observation: Observation | None = None
    if failure is not None:
        judgement = _only((could_not_observe if failure.supported else unsupported)(failure.text), plan_.options)
    else:
        try:
            observation = parse_observation(answer)
            judgement = _judged(plan_, observation)
        except ObservationError as error:
            judgement = _only(not_understood(str(error)), plan_.options)
        except Exception as error:  # noqa: BLE001  one host's observation must not take its own result away, whatever is in it
            judgement = _only(not_understood(f"judging it failed ({type(error).__name__}: {error})"), plan_.options)
    return _result(plan_, observation, answer, judgement, reached=failure is None or failure.reached)


def _result(plan_: Plan, observation: Observation | None, answer: Any, judgement: Judgement, *, reached: bool) -> dict[str, Any]:
    options, findings = plan_.options, judgement.findings
    verdict = verdict_of(findings)
    found = causes(findings)
    account = observation.seen_as if observation else "nobody"
    redirected = observation is not None and any(attempt.redirected_to for attempt in observation.attempts)
    seen = Seen(
        reached=len(judgement.reached.intersection(endpoint.id for endpoint in plan_.endpoints)), endpoints=len(plan_.endpoints),
        paths=observation.paths() if observation else (), seen_from=options.seen_from.value, seen_as=account,
        remarks=_remarks(options, redirected, judgement),
    )
    warnings = [one.id for one in findings if one.status is Status.WARN]
    line, stopped = summary(verdict, found, seen), stopped_by_warnings(verdict, warnings, options.fail_on, options.unknown)
    result: dict[str, Any] = {
        "changed": False,
        "failed": has_failed(verdict, bool(warnings), options.fail_on, options.unknown),
        "msg": message(" ".join(filter(None, (line, stopped))), found),
        "schema": SCHEMA,
        "verdict": verdict.value,
        "headline": headline(verdict, found, seen),
        "summary": line,
        "causes": list(found),
        "remarks": list(seen.remarks),
        "counts": counts(findings),
        "findings": [one.as_dict() for one in findings if options.return_passes or one.status is not Status.PASS],
        "not_covered": [*NOT_COVERED, NOT_THE_SERVICE.format(account=account), *_not_asked(options)],
        "seen_as": account,
        "seen_from": options.seen_from.value,
        "seen_at": observation.seen_at.strftime(TIME_FORMAT) if observation else None,
        "elapsed_ms": observation.elapsed_ms if observation else 0,
        "reached": reached,
        "judged": _judged_with(plan_, redirected),
    }
    if options.return_observation and observation is not None:
        result["observation"] = dict(answer) if isinstance(answer, Mapping) else answer
    return result


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
