# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server answers over HTTP, also on a Unix socket, read to its end in time, and why there was no answer."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from typing import Any

CHUNK = 256 << 10  # bytes
# how uv, and how pip and git say that a certificate is not trusted
UNTRUSTED = re.compile(r"invalid peer certificate|certificate[_ ]verify[_ ]failed", re.IGNORECASE)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, host: str, timeout: float) -> None:
        super().__init__(host, timeout=timeout)
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


class UnixHandler(urllib.request.HTTPHandler):
    """Sends every request for an http:// URL to the Unix socket at ``path``."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        def connection(host: str, /, *, timeout: float = 0, **_: Any) -> _UnixConnection:
            return _UnixConnection(self.path, host, timeout)

        return self.do_open(connection, req)


def read_body(response: Any, deadline: float, largest: int) -> bytes:
    """The body. The socket's own timeout is for one read, not for a server that trickles.

    ``deadline`` is in seconds of the monotonic clock, ``largest`` in bytes. Raises TimeoutError
    and HTTPException.
    """
    chunks: list[bytes] = []
    size = 0
    while chunk := response.read1(CHUNK):
        chunks.append(chunk)
        size += len(chunk)
        if time.monotonic() > deadline:
            raise TimeoutError
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
