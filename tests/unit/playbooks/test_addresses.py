# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the playbooks take the addresses of hosts from."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
# what the preflight asks for first
VARIABLES = {
    "apps": {"shop": {"version": "1.0"}},
    "index_url": "https://index.test",
    "index_name": "company/prod",
}
SHOW = """
- hosts: app
  gather_facts: false
  vars_files: [{vars}/addresses.yml, {vars}/index.yml]
  tasks:
    - ansible.builtin.copy:
        content: "{{{{ {{'proxies': __proxy_addresses, 'replicas': index_replicas}} | to_json }}}}"
        dest: {output}
        mode: "0600"
"""


def play(
    path: pathlib.Path, groups: dict[str, Any], playbook: str
) -> subprocess.CompletedProcess[str]:
    inventory = path / "hosts.yml"
    children = {group: {"hosts": hosts} for group, hosts in groups.items()}
    inventory.write_text(
        yaml.safe_dump({"all": {"children": children, "vars": VARIABLES}}, sort_keys=False),
        encoding="utf-8",
    )
    return subprocess.run(
        [
            "ansible-playbook",
            f"--inventory={inventory}",
            "--connection=local",
            f"--extra-vars=ansible_python_interpreter={sys.executable}",
            playbook,
        ],
        check=False,
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_an_address_is_taken_as_it_is_and_a_name_is_resolved(tmp_path: pathlib.Path) -> None:
    output = tmp_path / "seen.json"
    show = tmp_path / "show.yml"
    show.write_text(SHOW.format(vars=ROOT / "playbooks" / "vars", output=output), encoding="utf-8")
    groups = {
        "app": {"app1.example.org": {}},
        "index": {"index1.example.org": {}, "localhost": {}, "i3": {"ansible_host": "192.0.2.3"}},
        "proxy": {
            "localhost": {},
            "www1.example.org": {"ansible_host": "192.0.2.21"},
            "www2.example.org": {"ansible_host": "2001:db8::22"},
        },
    }
    done = play(tmp_path, groups, str(show))
    assert done.returncode == 0, done.stdout + done.stderr
    seen = json.loads(output.read_text(encoding="utf-8"))
    loopback = {"127.0.0.1", "::1"}
    assert set(seen["proxies"]) - loopback == {"192.0.2.21", "2001:db8::22"}
    assert set(seen["replicas"]) - loopback == {"192.0.2.3"}
    assert set(seen["proxies"]) & loopback == set(seen["replicas"]) & loopback != set()


def test_a_proxy_without_an_address_is_refused_at_once(tmp_path: pathlib.Path) -> None:
    groups = {"app": {"app1.example.org": {}}, "proxy": {"www.example.invalid": {}}}
    done = play(tmp_path, groups, "playbooks/preflight.yml")
    assert done.returncode == 2, done.stdout + done.stderr
    said = " ".join((done.stdout + done.stderr).split())
    assert "Cannot resolve www.example.invalid on the controller" in said
    assert "Set ansible_host of that host to its IP address" in said
    assert "Gather facts of the host" not in said
