# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox of an app as the role renders it; the scenario circus runs apps in it."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.specification import (
    WRITABLE_PATH,
)

ROLE = pathlib.Path(__file__).parents[3] / "roles" / "circus"


def evaluate(expression: str, **given: Any) -> Any:
    """With the defaults and variables of the role."""
    loader = DataLoader()
    known: dict[str, Any] = {"ansible_search_path": [str(ROLE)], "circus_app": "shop"}
    for part in ("defaults", "vars"):
        path = str(ROLE / part / "main.yml")
        known |= loader.load_from_file(path, trusted_as_template=True)
    known |= {"__circus_user_namespace": {"rc": 0}, **given}
    return Templar(loader, variables=known).template(trust_as_template(expression))


def rendered(**given: Any) -> list[str]:
    path = "etc/systemd/system/sandbox.j2"
    text = evaluate(f"{{{{ lookup('ansible.builtin.template', '{path}') }}}}", **given)
    return str(text).splitlines()


@pytest.mark.parametrize(
    ("sandbox", "families"),
    [
        ({}, "AF_UNIX AF_INET AF_INET6"),
        ({"network": None}, "AF_UNIX AF_INET AF_INET6"),
        ({"network": True}, "AF_UNIX AF_INET AF_INET6"),
        ({"network": "yes"}, "AF_UNIX AF_INET AF_INET6"),
        ({"network": False}, "AF_UNIX"),
        ({"network": "no"}, "AF_UNIX"),
    ],
)
def test_only_false_denies_an_app_the_network(sandbox: Any, families: str) -> None:
    assert f"RestrictAddressFamilies={families}" in rendered(circus_app_sandbox=sandbox)


PATHS = {
    "/srv/exports": True,
    "/srv/.cache": True,
    "/etc/..": False,
    "/srv/./a": False,
    "/srv/": False,
    "/": False,
    "/a b": False,
    "/srv\n": False,
}


@pytest.mark.parametrize(("path", "right"), PATHS.items())
@pytest.mark.parametrize("where", ["of the role", "of the app"])
def test_which_paths_may_be_writable(path: str, right: bool, where: str) -> None:
    given = {
        "of the role": {"circus_writable_paths": [path]},
        "of the app": {"circus_app_sandbox": {"writable_paths": ["/srv", path]}},
    }
    tasks = yaml.safe_load((ROLE / "tasks" / "app.yml").read_text("utf-8"))
    [condition] = [
        task["ansible.builtin.assert"]["that"]
        for task in tasks
        if task["name"] == "Validate the writable paths"
    ]
    assert evaluate(f"{{{{ {condition} }}}}", **given[where]) is right


def test_they_are_those_of_the_inventory() -> None:
    assert evaluate("{{ __circus_writable_path }}") == rf"{WRITABLE_PATH}\Z"
