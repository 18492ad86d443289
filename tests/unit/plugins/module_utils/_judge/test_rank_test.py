# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rank test, held against SciPy's and against counting all permutations."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._judge.rank_test import (
    quantile,
    rank_sum_greater,
    share_apart,
)


# Expected values: scipy.stats.mannwhitneyu(new, others, alternative="greater", method="asymptotic") of SciPy 1.17.1.
@pytest.mark.parametrize(
    ("new", "others", "expected"),
    [
        ({3: 30, 4: 30}, {1: 30, 2: 30}, 8.837464373714983e-23),
        ({1: 10, 2: 20, 3: 30}, {1: 20, 2: 20, 3: 20}, 0.012495914194372364),
        ({1: 5, 2: 5}, {1: 500, 2: 500}, 0.500250936734539),
        ({5: 1, 6: 2, 7: 3}, {5: 3, 6: 2, 7: 1}, 0.10215260456035657),
        ({1: 3, 9: 1}, {2: 40, 3: 5}, 0.993117470126972),
        ({-1: 10, 0: 50}, {-1: 50, 0: 10}, 1.8048433389063025e-13),
        ({7: 60}, {7: 60}, 1.0),
        ({}, {7: 60}, 1.0),
        ({7: 60}, {}, 1.0),
        ({}, {}, 1.0),
        ({7: 1}, {7: 1}, 1.0),
    ],
)
def test_rank_sum(new: dict[int, int], others: dict[int, int], expected: float) -> None:
    assert rank_sum_greater(new, others) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("new", "others"),
    [
        ([1, 3, 3, 5, 8, 9, 9, 12], [1, 1, 2, 3, 4, 5, 5, 6]),
        ([4, 5, 6, 7, 7, 8, 9, 10], [1, 2, 3, 3, 4, 5, 6, 7]),
        ([2, 4, 6, 8], [1, 1, 3, 3, 5, 5, 7, 7, 9, 9, 2, 8]),
    ],
)
def test_it_is_near_the_exact_p(new: list[int], others: list[int]) -> None:
    """Which is the share of all divisions of the values with as large a U or a larger one."""
    values, n = new + others, len(new)
    every = range(len(values))

    def u(chosen: tuple[int, ...]) -> float:
        rest = [values[i] for i in every if i not in chosen]
        return sum((values[i] > x) + (values[i] == x) / 2 for i in chosen for x in rest)

    least = u(tuple(range(n)))
    found = [u(chosen) >= least for chosen in itertools.combinations(every, n)]
    exact = sum(found) / len(found)
    assert rank_sum_greater(Counter(new), Counter(others)) == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize("by", [0, 1, 3])
@pytest.mark.parametrize(
    ("new", "others"),
    [
        ({1: 2, 3: 1, 5: 4}, {-1: 1, 2: 3, 4: 2, 5: 1}),
        ({9: 2}, {1: 1, 6: 5, 8: 2}),
        ({1: 1, 2: 2}, {7: 3}),
    ],
)
def test_how_many_pairs_are_apart(new: dict[int, int], others: dict[int, int], by: int) -> None:
    pairs = list(itertools.product(Counter(new).elements(), Counter(others).elements()))
    expected = sum(mine - theirs >= by for mine, theirs in pairs) / len(pairs)
    assert share_apart(new, others, by) == pytest.approx(expected)


def test_of_no_values_nothing_is_apart() -> None:
    assert share_apart({}, {1: 1}, 0) == share_apart({1: 1}, {}, 0) == 0


@pytest.mark.parametrize(
    ("counts", "part", "value"),
    [
        ({1: 1}, 0.5, 1),
        ({1: 50, 2: 50}, 0.5, 1),
        ({1: 49, 2: 51}, 0.5, 2),
        ({3: 1, -1: 99}, 1.0, 3),
    ],
)
def test_quantile(counts: dict[int, int], part: float, value: int) -> None:
    assert quantile(counts, part) == value
