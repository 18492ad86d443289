# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts over the answers of a new release."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._judge.side import Side
from ansible_collections.twelvefactor.deploy.plugins.module_utils._judge.verdict import (
    BAD,
    FALSE_ALARMS,
    GOOD,
    PARTS,
    UNDECIDED,
    Verdict,
    judge,
    level,
    look_times,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.responses import LONGEST
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.tally import bucket

OTHERS = "of the other hosts"
LOOKS = 16  # of a day
# Routes of a site, a few of which get most of the requests.
NAMES = [f"GET /{name}" for name in "aaaaaaaaaaaabbbbbbccccdddeeffghijkl"]


@pytest.mark.parametrize(
    ("new", "baseline", "expected"),
    [
        pytest.param((0, 0), (0, 0), UNDECIDED, id="no-traffic"),
        pytest.param((0, 500), (0, 0), UNDECIDED, id="nothing-to-compare-with"),
        pytest.param((500, 500), (0, 0), UNDECIDED, id="errors-with-nothing-to-compare-with"),
        pytest.param((0, 0), (0, 500), UNDECIDED, id="nobody-asked-the-canary"),
        pytest.param((0, 59), (0, 50), GOOD, id="the-least-for-good"),
        pytest.param((0, 58), (0, 50), UNDECIDED, id="one-too-few-of-the-new"),
        pytest.param((0, 59), (0, 49), UNDECIDED, id="one-too-few-of-the-baseline"),
        pytest.param((3, 1000), (2, 1000), GOOD, id="as-before"),
        pytest.param((12, 100), (12, 100), UNDECIDED, id="as-before-of-too-few-with-errors"),
        pytest.param((0, 1000), (900, 1000), GOOD, id="what-was-broken-is-mended"),
        pytest.param((960, 1000), (960, 1000), GOOD, id="as-broken-as-before"),
        pytest.param((4, 4), (0, 1000), UNDECIDED, id="four-errors-are-too-few"),
        pytest.param((5, 5), (0, 1000), BAD, id="five-are-not"),
        pytest.param((40, 10000), (0, 10000), GOOD, id="too-little-a-difference"),
        pytest.param((51, 10000), (0, 10000), BAD, id="half-a-point-more"),
        pytest.param((6, 60), (2, 60), UNDECIDED, id="neither"),
    ],
)
def test_the_only_look(new: tuple[int, int], baseline: tuple[int, int], expected: str) -> None:
    (errors, requests), (others_errors, others) = new, baseline
    found = judge(Side(requests, errors), Side(others, others_errors), OTHERS)
    assert found.verdict == expected


@pytest.mark.parametrize("looks", [1, 2, LOOKS])
@pytest.mark.parametrize("others", [1, 3])
@pytest.mark.parametrize(("errors", "requests"), [(10, 10), (20, 100), (25, 500)])
def test_shares_of_100_20_and_5_percent_are_found_at_any_look(
    errors: int, requests: int, others: int, looks: int
) -> None:
    baseline = Side(others * requests)
    for look in range(1, looks + 1):
        assert judge(Side(requests, errors), baseline, OTHERS, look, looks).verdict == BAD


@pytest.mark.parametrize("looks", [1, 2, 3, LOOKS])
def test_the_levels_of_all_looks_are_what_may_be_spent(looks: int) -> None:
    spent = sum(level(look, looks) for look in range(1, looks + 1))
    assert spent * PARTS == pytest.approx(FALSE_ALARMS)


def test_an_early_look_stops_only_what_is_bad() -> None:
    assert judge(Side(5000, 0), Side(5000, 0), OTHERS, 1, 2).verdict == UNDECIDED
    assert judge(Side(5000, 0), Side(5000, 0), OTHERS, 2, 2).verdict == GOOD


@pytest.mark.parametrize(
    ("seconds", "times"),
    [
        (1, [1]),
        (7, [7]),
        (10, [5, 10]),
        (30, [5, 10, 20, 30]),
        (60, [5, 10, 20, 40, 60]),
        (3600, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 3600]),
    ],
)
def test_when_it_is_looked(seconds: int, times: list[int]) -> None:
    assert look_times(seconds) == times


def test_a_day_has_few_looks() -> None:
    assert len(look_times(86400)) == LOOKS - 1


