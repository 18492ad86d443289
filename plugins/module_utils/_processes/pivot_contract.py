# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract of the pivot, a mirror of roles/circus/files/pivot/contract.py.

The pivot is a program of its own on the host, which imports nothing of plugins; what the names mean is
said there. tests/unit/test_contracts.py compares the two. What a release says stands in
``_release.config``, which must not import this.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._release import config

AGREE = "agree"
GATE = "gate"
SWITCH = "switch"
SETTLE = "settle"
DRAIN = "drain"
STOP = "stop"
STEPS = (AGREE, GATE, SWITCH, SETTLE, DRAIN, STOP)
TOTAL = "total"

SERVING = "serving"
FAILED = "failed"
STOPPING = "stopping"
STOPPED = "stopped"
STATES = (*STEPS, SERVING, FAILED, STOPPING, STOPPED)

PENDING = "pending"
SWITCHED = "switched"
DONE = "done"
REFUSED = "refused"
OUTCOMES = (PENDING, SWITCHED, DONE, REFUSED)

LARGEST_STATUS = 1 << 18  # bytes
STATUS: dict[str, tuple[type | None, ...]] = {
    "app": (str,),
    "instance": (str,),
    "pid": (int,),
    "state": (str,),
    "release": (str, None),
    "generation": (int, None),
    "child": (int, None),
    "hups": (int,),
    "counter": (int,),
    "restarts": (int,),
    "replacements": (int,),
    "updated": (int, float),
}
STATUS_LATER: dict[str, tuple[type | None, ...]] = {
    "move": (dict, None),
    "replacement": (dict, None),
    "exit_code": (int,),
    "output": (list,),
}
MOVE: dict[str, tuple[type | None, ...]] = {
    "began": (int, float),
    "hups": (int,),
    "from": (str, None),
    "to": (str,),
    "outcome": (str,),
    "step": (str,),
    "seconds": (dict,),
    "child": (int,),
    "health": (str,),
    "proven": (bool,),
    "stragglers": (int,),
    "reason": (str,),
    "ended": (int, float),
    "overruled": (bool,),
    "exit_code": (int, None),
    "output": (list,),
    "instead_of": (dict, None),
}

SPEC: dict[str, Any] = {
    "command": "",
    "socket": False,
    "port": False,
    "health": {"path": "", "host": "localhost", "count": 1},
    "liveness": config.LIVENESS,
    **config.PROCESS_OPTIONS,
    **config.LOG_DEFAULTS,
}

BRIDGE = "bridge"

LONGEST_STOP = config.LONGEST_STOP
GRACEFUL_TIMEOUT = 300  # seconds
UNIT_STOP_TIMEOUT = 330
