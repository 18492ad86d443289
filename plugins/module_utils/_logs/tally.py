# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts and latencies that can be added up over files and hosts. Pure."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

# A percentile is at most this far from the true one, as a part of it: the buckets of a histogram
# grow by GAMMA, and each stands for the value in its middle (DDSketch, Masson et al., VLDB 2019).
RELATIVE_ERROR = 0.02
GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
PERCENTILES = (50, 90, 95, 99)
OTHER = "(other)"

T = TypeVar("T")


@functools.lru_cache(maxsize=1 << 16)
def bucket(milliseconds: int) -> int:
    """The bucket of a latency. nginx measures whole milliseconds, so that there are few of them."""
    return math.ceil(math.log(milliseconds, GAMMA)) if milliseconds > 0 else -1


def middle(number: int) -> float:
    """The milliseconds that a bucket stands for."""
    return 0.0 if number < 0 else 2 * GAMMA**number / (GAMMA + 1)


@dataclass
class Tally:
    """Answers to requests."""

    requests: int = 0
    bytes: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    timed: int = 0  # of the requests, those that have a latency
    milliseconds: int = 0  # their sum
    longest: int = 0
    latencies: dict[int, int] = field(default_factory=dict)  # per bucket

    def add(self, status: int, size: int, milliseconds: int | None) -> None:
        """Count one; ``milliseconds`` is None where the time says nothing, as of a WebSocket."""
        self.requests += 1
        self.bytes += size
        key = str(status)
        self.statuses[key] = self.statuses.get(key, 0) + 1
        if milliseconds is not None:
            self.timed += 1
            self.milliseconds += milliseconds
            self.longest = max(self.longest, milliseconds)
            number = bucket(milliseconds)
            self.latencies[number] = self.latencies.get(number, 0) + 1

    def merge(self, other: Tally) -> None:
        self.requests += other.requests
        self.bytes += other.bytes
        add_counts(self.statuses, other.statuses)
        self.timed += other.timed
        self.milliseconds += other.milliseconds
        self.longest = max(self.longest, other.longest)
        add_counts(self.latencies, other.latencies)

    def percentile(self, percent: float) -> float:
        """Milliseconds within which that part of the answers was given, by nearest rank."""
        rank = max(1, math.ceil(self.timed * percent / 100))
        seen = 0
        for number in sorted(self.latencies):
            seen += self.latencies[number]
            if seen >= rank:
                # no percentile is beyond the longest, which is known exactly
                return min(middle(number), float(self.longest))
        return 0.0

    def latency(self) -> dict[str, float] | None:
        """Milliseconds, for people and programs. None when nothing was timed."""
        if not self.timed:
            return None
        told = {f"p{percent}": round(self.percentile(percent), 1) for percent in PERCENTILES}
        mean = round(self.milliseconds / self.timed, 1)
        return {"mean": mean, **told, "max": float(self.longest)}

    def told(self) -> dict[str, Any]:
        """For the document: what it counts, without the buckets."""
        return {
            "requests": self.requests,
            "bytes": self.bytes,
            "statuses": dict(sorted(self.statuses.items())),
            "latency": self.latency(),
        }

    def packed(self) -> dict[str, Any]:
        """For adding up elsewhere; JSON has no keys but strings."""
        return vars(self) | {"latencies": {str(key): n for key, n in self.latencies.items()}}

    @classmethod
    def unpacked(cls, packed: Mapping[str, Any]) -> Tally:
        latencies = {int(key): n for key, n in packed["latencies"].items()}
        return cls(
            **(dict(packed) | {"latencies": latencies, "statuses": dict(packed["statuses"])})
        )


def add_counts(counts: dict[Any, int], more: Mapping[Any, int]) -> None:
    for key, number in more.items():
        counts[key] = counts.get(key, 0) + number


def fold(
    groups: dict[str, T], limit: int, size: Callable[[T], int], merge: Callable[[T, T], object]
) -> None:
    """Put the smallest of more than ``limit`` groups together as OTHER, which counts as none.

    Nothing is lost from the sums; a group that is kept may have been folded before it grew.
    """
    names = sorted((name for name in groups if name != OTHER), key=lambda name: -size(groups[name]))
    for name in names[limit:]:
        group = groups.pop(name)
        if OTHER in groups:
            merge(groups[OTHER], group)
        else:
            groups[OTHER] = group


class Groups:
    """Tallies by name, of which no more than twice ``limit`` are held."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.tallies: dict[str, Tally] = {}

    def get(self, name: str) -> Tally:
        tally = self.tallies.get(name)
        if tally is None:
            if len(self.tallies) > 2 * self.limit:
                self.fold()
            tally = self.tallies[name] = Tally()
        return tally

    def fold(self) -> None:
        fold(self.tallies, self.limit, lambda tally: tally.requests, Tally.merge)

    def merge(self, packed: Mapping[str, Mapping[str, Any]]) -> None:
        for name, tally in packed.items():
            self.get(name).merge(Tally.unpacked(tally))

    def packed(self) -> dict[str, dict[str, Any]]:
        self.fold()
        return {name: tally.packed() for name, tally in self.tallies.items()}

    def told(self, name_of: str) -> list[dict[str, Any]]:
        """The largest first, the rest last."""
        self.fold()
        order = sorted(
            self.tallies.items(), key=lambda item: (item[0] == OTHER, -item[1].requests, item[0])
        )
        return [{name_of: name, **tally.told()} for name, tally in order]


def largest(items: Iterable[T], limit: int, size: Callable[[T], Any]) -> list[T]:
    return sorted(items, key=size, reverse=True)[:limit]
