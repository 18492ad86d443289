# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints what the module explains as lines, whatever form the callback has for results.

On the first run there is no ansible.cfg yet that would name one for people.
"""

from __future__ import annotations

from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

MODULE = "twelvefactor.deploy.scaffold"


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core is not typed
    _supports_async = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        result |= self._execute_module(module_name=MODULE, task_vars=task_vars)
        explain = boolean(self._task.args.get("explain", False), strict=False)
        if explain and not self._task.no_log:
            for line in result.get("text", ()):
                self._display.display(line)
        return result
