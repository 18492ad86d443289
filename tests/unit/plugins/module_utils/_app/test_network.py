# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An app without a network has no server on a port."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.validation import (
    settings_problems,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.values import Unresolved

DENIED = {"sandbox": {"network": False}}
PORT = {"process_options": {"web": {"port": True}}}
COMMAND = {"processes": {"web": "fastapi run --port $PORT", "worker": "x"}}
REASON = "and apps.shop.sandbox.network is false: its server could not start; have the server listen on its socket, or"
OPTION_PROBLEM = f"apps.shop.process_options.web.port is true {REASON} leave network out."
COMMAND_PROBLEM = f"apps.shop.processes.web names $PORT {REASON} leave network out."


def told(*parts: dict[str, Any]) -> list[str]:
    said = {"version": "1"}
    for part in parts:
        said |= part
    return [str(each) for each in settings_problems(said, "shop")]


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ([PORT], OPTION_PROBLEM),
        ([PORT, COMMAND], OPTION_PROBLEM),
        ([COMMAND], COMMAND_PROBLEM),
        ([{"processes": {"web": "x --port ${PORT:-1}"}}], COMMAND_PROBLEM),
        ([PORT, {"sandbox": {"network": "no"}}], OPTION_PROBLEM),
        ([PORT, {"formation": None}], OPTION_PROBLEM),
        ([PORT, {"formation": {"web": Unresolved()}}], OPTION_PROBLEM),
        (
            [
                {"process_options": {"admin": {"port": True}}},
                {"formation": {"web": 1, "admin": 1}},
            ],
            OPTION_PROBLEM.replace("options.web", "options.admin"),
        ),
        (
            [
                {"processes": {"web": "x", "admin": "y --port $PORT"}},
                {"process_options": {"admin": {"socket": True}}},
                {"formation": {"web": 1, "admin": 1}},
            ],
            COMMAND_PROBLEM.replace("processes.web", "processes.admin"),
        ),
    ],
)
def test_a_server_on_a_port_needs_a_network(parts: list[dict[str, Any]], problem: str) -> None:
    assert told(DENIED, *parts) == [problem]


@pytest.mark.parametrize(
    "parts",
    [
        [{"sandbox": {"network": None}}, PORT],
        [{"sandbox": {"network": True}}, PORT, COMMAND],
        [{"sandbox": {"network": Unresolved()}}, PORT],
        [{"sandbox": Unresolved()}, PORT],
        [{"sandbox": None}, PORT],
        [DENIED],
        [DENIED, {"process_options": Unresolved(), "processes": Unresolved()}],
        [DENIED, {"process_options": {"web": Unresolved()}}],
        [DENIED, {"process_options": {"web": None}, "processes": None}],
        [DENIED, {"process_options": {"web": {"port": Unresolved()}}}, COMMAND],
        [DENIED, {"processes": {"web": Unresolved()}}],
        [DENIED, {"processes": {"web": "x $PORTAL", "worker": "x $PORT"}}],
        # said otherwise: it listens on its socket, or on nothing
        [DENIED, {"process_options": {"web": {"port": False}}}, COMMAND],
        [DENIED, {"process_options": {"web": {"socket": False}}}, COMMAND],
        # of commands that apps share, this one runs others
        [DENIED, COMMAND, {"formation": {"worker": 2}}],
        [DENIED, PORT, {"formation": {"web": 0}}],
    ],
)
def test_what_may_be_meant(parts: list[dict[str, Any]]) -> None:
    assert told(*parts) == []
