# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tails of the two distributions by which shares of errors are compared. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable


def log_choose(n: int, k: int) -> float:
    """The logarithm of the binomial coefficient."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def fisher_greater(errors: int, requests: int, others_errors: int, others_requests: int) -> float:
    """p of Fisher's exact test, one-sided: whether the first share of errors is the greater one.

    How likely it is that so many of all errors, or more, fall on the first side when every request is
    equally likely to be one of them: the upper tail of the hypergeometric distribution (R. A. Fisher,
    Statistical Methods for Research Workers, § 21.02; A. Agresti, Categorical Data Analysis, § 3.5.1).
    The same as ``scipy.stats.fisher_exact(table, alternative="greater")``.
    """
    every, bad = requests + others_requests, errors + others_errors
    least, most = max(0, bad - others_requests), min(bad, requests)

    def chance(x: int) -> float:
        return math.exp(
            log_choose(bad, x) + log_choose(every - bad, requests - x) - log_choose(every, requests)
        )

    def ratio(x: int) -> float:
        """Of neighbours: P(x + 1) / P(x)."""
        return (bad - x) * (requests - x) / ((x + 1) * (every - bad - requests + x + 1))

    if errors * every > requests * bad:
        return min(1.0, falling_sum(chance(errors), map(ratio, range(errors, most))))
    if errors <= least:
        return 1.0
    # below the mean it is the lower tail that falls from here on
    down = (1 / ratio(x - 1) for x in range(errors - 1, least, -1))
    return max(0.0, 1 - falling_sum(chance(errors - 1), down))


def binomial_at_most(errors: int, requests: int, share: float) -> float:
    """How likely no more than so many errors are when each request fails with this probability.

    The lower tail of the binomial distribution, as ``scipy.stats.binom.cdf``.
    """
    if errors >= requests or share <= 0:
        return 1.0
    if share >= 1:
        return 0.0

    def chance(x: int) -> float:
        return math.exp(
            log_choose(requests, x) + x * math.log(share) + (requests - x) * math.log1p(-share)
        )

    def ratio(x: int) -> float:
        """Of neighbours: P(x + 1) / P(x)."""
        return (requests - x) * share / ((x + 1) * (1 - share))

    if errors < requests * share:
        down = (1 / ratio(x - 1) for x in range(errors, 0, -1))
        return min(1.0, falling_sum(chance(errors), down))
    return max(0.0, 1 - falling_sum(chance(errors + 1), map(ratio, range(errors + 1, requests))))


def largest_share(errors: int, requests: int, doubt: float) -> float:
    """The share of errors that is not exceeded but with this probability, by what was observed.

    The upper limit of C. J. Clopper and E. S. Pearson, Biometrika 26 (1934), p. 404: with a larger share so few errors
    would be less likely than ``doubt``.
    """
    if errors >= requests:
        return 1.0
    low, high = errors / requests, 1.0
    while high - low > 1e-6:
        share = (low + high) / 2
        if binomial_at_most(errors, requests, share) > doubt:
            low = share
        else:
            high = share
    return high


def largest_increase(
    errors: int, requests: int, others_errors: int, others_requests: int, doubt: float
) -> float:
    """By how much the first share of errors is the higher one at most, but with this probability.

    Both shares are known from samples. Their limits are combined by the distances from what was observed (R. G.
    Newcombe, Statistics in Medicine 17 (1998), p. 873, method 10, there with Wilson's limits).
    """
    if not requests or not others_requests:
        return 1.0
    share, others = errors / requests, others_errors / others_requests
    above = largest_share(errors, requests, doubt) - share
    # the smallest share of errors is what is left by the largest of all else
    below = largest_share(others_requests - others_errors, others_requests, doubt) - (1 - others)
    return share - others + math.hypot(above, below)


def falling_sum(term: float, ratios: Iterable[float]) -> float:
    """The sum of a term and those that follow, each of which is the one before times a ratio.

    It begins beside the mean and leads away from it: from the other side the first term of many requests is too
    small for a float, and with it all that follow.
    """
    total = term
    for ratio in ratios:
        term *= ratio
        total += term
        if (
            term <= total * 1e-17
        ):  # also where a term is too small for a float, and with it all others
            break
    return total
