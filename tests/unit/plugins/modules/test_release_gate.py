# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module release_gate, with real commands and a real server."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.twelvefactor.deploy.plugins.modules import release_gate


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(**params: Any) -> dict[str, Any]:
        with patch_module_args(params), pytest.raises(SystemExit):
            release_gate.main()
        return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]

    return run


@pytest.mark.parametrize(
    ("command", "outcome", "reason"),
    [
        ("true", "good", ""),
        ("echo fine; echo loud >&2", "good", ""),
        ("echo '  nobody buys '; echo more; exit 3", "bad", "nobody buys"),
        ("exit 3", "bad", "exit code 3"),
        ("echo secret >&2; exit 1", "bad", "exit code 1"),
        ("printf 'a\\033[31mb\\n'; exit 1", "bad", "a?[31mb"),
        ("printf '\\377\\n'; exit 1", "bad", "\ufffd"),
        ("yes x | head -c 9000 | tr -d '\\n'; exit 1", "bad", "x" * 197 + "..."),
        ("/nowhere/check", "failed", "exit code 127"),
        ("/etc/passwd", "failed", "exit code 126"),
        ("exit 125", "bad", "exit code 125"),
        ("exit 128", "failed", "exit code 128"),
        ("kill -9 $$", "failed", "exit code -9"),
        ("sh -c 'kill -9 $$'; exit $?", "failed", "exit code 137"),
        ('test "$DEPLOY_APP $HOME" = "shop $KEPT"', "good", ""),
        ("test -t 0 || cat", "good", ""),
        # as much as it likes to write, of which nothing is stored
        ("echo no; head -c 999999 /dev/zero && test ! -p /dev/stdout", "bad", "no"),
    ],
)
def test_a_command(
    call: Any, monkeypatch: pytest.MonkeyPatch, command: str, outcome: str, reason: str
) -> None:
    monkeypatch.setenv("KEPT", os.environ["HOME"])
    found = call(gate=command, environment={"DEPLOY_APP": "shop"})
    assert (found["outcome"], found["reason"], found["changed"]) == (outcome, reason, False)


def test_a_command_that_hangs_ends_with_what_it_has_started(
    call: Any, tmp_path: pathlib.Path
) -> None:
    file = tmp_path / "pid"
    found = call(gate=f"sleep 300 & echo $! > {file}; wait", timeout=1)
    assert (found["outcome"], found["reason"]) == ("failed", "it has not ended within 1 s")
    process, until = pathlib.Path("/proc") / file.read_text().strip() / "stat", time.time() + 60
    while process.exists() and process.read_text().split()[2] != "Z" and time.time() < until:
        time.sleep(0.01)
    assert not process.exists() or process.read_text().split()[2] == "Z"


def test_where_a_command_runs(call: Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "check").write_text("#!/bin/sh\necho nobody buys\nexit 1\n")
    (tmp_path / "check").chmod(0o755)
    assert call(gate="./check", chdir=str(tmp_path))["reason"] == "nobody buys"
    found = call(gate="./check", chdir=str(tmp_path / "none"))
    assert (found["outcome"], found["reason"]) == (
        "failed",
        "it cannot be started: No such file or directory",
    )


def test_what_a_process_in_a_session_of_its_own_holds_open(call: Any) -> None:
    assert call(gate="echo no; setsid sleep 3 & sleep 0.2; exit 1")["reason"] == "no"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(3)
        status = int(self.path[1:4]) if self.path[1:4].isdigit() else 200
        if self.path == "/secret":
            status = 200 if self.headers["Authorization"] == "Basic bWU6YS9i" else 401
        self.send_response(status)
        if self.path.startswith("/3"):
            self.send_header("Location", "/200")
        # who has waited too long does not read it
        with contextlib.suppress(ConnectionError):
            for _byte in range(30 if self.path == "/trickles" else 0):
                self.flush_headers()
                self.wfile.write(b"X")
                time.sleep(0.1)
            self.end_headers()
            self.wfile.write(b"" if status == 503 else b"nobody buys\nmore")

    def log_message(self, *_arguments: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "outcome", "reason"),
    [
        ("/200", "good", ""),
        ("/204", "good", ""),
        ("/400", "bad", "nobody buys"),
        ("/500?token=secret", "bad", "nobody buys"),
        ("/503", "bad", "status 503"),
        ("/slow", "failed", "no answer: "),
        # each byte in time, all of them not
        ("/trickles", "failed", "no answer: TimeoutError"),
        # to a login page, mostly
        ("/302", "failed", "it redirects: status 302"),
        ("/304", "failed", "it redirects: status 304"),
    ],
)
def test_a_url(call: Any, url: str, path: str, outcome: str, reason: str) -> None:
    found = call(gate=url + path, timeout=1)
    assert found["outcome"] == outcome
    assert found["reason"].startswith(reason)
    assert "secret" not in json.dumps(found)


def test_a_url_with_a_password(call: Any, url: str) -> None:
    assert call(gate=f"{url}/secret")["outcome"] == "bad"
    gate = f"{url}/secret".replace("://", "://me:a%2Fb@")
    assert call(gate=gate)["outcome"] == "good"


@pytest.mark.parametrize(
    "gate", ["http://", "http://[", "http://a:b/", "https://a b/", "http://\xad/", "http://x@/"]
)
def test_what_is_no_url(call: Any, gate: str) -> None:
    assert call(gate=gate)["outcome"] == "failed"


def test_no_server(call: Any) -> None:
    found = call(gate="http://127.0.0.1:1/?token=secret")
    assert (found["outcome"], found["reason"]) == ("failed", "no answer: ConnectionRefusedError")
    assert "secret" not in json.dumps(found)


def test_a_timeout_that_is_none(call: Any) -> None:
    found = call(gate="true", timeout=0)
    assert found["msg"] == "timeout has to be at least 1, and is 0."
