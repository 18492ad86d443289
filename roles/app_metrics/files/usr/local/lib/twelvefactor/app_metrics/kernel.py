# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of the host, as the kernel shows them."""

from __future__ import annotations

import os
import pathlib
from dataclasses import dataclass

PAGE = os.sysconf("SC_PAGE_SIZE")
LONGEST_COMMAND_LINE = 4 << 10  # bytes


@dataclass(frozen=True)
class Process:
    """A process of this host, from /proc/PID/stat (proc(5))."""

    parent: int
    began: int  # clock ticks since boot
    memory: int  # bytes

    @classmethod
    def of(cls, stat: str) -> Process | None:
        """None for a zombie, which is no process any more."""
        fields = stat.rpartition(")")[2].split()
        if fields[0] in "ZX":
            return None
        return cls(int(fields[1]), int(fields[19]), int(fields[21]) * PAGE)


def read_processes(proc: pathlib.Path) -> dict[int, Process]:
    found = {}
    for entry in proc.iterdir():
        if entry.name.isdigit():
            try:
                process = Process.of((entry / "stat").read_text("latin-1"))
            except OSError:  # gone meanwhile
                continue
            if process:
                found[int(entry.name)] = process
    return found


def command_line(process: pathlib.Path) -> str:
    """The beginning of the command line of /proc/PID; empty for one that is gone.

    A process decides itself how much of its memory is shown there (PR_SET_MM_MAP in prctl(2)).
    """
    try:
        with (process / "cmdline").open("rb") as file:
            return file.read(LONGEST_COMMAND_LINE).decode("latin-1")
    except OSError:
        return ""


def descendants(processes: dict[int, Process], pid: int) -> list[int]:
    """The processes below ``pid``: all of an instance's, for orphans come back to their pivot."""
    children: dict[int, list[int]] = {}
    for child, process in processes.items():
        children.setdefault(process.parent, []).append(child)
    found, rest = [], [pid]
    while rest:
        below = children.get(rest.pop(), [])
        found += below
        rest += below
    return found
