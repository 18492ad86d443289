# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By how much a host's clock is wrong, which only the controller can say: it knows when it asked."""

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.action import ActionBase

MODULE = "twelvefactor.deploy.deploy_info"


def clock_off(clock: float, asked: float, answered: float) -> float:
    """Seconds by which a clock is wrong at least, that was read at some moment between the two."""
    if clock < asked:
        return clock - asked
    return max(0.0, clock - answered)


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core is not typed
    _supports_async = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        asked = time.time()
        answer: dict[str, Any] = self._execute_module(module_name=MODULE, task_vars=task_vars)
        clock = answer.get("clock")
        if isinstance(clock, int | float):
            answer["clock_off"] = clock_off(clock, asked, time.time())
        return result | answer
