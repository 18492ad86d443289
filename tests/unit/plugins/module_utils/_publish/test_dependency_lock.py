# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lock of a build must hold."""

from __future__ import annotations

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import (
    Pin,
    format_pins,
    parse_lock,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish.dependency_lock import (
    check_complete,
    dependencies,
    for_target,
    pins_of,
)

A, B, C = "a" * 64, "b" * 64, "c" * 64

PYLOCK = f"""lock-version = "1.0"
created-by = "test"
[[packages]]
name = "flask"
version = "3.1"
wheels = [{{name = "flask-3.1-py3-none-any.whl", hashes = {{sha256 = "{A}"}}}}]
[[packages]]
name = "tzdata"
version = "2026.1"
marker = "sys_platform == 'win32'"
wheels = [{{name = "tzdata-2026.1-py3-none-any.whl", hashes = {{sha256 = "{B}"}}}}]
[[packages]]
name = "tomli"
version = "2"
marker = "python_full_version < '3.12' and platform_machine == 'x86_64'"
wheels = [{{name = "tomli-2-py3-none-any.whl", hashes = {{sha256 = "{C}"}}}}]
[[packages]]
name = "shop"
directory = {{path = "."}}
"""


def test_dependencies_without_extras() -> None:
    fields = [
        ("name", "shop"),
        ("requires_dist", "flask>=3"),
        ("requires_dist", 'gunicorn ; extra == "server"'),
        ("requires_dist", "tzdata; (sys_platform == 'win32') and extra=='time'"),
        ("requires_dist", "tomli; python_version < '3.12'"),
        ("requires_dist", "extra-things"),
    ]
    assert dependencies(fields) == ["flask>=3", "tomli; python_version < '3.12'", "extra-things"]


@pytest.mark.parametrize(
    "needed",
    [
        [],
        ["flask"],
        ["Flask>=3,<4"],
        ["flask[async]>=3"],
        ["flask (>=3)"],
        ["flask ~= 3.0 ; python_version >= '3.8'"],
        ["flask >=3.1.post1.weird"],
        ["colorama; sys_platform == 'win32'"],
        ["flask @ https://example.org/flask-3.1-py3-none-any.whl"],
    ],
)
def test_complete(needed: list[str]) -> None:
    check_complete([Pin("flask", "3.1", (A,))], needed, "requirements.txt", "shop 1.0")


@pytest.mark.parametrize(
    ("needed", "words"),
    [
        ("flask>=4", "requirements.txt has flask 3.1, but shop 1.0 needs flask>=4: the lock is"),
        ("flask (<3)", "has flask 3.1, but shop 1.0 needs flask (<3)"),
        ("click", "requirements.txt has no click, but shop 1.0 needs click"),
        ("flask==3.0 ; python_version < '3.12'", "has flask 3.1, but"),
    ],
)
def test_incomplete(needed: str, words: str) -> None:
    with pytest.raises(DeployError) as refused:
        check_complete([Pin("flask", "3.1", (A,))], [needed], "requirements.txt", "shop 1.0")
    assert words in str(refused.value)


def test_two_versions_for_two_interpreters() -> None:
    pins = [Pin("a", "1", (A,), "python_version < '3.12'"), Pin("a", "2", (B,))]
    check_complete(pins, ["a>=2"], "requirements.txt", "shop 1.0")


def test_pins_of_either_form() -> None:
    lock = f"flask==3.1 ; python_version < '4' --hash=sha256:{A}\n"
    assert pins_of(lock, "x", "shop") == [Pin("flask", "3.1", (A,), "python_version < '4'")]
    assert [pin.name for pin in pins_of(PYLOCK, "x", "shop")] == ["flask", "tzdata", "tomli"]


def test_what_is_formatted_is_read_back() -> None:
    pins = [Pin("flask", "3.1", (A, B), "python_version < '4'"), Pin("click", "8", (C,))]
    assert parse_lock(format_pins(pins)) == pins
    assert "python_version" not in format_pins(pins, markers=False)


@pytest.mark.parametrize(
    ("python", "platform", "names"),
    [
        ("3.11", "x86_64-manylinux_2_36", ["flask", "tomli"]),
        ("3.11", "x86_64-unknown-linux-gnu", ["flask", "tomli"]),
        ("3.11", "aarch64-manylinux_2_36", ["flask"]),
        ("3.13", "x86_64-manylinux_2_36", ["flask"]),
    ],
)
def test_a_pylock_for_a_target(python: str, platform: str, names: list[str]) -> None:
    lock = for_target(PYLOCK, "pylock.toml", "shop", python, platform)
    assert [pin.name for pin in parse_lock(lock)] == names


def test_requirements_are_for_every_target() -> None:
    lock = f"# x \\\na==1 --hash=sha256:{A}"
    made = for_target(lock, "x", "shop", "3.11", "x86_64-manylinux_2_36")
    assert made == format_pins([Pin("a", "1", (A,))])
