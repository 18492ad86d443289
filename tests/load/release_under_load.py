# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Publishes and deploys a version of an app while clients count what they lose by it.

Two loads run against the proxy from before the publishing until some seconds after the deploy: a
client that checks every answer, and wrk for weight. The exit code is 0 only when none of their
requests failed and the last of them were all answered by the new version.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .counting_process import CountingError, CountingProcess
from .heavy_load import HeavyLoad, HeavyLoadError, HeavyResult

ROOT = Path(__file__).resolve().parents[2]
# What was sent in the last seconds of a run must have been answered by the new version.
FINAL_SECONDS = 2.0
# Of the client that checks every answer; wrk does without.
SHORTEST_PAUSE_SECONDS = 0.01
INVENTORY_TIMEOUT_SECONDS = 60
PLAYBOOK_TIMEOUT_SECONDS = 900


class ReleaseError(Exception):
    """The release could not be measured, or not made; the message says why."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One release under load, as measured."""

    version: str
    counted: dict[str, Any]
    heavy: HeavyResult | None
    deploy_epoch: float
    stop_epoch: float
    seconds: dict[str, float]
    load_average: float
    failed_playbook: str | None = None


def proxy_address(inventory: dict[str, Any], group: str) -> str:
    """The address of the first host of a group, from the output of `ansible-inventory --list`."""
    hosts = inventory.get(group, {}).get("hosts", [])
    if not hosts:
        raise ReleaseError(f"the inventory has no host in the group {group!r}")
    variables = inventory.get("_meta", {}).get("hostvars", {}).get(hosts[0], {})
    return str(variables.get("ansible_host", hosts[0]))


def problems(outcome: Outcome) -> list[str]:
    """Everything that keeps this release from being one without a failed request."""
    counted, heavy = outcome.counted, outcome.heavy
    found = []
    if outcome.failed_playbook:
        found.append(f"the playbook {outcome.failed_playbook} failed")
    if counted["failed"]:
        reasons = ", ".join(f"{count} of {reason}" for reason, count in counted["failures"].items())
        found.append(f"{counted['failed']} requests of the counting client failed: {reasons}")
    if not counted["requests"]:
        found.append("the counting client sent nothing")
    if heavy is not None and heavy.failed:
        reasons = ", ".join(f"{count} of {reason}" for reason, count in heavy.failures.items())
        found.append(f"{heavy.failed} requests of wrk failed: {reasons}")
    if heavy is not None and not heavy.requests:
        found.append("wrk sent nothing")
    final = outcome.stop_epoch - counted["started_epoch"] - FINAL_SECONDS
    late = {
        version
        for version, seen in counted["versions"].items()
        if seen["last_sent"]["seconds"] >= final
    }
    if late != {outcome.version}:
        found.append(
            f"the answers of the last {FINAL_SECONDS:g} s came from "
            f"{', '.join(sorted(late)) or 'no version'} instead of {outcome.version} alone"
        )
    return found


def table(outcome: Outcome) -> str:
    """The numbers of a release for people; times count from the start of the deploy."""
    counted, heavy = outcome.counted, outcome.heavy
    shift = outcome.deploy_epoch - counted["started_epoch"]
    lines = [
        f"{'load':<16}{'requests':>10}{'failed':>8}{'retried':>9}{'req/s':>9}",
        (
            f"{'counting client':<16}{counted['requests']:>10,}{counted['failed']:>8}"
            f"{counted['retried']:>9}{counted['rps']:>9,.0f}"
            f"   {counted['slow_completed']} slow requests completed"
        ),
    ]
    if heavy is not None:
        lines.append(
            f"{'wrk':<16}{heavy.requests:>10,}{heavy.failed:>8}{'-':>9}{heavy.rps:>9,.0f}"
            f"   99% within {heavy.p99}"
        )
    lines += [
        "",
        f"{'version':<16}{'answers':>10}{'first':>10}{'last':>10}{'slowest':>10}",
        *(
            f"{version:<16}{seen['count']:>10,}"
            f"{seen['first']['seconds'] - shift:>+8.1f} s{seen['last']['seconds'] - shift:>+8.1f} s"
            f"{seen['slowest_seconds']:>8.2f} s"
            for version, seen in counted["versions"].items()
        ),
        "",
        ", ".join(f"{name} took {seconds:.1f} s" for name, seconds in outcome.seconds.items())
        + f"; load of this machine {outcome.load_average:.1f} on {os.cpu_count()} cores",
    ]
    for example in counted["examples"]:
        lines.append(
            f"{example['request']}: {example['reason']} "
            f"{example['failed']['seconds'] - shift:+.1f} s: {example['detail']}"
        )
    return "\n".join(lines)


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="release", description=(__doc__ or "").partition("\n")[0], epilog="Defaults: the demo."
    )
    add = parser.add_argument
    add("--version", required=True, help="what to release")
    add("--app", default="guestbook")
    add("--name", default="guestbook.test", help="host name of the app at the proxy")
    add("--proxy-group", default="proxy", metavar="GROUP")
    add("--inventory", action="append", metavar="PATH", help="as for ansible-playbook, repeatable")
    add("--state", type=Path, default=ROOT / "build/demo", metavar="DIR", help="results go there")
    add("--ca-file", type=Path, metavar="PEM", help="default: APP.pem in the state directory")
    add("--wrk-connections", type=int, default=8, metavar="N", help="0: without wrk")
    add("--wrk-path", default="/version", metavar="PATH")
    add(
        "--pause",
        type=float,
        default=0.0,
        metavar="S",
        help="of a client before a request (%(default)s)",
    )
    add("--before", type=float, default=3.0, metavar="S", help="load before the first playbook")
    add("--after", type=float, default=5.0, metavar="S", help="load after the deploy")
    chosen = parser.parse_args(argv)
    if not re.fullmatch(r"\d+(\.\d+)*[0-9A-Za-z.+-]*", chosen.version):
        parser.error(f"{chosen.version!r} is not a version such as 1.1.0")
    if chosen.after <= FINAL_SECONDS:
        parser.error(f"--after must be more than {FINAL_SECONDS:g} seconds")
    if not chosen.inventory:
        chosen.inventory = ["inventories/demo", "build/hosts/demo/inventory.yml"]
    chosen.ca_file = chosen.ca_file or chosen.state / f"{chosen.app}.pem"
    return chosen


