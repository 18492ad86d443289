# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cause faults on one of two app hosts, one after the other, and count what each costs the proxy's clients.

No GET may fail. Of POSTs those may that a dead or hung process had, one for each client, and the ones by which the
proxy finds out whether a host is well again, one in each fail_timeout.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import dataclasses
import pathlib
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from load import counting_client
from load.http_connection import Endpoint
from load.tally import Tally

HOSTS = pathlib.Path(__file__).resolve().parents[3] / "build" / "hosts"
NAME = "subject.test"
APP = "subject"
# Closed-loop clients: each sends its next request when it has the answer.
KEPT, ONE_SHOT, SLOW = 6, 2, 2
# Before a fault, and after the host is well again.
BEFORE_SECONDS, AFTER_SECONDS = 1.0, 3.0
WELL_SECONDS = 120.0
AT_LEAST_REQUESTS = 20
FAIL_TIMEOUT = 5.0  # as the role nginx has it for a host of a load balancer


def podman(*argv: str) -> str:
    words = ["podman", *argv]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def ask(address: str, path: str, method: str = "GET") -> tuple[str, str]:
    """Status and body of an answer, from that host; the status is 000 when there is none."""
    words = ["curl", "--silent", "--insecure", "--max-time", "10", "--write-out", "\n%{http_code}"]
    where = ["--request", method, "--resolve", f"{NAME}:443:{address}", f"https://{NAME}{path}"]
    body, _newline, status = subprocess.run(
        [*words, *where], capture_output=True, text=True, timeout=60, check=False
    ).stdout.rpartition("\n")
    return status, body


@dataclasses.dataclass(frozen=True)
class Host:
    """The app host that the faults are caused on, its container, and the proxy in front of it."""

    address: str
    container: str
    proxy: str

    def run(self, *argv: str) -> str:
        return podman("exec", self.container, *argv)

    def signal(self, signal: str, *, group: bool) -> None:
        """Send a signal to the pivot of the web process, or to the group of the app's processes."""
        status = f"json.load(open('/run/{APP}/web-1.json'))"
        kill = (
            f"os.killpg(os.getpgid({status}['child']), signal.{signal})"
            if group
            else f"os.kill({status}['pid'], signal.{signal})"
        )
        self.run("python3", "-c", f"import json, os, signal; {kill}")


Action = Callable[[Host], Any]


def nothing(host: Host) -> None:
    pass


def unit(*words: str) -> Action:
    return lambda host: host.run("systemctl", *words)


def container(*words: str) -> Action:
    return lambda host: podman(*words, host.container)


def signal(name: str, *, group: bool) -> Action:
    return lambda host: host.signal(name, group=group)


def reinstall_nginx(host: Host) -> None:
    """As an upgrade of the package: Debian's script has a new master take over the old one's sockets."""
    show = ("systemctl", "show", "--property=MainPID,NRestarts,ActiveEnterTimestamp", "nginx")
    before = set(host.run(*show).splitlines())
    host.run("apt-get", "install", "--reinstall", "--yes", "nginx")
    # systemd reads the new master's id when the old one is gone, which is after its last request
    deadline = time.monotonic() + WELL_SECONDS
    while (after := set(host.run(*show).splitlines())) == before and time.monotonic() < deadline:
        time.sleep(0.2)
    if not all(line.startswith("MainPID=") for line in before ^ after) or before == after:
        sys.exit(f"nginx was not upgraded while it ran: {before}, then {after}")


def require_own_503(host: Host) -> None:
    """What the app of the other host answers is not replaced by an error about this host."""
    for method in ("GET", "POST") * 6:
        answer = ask(host.proxy, "/unavailable", method)
        if answer[0] != "503" or "no database" not in answer[1]:
            sys.exit(f"{method} of a page with a status of its own: {answer}")


@dataclasses.dataclass(frozen=True)
class Fault:
    """What is done to the host, how long it stays so, what is tested then, and what ends it."""

    name: str
    cause: Action
    seconds: float = 1.0
    end: Action = nothing
    meanwhile: Action = nothing


