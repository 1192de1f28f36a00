# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The release of what the collection knows: endpoints, findings, roots. Raised whenever one of them changes.

FOR INTERNAL COLLECTION USE ONLY.
"""

VERSION = "2026-11-27.1"
