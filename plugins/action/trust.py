# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trust alone."""

from __future__ import annotations

from ..plugin_utils.action_base import JudgingAction
from ..plugin_utils.model import Area


class ActionModule(JudgingAction):
    areas = (Area.TRUST,)
