# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers on a port of an app that has no network (sandbox.network): none of them can start. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.problem import Problem
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.settings import setting
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.values import (
    is_false,
    is_true,
)

# _release/config.py has the same, and reads `port` as this does.
NAMES_PORT = re.compile(r"\$(PORT\b|\{PORT\b)")
RIGHT = "have the server listen on its socket, or leave network out"


def network_problems(settings: Mapping[str, Any], prefix: str) -> Iterator[Problem]:
    """Each process type that would listen on a port, as far as the inventory says it: a Procfile is not here."""
    if not is_false(_part(settings, "sandbox").get("network")):
        return
    denied = f"and {prefix}.sandbox.network is false: its server could not start"
    commands, options = _part(settings, "processes"), _part(settings, "process_options")
    listening = {"web", *_part(settings, "listen")}
    for kind in dict.fromkeys([*options, *commands]):
        said, command = _part(options, kind), commands.get(kind)
        if not _runs(settings, kind):
            continue
        if is_true(said.get("port")):
            yield Problem(f"{prefix}.process_options.{kind}.port", f"is true {denied}", RIGHT)
        elif (kind in listening or is_true(said.get("socket"))) and _names_port(command, said):
            yield Problem(f"{prefix}.processes.{kind}", f"names $PORT {denied}", RIGHT)


def _names_port(command: Any, options: Mapping[str, Any]) -> bool:
    """Whether it listens on a port because of its command, and no option says otherwise."""
    named = isinstance(command, str) and NAMES_PORT.search(command) is not None
    return named and options.get("port") is None and not is_false(options.get("socket"))


def _part(settings: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """What is not known yet, and what is refused elsewhere, says nothing."""
    found = settings.get(key)
    return found if isinstance(found, Mapping) else {}


def _runs(settings: Mapping[str, Any], kind: str) -> bool:
    """Whether the formation has one, or may have. Apps may share the commands, and each run some of them."""
    formation = setting(settings, "formation", "")
    return not isinstance(formation, Mapping) or formation.get(kind) not in (None, 0, "0")
