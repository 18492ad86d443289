# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is recorded of a move that could not begin."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.switch import Switch
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.timers import Timers
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.record import (
    Record,
    bad_releases,
)


@pytest.mark.parametrize(
    ("evicts", "bad"), [pytest.param(False, set(), id="no"), pytest.param(True, {"A"}, id="yes")]
)
def test_whether_a_release_is_bad_after_an_eviction(
    home: AppHome, evicts: bool, bad: set[str]
) -> None:
    """It does not get to serve in either case: there is no circusd here."""

    def evict() -> list[str]:
        if not evicts:
            raise DeployError(f"Could not remove all: {'x' * 10_000}.")
        return []

    supervisor: Any = SimpleNamespace(
        home=home,
        evict=evict,
        stop=lambda: None,
        configure=lambda _text: None,
        status=lambda _name: None,
        timers=Timers("shop", home.root),
    )
    plan: Any = SimpleNamespace(
        app="shop",
        target="A",
        before="B",
        names=["web-1"],
        new_configuration="",
        way_back="",
        timeout=1.0,
        left=(),
        request=SimpleNamespace(clean=True, probe_url=None, probe_type="web"),
        record=lambda at: Record(at, "rollback", "A", "pending", before="B"),
    )
    outcome = Switch(supervisor, plan).run()
    assert "so nothing does now" in outcome.problem
    (record,) = home.records()
    assert (record.outcome, record.tried) == ("bad", evicts)
    assert len(record.reason or "") <= 500
    assert bad_releases(home.records()) == bad
