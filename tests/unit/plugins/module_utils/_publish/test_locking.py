# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which file of a source is its lock."""

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish.locking import (
    lock_of,
    version_key,
)


@pytest.mark.parametrize(
    ("files", "given", "name"),
    [
        ([], None, None),
        (["requirements.txt"], None, "requirements.txt"),
        (["pylock.toml"], None, "pylock.toml"),
        (["requirements.txt", "pylock.toml"], "pylock.toml", "pylock.toml"),
        (["requirements.txt"], "locks/prod.txt", "locks/prod.txt"),
        (["requirements.txt"], "", "requirements.txt"),
    ],
)
def test_lock(
    files: list[str], given: str | None, name: str | None, tmp_path: pathlib.Path
) -> None:
    for file in files:
        (tmp_path / file).touch()
    assert lock_of(tmp_path, given) == name


def test_two_locks(tmp_path: pathlib.Path) -> None:
    for file in ("requirements.txt", "pylock.toml"):
        (tmp_path / file).touch()
    with pytest.raises(DeployError, match="say by `requirements` which is the lock"):
        lock_of(tmp_path, None)


def test_the_oldest_python_is_not_the_first_of_the_alphabet() -> None:
    assert min(["3.13", "3.9", "3.11"], key=version_key) == "3.9"
