# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to change on a devpi server for it to have the wanted contents."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.contents import (
    Found,
    Reservation,
    Wish,
    contents_wish,
    plan,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.indexes import (
    INDEX_SETTINGS,
    IndexWish,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.model import DevpiError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.tokens import (
    TokenState,
    TokenWish,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.users import UserWish

NOW = 1_800_000_000.0
MIRROR = {"type": "mirror", "volatile": False}
PROD = {"type": "stage", "volatile": False, "bases": ["root/pypi"], "acl_upload": ["ci"]}
ROOT = {"username": "root", "indexes": {"pypi": MIRROR}}
FRESH = Found(users={"root": ROOT})
RUNNING = Found(
    users={"root": ROOT, "ci": {"username": "ci"}, "company": {"indexes": {"prod": PROD}}},
    accepted={"ci"},
    projects={"company/prod": {"shop"}},
    token=TokenState(),
)
CI = UserWish("ci", "hush")
COMPANY = UserWish("company", "hush")
INDEX = IndexWish("company/prod", None, {"bases": ["root/pypi"], "acl_upload": ["ci"]})
TRY = IndexWish("company/try", None, {"bases": ["company/prod"]})
HOSTS = TokenWish("ci", {"allowed": ["pkg_read"]})


def shop(index: str = "company/prod", name: str = "Shop") -> Reservation:
    return Reservation(index, name)


@pytest.mark.parametrize(
    ("wish", "found", "steps"),
    [
        pytest.param(Wish(), FRESH, [], id="nothing"),
        pytest.param(
            Wish((CI, COMPANY), (INDEX, TRY), (shop(),), HOSTS),
            FRESH,
            [
                ("user ci", "create", ""),
                ("user company", "create", ""),
                ("index company/prod", "create", ""),
                ("index company/try", "create", ""),
                ("token of ci", "create", ""),
                ("name Shop on company/prod", "create", "ci"),
            ],
            id="all, each after what it needs",
        ),
        pytest.param(Wish((CI,), (INDEX,), (shop(),)), RUNNING, [], id="all is there"),
        pytest.param(Wish((COMPANY,)), RUNNING, [("user company", "modify", "")], id="password"),
        pytest.param(Wish((UserWish("ci"),)), RUNNING, [], id="no password asked for"),
        pytest.param(
            Wish(indexes=(IndexWish("root/pypi", "mirror", {"mirror_cache_expiry": 60}),)),
            FRESH,
            [("index root/pypi", "modify", "")],
            id="one setting of an index",
        ),
        pytest.param(
            Wish((COMPANY,), (TRY, IndexWish("company/a"), INDEX, IndexWish("company/b"))),
            FRESH,
            [
                ("user company", "create", ""),
                ("index company/a", "create", ""),
                ("index company/prod", "create", ""),
                ("index company/try", "create", ""),
                ("index company/b", "create", ""),
            ],
            id="bases first, all else as listed",
        ),
        pytest.param(
            Wish((CI,), reserved=(shop(name="Lib"), shop(name="lib"), shop(name="LIB"))),
            RUNNING,
            [("name Lib on company/prod", "create", "ci")],
            id="one name in three spellings",
        ),
        pytest.param(
            Wish((CI,), reserved=(shop(name="SHOP"), shop(name="shop-client"))),
            RUNNING,
            [("name shop-client on company/prod", "create", "ci")],
            id="names in any spelling",
        ),
        pytest.param(
            Wish((CI,), (IndexWish("ci/own"),), (shop("ci/own"),)),
            RUNNING,
            [("index ci/own", "create", ""), ("name Shop on ci/own", "create", "ci")],
            id="whose index it is uploads, if nothing is said",
        ),
        pytest.param(
            Wish(
                (COMPANY, CI),
                (IndexWish("company/prod", None, {"acl_upload": [":staff", ":authenticated:"]}),),
                (shop(name="other"),),
            ),
            RUNNING,
            [
                ("user company", "modify", ""),
                ("index company/prod", "modify", ""),
                ("name other on company/prod", "create", "company"),
            ],
            id="everybody uploads",
        ),
        pytest.param(
            Wish(
                (),
                (IndexWish("company/prod", None, {"acl_upload": ["other", "root"]}),),
                (shop(name="other"),),
            ),
            RUNNING,
            [
                ("index company/prod", "modify", ""),
                ("name other on company/prod", "create", "root"),
            ],
            id="who logs in uploads",
        ),
    ],
)
def test_the_changes_and_their_order(
    wish: Wish, found: Found, steps: list[tuple[str, str, str]]
) -> None:
    planned = plan(wish, found, NOW)
    assert [(step.subject, step.change.action, step.by) for step in planned.steps] == steps
    assert planned.missing == ()


@pytest.mark.parametrize(
    ("wish", "found", "missing"),
    [
        pytest.param(
            Wish(indexes=(INDEX,)),
            FRESH,
            "the index company/prod needs the user 'company'",
            id="owner",
        ),
        pytest.param(
            Wish((COMPANY,), (IndexWish("company/prod", None, {"bases": ["company/try"]}), TRY)),
            FRESH,
            "the index company/prod needs the base company/try",
            id="indexes that are each other's bases",
        ),
        pytest.param(
            Wish(token=HOSTS), FRESH, "the token needs the user 'ci'", id="the token's user"
        ),
        pytest.param(
            Wish(token=HOSTS),
            Found(users=RUNNING.users),
            "the token of 'ci' needs the plugin devpi-tokens",
            id="the plugin",
        ),
        pytest.param(
            Wish(reserved=(shop(),)),
            FRESH,
            "the name Shop needs the index company/prod",
            id="the index of a name",
        ),
    ],
)
def test_what_is_missing(wish: Wish, found: Found, missing: str) -> None:
    planned = plan(wish, found, NOW)
    assert planned.missing == (missing,)
    # what check mode predicts is what would be done once that is there
    assert planned.steps


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        (Wish(reserved=(shop(name="x"),)), r"reserve x on company/prod: none .* \(ci\) is a user"),
        (
            Wish((UserWish("ci"),), reserved=(shop(name="x"),)),
            r"none .* \(ci\) is a user whose pass",
        ),
        (Wish(reserved=(shop("root/pypi"),)), "root/pypi is a mirror of another index"),
        (Wish((UserWish("new"),)), "'new' does not exist yet, and a new one needs a password"),
        (Wish(indexes=(IndexWish("company/prod", "mirror"),)), "cannot become a mirror"),
    ],
)
def test_what_never_works(wish: Wish, message: str) -> None:
    with pytest.raises(DevpiError, match=message):
        plan(wish, RUNNING, NOW)


