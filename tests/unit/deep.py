# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories as an app makes them that does not want to be removed."""

from __future__ import annotations

import contextlib
import os
import pathlib
import resource
import subprocess
import tempfile
from collections.abc import Iterator

DEPTH = 3000


def make_deep(top: pathlib.Path, depth: int = DEPTH) -> None:
    """Directories in directories, with a file and a link that leads out in each; few may be opened."""
    top.mkdir()
    handle = os.open(top, os.O_RDONLY)
    for _level in range(depth):
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=handle))
        os.symlink("/", "link", dir_fd=handle)
        os.mkdir("d", dir_fd=handle)
        below = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    os.close(handle)


@contextlib.contextmanager
def run_directory() -> Iterator[pathlib.Path]:
    """In memory, as the app's own is; with as many open files as a process may have by default."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1024), hard))
    directory = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    try:
        yield pathlib.Path(directory)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        subprocess.run(["rm", "-rf", "--", directory], check=True)
