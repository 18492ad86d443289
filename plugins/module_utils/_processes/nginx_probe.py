# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request through the nginx of this host, as a user's would come."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import ssl
import time
import urllib.parse
from collections.abc import Iterator

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import printable
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.supervisor import (
    Failure,
    wait_for,
)

HERE = "127.0.0.1"
PORTS = {"http": 80, "https": 443}
# nginx itself may ask for a login, or redirect: the request got to the right site all the same
PASSES = {401, 403}
PROBE_TIMEOUT = 10.0  # seconds for nginx to answer
# Seconds until its answer must be good. The processes have proven themselves by then, so this is no
# reason for haste, and a host under load answers late.
PROBE_PATIENCE = 20.0
LONGEST_LINE = 4096  # bytes of the first line of an answer
STATUS_LINE = re.compile(r"HTTP/1\.\d (?P<status>\d{3})\b(?P<reason>.*)")


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
def _connection(parts: urllib.parse.SplitResult, deadline: float) -> Iterator[socket.socket]:
    address = (HERE, parts.port or PORTS[parts.scheme])
    with socket.create_connection(address, timeout=_left(deadline)) as plain:
        plain.settimeout(_left(deadline))
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


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _first_line(connected: socket.socket, deadline: float) -> str:
    received = b""
    while b"\n" not in received and len(received) < LONGEST_LINE:
        connected.settimeout(_left(deadline))
        data = connected.recv(LONGEST_LINE)
        if not data:
            raise ConnectionError("closed without an answer")
        received += data
    return received.partition(b"\n")[0].rstrip().decode("latin-1")


def ask(url: str, seconds: float) -> str:
    """GET ``url`` at this host, whatever its name resolves to: why that is no good, or nothing.

    ``seconds``: for all of it. The timeout of a socket is for each read, and an app may trickle. Nothing
    is read beyond the status, which nginx sends itself.
    """
    parts = check_url(url)
    asked = f"GET {url} at {HERE}"
    path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    headers = {"User-Agent": "twelvefactor-deploy", "Connection": "close"}
    deadline = time.monotonic() + seconds
    try:
        with _connection(parts, deadline) as connected:
            client = http.client.HTTPConnection(parts.netloc)
            client.sock = connected
            client.request("GET", path, headers=headers)
            line = _first_line(connected, deadline)
    except (OSError, http.client.HTTPException) as error:
        return f"{asked}: {error or type(error).__name__}"
    answer = STATUS_LINE.match(line)
    if not answer:
        return f"{asked}: no HTTP response: {printable(line)[:200]}"
    status = answer["status"]
    return "" if shows_the_app(int(status)) else printable(f"{asked}: {status}{answer['reason']}")


def probe(url: str) -> Failure:
    """Whether requests get through nginx; the pivots' own checks do not go that way."""
    said = ""

    def answers() -> bool:
        nonlocal said
        said = ask(url, PROBE_TIMEOUT)
        return not said

    if wait_for(answers, PROBE_PATIENCE):
        return Failure()
    return Failure(
        f"every process runs it, but nginx on this host does not pass requests to it: {said}. "
        "Its error log may say more"
    )
