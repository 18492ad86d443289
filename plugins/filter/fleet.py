# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all hosts of a fleet say of their apps, for playbooks/status.yml."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.status import (
    certificates,
    document,
    table,
)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "fleet_certificates": certificates,
            "fleet_document": document,
            "fleet_table": table,
        }
