# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories are removed, whatever an app has put there."""

from __future__ import annotations

import ast
import os
import pathlib
import time

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host import trees
from unit.deep import make_deep, run_directory
from unit.pivot.harness import REPOSITORY


def test_a_deep_directory() -> None:
    with run_directory() as run:
        make_deep(run / "top")
        trees.remove(run / "top")
        assert list(run.iterdir()) == []


def test_a_broad_one(tmp_path: pathlib.Path) -> None:
    top = tmp_path / "top"
    for number in range(300):
        (top / str(number) / "d" / "d").mkdir(parents=True)
        (top / str(number) / "d" / "file").touch()
    trees.empty(top)
    assert list(tmp_path.iterdir()) == [top]
    assert list(top.iterdir()) == []


def test_no_link_is_followed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").touch()
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / "link").symlink_to(tmp_path / "outside")
    trees.empty(tmp_path / "top")
    (tmp_path / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        trees.empty(tmp_path / "link")
    assert (tmp_path / "outside" / "kept").exists()


def test_it_ends_in_time(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TimeoutError, match="more than can be removed"):
        trees.empty(tmp_path, seconds=-1)


def test_what_cannot_be_removed_ends_it(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "d").mkdir()

    def refuse(*_args: object, **_options: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "unlink", refuse)
    began = time.monotonic()
    with pytest.raises(PermissionError):
        trees.empty(tmp_path)
    assert time.monotonic() - began < 5
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_pivot_removes_in_the_same_way() -> None:
    """It has to, from a file of its own: on a host it is beside nothing of the collection."""

    def bodies(path: str) -> dict[str, list[str]]:
        tree = ast.parse((REPOSITORY / path).read_text("utf-8"))
        return {
            each.name: [ast.dump(statement) for statement in each.body]
            for each in tree.body
            if isinstance(each, ast.FunctionDef) and each.name != "remove"
        }

    own = bodies("plugins/module_utils/_host/trees.py")
    assert set(own) == {"empty", "_flatten", "_open", "_require_time"}
    assert own == bodies("roles/circus/files/pivot/removal.py")
