# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether another run of Ansible still lives, with real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock import holder
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.holder import (
    has_ended,
    process_of,
    run_id,
    survivors,
    whoever,
)


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def mine() -> dict[str, Any]:
    process = process_of(os.getpid())
    assert process
    return process


def test_lives_and_ends(other: subprocess.Popen[bytes]) -> None:
    there = process_of(other.pid)
    assert there
    assert not has_ended(there, mine())
    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    assert has_ended(there, mine())  # a corpse that nobody has collected yet
    other.wait()
    assert has_ended(there, mine())


def test_the_number_went_to_somebody_else(other: subprocess.Popen[bytes]) -> None:
    there = process_of(other.pid)
    assert there
    assert has_ended(there | {"start": there["start"] - 1}, mine())


def test_somebody_elses_process(
    other: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = process_of(other.pid)
    assert there

    def kill(_pid: int, _signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", kill)
    assert not has_ended(there, mine())


@pytest.mark.parametrize(
    "changed",
    [{"boot": "other machine"}, {"namespace": "pid:[1]"}],
    ids=["another-machine", "another-container"],
)
def test_cannot_be_known_from_here(other: subprocess.Popen[bytes], changed: dict[str, Any]) -> None:
    there = process_of(other.pid)
    assert there
    other.kill()
    other.wait()
    assert not has_ended(there | changed, mine())
    assert not has_ended(there, None)


@pytest.mark.parametrize(
    "nonsense",
    [
        {},
        {"pid": None},
        {"pid": 0},
        {"pid": -1},
        {"pid": "x"},
        {"pid": 10**30},
        {"pid": 2**22 + 1, "file": [1, 2], "start": "x"},
        {"pid": 2**22 + 1, "file": [1, 2], "user": os.geteuid(), "start": None},
    ],
)
def test_nonsense_is_not_believed(nonsense: dict[str, Any]) -> None:
    if not nonsense:
        assert not has_ended({}, mine())
        return
    assert not has_ended(mine() | {"start": 1} | nonsense, mine())


FORKS = """
import os, sys, time
if os.fork() == 0:
    print(os.getpid(), flush=True)
    time.sleep(60)
    sys.exit()
time.sleep(60)
"""


def test_a_killed_run_whose_worker_goes_on() -> None:
    with tempfile.TemporaryFile() as shared:
        run = subprocess.Popen(
            [sys.executable, "-c", FORKS], stdout=subprocess.PIPE, pass_fds=[shared.fileno()]
        )
        assert run.stdout
        worker = int(run.stdout.readline())
        there = process_of(run.pid, shared.fileno())
    assert there
    try:
        run.kill()
        run.wait()
        assert survivors(there) == [worker]
        assert not has_ended(there, mine())
    finally:
        os.kill(worker, 9)
        run.stdout.read()  # until the worker is gone
        run.stdout.close()
    assert has_ended(there, mine())


def test_a_file_of_another_run_with_the_same_number_is_no_survivor(
    other: subprocess.Popen[bytes],
) -> None:
    with tempfile.TemporaryFile() as shared:
        there = process_of(other.pid, shared.fileno())
        assert there
        other.kill()
        other.wait()
        ended = there | {"start": mine()["start"]}  # this process has the file, too
        assert survivors(ended) == [os.getpid()]
        # as after its end, when another run has got the number
        os.utime(shared.fileno(), ns=(0, 0))
        assert survivors(ended) == []
        assert has_ended(ended, mine())


def test_no_proc() -> None:
    assert process_of(2**22 + 1) is None


def test_run_id() -> None:
    assert run_id("/home/joe/.ansible/tmp/ansible-local-4711x8q2m1k/") == "4711x8q2m1k"
    assert run_id("/tmp/of-the-users-own") == "of-the-users-own"


def test_whoever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "build1")
    monkeypatch.setenv("LOGNAME", "joe")
    monkeypatch.delenv("SUDO_USER", raising=False)
    assert whoever() == "joe@build1"
    monkeypatch.setenv("SUDO_USER", "ann")
    assert whoever() == "ann@build1"
    monkeypatch.delenv("SUDO_USER")

    def getuser() -> str:
        raise KeyError

    monkeypatch.setattr(holder.getpass, "getuser", getuser)
    assert whoever() == f"{os.getuid()}@build1"
