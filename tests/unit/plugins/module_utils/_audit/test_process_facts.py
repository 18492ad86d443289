# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What /proc shows of an app's processes: a made one, and that of real processes."""

from __future__ import annotations

import os
import pathlib
import socket

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._audit import (
    process_facts as room,
)

UNIT = "circus@shop.service"


class Proc:
    """A /proc in a directory; what it has belongs to who runs the tests."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        (root / "net").mkdir()
        (root / "self").mkdir()

    def add(
        self, pid: int, unit: str, command: str = "gunicorn", uid: int | None = None
    ) -> pathlib.Path:
        path = self.root / str(pid)
        (path / "fd").mkdir(parents=True)
        (path / "fdinfo").mkdir()
        (path / "comm").write_text(f"{command}\n")
        mine = os.geteuid() if uid is None else uid
        (path / "status").write_text(f"Name:\t{command}\nUid:\t0\t{mine}\t{mine}\t{mine}\n")
        (path / "cgroup").write_text(f"0::/system.slice/system-circus.slice/{unit}\n")
        return path

    def open(self, process: pathlib.Path, number: int, target: str, flags: int) -> None:
        (process / "fd" / str(number)).symlink_to(target)
        (process / "fdinfo" / str(number)).write_text(f"pos:\t0\nflags:\t0{flags:o}\nmnt_id:\t1\n")

    def look(self, uid: int | None = None, others: tuple[str, ...] = ()) -> dict:  # type: ignore[type-arg]
        found: dict = room.process_facts(
            os.geteuid() if uid is None else uid, UNIT, others, self.root
        )  # type: ignore[type-arg]
        return found


@pytest.fixture
def proc(tmp_path: pathlib.Path) -> Proc:
    (tmp_path / "proc").mkdir()
    return Proc(tmp_path / "proc")


@pytest.mark.parametrize(
    ("flags", "suffix", "shown"),
    [
        (os.O_WRONLY | os.O_APPEND, "", True),
        (os.O_RDWR, "", True),
        (os.O_RDONLY, "", False),
        (os.O_RDWR, " (deleted)", False),
    ],
    ids=["append", "both", "read", "deleted"],
)
def test_files_open_for_writing(
    proc: Proc, tmp_path: pathlib.Path, flags: int, suffix: str, shown: bool
) -> None:
    path = tmp_path / f"data{suffix}"
    path.touch()
    proc.open(proc.add(7, UNIT), 3, str(path), flags)
    expected = [{"path": str(path), "command": "gunicorn"}] if shown else []
    assert proc.look()["written"] == expected


def test_what_is_no_file_is_not_written(proc: Proc, tmp_path: pathlib.Path) -> None:
    process = proc.add(7, UNIT)
    proc.open(process, 0, "/dev/null", os.O_RDWR)
    proc.open(process, 1, "pipe:[5]", os.O_WRONLY)
    proc.open(process, 2, str(tmp_path / "gone"), os.O_WRONLY)
    assert proc.look()["written"] == []


def test_processes_in_units_that_are_not_the_apps(proc: Proc) -> None:
    proc.add(7, UNIT)
    proc.add(8, "app-exec-shop-12ab.service")
    proc.add(9, "session-3.scope", "bash")
    proc.add(10, f"{UNIT}/sub")  # a cgroup within that of the unit
    found = proc.look(others=("app-exec-shop-",))
    assert found["count"] == 2
    assert found["outside"] == [{"command": "bash", "unit": "session-3.scope"}]
    assert found["partial"] is False


def test_those_of_other_users_are_nobodys_business(proc: Proc) -> None:
    proc.add(7, "session-3.scope")
    assert proc.look(uid=os.geteuid() + 1)["outside"] == []


def test_a_process_that_is_not_dumpable_is_its_users(proc: Proc) -> None:
    other = os.geteuid() + 1  # while its directory belongs to who runs the tests
    proc.add(7, "session-3.scope", "agent", other)
    assert proc.look(uid=other)["outside"] == [{"command": "agent", "unit": "session-3.scope"}]
    assert proc.look()["outside"] == []


def test_a_process_that_ends_meanwhile_is_left_out(proc: Proc) -> None:
    (proc.add(7, "session-3.scope") / "status").unlink()
    (proc.add(8, "session-3.scope") / "status").write_text("")
    assert proc.look()["outside"] == []


def test_the_unit_where_every_hierarchy_has_a_line(proc: Proc) -> None:
    path = f"/system.slice/system-circus.slice/{UNIT}"
    (proc.add(7, UNIT) / "cgroup").write_text(f"9:name=systemd:{path}\n8:pids:/\n")
    (proc.add(8, UNIT) / "cgroup").write_text(f"9:name=systemd:{path}\n8:pids:/\n0::{path}\n")
    found = proc.look()
    assert (found["count"], found["outside"]) == (2, [])


def test_no_more_is_returned_than_somebody_reads(proc: Proc) -> None:
    for pid in range(1, 100):
        proc.add(pid, "session-3.scope")
    found = proc.look()
    assert (len(found["outside"]), found["partial"]) == (room.MOST, True)


def test_addresses_that_processes_listen_on(proc: Proc) -> None:
    header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    line = (
        "   0: {} 00000000:0000 {} 00000000:00000000 00:00000000 00000000  1000        0 {} 1 0\n"
    )
    (proc.root / "net" / "tcp").write_text(
        header
        + line.format("00000000:1F90", "0A", 11)
        + line.format("0100007F:1F91", "0A", 12)
        + line.format("0100007F:1F92", "01", 13)
        + line.format("00000000:0016", "0A", 14)
    )
    process = proc.add(7, UNIT)
    for number, inode in enumerate((11, 12, 13)):
        proc.open(process, number, f"socket:[{inode}]", os.O_RDWR)
    assert proc.look()["listening"] == [
        {"address": "0.0.0.0:8080", "command": "gunicorn"},
        {"address": "127.0.0.1:8081", "command": "gunicorn"},
    ]


def test_addresses_of_this_kernel() -> None:
    for family, host, shown in (
        (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET6, "::1", "[::1]"),
    ):
        with socket.socket(family) as listener:
            try:
                listener.bind((host, 0))
            except OSError:
                pytest.skip(f"this host has no {host}")
            listener.listen()
            inode = str(os.fstat(listener.fileno()).st_ino)
            address = f"{shown}:{listener.getsockname()[1]}"
            assert (inode, address) in set(room.listeners(room.PROC))


def test_a_file_that_this_process_writes(tmp_path: pathlib.Path) -> None:
    with (tmp_path / "data").open("w"):
        mine = pathlib.Path("/proc/self")
        found = {
            target
            for name, target in room.descriptors(os.getpid(), room.PROC)
            if room.is_written(mine, name, target)
        }
    assert str(tmp_path / "data") in found


APP = 54321  # a user that owns nothing here


def leads(path: pathlib.Path | str, uid: int = APP) -> list[str]:
    return room.real_paths({"ReadWritePaths": f"-+{path}"}, uid, uid)


@pytest.fixture
def disk(tmp_path: pathlib.Path) -> pathlib.Path:
    """Of the administrator, with a directory that the app may write to."""
    (tmp_path / "disk" / "app" / "below").mkdir(parents=True)
    tmp_path.chmod(0o755)
    (tmp_path / "disk" / "app").chmod(0o777)
    return tmp_path / "disk"


def linked(link: pathlib.Path, target: pathlib.Path | str) -> pathlib.Path:
    link.symlink_to(target)
    return link


def test_a_declared_path_that_is_a_link_is_where_it_leads(disk: pathlib.Path) -> None:
    (disk / "files").mkdir()
    assert leads(linked(disk / "uploads", "files")) == [f"{disk}/files"]
    assert leads(linked(disk / "app-uploads", disk / "app")) == [f"{disk}/app"]
    assert leads(f"{linked(disk / 'up', '../disk/./uploads')}/a") == [f"{disk}/files/a"]
    assert leads("/no/such") == ["/no/such"]
    assert leads(disk / "app" / "below") == [f"{disk}/app/below"]
    assert room.real_paths({}, APP, APP) == []


def test_a_link_that_the_app_can_replace_is_not_followed(disk: pathlib.Path) -> None:
    assert leads(linked(disk / "app" / "uploads", "/etc")) == []
    assert leads(linked(disk / "uploads", "app/uploads")) == []
    # the directory above it can be moved
    assert leads(linked(disk / "app" / "below" / "uploads", "/etc")) == []
    own = linked(disk / "own", "/etc")
    assert leads(own) == ["/etc"]
    assert leads(own, uid=own.lstat().st_uid) == []


def test_in_a_sticky_directory_only_its_own_links_are_replaced_by_the_app(
    disk: pathlib.Path,
) -> None:
    link = linked(disk / "app" / "uploads", "/etc")
    (disk / "app").chmod(0o1777)
    assert leads(link) == ["/etc"]
    assert leads(link, uid=link.lstat().st_uid) == []


@pytest.mark.parametrize("target", ["/", ".", "..", "../.."])
def test_a_link_that_leads_above_itself_declares_nothing(disk: pathlib.Path, target: str) -> None:
    assert leads(linked(disk / "uploads", target)) == []


def test_links_in_a_circle_lead_nowhere(disk: pathlib.Path) -> None:
    linked(disk / "a", "b")
    assert leads(linked(disk / "b", "a")) == []
