# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Error codes of Microsoft's sign-in (AADSTS), as data: which finding one is, what it means, what to do.

FOR INTERNAL COLLECTION USE ONLY. Microsoft's own page calls the codes preliminary, so one that is not here is reported with its text
and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from . import sources
from .sources import Source

UNREACHABLE, REJECTED, MFA, CONDITIONAL_ACCESS, ACCOUNT = "APC301", "APC302", "APC303", "APC304", "APC305"
NOT_OF_TENANT, TENANT_RESTRICTED, TOKEN = "APC306", "APC307", "APC308"

UNATTENDED = (
    "An unattended registration cannot answer it: get a registration token where somebody can (-Authenticationmode Token of "
    "RegisterConnector.ps1) and give it to the install within its hour."
)
"""The documented way out of everything that wants a person or a managed device."""


@dataclass(frozen=True)
class SignInError:
    code: int
    finding: str
    meaning: str
    """Goes on after 'The sign-in is refused: '."""
    hint: str
    source: Source = sources.SIGN_IN_ERRORS


def _of(finding: str, meaning: str, hint: str, *codes: int, source: Source = sources.SIGN_IN_ERRORS) -> Iterator[SignInError]:
    return (SignInError(code, finding, meaning, hint, source) for code in codes)


_USE_TENANTS = "Sign in with an account of this tenant (name@a verified domain of it); guests cannot register."
_SAME_POLICY = "Let the policy leave this sign-in out, or sign in from where it is allowed. " + UNATTENDED
_DEVICE = "Sign in from a device that the tenant manages, or let the policy leave this sign-in out. " + UNATTENDED
_AGENT = "Mend the pass-through authentication agent and its way to Active Directory; the connector has no part in it."

_ERRORS: tuple[Iterator[SignInError], ...] = (
    # Service
    _of(UNREACHABLE, "the service had an error of its own", "Try again in some minutes.", 90033, 90006, 90012, 90024),

    # What was shown as proof
    _of(REJECTED, "wrong user name or password", "Type the password again. Another wrong one may lock the account.", 50126),
    _of(REJECTED, "the directory has no password of this account",
        "Sign in at the company's own identity provider, or let password hashes be synchronised.", 50056),
    _of(REJECTED, "the secret of the application is wrong",
        "Take the secret's value, not its id, from Certificates & secrets of the application.", 7000215),
    _of(REJECTED, "the secret of the application has expired", "Make a new secret or, better, use a certificate or a federated token.",
        7000222),
    _of(REJECTED, "neither secret nor assertion was sent", "Give client_secret, client_certificate or federated_token_file.", 7000218),
    _of(REJECTED, "the application is not in this tenant or switched off",
        "Compare client_id, tenant_id and cloud; consent to the application in this tenant, or switch it on.", 700016, 700011, 7000112),
    _of(REJECTED, "the resource is not in this tenant or switched off",
        "Compare tenant_id and cloud; a tenant in which the application proxy was never used may lack its service principal.",
        50001, 500011),
    _of(REJECTED, "the account is not assigned to the application",
        "Assign it in Enterprise applications, or switch off Assignment required there.", 50105),
    _of(REJECTED, "consent is missing", "Let an administrator consent to the application.", 65001, 65004, 90094),
    _of(REJECTED, "this client is not preauthorised for that resource",
        "Use an application of your own to look; Microsoft's client ids are for their own resources.", 65002),
    _of(REJECTED, "the organisation has not subscribed to the service", "Enable the service or buy its licence, then try again.", 650052),
    _of(REJECTED, "this endpoint does not serve this kind of sign-in", "Give tenant_id as the tenant's GUID.", 50194, 9001023, 9002332),
    _of(REJECTED, "a client that signs in again and again was stopped", "Wait some minutes before the next try.", 50196),
    _of(REJECTED, "the directory on the premises did not check the password", _AGENT, 80001, 80002, 80007, 80013, 80014),
    _of(REJECTED, "seamless single sign-on failed", "Type the password in place of it, or mend its Kerberos account.",
        *range(81004, 81013)),
    _of(REJECTED, "no session to sign in from", "Sign in with a person before a browser.", 50058),
    _of(REJECTED, "the wrong cloud was asked", "Set cloud to the one that the tenant is in.", 90038, 90043, 90051),
    _of(REJECTED, "nobody completed the sign-in in time", "Run again and enter the code, or raise sign_in_timeout.", 70016, 70019),
    _of(REJECTED, "the code was wrong", "Run again and enter the code that it shows.", 70018),

    # A second factor
    _of(MFA, "multifactor authentication is not set up for the account",
        "Set it up at https://aka.ms/mfasetup, then sign in before a browser. " + UNATTENDED, 50072, 50079),
    _of(MFA, "multifactor authentication is asked for", "Sign in before a browser. " + UNATTENDED, 50074, 50076, 50078),
    _of(MFA, "a challenge of another provider was not met", "Complete it before a browser. " + UNATTENDED, 50158),

    # Policies
    _of(CONDITIONAL_ACCESS, "the device's platform is not allowed", _DEVICE, 50005),
    _of(CONDITIONAL_ACCESS, "a known device is asked for", _DEVICE, 50097, 50129, 50187, 53000, 53001),
    _of(CONDITIONAL_ACCESS, "a managed device is asked for", _DEVICE, 530003, source=sources.SIGN_IN_LOGS),
    _of(CONDITIONAL_ACCESS, "Conditional Access blocks it", _SAME_POLICY, 50131, 53003),
    _of(CONDITIONAL_ACCESS, "Conditional Access allows approved client apps only", _SAME_POLICY, 53002),
    _of(CONDITIONAL_ACCESS, "the account is at risk, and a change that would end that is blocked",
        "Let the risk be investigated and closed in Entra ID Protection. " + UNATTENDED, 50135, 53004, 53011, 530034),
    _of(CONDITIONAL_ACCESS, "a security policy of the tenant blocks it", _SAME_POLICY, 530032),
    _of(CONDITIONAL_ACCESS, "security defaults block a sign-in with a bare password", UNATTENDED, 530035),

    # The account
    _of(ACCOUNT, "the account is locked, or the address that it came from is",
        "Wait until the lock ends, and look at the sign-in log for who caused it.", 50053),
    _of(ACCOUNT, "the password has expired", "Change the password, then run again.", 50055, 50144),
    _of(ACCOUNT, "the account is disabled", "Enable it in Entra ID, or take another administrator.", 50057),
    _of(NOT_OF_TENANT, "the account is not in this tenant", _USE_TENANTS, 16000, 50014, 50020, 50034, 500208, 90072),
    _of(NOT_OF_TENANT, "the request names no tenant", _USE_TENANTS, 50059, 50128, 90019),
    _of(NOT_OF_TENANT, "this cloud knows no such tenant",
        "Compare tenant_id with Entra admin center, Overview, and cloud with the tenant's.", 90002),
    _of(TENANT_RESTRICTED, "a proxy allows the sign-in to other tenants only",
        "Let the proxy add this tenant to its header Restrict-Access-To-Tenants, or leave the sign-in alone. " + UNATTENDED,
        50002, 500021, 500022),

    # What was given out earlier
    _of(TOKEN, "what was given out earlier counts no more", "Sign in again and get a new token.",
        50132, 50133, 50173, 70000, 70008, 700082, 70043),
)

SIGN_IN_ERRORS: Mapping[int, SignInError] = MappingProxyType({one.code: one for group in _ERRORS for one in group})
"""By code."""
