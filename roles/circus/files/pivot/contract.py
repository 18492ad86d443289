# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other programs rely on.

plugins/module_utils/_processes/pivot_contract.py says the same. tests/unit/test_contracts.py compares
the two, and with them app_metrics, the unit circus@.service and the defaults of modules and roles.
"""

from __future__ import annotations

from typing import Any

# Steps of a move; while one lasts, it is the state.
AGREE = "agree"  # overlap is false: until the app's other processes are through the gate
GATE = "gate"  # until the new process has proven itself, and the app's others have
SWITCH = "switch"
SETTLE = "settle"  # there is no old process: until the new one has stayed up for ready_after
DRAIN = "drain"  # until nobody is connected to the old process
STOP = "stop"  # of the old process; where overlap is false, before the gate
STEPS = (AGREE, GATE, SWITCH, SETTLE, DRAIN, STOP)
TOTAL = "total"  # beside the steps in ``seconds`` of a move

SERVING = "serving"
FAILED = "failed"  # nothing serves; the supervisor starts another pivot
STOPPING = "stopping"  # TERM has come
STOPPED = "stopped"
STATES = (*STEPS, SERVING, FAILED, STOPPING, STOPPED)

# What has come of a move.
PENDING = "pending"
SWITCHED = "switched"  # the new process gets the requests, the old one drains
DONE = "done"
REFUSED = "refused"
OUTCOMES = (PENDING, SWITCHED, DONE, REFUSED)

# The status file: keys and their types. None for a whole object counts as if it were not there.
LARGEST_STATUS = 1 << 18  # bytes
STATUS: dict[str, tuple[type | None, ...]] = {  # always there
    "app": (str,),
    "instance": (str,),
    "pid": (int,),
    "state": (str,),  # one of STATES
    "release": (str, None),  # what serves, with its generation and its pid
    "generation": (int, None),
    "child": (int, None),
    "hups": (int,),  # HUPs seen
    "counter": (int,),  # processes started since the host booted, for whatever reason
    "restarts": (int,),  # pivots of the instance since then that ended although no TERM had come
    "replacements": (
        int,
    ),  # processes since then that did not answer any more, and had to make room
    "updated": (int, float),  # wall time
}
STATUS_LATER: dict[str, tuple[type | None, ...]] = {
    "move": (dict, None),  # the last one, from when it begins
    "replacement": (dict, None),  # the last one for want of answers; keys as those of ``move``
    "exit_code": (int,),  # of the serving process that ended by itself, with its last lines
    "output": (list,),
}
MOVE: dict[str, tuple[type | None, ...]] = {  # of ``move``; each is there from when it is known
    "began": (int, float),  # monotonic, as ``ended``
    "hups": (int,),  # those seen when it began
    "from": (str, None),
    "to": (str,),
    "outcome": (str,),  # one of OUTCOMES
    "step": (str,),  # the last one of STEPS that it came to
    "seconds": (dict,),  # of each step that has ended, and TOTAL
    "child": (int,),  # the new process
    "health": (str,),  # the last answer to a health check
    "proven": (bool,),  # through the gate, but for the others
    "stragglers": (int,),  # connections that the drain timeout cut off
    "reason": (str,),  # of a refusal, with ``ended`` and what follows
    "ended": (int, float),
    "overruled": (bool,),  # the new process was well
    "exit_code": (int, None),
    "output": (list,),
    "instead_of": (dict, None),  # the refused move that this one followed on
}

SPEC: dict[str, Any] = {  # keys of processes.TYPE; the value is the default and gives the type
    "command": "",
    "socket": False,
    "port": False,  # whether it listens on TCP, behind a proxy that has the socket
    "health": {"path": "", "host": "localhost", "count": 1},
    "liveness": {"interval": 2.0, "failures": 2, "timeout": 5.0},
    "overlap": True,
    "ready_after": 5.0,
    "ready_timeout": 60.0,
    "drain_timeout": 60.0,
    "stop_timeout": 30.0,
    "log_format": "text",
    "log_destination": "file",
}

# In the run directory: that of the pivots which serve while the supervisor of the others is restarted.
BRIDGE = "bridge"

# Stop timeouts in seconds: each is longer than all that it waits for.
LONGEST_STOP = 240  # the largest stop_timeout of a release
GRACEFUL_TIMEOUT = 300  # graceful_timeout of a watcher: what circusd gives a pivot
UNIT_STOP_TIMEOUT = 330  # TimeoutStopSec of circus@.service: what systemd gives circusd
