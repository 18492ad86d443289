# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request through the nginx of this host, as a user's would come."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import urllib.parse
from collections.abc import Iterator

HERE = "127.0.0.1"
PORTS = {"http": 80, "https": 443}
# nginx itself may ask for a login, or redirect: the request got to the right site all the same
PASSES = {401, 403}


def check_url(url: str) -> urllib.parse.SplitResult:
    """Raises ValueError for what is not http(s)://NAME[:PORT][/PATH]."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname or parts.username is not None:
        raise ValueError(f"{url!r} is not of the form https://NAME/PATH")
    return parts


def shows_the_app(status: int) -> bool:
    """Whether an answer is one that a site gives whose health check answers 2xx to the pivot."""
    return 200 <= status < 400 or status in PASSES


@contextlib.contextmanager
def _connection(parts: urllib.parse.SplitResult, seconds: float) -> Iterator[socket.socket]:
    address = (HERE, parts.port or PORTS[parts.scheme])
    with socket.create_connection(address, timeout=seconds) as plain:
        if parts.scheme == "http":
            yield plain
            return
        # it is this very host that is talked to, and whether its certificate is one that users
        # trust is not the release's business
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with context.wrap_socket(plain, server_hostname=parts.hostname) as secure:
            yield secure


def ask(url: str, seconds: float) -> str:
    """GET ``url`` at this host, whatever its name resolves to: why that is no good, or nothing.

    ``seconds``: for connecting and for each read.
    """
    parts = check_url(url)
    asked = f"GET {url} at {HERE}"
    path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    try:
        with _connection(parts, seconds) as connected:
            client = http.client.HTTPConnection(parts.netloc, timeout=seconds)
            client.sock = connected
            client.request("GET", path, headers={"User-Agent": "twelvefactor-deploy"})
            answer = client.getresponse()
            answer.read(1 << 16)
    except (OSError, http.client.HTTPException) as error:
        return f"{asked}: {error or type(error).__name__}"
    return "" if shows_the_app(answer.status) else f"{asked}: {answer.status} {answer.reason}"
