# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tails of the two distributions by which shares of errors are compared. Pure."""

from __future__ import annotations

import math


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
    most = min(bad, requests)
    term = math.exp(
        log_choose(bad, errors)
        + log_choose(every - bad, requests - errors)
        - log_choose(every, requests)
    )
    total = term
    for x in range(errors, most):
        # of neighbours: P(x + 1) / P(x)
        ratio = (bad - x) * (requests - x) / ((x + 1) * (every - bad - requests + x + 1))
        term *= ratio
        total += term
        if ratio < 1 and term < total * 1e-17:
            break
    return min(1.0, total)


def binomial_at_most(errors: int, requests: int, share: float) -> float:
    """How likely no more than so many errors are when each request fails with this probability.

    The lower tail of the binomial distribution, as ``scipy.stats.binom.cdf``. A share is shown to be lower
    when this is small (C. J. Clopper, E. S. Pearson, Biometrika 26 (1934), p. 404).
    """
    if errors >= requests or share <= 0:
        return 1.0
    if share >= 1:
        return 0.0
    term = math.exp(
        log_choose(requests, errors)
        + errors * math.log(share)
        + (requests - errors) * math.log1p(-share)
    )
    total = term
    for x in range(errors, 0, -1):
        ratio = x * (1 - share) / ((requests - x + 1) * share)
        term *= ratio
        total += term
        if ratio < 1 and term < total * 1e-17:
            break
    return min(1.0, total)
