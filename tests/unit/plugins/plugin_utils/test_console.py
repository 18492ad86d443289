# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the program twelvefactor calls ssh, by an ssh that only says how it was called."""

from __future__ import annotations

import json
import os
import pathlib
import shlex
import subprocess
import sys
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.plugin_utils.console import (
    exit_code,
    status_command,
)

ROOT = pathlib.Path(__file__).resolve().parents[4]
SSH = """#!{python}
import json, sys
given = sys.stdin.readline() if {reads} else ""
print(json.dumps(["access", json.dumps(sys.argv[1:]) + given, None]))
sys.exit(7)
"""
HOSTS = {
    "a": {
        "ansible_host": "192.0.2.1",
        "ansible_port": "{{ 2000 + 222 }}",
        "ansible_user": "joe",
        "ansible_ssh_private_key_file": "/keys/joe",
        "ansible_ssh_common_args": "-o ProxyJump=door",
    },
    "b": {},
}


@pytest.fixture
def call(tmp_path: pathlib.Path) -> Any:
    def run(*arguments: str, reads: bool = False, hosts: Any = None, **settings: Any) -> Any:
        ssh = tmp_path / "ssh"
        ssh.write_text(SSH.format(python=sys.executable, reads=reads))
        ssh.chmod(0o700)
        variables = {
            "apps": {"shop": {"domains": "{{ undefined_here }}"}, "blog": {"hosts": "blogs"}},
            "ansible_ssh_executable": str(ssh),
        } | settings
        groups = {
            "app": {"hosts": HOSTS if hosts is None else hosts},
            "blogs": {"hosts": {"b": {}}},
        }
        inventory = {"all": {"children": groups, "vars": variables}}
        (tmp_path / "hosts.json").write_text(json.dumps(inventory))
        (tmp_path / "ansible.cfg").touch()
        verb, *rest = arguments
        return subprocess.run(
            [
                str(ROOT / "scripts" / "twelvefactor"),
                verb,
                "-i",
                str(tmp_path / "hosts.json"),
                *rest,
            ],
            check=False,
            env=os.environ
            | {
                "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
                "ANSIBLE_HOME": str(tmp_path / "home"),
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "collections"),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def words(done: Any) -> list[str]:
    """The arguments of ssh."""
    _source, text, _at = json.loads(done.stdout)
    found: list[str] = json.loads(text)
    return found


def test_ssh_gets_the_settings_that_ansible_has_for_the_host(call: Any) -> None:
    done = call("shell", "shop", "--", "python", "-c", "print('a b')", ansible_become=True)
    assert (done.returncode, done.stderr) == (7, "")
    *options, host, remote = words(done)
    text = " ".join(options)
    for option in (
        "Port=2222",
        'User="joe"',
        'IdentityFile="/keys/joe"',
        "ProxyJump=door",
        "ControlPersist=60s",
    ):
        assert option in text
    assert "-T" in options
    assert host == "192.0.2.1"
    sudo, command = remote.split(" -c ", 1)
    assert sudo.split()[0] == "sudo"
    assert "-u root" in sudo
    assert "BECOME-SUCCESS" not in command
    assert shlex.split(shlex.split(command)[0]) == [
        "/usr/local/sbin/app-exec",
        "shop",
        "/srv/shop/current/bin/run",
        "python",
        "-c",
        "print('a b')",
    ]


def test_without_become_and_settings(call: Any) -> None:
    *options, host, remote = words(call("shell", "shop", "b"))
    assert host == "b"
    assert "Port" not in " ".join(options)
    assert remote == "/usr/local/sbin/app-exec shop /srv/shop/current/bin/run sh"


def test_an_app_runs_on_its_own_hosts(call: Any) -> None:
    assert words(call("shell", "blog"))[-2] == "b"
    done = call("shell", "blog", "a")
    assert "blog does not run on a; it runs on b" in done.stderr


def test_sudo_gets_the_password_that_ansible_has(call: Any) -> None:
    settings = {"ansible_become": True, "ansible_become_pass": "open-sesame"}
    done = call("logs", "blog", reads=True, **settings)
    assert done.returncode == 2
    # to its standard input, and nowhere else
    assert done.stdout.count("open-sesame") == 1
    assert '"]open-sesame' in done.stdout
    assert "b: ssh ended with 7" in done.stderr
    assert "run this in a terminal" in call("shell", "blog", **settings).stderr


@pytest.mark.parametrize(
    ("failed", "code"), [([], 0), ([1], 2), ([-9], 2), ([255], 4), ([1, 255], 4), ([127, 1], 2)]
)
def test_logs_ends_as_a_playbook_does(failed: list[int], code: int) -> None:
    assert exit_code(failed) == code


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("status", ""),
        ("status -i hosts.yml --watch 3 --app shop", "-i hosts.yml -e app=shop"),
        ("status --watch --app=shop -K", "-K -e app=shop"),
        (
            "-v status --limit app1 --vault-id dev@pass -u ops",
            "-v --limit app1 --vault-id dev@pass -u ops",
        ),
    ],
)
def test_the_playbook_status_gets_the_options(given: str, expected: str) -> None:
    made = status_command(["twelvefactor", *given.split()])
    assert made == ["ansible-playbook", "twelvefactor.deploy.status", *expected.split()]


@pytest.mark.parametrize(
    ("arguments", "settings", "says"),
    [
        (["logs", "wiki"], {}, "The inventory has no app wiki; it has shop, blog"),
        (["logs", "shop", "--status", "6xx"], {}, "6xx is not a status"),
        (["logs", "shop", "--", "ls"], {}, "logs takes no command"),
        (["logs", "shop"], {"ansible_connection": "docker"}, "the connection is docker"),
        (["logs", "shop"], {"ansible_password": "x"}, "ssh has to log in without a password here"),
        (["logs", "shop"], {"hosts": {}}, "shop has no hosts"),
        (["status", "--watch", "soon"], {}, "argument --watch"),
    ],
)
def test_what_is_refused(call: Any, arguments: list[str], settings: Any, says: str) -> None:
    done = call(*arguments, **settings)
    assert done.returncode != 0
    assert says in " ".join(done.stderr.split()), done.stderr
    assert "Traceback" not in done.stderr
