# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the files of a release are those that its packages recorded when they were built."""

from __future__ import annotations

import base64
import binascii
import csv
import errno
import hashlib
import io
import os
import pathlib
import posixpath
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import (
    DeployError,
    printable,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome

RECORD = re.compile(r"(lib/python3\.[0-9]+/site-packages)/[^/]+\.dist-info/RECORD\Z")
LONGEST_RECORD = 1 << 26  # bytes
TIMEOUT = 300.0  # seconds; the app may have made a release of an earlier version bigger than it was
BLOCK = 1 << 20
SHOWN = 5  # files in a message

# What `uv venv` and `python -m venv` make, and bytecode.
SCAFFOLDING = re.compile(
    r"""
    pyvenv\.cfg | \.gitignore | \.lock | CACHEDIR\.TAG
    | bin/(activate[^/]* | Activate\.ps1 | deactivate\.bat | pydoc\.bat)
    | lib/python3\.[0-9]+/site-packages/_virtualenv\.(py|pth)
    | lib/python3\.[0-9]+/site-packages/([^/]+/)*__pycache__/[^/]+\.pyc
    """,
    re.VERBOSE,
)
LINKS = re.compile(r"lib64|bin/python(3(\.[0-9]+)?)?")
# Of these, what makes an interpreter the one that the release was installed for. A package may not bring it.
INTERPRETER = re.compile(rf"pyvenv\.cfg|{LINKS.pattern}")


# What a file is not opened with where something else took its place: a link, nothing, a socket.
REPLACED = (errno.ELOOP, errno.ENOENT, errno.ENOTDIR, errno.ENXIO)


class UnreadError(DeployError):
    """Not all could be read, which says nothing of the files."""


@dataclass(frozen=True)
class Digest:
    """What a RECORD says of a file."""

    algorithm: str
    value: bytes
    size: int


@dataclass
class Recorded:
    """What the RECORDs of a virtual environment say, by path below it.

    Two packages may bring the same file; the one that was installed later has it.
    """

    digests: dict[str, list[Digest]] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)

    def add(self, text: str, packages: str) -> None:
        """Take a RECORD; ``packages`` is the directory that its paths are relative to."""
        for path, digest in parse_record(text):
            name = posixpath.normpath(posixpath.join(packages, path))
            self.named.add(name)
            if digest:
                self.digests.setdefault(name, []).append(digest)


def parse_record(text: str) -> Iterator[tuple[str, Digest | None]]:
    """Lines of path, hash and size, as the specification "Recording installed projects" has them.

    Without a hash are RECORD itself and, where pip wrote it, what the wheel's own RECORD lacked.
    Raises ValueError.
    """
    for row in rows(text):
        path, digest, size = (*row, "", "")[:3]
        algorithm, _equals, value = digest.partition("=")
        if algorithm in ("sha256", "sha384", "sha512"):
            try:
                binary = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
            except binascii.Error as error:
                raise ValueError(f"{path}: {error}") from None
            yield path, Digest(algorithm, binary, int(size))
        else:
            yield path, None


