# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reload the daemon; or, if asked to, kill whoever asked systemctl for it, as an operator's ^C may."""

import os
import pathlib
import signal
import sys
import time

ORDER = pathlib.Path("/run/echo-kill")

if ORDER.exists():
    ORDER.unlink()
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        if (process / "comm").read_text() == "systemctl\n":
            os.kill(int((process / "stat").read_text().split()[3]), signal.SIGKILL)
else:
    os.kill(int(sys.argv[1]), signal.SIGHUP)
    # until it has read it
    time.sleep(0.5)
