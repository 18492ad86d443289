# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The private packages of plugins/module_utils import each other one way only."""

from __future__ import annotations

import ast
import graphlib
import pathlib

import pytest

PLUGINS = pathlib.Path(__file__).resolve().parents[2] / "plugins"
COLLECTION = "ansible_collections.twelvefactor.deploy.plugins"

# What each room may import beside itself: another room, or one file of it.
ROOMS: dict[str, set[str]] = {
    "_errors": set(),
    "_module": {"_errors"},
    "_app": set(),
    "_inventory": {"_app"},
    "_host": {"_errors"},
    "_http": {"_errors"},
    "_packaging": {"_errors", "_host", "_http"},
    "_build": {"_errors", "_packaging"},
    "_locked_environment": {"_errors", "_host", "_packaging"},
    "_program_directory": {"_errors", "_host"},
    "_nginx": {"_errors", "_host"},
    "_daemon": {"_errors", "_host"},
    "_deploy_lock": {"_errors", "_host"},
    "_devpi": {"_errors", "_host", "_http", "_packaging"},
    "_sentry": {"_errors", "_http"},
    "_release": {"_errors", "_host", "_packaging", "_build", "_deploy_lock"},
    "_publish": {"_errors", "_host", "_http", "_packaging", "_build"},
    "_scaffold": {"_errors", "_app", "_packaging", "_build"},
    "_processes": {"_errors", "_host", "_build", "_release", "_deploy_lock"},
    "_logs": {"_errors", "_release.record"},
    "_fleet": {"_app.settings", "_logs"},
    "_audit": {
        *("_errors", "_host", "_packaging", "_build", "_release", "_processes"),
        *("_publish.screening", "_fleet"),
    },
    "_judge": {"_errors", "_http", "_logs.tally"},
    "_live": {"_errors"},
    "_console": {"_errors", "_logs"},
}
# What every module may import beside the one room of its subject; other plugins have that room only.
COMMON = {"_errors", "_module", "_deploy_lock"}


def name_of(path: pathlib.Path) -> str:
    """The name of a file below plugins: ``module_utils._host.command``."""
    return ".".join(path.relative_to(PLUGINS).with_suffix("").parts)


