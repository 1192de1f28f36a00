# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes of the collection's modules. FOR INTERNAL COLLECTION USE ONLY."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  action:
    description: Indicates that this has a corresponding action plugin, so some parts run on the controller.
    support: full
  async:
    description: Supports being used with the C(async) keyword.
    details: The action plugin does not run in the background.
    support: none
  check_mode:
    description: Can run in check_mode and does the same there, since it changes nothing on the target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    details: Nothing is ever changed.
    support: N/A
"""

    PLATFORM = r"""
options: {}
attributes:
  platform:
    description: Target OS or families that can be operated against.
    details: >-
      The platform is told from the connection. Windows servers run M(appproxy.connector.connector_info),
      others M(appproxy.connector.path_info).
    support: full
    platforms: windows, posix
"""

    CONTROLLER = r"""
options: {}
attributes:
  platform:
    description: Target OS or families that can be operated against.
    details: Runs on the controller only. The target is never connected to.
    support: full
    platforms: posix
"""
