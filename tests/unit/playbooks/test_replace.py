# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook replace makes of the inventory and of what the hosts say."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROOT = pathlib.Path(__file__).resolve().parents[3]
PLAYBOOKS = ROOT / "playbooks"
RELEASE = "1.4.0-3f2a9c01"
SHA256 = "ab" * 32


def evaluate(name: str, **given: Any) -> Any:
    """A variable of vars/replace.yml."""
    loader = DataLoader()
    known = loader.load_from_file(str(PLAYBOOKS / "vars/replace.yml"), trusted_as_template=True)
    known |= given
    return Templar(loader, variables=known).template(known[name])


@pytest.mark.parametrize(
    ("settings", "serves", "wanted"),
    [
        (
            {"version": "1.4.0+g12ab34c", "wheel_sha256": SHA256},
            {"id": "1.4.0_g12ab34c-3f2a9c01", "version": "1.4.0+g12ab34c"},
            {"version": "1.4.0+g12ab34c", "wheel_sha256": SHA256},
        ),
        (
            {"version": "2!1.0", "wheel_sha256": SHA256},
            {"id": "2_1.0-3f2a9c01", "version": "2!1.0"},
            {"version": "2!1.0", "wheel_sha256": SHA256},
        ),
        (
            {"version": "1.5.0", "wheel_sha256": SHA256},
            {"id": "1.4.0-3f2a9c01", "version": "1.4.0"},
            {"version": "1.4.0"},
        ),
        # which the command line has had
        ({}, {"id": "1.4.0-3f2a9c01", "version": "1.4.0"}, {"version": "1.4.0"}),
    ],
)
def test_the_version_that_serves_is_deployed(settings: Any, serves: Any, wanted: Any) -> None:
    found = evaluate(
        "__replace_settings",
        apps={"shop": settings},
        rollout_app="shop",
        __replace_joins={"releases": {"shop": serves}},
    )
    assert found == wanted


def test_a_host_that_hangs_is_not_waited_for() -> None:
    [task] = DataLoader().load_from_file(str(PLAYBOOKS / "tasks/read_releases.yml"))
    assert task["timeout"] == 120


LOST = {"ansible_host": "127.0.0.1", "ansible_port": 1}


@pytest.mark.parametrize(
    ("here", "alive"), [({}, True), (LOST | {"ansible_connection": "ssh"}, False)]
)
def test_one_that_answers_is_not_dead(tmp_path: pathlib.Path, here: Any, alive: bool) -> None:
    known = {
        "apps": {"shop": {"version": "1.4.0", "formation": {"worker": 1}, "nginx": False}},
        "index_url": "https://index.test",
        "index_name": "company/prod",
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
    }
    inventory = {"app": {"hosts": {"a1": here, "a2": {}, "a3": {}}, "vars": known}}
    (tmp_path / "hosts.json").write_text(json.dumps(inventory), "utf-8")
    done = play(tmp_path, "twelvefactor.deploy.replace", "host=a1 with=a2 dead=true")
    assert done.returncode == 2
    said = " ".join(done.stdout.split())
    assert ("a1 answers: leave out -e dead=true" in said) is alive, said
    # or the next check, which finds no release
    assert "Nothing was changed." in said


def play(place: pathlib.Path, playbook: str, variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            "ansible-playbook",
            f"--inventory={place / 'hosts.json'}",
            playbook,
            f"--extra-vars={variables}",
        ],
        check=False,
        cwd=place,
        env=os.environ
        | {
            "ANSIBLE_COLLECTIONS_PATH": f"{place}:{ROOT / 'build' / 'collections'}",
            "ANSIBLE_STRATEGY": "linear",
        },
        capture_output=True,
        text=True,
        timeout=300,
    )


SERVES = {"item": "shop", "current": RELEASE, "releases": [{"id": RELEASE, "version": "1.4.0"}]}
LOCK = {"held": True, "owner": "joe@build1", "generation": 3}
# In the place of the tasks that end processes: they lock the host again, and release it.
RETIRE = """
- twelvefactor.deploy.release_gate:
  register: __maintenance_locks
  when: inventory_hostname == maintenance_host
"""


@pytest.fixture
def end(tmp_path: pathlib.Path, collection: pathlib.Path) -> Any:
    """Run the last play, a1 being replaced by a2; gives what modules were called for, in their order."""
    assert collection.is_dir()
    [*_others, last] = yaml.safe_load((PLAYBOOKS / "replace.yml").read_text("utf-8"))
    place = tmp_path / "playbooks"
    (place / "tasks").mkdir(parents=True)
    (place / "vars").symlink_to(PLAYBOOKS / "vars")
    for path in (PLAYBOOKS / "tasks").iterdir():
        if path.name != "out_of_service.yml":
            (place / "tasks" / path.name).symlink_to(path)
    (place / "tasks" / "out_of_service.yml").write_text(RETIRE, "utf-8")
    (place / "end.yml").write_text(yaml.safe_dump([last]), "utf-8")

    def run(settings: dict[str, Any], **answers: Any) -> tuple[int, list[str]]:
        usual = {"deploy_lock": LOCK, "release_info": SERVES, "release_gate": {}}
        usual |= {"graceful_reload": {"changed": True}}
        (tmp_path / "answers.json").write_text(json.dumps(usual | answers), "utf-8")
        (tmp_path / "calls.jsonl").touch()
        here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        known = here | {
            "apps": {"shop": settings},
            "__replace_read": {"results": [SERVES]},
        }
        inventory = {"app": {"hosts": {"a1": {}, "a2": {}}, "vars": known}}
        (tmp_path / "hosts.json").write_text(json.dumps(inventory), "utf-8")
        done = play(tmp_path, str(place / "end.yml"), "host=a1 with=a2")
        calls = map(json.loads, (tmp_path / "calls.jsonl").read_text().splitlines())
        made = [f"{name} {given.get('state', '')}".strip() for name, given in calls]
        assert "graceful_reload" in made, done.stdout + done.stderr
        return done.returncode, made

    return run


# of the replaced host and of the one that gets the schedules
BEGUN = ["deploy_lock", "deploy_lock", "release_info", "graceful_reload", "deploy_lock absent"]


@pytest.mark.parametrize("schedule", [{"bills": {"at": "03:00", "command": "bill"}}, {}])
def test_the_old_host_is_locked_until_its_apps_have_ended(end: Any, schedule: Any) -> None:
    """Its release may have schedules that the inventory has no more."""
    assert end({"version": "1.4.0", "schedule": schedule}) == (0, [*BEGUN, "release_gate"])


def test_its_lock_is_released_where_the_schedules_could_not_move(end: Any) -> None:
    code, made = end({"version": "1.4.0"}, graceful_reload={"failed": True, "msg": "no"})
    assert (code, made) == (2, [*BEGUN, "deploy_lock absent"])
