# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release is made of and what it is called. Pure: nothing here touches a host."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

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
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.config import (
    LIVENESS,
    LOG_DEFAULTS,
    Config,
)

INTERPRETER = re.compile(r"python(3\.[0-9]+)\Z")
# What release_id makes; no path but a name comes through it.
RELEASE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._]*-[0-9a-f]{8}\Z")


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
                f"The formation names process type {kind!r}, but {of} has {', '.join(known)}."
            )


def release_id(build: Build, config: Config, python: str | None = None) -> str:
    """``<version>-<8 hex>``, the same on every host for the same inputs.

    The wheel's hash stands for what is inside it, so a host that has the release already need not
    fetch the wheel to know that. The interpreter goes in as it was asked for: hosts with different
    patch levels of one Debian release hold the same release. ``python``, major and minor version, is
    given where a host has that release already, made with another Python; see release_ids.
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
    # else the id is as it was before there was a choice
    for key, default in (LOG_DEFAULTS | {"liveness": LIVENESS}).items():
        if (chosen := getattr(config, key)) != default:
            inputs[key] = chosen
    if config.files:
        inputs["config_files"] = dict(config.files)
    if config.schedules:
        inputs["schedules"] = {name: dict(each) for name, each in config.schedules.items()}
    if python:
        inputs["python_version"] = python
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"))
    version = re.sub(r"[^A-Za-z0-9.]+", "_", build.version)
    return f"{version}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def release_ids(build: Build, config: Config, python: str) -> tuple[str, str]:
    """The id that a release has on every host, and the one where Python was replaced below it.

    Virtual environments do not outlive an upgrade of Debian. What is there then stays, since it may
    serve; the same release made with the new Python lies beside it, under the second id.
    """
    return release_id(build, config), release_id(build, config, python)


def pick_id(ids: tuple[str, str], made_with: Mapping[str, str], python: str) -> str:
    """Which of them is meant. ``made_with``: the Python, major and minor, of those on the host."""
    for name in ids:
        if made_with.get(name) == python:
            return name
    common, beside = ids
    return beside if common in made_with else common


def minor(version: str) -> str:
    """Major and minor version of a Python; bytecode and the path of packages depend on these."""
    return ".".join(version.split(".")[:2])


def python_problem(release: str, made_with: str, interpreter: str, *, exists: bool) -> str:
    """Why a release cannot run, after an upgrade of Debian for example; else nothing.

    ``interpreter`` is the path at the end of the links that its virtual environment begins with.
    What has no version in its name is not known to be another one.
    """
    again = "Deploy its version again: that installs it with the Python of this host."
    if not exists:
        return f"Release {release} was made with {interpreter}, which is gone. {again}"
    found = INTERPRETER.match(interpreter.rpartition("/")[2])
    if found and made_with and found[1] != minor(made_with):
        return (
            f"Release {release} was made with Python {minor(made_with)}, but its interpreter is "
            f"Python {found[1]} now ({interpreter}). {again}"
        )
    return ""
