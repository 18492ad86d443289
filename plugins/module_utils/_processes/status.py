# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pivots of an app say, and what follows from it for a reload. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import printable
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.pivot_contract import (
    DONE,
    FAILED,
    LARGEST_STATUS,
    MOVE,
    REFUSED,
    SERVING,
    SPEC,
    STATUS,
    STATUS_LATER,
)

# Durations that the specs of a release do not hold: starting programs, writing files, a busy host.
ALLOWANCE = 30.0  # seconds
# "ModuleNotFoundError: No module named 'x'", "sqlalchemy.exc.OperationalError: …"
NAMED_ERROR = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Exit)\b")
INSTANCE = re.compile(r"[a-z][a-z0-9_-]*-[0-9]+\Z")

# What is read of a status file. It lies in a directory of the app, which may have put anything there.
# Whatever the contract has is checked. app_metrics has the same rules (tests/unit/test_contracts.py).
REQUIRED = ("instance", "pid", "state", "release", "child", "hups", "generation")
READ_OF_MOVE = (
    "hups",
    "to",
    "outcome",
    "step",
    "reason",
    "overruled",
    "stragglers",
    "output",
    "seconds",
    "instead_of",
)
DEEPEST = 6  # objects and lists within each other; seconds of the move before the last are the 4th
WORD = re.compile(r"[a-z_]{1,50}")
RELEASE = re.compile(r"[\w.+!-]{1,200}", re.ASCII)
LARGEST_PID = 1 << 22  # proc(5), /proc/sys/kernel/pid_max
LARGEST_NUMBER = 1 << 53
PIDS = ("pid", "child")
WORDS = {
    **dict.fromkeys(("state", "outcome", "step"), WORD),
    **dict.fromkeys(("release", "from", "to"), RELEASE),
}


@dataclass(frozen=True)
class Status:
    """What one pivot wrote last (roles/circus/files/pivot)."""

    instance: str
    pid: int
    state: str
    release: str | None
    child: int | None
    hups: int
    generation: int | None = None
    move: Mapping[str, Any] = field(default_factory=dict)
    end: Mapping[str, Any] = field(default_factory=dict)  # how the process that served ended
    restarts: int | None = None  # None: a pivot from before they were counted
    replacements: int | None = None  # the same, for want of answers to its health check

    @classmethod
    def parse(cls, data: bytes) -> Status:
        """Raises ValueError, and nothing else, for what no pivot wrote."""
        if len(data) > LARGEST_STATUS:
            raise ValueError(f"larger than {LARGEST_STATUS} bytes")
        try:
            return cls.of(json.loads(data.decode("utf-8")))
        except RecursionError:
            raise ValueError("nested too deeply") from None

    @classmethod
    def of(cls, document: object) -> Status:
        """Raises ValueError for what no pivot wrote."""
        if not is_shallow(document, DEEPEST):
            raise ValueError("nested too deeply")
        told = typed(document, STATUS | STATUS_LATER)
        missing = [key for key in REQUIRED if key not in told]
        if missing:
            raise ValueError(f"{', '.join(missing)} is missing")
        move_of(told.get("replacement") or {})  # checked as the rest is
        return cls(
            **{key: told[key] for key in REQUIRED},
            restarts=told.get("restarts"),
            replacements=told.get("replacements"),
            move=move_of(told.get("move") or {}),
            end={key: told[key] for key in ("exit_code", "output") if key in told},
        )


