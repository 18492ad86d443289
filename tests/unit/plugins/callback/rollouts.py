# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of the collection whose modules only say what the real ones say, and playbooks for it."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[4]
# Says what a test wants it to say, after as long; `answers` is by host. Without AnsibleModule, which would be packed for
# every run and imported for every task.
MODULE = """#!/usr/bin/python
# WANT_JSON
import json, pathlib, sys, time

arguments = json.loads(pathlib.Path(sys.argv[1]).read_text())
time.sleep(float(arguments.get("seconds") or 0))
print(json.dumps({"changed": False} | (arguments.get("answer") or {})))
"""
MODULES = ("deploy_info", "deploy_lock", "release", "graceful_reload")


def overlay(root: pathlib.Path) -> pathlib.Path:
    """Collections with a twelvefactor.deploy that changes nothing."""
    collection = root / "collections" / "ansible_collections" / "twelvefactor" / "deploy"
    (collection / "plugins" / "modules").mkdir(parents=True)
    for name in ("callback", "module_utils", "plugin_utils"):
        shutil.copytree(ROOT / "plugins" / name, collection / "plugins" / name)
    for name in ("meta", "galaxy.yml"):
        (collection / name).symlink_to(ROOT / name)
    for name in MODULES:
        (collection / "plugins" / "modules" / f"{name}.py").write_text(MODULE)
    write(collection / "roles" / "rollout" / "tasks" / "deploy.yml", ROLLOUT)
    write(collection / "roles" / "app" / "tasks" / "migrate.yml", MIGRATE)
    write(collection / "roles" / "app" / "tasks" / "command.yml", COMMAND)
    write(collection / "playbooks" / "deploy.yml", [CHECK, DEPLOY])
    return root / "collections"


def write(path: pathlib.Path, document: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


def task(module: str, variable: str, **more: Any) -> dict[str, Any]:
    """A task of a module that says what the host's variable holds, after as many seconds as that says."""
    arguments = {
        "answer": f"{{{{ {variable} }}}}",
        "seconds": "{{ pace | default(0) }}",
        **more.pop("arguments", {}),
    }
    return {
        "name": f"Something that is called otherwise tomorrow: {module}",
        f"twelvefactor.deploy.{module}": arguments,
        **more,
    }


COMMAND = [
    {
        "name": "Run it",
        "ansible.builtin.command": {"argv": ["/usr/bin/env", "sh", "-c", "{{ app_command }}"]},
    }
]
MIGRATE = [
    {
        "name": "Migrate",
        "ansible.builtin.include_role": {
            "name": "twelvefactor.deploy.app",
            "tasks_from": "command",
        },
        "vars": {"app_command": "{{ migration }}"},
        "when": "inventory_hostname == ansible_play_hosts_all | first",
    }
]
ROLLOUT: list[dict[str, Any]] = [
    {
        "name": "Ask",
        "when": "inspect is defined",
        "block": [task("deploy_info", "inspect")],
        "rescue": [{"name": "Keep", "ansible.builtin.set_fact": {"__unknown": True}}],
    },
    task(
        "deploy_lock",
        "lock",
        arguments={"app": "{{ rollout_app }}", "reason": "deploy 1.5.0"},
        failed_when=False,
        register="__lock",
    ),
    {
        "name": "Step",
        "when": "__lock.held | default(false)",
        "block": [
            task("release", "install"),
            {
                "name": "Migrate",
                "ansible.builtin.include_role": {
                    "name": "twelvefactor.deploy.app",
                    "tasks_from": "migrate",
                },
            },
            task("deploy_lock", "lock", arguments={"app": "{{ rollout_app }}", "renew": True}),
            task("graceful_reload", "switch"),
        ],
        "rescue": [{"name": "Keep", "ansible.builtin.set_fact": {"__wrong": True}}],
    },
    task("deploy_lock", "unlock", arguments={"app": "{{ rollout_app }}", "state": "absent"}),
    {
        "name": "Fail",
        "ansible.builtin.fail": {"msg": "{{ verdict }}"},
        "when": "verdict is defined",
    },
]
CHECK = {
    "name": "Check",
    "hosts": "all",
    "gather_facts": False,
    "tasks": [
        {
            "name": "Check the inventory",
            "ansible.builtin.assert": {"that": "not wrong | default(false)", "fail_msg": "wrong"},
        }
    ],
}
DEPLOY = {
    "name": "Deploy",
    "hosts": "all",
    "gather_facts": False,
    "tasks": [
        {
            "name": "Roll out",
            "ansible.builtin.include_role": {
                "name": "twelvefactor.deploy.rollout",
                "tasks_from": "deploy",
            },
            "vars": {"rollout_app": "shop"},
        }
    ],
}

NEW, OLD = "1.5.0-3f2a9c01", "1.4.0-90b1c2d3"
GOOD: dict[str, Any] = {
    "lock": {"held": True, "owner": "joe@build1", "reason": "deploy 1.5.0", "generation": 4},
    "unlock": {"held": False, "released": {"owner": "joe@build1"}},
    "install": {
        "changed": True,
        "release": NEW,
        "current": OLD,
        "processes": {"web": "gunicorn shop.wsgi", "release": "python -m shop.migrate"},
    },
    "migration": "echo applied 0002_orders",
    "switch": {
        "changed": True,
        "release": NEW,
        "previous": OLD,
        "formation": {"web": 1, "worker": 2},
        "previous_formation": {"web": 1},
        "processes": {
            "web-1": {"release": NEW, "seconds": {"gate": 0.31, "switch": 0.001, "drain": 2.0}},
            "worker-1": {"release": NEW, "seconds": {"gate": 1.5, "switch": 0.002}},
        },
        "seconds": 3.1,
    },
}
REFUSED = (
    f"Release {NEW} of shop does not serve: web-1 ended with exit code 3 while starting. It wrote last:\n"
    "    ModuleNotFoundError: No module named 'flask'\n"
    f"Release {OLD} serves as before."
)
BAD = GOOD | {
    "switch": {
        "failed": True,
        "msg": REFUSED,
        "reason": "web-1 ended with exit code 3 while starting",
        "release": NEW,
        "previous": OLD,
    }
}


def verdict(*hosts: str) -> str:
    problems = [f"{host}: Something that is called otherwise: {REFUSED}" for host in hosts]
    return "\n".join(["The deploy of shop was stopped:", *problems]) + "\n"


def inventory(hosts: Mapping[str, Mapping[str, Any]], **all_hosts: Any) -> dict[str, Any]:
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    return {"all": {"hosts": dict(hosts), "vars": local | all_hosts}}


def environment(collections: pathlib.Path, home: pathlib.Path, **more: str) -> dict[str, str]:
    left = ("NO_COLOR", "GITHUB_ACTIONS", "GITLAB_CI", "ANSIBLE_STDOUT_CALLBACK")
    # which keep modules from run to run, and these bear the names of others
    left += ("ANSIBLE_CALLBACKS_ENABLED", "ANSIBLE_CALLBACK_PLUGINS")
    kept = {name: value for name, value in os.environ.items() if name not in left}
    config = home / "ansible.cfg"
    config.touch()
    return kept | {
        "ANSIBLE_STDOUT_CALLBACK": "twelvefactor.deploy.live",
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_CONFIG": str(config),
        "ANSIBLE_HOME": str(home / "ansible"),
        "ANSIBLE_FORKS": "10",
        **more,
    }


def command(where: pathlib.Path, playbook: str, *arguments: str) -> Sequence[str]:
    return ["ansible-playbook", "-i", str(where / "hosts.json"), playbook, *arguments]