def _require(chosen: argparse.Namespace) -> None:
    for path in [*chosen.inventory, chosen.ca_file]:
        if not (ROOT / path).exists():
            raise ReleaseError(f"{path} is missing: start the demo first, with `make demo`")
    programs = ["ansible-playbook", "ansible-inventory", *(["wrk"] * bool(chosen.wrk_connections))]
    for program in programs:
        if shutil.which(program) is None:
            raise ReleaseError(f"the program {program} is not installed")


def _ansible_environment() -> dict[str, str]:
    """This process's, without the path that makes `python -m load` work."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def _read_inventory(options: Sequence[str]) -> dict[str, Any]:
    answer = subprocess.run(
        ["ansible-inventory", *options, "--list"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=_ansible_environment(),
        timeout=INVENTORY_TIMEOUT_SECONDS,
        check=False,
    )
    if answer.returncode:
        raise ReleaseError(f"ansible-inventory failed: {answer.stderr.strip()[-500:]}")
    inventory: dict[str, Any] = json.loads(answer.stdout)
    return inventory


def _play(playbook: str, options: Sequence[str], chosen: argparse.Namespace) -> bool:
    extra = ("-e", f"app={chosen.app}", "-e", f"version={chosen.version}")
    print(f"==> {playbook}", flush=True)
    try:
        run = subprocess.run(
            ["ansible-playbook", *options, f"playbooks/{playbook}.yml", *extra],
            cwd=ROOT,
            env=_ansible_environment(),
            timeout=PLAYBOOK_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return run.returncode == 0


def release(chosen: argparse.Namespace) -> Outcome:
    """Make the release and measure it; the loads are stopped whatever happens."""
    _require(chosen)
    options = [part for path in chosen.inventory for part in ("-i", path)]
    address = proxy_address(_read_inventory(options), chosen.proxy_group)
    chosen.state.mkdir(parents=True, exist_ok=True)
    print(f"load on https://{chosen.name} at {address}", flush=True)

    pause = max(chosen.pause, SHORTEST_PAUSE_SECONDS)
    arguments = ("--address", address, "--ca-file", str(chosen.ca_file), "--pause", str(pause))
    counting = CountingProcess(f"https://{chosen.name}", arguments, chosen.state / "release.json")
    heavy: HeavyLoad | None = None
    seconds: dict[str, float] = {}
    failed_playbook = None
    deploy_epoch = time.time()
    try:
        if chosen.wrk_connections:
            heavy = HeavyLoad(
                chosen.name,
                address,
                443,
                chosen.wrk_path,
                chosen.wrk_connections,
                pause=chosen.pause,
            )
        time.sleep(chosen.before)
        if not counting.running or (heavy is not None and not heavy.running):
            raise ReleaseError("a load generator ended at once: does the proxy answer?")
        for playbook in ("publish", "deploy"):
            deploy_epoch, started = time.time(), time.monotonic()
            succeeded = _play(playbook, options, chosen)
            seconds[playbook] = time.monotonic() - started
            if not succeeded:
                failed_playbook = playbook
                break
        else:
            # The demo's inventory reads it, so that running the demo again keeps this version.
            (chosen.state / "version").write_text(f"{chosen.version}\n")
        load_average = os.getloadavg()[0]
        time.sleep(chosen.after)
    finally:
        stop_epoch = time.time()
        try:
            heavy_result = heavy.stop() if heavy is not None else None
        finally:
            counted = counting.stop()
    return Outcome(
        chosen.version,
        counted,
        heavy_result,
        deploy_epoch,
        stop_epoch,
        seconds,
        load_average,
        failed_playbook,
    )


def main(argv: list[str] | None = None) -> int:
    chosen = parse_arguments(argv)
    try:
        outcome = release(chosen)
    except (ReleaseError, CountingError, HeavyLoadError, subprocess.TimeoutExpired) as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    print(f"\n{table(outcome)}\n")
    found = problems(outcome)
    for problem in found:
        print(f"release: {problem}", file=sys.stderr)
    if not found:
        print(f"{chosen.app} {chosen.version} was released without a failed request")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
