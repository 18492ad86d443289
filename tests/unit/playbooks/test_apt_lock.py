# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that upgrades itself, as a new one does at its first boot, is waited for."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import yaml

PLAYBOOKS = pathlib.Path(__file__).resolve().parents[3] / "playbooks"


def plays(playbook: str) -> list[dict[str, Any]]:
    """Those that install packages, or have roles do it."""
    found = yaml.safe_load((PLAYBOOKS / f"{playbook}.yml").read_text("utf-8"))
    return [play for play in found if play["name"] != "Validate the inventory"]


@pytest.mark.parametrize("playbook", ["index", "platform", "proxy", "monitoring", "patch"])
def test_a_play_waits_for_another_apt(playbook: str) -> None:
    defaults = [play.get("module_defaults", {}) for play in plays(playbook)]
    assert defaults == [{"ansible.builtin.apt": {"lock_timeout": 600}}] * len(defaults) != []
