# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rank test by which response times are compared, on counts per bucket. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping


def rank_sum_greater(new: Mapping[int, int], others: Mapping[int, int]) -> float:
    """p of the Mann-Whitney U test, one-sided: whether values of the first side tend to be the greater ones.

    Both sides are counts by value, of which only the order matters. The normal approximation with the variance
    for ties and a correction for continuity (H. B. Mann, D. R. Whitney, Annals of Mathematical Statistics 18
    (1947), p. 50; M. Hollander, D. A. Wolfe, E. Chicken, Nonparametric Statistical Methods, 3rd ed., § 4.1).
    Far from the mean it is above the exact p. The same as
    ``scipy.stats.mannwhitneyu(new, others, alternative="greater", method="asymptotic")``.
    """
    n, m = sum(new.values()), sum(others.values())
    if not n or not m:
        return 1.0
    u, below, tied = 0.0, 0, 0
    for value in sorted(new.keys() | others.keys()):
        here, there = new.get(value, 0), others.get(value, 0)
        u += here * (below + there / 2)
        below += there
        tied += (here + there) ** 3 - (here + there)
    every = n + m
    variance = n * m / 12 * (every + 1 - tied / (every * (every - 1)))
    if variance <= 0:  # all values are one
        return 1.0
    z = (u - n * m / 2 - 0.5) / math.sqrt(variance)
    return math.erfc(z / math.sqrt(2)) / 2


def share_apart(new: Mapping[int, int], others: Mapping[int, int], by: int) -> float:
    """Of all pairs with a value of each side, the part in which that of the first is greater by so much, or more.

    When it is half or more, so is the median of all differences, which says by how much the first side is greater
    (J. L. Hodges, E. L. Lehmann, Annals of Mathematical Statistics 34 (1963), p. 598). The difference of both medians
    does not: of values of two kinds it is as large as these are apart where one kind has a few more.
    """
    pairs = sum(new.values()) * sum(others.values())
    lower = sorted(others)
    apart = below = at = 0
    for value in sorted(new):
        while at < len(lower) and lower[at] <= value - by:
            below += others[lower[at]]
            at += 1
        apart += new[value] * below
    return apart / pairs if pairs else 0.0


def quantile(counts: Mapping[int, int], part: float) -> int:
    """The value that so large a part of all do not exceed, by nearest rank. There has to be one at least."""
    rank = max(1, math.ceil(sum(counts.values()) * part))
    seen = 0
    for value in sorted(counts):
        seen += counts[value]
        if seen >= rank:
            return value
    raise ValueError("no values")
