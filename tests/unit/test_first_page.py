# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The README's first page is right as it stands; molecule/readme runs it on hosts."""

from __future__ import annotations

import configparser
import importlib
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold.files import FILL_VAULT

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
first_page = importlib.import_module("first_page")
PAGE = first_page.read((ROOT / "README.md").read_text(encoding="utf-8"))
MAIN, APPS = "group_vars/all/main.yml", "group_vars/all/apps.yml"
FORM = "vault.example.yml"
PREFIX = "twelvefactor.deploy."
INIT = next(shlex.split(line) for line in PAGE.commands if f"{PREFIX}init" in line)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A directory after the page's `init`, beside the app of molecule/readme with the page's Procfile."""
    place = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "molecule/readme/files/shop", place / "shop")
    (place / "shop/Procfile").write_text(PAGE.files["Procfile"], encoding="utf-8")
    (place / "shop/.git").mkdir()
    (place / "project").mkdir()
    done = subprocess.run(
        INIT,
        check=False,
        cwd=place / "project",
        env={**os.environ, "ANSIBLE_CONFIG": "", "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (place / "project/output").write_text(done.stdout, encoding="utf-8")
    return place / "project"


def loaded(project: pathlib.Path, name: str) -> Any:
    return yaml.safe_load((project / name).read_text(encoding="utf-8"))


def options_of(role: str) -> dict[str, Any]:
    path = ROOT / "roles" / role / "meta" / "argument_specs.yml"
    specs = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]
    return {name: option for spec in specs.values() for name, option in spec["options"].items()}


def problems(options: dict[str, Any], given: dict[str, Any]) -> list[str]:
    return ArgumentSpecValidator(options).validate(given).error_messages


def test_the_page_shows_what_init_writes(project: pathlib.Path) -> None:
    assert sorted(PAGE.files) == ["Procfile", APPS]
    assert PAGE.files[APPS] == (project / APPS).read_text(encoding="utf-8")


def test_the_inventory_of_the_page_is_without_fault(project: pathlib.Path) -> None:
    """With values for the secrets, which are the reader's to give."""
    secrets = dict.fromkeys(loaded(project, FORM), "x")
    (project / "group_vars/all/vault.yml").write_text(yaml.safe_dump(secrets), encoding="utf-8")
    try:
        done = subprocess.run(
            ["ansible-playbook", "--inventory=hosts.yml", ROOT / "playbooks/validate.yml"],
            check=False,
            cwd=project,
            capture_output=True,
            text=True,
            timeout=120,
        )
    finally:
        (project / "group_vars/all/vault.yml").unlink()
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_is_left_to_do_for_the_app_of_the_page(project: pathlib.Path) -> None:
    output = (project / "output").read_text(encoding="utf-8")
    assert "Written in" in output
    assert "Complete these lines" not in output
    assert "Do in ../shop" not in output


def test_the_inventory_loads(project: pathlib.Path) -> None:
    listed = subprocess.run(
        ["ansible-inventory", "-i", "hosts.yml", "--list"],
        check=True,
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
    )
    inventory = json.loads(listed.stdout)
    assert sorted(inventory["all"]["children"]) == ["app", "index", "proxy", "ungrouped"]
    assert "apps" in next(iter(inventory["_meta"]["hostvars"].values()))
    assert "WARNING" not in listed.stderr


def test_the_argument_specs_accept_the_app(project: pathlib.Path) -> None:
    settings = loaded(project, APPS)["apps"]
    assert problems(options_of("app")["app_settings"]["options"], settings["shop"]) == []


def test_the_argument_specs_accept_the_index(project: pathlib.Path) -> None:
    said = loaded(project, MAIN)
    devpi = {name: value for name, value in said.items() if name.startswith("devpi_")}
    required = {n: o for n, o in options_of("devpi").items() if n in devpi}
    assert sorted(required) == sorted(devpi)
    assert problems(required, devpi) == []


def test_the_secrets_get_values(project: pathlib.Path) -> None:
    """The page's command, but for the encryption, which asks for a password."""
    (command,) = [line for line in PAGE.commands if FORM in line]
    assert command == FILL_VAULT
    assert f"#   {command}\n" in (project / FORM).read_text(encoding="utf-8")
    filled = subprocess.run(
        ["sh", "-euc", command.partition(" | ansible-vault ")[0]],
        check=True,
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
    )
    secrets = yaml.safe_load(filled.stdout)
    assert secrets.keys() == loaded(project, FORM).keys()
    assert secrets.pop("vault_shop_database_url") == "EDIT"
    assert all(re.fullmatch("[0-9a-f]{64}", str(value)) for value in secrets.values())
    assert len(set(secrets.values())) == len(secrets) == 4


def test_the_formation_is_that_of_the_procfile(project: pathlib.Path) -> None:
    types = [line.partition(":")[0] for line in PAGE.files["Procfile"].splitlines()]
    assert set(types) - {"release"} == set(loaded(project, APPS)["apps"]["shop"]["formation"])


def test_ansible_keeps_connections_open(project: pathlib.Path) -> None:
    config = configparser.ConfigParser()
    config.read(project / "ansible.cfg")
    assert config["ssh_connection"].getboolean("pipelining") is True
    assert "ControlPersist=" in config["ssh_connection"]["ssh_args"]


def test_a_host_that_is_gone_does_not_hold_up_a_run(project: pathlib.Path) -> None:
    config = configparser.ConfigParser()
    config.read(project / "ansible.cfg")
    options = dict(re.findall(r"(ServerAlive\w+)=([0-9]+)", config["ssh_connection"]["ssh_args"]))
    assert int(options["ServerAliveInterval"]) * int(options["ServerAliveCountMax"]) == 60


def test_the_artifact_that_is_installed_is_the_one_that_is_built() -> None:
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    name = "{namespace}-{name}-{version}.tar.gz".format(**galaxy)
    installs = [line for line in PAGE.commands if line.startswith("ansible-galaxy ")]
    assert [shlex.split(line)[-1] for line in installs] == [name]


@pytest.mark.parametrize("command", PAGE.commands)
def test_commands_name_what_there_is(command: str) -> None:
    words = shlex.split(command)
    assert words[0] in ("python3", "pip", "ansible-galaxy", "ansible-playbook", "test")
    if words[0] == "ansible-playbook" and words != INIT:
        assert words[1:3] == ["-i", "hosts.yml"]
        assert words[3].startswith(PREFIX)
        assert (ROOT / "playbooks" / f"{words[3].removeprefix(PREFIX)}.yml").is_file()
        apps = yaml.safe_load(PAGE.files[APPS])["apps"]
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
