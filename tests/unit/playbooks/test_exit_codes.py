# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks that go on without a host say so by their exit code, after they have shown the others."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
PLAYBOOKS = ROOT / "playbooks"
LOST = {"ansible_host": "127.0.0.1", "ansible_port": 1}
# it can be reached, and no module runs there
BROKEN = {"ansible_connection": "local", "ansible_python_interpreter": "/bin/false"}
HERE = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}


@pytest.fixture
def play(tmp_path: pathlib.Path) -> Any:
    def run(name: str, hosts: dict[str, Any], *arguments: str, **more: Any) -> Any:
        inventory = {"app": {"hosts": hosts, "vars": {"apps": {"wiki": {"domains": ["a.test"]}}}}}
        (tmp_path / "hosts.json").write_text(json.dumps(inventory | more), "utf-8")
        return subprocess.run(
            [
                "ansible-playbook",
                f"--inventory={tmp_path / 'hosts.json'}",
                f"twelvefactor.deploy.{name}",
                *arguments,
            ],
            check=False,
            cwd=tmp_path,
            env=os.environ
            | {
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "collections"),
                "ANSIBLE_STDOUT_CALLBACK": "twelvefactor.deploy.plain",
                "ANSIBLE_STRATEGY": "linear",
            },
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


@pytest.mark.parametrize(
    ("hosts", "code", "error"),
    [
        ({"a": HERE, "b": LOST}, 4, "b: unreachable: "),
        ({"a": LOST, "b": LOST}, 4, "a: unreachable: "),
        ({"a": HERE, "b": BROKEN}, 2, "b: failed: b could not answer: "),
        ({"a": HERE}, 0, ""),
    ],
)
def test_what_status_ends_with(play: Any, hosts: Any, code: int, error: str) -> None:
    done = play("status", hosts, "-e", "output=json")
    assert done.returncode == code, done.stdout + done.stderr
    assert error in done.stderr
    document = json.loads(done.stdout)
    assert {*document["unreachable"], *document["failed"]} == {
        host for host in hosts if hosts[host] is not HERE
    }


def test_a_load_balancer_that_cannot_be_reached_is_named(play: Any) -> None:
    done = play("status", {"a": HERE}, proxy={"hosts": {"p": LOST}})
    assert done.returncode == 4, done.stdout + done.stderr
    assert "p     " in done.stdout
    assert "Connection refused" in done.stdout


@pytest.mark.parametrize("name", ["audit", "logs", "report"])
def test_so_do_the_others(play: Any, name: str) -> None:
    done = play(name, {"a": HERE, "b": LOST})
    assert done.returncode == 4, done.stdout + done.stderr
    assert "b: unreachable: " in done.stderr


@pytest.mark.parametrize(
    ("app", "code"), [("wiki", 0), ("shop", 4)], ids=["not-of-the-app", "of-the-app"]
)
@pytest.mark.parametrize("name", ["audit", "logs", "report", "status"])
def test_of_one_app_the_hosts_that_run_it_count(play: Any, name: str, app: str, code: int) -> None:
    apps = {"wiki": {"hosts": "a"}, "shop": {"hosts": "b"}}
    more = {"app": {"hosts": {"a": HERE, "b": LOST}}, "proxy": {"hosts": {"balancer": LOST}}}
    done = play(name, {}, "-e", f"app={app}", **more, all={"vars": {"apps": apps}})
    # the page tells what the proxies answered of the app, and every proxy is in front of every app
    asks_proxies = name == "report"
    assert done.returncode == (4 if asks_proxies else code), done.stdout + done.stderr
    assert ("b: unreachable: " in done.stderr) is bool(code)
    # nor is one shown that was not asked
    assert ("balancer" in done.stderr + done.stdout) is asks_proxies


def test_a_report_that_would_not_be_written_fails(play: Any, tmp_path: pathlib.Path) -> None:
    done = play("report", {"a": HERE}, "--limit=p", proxy={"hosts": {"p": HERE}})
    assert done.returncode == 2, done.stdout + done.stderr
    assert "has none of a, see --limit. No page was written." in done.stderr
    assert not (tmp_path / "report.html").exists()


def test_each_that_goes_on_without_a_host_asks_in_the_end() -> None:
    for path in sorted(PLAYBOOKS.glob("*.yml")):
        plays = yaml.safe_load(path.read_text("utf-8"))
        if any(play.get("ignore_unreachable") for play in plays):
            [task] = plays[-1]["tasks"]
            assert task["ansible.builtin.import_tasks"] == "tasks/require_answers.yml", path
