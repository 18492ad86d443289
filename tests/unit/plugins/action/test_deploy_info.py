# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A clock is wrong only by what the time that an answer takes cannot explain."""

from __future__ import annotations

import pytest
from ansible_collections.twelvefactor.deploy.plugins.action.deploy_info import clock_off


@pytest.mark.parametrize(
    ("clock", "asked", "answered", "off"),
    [
        (100.0, 100.0, 101.0, 0.0),
        (160.0, 100.0, 190.0, 0.0),  # a slow answer is not a wrong clock
        (190.0, 100.0, 190.0, 0.0),
        (195.0, 100.0, 190.0, 5.0),
        (40.0, 100.0, 190.0, -60.0),
    ],
)
def test_clock(clock: float, asked: float, answered: float, off: float) -> None:
    assert clock_off(clock, asked, answered) == off
