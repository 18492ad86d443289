# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module graceful_restart: what it says, and who keeps it from restarting anything."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock import fence
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.decision import (
    Wish,
    take,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.store import (
    LockFile,
    now,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host import flock
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes import hand_over
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.hand_over import (
    HandOver,
    Situation,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.supervisor import (
    Supervisor,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from ansible_collections.twelvefactor.deploy.plugins.modules import graceful_restart

A, UNIT = "1.0-aaaaaaaa", "/etc/systemd/system/circus@shop.service"
OUTDATED = Situation(
    active=True,
    bridged=False,
    outdated=(UNIT,),
    current=A,
    unproven=False,
    serving={"web-1": A},
    listening=("web-1",),
)


@dataclasses.dataclass
class Host:
    seen: Situation = OUTDATED
    did: list[HandOver] = dataclasses.field(default_factory=list)


@pytest.fixture
def host(home: AppHome, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(flock, "FLOCKS", tmp_path / "flocks")
    for module in (fence, hand_over):
        monkeypatch.setattr(module, "LockFile", lambda app: LockFile(app, tmp_path / "locks"))
    monkeypatch.setattr(Supervisor, "of", classmethod(lambda cls, _app, predicted=False: cls(home)))
    monkeypatch.setattr(graceful_restart, "inspect", lambda _supervisor: host.seen)
    monkeypatch.setattr(
        graceful_restart, "carry_out", lambda _supervisor, plan, _outdated: host.did.append(plan)
    )
    return host


@pytest.fixture
def locked(tmp_path: pathlib.Path) -> LockFile:
    """The app is locked by another run."""
    file = LockFile("shop", tmp_path / "locks")
    file.directory.mkdir()
    file.write(take(None, Wish("shop", "joe@there", "r1"), now(), 0).lock)
    return file


@pytest.mark.parametrize("check", [True, False])
def test_it_says_what_is_outdated_and_who_serves_meanwhile(
    check: bool, host: Host, call: Any
) -> None:
    done = call(graceful_restart.main, app="shop", check=check)
    assert done.result["changed"] is True
    assert (done.result["outdated"], done.result["bridged"]) == ([UNIT], ["web-1"])
    assert done.result["diff"] == {"before": f"newer than the supervisor: {UNIT}\n", "after": ""}
    assert len(host.did) == (0 if check else 1)


def test_what_is_up_to_date_is_left_alone(host: Host, call: Any) -> None:
    host.seen = dataclasses.replace(OUTDATED, outdated=())
    done = call(graceful_restart.main, app="shop")
    assert (done.result["changed"], host.did) == (False, [])


@pytest.mark.parametrize(
    ("check", "active", "changed"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_check_mode_counts_what_the_run_would_have_written(
    check: bool, active: bool, changed: bool, host: Host, call: Any
) -> None:
    host.seen = dataclasses.replace(OUTDATED, active=active, outdated=())
    done = call(graceful_restart.main, app="shop", expected=True, check=check)
    assert (done.result["changed"], host.did) == (changed, [])


def test_nothing_is_restarted_while_somebody_deploys(
    host: Host, call: Any, locked: LockFile
) -> None:
    done = call(graceful_restart.main, app="shop")
    assert done.code == 1
    assert "shop is locked on this host by joe@there" in done.result["msg"]
    assert done.result["msg"].endswith("Nothing was changed.")
    assert host.did == []


def test_the_run_that_has_the_lock_may(host: Host, call: Any, locked: LockFile) -> None:
    assert call(graceful_restart.main, app="shop", lock_generation=2).code == 1
    assert host.did == []
    assert call(graceful_restart.main, app="shop", lock_generation=1).code == 0
    assert len(host.did) == 1
