# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands."""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import socket
import sys
import time
from typing import Any

from .host import Inspection
from .munin import GRAPHS, munin
from .prometheus import prometheus
from .statsd import gauges, send

STATE = pathlib.Path("/var/lib/app-metrics")


def write(path: pathlib.Path, text: str) -> None:
    """By rename: a reader finds all of it or what was there."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.chmod(0o644)
    new.replace(path)


def read_numbers(path: pathlib.Path) -> dict[str, Any] | None:
    try:
        document: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return {key: document[key] for key in ("samples", "until")}
    except (OSError, ValueError, LookupError, TypeError):
        return None


def collect(arguments: argparse.Namespace) -> int:
    inspection = Inspection(arguments.root, arguments.certificates)
    now = time.time()
    samples = [[sample.name, sample.labels, sample.value] for sample in inspection.samples]
    document = {"samples": samples, "until": now + arguments.valid}
    write(arguments.state / "numbers.json", json.dumps(document))
    if arguments.textfile:
        write(arguments.state / "apps.prom", prometheus(inspection.samples))
    if arguments.statsd:
        host, _colon, port = arguments.statsd.rpartition(":")
        prefix = f"{arguments.prefix}.{socket.gethostname().partition('.')[0]}"
        try:
            send(gauges(inspection.samples, prefix, now), host.strip("[]"), int(port))
        except OSError as error:
            inspection.problems.append(f"cannot send to {arguments.statsd}: {error}")
    for problem in inspection.problems:
        print(problem, file=sys.stderr)
    return 0


def answer(arguments: argparse.Namespace) -> int:
    limits = {key: os.environ[key] for key in ("warning", "critical") if os.environ.get(key)}
    document = read_numbers(arguments.state / "numbers.json")
    lines = munin(arguments.plugin, arguments.command, document, time.time(), limits)
    print("\n".join(lines))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Say in numbers how the apps of this host are.")
    parser.add_argument("--state", type=pathlib.Path, default=STATE, help="where numbers are kept")
    commands = parser.add_subparsers(required=True)
    once = commands.add_parser("collect", help="inspect the host once")
    once.add_argument("--root", type=pathlib.Path, default="/", help="where to look")
    once.add_argument("--textfile", action="store_true", help="write apps.prom beside the numbers")
    once.add_argument("--statsd", default="", metavar="HOST:PORT")
    once.add_argument("--prefix", default="apps", help="first word of the names there")
    once.add_argument("--valid", type=float, default=300, help="seconds that the numbers are new")
    once.add_argument("--certificates", nargs="*", default=[], help="patterns of their paths")
    once.set_defaults(run=collect)
    graph = commands.add_parser("munin", help="answer as a plugin of munin")
    graph.add_argument("plugin", choices=GRAPHS)
    graph.add_argument("command", nargs="?", default="", choices=["", "config", "autoconf"])
    graph.set_defaults(run=answer)
    arguments = parser.parse_args()
    code: int = arguments.run(arguments)
    return code


if __name__ == "__main__":
    sys.exit(main())
