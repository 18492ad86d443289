# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts of one app on one host that an audit judges. Changes nothing, and holds no value of its config."""

from __future__ import annotations

import pathlib
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._audit.process_facts import (
    process_facts,
    real_paths,
    unit_facts,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._audit.release_facts import (
    release_facts,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.inspection import (
    InspectionRequest,
    home_of,
    inspect,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.sandbox import (
    unit_prefix,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.supervisor import (
    Supervisor,
)

UNITS = pathlib.Path("/etc/systemd/system")
RECORDS = 50  # the last ones, among which a deploy with durations is looked for
INSPECTED = ("state", "current", "formation", "drift", "unwell")
OF_PROCESS = ("state", "release", "serves", "healthy", "answer")
OF_RECORD = ("at", "event", "release", "outcome", "durations")


def collect(app: str) -> dict[str, Any]:
    """``release`` is None on a host that has none. Raises DeployError and OSError."""
    seen = inspect(app, InspectionRequest(RECORDS, probe=True, details=False, bridge=False))
    facts: dict[str, Any] = {
        **{key: seen[key] for key in INSPECTED},
        "processes": {
            name: {key: process[key] for key in OF_PROCESS}
            for name, process in seen["processes"].items()
        },
        "records": [
            {key: record[key] for key in OF_RECORD if key in record} for record in seen["records"]
        ],
        "release": None,
    }
    home, current = home_of(app), seen["current"]
    if home is None or current is None or home.manifest(current) is None:
        return facts
    unit = Supervisor(home).unit
    properties = unit_facts(unit)
    return {
        **facts,
        **release_facts(home, current),
        "unit": properties,
        "writable": real_paths(properties, home.uid, home.gid),
        "running": process_facts(home.uid, unit, (unit_prefix(app), f"schedule-{app}@")),
        "command_sandbox": is_sandboxed(app),
    }


def is_sandboxed(app: str, units: pathlib.Path = UNITS) -> bool:
    """Whether one-off commands and the release command run in the sandbox (roles/circus/files/app_exec.py)."""
    try:
        text = (units / f"{unit_prefix(app)}.service.d" / "sandbox.conf").read_text("utf-8")
    except OSError:
        return False
    return "\nProtectSystem=strict\n" in text
