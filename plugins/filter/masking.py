# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be shown and kept of messages that programs and apps have written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.masking import (
    masked,
    reason_of,
)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"masked": masked, "problem_reason": reason_of}
