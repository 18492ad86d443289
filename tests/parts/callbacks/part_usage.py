# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts what Ansible runs on hosts, for the table of tests/parts. Prints nothing."""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: part_usage
type: aggregate
short_description: counts results of tasks on hosts
description:
  - Appends the number of results to the file that the environment variable E(PARTS_USAGE) names.
"""

# Nothing of these runs on a host.
ON_THE_CONTROLLER = (
    "assert",
    "debug",
    "fail",
    "include_role",
    "include_tasks",
    "include_vars",
    "meta",
    "pause",
    "set_fact",
    "validate_argument_spec",
)


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "part_usage"

    def __init__(self) -> None:
        super().__init__()
        self.results = 0

    def _count(self, result: Any) -> None:
        if result.task.action.rpartition(".")[2] not in ON_THE_CONTROLLER:
            self.results += 1

    def v2_runner_on_ok(self, result: Any) -> None:
        if result.task.loop is None:
            self._count(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if result.task.loop is None:
            self._count(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._count(result)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        self._count(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        if "PARTS_USAGE" in os.environ:
            with pathlib.Path(os.environ["PARTS_USAGE"]).open("a") as file:
                file.write(json.dumps({"tasks": self.results}) + "\n")
