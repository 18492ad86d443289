# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program in a terminal, and what a person sees there: just as much of one as these tests need."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

CONTROL = re.compile(r"\x1b\[([0-9;]*)([A-Za-z])")


class Screen:
    """Rows of text; what it does not know how to do is kept in ``strange``."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.lines = [""] * rows
        self.row = self.column = 0
        self.strange: list[str] = []
        self.scrolled: list[str] = []
        self.rest = ""

    def feed(self, text: str) -> None:
        text, self.rest = self.rest + text, ""
        while text:
            if text[0] == "\x1b":
                match = CONTROL.match(text)
                if match is None:
                    if len(text) < 20 and "\x1b" not in text[1:]:
                        self.rest = text
                        return
                    self.strange.append(text[:10])
                    text = text[1:]
                    continue
                self.control(match[1], match[2])
                text = text[match.end() :]
            else:
                self.letter(text[0])
                text = text[1:]

    def control(self, number: str, what: str) -> None:
        if what == "A":
            self.row = max(0, self.row - int(number or 1))
        elif what == "K" and number in ("", "0"):
            self.lines[self.row] = self.lines[self.row][: self.column]
        elif what == "J" and number in ("", "0"):
            self.lines[self.row] = self.lines[self.row][: self.column]
            self.lines[self.row + 1 :] = [""] * (self.rows - self.row - 1)
        elif what != "m":
            self.strange.append(f"\x1b[{number}{what}")

    def letter(self, letter: str) -> None:
        if letter == "\n":
            self.row += 1
            if self.row == self.rows:
                self.scrolled.append(self.lines.pop(0))
                self.lines.append("")
                self.row -= 1
        elif letter == "\r":
            self.column = 0
        elif letter < " " or "\x7f" <= letter <= "\x9f":
            self.strange.append(repr(letter))
        else:
            if self.column == self.columns:
                self.letter("\n")
                self.column = 0
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + letter + line[self.column + 1 :]
            self.column += 1

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.lines).rstrip("\n")

    def everything(self) -> str:
        return "\n".join([*(line.rstrip() for line in self.scrolled), self.text()])


@dataclass
class Seen:
    code: int
    screen: Screen
    raw: str
    first: float  # seconds until anything was seen
    shots: list[str] = field(default_factory=list)  # each screen that a person could have looked at


def watch(
    command: Sequence[str],
    environment: Mapping[str, str],
    columns: int = 80,
    rows: int = 24,
    timeout: float = 300,
    on_text: Callable[[str, int], None] = lambda text, pid: None,
) -> Seen:
    began = time.monotonic()
    pid, handle = pty.fork()
    if not pid:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.execvpe(command[0], list(command), dict(environment))
    screen, raw, first, shots = Screen(columns, rows), "", 0.0, []
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while time.monotonic() - began < timeout:
        if not select.select([handle], [], [], 1)[0]:
            continue
        try:
            data = os.read(handle, 1 << 16)
        except OSError:  # as Linux says that nobody has it open any more
            break
        if not data:
            break
        text = decoder.decode(data)
        first = first or time.monotonic() - began
        raw += text
        screen.feed(text)
        shots.append(screen.text())
        on_text(screen.text(), pid)
    os.close(handle)
    _pid, status = os.waitpid(pid, 0)
    return Seen(os.waitstatus_to_exitcode(status), screen, raw, first, shots)
