# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the name of an app is free on a host, for the role app_user."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.user import conflict


def app_user_conflict(found: Sequence[str], name: str) -> str:
    return conflict(name, found)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"app_user_conflict": app_user_conflict}
