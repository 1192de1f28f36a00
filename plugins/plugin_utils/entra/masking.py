# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells Ansible what is secret, where it can be told (ansible-core 2.22 and newer).

FOR INTERNAL COLLECTION USE ONLY. Imports Ansible.
"""

from __future__ import annotations

from collections.abc import Iterable

try:
    from ansible.module_utils.secrets import register_secret
except ImportError:
    register_secret = None


def mask(values: Iterable[str]) -> None:
    """From now on Ansible shows none of these."""
    if register_secret is not None:
        for value in values:
            register_secret(value)
