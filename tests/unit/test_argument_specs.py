# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every input of a role is declared, with the same default in both places, and in its README."""

from __future__ import annotations

import functools
import pathlib
import re
from typing import Any

import pytest
import yaml

ROLES = pathlib.Path(__file__).resolve().parents[2] / "roles"
NAMES = sorted(path.name for path in ROLES.iterdir() if path.is_dir())


@functools.cache
def load(path: pathlib.Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {} if path.exists() else {}


def entry_points(role: str) -> dict[str, dict[str, Any]]:
    return load(ROLES / role / "meta" / "argument_specs.yml").get("argument_specs", {})


def declared(role: str) -> dict[str, dict[str, Any]]:
    """Every option of the role, whichever entry point takes it."""
    return {
        name: option
        for entry in entry_points(role).values()
        for name, option in (entry.get("options") or {}).items()
    }


def undeclared_defaults(defaults: dict[str, Any], options: dict[str, Any]) -> list[str]:
    return sorted(defaults.keys() - options.keys())


def missing_defaults(defaults: dict[str, Any], options: dict[str, Any]) -> list[str]:
    """Options that a user may leave out although nothing says what they then are."""
    return sorted(
        name
        for name, option in options.items()
        if name not in defaults and not option.get("required")
    )


def different_defaults(defaults: dict[str, Any], options: dict[str, Any]) -> list[str]:
    return sorted(
        f"{name}: {defaults[name]!r} in defaults, {options[name].get('default')!r} in the spec"
        for name in defaults.keys() & options.keys()
        if options[name].get("default") != defaults[name]
        or type(options[name].get("default")) is not type(defaults[name])
    )


@pytest.mark.parametrize("role", NAMES)
def test_every_task_file_meant_for_users_has_a_spec(role: str) -> None:
    assert "main" in entry_points(role)
    for entry in entry_points(role):
        assert (ROLES / role / "tasks" / f"{entry}.yml").is_file()


@pytest.mark.parametrize("role", NAMES)
def test_defaults_and_spec_agree(role: str) -> None:
    defaults = load(ROLES / role / "defaults" / "main.yml")
    assert undeclared_defaults(defaults, declared(role)) == []
    assert missing_defaults(defaults, declared(role)) == []
    assert different_defaults(defaults, declared(role)) == []


@pytest.mark.parametrize("role", NAMES)
def test_entry_points_that_share_an_option_declare_it_alike(role: str) -> None:
    for entry, spec in entry_points(role).items():
        for name, option in (spec.get("options") or {}).items():
            merged = declared(role)[name]
            same = {key: option.get(key) for key in ("type", "elements", "default")}
            assert same == {key: merged.get(key) for key in same}, f"{entry}: {name}"


def mixed_secrets(options: dict[str, dict[str, Any]]) -> list[str]:
    """Dictionaries that are no_log although not each of their values is a secret."""
    return [
        name
        for name, option in options.items()
        if option.get("no_log") and option["type"] == "dict" and not name.endswith("_users")
    ] + [name for option in options.values() for name in mixed_secrets(option.get("options", {}))]


@pytest.mark.parametrize("role", NAMES)
def test_no_log_is_only_what_is_secret_as_a_whole(role: str) -> None:
    """ansible-core 2.22 replaces each such value in all that it prints, be it a "1" in a config."""
    assert mixed_secrets(declared(role)) == []


@pytest.mark.parametrize("role", NAMES)
def test_names_say_whose_they_are(role: str) -> None:
    strangers = [name for name in declared(role) if not name.startswith(f"{role}_")]
    assert strangers == []


@pytest.mark.parametrize("role", NAMES)
def test_readme_mentions_every_option(role: str) -> None:
    text = (ROLES / role / "README.md").read_text(encoding="utf-8")
    assert [name for name in declared(role) if not re.search(rf"\b{name}\b", text)] == []


@pytest.mark.parametrize(
    ("defaults", "options", "undeclared", "missing", "different"),
    [
        pytest.param({"a": 1}, {"a": {"default": 1}}, [], [], [], id="agree"),
        pytest.param({"a": 1}, {}, ["a"], [], [], id="default alone"),
        pytest.param({}, {"a": {"type": "str"}}, [], ["a"], [], id="option alone"),
        pytest.param({}, {"a": {"required": True}}, [], [], [], id="required"),
        pytest.param(
            {"a": 1},
            {"a": {"default": 2}},
            [],
            [],
            ["a: 1 in defaults, 2 in the spec"],
            id="other value",
        ),
        pytest.param(
            {"a": True},
            {"a": {"default": 1}},
            [],
            [],
            ["a: True in defaults, 1 in the spec"],
            id="other type",
        ),
    ],
)
def test_the_comparison_itself(
    defaults: dict[str, Any],
    options: dict[str, Any],
    undeclared: list[str],
    missing: list[str],
    different: list[str],
) -> None:
    assert undeclared_defaults(defaults, options) == undeclared
    assert missing_defaults(defaults, options) == missing
    assert different_defaults(defaults, options) == different
