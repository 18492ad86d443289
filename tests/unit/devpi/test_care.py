# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that care for the index's data: what they decide, and a backup of a real database."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import pathlib
import re
import socket
import sqlite3
import stat
import subprocess
import sys
import types
import zipfile
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement
from unit.devpi.conftest import PASSWORD, Devpi
from unit.trickling import TRICKLES, trickling

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
LIBRARY = REPOSITORY / "roles" / "devpi" / "files" / "opt" / "devpi" / "lib"
A, B = "a" * 64, "b" * 64


def program(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"devpi_{name}", LIBRARY / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for annotations
    # The role copies that directory: a scenario that runs meanwhile would find another file there.
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


backup, clean, refresh, restore = (
    program(name) for name in ("backup", "clean", "refresh", "restore")
)
PLATFORMS = ["manylinux_2_17_x86_64", "linux_x86_64"]


# --- clean ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "needed", "gone"),
    [
        (60, [], []),
        (59, [], ["old"]),
        (50, [], ["old"]),
        (49, [], ["old", "middle"]),
        (0, [], ["old", "middle", "new"]),
        (49, ["old"], ["middle"]),
        (0, ["old", "new"], ["middle"]),
    ],
)
def test_the_longest_unused_goes_first(limit: int, needed: list[str], gone: list[str]) -> None:
    files = [clean.File("new", 30, 3.0), clean.File("old", 10, 1.0), clean.File("middle", 20, 2.0)]
    found = clean.superfluous(files, frozenset(needed), limit)
    assert [file.path for file in found] == gone


# --- refresh -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        (
            "requirements.txt",
            f"""# made by uv
six==1.17.0 \\
    --hash=sha256:{A} \\
    --hash=sha256:{B}
    # via -r in
uWSGI==2.0 ; python_version < '4'
--index-url x
# reviewed \\
flask==3.1 --hash=sha256:{A}  # --hash=sha256:{B}
""",
            [("six", {A, B}), ("uWSGI", set()), ("flask", {A})],
        ),
        (
            "pylock.toml",
            f"""[[packages]]
name = "six"
wheels = [{{hashes = {{sha256 = "{A}"}}}}, {{}}]
[[packages]]
name = "sdist-only"
""",
            [("six", {A}), ("sdist-only", set())],
        ),
        ("requirements.txt", "", []),
    ],
)
def test_what_a_lock_names(name: str, text: str, found: list[tuple[str, set[str]]]) -> None:
    assert list(refresh.requirements_of(name, text)) == found


@pytest.mark.parametrize(
    ("filename", "fits"),
    [
        ("six-1.17.0-py2.py3-none-any.whl", True),
        ("x-1.0-cp313-cp313-manylinux_2_17_x86_64.whl", True),
        ("x-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", False),
        ("x-1.0-cp39-abi3-manylinux_2_17_x86_64.whl", True),
        ("x-1.0-cp313-cp313-win_amd64.whl", False),
        ("x-1.0-cp313-cp313-musllinux_1_2_x86_64.whl", False),
        ("x-1.0.tar.gz", False),
        ("nonsense.whl", False),
    ],
)
def test_what_a_host_can_install(filename: str, fits: bool) -> None:
    assert refresh.fits(filename, refresh.tags_for(["3.13"], PLATFORMS)) is fits


@pytest.mark.parametrize(
    ("requirement", "found"),
    [
        ("x", ["x-2.0-py3-none-any.whl"]),
        ("x<2", ["x-1.10-py3-none-any.whl"]),
        ("x>=3.0rc1", ["x-3.0rc1-py3-none-any.whl"]),
        ("x>9", []),
    ],
)
def test_the_newest_that_is_asked_for(requirement: str, found: list[str]) -> None:
    links = [
        refresh.Link(f"x-{version}-py3-none-any.whl", f"/{version}", A)
        for version in ("1.9", "2.0", "1.10", "3.0rc1")
    ]
    tags = refresh.tags_for(["3.13"], PLATFORMS)
    newest = refresh.newest(links, Requirement(requirement), tags)
    assert [link.filename for link in newest] == found


def test_the_newest_builds() -> None:
    names = ["1.9-py3", "1.10-py3", "1.10-py2", "0.1-py3"]
    links = [refresh.Link(f"x-{name}-none-any.whl", "/", A) for name in names]
    links.append(refresh.Link("x-5.tar.gz", "/", A))
    found = [link.filename for link in refresh.newest_builds(links, 2)]
    assert found == [f"x-{name}-none-any.whl" for name in names[:3]]


