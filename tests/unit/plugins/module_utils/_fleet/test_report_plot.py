# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the parts of a plot go."""

from __future__ import annotations

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_plot import (
    LANES,
    LEAST,
    LEFT,
    RIGHT,
    Frame,
    Mark,
    classes,
    draw,
    labels,
    stack,
    ticks,
)

HOUR = Frame(since=1767322800.0, until=1767326400.0, step=60, width=656, height=300)  # from 03:00


@pytest.mark.parametrize(
    ("statuses", "counted"),
    [
        ({}, [0, 0, 0, 0]),
        ({"200": 2, "204": 1, "404": 3}, [3, 0, 3, 0]),
        ({"101": 1, "301": 1, "499": 1, "503": 4}, [1, 1, 1, 4]),
    ],
)
def test_classes_of_statuses(statuses: dict[str, int], counted: list[int]) -> None:
    assert list(classes(statuses).values()) == counted


@pytest.mark.parametrize(
    ("at", "x"),
    [(0, LEFT), (1800, LEFT + 300), (3600, LEFT + 600), (-60, LEFT), (9999, LEFT + 600)],
)
def test_times_on_the_axis(at: float, x: float) -> None:
    assert HOUR.x(HOUR.since + at) == x


def test_a_bar_is_as_high_as_its_parts_and_they_touch() -> None:
    parts = stack(HOUR, HOUR.since, {"2xx": 50, "3xx": 0, "4xx": 20, "5xx": 30}, 280.0, 2.0)
    assert [part["class"] for part in parts] == ["s2", "s4", "s5"]
    assert [part["height"] for part in parts] == [100.0, 40.0, 60.0]
    assert [part["y"] for part in parts] == [180.0, 140.0, 80.0]
    assert {part["width"] for part in parts} == {9.0}  # of a minute's ten, with a gap


def test_one_failure_among_many_answers_is_seen() -> None:
    parts = stack(HOUR, HOUR.since, {"2xx": 99999, "3xx": 0, "4xx": 0, "5xx": 1}, 280.0, 0.001)
    assert parts[-1]["height"] == LEAST


def test_a_bucket_that_began_before_the_time_is_cut() -> None:
    (part,) = stack(HOUR, HOUR.since - 30, {"2xx": 1, "3xx": 0, "4xx": 0, "5xx": 0}, 280.0, 1.0)
    assert (part["x"], part["width"]) == (LEFT, 4.0)


def mark(minute: float, label: str = "1.0") -> Mark:
    return Mark(HOUR.since + minute * 60, label, True)


@pytest.mark.parametrize(
    ("minutes", "lanes"),
    [([], []), ([10], [0]), ([10, 30, 50], [0, 0, 0]), ([10, 11, 12, 30], [0, 1, 2, 0])],
)
def test_labels_do_not_cover_each_other(minutes: list[int], lanes: list[int]) -> None:
    placed, count = labels(HOUR, [mark(minute) for minute in minutes])
    assert [round((each["label_y"] - 4) / 18) for each in placed] == lanes
    assert count == max(lanes, default=-1) + 1


def test_a_label_near_the_edge_stays_inside() -> None:
    ((placed,), _lanes) = labels(HOUR, [mark(59.9, "4.2.0-0123abcd")])
    assert placed["label_x"] + placed["label_width"] <= HOUR.width - RIGHT


def test_more_deploys_than_labels_have_room_keep_their_lines() -> None:
    placed, lanes = labels(HOUR, [mark(10 + n / 100) for n in range(9)])
    assert lanes == LANES
    assert [bool(each["text"]) for each in placed] == [True] * LANES + [False] * (9 - LANES)
    assert {each["name"] for each in placed} == {"1.0"}


def test_round_times() -> None:
    assert [tick["text"] for tick in ticks(HOUR)][:3] == ["03:00", "03:10", "03:20"]
    night = Frame(HOUR.since - 6 * 3600, HOUR.since + 6 * 3600, 300, 360, 260)
    assert [tick["text"] for tick in ticks(night)] == ["21:00", "02 Jan", "03:00", "06:00", "09:00"]


def test_all_of_a_plot() -> None:
    drawn = draw(HOUR, {HOUR.since: {"2xx": 7, "3xx": 0, "4xx": 0, "5xx": 0}}, [mark(5)])
    assert [line["text"] for line in drawn["grid"]] == ["0", "2", "4", "6", "8"]
    assert drawn["top"] < drawn["bars"][0]["y"] < drawn["bottom"] < drawn["height"]
    assert drawn["grid"][0]["y"] == drawn["bottom"]
    assert drawn["grid"][-1]["y"] == drawn["top"]


def test_a_plot_of_nothing() -> None:
    drawn = draw(HOUR, {}, [])
    assert (drawn["bars"], drawn["marks"]) == ([], [])
