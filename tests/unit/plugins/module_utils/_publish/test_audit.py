# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pip-audit is asked at a time."""

from __future__ import annotations

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._packaging.requirements import Pin
from ansible_collections.twelvefactor.deploy.plugins.module_utils._publish.audit import rounds

A = "a" * 64


def pin(name: str, version: str) -> Pin:
    return Pin(name, version, (A,))


@pytest.mark.parametrize(
    ("pins", "expected"),
    [
        ([], []),
        ([pin("a", "1"), pin("b", "1")], [["a 1", "b 1"]]),
        ([pin("a", "1"), pin("b", "1"), pin("a", "2")], [["a 1", "b 1"], ["a 2"]]),
        ([pin("a", "1"), pin("a", "1")], [["a 1"]]),
        ([pin("a", "3"), pin("a", "2"), pin("a", "1")], [["a 3"], ["a 2"], ["a 1"]]),
    ],
)
def test_rounds(pins: list[Pin], expected: list[list[str]]) -> None:
    found = rounds(pins)
    assert [[f"{one.name} {one.version}" for one in some] for some in found] == expected