@pytest.mark.xdist_group("devpi")
def test_the_index_is_asked_over_its_socket(
    devpi: Devpi, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    path = tmp_path / "mirror.json"
    names = {name: str(tmp_path) for name in ("server", "needed", "requirements_index")}
    lists: dict[str, list[str]] = {"indexes": [], "requirements": [], "pythons": []}
    config = {"url": devpi.url, "user": "root", "password": PASSWORD, "builds": 3}
    path.write_text(json.dumps({**names, **lists, **config}))
    asked = refresh.log_in(refresh.Config.read(path))
    assert refresh.own_projects(asked, "root/pypi") == []
    assert refresh.links_of(asked, "root/none", "shop") == []


# --- backup --------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: pathlib.Path) -> pathlib.Path:
    home = tmp_path / "server"
    (home / "+files" / "root").mkdir(parents=True)
    (home / "+files" / "root" / "x.whl").write_text("x")
    (home / "+files" / "root" / "y.whl-0123456789abcdef-tmp").write_text("half")
    (home / ".nodeinfo").write_text("{}")
    with sqlite3.connect(home / ".sqlite") as database:
        database.execute("CREATE TABLE t (n)")
    return home


def test_a_backup_is_complete_and_the_oldest_go(
    server: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    backups = tmp_path / "backups"
    for name in ("20250101T000000Z", "20250102T000000Z", "20250103T000000Z.part"):
        (backups / name).mkdir(parents=True)
    said = backup.back_up(server, backups, keep=2)
    assert said.endswith("the database and 1 files")
    old, new = backup.snapshots(backups)
    assert old.name == "20250102T000000Z"
    assert sorted(path.name for path in backups.iterdir()) == [old.name, new.name]
    assert (new / "+files" / "root" / "x.whl").read_text() == "x"
    assert not list(new.rglob("*-tmp"))
    assert (new / ".nodeinfo").read_text() == "{}"
    with sqlite3.connect(new / ".sqlite") as database:
        assert database.execute("SELECT count(*) FROM t").fetchone() == (0,)
    assert new.stat().st_mode & 0o777 == 0o700


def test_an_index_without_data_is_not_backed_up(tmp_path: pathlib.Path) -> None:
    (tmp_path / "backups").mkdir()
    (tmp_path / "server").mkdir()
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        backup.back_up(tmp_path / "server", tmp_path / "backups", keep=2)
    assert backup.snapshots(tmp_path / "backups") == []


# --- one index -----------------------------------------------------------------------------------


def test_no_second_index_beside_the_first_anywhere() -> None:
    """An installer takes the highest version of either, whoever put it there."""
    option = "extra" + "-index-url"
    names = [option, option.replace("-", "_"), option.replace("-", "_").upper()]
    search = ["git", "grep", "--files-with-matches", *(f"-e{name}" for name in names)]
    # Where it is dropped from the environment, and the tests of its being refused.
    dropped = ("module_utils/_publish/isolation", "module_utils/_publish/toolchain")
    search += ["--", *(f":!plugins/{name}.py" for name in dropped), ":!tests/unit"]
    result = subprocess.run(search, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert result.returncode in (0, 1), result.stderr
    assert result.stdout == ""


# --- locks that anybody may have uploaded ---------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "packages = 7",
        "packages = [1]",
        "[[packages]]\nversion = '1'",
        "[[packages]]\nname = 7",
        "this is none",
        "a = " + "[" * 100_000,
    ],
)
def test_a_lock_of_another_form_names_nothing(text: str) -> None:
    assert list(refresh.requirements_of("pylock.toml", text)) == []


@pytest.mark.parametrize("wheels", ["7", "[7]", "[{hashes = 7}]", "[{hashes = {sha256 = 7}}]"])
def test_a_package_without_hashes_allows_none(wheels: str) -> None:
    text = f"[[packages]]\nname = 'flask'\nwheels = {wheels}\n"
    assert list(refresh.requirements_of("pylock.toml", text)) == [("flask", frozenset())]


def carrying(lock: bytes, more: str = "shop.py") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("shop-1.0.dist-info/twelvefactor/requirements.txt", lock)
        archive.writestr(more, b"")
    return made.getvalue()


def test_a_lock_that_unpacks_to_too_much_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refresh.locks_of(carrying(b"flask==1\xff")) == [("requirements.txt", "flask==1\ufffd")]
    monkeypatch.setattr(refresh, "LARGEST_LOCK", 1000)
    assert refresh.locks_of(carrying(b"x" * 1001)) == []


@pytest.mark.parametrize(("at_once", "letter"), TRICKLES.values(), ids=TRICKLES)
def test_a_server_that_trickles(
    monkeypatch: pytest.MonkeyPatch, at_once: bytes, letter: bytes
) -> None:
    monkeypatch.setattr(refresh, "LONGEST", 0.5)
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    config = types.SimpleNamespace(url=url, login={})
    with (
        trickling(listening, at_once, letter),
        pytest.raises(OSError, match=r"not done within 0\.5 s"),
    ):
        refresh.fetch(config, f"{url}/x")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK this is none", "File is not a zip file"),
        # a name that says it is UTF-8
        (
            carrying(b"", more="\u00e9").replace("\u00e9".encode(), b"\xc3("),
            "'utf-8' codec can't decode byte 0xc3 in position 0: invalid continuation byte",
        ),
    ],
)
def test_a_wheel_that_is_none_does_not_stop_the_rest(
    monkeypatch: pytest.MonkeyPatch, content: bytes, message: str
) -> None:
    monkeypatch.setattr(refresh, "fetch", lambda _config, _url: content)
    config = types.SimpleNamespace(url="http://index")
    link = refresh.Link("shop-1.0-py3-none-any.whl", "/x", "")
    broken: list[str] = []
    assert list(refresh.locks_in(config, link, broken)) == []
    assert broken == [f"shop-1.0-py3-none-any.whl, whose lock cannot be read: {message}"]


