# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of a repository, and what is left alone."""

from __future__ import annotations

import os
import pathlib

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold import tree
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold.tree import read_tree


@pytest.fixture
def shop(tmp_path: pathlib.Path) -> pathlib.Path:
    place = tmp_path / "shop"
    (place / "shop").mkdir(parents=True)
    (place / "pyproject.toml").write_text("[project]\n")
    (place / "shop/wsgi.py").write_text("x = 1\n")
    return place


def test_code_and_what_is_named(shop: pathlib.Path) -> None:
    for name in (
        ".env",
        ".env.example",
        "Procfile",
        "requirements-dev.txt",
        "notes.txt",
        "uv.lock",
    ):
        (shop / name).write_text("x\n")
    for directory in ("tests", ".hidden", "node_modules", "my env", "venv2"):
        (shop / directory).mkdir()
        (shop / directory / "code.py").write_text("x\n")
    (shop / "venv2/pyvenv.cfg").write_text("")
    (shop / "test_shop.py").write_text("x\n")
    found = read_tree(shop)
    assert sorted(found.files) == [
        ".env.example",
        "Procfile",
        "pyproject.toml",
        "requirements-dev.txt",
        "shop/wsgi.py",
        "uv.lock",
    ]
    assert (found.name, found.passed_over) == ("shop", ())


def test_links_are_not_followed(shop: pathlib.Path, tmp_path: pathlib.Path) -> None:
    secret = tmp_path / "secret.py"
    secret.write_text("secret\n")
    (shop / "link.py").symlink_to(secret)
    (shop / "Procfile").symlink_to(secret)
    (shop / "linked").symlink_to(tmp_path)
    found = read_tree(shop)
    assert sorted(found.files) == ["pyproject.toml", "shop/wsgi.py"]
    assert found.passed_over == ("Procfile: a symbolic link",)


def test_what_is_no_file_does_not_block(shop: pathlib.Path) -> None:
    os.mkfifo(shop / "pipe.py")
    assert "pipe.py" not in read_tree(shop).files


def test_large_files_are_passed_over(shop: pathlib.Path) -> None:
    (shop / "shop/data.py").write_text("#" * (tree.LARGEST_CODE + 1))
    (shop / "shop/latin.py").write_bytes(b"# \xe4\n")
    assert read_tree(shop).passed_over == (
        "shop/data.py: a link, too large, or not UTF-8 text",
        "shop/latin.py: a link, too large, or not UTF-8 text",
    )


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("MOST_FILES", "all Python files after the first 1"),
        ("MOST_ENTRIES", "everything after the first 1 files"),
    ],
)
def test_many_files(
    shop: pathlib.Path, monkeypatch: pytest.MonkeyPatch, limit: str, said: str
) -> None:
    (shop / "shop/more.py").write_text("")
    monkeypatch.setattr(tree, limit, 1)
    assert read_tree(shop).passed_over == (said,)


def test_all_of_them_together(shop: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "MOST_BYTES", 12)
    assert list(read_tree(shop).files) == ["pyproject.toml"]


def test_whether_it_is_in_git(shop: pathlib.Path, tmp_path: pathlib.Path) -> None:
    assert read_tree(shop).committed is False
    (tmp_path / ".git").mkdir()
    assert read_tree(shop).committed is True


def test_an_empty_directory_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(
        DeployError, match=r"(?s)no pyproject\.toml.*-e repo=PATH.*uv init --package"
    ):
        read_tree(tmp_path)


@pytest.mark.parametrize("name", ["missing", "file"])
def test_what_is_no_directory_is_refused(tmp_path: pathlib.Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DeployError, match=r"There is no directory .*current directory"):
        read_tree(tmp_path / name)
