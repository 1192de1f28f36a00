# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile bytes and lying targets for every parser of the collection. run.py is the command; tests/unit/test_fuzz.py the daily dose."""
