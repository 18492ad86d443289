# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A record of the way back is whole or not there."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host import undo
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.undo import Undo


def names(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def test_it_is_there_with_all_of_its_files_and_then_gone(tmp_path: Path) -> None:
    record = Undo(tmp_path)
    given: dict[str, list[str]] = {"back": []}
    with record.written(given) as unready:
        assert stat.S_IMODE(unready.stat().st_mode) == 0o700
        (unready / "0").write_text("before")
        given["back"].append("a.conf")
        assert not record.exists()
    assert record.exists()
    assert record.read() == {"back": ["a.conf"]}
    assert names(tmp_path) == ["undo", "undo/0", "undo/undo.json"]
    record.forget()
    assert names(tmp_path) == []
    record.forget()


def test_what_an_interrupted_run_left_is_no_record(tmp_path: Path) -> None:
    record = Undo(tmp_path)
    for name in ("undo.unready", "undo.done"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "old").write_text("old")
    assert not record.exists()
    with pytest.raises(KeyboardInterrupt), record.written({}):
        raise KeyboardInterrupt
    assert not record.exists()
    with record.written({}):
        pass
    record.forget()
    assert names(tmp_path) == []


def test_a_power_cut_finds_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moments: list[tuple[str, bool]] = []
    record = Undo(tmp_path)
    monkeypatch.setattr(
        undo, "sync_directory", lambda path: moments.append((path.name, record.exists()))
    )
    with record.written({}):
        pass
    record.forget()
    assert moments == [("undo.unready", False), (tmp_path.name, True), (tmp_path.name, False)]
