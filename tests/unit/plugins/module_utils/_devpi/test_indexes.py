# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which indexes a devpi server is to have."""

from __future__ import annotations

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.indexes import (
    IndexWish,
    check_index_name,
    check_stored,
    decide_index,
    decide_index_removal,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.model import (
    Config,
    DevpiError,
)

STAGE: Config = {
    "type": "stage",
    "volatile": False,
    "bases": ["root/pypi"],
    "acl_upload": ["ci", ":AUTHENTICATED:"],
    "acl_toxresult_upload": [":ANONYMOUS:"],
    "mirror_whitelist": [],
    "mirror_whitelist_inheritance": "intersection",
    "some_plugin": "setting",
    "projects": ["shop"],
}
MIRROR: Config = {
    "type": "mirror",
    "volatile": False,
    "title": "Upstream",
    "mirror_url": "https://index.example.com/simple/",
}


@pytest.mark.parametrize("name", ["company/prod", "root/pypi", "a.b@c_d-1/x.y-2"])
def test_index_names(name: str) -> None:
    assert check_index_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "company", "company/", "/prod", "a/b/c", "a b/c", "a/../b", "+x/y"]
)
def test_bad_index_names(name: str) -> None:
    with pytest.raises(DevpiError, match="Invalid index name"):
        check_index_name(name)


@pytest.mark.parametrize(
    ("current", "settings", "changed"),
    [
        pytest.param(STAGE, {}, {}, id="nothing asked for"),
        pytest.param(STAGE, {"bases": ["root/pypi"]}, {}, id="same bases"),
        pytest.param(STAGE, {"bases": ["/root/pypi/"]}, {}, id="same bases, other slashes"),
        pytest.param(STAGE, {"bases": []}, {"bases": []}, id="no bases"),
        pytest.param(
            STAGE | {"bases": ["a/b", "c/d"]},
            {"bases": ["c/d", "a/b"]},
            {"bases": ["c/d", "a/b"]},
            id="other order of bases",
        ),
        pytest.param(STAGE, {"acl_upload": [":authenticated:", "ci"]}, {}, id="other order of acl"),
        pytest.param(
            STAGE,
            {"acl_upload": [":AUTHENTICATED:", "CI"]},
            {"acl_upload": [":AUTHENTICATED:", "CI"]},
            id="users have two cases",
        ),
        pytest.param(
            STAGE | {"mirror_whitelist": ["fine-shop"]},
            {"mirror_whitelist": ["Fine.Shop"]},
            {},
            id="other spelling of a project",
        ),
        pytest.param(STAGE, {"mirror_whitelist": ["*"]}, {"mirror_whitelist": ["*"]}, id="any"),
        pytest.param(STAGE, {"volatile": True}, {"volatile": True}, id="volatile"),
        pytest.param(STAGE, {"title": ""}, {}, id="no title, has none"),
        pytest.param(MIRROR, {"title": ""}, {"title": ""}, id="no title, has one"),
        pytest.param(MIRROR, {"mirror_no_project_list": False}, {}, id="devpi's default"),
        pytest.param(
            MIRROR,
            {"mirror_no_project_list": True, "mirror_url": MIRROR["mirror_url"]},
            {"mirror_no_project_list": True},
            id="no project list",
        ),
        pytest.param(
            MIRROR, {"mirror_cache_expiry": 60}, {"mirror_cache_expiry": 60}, id="cache expiry"
        ),
    ],
)
def test_decide_index(current: Config, settings: Config, changed: Config) -> None:
    change = decide_index(current, IndexWish("company/prod", current["type"], settings))
    assert change.action == ("modify" if changed else "none")
    assert change.after == changed
    assert change.before.keys() == changed.keys()
    if changed:
        unchanged = {key: value for key, value in current.items() if key != "projects"}
        assert change.body == unchanged | changed


@pytest.mark.parametrize(
    ("type_", "body"),
    [(None, {"type": "stage", "bases": []}), ("mirror", {"type": "mirror", "bases": []})],
)
def test_decide_new_index(type_: str | None, body: Config) -> None:
    change = decide_index(None, IndexWish("company/prod", type_, {"bases": []}))
    assert (change.action, change.body, change.after) == ("create", body, body)


def test_a_type_cannot_change() -> None:
    with pytest.raises(DevpiError, match="company/prod is a stage and cannot become a mirror"):
        decide_index(STAGE, IndexWish("company/prod", "mirror", {}))


@pytest.mark.parametrize(("current", "action"), [(None, "none"), ({"volatile": True}, "remove")])
def test_decide_index_removal(current: Config | None, action: str) -> None:
    assert decide_index_removal(current, "company/try").action == action


def test_an_index_that_stays() -> None:
    with pytest.raises(DevpiError, match="company/prod cannot be removed: it is not volatile"):
        decide_index_removal(STAGE, "company/prod")


def test_settings_that_a_server_ignores() -> None:
    check_stored("company/prod", {"volatile": False, "bases": ["root/pypi"]}, STAGE)
    with pytest.raises(
        DevpiError, match=r"settings of root/pypi .* mirror_no_project_list did not"
    ):
        check_stored("root/pypi", {"mirror_no_project_list": True}, MIRROR)
