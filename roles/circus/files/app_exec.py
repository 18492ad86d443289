# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command as an app's user in the sandbox of the app's unit.

Usage: app-exec APP COMMAND [ARGUMENT…], as root. The command has this program's standard input, output and
error; on a terminal it gets one. The exit code is the command's, or 255 where a signal ended it. What the
command leaves running is ended with it, and a signal to this program (HUP, INT, TERM) ends all of it.

The sandbox is a drop-in of systemd's that the role circus writes: one for all units whose name begins as
those do that this program starts.
"""

from __future__ import annotations

import os
import pathlib
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Sequence

UNITS = pathlib.Path("/etc/systemd/system")
APP = re.compile(r"[a-z_][a-z0-9_-]*")


def unit_prefix(app: str) -> str:
    """How the names of an app's commands begin; dashes of its own name must not end the prefix."""
    return "app-exec-" + app.replace("-", r"\x2d") + "-"


def sandbox(app: str) -> pathlib.Path:
    return UNITS / f"{unit_prefix(app)}.service.d" / "sandbox.conf"


def client(app: str, unit: str, command: Sequence[str], *, terminal: bool) -> list[str]:
    """The call of systemd-run; systemd would replace variables in the arguments."""
    return [
        "systemd-run", "--quiet", "--wait", "--collect", "--pty" if terminal else "--pipe", f"--unit={unit}",
        # instead of the command, which may show what is secret, in the journal
        f"--description=Command of {app}",
        f"--property=User={app}", f"--property=Group={app}",
        "--", *(word.replace("$", "$$") for word in command),
    ]  # fmt: skip


def main() -> int:
    if len(sys.argv) < 3 or sys.argv[1].startswith("-"):
        sys.exit("usage: app-exec APP COMMAND [ARGUMENT…]")
    app, *command = sys.argv[1:]
    if not APP.fullmatch(app) or not sandbox(app).is_file():
        # without it the command would run with all rights of its user
        sys.exit(
            f"app-exec: {app} has no sandbox on this host; set the app up, e.g. by the playbook platform"
        )
    unit = f"{unit_prefix(app)}{secrets.token_hex(8)}.service"
    terminal = all(os.isatty(handle) for handle in range(3))
    process = subprocess.Popen(client(app, unit, command, terminal=terminal))

    def stop(_number: int, _frame: object) -> None:
        subprocess.run(["systemctl", "stop", unit], check=False)

    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    code = process.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
