# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task of a rollout is, and what its result says: by its module, never by its name. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import (
    printable,
    without_passwords,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._live.model import (
    BAKE,
    CHECKS,
    DONE,
    FAILED,
    HOOK,
    INSTALL,
    LOCK,
    MIGRATE,
    NOTHING,
    SWITCH,
    UNKNOWN,
    Outcome,
)

OURS = "twelvefactor.deploy."
BUILTIN = ("ansible.builtin.", "ansible.legacy.")
PHASES = {"deploy_info": CHECKS, "release": INSTALL, "graceful_reload": SWITCH, "pause": BAKE}
OUTPUT = 20  # lines of a command that are shown


def module_of(action: str) -> str:
    """The name without its collection, of a module of this one or of Ansible's own; else empty."""
    for prefix in (OURS, *BUILTIN):
        if action.startswith(prefix):
            return action.removeprefix(prefix)
    return "" if "." in action else action


def phase_of(action: str, arguments: Mapping[str, Any], within: str) -> str:
    """The phase that a task belongs to, empty where it belongs to none.

    ``within``: the task file of the role ``app`` that includes it, such as ``migrate``.
    """
    module = module_of(action)
    if module == "deploy_lock":
        asks = "renew" not in arguments and arguments.get("state") != "absent"
        return LOCK if asks else ""
    if module == "command":
        return MIGRATE if within == "migrate" else HOOK if within else ""
    return PHASES.get(module, "")


def said(value: object) -> str:
    return printable(without_passwords(str(value))) if value else ""


def outcome_of(action: str, phase: str, result: Mapping[str, Any], *, failed: bool) -> Outcome:
    """``failed``: whether Ansible takes the task for failed."""
    module = module_of(action)
    if module == "deploy_lock":
        return of_lock(phase, result, failed=failed)
    if failed:
        return of_failure(module, phase, result)
    if module in ("release", "deploy_info"):
        return Outcome(
            phase, release=said(result.get("release")), serves=said(result.get("current"))
        )
    if module == "graceful_reload":
        return of_switch(phase, result)
    if module == "command" and phase:
        return Outcome(phase, command=command_of(result), output=tuple(output_of(result)))
    return Outcome(phase)


def of_lock(phase: str, result: Mapping[str, Any], *, failed: bool) -> Outcome:
    """A refused lock is a result like others to the role, which decides for all hosts."""
    if "released" in result:
        return Outcome(unlocks=True)
    if not failed and (result.get("held") or not phase):
        return Outcome(phase, title=said(result.get("reason")) if phase else "")
    return Outcome(phase, FAILED, problem=said(result.get("msg")) or "The deploy lock was refused.")


def of_failure(module: str, phase: str, result: Mapping[str, Any]) -> Outcome:
    message = said(result.get("msg")) or "failed"
    if module == "graceful_reload" and "reason" in result:
        return Outcome(
            phase,
            FAILED,
            serves=serves_after(message, said(result.get("previous"))),
            previous=said(result.get("previous")),
            problem=message,
        )
    if module == "command" and phase:
        return Outcome(
            phase, FAILED, command=command_of(result), problem=f"{command_of(result)}: {message}"
        )
    return Outcome(phase, FAILED, problem=message)


def serves_after(message: str, previous: str) -> str:
    """What serves where a switch has failed, as the message of graceful_reload says."""
    last = message.rstrip().splitlines()[-1]
    if previous and f"Release {previous} serves as before." in message:
        return previous
    return NOTHING if last.endswith("so nothing does now.") else UNKNOWN


def of_switch(phase: str, result: Mapping[str, Any]) -> Outcome:
    steps: dict[str, float] = {}
    for process in (result.get("processes") or {}).values():
        for step, seconds in (process.get("seconds") or {}).items():
            steps[said(step)] = max(float(seconds), steps.get(said(step), 0.0))
    before, after = result.get("previous_formation"), result.get("formation")
    return Outcome(
        phase,
        DONE,
        release=said(result.get("release")),
        serves=said(result.get("release")),
        previous=said(result.get("previous")),
        changed=bool(result.get("changed")),
        steps=steps if result.get("changed") else {},
        formations=(before, after) if before is not None and after else None,
    )


def command_of(result: Mapping[str, Any]) -> str:
    """What the app's user ran; the words before are those that start it in its sandbox."""
    words = result.get("cmd") or ["command"]
    return said(words[-1] if isinstance(words, list) else words)


def output_of(result: Mapping[str, Any]) -> list[str]:
    """The last lines that a command wrote."""
    text = f"{result.get('stdout') or ''}\n{result.get('stderr') or ''}"
    lines = [said(line) for line in text.splitlines() if line.strip()]
    return lines[-OUTPUT:]