def buckets_of_four_kinds(chance: random.Random) -> list[list[int]]:
    """Response times to choose from: narrow, broad, of two kinds, and mostly one."""
    narrow = [chance.lognormvariate(4, 0.3) for _each in range(500)]
    broad = [chance.lognormvariate(5, 1.2) for _each in range(500)]
    mixed = [*narrow[:250], *(each * 20 for each in narrow[250:])]
    kinds = [narrow, broad, mixed, [50.0] * 450 + broad[:50]]
    return [[bucket(round(each)) for each in kind] for kind in kinds]


class Half:
    """One side of a deploy, whose share of errors and response times are known."""

    def __init__(
        self, chance: random.Random, requests: int, share: float, buckets: Sequence[int]
    ) -> None:
        self.chance, self.requests, self.share, self.buckets = chance, requests, share, buckets
        self.all = self.errors = 0
        self.latencies: Counter[int] = Counter()
        self.asked: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()

    def look(self) -> Side:
        """What it has answered by the next look."""
        errors = sum(self.chance.random() < self.share for _request in range(self.requests))
        self.all, self.errors = self.all + self.requests, self.errors + errors
        self.latencies.update(self.chance.choices(self.buckets, k=self.requests - errors))
        routes = self.chance.choices(NAMES, k=self.requests)
        self.asked.update(routes)
        self.failed.update(routes[:errors])
        return Side(self.all, self.errors, self.failed, latencies=self.latencies, asked=self.asked)


def verdict_of(new: Half, baseline: Half) -> Verdict:
    """A deploy that is looked at as often as can be, until it is found to be bad."""
    for look in range(1, LOOKS + 1):
        found = judge(new.look(), baseline.look(), OTHERS, look, LOOKS)
        if found.verdict == BAD:
            break
    return found


def test_identical_releases_are_called_bad_in_one_deploy_of_a_hundred_at_most() -> None:
    chance = random.Random(20_260_102)
    shares = [0.0, 0.005, 0.02, 0.1, 0.5]
    kinds = buckets_of_four_kinds(chance)
    bad = 0
    for number in range(1000):
        share, buckets = shares[number % len(shares)], kinds[number % len(kinds)]
        # a deploy looks over two times, the bake and the watch
        for _part in range(PARTS):
            new = Half(chance, 10, share, buckets)
            baseline = Half(chance, 10 * (1 + number % 3), share, buckets)
            if verdict_of(new, baseline).verdict == BAD:
                bad += 1
                break
    assert bad <= 1000 * FALSE_ALARMS


@pytest.mark.parametrize(("share", "most"), [(1.0, 10), (0.2, 20), (0.05, 25)])
def test_a_broken_release_is_found_in_time_or_not_called_good(share: float, most: int) -> None:
    chance = random.Random(20_260_103)
    step = 5 if share == 1 else 20
    found = []
    for _deploy in range(200):
        new, baseline = Half(chance, step, share, [9]), Half(chance, step * 2, 0.0, [9])
        found.append((verdict_of(new, baseline).verdict, new.errors))
    # good is wrong in one of twenty at most, by its confidence
    assert sum(verdict == GOOD for verdict, _errors in found) <= 10
    late = [errors for verdict, errors in found if verdict == BAD and errors > most]
    assert late == []


@pytest.mark.parametrize("others", [1, 2])
@pytest.mark.parametrize(("deviation", "looks", "least"), [(0.5, 3, 190), (0.8, 3, 170)])
def test_doubled_times_are_found_within_sixty_requests(
    deviation: float, looks: int, least: int, others: int
) -> None:
    """Of 200 deploys with a median of 50 ms before, and a standard deviation of the logarithm as given."""
    chance = random.Random(20_260_104)
    times = [chance.lognormvariate(math.log(50), deviation) for _each in range(2000)]
    before, doubled = ([bucket(round(k * each)) for each in times] for k in (1, 2))
    found = 0
    for _deploy in range(200):
        new, baseline = Half(chance, 20, 0.0, doubled), Half(chance, 20 * others, 0.0, before)
        verdicts = (
            judge(new.look(), baseline.look(), OTHERS, n, looks) for n in range(1, looks + 1)
        )
        found += any(verdict.verdict == BAD for verdict in verdicts)
    assert found >= least


