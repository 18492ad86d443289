# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""restore.py SNAPSHOT SERVER: put a copy of devpi's data in the place of what is there.

Run as root while devpi is stopped. The copy is complete and has been checked, every file against the
hash that the database has of it, before anything is replaced; what was there stays beside it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from typing import NoReturn

DATABASE = ".sqlite"
FILES = "+files"
PROGRAMS = (pathlib.Path("/opt/devpi/venv/bin"), pathlib.Path("/opt/devpi/web/bin"))
WEB_SERVER = "www-data"  # reads the files, nothing else


@dataclasses.dataclass(frozen=True)
class Owners:
    """Whose the data is: devpi's own, and the files for the web server to read."""

    user: int
    group: int
    reader: int

    @classmethod
    def here(cls) -> Owners:
        devpi = pwd.getpwnam("devpi")
        return cls(devpi.pw_uid, devpi.pw_gid, pwd.getpwnam(WEB_SERVER).pw_gid)

    def take(self, handle: int, files: bool, mode: int) -> None:
        os.fchown(handle, self.user, self.reader if files else self.group)
        os.fchmod(handle, mode)


def open_directory(path: str | pathlib.Path, within: int | None = None) -> int:
    """A directory, and never what a link leads to."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, flags, dir_fd=within)


def refuse(path: pathlib.PurePath, mode: int) -> NoReturn:
    what = "a link" if stat.S_ISLNK(mode) else "neither a directory nor a regular file"
    raise SystemExit(
        f"restore: {path} in the backup is {what}; a backup has none of these, so somebody has changed "
        "it. Nothing was replaced."
    )


def copy_directory(source: int, target: int, owners: Owners, below: pathlib.PurePath) -> None:
    """Copy what is in one open directory into another one.

    Both belong to devpi, and so does what is in them at any moment, while this runs as root: nothing is
    opened by a path, and no link is followed.
    """
    for name in sorted(os.listdir(source)):
        path = below / name
        mode = os.stat(name, dir_fd=source, follow_symlinks=False).st_mode
        files = FILES in path.parts
        if stat.S_ISDIR(mode):
            os.mkdir(name, 0o700, dir_fd=target)
            inner, made = open_directory(name, source), open_directory(name, target)
            try:
                copy_directory(inner, made, owners, path)
                owners.take(made, files, 0o2750 if files else 0o750)
            finally:
                os.close(inner)
                os.close(made)
        elif stat.S_ISREG(mode):
            copy_file(source, target, name, owners, path)
        else:
            refuse(path, mode)


def copy_file(source: int, target: int, name: str, owners: Owners, path: pathlib.PurePath) -> None:
    # what has become a pipe meanwhile must not block
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, dir_fd=source), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            refuse(path, status.st_mode)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(name, flags, 0o600, dir_fd=target), "wb") as copy:
            shutil.copyfileobj(file, copy, 1 << 20)
            copy.flush()
            # backups take a file that has the same size and time for the same
            os.utime(copy.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
            owners.take(copy.fileno(), FILES in path.parts, 0o640)


def check(server: pathlib.Path) -> None:
    fsck = next(path for path in PROGRAMS if path.is_dir()) / "devpi-fsck"
    command = [str(fsck), "--configfile", "/etc/devpi/devpi-server.yml", "--serverdir", str(server)]
    result = subprocess.run(
        ["runuser", "--user", "devpi", "--", *command],
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode:
        said = [line for line in result.stdout.splitlines() if "ERROR" in line or "Fatal" in line]
        sys.exit(
            "restore: the backup is damaged, nothing was replaced. devpi-fsck said: "
            + " ".join((said or result.stdout.splitlines())[-10:])
        )


def main(snapshot: str, place: str) -> None:
    source, server = pathlib.Path(snapshot), pathlib.Path(place)
    if source.is_symlink() or (source / DATABASE).is_symlink():
        refuse(source, stat.S_IFLNK)
    if not (source / DATABASE).is_file():
        sys.exit(f"restore: {source} is not a backup of an index: it has no {DATABASE}.")
    # beside the data, to be renamed; root's own, so that nobody changes what is in it meanwhile
    stage = pathlib.Path(tempfile.mkdtemp(prefix=f"{server.name}.restored-", dir=server.parent))
    try:
        replace(source, server, stage)
    finally:
        shutil.rmtree(stage)
    print(f"restored {source}")


def replace(source: pathlib.Path, server: pathlib.Path, stage: pathlib.Path) -> None:
    owners = Owners.here()
    original, staged = open_directory(source), open_directory(stage)
    parent = open_directory(server.parent)
    try:
        os.mkdir(server.name, 0o700, dir_fd=staged)
        fresh = open_directory(server.name, staged)
        try:
            copy_directory(original, fresh, owners, pathlib.PurePath())
            os.fchmod(staged, 0o711)  # devpi-fsck runs as devpi
            owners.take(fresh, False, 0o751)
        finally:
            os.close(fresh)
        check(stage / server.name)
        with contextlib.suppress(FileNotFoundError):
            replaced = f"{server.name}.replaced-{time.strftime('%Y%m%dT%H%M%SZ')}"
            os.rename(server.name, replaced, src_dir_fd=parent, dst_dir_fd=parent)
            print(f"what was there before is in {server.with_name(replaced)}")
        os.rename(server.name, server.name, src_dir_fd=staged, dst_dir_fd=parent)
    finally:
        for handle in (original, staged, parent):
            os.close(handle)


if __name__ == "__main__":
    main(*sys.argv[1:])
