# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must not be in a wheel: secrets, and what was only lying around. Pure but for reading."""

from __future__ import annotations

import fnmatch
import pathlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.distribution import (
    opened_wheel,
)

LARGEST_SEARCHED = 8 << 20  # bytes; keys and tokens do not lie in larger files
SHOWN = 5  # findings that a sentence names


@dataclass(frozen=True)
class Finding:
    member: str
    reason: str


# Patterns for one part of a path, or for its first part where they begin with a slash. What is
# listed under the second column is meant to be published.
NAMES: tuple[tuple[str, str], ...] = (
    (".env", "holds the config of one deploy, often its secrets"),
    (".env.*", "holds the config of one deploy, often its secrets"),
    (".envrc", "holds the config of one deploy, often its secrets"),
    (".netrc", "holds passwords"),
    (".pypirc", "holds passwords"),
    (".npmrc", "may hold a token of a registry"),
    (".htpasswd", "holds hashes of passwords"),
    (".pgpass", "holds passwords"),
    (".aws", "holds keys of a cloud account"),
    (".ssh", "holds keys"),
    ("id_rsa", "is a private key by its name"),
    ("id_ecdsa", "is a private key by its name"),
    ("id_ed25519", "is a private key by its name"),
    ("*.kdbx", "is a store of passwords"),
    ("*.p12", "is a key store"),
    ("*.pfx", "is a key store"),
    (".git", "belongs to version control"),
    (".hg", "belongs to version control"),
    (".svn", "belongs to version control"),
    ("__pycache__", "is compiled anew on every host"),
    ("*.pyc", "is compiled anew on every host"),
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
    ("*.sqlite3", "is a database"),
    ("/tests", "would be installed as a package called tests, beside those of everybody else"),
    ("/test", "would be installed as a package called test, which hides Python's own"),
    ("/build", "was left behind by an earlier build"),
    ("/dist", "was left behind by an earlier build"),
)
# Templates of what the first two patterns mean.
TEMPLATES = (".env.dist", ".env.example", ".env.sample", ".env.template")

# What a file says that gives a secret away, whatever it is called.
SECRETS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    # with a line of base64 under it: a program that looks for the words is no key
    (
        re.compile(
            rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----\r?\n"
            rb"(?:[A-Za-z-]+: [^\n]*\n)*\s*[A-Za-z0-9+/=]{16}"
        ),
        "holds a private key",
    ),
    (re.compile(rb"\bA(?:KIA|SIA)[A-Z2-7]{16}\b"), "holds a key of a cloud account"),
    (re.compile(rb"\bgh[oprsu]_[A-Za-z0-9]{36}\b"), "holds a token of a code host"),
    (re.compile(rb"\bglpat-[A-Za-z0-9_-]{20}"), "holds a token of a code host"),
    (re.compile(rb"\bxox[abpr]-[0-9]{8,}-[A-Za-z0-9-]{10,}"), "holds a token of a chat server"),
    (re.compile(rb"\bsk_live_[A-Za-z0-9]{20,}"), "holds a key of a payment service"),
    (re.compile(rb"\bpypi-AgE[A-Za-z0-9_-]{50,}"), "holds a token of a package index"),
)


def judge_name(member: str) -> str | None:
    """Why a file of this name may not be in a wheel; None if it may."""
    parts = member.split("/")
    if parts[-1] in TEMPLATES:
        return None
    for pattern, reason in NAMES:
        where = parts[:1] if pattern.startswith("/") and len(parts) > 1 else parts
        if pattern.startswith("/") and len(parts) == 1:
            continue
        if any(fnmatch.fnmatchcase(part, pattern.lstrip("/")) for part in where):
            return reason
    return None


def judge_content(content: bytes) -> str | None:
    """Which secret is in a file; None if none is known."""
    return next((reason for pattern, reason in SECRETS if pattern.search(content)), None)


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
            if reason is None and member.file_size <= LARGEST_SEARCHED:
                reason = judge_content(archive.read(member))
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
