# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which releases stay."""

from __future__ import annotations

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release import (
    retention,
)


@pytest.mark.parametrize(
    ("installed", "keep", "current", "target", "new", "pruned"),
    [
        pytest.param("abcde", 5, "e", "d", "e", "", id="as-many-as-kept"),
        pytest.param("abcde", 5, "e", "d", "f", "a", id="a-new-one-makes-one-too-many"),
        pytest.param("abcdefg", 5, "g", "f", "g", "ab", id="oldest-first"),
        pytest.param("abcdefg", 5, "a", "b", "g", "cd", id="current-and-target-are-the-oldest"),
        pytest.param("abc", 1, "b", "a", "c", "", id="never-current-target-or-new"),
        pytest.param("abcd", 1, "b", "a", "c", "d", id="keep-one"),
        pytest.param("abcd", 0, "d", "c", "d", "ab", id="keep-none"),
        pytest.param("abcd", -3, "d", None, "d", "abc", id="keep-less-than-none"),
        pytest.param("", 5, None, None, "a", "", id="first"),
        pytest.param("ab", 1, None, None, "c", "ab", id="nothing-serves"),
    ],
)
def test_prune(
    installed: str, keep: int, current: str | None, target: str | None, new: str, pruned: str
) -> None:
    assert retention.to_prune(list(installed), keep, current, target, new) == list(pruned)


@pytest.mark.parametrize(
    ("pruned", "kept", "names"),
    [
        pytest.param([], [{"a": "1"}], [], id="nothing-pruned"),
        pytest.param([{"a": "1", "b": "1"}], [{"a": "1", "b": "2"}], ["b"], id="newer-version"),
        pytest.param([{"a": "1"}], [{"b": "1"}], ["a"], id="no-longer-needed"),
        pytest.param([{"b": "1"}, {"a": "1"}], [{"b": "2"}, {"a": "1"}, {"b": "1"}], [], id="kept"),
    ],
)
def test_superseded(
    pruned: list[dict[str, str]], kept: list[dict[str, str]], names: list[str]
) -> None:
    assert retention.superseded(pruned, kept) == names
