# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An app's releases on a disk."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import pathlib
import pwd
import resource
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release import (
    home as release_home,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.config import format_env
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.difference import (
    Contents,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.record import Record

A, B, C = "1.0-aaaaaaaa", "2.0-bbbbbbbb", "3.0-cccccccc"


def put(home: AppHome, release: str, at: str = "2026-01-01", env: str = "") -> pathlib.Path:
    path = home.releases / release
    path.mkdir()
    (path / "env").write_bytes(env.encode())
    manifest = {
        "installed_at": at,
        "packages": {"a": "1"},
        "commands": {"web": "x"},
        "python": "3.13.5",
    }
    (path / "release.json").write_text(json.dumps(manifest))
    return path


def test_app_without_a_user() -> None:
    with pytest.raises(DeployError, match="no user 'no-such-app'; run the role app_user"):
        AppHome.of("no-such-app")


def test_app_without_a_directory(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DeployError, match="root/releases is missing; run the role app_user"):
        AppHome.of("root", str(tmp_path))


def test_app_that_is_only_foreseen(tmp_path: pathlib.Path) -> None:
    """As in check mode on a host that has nothing yet: no releases, no lock, nothing to read."""
    home = AppHome.of("no-such-app", str(tmp_path), foreseen=True)
    assert not home.exists
    with home.locked():
        assert home.installed() == home.unfinished() == home.records() == []
        assert (
            home.current()
            is home.contents(A)
            is home.manifest(A)
            is home.rollback_target(A)
            is None
        )
    assert (home.uid, home.gid) == (65534, 65534)
    (tmp_path / "root" / "releases").mkdir(parents=True)
    assert AppHome.of("root", str(tmp_path), foreseen=True).uid == 0
    (tmp_path / "no-such-app" / "releases").mkdir(parents=True)
    with pytest.raises(DeployError, match="no user 'no-such-app'"):
        AppHome.of("no-such-app", str(tmp_path), foreseen=True)


def test_flush(home: AppHome) -> None:
    put(home, A)
    home.flush(A)
    with pytest.raises(FileNotFoundError):
        home.flush(B)


def test_app(tmp_path: pathlib.Path) -> None:
    (tmp_path / "root" / "releases").mkdir(parents=True)
    home = AppHome.of("root", str(tmp_path))
    assert home == AppHome("root", tmp_path / "root", 0, 0, home.installer)
    assert (home.identity.uid, home.identity.gid) == (0, 0)


def test_who_installs(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking at releases needs no such user, and check mode may be about to get one."""
    (tmp_path / "root" / "releases").mkdir(parents=True)
    monkeypatch.setattr("pwd.getpwnam", accounts("root"))
    with pytest.raises(
        DeployError, match=r"no user 'twelvefactor-install', .* run the role app_user"
    ):
        _ = AppHome.of("root", str(tmp_path)).installing
    assert AppHome.of("root", str(tmp_path), foreseen=True).installing.uid == 65534
    monkeypatch.setattr("pwd.getpwnam", accounts("root", "twelvefactor-install"))
    assert AppHome.of("root", str(tmp_path)).installing.uid == 1
    assert AppHome.of("root", str(tmp_path)).installing.gid == 0


def accounts(*names: str) -> Callable[[str], pwd.struct_passwd]:
    """Their uids and gids count from 0."""

    def getpwnam(name: str) -> pwd.struct_passwd:
        if name not in names:
            raise KeyError(name)
        number = names.index(name)
        return pwd.struct_passwd((name, "x", number, number, "", "/", "/bin/sh"))

    return getpwnam


@contextlib.contextmanager
def flocked_elsewhere(path: pathlib.Path, how: str) -> Iterator[None]:
    """Another process holds a lock on a file or a directory."""
    script = (
        "import fcntl, os, sys\n"
        "handle = os.open(sys.argv[1], os.O_RDONLY)\n"
        f"fcntl.flock(handle, fcntl.{how})\n"
        "print('locked', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        yield
        other.communicate(timeout=120)


def test_lock_keeps_a_second_process_out(home: AppHome, flocks: pathlib.Path) -> None:
    with home.locked():
        pass
    with (
        flocked_elsewhere(flocks / "shop-releases", "LOCK_EX"),
        pytest.raises(DeployError, match="Another run is working on the releases of shop"),
    ):
        home.locked().__enter__()
    with home.locked():
        pass


@pytest.mark.parametrize("how", ["LOCK_SH", "LOCK_EX"])
def test_an_app_that_locks_its_own_directory_keeps_nobody_out(home: AppHome, how: str) -> None:
    with flocked_elsewhere(home.root, how), home.locked():
        pass


def test_pivots_see_the_lock(home: AppHome) -> None:
    handle = os.open(home.root, os.O_RDONLY)
    try:
        with home.locked(), pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    finally:
        os.close(handle)


@pytest.mark.parametrize("umask", [0, 0o077])
def test_nobody_else_can_open_the_lock(home: AppHome, flocks: pathlib.Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with home.locked():
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((flocks / "shop-releases").stat().st_mode) == 0o600
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (flocks.parent, flocks)]
    assert modes == [0o755, 0o700]


def test_the_lock_is_no_link(home: AppHome, flocks: pathlib.Path, tmp_path: pathlib.Path) -> None:
    flocks.mkdir(parents=True)
    (flocks / "shop-releases").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"), home.locked():
        pass


def test_lock_ends_with_an_error(home: AppHome) -> None:
    with pytest.raises(KeyError), home.locked():
        raise KeyError
    with home.locked(), pytest.raises(DeployError), home.locked():
        pass


# --- current ----------------------------------------------------------------------------------


def test_current(home: AppHome) -> None:
    assert home.current() is None
    home.point_to(A)
    assert home.current() == A
    assert os.readlink(home.link) == f"releases/{A}"
    (home.root / ".current.candidate").symlink_to("left/by/a/crash")
    home.point_to(B)
    assert home.current() == B
    assert sorted(path.name for path in home.root.iterdir()) == ["current", "releases"]
    home.point_to(None)
    home.point_to(None)
    assert home.current() is None


def test_what_is_current_already_needs_no_room(
    home: AppHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.point_to(A)

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "symlink", full)
    home.point_to(A)
    with pytest.raises(OSError, match="No space left"):
        home.point_to(B)


# --- releases ---------------------------------------------------------------------------------


def test_installed_and_unfinished(home: AppHome) -> None:
    put(home, B, "2026-01-02T00:00:00Z")
    put(home, A, "2026-01-03T00:00:00Z")
    (home.releases / C).mkdir()
    (home.releases / "note.txt").touch()
    assert home.installed() == [B, A]
    assert home.unfinished() == [C]
    assert home.manifest(C) is None
    assert home.manifest("note.txt") is None
    assert home.manifest("9.9-00000000") is None


def test_release_that_cannot_be_read(home: AppHome) -> None:
    put(home, A)
    (home.releases / A / "release.json").write_text('{"id": ')
    with pytest.raises(DeployError, match=f"{A}/release.json cannot be read: .* Remove that"):
        home.installed()


@pytest.mark.parametrize("value", ["", "x", "a b\n'c'\r\n# d", "ü\u2028"], ids=ascii)
def test_contents(value: str, home: AppHome) -> None:
    put(home, A, env=format_env({"K": value, "L": "=1"}))
    expected = Contents({"a": "1"}, {"K": value, "L": "=1"}, {"web": "x"}, "3.13.5")
    assert home.contents(A) == expected
    assert home.contents(B) is None


def test_comments_in_a_lock_are_no_difference(home: AppHome) -> None:
    """A release that was made when they were handed on to the installer compares like a new one."""
    for release, text in ((A, "# x\na==1 --hash=sha256:{}\n"), (B, "a==1 \\\n --hash=sha256:{}\n")):
        put(home, release)
        (home.releases / release / "requirements.txt").write_text(text.format("a" * 64))
    assert home.contents(A).lock is not None
    assert home.contents(A).lock == home.contents(B).lock


def test_remove(home: AppHome) -> None:
    put(home, A)
    home.remove(A)
    home.remove(A)
    assert home.installed() == home.unfinished() == []


def test_interrupted_removal_leaves_no_release(
    home: AppHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise OSError(5, "Input/output error")

    put(home, A)
    monkeypatch.setattr(release_home.trees, "remove", crash)
    with pytest.raises(OSError, match="Input/output"):
        home.remove(A)
    assert home.installed() == []
    assert home.unfinished() == [A]


# --- the record -------------------------------------------------------------------------------


def entry(release: str) -> Record:
    return Record(at="now", event="deploy", release=release, outcome="good")


def test_record(home: AppHome) -> None:
    assert home.records() == []
    home.remember(entry(A))
    home.remember(entry(B))
    assert home.records() == [entry(A), entry(B)]
    assert stat.S_IMODE(home.record_path.stat().st_mode) == 0o640
    put(home, A)
    put(home, B)
    assert home.rollback_target(B) == A


@pytest.mark.usefixtures("strict_umask")
def test_the_app_may_read_its_record_whatever_the_umask_of_root_is(home: AppHome) -> None:
    home.remember(entry(A))
    assert stat.S_IMODE(home.record_path.stat().st_mode) == 0o640


def test_line_that_was_cut_short_does_not_take_the_next_one_with_it(home: AppHome) -> None:
    home.remember(entry(A))
    with home.record_path.open("a") as file:
        file.write('{"at": "now", "rel')
    home.remember(entry(B))
    assert home.records() == [entry(A), entry(B)]


def test_a_line_that_the_disk_takes_in_part_is_not_taken_for_written(home: AppHome) -> None:
    home.remember(entry(A))
    size = home.record_path.stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            home.remember(entry(B))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert home.record_path.stat().st_size == size + 10
    home.remember(entry(C))
    assert home.records() == [entry(A), entry(C)]


@pytest.mark.parametrize("broken", [b"\xff", bytes(100), b"[" * 100_000, b'{"rel'])
def test_broken_bytes_do_not_stop_a_rollback(home: AppHome, broken: bytes) -> None:
    put(home, A)
    put(home, B)
    home.remember(entry(A))
    with home.record_path.open("ab") as file:
        file.write(broken)
    home.remember(entry(B))
    assert home.rollback_target(B) == A


# --- bin/run ----------------------------------------------------------------------------------


def test_run_gives_a_command_the_config_and_the_packages_of_the_release(home: AppHome) -> None:
    path = put(home, A, env=format_env({"GREETING": "it's\n$HOME", "PATH": "/evil"}))
    (path / "bin").mkdir()
    (path / "venv" / "bin").mkdir(parents=True)
    (path / "bin" / "run").write_text(release_home.RUN)
    (path / "bin" / "run").chmod(0o750)
    home.point_to(A)
    done = subprocess.run(
        [
            home.link / "bin" / "run",
            "sh",
            "-c",
            'printf "%s|" "$@" "$PWD"; env -0',
            "sh",
            "a  b",
            "",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    words, _bar, rest = done.stdout.rpartition("|")
    env = dict(line.split("=", 1) for line in rest.split("\0") if line)
    assert words == f"a  b||{path}"
    assert env["GREETING"] == "it's\n$HOME"
    assert env["RELEASE_ID"] == A
    assert env["VIRTUAL_ENV"] == str(path / "venv")
    assert env["PATH"] == f"{path}/venv/bin:/usr/local/bin:/usr/bin:/bin"


def test_run_ends_as_the_command_does(home: AppHome) -> None:
    path = put(home, A)
    (path / "bin").mkdir()
    (path / "bin" / "run").write_text(release_home.RUN)
    command = ["sh", path / "bin" / "run", "sh", "-c", "exit 7"]
    assert subprocess.run(command, check=False, timeout=120).returncode == 7


@pytest.mark.parametrize("how", ["LOCK_SH", "LOCK_EX"])
def test_a_release_is_in_use_while_somebody_holds_it(home: AppHome, how: str) -> None:
    release = home.releases / "1.0-aaaaaaaa"
    release.mkdir()
    assert not home.in_use(release.name)  # as those of earlier versions
    (release / "in-use").touch(0o600)
    assert not home.in_use(release.name)
    with flocked_elsewhere(release / "in-use", how):
        assert home.in_use(release.name)
    assert not home.in_use(release.name)
