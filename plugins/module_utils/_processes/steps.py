# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on a host while somebody watches a switch: says at which step its processes are.

The controller sends it with the modules that it imports; it ends with its standard input. It is for people to
look at: the module that switches reads the pivots' status by itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import select
import stat
import sys
from collections.abc import Iterable, Sequence

from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.pivot_contract import (
    LARGEST_STATUS,
    STEPS,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.status import (
    INSTANCE,
    Status,
)

INTERVAL = 0.2  # seconds
NAMES = 500  # of a directory of the app that are looked at


def slowest_step(states: Iterable[str]) -> str:
    """The first step at which a process still is, empty where none moves."""
    return min((state for state in states if state in STEPS), key=STEPS.index, default="")


def states(directory: pathlib.Path) -> list[str]:
    """What the pivots say that they do. The directory is the app's, which may have put anything there."""
    found = []
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        names = [entry.name for entry, _number in zip(entries, range(NAMES), strict=False)]
        for name in names:
            if name.endswith(".json") and INSTANCE.fullmatch(name.removesuffix(".json")):
                with contextlib.suppress(OSError, ValueError):
                    found.append(read(directory / name).state)
    return found


def read(path: pathlib.Path) -> Status:
    """Raises OSError, and ValueError for what no pivot wrote."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError("not a file")
        return Status.parse(file.read(LARGEST_STATUS))


def main(arguments: Sequence[str]) -> None:
    directory, last = pathlib.Path(arguments[0]), None
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        while True:
            step = slowest_step(states(directory))
            if step != last:
                last = step
                sys.stdout.write(f"{json.dumps(step)}\n")
                sys.stdout.flush()
            if select.select([0], [], [], INTERVAL)[0] and not os.read(0, 4096):
                break
    os._exit(0)
