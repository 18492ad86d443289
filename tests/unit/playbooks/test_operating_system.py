# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An operating system that is not tested is refused, unless the inventory allows it and it has the essentials."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

VARS = pathlib.Path(__file__).resolve().parents[3] / "playbooks" / "vars"
ADVICE = "allow_untested_os: true in the inventory tries {} all the same; nobody has tested it."


def judged(version: str, python: str, distribution: str = "Debian", **others: Any) -> list[Any]:
    """Whether it is supported, whether it is allowed, and the advice."""
    facts = {
        "distribution": distribution,
        "distribution_version": version,
        "distribution_major_version": version.split(".")[0],
        "pkg_mgr": others.pop("pkg_mgr", "apt"),
        "service_mgr": others.pop("service_mgr", "systemd"),
        "python_version": python,
    }
    loader = DataLoader()
    variables: dict[str, Any] = {"ansible_facts": facts, **others}
    for name in ("supported", "operating_system"):
        variables |= loader.load_from_file(str(VARS / f"{name}.yml"), trusted_as_template=True)
    templar = Templar(loader, variables=variables)
    names = ("__os_is_supported", "__os_is_allowed", "__os_advice")
    return [templar.template(variables[name]) for name in names]


@pytest.mark.parametrize("allow", [False, True])
@pytest.mark.parametrize(("version", "python"), [("12.9", "3.11.2"), ("13.1", "3.13.5")])
def test_a_supported_debian_needs_no_permission(version: str, python: str, allow: bool) -> None:
    assert judged(version, python, allow_untested_os=allow) == [True, True, ""]


@pytest.mark.parametrize(
    ("system", "version", "python"),
    [("Ubuntu", "24.04", "3.12.3"), ("Debian", "11.11", "3.11.9")],
)
def test_an_untested_system_is_tried_only_with_permission(
    system: str, version: str, python: str
) -> None:
    advice = ADVICE.format(f"{system} {version}")
    assert judged(version, python, system) == [False, False, advice]
    assert judged(version, python, system, allow_untested_os=False) == [False, False, advice]
    assert judged(version, python, system, allow_untested_os=True) == [False, True, ""]
    assert judged(version, python, system, allow_untested_os="yes") == [False, True, ""]


@pytest.mark.parametrize(
    ("lacking", "words"),
    [
        ({"python": "3.10.12"}, "Ubuntu 22.04 lacks Python 3.11 or newer."),
        ({"pkg_mgr": "dnf"}, "Ubuntu 22.04 lacks apt."),
        ({"service_mgr": "openrc"}, "Ubuntu 22.04 lacks systemd."),
        ({"pkg_mgr": "apk", "service_mgr": "openrc"}, "Ubuntu 22.04 lacks apt, systemd."),
    ],
)
def test_what_every_task_relies_on_is_not_set_aside(lacking: dict[str, str], words: str) -> None:
    facts = {"python": "3.12.3", **lacking}
    assert judged("22.04", distribution="Ubuntu", allow_untested_os=True, **facts) == [
        False,
        False,
        words,
    ]
