# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every place that names a supported version names the one of playbooks/vars/supported.yml."""

from __future__ import annotations

import functools
import pathlib
import re
from typing import Any

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]

# What counts as a claim about which version: groups are the claimed values. Every pattern is looked for
# in every place.
CLAIMS = {
    "core": (
        r"ansible-core (\d+\.\d+) (?:or|and) newer",
        r"\bCORE=(\d+\.\d+)",
        r"supports ansible-core (\d+\.\d+),",
        r"\(CORE\),(\d+\.\d+)\)",
        r"CORE is (\d+\.\d+)",
        r"\bunit-(\d+\.\d+)",
        r"\.venv-(\d+\.\d+)",
        r"requires_ansible: \">=(\d+\.\d+)\.0\"",
        r"min_ansible_version: \"(\d+\.\d+)\"",
    ),
    # The package `ansible` whose oldest version brings the oldest ansible-core.
    "package": (r"ansible>=(\d+)'", r"(?m)^ansible>=(\d+),<\d+; python_version < "),
    "python": (
        # newer versions of ansible-core need a newer Python, which the Makefile says
        r"(?<!need\s)Python (\d+\.\d+) or newer",
        r"--python-version (\d+\.\d+) --no-emit",
        r"find,python(\d+\.\d+)",
        r"(\d+\.\d+) or newer is needed",
        r"(?m)^python_version = \"(\d+\.\d+)\"",
        r"requires-python = \">=(\d+\.\d+)\"",
    ),
    "debian": (
        r"Debian (\d+)(?: \([^)]*\))? (?:and|or) (?:Debian )?(\d+)",
        r"\{\"debian(\d+)\": \"\w+\", \"debian(\d+)\": \"\w+\"\}",
    ),
    "oldest debian": (r"Debian (\d+) or newer",),
    "codenames": (
        r"\{\"debian\d+\": \"(\w+)\", \"debian\d+\": \"(\w+)\"\}",
        r"name: Debian\s+versions:\s+- (\w+)\s+- (\w+)\s",
    ),
    "pythons of hosts": (
        r"Python (\d+\.\d+)\)? and (?:\d+ \(Python )?(\d+\.\d+)",
        r"\[\"(\d+\.\d+)\", \"(\d+\.\d+)\"\]",
    ),
}
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
# Places and the claims that they must hold; any other claim in them must be right, too.
PLACES: dict[str, set[str]] = {
    "README.md": {"core", "package", "python", "debian"},
    "CONTRIBUTING.md": {"core", "debian"},
    "Makefile": {"core", "python"},
    "galaxy.yml": {"debian"},
    "meta/runtime.yml": {"core"},
    "pyproject.toml": {"python"},
    "requirements/dev.in": {"package"},
    "tests/hosts/image.py": {"debian", "codenames"},
    "examples/guestbook/README.md": {"python"},
    "examples/guestbook/pyproject.toml": {"python"},
    "roles/publish/defaults/main.yml": {"pythons of hosts"},
    **{f"roles/{role}/meta/main.yml": {"core", "codenames"} for role in ROLES},
    **{f"roles/{role}/README.md": {"debian"} for role in ROLES},
    # the role runs on the controller
    "roles/publish/README.md": {"core", "python", "pythons of hosts"},
}


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@functools.cache
def supported() -> dict[str, tuple[str, ...]]:
    """Kinds of claims to the values that are right."""
    stated: dict[str, Any] = yaml.safe_load(read("playbooks/vars/supported.yml"))
    debian = stated["__supported_debian"]
    core = yaml.safe_load(read("meta/runtime.yml"))["requires_ansible"]
    found = re.fullmatch(r">=(\d+)\.(\d+)\.0", core)
    assert found
    major, minor = found.groups()
    return {
        "core": (f"{major}.{minor}",),
        # ansible 12 has ansible-core 2.19, and each later one the next
        "package": (str(int(minor) - 7),),
        "python": (stated["__supported_python"],),
        "debian": tuple(release["version"] for release in debian),
        "oldest debian": (debian[0]["version"],),
        "codenames": tuple(release["codename"] for release in debian),
        "pythons of hosts": tuple(release["python"] for release in debian),
    }


def claims(text: str) -> list[tuple[str, re.Match[str]]]:
    return [
        (kind, found)
        for kind, patterns in CLAIMS.items()
        for pattern in patterns
        # prose is wrapped anywhere
        for found in re.finditer(pattern.replace(" ", r"\s+"), text)
    ]


def wrong(text: str) -> list[str]:
    right = supported()
    return [
        f"{found[0]!r}: {kind} is {' '.join(right[kind])}"
        for kind, found in claims(text)
        if found.groups() != right[kind]
    ]


@pytest.mark.parametrize("path", PLACES)
def test_places_name_the_supported_versions_and_no_others(path: str) -> None:
    text = read(path)
    assert wrong(text) == []
    assert PLACES[path] - {kind for kind, _found in claims(text)} == set()


def other(value: str) -> str:
    return "9.9" if "." in value else "99" if value.isdigit() else "sid"


@pytest.mark.parametrize(
    ("path", "kind"), [(path, kind) for path, kinds in PLACES.items() for kind in sorted(kinds)]
)
def test_another_version_in_a_place_is_noticed(path: str, kind: str) -> None:
    text = read(path)
    for found in [each for claimed, each in claims(text) if claimed == kind]:
        for group in range(1, len(found.groups()) + 1):
            start, end = found.span(group)
            changed = text[:start] + other(found[group]) + text[end:]
            # in meta/runtime.yml that is the statement itself, which then differs from all others
            assert wrong(changed) != [], f"{found[0]!r} with {other(found[group])}"


def test_no_page_names_other_versions() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")]
    problems = {page.name: wrong(page.read_text(encoding="utf-8")) for page in pages}
    assert {name: found for name, found in problems.items() if found} == {}


def own_versions(preflight: str) -> list[str]:
    """Versions of Debian that the playbook has by itself instead of by the variable."""
    return re.findall(r"Debian \d+|version\('[^']*'|bookworm|trixie", preflight)


def test_the_preflight_takes_debian_from_where_it_is_stated() -> None:
    text = read("playbooks/preflight.yml")
    *_, play = yaml.safe_load(text)
    assert "vars/supported.yml" in play["vars_files"]
    (task,) = [
        task
        for task in play["tasks"]
        if task["name"] == "Check for a supported Debian version and root"
    ]
    asked = task["ansible.builtin.assert"]
    assert "vars/operating_system.yml" in play["vars_files"]
    assert "__os_is_allowed" in asked["that"]
    assert "Debian {{ __supported_debian[0].version }} or newer" in asked["fail_msg"]
    assert own_versions(text + read("playbooks/vars/operating_system.yml")) == []
    assert own_versions("Require Debian 12: x is version('12', '>=')") == [
        "Debian 12",
        "version('12'",
    ]


def test_tools_take_the_oldest_python() -> None:
    """Ruff by the name that it has there; make by default and for the oldest ansible-core."""
    assert f'target-version = "py{supported()["python"][0].replace(".", "")}"' in read(
        "pyproject.toml"
    )
    lists = re.findall(r"(?m)^PYTHON \?= (.*)$", read("Makefile"))
    oldest = f"python{supported()['python'][0]}"
    assert len(lists) == 2
    for names in lists:
        versioned = [name for name in names.split() if name != "python3"]
        assert versioned[-1] == oldest
