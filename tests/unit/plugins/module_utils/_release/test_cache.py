# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The installer's cache: only what nobody else can have written is used."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import stat

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.cache import (
    UNTRUSTED,
    make_cache,
    trusted,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome

DIRECTORY, FILE, LINK = stat.S_IFDIR, stat.S_IFREG, stat.S_IFLNK


@pytest.mark.parametrize(
    ("mode", "uid", "trust"),
    [
        pytest.param(DIRECTORY | 0o700, 7, True, id="the installing user's"),
        pytest.param(DIRECTORY | 0o750, 7, True, id="readable for the group"),
        pytest.param(DIRECTORY | 0o700, 8, False, id="the app's, of an earlier version"),
        pytest.param(DIRECTORY | 0o770, 7, False, id="writable for the group"),
        pytest.param(DIRECTORY | 0o702, 7, False, id="writable for others"),
        pytest.param(LINK | 0o777, 7, False, id="a link"),
        pytest.param(FILE | 0o600, 7, False, id="a file"),
    ],
)
def test_trusted(mode: int, uid: int, trust: bool) -> None:
    assert trusted(os.stat_result((mode, 1, 1, 1, uid, 0, 0, 0, 0, 0)), 7) is trust


@pytest.mark.usefixtures("strict_umask")
def test_a_cache_is_made_and_kept(home: AppHome) -> None:
    assert make_cache(home) == []
    assert stat.S_IMODE(home.cache.stat().st_mode) == 0o700
    (home.cache / "uv").mkdir()
    assert make_cache(home) == []
    assert (home.cache / "uv").is_dir()


def test_what_the_app_can_have_written_is_removed(home: AppHome, tmp_path: pathlib.Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    home.cache.mkdir()
    home.cache.chmod(0o770)
    (home.cache / "uv").symlink_to(outside)
    deep = home.cache
    for _ in range(200):
        deep /= "d"
        deep.mkdir()
    assert make_cache(home) == []
    assert os.listdir(home.cache) == []
    assert (outside / "kept").exists()
    assert sorted(os.listdir(home.root)) == ["cache", "releases"]


def test_a_link_in_its_place_is_not_followed(home: AppHome, tmp_path: pathlib.Path) -> None:
    (tmp_path / "outside").mkdir(mode=0o755)
    home.cache.symlink_to(tmp_path / "outside")
    make_cache(home)
    assert not home.cache.is_symlink()
    assert stat.S_IMODE((tmp_path / "outside").stat().st_mode) == 0o755


def test_what_an_interrupted_run_moved_away_is_removed(home: AppHome) -> None:
    (home.root / f"{UNTRUSTED}x" / "cache").mkdir(parents=True)
    assert make_cache(home) == []
    assert sorted(os.listdir(home.root)) == ["cache", "releases"]


def test_a_host_without_the_installing_user(home: AppHome) -> None:
    with pytest.raises(
        DeployError, match=r"no user 'twelvefactor-install', .* run the role app_user"
    ):
        make_cache(dataclasses.replace(home, installer=None))
    assert not home.cache.exists()
