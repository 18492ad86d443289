# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example of a fabfile: what it runs, and how it connects to the hosts of an inventory."""

from __future__ import annotations

import importlib.util
import json
import pathlib
import re
import sys
from typing import Any

import pytest
from invoke import Context, Exit, Task

ROOT = pathlib.Path(__file__).parents[3]
PATH = ROOT / "examples" / "fabfile" / "fabfile.py"


@pytest.fixture
def fabfile(monkeypatch: pytest.MonkeyPatch) -> Any:
    specification = importlib.util.spec_from_file_location("fabfile", PATH)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    # a dataclass looks itself up there
    monkeypatch.setitem(sys.modules, "fabfile", module)
    specification.loader.exec_module(module)
    return module


# --- what it runs ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "given", "words"),
    [
        ("publish", {"app": "shop"}, ["publish", {"app": "shop"}]),
        ("deploy", {}, ["deploy"]),
        ("deploy", {"app": "shop"}, ["deploy", {"app": "shop"}]),
        (
            "deploy",
            {"app": "shop", "version": "1.5.0"},
            ["deploy", {"app": "shop", "version": "1.5.0"}],
        ),
        # not two variables
        ("deploy", {"app": "a version=2"}, ["deploy", {"app": "a version=2"}]),
        ("rollback", {"app": "shop", "steps": "2"}, ["rollback", {"app": "shop", "steps": "2"}]),
        (
            "rollback",
            {"app": "shop", "release": "1.4.0-90b1c2d3"},
            ["rollback", {"app": "shop", "release": "1.4.0-90b1c2d3"}],
        ),
        ("status", {}, ["status"]),
    ],
)
def test_playbooks(
    fabfile: Any,
    monkeypatch: pytest.MonkeyPatch,
    task: str,
    given: dict[str, str],
    words: list[Any],
) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(fabfile, "call", called.append)
    getattr(fabfile, task)(Context(), **given)
    playbook, *variables = words
    assert called[0][:2] == ["ansible-playbook", f"twelvefactor.deploy.{playbook}"]
    assert called[0][2::2] == ["--extra-vars"] * len(variables)
    assert [json.loads(each) for each in called[0][3::2]] == variables


@pytest.mark.parametrize(
    ("task", "given", "line"),
    [
        ("logs", {}, "logs shop"),
        ("logs", {"follow": True}, "logs --follow shop"),
        ("logs", {"process": "web", "level": "error"}, "logs --process=web --level=error shop"),
        ("shell", {}, "shell shop"),
        ("shell", {"on": "app2"}, "shell shop app2"),
        ("shell", {"command": "env | sort"}, "shell shop -- sh -c env | sort"),
    ],
)
def test_the_program(
    fabfile: Any, monkeypatch: pytest.MonkeyPatch, task: str, given: dict[str, Any], line: str
) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(fabfile, "call", called.append)
    getattr(fabfile, task)(Context(), "shop", **given)
    assert " ".join(called[0]) == f"twelvefactor {line}"


def test_the_page_lists_every_task_and_option(fabfile: Any) -> None:
    page = (ROOT / "docs/how-to/fabric.md").read_text(encoding="utf-8")
    table = page.partition("## Connections")[0]
    rows = dict(re.findall(r"(?m)^\| `(\w+)([^|]*)\|", table))
    tasks = {name: task for name, task in vars(fabfile).items() if isinstance(task, Task)}
    assert sorted(rows) == sorted({*tasks} | {"fab"})
    for name, task in tasks.items():
        options = {each.name for each in task.get_arguments() if each.name != "command"}
        assert options <= set(re.findall(r"--(\w+)", rows[name])), name


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["sh", "-c", "exit 4"], 4, "sh failed with exit code 4."),
        (["no-such-program"], 1, "There is no no-such-program on PATH."),
    ],
)
def test_what_fails_is_said_in_one_sentence(
    fabfile: Any, words: list[str], code: int, said: str
) -> None:
    with pytest.raises(Exit) as ended:
        fabfile.call(words)
    assert (ended.value.code, ended.value.message) == (code, said)


# --- the inventory --------------------------------------------------------------------------------


def inventory(apps: Any = None, **variables: Any) -> dict[str, Any]:
    apps = {"shop": {}} if apps is None else apps
    return {
        "_meta": {
            "hostvars": {"a": {"apps": apps}, "b": {"apps": apps, **variables}, "db": variables}
        },
        "app": {"hosts": ["a"], "children": ["more"]},
        "more": {"hosts": ["b", "a"]},
    }


@pytest.mark.parametrize(
    ("apps", "names"),
    [
        ({"shop": {}}, ["a", "b"]),
        ({"shop": {"hosts": "more"}}, ["b", "a"]),
        ({"shop": {"hosts": "b"}}, ["b"]),
    ],
)
def test_hosts_of_an_app(fabfile: Any, apps: Any, names: list[str]) -> None:
    assert [host.name for host in fabfile.hosts_of(inventory(apps), "shop")] == names


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, {"address": "b"}),
        (
            {"ansible_host": "192.0.2.1", "ansible_port": 2222, "ansible_user": "ops"},
            {"address": "192.0.2.1", "port": 2222, "user": "ops"},
        ),
        ({"ansible_ssh_private_key_file": "~/.ssh/k"}, {"address": "b", "key": "~/.ssh/k"}),
        (
            {"ansible_ssh_common_args": "-o UserKnownHostsFile=/srv/hosts -o ConnectTimeout=1"},
            {"address": "b", "known_hosts": "/srv/hosts"},
        ),
        ({"ansible_become_password": "s"}, {"address": "b", "sudo_password": "s"}),
        # Fabric asks for it
        ({"ansible_become_password": "{{ vault_sudo }}"}, {"address": "b"}),
    ],
)
def test_connections(fabfile: Any, variables: Any, expected: dict[str, Any]) -> None:
    host = fabfile.hosts_of(inventory(**variables), "shop")[1]
    assert host == fabfile.Host(name="b", **expected)


def test_a_host_that_is_not_known_is_refused(fabfile: Any) -> None:
    host = fabfile.Host("b", "192.0.2.1", "ops", 2222, "/k", known_hosts="/dev/null")
    made = host.connect(fabfile.Connection("x").config)
    assert (made.host, made.user, made.port) == ("192.0.2.1", "ops", 2222)
    assert made.connect_kwargs["key_filename"] == ["/k"]
    assert type(made.client._policy).__name__ == "RejectPolicy"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (inventory({"blog": {}}), "The inventory has no app shop; it has blog."),
        (inventory({}), "The inventory has no app shop; it has none."),
        (inventory("{{ shop_apps }}"), "apps is a template, which only Ansible can read."),
        (
            inventory({"shop": {"hosts": "web"}}),
            "The inventory has no hosts for shop: there is no group or host web.",
        ),
        (
            inventory(ansible_host="{{ address }}"),
            "ansible_host of b is a template or a vault, which only Ansible can read.",
        ),
    ],
)
def test_what_the_inventory_does_not_say(fabfile: Any, found: Any, said: str) -> None:
    with pytest.raises(Exit) as ended:
        fabfile.hosts_of(found, "shop")
    assert ended.value.message == said
