# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks that show the fleet do not wait for ever for one host of it."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import yaml

PLAYBOOKS = pathlib.Path(__file__).resolve().parents[3] / "playbooks"
# what runs on the controller
LOCAL = ("import_", "include_", "debug", "assert", "copy", "fail", "meta", "set_fact")


def tasks(path: pathlib.Path) -> list[dict[str, Any]]:
    found = yaml.safe_load(path.read_text("utf-8"))
    return (
        [task for play in found for task in play.get("tasks", [])] if "hosts" in found[0] else found
    )


def module(task: dict[str, Any]) -> str:
    return next(key for key in task if key.startswith(("ansible.builtin.", "twelvefactor.deploy.")))


@pytest.mark.parametrize(
    "name",
    ["tasks/look_certificates.yml", "tasks/look_apps.yml", "tasks/read_logs.yml", "audit.yml"],
)
def test_a_task_that_asks_a_host_has_an_end(name: str) -> None:
    asking = [
        task
        for task in tasks(PLAYBOOKS / name)
        if not module(task).split(".")[-1].startswith(LOCAL)
    ]
    assert asking
    assert [task["name"] for task in asking if "timeout" not in task] == []
