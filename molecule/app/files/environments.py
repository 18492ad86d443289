# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches, as an app's user, the environment of every process that it may look at until TERM.

One of them is its own, to be seen in any case.
"""

import contextlib
import os
import pathlib
import pwd
import signal
import subprocess
import sys
import time

user, path = sys.argv[1:]
seen: set[bytes] = set()
ended: list[int] = []
signal.signal(signal.SIGTERM, lambda number, _frame: ended.append(number))
with open(path, "wb") as file:
    while not ended:  # until the app's user is made
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(user)
            os.setgroups([])
            os.setgid(found.pw_gid)
            os.setuid(found.pw_uid)
            break
        time.sleep(0.05)
    own = subprocess.Popen(["sleep", "3600"], env={"OWN": "seen"})
    while not ended:
        for process in pathlib.Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                seen.add(process.read_bytes())
        time.sleep(0.005)
    own.kill()
    file.write(b"\n".join(sorted(seen)).replace(b"\0", b"\n"))
