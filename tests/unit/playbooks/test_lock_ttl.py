# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a deploy outlasts what it guards."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROLE = pathlib.Path(__file__).resolve().parents[3] / "roles" / "rollout"


def ttl(app: dict[str, Any], batches: int = 1, **given: Any) -> int:
    loader = DataLoader()
    known: dict[str, Any] = {}
    for part in ("defaults", "vars"):
        known |= loader.load_from_file(str(ROLE / part / "main.yml"), trusted_as_template=True)
    known |= {"rollout_app": "shop", "rollout_settings": app}
    known |= {"__rollout_batches": [["a"]] * batches, "__rollout_hosts": ["a"], "ansible_forks": 5}
    return int(Templar(loader, variables=known | given).template(known["__rollout_lock_ttl"]))


def test_what_may_happen_between_two_signs_of_life_is_added_up() -> None:
    usual = ttl({})
    assert usual >= 3600 + 600
    assert ttl({"migrate_timeout": 7200}) >= 3600 + 7200
    assert ttl({}, rollout_bake=86400, rollout_judge=False) == usual + 86400
    assert ttl({}, rollout_watch=86400, rollout_judge=False) == usual + 86400
    assert ttl({}, batches=20) == usual + 19 * 900


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        pytest.param({}, 32 * 30, id="logs"),
        pytest.param({"__rollout_hosts": ["a"] * 11}, 32 * 3 * 30, id="of-more-hosts-than-forks"),
        pytest.param({"rollout_gate": "x", "rollout_gate_timeout": 60}, 32 * 90, id="a-gate"),
        pytest.param({"rollout_judge": False, "rollout_gate": "x"}, 0, id="nothing-is-judged"),
    ],
)
@pytest.mark.parametrize("when", ["rollout_bake", "rollout_watch"])
def test_what_each_look_may_take(when: str, given: dict[str, Any], seconds: int) -> None:
    assert ttl({}, **{when: 60}, **given) == ttl({}) + 60 + seconds
    assert ttl({}, **given) == ttl({})


@pytest.mark.parametrize(
    "moment", ["before_install", "before_switch", "after_switch", "after_deploy", "on_failure"]
)
def test_hooks_count(moment: str) -> None:
    hooks = [{"command": "x", "timeout": 5000}, {"command": "y"}]
    assert ttl({"hooks": {moment: hooks}}, batches=2) == ttl({}, batches=2) + 2 * 5600


def test_the_lock_is_taken_with_it() -> None:
    tasks = yaml.safe_load((ROLE / "tasks" / "begin.yml").read_text("utf-8"))
    locks = [task.get("twelvefactor.deploy.deploy_lock") for task in tasks]
    assert [lock["ttl"] for lock in locks if lock] == ["{{ __rollout_lock_ttl }}"] * 2


def test_a_rollback_watches_nothing() -> None:
    first = yaml.safe_load((ROLE / "tasks" / "rollback.yml").read_text("utf-8"))[0]
    assert first["vars"]["rollout_watch"] == 0
