# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue as pages: docs/endpoints.md, docs/findings/README.md, docs/calls.md, docs/sign-in-errors.md and docs/middleboxes.md are
what these give.
"""

from __future__ import annotations

from ..model import Endpoint
from .calls import GRAPH_CALLS, SIGN_IN_CALLS
from .endpoints import CLOUDS, ONE_PORT_SINCE, PUBLIC, endpoints, unprobed
from .findings import FINDINGS
from .middleboxes import SIGNS, Certainty, Sign
from .signin_errors import SIGN_IN_ERRORS, SignInError
from .sources import Source

_TENANT = "<tenant>"
_TITLES = {"public": "Public cloud (`cloud: public`)", "usgov": "US Government (`cloud: usgov`)"}


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _row(endpoint: Endpoint) -> str:
    need = "needed" if endpoint.needed else "optional"
    return "| " + " | ".join((
        f"`{endpoint.id}`",
        endpoint.phase.value,
        f"{need}, sample" if endpoint.sample else need,
        f"`{endpoint.stands_for}`",
        f"[{_cell(endpoint.row)}]({endpoint.source}), {endpoint.date}",
        _cell(endpoint.note),
    )) + " |"


def _table(rows: tuple[Endpoint, ...]) -> list[str]:
    head = ["| endpoint | phase | need | rule | where it stands | note |", "| --- | --- | --- | --- | --- | --- |"]
    return head + [_row(endpoint) for endpoint in rows]


def endpoints_page() -> str:
    """docs/endpoints.md, Markdown with a last newline."""
    lines = [
        "# Endpoints",
        "",
        "What a connector talks to, as this collection looks at it. The page is made from the catalogue; a test compares the two.",
        "",
        "- *rule* is what a firewall rule carries: the documented name or wildcard. A wildcard has to match all labels below it:",
        "  `*.msappproxy.net` stands for `a.msappproxy.net` and for `b.connector.msappproxy.net`.",
        "- *sample* is a name that stands for the wildcard and may be gone tomorrow; what is looked at is whether the wildcard is open.",
        "- *optional* is documented or was seen, but a connector is not known to fail without it.",
        "- Azure operated by 21Vianet (China): Microsoft documents no endpoints of the connector, so nothing can be judged.",
        "",
    ]
    for cloud in CLOUDS:
        lines += [f"## {_TITLES[cloud]}", "", *_table(endpoints(cloud, _TENANT, None)), ""]
        lines += ["Not looked at:", "", *(f"- `{one.name}`: {one.why}" for one in unprobed(cloud)), ""]
    oldest = "1.5.36.0"
    now = {endpoint.id for endpoint in endpoints(PUBLIC, _TENANT, None)}
    old = tuple(endpoint for endpoint in endpoints(PUBLIC, _TENANT, oldest) if endpoint.id not in now)
    lines += [
        f"## Connectors older than {'.'.join(str(number) for number in ONE_PORT_SINCE)}",
        "",
        "Only with the option `connector_version`. The need is that of versions older than 1.5.132.0; later ones use 443 first.",
        "",
        *_table(old),
        "",
        "Not looked at:",
        "",
        *(f"- `{one.name}`: {one.why}" for one in unprobed(PUBLIC, oldest) if one not in unprobed(PUBLIC)),
    ]
    return "\n".join(lines) + "\n"


def findings_page() -> str:
    """docs/findings/README.md, Markdown with a last newline."""
    lines = ["# Findings", "", "| id | name | who mends it | severity | what is wrong |", "| --- | --- | --- | --- | --- |"]
    for spec in FINDINGS.values():
        lines.append(f"| [{spec.id}]({spec.id}.md) | {spec.name} | {spec.owner.value} | {spec.severity.value} | {_cell(spec.title)} |")
    return "\n".join(lines) + "\n"


def calls_page() -> str:
    """docs/calls.md, Markdown with a last newline."""
    lines = [
        "# Calls of the module admin, and the least permissions",
        "",
        "Every call that the module `admin` ever makes. No other one is made, and what is posted asks for a token: nothing is written",
        "in the tenant. The page is made from the catalogue; a test compares the two.",
        "",
        "## The sign-in",
        "",
        "| call | what for | where it stands |",
        "| --- | --- | --- |",
        *(f"| `{one.method} {one.path}` | {_cell(one.adds)} | <{one.source.url}> |" for one in SIGN_IN_CALLS),
        "",
        "## Microsoft Graph",
        "",
        "Grant the application permissions (not the delegated ones), with an administrator's consent, in this order: each line adds",
        "what it says. What is not granted is `unknown` with APC331, never a missing role; what `skip_checks` leaves out is not asked.",
        "",
        "| permission | what one knows with it | call | note |",
        "| --- | --- | --- | --- |",
        *(f"| {_cell(one.permission)} | {_cell(one.adds)} | [`{_cell(one.path.split('?')[0])}`]({one.source.url}) | {_cell(one.note)} |"
          for one in GRAPH_CALLS),
        "",
        "`User.Read.All`, `GroupMember.Read.All`, `RoleManagement.Read.Directory`, `PrivilegedEligibilitySchedule.Read.AzureADGroup` and",
        "`LicenseAssignment.Read.All` together let everything be seen that is not beta. `Directory.Read.All` is more than is needed.",
    ]
    return "\n".join(lines) + "\n"


def sign_in_errors_page() -> str:
    """docs/sign-in-errors.md, Markdown with a last newline."""
    lines = [
        "# Error codes of the sign-in",
        "",
        "What the module `admin` makes of each code. Microsoft calls the codes preliminary; one that is not here is shown with its text",
        "and decides nothing. The page is made from the catalogue; a test compares the two.",
        "",
        "| code | finding | the sign-in is refused because | what to do | where it stands |",
        "| --- | --- | --- | --- | --- |",
        *(f"| AADSTS{one.code} | [{one.finding}](findings/{one.finding}.md) | {_cell(one.meaning)} | {_cell(one.hint)} | "
          f"{_where(one.source)} |" for one in sorted(SIGN_IN_ERRORS.values(), key=_by_code)),
    ]
    return "\n".join(lines) + "\n"


_CERTAINTIES = {
    Certainty.NAMES_ITSELF: "the product's own name, where it writes that of itself in what it makes",
    Certainty.TYPICAL: "the maker's name, or a place or text of the product's: other products of the maker, or built on it, say the same",
    Certainty.HINT: "a number, a text or a part of a name that others can have too",
}


def middleboxes_page() -> str:
    """docs/middleboxes.md, Markdown with a last newline."""
    lines = [
        "# Signs of proxies, firewalls and filters",
        "",
        "By what [APC147](findings/APC147.md) names a product: never proof, and nothing that is decided on. Looked at are only the issuers",
        "of a chain that no public root vouches for, and answers that another finding has called somebody else's. The page is made from",
        "the catalogue; a test compares the two.",
        "",
        *(f"- *{certainty.value}*: {text}." for certainty, text in _CERTAINTIES.items()),
        "",
        "| product | where | pattern | certainty | where it stands |",
        "| --- | --- | --- | --- | --- |",
        *(f"| {_cell(one.product)} | {_place(one)} | `{_cell(one.pattern)}` | {one.certainty.value} | {_where(one.source)} |"
          for one in SIGNS),
    ]
    return "\n".join(lines) + "\n"


def _place(sign: Sign) -> str:
    return " ".join(filter(None, (sign.kind.value, f"`{sign.part}`" if sign.part else "")))


def _where(source: Source) -> str:
    return ", ".join(filter(None, (f"<{source.url}>", source.date)))


def _by_code(error: SignInError) -> int:
    return error.code
