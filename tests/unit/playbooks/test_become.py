# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing asks for sudo on the controller, whatever the inventory says of all hosts.

Inventories say `ansible_become: true` for all, and the controller is one of them: a variable outranks
the keyword `become` of a task or a play, so that `become: false` says nothing. It is said by variable.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
FILES = [
    path
    for place in ("playbooks", "roles", "examples")
    for path in sorted((ROOT / place).rglob("*.yml"))
    if {"tasks", "handlers"} & set(path.parts) or path.parent.name in ("playbooks", "guestbook")
]


def tasks(entries: Any) -> Iterator[dict[str, Any]]:
    """Plays, blocks and tasks of a file, those within others included."""
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict):
            yield entry
            for key in (
                "tasks",
                "pre_tasks",
                "post_tasks",
                "handlers",
                "block",
                "rescue",
                "always",
            ):
                yield from tasks(entry.get(key))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_controller_is_not_asked_for_root(path: pathlib.Path) -> None:
    for task in tasks(yaml.safe_load(path.read_text())):
        name = task.get("name")
        assert task.get("become") is not False, f"{name}: say `vars: {{ansible_become: false}}`"
        if "localhost" in (task.get("delegate_to"), task.get("hosts")):
            assert task.get("vars", {}).get("ansible_become") is False, name


def test_files_are_found() -> None:
    delegating = [path for path in FILES if "delegate_to: localhost" in path.read_text()]
    assert len(delegating) > 5