CIRCUS = f"circus@{APP}"
KILL = ("kill", "--signal=KILL", "--kill-whom=main")
FAULTS = [
    Fault("pivot killed", signal("SIGKILL", group=False)),
    Fault("circusd killed", unit(*KILL, CIRCUS)),
    Fault("circus@ restarted", unit("restart", CIRCUS)),
    Fault("app away", unit("stop", CIRCUS), 2.0, unit("start", CIRCUS), require_own_503),
    # longer than the app's read_timeout
    Fault("app hung", signal("SIGSTOP", group=True), 12.0, signal("SIGCONT", group=True)),
    Fault("nginx killed", unit(*KILL, "nginx")),
    Fault("nginx reinstalled", reinstall_nginx),
    Fault("host frozen", container("pause"), 8.0, container("unpause")),
    Fault("host lost, and back", container("kill", "--signal=KILL"), 5.0, container("start")),
    Fault("host rebooted", container("stop", "--time=30"), 0.0, container("start")),
]


class MethodTally(Tally):
    """Knows, too, how many requests of each method failed."""

    def __init__(self) -> None:
        super().__init__()
        self.failed_of: collections.Counter[str] = collections.Counter()

    def add_failure(self, request: str, reason: str, detail: str, sent: float) -> None:
        super().add_failure(request, reason, detail, sent)
        self.failed_of[request.split()[0]] += 1

    def is_within_bounds(self, fault: Fault) -> bool:
        may_fail = KEPT + ONE_SHOT + fault.seconds // FAIL_TIMEOUT
        return (
            self.requests > AT_LEAST_REQUESTS
            and not self.failed_of["GET"]
            and self.failed_of["POST"] <= may_fail
        )


def line(fault: Fault, tally: MethodTally) -> str:
    report = tally.report()
    slowest = max((seen["slowest_seconds"] for seen in report["versions"].values()), default=0.0)
    gets, posts = tally.failed_of["GET"], tally.failed_of["POST"]
    reasons = ", ".join(f"{count} {reason}" for reason, count in report["failures"].items())
    return (
        f"{fault.name:20} {tally.requests:5} requests in {report['seconds']:4.1f} s, slowest "
        f"{slowest:4.1f} s, failed: {gets} GET, {posts} POST {f'({reasons})' * bool(reasons)}"
    )


async def suffer(fault: Fault, host: Host) -> None:
    """From before the fault until the host has been well for a while."""
    await asyncio.sleep(BEFORE_SECONDS)
    await asyncio.to_thread(fault.cause, host)
    await asyncio.sleep(fault.seconds)
    await asyncio.to_thread(fault.meanwhile, host)
    await asyncio.to_thread(fault.end, host)
    deadline = time.monotonic() + WELL_SECONDS
    while (await asyncio.to_thread(ask, host.address, "/healthz"))[0] != "200":
        if time.monotonic() > deadline:
            sys.exit(f"{fault.name}: {host.address} does not serve after {WELL_SECONDS:.0f} s")
        await asyncio.sleep(0.2)
    await asyncio.sleep(AFTER_SECONDS)


async def count(fault: Fault, host: Host, plan: counting_client.Plan) -> MethodTally:
    stop, tally = asyncio.Event(), MethodTally()
    load = asyncio.create_task(counting_client.run(plan, stop, tally))
    try:
        await suffer(fault, host)
    finally:
        stop.set()
        await load
    return tally


def containers(fleet: str) -> dict[str, str]:
    """Addresses to containers of this checkout's fleet."""
    labels = {"fleet-name": fleet, "owner": HOSTS}
    filters = [f"--filter=label=twelvefactor.{name}={value}" for name, value in labels.items()]
    listed = podman("ps", *filters, "--format={{.Names}}")
    address = "--format={{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return {podman("inspect", address, name).strip(): name for name in listed.split()}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("fleet")
    parser.add_argument("proxy", help="its address")
    parser.add_argument("host", help="the app host's address")
    parser.add_argument("--only", default="", help="part of the names of the faults to cause")
    chosen = parser.parse_args()
    there = containers(chosen.fleet)
    host = Host(chosen.host, there[chosen.host], chosen.proxy)
    trust = podman("exec", there[chosen.proxy], "cat", f"/etc/nginx/certificates/{APP}.trust.pem")
    plan = counting_client.Plan(
        Endpoint(chosen.proxy, 443, NAME, ssl.create_default_context(cadata=trust)),
        keep_alive=KEPT, one_shot=ONE_SHOT, slow=SLOW, slow_path="/slow?seconds=1", pause=0.04,
    )  # fmt: skip
    passed = True
    for fault in FAULTS:
        if chosen.only not in fault.name:
            continue
        tally = asyncio.run(count(fault, host, plan))
        print(line(fault, tally), flush=True)
        if not tally.is_within_bounds(fault):
            passed = False
            print(*tally.examples, sep="\n", file=sys.stderr)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
