# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""herd.py INDEX LOCK CLIENTS SECONDS: many clients with cold caches install one lock at once.

Runs on a client host, in a virtualenv with uv and pip: half of the clients are one, half the other.
Prints what came of it as one JSON object. What has not ended after SECONDS is a failure.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Run:
    tool: str
    seconds: float
    exit_code: int  # -1: had to be ended
    said: str  # the end of it, where it failed


def command(tool: str, index: str, lock: str, target: pathlib.Path) -> list[str]:
    """Nothing of the host's settings, no cache, wheels only, every hash checked."""
    bin_folder = pathlib.Path(sys.executable).parent
    options = ["--require-hashes", "--index-url", index, "--target", str(target / "packages")]
    if tool == "uv":
        return [
            str(bin_folder / "uv"),
            *("pip", "install", "--quiet", "--no-cache", "--no-config", "--only-binary", ":all:"),
            *("--python", sys.executable, "--no-python-downloads"),
            *(*options, "--requirements", lock),
        ]
    return [
        str(bin_folder / "pip"),
        *("--isolated", "install", "--quiet", "--no-cache-dir", "--disable-pip-version-check"),
        *("--only-binary", ":all:", "--no-compile", *options, "--requirement", lock),
    ]


def run(tool: str, index: str, lock: str, seconds: float) -> Run:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        environment = {
            "HOME": folder,
            "PIP_CERT": "/etc/ssl/certs/ca-certificates.crt",
            "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
            "UV_HTTP_TIMEOUT": "300",
        }
        began = time.monotonic()
        try:
            result = subprocess.run(
                command(tool, index, lock, pathlib.Path(folder)),
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Run(tool, round(time.monotonic() - began, 1), -1, "not ended in time")
        said = result.stdout[-500:] if result.returncode else ""
        return Run(tool, round(time.monotonic() - began, 1), result.returncode, said)


def summary(runs: list[Run]) -> dict[str, object]:
    return {
        "clients": len(runs),
        "failures": [asdict(run) for run in runs if run.exit_code != 0],
        "seconds": {
            tool: {"median": times[len(times) // 2], "longest": times[-1]}
            for tool in sorted({run.tool for run in runs})
            for times in [sorted(run.seconds for run in runs if run.tool == tool)]
        },
    }


def main(index: str, lock: str, clients: str, seconds: str) -> None:
    tools = [("uv", "pip")[number % 2] for number in range(int(clients))]
    with ThreadPoolExecutor(max_workers=len(tools)) as pool:
        runs = list(pool.map(lambda tool: run(tool, index, lock, float(seconds)), tools))
    print(json.dumps(summary(runs)))


if __name__ == "__main__":
    main(*sys.argv[1:])
