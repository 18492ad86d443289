# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Config and how processes are run: what makes a release of a build. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._build.procfile import (
    RELEASE_TYPE,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError

ENV_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# _app/specification.py has the same.
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}\Z")
# bytes; _app/definition.py has the same
LONGEST_FILE = 256 * 1024
# What roles/circus/files/pivot/contract.py says, too (tests/unit/test_contracts.py): its chain of stop timeouts
# begins with this one.
LONGEST_STOP = 240
# No timeout of a process is longer; the pivot refuses what is out of all proportion.
LONGEST = 86_400

# Options of a process that are true or false.
SWITCHES = ("socket", "port", "overlap")
# Of a process that listens: instead of health.path.
HEALTH_PATH = "health_path"
HEALTH_PATH_FORM = re.compile(r"(/\S*)?\Z")
NAMES_PORT = re.compile(r"\$(PORT\b|\{PORT\b)")
ALL_ADDRESSES = re.compile(r"(?<![\w.:])(0\.0\.0\.0|\[::\]|::(?![\w]))")

# Defaults, those of the pivot.
PROCESS_OPTIONS: dict[str, Any] = {
    "overlap": True,
    "ready_after": 5.0,
    "ready_timeout": 60.0,
    "drain_timeout": 60.0,
    "stop_timeout": 30.0,
}
# When a process counts as hung; of older releases, too.
LIVENESS: dict[str, Any] = {"interval": 2.0, "failures": 2, "timeout": 5.0}
LOG_DEFAULTS = {"log_format": "text", "log_destination": "file"}  # of older releases, too


@dataclass(frozen=True)
class Config:
    """What makes a release of a build: config, interpreter and how its processes are run."""

    env: Mapping[str, str] = field(default_factory=dict)
    python: str = "/usr/bin/python3"
    health: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    liveness: Mapping[str, Any] = field(default_factory=lambda: dict(LIVENESS))
    log_format: str = "text"
    log_destination: str = "file"
    schedules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # complete ones
    files: Mapping[str, str] = field(default_factory=dict)


def env_values(env: Mapping[str, Any]) -> dict[str, str]:
    """Config as strings, in the order of its keys.

    Booleans and None have no agreed form in an environment, so they are refused rather than
    guessed at: write the string that the app expects.
    """
    values = {}
    for key in sorted(env):
        value = env[key]
        if not ENV_KEY.match(key):
            raise DeployError(f"Invalid name of an environment variable: {key!r}.")
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


def file_texts(files: Mapping[str, Any]) -> dict[str, str]:
    """Config files by their names. A text alone: what YAML makes of it otherwise has no form that an app knows."""
    for name, text in files.items():
        if not FILE_NAME.match(name):
            raise DeployError(
                f"Invalid name of a config file: {name!r}. Use at most 200 letters, digits, '_', '-' and '.', no directory."
            )
        if not isinstance(text, str):
            raise DeployError(
                f"The config file {name} is of type {type(text).__name__}; write its text, as in: {name}: |"
            )
        if len(text.encode("utf-8", "replace")) > LONGEST_FILE:
            raise DeployError(
                f"The config file {name} has more than {LONGEST_FILE} bytes; write a smaller one."
            )
    return dict(files)


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


def complete_liveness(given: Mapping[str, Any]) -> dict[str, Any]:
    """With what is not given. Raises DeployError for what would call every process hung."""
    liveness = LIVENESS | {key: value for key, value in given.items() if value is not None}
    for key, least in (("interval", 0), ("failures", 1), ("timeout", 0.1)):
        if not least <= liveness[key] <= LONGEST:
            raise DeployError(
                f"liveness.{key} is {liveness[key]!r}; write a number from {least} to {LONGEST}."
            )
    return liveness


def _check_option(kind: str, option: str, value: Any) -> None:
    if option in SWITCHES:
        if not isinstance(value, bool):
            raise DeployError(f"{option} of {kind} is {value!r}; write true or false.")
    elif option == HEALTH_PATH:
        if not isinstance(value, str) or not HEALTH_PATH_FORM.match(value):
            raise DeployError(
                f"{option} of {kind} is {value!r}; write a path that begins with /, or an empty text."
            )
    elif option in PROCESS_OPTIONS:
        longest = LONGEST_STOP if option == "stop_timeout" else LONGEST
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value <= longest:
            raise DeployError(
                f"{option} of {kind} is {value!r}; write a number of seconds, at most {longest}."
            )
    else:
        raise DeployError(
            f"process_options of {kind} has {option!r}; known are "
            f"{', '.join(dict.fromkeys((*SWITCHES, *PROCESS_OPTIONS)))}."
        )


def listening(kind: str, command: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Whether a process listens on a socket, and whether it knows TCP only: then its command names $PORT.

    A release that does not listen on TCP says nothing of it, as releases did before there was this option.
    """
    sock = given.get("socket", kind == "web" or given.get("port", False))
    port = given.get("port", sock and NAMES_PORT.search(command) is not None)
    if not port or not sock:
        if given.get("port"):
            raise DeployError(
                f"process_options of {kind} says port: true and socket: false. A process that listens on a port is "
                "reached by a socket, too: leave socket out."
            )
        return {"socket": sock}
    if found := ALL_ADDRESSES.search(command):
        raise DeployError(
            f"The command of {kind} listens on {found[0]}, where other hosts reach it without the proxy: {command!r}. "
            "Let it listen on 127.0.0.1 in the Procfile."
        )
    return {"socket": True, "port": True}


def run_specs(processes: Mapping[str, str], config: Config) -> dict[str, dict[str, Any]]:
    """What the pivot needs to know of each process type (see roles/circus/files/pivot)."""
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
        spec: dict[str, Any] = {"command": command} | PROCESS_OPTIONS | given
        spec.pop("port", None)
        own_path = spec.pop(HEALTH_PATH, None)
        spec |= listening(kind, command, given)
        spec |= {key: getattr(config, key) for key in LOG_DEFAULTS}
        if spec["socket"]:
            spec["health"] = dict(config.health)
            if own_path is not None:
                spec["health"]["path"] = own_path
            spec["liveness"] = dict(config.liveness)
        elif own_path is not None:
            raise DeployError(
                f"process_options of {kind} has health_path, but it does not listen: add socket: true."
            )
        specs[kind] = spec
    return specs
