# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A health check has one deadline, however the process answers."""

from __future__ import annotations

import contextlib
import pathlib
import select
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace

import pytest


class Waiting:
    """A loop that has nothing else to wait for."""

    def wait(self, seconds: float, also: int | None = None) -> None:
        select.select([] if also is None else [also], [], [], seconds)


@contextlib.contextmanager
def listening(backlog: int) -> Iterator[tuple[socket.socket, SimpleNamespace]]:
    with tempfile.TemporaryDirectory() as place, socket.socket(socket.AF_UNIX) as server:
        path = pathlib.Path(place, "web-1.sock")
        server.bind(str(path))
        server.listen(backlog)
        health = {"path": "/healthz", "host": "shop.test", "count": 1}
        yield server, SimpleNamespace(socket=path, port=None, status=None, spec={"health": health})


@contextlib.contextmanager
def trickling(at_once: bytes) -> Iterator[SimpleNamespace]:
    """A process that says something at once, and then a letter again and again."""
    over = threading.Event()

    def serve() -> None:
        with contextlib.suppress(OSError), server.accept()[0] as connection:
            connection.sendall(at_once)
            while not over.wait(0.05):
                connection.sendall(b"x")

    with listening(128) as (server, new):
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield new
        over.set()
        thread.join(10)


@contextlib.contextmanager
def full() -> Iterator[tuple[Callable[[], None], SimpleNamespace]]:
    """A process that takes no connection, until what is given answers these and one more."""
    with listening(1) as (server, new), contextlib.ExitStack() as stack:
        clients = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                client = stack.enter_context(socket.socket(socket.AF_UNIX))
                client.setblocking(False)
                client.connect(str(new.socket))
                clients += 1

        def answer() -> None:
            server.settimeout(60)
            for _each in range(clients + 1):
                connection = stack.enter_context(server.accept()[0])
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

        yield answer, new


@pytest.mark.parametrize(
    ("at_once", "answer"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n", (True, "HTTP/1.1 200 OK")),
        (b"HTTP/1.1 200 ", (False, "no answer in time")),
    ],
    ids=["body", "status"],
)
def test_trickling(module: ModuleType, at_once: bytes, answer: tuple[bool, str]) -> None:
    began = time.monotonic()
    with trickling(at_once) as new:
        assert module.gate.probe(new, Waiting(), began + 0.5) == answer
        assert time.monotonic() - began < 3


FULL = (False, "no connection: its accept queue is full")


def test_a_full_queue_that_is_emptied(module: ModuleType) -> None:
    """Load is no hang."""
    with full() as (answer, new):
        timer = threading.Timer(1.0, answer)
        timer.start()
        deadline = time.monotonic() + 60
        assert module.gate.probe(new, Waiting(), deadline) == (True, "HTTP/1.1 200 OK")
        timer.join(10)


def test_a_queue_that_stays_full(module: ModuleType) -> None:
    began = time.monotonic()
    with full() as (_answer, new):
        assert module.gate.probe(new, Waiting(), began + 1) == FULL
        assert 1 <= time.monotonic() - began < 30


def test_nobody_waits_for_a_full_queue_when_it_is_over(module: ModuleType) -> None:
    over = iter([False, False, True])
    with full() as (_answer, new):
        deadline = time.monotonic() + 600
        assert module.gate.probe(new, Waiting(), deadline, lambda: next(over)) == FULL


def test_nobody_waits_for_the_queue_of_what_has_ended(module: ModuleType) -> None:
    with full() as (_answer, new):
        new.status = 0
        assert module.gate.probe(new, Waiting(), time.monotonic() + 600) == FULL
