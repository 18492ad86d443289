# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a new inventory load in Ansible and pass the collection's own validation."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.vars.manager import VariableManager
from ansible_collections.twelvefactor.deploy.plugins.filter.apps import app_settings_problems
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.values import PLACEHOLDER
from ansible_collections.twelvefactor.deploy.plugins.module_utils._inventory.judgement import (
    brief_findings,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold import files
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold.guess import (
    Wishes,
    guess_app,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._scaffold.tree import Tree
from unit import repositories

KNOWN = Wishes("../app", ("a1.test", "a2.test"), "index.test", ("www.test",), "shop.test")
WISHES = {"nothing": Wishes("../app"), "all": KNOWN}


def made(repository: dict[str, str], wishes: Wishes, collections: str = "") -> dict[str, str]:
    return files.make_files(guess_app(Tree("folder", repository), wishes), wishes, collections)


def variables(
    place: pathlib.Path, texts: dict[str, str]
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Of each host, resolved; and the groups."""
    filled = re.sub(r"(?m)^#.*\n", "", texts[files.VAULT_FORM]).replace("RANDOM", "r" * 64)
    filled = filled.replace(PLACEHOLDER, "known")
    for name, text in {**texts, files.VAULT: filled}.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    loader = DataLoader()
    inventory = InventoryManager(loader=loader, sources=[str(place / files.HOSTS)])
    manager = VariableManager(loader=loader, inventory=inventory)
    found = {}
    for host in inventory.get_hosts():
        raw = manager.get_vars(host=host)
        templar = Templar(loader=loader, variables=raw)
        wanted = yaml.safe_load(texts[files.MAIN]).keys() | {"apps"}
        found[host.name] = {name: templar.template(raw[name]) for name in wanted}
    return found, inventory.get_groups_dict()


@pytest.mark.parametrize("wishes", WISHES)
@pytest.mark.parametrize("name", repositories.GOOD)
def test_the_inventory_is_valid(tmp_path: pathlib.Path, name: str, wishes: str) -> None:
    texts = made(repositories.GOOD[name], WISHES[wishes])
    hosts, groups = variables(tmp_path, texts)
    assert hosts
    for resolved in hosts.values():
        apps = resolved["apps"]
        assert brief_findings(apps, groups) == []
        for app, settings in apps.items():
            assert app_settings_problems(settings, app) == []
            assert isinstance(settings["version"], str)
        assert {"index_url", "index_name", "index_publisher"} <= resolved.keys()


def test_what_the_index_is_called(tmp_path: pathlib.Path) -> None:
    hosts, groups = variables(tmp_path, made(repositories.PROCFILE, KNOWN))
    assert hosts["a1.test"]["index_url"] == "https://index.test"
    assert hosts["index.test"]["index_domains"] == ["index.test"]
    assert {name: groups[name] for name in ("index", "app", "proxy")} == {
        "index": ["index.test"],
        "app": ["a1.test", "a2.test"],
        "proxy": ["www.test"],
    }


def test_the_first_host_has_the_index(tmp_path: pathlib.Path) -> None:
    _hosts, groups = variables(tmp_path, made(repositories.PROCFILE, Wishes("../app", ("a.test",))))
    assert (groups["index"], groups["app"], "proxy" in groups) == (["a.test"], ["a.test"], False)


def test_the_settings_of_an_app(tmp_path: pathlib.Path) -> None:
    hosts, _groups = variables(tmp_path, made(repositories.CELERY, KNOWN))
    assert hosts["a1.test"]["apps"] == {
        "shop": {
            "version": "1.10",
            "source": "../app",
            "domains": ["shop.test"],
            "health_path": "/healthz/",
            "formation": {"web": 1, "worker": 1, "beat": 1},
            "process_options": {"beat": {"overlap": False}},
            "env": {
                "ALLOWED_HOSTS": "shop.test",
                "CSRF_TRUSTED_ORIGINS": "https://shop.test",
                "DATABASE_URL": "known",
                "DJANGO_SETTINGS_MODULE": "shop.settings",
                "REGION": "",
                "SECRET_KEY": "r" * 64,
            },
        }
    }


def test_an_app_without_a_web_part_has_no_domains() -> None:
    settings = yaml.safe_load(made(repositories.BOT, KNOWN)[files.APPS])["apps"]["bot"]
    assert settings == {"version": "1.10", "source": "../app", "formation": {"on": 1}}


def test_a_path_that_may_have_a_prefix_is_to_complete() -> None:
    repository = {**repositories.FLASK, "src/board/views.py": "bp.route('/health')"}
    assert files.to_edit(made(repository, KNOWN)) == [
        "group_vars/all/apps.yml:8: with the prefix of its router; src/board/views.py:1"
    ]


def test_the_package_where_it_is_called_otherwise() -> None:
    repository = {"pyproject.toml": repositories.project("redis")}
    settings = yaml.safe_load(made(repository, KNOWN)[files.APPS])["apps"]["redis-app"]
    assert settings["package"] == "redis"


def test_lines_to_complete_are_few_and_marked() -> None:
    unknown = made(repositories.CELERY, Wishes("../app"))
    assert files.to_edit(unknown) == [
        "hosts.yml:9: the name of your host",
        "hosts.yml:13: the name of your host",
        "group_vars/all/apps.yml:7: the names that users reach the app by",
        "group_vars/all/apps.yml:16: the domain, read in shop/settings.py:4",
        "group_vars/all/apps.yml:17: the domain, read in shop/settings.py:5",
        "group_vars/all/apps.yml:21: shop/settings.py:7 reads it",
    ]
    assert files.to_edit(made(repositories.CELERY, KNOWN)) == [
        "group_vars/all/apps.yml:21: shop/settings.py:7 reads it"
    ]


@pytest.mark.parametrize("name", repositories.GOOD)
def test_every_secret_is_in_the_form_of_the_vault_and_has_no_value(name: str) -> None:
    texts = made(repositories.GOOD[name], KNOWN)
    used = re.findall(r"\bvault_\w+", texts[files.MAIN] + texts[files.APPS])
    form = yaml.safe_load(texts[files.VAULT_FORM])
    assert set(used) == set(form)
    assert set(form.values()) <= {"RANDOM", "EDIT"}
    assert files.VAULT not in texts


def test_nothing_of_a_repository_is_a_template_or_a_line_of_its_own() -> None:
    """Ansible evaluates what it loads: a template of the repository would run on the controller."""
    texts = made(repositories.HOSTILE, KNOWN)
    text = "".join(texts.values())
    assert set(re.findall(r"\{\{ *([\w.\[\]]+)", text)) == {
        "groups.index[0]",
        "vault_index_password",
        "vault_devpi_root_password",
        "vault_devpi_secret",
    }
    for word in ("lookup", "{%", "secret-value", "\x1b"):
        assert word not in text
    assert list(yaml.safe_load(texts[files.APPS])["apps"]) == ["folder"]


@pytest.mark.parametrize(
    ("collections", "line"),
    [("collections", "collections_path = collections\n"), ("", "")],
)
def test_ansible_finds_the_collection_where_it_is(collections: str, line: str) -> None:
    text = made(repositories.FLASK, KNOWN, collections)[files.CONFIG]
    assert text.startswith(f"[defaults]\ninventory = {files.HOSTS}\n{line}callback_result_format")


@pytest.mark.parametrize(
    "text", ["a", "../shop", "on", "1", "1.0", "a: b", "x # y", 'a"b', "ä", "", "a\n"]
)
def test_a_text_stays_that(text: str) -> None:
    assert yaml.safe_load(f"x: {files.quoted(text)}") == {"x": text}
