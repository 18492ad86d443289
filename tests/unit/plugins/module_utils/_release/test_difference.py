# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How two releases are compared."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release import (
    difference,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.config import LIVENESS
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.difference import (
    Contents,
)

A, B = "a" * 64, "b" * 64


WEB = {"command": "x", "stop_timeout": 30, "health": {"path": "/", "count": 2}}
JOB = {"at": "03:00", "command": "x", "timeout": 3600}
OLD = Contents(
    {"a": "1", "b": "1"},
    {"K": "SECRET-1", "L": "SECRET-2"},
    {"web": "x"},
    "3.11.2",
    "/usr/bin/python3",
    {"web": WEB},
    A,
    A,
)


@pytest.mark.parametrize(
    ("before", "changes", "lines"),
    [
        pytest.param(OLD, {}, [], id="same"),
        pytest.param(
            OLD,
            {"packages": {"b": "2", "c": "1"}},
            ["package a: 1 -> removed", "package b: 1 -> 2", "package c: added -> 1"],
            id="packages",
        ),
        pytest.param(
            OLD,
            {"env": {"L": "SECRET-3", "M": "SECRET-4"}},
            ["env K: removed", "env L: changed", "env M: added"],
            id="env",
        ),
        pytest.param(
            OLD, {"env": {"K": "SECRET-1", "L": ""}}, ["env L: changed"], id="env-emptied"
        ),
        pytest.param(
            dataclasses.replace(OLD, files={"a.ini": "SECRET-1", "b.ini": "SECRET-2"}),
            {"files": {"b.ini": "SECRET-3", "c.ini": "SECRET-4"}},
            [
                "config file a.ini: removed",
                "config file b.ini: changed",
                "config file c.ini: added",
            ],
            id="config-files",
        ),
        pytest.param(
            dataclasses.replace(OLD, schedules={"a": JOB, "b": JOB}),
            {"schedules": {"b": JOB | {"at": "04:00", "timeout": 60}, "c": JOB}},
            [
                "schedule a: removed",
                "schedule b, at: 03:00 -> 04:00",
                "schedule b, timeout: 3600 -> 60",
                "schedule c: added, at 03:00: x",
            ],
            id="schedules",
        ),
        pytest.param(
            OLD,
            {"processes": {"web": "y", "beat": "z"}},
            ["process beat: added -> z", "process web: x -> y"],
            id="processes",
        ),
        pytest.param(
            OLD, {"processes": {"web": "x", "w": "y"}}, ["process w: added -> y"], id="type-added"
        ),
        pytest.param(
            OLD,
            {"specs": {"web": WEB | {"stop_timeout": 5, "health": {"path": "/up", "count": 2}}}},
            ["process web, health path: / -> /up", "process web, stop_timeout: 30 -> 5"],
            id="how-a-process-is-run",
        ),
        pytest.param(
            OLD, {"specs": {"web": WEB | {"liveness": LIVENESS}}}, [], id="older-than-liveness"
        ),
        pytest.param(
            OLD,
            {"specs": {"web": WEB | {"liveness": LIVENESS | {"timeout": 9.0}}}},
            ["process web, liveness timeout: 5.0 -> 9.0"],
            id="liveness",
        ),
        pytest.param(
            OLD, {"specs": {"web": WEB, "w": WEB}}, [], id="how-a-new-process-is-run-is-no-change"
        ),
        pytest.param(
            OLD,
            {"interpreter": "/opt/python"},
            ["interpreter: /usr/bin/python3 -> /opt/python"],
            id="interpreter",
        ),
        pytest.param(
            OLD, {"wheel": B}, ["wheel: aaaaaaaa -> bbbbbbbb, built again"], id="same-version"
        ),
        pytest.param(
            OLD, {"wheel": B, "packages": {"a": "2", "b": "1"}}, ["package a: 1 -> 2"], id="version"
        ),
        pytest.param(OLD, {"lock": B}, ["lock: the same packages, other hashes"], id="hashes"),
        pytest.param(OLD, {"python": "3.13.5"}, ["python: 3.11.2 -> 3.13.5"], id="python"),
        pytest.param(
            None,
            {},
            [
                "python: none -> 3.11.2",
                "package a: added -> 1",
                "package b: added -> 1",
                "env K: added",
                "env L: added",
                "process web: added -> x",
            ],
            id="first-release",
        ),
    ],
)
def test_compare(before: Contents | None, changes: dict[str, Any], lines: list[str]) -> None:
    compared = difference.compare(before, dataclasses.replace(OLD, **changes))
    assert compared == lines
    assert "SECRET" not in "".join(compared)
