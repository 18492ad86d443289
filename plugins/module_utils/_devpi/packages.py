# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Projects and files on an index of a devpi server. Pure."""

from __future__ import annotations

import re
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass

from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.model import (
    NOTHING,
    Change,
    Config,
    DevpiError,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.names import (
    canonical_name,
)


@dataclass(frozen=True)
class Stored:
    """One file as it lies on an index."""

    filename: str
    version: str
    url: str
    sha256: str | None


def stored_files(project: Config | None) -> list[Stored]:
    """The release files out of devpi's description of a project, version to metadata."""
    return [
        Stored(
            filename=urllib.parse.unquote(url.path.rsplit("/", 1)[-1]),
            version=version,
            url=urllib.parse.urlunsplit(url._replace(fragment="")),
            sha256=_sha256(link, url.fragment),
        )
        for version, metadata in (project or {}).items()
        for link in metadata.get("+links", [])
        if link.get("rel") == "releasefile"
        for url in [urllib.parse.urlsplit(link["href"])]
    ]


def _sha256(link: Config, fragment: str) -> str | None:
    hashes: Config = link.get("hashes") or {}
    if "sha256" in hashes:
        return str(hashes["sha256"])
    for spec in (link.get("hash_spec") or "", fragment):
        algorithm, _equals, digest = spec.partition("=")
        if algorithm == "sha256":
            return str(digest)
    return None


def check_uploadable(index: str, config: Config | None) -> None:
    """Raises DevpiError unless files can be uploaded to the index."""
    if config is None:
        raise DevpiError(f"The index {index} does not exist.")
    if config["type"] == "mirror":
        raise DevpiError(f"{index} is a mirror of another index: nothing can be uploaded to it.")


def find_stored(files: list[Stored], filename: str, sha256: str, index: str) -> Stored | None:
    """The same file on the index, None when it must be uploaded.

    Raises DevpiError when the name is taken by other content: whoever has installed that version
    would never get the new one, so it needs a version of its own.
    """
    for file in files:
        if file.filename != filename:
            continue
        if file.sha256 == sha256:
            return file
        raise DevpiError(
            f"{index} already has a {filename} with other content (sha256 {file.sha256} there, "
            f"{sha256} here): release it under a new version."
        )
    return None


def decide_package_removal(
    config: Config, project: Config | None, index: str, name: str, version: str
) -> Change:
    """Raises DevpiError where devpi would refuse, so that check mode says so too."""
    if version not in (project or {}):
        return NOTHING
    if not config.get("volatile"):
        raise DevpiError(
            f"{name} {version} cannot be removed from {index}: the index is not volatile, what is "
            "on it stays."
        )
    files = sorted(file.filename for file in stored_files(project) if file.version == version)
    return Change("remove", before={"name": name, "version": version, "files": files})


def project_path(index: str, name: str) -> str:
    """Where devpi describes what the index itself has of a project, without its bases."""
    return f"/{index}/{canonical_name(name)}?ignore_bases="


def check_project_name(name: str) -> str:
    """The rule of PEP 508."""
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", name):
        raise DevpiError(
            f"Invalid project name {name!r}: use only letters, digits, '-', '.' and '_', and begin and "
            "end with a letter or digit."
        )
    return name


def decide_reservation(project: Config | None, name: str) -> Change:
    """An index that has the project, with or without a file, never looks for it upstream."""
    return NOTHING if project is not None else Change("create", after={"name": name, "files": []})
