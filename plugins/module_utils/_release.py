# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release is made of, and what follows from it. Pure: nothing here touches a host."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._build.procfile import (
    RELEASE_TYPE,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.names import (
    canonical_name,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import (
    format_pins,
    parse_lock,
)

# What release_id makes; no path but a name comes through it.
RELEASE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._]*-[0-9a-f]{8}\Z")
ENV_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# Bounds that the supervisor relies on: it waits this long for a pivot to end by itself.
LONGEST_STOP = 240
# No timeout of a process is longer; the pivot refuses what is out of all proportion.
LONGEST = 86_400

PROCESS_OPTIONS: dict[str, Any] = {
    "overlap": True,
    "ready_after": 5.0,
    "ready_timeout": 60.0,
    "drain_timeout": 60.0,
    "stop_timeout": 30.0,
}
LOG_DEFAULTS = {"log_format": "text", "log_destination": "file"}  # of older releases, too


@dataclass(frozen=True)
class Build:
    """What was built once, for every host: a wheel, its lock and its process types.

    ``requirements`` and ``procfile`` are None as long as they have not been read from the wheel:
    its sha256 stands for them. A lock of the form pylock.toml is there made into requirements, too.
    """

    package: str
    version: str
    wheel_url: str | None = None
    wheel_sha256: str | None = None
    requirements: str | None = None
    procfile: Mapping[str, str] | None = None
    commit: str | None = None  # for people: the wheel's hash is what counts


@dataclass(frozen=True)
class Config:
    """What makes a release of a build: config, interpreter and how its processes are run."""

    env: Mapping[str, str] = field(default_factory=dict)
    python: str = "/usr/bin/python3"
    health: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    log_format: str = "text"
    log_destination: str = "file"


def complete_lock(build: Build) -> str:
    """The lock of everything a release installs: the dependencies and the app's own wheel.

    A lock inside a wheel cannot hold that wheel's hash, so the line is added here. A lock that was
    given beside the build must hold the package itself.
    """
    text = build.requirements or ""
    own = canonical_name(build.package)
    if build.wheel_sha256:
        line = f"{own}=={build.version} --hash=sha256:{build.wheel_sha256}\n"
        text = text + ("" if not text or text.endswith("\n") else "\n") + line
    pins = parse_lock(text, f"the lock of {build.package} {build.version}")
    versions = {pin.version for pin in pins if pin.name == own}
    if versions != {build.version}:
        found = f"{own} {', '.join(sorted(versions))}" if versions else f"no {own}"
        raise DeployError(
            f"The lock of {build.package} {build.version} holds {found}; "
            f"it must pin {own}=={build.version}."
        )
    return format_pins(pins)


def check_formation(formation: Mapping[str, int], processes: Mapping[str, str], of: str) -> None:
    """Raise DeployError when a formation asks for what the release does not have."""
    known = [kind for kind in processes if kind != RELEASE_TYPE]
    for kind, count in formation.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise DeployError(f"The formation asks for {count!r} processes of {kind!r}.")
        if kind not in known:
            raise DeployError(
                f"The formation names process type {kind!r}, but {of} has "
                f"{', '.join(known)}. Nothing was changed."
            )


def env_values(env: Mapping[str, Any]) -> dict[str, str]:
    """Config as strings, in the order of its keys.

    Booleans and None have no agreed form in an environment, so they are refused rather than
    guessed at: write the string that the app expects.
    """
    values = {}
    for key in sorted(env):
        value = env[key]
        if not ENV_KEY.match(key):
            raise DeployError(f"{key!r} is no name for an environment variable.")
        if isinstance(value, bool) or value is None:
            raise DeployError(
                f"env {key} is {value!r}; write the string that the app expects, in quotes."
            )
        if not isinstance(value, str | int | float):
            raise DeployError(f"env {key} is a {type(value).__name__}; one value per key.")
        if "\0" in str(value):
            raise DeployError(f"env {key} holds a NUL character, which no environment can.")
        values[key] = str(value)
    return values


def format_env(env: Mapping[str, str]) -> str:
    """``KEY=value`` lines, quoted so that a POSIX shell and shlex read the same."""
    return "".join(f"{key}={shlex.quote(env[key])}\n" for key in sorted(env))


