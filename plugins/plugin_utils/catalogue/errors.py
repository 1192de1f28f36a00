# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error of the catalogue."""

from __future__ import annotations


class CatalogueError(ValueError):
    """A question that the catalogue has no answer to. The text names the option, the value and what to write instead."""
