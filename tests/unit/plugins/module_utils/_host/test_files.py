# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import pathlib
import stat

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.files import (
    write_atomically,
)


def test_file_is_replaced(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "env"
    path.write_text("old")
    write_atomically(path, "grün\r\n", 0o640, os.getegid())
    assert path.read_bytes() == "grün\r\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "fchmod", "replace"])
def test_crash_leaves_the_old_file(
    step: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "env"
    path.write_text("old")
    monkeypatch.setattr(os, step, crash)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "new", 0o640)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_text_that_no_file_can_hold_leaves_the_old_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "env"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "\udc80", 0o640)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
