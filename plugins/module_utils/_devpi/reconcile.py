# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the contents of a devpi server, and change what differs from what is wished for."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.apply import (
    apply_index,
    apply_reservation,
    apply_user,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.client import (
    Client,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.contents import (
    Found,
    Reservation,
    Step,
    Wish,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.indexes import (
    IndexWish,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.model import (
    DevpiError,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.token_file import (
    read_token,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.token_store import (
    apply_token,
    listed_tokens,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.tokens import (
    TokenState,
    TokenWish,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.users import (
    UserWish,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import (
    DeployError,
    ReadableError,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.names import (
    canonical_name,
)

PAUSE = 1.0  # seconds between two questions whether the server responds


def wait_for(client: Client, seconds: float, pause: Callable[[float], None] = time.sleep) -> None:
    """Return when the server responds. Raises DeployError or DevpiError, the last one, when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            client.get("wait for devpi", "/+api")
            return
        except (DeployError, DevpiError):
            if time.monotonic() + PAUSE > deadline:
                raise
        pause(PAUSE)


@dataclass
class Contents:
    """The contents of one server, by a client that is logged in. Every method raises DevpiError or DeployError."""

    client: Client
    token_path: pathlib.Path | None = None
    _sessions: dict[str, Client] = field(default_factory=dict)  # by their users

    def __post_init__(self) -> None:
        self._sessions[self.client.server.user] = self.client

    def read(self, wish: Wish) -> Found:
        """What there is of what is wished for."""
        users = self.client.get("list the users and indexes", "/") or {}
        found = Found(users=users)
        indexes = found.indexes()
        return Found(
            users=users,
            accepted={user.name for user in wish.users if self._log_in(user, users)},
            projects={
                index: self._projects(index)
                for index in {each.index for each in wish.reserved}
                # of a mirror, devpi would ask upstream
                if indexes.get(index, {}).get("type", "mirror") != "mirror"
            },
            token=self._token(wish.token.user, known=wish.token.user in users)
            if wish.token
            else None,
        )

    def apply(self, wish: Wish, found: Found, steps: tuple[Step, ...]) -> None:
        """Make all changes. An error says which ones were made before it."""
        passwords = {user.name: user.password or "" for user in wish.users}
        done: list[str] = []
        for step in steps:
            try:
                self._apply(step, found, passwords)
            except ReadableError as error:
                before = f" Changed before that: {', '.join(done)}." if done else ""
                raise DevpiError(f"{error}{before}") from error
            done.append(step.subject)

    def _apply(self, step: Step, found: Found, passwords: dict[str, str]) -> None:
        wish = step.wish
        if isinstance(wish, UserWish):
            apply_user(self.client, wish.name, step.change)
            self._sessions.pop(wish.name, None)
        elif isinstance(wish, IndexWish):
            apply_index(self.client, wish, step.change)
        elif isinstance(wish, TokenWish) and self.token_path:
            apply_token(self.client, self.token_path, wish, found.token or TokenState())
        elif isinstance(wish, Reservation):
            session = self._session(step.by, passwords.get(step.by, ""))
            apply_reservation(session, wish.index, wish.name)

    def _log_in(self, user: UserWish, users: dict[str, object]) -> bool:
        """Whether the user logs in with the wanted password, the only way to compare one."""
        if user.password is None or user.name not in users:
            return False
        client = self.client.logged_in_as(user.name, user.password)
        if client is not None:
            self._sessions[user.name] = client
        return client is not None

    def _session(self, user: str, password: str) -> Client:
        if user not in self._sessions:
            client = self.client.logged_in_as(user, password)
            if client is None:
                raise DevpiError(f"{self.client.server.url} does not let {user!r} log in.")
            self._sessions[user] = client
        return self._sessions[user]

    def _projects(self, index: str) -> set[str]:
        answer = self.client.get(f"list the projects of {index}", f"/{index}") or {}
        return {canonical_name(name) for name in answer.get("projects", [])}

    def _token(self, user: str, *, known: bool) -> TokenState | None:
        kept = read_token(self.token_path) if self.token_path else None
        tokens = listed_tokens(self.client, user) if known else {}
        return None if tokens is None else TokenState(kept, tokens)
