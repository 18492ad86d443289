# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks judge an inventory before they ask a host.

The hosts of these inventories do not exist: a task that would ask one of them would fail.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
DEMO = ["index1", "app1", "app2", "proxy1"]
INDEX = {
    "index_domains": ["index.test"],
    "devpi_root_password": "canary",
    "devpi_secret": "canary",
}
BOT = {"version": "1.0", "nginx": False, "formation": {"worker": 1}}


def inventory(apps: dict[str, Any], **groups: list[str]) -> dict[str, Any]:
    groups = groups or {"app": ["a1", "a2"], "proxy": ["p1"]}
    return {
        "all": {
            "vars": {
                "apps": apps,
                "index_url": "https://index.test",
                "index_name": "company/prod",
                "ansible_become": False,
            },
            "children": {
                group: {
                    "hosts": {name: {"ansible_host": "192.0.2.1"} for name in names},
                    "vars": INDEX if group == "index" else {},
                }
                for group, names in groups.items()
            },
        }
    }


def play(place: pathlib.Path, playbook: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    # stands for ssh, and ends as that does when it cannot connect
    ssh = place / "ssh"
    ssh.write_text("#!/bin/sh\nexit 255\n")
    ssh.chmod(0o755)
    return subprocess.run(
        ["ansible-playbook", str(ROOT / "playbooks" / f"{playbook}.yml"), *arguments],
        check=False,
        cwd=ROOT,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "collections"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_SSH_EXECUTABLE": str(ssh),
        },
        capture_output=True,
        text=True,
        timeout=120,
    )


