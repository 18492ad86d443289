# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics are dropped while the disk is nearly full."""

from __future__ import annotations

import importlib.util
import pathlib
import subprocess
import sys

import pytest

PROGRAM = (
    pathlib.Path(__file__).resolve().parents[3]
    / "roles/graphite/files/usr/local/lib/twelvefactor/graphite/disk_floor.py"
)
spec = importlib.util.spec_from_file_location("disk_floor", PROGRAM)
assert spec is not None
assert spec.loader is not None
disk_floor = importlib.util.module_from_spec(spec)
spec.loader.exec_module(disk_floor)


@pytest.mark.parametrize(
    ("free", "was", "too_full"),
    [
        (99, False, True),
        (100, False, False),
        (100, True, True),
        (124, True, True),
        (125, True, False),
    ],
)
def test_a_quarter_more_ends_it(free: int, was: bool, too_full: bool) -> None:
    assert disk_floor.is_too_full(free, 100, was) is too_full


def run(directory: pathlib.Path, megabytes: int) -> str:
    command = [sys.executable, "-I", PROGRAM, directory, str(megabytes), directory / "blacklist"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_carbon_is_told_once(tmp_path: pathlib.Path) -> None:
    huge = 1 << 40
    assert run(tmp_path, 0) == ""
    assert list(tmp_path.iterdir()) == []
    assert run(tmp_path, huge).endswith(f"less than {huge}: carbon drops all metrics\n")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("blacklist", ".\n")]
    assert run(tmp_path, huge) == ""
    assert run(tmp_path, 0).endswith("carbon takes metrics again\n")
    assert list(tmp_path.iterdir()) == []
