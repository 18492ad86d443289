# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens of devpi-tokens."""

from __future__ import annotations

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.model import (
    Config,
    DevpiError,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.tokens import (
    TokenState,
    TokenWish,
    decide_token,
    is_token,
    token_owner,
)

# As devpi-tokens made it for the user company; it has been revoked.
TOKEN = (
    "devpi-AgEAAhBjb21wYW55LWtESkJmQmdEAAIXYWxsb3dlZD1wa2dfcmVhZCx1cGxvYWQAAhJleHBpcmVzPTE4MjY5"
    "Njg0MzUAAhNwcm9qZWN0cz10b2tlbi1tYWRlAAAGIPFl7_VNrUtIXfoT8ZltLBt8HkUxD5Nw4Ql308i4dxU7"
)
NOW = 1_800_000_000.0
KNOWN: dict[str, Config] = {
    "kDJBfBgD": {
        "restrictions": [
            "allowed=pkg_read,upload",
            "expires=1826968435",
            "projects=token-made",
        ]
    }
}
LIMITS = {"allowed": ["upload", "pkg_read"], "projects": ["token-made"]}


def test_whose_a_token_is() -> None:
    assert token_owner(TOKEN) == ("company", "kDJBfBgD")
    assert is_token(TOKEN)


@pytest.mark.parametrize("text", ["", "devpi-", "hush", "devpi-AgEA", "devpi-AQEA", "devpi-ü", "%"])
def test_what_is_no_token(text: str) -> None:
    assert not is_token(text)
    with pytest.raises(DevpiError, match="Invalid token of devpi-tokens"):
        token_owner(text)


@pytest.mark.parametrize(
    ("kept", "known", "wish", "reason"),
    [
        (TOKEN, KNOWN, TokenWish("company", LIMITS), ""),
        (TOKEN + "\n", KNOWN, TokenWish("company", LIMITS), ""),
        (None, KNOWN, TokenWish("company", LIMITS), "there is none"),
        ("hush", KNOWN, TokenWish("company", LIMITS), "the file holds something else"),
        (TOKEN, KNOWN, TokenWish("ci", LIMITS), "it is one of the user 'company'"),
        (TOKEN, {}, TokenWish("company", LIMITS), "the server does not know it any more"),
        (TOKEN, KNOWN, TokenWish("company"), "it is good for something else"),
        (TOKEN, KNOWN, TokenWish("company", LIMITS, 365, 312), ""),
        (TOKEN, KNOWN, TokenWish("company", LIMITS, 365, 313), "it expires soon"),
        (
            TOKEN,
            {"kDJBfBgD": {"restrictions": ["expires=never"]}},
            TokenWish("company"),
            "",
        ),
    ],
)
def test_when_a_token_is_replaced(
    kept: str | None, known: dict[str, Config], wish: TokenWish, reason: str
) -> None:
    change, said = decide_token(TokenState(kept, known), wish, NOW)
    assert said == reason
    assert change.action == ("create" if reason else "none")
