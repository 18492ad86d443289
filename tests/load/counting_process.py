# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The counting client as a process of its own, so that it has a core of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
# It waits for what is under way, a stream included.
STOP_SECONDS = 100


class CountingError(Exception):
    """Nothing is known of what was counted; the message says why."""


class CountingProcess:
    """One running client; `arguments` as for `tests/load/count`, without when to stop."""

    def __init__(self, url: str, arguments: Sequence[str], output: Path) -> None:
        self._output = output
        output.unlink(missing_ok=True)
        command = [sys.executable, "-m", "load.counting_client", url, *arguments]
        self._process = subprocess.Popen(
            [*command, "--until-signal", "--output", str(output)],
            env=os.environ | {"PYTHONPATH": str(TESTS)},
            stderr=subprocess.PIPE,
            text=True,
        )
        self._asked = False

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def so_far(self) -> int:
        """How many requests it has counted, some seconds ago."""
        return int(self._read()["requests"]) if self._output.exists() else 0

    def ask_to_stop(self) -> None:
        """Of several, ask all before `stop` waits for each.

        Once: while Python ends, it no longer handles the signal, and a second one would kill it before it
        has written its counts.
        """
        if not self._asked:
            self._asked = True
            self._process.send_signal(signal.SIGTERM)

    def stop(self) -> dict[str, Any]:
        """End it and read its counts."""
        self.ask_to_stop()
        try:
            said = self._process.communicate(timeout=STOP_SECONDS)[1]
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise CountingError("the counting client did not stop; nothing is known") from None
        result = self._read() if self._output.exists() else {}
        if not result.get("finished"):
            raise CountingError(f"the counting client left no result: {said.strip()[-500:]}")
        return result

    def _read(self) -> dict[str, Any]:
        result: dict[str, Any] = json.loads(self._output.read_text())
        return result
