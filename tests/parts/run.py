# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run parts beside each other, each a process group of its own, and measure what each used."""

from __future__ import annotations

import collections.abc
import contextlib
import os
import pathlib
import signal
import subprocess
import time

from . import schedule, table, usage

POLL_SECONDS = 0.2
# For a part that is told to stop to take its hosts away.
STOP_SECONDS = 60.0
# Of the limit, kept for stopping what runs and for the table.
RESERVED_SECONDS = 90.0


class Runner:
    """Runs `make PART` for each part, `jobs` at a time, until `limit` seconds after `began`.

    A part that cannot be expected to end in time is not started, and one that has not ended by then
    is stopped: a run that is killed from outside says nothing about any of them.
    """

    def __init__(
        self,
        logs: pathlib.Path,
        *,
        jobs: int,
        limit: float | None,
        expected: collections.abc.Mapping[str, float],
        command: collections.abc.Sequence[str] = ("make",),
    ) -> None:
        self.logs = logs
        self.jobs = jobs
        self.limit = None if limit is None else limit - RESERVED_SECONDS
        self.expected = expected
        self.command = command
        self.began = time.monotonic()
        self.running: dict[int, tuple[str, float, subprocess.Popen[bytes]]] = {}
        self.rows: list[table.Row] = []

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.began

    @property
    def pace(self) -> float:
        taken = {row.part: row.seconds for row in self.rows if row.result == table.PASSED}
        return schedule.pace(taken, self.expected)

    def run(self, parts: collections.abc.Sequence[str]) -> list[table.Row]:
        """Run `parts` in this order; a row for each, in the order in which they ended."""
        self.logs.mkdir(parents=True, exist_ok=True)
        try:
            for part in parts:
                while len(self.running) >= self.jobs:
                    self._collect(len(parts))
                if schedule.can_end(
                    part,
                    elapsed=self.elapsed,
                    limit=self.limit,
                    expected=self.expected,
                    pace=self.pace,
                ):
                    self._start(part)
                else:
                    self._say(f"make {part}: not started, it could not end in time")
                    self.rows.append(table.Row(part, table.NOT_STARTED))
            while self.running:
                self._collect(len(parts))
        finally:
            self._stop()
        return self.rows

    def _start(self, part: str) -> None:
        used = self.logs / f"{part}.usage"
        used.unlink(missing_ok=True)
        with (self.logs / f"{part}.log").open("wb") as log:
            process = subprocess.Popen(
                [*self.command, part],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "PARTS_USAGE": str(used.absolute())},
            )
        self.running[process.pid] = (part, time.monotonic(), process)
        self._say(f"make {part}")

    def _collect(self, total: int) -> None:
        """Wait until one of the running parts has ended, or stop them at the limit."""
        while True:
            for pid in list(self.running):
                found, status, resources = os.wait4(pid, os.WNOHANG)
                if found:
                    self._ended(pid, status, resources.ru_utime + resources.ru_stime, total)
                    return
            if self.limit is not None and self.elapsed > self.limit:
                self._stop()
                return
            time.sleep(POLL_SECONDS)

    def _ended(self, pid: int, status: int, cpu: float, total: int, result: str = "") -> None:
        part, started, process = self.running.pop(pid)
        # waited for here, for the sake of its resources, and not by the object
        process.returncode = os.waitstatus_to_exitcode(status)
        result = result or (table.PASSED if status == 0 else table.FAILED)
        self.rows.append(
            table.Row(
                part,
                result,
                seconds=time.monotonic() - started,
                cpu=cpu,
                load=os.getloadavg()[0],
                usage=usage.read(self.logs / f"{part}.usage"),
            )
        )
        row = self.rows[-1]
        used = row.cpu + row.usage.host_cpu
        self._say(f"make {part}: {result} after {row.seconds:.0f} s, {used:.0f} of a core", total)

    def _stop(self) -> None:
        """End every part that still runs, with all that it started."""
        for pid in self.running:
            _signal(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while self.running:
            for pid in list(self.running):
                found, status, resources = os.wait4(pid, os.WNOHANG)
                if found:
                    _signal(pid, signal.SIGKILL)
                    cpu = resources.ru_utime + resources.ru_stime
                    self._ended(pid, status, cpu, 0, table.STOPPED)
                elif time.monotonic() > deadline:
                    _signal(pid, signal.SIGKILL)
            time.sleep(POLL_SECONDS)

    def _say(self, text: str, total: int = 0) -> None:
        progress = f"{len(self.rows)} of {total}" if total else ""
        print(f"{self.elapsed:6.0f} s  {progress:>8}  {text}", flush=True)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)
