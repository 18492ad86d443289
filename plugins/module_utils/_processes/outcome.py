# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of a switch, as the user is told of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import (
    DeployError,
    printable,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.supervisor import (
    Failure,
    Supervisor,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.switch_plan import Plan
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome


@dataclass(frozen=True)
class Outcome:
    """What came of it: ``problem`` is the message of a failure, empty where there is none."""

    facts: Mapping[str, Any]
    problem: str = ""


def served(supervisor: Supervisor, plan: Plan, seconds: float = 0.0) -> Outcome:
    """What is said where the release serves, whether anything was to be done for it or not."""
    return Outcome({"processes": report(supervisor, plan.names), "seconds": seconds})


def report(supervisor: Supervisor, names: Iterable[str]) -> dict[str, Any]:
    processes = {}
    for name in names:
        status = supervisor.status(name)
        if status:
            processes[name] = {
                "release": status.release,
                "generation": status.generation,
                "pid": status.child,
                "seconds": status.move.get("seconds", {}),
                "stragglers": status.move.get("stragglers", 0),
            }
    return processes


def showable(failure: Failure, home: AppHome, *releases: str) -> Failure:
    """Without secrets of these releases; where their config cannot be read, without any output."""
    for release in releases:
        try:
            failure = failure.masked(home.mask(release))
        except (OSError, ValueError):
            failure = dataclasses.replace(failure, output=())
    return failure


def explained(error: Exception) -> str:
    return printable(str(error) if isinstance(error, DeployError | OSError) else repr(error))
