# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which releases stay on a host. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def to_prune(
    installed: Sequence[str], keep: int, current: str | None, target: str | None, new: str
) -> list[str]:
    """Which releases to remove. ``installed``: complete ones, oldest first.

    ``keep`` releases stay. The current one, the one a rollback would pick and the one that was
    asked for stay in any case.
    """
    protected = {current, target, new}
    surplus = len({*installed, new}) - keep
    candidates = [name for name in installed if name not in protected]
    return candidates[: max(surplus, 0)]
