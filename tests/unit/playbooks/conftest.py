# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks of a rollout over three hosts, whose modules answer what a test says."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
HOSTS = ("a1", "a2", "a3")
OLD, NEW = "1.0-aaaaaaaa", "2.0-bbbbbbbb"

# Of several answers it gives the first whose arguments it was called with; null: that one was not given.
STUB = """\
#!/usr/bin/python
# WANT_JSON
import json, pathlib, sys
answers = json.loads(pathlib.Path({answers!r}).read_text())[{name!r}]
given = json.loads(pathlib.Path(sys.argv[1]).read_text())
if isinstance(answers, list):
    answers = next(a for wanted, a in answers if all(given.get(k) == v for k, v in wanted.items()))
with open({calls!r}, "a") as file:
    file.write(json.dumps([{name!r}, {{k: v for k, v in given.items() if k[:8] != "_ansible"}}]) + "\\n")
print(json.dumps({{"changed": False}} | answers))
"""
ANSWERS: dict[str, dict[str, Any]] = {
    "deploy_info": {
        "pending": [],
        "clock": time.time(),
        "free": 2**40,
        "nginx": "active",
        "release": NEW,
        "current": NEW,
    },
    "deploy_lock": {"held": True, "owner": "joe@build1", "generation": 3},
    "release": {
        "changed": True,
        "release": NEW,
        "path": f"/srv/shop/releases/{NEW}",
        "current": OLD,
        "processes": {"web": "x"},
    },
    "graceful_reload": {
        "changed": True,
        "release": NEW,
        "previous": OLD,
        "formation": {"web": 1},
        "previous_formation": {"web": 1},
        "seconds": 3,
    },
    "release_info": {
        "current": NEW,
        "drift": [],
        "releases": [{"id": NEW}],
        "rollback_targets": [NEW],
    },
    "release_gate": {"outcome": "good", "reason": ""},
    "response_counts": {"requests": 0, "server_errors": 0, "routes": {}},
    "static_files": {"changed": True},
}


@pytest.fixture
def collection(tmp_path: pathlib.Path) -> pathlib.Path:
    """This one, with modules of a rollout that answer what the file says."""
    place = tmp_path / "ansible_collections" / "twelvefactor" / "deploy"
    (place / "plugins" / "modules").mkdir(parents=True)
    for name in ("galaxy.yml", "meta", "playbooks", "roles"):
        (place / name).symlink_to(ROOT / name)
    for path in (ROOT / "plugins").iterdir():
        if path.name != "modules":
            (place / "plugins" / path.name).symlink_to(path)
    answers, calls = str(tmp_path / "answers.json"), str(tmp_path / "calls.jsonl")
    for name in ANSWERS:
        text = STUB.format(answers=answers, calls=calls, name=name)
        (place / "plugins" / "modules" / f"{name}.py").write_text(text, "utf-8")
    return place


@pytest.fixture
def rollout(tmp_path: pathlib.Path, collection: pathlib.Path) -> Callable[..., Any]:
    """Run a playbook for the app shop; ``answers`` of modules change or take the place of the usual ones.

    What each module was called with is in ``calls.jsonl`` afterwards, how many there were in ``counts.json``.
    """

    def run(
        name: str, answers: dict[str, Any], settings: dict[str, Any], *arguments: str
    ) -> subprocess.CompletedProcess[str]:
        inventory = {
            "app": {
                "hosts": {host: {} for host in HOSTS},
                "vars": {
                    "apps": {"shop": {"version": "2.0", "domains": ["shop.test"], **settings}},
                    "index_url": "https://index.test",
                    "index_name": "company/prod",
                    "ansible_connection": "local",
                    "ansible_python_interpreter": sys.executable,
                },
            }
        }
        given = {
            module: answers[module]
            if isinstance(answers.get(module), list)
            else usual | answers.get(module, {})
            for module, usual in ANSWERS.items()
        }
        (tmp_path / "answers.json").write_text(json.dumps(given), "utf-8")
        (tmp_path / "hosts.json").write_text(json.dumps(inventory), "utf-8")
        return subprocess.run(
            [
                "ansible-playbook",
                f"--inventory={tmp_path / 'hosts.json'}",
                f"twelvefactor.deploy.{name}",
                "--extra-vars=app=shop deploy_clock_skew=1e9",
                *arguments,
            ],
            check=False,
            cwd=tmp_path,
            env=os.environ
            | {
                "ANSIBLE_COLLECTIONS_PATH": f"{tmp_path}:{ROOT / 'build' / 'collections'}",
                "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests" / "parts" / "callbacks"),
                "ANSIBLE_CALLBACKS_ENABLED": "task_counts",
                "ANSIBLE_STRATEGY": "linear",
                "TASK_COUNTS": str(tmp_path / "counts.json"),
            },
            capture_output=True,
            text=True,
            timeout=600,
        )

    return run
