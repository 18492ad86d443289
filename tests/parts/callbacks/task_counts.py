# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts what one run of a playbook executes, host by host, for tests that hold a budget. Prints nothing."""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: task_counts
type: aggregate
short_description: counts modules on hosts and tasks on the controller
description:
  - Writes a JSON object to the file that the environment variable E(TASK_COUNTS) names. Per host it has the
    names of the tasks of which a module was executed there, one for each item of a loop, and how many others
    the controller evaluated for it, skipped ones included.
"""

# Their action plugins execute no module.
ON_THE_CONTROLLER = frozenset(
    (
        *("add_host", "assert", "debug", "fail", "group_by", "import_role", "import_tasks"),
        *("include_role", "include_tasks", "include_vars", "inventory_validation", "meta", "pause"),
        *("set_fact", "validate_argument_spec"),
    )
)


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "task_counts"

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[str, dict[str, Any]] = {}

    def _count(self, result: Any, on_host: bool) -> None:
        of_task = self.counts.setdefault(
            result.host.get_name(), {"modules": [], "controller": 0, "skipped": 0}
        )
        local = result.task.action.rpartition(".")[2] in ON_THE_CONTROLLER
        if on_host and not local:
            of_task["modules"].append(result.task.get_name().strip())
        elif on_host:
            of_task["controller"] += 1
        else:
            of_task["skipped"] += 1

    def v2_runner_on_ok(self, result: Any) -> None:
        if result.task.loop is None:
            self._count(result, True)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if result.task.loop is None:
            self._count(result, True)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._count(result, True)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        self._count(result, True)

    def v2_runner_on_skipped(self, result: Any) -> None:
        if result.task.loop is None:
            self._count(result, False)

    def v2_runner_item_on_skipped(self, result: Any) -> None:
        self._count(result, False)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        if "TASK_COUNTS" in os.environ:
            pathlib.Path(os.environ["TASK_COUNTS"]).write_text(json.dumps(self.counts))
