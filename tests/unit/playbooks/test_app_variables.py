# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role app and the playbooks make of an app's settings, for nginx and for health checks."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleUndefinedVariable
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = pathlib.Path(__file__).resolve().parents[3]
FILES = ["roles/app/vars/main.yml", "playbooks/vars/apps.yml", "playbooks/vars/rollout.yml"]


def made(app: str, said: dict[str, Any], name: str, **known: Any) -> Any:
    loader = DataLoader()
    variables = yaml.safe_load((ROOT / "roles/app/defaults/main.yml").read_text())
    for file in FILES:
        variables |= loader.load_from_file(str(ROOT / file), trusted_as_template=True)
    groups = {"all": ["a1", "a2", "p1"], "app": ["a1", "a2"]}
    variables |= {"app_name": app, "apps": {app: said}, "app_settings": said, "groups": groups}
    variables |= {"ansible_play_hosts_all": groups["app"], **known}
    return Templar(loader, variables=variables).template(variables[name])


WEB = ["unix:/run/x/web-1.sock"]


@pytest.mark.parametrize(
    ("said", "processes", "sockets", "site", "probe"),
    [
        ({}, -1, WEB, True, "https://x/"),
        (
            {"domains": ["*.shop.test", "b"], "health_path": "/up"},
            -1,
            WEB,
            True,
            "https://www.shop.test/up",
        ),
        ({"domains": []}, -1, WEB, True, "https://x/"),
        ({"nginx": False, "formation": {"worker": 1}}, -1, [], False, ""),
        ({"formation": {"worker": 1}}, -1, [], False, ""),
        ({"nginx": False}, -1, WEB, False, ""),
        # scaled up by hand, or back on a release that had one
        ({"formation": {"worker": 1}}, 1, WEB, False, "https://x/"),
        # back on a release that had none
        ({}, 0, [], True, ""),
    ],
)
def test_the_role(
    said: dict[str, Any], processes: int, sockets: list[str], site: bool, probe: str
) -> None:
    known = {"app_web_processes": processes}
    assert made("x", said, "__app_sockets", **known) == sockets
    assert made("x", said, "__app_has_site", **known) is site
    assert made("x", said, "__app_probe_url", **known) == probe


@pytest.mark.parametrize(
    ("said", "is_web", "probe", "hosts"),
    [
        ({}, True, "https://x/", ["a1", "a2"]),
        ({"domains": ["*.shop.test"], "hosts": "a2"}, True, "https://www.shop.test/", ["a2"]),
        ({"nginx": False, "formation": {"worker": 1}}, False, "", ["a1", "a2"]),
        ({"formation": {"worker": 1}}, False, "", ["a1", "a2"]),
        ({"formation": {"web": 0, "worker": 1}}, False, "", ["a1", "a2"]),
    ],
)
def test_the_playbooks(said: dict[str, Any], is_web: bool, probe: str, hosts: list[str]) -> None:
    # what only the app's hosts can resolve is not read
    said = {**said, "env": {"SECRET": "{{ only_on_its_hosts }}"}}
    assert made("x", said, "__app_is_web") is is_web
    assert made("x", said, "__rollout_probe_url").strip() == probe
    assert made("x", said, "__rollout_hosts") == hosts


@pytest.mark.parametrize("version", [None, "2.0.0"])
def test_a_task_resolves_only_what_it_reads(version: str | None) -> None:
    """A setting may be the content of a file, and each task on each host evaluates its variables anew."""
    loader = DataLoader()
    release = loader.load_from_file(
        str(ROOT / "playbooks/vars/release.yml"), trusted_as_template=True
    )
    never = trust_as_template("{{ undef('resolved all the same') }}")
    said = {"version": "1.0.0", "requirements": never, "env": {"KEY": never}, "keep": None}
    known = {"version": version} if version else {}

    def get(name: str) -> Any:
        return made("x", said, name, app_settings=release["app_settings"], **known)

    assert get("__app_version") == (version or "1.0.0")
    assert get("__app_package") == "x"
    assert get("__app_keep") == 5
    with pytest.raises(AnsibleUndefinedVariable, match="resolved all the same"):
        get("__app_requirements")
