# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel says of sockets and processes, and is asked to do."""

from __future__ import annotations

import contextlib
import ctypes
import ipaddress
import os
import pathlib
import re
import struct
from collections.abc import Iterable
from typing import NamedTuple

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PR_SET_CHILD_SUBREAPER = 36
# Bytes that are read of what a process shows of its memory. It decides itself how much that is
# (PR_SET_MM_MAP in prctl(2)).
LONGEST_COMMAND_LINE = 4 << 10
LONGEST_ENVIRONMENT = 1 << 20

prctl = ctypes.CDLL(None, use_errno=True).prctl


class Connections(NamedTuple):
    """What /proc/net/unix says of one path, by inode.

    All that is in the network namespace can write lines of its own into that table: names of
    abstract sockets may hold newlines. So a line counts for what else is known of its inode.
    """

    listeners: frozenset[str]
    accepted: frozenset[str]
    waiting: int  # to be accepted: these have no inode yet


def connections(table: str, path: str) -> Connections:
    """``table`` is /proc/net/unix: an accepted socket carries its listener's path (state 03), one
    still in the accept queue too (state 02); the listener itself has the flag 00010000.
    """
    listeners, accepted, waiting = set(), set(), 0
    for line in table.split("\n")[1:]:
        fields = line.split(None, 7)
        if len(fields) == 8 and fields[7] == path:
            if fields[3] == "00010000":
                listeners.add(fields[6])
            elif fields[6] == "0":
                waiting += 1
            else:
                accepted.add(fields[6])
    return Connections(frozenset(listeners), frozenset(accepted), waiting)


class Listener(NamedTuple):
    """Who listens on a TCP port, and at which address."""

    address: ipaddress.IPv4Address | ipaddress.IPv6Address
    uid: int


def listeners(tables: Iterable[str], port: int) -> list[Listener]:
    """``tables`` are /proc/net/tcp and tcp6 (proc(5)): an address is hexadecimal, in words of the host's byte order."""
    found = []
    for table in tables:
        for line in table.splitlines()[1:]:
            fields = line.split()
            if len(fields) > 7 and fields[3] == "0A":  # TCP_LISTEN in linux/tcp_states.h
                digits, _colon, number = fields[1].partition(":")
                if int(number, 16) == port:
                    words = [int(digits[at : at + 8], 16) for at in range(0, len(digits), 8)]
                    address = ipaddress.ip_address(struct.pack(f"={len(words)}I", *words))
                    mapped = getattr(address, "ipv4_mapped", None)
                    found.append(Listener(mapped or address, int(fields[7])))
    return found


def sockets_below(pid: int) -> set[str] | None:
    """The inodes of all sockets that the descendants of a process have open; None if that is not shown.

    Those are proc(5)'s of one user, and a process can have made itself unreadable.
    """
    found, pids = set(), [pid]
    while pids:
        parent = pids.pop()
        for children in pathlib.Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                pids += map(int, children.read_text().split())
        if parent != pid:
            try:
                for entry in os.scandir(f"/proc/{parent}/fd"):
                    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                        kind, _colon, inode = os.readlink(entry.path).partition(":")
                        if kind == "socket":
                            found.add(inode[1:-1])
            except (FileNotFoundError, ProcessLookupError):
                pass  # it has ended
            except OSError:
                return None
    return found


def marks(prefix: str) -> dict[int, str]:
    """The XDG_RUNTIME_DIR of every process that has one beginning with ``prefix``, by pid."""
    found = {}
    mark = re.compile(rb"(?<![^\0])XDG_RUNTIME_DIR=(%b[^\0]*)" % re.escape(os.fsencode(prefix)))
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # gone, or somebody else's
                if match := mark.search(environment_of(int(entry.name))):
                    found[int(entry.name)] = os.fsdecode(match[1])
    return found


def is_stopped(pids: Iterable[int]) -> bool:
    """Whether SIGSTOP has stopped all of these processes; those that have ended do not count."""
    states = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            text = pathlib.Path(f"/proc/{pid}/stat").read_text("latin-1")
            states.add(text.rpartition(")")[2].split()[0])
    return states == {"T"}


def environment_of(pid: int) -> bytes:
    """The beginning of a process's environment."""
    with open(f"/proc/{pid}/environ", "rb") as file:
        return file.read(LONGEST_ENVIRONMENT)


def command_line_of(pid: int) -> bytes:
    """The beginning of a process's command line."""
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read(LONGEST_COMMAND_LINE)


def children_of(pid: int) -> list[int]:
    """The direct children of a process (proc(5), task/TID/children)."""
    text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]
