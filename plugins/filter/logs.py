# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the logs of a fleet say, for playbooks/logs.yml."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.logs import (
    absolute,
    document,
    table,
)


def log_range(since: str, until: str = "now") -> dict[str, str]:
    """Begin and end as absolute times, and the reason why there are none."""
    # whole seconds are easier to read and to ask for again
    return absolute(str(since), str(until), float(int(time.time())))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"log_document": document, "log_range": log_range, "log_table": table}
