# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others are told of a failed rollout holds no output."""

from __future__ import annotations

import pathlib
import re

TASKS = pathlib.Path(__file__).resolve().parents[3] / "playbooks" / "tasks"
TOLD = re.compile(r"__rollout_outcome\b(?! \| map\('twelvefactor\.deploy\.problem_reason'\))")
ASKED = re.compile(r"(if|when:|-) __rollout_outcome( \| length [>=]+ 0)?")


def announcements() -> list[pathlib.Path]:
    found = sorted(TASKS.glob("*.yml"))
    return [path for path in found if "ansible.builtin.uri" in path.read_text("utf-8")]


def leaks(text: str) -> list[str]:
    """Where the outcome is told as it is."""
    return [line for line in text.splitlines() if TOLD.search(ASKED.sub("", line))]


def test_reasons_only() -> None:
    texts = {path.name: path.read_text("utf-8") for path in announcements()}
    assert [name for name, text in texts.items() if "problem_reason" in text]
    assert {name: leaks(text) for name, text in texts.items() if leaks(text)} == {}


def test_a_leak_is_found() -> None:
    assert leaks('problems: "{{ __rollout_outcome }}"')
    assert leaks("{{ 'failed: ' ~ __rollout_outcome | join('; ') if __rollout_outcome else '' }}")
    assert not leaks("{{ 'bad' if __rollout_outcome else 'good' }}")
