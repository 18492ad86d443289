# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is printed with the callback plain, by real playbooks."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest

COLLECTIONS = pathlib.Path(__file__).resolve().parents[4] / "build" / "collections"
INVENTORY = f"""
localhost ansible_connection=local ansible_python_interpreter={sys.executable}
nowhere ansible_host=127.0.0.1 ansible_port=1
"""


@pytest.fixture
def play(tmp_path: pathlib.Path) -> Any:
    def run(*tasks: dict[str, Any], hosts: str = "localhost", **keywords: Any) -> Any:
        play = {"hosts": hosts, "gather_facts": False, "tasks": list(tasks)} | keywords
        (tmp_path / "play.yml").write_text(json.dumps([play]))
        (tmp_path / "inventory").write_text(INVENTORY)
        (tmp_path / "ansible.cfg").touch()
        environment = os.environ | {
            "ANSIBLE_STDOUT_CALLBACK": "twelvefactor.deploy.plain",
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
            "ANSIBLE_HOME": str(tmp_path / "home"),
            "ANSIBLE_FORCE_COLOR": "1",
        }
        command = ["ansible-playbook", "-i", "inventory", "play.yml", "-e", "{'what': 'it'}"]
        return subprocess.run(
            command,
            check=False,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


def debug(message: Any, **keywords: Any) -> dict[str, Any]:
    return {"ansible.builtin.debug": {"msg": message}, **keywords}


def test_messages_and_nothing_else(play: Any) -> None:
    done = play(
        debug("one {{ what }} " + "x" * 200),
        debug(["two", "  three"]),
        debug({"answers": [1, {"a": "é"}]}),
        debug("item {{ item }}", loop=[1, 2]),
        debug("skipped", when=False),
        {"ansible.builtin.command": "echo quiet"},
        {"ansible.builtin.command": "false", "ignore_errors": True},
    )
    assert done.returncode == 0
    *lines, document, one, two = done.stdout.splitlines()
    assert lines == ["one it " + "x" * 200, "two", "  three"]
    assert json.loads(document) == {"answers": [1, {"a": "é"}]}
    assert (one, two) == ("item 1", "item 2")


def test_failures_go_elsewhere(play: Any) -> None:
    done = play(debug("before"), {"ansible.builtin.fail": {"msg": "no {{ item }}"}, "loop": ["a"]})
    assert done.returncode == 2
    assert done.stdout == "before\n"
    assert "localhost: failed: no a" in done.stderr
    assert done.stderr.count("failed:") == 1


def test_unreachable_hosts_are_named(play: Any) -> None:
    ping = {"ansible.builtin.ping": {}}
    done = play(ping, debug("here"), hosts="all")
    assert done.returncode == 4
    assert done.stdout == "here\n"
    assert "nowhere: unreachable: " in done.stderr
    done = play(ping, debug("here", run_once=True), hosts="all", ignore_unreachable=True)
    assert done.returncode == 0
    assert "nowhere: unreachable" not in done.stderr


def test_nothing_acts_on_the_terminal(play: Any) -> None:
    done = play(
        debug("title \x1b]0;x\x07"),
        debug(["a\tb", "\rc"]),
        {"ansible.builtin.fail": {"msg": "no \x1b[2J"}},
    )
    assert done.stdout == "title \\x1b]0;x\\x07\na\tb\n\\rc\n"
    assert "localhost: failed: no \\x1b[2J" in done.stderr
    assert "\x1b[2J" not in done.stderr
