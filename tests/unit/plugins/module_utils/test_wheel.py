# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A wheel that carries its lock and its Procfile."""

from __future__ import annotations

import hashlib
import pathlib
import subprocess
import sys
import zipfile
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils import _wheel
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release import ReleaseError

FILES = {_wheel.LOCK: "a==1 --hash=sha256:00\n", _wheel.PROCFILE: "web: gunicorn shöp\n"}


def test_what_is_embedded_is_read_back(make_wheel: Any, tmp_path: pathlib.Path) -> None:
    source, target = make_wheel(), tmp_path / "shop-1.0-py3-none-any.whl"
    digest = _wheel.embed(source, target, FILES)
    assert digest == hashlib.sha256(target.read_bytes()).hexdigest()
    assert _wheel.read_build(target, target.name) == (FILES[_wheel.LOCK], FILES[_wheel.PROCFILE])
    assert _wheel.read_build(source, source.name) == (None, None)


def test_either_form_of_a_lock_is_read(make_wheel: Any) -> None:
    wheel = make_wheel(carries={_wheel.PYLOCK: "lock-version = '1.0'\n"})
    with wheel.open("rb") as file:
        assert _wheel.read_build(file, wheel.name) == ("lock-version = '1.0'\n", None)


def test_same_wheel_and_files_give_the_same_bytes(make_wheel: Any, tmp_path: pathlib.Path) -> None:
    source, first, second = make_wheel(), tmp_path / "1.whl", tmp_path / "2.whl"
    _wheel.embed(source, first, FILES)
    _wheel.embed(source, second, FILES)
    assert first.read_bytes() == second.read_bytes()
    _wheel.embed(first, second, FILES)  # what is embedded already changes nothing
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in tmp_path.glob("*.whl*")) == ["1.whl", "2.whl"]


def test_other_files_take_the_place_of_the_first(make_wheel: Any, tmp_path: pathlib.Path) -> None:
    first, second = tmp_path / "1.whl", tmp_path / "2.whl"
    _wheel.embed(make_wheel(), first, FILES)
    _wheel.embed(first, second, {**FILES, _wheel.LOCK: "b==2\n"})
    assert _wheel.read_build(second, second.name) == ("b==2\n", FILES[_wheel.PROCFILE])


def test_order_and_times(make_wheel: Any, tmp_path: pathlib.Path) -> None:
    target = tmp_path / "1.whl"
    _wheel.embed(make_wheel(), target, FILES)
    with zipfile.ZipFile(target) as archive:
        members = archive.infolist()
    info = "shop-1.0.dist-info"
    assert [member.filename for member in members] == [
        "shop.py",
        f"{info}/METADATA",
        f"{info}/WHEEL",
        f"{info}/twelvefactor/requirements.txt",
        f"{info}/twelvefactor/Procfile",
        f"{info}/RECORD",
    ]
    assert {member.date_time for member in members} == {(2026, 1, 2, 3, 4, 6)}


def test_wheel_unpack_finds_every_hash_right(make_wheel: Any, tmp_path: pathlib.Path) -> None:
    pytest.importorskip("wheel")
    target = tmp_path / "shop-1.0-py3-none-any.whl"
    _wheel.embed(make_wheel(), target, FILES)
    command = [
        sys.executable,
        "-m",
        "wheel",
        "unpack",
        "--dest",
        str(tmp_path / "out"),
        str(target),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "out" / "shop-1.0" / "shop-1.0.dist-info" / "twelvefactor"
    assert (folder / "Procfile").read_text() == FILES[_wheel.PROCFILE]


def broken(tmp_path: pathlib.Path, *names: str) -> pathlib.Path:
    path = tmp_path / "x.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return path


@pytest.mark.parametrize(
    ("names", "words"),
    [
        pytest.param(["shop.py"], "x.whl is no wheel: it has 0 .dist-info folders", id="none"),
        pytest.param(
            ["a-1.dist-info/METADATA", "b-1.dist-info/METADATA"],
            "x.whl is no wheel: it has 2 .dist-info folders",
            id="two",
        ),
    ],
)
def test_no_wheel(names: list[str], words: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(ReleaseError, match=words):
        _wheel.read_build(broken(tmp_path, *names), "x.whl")


def test_no_archive(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "x.whl"
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(ReleaseError, match=r"x\.whl is no wheel: File is not a zip file"):
        _wheel.read_build(path, path.name)


def test_lock_that_is_too_large(
    make_wheel: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_wheel, "LARGEST_MEMBER", 10)
    with pytest.raises(ReleaseError, match=r"requirements\.txt in .* is larger than 10 bytes"):
        _wheel.read_build(make_wheel(carries=FILES), "shop")


def test_embedding_that_fails_leaves_the_target(make_wheel: Any, tmp_path: pathlib.Path) -> None:
    target = tmp_path / "shop.whl"
    target.write_bytes(b"old")
    with pytest.raises(ReleaseError):
        _wheel.embed(broken(tmp_path, "x"), target, FILES)
    assert target.read_bytes() == b"old"
