# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""End everything that runs as a user, and forget what would start some of it again."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import time
from collections.abc import Callable

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host import trees

PATIENCE = 10.0  # seconds that the kernel may take to end processes
POLL = 0.05  # seconds between two looks
# Debian's places of what starts programs for a user who is not logged in: cron, at, systemd --user.
CRONTABS = "/var/spool/cron/crontabs"
AT_JOBS = "/var/spool/cron/atjobs"
LINGER = "/var/lib/systemd/linger"


def belongs_to(status: str, uid: int) -> bool:
    """Whether a process has a user id (real, effective, saved or of the file system).

    ``status`` is its /proc/PID/status, see proc_pid_status(5).
    """
    for line in status.splitlines():
        name, _colon, value = line.partition(":")
        if name == "Uid":
            return str(uid) in value.split()
        # a zombie has nothing left that could run
        if name == "State" and value.split()[:1] == ["Z"]:
            return False
    return False


def processes_of(uid: int) -> list[int]:
    found = []
    for path in pathlib.Path("/proc").iterdir():
        if path.name.isdecimal():
            with contextlib.suppress(OSError):
                if belongs_to((path / "status").read_text("utf-8", "replace"), uid):
                    found.append(int(path.name))
    return sorted(found)


def kill_as(uid: int) -> None:
    """Have the kernel end all processes of a user in one call, which nothing that forks escapes.

    What is sent to -1 reaches whatever the sender may signal, so the sender becomes that user.
    """
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(OSError):
            os.setresuid(uid, uid, uid)
            os.kill(-1, signal.SIGKILL)
        os._exit(0)
    os.waitpid(pid, 0)


def end_processes(
    uid: int,
    look: Callable[[int], list[int]] = processes_of,
    kill: Callable[[int], None] = kill_as,
    patience: float = PATIENCE,
) -> None:
    """End everything of a user. Raises DeployError for root's id, and where something is left."""
    if uid == 0:
        raise DeployError("Refusing to end all processes of root; name the user of an app.")
    deadline = time.monotonic() + patience
    while left := look(uid):
        if time.monotonic() > deadline:
            raise DeployError(
                f"Could not end the processes {', '.join(map(str, left[:10]))} of uid {uid} within "
                f"{patience:g} s. Restart the host."
            )
        kill(uid)
        time.sleep(POLL)


def starters_of(app: str, uid: int, root: str = "/") -> list[pathlib.Path]:
    """What may start a program of an app without its unit, whether it is there or not."""
    base = pathlib.Path(root)
    found = [base / place.lstrip("/") / app for place in (CRONTABS, LINGER)]
    with contextlib.suppress(FileNotFoundError):
        for path in sorted((base / AT_JOBS.lstrip("/")).iterdir()):
            with contextlib.suppress(FileNotFoundError):  # begun by now
                if path.lstat().st_uid == uid:
                    found.append(path)
    return found


def forget(app: str, uid: int, run_directory: pathlib.Path, root: str = "/") -> list[str]:
    """Remove what would start a program of an app again, then what it left in its run directory.

    Returns the paths, but for those in the run directory. Raises DeployError where something is left,
    after everything was tried: what an app can put into its directory must not keep its crontab.
    """
    removed, problems = [], []
    for path in starters_of(app, uid, root):
        try:
            path.unlink()
            removed.append(str(path))
        except FileNotFoundError:
            pass
        except OSError as error:
            problems.append(f"{path}: {error.strerror}")
    try:
        trees.empty(run_directory)
    except FileNotFoundError:
        pass
    except OSError as error:  # what it names in there is the app's choice
        problems.append(f"{run_directory}: {error.strerror}")
    if problems:
        also = f" Removed were {', '.join(removed)}." if removed else ""
        raise DeployError(
            f"Could not remove all that {app} has left: {'; '.join(problems)}.{also} "
            "Remove it by hand, then roll back again."
        )
    return removed
