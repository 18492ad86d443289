# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host can be taken out of a fleet for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.maintenance import (
    hosts_beside,
    interruptions,
    maintenance_refusals,
    not_serving,
)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "hosts_beside": hosts_beside,
            "interruptions": interruptions,
            "maintenance_refusals": maintenance_refusals,
            "not_serving": not_serving,
        }
