# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compromised app: /attempt/NAME runs an attempt of attempts.py as one of its own processes.

So an attempt has what the app has: its user, its unit's namespaces, its system calls, its cgroup.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys

ATTEMPTS = "/usr/local/lib/attack/attempts.py"
MEBIBYTE = 1 << 20
LARGE = 300  # of them
ESCAPES = "\x1b]0;all is well\x07\x1b[2J\x1b[31m\u202eError: \x1b]52;c;aGVsbG8=\x07"

if os.environ.get("FAULT") == "escapes":
    print(f"{ESCAPES} cannot start", flush=True)
    raise ValueError(ESCAPES)


def application(environ, start_response):
    kind, _slash, rest = environ["PATH_INFO"].lstrip("/").partition("/")
    answer = b"hostile\n"
    if kind == "large":
        start_response("200 OK", [("Content-Length", str(LARGE * MEBIBYTE))])
        return itertools.repeat(bytes(MEBIBYTE), LARGE)
    if kind == "attempt":
        command = [sys.executable, ATTEMPTS, *rest.split("/")]
        # what it writes to stderr goes where the app's output goes
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=90, check=False)
        answer = done.stdout
    elif kind == "told":
        told = {key: value for key, value in environ.items() if key.startswith("HTTP_")}
        answer = json.dumps(told | {"path": environ["RAW_URI"]}).encode()
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]
