# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of releases is that of their installation, whatever the clock of the host does."""

from __future__ import annotations

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.installation import (
    after,
)

NOON = 1767268800.0  # 2026-01-01T12:00:00Z


@pytest.mark.parametrize(
    ("earlier", "said"),
    [
        pytest.param([], "2026-01-01T12:00:00Z", id="first"),
        pytest.param(["2026-01-01T11:59:59Z"], "2026-01-01T12:00:00Z", id="later"),
        pytest.param(["2026-01-01T12:00:00Z"], "2026-01-01T12:00:01Z", id="same-second"),
        pytest.param(
            ["2031-12-31T23:59:59Z", "2025-05-05T05:05:05Z"], "2032-01-01T00:00:00Z", id="set-back"
        ),
        pytest.param(["tomorrow"], "2026-01-01T12:00:00Z", id="not-a-time"),
    ],
)
def test_a_release_is_later_than_those_before_it(earlier: list[str], said: str) -> None:
    assert after(NOON, earlier) == said
