# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""app-schedule, with a sandbox that is none; the scenario processes runs it by timers."""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
from types import ModuleType
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host import flock
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.timers import Timers
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import (
    IN_USE,
    AppHome,
)

PROGRAM = pathlib.Path(__file__).parents[3] / "roles" / "circus" / "files" / "app_schedule.py"
OLD, NEW = "1.0-aaaaaaaa", "2.0-bbbbbbbb"
PATIENCE = 60.0  # seconds


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("app_schedule", PROGRAM)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Host:
    """A directory with two releases; the program runs in it as a process of its own."""

    def __init__(self, place: pathlib.Path, app: AppHome, flocks: pathlib.Path) -> None:
        self.place, self.app, self.flocks = place, app, flocks
        self.program = place / "app-schedule"
        exec_ = place / "app-exec"
        exec_.write_text('#!/bin/sh\nshift\nexec "$@"\n')
        exec_.chmod(0o755)
        text = PROGRAM.read_text("utf-8")
        for name, path in (
            ("APP_EXEC", f'"{exec_}"'),
            ("SRV", f'pathlib.Path("{place}")'),
            ("FLOCKS", f'pathlib.Path("{flocks}")'),
            ("KILL_AFTER", "0.5"),
            ("GRACE", "0.5"),
            ("STATES", f'pathlib.Path("{place / "states"}")'),
        ):
            before = next(line for line in text.splitlines() if line.startswith(f"{name} = "))
            text = text.replace(before, f"{name} = {path}")
        self.program.write_text(text, "utf-8")

    def release(self, release: str, command: str, timeout: int = 60) -> None:
        path = self.app.releases / release
        (path / "bin").mkdir(parents=True)
        schedules = {"job": {"at": "daily", "command": command, "timeout": timeout}}
        (path / "release.json").write_text(json.dumps({"schedules": schedules}))
        (path / "bin" / "run").write_text(f'#!/bin/sh\nRELEASE_ID={release} exec "$@"\n')
        (path / "bin" / "run").chmod(0o755)

    def start(self, name: str = "job") -> subprocess.Popen[str]:
        command = [sys.executable, "-I", str(self.program), "shop", name]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def run(self, name: str = "job") -> tuple[int, str]:
        process = self.start(name)
        output, _ = process.communicate(timeout=PATIENCE)
        return process.returncode, output

    def state(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.place / "states/shop/job.json").read_text())
        return told


