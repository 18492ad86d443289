# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schedules of a release: commands that run at times, in its environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.command import ANSWER, run

# It names units, state files and metrics.
NAME = re.compile(r"(?!.*-[0-9]+$)[a-z][a-z0-9]*([_-][a-z0-9]+)*\Z")
# What systemd's expressions are made of; a "%" would be one of its specifiers.
CALENDAR = re.compile(r"[A-Za-z0-9 *,./:~_+-]+\Z")
DEFAULTS: dict[str, Any] = {"timeout": 3600, "hosts": "one", "overlap": "forbid"}
CHOICES = {"hosts": ("one", "all"), "overlap": ("forbid",)}
LONGEST = 7 * 86_400  # seconds
CALENDAR_TIMEOUT = 30.0  # seconds for one systemd-analyze


def complete_schedules(given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """With what is not given. Raises DeployError for what cannot be meant."""
    return {name: _complete(name, given[name]) for name in sorted(given)}


def _complete(name: str, given: Any) -> dict[str, Any]:
    if not NAME.match(name):
        raise DeployError(
            f"Invalid name of a schedule {name!r}: use lower-case letters and digits, in words with '-' or "
            "'_' between them, as in nightly-report."
        )
    if not isinstance(given, Mapping):
        raise DeployError(
            f"schedule {name} is {given!r}; expected a dictionary with at and command."
        )
    said = {key: value for key, value in given.items() if value is not None}
    if unknown := sorted(set(said) - {"at", "command", *DEFAULTS}):
        raise DeployError(
            f"schedule {name} has {unknown[0]!r}; known are at, command, {', '.join(DEFAULTS)}."
        )
    schedule = DEFAULTS | said
    for key in ("at", "command"):
        text = schedule.get(key)
        if not isinstance(text, str) or not text.strip() or "\n" in text or "\0" in text:
            raise DeployError(f"{key} of schedule {name} is {text!r}; it must be one line of text.")
    if not CALENDAR.match(schedule["at"]):
        raise DeployError(_no_calendar(name, schedule["at"]))
    timeout = schedule["timeout"]
    if not isinstance(timeout, int) or isinstance(timeout, bool) or not 1 <= timeout <= LONGEST:
        raise DeployError(
            f"timeout of schedule {name} is {timeout!r}; write whole seconds from 1 to {LONGEST}."
        )
    for key, choices in CHOICES.items():
        if schedule[key] not in choices:
            raise DeployError(
                f"{key} of schedule {name} is {schedule[key]!r}; known are {', '.join(choices)}."
            )
    return schedule


def _no_calendar(name: str, at: str) -> str:
    return (
        f"at of schedule {name} is {at!r}, which is not a calendar expression of systemd, such as '03:00', "
        "'Mon..Fri 08:30' or '*:0/15' (every 15 minutes); see systemd.time(7)."
    )


def require_calendars(schedules: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise DeployError for a time that the systemd of this host does not understand."""
    for name, schedule in schedules.items():
        command = ["systemd-analyze", "calendar", "--", schedule["at"]]
        code, output = run(command, "ask systemd-analyze", CALENDAR_TIMEOUT, whole=ANSWER)
        if code:
            said = output.strip().rpartition("\n")[2]
            raise DeployError(f"{_no_calendar(name, schedule['at'])} systemd-analyze said: {said}")
