# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the output of processes goes, and the pivot's own words: to the supervisor or to journald."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import time
from typing import Any

LONGEST_LINE = 1 << 20  # bytes; where each is made an object, a longer one becomes several
JOURNAL = "/run/systemd/journal/stdout"
JOURNAL_TIMEOUT = 5.0  # seconds that journald may take to accept a connection
LAST_WORDS = 1.0  # seconds without any of it taken until the rest of the output is given up


def timestamp() -> str:
    now = time.time()
    return time.strftime(f"%Y-%m-%dT%H:%M:%S.{int(now % 1 * 1000):03}Z", time.gmtime(now))


def event(line: bytes, at: str, origin: dict[str, Any]) -> bytes:
    """One line of output as a JSON object with the field names of the Elastic Common Schema.

    An object that the app wrote keeps its fields; ``origin`` says who wrote it and has the last
    word. Nothing of a line is dropped, whatever it holds.
    """
    text = line.decode("utf-8", "backslashreplace")
    if text.startswith("{"):
        with contextlib.suppress(ValueError, RecursionError):
            fields = json.loads(text, parse_constant=str)  # NaN is no JSON
            return encoded({"@timestamp": at} | fields | origin)
    return encoded({"@timestamp": at, "message": text} | origin)


def encoded(fields: dict[str, Any]) -> bytes:
    """Raises ValueError for what is no JSON: a number may have been too large, as 1e999."""
    return json.dumps(fields, allow_nan=False).encode() + b"\n"


def journal_stream(path: str, name: str) -> int:
    """A descriptor to which lines are written for journald (the protocol of sd_journal_stream_fd(3)).

    journald learns from the kernel which unit writes. It keeps its end through its own restart.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(JOURNAL_TIMEOUT)
        sock.connect(path)
        # name, unit, priority (info), levels in the lines, to syslog, to kmsg, to the console
        sock.sendall(f"{name}\n\n6\n0\n0\n0\n0\n".encode())
        sock.setblocking(False)
        return sock.detach()


class Output:
    """What is on its way to whoever takes it."""

    def __init__(self, app: str, instance: str, journal: str = JOURNAL) -> None:
        self.app = app
        self.instance = instance
        self.journal = journal
        self.origin: dict[str, Any] | None = None  # of our own words; as the last generation's
        self.sink = 1  # to the supervisor, or a stream to journald
        self.backlog = bytearray()  # what has not been taken there yet

    def write(self) -> None:
        """To be called when the sink is writable: then this much does not block (pipe(7))."""
        try:
            del self.backlog[: os.write(self.sink, self.backlog[: select.PIPE_BUF])]
        except BlockingIOError:
            pass
        except OSError as error:  # who is gone, or a full disk, must not stop the app
            if self.sink == 1:
                self.backlog.clear()
            else:
                self._leave_journal(error)

    def write_rest(self) -> None:
        """Whoever takes the output gets what there is, unless nothing is taken for a while."""
        sink, poll = self.sink, select.poll()
        poll.register(sink, select.POLLOUT)
        while self.backlog and self.sink == sink and poll.poll(LAST_WORDS * 1000):
            self.write()

    def choose(self, destination: str) -> None:
        """Let output go where the newest generation wants it."""
        if (destination == "journal") is (self.sink != 1):
            return
        self.write_rest()  # a line that has begun ends where it began
        if destination != "journal":
            self._leave_journal()
            return
        try:
            self.sink = journal_stream(self.journal, f"{self.app}/{self.instance}")
        except OSError as error:
            self._leave_journal(error)

    def _leave_journal(self, error: OSError | None = None) -> None:
        if self.sink != 1:
            os.close(self.sink)
        self.sink = 1
        if error:
            self.say(f"{self.journal}: {error.strerror or error}; output goes to the supervisor")

    def say(self, text: str) -> None:
        line = f"pivot {self.app} {self.instance}: {text}"
        if self.origin:  # in turn: an object must not begin in the middle of another
            self.backlog += event(line.encode(), timestamp(), self.origin)
            return
        if self.sink != 1:
            self.backlog += f"{line}\n".encode()
            return
        poll = select.poll()
        poll.register(2, select.POLLOUT)
        with contextlib.suppress(OSError):
            if poll.poll(0):
                os.write(2, f"{line}\n".encode())
