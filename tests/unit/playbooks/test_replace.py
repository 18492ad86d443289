# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook replace makes of the inventory and of what the hosts say."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

PLAYBOOKS = pathlib.Path(__file__).resolve().parents[3] / "playbooks"
SHA256 = "ab" * 32


def evaluate(name: str, **given: Any) -> Any:
    """A variable of vars/replace.yml."""
    loader = DataLoader()
    known = loader.load_from_file(str(PLAYBOOKS / "vars/replace.yml"), trusted_as_template=True)
    known |= given
    return Templar(loader, variables=known).template(known[name])


@pytest.mark.parametrize(
    ("settings", "serves", "wanted"),
    [
        (
            {"version": "1.4.0+g12ab34c", "wheel_sha256": SHA256},
            {"id": "1.4.0_g12ab34c-3f2a9c01", "version": "1.4.0+g12ab34c"},
            {"version": "1.4.0+g12ab34c", "wheel_sha256": SHA256},
        ),
        (
            {"version": "2!1.0", "wheel_sha256": SHA256},
            {"id": "2_1.0-3f2a9c01", "version": "2!1.0"},
            {"version": "2!1.0", "wheel_sha256": SHA256},
        ),
        (
            {"version": "1.5.0", "wheel_sha256": SHA256},
            {"id": "1.4.0-3f2a9c01", "version": "1.4.0"},
            {"version": "1.4.0"},
        ),
        # which the command line has had
        ({}, {"id": "1.4.0-3f2a9c01", "version": "1.4.0"}, {"version": "1.4.0"}),
    ],
)
def test_the_version_that_serves_is_deployed(settings: Any, serves: Any, wanted: Any) -> None:
    found = evaluate(
        "__replace_settings",
        apps={"shop": settings},
        rollout_app="shop",
        __replace_joins={"releases": {"shop": serves}},
    )
    assert found == wanted


def test_a_host_that_hangs_is_not_waited_for() -> None:
    [task] = DataLoader().load_from_file(str(PLAYBOOKS / "tasks/read_releases.yml"))
    assert task["timeout"] == 120
