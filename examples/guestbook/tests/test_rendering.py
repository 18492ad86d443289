# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strangers write entries: what of it reaches the page."""

from __future__ import annotations

import pytest

from guestbook.rendering import render


@pytest.mark.parametrize(
    ("message", "html"),
    [
        ("**bold**", "<p><strong>bold</strong></p>"),
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
        ("![tracker](https://e.test/x.png)", "<p></p>"),
        ("# loud", "loud"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>"),
        (
            "[x](https://e.test)",
            '<p><a href="https://e.test" rel="nofollow noopener ugc">x</a></p>',
        ),
    ],
)
def test_render(message: str, html: str) -> None:
    assert render(message).strip() == html