def test_what_a_broken_wheel_needed_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    def needed(_config: Any, _tags: Any, broken: list[str]) -> Any:
        broken.append("shop-1.0.whl, whose lock cannot be read")
        return [refresh.Link("new.whl", "/new.whl", "")]

    (tmp_path / "needed.txt").write_text("old.whl\n")
    config = types.SimpleNamespace(url="", needed=tmp_path / "needed.txt", pythons=())
    monkeypatch.setattr(refresh.Config, "read", staticmethod(lambda _path: config))
    monkeypatch.setattr(refresh, "log_in", lambda config: config)
    monkeypatch.setattr(refresh, "needed", needed)
    monkeypatch.setattr(refresh, "mirrored", lambda _config, _link: True)
    with pytest.raises(SystemExit, match=r"shop-1\.0\.whl, whose lock cannot be read"):
        refresh.main("x")
    assert (tmp_path / "needed.txt").read_text() == "new.whl\nold.whl\n"


# --- restore -------------------------------------------------------------------------------------


@pytest.fixture
def snapshot(tmp_path: pathlib.Path) -> pathlib.Path:
    """A backup, as backup.py leaves it."""
    made = tmp_path / "20260102T030405Z"
    (made / "+files" / "root" / "pypi").mkdir(parents=True)
    (made / "+files" / "root" / "pypi" / "x.whl").write_bytes(b"wheel")
    (made / ".sqlite").write_bytes(b"database")
    os.utime(made / ".sqlite", ns=(1, 2))
    return made


@pytest.fixture
def put_back(
    tmp_path: pathlib.Path, snapshot: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], pathlib.Path]:
    """Restore the backup, in the place of an older index."""
    server = tmp_path / "lib" / "server"
    server.mkdir(parents=True)
    (server / "old").touch()
    owners = restore.Owners(os.geteuid(), os.getegid(), os.getegid())
    monkeypatch.setattr(restore.Owners, "here", classmethod(lambda _cls: owners))
    monkeypatch.setattr(restore, "check", lambda _server: None)

    def run() -> pathlib.Path:
        restore.main(str(snapshot), str(server))
        return server

    return run


def test_restore(put_back: Any, tmp_path: pathlib.Path) -> None:
    before = os.umask(0o077)
    try:
        server = put_back()
    finally:
        os.umask(before)
    modes = {
        str(path.relative_to(server)): oct(stat.S_IMODE(path.stat().st_mode))
        for path in [server, *server.rglob("*")]
    }
    assert modes == {
        ".": "0o751",
        ".sqlite": "0o640",
        "+files": "0o2750",
        "+files/root": "0o2750",
        "+files/root/pypi": "0o2750",
        "+files/root/pypi/x.whl": "0o640",
    }
    assert (server / ".sqlite").stat().st_mtime_ns == 2
    [replaced] = [path for path in (tmp_path / "lib").iterdir() if path != server]
    assert replaced.name.startswith("server.replaced-")
    assert (replaced / "old").exists()


def link(place: pathlib.Path) -> None:
    place.symlink_to("/etc/shadow")


def directory_link(place: pathlib.Path) -> None:
    place.symlink_to("/etc")


@pytest.mark.parametrize("make", [link, directory_link, os.mkfifo])
@pytest.mark.parametrize("name", ["+files/root/pypi/y.whl", "+files/root/y", ".sqlite-wal"])
def test_a_backup_that_leads_elsewhere_is_refused(
    put_back: Any, snapshot: pathlib.Path, tmp_path: pathlib.Path, make: Any, name: str
) -> None:
    make(snapshot / name)
    with pytest.raises(SystemExit, match=re.escape(f"restore: {name} in the backup is ")):
        put_back()
    assert [path.name for path in (tmp_path / "lib").iterdir()] == ["server"]
    assert (tmp_path / "lib" / "server" / "old").exists()


@pytest.mark.parametrize("name", ["", ".sqlite"])
def test_a_backup_that_is_a_link_is_refused(
    put_back: Any, snapshot: pathlib.Path, tmp_path: pathlib.Path, name: str
) -> None:
    place = snapshot / name
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SystemExit, match="is a link"):
        put_back()
