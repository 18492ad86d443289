# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must not be in a wheel: secrets, and what was only lying around. Pure but for reading."""

from __future__ import annotations

import contextlib
import fnmatch
import io
import pathlib
import re
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Protocol

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.distribution import (
    UNREADABLE,
    opened_wheel,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish.secret_content import (
    secrets_in,
)

BLOCK = 4 << 20  # bytes that are searched at once
OVERLAP = 16 << 10  # of two blocks: longer than what a pattern needs to see of a secret
LARGEST_ARCHIVE = 64 << 20  # bytes of an archive in the wheel that is opened
LARGEST_CONTENT = 512 << 20  # bytes of it that are searched, unpacked
NEWLINE = b"\n"
SHOWN = 5  # findings that a sentence names


@dataclass(frozen=True)
class Finding:
    member: str
    reason: str


# Patterns for one part of a path, in whatever case.
SECRET_NAMES: tuple[tuple[str, str], ...] = (
    (".env", "holds the config of one deploy, often its secrets"),
    (".env.*", "holds the config of one deploy, often its secrets"),
    ("*.env", "holds the config of one deploy, often its secrets"),
    (".envrc", "holds the config of one deploy, often its secrets"),
    (".netrc", "holds passwords"),
    (".pypirc", "holds passwords"),
    (".npmrc", "may hold a token of a registry"),
    (".htpasswd", "holds hashes of passwords"),
    (".pgpass", "holds passwords"),
    (".git-credentials", "holds passwords"),
    ("credentials.json", "holds the credentials of an account"),
    ("service[-_]account*.json", "holds the key of an account"),
    ("*.tfstate", "holds the secrets of an infrastructure"),
    ("*.tfstate.backup", "holds the secrets of an infrastructure"),
    (".aws", "holds keys of a cloud account"),
    (".ssh", "holds keys"),
    ("id_rsa", "is a private key by its name"),
    ("id_ecdsa", "is a private key by its name"),
    ("id_ed25519", "is a private key by its name"),
    ("*.key", "is a private key by its name"),
    ("*.kdbx", "is a store of passwords"),
    ("*.p12", "is a key store"),
    ("*.pfx", "is a key store"),
    ("*.sqlite", "is a database"),
    ("*.sqlite3", "is a database"),
    ("*dump.sql", "is the content of a database"),
)
# The same, or for the first part where they begin with a slash.
LEFTOVER_NAMES: tuple[tuple[str, str], ...] = (
    (".git", "belongs to version control"),
    (".hg", "belongs to version control"),
    (".svn", "belongs to version control"),
    ("__pycache__", "is compiled again on every host"),
    ("*.pyc", "is compiled again on every host"),
    (".venv", "is a virtualenv"),
    ("pyvenv.cfg", "is a virtualenv's"),
    ("node_modules", "is what a build needs, not what runs"),
    (".tox", "was left behind by a tool"),
    (".nox", "was left behind by a tool"),
    (".mypy_cache", "was left behind by a tool"),
    (".pytest_cache", "was left behind by a tool"),
    (".ruff_cache", "was left behind by a tool"),
    (".coverage", "was left behind by a tool"),
    (".DS_Store", "was left behind by a tool"),
    ("*.swp", "was left behind by an editor"),
    ("*~", "was left behind by an editor"),
    ("*.orig", "was left behind by a merge"),
    ("*.rej", "was left behind by a merge"),
    ("/tests", "would be installed as a package called tests, beside those of everybody else"),
    ("/test", "would be installed as a package called test, which hides Python's own"),
    ("/build", "was left behind by an earlier build"),
    ("/dist", "was left behind by an earlier build"),
)
# Templates of what the first patterns mean.
TEMPLATES = (
    *(".env.dist", ".env.example", ".env.sample", ".env.template"),
    *("dist.env", "example.env", "sample.env", "template.env"),
)


def judge_name(member: str) -> str | None:
    """Why a file of this name may not be in a wheel; None if it may."""
    parts = member.split("/")
    reason = secret_by_name(parts)
    if reason or parts[-1].casefold() in TEMPLATES:
        return reason
    for pattern, reason in LEFTOVER_NAMES:
        where = parts[:1] if pattern.startswith("/") and len(parts) > 1 else parts
        if pattern.startswith("/") and len(parts) == 1:
            continue
        if any(fnmatch.fnmatchcase(part, pattern.lstrip("/")) for part in where):
            return reason
    return None


def secret_by_name(parts: Sequence[str]) -> str | None:
    """Which secret a file is by its name."""
    folded = [part.casefold() for part in parts]
    if folded[-1] in TEMPLATES:
        return None
    for pattern, reason in SECRET_NAMES:
        if any(fnmatch.fnmatchcase(part, pattern) for part in folded):
            return reason
    return None


def judge_content(content: bytes, line: int = 1) -> str | None:
    """Which secret is in a file, and on which line if it begins at ``line``; None if none is known."""
    first = min(secrets_in(content), default=None)
    return first and f"{first[1]} (line {line + content.count(NEWLINE, 0, first[0])})"


def judge_file(file: Readable) -> str | None:
    """Which secret is in a file of any size."""
    tail, line = b"", 1
    while block := file.read(BLOCK):
        content = tail + block
        reason = judge_content(content, line)
        if reason:
            return reason
        tail = content[-OVERLAP:]
        line += content.count(NEWLINE, 0, len(content) - len(tail))
    return None


def members_of(name: str, file: IO[bytes]) -> Iterator[tuple[str, IO[bytes]]]:
    """The files in an archive; nothing of a file that is none."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            for entry in archive.infolist():
                if not entry.is_dir():
                    with archive.open(entry) as opened:
                        yield entry.filename, opened
    elif re.search(r"\.(tar(\.\w+)?|t[gbx]z2?)$", name.casefold()):
        file.seek(0)
        with tarfile.open(fileobj=file, mode="r:*") as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isfile() else None
                if content:
                    yield member.name, content


def judge_archive(name: str, content: bytes) -> str | None:
    """Which secret is in an archive, None also for one that cannot be read. Archives in it stay closed."""
    left = LARGEST_CONTENT
    with contextlib.suppress(*UNREADABLE, tarfile.TarError, OSError):
        for member, file in members_of(name, io.BytesIO(content)):
            part = Bounded(file, left)
            reason = secret_by_name(member.split("/")) or judge_file(part)
            left = part.left
            if reason:
                return f"has {member} in it, which {reason}"
            if left <= 0:
                return f"unpacks to more than the {LARGEST_CONTENT >> 20} MiB that are searched"
    return None


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass
class Bounded:
    """A file of which no more than so much is read."""

    file: Readable
    left: int

    def read(self, size: int, /) -> bytes:
        block = self.file.read(min(size, self.left))
        self.left -= len(block)
        return block


def is_allowed(member: str, allowed: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(member, pattern) for pattern in allowed)


def look_through(wheel: pathlib.Path, allowed: Sequence[str]) -> list[Finding]:
    """What does not belong in a wheel, in the order of its members."""
    findings = []
    with opened_wheel(wheel, wheel.name) as (archive, _info):
        for member in archive.infolist():
            if member.is_dir() or is_allowed(member.filename, allowed):
                continue
            reason = judge_name(member.filename)
            if reason is None:
                with archive.open(member) as file:
                    reason = judge_file(file)
            if reason is None and member.file_size <= LARGEST_ARCHIVE:
                reason = judge_archive(member.filename, archive.read(member))
            if reason:
                findings.append(Finding(member.filename, reason))
    return findings


def refuse(wheel: str, findings: Sequence[Finding]) -> None:
    """Raise DeployError for a wheel in which something was found."""
    if not findings:
        return
    listed = "; ".join(f"{finding.member} {finding.reason}" for finding in findings[:SHOWN])
    more = f"; and {len(findings) - SHOWN} more" if len(findings) > SHOWN else ""
    raise DeployError(
        f"{wheel} must not be published: {listed}{more}. Keep them out of the build "
        "(pyproject.toml, MANIFEST.in), or list what belongs there in `allowed_files`."
    )