def words(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join((done.stdout + done.stderr).split())


def unreached(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether no host was asked."""
    return "UNREACHABLE" not in done.stdout and not re.search(r"unreachable=[1-9]", done.stdout)


class Judge:
    def __init__(self, path: pathlib.Path) -> None:
        self.path = path

    def __call__(
        self, playbook: str, tree: dict[str, Any], *arguments: str
    ) -> subprocess.CompletedProcess[str]:
        self.path.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
        return play(self.path.parent, playbook, f"--inventory={self.path}", *arguments)


@pytest.fixture
def judge(tmp_path: pathlib.Path) -> Judge:
    return Judge(tmp_path / "hosts.yml")


@pytest.mark.parametrize("groups", [{}, {"proxy": ["p1"]}])
def test_an_app_that_would_run_nowhere_is_an_error(
    judge: Judge, groups: dict[str, list[str]]
) -> None:
    apps = {"shop": {"version": "1.0", "hosts": "shop_server"}}
    done = judge("status", inventory(apps, **groups))
    assert done.returncode == 2, done.stdout + done.stderr
    known = ", ".join(groups or ["app", "proxy"])
    assert (
        "apps.shop.hosts is 'shop_server', neither a group nor a host of this inventory; "
        f"its groups are {known}."
    ) in words(done)
    assert unreached(done), done.stdout


@pytest.mark.parametrize("playbook", ["deploy", "publish", "site"])
def test_settings_that_cannot_be_meant_stop_before_a_host_is_asked(
    judge: Judge, playbook: str
) -> None:
    apps = {
        "shop": {"version": 1.1, "heath_path": "/", "env": {"DEBUG": True}},
        "wiki": {"version": "1.0", "log_format": "xml"},
    }
    done = judge(playbook, inventory(apps), "-e", "app=shop")
    assert done.returncode == 2, done.stdout + done.stderr
    said = words(done)
    assert "4 problems in the inventory. Nothing was changed." in said
    assert "apps.shop.heath_path is unknown; did you mean 'health_path'?" in said
    assert 'version: "1.1" or "1.10".' in said
    assert "apps.shop.env.DEBUG is true or false; write the text in quotes" in said
    assert "apps.wiki.log_format is 'xml'; write one of text, json." in said
    assert unreached(done), done.stdout


def test_validate_lists_all_that_cannot_be_meant(judge: Judge) -> None:
    tree = inventory({"shop": {"version": 1.1, "heath_path": "/"}, "wiki": {"version": "1"}})
    tree["all"]["vars"]["nginx_sitse"] = []
    tree["all"]["children"]["proxy"]["hosts"]["p1"]["nginx_log_days"] = "many"
    done = judge("validate", tree)
    assert done.returncode == 2, done.stdout + done.stderr
    said = words(done)
    assert "4 problems in the inventory. Nothing was changed." in said
    assert "- apps.shop.heath_path is unknown; did you mean 'health_path'?" in said
    assert 'version: "1.1" or "1.10".' in said
    assert "did you mean 'nginx_sites'?" in said
    assert (
        "nginx_log_days is the text 'many'; write a whole number: nginx_log_days: 14. (on p1)"
        in said
    )
    assert unreached(done), done.stdout


def test_validate_ends_well_where_nothing_is_wrong(judge: Judge) -> None:
    done = judge("validate", inventory({"shop": {"version": "1.1"}}))
    assert done.returncode == 0, done.stdout + done.stderr
    assert unreached(done), done.stdout


@pytest.mark.parametrize("playbook", ["validate", "site", "deploy", "rollback", "status"])
def test_an_inventory_without_hosts_is_not_valid(judge: Judge, playbook: str) -> None:
    """As where it was forgotten, or its name is misspelled: a run that does nothing must not look like success."""
    done = judge(playbook, {"all": {"vars": {"apps": {}}}})
    assert done.returncode == 2, done.stdout + done.stderr
    assert "The inventory has no hosts; name it with -i" in words(done)


@pytest.mark.parametrize("playbook", ["index", "monitoring", "proxy", "status", "unlock"])
def test_an_unknown_key_is_refused_by_every_playbook_that_takes_apps(
    judge: Judge, playbook: str
) -> None:
    """Which these are: tests/unit/test_app_specification.py."""
    apps = {"shop": {"version": "1.0", "heath_path": "/"}}
    groups = {"app": ["a1"], "index": ["i1"], "munin": ["m1"]}
    done = judge(playbook, inventory(apps, **groups), "-e", "app=shop")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "apps.shop.heath_path is unknown; did you mean 'health_path'?" in words(done)
    assert unreached(done), done.stdout


def test_an_app_is_unlocked_whatever_else_is_wrong(judge: Judge) -> None:
    """In an emergency only what the run needs is looked at, and no value is resolved."""
    apps = {"shop": {"version": 1.1, "env": {"A": "{{ vault_a }}"}}, "wiki": {"kep": 1}}
    done = judge("unlock", inventory(apps), "-e", "app=shop")
    assert "problem" not in done.stdout
    assert not unreached(done), done.stdout
    assert "apps.wiki.kep is unknown" in words(judge("unlock", inventory(apps), "-e", "app=wiki"))


@pytest.mark.parametrize(
    ("groups", "last", "problem"),
    [
        ({"app": ["a1"]}, "Install the publish tools", "Not a directory"),
        ({"app": ["a1"], "index": ["i1"]}, "Log in to the index with read access", "failed=1"),
    ],
)
def test_publish_works_on_the_controller_wherever_the_index_is(
    judge: Judge, groups: dict[str, list[str]], last: str, problem: str, tmp_path: pathlib.Path
) -> None:
    """It gets as far as its first tool, for which there is no room here, or to an index that there is not."""
    tree = inventory({"shop": {"version": "1.0", "source": str(tmp_path)}}, **groups)
    (tmp_path / "file").touch()
    tree["all"]["vars"] |= {
        "index_publisher": {"user": "company", "password": "canary"},
        "publish_tools_directory": str(tmp_path / "file" / "tools"),
    }
    done = judge("publish", tree, "-e", "app=shop")
    assert done.returncode == 2, done.stdout + done.stderr
    assert last in done.stdout
    assert problem in done.stdout
    assert "no hosts matched" not in done.stdout
    assert unreached(done), done.stdout


@pytest.mark.parametrize(
    ("said", "arguments", "problem"),
    [
        ({"version": 1.1}, ["-e", "app=shop"], 'version: "1.1" or "1.10". Nothing was changed.'),
        ({"version": "1.0"}, ["-e", "app=shop"], "does not say index_publisher for localhost;"),
        ({"version": "1.0"}, ["-e", "app=shop", "--limit=a1"], "which --limit a1 leaves out;"),
    ],
)
def test_what_publish_needs(
    judge: Judge, said: dict[str, Any], arguments: list[str], problem: str
) -> None:
    done = judge("publish", inventory({"shop": {"source": "shop", **said}}), *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert problem in words(done)


@pytest.mark.parametrize(
    ("playbook", "arguments", "place"),
    [("backup", [], "index[0]"), ("restore", ["-e", "index_host=typo"], "typo")],
)
def test_without_an_index_there_is_nothing_to_back_up(
    judge: Judge, playbook: str, arguments: list[str], place: str
) -> None:
    done = judge(playbook, inventory({}), *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert f"The inventory has no host {place}" in words(done)


@pytest.mark.parametrize(
    ("playbook", "arguments"),
    [
        ("deploy", ["-e", "app=bot", "--limit=a1"]),
        ("deploy", ["--limit=p1"]),
    ],
)
def test_a_run_that_reaches_no_host_of_the_app_does_not_end_well(
    judge: Judge, playbook: str, arguments: list[str]
) -> None:
    done = judge(playbook, inventory({"bot": {**BOT, "hosts": "a2"}}), *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "runs on a2, and the run is limited to" in words(done)
    assert unreached(done), done.stdout


def test_status_lists_an_app_that_names_its_host(judge: Judge) -> None:
    """Each host is asked for its own apps, and cannot be reached."""
    done = judge("status", inventory({"bot": {**BOT, "hosts": "a2"}}), "-e", "app=bot")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "skipping: [a2] => (item=bot)" in done.stdout
    assert "skipping: [a1] => (item=bot)" not in done.stdout
    assert not unreached(done)


def test_an_app_without_a_web_part_is_nothing_to_the_proxies(judge: Judge) -> None:
    """Where there is one with a web part, its hosts are asked for their certificates."""
    last = "--start-at-task=Read the CA certificate of each app host"
    apps = {"bot": BOT, "cron": {"version": "1.0", "formation": {"beat": 1}}}
    done = judge("proxy", inventory(apps), last)
    assert done.returncode == 0, done.stdout + done.stderr
    assert unreached(done), done.stdout
    done = judge("proxy", inventory({**apps, "least": {"version": "1.0"}}), last)
    assert "UNREACHABLE" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["example", "demo"])
def test_the_inventories_that_we_ship_are_without_fault(name: str, tmp_path: pathlib.Path) -> None:
    """With files and secrets, which are the reader's to provide, the preflight gets to the hosts."""
    place = tmp_path / name
    shutil.copytree(ROOT / "inventories" / name, place)
    arguments = [f"--inventory={place}"]
    if name == "example":
        texts = "".join(path.read_text() for path in place.rglob("*.yml"))
        files = set(re.findall(r"inventory_dir ~ '/(files/[^']+)'", texts))
        assert files
        (place / "files").mkdir()
        for file in files:
            (place / file).write_text("PEM")
        secrets = dict.fromkeys(re.findall(r"\bvault_\w+", texts), "secret")
        (place / "group_vars" / "all" / "vault.yml").write_text(yaml.safe_dump(secrets))
    else:
        hosts = {name: {"ansible_host": "192.0.2.1"} for name in DEMO}
        more = tmp_path / "hosts.yml"
        more.write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
        arguments += [f"--inventory={more}", "--extra-vars", f"demo_state={tmp_path / 'state'}"]
    done = play(tmp_path, "preflight", *arguments)
    assert "TASK [Gather facts of the host]" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 4, done.stdout + done.stderr
