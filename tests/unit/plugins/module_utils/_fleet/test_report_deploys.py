# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of hosts as the deploys that they were, and the latencies around each."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_deploys import (
    Rollout,
    around,
    rollouts,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.tally import Tally

A, B = "1.0-aaaaaaaa", "2.0-bbbbbbbb"


def record(minute: int, release: str = B, before: str | None = A, **more: Any) -> dict[str, Any]:
    at = f"2026-01-02T03:{minute:02}:00Z"
    given = {"event": "deploy", "outcome": "good", "seconds": 8.0} | more
    return {"at": at, "release": release, "before": before, **given}


def shown(found: list[Rollout]) -> list[tuple[str, str, list[str]]]:
    return [(each.event, each.release, sorted(each.records)) for each in found]


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        pytest.param({}, [], id="no-host"),
        pytest.param({"a": [], "b": []}, [], id="no-record"),
        pytest.param(
            {"a": [record(1)], "b": [record(2)]}, [("deploy", B, ["a", "b"])], id="one-rollout"
        ),
        pytest.param(
            {"a": [record(1), record(3, A, B, event="rollback")], "b": [record(2)]},
            [("rollback", A, ["a"]), ("deploy", B, ["a", "b"])],
            id="one-host-goes-back",
        ),
        pytest.param(
            {"a": [record(1), record(9)], "b": [record(2), record(10)]},
            [("deploy", B, ["a", "b"]), ("deploy", B, ["a", "b"])],
            id="twice",
        ),
        pytest.param(
            {"a": [record(1)], "b": [{**record(2), "at": "2026-01-03T03:02:00Z"}]},
            [("deploy", B, ["b"]), ("deploy", B, ["a"])],
            id="a-day-later",
        ),
        pytest.param({"a": [record(1) | {"at": "?"}]}, [], id="no-time"),
    ],
)
def test_rollouts(records: Any, expected: Any) -> None:
    assert shown(rollouts(records)) == expected


@pytest.mark.parametrize(
    ("outcomes", "outcome"),
    [
        (["good", "good"], "good"),
        (["good", "bad"], "bad"),
        (["pending", "good"], "pending"),
        (["pending", "bad"], "bad"),
    ],
)
def test_outcome(outcomes: list[str], outcome: str) -> None:
    records = {str(n): [record(n, outcome=each)] for n, each in enumerate(outcomes)}
    assert rollouts(records)[0].outcome == outcome


def test_durations() -> None:
    (both,) = rollouts({"a": [record(1)], "b": [record(2, seconds=20.0)]})
    assert (both.seconds, both.slowest) == (80.0, 20.0)
    (cut_off,) = rollouts({"a": [record(1, outcome="pending", seconds=None)]})
    assert (cut_off.seconds, cut_off.slowest) == (None, None)


def stretch(host: str, minute: int | None, release: str, *milliseconds: int) -> dict[str, Any]:
    tally = Tally()
    for each in milliseconds:
        tally.add(200, 1, each)
    since = "" if minute is None else record(minute)["at"]
    return {"host": host, "since": since, "release": release, **tally.packed()}


@pytest.mark.parametrize(
    ("records", "stretches", "before", "after"),
    [
        pytest.param([record(1)], [], 0, 0, id="no-log"),
        pytest.param(
            [record(1)], [stretch("a", None, A, 1, 2), stretch("a", 1, B, 3)], 2, 1, id="simple"
        ),
        pytest.param(
            [record(1), record(5, A, B), record(9)],
            [
                stretch("a", None, A, *[1] * 5),
                stretch("a", 1, B, *[1] * 7),
                stretch("a", 5, A, 1, 2, 3),
                stretch("a", 9, B, 1),
            ],
            3,
            1,
            id="only-what-lies-next-to-it",
        ),
        pytest.param([record(9)], [stretch("a", 1, "0.9-c", 1)], 0, 0, id="something-in-between"),
        pytest.param([record(9)], [stretch("b", None, A, 1)], 0, 0, id="another-host"),
        pytest.param(
            [record(9, outcome="bad")],
            [stretch("a", None, A, 1), stretch("a", 9, A, 1)],
            0,
            0,
            id="never-served",
        ),
        pytest.param([record(9, A, A)], [stretch("a", None, A, 1)], 0, 0, id="scaled"),
    ],
)
def test_around_the_last_deploy(
    records: Any, stretches: list[Any], before: int, after: int
) -> None:
    found = around(rollouts({"a": records})[0], stretches)
    assert tuple(tally.requests for tally in found) == (before, after)


def test_hosts_are_added_up() -> None:
    (both,) = rollouts({"a": [record(1)], "b": [record(2)]})
    stretches = [stretch(host, None, A, 10, 20) for host in "ab"]
    stretches += [stretch("a", 1, B, 100), stretch("b", 2, B, 300)]
    before, after = around(both, stretches)
    assert (before.requests, before.milliseconds) == (4, 60)
    assert (after.requests, after.longest) == (2, 300)
