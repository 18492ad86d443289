# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller adds to what a task asks for, and what it makes of a refusal."""

from __future__ import annotations

import os
import subprocess
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.action.deploy_lock import ActionModule
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.holder import (
    process_of,
)


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the action with the module's answers; what the module was asked, and the result."""

    def run(args: dict[str, Any], *answers: dict[str, Any]) -> Any:
        asked: list[dict[str, Any]] = []
        left = list(answers)

        def execute(self: ActionModule, **call: Any) -> dict[str, Any]:
            assert call["module_name"] == "twelvefactor.deploy.deploy_lock"
            asked.append(call["module_args"])
            return left.pop(0)

        monkeypatch.setattr(ActionModule, "_execute_module", execute)
        task = SimpleNamespace(args=args, async_val=0, check_mode=False, diff=False)
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
        play_context = SimpleNamespace(connection_lockfd=None)
        action = ActionModule(task, connection, play_context, None, None, None)
        return asked, action.run(task_vars={})

    return run


def refusal(process: Any, run: str = "r0") -> dict[str, Any]:
    return {"failed": True, "msg": "it is locked", "holder": {"run": run, "process": process}}


def test_says_who_asks(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible.constants.DEFAULT_LOCAL_TMP", "/x/ansible-local-12ab/")
    monkeypatch.setenv("SUDO_USER", "joe")
    monkeypatch.setattr("socket.gethostname", lambda: "build1")
    asked, result = ask({"app": "shop"}, {"changed": True})
    assert asked == [
        {
            "app": "shop",
            "owner": "joe@build1",
            "run": "12ab",
            "process": process_of(os.getpid()),
        }
    ]
    assert result["changed"] is True


def test_a_task_may_say_otherwise(ask: Any) -> None:
    asked, _result = ask({"app": "shop", "owner": "ci", "run": "job-7", "reason": None}, {})
    assert (asked[0]["owner"], asked[0]["run"]) == ("ci", "job-7")
    assert "reason" not in asked[0]


def test_a_holder_that_lives_keeps_it(ask: Any) -> None:
    asked, result = ask({"app": "shop"}, refusal(process_of(os.getpid())))
    assert len(asked) == 1
    assert result["failed"] is True


@pytest.mark.parametrize("process", [None, {}, {"pid": 1}, "x"])
def test_a_holder_that_nobody_knows_keeps_it(ask: Any, process: Any) -> None:
    if process == "x":
        process = {"boot": "b", "namespace": "n", "pid": 2**22 + 1, "start": 1, "file": None}
    asked, result = ask({"app": "shop"}, refusal(process))
    assert len(asked) == 1
    assert result["failed"] is True


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_holder_that_has_died_loses_it(ask: Any, state: str) -> None:
    other = subprocess.Popen(["sleep", "60"])
    process = process_of(other.pid)
    other.kill()
    other.wait()
    asked, result = ask({"app": "shop", "state": state}, refusal(process), {"changed": True})
    assert asked[1] == asked[0] | {"dead": "r0"}
    assert result["changed"] is True


def test_somebody_else_was_quicker(ask: Any) -> None:
    other = subprocess.Popen(["sleep", "60"])
    process = process_of(other.pid)
    other.kill()
    other.wait()
    asked, result = ask({"app": "shop"}, refusal(process), refusal(None, "r9"))
    assert len(asked) == 2
    assert result["holder"]["run"] == "r9"


def test_a_failure_of_another_kind(ask: Any) -> None:
    asked, result = ask({"app": "shop"}, {"failed": True, "msg": "use become: true"})
    assert len(asked) == 1
    assert result["msg"] == "use become: true"
