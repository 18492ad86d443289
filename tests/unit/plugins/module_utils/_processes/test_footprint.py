# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory of real processes, files of a real disk, and a /proc in which anything may be missing."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.footprint import (
    disk,
    memory,
    share,
)

MIB = 1024**2
HOLD = f"data = bytearray(b'x' * {20 * MIB}); print(flush=True); input()"


def test_memory_of_what_runs_below_a_process() -> None:
    """The process itself is the supervisor's, what it has started is the app's."""
    starts = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLD!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", starts], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdin
        assert parent.stdout
        parent.stdout.readline()
        found = memory({parent.pid, os.getpid()})
        below = found[parent.pid]
        parent.stdin.write(b"\n")
    assert 20 * MIB < below < 40 * MIB
    assert found[os.getpid()] > below  # the parent counts here, too
    assert memory({parent.pid}) == {parent.pid: 0}
    assert memory(set()) == {}


def put(proc: pathlib.Path, pid: int, stat: str, rollup: str | None = "Pss: 5 kB\n") -> None:
    (proc / str(pid)).mkdir()
    (proc / str(pid) / "stat").write_text(stat)
    if rollup is not None:
        (proc / str(pid) / "smaps_rollup").write_text(rollup)


@pytest.mark.parametrize(
    ("rollup", "bytes_"),
    [
        ("0-1 ---p 0 00:00 0 [rollup]\nRss: 9 kB\nPss: 5 kB\nPss_Dirty: 4 kB\n", 5120),
        ("", 0),
        ("Pss:\n", 0),
        (None, 0),
    ],
)
def test_share(tmp_path: pathlib.Path, rollup: str | None, bytes_: int) -> None:
    put(tmp_path, 7, "7 (a) S 1", rollup)
    assert share(7, tmp_path) == bytes_


def test_a_process_that_is_gone_or_has_an_odd_name(tmp_path: pathlib.Path) -> None:
    put(tmp_path, 2, "2 (a) b (c) S 1 0")
    put(tmp_path, 3, "3 (a) S 2 0")
    put(tmp_path, 4, "4 (a) Z 3 0", None)
    put(tmp_path, 5, "")
    (tmp_path / "self").mkdir()
    assert memory({1, 2, 4}, tmp_path) == {1: 10240, 2: 5120, 4: 0}


def test_disk(tmp_path: pathlib.Path) -> None:
    releases = tmp_path / "releases"
    for name in ("a", "b"):
        (releases / name / "venv").mkdir(parents=True)
    empty = disk(tmp_path, releases)["releases"]
    (releases / "a" / "venv" / "data").write_bytes(b"x" * MIB)
    os.link(releases / "a" / "venv" / "data", releases / "b" / "venv" / "data")
    (releases / "a" / "away").symlink_to("/usr")
    told = disk(tmp_path, releases)
    assert MIB <= told["releases"] - empty < MIB + 65536  # what two releases share counts once
    assert told["path"] == str(tmp_path)
    assert 0 < told["free"] < told["size"]
    assert disk(tmp_path, tmp_path / "nowhere")["releases"] == 0
