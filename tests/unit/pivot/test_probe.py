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
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace

import pytest


class Waiting:
    """A loop that has nothing else to wait for."""

    def wait(self, seconds: float, also: int) -> None:
        select.select([also], [], [], seconds)


@contextlib.contextmanager
def trickling(at_once: bytes) -> Iterator[SimpleNamespace]:
    """A process that says something at once, and then a letter again and again."""
    over = threading.Event()

    def serve() -> None:
        with contextlib.suppress(OSError), server.accept()[0] as connection:
            connection.sendall(at_once)
            while not over.wait(0.05):
                connection.sendall(b"x")

    with tempfile.TemporaryDirectory() as place, socket.socket(socket.AF_UNIX) as server:
        path = pathlib.Path(place, "web-1.sock")
        server.bind(str(path))
        server.listen()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        health = {"path": "/healthz", "host": "shop.test", "count": 1}
        yield SimpleNamespace(socket=path, status=None, spec={"health": health})
        over.set()
        thread.join(10)


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
