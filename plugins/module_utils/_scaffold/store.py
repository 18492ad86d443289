# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are made where there is none; one that exists is never touched."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError


@dataclass(frozen=True)
class Plan:
    """Texts of the files to write, and the paths of those that exist, with whether they are the same."""

    new: Mapping[pathlib.Path, str]
    kept: Mapping[pathlib.Path, bool]


def plan(files: Mapping[pathlib.Path, str]) -> Plan:
    """Raises DeployError where a file is in the way of a directory."""
    new, kept = {}, {}
    for path, text in files.items():
        blocked = [each for each in path.parents if each.exists() and not each.is_dir()]
        if blocked:
            raise DeployError(f"{blocked[0]} is not a directory, so {path} cannot be written.")
        if os.path.lexists(path):
            kept[path] = _is_same(path, text)
        else:
            new[path] = text
    return Plan(new, kept)


def _is_same(path: pathlib.Path, text: str) -> bool:
    try:
        return path.is_file() and path.read_text("utf-8") == text
    except (OSError, UnicodeDecodeError):
        return False


def write(files: Mapping[pathlib.Path, str]) -> None:
    """Raises DeployError where a file has come to exist meanwhile."""
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        try:
            handle = os.open(path, flags, 0o644)
        except FileExistsError:
            raise DeployError(f"{path} exists now, and is left as it is. Run init again.") from None
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                os.fchmod(handle, 0o644)  # whatever the umask is
                file.write(text)
        except BaseException:
            path.unlink()
            raise
