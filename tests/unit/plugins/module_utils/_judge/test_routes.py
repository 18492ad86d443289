# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A route that answers with more errors than before, among many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._judge.exact_test import (
    fisher_greater,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._judge.routes import (
    number_of_tests,
    worse_routes,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._judge.side import Side
from ansible_collections.twelvefactor.deploy.plugins.module_utils._judge.verdict import (
    BAD,
    GOOD,
    judge,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.tally import OTHER

OTHERS = "of the other hosts"
ONE_BROKEN = {"GET /": (0, 900), "GET /a": (3, 60), "GET /orders/{number}": (8, 8)}


def by_route(counts: Mapping[str, tuple[int, int]]) -> Side:
    """Errors and requests of each."""
    asked = {route: requests for route, (_errors, requests) in counts.items()}
    failed = {route: errors for route, (errors, _requests) in counts.items() if errors}
    return Side(sum(asked.values()), sum(failed.values()), failed, asked=asked)


def test_one_broken_route_of_many_is_found() -> None:
    """Although one request of a hundred fails, as before."""
    baseline = {"GET /": (20, 1800), "GET /a": (6, 120), "GET /orders/{number}": (0, 24)}
    found = judge(by_route(ONE_BROKEN), by_route(baseline), OTHERS)
    assert found.verdict == BAD
    # two other routes could have been found
    assert found.message == (
        "Requests of a route answered with 5xx: 8 of 8 (100.0%) of the new release, 0 of 24 (0.0%) of the other "
        "hosts; p = 2.9e-07"
    )
    assert found.details == ("Worse: GET /orders/{number} (8 of 8 (100.0%))",)


@pytest.mark.parametrize(
    ("baseline", "verdict"),
    [
        pytest.param({"GET /orders/{number}": (24, 24)}, GOOD, id="broken-before"),
        pytest.param({"GET /orders/{number}": (23, 24)}, GOOD, id="nearly"),
        # it may be new, or of hosts that have too many
        pytest.param({}, GOOD, id="not-asked-before"),
        pytest.param({OTHER: (0, 500)}, GOOD, id="among-others"),
    ],
)
def test_a_route_with_nothing_to_compare(
    baseline: dict[str, tuple[int, int]], verdict: str
) -> None:
    usual = {"GET /": (20, 1800), "GET /a": (6, 120)}
    assert judge(by_route(ONE_BROKEN), by_route(usual | baseline), OTHERS).verdict == verdict


@pytest.mark.parametrize(("routes", "bad"), [(1, True), (30, False)])
def test_of_many_routes_one_may_look_bad_by_chance(routes: int, bad: bool) -> None:
    """Errors of 6 in 20 beside 0 in 20 are rare on one route, and to be expected on one of many."""
    new = {f"GET /{n}": (5, 20) for n in range(routes)} | {"GET /x": (6, 20)}
    baseline = {f"GET /{n}": (5, 20) for n in range(routes)} | {"GET /x": (0, 30)}
    found = worse_routes(by_route(new), by_route(baseline), 0.005)
    assert bool(found) is bad


def test_routes_that_cannot_be_found_do_not_count() -> None:
    new = {f"GET /{n}": (1, 3) for n in range(100)} | {"GET /x": (6, 20)}
    baseline = {f"GET /{n}": (0, 3) for n in range(100)} | {"GET /x": (0, 30)}
    (found,) = worse_routes(by_route(new), by_route(baseline), 0.005)
    assert (found.name, found.p) == ("GET /x", pytest.approx(fisher_greater(6, 20, 0, 30)))


@pytest.mark.parametrize(
    ("least", "number"),
    [
        ([], 1),
        ([0.001], 1),
        ([0.5] * 9, 1),
        ([0.001] * 3, 3),
        ([0.0026, 0.0026], 2),
        ([1e-9] * 40, 40),
    ],
)
def test_number_of_tests(least: list[float], number: int) -> None:
    assert number_of_tests(least, 0.005) == number


def test_the_least_p_of_each_route_is_read_once() -> None:
    """However many there are: a host may say what it likes."""
    read = []

    def least() -> Iterator[float]:
        for number in range(5000):
            read.append(number)
            yield 1e-9

    assert number_of_tests(least(), 0.005) == 5000
    assert len(read) == 5000


def test_of_each_host_no_more_routes_count_than_it_is_asked_for() -> None:
    """Those with the largest numbers."""
    many = {f"GET /{number}": number for number in range(9000)}
    answer = {"requests": 1, "routes": many, "route_requests": many}
    side = Side.of({"a": answer, "b": answer | {"routes": {}, "route_requests": {"GET /x": 1}}})
    assert (len(side.routes), min(side.routes.values())) == (200, 8800)
    assert (len(side.asked), side.asked["GET /x"]) == (201, 1)