def is_shallow(value: object, levels: int) -> bool:
    """Whether objects and lists lie in each other at most ``levels`` times."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return True
    return levels > 0 and all(is_shallow(item, levels - 1) for item in value)


def typed(document: object, model: Mapping[str, tuple[type | None, ...]]) -> dict[str, Any]:
    """What ``document`` has of the keys of ``model``. Raises ValueError for what cannot be theirs."""
    if not isinstance(document, dict):
        raise ValueError(f"a {type(document).__name__} instead of an object")  # noqa: TRY004 - one for all
    found = {key: document[key] for key in model if key in document}
    for key, value in found.items():
        if (None if value is None else type(value)) not in model[key]:
            raise ValueError(f"{key} is of the type {type(value).__name__}")
        if not is_sane(key, value):
            raise ValueError(f"{key} has a value that no pivot writes")
    return found


def is_sane(key: str, value: object) -> bool:
    """Whether a value of the right type can be that of a key.

    Lists hold text; numbers are neither negative, nor endless, nor none at all (NaN).
    """
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


def move_of(document: object, within: bool = False) -> dict[str, Any]:
    """What a pivot says of a move, and of the refused one that it followed on. Raises ValueError."""
    told = typed(document, MOVE)
    move = {key: told[key] for key in READ_OF_MOVE if key in told}
    if move.get("instead_of"):
        move["instead_of"] = None if within else move_of(move["instead_of"], within=True)
    return move


@dataclass(frozen=True)
class Verdict:
    """How far one process is on its way to a release."""

    arrived: bool = False
    failed: bool = False
    astray: bool = False  # serves something else, and nobody has told it to move
    overruled: bool = False  # was well, and failed because another process of the app did
    reason: str = ""
    output: tuple[str, ...] = ()


def longest_move(specs: Mapping[str, Mapping[str, Any]], formation: Mapping[str, int]) -> float:
    """Seconds after which a move of every process must be over, one way or the other."""
    kinds = [specs[kind] for kind, count in formation.items() if count and kind in specs]

    alone = [spec for spec in kinds if not spec.get("overlap", SPEC["overlap"])]

    def longest(chosen: list[Mapping[str, Any]], *keys: str) -> float:
        return max((sum(float(spec[key]) for key in keys) for spec in chosen), default=0.0)

    return (
        ALLOWANCE
        # all wait for the last to get through the gate, what must not overlap for the others too
        + longest(kinds, "ready_timeout", "ready_after")
        + longest(alone, "stop_timeout", "ready_timeout", "ready_after")
        + longest(kinds, "drain_timeout", "stop_timeout")
    )


def judge(status: Status | None, before: Status | None, target: str) -> Verdict:
    """Whether a process has arrived at ``target`` since ``before`` was read.

    ``status`` is what a pivot that is alive says, None when there is none. ``before`` is what it
    said before it was asked to move; None for a process that is started anew. A pivot counts the
    HUPs that it has seen, and a move says which count it began with: only a move that began after
    ours was sent answers it.
    """
    if status is None:
        return Verdict(reason="has not said anything yet")
    same_pivot = before is not None and before.pid == status.pid
    if same_pivot and before is not None and status.move.get("hups", 0) <= before.hups:
        return Verdict(reason="has not begun to move")
    # a pivot that starts with what does not work falls back to what served last; that this cannot
    # run it either, for want of the process type, is not what is wrong
    for move in (status.move.get("instead_of"), status.move):
        if move and move.get("outcome") == REFUSED and move.get("to") in (target, None):
            reason = f"{status.instance} {move.get('reason')}"
            return Verdict(
                failed=True,
                overruled=bool(move.get("overruled")),
                reason=reason,
                output=tuple(wrote_last(move)),
            )
    if status.state == SERVING and status.move.get("outcome") == DONE:
        arrived = status.release == target
        return Verdict(
            arrived=arrived,
            astray=before is None and not arrived,
            reason="" if arrived else f"serves {status.release}",
        )
    if status.state == FAILED and before is not None:
        reason = f"{status.instance} ended by itself with exit code {status.end.get('exit_code')}"
        return Verdict(failed=True, reason=reason, output=tuple(wrote_last(status.end)))
    step = status.move.get("step", status.state)
    return Verdict(reason=f"is at the step {step!r} of its move to {status.move.get('to')}")


def wrote_last(told: Mapping[str, Any]) -> list[str]:
    """The lines that tell most of what a process wrote: the errors it named, and its last words.

    Servers end with a traceback of their own, which pushes the app's error out of sight.
    """
    lines = [str(line) for line in told.get("output") or [] if str(line).strip()]
    last = lines[-10:]
    named = [line for line in lines[:-10] if NAMED_ERROR.match(line)]
    return [printable(line) for line in (*dict.fromkeys(named), *last)]


def slowest_steps(statuses: Iterable[Status]) -> dict[str, float]:
    """Seconds of each step of the last moves, of the process that took longest."""
    steps: dict[str, float] = {}
    for status in statuses:
        for step, seconds in status.move.get("seconds", {}).items():
            steps[step] = max(seconds, steps.get(step, 0.0))
    return steps


def runs(environ: bytes, release: str) -> bool:
    """Whether a process's environment (/proc/PID/environ) is that of a release."""
    # searched, not split: an app may fill it with a million empty words
    return b"\0RELEASE_ID=%b\0" % release.encode() in b"\0%b\0" % environ
