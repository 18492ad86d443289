# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request through what listens on this host, with a small server in nginx's place."""

from __future__ import annotations

import contextlib
import pathlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes import nginx_probe

NAME = "shop.test"


@pytest.mark.parametrize(
    ("status", "good"),
    [(200, True), (204, True), (302, True), (401, True), (403, True), (400, False), (404, False),
     (429, False), (500, False), (502, False), (503, False)],
)  # fmt: skip
def test_what_shows_the_app(status: int, good: bool) -> None:
    assert nginx_probe.shows_the_app(status) is good


@pytest.mark.parametrize(
    "url",
    ["", "shop.test/healthz", "ftp://shop.test/", "https:///healthz", "https://joe:x@shop.test/"],
)
def test_no_url(url: str) -> None:
    with pytest.raises(ValueError, match="is not of the form https://NAME/PATH"):
        nginx_probe.check_url(url)


def url_of(server: Any, path: str = "/healthz?deep=1") -> str:
    """By a name that resolves to nothing."""
    return f"{server.scheme}://{NAME}:{server.address.rpartition(':')[2]}{path}"


@pytest.mark.parametrize(
    ("status", "said"), [(200, ""), (502, "502 Bad Gateway")], ids=["good", "bad"]
)
def test_asks_this_host_whatever_the_name_resolves_to(index: Any, status: int, said: str) -> None:
    index.answers["/healthz?deep=1"] = [index.Answer(b"well", status=status)]
    url = url_of(index)
    assert nginx_probe.ask(url, 5) == (said and f"GET {url} at 127.0.0.1: {said}")
    assert index.asked == [("/healthz?deep=1", None)]


def test_takes_any_certificate(server: Any, certificate: tuple[pathlib.Path, pathlib.Path]) -> None:
    server.answers["/"] = [server.Answer(b"well")]
    server.start(certificate)
    assert nginx_probe.ask(url_of(server, ""), 5) == ""


def test_nobody_listens(server: Any) -> None:
    url = url_of(server)
    server.stop()
    assert nginx_probe.ask(url, 5) == f"GET {url} at 127.0.0.1: [Errno 111] Connection refused"


def test_no_tls_at_the_other_end(index: Any) -> None:
    said = nginx_probe.ask(url_of(index).replace("http://", "https://"), 5)
    assert "SSL" in said or "reset" in said


# --- every read is quick enough, and yet it must end ------------------------------------------


@contextlib.contextmanager
def trickling(at_once: bytes, letter: bytes) -> Iterator[str]:
    """The URL of a server that says something at once, and then a letter again and again."""
    over = threading.Event()

    def serve() -> None:
        with contextlib.suppress(OSError), server.accept()[0] as connection:
            connection.sendall(at_once)
            while not over.wait(0.05):
                connection.sendall(letter)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://{NAME}:{server.getsockname()[1]}/"
        over.set()
        thread.join(10)


@pytest.mark.parametrize(
    ("at_once", "letter"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y"),
    ],
    ids=["body", "headers", "header"],
)
def test_a_status_is_enough(at_once: bytes, letter: bytes) -> None:
    began = time.monotonic()
    with trickling(at_once, letter) as url:
        assert nginx_probe.ask(url, 5) == ""
        assert time.monotonic() - began < 3


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("at_once", [b"", b"HTTP/1.1 200 ", b"\x16\x03\x03\x40\x00"])
def test_an_answer_that_never_gets_to_its_status(scheme: str, at_once: bytes) -> None:
    began = time.monotonic()
    with trickling(at_once, b"\x16") as plain:
        url = plain.replace("http", scheme)
        said = nginx_probe.ask(url, 0.5)
        assert said.startswith(f"GET {url} at 127.0.0.1: ")
        assert scheme == "https" or said.endswith("timed out")
        assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"SSH-2.0-x\r\n", "no HTTP response: SSH-2.0-x"),
        (b"\x1b[2J\n", "no HTTP response: \\x1b[2J"),
        (b"HTTP/1.1 500 \x1b[2J\r\n", "500 \\x1b[2J"),
        (b"x" * 5000, "no HTTP response: " + "x" * 200),
    ],
)
def test_what_else_may_answer(answer: bytes, said: str) -> None:
    with trickling(answer, b"") as url:
        assert nginx_probe.ask(url, 5) == f"GET {url} at 127.0.0.1: {said}"


def test_the_connection_is_closed_without_an_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://{NAME}:{listener.getsockname()[1]}/"

        def hang_up() -> None:
            connection = listener.accept()[0]
            connection.recv(4096)
            connection.close()

        threading.Thread(target=hang_up, daemon=True).start()
        assert nginx_probe.ask(url, 5).endswith("127.0.0.1: closed without an answer")
