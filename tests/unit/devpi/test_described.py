# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role and the playbook make of an inventory's words on the contents of an index."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROOT = pathlib.Path(__file__).resolve().parents[3]
READ = {"acl_read": [":AUTHENTICATED:", "hosts"]}
MIRROR = {"name": "root/pypi", "type": "mirror", "mirror_no_project_list": True, **READ}
GIVEN = {
    "devpi_secret": "secret",
    "devpi_mirror_acl_read": [":AUTHENTICATED:"],
    "devpi_mirror_url": "",
    "devpi_indexes": [],
    "devpi_users": [],
    "devpi_reader": "hosts",
    "devpi_reader_password": "hush",
}


def value(path: str, name: str, known: dict[str, Any]) -> Any:
    loaded = DataLoader().load_from_file(str(ROOT / path), trusted_as_template=True)
    return Templar(DataLoader(), variables={**loaded, **known}).template(loaded[name])


def role(name: str, **known: Any) -> Any:
    return value("roles/devpi/vars/main.yml", name, GIVEN | known)


@pytest.mark.parametrize(
    ("known", "described"),
    [
        ({}, [MIRROR]),
        (
            {"devpi_mirror_url": "https://up.example.org/simple/"},
            [MIRROR | {"mirror_url": "https://up.example.org/simple/"}],
        ),
        (
            {"devpi_indexes": [{"name": "a/b", "bases": ["root/pypi"]}]},
            [MIRROR, {"name": "a/b", "bases": ["root/pypi"], "volatile": False, **READ}],
        ),
        (
            {"devpi_indexes": [{"name": "a/b", "volatile": True, "acl_read": ["hosts", "ci"]}]},
            [MIRROR, {"name": "a/b", "volatile": True, "acl_read": ["hosts", "ci"]}],
        ),
        (
            {"devpi_indexes": [{"name": "a/m", "type": "mirror", "mirror_url": "http://x/"}]},
            [MIRROR, {"name": "a/m", "type": "mirror", "mirror_url": "http://x/", **READ}],
        ),
        (
            {
                "devpi_indexes": [
                    {"name": "root/pypi", "mirror_cache_expiry": 60, "acl_read": ["ci"]}
                ]
            },
            [MIRROR | {"mirror_cache_expiry": 60, "acl_read": ["ci", "hosts"]}],
        ),
    ],
    ids=[
        "only the mirror",
        "another upstream",
        "defaults",
        "what is given",
        "another mirror",
        "settings of the mirror",
    ],
)
def test_the_indexes(known: dict[str, Any], described: list[dict[str, Any]]) -> None:
    assert role("__devpi_described_indexes", **known) == described


def test_the_users_have_the_reader_and_not_who_logs_in() -> None:
    users = [{"name": "root", "password": "a"}, {"name": "ci", "password": "b"}]
    assert role("__devpi_passwords", devpi_users=users) == {"hosts": "hush", "ci": "b"}


def test_a_token_needs_its_plugin() -> None:
    locked = role("__devpi_reader_token", __devpi_requirements="devpi-tokens==1.0 --hash=…")
    assert (locked["user"], locked["allowed"]) == ("hosts", ["pkg_read"])
    assert role("__devpi_reader_token", __devpi_requirements="devpi-server==6.20") == {}


@pytest.mark.parametrize(
    ("known", "own", "reserved"),
    [
        ({}, {}, {}),
        ({"index_reserved": ["lib"]}, {}, {"firm/prod": ["shop", "lib"]}),
        (
            {"index_reserved": ["shop"]},
            {"devpi_reserved": {"firm/prod": ["shop", "old"], "firm/try": ["new"]}},
            {"firm/prod": ["shop", "old"], "firm/try": ["new"]},
        ),
    ],
    ids=["nobody publishes", "apps and others", "with those of the role's own variable"],
)
def test_the_reserved_names(
    known: dict[str, Any], own: dict[str, Any], reserved: dict[str, list[str]]
) -> None:
    publisher = {"index_publisher": {"user": "ci", "password": "b"}} if known else {}
    found = value(
        "playbooks/vars/index.yml",
        "__index_reserved",
        {
            "__index_published": ["shop"],
            "index_name": "firm/prod",
            "inventory_hostname": "index1",
            "hostvars": {"index1": own},
            **publisher,
            **known,
        },
    )
    assert found == reserved
