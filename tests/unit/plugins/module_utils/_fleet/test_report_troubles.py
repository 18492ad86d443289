# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How bad it is: one grade of many states, and the verdict of many findings."""

from __future__ import annotations

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._fleet.report_troubles import (
    amiss,
    grade_of,
    verdict,
)


@pytest.mark.parametrize(
    ("states", "grade", "state"),
    [
        ([], "bad", "unknown"),
        (["serving"], "good", "serving"),
        (["serving", "moving"], "note", "moving"),
        (["empty", "serving"], "note", "empty"),
        (["moving", "degraded", "serving"], "bad", "degraded"),
        (["serving", "what a newer version says"], "bad", "what a newer version says"),
    ],
)
def test_the_worst_state_counts(states: list[str], grade: str, state: str) -> None:
    assert grade_of(states) == {"grade": grade, "state": state}


@pytest.mark.parametrize(
    ("grades", "grade", "text"),
    [
        ([], "good", "All is as it should be"),
        (["note"], "note", "Serving; 1 thing to know"),
        (["note", "bad"], "bad", "1 thing to look at"),
        (["bad", "note", "bad"], "bad", "2 things to look at"),
    ],
)
def test_verdict(grades: list[str], grade: str, text: str) -> None:
    assert verdict([{"grade": each} for each in grades]) == {"grade": grade, "text": text}


def test_a_bridge_that_was_left_is_something_to_look_at() -> None:
    told = {"state": "serving", "drift": [], "unwell": [], "lock": None, "bridge": "b.service"}
    [found] = amiss("app1", "shop", told)
    assert (found["grade"], found["where"]) == ("bad", "app1 shop")
    assert found["text"].startswith("b.service still runs, left by an interrupted restart")
    assert list(amiss("app1", "shop", told | {"bridge": None})) == []
