# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A build: one wheel that carries its lock, its Procfile, its bill of materials and its origin.

They lie in the wheel's own metadata directory, which is where a wheel keeps what belongs to it and
is not code. So a version on the index is everything a release needs, under one hash.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import io
import json
import os
import pathlib
import time
import zipfile
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.distribution import (
    DistributionError,
    opened_wheel,
)

FOLDER = "twelvefactor"  # below <name>-<version>.dist-info/
LOCK = "requirements.txt"
PYLOCK = "pylock.toml"
LOCKS = (LOCK, PYLOCK)  # of the two forms a build carries one
PROCFILE = "Procfile"
ORIGIN = "origin.json"
# Where a wheel keeps bills of materials (PEP 770).
SBOM = "sboms/app.cdx.json"
LARGEST_MEMBER = 16 << 20  # bytes; a lock of 2,000 packages has less than one
# 1980-01-01, the earliest time that a zip archive can hold
EPOCH = 315_532_800


@contextlib.contextmanager
def _opened(file: pathlib.Path | BinaryIO, name: str) -> Iterator[tuple[zipfile.ZipFile, str]]:
    """The archive and the name of its metadata directory."""
    try:
        with opened_wheel(file, name) as found:
            yield found
    except DistributionError as error:
        raise DeployError(str(error)) from None


def _read(archive: zipfile.ZipFile, path: str, name: str) -> str | None:
    if path not in archive.namelist():
        return None
    if archive.getinfo(path).file_size > LARGEST_MEMBER:
        member = path.rpartition("/")[2]
        raise DeployError(f"{member} in {name} is larger than {LARGEST_MEMBER} bytes.")
    return archive.read(path).decode()


def read_build(file: pathlib.Path | BinaryIO, name: str) -> tuple[str | None, str | None]:
    """The lock and the Procfile in the wheel ``name``; None for what it does not carry."""
    with _opened(file, name) as (archive, info):
        found = [_read(archive, f"{info}/{FOLDER}/{lock}", name) for lock in LOCKS]
        locks = [lock for lock in found if lock is not None]
        return locks[0] if locks else None, _read(archive, f"{info}/{FOLDER}/{PROCFILE}", name)


def format_origin(commit: str | None) -> str:
    return json.dumps({"commit": commit}) + "\n"


def read_commit(file: pathlib.Path | BinaryIO, name: str) -> str | None:
    """The commit that the wheel ``name`` says it was built from; None where it says none.

    What it says was written by whoever built it, so anything but a word is taken for nothing.
    """
    with _opened(file, name) as (archive, info):
        text = _read(archive, f"{info}/{FOLDER}/{ORIGIN}", name)
    try:
        commit = json.loads(text or "null")["commit"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return commit if isinstance(commit, str) and commit.isprintable() and commit else None


def _record_rows(archive: zipfile.ZipFile, path: str, name: str) -> list[list[str]]:
    text = _read(archive, path, name)
    if text is None:
        raise DeployError(f"{name} is not a valid wheel: it has no {path}.")
    try:
        return [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    except csv.Error as error:
        raise DeployError(f"{name} is not a valid wheel: {path}: {error}.") from None


def _record_line(name: str, data: bytes) -> list[str]:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return [name, f"sha256={digest}", str(len(data))]


def _entry(name: str, when: float, executable: bool) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, time.gmtime(max(when, EPOCH))[:6])
    entry.create_system = 3  # Unix, so that the mode counts
    entry.external_attr = (0o100755 if executable else 0o100644) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def embed(source: pathlib.Path, target: pathlib.Path, files: Mapping[str, str], when: float) -> str:
    """Write the wheel ``source`` with ``files`` added to its metadata; the sha256 of the result.

    ``files`` are paths below the metadata directory. The same contents give the same bytes: every
    member has the time ``when`` (seconds since 1970) and one of two modes, whatever the builder's
    clock, umask and order of directories were. RECORD stays last, as PEP 427 recommends.
    """
    with _opened(source, source.name) as (archive, info):
        record_name = f"{info}/RECORD"
        added = {f"{info}/{name}": text.encode() for name, text in files.items()}
        modes = {m.filename: m.external_attr >> 16 for m in archive.infolist() if not m.is_dir()}
        rows = _record_rows(archive, record_name, source.name)
        kept = [row for row in rows if row[0] not in {*added, record_name}]
        kept += [_record_line(name, data) for name, data in added.items()]
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([*sorted(kept), [record_name, "", ""]])
        names = {*modes, *added} - {record_name}
        part = target.with_name(f".{target.name}.part")
        with zipfile.ZipFile(part, "w") as out:
            for name in sorted(names, key=lambda name: (name.startswith(f"{info}/"), name)):
                data = added[name] if name in added else archive.read(name)
                out.writestr(_entry(name, when, bool(modes.get(name, 0) & 0o100)), data)
            out.writestr(_entry(record_name, when, False), text.getvalue())
    digest = hashlib.sha256(part.read_bytes()).hexdigest()
    os.replace(part, target)
    return digest
