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
from ansible_collections.twelvefactor.deploy.plugins.module_utils._build import wheel as build_wheel
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError

LOCK = f"{build_wheel.FOLDER}/{build_wheel.LOCK}"
PROCFILE = f"{build_wheel.FOLDER}/{build_wheel.PROCFILE}"
ORIGIN = f"{build_wheel.FOLDER}/{build_wheel.ORIGIN}"
FILES = {LOCK: "a==1 --hash=sha256:00\n", PROCFILE: "web: gunicorn shöp\n"}
WHEN = 1_772_600_768  # 2026-03-04 05:06:08 UTC


def test_what_is_embedded_is_read_back(make_wheel: Any, tmp_path: pathlib.Path) -> None:
    source, target = make_wheel(), tmp_path / "shop-1.0-py3-none-any.whl"
    digest = build_wheel.embed(source, target, FILES, WHEN)
    assert digest == hashlib.sha256(target.read_bytes()).hexdigest()
    assert build_wheel.read_build(target, target.name) == (FILES[LOCK], FILES[PROCFILE])
    assert build_wheel.read_build(source, source.name) == (None, None)


def test_either_form_of_a_lock_is_read(make_wheel: Any) -> None:
    wheel = make_wheel(carries={build_wheel.PYLOCK: "lock-version = '1.0'\n"})
    with wheel.open("rb") as file:
        assert build_wheel.read_build(file, wheel.name) == ("lock-version = '1.0'\n", None)


def test_same_wheel_and_files_give_the_same_bytes(make_wheel: Any, tmp_path: pathlib.Path) -> None:
    source, first, second = make_wheel(), tmp_path / "1.whl", tmp_path / "2.whl"
    build_wheel.embed(source, first, FILES, WHEN)
    build_wheel.embed(source, second, FILES, WHEN)
    assert first.read_bytes() == second.read_bytes()
    build_wheel.embed(first, second, FILES, WHEN)  # what is embedded already changes nothing
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in tmp_path.glob("*.whl*")) == ["1.whl", "2.whl"]


def test_other_files_take_the_place_of_the_first(make_wheel: Any, tmp_path: pathlib.Path) -> None:
    first, second = tmp_path / "1.whl", tmp_path / "2.whl"
    build_wheel.embed(make_wheel(), first, FILES, WHEN)
    build_wheel.embed(first, second, {**FILES, LOCK: "b==2\n"}, WHEN)
    assert build_wheel.read_build(second, second.name) == ("b==2\n", FILES[PROCFILE])


def test_order_and_times(make_wheel: Any, tmp_path: pathlib.Path) -> None:
    target = tmp_path / "1.whl"
    build_wheel.embed(make_wheel(), target, FILES, WHEN)
    with zipfile.ZipFile(target) as archive:
        members = archive.infolist()
    info = "shop-1.0.dist-info"
    assert [member.filename for member in members] == [
        "shop.py",
        f"{info}/METADATA",
        f"{info}/WHEEL",
        f"{info}/twelvefactor/Procfile",
        f"{info}/twelvefactor/requirements.txt",
        f"{info}/RECORD",
    ]
    assert {member.date_time for member in members} == {(2026, 3, 4, 5, 6, 8)}


def rewritten(wheel: pathlib.Path, order: int, mode: int, when: tuple[int, ...]) -> pathlib.Path:
    """The same wheel as another machine would have made it."""
    target = wheel.with_name(f"{order}{mode:o}-{wheel.name}")
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(target, "w") as new:
        record = next(name for name in old.namelist() if name.endswith("RECORD"))
        for name in sorted(old.namelist())[::order]:
            entry = zipfile.ZipInfo(name, when)  # type: ignore[arg-type]
            entry.external_attr = mode << 16
            lines = old.read(name).splitlines(keepends=True)
            new.writestr(entry, b"".join(lines[::order] if name == record else lines))
    return target


def test_clock_umask_and_order_of_the_builder_do_not_count(
    make_wheel: Any, tmp_path: pathlib.Path
) -> None:
    wheel = make_wheel()
    here = rewritten(wheel, 1, 0o100644, (2026, 1, 1, 0, 0, 0))
    there = rewritten(wheel, -1, 0o100600, (2020, 2, 2, 2, 2, 2))
    assert here.read_bytes() != there.read_bytes()
    first = build_wheel.embed(here, tmp_path / "1.whl", FILES, WHEN)
    assert first == build_wheel.embed(there, tmp_path / "2.whl", FILES, WHEN)
    assert first != build_wheel.embed(here, tmp_path / "3.whl", FILES, WHEN + 2)


