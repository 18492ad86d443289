# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that joins a fleet, as the first one of its group, comes to what the others serve."""

from __future__ import annotations

import json
import pathlib
import time
from collections.abc import Callable
from typing import Any

import pytest

OLD, NEW = "1.0-aaaaaaaa", "2.0-bbbbbbbb"
# by which the answers for a host are found
SETTINGS = {"env": {"HOST": "{{ inventory_hostname }}"}}
MADE = {
    "changed": True,
    "release": NEW,
    "path": f"/srv/shop/releases/{NEW}",
    # it would fail: there is no app-exec here
    "processes": {"web": "x", "release": "migrate"},
}


def answers(*currents: str | None) -> dict[str, Any]:
    """Of modules on a1, a2 and a3, by what serves there."""
    found: dict[str, Any] = {"deploy_info": [], "release": []}
    for host, current in zip(("a1", "a2", "a3"), currents, strict=True):
        given = {"env": {"HOST": host}}
        asked = {
            "clock": time.time(),
            "free": 2**40,
            "nginx": "active",
            "release": NEW,
            "current": current,
        }
        todo = [] if current == NEW else ["it is to be installed"]
        found["deploy_info"].append([given, asked | {"pending": todo}])
        found["release"].append([given, MADE | {"current": current}])
    return found


@pytest.mark.parametrize(
    ("serving", "settings", "migrates"),
    [
        ((None, NEW, NEW), {}, False),
        ((None, OLD, OLD), {}, True),
        # one database for each of some hosts
        ((None, NEW, NEW), {"migrate_hosts": ["a1"]}, True),
    ],
)
def test_it_does_not_migrate_what_serves_already(
    rollout: Callable[..., Any],
    serving: tuple[str | None, ...],
    settings: dict[str, Any],
    migrates: bool,
) -> None:
    done = rollout("deploy", answers(*serving), SETTINGS | settings)
    assert ("a1: Run the command as the app's user" in done.stdout) is migrates, done.stdout
    assert (done.returncode != 0) is migrates


def test_another_release_than_the_others_serve_is_not_installed(
    rollout: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    """Even where it serves on that host already, and so there seems to be nothing to do."""
    joins = f"--extra-vars=rollout_joins={OLD}"
    done = rollout("deploy", answers(NEW, NEW, NEW), SETTINGS, joins)
    assert done.returncode != 0
    said = " ".join(done.stdout.split())
    assert f"the inventory makes {NEW}, and the other hosts serve {OLD}" in said
    calls = map(json.loads, (tmp_path / "calls.jsonl").read_text().splitlines())
    assert {name for name, _given in calls}.isdisjoint({"release", "graceful_reload"})


def test_it_is_no_canary_of_the_next_release(
    rollout: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    """Nobody sends it requests yet, by which that could be judged."""
    found = answers(None, OLD, OLD)
    for _given, answer in found["release"]:
        answer["processes"] = {"web": "x"}
    done = rollout("deploy", found, SETTINGS, "--extra-vars=deploy_canaries=2")
    assert done.returncode == 0, done.stdout
    calls = map(json.loads, (tmp_path / "calls.jsonl").read_text().splitlines())
    switched = [given["schedule_host"] for name, given in calls if name == "graceful_reload"]
    # a1 is the one that runs schedules
    assert switched == [False, False, True]
