# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugins of the role munin, started as the node starts them."""

from __future__ import annotations

import http.server
import os
import pathlib
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from unit.trickling import TRICKLES, trickling

LIBRARY = (
    pathlib.Path(__file__).resolve().parents[3]
    / "roles/munin/files/usr/local/lib/twelvefactor/munin"
)
Run = Callable[..., list[str]]


@pytest.fixture
def run(tmp_path: pathlib.Path) -> Run:
    def run(program: str, *arguments: str, **environment: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, str(LIBRARY / f"{program}.py"), *arguments],
            env={**os.environ, "MUNIN_STATEFILE": str(tmp_path / "state"), **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    return run


# --- nginx_answers -------------------------------------------------------------------------------


def line(status: int) -> str:
    return f'{{"url.original":"/","http.response.status_code":{status},"x":1}}\n'


def test_answers_are_counted_once_and_over_a_rotation(run: Run, tmp_path: pathlib.Path) -> None:
    def counts() -> list[int]:
        lines = run("nginx_answers", LOGS=str(tmp_path / "nginx"))
        assert [text.split()[0] for text in lines] == [f"s{n}xx.value" for n in range(2, 6)]
        return [int(text.split()[1]) for text in lines]

    log = tmp_path / "nginx" / "shop.access.log"
    log.parent.mkdir()
    # what was put aside before anybody looked
    (log.parent / "shop.access.log.1").write_text(line(200) * 100)
    log.write_text(line(200) * 3 + line(302) + line(404) + "no JSON\n" + line(503)[:-1])
    assert counts() == [3, 1, 1, 0]
    assert counts() == [3, 1, 1, 0]
    with log.open("a") as file:
        file.write("\n" + line(201))
    assert counts() == [4, 1, 1, 1]
    with log.open("a") as file:
        file.write(line(200))
    log.rename(log.parent / "shop.access.log.1")
    log.write_text(line(500))
    (log.parent / "blog.access.log").write_text(line(404))
    assert counts() == [5, 1, 2, 2]
    (tmp_path / "state").write_text("{")
    assert counts() == [0, 0, 1, 1]


def test_answers_say_what_they_are(run: Run, tmp_path: pathlib.Path) -> None:
    lines = run("nginx_answers", "config", critical="5")
    assert {"graph_title Nginx answers by status", "s5xx.critical 5"} <= set(lines)
    assert run("nginx_answers", "autoconf", LOGS=str(tmp_path)) == ["yes"]
    [answer] = run("nginx_answers", "autoconf", LOGS="/nowhere")
    assert answer == "no (/nowhere cannot be read)"


# --- failed_units --------------------------------------------------------------------------------


@pytest.fixture
def systemctl(tmp_path: pathlib.Path) -> Callable[[str], str]:
    """A PATH on which systemctl does what a shell is told to."""

    def systemctl(script: str) -> str:
        program = tmp_path / "bin" / "systemctl"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return f"{program.parent}:{os.environ['PATH']}"

    return systemctl


@pytest.mark.parametrize(
    ("units", "told"),
    [
        ([], ["failed.value 0"]),
        (
            ["devpi-backup.service", "certbot.service"],
            ["failed.value 2", "failed.extinfo certbot.service devpi-backup.service"],
        ),
        (
            [f"job-{number:02}.service" for number in range(12)],
            [
                "failed.value 12",
                f"failed.extinfo {' '.join(f'job-{n:02}.service' for n in range(10))} and 2 more",
            ],
        ),
    ],
)
def test_failed_units_are_counted_and_named(
    run: Run, systemctl: Callable[[str], str], units: list[str], told: list[str]
) -> None:
    lines = "".join(f"{unit} loaded failed failed What it is\n" for unit in units)
    assert run("failed_units", PATH=systemctl(f"cat <<'E'\n{lines}E")) == told


def test_a_systemd_that_does_not_answer_has_no_number(
    run: Run, systemctl: Callable[[str], str]
) -> None:
    path = systemctl("exit 1")
    assert run("failed_units", PATH=path) == ["failed.value U"]
    assert run("failed_units", "autoconf", PATH=path) == ["no (systemd does not answer)"]
    assert "failed.warning :0" in run("failed_units", "config", PATH=path, warning=":0")


# --- devpi ---------------------------------------------------------------------------------------


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/+api" else 404)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def index() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_devpi_that_answers(run: Run, index: str) -> None:
    assert run("devpi", "devpi_alive", URL=index) == ["alive.value 1"]
    [seconds] = run("devpi", "devpi_time", URL=f"{index}/")
    assert 0 < float(seconds.removeprefix("seconds.value ")) < 10
    assert run("devpi", "devpi_time", "autoconf", URL=index) == ["yes"]


@pytest.mark.parametrize("kind", ["body", "headers"])
def test_a_devpi_that_trickles(run: Run, tmp_path: pathlib.Path, kind: str) -> None:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "socket"))
    listening.listen()
    with trickling(listening, *TRICKLES[kind]):
        url = f"unix:{tmp_path}/socket"
        assert run("devpi", "devpi_alive", URL=url) == ["alive.value 0"]


@pytest.mark.parametrize(("path", "alive"), [("/+api", 1), ("/other", 0)])
def test_a_devpi_on_a_socket(run: Run, tmp_path: pathlib.Path, path: str, alive: int) -> None:
    class OnSocket(Answer):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == path else 404)
            self.end_headers()

        def address_string(self) -> str:
            return "localhost"

    place = str(tmp_path / "devpi.sock")
    with socketserver.UnixStreamServer(place, OnSocket) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert run("devpi", "devpi_alive", URL=f"unix:{place}") == [f"alive.value {alive}"]
        server.shutdown()
    # left behind: nobody listens on it
    assert run("devpi", "devpi_time", URL=f"unix:{place}") == ["seconds.value U"]


def test_one_that_does_not(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert run("devpi", "devpi_alive", URL=url) == ["alive.value 0"]
    assert run("devpi", "devpi_time", URL=url) == ["seconds.value U"]
    [answer] = run("devpi", "devpi_time", "autoconf", URL=url)
    assert answer == f"no (no devpi answers at {url})"


def test_the_size_counts_a_file_with_two_names_once(run: Run, tmp_path: pathlib.Path) -> None:
    data = tmp_path / "data"
    (data / "below").mkdir(parents=True)
    (data / "one").write_bytes(b"x" * 10_000)
    os.link(data / "one", data / "below" / "two")
    used = (data / "one").stat().st_blocks * 512
    assert run("devpi", "devpi_size", DIRECTORY=str(data)) == [f"size.value {used}"]
    assert run("devpi", "devpi_size", DIRECTORY="/nowhere") == ["size.value U"]
    config = run("devpi", "devpi_size", "config", warning=":5")
    assert {"size.label size", "size.warning :5", "graph_args --base 1024 -l 0"} <= set(config)
