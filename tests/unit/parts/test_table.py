# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from parts import table
from parts.usage import Usage

ROWS = [
    table.Row("unit", table.PASSED, seconds=60.0, cpu=90.0, load=2.0),
    table.Row("site", table.FAILED, 200.0, 50.0, 3.5, Usage(120, 4, 81.0, 5_000_000)),
]


def test_the_summary_names_what_this_machine_has_not_run_yet() -> None:
    said = table.before(["site", "unit"], 2, {"site": 300.0, "unit": 60.0}, {"unit"}, 5100.0)
    assert said.splitlines() == [
        "2 parts, 2 at a time, the longest first; about 5 min in all, at most 85 min.",
        "part                        expected",
        "site                           300 s   not measured here yet",
        "unit                            60 s",
    ]


def test_the_table_ends_with_sums_and_the_highest_load() -> None:
    lines = table.after(ROWS, 230.0, 2).splitlines()
    assert lines[0].split() == [
        *("part", "result", "seconds", "load", "cpu"),
        *("host", "cpu", "tasks", "hosts", "MB", "in"),
    ]
    assert lines[2].split() == ["site", "FAILED", "200", "3.5", "50", "81", "120", "4", "5"]
    assert lines[3].split() == ["total", "230", "3.5", "140", "81", "120", "4", "5"]


def test_the_last_line_is_the_one_that_counts_parts() -> None:
    assert table.verdict(ROWS, 5100.0, 1.0) == "1 passed, 1 failed"