def timed(milliseconds: int, requests: int = 100) -> Side:
    return Side(requests, latencies={bucket(milliseconds): requests})


@pytest.mark.parametrize(
    ("new", "baseline", "expected"),
    [
        pytest.param(timed(200), timed(100), BAD, id="twice"),
        pytest.param(timed(155), timed(100), BAD, id="half-more"),
        pytest.param(timed(140), timed(100), GOOD, id="less-than-half-more"),
        pytest.param(timed(24), timed(2), BAD, id="twenty-milliseconds-more"),
        pytest.param(timed(20), timed(2), GOOD, id="less-than-twenty"),
        pytest.param(timed(24), timed(0), BAD, id="before-it-took-no-time"),
        pytest.param(timed(50), timed(900), GOOD, id="faster"),
        pytest.param(timed(900, 29), timed(100), UNDECIDED, id="too-few-of-the-new"),
        pytest.param(timed(900, 30), timed(100), BAD, id="just-enough"),
        pytest.param(timed(900), timed(100, 29), UNDECIDED, id="too-few-of-the-baseline"),
        pytest.param(timed(900), Side(100), GOOD, id="no-times-to-compare-with"),
        pytest.param(
            Side(100, latencies={130: 45, 180: 55}), Side(100, latencies={130: 55, 180: 45}), GOOD,
            id="of-two-kinds-a-few-more-of-one",
        ),
        pytest.param(
            Side(600, latencies={80: 270, 130: 330}), Side(1800, latencies={80: 1000, 130: 800}), GOOD,
            id="more-than-by-chance",
        ),
        pytest.param(
            Side(600, latencies={80: 100, 130: 500}), Side(1800, latencies={80: 1200, 130: 600}), BAD,
            id="half-of-all-are-of-the-other-kind",
        ),
        pytest.param(
            Side(600, latencies={98: 300, 148: 300}), Side(1800, latencies={80: 1000, 130: 800}), BAD,
            id="both-kinds-twice",
        ),
    ],
)  # fmt: skip
def test_slow_responses(new: Side, baseline: Side, expected: str) -> None:
    found = judge(new, baseline, OTHERS)
    assert found.verdict == expected


def test_the_first_look_does_not_judge_times() -> None:
    """Caches are being filled."""
    assert judge(timed(900), timed(100), OTHERS, 1, 2).verdict == UNDECIDED
    assert judge(timed(900), timed(100), OTHERS, 2, 2).verdict == BAD


def test_the_sentence_on_slow_responses() -> None:
    found = judge(timed(200, 80), timed(100, 160), "of the other hosts in the same time")
    assert found.message == (
        "Slow responses: a median of 200 ms in 80 of the new release, 102 ms in 160 of the other hosts in the same "
        "time; p = 3.3e-54"
    )
    good = judge(timed(100), timed(100), OTHERS)
    assert good.message.endswith("; p = 1; median time 102 and 102 ms")


