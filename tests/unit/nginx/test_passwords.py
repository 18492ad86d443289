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
from unit.nginx.configuration import evaluate

ROOT = pathlib.Path(__file__).resolve().parents[3]
HASH = "$2b$12$hash-of-a-password"
USERS = {"joe": HASH, "ann": "$2b$12$another"}


def test_a_line_for_each_user_of_a_protected_site() -> None:
    sites = [
        {"name": "open", "domains": ["open.test"]},
        {"name": "shop", "domains": ["shop.test"], "auth_basic_users": USERS},
    ]
    files = evaluate("nginx", "{{ __nginx_password_files }}", nginx_sites=sites)
    assert files == {"htpasswd/shop": f"joe:{HASH}\nann:$2b$12$another\n"}
    # which an earlier version of the role may have written, and no set knows of
    unwanted = evaluate("nginx", "{{ __nginx_unwanted_password_files }}", nginx_sites=sites)
    assert unwanted == ["htpasswd/open"]


def test_a_site_that_loses_its_users_loses_their_hashes() -> None:
    [write] = yaml.safe_load((ROOT / "roles/nginx/tasks/put.yml").read_text("utf-8"))
    absent = write["twelvefactor.deploy.nginx_config"]["absent"]
    assert absent == "{{ __nginx_unwanted_password_files }}"


def test_hashes_are_not_printed(tmp_path: pathlib.Path) -> None:
    """The role's own task, in check mode: it would write them."""
    [write] = yaml.safe_load((ROOT / "roles/nginx/tasks/put.yml").read_text("utf-8"))
    options = write["twelvefactor.deploy.nginx_config"]
    given = {
        "nginx_sites_set": "shop",
        "__nginx_password_files": {"htpasswd/shop": f"joe:{HASH}\n"},
        "ansible_python_interpreter": sys.executable,
    }
    kept = ("name", "worker_files", "replace")
    write["twelvefactor.deploy.nginx_config"] = {name: options[name] for name in kept}
    play = {"hosts": "localhost", "gather_facts": False, "vars": given, "tasks": [write]}
    (tmp_path / "play.yml").write_text(json.dumps([play]), "utf-8")
    done = subprocess.run(
        [
            "ansible-playbook",
            "-vvv",
            "--check",
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
    assert "+++ after: /etc/nginx/htpasswd/shop (mode 0640)" in done.stdout
    assert HASH not in done.stdout + done.stderr
