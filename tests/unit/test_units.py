# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that is to come back comes back however often it fails, and so does what its start needs.

systemd's own limit is five starts in ten seconds (systemd.unit(5), StartLimitIntervalSec), then the unit stays down
until somebody comes. A unit that runs before each start of another one counts for itself.
"""

from __future__ import annotations

import pathlib
import re
from typing import Any

import pytest
import yaml

ROLES = pathlib.Path(__file__).resolve().parents[2] / "roles"
# The name of a unit is that of its file, or of the folder of its drop-ins.
UNITS: dict[str, str] = {}
for file in sorted(ROLES.glob("*/templates/etc/systemd/system/**/*.j2")):
    name = file.parent.name.removesuffix(".d") if file.parent.name.endswith(".d") else file.stem
    UNITS[name] = UNITS.get(name, "") + file.read_text("utf-8")


def values(unit: str, *settings: str) -> set[str]:
    found = re.findall(rf"(?m)^(?:{'|'.join(settings)})=(.*)$", UNITS[unit])
    return {value for line in found for value in line.split()}


RESTARTED = sorted(unit for unit in UNITS if values(unit, "Restart") - {"no"})
NEEDED = sorted(
    needed
    for unit in RESTARTED
    for needed in values(unit, "Wants", "Requires", "BindsTo", "Requisite")
    if needed in UNITS and needed.endswith(".service")
)


def test_the_units_are_found() -> None:
    assert {"nginx.service", "devpi.service", "circus@.service"} <= set(RESTARTED)
    assert set(NEEDED) == {"nginx-recover.service", "bugsink-migrate.service"}


@pytest.mark.parametrize("unit", [*RESTARTED, *sorted(set(NEEDED))])
def test_no_number_of_starts_is_too_many(unit: str) -> None:
    assert values(unit, "StartLimitIntervalSec") == {"0"}


def unchecked(task: dict[str, Any]) -> bool:
    """Whether a task installs a unit, a drop-in or a tmpfiles entry that no program has judged."""
    arguments = task.get("ansible.builtin.template") or task.get("ansible.builtin.copy") or {}
    places = [arguments.get("dest", ""), *(str(each) for each in task.get("loop", ()))]
    return (
        bool(arguments)
        and "validate" not in arguments
        and any(
            f"/etc/{kind}/" in place
            for kind in ("systemd/system", "tmpfiles.d")
            for place in places
        )
    )


def test_units_are_checked_before_they_are_installed() -> None:
    """By the module daemon, or by the program that `validate` names."""
    found = [
        task["name"]
        for file in ROLES.glob("*/tasks/*.yml")
        for task in yaml.safe_load(file.read_text("utf-8"))
        if unchecked(task)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("arguments", "loop", "wrong"),
    [
        ({"dest": "/etc/systemd/system/a.service"}, [], True),
        ({"dest": "/etc/systemd/system/a.service", "validate": "verify %s"}, [], False),
        ({"dest": "{{ item.dest }}"}, [{"dest": "/etc/tmpfiles.d/a.conf"}], True),
        ({"dest": "/etc/needrestart/conf.d/a.conf"}, [], False),
    ],
)
def test_the_search_for_unchecked_units(arguments: Any, loop: list[Any], wrong: bool) -> None:
    assert unchecked({"ansible.builtin.template": arguments, "loop": loop}) is wrong


def of_an_app(unit: str) -> str:
    return re.sub(r"\{\{.*?\}\}", "APP", UNITS[unit])


def paths_below_run(unit: str, setting: str, before: str = "") -> set[str]:
    paths = " ".join(re.findall(rf"(?m)^{setting}=(.*)$", of_an_app(unit))).split()
    return {f"{before}{path}" for path in paths if f"{before}{path}".startswith("/run/")}


def test_what_an_app_may_write_below_run_is_of_a_limited_size() -> None:
    """Without room there systemd starts nothing."""
    writable = paths_below_run("sandbox", "ReadWritePaths")
    writable |= paths_below_run("circus@.service", "ReadWritePaths")
    writable |= paths_below_run("circus@.service", "RuntimeDirectory", "/run/")
    limited: set[str] = set()
    for unit in UNITS:
        options = re.search(r"(?m)^Options=\S*\bsize=\S*\bnr_inodes=", of_an_app(unit))
        if unit.endswith(".mount") and options:
            limited |= paths_below_run(unit, "Where")
    assert writable == {"/run/APP", "/run/circus-APP"}
    assert writable <= limited


def test_a_journal_of_an_app_is_limited_wherever_it_is() -> None:
    """In /run, where the host keeps none on its disk (Storage in journald.conf(5))."""
    journal = (ROLES / "circus/templates/etc/systemd/journald@.conf.j2").read_text("utf-8")
    assert re.findall(r"(?m)^(\w+)MaxUse=", journal) == ["System", "Runtime"]
