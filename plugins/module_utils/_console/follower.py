# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on a host while somebody follows its logs: writes new lines until its standard input ends.

The controller sends this file with the modules that it imports (``program.py``), and nothing is
installed. When the connection ends, by whatever cause, standard input does, and with it this program.
Root opens what an app may write only with the app's own rights.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.files import (
    LOGS,
    LONGEST_LINE,
    Deadline,
    Listing,
    LogError,
    as_owner,
    open_file,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.journal import (
    FIELDS,
    LONGEST_ENTRY,
    matches,
    parse_entry,
)

INTERVAL = 0.2  # seconds between two looks at the files
LISTED = 2.0  # seconds between two looks at the names in a directory
JOURNAL = 30.0  # seconds for the last entries of the journal
TAIL = 1 << 18  # bytes at the end of a file in which its last lines are looked for
CHUNK = 1 << 20  # bytes that are read of a file at once


@dataclass
class Tail:
    """A log that grows, is truncated, or is renamed and begun anew."""

    path: pathlib.Path
    handle: int = -1
    inode: int = 0
    rest: bytes = b""

    def open(self, last: int | None) -> list[bytes]:
        """The last lines of what is there; ``None``: all of it, it is a new file."""
        with as_owner(self.path.parent):
            found = open_file(self.path)
        if found is None:
            return []
        self.close()
        self.handle, self.inode, self.rest = found.handle, found.inode, b""
        if last is None:
            return self.read()
        start = max(0, found.size - TAIL) if last else found.size
        os.lseek(self.handle, start, os.SEEK_SET)
        lines = self.read()
        return (lines[1:] if start else lines)[-last:] if last else []

    def close(self) -> None:
        if self.handle >= 0:
            os.close(self.handle)
        self.handle = -1

    def read(self) -> list[bytes]:
        """The complete lines that have come since."""
        data = self.rest + os.read(self.handle, CHUNK)
        *lines, self.rest = data.split(b"\n")
        if len(self.rest) > LONGEST_LINE:
            lines, self.rest = [*lines, self.rest], b""
        return lines

    def follow(self) -> list[bytes]:
        if self.handle < 0:
            return self.open(None)
        if os.fstat(self.handle).st_size < os.lseek(self.handle, 0, os.SEEK_CUR):
            os.lseek(self.handle, 0, os.SEEK_SET)
        lines = self.read()
        if lines:
            return lines
        with contextlib.suppress(OSError):
            if os.lstat(self.path).st_ino != self.inode:
                return self.open(None)
        return []


@dataclass
class Follower:
    app: str
    lines: int  # of each log, from before
    logs: pathlib.Path
    nginx: pathlib.Path
    tails: dict[str, Tail] = field(default_factory=dict)
    listed: float = 0.0

    def discover(self) -> Iterator[tuple[str, bytes]]:
        """Logs that are new; of those that were there at the beginning, their last lines."""
        if self.listed and time.monotonic() - self.listed < LISTED:
            return
        last, self.listed = (None if self.listed else self.lines), time.monotonic()
        found = {"access": self.nginx / f"{self.app}.access.log"}
        directory = self.logs / self.app
        with contextlib.suppress(LogError):
            for name in Listing(directory).logs(Deadline(10))[:LOGS]:
                found[name.removesuffix(".log")] = directory / name
        for name, path in found.items():
            if name not in self.tails:
                self.tails[name] = Tail(path)
                with contextlib.suppress(LogError):
                    yield from ((name, line) for line in self.tails[name].open(last))

    def new(self) -> Iterator[tuple[str, bytes]]:
        yield from self.discover()
        for name, tail in self.tails.items():
            with contextlib.suppress(LogError, OSError):
                yield from ((name, line) for line in tail.follow())


def say(source: str, line: str, at: float | None = None) -> None:
    # a line of the app is a value in it, and cannot look like another one
    text = json.dumps([source, line[:LONGEST_LINE], at])
    sys.stdout.write(f"{text}\n")


def journal(app: str, lines: int, follow: bool) -> subprocess.Popen[bytes] | None:
    """Reads what the app's processes and jobs write to journald; None where there is none."""
    command = [
        *("journalctl", "--quiet", "--no-pager", "--all", "--output=json", f"--lines={lines}"),
        *(["--follow"] if follow else []),
        *(f"--output-fields={FIELDS}", *matches(app)),
    ]
    try:
        return subprocess.Popen(  # pylint: disable=ansible-bad-function
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError:
        return None


def entries(data: bytes, app: str) -> None:
    for line in data.split(b"\n"):
        if entry := parse_entry(line, app):
            process, text, at = entry
            say(process, text, at)


def run(app: str, lines: int, follow: bool, logs: str, nginx: str) -> None:
    follower = Follower(app, lines, pathlib.Path(logs), pathlib.Path(nginx))
    journalctl = journal(app, lines, follow)
    reads, rest = [0] if follow else [], b""
    if follow and journalctl and journalctl.stdout:
        os.set_blocking(journalctl.stdout.fileno(), False)
        reads.append(journalctl.stdout.fileno())
    try:
        while True:
            for source, line in follower.new():
                say(source, line.decode("utf-8", "replace"))
            if journalctl and not follow:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    entries(journalctl.communicate(timeout=JOURNAL)[0], app)
            sys.stdout.flush()
            if not follow:
                return
            ready = select.select(reads, [], [], INTERVAL)[0]
            if 0 in ready and not os.read(0, 1 << 16):
                return
            for handle in ready:
                if handle:
                    data = os.read(handle, CHUNK)
                    if not data:
                        reads.remove(handle)
                    whole, _newline, rest = (rest + data).rpartition(b"\n")
                    rest = rest[-LONGEST_ENTRY:]
                    entries(whole, app)
    finally:
        if journalctl:
            journalctl.kill()
            journalctl.wait()


def main(arguments: Sequence[str]) -> None:
    app, lines, follow, logs, nginx = arguments
    if os.geteuid():
        raise SystemExit("the logs can be read by root only; is ansible_become set for this host?")
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        run(app, int(lines), follow == "follow", logs, nginx)
    # nobody reads any more what could not be written
    os._exit(0)
