# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a migration that waits for locks of its database for a short time only, and tries again.

A statement such as ALTER TABLE that waits for its lock makes every later query of the table wait behind it.
One forgotten transaction and a patient migration stop the app.

Usage: python -I - LOCK_TIMEOUT TIMEOUT COMMAND, both in seconds, with the config of a release, its interpreter and
this file as standard input. The exit code is that of the last attempt. Standard library only; a driver that
the release has is used to find out who holds the lock.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import IO, Any, NamedTuple

# Seconds. Requests that queued behind an attempt are answered in the first of them. What still holds its lock after a
# minute of pauses is not a slow query any more: somebody has to end it.
PAUSES = (2, 4, 8, 16, 32)
# The server translates its message (lc_messages); code and name of the error stay what they are.
LOCK_NOT_AVAILABLE = re.compile(
    rb"canceling statement due to lock timeout|\b55P03\b|\bLockNotAvailable\b"
)
OWN_LOCK_TIMEOUT = re.compile(r"(?:-c\s*|--)lock[-_]timeout\s*=")
POSTGRESQL_URL = re.compile(r"(?:postgres|postgresql|postgis)(?:\+\w+)?(://.*)", re.DOTALL)
# Identifiers and comments may have quotes, too. The server cuts long queries off: a string may have no end.
STRING = re.compile(
    r"""
    (?P<kept>"(?:[^"]|"")*(?:"|\Z)|--[^\n]*|/\*.*?(?:\*/|\Z))
    |\b[eE]'(?:[^'\\]|''|\\(?:.|\Z))*(?:'|\Z)
    |'(?:[^']|'')*(?:'|\Z)
    |(?<![\w$])\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z)
    """,
    re.DOTALL | re.VERBOSE,
)
PLACES = ("PGHOST", "PGHOSTADDR", "PGDATABASE", "PGSERVICE")

STDOUT, STDERR = 1, 2
KEPT = 64 * 1024  # bytes of each output in which the error is looked for
ANSWER_TIMEOUT = (
    2  # seconds that the question for blockers may take, which is asked while the command waits
)
NAMED = 3  # blockers
QUERY_LENGTH = 160
NOT_TOLD = "the database did not tell"

# Whoever makes this attempt's sessions wait and does not wait itself: not the app's sessions that queue behind it.
BLOCKERS = """\
SELECT DISTINCT blocker.pid, extract(epoch FROM clock_timestamp() - blocker.xact_start)::float8,
       blocker.state, blocker.usename::text, blocker.application_name, blocker.query
FROM pg_stat_activity AS waiting
CROSS JOIN LATERAL unnest(pg_blocking_pids(waiting.pid)) AS blocking(pid)
JOIN pg_stat_activity AS blocker ON blocker.pid = blocking.pid
WHERE waiting.datname = current_database() AND waiting.wait_event_type = 'Lock'
  AND waiting.backend_start > clock_timestamp() - make_interval(secs => %s)
  AND blocker.wait_event_type IS DISTINCT FROM 'Lock'
ORDER BY 2 DESC NULLS LAST
"""


def environment_of(given: Mapping[str, str], lock_timeout: int) -> dict[str, str]:
    """The config, with the lock timeout in it where it says nothing of its own."""
    options = given.get("PGOPTIONS", "")
    if not OWN_LOCK_TIMEOUT.search(options):
        options = f"{options} -c lock_timeout={lock_timeout}s".lstrip()
    return {"RELEASE_LOCK_TIMEOUT": str(lock_timeout), **given, "PGOPTIONS": options}


def next_pause(failed: int, longest: float, left: float) -> int | None:
    """Seconds until the next attempt after so many; None where there is to be none.

    ``longest``, ``left``: seconds of the longest attempt and of the command's timeout. An attempt that would be
    ended by the timeout names no blocker.
    """
    if failed > len(PAUSES):
        return None
    pause = PAUSES[failed - 1]
    return pause if pause + 2 * longest < left else None


def address_of(environment: Mapping[str, str]) -> str | None:
    """What libpq connects to; None where the config names no PostgreSQL."""
    url = environment.get("DATABASE_URL", "")
    if url:
        known = POSTGRESQL_URL.fullmatch(url)
        return f"postgresql{known[1]}" if known else None
    return "" if any(environment.get(name) for name in PLACES) else None


def masked(query: str) -> str:
    """Without its strings, which may be anybody's data."""
    return STRING.sub(lambda found: found["kept"] or "'…'", query)


class Blocker(NamedTuple):
    """A session; another role's may be known by its pid alone."""

    pid: int
    seconds: float | None
    state: str | None
    user: str | None
    application: str | None
    query: str | None

    def text(self) -> str:
        whose = f" of {self.user}" if self.user else ""
        through = f" ({self.application})" if self.application else ""
        since = "" if self.seconds is None else f", in a transaction for {self.seconds:.0f} s"
        state = f", {self.state}" if self.state else ""
        query = masked(self.query or "")
        words = "".join(sign if sign.isprintable() else " " for sign in query).split()
        last = f", last query: {' '.join(words)[:QUERY_LENGTH]}" if words else ""
        return f"pid {self.pid}{whose}{through}{since}{state}{last}"


def names(blockers: Sequence[Blocker]) -> str:
    more = f"; and {len(blockers) - NAMED} more" if len(blockers) > NAMED else ""
    return "; ".join(blocker.text() for blocker in blockers[:NAMED]) + more


def blame(blockers: Sequence[Blocker], problem: str) -> str:
    """Who holds the lock, or why that is not known and how to find it."""
    if not blockers:
        return (
            f"What holds the lock is not known: {problem}. While a migration waits, this query tells: "
            "SELECT pid, pg_blocking_pids(pid), query FROM pg_stat_activity WHERE wait_event_type = 'Lock'."
        )
    return f"The lock is held by {names(blockers)}."


