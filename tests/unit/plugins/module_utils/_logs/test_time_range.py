# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges of time as people write them."""

from __future__ import annotations

import pytest
from ansible_collections.twelvefactor.deploy.plugins.filter.logs import FilterModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.time_range import (
    Range,
    RangeError,
    iso,
    parse_range,
)

NOW = 1767322800.0  # 2026-01-02T03:00:00Z


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        ("1h", "now", (NOW - 3600, NOW)),
        (" 90m", "30m ", (NOW - 5400, NOW - 1800)),
        ("45s", "now", (NOW - 45, NOW)),
        ("2d", "1d", (NOW - 172800, NOW - 86400)),
        ("1w", "now", (NOW - 604800, NOW)),
        ("2026-01-02", "now", (NOW - 10800, NOW)),
        ("2026-01-02 02:00", "2026-01-02T02:30:00Z", (NOW - 3600, NOW - 1800)),
        ("2026-01-02T03:00:00+01:00", "now", (NOW - 3600, NOW)),
        ("2026-01-02T02:59:59.5", "now", (NOW - 0.5, NOW)),
        ("999999999w", "now", (0.0, NOW)),
        ("1h", "2030-01-01", (NOW - 3600, 1893456000.0)),
    ],
)
def test_range(since: str, until: str, expected: tuple[float, float]) -> None:
    assert parse_range(since, until, NOW) == Range(*expected)


@pytest.mark.parametrize(
    ("since", "until", "reason"),
    [
        ("yesterday", "now", "Invalid time since='yesterday': write 90m"),
        ("1h", "soon", "Invalid time until='soon': write 90m"),
        ("", "now", "Invalid time since=''"),
        ("60", "now", "Invalid time since='60'"),
        ("-1h", "now", "Invalid time since='-1h'"),
        ("20260102", "now", "Invalid time since='20260102'"),
        ("2026-02-30", "now", "Invalid time since='2026-02-30'"),
        ("2026-01-02T25:00", "now", "Invalid time since='2026-01-02T25:00'"),
        ("9999-12-31T23:59:59-23:59", "now", "Invalid time since='9999-12-31T23:59:59-23:59'"),
        ("0001-01-01T00:00+23:59", "now", "Invalid time since='0001-01-01T00:00+23:59'"),
        (
            "1h",
            "2h",
            (
                "Nothing lies between since='1h' (2026-01-02T02:00:00Z) and until='2h' "
                "(2026-01-02T01:00:00Z): since has to be the earlier one."
            ),
        ),
        ("now", "now", "Nothing lies between"),
        (
            "2026-01-03",
            "2026-01-04",
            (
                "since='2026-01-03' (2026-01-03T00:00:00Z) lies in the future; "
                "it is 2026-01-02T03:00:00Z."
            ),
        ),
    ],
)
def test_no_range(since: str, until: str, reason: str) -> None:
    with pytest.raises(RangeError) as error:
        parse_range(since, until, NOW)
    assert str(error.value).startswith(reason)


def test_its_end_is_no_part_of_it() -> None:
    wanted = Range(10.0, 20.0)
    assert [at in wanted for at in (9.999, 10.0, 19.999, 20.0)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("at", "text"), [(NOW, "2026-01-02T03:00:00Z"), (NOW + 0.25, "2026-01-02T03:00:00.250Z")]
)
def test_iso(at: float, text: str) -> None:
    assert iso(at) == text


def test_the_filter_gives_a_reason_instead_of_failing() -> None:
    log_range = FilterModule().filters()["log_range"]
    assert log_range("2026-01-02", "2026-01-03") == {
        "since": "2026-01-02T00:00:00Z",
        "until": "2026-01-03T00:00:00Z",
        "error": "",
    }
    assert log_range("never")["error"].startswith("Invalid time since='never'")