@pytest.fixture
def host(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    (tmp_path / "shop" / "releases").mkdir(parents=True)
    app = AppHome("shop", tmp_path / "shop", os.geteuid(), os.getegid(), os.geteuid())
    flocks = tmp_path / "lib" / "flocks"
    monkeypatch.setattr(flock, "FLOCKS", flocks)
    return Host(tmp_path, app, flocks)


def wait_for(path: pathlib.Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_names_files_as_the_modules_do() -> None:
    program = load()
    assert (program.FLOCKS, program.IN_USE) == (flock.FLOCKS, IN_USE)


def test_success(host: Host) -> None:
    host.release(OLD, "echo $RELEASE_ID")
    host.app.point_to(OLD)
    code, output = host.run()
    assert (code, output.splitlines()[0]) == (0, OLD)
    assert f"job of {OLD}: success after" in output
    state = host.state()
    assert (state["release"], state["outcome"], state["code"]) == (OLD, "success", 0)
    assert (state["runs"], state["failures"]) == (1, 0)
    assert state["began"] <= state["succeeded"] <= time.time()


def test_failures_are_counted(host: Host) -> None:
    host.release(OLD, "exit 3")
    host.app.point_to(OLD)
    assert host.run()[0] == 3
    assert host.run()[0] == 3
    state = host.state()
    assert (state["outcome"], state["code"], state["failures"]) == ("failed", 3, 2)
    assert state["succeeded"] is None


def test_timeout(host: Host) -> None:
    host.release(OLD, "exec sleep 60", timeout=1)
    host.app.point_to(OLD)
    assert host.run()[0] == 124
    assert (host.state()["outcome"], host.state()["failures"]) == ("timeout", 1)


def test_a_job_that_stops_its_timeout_is_ended_all_the_same(host: Host) -> None:
    sandbox = host.place / "app-exec"
    # as app-exec does: what it has started ends with it, by a signal that nobody can catch
    sandbox.write_text(
        "#!/bin/sh\nshift\n"
        'exec 3<&0; setsid "$@" 0>&3 3>&- &\nexec 3>&-\ntrap "kill -KILL -$!" TERM\nwait\nwait\n'
    )
    host.release(OLD, "kill -STOP $PPID; exec sleep 60", timeout=1)
    host.app.point_to(OLD)
    assert host.run()[0] == 124
    assert host.state()["outcome"] == "timeout"


@pytest.mark.parametrize("release", [NEW, None])
def test_without_such_a_schedule_nothing_is_run(host: Host, release: str | None) -> None:
    host.release(NEW, "true")
    host.app.point_to(release)
    code, output = host.run("other")
    assert (code, output) == (
        0,
        "shop has no schedule other in the release that serves; nothing was run\n",
    )


def test_it_is_not_started_twice_and_keeps_its_release(host: Host, tmp_path: pathlib.Path) -> None:
    begun, end = tmp_path / "begun", tmp_path / "end"
    host.release(
        OLD, f"touch {begun}; while ! test -e {end}; do sleep 0.05; done; echo $RELEASE_ID"
    )
    host.app.point_to(OLD)
    first = host.start()
    wait_for(begun)
    assert host.run() == (0, "job of shop still runs; it was not started again\n")
    assert host.app.in_use(OLD)
    host.release(NEW, "true")
    host.app.point_to(NEW)
    assert not host.app.in_use(NEW)
    end.touch()
    output, _ = first.communicate(timeout=PATIENCE)
    assert output.splitlines()[0] == OLD
    assert not host.app.in_use(OLD)
    assert host.state()["runs"] == 1


def test_during_a_switch_it_waits_and_runs_what_serves_then(host: Host) -> None:
    host.release(OLD, "echo $RELEASE_ID")
    host.release(NEW, "echo $RELEASE_ID")
    host.app.point_to(OLD)
    switching = Timers("shop", host.place)
    with switching.held():
        job = host.start()
        ended = threading.Event()
        threading.Thread(target=lambda: (job.wait(), ended.set()), daemon=True).start()
        # it can only be seen not to do something for a while
        assert not ended.wait(0.5)
        host.app.point_to(NEW)
    output, _ = job.communicate(timeout=PATIENCE)
    assert output.splitlines()[0] == NEW


def test_a_switch_waits_for_a_job_that_begins_and_for_no_later_one(
    host: Host, tmp_path: pathlib.Path
) -> None:
    """A sandbox takes its time: the command must not begin after the switch with what served before."""
    asked, made = tmp_path / "asked", tmp_path / "made"
    sandbox = host.place / "app-exec"
    sandbox.write_text(
        f'#!/bin/sh\ntouch {asked}\nuntil test -e {made}; do sleep 0.05; done\nshift\nexec "$@"\n'
    )
    host.release(OLD, "echo $RELEASE_ID; sleep 1")
    host.release(NEW, "echo $RELEASE_ID")
    host.app.point_to(OLD)
    job = host.start()
    wait_for(asked)
    switched = threading.Event()

    def switch() -> None:
        with Timers("shop", host.place).held():
            host.app.point_to(NEW)
            switched.set()

    threading.Thread(target=switch, daemon=True).start()
    assert not switched.wait(0.5)
    made.touch()
    assert switched.wait(PATIENCE)
    # it is over while the job still runs
    assert job.poll() is None
    output, _ = job.communicate(timeout=PATIENCE)
    assert output.splitlines()[0] == OLD


def test_a_job_that_does_not_begin_keeps_no_switch_waiting(host: Host) -> None:
    """The app can stop what runs as its user."""
    text = host.program.read_text("utf-8")
    assert "\nSTART_TIMEOUT = 50\n" in text
    host.program.write_text(text.replace("START_TIMEOUT = 50", "START_TIMEOUT = 0.5"), "utf-8")
    (host.place / "app-exec").write_text("#!/bin/sh\nexec sleep 3600\n")
    host.release(OLD, "true")
    host.app.point_to(OLD)
    assert host.run()[0] == 128 + signal.SIGTERM
    assert host.state()["outcome"] == "failed"
    with Timers("shop", host.place).held():
        pass


def test_one_that_was_cut_off_has_failed(host: Host) -> None:
    host.release(OLD, "true")
    host.app.point_to(OLD)
    host.run()
    path = host.place / "states/shop/job.json"
    path.write_text(json.dumps(host.state() | {"outcome": "running"}))
    host.run()
    assert (host.state()["failures"], host.state()["runs"]) == (1, 2)


def test_a_signal_ends_the_command(host: Host, tmp_path: pathlib.Path) -> None:
    begun = tmp_path / "begun"
    host.release(OLD, f"touch {begun}; exec sleep 60")
    host.app.point_to(OLD)
    job = host.start()
    wait_for(begun)
    job.terminate()
    job.communicate(timeout=PATIENCE)
    assert job.returncode != 0
    assert host.state()["outcome"] == "failed"


@pytest.mark.parametrize("words", [[], ["shop"], ["../x", "job"], ["shop", "a/b"], ["a", "b", "c"]])
def test_usage(words: list[str]) -> None:
    command = [sys.executable, "-I", str(PROGRAM), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "usage: app-schedule APP NAME\n")
