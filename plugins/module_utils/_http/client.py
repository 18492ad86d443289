# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server answers over HTTP, also on a Unix socket, read to its end in time, and why there was no answer."""

from __future__ import annotations

import functools
import http.client
import io
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from typing import Any

CHUNK = 256 << 10  # bytes
SENT = 16 << 10  # bytes that are sent at a time: TLS waits anew for each of its records
# how uv, and how pip and git say that a certificate is not trusted
UNTRUSTED = re.compile(r"invalid peer certificate|certificate[_ ]verify[_ ]failed", re.IGNORECASE)


class _Clock:
    """How long the next read or write may wait: ``timeout``, and until ``deadline`` (monotonic)."""

    def __init__(self, timeout: float, seconds: float | None) -> None:
        self._timeout = timeout
        self._deadline = time.monotonic() + (timeout if seconds is None else seconds)

    def set(self, sock: socket.socket) -> None:
        """Raises TimeoutError when no time is left."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        sock.settimeout(min(self._timeout, left))


class _TimedReads(io.RawIOBase):
    """What comes from a socket, by its clock."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, clock: _Clock) -> None:
        self._raw, self._sock, self._clock = raw, sock, clock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        self._clock.set(self._sock)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, clock: _Clock, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_TimedReads(self.fp.detach(), sock, clock))


class _Connection(http.client.HTTPConnection):
    """One with a deadline for all of an exchange, also with a server that trickles.

    The timeout of a socket is for one read. ``seconds``: for all of it; without it, that is ``timeout``, too.
    """

    def __init__(
        self, host: str, *, timeout: float, seconds: float | None = None, **options: Any
    ) -> None:
        super().__init__(host, timeout=timeout, **options)
        self._clock = _Clock(timeout, seconds)
        self.response_class = functools.partial(_Response, clock=self._clock)  # type: ignore[assignment]

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        for start in range(0, len(data), SENT):
            self._clock.set(self.sock)
            super().send(data[start : start + SENT])


class _SecureConnection(_Connection, http.client.HTTPSConnection):
    pass


class _UnixConnection(_Connection):
    def __init__(self, host: str, *, path: str, **options: Any) -> None:
        super().__init__(host, **options)
        self._path = path

    def connect(self) -> None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(self.timeout)
            connection.connect(self._path)
        except BaseException:
            connection.close()
            raise
        self.sock = connection


class _Http(urllib.request.HTTPHandler):
    def __init__(self, connection: Any) -> None:
        super().__init__()
        self._connection = connection

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._connection, req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, context: ssl.SSLContext | None, seconds: float | None) -> None:
        super().__init__(context=context)
        self._tls = context
        self._seconds = seconds

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        connection: Any = functools.partial(_SecureConnection, seconds=self._seconds)
        return self.do_open(connection, req, context=self._tls)


def handlers(
    context: ssl.SSLContext | None = None, *, unix: str | None = None, seconds: float | None = None
) -> list[urllib.request.BaseHandler]:
    """What ``urllib.request.build_opener`` needs for exchanges that end in time.

    All of an exchange may take ``seconds``, without that the ``timeout`` of ``open``, which is for each read
    then. ``unix``: the socket to which every request for an http:// URL goes.
    """
    plain: Any = (
        functools.partial(_Connection, seconds=seconds)
        if unix is None
        else functools.partial(_UnixConnection, path=unix, seconds=seconds)
    )
    return [_Http(plain), _Https(context, seconds)]


def read_body(response: Any, largest: int) -> bytes:
    """The body, of ``largest`` bytes at most. Raises TimeoutError and HTTPException."""
    chunks: list[bytes] = []
    size = 0
    while chunk := response.read1(CHUNK):
        chunks.append(chunk)
        size += len(chunk)
        if size > largest:
            raise http.client.HTTPException(f"an answer of more than {largest} bytes")
    return b"".join(chunks)


def why_not(url: str, error: Exception, seconds: float) -> str:
    """Why the server did not answer, in a sentence; ``seconds`` is how long it was waited for."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return (
            f"the certificate of {url} is not trusted ({reason.verify_message}). Give the "
            "authority that signed it as ca_path."
        )
    if isinstance(reason, TimeoutError):
        return f"{url} did not answer within {seconds:.0f} s."
    if isinstance(reason, BrokenPipeError | ConnectionResetError | http.client.HTTPException):
        return f"{url} broke the connection ({reason or type(reason).__name__})."
    if isinstance(reason, PermissionError) and url.startswith("unix:"):
        return f"{url} cannot be reached ({reason}). Run this as root: become: true."
    return f"{url} cannot be reached ({reason}). Is it running there?"


def trust_remedy(output: str) -> str:
    """What to do about the output of a tool that does not trust an index; empty if it is not that."""
    if not UNTRUSTED.search(output):
        return ""
    return (
        "\nThe certificate of the index is not trusted. Give the CA that signed it: index_ca_file in "
        "the inventory, publish_ca_path for the role publish, ca_path for a module."
    )