def imports(name: str, source: str) -> set[str]:
    """The names below plugins of what a file imports. Of a name that is not a file: its file, too."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = f"{COLLECTION}.{name}".split(".")[: -node.level] if node.level else []
            module = ".".join([*package, *filter(None, [node.module])])
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    below = f"{COLLECTION}."
    return {imported.removeprefix(below) for imported in found if imported.startswith(below)}


def room_of(name: str) -> str | None:
    """The room of a file, None outside of module_utils and for module_utils as a whole."""
    place, _dot, rest = name.partition(".")
    return (rest.partition(".")[0] or None) if place == "module_utils" else None


def refused(name: str, source: str) -> list[str]:
    """What a file imports although the table does not allow it."""
    own, imported = room_of(name), imports(name, source)
    # what runs on hosts has no part in what runs on the controller only
    on_host = own or name.startswith("modules.")
    others = {"module_utils"} if on_host else {"module_utils", "plugin_utils"}
    wrong = {each for each in imported if each.partition(".")[0] not in others}
    files = {each.removeprefix("module_utils.") for each in imported if room_of(each)}
    rooms = {file.partition(".")[0] for file in files}
    if own:
        allowed = ROOMS[own] | {own}
        # `from …_release import record` names the room as well as the file
        files = {file for file in files if not any(other.startswith(f"{file}.") for other in files)}
        wrong |= {
            file
            for file in files
            if not any(file == may or file.startswith(f"{may}.") for may in allowed)
        }
    else:
        common = COMMON if name.startswith("modules.") else set()
        subjects = sorted(rooms - common)
        wrong |= set(subjects) if len(subjects) > 1 else set()
    return sorted(wrong)


FILES = {name_of(path): path for path in sorted(PLUGINS.rglob("*.py"))}


@pytest.mark.parametrize("name", FILES)
def test_imports_go_one_way(name: str) -> None:
    assert refused(name, FILES[name].read_text("utf-8")) == []


def test_every_room_is_in_the_table() -> None:
    assert {room_of(name) for name in FILES if room_of(name)} == set(ROOMS)


def test_rooms_have_no_file_that_runs_before_what_is_imported() -> None:
    assert not list((PLUGINS / "module_utils").rglob("__init__.py"))


def test_no_room_depends_on_itself_by_way_of_others() -> None:
    table = {room: {may.partition(".")[0] for may in allowed} for room, allowed in ROOMS.items()}
    graphlib.TopologicalSorter(table).prepare()


def test_only_modules_need_ansible() -> None:
    for name, path in FILES.items():
        if room_of(name) not in (None, "_module"):
            source = path.read_text("utf-8")
            assert "import ansible." not in source, name
            assert "from ansible." not in source, name
    assert not any("_module" in allowed for allowed in ROOMS.values())


# What one file states for all plugins.
STATED_ONCE = {
    "[-_.]+": "module_utils._packaging.names",
    "HTTPRedirectHandler": "module_utils._http.api",
    "create_default_context": "module_utils._http.api",
    ".candidate": "module_utils._host.files",
}


@pytest.mark.parametrize(("text", "name"), STATED_ONCE.items(), ids=STATED_ONCE.values())
def test_what_one_file_states_no_other_repeats(text: str, name: str) -> None:
    assert [other for other, path in FILES.items() if text in path.read_text("utf-8")] == [name]


@pytest.mark.parametrize(
    ("name", "source", "wrong"),
    [
        ("module_utils._host.files", f"from {COLLECTION}.module_utils._errors import X", []),
        ("module_utils._host.files", f"from {COLLECTION}.module_utils._host import flock", []),
        ("module_utils._host.files", "import os, ansible.module_utils.basic", []),
        (
            "module_utils._host.files",
            f"def late():\n    from {COLLECTION}.module_utils._release.home import AppHome",
            ["_release.home.AppHome"],
        ),
        (
            "module_utils._host.files",
            f"import {COLLECTION}.module_utils._release.home",
            ["_release.home"],
        ),
        ("module_utils._host.files", "from .command import run", []),
        ("module_utils._host.files", "from .. import _release", ["_release"]),
        ("module_utils._host.files", "from .._release.home import X", ["_release.home.X"]),
        ("module_utils._logs.access", f"from {COLLECTION}.module_utils._release import record", []),
        (
            "module_utils._logs.access",
            f"from {COLLECTION}.module_utils._release.record import X",
            [],
        ),
        (
            "module_utils._logs.access",
            f"from {COLLECTION}.module_utils._release import home, record",
            ["_release.home"],
        ),
        (
            "module_utils._release.home",
            f"from {COLLECTION}.module_utils._module import SecretSafeModule",
            ["_module.SecretSafeModule"],
        ),
        (
            "module_utils._release.home",
            f"from {COLLECTION}.modules import release",
            ["modules", "modules.release"],
        ),
        (
            "modules.static_files",
            f"from {COLLECTION}.module_utils import _errors, _module, _release",
            [],
        ),
        (
            "modules.static_files",
            f"from {COLLECTION}.module_utils import _host, _release",
            ["_host", "_release"],
        ),
        ("filter.fleet", f"from {COLLECTION}.module_utils._fleet.status import table", []),
        (
            "filter.fleet",
            f"from {COLLECTION}.module_utils import _fleet, _errors",
            ["_errors", "_fleet"],
        ),
    ],
)
def test_the_table_itself(name: str, source: str, wrong: list[str]) -> None:
    assert refused(name, source) == wrong


def test_a_room_that_the_table_does_not_know() -> None:
    with pytest.raises(KeyError):
        refused("module_utils._helpers.misc", "")
