# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log files: which a pattern names, and an open one, whatever it is renamed to."""

from __future__ import annotations

import contextlib
import ctypes
import fnmatch
import glob
import itertools
import os
import re
import stat
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from log_lines import split

IDLE = 60.0  # seconds without a write after which a file that was renamed gets no more
ENTRIES = 20_000  # of a directory that are looked at
ROTATED = re.compile(r"[.-]\d+$")
COMPRESSED = (".gz", ".xz", ".bz2", ".zst")


def paths(pattern: str) -> Iterator[str]:
    """The logs that a pattern names, and what they were renamed to; not what was compressed."""
    directory, name = os.path.split(pattern)
    log = re.compile(fnmatch.translate(name)).match
    renamed = re.compile(fnmatch.translate(f"{name}[.-][0-9]*")).match
    for place in glob.glob(directory):
        with contextlib.suppress(OSError), os.scandir(place) as entries:
            for entry in itertools.islice(entries, ENTRIES):
                if entry.name.startswith(".") and not name.startswith("."):
                    continue
                current = log(entry.name) and not entry.name.endswith(COMPRESSED)
                if current or (renamed(entry.name) and ROTATED.search(entry.name)):
                    yield entry.path


def open_log(path: str) -> int | None:
    """Open what is a file itself: a link may lead to what is no log, and a pipe to nowhere."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    return None


LIBC = ctypes.CDLL(None, use_errno=True)
AT_EMPTY_PATH, STATX_BTIME, BTIME = 0x1000, 0x800, 80  # linux/stat.h; the last is a place


def as_stat_writes(seconds: int, nanoseconds: int) -> str:
    when = time.localtime(seconds)
    return time.strftime(f"%Y-%m-%d %H:%M:%S.{nanoseconds:09} %z", when)


def birth(fd: int) -> str:
    """When a file was made, as stat(1) writes it; ``-`` where its file system does not know."""
    found = ctypes.create_string_buffer(256)
    if LIBC.statx(fd, b"", AT_EMPTY_PATH, STATX_BTIME, found):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    if not struct.unpack_from("I", found)[0] & STATX_BTIME:
        return "-"
    return as_stat_writes(*struct.unpack_from("qI", found, BTIME))


@dataclass(frozen=True, eq=False)
class Source:
    """Logs that share a number of open files and a part of each request."""

    paths: tuple[str, ...]
    fields: dict[str, Any]
    fixed: bool  # whether a line cannot say the fields differently

    @property
    def name(self) -> str:
        return " ".join(self.paths)


class Log:
    """An open log file. As long as it is open its inode is not used for another."""

    def __init__(self, fd: int, path: str, source: Source) -> None:
        self.fd, self.path, self.source = fd, path, source
        self.listed = True
        self.offset = self.cut = 0
        # Once it is closed, only its birth tells it from the next file with that inode.
        self.inode = f"{os.fstat(fd).st_ino} {birth(fd)}"
        self.look()

    def look(self) -> None:
        found = os.fstat(self.fd)
        self.size, self.modified = found.st_size, found.st_mtime
        self.held = found.st_blocks * 512  # bytes of the disk, of which a file with holes has few
        self.deleted = found.st_nlink == 0

    @property
    def key(self) -> str:
        return f"{self.inode} {self.cut}"

    @property
    def base(self) -> str:
        return ROTATED.sub("", self.path)

    @property
    def over(self) -> bool:
        """Whether nobody writes to it any more."""
        renamed = self.deleted or not self.listed or self.path != self.base
        return renamed and time.time() - self.modified > IDLE

    def read(self, size: int, limit: int, end: int | None) -> Iterator[tuple[int, bytes]]:
        """The lines from the offset on, each with its place; up to ``end``, which ends a line."""
        data = os.pread(self.fd, size, self.offset)
        at = self.offset
        upto = at + len(data)
        for raw in split(data, limit, upto == end or (self.over and upto >= self.size)):
            yield at, raw
            at += len(raw)


class Parked(NamedTuple):
    """A log that was closed for others to be opened, as it was when all of it was shipped."""

    inode: str
    size: int
    modified: float