def test_no_change_shows_a_password() -> None:
    for step in plan(Wish((CI, COMPANY)), FRESH, NOW).steps:
        assert "hush" not in repr(step)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"users": ["root"]}, "The users hold 'root', who logs in: use devpi_user"),
        ({"users": ["ci", "ci"]}, "The users hold ci more than once"),
        ({"indexes": ["a/b", "a/c", "a/b"]}, "The indexes hold a/b more than once"),
        ({"users": ["a b"]}, "Invalid user name 'a b'"),
        ({"reserved": [{"index": "prod", "names": ["shop"]}]}, "Invalid index name 'prod'"),
        ({"reserved": [{"index": "a/b", "names": ["-x"]}]}, "Invalid project name '-x'"),
    ],
)
def test_what_is_no_description(params: dict[str, Any], message: str) -> None:
    settings = {"password": "hush", "email": None, "title": None, "description": None}
    users = [{"name": name, **settings} for name in params.pop("users", [])]
    params["indexes"] = [
        {**dict.fromkeys(INDEX_SETTINGS), "type": None, "name": name}
        for name in params.pop("indexes", [])
    ]
    empty: dict[str, Any] = {"login_user": "root", "reserved": [], "token": None}
    with pytest.raises(DevpiError, match=message):
        contents_wish({**empty, "users": users, **params})
