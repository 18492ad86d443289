# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a devpi server is asked for, and how often, for all of its contents."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.client import (
    Client,
    Server,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.contents import (
    Reservation,
    Wish,
    plan,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.reconcile import (
    Contents,
    wait_for,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.tokens import TokenWish
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.users import UserWish
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError

PROD = {"type": "stage", "acl_upload": ["ci"]}
PAGES: dict[str, Any] = {
    "/": {
        "ci": {"indexes": {"prod": PROD, "up": {"type": "mirror"}}},
        "hosts": {},
    },
    "/ci/prod": {"projects": ["shop"]},
    "/ci/prod/lib?ignore_bases=": {},
    "/hosts/+tokens": {"tokens": {}},
}


@dataclass
class Recorder:
    """A server with these pages, on which one password is right."""

    asked: list[str] = field(default_factory=list)
    user: str = "root"

    @property
    def server(self) -> Server:
        return Server("http://index.test", self.user, "hush")

    def get(self, _what: str, path: str) -> Any:
        self.asked.append(f"{self.user}: {path}")
        return PAGES.get(path)

    def logged_in_as(self, user: str, password: str) -> Recorder | None:
        self.asked.append(f"login {user}")
        return Recorder(self.asked, user) if password == "right" else None

    def register(self, _what: str, path: str, fields: dict[str, str]) -> None:
        self.asked.append(f"{self.user}: register {fields['name']} on {path}")


def contents(recorder: Recorder, path: pathlib.Path | None = None) -> Contents:
    return Contents(cast(Client, recorder), path)


def test_everything_is_asked_for_once(tmp_path: pathlib.Path) -> None:
    recorder = Recorder()
    wish = Wish(
        users=(UserWish("ci", "right"), UserWish("hosts", "wrong"), UserWish("new", "x")),
        reserved=(
            *(Reservation("ci/prod", name) for name in ("shop", "lib")),
            Reservation("ci/up", "lib"),
        ),
        token=TokenWish("hosts"),
    )
    found = contents(recorder, tmp_path / "token").read(wish)
    assert recorder.asked == [
        "root: /",
        "login ci",
        "login hosts",
        "root: /ci/prod",
        "root: /hosts/+tokens",
    ]
    assert found.accepted == {"ci"}
    assert found.projects == {"ci/prod": {"shop"}}


def test_who_was_logged_in_to_compare_a_password_uploads() -> None:
    recorder = Recorder()
    wish = Wish((UserWish("ci", "right"),), reserved=(Reservation("ci/prod", "lib"),))
    subject = contents(recorder)
    found = subject.read(wish)
    recorder.asked.clear()
    subject.apply(wish, found, plan(wish, found, 0).steps)
    assert recorder.asked == ["ci: register lib on /ci/prod/", "ci: /ci/prod/lib?ignore_bases="]


@dataclass
class Starting:
    """A server that responds at last."""

    refused: int

    def get(self, _what: str, _path: str) -> None:
        if self.refused:
            self.refused -= 1
            raise DeployError("cannot be reached")


def test_a_server_that_starts_is_waited_for() -> None:
    pauses: list[float] = []
    wait_for(cast(Client, Starting(2)), 60, pauses.append)
    assert len(pauses) == 2


def test_one_that_does_not_is_an_error() -> None:
    with pytest.raises(DeployError, match="cannot be reached"):
        wait_for(cast(Client, Starting(1)), 0)
