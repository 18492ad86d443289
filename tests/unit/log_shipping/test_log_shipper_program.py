# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program itself, which sends to a server on loopback what an app does to stop it."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import log_shipper
import pytest

LONGEST = 1 << 18  # bytes of a line
PATIENCE = 120  # seconds; nothing here takes one on an idle machine


class Server:
    """Takes lines in the form of either output, and lets wait for some of them."""

    def __init__(self) -> None:
        self.documents: list[dict[str, Any]] = []
        self.change = threading.Condition()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path.startswith("/_bulk"):
                    found = [json.loads(row) for row in body.splitlines()[1::2]]
                    items = [{"create": {"status": 201}}] * len(found)
                else:
                    found, items = json.loads(body), []
                with outer.change:
                    outer.documents += found
                    outer.change.notify_all()
                answer = json.dumps({"items": items}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                return

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def messages(self) -> list[str]:
        return [document.get("message", "") for document in self.documents]

    def wait_for(self, *messages: str) -> None:
        with self.change:
            wanted = set(messages)
            assert self.change.wait_for(lambda: wanted <= set(self.messages()), PATIENCE), (
                f"missing: {sorted(wanted - set(self.messages()))[:5]}"
            )


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


class Program:
    def __init__(self, home: pathlib.Path, server: Server) -> None:
        self.home, self.server = home, server
        for name in ("nginx", "shop", "state"):
            (home / name).mkdir()
        self.nginx, self.shop = home / "nginx" / "access.log", home / "shop" / "web-1.log"
        self.running: subprocess.Popen[str] | None = None

    def start(self, output: str, descriptors: int = 1024) -> None:
        config = {
            "url": f"http://127.0.0.1:{self.server.http.server_port}", "output": output,
            "ca_file": "", "authorization_file": "", "state": str(self.home / "state"),
            "index": "l", "days": 7, "prepare": {}, "batch_bytes": 1 << 20, "line_bytes": LONGEST,
            "retry_seconds": 1, "deleted_bytes": 1 << 30, "dead_bytes": 1 << 20,
            "files": [
                {"paths": [f"{self.home}/{name}/*.log"], "fixed": name == "shop",
                 "fields": {"service.name": name, "event.dataset": f"{name}.log"}}
                for name in ("shop", "nginx")
            ],
        }  # fmt: skip
        (self.home / "config.json").write_text(json.dumps(config))
        self.running = subprocess.Popen(
            ["prlimit", f"--nofile={descriptors}", sys.executable, log_shipper.__file__,
             str(self.home / "config.json")],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def stop(self) -> tuple[int, str]:
        assert self.running is not None
        self.running.terminate()
        _out, said = self.running.communicate(timeout=PATIENCE)
        return self.running.returncode, said


@pytest.fixture
def program(tmp_path: pathlib.Path, server: Server) -> Iterator[Program]:
    made = Program(tmp_path, server)
    yield made
    if made.running is not None and made.running.poll() is None:
        made.running.kill()
        made.running.communicate()


# What Python reads and then cannot write lies in each other about as deep as its stack; where that
# ends is another number in each version and each place.
DEPTHS = [60, 64, 65, *range(940, 1000), 50_000]
ARRAYS = [*DEPTHS, *range(9900, 10_000)]


@pytest.mark.parametrize("output", ["elasticsearch", "logstash_http"])
def test_no_line_stops_it(output: str, program: Program, server: Server) -> None:
    lines = ['{"a":' + "[" * depth + "]" * depth + "}" for depth in ARRAYS]
    lines += ['{"a":' * depth + "1" + "}" * depth for depth in DEPTHS]
    lines += ['{"a": ' + "9" * digits + "}" for digits in (4300, 4301, 100_000)]
    lines += ['{"a": Infinity}', '{"a": 1e999}', '{"@timestamp": 1e999}', '{"a": "\\ud800"}']
    lines += ["0001-01-01 00:00:00 x", '{"a": "\0"}', "\0" * 300_000, '{"message": "end of shop"}']
    program.shop.write_text("".join(f"{line}\n" for line in lines))
    program.nginx.write_text("GET / 200\n")
    program.start(output)
    server.wait_for("GET / 200", "end of shop")
    with program.nginx.open("a") as file:
        file.write("GET / 404\n")
    server.wait_for("GET / 404")
    assert program.stop() == (0, "")
    pieces = sum(-(-len(f"{line}\n".encode()) // LONGEST) for line in lines)
    assert json.loads((program.home / "state" / "state.json").read_text())["counts"] == {
        "shipped": pieces + 2, "dead": 0, "lost_bytes": 0,
    }  # fmt: skip


def test_no_number_of_files_stops_it(program: Program, server: Server) -> None:
    long_ago = time.time() - 1000
    for number in range(300):
        path = program.home / "shop" / f"{number}.log"
        path.write_text(f"line of {number}\n")
        os.utime(path, (long_ago, long_ago))
    program.start("elasticsearch", descriptors=256)
    server.wait_for(*(f"line of {number}" for number in range(300)))
    program.nginx.write_text("GET / 200\n")
    server.wait_for("GET / 200")
    program.nginx.rename(f"{program.nginx}.1")
    program.nginx.write_text("GET / 404\n")
    server.wait_for("GET / 404")
    code, said = program.stop()
    assert code == 0
    first, last = said.splitlines()
    assert f"{program.home}/shop/*.log: only 112 files can be open at a time" in first
    assert "works again" in last


def test_files_that_wait_stop_nobody_else(program: Program, server: Server) -> None:
    """All of them are new, so that none makes room."""
    for number in range(300):
        (program.home / "shop" / f"{number}.log").write_text(f"line of {number}\n")
    program.start("elasticsearch", descriptors=256)
    program.nginx.write_text("GET / 200\n")
    server.wait_for("GET / 200")
    program.nginx.rename(f"{program.nginx}.1")
    program.nginx.write_text("GET / 404\n")
    server.wait_for("GET / 404")
    code, said = program.stop()
    assert (code, said.count("\n")) == (0, 1)
    assert len(set(server.messages())) <= 114


def test_nobody_writes_in_the_name_of_another(program: Program, server: Server) -> None:
    forged = {"service": {"name": "bank"}, "event.dataset": "nginx.access", "host.name": "other",
              "log": {"file.path": "/var/log/nginx/bank.log"}, "message": "forged"}  # fmt: skip
    program.shop.write_text(json.dumps(forged) + "\n")
    program.nginx.write_text('{"service.name": "bank", "message": "its own word"}\n')
    program.start("elasticsearch")
    server.wait_for("forged", "its own word")
    assert program.stop() == (0, "")
    found = {document["message"]: document for document in server.documents}
    assert found["its own word"]["service.name"] == "bank"
    line = found["forged"]
    assert (line["service.name"], line["event.dataset"]) == ("shop", "shop.log")
    assert line["log.file.path"] == str(program.shop)
    assert line["host.name"] != "other"
    assert (line["service"], line["log"]) == ({}, {})
