# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A log with the files that it was rotated into, read as a stream."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import itertools
import lzma
import os
import pathlib
import re
import stat
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import ReadableError

LONGEST_LINE = 1 << 16  # bytes; the rest of a longer one is passed over
BLOCK = 1 << 18  # bytes between which it is not worth to search
SLACK = 60.0  # seconds by which lines may be out of order
CHECKED = 1024  # lines between looks at the clock
# An app may put anything into its directory, and what is in it must not cost more than this. An honest log
# has less; what is left out is said.
ENTRIES = 100_000  # names of a directory that are looked at
LOGS = 200  # of an app
FILES = 500  # of a log, the newest; they are open all at once
LEAST = 16 << 20  # bytes that are read of any file
RATIO = (
    200  # bytes that are read for each that the file takes on the disk: it may be sparse, or a bomb
)
ENDING = r"((?:[.-][0-9]+)+(?:[.](?:gz|bz2|xz))?)?"
OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError)


class LogError(ReadableError):
    """A log cannot be read to its end; the message says which, and why."""


class Deadline:
    """When to stop."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.at = time.monotonic() + seconds

    def check(self, path: pathlib.Path) -> None:
        if time.monotonic() > self.at:
            raise LogError(
                f"{path}: not read to its end, {self.seconds:g} s are over. What is missing was not "
                "counted; ask for a shorter range or allow more time."
            )


@dataclass(frozen=True)
class LogFile:
    """An open file of a log; its name may have changed meanwhile."""

    path: pathlib.Path
    handle: int
    inode: int
    size: int
    changed: float
    allocated: int = 0  # bytes on the disk

    @property
    def most(self) -> int:
        """Bytes that are read of it, unpacked."""
        return max(LEAST, RATIO * self.allocated)

    @property
    def base(self) -> str:
        """The name without what a compression adds."""
        return self.path.name.removesuffix(self.compression)

    @property
    def compression(self) -> str:
        return self.path.suffix if self.path.suffix in OPENERS else ""


def listed(directory: pathlib.Path) -> list[str]:
    """The names in a directory, as far as they are looked at; none where it is missing. Raises LogError."""
    try:
        with os.scandir(directory) as entries:
            return [entry.name for entry in itertools.islice(entries, ENTRIES)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LogError(f"{directory}: cannot be read: {error.strerror}.") from None


def names(directory: pathlib.Path, log: str) -> tuple[list[str], int]:
    """The files that a log was rotated into, with the current one; and how many older ones there are."""
    pattern = re.compile(re.escape(log) + ENDING)
    found = sorted(name for name in listed(directory) if pattern.fullmatch(name))
    if len(found) <= FILES:
        return found, 0
    ages = {}
    for name in found:
        with contextlib.suppress(OSError):
            ages[name] = os.lstat(directory / name).st_mtime
    newest = sorted(ages, key=lambda name: (ages[name], name))[-FILES:]
    return sorted(newest), len(found) - len(newest)


def logs(directory: pathlib.Path) -> list[str]:
    """The logs that a directory has, whatever is left of each. Raises LogError."""
    pattern = re.compile(r"(.+?[.]log)" + ENDING)
    found = (pattern.fullmatch(name) for name in listed(directory))
    return sorted({match[1] for match in found if match})


@contextlib.contextmanager
def as_owner(directory: pathlib.Path) -> Iterator[None]:
    """With no more rights than whom a directory belongs to, where root looks into one of somebody else.

    An app may have put anything there, such as a hard link to what it cannot read itself. A file that is
    open is read with the rights that it was opened with.
    """
    try:
        about = os.stat(directory)
    except OSError:  # whoever looks into it says so
        yield
        return
    if os.geteuid() or not about.st_uid:
        yield
        return
    groups = os.getgroups()
    try:
        os.setgroups([])
        os.setegid(about.st_gid)
        os.seteuid(about.st_uid)
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def open_file(path: pathlib.Path) -> LogFile | None:
    """None when it is gone, or is no file: who may write there must not choose what root reads."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        if path.is_symlink():
            return None
        raise LogError(f"{path}: cannot be read: {error.strerror}.") from None
    about = os.fstat(handle)
    if not stat.S_ISREG(about.st_mode):
        os.close(handle)
        return None
    return LogFile(path, handle, about.st_ino, about.st_size, about.st_mtime, about.st_blocks * 512)


