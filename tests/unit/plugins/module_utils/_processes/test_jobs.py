# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of the jobs of schedules."""

from __future__ import annotations

import fcntl
import json
import os
import pathlib
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.jobs import (
    NOTHING,
    results,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.timers import (
    Timers,
    units,
)

JOB = {"at": "03:00", "command": "x", "hosts": "one"}
STATE = {
    "release": "1.0-aaaaaaaa", "outcome": "success", "code": 0, "began": 0.0, "seconds": 1.5,
    "succeeded": 1.5, "runs": 3, "failures": 1, "of a later version": True,
}  # fmt: skip
TOLD = {
    "at": "03:00", "release": "1.0-aaaaaaaa", "outcome": "success", "code": 0,
    "began": "1970-01-01T00:00:00Z", "seconds": 1.5, "succeeded": "1970-01-01T00:00:01Z",
    "runs": 3, "failures": 1,
}  # fmt: skip


@pytest.fixture
def here(tmp_path: pathlib.Path) -> Timers:
    (tmp_path / "units" / "timers.target.wants").mkdir(parents=True)
    (tmp_path / "shop").mkdir()
    for name, text in units("shop", {"a": JOB}, chosen=True).items():
        (tmp_path / "units" / name).write_text(text)
        (tmp_path / "units" / "timers.target.wants" / name).symlink_to("x")
    return Timers("shop", tmp_path / "units")


def put(place: pathlib.Path, name: str, text: str) -> None:
    (place / "shop" / f"{name}.json").write_text(text)


def test_the_schedules_of_the_host_are_told(here: Timers, tmp_path: pathlib.Path) -> None:
    put(tmp_path, "a", json.dumps(STATE))
    put(tmp_path, "of-another-release", json.dumps(STATE))
    assert results(here, tmp_path) == {"a": TOLD}


@pytest.mark.parametrize("text", [None, "", "{", "[]", "3"])
def test_one_that_has_not_run(text: str | None, here: Timers, tmp_path: pathlib.Path) -> None:
    if text is not None:
        put(tmp_path, "a", text)
    assert results(here, tmp_path) == {"a": {"at": "03:00", **NOTHING}}


def test_one_that_runs_and_one_that_was_cut_off(here: Timers, tmp_path: pathlib.Path) -> None:
    more: dict[str, Any] = {"outcome": "running", "seconds": None, "code": None}
    put(tmp_path, "a", json.dumps(STATE | more))
    handle = os.open(tmp_path / "shop" / ".a.lock", os.O_RDWR | os.O_CREAT, 0o600)
    assert results(here, tmp_path)["a"]["outcome"] == "interrupted"
    fcntl.flock(handle, fcntl.LOCK_EX)
    assert results(here, tmp_path)["a"]["outcome"] == "running"
    os.close(handle)
