# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which environment a request calls for, and what has to be done to get there. Pure."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import json
import pathlib
import re
from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.markers import holds
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.names import (
    NAME,
    canonical_name,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import (
    Pin,
    format_pins,
    parse_lock,
)

FORMAT = 1  # raise it, and every environment is made again
UNKNOWN = "unknown"  # the version of an interpreter that check mode does not find yet
# "3.11.2-0123456789ab"; a second one of the same key, made while the first is damaged, has a number.
_ENVIRONMENT = re.compile(r"(?P<key>(?P<python>.+)-[0-9a-f]{12})(?:\.[0-9]+)?")
_METADATA = re.compile(r"([^/]+)-([^/-]+)\.dist-info/METADATA")


@dataclasses.dataclass(frozen=True)
class Interpreter:
    """The Python that an environment is made with, and what markers of a lock ask about it."""

    path: str
    described: Mapping[str, str]  # empty where check mode predicts: it is not installed yet

    @property
    def version(self) -> str:
        return self.described.get("python_full_version", UNKNOWN)


@dataclasses.dataclass(frozen=True)
class Request:
    """One environment as it should be."""

    path: pathlib.Path
    interpreter: Interpreter
    pins: tuple[Pin, ...]  # those that are meant for this interpreter
    files: Mapping[str, str]  # path below site-packages to content
    no_binary: frozenset[str]

    @property
    def key(self) -> str:
        """Names the environment: another key whenever it has to be made again."""
        python = {
            name: self.interpreter.described.get(name)
            for name in ("implementation_name", "platform_machine", "python_full_version")
        }
        identity = json.dumps(
            [
                FORMAT,
                self.interpreter.path,
                python,
                self.lock,
                sorted(self.no_binary),
                dict(self.files),
            ],
            sort_keys=True,
        )
        digest = hashlib.sha256(identity.encode()).hexdigest()[:12]
        return f"{self.interpreter.version}-{digest}"

    @property
    def lock(self) -> str:
        """What an installer reads: no markers, no comments, in the order of names."""
        return format_pins(sorted(self.pins, key=lambda pin: pin.name), markers=False)

    @property
    def packages(self) -> dict[str, str]:
        """Names and versions of everything that the environment holds."""
        added = filter(None, (_METADATA.fullmatch(path) for path in self.files))
        packages = {canonical_name(found[1]): found[2] for found in added}
        packages |= {pin.name: pin.version for pin in self.pins}
        return dict(sorted(packages.items()))


def make_request(
    path: str,
    lock: str,
    interpreter: Interpreter,
    files: Mapping[str, Any],
    no_binary: Collection[str],
) -> Request:
    """Check what was asked for. Raises DeployError for what no host could make right."""
    place = check_place(path)
    pins = tuple(
        pin
        for pin in parse_lock(lock, "lock")
        if not (pin.marker and interpreter.described) or holds(pin.marker, interpreter.described)
    )
    if not pins:
        raise DeployError(
            f"lock has no package for Python {interpreter.version} of {interpreter.path}: all of "
            "its markers name other platforms or versions. Lock for this host."
        )
    twice = sorted({p.name for p in pins if sum(other.name == p.name for other in pins) > 1})
    if twice and interpreter.described:
        raise DeployError(
            f"lock has {', '.join(twice)} more than once for Python {interpreter.version}; "
            "lock it again."
        )
    for name in no_binary:
        if not re.fullmatch(NAME, name):
            raise DeployError(f"Invalid package name {name!r} in no_binary.")
    sources = frozenset(canonical_name(name) for name in no_binary)
    for file, content in files.items():
        parts = pathlib.PurePosixPath(file).parts
        if not parts or file != "/".join(parts) or parts[0] == "/" or ".." in parts:
            raise DeployError(
                f"Invalid path {file!r} in files: give it relative to site-packages, without '..'."
            )
        if not isinstance(content, str):
            raise DeployError(f"The content of {file} in files is not a text.")
    return Request(place, interpreter, pins, dict(files), sources)


def check_place(path: str) -> pathlib.Path:
    """Give back ``path`` if an environment can be there."""
    place = pathlib.PurePosixPath(path)
    if not place.is_absolute() or ".." in place.parts or len(place.parts) < 3:
        raise DeployError(
            f"Invalid path {path!r}: give an absolute one below a directory, as in /opt/tool."
        )
    return pathlib.Path(place)


class Place(enum.Enum):
    """What stands where the link should be."""

    NOTHING = "nothing"
    LINK = "a link to one of the environments"
    BROKEN_LINK = "a link to an environment that is not there"
    OTHER_LINK = "a link to somewhere else"
    VIRTUALENV = "a virtual environment in a directory of its own"
    OTHER = "something else"


@dataclasses.dataclass(frozen=True)
class Environment:
    """One complete environment, as found."""

    name: str
    packages: Mapping[str, str]
    problem: str = ""  # what is damaged; empty: nothing
    in_use: bool = False  # a process was started from it

    @property
    def key(self) -> str:
        found = _ENVIRONMENT.fullmatch(self.name)
        return found["key"] if found else ""

    @property
    def python(self) -> str:
        found = _ENVIRONMENT.fullmatch(self.name)
        return found["python"] if found else UNKNOWN


@dataclasses.dataclass(frozen=True)
class Found:
    """What is on the host. ``packages`` are those of a virtualenv in a directory of its own."""

    place: Place
    target: str = ""  # name of the environment that the link names, or where another link leads
    environments: tuple[Environment, ...] = ()
    left_over: tuple[str, ...] = ()  # what an interrupted run has left
    packages: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def current(self) -> Environment | None:
        return next((one for one in self.environments if one.name == self.target), None)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What has to be done, in this order."""

    use: str  # the environment that the link is to name; empty: none
    unlink: bool = False  # remove the link and all environments; nothing else is planned then
    sweep: tuple[str, ...] = ()
    install: bool = False
    link: bool = False
    remove: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Clearing up what nobody uses is not a change of the environment."""
        return self.install or self.link or self.unlink

    @property
    def idle(self) -> bool:
        return not (self.changed or self.sweep or self.remove)


def decide(request: Request, found: Found) -> Plan:
    """What makes the link name a complete environment of the request.

    Others are removed, except those that processes were started from: a program may import more of
    its modules at any time until it is restarted. Raises DeployError for what is not ours.
    """
    _require_own(request.path, found)
    healthy = [one for one in found.environments if one.key == request.key and not one.problem]
    preferred = [one for one in healthy if one is found.current] or healthy
    use = preferred[0].name if preferred else _free_name(request.key, found)
    # a directory of that name is swept before anything is installed
    link = found.place is not Place.LINK or found.target != use
    install = not preferred
    return Plan(
        use=use,
        sweep=found.left_over,
        install=install,
        link=link,
        remove=tuple(one.name for one in found.environments if one.name != use and not one.in_use),
        reasons=_reasons(request, found) if install or link else (),
    )


def decide_absent(path: pathlib.Path, found: Found) -> Plan:
    """What leaves nothing of the environment."""
    _require_own(path, found)
    there = found.place is not Place.NOTHING
    rest = bool(found.environments or found.left_over)
    return Plan(
        use="", unlink=there or rest, reasons=("it is to be absent",) if there or rest else ()
    )


def _require_own(path: pathlib.Path, found: Found) -> None:
    if found.place is Place.OTHER_LINK:
        raise DeployError(
            f"{path} is a link to {found.target}, which is not one of its environments in "
            f"{path}.d. Nothing was changed. Remove the link, or give another path."
        )
    if found.place is Place.OTHER:
        raise DeployError(
            f"{path} exists and is not a virtual environment: it has no pyvenv.cfg. Nothing was "
            "changed. Move it away, or give another path."
        )


def _free_name(key: str, found: Found) -> str:
    taken = {one.name for one in found.environments}
    return next(
        name
        for number in range(len(taken) + 1)
        if (name := f"{key}.{number}" if number else key) not in taken
    )


def _reasons(request: Request, found: Found) -> tuple[str, ...]:
    current = found.current
    if found.place is Place.VIRTUALENV:
        return ("a virtual environment that was made otherwise is replaced",)
    if found.place is Place.BROKEN_LINK:
        return (f"the environment {found.target} is missing or incomplete",)
    if current is None:
        unlinked = any(one.key == request.key for one in found.environments)
        return ("the link to it is missing" if unlinked else "there is none yet",)
    if current.key == request.key:
        return (f"it is damaged: {current.problem}",)
    reasons = []
    if current.python != request.interpreter.version:
        reasons.append(f"Python is {request.interpreter.version}, it was {current.python}")
    if compare(current.packages, request.packages):
        reasons.append("other packages are locked")
    return tuple(reasons) or ("the hashes, the files or the options are others",)


def compare(before: Mapping[str, str], after: Mapping[str, str]) -> list[dict[str, str]]:
    """Each package that comes, goes or changes its version; an empty version means none."""
    return [
        {"name": name, "before": before.get(name, ""), "after": after.get(name, "")}
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def packages_before(found: Found) -> Mapping[str, str]:
    if found.place is Place.VIRTUALENV:
        return found.packages
    return found.current.packages if found.current else {}


def diff(
    path: pathlib.Path, found: Found, plan: Plan, packages: Mapping[str, str]
) -> dict[str, str]:
    """What Ansible shows in diff mode: a line for each package."""
    current = found.current
    if found.place is Place.VIRTUALENV:
        before_header = f"{path} (a directory)"
    elif current:
        before_header = f"{path} -> {current.name}"
    else:
        before_header = f"{path} (absent)"
    return {
        "before_header": before_header,
        "after_header": f"{path} -> {plan.use}" if plan.use else f"{path} (absent)",
        "before": _lines(packages_before(found)),
        "after": _lines(packages),
    }


def _lines(packages: Mapping[str, str]) -> str:
    return "".join(f"{name} {version}\n" for name, version in sorted(packages.items()))
