# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Having a directory to oneself for a while."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import time
from collections.abc import Iterator

PAUSE = 0.02  # seconds


class Busy(Exception):
    """Somebody else has the directory, and had it for all the time that was waited."""


@contextlib.contextmanager
def flocked(directory: pathlib.Path, patience: float) -> Iterator[int]:
    """Nobody else is in here for `directory`; gives its descriptor. Raises Busy after `patience` s.

    The directory itself is flocked: files in it are replaced by rename, so that a flock on one
    would be on a file that is no longer there. The kernel undoes it when this process dies.
    """
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Busy(str(directory)) from None
                time.sleep(PAUSE)
        yield handle
    finally:
        os.close(handle)
