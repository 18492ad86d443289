# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An exchange ends in time, however the server spreads its answer."""

from __future__ import annotations

import pathlib
import socket
import ssl
import time
import urllib.error
import urllib.request

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._http.client import (
    handlers,
    read_body,
)
from unit.trickling import TRICKLES, trickling

SECONDS = 0.7


def exchange(
    url: str, body: bytes | None = None, timeout: float = SECONDS, **options: object
) -> bytes:
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        *handlers(**options),  # type: ignore[arg-type]
    )
    with opener.open(urllib.request.Request(url, body), timeout=timeout) as response:
        return read_body(response, 1 << 20)


def is_late(url: str, **options: object) -> None:
    began = time.monotonic()
    with pytest.raises((TimeoutError, urllib.error.URLError)) as error:
        exchange(url, **options)  # type: ignore[arg-type]
    assert isinstance(getattr(error.value, "reason", error.value), TimeoutError)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(("at_once", "letter"), TRICKLES.values(), ids=TRICKLES)
def test_an_answer_that_trickles(at_once: bytes, letter: bytes) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
    with trickling(listening, at_once, letter):
        is_late(url)


def test_all_may_take_longer_than_one_read() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
    with trickling(listening, *TRICKLES["body"]):
        is_late(url, timeout=60, seconds=SECONDS)


def test_a_request_that_is_not_read() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
    with trickling(listening, b"", b""):
        is_late(url, body=bytes(64 << 20))


def test_on_a_unix_socket(tmp_path: pathlib.Path) -> None:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "socket"))
    listening.listen()
    with trickling(listening, *TRICKLES["headers"]):
        is_late("http://localhost/", unix=str(tmp_path / "socket"))


def test_by_tls(certificate: tuple[pathlib.Path, pathlib.Path]) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate)
    trust = ssl.create_default_context(cafile=certificate[0])
    trust.check_hostname = False
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"https://127.0.0.1:{listening.getsockname()[1]}/"
    with trickling(listening, *TRICKLES["headers"], tls):
        is_late(url, context=trust)
