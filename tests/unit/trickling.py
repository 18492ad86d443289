# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers whose every byte comes soon enough, and whose answers never end."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator

TRICKLES = {
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n", b"x"),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
    "header": (b"HTTP/1.1 200 OK\r\nX: ", b"y"),
    "status": (b"HTTP/1.1 2", b"0"),
    "go on": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@contextlib.contextmanager
def trickling(
    listening: socket.socket, at_once: bytes, letter: bytes, tls: ssl.SSLContext | None = None
) -> Iterator[None]:
    """A server that says something at once, and then a letter again and again, and reads nothing."""
    over = threading.Event()

    def serve() -> None:
        with contextlib.suppress(OSError):
            connection, _address = listening.accept()
            if tls:
                connection = tls.wrap_socket(connection, server_side=True)
            with connection:
                connection.sendall(at_once)
                while not over.wait(0.05):
                    connection.sendall(letter)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        listening.close()
        thread.join(10)
