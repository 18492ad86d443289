# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to change on a devpi server, and why it cannot."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import (
    ReadableError,
    without_passwords,
)

Config = dict[str, Any]
Action = Literal["none", "create", "modify", "remove"]


class DevpiError(ReadableError):
    """What was tried, what came of it, and what to do: one sentence or two for the user."""


class LoginRefusedError(DevpiError):
    """The server is there and does not take this user's password."""


@dataclass(frozen=True)
class Change:
    """What to do about one user or index, and what of it can be shown."""

    action: Action
    body: Config = field(default_factory=dict, repr=False)  # may hold a password
    before: Config = field(default_factory=dict)
    after: Config = field(default_factory=dict)


NOTHING = Change("none")


def diff(change: Change, what: str) -> dict[str, Any]:
    """A change as Ansible shows it. `before` and `after` hold no secret but a URL's password, which is left out."""
    return {"before_header": what, "after_header": what} | {
        side: without_passwords(
            "".join(f"{key}: {json.dumps(value)}\n" for key, value in sorted(facts.items()))
        )
        for side, facts in (("before", change.before), ("after", change.after))
    }
