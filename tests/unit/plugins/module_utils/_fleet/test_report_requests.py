# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How releases are named beside a plot, and which differences of latency are ones."""

from __future__ import annotations

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_requests import (
    compared,
    labels,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.tally import Tally


@pytest.mark.parametrize(
    ("ids", "shown"),
    [
        ([], []),
        (["1.0-aaaaaaaa", "2.0-bbbbbbbb"], ["1.0", "2.0"]),
        (["1.0-aaaaaaaa", "1.0-bbbbbbbb", "2.0-c"], ["1.0-aaaaaaaa", "1.0-bbbbbbbb", "2.0"]),
        (["odd"], ["odd"]),
    ],
)
def test_labels_tell_releases_apart(ids: list[str], shown: list[str]) -> None:
    assert list(labels(ids).values()) == shown


@pytest.mark.parametrize(
    ("before", "after", "way"),
    [
        ([], [], ""),
        ([100], [], ""),
        ([], [100], ""),
        ([100], [105], ""),
        ([100], [150], "slower"),
        ([150], [100], "faster"),
        ([2], [3], ""),  # the clock of nginx has milliseconds
    ],
)
def test_a_difference_is_one_when_it_is_more_than_an_error(
    before: list[int], after: list[int], way: str
) -> None:
    tallies = []
    for each in (before, after):
        tally = Tally()
        for taken in each:
            tally.add(200, 1, taken)
        tallies.append(tally)
    assert {row["way"] for row in compared(*tallies)} == {way}
