# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs, held against what should."""

from __future__ import annotations

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.drift import (
    Seen,
    common_release,
    drift,
    formation_of,
    state,
    unwell,
)

A, B = "1.0-aaaaaaaa", "2.0-bbbbbbbb"
WANTED = ["web-1", "worker-1"]


def seen(name: str, release: str | None = B, state: str | None = "serving", **more: object) -> Seen:
    return Seen(name, state, release, **({"serves": True} | more))  # type: ignore[arg-type]


def by_name(*processes: Seen) -> dict[str, Seen]:
    return {process.name: process for process in processes}


WELL = by_name(seen("web-1"), seen("worker-1"))


@pytest.mark.parametrize(
    ("current", "processes", "sentences"),
    [
        pytest.param(B, WELL, [], id="none"),
        pytest.param(None, {}, [], id="nothing-there"),
        pytest.param(
            None,
            by_name(seen("web-1")),
            ["web-1 runs, but there is no current release"],
            id="nothing-current",
        ),
        pytest.param(
            B,
            by_name(seen("web-1", A), seen("worker-1")),
            [f"web-1 runs {A} instead of {B}"],
            id="older",
        ),
        pytest.param(
            B, by_name(seen("web-1"), Seen("worker-1")), ["worker-1 does not run"], id="no-pivot"
        ),
        pytest.param(B, by_name(seen("web-1")), ["worker-1 does not run"], id="unknown"),
        pytest.param(
            B,
            by_name(seen("web-1", None, "failed"), seen("worker-1")),
            ["web-1 has failed"],
            id="failed",
        ),
        pytest.param(
            B,
            by_name(seen("web-1", serves=False), seen("worker-1")),
            [f"web-1 says that it runs {B}, but its process does not"],
            id="the-kernel-disagrees",
        ),
        pytest.param(
            B,
            by_name(seen("web-1", A, "gate"), seen("worker-1", B, "drain", serves=False)),
            [f"web-1 runs {A} instead of {B}"],
            id="moving",
        ),
        pytest.param(
            B,
            by_name(seen("web-1"), seen("worker-1", A, "agree")),
            [f"worker-1 runs {A} instead of {B}"],
            id="waits-for-the-others",
        ),
        pytest.param(
            B,
            by_name(seen("web-1", None, "gate"), seen("worker-1")),
            [f"web-1 runs nothing instead of {B}"],
            id="starting",
        ),
        pytest.param(
            B,
            WELL | by_name(seen("worker-2"), Seen("worker-3")),
            ["worker-2 runs, but the formation does not have it"],
            id="one-too-many",
        ),
        pytest.param(
            "3.0-cccccccc",
            {},
            [
                "3.0-cccccccc, which is current, is not installed, or not to the end",
                "web-1 does not run",
                "worker-1 does not run",
            ],
            id="current-is-gone",
        ),
    ],
)
def test_drift(current: str | None, processes: dict[str, Seen], sentences: list[str]) -> None:
    assert drift(current, [A, B], WANTED if current else [], processes) == sentences


def test_unwell() -> None:
    sick = seen("web-1", healthy=False, answer="GET /healthz: 500 Oops")
    assert unwell([sick, seen("web-2", healthy=True), seen("worker-1")]) == [
        "web-1: GET /healthz: 500 Oops"
    ]


@pytest.mark.parametrize(
    ("exists", "current", "processes", "trouble", "word"),
    [
        pytest.param(False, None, {}, [], "absent", id="no-app"),
        pytest.param(True, None, {}, [], "empty", id="no-release"),
        pytest.param(True, B, WELL, [], "serving", id="well"),
        pytest.param(True, B, WELL, ["x"], "degraded", id="trouble"),
        pytest.param(True, B, by_name(seen("web-1", B, "drain")), ["x"], "moving", id="moving"),
        pytest.param(
            True,
            B,
            by_name(seen("web-1"), seen("worker-1", A, "agree")),
            ["x"],
            "moving",
            id="waits-for-the-others",
        ),
        pytest.param(True, B, {}, ["x"], "down", id="nothing-runs"),
        pytest.param(True, B, by_name(Seen("web-1"), Seen("worker-1")), ["x"], "down", id="gone"),
        pytest.param(
            True, B, by_name(seen("web-1", None, "failed")), ["x"], "down", id="all-failed"
        ),
        pytest.param(True, B, by_name(seen("worker-1")), ["x"], "degraded", id="a-part-runs"),
        pytest.param(True, B, by_name(seen("cron-1")), ["x"], "down", id="only-another-runs"),
        pytest.param(True, None, by_name(seen("web-1")), ["x"], "degraded", id="link-is-gone"),
    ],
)
def test_state(
    exists: bool, current: str | None, processes: dict[str, Seen], trouble: list[str], word: str
) -> None:
    assert state(exists, current, WANTED, processes, trouble) == word


@pytest.mark.parametrize(
    ("processes", "release"),
    [
        ([], None),
        ([seen("web-1")], B),
        ([seen("web-1"), seen("web-2")], B),
        ([seen("web-1"), seen("web-2", A)], None),
        ([seen("web-1"), seen("web-2", serves=False)], None),
        ([Seen("web-1")], None),
    ],
)
def test_common_release(processes: list[Seen], release: str | None) -> None:
    assert common_release(processes) == release


def test_formation_of() -> None:
    names = ["beat-1", "web-1", "web-2", "long_job-1"]
    assert formation_of(names) == {"beat": 1, "web": 2, "long_job": 1}
    assert formation_of([]) == {}
