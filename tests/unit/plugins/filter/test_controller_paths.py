# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Relative to what the paths of the controller are."""

from __future__ import annotations

import pytest
from ansible_collections.twelvefactor.deploy.plugins.filter.controller_paths import controller_path


@pytest.mark.parametrize(
    ("path", "base", "expected"),
    [
        ("ca.pem", "/inventory", "/inventory/ca.pem"),
        ("../shop", "/project/inventory", "/project/shop"),
        ("/etc/ca.pem", "/inventory", "/etc/ca.pem"),
        ("~/ca.pem", "/inventory", "/home/joe/ca.pem"),
        ("backup", "", "/called/from/backup"),
        ("backup", None, "/called/from/backup"),
    ],
)
def test_controller_path(
    monkeypatch: pytest.MonkeyPatch, path: str, base: str | None, expected: str
) -> None:
    monkeypatch.setenv("HOME", "/home/joe")
    monkeypatch.setattr("os.getcwd", lambda: "/called/from")
    assert controller_path(path, base) == expected
