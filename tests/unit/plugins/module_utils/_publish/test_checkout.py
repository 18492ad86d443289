# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which commit a source is, with the real git."""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish import (
    checkout as publish_checkout,
)

COMMITTED = 1_772_600_768  # 2026-03-04 05:06:08 UTC


def git(directory: pathlib.Path, *words: str, when: int = COMMITTED) -> str:
    dates = {"GIT_COMMITTER_DATE": f"{when} +0000", "GIT_AUTHOR_DATE": f"{when} +0000"}
    command = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *words]
    done = subprocess.run(
        command, cwd=directory, env=os.environ | dates, check=True, capture_output=True, timeout=120
    )
    return done.stdout.decode().strip()


@pytest.fixture(autouse=True)
def no_repository_above(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))


@pytest.fixture
def shop(tmp_path: pathlib.Path) -> pathlib.Path:
    """The directory of an app in a repository with other things in it."""
    shop = tmp_path / "all" / "shop"
    shop.mkdir(parents=True)
    (shop / "shop.py").write_text("one\n")
    (shop / ".gitignore").write_text("*.secret\n")
    (tmp_path / "all" / "README").write_text("all\n")
    git(shop.parent, "init", "--quiet")
    git(shop.parent, "add", ".")
    git(shop.parent, "commit", "--quiet", "--message", "x")
    return shop


def names(directory: pathlib.Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.name != ".git")


def test_a_clean_commit(shop: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (shop / "a.secret").write_text("ignored by git\n")
    checkout = publish_checkout.find(shop)
    assert checkout == publish_checkout.Checkout(
        shop.parent, "shop", git(shop, "rev-parse", "HEAD"), COMMITTED, ()
    )
    assert checkout.origin == checkout.commit
    publish_checkout.check(shop, checkout)
    tree = publish_checkout.copy(shop, checkout, tmp_path / "copy")
    assert tree == tmp_path / "copy" / "shop"
    assert names(tree) == [".gitignore", "shop.py"]
    assert names(tmp_path / "copy") == ["README", "shop"]


def test_what_else_lives_in_the_repository_does_not_count(shop: pathlib.Path) -> None:
    before = publish_checkout.find(shop)
    (shop.parent / "README").write_text("changed\n")
    assert publish_checkout.find(shop) == before
    git(shop, "commit", "--quiet", "--all", "--message", "x", when=COMMITTED + 60)
    assert publish_checkout.find(shop) == before


def test_another_commit(shop: pathlib.Path) -> None:
    (shop / "shop.py").write_text("two\n")
    git(shop, "commit", "--quiet", "--all", "--message", "x", when=COMMITTED + 60)
    checkout = publish_checkout.find(shop)
    assert checkout is not None
    assert (checkout.commit, checkout.time) == (git(shop, "rev-parse", "HEAD"), COMMITTED + 60)


def test_changes_are_refused_or_copied(shop: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (shop / "old.py").write_text("")
    git(shop, "add", ".")
    git(shop, "commit", "--quiet", "--message", "x")
    (shop / "old.py").unlink()
    (shop / "shop.py").write_text("two\n")
    (shop / "new").mkdir()
    (shop / "new" / "zwölf.py").write_text("three\n")
    (shop / "a.secret").write_text("ignored by git\n")
    checkout = publish_checkout.find(shop)
    assert checkout is not None
    assert checkout.origin == git(shop, "rev-parse", "HEAD") + "-dirty"
    with pytest.raises(DeployError) as refused:
        publish_checkout.check(shop, checkout)
    assert str(refused.value) == (
        f"{shop} has changes that are not committed: shop/old.py, shop/shop.py, shop/new/; "
        "commit them, or build it as it is with require_commit=false."
    )
    tree = publish_checkout.copy(shop, checkout, tmp_path / "copy")
    assert names(tree) == [".gitignore", "new", "shop.py"]
    assert (tree / "shop.py").read_text() == "two\n"
    assert names(tree / "new") == ["zwölf.py"]


def test_many_changes_are_counted(shop: pathlib.Path) -> None:
    for number in range(7):
        (shop / f"{number}.py").write_text("")
    with pytest.raises(DeployError, match=r"shop/4\.py and 2 more; commit them"):
        publish_checkout.check(shop, publish_checkout.find(shop))


def test_a_source_that_is_in_no_commit_yet(shop: pathlib.Path, tmp_path: pathlib.Path) -> None:
    young = shop.parent / "young"
    young.mkdir()
    (young / "young.py").write_text("")
    checkout = publish_checkout.find(young)
    assert checkout is not None
    assert (checkout.commit, checkout.origin) == (None, None)
    with pytest.raises(DeployError, match=f"young is in no commit of {shop.parent} yet"):
        publish_checkout.check(young, checkout)
    assert names(publish_checkout.copy(young, checkout, tmp_path / "copy")) == ["young.py"]


def test_a_repository_without_a_commit(tmp_path: pathlib.Path) -> None:
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    (fresh / "x.py").write_text("")
    git(fresh, "init", "--quiet")
    checkout = publish_checkout.find(fresh)
    assert checkout is not None
    assert names(publish_checkout.copy(fresh, checkout, tmp_path / "copy")) == ["x.py"]


def test_a_source_outside_of_git(tmp_path: pathlib.Path) -> None:
    source = tmp_path / "source"
    (source / "__pycache__").mkdir(parents=True)
    (source / "shop.py").write_text("")
    assert publish_checkout.find(source) is None
    with pytest.raises(DeployError, match="is not in a git repository, so the build could not"):
        publish_checkout.check(source, None)
    assert names(publish_checkout.copy(source, None, tmp_path / "copy")) == ["shop.py"]


def test_a_directory_that_git_ignores(shop: pathlib.Path) -> None:
    """Such as a copy that a test made in the checkout's build directory."""
    ignored = shop / "x.secret"
    ignored.mkdir()
    (ignored / "shop.py").write_text("")
    assert publish_checkout.find(ignored) is None


def test_without_git(shop: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert publish_checkout.find(shop) is None


def test_a_repository_that_git_cannot_read(shop: pathlib.Path) -> None:
    (shop.parent / ".git" / "config").write_text("[core\n")
    with pytest.raises(DeployError, match=r"Could not ask git about .*bad config line 1"):
        publish_checkout.find(shop)


def test_no_directory(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DeployError, match=r"the directory .*/none does not exist"):
        publish_checkout.find(tmp_path / "none")