@contextlib.contextmanager
def opened(directory: pathlib.Path, log: str) -> Iterator[list[LogFile]]:
    """All files of a log, the oldest first, each once even when it is rotated at this moment.

    Raises LogError, also at the end when there are more files than are read.
    """
    for _attempt in range(10):
        with contextlib.ExitStack() as handles:
            found, older = names(directory, log)
            files = []
            for name in found:
                with as_owner(directory):
                    file = open_file(directory / name)
                if file:
                    handles.callback(os.close, file.handle)
                    files.append(file)
            if settled(directory, log, files):
                yield ordered(files)
                if older:
                    raise LogError(
                        f"{directory / log}: {older} older files were not read; {FILES} are, the newest."
                    )
                return
        time.sleep(0.1)
    raise LogError(f"{directory / log}: it is rotated again and again, ten times within a second.")


def settled(directory: pathlib.Path, log: str, files: list[LogFile]) -> bool:
    """Whether the names still lead to the files that were opened."""
    opened_as = {file.path.name: file.inode for file in files}
    found = {}
    for name in names(directory, log)[0]:
        with contextlib.suppress(FileNotFoundError):
            about = os.lstat(directory / name)
            if stat.S_ISREG(about.st_mode):
                found[name] = about.st_ino
    return found == opened_as


def ordered(files: list[LogFile]) -> list[LogFile]:
    """By age; of one that is being compressed only the original."""
    plain = {file.path.name for file in files if not file.compression}
    kept = [file for file in files if not (file.compression and file.base in plain)]
    return sorted(kept, key=lambda file: (file.changed, file.path.name))


def raw_lines(stream: IO[bytes], file: LogFile, deadline: Deadline) -> Iterator[str]:
    """The beginnings of lines. Raises LogError when the deadline or ``file.most`` is over."""
    left = file.most
    for number in itertools.count():
        if number % CHECKED == 0:
            deadline.check(file.path)
        line = stream.readline(LONGEST_LINE)
        if not line:
            return
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        left -= len(line)
        while line and not line.endswith(b"\n"):
            deadline.check(file.path)
            line = stream.readline(LONGEST_LINE)
            left -= len(line)
            if left < 0:
                break
        yield text
        if left < 0:
            raise LogError(
                f"{file.path}: not read to its end: it holds more than {file.most >> 20} MiB, "
                f"{RATIO} times what it takes on the disk."
            )


def lines(
    file: LogFile,
    since: float,
    until: float,
    clock: Callable[[str], float | None],
    deadline: Deadline,
) -> Iterator[tuple[str, float | None]]:
    """Lines with their times, of a file whose lines are in the order of time.

    Where to begin is searched for, so that a large file costs no more than a small one. Some lines
    from before ``since`` and after ``until`` are among those returned. Raises LogError when the
    file is damaged or the deadline is over; what came before that counts.
    """
    with os.fdopen(os.dup(file.handle), "rb", buffering=BLOCK) as plain:
        if file.compression:
            stream: IO[bytes] = OPENERS[file.compression](plain)
        else:
            stream = plain
            stream.seek(beginning(stream, file.size, since - SLACK, clock))
        try:
            for text in raw_lines(stream, file, deadline):
                at = clock(text)
                if at is not None and at >= until + SLACK:
                    return
                yield text, at
        except DAMAGE as error:
            raise LogError(f"{file.path}: cannot be read to its end: {error}.") from None


def beginning(
    stream: IO[bytes], size: int, since: float, clock: Callable[[str], float | None]
) -> int:
    """Where to begin to read so that no line from ``since`` on is missed."""
    low, high = 0, size
    while high - low > BLOCK:
        half = (low + high) // 2
        at = time_near(stream, half, clock)
        if at is None:  # a stretch without times: better to read too much
            high = half
        elif at < since:
            low = half
        else:
            high = half
    if low == 0:
        return 0
    stream.seek(low)
    stream.readline(LONGEST_LINE)  # the rest of a line
    return stream.tell()


def time_near(stream: IO[bytes], place: int, clock: Callable[[str], float | None]) -> float | None:
    """The time of the first line that has one after a place."""
    stream.seek(place)
    stream.readline(LONGEST_LINE)
    for _attempt in range(100):
        line = stream.readline(LONGEST_LINE)
        if not line:
            return None
        at = clock(line.decode("utf-8", "replace"))
        if at is not None:
            return at
    return None
