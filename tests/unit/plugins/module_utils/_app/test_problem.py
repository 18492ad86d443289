# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which known word was meant."""

from __future__ import annotations

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.problem import (
    distance,
    misspelled,
)


@pytest.mark.parametrize(
    ("one", "other", "slips"),
    [
        ("", "", 0),
        ("sites", "sites", 0),
        ("sitse", "sites", 1),  # two that changed places
        ("stes", "sites", 1),
        ("siites", "sites", 1),
        ("sided", "sites", 2),
        ("", "abc", 3),
        ("ca", "abc", 3),  # of a character that has changed its place nothing else is changed
    ],
)
def test_slips_between_two_words(one: str, other: str, slips: int) -> None:
    assert distance(one, other) == distance(other, one) == slips


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("_sitse", "_sites"),
        ("_vhosts", ""),
        ("_trusted_proxy", ""),
        ("_trustd_proxeis", "_trusted_proxies"),
        ("_sites", "_sites"),
    ],
)
def test_a_misspelled_word(word: str, meant: str) -> None:
    assert misspelled(word, ["_hsts", "_sites", "_trusted_proxies"]) == meant


def test_nothing_is_known() -> None:
    assert misspelled("x", []) == ""
