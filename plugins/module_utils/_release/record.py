# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened to which release on a host: releases.jsonl, and what a rollback follows from."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import IO, Any

LONGEST_LINE = 1 << 20  # bytes
LARGEST_NUMBER = 1 << 53
TEXT, OPTIONAL_TEXT, NUMBER = (str,), (str, type(None)), (int, float, type(None))
TYPES = {
    "at": TEXT,
    "event": TEXT,
    "release": TEXT,
    "outcome": TEXT,
    "before": OPTIONAL_TEXT,
    "reason": OPTIONAL_TEXT,
    "formation": (dict,),
    "seconds": NUMBER,
    "durations": (dict,),
    "by": OPTIONAL_TEXT,
    "commit": OPTIONAL_TEXT,
    "wheel_sha256": OPTIONAL_TEXT,
    "lock_sha256": OPTIONAL_TEXT,
    "tried": (bool,),
}


@dataclass(frozen=True)
class Record:
    """One attempt to make a release the one that serves."""

    at: str  # UTC, ISO 8601
    event: str  # deploy | rollback | scale
    release: str
    outcome: str  # pending | good | bad
    before: str | None = None  # what served until then
    reason: str | None = None  # why the outcome is bad, or why this was put back
    formation: dict[str, int] = field(default_factory=dict)
    seconds: float | None = None
    durations: dict[str, float] = field(default_factory=dict)  # per step, the slowest process
    by: str | None = None  # who, and from where
    commit: str | None = None  # of the app's source, where known
    wheel_sha256: str | None = None
    lock_sha256: str | None = None
    tried: bool = True  # false where it failed before the release was started

    def line(self) -> str:
        told = {k: v for k, v in asdict(self).items() if v is not None}
        if not self.durations:
            del told["durations"]
        if self.tried:
            del told["tried"]
        return json.dumps(told) + "\n"


def provenance(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What the record takes over from a release.json: what the release was made of."""
    return {key: str(manifest[key]) for key in ("wheel_sha256", "lock_sha256") if manifest.get(key)}


def read_records(path: pathlib.Path) -> list[Record]:
    """What ``parse_records`` makes of a file; nothing of one that is not there."""
    try:
        with path.open("rb") as file:
            return parse_records(lines_of(file))
    except (FileNotFoundError, NotADirectoryError):
        return []


def lines_of(file: IO[bytes]) -> Iterator[bytes]:
    """The lines of a file, without those that are longer than any that we write."""
    begun = False  # a line that is too long
    while part := file.readline(LONGEST_LINE):
        ended = part.endswith(b"\n") or len(part) < LONGEST_LINE
        if ended and not begun:
            yield part
        begun = not ended


def record_of(line: bytes) -> Record:
    """Raises ValueError or TypeError for what is no record."""
    try:
        entry = json.loads(line.decode("utf-8"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(entry, dict):
        raise TypeError("no object")
    told = {key: value for key, value in entry.items() if key in TYPES}
    if not all(type(value) in TYPES[key] for key, value in told.items()):
        raise TypeError("a value of another type")
    sizes = [*told.get("formation", {}).values(), *told.get("durations", {}).values()]
    sizes.append(told.get("seconds") or 0)
    if not all(type(size) in (int, float) and 0 <= size < LARGEST_NUMBER for size in sizes):
        raise ValueError("no count, or no number of seconds")
    return Record(**told)


def parse_records(lines: Iterable[bytes]) -> list[Record]:
    """Read the record; a line that is no record is passed over.

    A full disk cuts a line short, and a power cut or a bad disk leaves whatever it leaves. None of
    that may be in the way of a deploy, least of all of a rollback.

    Every attempt has a line from before it began, which is left out once it has its outcome.
    """
    records: list[Record] = []
    for line in lines:
        try:
            record = record_of(line)
        except (ValueError, TypeError):
            continue
        if records and records[-1].outcome == "pending":
            cut_off = records[-1].release != record.release or record.outcome == "pending"
            records = records if cut_off else records[:-1]
        records.append(record)
    return records


def history(records: Iterable[Record]) -> list[str]:
    """The releases that a series of rollbacks would walk through, the serving one last.

    A deploy goes on top. A rollback takes off what is above its target, so that the next rollback
    goes one further back instead of returning to where it came from.
    """
    stack: list[str] = []
    for record in records:
        if record.outcome != "good":
            continue
        if record.event == "rollback" and record.release in stack:
            while stack[-1] != record.release:
                stack.pop()
        elif not stack or stack[-1] != record.release:
            stack = [name for name in stack if name != record.release]
            stack.append(record.release)
    return stack


def serving_since(records: Iterable[Record], release: str | None) -> str | None:
    """When a release began to serve, for the last time; None where the record does not say.

    A change of the formation alone is no beginning.
    """
    since, serving = None, None
    for record in records:
        if record.outcome == "good":
            if record.release != serving:
                since, serving = record.at, record.release
            # what the record has missed (a full disk, a hand) served in between
            elif record.before is not None and record.before != record.release:
                since = record.at
    return since if serving == release else None


def bad_releases(records: Iterable[Record]) -> set[str]:
    """Releases whose last attempt failed.

    That a release which served could not be given another formation says nothing against it, nor
    that it was never started.
    """
    last = {
        record.release: record.outcome
        for record in records
        if record.outcome == "good"
        or (record.outcome == "bad" and record.tried and record.before != record.release)
    }
    return {release for release, outcome in last.items() if outcome == "bad"}


def rollback_targets(
    records: Iterable[Record], current: str | None, installed: Collection[str]
) -> list[str]:
    """The good releases before the current one that are still installed, the nearest first."""
    records = list(records)
    stack = history(records)
    if current is None and records and records[-1].outcome != "good":
        # what served was ended for good, and its successor failed: it is nothing to go back to
        current = records[-1].before
    if current in stack:
        stack = stack[: stack.index(current)]
    bad = bad_releases(records)
    return [
        release
        for release in reversed(stack)
        if release != current and release in installed and release not in bad
    ]


def rollback_target(
    records: Iterable[Record], current: str | None, installed: Collection[str]
) -> str | None:
    """The last good release before the current one that is still installed, by the record."""
    return next(iter(rollback_targets(records, current, installed)), None)


def formation_of(records: Iterable[Record], release: str) -> dict[str, int] | None:
    """The formation with which a release served last."""
    for record in reversed(list(records)):
        if record.release == release and record.outcome == "good" and record.formation:
            return record.formation
    return None
