# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill one process of a deploy or of the app, or the host, at a given step of a move.

Waits until a pivot says that it is at that step, finds the victim by what it is and nothing else,
sends it KILL and prints its pid.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

DEADLINE = 600.0  # seconds
POLL = 0.005


def status(app: str) -> dict:
    try:
        return json.loads(pathlib.Path(f"/run/{app}/web-1.json").read_text())
    except (OSError, ValueError):
        return {"state": "unknown"}


def holders(directory: pathlib.Path) -> list[int]:
    """Who has a directory open; the modules keep an app's directory locked while they work."""
    found = []
    for link in pathlib.Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.readlink() == directory:
                found.append(int(link.parts[2]))
        except OSError:  # ended meanwhile
            continue
    return found


def find(victim: str, app: str, said: dict) -> int:
    if victim == "module":
        return holders(pathlib.Path("/srv") / app)[0]
    if victim == "pivot":
        return int(said["pid"])
    if victim == "server":
        return int(said["child"])
    words = ["systemctl", "show", "--value", "--property=MainPID", f"circus@{app}.service"]
    return int(subprocess.run(words, check=True, capture_output=True, timeout=60).stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("app")
    parser.add_argument("victim", choices=["module", "pivot", "server", "circusd", "host"])
    parser.add_argument("step", choices=["gate", "drain", "serving"])
    chosen = parser.parse_args()
    deadline = time.monotonic() + DEADLINE
    while (said := status(chosen.app))["state"] != chosen.step:
        if time.monotonic() > deadline:
            print(f"{chosen.step} never came, the last state was {said['state']}")
            return 1
        time.sleep(POLL)
    if chosen.victim == "host":
        subprocess.run(["systemctl", "reboot", "--force"], check=True, timeout=60)
        return 0
    pid = find(chosen.victim, chosen.app, said)
    os.kill(pid, signal.SIGKILL)
    print(f"{chosen.victim} {pid} killed at {said['state']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
