# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories that an app may write to, removed so that nothing in them can be in the way of that."""

from __future__ import annotations

import errno
import itertools
import os
import stat
import time
from collections.abc import Iterator

FLAGS = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
SECONDS = 60.0  # that one removal may take
ATTEMPTS = 3  # looks at a directory in a row of which something could not be removed


def empty(path: str | os.PathLike[str], seconds: float = SECONDS) -> None:
    """Remove all that is in a directory, whatever an app has put there. Raises OSError.

    What is in a directory below is moved up before that is removed. So depth costs neither a call of
    a function nor a descriptor, and no path grows; links are never followed.
    """
    deadline = time.monotonic() + seconds
    fresh = (f".{os.urandom(8).hex()}-{number}" for number in itertools.count())
    failures, found = 0, True
    top = _open(path)
    try:
        while found:
            problem, found = None, False
            with os.scandir(top) as entries:
                for entry in entries:
                    found = True
                    _require_time(deadline)
                    try:
                        if entry.is_dir(follow_symlinks=False):
                            _flatten(entry.name, top, fresh, deadline)
                        else:
                            os.unlink(entry.name, dir_fd=top)
                    except TimeoutError:
                        raise
                    except OSError as error:
                        problem = error
            failures = failures + 1 if problem else 0
            if problem and failures == ATTEMPTS:
                raise problem
    finally:
        os.close(top)


def remove(path: str | os.PathLike[str], seconds: float = SECONDS) -> None:
    """Remove a directory and all that is in it. Raises OSError."""
    empty(path, seconds)
    os.rmdir(path)


def _flatten(name: str, top: int, fresh: Iterator[str], deadline: float) -> None:
    """Remove a directory in ``top``; the directories in it are in ``top`` then."""
    handle = _open(name, top)
    try:
        with os.scandir(handle) as entries:
            for entry in entries:
                _require_time(deadline)
                if entry.is_dir(follow_symlinks=False):
                    os.close(_open(entry.name, handle))  # only what can be written to can be moved
                    os.rename(entry.name, next(fresh), src_dir_fd=handle, dst_dir_fd=top)
                else:
                    os.unlink(entry.name, dir_fd=handle)
    finally:
        os.close(handle)
    os.rmdir(name, dir_fd=top)


def _open(name: str | os.PathLike[str], at: int | None = None) -> int:
    """A descriptor of a directory, which its owner may have closed to everybody."""
    handle = os.open(name, os.O_PATH | FLAGS, dir_fd=at)
    try:
        mode = stat.S_IMODE(os.fstat(handle).st_mode)
        if mode & stat.S_IRWXU != stat.S_IRWXU:
            os.chmod(f"/proc/self/fd/{handle}", mode | stat.S_IRWXU)
        return os.open(".", os.O_RDONLY | FLAGS, dir_fd=handle)
    finally:
        os.close(handle)


def _require_time(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise TimeoutError(errno.ETIMEDOUT, "there is more than can be removed in time")
