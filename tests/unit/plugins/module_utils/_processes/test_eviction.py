# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is ended and removed when an app is evicted."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes import eviction
from unit.deep import make_deep, run_directory

STATUS = "Name:\tsh\nState:\t{state} (x)\nUid:\t{ids}\nGid:\t0\t0\t0\t0\n"
UID = 63211  # of nobody: no process of this machine has it

# Ignores what can be ignored, leaves its group, and forks for as long as it can.
FORKS = """
import os, signal, time
os.setresuid({uid}, {uid}, {uid})
os.setsid()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
for _n in range(5000):
    try:
        if os.fork():
            time.sleep(0.001)
    except OSError:
        pass
"""


@pytest.mark.parametrize(
    ("state", "ids", "expected"),
    [
        ("S", "7\t7\t7\t7", True),
        ("R", "0\t7\t0\t0", True),
        ("S", "0\t0\t7\t0", True),
        ("S", "70\t70\t70\t70", False),
        ("Z", "7\t7\t7\t7", False),
    ],
)
def test_whose_a_process_is(state: str, ids: str, expected: bool) -> None:
    assert eviction.belongs_to(STATUS.format(state=state, ids=ids), 7) is expected


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
# The tests' workers have threads; the child makes two system calls.
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_nothing_that_forks_escapes() -> None:
    limit = ["prlimit", "--nproc=64:64"]
    process = subprocess.Popen(
        [*limit, sys.executable, "-c", FORKS.format(uid=UID)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    eviction.end_processes(UID)
    assert eviction.processes_of(UID) == []
    assert process.wait(timeout=60) == -9
    process.stdout.close()


def test_what_cannot_be_ended_is_named() -> None:
    with pytest.raises(DeployError, match="Could not end the processes 4, 5 of uid 7"):
        eviction.end_processes(7, lambda _uid: [4, 5], lambda _uid: None, patience=0)


def test_root_is_nobody_to_evict() -> None:
    with pytest.raises(DeployError, match="processes of root"):
        eviction.end_processes(0, lambda _uid: [1], lambda _uid: None)


def test_what_is_forgotten(tmp_path: pathlib.Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    run = tmp_path / "run"
    (run / "web-1.1.d" / "deep").mkdir(parents=True)
    (run / "web-1.json").touch()
    (run / "elsewhere").symlink_to(outside)
    places = [eviction.CRONTABS, eviction.LINGER, eviction.AT_JOBS]
    crontabs, linger, jobs = (tmp_path / place.lstrip("/") for place in places)
    for directory in (crontabs, linger, jobs):
        directory.mkdir(parents=True)
        (directory / "shop").touch()
        (directory / "other").touch()
    uid = os.geteuid()
    removed = eviction.forget("shop", uid, run, str(tmp_path))
    assert list(run.iterdir()) == []
    assert (outside / "kept").exists()
    # an at job has a name of its own and belongs to its user
    assert removed == [
        str(p) for p in (crontabs / "shop", linger / "shop", jobs / "other", jobs / "shop")
    ]
    assert [(crontabs / "other").exists(), (linger / "other").exists()] == [True, True]
    assert eviction.forget("shop", uid, run, str(tmp_path)) == []
    assert eviction.forget("shop", uid, tmp_path / "none", str(tmp_path / "none")) == []


def test_what_is_deep_is_forgotten(tmp_path: pathlib.Path) -> None:
    with run_directory() as run:
        make_deep(run / "d")
        assert eviction.forget("shop", os.geteuid(), run, str(tmp_path)) == []
        assert list(run.iterdir()) == []


def test_what_starts_programs_goes_whatever_is_left(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crontabs, linger = (tmp_path / p.lstrip("/") for p in (eviction.CRONTABS, eviction.LINGER))
    linger.mkdir(parents=True)
    (linger / "shop").touch()
    (crontabs / "shop").mkdir(parents=True)
    (tmp_path / "run" / ("x" * 200)).mkdir(parents=True)

    def fail(_path: pathlib.Path) -> None:
        assert not (linger / "shop").exists()
        raise OSError(16, "Device or resource busy", "x" * 10_000)

    monkeypatch.setattr(eviction.trees, "empty", fail)
    with pytest.raises(DeployError) as raised:
        eviction.forget("shop", os.geteuid(), tmp_path / "run", str(tmp_path))
    said = str(raised.value)
    assert f"{crontabs}/shop: " in said
    assert f"{tmp_path}/run: Device or resource busy." in said
    assert f"Removed were {linger}/shop." in said
    assert len(said) < 1000
