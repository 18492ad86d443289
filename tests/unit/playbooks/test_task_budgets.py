# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many tasks the playbooks of a rollout have is held by tests/task_budgets.json: exactly so many modules on hosts.

Modules answer here what the cases say; that they answer so on real hosts is for the scenario operate.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUDGETS = json.loads((ROOT / "tests" / "task_budgets.json").read_text("utf-8"))
TO_DO = {"deploy_info": {"pending": ["it is to be installed"], "current": "1.0-aaaaaaaa"}}


@pytest.mark.parametrize(
    ("what", "name", "answers", "settings", "arguments"),
    [
        ("deploy, nothing to do", "deploy", {}, {}, ()),
        ("deploy, nothing to do", "deploy", {}, {}, ("--check",)),
        ("deploy of a change", "deploy", TO_DO, {}, ()),
        (
            "deploy of a change, with static files",
            "deploy",
            TO_DO,
            {"static_files": {"static": "static"}},
            (),
        ),
        ("rollback", "rollback", {}, {}, ()),
    ],
)
def test_budget(
    rollout: Callable[..., Any],
    tmp_path: pathlib.Path,
    what: str,
    name: str,
    answers: dict[str, Any],
    settings: dict[str, Any],
    arguments: tuple[str, ...],
) -> None:
    done = rollout(name, answers, settings, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = json.loads((tmp_path / "counts.json").read_text("utf-8"))
    modules = [counts[host]["modules"] for host in ("a1", "a2", "a3")]
    first, others = BUDGETS[what]["modules"]
    assert [len(tasks) for tasks in modules] == [first, others, others], modules
    assert counts["a1"]["controller"] == BUDGETS[what]["controller"]
