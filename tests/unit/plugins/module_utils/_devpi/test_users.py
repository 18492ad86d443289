# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which users a devpi server is to have."""

from __future__ import annotations

import json

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.model import (
    Config,
    DevpiError,
    diff,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.users import (
    UserWish,
    check_user_name,
    decide_user,
    decide_user_removal,
)


@pytest.mark.parametrize("name", ["", "a/b", "a b", "+login", "a\n"])
def test_bad_user_names(name: str) -> None:
    with pytest.raises(DevpiError, match="Invalid user name"):
        check_user_name(name)


@pytest.mark.parametrize(
    ("current", "wish", "fits", "action", "body"),
    [
        pytest.param(
            None,
            UserWish("ci", "hush", {"email": "ci@example.org"}),
            True,
            "create",
            {"email": "ci@example.org", "password": "hush"},
            id="new",
        ),
        pytest.param({}, UserWish("ci"), True, "none", {}, id="nothing asked for"),
        pytest.param({}, UserWish("ci", "hush"), True, "none", {}, id="password fits"),
        pytest.param(
            {}, UserWish("ci", "hush"), False, "modify", {"password": "hush"}, id="other password"
        ),
        pytest.param({}, UserWish("ci"), False, "none", {}, id="password not asked for"),
        pytest.param(
            {"email": "old@example.org", "title": "CI"},
            UserWish("ci", None, {"email": "ci@example.org", "title": "CI"}),
            True,
            "modify",
            {"email": "ci@example.org"},
            id="other address",
        ),
        pytest.param(
            {"title": "CI"},
            UserWish("ci", None, {"title": ""}),
            True,
            "modify",
            {"title": ""},
            id="title removed",
        ),
        pytest.param({}, UserWish("ci", None, {"title": ""}), True, "none", {}, id="had no title"),
    ],
)
def test_decide_user(
    current: Config | None, wish: UserWish, fits: bool, action: str, body: Config
) -> None:
    change = decide_user(current, wish, password_fits=fits)
    assert (change.action, change.body) == (action, body)
    assert "hush" not in repr(change)
    assert "hush" not in repr(wish)
    assert "hush" not in json.dumps(diff(change, "user ci"))


def test_a_new_user_needs_a_password() -> None:
    with pytest.raises(
        DevpiError, match="The user 'ci' does not exist yet, and a new one needs a password"
    ):
        decide_user(None, UserWish("ci"), password_fits=True)


@pytest.mark.parametrize(
    ("current", "action"),
    [(None, "none"), ({}, "remove"), ({"indexes": {"try": {"volatile": True}}}, "remove")],
)
def test_decide_user_removal(current: Config | None, action: str) -> None:
    assert decide_user_removal(current, "ci").action == action


@pytest.mark.parametrize(
    ("name", "current", "message"),
    [
        ("root", {"indexes": {}}, "'root' cannot be removed"),
        (
            "ci",
            {"indexes": {"try": {"volatile": True}, "prod": {"volatile": False}, "old": {}}},
            "indexes old, prod are not volatile",
        ),
    ],
)
def test_users_that_stay(name: str, current: Config, message: str) -> None:
    with pytest.raises(DevpiError, match=message):
        decide_user_removal(current, name)
