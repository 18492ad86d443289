# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The README's first page is right as it stands; molecule/readme runs it on hosts."""

from __future__ import annotations

import configparser
import importlib
import json
import pathlib
import re
import shlex
import subprocess
import sys
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
first_page = importlib.import_module("first_page")
PAGE = first_page.read((ROOT / "README.md").read_text(encoding="utf-8"))
MAIN, VAULT = "group_vars/all/main.yml", "group_vars/all/vault.yml"
PREFIX = "twelvefactor.deploy."


def options_of(role: str) -> dict[str, Any]:
    path = ROOT / "roles" / role / "meta" / "argument_specs.yml"
    specs = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]
    return {name: option for spec in specs.values() for name, option in spec["options"].items()}


def problems(options: dict[str, Any], given: dict[str, Any]) -> list[str]:
    return ArgumentSpecValidator(options).validate(given).error_messages


def test_the_page_has_what_a_project_needs() -> None:
    assert sorted(PAGE.files) == ["Procfile", "ansible.cfg", MAIN, VAULT, "hosts.yml"]


def test_the_inventory_loads(tmp_path: pathlib.Path) -> None:
    for name, text in PAGE.files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    listed = subprocess.run(
        ["ansible-inventory", "-i", "hosts.yml", "--list"],
        check=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    inventory = json.loads(listed.stdout)
    assert sorted(inventory["all"]["children"]) == ["app", "index", "proxy", "ungrouped"]
    assert "apps" in next(iter(inventory["_meta"]["hostvars"].values()))
    assert "WARNING" not in listed.stderr


def test_the_argument_specs_accept_the_app() -> None:
    settings = yaml.safe_load(PAGE.files[MAIN])["apps"]
    assert problems(options_of("app")["app_settings"]["options"], settings["shop"]) == []


def test_the_argument_specs_accept_the_index() -> None:
    said = yaml.safe_load(PAGE.files[MAIN])
    devpi = {name: value for name, value in said.items() if name.startswith("devpi_")}
    required = {n: o for n, o in options_of("devpi").items() if n in devpi}
    assert sorted(required) == sorted(devpi)
    assert problems(required, devpi) == []


def test_every_secret_is_in_the_vault_and_used() -> None:
    used = set(re.findall(r"\bvault_\w+", PAGE.files[MAIN]))
    assert used == set(yaml.safe_load(PAGE.files[VAULT]))


def test_the_formation_is_that_of_the_procfile() -> None:
    types = [line.partition(":")[0] for line in PAGE.files["Procfile"].splitlines()]
    formation = yaml.safe_load(PAGE.files[MAIN])["apps"]["shop"]["formation"]
    assert set(types) - {"release"} == set(formation)


def test_ansible_keeps_connections_open() -> None:
    config = configparser.ConfigParser()
    config.read_string(PAGE.files["ansible.cfg"])
    assert config["ssh_connection"].getboolean("pipelining") is True
    assert "ControlPersist=" in config["ssh_connection"]["ssh_args"]


def test_the_artifact_that_is_installed_is_the_one_that_is_built() -> None:
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    name = "{namespace}-{name}-{version}.tar.gz".format(**galaxy)
    installs = [line for line in PAGE.commands if line.startswith("ansible-galaxy ")]
    assert [shlex.split(line)[-1] for line in installs] == [name]


@pytest.mark.parametrize("command", PAGE.commands)
def test_commands_name_what_there_is(command: str) -> None:
    words = shlex.split(command)
    assert words[0] in ("pip", "ansible-galaxy", "ansible-playbook")
    if words[0] == "ansible-playbook":
        assert words[1:3] == ["-i", "hosts.yml"]
        assert words[3].startswith(PREFIX)
        assert (ROOT / "playbooks" / f"{words[3].removeprefix(PREFIX)}.yml").is_file()
        apps = yaml.safe_load(PAGE.files[MAIN])["apps"]
        given = [word.partition("=") for word in words[4:] if word != "-e"]
        assert all(name in ("app", "version") for name, _equals, _value in given)
        assert all(value in apps for name, _equals, value in given if name == "app")


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ("```python\nx\n```\n", "what is this block for"),
        ("```yaml\nx: 1\n```\n", "what is this block for"),
    ],
)
def test_a_block_that_nothing_is_known_of(block: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        first_page.read(f"{first_page.BEGIN}{block}{first_page.END}")
