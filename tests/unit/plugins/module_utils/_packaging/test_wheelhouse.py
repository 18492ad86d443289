# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wheels in a directory or a tarball."""

from __future__ import annotations

import hashlib
import io
import os
import pathlib
import stat
import tarfile
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import Pin
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.wheelhouse import (
    Wheelhouse,
)

SHOP, FLASK = Pin("shop", "1.0", ()), Pin("flask", "3.1", ())


def tarball(path: pathlib.Path, mode: str, *wheels: pathlib.Path) -> pathlib.Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for wheel in wheels:
            archive.add(wheel, f"./{wheel.parent.name}/{wheel.name}")
    return path


@pytest.fixture(params=["directory", "deep", "w", "w:gz", "w:xz"])
def house(request: Any, make_wheel: Any, tmp_path: pathlib.Path) -> Wheelhouse:
    wheels = [make_wheel(), make_wheel("flask", "3.1"), make_wheel("flask", "3.0")]
    if request.param == "directory":
        return Wheelhouse(str(wheels[0].parent))
    if request.param == "deep":
        return Wheelhouse(str(tmp_path))
    return Wheelhouse(str(tarball(tmp_path / "house.tar", request.param, *wheels)))


def test_find_and_read(house: Wheelhouse) -> None:
    found = house.find("Shop", "1.0")
    assert found.name == "shop-1.0-py3-none-any.whl"
    assert hashlib.sha256(house.read(found)).hexdigest() == found.sha256


@pytest.mark.usefixtures("strict_umask")
def test_unpack(house: Wheelhouse, tmp_path: pathlib.Path) -> None:
    """What the lock names, readable for the app's group and nobody else."""
    house.require([SHOP, FLASK])
    target = tmp_path / "release" / "wheels"
    target.parent.mkdir()
    house.unpack([SHOP, FLASK], target, os.getegid())
    assert sorted(path.name for path in target.iterdir()) == [
        "flask-3.1-py3-none-any.whl", "shop-1.0-py3-none-any.whl",
    ]  # fmt: skip
    assert {stat.S_IMODE(path.stat().st_mode) for path in target.iterdir()} == {0o640}
    assert stat.S_IMODE(target.stat().st_mode) == 0o750


def test_version_that_is_not_there(house: Wheelhouse) -> None:
    with pytest.raises(DeployError) as caught:
        house.find("flask", "9.9")
    assert str(caught.value) == (
        f"There is no wheel of flask 9.9 at {house.shown}; it has 3.0, 3.1. Put it in there."
    )


def test_wheels_that_are_not_there(house: Wheelhouse) -> None:
    with pytest.raises(DeployError, match=r"has no wheel of a 1, b 2, which the lock file names"):
        house.require([Pin("a", "1", ()), SHOP, Pin("b", "2", ())])


def test_of_two_files_of_one_name_the_first_counts(make_wheel: Any, tmp_path: pathlib.Path) -> None:
    first = make_wheel()
    house = tmp_path / "house"
    for folder in ("a", "b"):
        (house / folder).mkdir(parents=True)
        (house / folder / first.name).write_bytes(first.read_bytes() + folder.encode())
    there = Wheelhouse(str(house))
    found = there.find("shop", "1.0")
    expected = first.read_bytes() + b"a"
    assert hashlib.sha256(expected).hexdigest() == found.sha256
    assert there.read(found) == expected
    there.unpack([SHOP], tmp_path / "unpacked", os.getegid())
    assert (tmp_path / "unpacked" / first.name).read_bytes() == expected


def test_names_are_never_paths(make_wheel: Any, tmp_path: pathlib.Path) -> None:
    """Nor are links and devices of a tarball followed."""
    data = make_wheel().read_bytes()
    path = tmp_path / "house.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind in (("../../shop-1.0-py3-none-any.whl", tarfile.REGTYPE),
                           ("/etc/flask-3.1-py3-none-any.whl", tarfile.SYMTYPE)):  # fmt: skip
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            member.size = len(data) if kind == tarfile.REGTYPE else 0
            archive.addfile(member, io.BytesIO(data) if member.size else None)
    target = tmp_path / "unpacked"
    Wheelhouse(str(path)).unpack([SHOP, FLASK], target, os.getegid())
    assert [child.name for child in target.iterdir()] == ["shop-1.0-py3-none-any.whl"]
    assert not (tmp_path.parent / "shop-1.0-py3-none-any.whl").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "The wheelhouse .* does not exist"),
        (b"", "is neither a directory nor a tarball"),
        (b"no tarball", "is neither a directory nor a tarball"),
        (b"cut off", "is neither a directory nor a tarball"),
    ],
    ids=["missing", "empty", "text", "cut-off"],
)
def test_no_wheelhouse(
    content: bytes | None, words: str, make_wheel: Any, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "house.tar.gz"
    if content == b"cut off":
        tarball(path, "w:gz", make_wheel())
        content = path.read_bytes()[:300]
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DeployError, match=words):
        Wheelhouse(str(path)).find("shop", "1.0")
