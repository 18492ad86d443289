# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a supervisor starts."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import pathlib
import re
import sys
import time

from .contract import BRIDGE
from .instance import Instance
from .life import RESPAWN_PAUSE, Pivot
from .output import JOURNAL


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Run one process of an app; HUP moves it to the release that current names."
    )
    parser.add_argument("root", type=pathlib.Path, help="the app's directory, e.g. /srv/shop")
    parser.add_argument("instance", help="process type and number, e.g. web-1")
    parser.add_argument(
        "--run-dir", type=pathlib.Path, help="sockets and status (default: /run/APP)"
    )
    parser.add_argument(
        "--bridge",
        action="store_true",
        help="serve while the supervisor of the instance is restarted, in a directory in RUN_DIR",
    )
    parser.add_argument("--journal", default=JOURNAL, help="journald's socket (%(default)s)")
    arguments = parser.parse_args()
    if not re.fullmatch(r"[\w-]+-\d+", arguments.instance):
        parser.error(f"{arguments.instance!r} is not of the form TYPE-K, e.g. web-1")
    root = arguments.root.absolute()
    run_dir = (arguments.run_dir or pathlib.Path("/run") / root.name).absolute()
    if arguments.bridge:
        run_dir /= BRIDGE
        run_dir.mkdir(mode=0o700, exist_ok=True)
    for descriptor in range(3):  # a pipe must not become 0, 1 or 2
        with contextlib.suppress(OSError):
            os.fstat(descriptor)
            continue
        os.open(os.devnull, os.O_RDWR)
    with open(run_dir / f"{arguments.instance}.lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"pivot: another pivot runs {arguments.instance} in {run_dir}", file=sys.stderr)
            time.sleep(RESPAWN_PAUSE)
            return 1
        instance = Instance(root, arguments.instance, run_dir, arguments.journal)
        return Pivot(instance).run()


if __name__ == "__main__":
    sys.exit(main())
