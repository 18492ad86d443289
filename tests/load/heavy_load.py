# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""wrk: more requests than a client that checks each of them can send."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("requests.lua")
# It is stopped by a signal; this only bounds a run that was abandoned.
LONGEST_SECONDS = 3600
# wrk counts what takes longer as an error. Its default of 2 s would count patience.
TIMEOUT_SECONDS = 30
STOP_SECONDS = 120
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class HeavyLoadError(Exception):
    """wrk did not do what it should; the message repeats its words."""


@dataclass(frozen=True, slots=True)
class HeavyResult:
    """wrk's own counts."""

    requests: int
    rps: float
    p99: str
    slowest_seconds: float = 0.0
    connect: int = 0
    read: int = 0
    write: int = 0
    timeout: int = 0
    bad_status: int = 0

    @property
    def failures(self) -> dict[str, int]:
        counts = {
            "connect": self.connect,
            "read": self.read,
            "write": self.write,
            "timeout": self.timeout,
            "status": self.bad_status,
        }
        return {name: count for name, count in counts.items() if count}

    @property
    def failed(self) -> int:
        return sum(self.failures.values())


def parse(text: str) -> HeavyResult:
    """Read what wrk prints at its end; lines about errors are only there when there were some."""
    requests = re.search(r"^\s*(\d+) requests in ", text, re.MULTILINE)
    rate = re.search(r"^Requests/sec:\s+([\d.]+)", text, re.MULTILINE)
    p99 = re.search(r"^\s*99%\s+(\S+)", text, re.MULTILINE)
    if requests is None or rate is None:
        raise HeavyLoadError(f"wrk printed no result: {text.strip()[-500:] or 'nothing at all'}")
    latency = re.search(r"^\s*Latency\s+\S+\s+\S+\s+([\d.]+)(us|ms|s|m|h)\b", text, re.MULTILINE)
    errors = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text
    )
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    connect, read, write, timeout = map(int, errors.groups()) if errors else (0, 0, 0, 0)
    return HeavyResult(
        requests=int(requests[1]),
        rps=float(rate[1]),
        p99=p99[1] if p99 else "-",
        slowest_seconds=float(latency[1]) * UNITS[latency[2]] if latency else 0.0,
        connect=connect,
        read=read,
        write=write,
        timeout=timeout,
        bad_status=int(bad[1]) if bad else 0,
    )


class HeavyLoad:
    """One running wrk.

    `post_path`: every second request is a POST there. `pause`: seconds that each connection waits
    before a request; without it wrk sends what the server can take.
    """

    def __init__(
        self,
        name: str,
        address: str,
        port: int,
        path: str,
        connections: int,
        *,
        post_path: str = "",
        pause: float = 0.0,
    ) -> None:
        self._process = subprocess.Popen(
            [
                *("wrk", "--threads", "1", "--connections", str(connections), "--latency"),
                *("--duration", f"{LONGEST_SECONDS}s", "--timeout", f"{TIMEOUT_SECONDS}s"),
                *("--script", str(SCRIPT), f"https://{name}:{port}{path}"),
            ],
            env=os.environ
            | {"WRK_ADDRESS": address, "WRK_PORT": str(port)}
            | ({"WRK_POST_PATH": post_path} if post_path else {})
            | ({"WRK_PAUSE_MS": f"{pause * 1000:.0f}"} if pause else {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def ask_to_stop(self) -> None:
        """Of several, ask all before `stop` waits for each."""
        self._process.send_signal(signal.SIGINT)

    def stop(self) -> HeavyResult:
        """End it and read its counts."""
        self.ask_to_stop()
        try:
            text = self._process.communicate(timeout=STOP_SECONDS)[0]
        except subprocess.TimeoutExpired:
            self._process.kill()
            text = self._process.communicate()[0]
        return parse(text)
