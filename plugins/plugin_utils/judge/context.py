# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the judges of a server know besides its facts.

FOR INTERNAL COLLECTION USE ONLY.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Context:
    as_of: date
    connector_version: tuple[int, ...] | None
    """Of the connector that is to be installed; None: the newest."""
    installing_user: str | None
    """Who will run the installer; None: nobody said so."""
