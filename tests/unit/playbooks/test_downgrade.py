# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deploy of the inventory's version does not go back from a newer one that serves."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from typing import Any

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
FILES = [
    "playbooks/vars/apps.yml",
    "playbooks/vars/release.yml",
    "playbooks/vars/rollout.yml",
    "roles/rollout/vars/main.yml",
]
PLAY = {
    "hosts": "all",
    "gather_facts": False,
    "vars_files": [str(ROOT / file) for file in FILES],
    "vars": {
        "rollout_app": "shop",
        "deploy_free_mb": 0,
        "deploy_clock_skew": 3600,
        "app_release": {},
        # the rest of the answer is not what this is about
        "app_pending": {
            "pending": [],
            "clock_off": 0,
            "free": 4096,
            "nginx": "active",
            "current": "{{ serves }}",
        },
    },
    "tasks": [
        {
            "block": [
                {
                    "ansible.builtin.include_tasks": str(
                        ROOT / "roles" / "rollout" / "tasks" / "preflight.yml"
                    )
                }
            ],
            "rescue": [
                {
                    "ansible.builtin.copy": {
                        "content": "{{ ansible_failed_result.msg }}",
                        "dest": "{{ output }}/{{ inventory_hostname }}",
                        "mode": "0600",
                    }
                }
            ],
        }
    ],
}


def serving(release: str | None, **more: Any) -> dict[str, Any]:
    return {"serves": release, **more}


def test_which_deploys_are_refused(tmp_path: pathlib.Path) -> None:
    hosts = {
        "empty": serving(None),
        "older": serving("1.3.9-3f2a9c01"),
        "same": serving("1.4.0-3f2a9c01"),
        "newer": serving("1.5.0-3f2a9c01"),
        "newer-and-meant": serving("1.5.0-3f2a9c01", version="1.4.0"),
        "newer-and-told": serving("1.5.0-3f2a9c01", downgrade="true"),
    }
    apps = {"shop": {"version": "1.4.0", "nginx": False}}
    inventory = {
        "hosts": hosts,
        "vars": {
            "apps": apps,
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "output": str(tmp_path),
        },
    }
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": inventory}), encoding="utf-8")
    (tmp_path / "play.json").write_text(json.dumps([PLAY]), encoding="utf-8")
    done = subprocess.run(
        ["ansible-playbook", f"--inventory={tmp_path / 'hosts.yml'}", str(tmp_path / "play.json")],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    refused = {name: path.read_text() for name in hosts if (path := tmp_path / name).exists()}
    assert list(refused) == ["newer"], refused
    assert refused["newer"] == (
        "1.5.0 serves and the inventory says 1.4.0, which would be a downgrade. To keep 1.5.0, write "
        "version: 1.5.0 into the inventory; to go back, run rollback, or this with "
        "-e downgrade=true"
    )
