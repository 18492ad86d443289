# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks give roles arguments, and read of them what the roles document; they keep no state in facts."""

from __future__ import annotations

import pathlib
import re

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
# What the inventory leaves open is given to roles as facts, below what it says: a playbook has no other place there.
MAY_SET_FACTS = {"playbooks/tasks/monitoring_role.yml"}


def texts(place: str) -> dict[str, str]:
    paths = sorted((ROOT / place).rglob("*.yml"))
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}


PLAYBOOKS, ROLES = texts("playbooks"), texts("roles")


def private(text: str) -> set[str]:
    return set(re.findall(r"\b__[a-z]\w*", re.sub(r"(?m)^\s*#.*$", "", text)))


def test_no_playbook_reads_a_private_name_of_a_role() -> None:
    of_roles = {name for text in ROLES.values() for name in private(text)}
    found = {file: sorted(private(text) & of_roles) for file, text in PLAYBOOKS.items()}
    assert {file: names for file, names in found.items() if names} == {}


def test_no_role_reads_a_private_name_of_another_one() -> None:
    owners: dict[str, set[str]] = {}
    for file, text in ROLES.items():
        for name in private(text):
            owners.setdefault(name, set()).add(file.split("/")[1])
    assert {name: sorted(roles) for name, roles in owners.items() if len(roles) > 1} == {}


def test_no_playbook_loads_files_of_a_role() -> None:
    assert [file for file, text in PLAYBOOKS.items() if re.search(r"roles/\w+/vars", text)] == []


def test_playbooks_keep_nothing_in_facts() -> None:
    assert {file for file, text in PLAYBOOKS.items() if "set_fact" in text} == MAY_SET_FACTS


def test_a_rollout_begins_without_what_it_keeps_of_the_one_before() -> None:
    """What is read of other hosts, and of steps that may not run, is emptied by the first task."""
    first, *_ = yaml.safe_load(ROLES["roles/rollout/tasks/begin.yml"])
    source = (ROOT / "plugins" / "filter" / "rollout.py").read_text(encoding="utf-8")
    read = set(re.findall(r'variables[.]get\("(\w+)"', source))
    locks = {"__rollout_first_lock", "__rollout_lock", "__rollout_kept"}  # tasks that always run
    assert read - locks == first["ansible.builtin.set_fact"].keys()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("when: __devpi_made is changed", {"__devpi_made"}),
        ("# __devpi_made", set()),
        ("msg: a__b", set()),
    ],
)
def test_what_counts_as_a_private_name(text: str, names: set[str]) -> None:
    assert private(text) == names
