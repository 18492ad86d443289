# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an app's packaging says: name, version, dependencies, scripts, and whether it is locked. Pure."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._build.wheel import LOCKS, PYLOCK
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.names import (
    NAME,
    VERSION,
    canonical_name,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.pylock import (
    parse_pylock,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import (
    parse_lock,
)

# for the oldest Python of the hosts: what only that one needs is in the lock, too
COMPILE = "uv pip compile --universal --generate-hashes --python-version 3.11 {source} -o requirements.txt"
# Lock files of other tools, and the command that makes one with hashes for pip of each.
EXPORTS = {
    "uv.lock": "uv export --no-dev --no-emit-project -o requirements.txt",
    "poetry.lock": "poetry export -o requirements.txt  # of poetry-plugin-export",
    "pdm.lock": "pdm export --prod -o requirements.txt",
    "Pipfile.lock": "pipenv requirements --hash > requirements.txt",
}
_REQUIREMENT = re.compile(rf"\s*({NAME})\s*(?:\[([^\]]*)\])?")


@dataclass(frozen=True)
class Project:
    """``name`` and ``version`` are empty where nothing says them; the reasons say why."""

    name: str
    name_reason: str
    version: str
    version_reason: str
    requires_python: str
    # canonical names, with extras as in ``fastapi[standard]``
    packages: frozenset[str]
    scripts: tuple[str, ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lock:
    """``name`` is empty where nothing is a lock that can be published; ``advice`` says how to make it."""

    name: str
    reason: str
    advice: str = ""


def read_project(files: Mapping[str, str], versions: Mapping[str, str]) -> Project:
    """``versions``: paths of Python files to what they say as ``__version__``."""
    problems = []
    document: Mapping[str, Any] = {}
    if "pyproject.toml" in files:
        document, problem = _toml(files["pyproject.toml"])
        problems += [f"pyproject.toml is not valid TOML: {problem}"] if problem else []
    project, tool = _table(document, "project"), _table(document, "tool")
    poetry = _table(tool, "poetry")
    name, name_reason = _name(project, poetry)
    version, version_reason = _version(project, poetry, tool, versions)
    return Project(
        name,
        name_reason,
        version,
        version_reason,
        _string(project, "requires-python"),
        frozenset(_direct(project, poetry, files)),
        tuple(
            sorted(
                script
                for script in {*_table(project, "scripts"), *_table(poetry, "scripts")}
                if re.fullmatch(NAME, script)
            )
        ),
        tuple(problems),
    )


def _toml(text: str) -> tuple[Mapping[str, Any], str]:
    try:
        return tomllib.loads(text), ""
    except (ValueError, RecursionError) as error:  # a number may have too many digits
        return {}, str(error)


def _table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _string(document: Mapping[str, Any], name: str) -> str:
    found = document.get(name)
    return found if isinstance(found, str) else ""


def _name(project: Mapping[str, Any], poetry: Mapping[str, Any]) -> tuple[str, str]:
    for table, where in ((project, "[project]"), (poetry, "[tool.poetry]")):
        name = _string(table, "name")
        if re.fullmatch(NAME, name):
            return name, f"name of {where} in pyproject.toml"
    return "", "the directory's name, as pyproject.toml says no name"


def _version(
    project: Mapping[str, Any],
    poetry: Mapping[str, Any],
    tool: Mapping[str, Any],
    versions: Mapping[str, str],
) -> tuple[str, str]:
    for table, where in ((project, "[project]"), (poetry, "[tool.poetry]")):
        version = _string(table, "version")
        if re.fullmatch(VERSION, version):
            return version, f"version of {where} in pyproject.toml"
    path = _string(_table(_table(tool, "hatch"), "version"), "path")
    dynamic = _table(_table(_table(tool, "setuptools"), "dynamic"), "version")
    module = _string(dynamic, "attr").rpartition(".")[0].replace(".", "/")
    places = [
        path,
        *(f"{src}{module}{end}" for src in ("", "src/") for end in (".py", "/__init__.py")),
    ]
    for place in places:
        version = versions.get(place, "")
        if re.fullmatch(VERSION, version):
            return version, f"__version__ in {place}"
    return "", "no file says it as plain text; it is what the build gives the wheel"


def _direct(
    project: Mapping[str, Any], poetry: Mapping[str, Any], files: Mapping[str, str]
) -> set[str]:
    """Names of the dependencies, by the project's own word and by its requirements files and locks."""
    lines = [line for line in _list(project, "dependencies") if isinstance(line, str)]
    for path, text in files.items():
        if path.startswith("requirements"):
            lines += [
                line for line in text.splitlines() if not line.lstrip().startswith(("#", "-"))
            ]
    found = set()
    for line in lines:
        match = _REQUIREMENT.match(line)
        if match:
            found.add(canonical_name(match[1]))
            extras = (match[2] or "").split(",")
            found |= {
                f"{canonical_name(match[1])}[{e.strip().lower()}]" for e in extras if e.strip()
            }
    found |= {canonical_name(name) for name in _table(poetry, "dependencies")}
    return found | {
        canonical_name(name)
        for path in ("uv.lock", "poetry.lock", "pdm.lock", PYLOCK)
        if path in files
        for name in _locked(files[path])
    }


def _list(document: Mapping[str, Any], name: str) -> Iterable[Any]:
    found = document.get(name)
    return found if isinstance(found, list) else []


def _locked(text: str) -> list[str]:
    document, _problem = _toml(text)
    entries = [*_list(document, "package"), *_list(document, "packages")]
    return [_string(entry, "name") for entry in entries if isinstance(entry, dict)]


def read_lock(files: Mapping[str, str], own: str) -> Lock:
    """The lock that ``publish`` would take, or how to make one that it takes."""
    there = [name for name in LOCKS if name in files]
    foreign = [name for name in EXPORTS if name in files]
    if len(there) > 1:
        return Lock(
            "", f"there are {' and '.join(there)}", f"git rm {there[0]}  # or the other one"
        )
    source = next((name for name in ("pyproject.toml", "requirements.in") if name in files), "")
    command = COMPILE.format(source=source or "pyproject.toml")
    advice = EXPORTS[foreign[0]] if foreign else command
    if not there:
        if foreign:
            return Lock("", f"{foreign[0]} is there, which only its own tool reads", advice)
        return Lock("", "there is no lock file", advice)
    name = there[0]
    try:
        if name == PYLOCK:
            parse_pylock(files[name], name, own).check()
        else:
            parse_lock(files[name], name)
    except (DeployError, ValueError, RecursionError) as error:
        return Lock(
            "",
            str(error),
            "uv export --format pylock.toml -o pylock.toml" if name == PYLOCK else advice,
        )
    return Lock(name, "every package in it is pinned and has hashes")


def python_problem(requires_python: str, holds: Mapping[str, bool]) -> str:
    """What ``requires-python`` means for the hosts. ``holds``: Debian releases, whether theirs will do."""
    good = [debian for debian, fits in holds.items() if fits]
    if len(good) == len(holds):
        return ""
    said = f"requires-python is {json.dumps(requires_python)}"
    if not good:
        return f"{said}, which no Python of {' or '.join(holds)} is."
    return f"{said}: the hosts need {' or '.join(good)}."
