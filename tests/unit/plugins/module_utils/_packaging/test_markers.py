# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers, held against the library that defines what they mean."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from typing import Any

import packaging.markers
import packaging.specifiers
import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging import markers

DEBIAN_12 = {
    "implementation_name": "cpython",
    "implementation_version": "3.11.2",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_release": "6.1.0-18-amd64",
    "platform_system": "Linux",
    "platform_version": "#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)",
    "python_full_version": "3.11.2",
    "python_version": "3.11",
    "sys_platform": "linux",
}
NEWER = {
    "python_version": "3.14",
    "python_full_version": "3.14.0rc1",
    "implementation_version": "3.14.0rc1",
    "platform_machine": "aarch64",
    "platform_release": "6.12",
}
ENVIRONMENTS = [DEBIAN_12, DEBIAN_12 | NEWER, DEBIAN_12 | {"python_full_version": "3.13.0+"}]

WRITTEN_BY_LOCKERS = [
    "implementation_name == 'pypy'",
    'python_full_version < "3.12"',
    "python_full_version >= '3.13'",
    "python_full_version == '3.11.*'",
    "python_full_version != '3.11.*'",
    "python_version ~= '3.10'",
    "python_version > '3.9'",
    "'3.9' < python_version",
    "python_version not in '3.11 3.12'",
    "python_version in '3.11, 3.14'",
    "platform_python_implementation != 'PyPy'",
    "sys_platform != 'win32' and sys_platform != 'cygwin'",
    "os_name == 'nt' or sys_platform == 'linux' and platform_machine == 'aarch64'",
    "(os_name == 'nt' or sys_platform == 'linux') and platform_machine == 'aarch64'",
    "(platform_machine in 'x86_64 AMD64' and (python_version < '3.13' or os_name == 'nt'))",
    "extra == 'test'",
    "extra != 'Test.Extra' and sys_platform == 'linux'",
    "platform_release >= '5.10'",
    "platform_system<='Linux'",
    "'linux' in sys_platform",
    "'Debian' in platform_version",
]


def agree(marker: str, environment: dict[str, Any]) -> None:
    # what no version can be compared with, it does not answer either
    try:
        expected = packaging.markers.Marker(marker).evaluate(environment)
    except packaging.markers.UndefinedComparison:
        return
    assert markers.holds(marker, environment) is expected, marker


@pytest.mark.parametrize("marker", WRITTEN_BY_LOCKERS)
@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=["debian-12", "newer", "untagged"])
def test_what_lockers_write(marker: str, environment: dict[str, str]) -> None:
    if "platform_release" in marker and "-" in environment["platform_release"]:
        # a kernel of Debian names no version in that sense; the library refuses to compare it
        assert markers.holds(marker, environment) is False
        return
    agree(marker, environment)


def test_every_operator_with_every_version() -> None:
    operators = ["<", "<=", "==", "!=", ">=", ">", "~=", "==="]
    versions = ["3", "3.9", "3.11", "3.11.0", "3.11.2", "3.11.10", "3.14", "3.14.0", "3.14.0rc1",
                "3.14.0b2", "3.14.1", "4"]  # fmt: skip
    for operator, version, name in itertools.product(
        operators, versions, ["python_version", "python_full_version"]
    ):
        if operator == "~=" and "." not in version:
            continue
        for environment in ENVIRONMENTS:
            agree(f"{name} {operator} '{version}'", environment)


def test_sets_of_a_lock_file() -> None:
    environment = {**DEBIAN_12, "extras": {"web"}, "dependency_groups": frozenset()}
    for marker in ("'web' in extras", "'Web' in extras", "'x' not in extras",
                   "'dev' in dependency_groups or 'web' in extras"):  # fmt: skip
        expected = packaging.markers.Marker(marker).evaluate(environment, context="lock_file")  # type: ignore[arg-type]
        assert markers.holds(marker, environment) is expected


@pytest.mark.parametrize(
    "marker",
    [
        "", "python_version", "python_version <", "'a' == 'b'", "nothing == '1'", "(os_name == 'nt'",
        "os_name == 'nt')", "os_name == 'nt' xor os_name == 'x'", "os_name = 'nt'", "os_name == nt",
        "os_name == 'nt' and", "os_name not 'nt'", "os_name ~= 'posix'", "$", "extras == 'x'",
    ],
)  # fmt: skip
def test_no_marker(marker: str) -> None:
    with pytest.raises(DeployError, match="Invalid marker"):
        markers.holds(marker, {**DEBIAN_12, "extras": frozenset()})


@pytest.mark.parametrize("version", ["3.11.2", "3.12.0", "3.14.0rc1"])
@pytest.mark.parametrize("specifiers", [">=3.11", ">=3.11,<4", "~=3.11", "==3.11.*", "!=3.12.0, >3",
                                        "<3.12", "", ">=3.14", "~=3.11.1"])  # fmt: skip
def test_satisfies(version: str, specifiers: str) -> None:
    expected = packaging.specifiers.SpecifierSet(specifiers).contains(version, prereleases=True)
    assert markers.satisfies(version, specifiers) is expected


@pytest.mark.parametrize("specifiers", ["3.11", ">=x", "~=3", ">=3.11 or <2", "<3.*"])
def test_no_specifiers(specifiers: str) -> None:
    with pytest.raises(DeployError, match="Invalid version specifiers"):
        markers.satisfies("3.11.2", specifiers)


def test_an_interpreter_describes_itself() -> None:
    command = [sys.executable, "-I", "-c", markers.INTROSPECTION]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert json.loads(done.stdout) == packaging.markers.default_environment()
