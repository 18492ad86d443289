# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is other in one release than in another one, for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.config import (
    LIVENESS,
    LOG_DEFAULTS,
)


@dataclass(frozen=True)
class Contents:
    """What a person wants to know of a release when it is compared with another one."""

    packages: Mapping[str, str]
    env: Mapping[str, str]
    processes: Mapping[str, str]
    python: str
    interpreter: str = ""
    specs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # see run_specs
    wheel: str | None = None  # sha256
    lock: str | None = None  # sha256
    schedules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


def compare(before: Contents | None, after: Contents) -> list[str]:
    """The difference between two releases in lines; values of config are never shown.

    Whatever makes another release of the same app is in it.
    """
    old = before or Contents({}, {}, {}, "")
    lines = []
    if old.python != after.python:
        lines.append(f"python: {old.python or 'none'} -> {after.python}")
    if old.interpreter and old.interpreter != after.interpreter:
        lines.append(f"interpreter: {old.interpreter} -> {after.interpreter}")
    lines += _compare_packages(old, after)
    lines += _compare_secrets("env", old.env, after.env)
    lines += _compare_secrets("config file", old.files, after.files)
    for kind in sorted({*old.processes, *after.processes}):
        command, now_runs = old.processes.get(kind), after.processes.get(kind)
        if command != now_runs:
            lines.append(f"process {kind}: {command or 'added'} -> {now_runs or 'removed'}")
        was, now = _settings(old.specs.get(kind, {})), _settings(after.specs.get(kind, {}))
        lines += [
            f"process {kind}, {name}: {was[name]} -> {now[name]}"
            for name in sorted(was.keys() & now.keys())
            if was[name] != now[name]
        ]
    return lines + _compare_schedules(old, after)


def _compare_secrets(what: str, old: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    lines = []
    for key in sorted({*old, *after}):
        if key not in after:
            lines.append(f"{what} {key}: removed")
        elif key not in old:
            lines.append(f"{what} {key}: added")
        elif old[key] != after[key]:
            lines.append(f"{what} {key}: changed")
    return lines


def _compare_schedules(old: Contents, after: Contents) -> list[str]:
    lines = []
    for name in sorted({*old.schedules, *after.schedules}):
        was, now = old.schedules.get(name), after.schedules.get(name)
        if was is None and now is not None:
            lines.append(f"schedule {name}: added, at {now['at']}: {now['command']}")
        elif was is not None and now is None:
            lines.append(f"schedule {name}: removed")
        elif was is not None and now is not None:
            lines += [
                f"schedule {name}, {key}: {was.get(key)} -> {now[key]}"
                for key in now
                if was.get(key) != now[key]
            ]
    return lines


def _compare_packages(old: Contents, after: Contents) -> list[str]:
    lines = []
    for name in sorted({*old.packages, *after.packages}):
        was, now = old.packages.get(name), after.packages.get(name)
        if was != now:
            lines.append(f"package {name}: {was or 'added'} -> {now or 'removed'}")
    if not lines and old.wheel and after.wheel and old.wheel != after.wheel:
        lines.append(f"wheel: {old.wheel[:8]} -> {after.wheel[:8]}, built again")
    elif not lines and old.lock and old.lock != after.lock:
        lines.append("lock: the same packages, other hashes")
    return lines


def _settings(spec: Mapping[str, Any]) -> dict[str, Any]:
    """How a process is run, without its command: ``health path`` and the like in one level."""
    if not spec:
        return {}
    known = {
        name: value for name, value in spec.items() if name not in ("command", "health", "liveness")
    }
    flat: dict[str, Any] = LOG_DEFAULTS | known
    if "health" in spec:
        flat |= {f"liveness {key}": value for key, value in spec.get("liveness", LIVENESS).items()}
    return flat | {f"health {name}": value for name, value in spec.get("health", {}).items()}
