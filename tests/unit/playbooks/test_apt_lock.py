# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that upgrades itself, as a new one does at its first boot and others by unattended-upgrades, is waited for."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
PLAYBOOKS = ROOT / "playbooks"
INCLUDES = {
    f"ansible.builtin.{verb}_{what}": what
    for verb in ("include", "import")
    for what in ("tasks", "role")
}
VARIABLE = re.compile(r"\{\{ (\w+)(?: \| default\('(\w+)'\))? \}\}")


def filled(text: str, variables: Mapping[str, Any]) -> str:
    """Names of files and roles that are in variables: a name that is in none is an error."""
    return VARIABLE.sub(
        lambda found: str(variables.get(found[1]) or found[2] or variables[found[1]]), text
    )


def tasks_of(
    listed: list[dict[str, Any]], folder: pathlib.Path, variables: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """The tasks, with those that they include, as far as the files say which."""
    for task in listed:
        yield task
        known = {**variables, **task.get("vars", {})}
        for part in ("block", "rescue", "always"):
            yield from tasks_of(task.get(part, []), folder, known)
        for key in task.keys() & INCLUDES.keys():
            named = task[key]
            if INCLUDES[key] == "role":
                role = filled(named["name"], known).removeprefix("twelvefactor.deploy.")
                path = (
                    ROOT / "roles" / role / "tasks" / filled(named.get("tasks_from", "main"), known)
                )
            else:
                path = folder / filled(named if isinstance(named, str) else named["file"], known)
            yield from tasks_in(path.with_suffix(".yml"), known)


def tasks_in(path: pathlib.Path, variables: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from tasks_of(yaml.safe_load(path.read_text("utf-8")) or [], path.parent, variables)


def plays() -> Iterator[Any]:
    """Those that install packages, or have roles do it."""
    for path in sorted(PLAYBOOKS.glob("*.yml")):
        for play in yaml.safe_load(path.read_text("utf-8")):
            tasks = tasks_of(play.get("tasks", []), PLAYBOOKS, play.get("vars", {}))
            if any("ansible.builtin.apt" in task for task in tasks):
                yield pytest.param(play, id=f"{path.stem}: {play['name']}")


PLAYS = list(plays())


def test_the_plays_are_found() -> None:
    """One that upgrades by itself, and those of roles, of files and roles that variables name, and of roles in roles."""
    found = {str(param.id).partition(":")[0] for param in PLAYS}
    assert found >= {"patch", "platform", "proxy", "index", "monitoring", "deploy", "rollback"}
    assert found.isdisjoint({"status", "audit", "run"})


@pytest.mark.parametrize("play", PLAYS)
def test_a_play_waits_for_another_apt(play: dict[str, Any]) -> None:
    assert play.get("module_defaults") == {"ansible.builtin.apt": {"lock_timeout": 600}}
