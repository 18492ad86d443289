# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers and times as the page shows them."""

from __future__ import annotations

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet import report_text as text


@pytest.mark.parametrize(
    ("bytes_", "shown"),
    [
        (None, text.NOTHING),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (10 * 1024**2, "10 MiB"),
        (1023.6 * 1024**2, "1.0 GiB"),
        (1.55 * 1024**3, "1.6 GiB"),
        (5 * 1024**6, "5120 PiB"),
    ],
)
def test_size(bytes_: float | None, shown: str) -> None:
    assert text.size(bytes_) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, text.NOTHING),
        (0, "0.0 s"),
        (3.14, "3.1 s"),
        (60, "1 min"),
        (125.4, "2 min 5 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (86400, "1 d"),
        (86400 * 3 + 4 * 3600 + 59, "3 d 4 h"),
    ],
)
def test_duration(seconds: float | None, shown: str) -> None:
    assert text.duration(seconds) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [(None, text.NOTHING), (0.0, "0.0 ms"), (4.24, "4.2 ms"), (9.96, "10 ms"), (12345, "12.3 s")],
)
def test_milliseconds(number: float | None, shown: str) -> None:
    assert text.milliseconds(number) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (0, 0, text.NOTHING),
        (0, 5, "0 %"),
        (5, 5, "100 %"),
        (1, 1_000_000, "< 0.01 %"),
        (1, 3, "33.3 %"),
        (1, 200, "0.50 %"),
        (999_999, 1_000_000, "99.99 %"),
    ],
)
def test_a_share_is_never_rounded_to_all_or_nothing(part: int, whole: int, shown: str) -> None:
    assert text.share(part, whole) == shown


@pytest.mark.parametrize(
    ("number", "end"), [(0, 4), (4, 4), (5, 5), (7, 8), (10, 10), (11, 20), (305, 400), (999, 1000)]
)
def test_the_end_of_an_axis(number: int, end: int) -> None:
    assert text.ceiling(number) == end


@pytest.mark.parametrize(
    ("at", "seconds", "shown"),
    [
        ("2026-01-02T03:04:05Z", 1767323045.0, "2026-01-02 03:04:05"),
        ("2026-01-02T03:04:05", 1767323045.0, "2026-01-02 03:04:05"),
        ("2026-01-02T05:04:05+02:00", 1767323045.0, "2026-01-02 03:04:05"),
        ("yesterday", None, text.NOTHING),
        (None, None, text.NOTHING),
    ],
)
def test_times(at: str | None, seconds: float | None, shown: str) -> None:
    assert text.seconds_of(at) == seconds
    assert text.clock(seconds) == shown
