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
from .judge.route import Row
from .judge.run import judge
from .judge.verdict import NOT_COVERED, NOT_THE_SERVICE, Seen, causes, counts, has_failed, headline, message, summary, verdict_of
from .judge.waivers import apply_waivers
from .model import Endpoint, Finding, Status
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


def plan(options: Options) -> Plan:
    """What to ask the target. Raises OptionError where the file of roots cannot be read."""
    way = "direct" if options.proxy in ("auto", "detect") else options.proxy
    try:
        roots = load_roots(options.public_roots) if MISSING is None else None
    except RootsError as error:
        raise OptionError(str(error)) from error
    return Plan(
        options=options,
        endpoints=options.endpoints,
        request=build_request(options.endpoints, (way,), options.deadline, options.connect_to),
        roots=roots,
    )


def _remarks(options: Options, redirected: bool) -> tuple[str, ...]:
    """What a reader of the verdict must know of how this run was made."""
    said = []
    if options.proxy in ("auto", "detect"):
        said.append(f"proxy: {options.proxy} looked directly: this release does not detect a proxy.")
    if redirected:
        counted = "counted" if options.connect_to_counts else "not counted"
        said.append(f"connect_to led endpoints elsewhere; what passed there was {counted}.")
    if options.public_roots:
        said.append("Judged with the roots of public_roots.")
    if options.tenant_id is None:
        said.append("tenant_id: none left out registration and bootstrap.")
    if options.skipped:
        said.append(f"Skipped: {', '.join(options.skipped)}.")
    return tuple(said)


def _judged(plan_: Plan, observation: Observation) -> tuple[Finding, ...] | Row:
    if plan_.roots is None:
        return library_missing(MISSING or "")
    return judge(
        plan_.endpoints, observation, plan_.roots,
        asked=plan_.options.checks, connect_to_counts=plan_.options.connect_to_counts, seen_from=plan_.options.seen_from,
    )


@dataclass(frozen=True)
class Failure:
    """Why there is no observation."""

    text: str
    reached: bool = True
    """False: the connection's own words, and the gate raises them again."""
    supported: bool = True
    """False: the target itself said that it is too old."""


def conclude(plan_: Plan, answer: Any, *, host: str, failure: Failure | None = None) -> dict[str, Any]:
    """The result of a judging module. `answer` is what the target gave (nothing of it is believed), None with a `failure`."""
    options = plan_.options
    observation: Observation | None = None
    judged: tuple[Finding, ...] | Row
    if failure is not None:
        judged = could_not_observe(failure.text) if failure.supported else unsupported(failure.text)
    else:
        try:
            observation = parse_observation(answer)
            judged = _judged(plan_, observation)
        except ObservationError as error:
            judged = not_understood(str(error))
    findings = fold((judged,), options.seen_from) if isinstance(judged, Row) else judged
    findings = apply_waivers(findings, options.waivers, host, options.as_of.date())
    return _result(plan_, observation, answer, findings, reached=failure is None or failure.reached)


def _result(plan_: Plan, observation: Observation | None, answer: Any, findings: tuple[Finding, ...], *, reached: bool) -> dict[str, Any]:
    options = plan_.options
    verdict = verdict_of(findings)
    found, counted = causes(findings), counts(findings)
    account = observation.seen_as if observation else "nobody"
    redirected = observation is not None and any(attempt.redirected_to for attempt in observation.attempts)
    remarks = _remarks(options, redirected)
    seen = Seen(
        endpoints=len({one.id for one in plan_.endpoints}.difference(*(cause["endpoints"] for cause in found))),
        paths=observation.paths() if observation else (),
        seen_from=options.seen_from.value, seen_as=account, remarks=remarks,
    )
    line = summary(verdict, found, seen)
    shown = (Status.FAIL, Status.WARN, Status.UNKNOWN, Status.WAIVED)
    result: dict[str, Any] = {
        "changed": False,
        "failed": has_failed(verdict, counted[Status.WARN.value] > 0, options.fail_on, options.unknown),
        "msg": message(line, found),
        "schema": SCHEMA,
        "verdict": verdict.value,
        "headline": headline(verdict, found, seen),
        "summary": line,
        "causes": list(found),
        "remarks": list(remarks),
        "counts": counted,
        "findings": [one.as_dict() for one in findings if options.return_passes or one.status in shown],
        "not_covered": [*NOT_COVERED, NOT_THE_SERVICE.format(account=account), *_not_asked(options)],
        "seen_as": account,
        "seen_from": options.seen_from.value,
        "seen_at": observation.seen_at.strftime("%Y-%m-%dT%H:%M:%SZ") if observation else None,
        "elapsed_ms": observation.elapsed_ms if observation else 0,
        "reached": reached,
        "judged": _judged_with(plan_, redirected),
    }
    if options.return_observation and observation is not None:
        result["observation"] = dict(answer) if isinstance(answer, Mapping) else answer
    return result


def _not_asked(options: Options) -> list[str]:
    left_out = [f"{one.name}: {one.why}" for one in unprobed(options.cloud, options.connector_version)]
    left_out += [f"{id_}, which skip_checks leaves out" for id_ in options.skipped]
    return left_out if options.tenant_id else [*left_out, "registration and bootstrap, which need the tenant id"]


def _judged_with(plan_: Plan, redirected: bool) -> dict[str, Any]:
    """With these four the same observation gives the same findings again; and what else shaped the verdict."""
    return {
        "as_of": plan_.options.as_of.strftime("%Y-%m-%dT%H:%M:%SZ"),
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
