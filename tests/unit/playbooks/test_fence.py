# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module that changes an app in a rollout is told which deploy lock the run holds."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
MODULES = ("graceful_reload", "release", "static_files", "nginx_config")
TOLD = {
    "roles/app/tasks/*.yml": "{{ app_lock_generation or omit }}",
    "roles/rollout/tasks/*.yml": "{{ app_lock_generation or omit }}",
    "roles/nginx/tasks/put.yml": "{{ nginx_sites_lock_generation or omit }}",
}


def tasks_of(entries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for entry in entries:
        yield entry
        for part in ("block", "rescue", "always"):
            yield from tasks_of(entry.get(part, []))


@pytest.mark.parametrize("files", TOLD)
def test_fenced(files: str) -> None:
    found = [
        task[f"twelvefactor.deploy.{module}"].get("lock_generation")
        for path in sorted(ROOT.glob(files))
        for task in tasks_of(yaml.safe_load(path.read_text("utf-8")))
        for module in MODULES
        if f"twelvefactor.deploy.{module}" in task
    ]
    assert set(found) == {TOLD[files]}
