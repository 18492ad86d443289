# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Projects and files on an index."""

from __future__ import annotations

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.model import (
    Config,
    DevpiError,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.packages import (
    Stored,
    check_project_name,
    check_uploadable,
    decide_package_removal,
    decide_reservation,
    find_stored,
    stored_files,
)

LINK = {
    "rel": "releasefile",
    "href": "http://127.0.0.1:3141/company/prod/+f/2c2/6b4/shop-1.0%2Blocal-py3-none-any.whl",
    "hash_spec": "sha256=abc",
}


@pytest.mark.parametrize(
    ("link", "sha256"),
    [
        ({"hash_spec": "sha256=abc"}, "abc"),
        ({"hash_spec": "md5=abc", "hashes": {"sha256": "def"}}, "def"),
        ({"hash_spec": "", "href": LINK["href"] + "#sha256=abc"}, "abc"),
        ({"hash_spec": "md5=abc"}, None),
    ],
)
def test_stored_files(link: Config, sha256: str | None) -> None:
    project = {
        "1.0+local": {"+links": [LINK | link, LINK | {"rel": "toxresult"}]},
        "0.9": {"name": "shop"},
    }
    assert stored_files(project) == [
        Stored("shop-1.0+local-py3-none-any.whl", "1.0+local", LINK["href"], sha256)
    ]


def test_no_stored_files() -> None:
    assert stored_files(None) == []


def test_find_stored() -> None:
    there = Stored("shop-1.0-py3-none-any.whl", "1.0", "http://127.0.0.1/x", "abc")
    assert find_stored([there], there.filename, "abc", "company/prod") == there
    assert find_stored([there], "shop-1.1-py3-none-any.whl", "abc", "company/prod") is None
    with pytest.raises(DevpiError, match=r"company/prod already has a shop-1\.0-py3-none-any\.whl"):
        find_stored([there], there.filename, "def", "company/prod")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "The index company/prod does not exist"),
        ({"type": "mirror"}, "company/prod is a mirror"),
    ],
)
def test_indexes_that_take_no_uploads(config: Config | None, message: str) -> None:
    with pytest.raises(DevpiError, match=message):
        check_uploadable("company/prod", config)


@pytest.mark.parametrize(
    ("volatile", "version", "action"),
    [(True, "1.0+local", "remove"), (True, "2.0", "none"), (False, "2.0", "none")],
)
def test_decide_package_removal(volatile: bool, version: str, action: str) -> None:
    project = {"1.0+local": {"+links": [LINK]}}
    change = decide_package_removal({"volatile": volatile}, project, "a/b", "shop", version)
    assert change.action == action


def test_a_version_that_stays() -> None:
    with pytest.raises(DevpiError, match=r"shop 1\.0 cannot be removed from a/b"):
        decide_package_removal({"volatile": False}, {"1.0": {}}, "a/b", "shop", "1.0")


@pytest.mark.parametrize("name", ["shop", "Shop.2", "a_b-c"])
def test_names_of_projects(name: str) -> None:
    assert check_project_name(name) == name


@pytest.mark.parametrize("name", ["", "-x", "x.", "a b", "a/b", "ü"])
def test_what_is_no_name_of_a_project(name: str) -> None:
    with pytest.raises(DevpiError, match="Invalid project name"):
        check_project_name(name)


def test_a_name_is_reserved_once() -> None:
    assert decide_reservation(None, "shop").action == "create"
    assert decide_reservation({}, "shop").action == "none"
