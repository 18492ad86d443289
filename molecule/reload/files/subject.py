# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An app that works, or is broken in the way that FAULT in its config says.

What the counting client asks for: /version, /echo and /slow. As a program it is the app's worker.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import signal
import sys
import threading
import time
from urllib.parse import parse_qs

WORKER = __name__ == "__main__"
FAULT = os.environ.get("FAULT", "")
GREETING = os.environ["GREETING"]
LONG = 3600.0  # seconds, more than any timeout of a release here
LIFE = 3.0  # seconds from the first good health check to the end of a release that dies

asked = threading.Event()

if WORKER:
    pass
elif FAULT == "syntax":
    compile("def application(environ, start_response)\n    return []\n", "shop.py", "exec")
elif FAULT == "dependency":
    importlib.import_module("nothing_like_this")
elif FAULT in ("hangs", "hopeless"):
    time.sleep(LONG)
elif FAULT == "exits":
    print("subject: giving up", flush=True)
    os._exit(7)


def die_after_a_while() -> None:
    """End the whole app server, whose parent of workers is our parent."""
    asked.wait()
    time.sleep(LIFE)
    os.kill(os.getppid(), signal.SIGKILL)


if FAULT == "dies" and not WORKER:
    threading.Thread(target=die_after_a_while, daemon=True).start()


PYTHON = sys.implementation.name
if os.path.realpath("/proc/self/exe").endswith("-copy"):
    PYTHON = "copy"


def application(environ, start_response):
    path, status = environ["PATH_INFO"], "200 OK"
    answer = {
        "version": os.environ["RELEASE_ID"],
        "greeting": GREETING,
        "python": PYTHON,
        "server": environ["SERVER_SOFTWARE"],
    }
    if path == "/healthz":
        asked.set()
        if FAULT == "500":
            status, answer = "500 Internal Server Error", {"error": "no database"}
        elif FAULT == "slow":
            time.sleep(LONG)
    elif FAULT == "requests":
        status, answer = "500 Internal Server Error", {"error": "no table orders"}
    elif path == "/unavailable":
        status, answer = "503 Service Unavailable", {"error": "no database"}
    elif path == "/echo":
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        answer["sha256"] = hashlib.sha256(body).hexdigest()
    elif path == "/slow":
        time.sleep(float(parse_qs(environ["QUERY_STRING"])["seconds"][0]))
    content = json.dumps(answer).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
    start_response(status, headers)
    return [content]


def work() -> None:
    print(f"{GREETING} from {os.environ['RELEASE_ID']}", flush=True)
    if FAULT in ("worker", "hopeless"):
        time.sleep(1)
        sys.exit("ConnectionError: the queue is not there")
    while True:
        time.sleep(1)


if WORKER:
    work()