@pytest.mark.parametrize("number", [10**13, 10**400], ids=["many", "no-float"])
def test_no_answer_of_a_host_keeps_the_judge_busy(number: int) -> None:
    answers: dict[str, dict[str, object]] = {
        host: {"requests": number, "server_errors": 10**7 // 2} for host in ("a", "b", "c")
    }
    side = Side.of(answers)
    # with many more of them the tails of the distributions take hours
    assert side.requests == 3 * 10**7
    assert judge(side, side, "before").verdict == GOOD


def test_a_time_is_an_hour_at_most() -> None:
    """As a host counts it. Of the bucket 9999 the milliseconds have 174 digits."""
    last = bucket(LONGEST)
    side = Side.of({"a": {"requests": 90, "latencies": {"9999": 50, str(last): 40}}})
    assert side.latencies == {last: 90}
    assert side.milliseconds(50) == pytest.approx(LONGEST, rel=0.02)


def test_the_sum_over_hosts() -> None:
    counts: dict[str, dict[str, object]] = {
        "a": {
            "requests": 10,
            "server_errors": 2,
            "routes": {"GET /": 1, "GET /a": 1},
            "route_requests": {"GET /": 8, "GET /a": 1},
            "latencies": {"-1": 3, "57": 5, "x": 4, "58": "y"},
        },
        "b": {
            "latencies": {"57": 2},
            "route_requests": {"GET /": 5},
            "requests": 5,
            "server_errors": 1,
            "routes": {"GET /": 1},
            "incomplete": ["cut", "x"],
        },
        # hosts that could not be read, and one that returns what it should not
        "c": {"failed": False, "msg": "sudo: a password is required\nsudo: x"},
        "d": {},
        "e": {
            "requests": "7",
            "server_errors": -3,
            "routes": ["x"],
            "incomplete": "x",
            "latencies": 3,
        },
    }
    unread = ("b: cut", "c: sudo: a password is required", "d: no answer")
    assert Side.of(counts, 20) == Side(
        15,
        3,
        {"GET /": 2, "GET /a": 1},
        60,
        {-1: 3, 57: 7, 58: 0},
        {"GET /": 13, "GET /a": 1},
        unread,
    )


@pytest.mark.parametrize(
    ("new", "baseline", "message"),
    [
        pytest.param(
            Side(seconds=0, unread=("a: no sudo",)), Side(500),
            "The responses of the new release could not be counted: a: no sudo", id="new",
        ),
        pytest.param(
            Side(500), Side(seconds=0, unread=("b: no sudo", "c: lost")),
            "The responses of the other hosts could not be counted: b: no sudo; c: lost", id="baseline",
        ),
    ],
)  # fmt: skip
def test_a_side_that_cannot_be_read_is_not_decided(new: Side, baseline: Side, message: str) -> None:
    found = judge(new, baseline, OTHERS)
    assert (found.verdict, found.message) == (UNDECIDED, message)


@pytest.mark.parametrize(
    ("new", "baseline"),
    [
        pytest.param(Side(40, 18), Side(120), id="bad"),
        pytest.param(Side(400), Side(400), id="good"),
        pytest.param(Side(4), Side(4), id="undecided"),
    ],
)
def test_a_host_that_cannot_be_read_is_named(new: Side, baseline: Side) -> None:
    found = judge(replace(new, unread=("a: x",)), replace(baseline, unread=("b: y",)), OTHERS)
    assert found.details == ("Not counted on a: x", "Not counted on b: y")


@pytest.mark.parametrize(
    ("new", "baseline", "expected"),
    [
        pytest.param(Side(0, seconds=60), Side(4000, seconds=120), 2000, id="it-hangs"),
        pytest.param(Side(0, seconds=60), Side(4000, seconds=600), 400, id="before-is-longer"),
        pytest.param(Side(4, seconds=60), Side(50, seconds=60), 50, id="just-few-enough"),
        pytest.param(Side(5, seconds=60), Side(50, seconds=60), None, id="a-tenth"),
        pytest.param(Side(0, seconds=60), Side(49, seconds=60), None, id="nobody-is-busy"),
    ],
)
def test_a_release_that_lets_requests_wait(new: Side, baseline: Side, expected: int | None) -> None:
    found = judge(new, baseline, OTHERS)
    assert found.verdict == UNDECIDED
    words = f"; as busy as these it would have answered about {expected}: "
    assert (words in found.message) is (expected is not None)


def test_the_sentence() -> None:
    routes = {"GET /b": 4, "GET /a": 4, "POST /c": 9, "GET /d": 1}
    found = judge(Side(40, 18, routes), Side(120, 0), "of the other hosts in the same time")
    assert found.message == (
        "Requests answered with 5xx: 18 of 40 (45.0%) of the new release, 0 of 120 (0.0%) of the other hosts in "
        "the same time; p = 4.1e-13"
    )
    assert found.details == ("Most of them: POST /c (9), GET /a (4), GET /b (4)",)


@pytest.mark.parametrize(
    ("route", "shown"),
    [
        ("GET /\x1b[31m\n::error::{{ 1 }}", "GET /??31m???error??{{ 1 }}"),
        ("GET /straße", "GET /stra?e"),
        ("GET /" + "a" * 200, "GET /" + "a" * 72 + "..."),
    ],
)
def test_what_clients_wrote_is_made_harmless(route: str, shown: str) -> None:
    found = judge(Side(40, 18, {route: 18}), Side(120, 0), OTHERS)
    assert found.details == (f"Most of them: {shown} (18)",)
