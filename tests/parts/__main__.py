# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the given targets beside each other, go on when one fails, and end with a table of what each took.

What a part writes is kept in build/parts/; the end of what failed is shown, and why it failed
last, for whoever sees no more than the end of a log. Exit code 0 only when every part passed.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import sys

from . import history, reasons, schedule, table
from .run import Runner

LOGS = pathlib.Path(__file__).resolve().parents[2] / "build" / "parts"
SHOWN_LINES = 100
SHOWN_COLUMNS = 300


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="parts", description=__doc__)
    parser.add_argument("parts", nargs="+", metavar="target")
    parser.add_argument(
        "--jobs", type=int, default=2, help="parts at a time; most of them wait most of the time"
    )
    parser.add_argument(
        "--limit",
        type=float,
        help="seconds in which all of it must end: parts that could not end in time are not started",
    )
    return parser.parse_args()


def tail(path: pathlib.Path) -> str:
    lines = path.read_text(errors="replace").splitlines()[-SHOWN_LINES:]
    return "\n".join(line[:SHOWN_COLUMNS] for line in lines)


def main() -> int:
    chosen = arguments()
    remembered = LOGS / "seconds.json"
    here = history.load(remembered)
    expected = history.rough() | here
    parts = schedule.longest_first(chosen.parts, expected)
    print(table.before(parts, chosen.jobs, expected, here, chosen.limit), flush=True)

    runner = Runner(LOGS, jobs=chosen.jobs, limit=chosen.limit, expected=expected)
    rows = runner.run(parts)
    passed = {row.part: row.seconds for row in rows if row.result == table.PASSED}
    history.save(remembered, passed)

    print(f"\n{table.after(rows, runner.elapsed, os.cpu_count() or 1)}")
    for row in rows:
        if row.result in (table.FAILED, table.STOPPED):
            log = LOGS / f"{row.part}.log"
            print(f"\n==> make {row.part}: {row.result}, the end of build/parts/{log.name}")
            print(tail(log))
    for row in rows:
        if row.result == table.FAILED:
            why = reasons.find((LOGS / f"{row.part}.log").read_text(errors="replace").splitlines())
            print("\n".join(["", f"==> make {row.part}: why", *why]))
    print(f"\n{table.verdict(rows, chosen.limit, runner.pace)}", flush=True)
    return 0 if len(passed) == len(rows) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
