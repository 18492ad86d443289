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
ENTRIES = 20_000  # names of a directory that are looked at
LOGS = 200  # of an app
FILES = 500  # of a log, the newest; they are open all at once
ATTEMPTS = 4  # to open a log that is being rotated
LEAST = 16 << 20  # bytes that are read of any file
RATIO = (
    200  # bytes that are read for each that the file takes on the disk: it may be sparse, or a bomb
)
ENDING = r"((?:[.-][0-9]+)+(?:[.](?:gz|bz2|xz))?)?"
NAME = re.compile(r"(.+?[.]log)" + ENDING, re.DOTALL)
OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
# A change of a directory shows in its time of change, unless it came this soon (in nanoseconds) after the one
# before: that time has no finer steps than the ticks of the kernel.
TICK = 100_000_000
DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError)


class LogError(ReadableError):
    """A log cannot be read to its end; the message says which, and why."""


class Deadline:
    """When to stop."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.at = time.monotonic() + seconds

    def share(self, parts: int) -> Deadline:
        """An earlier one, for the next of so many parts that are still to be read."""
        return Deadline(max(0.0, self.at - time.monotonic()) / parts)

    @property
    def over(self) -> bool:
        return time.monotonic() > self.at

    def message(self, path: pathlib.Path) -> str:
        return (
            f"{path}: not read to its end, {round(self.seconds, 1):g} s are over. What is missing was not "
            "counted; ask for a shorter range or allow more time."
        )

    def check(self, path: pathlib.Path) -> None:
        if self.over:
            raise LogError(self.message(path))


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


class Listing:
    """The names in a directory, listed once and again only when they have changed."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.cut = False  # whether there are more names than are looked at
        self.found: dict[str, list[str]] = {}
        self.stamp: tuple[int, int] | None = None

    def refresh(self, deadline: Deadline) -> None:
        """Raises LogError when the deadline is over or the directory cannot be read."""
        deadline.check(self.directory)
        now = time.time_ns()
        try:
            about = os.stat(self.directory)
            stamp = about.st_ino, about.st_mtime_ns
            if stamp == self.stamp:
                return
            # not kept before the scan has succeeded, nor where the next change might not show
            self.stamp = None
            self.scan(deadline)
        except FileNotFoundError:
            self.found, self.cut = {}, False
        except OSError as error:
            raise LogError(f"{self.directory}: cannot be read: {error.strerror}.") from None
        else:
            if now - about.st_mtime_ns > TICK:
                self.stamp = stamp

    def scan(self, deadline: Deadline) -> None:
        found: dict[str, list[str]] = {}
        with os.scandir(self.directory) as entries:
            for number, entry in enumerate(itertools.islice(entries, ENTRIES)):
                if number % CHECKED == 0:
                    deadline.check(self.directory)
                if match := NAME.fullmatch(entry.name):
                    found.setdefault(match[1], []).append(entry.name)
            self.cut = next(entries, None) is not None
        self.found = found

    def logs(self, deadline: Deadline) -> list[str]:
        """The logs that a directory has, whatever is left of each. Raises LogError."""
        self.refresh(deadline)
        return sorted(self.found)

    def names(self, log: str, deadline: Deadline) -> tuple[list[str], int]:
        """The files that a log was rotated into, with the current one; and how many older ones there are."""
        deadline.check(self.directory / log)
        self.refresh(deadline)
        found = self.found.get(log, [])
        if len(found) <= FILES:
            return sorted(found), 0
        ages = {}
        for number, name in enumerate(found):
            if number % CHECKED == 0:
                deadline.check(self.directory / log)
            with contextlib.suppress(OSError):
                ages[name] = os.lstat(self.directory / name).st_mtime
        newest = sorted(ages, key=lambda name: (ages[name], name))[-FILES:]
        return sorted(newest), len(found) - len(newest)

    @contextlib.contextmanager
    def opened(self, log: str, deadline: Deadline) -> Iterator[list[LogFile]]:
        """All files of a log, the oldest first, each once even when it is rotated at this moment.

        Raises LogError, also at the end when there are more files than are read.
        """
        path = self.directory / log
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(0.1)
            with contextlib.ExitStack() as handles:
                found, older = self.names(log, deadline)
                files = []
                with as_owner(self.directory):
                    for name in found:
                        deadline.check(path)
                        file = open_file(self.directory / name)
                        if file:
                            handles.callback(os.close, file.handle)
                            files.append(file)
                if self.settled(log, files, deadline):
                    yield ordered(files)
                    if older:
                        raise LogError(
                            f"{path}: {older} older files were not read; {FILES} are, the newest."
                        )
                    return
        raise LogError(f"{path}: not read, it is rotated again and again.")

    def settled(self, log: str, files: list[LogFile], deadline: Deadline) -> bool:
        """Whether the names still lead to the files that were opened."""
        opened_as = {file.path.name: file.inode for file in files}
        found = {}
        for name in self.names(log, deadline)[0]:
            with contextlib.suppress(FileNotFoundError):
                about = os.lstat(self.directory / name)
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
