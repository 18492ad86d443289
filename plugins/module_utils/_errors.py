# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How private code says to a module, and that to the user, why something cannot be done."""

from __future__ import annotations


class DeployError(Exception):
    """What a person can mend; the message says what was tried, what came back and what to do."""
