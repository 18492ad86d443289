# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an answer of a host is one. A host may be broken, or somebody else's by now. Pure.

What cannot be read must not keep anybody from seeing the other hosts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What reading an answer raises that is of another shape.
UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)

TEXT: tuple[type, ...] = (str,)
NO_TEXT = (str, type(None))
NO_COUNT = (int, type(None))
NUMBER = (int, float)
PROCESS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("state", "release", "since", "answer"), NO_TEXT),
    **dict.fromkeys(("pid", "pivot", "generation", "restarts", "replacements", "memory"), NO_COUNT),
    "serves": (bool,),
    "healthy": (bool, type(None)),
}
RECORD: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("at", "event", "release", "outcome"), TEXT),
    **dict.fromkeys(("before", "reason", "by", "commit"), NO_TEXT),
    "seconds": (*NUMBER, type(None)),
    "formation": (dict,),
    "durations": (dict,),
}
LOCK: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("owner", "run", "reason", "since", "expires"), TEXT),
    "expired": (bool,),
}
SCHEDULE: dict[str, tuple[type, ...]] = {
    "at": TEXT,
    **dict.fromkeys(("release", "outcome", "began", "succeeded"), NO_TEXT),
    "code": NO_COUNT,
    "seconds": (*NUMBER, type(None)),
    **dict.fromkeys(("runs", "failures"), (int,)),
}
DISK: dict[str, tuple[type, ...]] = {
    "path": TEXT,
    **dict.fromkeys(("size", "free", "releases"), (int,)),
}
ANSWER: dict[str, tuple[type, ...]] = {
    "state": TEXT,
    **dict.fromkeys(("current", "since", "serving", "bridge"), NO_TEXT),
    **dict.fromkeys(("formation", "processes", "schedules"), (dict,)),
    **dict.fromkeys(("records", "drift", "unwell", "releases", "unfinished"), (list,)),
    **dict.fromkeys(("lock", "packages", "disk"), (dict, type(None))),
}
REQUIRED = (
    "state",
    "current",
    "since",
    "formation",
    "processes",
    "records",
    "drift",
    "unwell",
    "lock",
)


def check(told: Mapping[str, Any]) -> None:
    """Raise ValueError, and nothing else, for what release_info does not return."""
    missing = [key for key in REQUIRED if key not in told]
    if missing:
        raise ValueError(f"{', '.join(missing)} is missing")
    typed(told, ANSWER, "")
    for name, process in told["processes"].items():
        typed(process, PROCESS, f"processes.{name}.")
        if not {"state", "release", "serves"} <= set(process):
            raise ValueError(f"processes.{name} is not complete")
    for number, record in enumerate(told["records"]):
        typed(record, RECORD, f"records.{number}.")
        if not {"at", "event", "release", "outcome"} <= set(record):
            raise ValueError(f"records.{number} is not complete")
        each(record.get("formation") or {}, (int,), f"records.{number}.formation")
        each(record.get("durations") or {}, NUMBER, f"records.{number}.durations")
    for key in ("drift", "unwell"):
        each(dict(enumerate(told[key])), TEXT, key)
    each(told["formation"], (int,), "formation")
    each(told.get("packages") or {}, TEXT, "packages")
    if told["lock"] is not None:
        typed(told["lock"], LOCK, "lock.")
        if not {"owner", "reason", "expired"} <= set(told["lock"]):
            raise ValueError("lock is not complete")
    for name, schedule in told.get("schedules", {}).items():
        typed(schedule, SCHEDULE, f"schedules.{name}.")
        if set(SCHEDULE) - set(schedule):
            raise ValueError(f"schedules.{name} is not complete")
    if told.get("disk"):
        typed(told["disk"], DISK, "disk.")


def typed(found: Any, model: Mapping[str, tuple[type, ...]], where: str) -> None:
    if not isinstance(found, Mapping):
        raise ValueError(f"{where.rstrip('.')} is of another type")  # noqa: TRY004 - one for all
    for key, kinds in model.items():
        # ansible tags what it reads, so that types are those or made of them; True is an int, too
        if key in found and not (
            isinstance(found[key], kinds) and (bool in kinds or not isinstance(found[key], bool))
        ):
            raise ValueError(f"{where}{key} is of another type")


def each(found: Mapping[Any, Any], kinds: tuple[type, ...], where: str) -> None:
    for value in found.values():
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise ValueError(f"{where} is of another type")  # noqa: TRY004 - one for all
