# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How web processes answer their health check, asked as their pivots ask."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import (
    DeployError,
    printable,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.pivot_contract import (
    SPEC,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.sandbox import (
    run_in_sandbox,
)

PYTHON = "/usr/bin/python3"
PROBE_TIMEOUT = 5.0  # seconds, for connecting and for each read; twice that for all of it
# As the app's user, because a socket's name may lead to any socket that the app likes. It is asked
# as the pivot asks it (roles/circus/files/pivot.py).
PROBE = """
import http.client, json, socket, sys, threading, time
answers = {}
until = time.monotonic() + float(sys.argv[2])
def ask(name, path, wanted, host, seconds):
    try:
        connected = socket.socket(socket.AF_UNIX)
        connected.settimeout(seconds)
        connected.connect(path)
        if not wanted:
            answers[name] = [True, "accepted a connection"]
            return
        client = http.client.HTTPConnection(host)
        client.sock = connected
        headers = {"X-Forwarded-Proto": "https", "User-Agent": "twelvefactor-info"}
        client.request("GET", wanted, headers=headers | {"Connection": "close"})
        answer = client.getresponse()
        answers[name] = [200 <= answer.status < 300, f"{answer.status} {answer.reason}"]
    except (OSError, http.client.HTTPException) as error:
        answers[name] = [False, str(error) or type(error).__name__]
threads = [threading.Thread(target=ask, args=one, daemon=True) for one in json.loads(sys.argv[1])]
for thread in threads: thread.start()
for thread in threads: thread.join(max(0, until - time.monotonic()))
print(json.dumps(dict(answers)), flush=True)
"""


def probe(
    directory: pathlib.Path, app: str, specs: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[bool, str]]:
    """Whether each process is well, and what came back.

    ``directory`` has the sockets, ``specs`` are those of the processes to ask, by name.
    """
    if not specs:
        return {}
    wanted, asked = [], {}
    for name, spec in specs.items():
        said = {key: value for key, value in (spec.get("health") or {}).items() if value}
        health = SPEC["health"] | said
        path = str(health["path"])
        socket = str(directory / f"{name}.sock")
        wanted.append([name, socket, path, str(health["host"]), PROBE_TIMEOUT])
        asked[name] = f"GET {path}" if path else "connecting"
    limit = 2 * PROBE_TIMEOUT
    try:
        code, output = run_in_sandbox(
            app,
            [PYTHON, "-I", "-c", PROBE, json.dumps(wanted), str(limit)],
            "ask web processes for their health",
            limit + PROBE_TIMEOUT,
        )
        if code:
            raise DeployError(f"could not be asked: {output.strip()[-300:]}")
        answers = json.loads(output)
    except (DeployError, ValueError, RecursionError) as error:
        return {name: (False, printable(f"{asked[name]}: {error}")[:300]) for name in specs}
    # whoever asked ran as the app's user, so that another of its processes may have answered
    known = answers if isinstance(answers, dict) else dict.fromkeys(specs, answers)
    return {name: judge_answer(asked[name], known.get(name), limit) for name in specs}


def judge_answer(asked: str, answer: object, limit: float) -> tuple[bool, str]:
    """What an entry of the probe's output says of one process, whoever wrote it."""
    match answer:
        case [bool() as well, str() as text]:
            return well, printable(f"{asked}: {text}")[:300]
        case None:
            return False, f"{asked}: nothing within {limit:g} s"
        case _:
            return False, f"{asked}: the probe's output was altered"
