# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the processes of an app do on this host, as /proc and systemd show it. Changes nothing."""

from __future__ import annotations

import ipaddress
import os
import pathlib
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._audit.release_facts import (
    may_write,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.command import ANSWER, run

PROC = pathlib.Path("/proc")
PROPERTIES = ("ActiveState", "ProtectSystem", "PrivateTmp", "ReadWritePaths", "User")
MOST = 50  # of each list; an app can open thousands of files
MOST_LINKS = 40  # on the way to a file, as in the kernel: path_resolution(7)
LISTENING = "0A"  # TCP_LISTEN of include/net/tcp_states.h, as /proc/net/tcp has it
SOCKET = re.compile(r"socket:\[([0-9]+)\]")
# in a line of each hierarchy, of which cgroup v1 has several
UNIT = re.compile(r"[^/\n]+\.(?:service|scope)(?=/|$)", re.MULTILINE)
# The effective one. /proc/PID itself belongs to root where a process is not dumpable: PR_SET_DUMPABLE(2const).
OWNER = re.compile(r"^Uid:\t[0-9]+\t([0-9]+)\t", re.MULTILINE)
STATUS = 4096  # bytes of /proc/PID/status, in which that line is


@dataclass(frozen=True)
class Process:
    """One process of the app's user."""

    pid: int
    command: str  # its name, of at most 15 characters
    unit: str  # the unit whose cgroup it is in, "" for none


def unit_facts(unit: str) -> dict[str, str]:
    """Some properties of a unit; none where systemd does not answer."""
    code, output = run(
        ["systemctl", "show", f"--property={','.join(PROPERTIES)}", unit],
        "ask systemd",
        30.0,
        whole=ANSWER,
    )
    pairs = (line.partition("=") for line in output.splitlines())
    return {key: value for key, _equals, value in pairs if key in PROPERTIES} if code == 0 else {}


def real_paths(properties: Mapping[str, str], uid: int, gid: int) -> list[str]:
    """Where the paths lead that a unit may write: systemd follows links, and files are open under other names then.

    Without those that the app, as this user, can have lead elsewhere since, and without what leads to the root or up
    from where it is: all that is written would count as declared.
    """
    paths = [
        pathlib.PurePosixPath(path.lstrip("-+"))
        for path in properties.get("ReadWritePaths", "").split()
    ]
    ends = [(path, real_path(path, uid, gid)) for path in paths]
    return [str(end) for path, end in ends if end and end not in path.parents]


def real_path(path: pathlib.PurePosixPath, uid: int, gid: int) -> pathlib.PurePosixPath | None:
    """An absolute path without links, as by realpath(3). None where the user can replace one of them."""
    done, rest, links = pathlib.PurePosixPath("/"), [*path.parts[1:]], 0
    while rest:
        place = done / rest.pop(0)
        try:
            target = pathlib.PurePosixPath(os.readlink(place))
            replaced = any(may_replace(each, uid, gid) for each in (place, *place.parents[:-1]))
        except OSError:  # it is no link, or is not there
            done = done.parent if place.name == ".." else place
            continue
        links += 1
        if replaced or links > MOST_LINKS:
            return None
        rest = [*target.parts[target.is_absolute() :], *rest]
        done = pathlib.PurePosixPath("/") if target.is_absolute() else done
    return done


def may_replace(path: pathlib.PurePosixPath, uid: int, gid: int) -> bool:
    """Whether a user can put something else in a file's place: inode(7) says what a sticky directory is."""
    directory = os.stat(path.parent)
    is_own = uid in (directory.st_uid, os.lstat(path).st_uid)
    return may_write(directory, uid, gid) and (is_own or not directory.st_mode & stat.S_ISVTX)


def process_facts(uid: int, unit: str, others: Iterable[str], proc: pathlib.Path = PROC) -> Any:
    """What the processes in ``unit`` have open, and which processes run in no unit of the app.

    ``others`` are the beginnings of names of further units that belong to the app.
    """
    found = list(processes(uid, proc))
    inside = [process for process in found if process.unit == unit]
    mine = (unit, *others)
    outside = [process for process in found if not process.unit.startswith(mine)]
    written, inodes = set(), {}
    for process in inside:
        for name, target in descriptors(process.pid, proc):
            if match := SOCKET.fullmatch(target):
                inodes[match[1]] = process.command
            elif is_written(proc / str(process.pid), name, target):
                written.add((target, process.command))
    listening = [
        {"address": address, "command": inodes[inode]}
        for inode, address in listeners(proc)
        if inode in inodes
    ]
    return {
        "count": len(inside),
        "written": [{"path": path, "command": by} for path, by in sorted(written)][:MOST],
        "listening": listening[:MOST],
        "outside": [{"command": each.command, "unit": each.unit} for each in outside][:MOST],
        "partial": max(map(len, (written, listening, outside))) > MOST,
    }


def processes(uid: int, proc: pathlib.Path) -> Iterator[Process]:
    """Those of a user. One that ends meanwhile is left out."""
    for path in sorted(proc.iterdir()):
        try:
            if path.name.isdigit() and owner(path) == uid:
                command = (path / "comm").read_text("utf-8", "replace").strip()
                units = UNIT.findall((path / "cgroup").read_text("utf-8", "replace").strip())
                yield Process(int(path.name), command, units[-1] if units else "")
        except OSError:
            continue


def owner(process: pathlib.Path) -> int | None:
    with (process / "status").open("rb") as file:
        match = OWNER.search(file.read(STATUS).decode("utf-8", "replace"))
    return int(match[1]) if match else None


def descriptors(pid: int, proc: pathlib.Path) -> Iterator[tuple[str, str]]:
    directory = proc / str(pid) / "fd"
    try:
        names = os.listdir(directory)
    except OSError:
        return
    for name in names:
        try:
            yield name, os.readlink(directory / name)
        except OSError:
            continue


def is_written(process: pathlib.Path, name: str, target: str) -> bool:
    """Whether a descriptor is that of a regular file with a name, open for writing."""
    if not target.startswith("/") or target.endswith(" (deleted)"):
        return False
    try:
        text = (process / "fdinfo" / name).read_text("ascii", "replace")
        flags = int(dict(line.split(":", 1) for line in text.splitlines())["flags"], 8)
        regular = stat.S_ISREG((process / "fd" / name).stat().st_mode)
    except (OSError, ValueError, KeyError):
        return False
    return regular and flags & os.O_ACCMODE != os.O_RDONLY


def listeners(proc: pathlib.Path) -> Iterator[tuple[str, str]]:
    """Inode and address of each TCP socket of the host that listens: proc_pid_net(5)."""
    for name in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / name).read_text("ascii", "replace").splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if len(fields) > 9 and fields[3] == LISTENING:
                yield fields[9], address_of(fields[1])


def address_of(field: str) -> str:
    """``0100007F:1F90`` is ``127.0.0.1:8000``: words of four bytes in the order of the processor."""
    words, _colon, port = field.partition(":")
    swapped = b"".join(bytes.fromhex(words[n : n + 8])[::-1] for n in range(0, len(words), 8))
    address = ipaddress.ip_address(swapped)
    shown = f"[{address}]" if address.version == 6 else str(address)
    return f"{shown}:{int(port, 16)}"
