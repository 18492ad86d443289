# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts and latencies that can be added up."""

from __future__ import annotations

import json
import math
import random

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.tally import (
    OTHER,
    RELATIVE_ERROR,
    Groups,
    Tally,
    bucket,
    middle,
)

BOUND = RELATIVE_ERROR + 1e-9  # and what floating point adds


def tally_of(latencies: list[int], status: int = 200) -> Tally:
    tally = Tally()
    for milliseconds in latencies:
        tally.add(status, 10, milliseconds)
    return tally


def test_no_value_is_further_from_the_middle_of_its_bucket_than_the_bound() -> None:
    for milliseconds in [*range(1, 20_000), 3_600_000, 86_400_000]:
        assert middle(bucket(milliseconds)) == pytest.approx(milliseconds, rel=BOUND)
    assert middle(bucket(0)) == 0


@pytest.mark.parametrize("seed", range(5))
def test_percentiles_of_merged_hosts_are_within_the_bound(seed: int) -> None:
    dice = random.Random(seed)
    hosts = [[round(dice.lognormvariate(3 + n, 1.5)) for _draw in range(777)] for n in range(3)]
    merged = Tally()
    for host in hosts:
        packed = json.loads(json.dumps(tally_of(host).packed()))
        merged.merge(Tally.unpacked(packed))
    everything = sorted(each for host in hosts for each in host)
    for percent in (1, 50, 90, 95, 99, 100):
        exact = everything[math.ceil(len(everything) * percent / 100) - 1]
        assert merged.percentile(percent) == pytest.approx(exact, rel=BOUND, abs=1e-9)
    assert merged.requests == len(everything)
    assert merged.latency()["max"] == everything[-1]  # type: ignore[index]
    assert merged.latency()["mean"] == round(sum(everything) / len(everything), 1)  # type: ignore[index]


def test_what_has_no_latency_counts_as_a_request_only() -> None:
    tally = tally_of([])
    tally.add(101, 5, None)
    assert tally.told() == {"requests": 1, "bytes": 5, "statuses": {"101": 1}, "latency": None}


def test_groups_stay_bounded_and_lose_nothing() -> None:
    groups = Groups(3)
    for number in range(100):
        groups.get(f"rare {number}").add(404, 1, 1)
        groups.get("frequent").add(200, 1, 1)
        assert len(groups.tallies) <= 2 * 3 + 2
    other = Groups(3)
    other.merge(groups.packed())
    other.merge(groups.packed())
    told = other.told("route")
    assert len(told) == 4
    assert (told[0]["route"], told[0]["requests"]) == ("frequent", 200)
    assert (told[-1]["route"], sum(each["requests"] for each in told)) == (OTHER, 400)
