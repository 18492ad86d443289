# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from parts import schedule

EXPECTED = {"short": 10.0, "long": 100.0, "middle": 50.0}


def test_the_longest_part_comes_first_and_before_it_what_nobody_has_measured() -> None:
    parts = ["short", "new", "long", "middle"]
    assert schedule.longest_first(parts, EXPECTED) == ["new", "long", "middle", "short"]


@pytest.mark.parametrize(
    ("taken", "pace"),
    [
        pytest.param({}, 1.0, id="nothing has ended"),
        pytest.param({"short": 5.0}, 0.5, id="twice as fast"),
        pytest.param({"short": 30.0, "long": 300.0}, 3.0, id="three times slower"),
        pytest.param({"short": 500.0, "long": 100.0, "middle": 50.0}, 1.0, id="one part hung"),
        pytest.param({"new": 500.0}, 1.0, id="nothing to compare with"),
    ],
)
def test_pace(taken: dict[str, float], pace: float) -> None:
    assert schedule.pace(taken, EXPECTED) == pace


@pytest.mark.parametrize(
    ("part", "elapsed", "limit", "pace", "can"),
    [
        pytest.param("long", 900.0, 1000.0, 1.0, True, id="just in time"),
        pytest.param("long", 901.0, 1000.0, 1.0, False, id="too late"),
        pytest.param("long", 800.0, 1000.0, 3.0, False, id="too late on a slow machine"),
        pytest.param("long", 10_000.0, None, 3.0, True, id="no limit"),
        pytest.param("new", 900.0, 1000.0, 1.0, False, id="unknown counts as two minutes"),
    ],
)
def test_can_end(part: str, elapsed: float, limit: float | None, pace: float, can: bool) -> None:
    found = schedule.can_end(part, elapsed=elapsed, limit=limit, expected=EXPECTED, pace=pace)
    assert found is can


def test_estimate_is_that_of_the_longer_row_of_parts() -> None:
    assert schedule.estimate(["long", "middle", "short"], 2, EXPECTED) == 100.0
    assert schedule.estimate(["long", "middle", "short"], 1, EXPECTED) == 160.0
    assert schedule.estimate([], 2, EXPECTED) == 0.0
