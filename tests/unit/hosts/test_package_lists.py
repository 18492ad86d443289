# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hosts import package_lists

ROOT = pathlib.Path(__file__).resolve().parents[3]
PLACES = ("roles", "playbooks", "molecule", "tests/hosts", "tests/load", "examples")


def documents() -> list[Any]:
    paths = [path for place in PLACES for path in sorted((ROOT / place).rglob("*.yml"))]
    # a tag such as !vault is none of the safe loader's
    return [
        yaml.safe_load(path.read_text()) for path in paths if "!" + "vault" not in path.read_text()
    ]


def values(node: Any, key: str) -> Iterator[Any]:
    """What stands behind `key`, at any depth."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == key:
                yield value
            yield from values(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from values(value, key)


def packages() -> set[str]:
    """Every name that a task installs, those among them that stand in variables."""
    known = documents()
    found: set[str] = set()
    for task in values(known, "ansible.builtin.apt"):
        wanted = task.get("name", [])
        for name in wanted if isinstance(wanted, list) else [wanted]:
            if "{{" not in name:
                found.add(name)
                continue
            found.update(re.findall(r"'([a-z0-9.+-]{4,})'", name))
            for variable in re.findall(r"\w+_packages\b", name):
                lists = (value for value in values(known, variable) if isinstance(value, list))
                found.update(item for value in lists for item in value)
    return found


def test_the_lists_have_all_that_is_installed() -> None:
    found = packages()
    assert {"nginx", "munin-node", "libnginx-mod-http-brotli-static", "graphite-web"} <= found
    assert sorted(found - set(package_lists.NAMES)) == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("libc6 (>= 2.36)", ["libc6"]),
        ("python3:any, adduser", ["python3", "adduser"]),
        ("default-mta | mail-transport-agent", ["default-mta", "mail-transport-agent"]),
        ("libstdc++6 (>= 12), perl-base", ["libstdc++6", "perl-base"]),
        ("", []),
    ],
)
def test_names_of_a_relation(text: str, names: list[str]) -> None:
    assert package_lists.related(text) == names


LIST = """\
Package: wanted
Version: 1
Depends: first (>= 2), virtual
Recommends: not-that
Description: wanted
 Depends: nothing that stands here

Package: first
Pre-Depends: second

Package: second
Depends: first

Package: provider
Provides: virtual (= 2)

Package: not-that

Package: base
Priority: required
"""


def test_a_list_keeps_what_is_needed(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "example.org_dists_stable_main_binary-amd64_Packages"
    path.write_text(LIST)
    more = tmp_path / "example.org_dists_security_main_binary-amd64_Packages"
    more.write_text("Package: second\nVersion: 2\n\nPackage: unknown\nVersion: 3\n\n")
    translation = tmp_path / "example.org_dists_stable_main_i18n_Translation-en"
    translation.write_text("Package: wanted\n")
    package_lists.shorten(tmp_path, ["wanted", "there-is-no-such"])
    kept = re.findall(r"^Package: (.*)$", path.read_text(), re.MULTILINE)
    assert kept == ["wanted", "first", "second", "provider", "base"]
    assert " Depends: nothing that stands here" in path.read_text()
    assert more.read_text() == "Package: second\nVersion: 2\n\n"
    assert not translation.exists()
