# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook audit with made answers of hosts: what it compares them with, writes, and fails of."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
CANARY = "canary-in-a-coal-mine"
STUB = """\
#!/usr/bin/python
# WANT_JSON
import json
print(json.dumps({"changed": False, "facts": {
    "state": "serving", "current": "2.0-bbbbbbbb", "formation": {"web": 1}, "drift": [],
    "release": {"id": "2.0-bbbbbbbb", "version": "2.0"}, "config": {"names": ["TOKEN"]},
}}))
"""

BROKEN = """\
#!/usr/bin/python
# WANT_JSON
import json
print(json.dumps({"failed": True, "msg": "no proc"}))
"""
OTHERS = """\
#!/usr/bin/python
# WANT_JSON
print('{"changed": false}')
"""


@pytest.fixture
def audit(tmp_path: pathlib.Path) -> Any:
    """Run the playbook for two apps, the second of which is not as the inventory has it."""
    place = tmp_path / "ansible_collections" / "twelvefactor" / "deploy"
    (place / "plugins" / "modules").mkdir(parents=True)
    for name in ("galaxy.yml", "meta", "playbooks", "roles"):
        (place / name).symlink_to(ROOT / name)
    for path in (ROOT / "plugins").iterdir():
        if path.name != "modules":
            (place / "plugins" / path.name).symlink_to(path)
    apps = {
        "shop": {"version": "2.0", "env": {"TOKEN": "{{ token }}"}, "domains": ["shop.test"]},
        "blog": {"env": {"OTHER": "x"}, "formation": {"web": 2}, "domains": ["blog.test"]},
    }
    inventory = {
        "app": {
            "hosts": {"app1": {}, "app2": {}},
            "vars": {
                "apps": apps,
                "token": CANARY,
                "ansible_connection": "local",
                "ansible_python_interpreter": sys.executable,
            },
        }
    }
    (tmp_path / "hosts.json").write_text(json.dumps(inventory), "utf-8")

    def run(
        *arguments: str, playbook: str = "audit", stub: str = STUB
    ) -> subprocess.CompletedProcess[str]:
        (place / "plugins" / "modules" / "audit_info.py").write_text(stub, "utf-8")
        done = subprocess.run(
            [
                "ansible-playbook",
                f"--inventory={tmp_path / 'hosts.json'}",
                f"twelvefactor.deploy.{playbook}",
                *arguments,
            ],
            check=False,
            cwd=tmp_path,
            env=os.environ
            | {
                "ANSIBLE_COLLECTIONS_PATH": f"{tmp_path}:{ROOT / 'build' / 'collections'}",
                "ANSIBLE_STDOUT_CALLBACK": "twelvefactor.deploy.plain",
                "ANSIBLE_STRATEGY": "linear",
            },
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert CANARY not in done.stdout + done.stderr
        return done

    return run


def test_what_the_inventory_says_is_compared_and_a_strict_audit_fails(
    audit: Any, tmp_path: pathlib.Path
) -> None:
    done = audit("-e", "audit_strict=true", "-e", "audit_to=audit.json", "-e", "output=json")
    assert done.returncode == 2
    assert "blog, concurrency: web 1 instead of web 2" in done.stderr
    document = json.loads((tmp_path / "audit.json").read_text("utf-8"))
    assert document == json.loads(done.stdout)
    assert (tmp_path / "audit.json").stat().st_mode & 0o777 == 0o600
    found = {
        app: {each["factor"]: (each["verdict"], each["evidence"]) for each in factors}
        for app, factors in document["apps"].items()
    }
    assert found["shop"]["concurrency"] == ("ok", "web 1, as declared")
    assert found["shop"]["dev/prod parity"][0] == "ok"
    assert found["blog"]["dev/prod parity"] == (
        "finding",
        "variables not deployed: OTHER; variables not in the inventory: TOKEN",
    )


def test_findings_alone_do_not_fail_and_check_mode_writes_nothing(
    audit: Any, tmp_path: pathlib.Path
) -> None:
    done = audit("--check", "-e", "audit_to=audit.json", "-e", "app=blog", "-e", "version=1.0")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "audit.json").exists()
    assert "version 2.0 instead of 1.0" in done.stdout
    assert "shop" not in done.stdout


@pytest.mark.parametrize("playbook", ["audit", "report"])
@pytest.mark.parametrize(("stub", "code"), [(STUB, 0), (BROKEN, 2)], ids=["well", "broken"])
def test_an_app_that_could_not_be_looked_at_is_in_the_exit_code(
    audit: Any, tmp_path: pathlib.Path, playbook: str, stub: str, code: int
) -> None:
    """After all others were shown: its factors are unknown, which alone is no failure."""
    modules = tmp_path / "ansible_collections" / "twelvefactor" / "deploy" / "plugins" / "modules"
    for name in ("release_info", "log_summary"):
        (modules / f"{name}.py").write_text(OTHERS, "utf-8")
    done = audit("-e", "report_output=page.html", playbook=playbook, stub=stub)
    assert done.returncode == code, done.stdout + done.stderr
    assert ("app1: failed: app1 could not answer: no proc" in done.stderr) is bool(code)
    if playbook == "report":
        assert (tmp_path / "page.html").exists()
