# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A token in a file of the host, and the server that knows it."""

from __future__ import annotations

import pathlib
import time

from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.client import (
    Client,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.model import (
    Config,
    DevpiError,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.token_file import (
    read_token,
    write_token,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.tokens import (
    TokenState,
    TokenWish,
    token_owner,
)


def listed_tokens(client: Client, user: str) -> dict[str, Config] | None:
    """The tokens that the server knows of a user, by their ids; None where there is no such page."""
    answer = client.get(f"list the tokens of {user!r}", f"/{user}/+tokens")
    return None if answer is None else dict(answer["tokens"])


def known_tokens(client: Client, user: str) -> dict[str, Config]:
    """As ``listed_tokens``. Raises DevpiError where there is no such user, or no devpi-tokens."""
    tokens = listed_tokens(client, user)
    if tokens is None:
        if client.get(f"look at the user {user!r}", f"/{user}") is None:
            raise DevpiError(f"{client.server.url} has no user {user!r} to make a token for.")
        raise DevpiError(
            f"{client.server.url} knows nothing of tokens: install the plugin devpi-tokens there."
        )
    return tokens


def apply_token(client: Client, path: pathlib.Path, wish: TokenWish, state: TokenState) -> None:
    """Make a token, keep it in the file, and revoke the one that was there. Raises DevpiError."""
    if not path.parent.is_dir():
        raise DevpiError(f"Cannot write the token: the directory {path.parent} does not exist.")
    what = f"make a token for {wish.user!r}"
    answer = client.send(what, "POST", f"/{wish.user}/+token-create", wish.body(time.time()))
    write_token(path, answer["token"])
    _revoke(client, wish.user, state)


def remove_token(client: Client, path: pathlib.Path, user: str) -> None:
    """Revoke the token in the file and remove the file. Raises DevpiError."""
    _revoke(client, user, TokenState(read_token(path), known_tokens(client, user)))
    path.unlink(missing_ok=True)


def _revoke(client: Client, user: str, state: TokenState) -> None:
    try:
        owner, token_id = token_owner(state.kept or "")
    except DevpiError:
        return
    if owner == user and token_id in state.known:
        client.send(f"revoke a token of {user!r}", "DELETE", f"/{user}/+tokens/{token_id}")
