# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of the data for the tenant: options to what is looked at, evidence to result.

FOR INTERNAL COLLECTION USE ONLY. Imports no Ansible; the time of judging comes with the options.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from .catalogue.endpoints import check_cloud
from .catalogue.errors import CatalogueError
from .catalogue.registration import IDENTITY_CLOUDS
from .catalogue.version import VERSION
from .entra.credentials import Secrets, read_secrets
from .entra.evidence import BadToken, Claims, Entra, Realm
from .entra.wanted import DEVICE_CODE, PASSWORD, UnusableError, Wanted
from .judge.admin import AdminJudgement, Asked, judge_admin
from .judge.fold import fold
from .judge.observed import library_missing, not_understood
from .judge.route import Row
from .judge.verdict import about_waivers
from .judge.waivers import Waiver, WaiverError
from .model import TIME_FORMAT, Area, SeenFrom
from .options import DEADLINE_SECONDS, OptionError, as_of, choice, number, parse_waivers, selected, tenant
from .result import Policy, not_asked_for, result_of

NOTHING_ASKED = "nothing was asked of the sign-in: no admin_upn, no registration token, no sign_in"
CONTROLLERS_VIEW = (
    "Conditional Access, tenant restrictions and proxies as the server would meet them: the sign-in was looked at from the controller"
)
_UPN = re.compile(r"[^@\s/\\?%&\"<>]{1,64}@(?=.{1,253}$)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")
_SIGN_IN_SECONDS = (10, 900)
_MARGIN_MINUTES = (0, 1440)


@dataclass(frozen=True)
class Surroundings:
    """Where the run takes place."""

    check_mode: bool = False
    awx: bool = False
    ci: bool = False


@dataclass(frozen=True)
class AdminOptions:
    wanted: Wanted
    asked: Asked
    left_out: tuple[str, ...]
    cloud: str
    policy: Policy
    secrets: Secrets = field(repr=False)

    @property
    def anything(self) -> bool:
        """Whether anybody asked anything of the sign-in."""
        wanted = self.wanted
        return any((wanted.upn, wanted.token, wanted.client_id, wanted.sign_in)) and bool(wanted.checks)


def parse_admin_options(
    args: Mapping[str, Any], environment: Mapping[str, str], now: datetime, where: Surroundings
) -> AdminOptions:
    """Raises OptionError with one message."""
    try:
        cloud = check_cloud(str(args.get("cloud") or "public").strip())
        waivers = parse_waivers(args.get("waivers"), (Area.ADMIN,))
    except (CatalogueError, WaiverError) as error:
        raise OptionError(str(error)) from error
    tenant_id, upn, sign_in = tenant(args.get("tenant_id")), _upn(args.get("admin_upn")), _sign_in(args, cloud, where)
    if sign_in == PASSWORD and upn is None:
        raise OptionError("sign_in: password needs admin_upn, the account whose password it is.")
    secrets = read_secrets(args, environment, upn is not None, sign_in == PASSWORD)
    if args.get("client_id") and upn is None:
        raise OptionError("admin_upn: name the account that will register; the application of client_id looks it up.")
    if tenant_id is None and any((upn, secrets.token, sign_in)):
        raise OptionError("tenant_id: 'none' leaves nothing to compare an account with. Write the tenant's id, or leave the sign-in out.")
    checks, left_out = selected(args.get("checks"), args.get("skip_checks"), (Area.ADMIN,), (Area.ADMIN,))
    return _options(args, cloud, tenant_id or "", upn, sign_in, secrets, waivers, checks, left_out, as_of(args.get("as_of"), now))


