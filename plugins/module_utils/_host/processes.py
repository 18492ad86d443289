# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What /proc shows of a process.

Any process can let /proc/PID/cmdline and /proc/PID/environ show as much of its memory as it likes
(PR_SET_MM_MAP in prctl(2), without a privilege). The kernel bounds the other files that are read:
stat, status, comm, cgroup, smaps_rollup.
"""

from __future__ import annotations

import pathlib

LONGEST_COMMAND_LINE = 4 << 10  # bytes; what is asked for stands at the beginning
LONGEST_ENVIRONMENT = 1 << 20


def stat_fields(process: pathlib.Path) -> list[str]:
    """The fields of proc_pid_stat(5) from the third on, the state; ``process`` is its /proc/PID.

    They follow the last parenthesis: the name, the second field, may hold some itself. Raises OSError.
    """
    return (process / "stat").read_text("ascii", "replace").rpartition(")")[2].split()


def command_line(process: pathlib.Path) -> bytes:
    """The beginning of a command line; ``process`` is its /proc/PID. Raises OSError."""
    with (process / "cmdline").open("rb") as file:
        return file.read(LONGEST_COMMAND_LINE)


def environment(process: pathlib.Path) -> bytes:
    """All of an environment, or nothing of one that is too long. Raises OSError."""
    with (process / "environ").open("rb") as file:
        found = file.read(LONGEST_ENVIRONMENT + 1)
    return found if len(found) <= LONGEST_ENVIRONMENT else b""
