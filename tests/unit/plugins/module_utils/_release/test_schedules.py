# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a schedule of a release is, and what is none."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release import schedules
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.schedules import (
    complete_schedules,
    require_calendars,
)

JOB = {"at": "03:00", "command": "python -m shop.report"}
ALL = JOB | {"timeout": 3600, "hosts": "one", "overlap": "forbid"}


@pytest.mark.parametrize(
    ("given", "complete"),
    [
        pytest.param({}, {}, id="none"),
        pytest.param({"nightly-report": JOB}, {"nightly-report": ALL}, id="defaults"),
        pytest.param({"b": JOB, "a_1": ALL}, {"a_1": ALL, "b": ALL}, id="in-order"),
        pytest.param({"a": JOB | {"hosts": "all"}}, {"a": ALL | {"hosts": "all"}}, id="on-all"),
        pytest.param({"a": JOB | {"timeout": None}}, {"a": ALL}, id="not-given"),
    ],
)
def test_complete(given: dict[str, Any], complete: dict[str, Any]) -> None:
    assert list(complete_schedules(given).items()) == list(complete.items())


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        pytest.param("Nightly", JOB, "Invalid name of a schedule 'Nightly'", id="capital"),
        pytest.param("../x", JOB, "Invalid name", id="path"),
        pytest.param("a-", JOB, "Invalid name", id="dash-at-the-end"),
        pytest.param("a", "03:00", "expected a dictionary", id="text"),
        pytest.param("a", {"at": "03:00"}, "command of schedule a is None", id="no-command"),
        pytest.param("a", {"command": "x"}, "at of schedule a is None", id="no-time"),
        pytest.param("a", JOB | {"at": 900}, "at of schedule a is 900", id="yaml-made-a-number"),
        pytest.param("a", JOB | {"command": "x\ny"}, "one line of text", id="two-lines"),
        pytest.param("a", JOB | {"at": "%h"}, "is not a calendar expression", id="specifier"),
        pytest.param("a", JOB | {"every": "5min"}, "has 'every'; known are at,", id="unknown"),
        pytest.param("a", JOB | {"timeout": 0}, "whole seconds from 1", id="no-timeout"),
        pytest.param("a", JOB | {"timeout": "1h"}, "whole seconds from 1", id="timeout-is-text"),
        pytest.param(
            "a", JOB | {"hosts": "two"}, "hosts of schedule a is 'two'; known are", id="hosts"
        ),
        pytest.param("a", JOB | {"overlap": "allow"}, "known are forbid", id="overlap"),
    ],
)
def test_refused(name: str, given: Any, words: str) -> None:
    with pytest.raises(DeployError, match=words):
        complete_schedules({name: given})


def test_the_host_has_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], *_: object, **__: object) -> tuple[int, str]:
        return (1, "Failed to parse: Invalid argument\n") if "25:00" in command else (0, "")

    monkeypatch.setattr(schedules, "run", run)
    require_calendars({"a": ALL})
    with pytest.raises(DeployError, match=r"at of schedule b is '25:00'.* said: Failed to parse"):
        require_calendars({"a": ALL, "b": ALL | {"at": "25:00"}})


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="without systemd")
def test_systemd_understands_the_examples() -> None:
    for at in ("03:00", "Mon..Fri 08:30", "*:0/15", "daily", "Sun *-*-1..7 04:00 Europe/Berlin"):
        require_calendars({"a": ALL | {"at": at}})
    with pytest.raises(DeployError):
        require_calendars({"a": ALL | {"at": "0 3 * * *"}})
