# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which users a devpi server is to have. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.model import (
    NOTHING,
    Change,
    Config,
    DevpiError,
)

# What can be said of a user besides name and password, for argument specs.
USER_SETTINGS: dict[str, dict[str, Any]] = {
    "email": {"type": "str"},
    "title": {"type": "str"},
    "description": {"type": "str"},
}


@dataclass(frozen=True)
class UserWish:
    """How a user is to be. `settings` holds only what was asked for."""

    name: str
    password: str | None = field(default=None, repr=False)
    settings: Config = field(default_factory=dict)


def user_wish(params: Mapping[str, Any]) -> UserWish:
    """The user that a module's parameters describe. Raises DevpiError."""
    return UserWish(
        name=check_user_name(params["name"]),
        password=params["password"],
        settings={key: params[key] for key in USER_SETTINGS if params[key] is not None},
    )


def check_user_name(name: str) -> str:
    """The rule of devpi: ASCII letters, digits and -.@_ are fine (`is_valid_name` there)."""
    if not re.fullmatch(r"[A-Za-z0-9.@_-]+", name):
        raise DevpiError(
            f"Invalid user name {name!r}: use only letters, digits, '-', '.', '@' and '_'."
        )
    return name


def decide_user(current: Config | None, wish: UserWish, *, password_fits: bool) -> Change:
    """How to make `current`, devpi's own description, what is wished for.

    devpi never tells a password's hash, so whether it is the right one comes from a login
    (`password_fits`, not looked at when no password is asked for).
    """
    if current is None:
        if wish.password is None:
            raise DevpiError(
                f"The user {wish.name!r} does not exist yet, and a new one needs a password."
            )
        return Change(
            "create",
            body={**wish.settings, "password": wish.password},
            after={"username": wish.name, **wish.settings, "password": "as given"},
        )
    body: Config = {
        key: value for key, value in wish.settings.items() if current.get(key, "") != value
    }
    before = {key: current.get(key, "") for key in body}
    after = dict(body)
    if wish.password is not None and not password_fits:
        body["password"] = wish.password
        before["password"] = "another"
        after["password"] = "as given"
    if not body:
        return NOTHING
    return Change("modify", body, before, after)


def decide_user_removal(current: Config | None, name: str) -> Change:
    """Raises DevpiError where devpi would refuse, so that check mode says so too."""
    if current is None:
        return NOTHING
    if name == "root":
        raise DevpiError("The user 'root' cannot be removed: devpi needs it.")
    indexes: dict[str, Config] = current.get("indexes", {})
    kept = sorted(index for index, config in indexes.items() if not config.get("volatile"))
    if kept:
        raise DevpiError(
            f"The user {name!r} cannot be removed: its indexes {', '.join(kept)} are not volatile. "
            "Make them volatile or remove them first; their files go with the user."
        )
    before = {"username": name, "indexes": sorted(indexes)}
    return Change("remove", before=before)
