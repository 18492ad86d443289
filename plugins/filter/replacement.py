# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host can take the place of another one, and with which releases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.replacement import (
    releases_to_join,
    replacement_problems,
)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "releases_to_join": releases_to_join,
            "replacement_problems": replacement_problems,
        }
