# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many tasks the playbooks of a rollout have is held by tests/task_budgets.json: exactly so many modules on hosts.

Modules answer here what the cases say; that they answer so on real hosts is for the scenario operate.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import time
from typing import Any

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUDGETS = json.loads((ROOT / "tests" / "task_budgets.json").read_text("utf-8"))
HOSTS = ("a1", "a2", "a3")
OLD, NEW = "1.0-aaaaaaaa", "2.0-bbbbbbbb"

STUB = """\
#!/usr/bin/python
# WANT_JSON
import json, pathlib, sys
answers = json.loads(pathlib.Path({answers!r}).read_text())
print(json.dumps({{"changed": False}} | answers[{name!r}]))
"""

READY = {
    "pending": [],
    "clock": time.time(),
    "free": 2**40,
    "nginx": "active",
    "release": NEW,
    "current": NEW,
}
ANSWERS: dict[str, dict[str, Any]] = {
    "deploy_info": READY,
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
    "static_files": {"changed": True},
}
TO_DO = {"deploy_info": READY | {"pending": ["it is to be installed"], "current": OLD}}


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
    answers = str(tmp_path / "answers.json")
    for name in ANSWERS:
        text = STUB.format(answers=answers, name=name)
        (place / "plugins" / "modules" / f"{name}.py").write_text(text, "utf-8")
    return place


@pytest.fixture
def count(tmp_path: pathlib.Path, collection: pathlib.Path) -> Any:
    """Run a playbook; per host the tasks whose module ran there, and of the first one how many others."""

    def run(
        name: str, answers: dict[str, Any], settings: dict[str, Any], *arguments: str
    ) -> tuple[list[list[str]], int]:
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
        (tmp_path / "answers.json").write_text(json.dumps(ANSWERS | answers), "utf-8")
        (tmp_path / "hosts.json").write_text(json.dumps(inventory), "utf-8")
        done = subprocess.run(
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
        assert done.returncode == 0, done.stdout + done.stderr
        counts = json.loads((tmp_path / "counts.json").read_text("utf-8"))
        return [counts[host]["modules"] for host in HOSTS], counts[HOSTS[0]]["controller"]

    return run


@pytest.mark.parametrize(
    ("what", "name", "answers", "settings", "arguments"),
    [
        ("deploy, nothing to do", "deploy", {}, {}, ()),
        ("deploy, nothing to do", "deploy", {}, {}, ("--check",)),
        ("deploy of a change", "deploy", TO_DO, {}, ()),
        (
            "deploy of a change, with static files",
            "deploy",
            TO_DO,
            {"static_files": {"static": "static"}},
            (),
        ),
        ("rollback", "rollback", {}, {}, ()),
    ],
)
def test_budget(
    count: Any,
    what: str,
    name: str,
    answers: dict[str, Any],
    settings: dict[str, Any],
    arguments: tuple[str, ...],
) -> None:
    modules, controller = count(name, answers, settings, *arguments)
    first, others = BUDGETS[what]["modules"]
    assert [len(tasks) for tasks in modules] == [first, others, others], modules
    assert controller == BUDGETS[what]["controller"]
