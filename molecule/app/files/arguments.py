# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches the arguments of every process of this host until TERM, then writes them to a file."""

import contextlib
import pathlib
import signal
import sys
import time

seen: set[bytes] = set()
ended: list[int] = []
signal.signal(signal.SIGTERM, lambda number, _frame: ended.append(number))
while not ended:
    for process in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            seen.add(process.read_bytes())
    time.sleep(0.005)
pathlib.Path(sys.argv[1]).write_bytes(b"\n".join(sorted(seen)).replace(b"\0", b" "))
