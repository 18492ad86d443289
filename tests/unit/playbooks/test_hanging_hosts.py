# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks that show the fleet do not wait for ever for one host of it."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import yaml

TASKS = pathlib.Path(__file__).resolve().parents[3] / "playbooks" / "tasks"
# what runs on the controller
LOCAL = ("import_", "include_", "debug", "assert", "copy", "fail", "meta", "set_fact")


def module(task: dict[str, Any]) -> str:
    return next(key for key in task if key.startswith(("ansible.builtin.", "twelvefactor.deploy.")))


@pytest.mark.parametrize(
    "name",
    ["look_certificates.yml", "look_apps.yml", "look_audit.yml", "read_logs.yml"],
)
def test_a_task_that_asks_a_host_has_an_end(name: str) -> None:
    asking = [
        task
        for task in yaml.safe_load((TASKS / name).read_text("utf-8"))
        if not module(task).split(".")[-1].startswith(LOCAL)
    ]
    assert asking
    assert [task["name"] for task in asking if "timeout" not in task] == []