def rows(text: str) -> Iterator[list[str]]:
    try:
        yield from filter(None, csv.reader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise ValueError(str(error)) from None


def is_scaffolding(path: str, mode: int) -> bool:
    """Whether it belongs to every virtual environment, or is bytecode; no RECORD names that."""
    if stat.S_ISLNK(mode):
        return LINKS.fullmatch(path) is not None
    return stat.S_ISREG(mode) and SCAFFOLDING.fullmatch(path) is not None


def listed(texts: list[str]) -> str:
    more = len(texts) - SHOWN
    return ", ".join(texts[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def explain(release: str, problems: list[str]) -> str:
    return printable(
        f"Files of release {release} are not those of its packages: {listed(problems)}. It is not used, "
        "because somebody may have changed its code, or the disk did. Use another release, or "
        "remove this one (twelvefactor.deploy.release with state: absent) and install it again."
    )


def verify(home: AppHome, release: str) -> None:
    """Raise DeployError when a release's packages are not as they were recorded.

    UnreadError where nothing is known to be wrong, and not all could be read. A release of an earlier version
    belongs to the app, so nothing of it is followed or believed.
    """
    venv, deadline = home.releases / release / "venv", time.monotonic() + TIMEOUT
    found, recorded = dict(files_below(venv)), Recorded()
    problems: list[str] = []
    unread: list[str] = []
    for path in sorted(found):
        match = RECORD.match(path)
        if match:
            try:
                text = read(f"{venv}/{path}", LONGEST_RECORD, deadline).decode("utf-8")
                recorded.add(text, match[1])
            except (OSError, ValueError) as error:
                (unread if is_unread(error) else problems).append(f"{path} ({error})")
    # what one of them would have named is not known
    complete = not unread
    for path, digests in sorted(recorded.digests.items()):
        try:
            if path not in found:
                problems.append(f"{path} (missing)")
            elif not any(matches(f"{venv}/{path}", digest, deadline) for digest in digests):
                problems.append(f"{path} (changed)")
        except OSError as error:
            unread.append(f"{path} ({error.strerror})")
    problems += [
        f"{path} (a package brought it)"
        for path in sorted(recorded.named)
        if INTERPRETER.fullmatch(path)
    ]
    problems += [
        f"{path} (of no package)"
        for path, mode in sorted(found.items())
        if complete and path not in recorded.named and not is_scaffolding(path, mode)
    ]
    if problems:
        raise DeployError(explain(release, problems))
    if unread:
        raise UnreadError(
            printable(
                f"Could not verify release {release}, for files cannot be read: {listed(unread)}."
            )
        )


def require_untouchable(home: AppHome, release: str) -> None:
    """Raise DeployError for a release of which the app may have changed what no RECORD names: bytecode."""
    venv = home.releases / release / "venv"
    if venv.exists() and os.lstat(venv).st_uid == home.uid:
        raise DeployError(
            f"Release {release} belongs to the user {home.app}, as earlier versions of this collection "
            "installed it: a compromised app may have changed its bytecode. Deploy its version again "
            "with any change of its config, which makes it another release, and go back to that one."
        )


def files_below(top: pathlib.Path) -> Iterator[tuple[str, int]]:
    """Path and mode of all that is no directory; a link to one is a link."""
    for directory, directories, names in os.walk(top):
        below = os.path.relpath(directory, top)
        for name in (*directories, *names):
            mode = os.lstat(f"{directory}/{name}").st_mode
            if not stat.S_ISDIR(mode):
                yield name if below == "." else f"{below}/{name}", mode


def blocks(path: str, size: int, deadline: float) -> Iterator[bytes]:
    """A regular file of at most ``size`` bytes. Raises OSError, ValueError and UnreadError."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError("not a regular file")
        left = size
        while block := file.read(BLOCK):
            left -= len(block)
            if left < 0:
                raise ValueError(f"larger than {size} bytes")
            if time.monotonic() > deadline:
                raise UnreadError(
                    f"Could not verify {path}: not all files were read within {TIMEOUT:g} s."
                )
            yield block


def read(path: str, size: int, deadline: float) -> bytes:
    return b"".join(blocks(path, size, deadline))


def is_unread(error: Exception) -> bool:
    """Whether a file is there that could not be read, which is not to say that it was changed."""
    return isinstance(error, OSError) and error.errno not in REPLACED


def matches(path: str, digest: Digest, deadline: float) -> bool:
    """Raises OSError and UnreadError for what cannot be read."""
    own = hashlib.new(digest.algorithm)
    try:
        for block in blocks(path, digest.size, deadline):
            own.update(block)
    except (OSError, ValueError) as error:
        if is_unread(error):
            raise
        return False
    return own.digest() == digest.value
