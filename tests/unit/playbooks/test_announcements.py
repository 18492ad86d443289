# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others are told of a failed rollout holds no output."""

from __future__ import annotations

import pathlib
import re

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROLE = pathlib.Path(__file__).resolve().parents[3] / "roles" / "rollout"
ASKED = re.compile(r"(if|when:|-) rollout_decided\.problems( \| length [>=]+ 0)?")


def leaks(text: str) -> list[str]:
    """Where problems are told as they are."""
    return [line for line in text.splitlines() if "rollout_decided.problems" in ASKED.sub("", line)]


def test_reasons_only() -> None:
    text = (ROLE / "tasks" / "announce.yml").read_text("utf-8")
    assert text.count("__rollout_reasons") >= 3
    assert leaks(text) == []
    known = yaml.safe_load((ROLE / "vars" / "main.yml").read_text("utf-8"))
    assert "map('twelvefactor.deploy.problem_reason')" in known["__rollout_reasons"]


def test_nobody_else_announces() -> None:
    paths = [
        path
        for path in (ROLE / "tasks").glob("*.yml")
        if "ansible.builtin.uri" in path.read_text("utf-8")
    ]
    assert [path.name for path in paths] == ["announce.yml"]


def test_a_leak_is_found() -> None:
    assert leaks('problems: "{{ rollout_decided.problems }}"')
    assert leaks(
        "{{ 'failed: ' ~ rollout_decided.problems | join('; ') if rollout_decided.problems else '' }}"
    )
    assert not leaks("{{ 'bad' if rollout_decided.problems else 'good' }}")


def test_graphite_gets_a_line_for_each_fact() -> None:
    loader = DataLoader()
    tasks = loader.load_from_file(str(ROLE / "tasks" / "announce.yml"), trusted_as_template=True)
    [task] = [task for task in tasks if task["name"] == "Post an event to Graphite"]
    known = {
        "__rollout_by": "ops@controller",
        "__rollout_hosts": ["a1", "a2"],
        "__rollout_reasons": ["a2: answers 500"],
    }
    data = Templar(loader, variables=known).template(task["ansible.builtin.uri"]["body"]["data"])
    assert data.split("\n") == ["by ops@controller", "on a1, a2", "a2: answers 500"]
