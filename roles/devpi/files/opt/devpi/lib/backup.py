# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""backup.py SERVER BACKUPS KEEP: keep a copy of devpi's data, and the last KEEP copies.

devpi writes a file before the transaction that mentions it is committed, and never changes one. So a
snapshot of the database, and the files after it, is the index at one moment, while devpi serves on.
A file that the last copy has already is linked to it and takes no room twice.
"""

from __future__ import annotations

import fcntl
import os
import pathlib
import shutil
import sqlite3
import sys
import time

DATABASE = ".sqlite"
FILES = "+files"
UNFINISHED = ".part"


def snapshots(backups: pathlib.Path) -> list[pathlib.Path]:
    """The complete ones, oldest first: their names are times."""
    return sorted(path for path in backups.glob("2*Z") if path.is_dir())


def keep_database(source: pathlib.Path, target: pathlib.Path) -> None:
    """As of one moment, whatever is written meanwhile."""
    before = sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=60)
    after = sqlite3.connect(target)
    try:
        before.backup(after)
        verdict = after.execute("PRAGMA quick_check").fetchone()[0]
    finally:
        before.close()
        after.close()
    if verdict != "ok":
        sys.exit(f"backup: the copy of {source} is damaged ({verdict}). No backup was kept.")


def same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)


def keep_file(source: pathlib.Path, target: pathlib.Path, last: pathlib.Path | None) -> None:
    """A link to the last copy where that is the same file, else a copy."""
    try:
        if last is not None and last.exists() and same(source.stat(), last.stat()):
            os.link(last, target)
        else:
            shutil.copy2(source, target)
    except FileNotFoundError:
        # Removed from the index after the snapshot of the database. The restored index fetches a
        # mirrored file again, and misses one that somebody removed.
        target.unlink(missing_ok=True)


def keep_files(source: pathlib.Path, target: pathlib.Path, last: pathlib.Path | None) -> int:
    count = 0
    for folder, _folders, names in os.walk(source):
        relative = pathlib.Path(folder).relative_to(source)
        (target / relative).mkdir(parents=True, exist_ok=True)
        for name in names:
            if name.endswith("-tmp"):
                continue  # of an upload that has not been committed
            known = None if last is None else last / relative / name
            keep_file(source / relative / name, target / relative / name, known)
            count += 1
    return count


def back_up(server: pathlib.Path, backups: pathlib.Path, keep: int) -> str:
    for left_over in backups.glob(f"*{UNFINISHED}"):
        shutil.rmtree(left_over)
    earlier = snapshots(backups)
    last = earlier[-1] / FILES if earlier else None
    name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    if (backups / name).exists():
        sys.exit(f"backup: {backups / name} is there already. Wait a second.")
    part = backups / f"{name}{UNFINISHED}"
    part.mkdir(mode=0o700)
    keep_database(server / DATABASE, part / DATABASE)
    for path in server.iterdir():
        if path.is_file() and not path.name.startswith(DATABASE):
            shutil.copy2(path, part)
    count = keep_files(server / FILES, part / FILES, last)
    os.sync()
    os.rename(part, backups / name)
    for old in snapshots(backups)[:-keep]:
        shutil.rmtree(old)
    return f"{backups / name}: the database and {count} files"


def main(server: str, backups: str, keep: str) -> None:
    folder = os.open(backups, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(folder, fcntl.LOCK_EX)  # one at a time
    print(back_up(pathlib.Path(server), pathlib.Path(backups), int(keep)))


if __name__ == "__main__":
    main(*sys.argv[1:])
