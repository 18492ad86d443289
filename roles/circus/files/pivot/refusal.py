# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a generation does not come to serve."""

from __future__ import annotations


class Refused(Exception):
    """A generation did not get through; the message is the reason."""


class Overruled(Refused):
    """A generation is well, but given up because of what happened outside of it."""
