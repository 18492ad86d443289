# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the probe of web processes prints is believed only in its own form: the app's user can alter it."""

from __future__ import annotations

import contextlib
import pathlib
import socket
import sys
import tempfile
import threading
import time

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes import (
    health_probe,
    sandbox,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome

WEB = {"socket": True, "health": {"path": "/healthz", "host": "shop.test", "count": 2}}


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("[" * 100_000, "GET /healthz: maximum recursion depth exceeded"),
        ("[1]", "GET /healthz: the probe's output was altered"),
        ('{"web-1": 1}', "GET /healthz: the probe's output was altered"),
        ('{"web-1": ["yes", {}]}', "GET /healthz: the probe's output was altered"),
        ("{}", "GET /healthz: nothing within 10 s"),
        ('{"web-1": [true, "200 OK"]}', "GET /healthz: 200 OK"),
    ],
)
def test_what_else_the_probe_may_print(
    home: AppHome, monkeypatch: pytest.MonkeyPatch, output: str, answer: str
) -> None:
    monkeypatch.setattr(health_probe, "run_in_sandbox", lambda *_args: (0, output))
    well, said = health_probe.probe(home.root, home.app, {"web-1": WEB})["web-1"]
    assert said.startswith(answer)
    assert well == ("200" in output)


def test_a_host_without_the_sandbox_says_so(home: AppHome, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "app-exec: shop has no sandbox on this host\n"
    monkeypatch.setattr(health_probe, "run_in_sandbox", lambda *_args: (1, said))
    assert health_probe.probe(home.root, home.app, {"web-1": WEB})["web-1"] == (
        False,
        "GET /healthz: could not be asked: app-exec: shop has no sandbox on this host",
    )


def test_several_that_trickle_share_one_deadline(
    home: AppHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every read is quick enough, and yet it must end."""
    monkeypatch.setattr(health_probe, "PROBE_TIMEOUT", 0.5)
    monkeypatch.setattr(health_probe, "PYTHON", sys.executable)
    monkeypatch.setattr(sandbox, "APP_EXEC", ("sh", "-c", 'exec "$@"'))
    names = [f"web-{number}" for number in range(1, 6)]

    def drip(listener: socket.socket) -> None:
        with contextlib.suppress(OSError), listener.accept()[0] as connection:
            while True:
                connection.sendall(b"H")
                time.sleep(0.05)

    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        for name in names:
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(f"{place}/{name}.sock")
            listener.listen()
            threading.Thread(target=drip, args=(listener,), daemon=True).start()
        began = time.monotonic()
        told = health_probe.probe(pathlib.Path(place), home.app, dict.fromkeys(names, WEB))
        took = time.monotonic() - began
    assert told == dict.fromkeys(names, (False, "GET /healthz: nothing within 1 s"))
    assert took < 3  # one after the other they would take 5 s


def test_nobody_is_asked_where_nobody_listens(
    home: AppHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(health_probe, "run_in_sandbox")
    assert health_probe.probe(home.root, home.app, {}) == {}
