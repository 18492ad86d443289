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

BLOCK = 4 << 20  # bytes that are searched at once
OVERLAP = 16 << 10  # of two blocks: longer than what a pattern needs to see of a secret
LARGEST_ARCHIVE = 64 << 20  # bytes of an archive in the wheel that is opened
LARGEST_CONTENT = 512 << 20  # bytes of it that are searched, unpacked
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

# What a file says that gives a secret away, whatever it is called. Each pattern begins with a literal, which
# makes the search fast; that it begins a word is looked at behind it.
SECRETS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    # with a line of base64 under it: a program that looks for the words is no key
    (
        re.compile(
            # a line ends as in a file, or as in a literal of JSON or Python
            rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\r?\n|(?:\\+r)?\\+n)"
            rb"(?:[A-Za-z-]+: [^\n\\]*(?:\n|\\+n))*(?:\s|\\+[nr])*[\"']?\s*[\"']?[A-Za-z0-9+/=]{16}"
        ),
        "holds a private key",
    ),
    (re.compile(rb"A[KS]IA(?<!\w.{4})[A-Z2-7]{16}\b"), "holds a key of a cloud account"),
    (re.compile(rb"gh[oprsu]_(?<!\w.{4})[A-Za-z0-9]{36}\b"), "holds a token of a code host"),
    (re.compile(rb"github_pat_[A-Za-z0-9_]{22,}"), "holds a token of a code host"),
    (re.compile(rb"glpat-(?<!\w.{6})[A-Za-z0-9_-]{20}"), "holds a token of a code host"),
    (
        re.compile(rb"xox[abpr]-(?<!\w.{5})[0-9]{8,}-[A-Za-z0-9-]{10,}"),
        "holds a token of a chat server",
    ),
    (
        re.compile(rb"hooks\.slack\.com/services/T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]{16,}"),
        "holds the URL of a chat server's webhook, which is its password",
    ),
    (
        re.compile(rb"k_live_(?<=[rs].{7})(?<!\w.{8})[A-Za-z0-9]{20,}"),
        "holds a key of a payment service",
    ),
    (re.compile(rb"npm_(?<!\w.{4})[A-Za-z0-9]{36}\b"), "holds a token of a package index"),
    (re.compile(rb"AIza(?<![\w/+].{4})[A-Za-z0-9_-]{35}"), "holds a key of a cloud account"),
    (re.compile(rb"pypi-AgE[A-Za-z0-9_-]{50,}"), "holds a token of a package index"),
)


# Each begins with a literal, for which a file is searched fast; what stands before it is looked at then.
AWS_SECRET = re.compile(rb"secret.{0,20}key[\"']?\s*[:=]\s*[\"']?[a-z0-9/+]{40}(?![a-z0-9/+])")
URL_PASSWORD = re.compile(
    rb"://(?P<user>[^\s:/@\"'<>{}$%\\`()]{0,64})"
    rb":(?P<password>[^\s:/@\"'<>{}$\\`()*]{1,128})@(?P<host>[A-Za-z0-9.-]{1,255})"
)
SCHEME = re.compile(
    rb"\b(?:postgres(?:ql)?|mysql|mariadb|mssql|oracle|mongodb|rediss?|amqps?|ldaps?|smtps?|s?ftps?|https?)"
    rb"(?:\+[a-z0-9]+)?\Z"
)
# What stands for a password in documentation, and for a server there.
NO_PASSWORDS = frozenset(
    b"changeme example guest hackme pass passwd password passwort postgres pw pwd root secret test".split()
)
NO_HOSTS = re.compile(
    rb"(?:localhost|127\.[0-9.]+|host|hostname|server|proxy|.*\.(?:local|test|invalid|example)"
    rb"|(?:.*\.)?example\.(?:com|net|org))\.?",
    re.IGNORECASE,
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


def judge_content(content: bytes) -> str | None:
    """Which secret is in a file; None if none is known."""
    if any(map(is_password, URL_PASSWORD.finditer(content))):
        return "holds a URL with a password"
    lower = content.lower()
    for found in AWS_SECRET.finditer(lower):
        if b"aws" in lower[max(0, found.start() - 23) : found.start()]:
            return "holds a key of a cloud account"
    return next((reason for pattern, reason in SECRETS if pattern.search(content)), None)


def is_password(url: re.Match[bytes]) -> bool:
    """Whether a URL with a password is one that something would accept, and no example."""
    if not SCHEME.search(url.string[max(0, url.start() - 24) : url.start()]):
        return False
    password = url["password"].lower()
    example = password in NO_PASSWORDS or password == url["user"].lower()
    return not example and not set(password) <= set(b"x.-_") and not NO_HOSTS.fullmatch(url["host"])


def judge_file(file: Readable) -> str | None:
    """Which secret is in a file of any size."""
    tail = b""
    while block := file.read(BLOCK):
        reason = judge_content(tail + block)
        if reason:
            return reason
        tail = block[-OVERLAP:]
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
