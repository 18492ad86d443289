# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import stat

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.static_files import (
    StaticFile,
    check_directories,
    decide,
    publish,
    serving_last,
)


@pytest.mark.parametrize(
    "directories",
    [
        pytest.param({"../etc": "static"}, id="target outside"),
        pytest.param({"static": "../../etc"}, id="source outside"),
        pytest.param({"/static": "static"}, id="target absolute"),
        pytest.param({"static": "/etc"}, id="source absolute"),
        pytest.param({"": "static"}, id="no target"),
        pytest.param({"release": "static"}, id="the link"),
        pytest.param({"releases/1": "static"}, id="what it names"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(directories: dict[str, str]) -> None:
    with pytest.raises(DeployError, match="directories: "):
        check_directories(directories)


def test_names_that_lead_nowhere_else_are_taken() -> None:
    check_directories({"static": "shop/static", "media/icons": "icons"})


@pytest.mark.parametrize(
    ("current", "order"),
    [
        pytest.param("1", ["2", "3", "1"], id="an older one serves"),
        pytest.param("3", ["1", "2", "3"], id="the newest serves"),
        pytest.param(None, ["1", "2", "3"], id="none serves yet"),
        pytest.param("0", ["1", "2", "3"], id="one serves that is gone"),
    ],
)
def test_the_one_that_serves_has_the_last_word(current: str | None, order: list[str]) -> None:
    assert serving_last(["1", "2", "3"], current) == order


def file(path: pathlib.Path, content: str, mtime: int) -> StaticFile:
    path.write_text(content)
    os.utime(path, (mtime, mtime))
    status = path.stat()
    return StaticFile(status.st_size, status.st_mtime_ns, path)


@pytest.mark.parametrize(
    ("found", "publishes"),
    [
        pytest.param(("same", 1), False, id="same content and date"),
        pytest.param(("same", 2), False, id="same content, another date"),
        pytest.param(("else", 2), True, id="same length"),
        pytest.param(("longer", 1), True, id="another length"),
    ],
)
def test_a_file_is_written_when_its_content_is_another(
    tmp_path: pathlib.Path, found: tuple[str, int], publishes: bool
) -> None:
    wanted = file(tmp_path / "wanted", "same", 1)
    changes = decide({"a": wanted}, {"a": file(tmp_path / "found", *found)})
    assert changes.publish == (("a",) if publishes else ())
    assert changes.remove == ()


def test_what_is_missing_comes_and_what_no_release_has_goes(tmp_path: pathlib.Path) -> None:
    one = file(tmp_path / "one", "1", 1)
    changes = decide({"new": one, "kept": one}, {"kept": one, "gone": one})
    assert (changes.publish, changes.remove) == (("new",), ("gone",))


def test_a_file_is_published_for_everybody_with_its_date(
    tmp_path: pathlib.Path, home: AppHome
) -> None:
    source = tmp_path / "source"
    file(source, "content", 1_000_000_000)
    source.chmod(0o600)
    before = os.umask(0o077)
    try:
        publish(source, tmp_path / "public/a/b", home)
    finally:
        os.umask(before)
    target = tmp_path / "public/a/b"
    assert (target.read_text(), target.stat().st_mtime) == ("content", 1_000_000_000)
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "public/a").stat().st_mode) == 0o755
    assert os.listdir(tmp_path / "public/a") == ["b"]


@pytest.mark.parametrize(
    ("uid", "gid", "installer", "published"),
    [
        pytest.param(0, 0, 9, True, id="installed by the app's user, as by earlier versions"),
        pytest.param(9, 0, 0, True, id="installed by the installing user"),
        pytest.param(9, 9, 0, False, id="another app's release"),
        pytest.param(9, 0, 8, False, id="somebody else's"),
        pytest.param(9, 0, None, False, id="nobody installs here"),
    ],
)
def test_only_files_of_the_apps_releases_are_published(
    tmp_path: pathlib.Path, uid: int, gid: int, installer: int | None, published: bool
) -> None:
    """The numbers are what is added to those that the file has."""
    source, public = tmp_path / "source", tmp_path / "public"
    source.write_text("content")
    me, group = source.stat().st_uid, source.stat().st_gid
    installs = None if installer is None else me + installer
    home = AppHome("shop", tmp_path, me + uid, group + gid, installs)
    if published:
        publish(source, public, home)
        return
    with pytest.raises(DeployError, match=r"source is not published: .* app's releases"):
        publish(source, public, home)
    assert not public.exists()


def test_a_link_is_not_followed(tmp_path: pathlib.Path, home: AppHome) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "link").symlink_to("secret")
    with pytest.raises(OSError, match="symbolic links"):
        publish(tmp_path / "link", tmp_path / "public", home)
    assert not (tmp_path / "public").exists()
