# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened to which release on a host: releases.jsonl, and what a rollback follows from."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Record:
    """One attempt to make a release the one that serves."""

    at: str  # UTC, ISO 8601
    event: str  # deploy | rollback | scale
    release: str
    outcome: str  # pending | good | bad
    before: str | None = None  # what served until then
    reason: str | None = None  # why the outcome is bad
    formation: dict[str, int] = field(default_factory=dict)
    seconds: float | None = None
    durations: dict[str, float] = field(default_factory=dict)  # per step, the slowest process
    by: str | None = None  # who, and from where
    commit: str | None = None  # of the app's source, where known
    wheel_sha256: str | None = None
    lock_sha256: str | None = None

    def line(self) -> str:
        told = {k: v for k, v in asdict(self).items() if v is not None}
        if not self.durations:
            del told["durations"]
        return json.dumps(told) + "\n"


def provenance(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What the record takes over from a release.json: what the release was made of."""
    return {key: str(manifest[key]) for key in ("wheel_sha256", "lock_sha256") if manifest.get(key)}


def parse_records(text: str) -> list[Record]:
    """Read the record; a line that a full disk cut short is passed over.

    Every attempt has a line from before it began, which is left out once it has its outcome.
    """
    records: list[Record] = []
    known = set(Record.__dataclass_fields__)
    for line in text.splitlines():
        try:
            entry: dict[str, Any] = json.loads(line)
            record = Record(**{k: v for k, v in entry.items() if k in known})
        except (ValueError, TypeError, AttributeError):
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

    That a release which served could not be given another formation says nothing against it.
    """
    last = {
        record.release: record.outcome
        for record in records
        if record.outcome == "good" or (record.outcome == "bad" and record.before != record.release)
    }
    return {release for release, outcome in last.items() if outcome == "bad"}


def rollback_targets(
    records: Iterable[Record], current: str | None, installed: Collection[str]
) -> list[str]:
    """The good releases before the current one that are still installed, the nearest first."""
    records = list(records)
    stack = history(records)
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
