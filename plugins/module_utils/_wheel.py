# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A build: one wheel that carries its lock and its Procfile.

Both lie in the wheel's own metadata directory, which is where a wheel keeps what belongs to it and
is not code. So a version on the index is everything a release needs, under one hash.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import io
import os
import pathlib
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from ansible_collections.twelvefactor.deploy.plugins.module_utils._release import ReleaseError

FOLDER = "twelvefactor"  # below <name>-<version>.dist-info/
LOCK = "requirements.txt"
PYLOCK = "pylock.toml"
LOCKS = (LOCK, PYLOCK)  # of the two forms a build carries one
PROCFILE = "Procfile"
LARGEST_MEMBER = 16 << 20  # bytes; a lock of 2,000 packages has less than one


@contextlib.contextmanager
def _opened(file: pathlib.Path | BinaryIO, name: str) -> Iterator[tuple[zipfile.ZipFile, str]]:
    """The archive and the name of its metadata directory."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = {name.partition("/")[0] for name in archive.namelist()}
            info = [name for name in names if name.endswith(".dist-info")]
            if len(info) != 1:
                raise ReleaseError(f"{name} is no wheel: it has {len(info)} .dist-info folders.")
            yield archive, info[0]
    except (zipfile.BadZipFile, zlib.error) as error:
        raise ReleaseError(f"{name} is no wheel: {error}.") from None


def read_build(file: pathlib.Path | BinaryIO, name: str) -> tuple[str | None, str | None]:
    """The lock and the Procfile in the wheel ``name``; None for what it does not carry."""

    def read(wanted: tuple[str, ...]) -> str | None:
        for member in wanted:
            path = f"{info}/{FOLDER}/{member}"
            if path not in archive.namelist():
                continue
            if archive.getinfo(path).file_size > LARGEST_MEMBER:
                raise ReleaseError(f"{member} in {name} is larger than {LARGEST_MEMBER} bytes.")
            return archive.read(path).decode()
        return None

    with _opened(file, name) as (archive, info):
        return read(LOCKS), read((PROCFILE,))


def _record_line(name: str, data: bytes) -> list[str]:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return [name, f"sha256={digest}", str(len(data))]


def embed(source: pathlib.Path, target: pathlib.Path, files: Mapping[str, str]) -> str:
    """Write ``source`` with ``files`` added to its metadata; the sha256 of the result.

    The same wheel and the same files give the same bytes: members keep their order and their
    times, new ones take the time of RECORD, and RECORD stays last as PEP 427 recommends.
    """
    with _opened(source, source.name) as (archive, info):
        record_name = f"{info}/RECORD"
        record = archive.getinfo(record_name)
        rows = list(csv.reader(io.StringIO(archive.read(record).decode())))
        added = {f"{info}/{FOLDER}/{name}": text.encode() for name, text in files.items()}
        rows = [row for row in rows if row and row[0] not in {*added, record_name}]
        rows += [_record_line(name, data) for name, data in added.items()]
        rows.append([record_name, "", ""])
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        part = target.with_name(f".{target.name}.part")
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as out:
            for member in archive.infolist():
                if member.filename not in {*added, record_name}:
                    out.writestr(member, archive.read(member))
            for name, data in {**added, record_name: text.getvalue().encode()}.items():
                entry = zipfile.ZipInfo(name, record.date_time)
                entry.external_attr = record.external_attr
                entry.compress_type = zipfile.ZIP_DEFLATED
                out.writestr(entry, data)
    digest = hashlib.sha256(part.read_bytes()).hexdigest()
    os.replace(part, target)
    return digest