def _options(
    args: Mapping[str, Any], cloud: str, tenant_id: str, upn: str | None, sign_in: str | None, secrets: Secrets,
    waivers: tuple[Waiver, ...], checks: tuple[str, ...], left_out: tuple[str, ...], moment: datetime,
) -> AdminOptions:
    known = IDENTITY_CLOUDS[cloud]
    seconds = number("deadline", args.get("deadline", 60), "seconds", DEADLINE_SECONDS)
    sign_in_seconds = number("sign_in_timeout", args.get("sign_in_timeout", 300), "seconds", _SIGN_IN_SECONDS)
    wanted = Wanted(
        tenant_id=tenant_id, upn=upn, checks=checks,
        authority=_address("authority", args.get("authority"), known.authority),
        graph=_address("graph_url", args.get("graph_url"), known.graph), resource=known.graph,
        seconds=float(seconds), ca_path=str(args["ca_path"]) if args.get("ca_path") else None,
        token=secrets.token, client_id=secrets.client_id, credential=secrets.credential, sign_in=sign_in, password=secrets.password,
        sign_in_seconds=float(sign_in_seconds), connectors=bool(args.get("look_for_connectors")),
    )
    asked = Asked(
        checks=(*checks, "APC905"), tenant_id=tenant_id, who="the account that registers", as_of=moment,
        margin=timedelta(minutes=number("activation_margin", args.get("activation_margin", 60), "minutes", _MARGIN_MINUTES)),
        audience_known=known.registration_known,
        final_refusals=sign_in == PASSWORD, waivers=waivers,
    )
    policy = Policy(
        fail_on=choice("fail_on", args.get("fail_on") or "error", ("error", "warning", "never")),
        unknown=choice("unknown", args.get("unknown") or "fail", ("fail", "report")),
        return_passes=bool(args.get("return_passes")),
    )
    return AdminOptions(wanted, asked, left_out, cloud, policy, secrets)


def _upn(value: Any) -> str | None:
    text = str(value or "").strip()
    if not text:
        return None
    if not _UPN.fullmatch(text):
        raise OptionError(f"admin_upn: '{text}' is no user principal name. Write name@domain, as the account signs in.")
    return text


def _sign_in(args: Mapping[str, Any], cloud: str, where: Surroundings) -> str | None:
    value = args.get("sign_in")
    if value in (None, "", "none"):
        return None
    choice("sign_in", value, (DEVICE_CODE, PASSWORD, "none"))
    refused = [name for name, here in (("in check mode", where.check_mode), ("under AWX", where.awx)) if here]
    if value == DEVICE_CODE and where.ci:
        refused.append("in a pipeline (CI is set)")
    if refused:
        why = "nobody is there to enter the code" if value == DEVICE_CODE else "a wrong password counts, in each slice and each dry run"
        raise OptionError(f"sign_in: {value} is refused {' and '.join(refused)}: {why}. Give a registration token instead.")
    if not IDENTITY_CLOUDS[cloud].registration_known:
        raise OptionError(f"sign_in: for cloud {cloud} no document names the registration's client. Give a registration token instead.")
    return str(value)


def _address(option: str, value: Any, usual: str) -> str:
    text = str(value or "").strip().rstrip("/")
    if not text:
        return usual
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise OptionError(f"{option}: '{text.rpartition('@')[2]}' is no https:// address. Write https://host[:port], for example {usual}.")
    return text


def admin(options: AdminOptions, now: Callable[[], datetime], show: Callable[[str], None]) -> dict[str, Any]:
    """The result of the module. Raises OptionError where the environment or ca_path cannot be used."""
    began = now()
    entra, judgement = _looked(options, show)
    result: dict[str, Any] = without_secrets(_result(options, entra, judgement, began, now()), options.secrets.values)
    return result


def _looked(options: AdminOptions, show: Callable[[str], None]) -> tuple[Entra, AdminJudgement]:
    entra = Entra()
    if not options.anything:
        return entra, judge_admin(entra, options.asked)
    # Here, since MSAL and httpx take long to load: who asks nothing does not wait for them.
    from .entra.libraries import MISSING  # noqa: PLC0415
    from .entra.look import look  # noqa: PLC0415

    if MISSING is not None:
        return entra, _only(library_missing(MISSING))
    try:
        entra = look(options.wanted, show)
        return entra, judge_admin(entra, replace(options.asked, who=_who(options, entra)))
    except UnusableError as error:
        raise OptionError(str(error)) from None
    except Exception as error:  # noqa: BLE001  the others' words may hold what was sent, and a traceback what is secret
        return Entra(), _only(not_understood(f"looking at the sign-in stopped with {type(error).__name__}"))


