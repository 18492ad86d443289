# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel says of sockets and processes, and is asked to do."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pathlib
import re

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PR_SET_CHILD_SUBREAPER = 36
# Bytes that are read of what a process shows of its memory. It decides itself how much that is
# (PR_SET_MM_MAP in prctl(2)).
LONGEST_COMMAND_LINE = 4 << 10
LONGEST_ENVIRONMENT = 1 << 20

prctl = ctypes.CDLL(None, use_errno=True).prctl


def connections(table: str, path: str) -> int | None:
    """How many connections, accepted or waiting, the socket bound to ``path`` has.

    ``table`` is /proc/net/unix: an accepted socket carries its listener's path (state 03), one
    still in the accept queue too (state 02); the listener itself has the flag 00010000. None when
    nothing listens under that name: then the table says nothing about its connections either.
    """
    count, listening = 0, False
    for line in table.splitlines()[1:]:
        fields = line.split(None, 7)
        if len(fields) == 8 and fields[7] == path:
            if fields[3] == "00010000":
                listening = True
            else:
                count += 1
    return count if count or listening else None


def marks(prefix: str) -> dict[int, str]:
    """The XDG_RUNTIME_DIR of every process that has one beginning with ``prefix``, by pid."""
    found = {}
    mark = re.compile(rb"(?<![^\0])XDG_RUNTIME_DIR=(%b[^\0]*)" % re.escape(os.fsencode(prefix)))
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # gone, or somebody else's
                if match := mark.search(environment_of(int(entry.name))):
                    found[int(entry.name)] = os.fsdecode(match[1])
    return found


def environment_of(pid: int) -> bytes:
    """The beginning of a process's environment."""
    with open(f"/proc/{pid}/environ", "rb") as file:
        return file.read(LONGEST_ENVIRONMENT)


def command_line_of(pid: int) -> bytes:
    """The beginning of a process's command line."""
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read(LONGEST_COMMAND_LINE)


def children_of(pid: int) -> list[int]:
    """The direct children of a process (proc(5), task/TID/children)."""
    text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]
