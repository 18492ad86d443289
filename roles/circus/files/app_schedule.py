# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a schedule of an app once, now, with the release that serves.

Usage: app-schedule APP NAME, as root; the unit schedule-APP@NAME.service does that. The exit code is that of the
command, 124 where it was ended after its timeout, 0 where nothing was to be done: the job before still runs, or
the release that serves has no such schedule.

The release that `current` names is resolved once, and kept on the host until the job ends. While the app is
switched to another release a job waits, and then runs what serves. What came of it is kept in
/var/lib/app-schedules, for `status`, the report and metrics.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

APP_EXEC = "/usr/local/sbin/app-exec"
SRV = pathlib.Path("/srv")
# As plugins/module_utils/_host/flock.py and _release/home.py name them; nobody but root can open what is in there.
FLOCKS = pathlib.Path("/var/lib/twelvefactor/flocks")
IN_USE = "in-use"
STATES = pathlib.Path("/var/lib/app-schedules")
NAME = re.compile(r"[a-z_][a-z0-9_-]*")
# The first thing that a command does in its sandbox: say so where its input would be, which is a pipe's end.
BEGIN = 'echo >&0; exec "$@" < /dev/null'
# Seconds until it has. Whoever switches the app waits meanwhile, and the app can stop what runs as its user; less
# than PATIENCE in plugins/module_utils/_processes/timers.py.
START_TIMEOUT = 50
KILL_AFTER = 30  # seconds from TERM to KILL
# Seconds after that in which timeout(1) must have ended. It runs as the app, which can stop it.
GRACE = 10
TIMED_OUT = 124  # exit code of timeout(1)
KILLED = 137  # that of what had to be killed, by timeout(1) or app-exec


def private(directory: pathlib.Path) -> pathlib.Path:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory


@contextlib.contextmanager
def flocked(path: pathlib.Path, how: int) -> Iterator[None]:
    """Hold a flock on a file that is made if it is missing. Raises BlockingIOError by LOCK_NB."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, how)
        yield
    finally:
        os.close(handle)


def resolve(app: str, name: str) -> tuple[pathlib.Path, dict[str, Any]] | None:
    """The release that serves, and what it says of the schedule; None where it says nothing."""
    try:
        release = (SRV / app / "current").resolve(strict=True)
        manifest = json.loads((release / "release.json").read_text("utf-8"))
    except FileNotFoundError:
        return None
    schedule = manifest.get("schedules", {}).get(name)
    return (release, schedule) if schedule else None


class State:
    """What came of the jobs of a schedule, in a file that is replaced as a whole."""

    def __init__(self, app: str, name: str) -> None:
        self.path = private(STATES / app) / f"{name}.json"
        self.told: dict[str, Any] = {
            "runs": 0,
            "failures": 0,
            "succeeded": None,
            "seconds": None,
        }
        with contextlib.suppress(OSError, ValueError):
            self.told |= json.loads(self.path.read_text("utf-8"))

    def begin(self, release: str) -> None:
        # one that was cut off, by a crash of the host or a KILL, has not succeeded
        interrupted = self.told.get("outcome") == "running"
        self.write(
            release=release,
            began=time.time(),
            outcome="running",
            code=None,
            runs=self.told["runs"] + 1,
            failures=self.told["failures"] + int(interrupted),
        )

    def end(self, outcome: str, code: int, seconds: float) -> None:
        more = {"succeeded": time.time()} if outcome == "success" else {}
        failures = self.told["failures"] + int(outcome != "success")
        self.write(outcome=outcome, code=code, seconds=round(seconds, 3), failures=failures, **more)

    def write(self, **told: Any) -> None:
        """On a full disk the job runs all the same."""
        self.told |= told
        new = self.path.with_name(f".{self.path.name}.new")
        try:
            new.write_text(json.dumps(self.told), "utf-8")
            new.replace(self.path)
        except OSError as error:
            print(f"app-schedule: cannot write {self.path}: {error}", file=sys.stderr)


def command_of(app: str, release: pathlib.Path, schedule: dict[str, Any]) -> list[str]:
    # in the foreground: whatever else the command has started is ended by app-exec
    limit = ["timeout", "--foreground", f"--kill-after={KILL_AFTER}", str(schedule["timeout"])]
    command = [str(release / "bin" / "run"), "sh", "-c", schedule["command"]]
    return [APP_EXEC, app, "sh", "-c", BEGIN, "sh", *limit, *command]


def outcome_of(code: int, seconds: float, timeout: float) -> str:
    if code == 0:
        return "success"
    return "timeout" if code in (TIMED_OUT, KILLED) and seconds >= timeout else "failed"


def start(command: list[str]) -> subprocess.Popen[bytes]:
    """Start a command and wait until it runs in its sandbox, which a busy host takes seconds to make.

    A signal to this program ends the command.
    """
    process: subprocess.Popen[bytes] | None = None
    stopped = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal stopped
        stopped = True
        if process:
            process.terminate()

    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    told, says = os.pipe()
    process = subprocess.Popen(command, stdin=says)
    os.close(says)
    if stopped:  # just before it was there
        process.terminate()
    ready, _writable, _exceptional = select.select([told], [], [], START_TIMEOUT)
    if ready:
        os.read(told, 1)  # nothing, where it ended before
    else:
        process.terminate()
    os.close(told)
    return process


def wait(process: subprocess.Popen[bytes], timeout: float) -> int:
    """The exit code. What goes on for too long is ended from outside of the sandbox."""
    try:
        code = process.wait(timeout + KILL_AFTER + GRACE)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait()
        return TIMED_OUT
    return code if code >= 0 else 128 - code


@contextlib.contextmanager
def unswitched(app: str) -> Iterator[None]:
    """The app is not switched to another release meanwhile; waits for the end of a switch.

    Whoever switches holds both files. The first one lets nobody in who comes later than a switch, so that it
    waits only for those that are in already.
    """
    with contextlib.ExitStack() as inside:
        with flocked(private(FLOCKS) / f"{app}-schedules", fcntl.LOCK_SH):
            inside.enter_context(flocked(FLOCKS / f"{app}-starting", fcntl.LOCK_SH))
        yield


def work(app: str, name: str) -> int:
    with contextlib.ExitStack() as held:
        with unswitched(app):
            found = resolve(app, name)
            if not found:
                print(f"{app} has no schedule {name} in the release that serves; nothing was run")
                return 0
            release, schedule = found
            held.enter_context(flocked(release / IN_USE, fcntl.LOCK_SH))
            state = State(app, name)
            state.begin(release.name)
            process = start(command_of(app, release, schedule))
            began = time.monotonic()
        code = wait(process, schedule["timeout"])
        seconds = time.monotonic() - began
        outcome = outcome_of(code, seconds, schedule["timeout"])
        state.end(outcome, code, seconds)
        print(f"{name} of {release.name}: {outcome} after {seconds:.1f} s, exit code {code}")
        return code


def main() -> int:
    os.umask(0o077)
    if len(sys.argv) != 3 or not all(NAME.fullmatch(word) for word in sys.argv[1:]):
        sys.exit("usage: app-schedule APP NAME")
    app, name = sys.argv[1:]
    try:
        # also where somebody starts it by hand
        with flocked(private(STATES / app) / f".{name}.lock", fcntl.LOCK_EX | fcntl.LOCK_NB):
            return work(app, name)
    except BlockingIOError:
        print(f"{name} of {app} still runs; it was not started again")
        return 0


if __name__ == "__main__":
    sys.exit(main())
