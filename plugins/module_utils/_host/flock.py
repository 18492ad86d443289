# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Having a directory, or what a name stands for, to oneself for a while."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import time
from collections.abc import Iterator

PAUSE = 0.02  # seconds
# Files that nobody but root can open, and so hold: for a flock, the right to read is enough.
FLOCKS = pathlib.Path("/var/lib/twelvefactor/flocks")


class Busy(Exception):
    """Somebody else has it, and had it for all the time that was waited."""


@contextlib.contextmanager
def flocked(directory: pathlib.Path, patience: float) -> Iterator[int]:
    """Nobody else is in here for `directory`; gives its descriptor. Raises Busy after `patience` s.

    The directory itself is flocked: files in it are replaced by rename, so that a flock on one
    would be on a file that is no longer there. The kernel undoes it when this process dies.

    For directories that nobody but the caller can open; whoever else can, could keep this one out.
    """
    with _flocked(
        os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), patience
    ) as handle:
        yield handle


@contextlib.contextmanager
def exclusive(name: str, patience: float) -> Iterator[None]:
    """Nobody else is in here for this name, which stands for something that others than root can open (name_of).

    Raises Busy after ``patience`` seconds. The file stays: if it were removed, two could have it.
    """
    make_private(FLOCKS)
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with _flocked(os.open(FLOCKS / name, flags, 0o600), patience):
        yield


def is_held(path: pathlib.Path, *, shared: bool = False) -> bool:
    """Whether somebody holds a flock on a file; not where there is no such file.

    ``shared``: another shared flock does not count.
    """
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
    return False


def name_of(what: str, path: pathlib.Path) -> str:
    """What stands for a path, see exclusive."""
    return f"{what}-{str(path).strip('/').replace('/', '-')}"


def make_private(directory: pathlib.Path) -> None:
    """Make a directory of the caller's own, if it is missing; the one above is open to all."""
    with contextlib.suppress(FileExistsError):
        directory.parent.mkdir()
        directory.parent.chmod(0o755)
    directory.mkdir(mode=0o700, exist_ok=True)


@contextlib.contextmanager
def _flocked(handle: int, patience: float) -> Iterator[int]:
    try:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Busy from None
                time.sleep(PAUSE)
        yield handle
    finally:
        os.close(handle)
