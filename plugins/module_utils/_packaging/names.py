# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What names and versions of projects look like, and when two names are one. Pure."""

from __future__ import annotations

import re

NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
VERSION = r"[0-9](?:[A-Za-z0-9_.!+-]*[A-Za-z0-9])?"


def canonical_name(name: str) -> str:
    """The name under which indexes compare projects (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