def aftermath(blockers: Sequence[Blocker]) -> str:
    """What a failure of another kind may come of, after an attempt that did not get its lock."""
    held = f" That lock was held by {names(blockers)}." if blockers else ""
    return (
        "An earlier attempt of the process type release did not get a lock of the database, and this one failed"
        " for another reason. What the earlier one did outside of a transaction may be there, such as an index that"
        f" is not valid: SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid.{held}"
    )


class Watch:
    """Asks the database who makes the command wait, over a connection of its own."""

    def __init__(self, address: str | None) -> None:
        self.address = address
        self.connection: Any = None
        self.problem = NOT_TOLD
        if address is None:
            self.problem = (
                "the config has no DATABASE_URL of a PostgreSQL server, nor PGHOST or PGDATABASE"
            )

    def blockers(self, seconds: float) -> list[Blocker]:
        """Those of sessions that are at most so old; none where the database cannot be asked."""
        if self.address is None:
            return []
        try:
            self.connection = self.connection or self.connect(self.address)
            with self.connection.cursor() as cursor:
                cursor.execute(BLOCKERS, (seconds,))
                rows = cursor.fetchall()
        except ImportError:
            self.address = None
            self.problem = "the release has neither psycopg nor psycopg2"
            return []
        # whatever a driver raises; its text may repeat the password
        except Exception as error:  # noqa: BLE001
            self.connection = None  # the next question may be answered
            self.problem = f"the database could not be asked ({type(error).__name__})"
            return []
        self.problem = NOT_TOLD
        return [Blocker(*row) for row in rows]

    @staticmethod
    def connect(address: str) -> Any:
        try:
            driver = importlib.import_module("psycopg")
        except ImportError:
            driver = importlib.import_module("psycopg2")
        connection = driver.connect(
            address,
            connect_timeout=ANSWER_TIMEOUT,
            options=f"-c statement_timeout={ANSWER_TIMEOUT}s",
        )
        connection.autocommit = True
        return connection


class Output(threading.Thread):
    """Passes on what the command writes, and keeps its end."""

    def __init__(self, source: IO[bytes], target: int) -> None:
        super().__init__(daemon=True)
        self.source, self.target, self.end = source, target, b""
        self.start()

    def run(self) -> None:
        while chunk := os.read(self.source.fileno(), KEPT):
            write(self.target, chunk)
            self.end = (self.end + chunk)[-KEPT:]


class Attempt(NamedTuple):
    code: int
    locked_out: bool
    blockers: list[Blocker]
    seconds: float


class ReleaseProcess:
    """The command, as often as it takes."""

    def __init__(self, command: str, lock_timeout: int, watch: Watch) -> None:
        self.command, self.lock_timeout, self.watch = command, lock_timeout, watch
        self.child: subprocess.Popen[bytes] | None = None
        self.stopped = False
        signal.signal(signal.SIGTERM, self.stop)

    def stop(self, number: int, _frame: object) -> None:
        self.stopped = True
        if self.child is None or self.child.poll() is not None:
            sys.exit(128 + number)
        self.child.send_signal(number)

    def attempt(self) -> Attempt:
        began, blockers = time.monotonic(), list[Blocker]()
        self.child = subprocess.Popen(
            ["sh", "-c", self.command],
            env=environment_of(os.environ, self.lock_timeout),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.child.stdout is not None
        assert self.child.stderr is not None
        outputs = (
            Output(self.child.stdout, STDOUT),
            Output(self.child.stderr, STDERR),
        )
        while True:
            try:
                code = self.child.wait(self.lock_timeout / 4)
                break
            except subprocess.TimeoutExpired:
                # one second more: the clock of the database runs on while it is asked
                age = time.monotonic() - began + 1
                blockers = self.watch.blockers(age) or blockers
        for output in outputs:
            output.join(ANSWER_TIMEOUT)  # something that the command left running may still have it
        locked_out = (
            code != 0
            and not self.stopped
            and any(LOCK_NOT_AVAILABLE.search(output.end) for output in outputs)
        )
        return Attempt(
            code if code >= 0 else 128 - code, locked_out, blockers, time.monotonic() - began
        )

    def run(self, timeout: float) -> int:
        began, failed, longest = time.monotonic(), 0, 0.0
        blockers = list[Blocker]()
        while (last := self.attempt()).locked_out:
            failed, longest = failed + 1, max(longest, last.seconds)
            blockers = last.blockers or blockers
            passed = time.monotonic() - began
            pause = next_pause(failed, longest, timeout - passed)
            say(
                f"The process type release did not get a lock of the database within its lock timeout"
                f" ({failed} of at most {len(PAUSES) + 1} attempts, {passed:.0f} s)."
                f" {blame(last.blockers, self.watch.problem)} "
                + (
                    "The app was not switched. End what holds the lock, then deploy again."
                    if pause is None
                    else f"The next attempt is in {pause} s."
                )
            )
            if pause is None:
                break
            time.sleep(pause)
        else:
            if failed and last.code and not self.stopped:
                say(aftermath(blockers))
        return last.code


def say(text: str) -> None:
    write(STDERR, f"{text}\n".encode())


def write(target: int, data: bytes) -> None:
    """Write to a descriptor. Nothing is kept for later: it could fail again when the program ends."""
    # The command must not wait for a reader that has gone.
    with contextlib.suppress(OSError):
        while data:
            data = data[os.write(target, data) :]


def main() -> int:
    lock_timeout, timeout, command = sys.argv[1:]
    watch = Watch(address_of(os.environ))
    return ReleaseProcess(command, int(lock_timeout), watch).run(float(timeout))


if __name__ == "__main__":
    sys.exit(main())
