# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which part to start next, and whether it can still end in time: pure functions.

Durations are seconds of wall-clock time; a pace is how many times longer parts take than expected.
"""

from __future__ import annotations

import collections.abc
import statistics

# What a part is thought to take that nobody has measured.
UNKNOWN_SECONDS = 120.0


def longest_first(
    parts: collections.abc.Iterable[str], expected: collections.abc.Mapping[str, float]
) -> list[str]:
    """The parts in the order to start them, so that none goes on alone when all others have ended.

    Parts that nobody has measured come first: they may be the longest.
    """
    return sorted(parts, key=lambda part: -expected.get(part, float("inf")))


def pace(
    taken: collections.abc.Mapping[str, float], expected: collections.abc.Mapping[str, float]
) -> float:
    """How much slower than expected this run is, by the parts that have ended; 1 as long as none has.

    The median, so that one part that hung does not condemn the rest.
    """
    ratios = [seconds / expected[part] for part, seconds in taken.items() if expected.get(part)]
    return statistics.median(ratios) if ratios else 1.0


def can_end(
    part: str,
    *,
    elapsed: float,
    limit: float | None,
    expected: collections.abc.Mapping[str, float],
    pace: float,
) -> bool:
    """Whether `part`, started now, can be expected to end before `limit`; always without a limit."""
    if limit is None:
        return True
    return elapsed + expected.get(part, UNKNOWN_SECONDS) * pace <= limit


def estimate(
    parts: collections.abc.Sequence[str],
    jobs: int,
    expected: collections.abc.Mapping[str, float],
) -> float:
    """Seconds that `parts` take in this order, `jobs` at a time, when all goes as expected."""
    free_at = [0.0] * jobs
    for part in parts:
        earliest = min(range(jobs), key=free_at.__getitem__)
        free_at[earliest] += expected.get(part, UNKNOWN_SECONDS)
    return max(free_at, default=0.0)