def _who(options: AdminOptions, entra: Entra) -> str:
    """Who registers, for sentences."""
    named = next((one.name for one in (entra.token, entra.rehearsal) if isinstance(one, Claims) and one.name), None)
    return options.wanted.upn or named or options.asked.who


def _only(row: Row) -> AdminJudgement:
    return AdminJudgement(fold((row,), SeenFrom.CONTROLLER), ())


def without_secrets(value: Any, secrets: tuple[str, ...]) -> Any:
    """The last line of defence: a service may repeat in an error what was sent to it."""
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, "********")
        return value
    if isinstance(value, dict):
        return {key: without_secrets(one, secrets) for key, one in value.items()}
    return [without_secrets(one, secrets) for one in value] if isinstance(value, list) else value


def federation_hosts(entra: Entra) -> list[str]:
    """host:port of the company's own identity provider, which the servers have to reach, too."""
    return list(entra.realm.hosts) if isinstance(entra.realm, Realm) and entra.realm.federated else []


def _ways(options: AdminOptions, entra: Entra) -> list[str]:
    """How it was looked, for a sentence."""
    said = []
    if isinstance(entra.token, (Claims, BadToken)):
        said.append("the token's own words, unverified")
    if options.wanted.client_id:
        said.append("Microsoft Graph")
    elif options.wanted.upn:
        said.append("what the sign-in tells anybody")
    if options.wanted.sign_in:
        said.append(f"a sign-in by {options.wanted.sign_in.replace('_', ' ')}")
    return said


def _not_covered(options: AdminOptions, entra: Entra) -> list[str]:
    if not options.anything:
        return [NOTHING_ASKED]
    left_out = [CONTROLLERS_VIEW]
    if not options.wanted.client_id:
        left_out.append("what only the directory tells of the account (roles, licence): no application credentials were given")
    if options.wanted.client_id:
        left_out.append("when an activated membership of a group (PIM for groups) ends")
    if isinstance(entra.token, Claims):
        left_out.append("whether the token is genuine: its signature is for the service that it is for")
    return left_out


def _result(options: AdminOptions, entra: Entra, judgement: AdminJudgement, began: datetime, ended: datetime) -> dict[str, Any]:
    asked = options.asked
    who = _who(options, entra)
    ready = f"nothing keeps {who} from registering, by {' and '.join(_ways(options, entra))}" if options.anything else NOTHING_ASKED
    remarks = ["Seen from the controller, not from the server itself."] if options.anything else []
    remarks += not_asked_for(options.left_out, options.wanted.checks) if options.anything else ()
    if options.wanted.connectors:
        remarks.append("Existing connectors were asked for by a beta interface.")
    remarks += about_waivers(judgement.findings, judgement.unused_waivers)
    return {
        **result_of(judgement.findings, ready, remarks, options.policy),
        "asked": options.anything,
        "not_covered": _not_covered(options, entra),
        "seen_as": _seen_as(options, who),
        "seen_from": SeenFrom.CONTROLLER.value,
        "seen_at": began.strftime(TIME_FORMAT),
        "elapsed_ms": int((ended - began).total_seconds() * 1000),
        "reached": True,
        "federation_hosts": federation_hosts(entra),
        "judged": {
            "as_of": asked.as_of.strftime(TIME_FORMAT), "catalogue": VERSION, "cloud": options.cloud, "tenant_id": asked.tenant_id or None,
        },
    }


def _seen_as(options: AdminOptions, who: str) -> str:
    parts = [f"the application {options.wanted.client_id}"] if options.wanted.client_id else []
    if options.wanted.sign_in:
        parts.append(who)
    return " and ".join(parts) or "nobody"
