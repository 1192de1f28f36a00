# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an entry of the catalogue of findings is made.

FOR INTERNAL COLLECTION USE ONLY.
"""

from __future__ import annotations

from ..model import Area, FindingSpec, Owner, Severity
from .sources import Source

SCHANNEL = r"HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL"
TLS12_CLIENT = rf"{SCHANNEL}\Protocols\TLS 1.2\Client"


def spec(
    number: int, name: str, owner: Owner, *, title: str, cause: str, hint: str, docs: Source, more: tuple[Source, ...] = (),
    evidence: tuple[str, ...] = (), severity: Severity = Severity.ERROR, area: Area = Area.CONNECTIVITY,
    tells_what_was_not_seen: bool = False,
) -> FindingSpec:
    return FindingSpec(
        id=f"APC{number}", name=name, area=area, owner=owner, severity=severity, title=title, cause=cause, hint=hint, docs=docs.url,
        sources=tuple(str(source) for source in (docs, *more)), evidence=evidence,
        tells_what_was_not_seen=tells_what_was_not_seen,
    )
