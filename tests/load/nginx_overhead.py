# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests per second through the role's nginx, against a bare nginx in front of the same app.

Both end TLS with the same certificate on the same host. They are asked in turns, and the first of
each pair changes, so that what else the machine does falls on both.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from .heavy_load import HeavyLoad, HeavyResult

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "build/bench-nginx.json"
FLEET = "bench-nginx"
PORTS = {"role": 443, "bare": 8443}
LEAST_SHARE = 0.95


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench-nginx", description=__doc__)
    parser.add_argument("--image", default="debian13", help="what the host runs")
    parser.add_argument("--pairs", type=int, default=8, help="how often each is asked")
    parser.add_argument("--seconds", type=float, default=4, help="for how long each time")
    parser.add_argument("--connections", type=int, default=32)
    return parser.parse_args()


def ask(which: str, address: str, connections: int, seconds: float) -> HeavyResult:
    load = HeavyLoad("bench.test", address, PORTS[which], "/", connections)
    time.sleep(seconds)
    result = load.stop()
    if result.failed:
        sys.exit(f"bench-nginx: {which}: {result.failures} of {result.requests} requests failed")
    return result


def measure(address: str, chosen: argparse.Namespace) -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {"role": [], "bare": []}
    for which in PORTS:
        ask(which, address, chosen.connections, 1)  # warms up
    for pair in range(chosen.pairs):
        for which in ("role", "bare") if pair % 2 else ("bare", "role"):
            rate = ask(which, address, chosen.connections, chosen.seconds).rps
            rates[which].append(rate)
            print(f"{which}: {rate:8.0f} requests/s, load {os.getloadavg()[0]:.1f}", flush=True)
    return rates


def main() -> None:
    chosen = arguments()
    hosts = ROOT / "tests/hosts/hosts"
    subprocess.run([hosts, "up", FLEET, f"bench={chosen.image}", "--fresh"], check=True)
    try:
        inventory = ROOT / f"build/hosts/{FLEET}/inventory.yml"
        site = ROOT / "tests/load/overhead/site.yml"
        subprocess.run(["ansible-playbook", "-i", inventory, site], check=True)
        listed = subprocess.run(
            ["ansible-inventory", "-i", inventory, "--host", "bench"],
            check=True,
            capture_output=True,
        )
        rates = measure(json.loads(listed.stdout)["ansible_host"], chosen)
    finally:
        subprocess.run([hosts, "down", FLEET], check=True)
    shares = [role / bare for role, bare in zip(rates["role"], rates["bare"], strict=True)]
    share = statistics.median(shares)
    RESULT.write_text(
        json.dumps(
            {
                "image": chosen.image,
                "connections": chosen.connections,
                "requests_per_second": rates,
                "shares": shares,
                "share": share,
                "load": os.getloadavg(),
            },
            indent=1,
        )
        + "\n"
    )
    print(
        f"the role's nginx serves {share:.3f} of a bare one's requests "
        f"(median of {len(shares)} pairs, {min(shares):.3f} to {max(shares):.3f}; "
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores): {RESULT.relative_to(ROOT)}"
    )
    if share < LEAST_SHARE:
        sys.exit(f"bench-nginx: {share:.3f} is less than {LEAST_SHARE}")


if __name__ == "__main__":
    main()
