# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell a server of a release and of its deploy."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.twelvefactor.deploy.plugins.module_utils._sentry.connection import (
    Connection,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._sentry.dialects import (
    is_listed,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._sentry.model import (
    Deploy,
    SentryError,
)


def check_release(name: str) -> str:
    """Sentry's rules for names of releases, which bugsink sanitizes by instead of refusing."""
    if not 0 < len(name) <= 200 or name.strip() in ("", ".", "..") or set(name) & set("\n\t/\\"):
        raise SentryError(
            f"Invalid release name {name!r}: use 1 to 200 characters, no slash, backslash, tab or line "
            "break. The app's events have it in SENTRY_RELEASE."
        )
    return name


@dataclass(frozen=True)
class Told:
    """What the server did not know before."""

    created: bool
    deployed: bool


def tell(connection: Connection, deploy: Deploy, *, only_foresee: bool) -> Told:
    """Tell of a release, and of its deploy where the server has a word for that."""
    dialect, receiver = connection.dialect, connection.receiver
    if only_foresee:
        created = not dialect.has_release(receiver, deploy.release)
    else:
        request = dialect.create(deploy)
        answer = receiver.ask(request)
        made = dialect.is_created(answer)
        if made is None:
            receiver.accepted(request.what, answer)
            raise SentryError(f"Cannot {request.what}: {receiver.url} answered {answer.status}.")
        created = made
    requests = dialect.deployment(deploy)
    if requests is None:
        return Told(created, deployed=False)
    listing, telling = requests
    if not (created and only_foresee):
        known = receiver.accepted(listing.what, receiver.ask(listing)).document
        if is_listed(deploy, known):
            return Told(created, deployed=False)
    if not only_foresee:
        receiver.accepted(telling.what, receiver.ask(telling))
    return Told(created, deployed=True)
