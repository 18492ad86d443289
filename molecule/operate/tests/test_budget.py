# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbooks run on each host is what tests/task_budgets.json says, with real answers."""

import json
import os
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[3]
NAMES = ["operate-d12", "operate-d13"]
BUDGETS = json.loads((ROOT / "tests" / "task_budgets.json").read_text())


@pytest.fixture
def count(play, tmp_path, monkeypatch):
    """Run a playbook; the tasks whose module ran on each host, and how many others the first one had."""
    monkeypatch.setenv("ANSIBLE_CALLBACK_PLUGINS", str(ROOT / "tests" / "parts" / "callbacks"))
    enabled = os.environ.get("ANSIBLE_CALLBACKS_ENABLED", "").split(",")
    monkeypatch.setenv(
        "ANSIBLE_CALLBACKS_ENABLED", ",".join(filter(None, [*enabled, "task_counts"]))
    )
    monkeypatch.setenv("TASK_COUNTS", str(tmp_path / "counts.json"))

    def run(name, *arguments, **extra):
        play(name, *arguments, app="greeter", **extra)
        counts = json.loads((tmp_path / "counts.json").read_text())
        return [counts[host]["modules"] for host in NAMES], counts[NAMES[0]]["controller"]

    return run


def held(what, modules, controller):
    budget = BUDGETS[what]
    assert [len(names) for names in modules] == budget["modules"], (what, modules)
    assert controller <= budget["controller"], what


def test_budgets(count, play, status):
    """They follow each other: a release, the one before, and the first one again."""
    play("deploy", app="greeter")
    before = status()["hosts"]
    held("deploy, nothing to do", *count("deploy"))
    held("deploy, nothing to do", *count("deploy", "--check"))
    assert status()["hosts"]["operate-d12"]["records"] == before["operate-d12"]["records"]
    held("deploy of a change", *count("deploy", greeting="counted"))
    held("rollback", *count("rollback"))
    held("status of one app", *count("status"))
    assert status()["releases"].keys() == {before["operate-d12"]["current"]}


def test_what_differs_on_one_host_is_found(play):
    play("drift.yml")
