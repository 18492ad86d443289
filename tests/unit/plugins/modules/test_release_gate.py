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
        ("kill -9 $$", "failed", "exit code -9"),
        ("sh -c 'kill -9 $$'; exit $?", "failed", "exit code 137"),
        ('test "$DEPLOY_APP $HOME" = "shop $KEPT"', "good", ""),
        ("test -t 0 || cat", "good", ""),
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


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(3)
        status = int(self.path[1:4]) if self.path[1:4].isdigit() else 200
        self.send_response(status)
        self.end_headers()
        # who has waited too long does not read it
        with contextlib.suppress(ConnectionError):
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
    ],
)
def test_a_url(call: Any, url: str, path: str, outcome: str, reason: str) -> None:
    found = call(gate=url + path, timeout=1)
    assert found["outcome"] == outcome
    assert found["reason"].startswith(reason)
    assert "secret" not in json.dumps(found)


def test_no_server(call: Any) -> None:
    found = call(gate="http://127.0.0.1:1/?token=secret")
    assert (found["outcome"], found["reason"]) == ("failed", "no answer: ConnectionRefusedError")
    assert "secret" not in json.dumps(found)


def test_a_timeout_that_is_none(call: Any) -> None:
    found = call(gate="true", timeout=0)
    assert found["msg"] == "timeout has to be at least 1, and is 0."
