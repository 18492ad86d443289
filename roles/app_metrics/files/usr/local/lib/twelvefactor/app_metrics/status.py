# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pivot says of itself, in a file that the app may write to."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

# Steps of a move and the sum of them, as the pivot calls them (contract in roles/circus/files/pivot/contract.py).
STEPS = ("agree", "gate", "switch", "settle", "drain", "stop", "total")
RELEASE = re.compile(r"[\w.+!-]{1,200}", re.ASCII)

# What a status file may hold. It lies in a directory of the app, which may write anything there; the
# modules that deploy have the same rules (tests/unit/test_contracts.py compares them).
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
REQUIRED = ("pid", "child", "release", "counter")
DEEPEST = 6  # objects and lists within each other
WORD = re.compile(r"[a-z_]{1,50}")
LARGEST_PID = 1 << 22  # proc(5), /proc/sys/kernel/pid_max
LARGEST_NUMBER = 1 << 53
PIDS = ("pid", "child")
WORDS = {
    **dict.fromkeys(("state", "outcome", "step"), WORD),
    **dict.fromkeys(("release", "from", "to"), RELEASE),
}


@dataclass(frozen=True)
class Status:
    """What one pivot wrote last (/run/APP/TYPE-K.json)."""

    pivot: int
    child: int | None
    release: str | None
    counter: int
    restarts: int | None  # None: a pivot from before they were counted
    replacements: int | None
    seconds: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> Status:
        """ValueError for what no pivot wrote: the file is the app's, which may write anything."""
        if len(text.encode("utf-8", "surrogatepass")) > LARGEST_STATUS:
            raise ValueError("no status of a pivot (too large)")
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"no status of a pivot ({type(error).__name__})") from None
        if not is_shallow(document, DEEPEST):
            raise ValueError("no status of a pivot (nested too deeply)")
        told = typed(document, STATUS | STATUS_LATER)
        missing = [key for key in REQUIRED if key not in told]
        if missing:
            raise ValueError(f"no status of a pivot ({', '.join(missing)} is missing)")
        move, replacement = (typed(told.get(key) or {}, MOVE) for key in ("move", "replacement"))
        for each in (move, replacement):
            typed(each.get("instead_of") or {}, MOVE)
        seconds = move.get("seconds", {})
        return cls(
            pivot=told["pid"],
            child=told["child"],
            release=told["release"],
            counter=told["counter"],
            restarts=told.get("restarts"),
            replacements=told.get("replacements"),
            seconds={step: float(seconds[step]) for step in STEPS if step in seconds},
        )


def is_shallow(value: object, levels: int) -> bool:
    """Whether objects and lists lie in each other at most ``levels`` times."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return True
    return levels > 0 and all(is_shallow(item, levels - 1) for item in value)


def typed(document: object, model: dict[str, tuple[type | None, ...]]) -> dict[str, Any]:
    """What ``document`` has of the keys of ``model``. Raises ValueError for what cannot be theirs."""
    if not isinstance(document, dict):
        raise ValueError("no status of a pivot (another type than object)")  # noqa: TRY004 - one for all
    found = {key: document[key] for key in model if key in document}
    for key, value in found.items():
        if (None if value is None else type(value)) not in model[key] or not is_sane(key, value):
            raise ValueError(f"no status of a pivot (invalid {key})")
    return found


def is_sane(key: str, value: object) -> bool:
    """Whether a value of the right type can be that of a key."""
    if isinstance(value, int | float):
        return (0 < value <= LARGEST_PID) if key in PIDS else (0 <= value < LARGEST_NUMBER)
    if isinstance(value, str) and key in WORDS:
        return bool(WORDS[key].fullmatch(value))
    if isinstance(value, dict) and key == "seconds":
        return all(
            bool(WORD.fullmatch(step)) and type(each) in (int, float) and is_sane(step, each)
            for step, each in value.items()
        )
    return not isinstance(value, list) or all(isinstance(item, str) for item in value)
