# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deploy in which two releases serve, and what becomes of hosts when it is refused."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.filter.rollout import (
    rollout_decision,
    rollout_endings,
)

HELD = {"held": True}
TO_2 = {"release": "2.0-b", "previous": "1.0-a", "changed": True}
FIRST_EVER = {"release": "2.0-b", "previous": None, "changed": True}
SERVED_2 = {"release": "2.0-b", "previous": "2.0-b", "changed": False}
BROKEN = {"failed": True, "changed": True, "msg": "Release 2.0-b does not serve"}


def host(switch: Any, current: str | None) -> dict[str, Any]:
    """Variables of a host that was installed the release on, and was switched or not yet."""
    return {
        "__rollout": {"app": "shop"},
        "__rollout_lock": HELD,
        "__rollout_kept": HELD,
        "app_release": {"release": "2.0-b", "current": current},
        "app_switch": switch or {},
    }


@pytest.mark.parametrize(
    ("switch", "current", "why"),
    [
        pytest.param(
            SERVED_2, "2.0-b",
            "it did so before this deploy; the playbook rollback puts the one before it back", id="resumed",
        ),
        pytest.param(FIRST_EVER, None, "it has no earlier release", id="a-new-host"),
    ],
)  # fmt: skip
def test_a_refused_release_that_goes_on_serving(switch: Any, current: Any, why: str) -> None:
    known = {"a": host(switch, current) | {"__rollout_verdict": {"refusal": "Judge: bad"}}}
    decided = rollout_decision(["a"], known, ["a"], "stop")
    assert rollout_endings(decided, known, ["a"]) == [f"a still serves 2.0-b: {why}"]


@pytest.mark.parametrize(
    ("switches", "currents", "mixed"),
    [
        pytest.param([TO_2, None], ["1.0-a", "1.0-a"], True, id="a-canary"),
        pytest.param([SERVED_2, None], ["2.0-b", "1.0-a"], True, id="a-canary-that-served-it"),
        pytest.param([TO_2, None], ["1.0-a", "2.0-b"], False, id="nobody-waits"),
        pytest.param([TO_2, None], ["1.0-a", None], False, id="a-new-host"),
        pytest.param([BROKEN, None], ["1.0-a", "1.0-a"], False, id="a-canary-that-failed"),
    ],
)
def test_whether_two_releases_serve(switches: list[Any], currents: list[Any], mixed: bool) -> None:
    known = {
        name: host(switch, current)
        for name, switch, current in zip("ab", switches, currents, strict=True)
    }
    assert rollout_decision(["a", "b"], known, ["a", "b"], "stop")["mixed"] is mixed


@pytest.mark.parametrize(
    ("switches", "currents", "served"),
    [
        pytest.param([None, None], ["1.0-a", "1.0-a"], False, id="nobody-yet"),
        pytest.param([None, None], [None, "2.0-b"], True, id="the-host-beside-a-new-one"),
        pytest.param([TO_2, None], ["1.0-a", "1.0-a"], True, id="a-canary"),
        pytest.param([BROKEN, None], ["1.0-a", "1.0-a"], False, id="a-canary-that-failed"),
    ],
)
def test_whether_a_host_serves_it(switches: list[Any], currents: list[Any], served: bool) -> None:
    known = {
        name: host(switch, current)
        for name, switch, current in zip("ab", switches, currents, strict=True)
    }
    assert rollout_decision(["a", "b"], known, ["a", "b"], "stop")["served"] is served
