# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What root installs, services run as somebody else: no task leaves that to root's umask."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
INSTALLS = ("pip install", "-m venv", "npm", "cargo install", "uv venv", "uv pip")
COMMANDS = ("ansible.builtin.command", "ansible.builtin.shell")


def tasks_of(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for task in tasks:
        for part in ("block", "rescue", "always"):
            yield from tasks_of(task.get(part, []))
        yield task


def installers() -> Iterator[Any]:
    for path in sorted(ROOT.glob("roles/*/tasks/*.yml")):
        for task in tasks_of(yaml.safe_load(path.read_text()) or []):
            words = str([task.get(name) for name in COMMANDS] + [task.get("vars")])
            on_host = task.get("delegate_to") != "localhost"
            runs = any(name in task for name in COMMANDS)
            if on_host and ("ansible.builtin.pip" in task or (runs and installs(words))):
                yield pytest.param(task, id=f"{path.parents[1].name}: {task['name']}")


def installs(words: str) -> bool:
    return any(word in words for word in INSTALLS)


def test_some_are_found() -> None:
    assert list(installers())


@pytest.mark.parametrize("task", list(installers()))
def test_root_installs_for_everybody(task: dict[str, Any]) -> None:
    pip = task.get("ansible.builtin.pip")
    if pip:
        assert pip.get("umask") == "0022"
    else:
        assert "umask 0022" in str([task.get(name) for name in COMMANDS])
