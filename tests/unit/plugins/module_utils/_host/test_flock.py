# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether somebody holds a flock."""

from __future__ import annotations

import fcntl
import pathlib

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.flock import is_held


@pytest.mark.parametrize(
    ("kind", "shared", "expected"),
    [
        (fcntl.LOCK_EX, False, True),
        (fcntl.LOCK_EX, True, True),
        (fcntl.LOCK_SH, False, True),
        (fcntl.LOCK_SH, True, False),
        (fcntl.LOCK_UN, False, False),
        (fcntl.LOCK_UN, True, False),
    ],
)
def test_is_held(kind: int, shared: bool, expected: bool, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "lock"
    with path.open("w") as holder:
        fcntl.flock(holder, kind)
        assert is_held(path, shared=shared) is expected
        # looking leaves nothing behind
        assert is_held(path, shared=shared) is expected
        path.with_name("link").symlink_to(path)
        assert not is_held(path.with_name("link"), shared=shared)
    assert not is_held(path.with_name("missing"), shared=shared)
