# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last lines of a terminal, redrawn in place, while everything else is written above them."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Callable, Iterator
from typing import TextIO

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import printable
from ansible_collections.twelvefactor.deploy.plugins.module_utils._live.render import (
    Line,
    cells,
    paint,
)

INTERVAL = 0.2  # seconds between two drawings, of which each shows how long a phase takes
STYLED = re.compile("(\x1b\\[[0-9;]*m)")  # what Ansible colours its text with
FALLBACK = os.terminal_size((80, 24))

Picture = Callable[[os.terminal_size], list[Line]]


def harmless(text: str) -> str:
    """Text in which a terminal obeys nothing but line ends, tabs and colours."""
    parts = STYLED.split(text)
    return "".join(part if number % 2 else printable(part) for number, part in enumerate(parts))


def rows_of(lines: list[str], columns: int) -> int:
    """How many rows lines take in a terminal that may have become narrower."""
    return sum(max(1, -(-cells(line) // max(1, columns))) for line in lines)


class Region:
    """Draws what ``picture`` returns below what is written to the terminal.

    A thread redraws it; it writes to the file descriptor, and holds no lock of anybody else. Ansible forks its
    workers: no other thread holds this one's lock in that moment.
    """

    def __init__(self, handle: int, *, colour: bool) -> None:
        self.handle, self.colour = handle, colour
        self.lock = threading.RLock()
        self.picture: Picture | None = None
        self.drawn: list[str] = []
        self.clean = True  # whether the cursor is at the beginning of a line
        self.ended = threading.Event()
        self.thread: threading.Thread | None = None
        os.register_at_fork(
            before=self.lock.acquire,
            after_in_parent=self.lock.release,
            after_in_child=self.lock.release,
        )

    def size(self) -> os.terminal_size:
        try:
            size = os.get_terminal_size(self.handle)
        except OSError:
            return FALLBACK
        return size if size.columns and size.lines else FALLBACK

    def show(self, picture: Picture) -> None:
        with self.lock:
            self.picture = picture
            if self.thread is None:
                self.ended.clear()
                self.thread = threading.Thread(target=self._tick, daemon=True)
                self.thread.start()
            self.draw()

    def keep(self) -> None:
        """Leave what is drawn as it is; what comes next comes below."""
        with self.lock:
            self.draw()
            self.picture, self.drawn = None, []
            thread, self.thread = self.thread, None
            self.ended.set()
        if thread and thread is not threading.current_thread():
            thread.join(timeout=2)

    def _tick(self) -> None:
        while not self.ended.wait(INTERVAL):
            with contextlib.suppress(OSError):
                self.draw()

    def draw(self) -> None:
        with self.lock:
            if self.picture is None or not self.clean:
                return
            size = self.size()
            # one row for the cursor, and no line as long as the terminal: that would wrap
            lines = self.picture(os.terminal_size((size.columns - 1, size.lines - 1)))
            text = "".join(f"{paint(line, colour=self.colour)}\x1b[K\n" for line in lines)
            self.put(f"{self._back(size)}{text}\x1b[J")
            self.drawn = [line for _style, line in lines]

    def _back(self, size: os.terminal_size) -> str:
        rows = min(rows_of(self.drawn, size.columns), size.lines - 1)
        return f"\x1b[{rows}A\r" if rows else ""

    @contextlib.contextmanager
    def above(self) -> Iterator[None]:
        """What is written meanwhile goes where the region was, which is drawn again below it."""
        with self.lock:
            if self.drawn:
                self.put(f"{self._back(self.size())}\x1b[J")
                self.drawn = []
            yield
            self.draw()

    def put(self, text: str) -> None:
        data = text.encode("utf-8", "replace")
        while data:
            data = data[os.write(self.handle, data) :]


class Above:
    """Stands for standard output or error: what is written to it goes above the region."""

    def __init__(self, stream: TextIO, region: Region | None) -> None:
        self._stream, self._region = stream, region

    def write(self, text: str) -> int:
        if self._region is None:
            self._stream.write(harmless(text))
            return len(text)
        with self._region.above():
            self._stream.write(harmless(text))
            self._stream.flush()
            self._region.clean = not text or text.endswith("\n")
        return len(text)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)
