# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which routes answer with more errors than before, of however many were compared. Pure."""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.twelvefactor.deploy.plugins.module_utils._judge.exact_test import (
    fisher_greater,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._judge.side import Side
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.tally import OTHER

# Bad needs this much beside p: a share of errors that is higher by so much, and so many errors.
LEAST_EFFECT = 0.005
LEAST_ERRORS = 5


@dataclass(frozen=True)
class Route:
    """What both sides have answered on a route; ``p`` already counts that other routes were compared, too."""

    name: str
    new: Side
    baseline: Side
    p: float


def compared(new: Side, baseline: Side) -> list[tuple[str, Side, Side]]:
    """The routes on which either side has answered with errors, and on which both were asked."""
    failed = dict.fromkeys((*new.routes, *baseline.routes))
    return [
        (route, on_route(new, route), on_route(baseline, route))
        for route in failed
        if route != OTHER and new.asked.get(route) and baseline.asked.get(route)
    ]


def on_route(side: Side, route: str) -> Side:
    return Side(side.asked[route], min(side.routes.get(route, 0), side.asked[route]))


def number_of_tests(least: Iterable[float], allowed: float) -> int:
    """By how many ``allowed`` has to be divided, for tests whose p can be no less than ``least``.

    Bonferroni's correction, without the tests that could not find anything at that level whatever had happened:
    of a route with few requests or errors. Their number does not depend on which side has the errors (R. E. Tarone,
    A modified Bonferroni method for discrete data, Biometrics 46 (1990), p. 515).
    """
    ordered, number = sorted(least), 1
    while bisect.bisect_right(ordered, allowed / number) > number:
        number += 1
    return number


def worse_routes(new: Side, baseline: Side, allowed: float) -> list[Route]:
    """Those whose share of errors is higher, the clearest first.

    That one of them is found although none is worse happens with a probability of ``allowed`` at most.
    """
    if max(new.routes.values(), default=0) < LEAST_ERRORS:
        return []
    both = compared(new, baseline)
    tests = number_of_tests((least_p(mine, theirs) for _name, mine, theirs in both), allowed)
    found = [
        Route(name, mine, theirs, min(1.0, p_of(mine, theirs) * tests))
        for name, mine, theirs in both
        if more_errors(mine, theirs)
    ]
    return sorted(
        (each for each in found if each.p <= allowed), key=lambda each: (each.p, each.name)
    )


def p_of(new: Side, baseline: Side) -> float:
    return fisher_greater(new.errors, new.requests, baseline.errors, baseline.requests)


def least_p(new: Side, baseline: Side) -> float:
    """What p would be with as many of all errors as can be on the new side."""
    every = new.errors + baseline.errors
    most = min(every, new.requests)
    return fisher_greater(most, new.requests, every - most, baseline.requests)


def more_errors(new: Side, baseline: Side) -> bool:
    """Whether they are enough to matter, and so many more."""
    return new.errors >= LEAST_ERRORS and new.share - baseline.share >= LEAST_EFFECT
