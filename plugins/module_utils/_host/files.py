# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and directories that are whole, and of whom they should be, at any moment."""

from __future__ import annotations

import ctypes
import os
import pathlib
import secrets


def write_synced(
    path: pathlib.Path, content: bytes, mode: int = 0o600, uid: int = -1, gid: int = -1
) -> None:
    """Create a file with all of its content on the disk, or not at all. Without owner: the caller's."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fchown(file.fileno(), uid, gid)
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def write_atomically(path: pathlib.Path, text: str, mode: int, gid: int = 0) -> None:
    """Replace a file so that a reader, or a crash, sees the old or the new one and nothing else."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    user = os.geteuid()
    write_synced(beside, text.encode(), mode, user, gid if user == 0 else -1)
    try:
        os.replace(beside, path)
    except BaseException:
        beside.unlink()
        raise
    sync_directory(path.parent)


def link_atomically(path: pathlib.Path, target: str) -> None:
    """Let a symlink point to a target. One that existed before is replaced by one rename."""
    beside = candidate(path)
    beside.unlink(missing_ok=True)
    os.symlink(target, beside)
    os.replace(beside, path)
    sync_directory(path.parent)


def candidate(path: pathlib.Path) -> pathlib.Path:
    """Where the next content of a file waits: a name that no program reads as configuration."""
    return path.with_name(f".{path.name}.candidate")


def write_candidate(path: pathlib.Path, content: bytes, mode: int, uid: int, gid: int) -> None:
    """Write all of a file beside `path`, so that nothing but a rename is left to do."""
    beside = candidate(path)
    beside.unlink(missing_ok=True)
    write_synced(beside, content, mode, uid, gid)


def make_directory(path: pathlib.Path, mode: int, uid: int, gid: int) -> None:
    """Make a directory with this mode, whatever the umask is."""
    path.mkdir(mode=0o700)
    os.chown(path, uid, gid)
    path.chmod(mode)


def sync_directory(path: pathlib.Path) -> None:
    """What was made, renamed or removed in a directory is so after a power cut, too."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_filesystem(path: pathlib.Path) -> None:
    """All that was written to the file system of a directory is on the disk, whoever wrote it."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(handle):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
    finally:
        os.close(handle)
