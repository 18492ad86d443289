# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of the jobs of an app's schedules, as roles/circus/files/app_schedule.py wrote it. Changes nothing."""

from __future__ import annotations

import contextlib
import json
import pathlib
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.decision import iso
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.flock import is_held
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.timers import (
    Timers,
    times,
)

STATES = pathlib.Path("/var/lib/app-schedules")
NOTHING: dict[str, Any] = {
    "release": None,
    "outcome": None,
    "code": None,
    "began": None,
    "seconds": None,
    "succeeded": None,
    "runs": 0,
    "failures": 0,
}


def results(timers: Timers, states: pathlib.Path = STATES) -> dict[str, dict[str, Any]]:
    """By the name of the schedule; those whose timers this host has."""
    directory = states / timers.app
    return {name: {"at": at} | read(directory, name) for name, at in times(timers.found()).items()}


def read(directory: pathlib.Path, name: str) -> dict[str, Any]:
    told: dict[str, Any] = dict(NOTHING)
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((directory / f"{name}.json").read_text("utf-8"))
        if isinstance(found, dict):
            told |= {key: found[key] for key in NOTHING if key in found}
    for key in ("began", "succeeded"):
        told[key] = None if told[key] is None else iso(told[key])
    if told["outcome"] == "running" and not is_held(directory / f".{name}.lock", shared=True):
        told["outcome"] = "interrupted"
    return told
