# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What another app of the host writes into the kernel's table of sockets does not delay a move."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from types import ModuleType

import pytest
from unit.pivot.harness import Site, connected


@contextlib.contextmanager
def forged(*lines: str) -> Iterator[None]:
    """Lines in /proc/net/unix: the name of an abstract socket may hold whatever it likes."""
    with contextlib.ExitStack() as kept:
        for number, line in enumerate(lines):
            sock = kept.enter_context(socket.socket(socket.AF_UNIX))
            sock.bind(f"\0{os.getpid()}.{number}\n{line}\nx".encode())
        yield


@pytest.mark.parametrize(
    ("words", "most"),
    [
        pytest.param("0 1 3 9", 1.0, id="accepted"),
        pytest.param("00010000 1 1 9", 1.0, id="listening"),
        pytest.param("0 1 2 0", 4.0, id="waiting"),
    ],
)
def test_forged_connections(site: Site, words: str, most: float) -> None:
    pivot = site.start(site.release("r1", drain_timeout=20))
    with forged(f"1: 2 0 {words} {site.run_dir}/web-1.1.sock"):
        move = pivot.move(site.release("r2"))["move"]
    assert move["stragglers"] == 0
    assert move["seconds"]["drain"] < most


def test_a_connection_counts_beside_forged_ones(site: Site) -> None:
    pivot = site.start(site.release("r1", drain_timeout=2.5))
    path = f"{site.run_dir}/web-1.1.sock"
    with (
        connected(pivot.link),
        forged(f"1: 2 0 0 1 3 9 {path}", f"1: 2 0 0 1 2 0 {path}"),
    ):
        move = pivot.move(site.release("r2"))["move"]
        assert move["stragglers"] == 1
        assert move["seconds"]["drain"] >= 2.5


def test_what_nobody_has_accepted_yet_is_waited_for(site: Site) -> None:
    """A server that does not take its connections may do so yet."""
    pivot = site.start(site.release("r1", drain_timeout=2.5, stop_timeout=0.5))
    child = pivot.status()["child"]
    os.kill(child, signal.SIGSTOP)
    try:
        with connected(pivot.link):
            move = pivot.move(site.release("r2"))["move"]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGCONT)
    assert move["seconds"]["drain"] >= 2.5
    assert move["stragglers"] == 1


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_whose_sockets_are_seen(module: ModuleType) -> None:
    one, other = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        one.close()
        other.recv(1)
        os._exit(0)
    with one, other:
        found = module.kernel.sockets_below(os.getpid())
        assert str(os.fstat(other.fileno()).st_ino) in found
        one.send(b"x")
        os.waitpid(pid, 0)
