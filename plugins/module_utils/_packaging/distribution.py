# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a wheel or a source distribution says about itself, as an index wants to be told."""

from __future__ import annotations

import contextlib
import email
import email.message
import email.policy
import errno
import hashlib
import lzma
import pathlib
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import ReadableError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.names import (
    canonical_name,
)

LARGEST_METADATA = 4 << 20  # bytes; long descriptions come to some 100 KiB

# Metadata fields that the form calls otherwise than "lower case, _ for -", and those which may
# occur more than once. https://packaging.python.org/specifications/core-metadata/
RENAMED = {
    "classifier": "classifiers",
    "project_url": "project_urls",
    "provides_extra": "provides_extras",
}
REPEATED = (
    "classifiers",
    "dynamic",
    "license_file",
    "obsoletes",
    "obsoletes_dist",
    "platform",
    "project_urls",
    "provides",
    "provides_dist",
    "provides_extras",
    "requires",
    "requires_dist",
    "requires_external",
    "supported_platform",
)


# What reading a member of an archive raises that is damaged, encrypted, compressed in a way that is not
# known, or not text: zipfile lets through what its decompressors say, and more.
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    RuntimeError,
    ValueError,
)


class DistributionError(ReadableError):
    """The file is no distribution that can be published, and why."""


@dataclass(frozen=True)
class Distribution:
    """One file to publish. `fields` are those of the upload form, without the file itself."""

    path: pathlib.Path
    name: str
    version: str
    sha256: str
    size: int  # bytes
    fields: tuple[tuple[str, str], ...] = field(repr=False)

    @property
    def filename(self) -> str:
        return self.path.name


def read_distribution(path: pathlib.Path) -> Distribution:
    """Read a `.whl` or `.tar.gz`. Raises DistributionError when it is none, or not readable."""
    try:
        kind, metadata = _wheel(path) if path.name.endswith(".whl") else _source(path)
        size = path.stat().st_size
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise DistributionError(f"There is no file {path}.") from None
    except OSError as error:
        raise DistributionError(f"{path} cannot be read: {error.strerror or error}.") from error
    form = form_fields(metadata)
    values = dict(form)
    name, version = values.get("name", ""), values.get("version", "")
    if not name or not version:
        raise DistributionError(f"{path} does not say its name and version in its metadata.")
    check_filename(path.name, name, version)
    head = (
        (":action", "file_upload"),
        ("protocol_version", "1"),
        ("filetype", kind),
        ("pyversion", _python_tag(path.name) if kind == "bdist_wheel" else "source"),
        ("sha256_digest", sha256),
    )
    return Distribution(path, name, version, sha256, size, head + form)


def form_fields(metadata: bytes) -> tuple[tuple[str, str], ...]:
    """The upload form's fields out of METADATA or PKG-INFO."""
    # compat32 leaves long and odd headers as they are, where the newer policy refuses some.
    text = metadata.decode("utf-8", "replace")
    message = email.message_from_string(text, policy=email.policy.compat32)
    fields: list[tuple[str, str]] = []
    for header, raw in message.raw_items():
        key = header.lower().replace("-", "_")
        key = RENAMED.get(key, key)
        if key in REPEATED or key not in dict(fields):
            fields.append((key, str(raw)))
    body = message.get_payload()
    if isinstance(body, str) and body.strip() and "description" not in dict(fields):
        fields.append(("description", body))
    return tuple(fields)


def check_filename(filename: str, name: str, version: str) -> None:
    """Raises DistributionError when a file's name tells another story than its metadata."""
    ending = ".whl" if filename.endswith(".whl") else ".tar.gz"
    parts = filename.removesuffix(ending)
    said_name, said_version = (
        parts.split("-")[:2] if ending == ".whl" else parts.rpartition("-")[::2]
    )
    same = canonical_name(said_name) == canonical_name(name)
    if not same or said_version != version.replace("-", "_"):
        raise DistributionError(
            f"{filename} is named for {said_name} {said_version}, its metadata is that of "
            f"{name} {version}: build it again."
        )


def _python_tag(filename: str) -> str:
    return filename.removesuffix(".whl").split("-")[-3]


@contextlib.contextmanager
def opened_wheel(file: pathlib.Path | BinaryIO, name: str) -> Iterator[tuple[zipfile.ZipFile, str]]:
    """The archive of the wheel ``name`` and the name of its metadata directory."""
    try:
        with zipfile.ZipFile(file) as archive:
            tops = {member.partition("/")[0] for member in archive.namelist()}
            info = [top for top in tops if top.endswith(".dist-info")]
            if len(info) != 1:
                raise DistributionError(
                    f"{name} is not a valid wheel: it has {len(info)} .dist-info folders."
                )
            yield archive, info[0]
    except UNREADABLE as error:
        raise DistributionError(f"{name} is not a valid wheel: {error or repr(error)}.") from None
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):
            raise
        # bz2's, or a member that begins before the file does
        raise DistributionError(f"{name} is not a valid wheel: {error}.") from None


def _wheel(path: pathlib.Path) -> tuple[str, bytes]:
    if len(path.name.split("-")) not in (5, 6):
        raise DistributionError(
            f"Invalid wheel name {path.name}: it must be NAME-VERSION-PYTHON-ABI-PLATFORM.whl."
        )
    with opened_wheel(path, str(path)) as (archive, info):
        member = f"{info}/METADATA"
        if member not in archive.namelist():
            raise DistributionError(f"{path} is not a valid wheel: it has no {member}.")
        if archive.getinfo(member).file_size > LARGEST_METADATA:
            raise DistributionError(f"{path}: more than {LARGEST_METADATA} bytes of METADATA.")
        return "bdist_wheel", archive.read(member)


def _source(path: pathlib.Path) -> tuple[str, bytes]:
    if not path.name.endswith(".tar.gz"):
        raise DistributionError(f"{path} is neither a wheel (.whl) nor a source one (.tar.gz).")
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                if re.fullmatch(r"[^/]+/PKG-INFO", member.name) and member.isfile():
                    file = archive.extractfile(member)
                    if file is None or member.size > LARGEST_METADATA:
                        break
                    return "sdist", file.read()
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DistributionError(f"{path} is not a valid source distribution: {error}.") from error
    raise DistributionError(f"{path} is not a valid source distribution: it has no PKG-INFO.")
