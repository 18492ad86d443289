# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role nginx writes hashes of passwords, and prints none, however much Ansible tells."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
HASH = "$2b$12$hash-of-a-password"


def test_hashes_are_written_and_not_printed(tmp_path: pathlib.Path) -> None:
    tasks = yaml.safe_load((ROOT / "roles/nginx/tasks/passwords.yml").read_text("utf-8"))
    [write] = [task for task in tasks if "ansible.builtin.copy" in task]
    copy = write["ansible.builtin.copy"]
    copy["dest"] = copy["dest"].replace("/etc/nginx/htpasswd", str(tmp_path))
    for of_root in ("owner", "group"):
        del copy[of_root]
    given = {
        "__nginx_complete_sites": [
            {"name": "open", "auth_basic_users": {}},
            {"name": "shop", "auth_basic_users": {"joe": HASH}},
        ],
        "__nginx_protected": ["shop"],
        "ansible_python_interpreter": sys.executable,
    }
    play = {"hosts": "localhost", "gather_facts": False, "vars": given, "tasks": [write]}
    (tmp_path / "play.yml").write_text(json.dumps([play]), "utf-8")
    done = subprocess.run(
        [
            "ansible-playbook",
            "-vvv",
            "--diff",
            "--inventory=localhost,",
            "--connection=local",
            str(tmp_path / "play.yml"),
        ],
        check=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (tmp_path / "shop").read_text("utf-8") == f"joe:{HASH}\n"
    assert not (tmp_path / "open").exists()
    assert HASH not in done.stdout + done.stderr
