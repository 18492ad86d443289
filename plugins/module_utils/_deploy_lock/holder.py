# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which run of Ansible this is, and whether another one still lives. Runs on the controller."""

from __future__ import annotations

import getpass
import os
import pathlib
import socket
from collections.abc import Mapping
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.processes import (
    stat_fields,
)


def whoever() -> str:
    """user@controller; behind sudo the user who called it."""
    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def run_id(temporary: str) -> str:
    """An id of this run, from Ansible's temporary directory on the controller (DEFAULT_LOCAL_TMP).

    Ansible makes one per run, by a name that nobody had before (``ansible-local-<pid><random>``),
    and every process that it forks inherits it.
    """
    return os.path.basename(temporary.rstrip("/")).removeprefix("ansible-local-")


def process_of(pid: int, shared: int | None = None) -> dict[str, Any] | None:
    """What tells a process from every other one on every machine; None where /proc cannot say.

    ``shared`` is a descriptor of a file which the process opened, without a name, and which those
    that it forked have open too.
    """
    try:
        return {
            "boot": pathlib.Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip(),
            # numbers of processes mean nothing outside of it: jobs in containers of one machine
            "namespace": os.readlink("/proc/self/ns/pid"),
            "pid": pid,
            "start": start_of(pid),
            "user": os.geteuid(),
            "file": None if shared is None else identity_of(os.fstat(shared)),
        }
    except (OSError, ValueError):
        return None


def identity_of(file: os.stat_result) -> list[int]:
    """Of a file that nobody writes to.

    With the time of its making: a file system gives the number of one that is gone to the next one, which may
    be that of another run.
    """
    return [file.st_dev, file.st_ino, file.st_mtime_ns]


def start_of(pid: int) -> int | None:
    """When a process began, in clock ticks since the boot; None when only its corpse is left.

    Fields 22 and 3 of proc_pid_stat(5).
    """
    fields = stat_fields(pathlib.Path(f"/proc/{pid}"))
    return None if fields[0] in ("Z", "X") else int(fields[19])


def has_ended(other: Mapping[str, Any], mine: Mapping[str, Any] | None) -> bool:
    """Whether a process is known to have ended, and all that it forked.

    False as well where that cannot be known from here. ``mine`` is ``process_of`` this run.
    """
    try:
        if mine is None or (other["boot"], other["namespace"]) != (mine["boot"], mine["namespace"]):
            return False
        pid, start = int(other["pid"]), other["start"]
        if pid <= 0:
            return False
        try:
            os.kill(pid, 0)
            if start_of(pid) == start:  # else the number has gone to somebody else
                return False
        except ProcessLookupError:
            pass
        return not (other["file"] and survivors(other))
    except (KeyError, TypeError, ValueError, OSError, OverflowError):
        return False


def survivors(run: Mapping[str, Any]) -> list[int]:
    """The processes which a run forked and which are still there.

    When a run is killed, the one that executes its task goes on until the task ends. Raises
    PermissionError when one that may be the run's cannot be looked into.
    """
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        pid = int(entry.name)
        try:
            if entry.stat().st_uid != run["user"] or (start_of(pid) or 0) < run["start"]:
                continue
            for number in os.listdir(f"{entry.path}/fd"):
                identity = identity_of(os.stat(f"{entry.path}/fd/{number}"))
                # locks of earlier versions have no time
                if identity[: len(run["file"])] == run["file"]:
                    found.append(pid)
        except (FileNotFoundError, ProcessLookupError):  # gone meanwhile
            continue
    return found
