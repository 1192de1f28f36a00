# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known before anything was looked at.

FOR INTERNAL COLLECTION USE ONLY. Data and small functions over it: no Ansible import, no I/O, no clock.
"""
