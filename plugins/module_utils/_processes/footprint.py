# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory processes take up, and how much of the disk releases do."""

from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Collection
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.processes import (
    stat_fields,
)

PROC = pathlib.Path("/proc")


def parents(proc: pathlib.Path) -> dict[int, int]:
    """The parent of each process of the host: field 4 of proc_pid_stat(5)."""
    found = {}
    for path in proc.iterdir():
        if path.name.isdigit():
            try:
                found[int(path.name)] = int(stat_fields(path)[1])
            except (OSError, IndexError, ValueError):  # gone meanwhile
                continue
    return found


def share(pid: int, proc: pathlib.Path) -> int:
    """Bytes of a process; what n processes share counts as 1/n in each (proc_pid_smaps(5)).

    0 for one that is gone, or has no memory of its own.
    """
    try:
        for line in (proc / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (OSError, IndexError, ValueError):
        pass
    return 0


def memory(pivots: Collection[int], proc: pathlib.Path = PROC) -> dict[int, int]:
    """Bytes of all that runs below each of these processes, without the process itself."""
    if not pivots:
        return {}
    children: dict[int, list[int]] = {}
    for child, parent in parents(proc).items():
        children.setdefault(parent, []).append(child)
    found = {}
    for pivot in pivots:
        below = list(children.get(pivot, []))
        for pid in below:  # grows while it is walked through
            below += children.get(pid, [])
        found[pivot] = sum(share(pid, proc) for pid in below)
    return found


def allocated(directory: str, seen: set[tuple[int, int]]) -> int:
    """Bytes on the disk of all that lies below; what ``seen`` has been counted already."""
    total = 0
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                if (status.st_dev, status.st_ino) not in seen:
                    seen.add((status.st_dev, status.st_ino))
                    total += status.st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    total += allocated(entry.path, seen)
    except FileNotFoundError:  # removed while we look
        pass
    return total


def disk(root: pathlib.Path, releases: pathlib.Path) -> dict[str, Any]:
    """Bytes of the filesystem that holds an app, and of the app's releases."""
    usage = shutil.disk_usage(root)
    return {
        "path": str(root),
        "size": usage.total,
        "free": usage.free,
        "releases": allocated(str(releases), set()),
    }