def test_times_that_no_archive_can_hold(make_wheel: Any, tmp_path: pathlib.Path) -> None:
    build_wheel.embed(make_wheel(), tmp_path / "1.whl", FILES, 0)
    with zipfile.ZipFile(tmp_path / "1.whl") as archive:
        assert archive.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)


@pytest.mark.parametrize(
    ("text", "commit"),
    [
        (build_wheel.format_origin("0123abc"), "0123abc"),
        (build_wheel.format_origin("0123abc-dirty"), "0123abc-dirty"),
        (build_wheel.format_origin(None), None),
        ("", None),
        ("{", None),
        ("[]", None),
        ('{"commit": 1}', None),
        ('{"commit": ""}', None),
        ('{"commit": "a\\nb"}', None),
    ],
)
def test_commit(text: str, commit: str | None, make_wheel: Any, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "1.whl"
    build_wheel.embed(make_wheel(), path, {ORIGIN: text}, WHEN)
    assert build_wheel.read_commit(path, path.name) == commit


def test_wheel_of_somebody_else_has_no_commit(make_wheel: Any) -> None:
    wheel = make_wheel()
    assert build_wheel.read_commit(wheel, wheel.name) is None


def test_wheel_unpack_finds_every_hash_right(make_wheel: Any, tmp_path: pathlib.Path) -> None:
    pytest.importorskip("wheel")
    target = tmp_path / "shop-1.0-py3-none-any.whl"
    build_wheel.embed(make_wheel(), target, FILES, WHEN)
    command = [
        sys.executable,
        "-m",
        "wheel",
        "unpack",
        "--dest",
        str(tmp_path / "out"),
        str(target),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "out" / "shop-1.0" / "shop-1.0.dist-info" / "twelvefactor"
    assert (folder / "Procfile").read_text() == FILES[PROCFILE]


def broken(tmp_path: pathlib.Path, *names: str) -> pathlib.Path:
    path = tmp_path / "x.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return path


@pytest.mark.parametrize(
    ("names", "words"),
    [
        pytest.param(["shop.py"], "x.whl is not a valid wheel: it has 0 .dist-info folders", id="none"),
        pytest.param(
            ["a-1.dist-info/METADATA", "b-1.dist-info/METADATA"],
            "x.whl is not a valid wheel: it has 2 .dist-info folders",
            id="two",
        ),
    ],
)
def test_no_wheel(names: list[str], words: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(DeployError, match=words):
        build_wheel.read_build(broken(tmp_path, *names), "x.whl")


def test_no_archive(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "x.whl"
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(DeployError, match=r"x\.whl is not a valid wheel: File is not a zip file"):
        build_wheel.read_build(path, path.name)


def test_a_member_that_begins_before_the_file(make_wheel: Any, tmp_path: pathlib.Path) -> None:
    path = make_wheel()
    data = bytearray(path.read_bytes())
    data[-4] += 1  # the archive's directory is said to stand 64 KiB further on
    path.write_bytes(data)
    with pytest.raises(DeployError, match=r"is not a valid wheel: .*Invalid argument"):
        build_wheel.embed(path, tmp_path / "shop.whl", FILES, WHEN)


@pytest.mark.parametrize(
    ("record", "words"),
    [(None, r"it has no shop-1\.0\.dist-info/RECORD"), ("a" * 140_000, "RECORD: field larger")],
)
def test_a_record_that_is_none(record: str | None, words: str, tmp_path: pathlib.Path) -> None:
    path = broken(tmp_path, "shop-1.0.dist-info/METADATA")
    if record:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("shop-1.0.dist-info/RECORD", record)
    with pytest.raises(DeployError, match=rf"x\.whl is not a valid wheel: .*{words}"):
        build_wheel.embed(path, tmp_path / "shop.whl", FILES, WHEN)


def test_lock_that_is_too_large(
    make_wheel: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_wheel, "LARGEST_MEMBER", 10)
    with pytest.raises(DeployError, match=r"requirements\.txt in .* is larger than 10 bytes"):
        build_wheel.read_build(make_wheel(carries={build_wheel.LOCK: FILES[LOCK]}), "shop")


def test_embedding_that_fails_leaves_the_target(make_wheel: Any, tmp_path: pathlib.Path) -> None:
    target = tmp_path / "shop.whl"
    target.write_bytes(b"old")
    with pytest.raises(DeployError):
        build_wheel.embed(broken(tmp_path, "x"), target, FILES, WHEN)
    assert target.read_bytes() == b"old"
