# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out what was decided about one user, index or name of a devpi server."""

from __future__ import annotations

from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.client import (
    Client,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.indexes import (
    IndexWish,
    check_stored,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.model import (
    Change,
    Config,
    DevpiError,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.packages import (
    project_path,
)

# Less than every version that a file may ever have. devpi registers a name with a version only.
NO_VERSION = "0.dev0"

METHODS = {"create": "PUT", "modify": "PATCH", "remove": "DELETE"}


def apply_user(client: Client, name: str, change: Change) -> None:
    """Create, modify or remove a user. Raises DevpiError."""
    body = None if change.action == "remove" else change.body
    method = METHODS[change.action]
    client.send(f"{change.action} the user {name!r}", method, f"/{name}", body)


def apply_index(client: Client, wish: IndexWish, change: Change) -> Config | None:
    """Create, modify or remove an index. Its settings from then on, None of one that is removed.

    Raises DevpiError, also where the server takes the settings and does not keep them.
    """
    what, path = f"{change.action} the index {wish.name}", f"/{wish.name}"
    if change.action == "remove":
        client.send(what, "DELETE", path)
        return None
    stored: Config | None = client.send(what, METHODS[change.action], path, change.body)
    check_stored(wish.name, wish.settings, stored)
    return stored


def apply_reservation(client: Client, index: str, name: str) -> None:
    """Have a project without a file on an index. Raises DevpiError."""
    fields = {"name": name, "version": NO_VERSION, "summary": "reserved"}
    client.register(f"reserve {name} on {index}", f"/{index}/", fields)
    found = client.get(f"look for {name} on {index}", project_path(index, name))
    if found is None:
        raise DevpiError(f"{client.server.url} took {name}, but {index} does not have it.")
