# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have every attempt made, on one host, and write what came of each: assault.py ADDRESS OUTPUT.

Root has no part in it but to say who there is, and to look at what it must not be able to look at.
"""

from __future__ import annotations

import json
import os
import pathlib
import pwd
import socket
import subprocess
import sys
import time

import attempts

HERE = pathlib.Path(__file__).parent
OUTSIDE = ["runuser", "-u", attempts.OWN, "--", "sleep", "3600"]
# Outside of the unit these succeed: root reads what others have, and a migration reaches its like.
CONTROLS = {
    "read_what_is_anothers": [],
    "connect_to_another_app": [],
    "make_namespaces": [],
    "open_raw_sockets": [],
    "become_root": [],
    "write_through_processes_outside": ["runuser", "-u", attempts.OWN, "--"],
}


def main_pid(unit: str) -> int:
    words = ["systemctl", "show", "--value", "--property=MainPID", unit]
    return int(subprocess.run(words, check=True, capture_output=True, timeout=60).stdout)


def process_of(user: str, name: str) -> int:
    """A process of a user that was just started: one that is not of its unit."""
    uid, deadline = pwd.getpwnam(user).pw_uid, time.monotonic() + 60
    while time.monotonic() < deadline:
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if path.stat().st_uid == uid and (path / "comm").read_text().strip() == name:
                    return int(path.name)
            except OSError:
                continue
    raise TimeoutError(f"no process {name} of {user}")


def ask(path: str) -> str:
    """Ask the hostile app on its own socket; its answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(180)
        connection.connect(str(attempts.SOCKET))
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: hostile.test\r\n\r\n".encode())
        answer = connection.makefile("rb").read()
    return answer.partition(b"\r\n\r\n")[2].decode().strip()


def alone(name: str, words: list[str]) -> str:
    """What an attempt says outside of the unit."""
    command = [*words, sys.executable, str(HERE / "attempts.py"), name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout.strip() or done.stderr


def main() -> int:
    address, output = sys.argv[1:]
    web = json.loads(pathlib.Path("/run/honest/web-1.json").read_text())
    outside = subprocess.Popen(OUTSIDE)
    targets = {
        "init": 1,
        "nginx": main_pid("nginx.service"),
        "circusd of honest": main_pid("circus@honest.service"),
        "web of honest": web["child"],
        "outside": process_of(attempts.OWN, "sleep"),
    }
    (HERE / "targets.json").write_text(json.dumps(targets))
    clients = subprocess.Popen(
        [sys.executable, str(HERE / "client.py"), address], stdout=subprocess.PIPE
    )
    told = {"app": {name: ask(f"/attempt/{name}") for name in attempts.ATTEMPTS}}
    told["controls"] = {name: alone(name, words) for name, words in CONTROLS.items()}
    told["client"] = json.loads(clients.communicate(timeout=300)[0])
    gone = [name for name, pid in targets.items() if not os.path.exists(f"/proc/{pid}")]
    told["targets that ended"] = dict.fromkeys(gone, "ended")
    outside.kill()
    pathlib.Path(output).write_text(json.dumps(told, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
