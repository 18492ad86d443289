# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused of the setting media."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.validation import (
    settings_problems,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._app.values import Unresolved

STATIC = {"static_files": {"static": "shop/static"}}
LATER = Unresolved()


def told(media: Any, **others: Any) -> list[str]:
    said = {"version": "1", "media": media, **others}
    return [str(each) for each in settings_problems(said, "shop")]


def locations(*paths: Any) -> dict[str, Any]:
    return {"nginx_site": {"locations": [{"path": path} for path in paths]}}


@pytest.mark.parametrize(
    ("media", "others"),
    [
        ({}, {}),
        (None, {}),
        (LATER, {}),
        ({"media": LATER, "files": LATER}, {}),
        ({"media": "media"}, {}),
        ({"media": "media", "user/files": "files.d", "internal/invoices": "Invoices_1"}, STATIC),
        ({"media": "media"}, locations("/", "/api/", "/med/", "/media2/", "~ [.]png$", "@media")),
        ({"a/media": "media"}, locations("/a/", "/media/")),
        ({"media": "media"}, {"nginx_site": LATER, "static_files": LATER}),
        ({"media": "media"}, locations(LATER)),
    ],
)
def test_uploads_that_are_served(media: Any, others: dict[str, Any]) -> None:
    assert told(media, **others) == []


@pytest.mark.parametrize(
    "url",
    ["", "/", "/media", "media/", "..", "../media", "a/../b", ".git", "a/.b", "a//b", "a b", "{", "~x", "a;b", "a$b",
     "internal", "é", "media\n"],
)  # fmt: skip
def test_a_prefix_of_another_form(url: str) -> None:
    [problem] = told({url: "media"})
    assert "has another name than one may have; write a path without / at its ends" in problem


@pytest.mark.parametrize(
    "directory",
    ["/etc", "/var/lib/shop/media", "..", "../shop", "a/b", "a/..", ".cache", "-a", "a b", "%h", "a\n", "media/"],
)  # fmt: skip
def test_a_directory_of_another_form(directory: str) -> None:
    [problem] = told({"media": directory})
    assert "write the name of a directory in /var/lib/<app>, as in media, without /" in problem


@pytest.mark.parametrize(
    ("media", "others", "problem"),
    [
        ({"static": "x"}, STATIC, "media.static is served at /static/, as static_files.static is at /static/"),
        ({"static/x": "x"}, STATIC, "media.static/x is served at /static/x/, as static_files.static is"),
        ({"a": "x"}, {"static_files": {"a/b": "c"}}, "served at /a/, as static_files.a/b is at /a/b/"),
        ({"media": "x"}, locations("/media/"), "as nginx_site.locations[0] is at /media/"),
        ({"media": "x"}, locations("/", "/media"), "as nginx_site.locations[1] is at /media/"),
        ({"media": "x"}, locations("^~ /media/"), "as nginx_site.locations[0] is at /media/"),
        ({"media": "x"}, locations("= /media/a.png"), "as nginx_site.locations[0] is at /media/a.png/"),
        ({"media": "x"}, locations("/media/private/"), "as nginx_site.locations[0] is at /media/private/"),
        ({"a": "x", "a/b": "y"}, {}, "media.a/b is served at /a/b/, as media.a is at /a/"),
        ({"a/b": "x", "a": "y"}, {}, "media.a is served at /a/, as media.a/b is at /a/b/"),
        (
            {"media": "x", "internal/y": "x"},
            {},
            "media.internal/y is the directory 'x', as media.media is; write a directory of its own",
        ),
        ({"media": ""}, {}, "media.media is without a directory"),
        ({"media": None}, {}, "media.media is without a value"),
        ({"media": True}, {}, "media.media is true or false"),
        (["media"], {}, "media is a list; write a dictionary"),
    ],
)  # fmt: skip
def test_uploads_that_collide(media: Any, others: dict[str, Any], problem: str) -> None:
    [found] = told(media, **others)
    assert problem in found
