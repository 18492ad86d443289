# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the pivot's tests."""

from __future__ import annotations

import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from types import ModuleType

import pytest
from unit.pivot.harness import Site, load_pivot, subreaper


@pytest.fixture(scope="session")
def module() -> ModuleType:
    """The pivot as a package, for its pure functions."""
    return load_pivot()


@pytest.fixture
def site(tmp_path: pathlib.Path) -> Iterator[Site]:
    """A scratch app; afterwards nothing of it may be left, neither process nor socket."""
    # a unix socket's path may have 107 characters, and tmp_path has most of them
    run_dir = pathlib.Path(tempfile.mkdtemp(prefix="pivot-"))
    root = tmp_path / "srv" / "shop"
    (root / "releases").mkdir(parents=True)
    with subreaper():
        site = Site(root, run_dir, tmp_path)
        try:
            yield site
            complaints = site.finish()
        finally:
            site.abandon()
            shutil.rmtree(run_dir, ignore_errors=True)
    assert not complaints, "\n".join(complaints)
