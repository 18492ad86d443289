# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asks for a lock, which only the controller knows, and whether its holder still lives there."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping
from typing import Any

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.holder import (
    has_ended,
    process_of,
    run_id,
    whoever,
)

MODULE = "twelvefactor.deploy.deploy_lock"


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core is not typed
    _supports_async = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        # a task is executed in a process that the run forks
        parent = multiprocessing.parent_process()
        # what workers lock to ask their questions one after the other; all of a run have it open
        shared = getattr(self._play_context, "connection_lockfd", None)
        mine = process_of(parent.pid if parent and parent.pid else os.getpid(), shared)
        arguments = {
            "owner": whoever(),
            "run": run_id(constants.DEFAULT_LOCAL_TMP),
            "process": mine,
        } | {name: value for name, value in self._task.args.items() if value is not None}
        answer = self._ask(arguments, task_vars)
        holder = answer.get("holder")
        if isinstance(holder, Mapping) and has_ended(holder.get("process") or {}, mine):
            # names the run: if another one was quicker, the lock is that one's by now
            answer = self._ask(arguments | {"dead": holder["run"]}, task_vars)
        return result | answer

    def _ask(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(
            module_name=MODULE, module_args=arguments, task_vars=task_vars
        )
        return answer
