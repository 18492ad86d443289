# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The counting client as a process of its own."""

from __future__ import annotations

import pathlib
import sys

import pytest
from load import counting_process
from load.counting_process import CountingProcess

# As Python is when asyncio has ended: the next signal kills.
CLIENT = """\
import json, pathlib, signal, sys, time
output, ready = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(signal.signal(signal.SIGTERM, signal.SIG_DFL)))
ready.touch()
while not asked:
    time.sleep(0.01)
ready.unlink()
time.sleep(1)
output.write_text(json.dumps({"requests": 7, "finished": True}))
"""


def test_it_is_asked_once(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output, ready = tmp_path / "counts.json", tmp_path / "ready"
    popen = counting_process.subprocess.Popen

    def start(_command: list[str], **options: object) -> object:
        return popen([sys.executable, "-c", CLIENT, str(output), str(ready)], **options)

    monkeypatch.setattr(counting_process.subprocess, "Popen", start)
    client = CountingProcess("https://shop.test", [], output)
    while not ready.exists():
        assert client.running
    client.ask_to_stop()
    while ready.exists():
        assert client.running
    assert client.stop()["requests"] == 7
