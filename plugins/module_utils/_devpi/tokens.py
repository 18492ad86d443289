# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens of devpi-tokens: whose they are, and what they are good for. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.model import (
    NOTHING,
    Change,
    Config,
    DevpiError,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.users import (
    check_user_name,
)

LIMITS = ("allowed", "indexes", "projects")

# What can be said of a token besides its user and its file, for argument specs.
TOKEN_SETTINGS: dict[str, dict[str, Any]] = {
    **{limit: {"type": "list", "elements": "str"} for limit in LIMITS},
    "days": {"type": "int", "default": 365},
    "renew_days": {"type": "int", "default": 30},
}


@dataclass(frozen=True)
class TokenWish:
    """What a token is to be good for. `limits` holds only what was asked for."""

    user: str
    limits: Mapping[str, list[str]] = field(default_factory=dict)
    days: int = 365  # of a new one
    renew_days: int = 30  # one with less than that is replaced

    def body(self, now: float) -> Config:
        """What devpi-tokens is asked for."""
        limits = {key: sorted(value) for key, value in self.limits.items()}
        return {**limits, "expires": int(now) + self.days * 86400}


@dataclass(frozen=True)
class TokenState:
    """The token that is kept in the file, and those that the server knows of the user, by their ids."""

    kept: str | None = field(default=None, repr=False)
    known: Mapping[str, Config] = field(default_factory=dict)


def token_wish(params: Mapping[str, Any]) -> TokenWish:
    """The token that a module's parameters describe. Raises DevpiError."""
    wish = TokenWish(
        user=check_user_name(params["user"]),
        limits={key: params[key] for key in LIMITS if params[key] is not None},
        days=params["days"],
        renew_days=params["renew_days"],
    )
    if wish.days <= wish.renew_days:
        raise DevpiError(
            f"A token of {wish.days} days that is replaced when it has less than "
            f"{wish.renew_days} left would be replaced by every run: make days larger."
        )
    return wish


def token_owner(token: str) -> tuple[str, str]:
    """User and id in a token, which is a macaroon: version, then fields of type, length, content.

    https://github.com/rescrv/libmacaroons/blob/master/doc/format.txt. Raises DevpiError.
    """
    try:
        text = token.strip().removeprefix("devpi-")
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        if data[0] != 2:
            raise ValueError("another version")
        at = 1
        while True:
            kind, length = data[at], data[at + 1]
            if length & 0x80:
                raise ValueError("a field of more than 127 bytes")
            content = data[at + 2 : at + 2 + length]
            if kind == 2:
                user, _dash, token_id = content.decode("ascii").rpartition("-")
                return user, token_id
            at += 2 + length
    except (ValueError, IndexError) as error:
        raise DevpiError(f"Invalid token of devpi-tokens: {error}.") from None


def is_token(password: str) -> bool:
    try:
        token_owner(password)
    except DevpiError:
        return False
    return password.startswith("devpi-")


def token_limits(restrictions: list[str]) -> Config:
    """The restrictions of a token as devpi-tokens lists them, "key=value" each."""
    found: Config = {}
    for restriction in restrictions:
        key, _equals, value = restriction.partition("=")
        found[key] = value.split(",") if key in LIMITS else value
    return found


def decide_token(state: TokenState, wish: TokenWish, now: float) -> tuple[Change, str]:
    """Whether the token that is kept is to be replaced by a new one, and why."""
    reason = _why_another(state, wish, now)
    new = Change("create", after={"user": wish.user, **wish.limits, "days": wish.days})
    return (new if reason else NOTHING), reason


def _why_another(state: TokenState, wish: TokenWish, now: float) -> str:
    """Why the token that is kept cannot go on being used; empty if it can."""
    if state.kept is None:
        return "there is none"
    try:
        user, token_id = token_owner(state.kept)
    except DevpiError:
        return "the file holds something else"
    if user != wish.user:
        return f"it is one of the user {user!r}"
    if token_id not in state.known:
        return "the server does not know it any more"
    limits = token_limits(state.known[token_id].get("restrictions", []))
    expires = limits.pop("expires", "never")
    if limits != {key: sorted(value) for key, value in wish.limits.items()}:
        return "it is good for something else"
    if expires != "never" and int(expires) < now + wish.renew_days * 86400:
        return "it expires soon"
    return ""
