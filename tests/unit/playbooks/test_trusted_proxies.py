# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which proxies an app host believes."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

PLAYBOOKS = pathlib.Path(__file__).resolve().parents[3] / "playbooks"
PROXY = {"p1": {"ansible_host": "10.0.0.9"}}
CDN = ["192.0.2.0/24", "2001:db8::/32"]


@pytest.mark.parametrize(
    ("proxies", "said", "trusted"),
    [
        ({}, {}, []),
        (PROXY, {}, ["10.0.0.9"]),
        ({}, {"nginx_trusted_proxies": CDN}, CDN),
        (PROXY, {"nginx_trusted_proxies": CDN}, [*CDN, "10.0.0.9"]),
        (PROXY, {"nginx_trusted_proxies": ["10.0.0.9"]}, ["10.0.0.9"]),
    ],
)
def test_proxies_of_the_inventory_are_added_to_those_of_the_group(
    tmp_path: pathlib.Path, proxies: dict[str, Any], said: dict[str, Any], trusted: list[str]
) -> None:
    tree = {"app": {"hosts": {"a1": {}}, "vars": said}, "proxy": {"hosts": proxies}}
    path = tmp_path / "hosts.yml"
    path.write_text(yaml.safe_dump({"all": {"children": tree}}), encoding="utf-8")
    loader = DataLoader()
    inventory = InventoryManager(loader, [str(path)])
    manager = VariableManager(loader, inventory)
    known = manager.get_vars(host=inventory.get_host("a1"))
    known["hostvars"] = HostVars(inventory, manager, loader)
    known |= loader.load_from_file(
        str(PLAYBOOKS / "vars" / "addresses.yml"), trusted_as_template=True
    )
    # As the role sees it.
    plays = loader.load_from_file(str(PLAYBOOKS / "platform.yml"), trusted_as_template=True)
    tasks = [task for play in plays for task in play["tasks"]]
    [given] = [task["vars"] for task in tasks if task["name"] == "Install nginx"]
    known |= given
    assert Templar(loader, variables=known).template(known["nginx_trusted_proxies"]) == trusted
