# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on a host, held against what should. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.pivot_contract import (
    SERVING,
    STEPS,
    STOPPING,
)

# States of a process that is on its way to another release, or to its end.
UNDERWAY = frozenset({*STEPS, STOPPING})


@dataclass(frozen=True)
class Seen:
    """One process, as its pivot and the kernel report it."""

    name: str
    state: str | None = None  # None: there is no such pivot
    release: str | None = None
    pid: int | None = None
    pivot: int | None = None
    generation: int | None = None
    since: str | None = None  # UTC, when the process began
    restarts: int | None = None  # since the boot; None: its pivot does not count them
    replacements: int | None = None  # the same, for want of answers to its health check
    memory: int | None = None  # bytes, with all that it has started; None: nobody looked
    serves: bool = False  # the kernel agrees that it runs the release
    healthy: bool | None = None  # None: it listens nowhere, or was not asked
    answer: str | None = None  # what came back

    def told(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "release": self.release,
            "pid": self.pid,
            "pivot": self.pivot,
            "generation": self.generation,
            "since": self.since,
            "restarts": self.restarts,
            "replacements": self.replacements,
            "memory": self.memory,
            "serves": self.serves,
            "healthy": self.healthy,
            "answer": self.answer,
        }


def formation_of(names: Iterable[str]) -> dict[str, int]:
    """The formation whose processes have these names."""
    formation: dict[str, int] = {}
    for name in names:
        kind = name.rpartition("-")[0]
        formation[kind] = formation.get(kind, 0) + 1
    return formation


def common_release(seen: Collection[Seen]) -> str | None:
    """The one release that every process runs, None when there is no such."""
    releases = {process.release if process.serves else None for process in seen}
    return releases.pop() if len(releases) == 1 else None


def drift(
    current: str | None,
    complete: Collection[str],
    wanted: Sequence[str],
    seen: Mapping[str, Seen],
) -> list[str]:
    """In what the host differs from what ``current`` and the formation say, as sentences.

    ``complete`` are the releases which are installed to the end, ``wanted`` the processes of the
    formation.
    """
    if current is None:
        return [f"{name} runs, but there is no current release" for name in seen]
    found = []
    if current not in complete:
        found.append(f"{current}, which is current, is not installed, or not to the end")
    for name in wanted:
        process = seen.get(name)
        if process is None or process.state is None:
            found.append(f"{name} does not run")
        elif process.state != SERVING and process.state not in UNDERWAY:
            found.append(f"{name} has {process.state}")
        elif process.release != current:
            found.append(f"{name} runs {process.release or 'nothing'} instead of {current}")
        elif not process.serves and process.state == SERVING:
            found.append(f"{name} says that it runs {current}, but its process does not")
    found += [
        f"{name} runs, but the formation does not have it"
        for name, process in seen.items()
        if name not in wanted and process.state is not None
    ]
    return found


def unwell(seen: Iterable[Seen]) -> list[str]:
    """Which processes fail their health check, as sentences."""
    return [f"{process.name}: {process.answer}" for process in seen if process.healthy is False]


def state(
    exists: bool,
    current: str | None,
    wanted: Sequence[str],
    seen: Mapping[str, Seen],
    trouble: Sequence[str],
) -> str:
    """The host's state in one word.

    absent: there is no such app; empty: it has no release yet; serving: all is as it should be;
    moving: a process is on its way to another release; down: nothing of the formation runs;
    degraded: something else is wrong.
    """
    if not exists:
        return "absent"
    if current is None and not seen:
        return "empty"
    alive = [process for process in seen.values() if process.state is not None]
    if any(process.state in UNDERWAY for process in alive):
        return "moving"
    if not trouble:
        return "serving"
    if wanted and not any(process.release for process in alive if process.name in wanted):
        return "down"
    return "degraded"
