# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order the hosts of a fleet get a release, and whether they should."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.twelvefactor.deploy.plugins.filter.rollout import (
    batches,
    newer_version,
)


@pytest.mark.parametrize(
    ("hosts", "size", "canaries", "expected"),
    [
        ("", "100%", 1, []),
        ("a", "100%", 1, ["a"]),
        ("abcd", "100%", 1, ["a", "bcd"]),
        ("abcd", "100%", 0, ["abcd"]),
        ("abcde", 2, 1, ["a", "bc", "de"]),
        ("abcde", "2", 1, ["a", "bc", "de"]),
        ("abcdefghij", "30%", 1, ["a", "bcd", "efg", "hij"]),
        ("abc", "10%", 1, ["a", "b", "c"]),
        ("abc", 7, 5, ["abc"]),
        ("abcdef", 3, 2, ["ab", "cde", "f"]),
    ],
)
def test_batches(hosts: str, size: Any, canaries: int, expected: list[str]) -> None:
    assert batches(list(hosts), size, canaries) == [list(batch) for batch in expected]


@pytest.mark.parametrize("size", [0, "0%", "101%", "-1", "", "half", None, 1.5])
def test_no_size(size: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="write a number from 1 or a percentage"):
        batches(["a"], size)


@pytest.mark.parametrize("canaries", [-1, "1", None])
def test_no_number_of_canaries(canaries: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="canary hosts are none"):
        batches(["a"], 1, canaries)


@pytest.mark.parametrize(
    ("release", "version", "expected"),
    [
        ("releases/1.5.0-3f2a9c01", "1.4.0", "1.5.0"),
        ("/srv/shop/releases/1.10-3f2a9c01", "1.9", "1.10"),
        ("1.5.0-3f2a9c01", "1.5.0rc1", "1.5.0"),
        ("1!0.1-3f2a9c01", "7.0", "1!0.1"),
        ("1.0+b.2-3f2a9c01", "1.0", "1.0+b.2"),
        # the same, or forward
        ("1.5.0-3f2a9c01", "1.5.0", ""),
        ("1.5.0-3f2a9c01", "1.5", ""),
        ("1.4.0-3f2a9c01", "1.5.0", ""),
        ("1.9-3f2a9c01", "1.10", ""),
        ("1.5.0rc1-3f2a9c01", "1.5.0", ""),
        # nothing serves, or nothing that can be compared
        ("", "1.4.0", ""),
        ("main-3f2a9c01", "1.4.0", ""),
        ("1.5.0-3f2a9c01", "main", ""),
    ],
)
def test_newer_version(release: str, version: str, expected: str) -> None:
    assert newer_version(release, version) == expected
