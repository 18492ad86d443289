# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The question that a deploy begins with is about what it would install, switch to and publish."""

from __future__ import annotations

import pathlib
from typing import Any

import yaml

TASKS = pathlib.Path(__file__).resolve().parents[3] / "roles" / "app" / "tasks"


def arguments(file: str, module: str) -> dict[str, Any]:
    found = [
        task[f"twelvefactor.deploy.{module}"]
        for task in yaml.safe_load((TASKS / f"{file}.yml").read_text("utf-8"))
        if f"twelvefactor.deploy.{module}" in task
    ]
    (only,) = found
    return dict(only)


def test_it_names_what_is_installed() -> None:
    asked = arguments("inspect", "deploy_info")
    installed = arguments("install", "release")
    assert asked.pop("static_files") == "{{ __app_static_files if __app_publishes else omit }}"
    assert asked.pop("schedule_host")
    # after a switch nginx is told of them in any case
    assert "__app_listen" in asked.pop("listening")
    assert asked.pop("packages") == "{{ __app_packages }}"
    # as platform sets them up
    platform = yaml.safe_load((TASKS / "platform.yml").read_text("utf-8"))
    [media] = [
        task["vars"]["app_user_media"]
        for task in platform
        if "app_user_media" in task.get("vars", {})
    ]
    assert asked.pop("media") == media
    assert installed.pop("lock_generation")
    assert asked == installed


def test_it_names_what_is_switched_to_and_published() -> None:
    asked = arguments("inspect", "deploy_info")
    switched = arguments("switch", "graceful_reload")
    for name in ("formation", "schedule_host"):
        assert switched[name] == asked[name]
    assert arguments("static_files", "static_files")["directories"] == "{{ __app_static_files }}"


def test_a_deploy_does_nothing_that_is_not_asked_for() -> None:
    """A new task of these files needs an answer of deploy_info, and then a line here."""
    done = {
        file: [
            next(key for key in task if "." in key).rpartition(".")[2]
            for task in yaml.safe_load((TASKS / f"{file}.yml").read_text("utf-8"))
        ]
        for file in ("install", "switch", "after_switch", "static_files")
    }
    assert done == {
        # settings, packages, wheelhouse, release, static files
        "install": ["import_tasks", "apt", "copy", "release", "import_tasks"],
        "switch": ["graceful_reload", "import_tasks"],
        # the site follows from a formation that the switch has changed
        "after_switch": ["import_tasks", "include_tasks"],
        "static_files": ["static_files"],
    }