def check_options(options: Mapping[str, Any], health: Mapping[str, Any]) -> None:
    """Raise DeployError for how processes are run if the pivot would refuse it at the deploy."""
    for kind, given in options.items():
        if not isinstance(given, Mapping):
            raise DeployError(f"process_options of {kind} is {given!r}; expected a dictionary.")
        for option, value in given.items():
            if value is not None:
                _check_option(kind, option, value)
    if health.get("count", 1) < 1:
        raise DeployError(f"health.count is {health['count']}; at least one answer is needed.")


def _check_option(kind: str, option: str, value: Any) -> None:
    if option in ("socket", "overlap"):
        if not isinstance(value, bool):
            raise DeployError(f"{option} of {kind} is {value!r}; write true or false.")
    elif option in PROCESS_OPTIONS:
        longest = LONGEST_STOP if option == "stop_timeout" else LONGEST
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value <= longest:
            raise DeployError(
                f"{option} of {kind} is {value!r}; write a number of seconds, at most {longest}."
            )
    else:
        raise DeployError(
            f"process_options of {kind} has {option!r}; known are socket, "
            f"{', '.join(PROCESS_OPTIONS)}."
        )


def run_specs(processes: Mapping[str, str], config: Config) -> dict[str, dict[str, Any]]:
    """What the pivot needs to know of each process type (see roles/circus/files/pivot.py)."""
    check_options(config.options, config.health)
    unknown = set(config.options) - set(processes)
    if unknown:
        raise DeployError(
            f"process_options names {', '.join(sorted(unknown))}, but the process types are "
            f"{', '.join(processes)}."
        )
    specs = {}
    for kind, command in processes.items():
        if kind == RELEASE_TYPE:
            continue
        given = {k: v for k, v in config.options.get(kind, {}).items() if v is not None}
        spec: dict[str, Any] = {"command": command, "socket": kind == "web"}
        spec |= PROCESS_OPTIONS | given
        spec |= {key: getattr(config, key) for key in LOG_DEFAULTS}
        if spec["socket"]:
            spec["health"] = dict(config.health)
        specs[kind] = spec
    return specs


def release_id(build: Build, config: Config) -> str:
    """``<version>-<8 hex>``, the same on every host for the same inputs.

    The wheel's hash stands for what is inside it, so a host that has the release already need not
    fetch the wheel to know that. The interpreter goes in as it was asked for: hosts with different
    patch levels of one Debian release hold the same release.
    """
    inputs = {
        "package": canonical_name(build.package),
        "wheel": build.wheel_sha256,
        "requirements": build.requirements if build.wheel_sha256 is None else None,
        "processes": dict(build.procfile) if build.procfile is not None else None,
        "env": dict(config.env),
        "python": config.python,
        "health": dict(config.health),
        "options": {kind: dict(options) for kind, options in config.options.items()},
    }
    logs = {key: getattr(config, key) for key in LOG_DEFAULTS}
    # else the id is as it was before there was a choice
    inputs |= {key: value for key, value in logs.items() if value != LOG_DEFAULTS[key]}
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"))
    version = re.sub(r"[^A-Za-z0-9.]+", "_", build.version)
    return f"{version}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


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
    for key in sorted({*old.env, *after.env}):
        if key not in after.env:
            lines.append(f"env {key}: removed")
        elif key not in old.env:
            lines.append(f"env {key}: added")
        elif old.env[key] != after.env[key]:
            lines.append(f"env {key}: changed")
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
    known = {name: value for name, value in spec.items() if name not in ("command", "health")}
    flat: dict[str, Any] = LOG_DEFAULTS | known
    return flat | {f"health {name}": value for name, value in spec.get("health", {}).items()}


def to_prune(
    installed: Sequence[str], keep: int, current: str | None, target: str | None, new: str
) -> list[str]:
    """Which releases to remove. ``installed``: complete ones, oldest first.

    ``keep`` releases stay. The current one, the one a rollback would pick and the one that was
    asked for stay in any case.
    """
    protected = {current, target, new}
    surplus = len({*installed, new}) - keep
    candidates = [name for name in installed if name not in protected]
    return candidates[: max(surplus, 0)]
