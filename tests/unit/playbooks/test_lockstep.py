# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays whose hosts read what others have found have a strategy that keeps them together."""

from __future__ import annotations

import pathlib

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

PLAYBOOKS = pathlib.Path(__file__).resolve().parents[3] / "playbooks"


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        ("linear", "linear"),
        ("ansible.builtin.linear", "ansible.builtin.linear"),
        ("debug", "debug"),
        ("mitogen_linear", "mitogen_linear"),
        ("free", "linear"),
        ("host_pinned", "linear"),
        ("mitogen_free", "linear"),
    ],
)
def test_the_configured_strategy_is_kept_where_it_does(
    configured: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSIBLE_STRATEGY", configured)
    loader = DataLoader()
    variables = loader.load_from_file(
        str(PLAYBOOKS / "vars" / "lockstep.yml"), trusted_as_template=True
    )
    assert Templar(loader, variables=variables).template(variables["__lockstep"]) == expected


@pytest.mark.parametrize(
    "name",
    ["audit", "deploy", "logs", "patch", "replace", "report", "rollback", "run", "scale", "status"],
)
def test_what_all_hosts_have_to_have_done_is_waited_for(name: str) -> None:
    plays = yaml.safe_load((PLAYBOOKS / f"{name}.yml").read_text(encoding="utf-8"))
    found = [play for play in plays if "vars/lockstep.yml" in play.get("vars_files", ())]
    assert found
    assert {play["strategy"] for play in found} == {"{{ __lockstep }}"}
