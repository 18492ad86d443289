# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tails of distributions, held against those of SciPy."""

from __future__ import annotations

import math

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._judge.exact_test import (
    binomial_at_most,
    falling_sum,
    fisher_greater,
    largest_increase,
    largest_share,
    log_choose,
)


# Expected values: scipy.stats.fisher_exact([[a, n - a], [b, m - b]], alternative="greater") of SciPy 1.17.1, or sums of fractions.
@pytest.mark.parametrize(
    ("a", "n", "b", "m", "expected"),
    [
        (10, 10, 0, 10, 5.412544112234515e-06),
        (10, 10, 0, 3, 0.0034965034965034965),
        (20, 100, 0, 100, 3.321687077707699e-07),
        (25, 500, 0, 500, 2.19116723833909e-08),
        (25, 500, 0, 167, 0.0006367009411317884),
        (3, 30, 1, 90, 0.047818084208911725),
        (5, 1000, 5, 1000, 0.6233555730949243),
        (40, 2000, 100, 20000, 3.052741929471137e-11),
        (1200, 100000, 1000, 100000, 9.819753401194035e-06),
        (12, 12, 900, 1000, 0.2848663916762524),
        (30, 100, 10, 20, 0.9747361099785062),
        # far below the others, and just below: from there the first term is no float any more
        (10_000, 1_000_000, 1_000_000, 3_000_000, 1.0),
        (900, 1000, 1000, 1000, 1.0),
        # far above: not even the greatest term is a float
        (5_000_000, 10_000_000, 4_000_000, 10_000_000, 0.0),
        (9_000, 10_000, 1_000, 10_000_000, 0.0),
        # nothing to compare
        (0, 50, 10, 50, 1.0),
        (0, 10, 0, 10, 1.0),
        (7, 40, 0, 0, 1.0),
        (0, 0, 0, 0, 1.0),
    ],
)
def test_fisher(a: int, n: int, b: int, m: int, expected: float) -> None:
    assert fisher_greater(a, n, b, m) == pytest.approx(expected, rel=1e-6)


# Expected values: scipy.stats.binom.cdf(x, n, q) of SciPy 1.17.1 or sums of fractions, but for the ends.
@pytest.mark.parametrize(
    ("x", "n", "q", "expected"),
    [
        (0, 58, 0.05, 0.05104686868360339),
        (0, 59, 0.05, 0.04849452524942322),
        (1, 93, 0.05, 0.04997579524261633),
        (8, 290, 0.05, 0.04441492869217946),
        (12, 1000, 0.06, 1.474577196251425e-14),
        (25, 500, 0.05, 0.5529388564087527),
        (500, 100000, 0.01, 2.348377764323885e-69),
        (900, 1000, 0.05, 1.0),
        (30, 500, 0.05, 0.8691477021046097),
        (0, 0, 0.05, 1.0),
        (3, 3, 0.05, 1.0),
        (1, 3, 1.0, 0.0),
        (1, 3, 1.04, 0.0),
        (1, 3, 0.0, 1.0),
    ],
)
def test_binomial(x: int, n: int, q: float, expected: float) -> None:
    assert binomial_at_most(x, n, q) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("first", [0.0, 1e-320, 1.0])
def test_a_sum_ends_where_its_terms_do(first: float) -> None:
    """Also where the first one is 0 already, and nothing is less than a part of it."""
    ratios = iter([1e-6] * 100)
    falling_sum(first, ratios)
    assert len(list(ratios)) > 90


@pytest.mark.parametrize(
    ("errors", "requests", "expected"),
    [
        (0, 59, 1 - 0.05 ** (1 / 59)),
        (0, 1, 0.95),
        (1, 2, 0.95**0.5),
        (5, 5, 1.0),
        (0, 0, 1.0),
    ],
)
def test_the_largest_share(errors: int, requests: int, expected: float) -> None:
    assert largest_share(errors, requests, 0.05) == pytest.approx(expected, abs=1e-6)


def test_a_release_is_seldom_called_good_by_a_baseline_that_had_more_errors_by_chance() -> None:
    """Of one that is worse by five points, in one of twenty comparisons at most: all outcomes by their chances."""

    def chances(n: int, p: float) -> list[float]:
        return [
            math.exp(log_choose(n, x) + x * math.log(p) + (n - x) * math.log1p(-p))
            for x in range(n + 1)
        ]

    requests, others = 100, 60
    before = chances(others, 0.3)
    wrong, least = 0.0, 0
    for errors, chance in enumerate(chances(requests, 0.35)):
        # the more errors, the more there have to have been before
        while least <= others and largest_increase(errors, requests, least, others, 0.05) > 0.05:
            least += 1
        wrong += chance * sum(before[least:])
    assert 0.03 < wrong <= 0.05
