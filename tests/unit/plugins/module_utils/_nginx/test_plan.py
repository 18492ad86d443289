# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to change, and how it is shown."""

from __future__ import annotations

import os

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx import plan
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.plan import (
    Change,
    File,
    Found,
    Link,
    NginxError,
    Request,
)

ME = (os.geteuid(), os.getegid())


def text(content: str, mode: int = 0o644) -> File:
    return File(content.encode(), mode, ME)


A, B = text("a\n"), text("b\n")
KEY = text("key\n", 0o600)


@pytest.mark.parametrize(
    ("request_", "found", "managed", "expected"),
    [
        pytest.param(Request("s", {"x": A}), {}, {}, [("x", "created")], id="new file"),
        pytest.param(Request("s", {"x": A}), {"x": A}, {"s": {"x"}}, [], id="as it should be"),
        pytest.param(
            Request("s", {"x": A}), {"x": B}, {"s": {"x"}}, [("x", "updated")], id="other content"
        ),
        pytest.param(
            Request("s", {"x": KEY}),
            {"x": text("key\n")},
            {"s": {"x"}},
            [("x", "updated")],
            id="other mode",
        ),
        pytest.param(
            Request("s", {"x": A}),
            {"x": File(A.content, 0o644, (12345, 0))},
            {"s": {"x"}},
            [("x", "updated")],
            id="other owner",
        ),
        pytest.param(
            Request("s", {"x": A}),
            {"x": A, "y": B},
            {"s": {"x", "y"}},
            [("y", "removed")],
            id="no longer listed",
        ),
        pytest.param(Request("s", {}), {"x": A}, {"s": {"x"}}, [("x", "removed")], id="set absent"),
        pytest.param(
            Request("s", {"x": A}),
            {"x": A, "z": B},
            {"s": {"x"}, "other": {"z"}},
            [],
            id="files of other sets stay",
        ),
        pytest.param(
            Request("s", {"x": A}), {}, {"s": {"x", "y"}}, [("x", "created")], id="gone by hand"
        ),
        pytest.param(
            Request("s", {"x": A}), {"x": A}, {}, [], id="foreign with the same content taken over"
        ),
        pytest.param(
            Request("s", {"x": A}, replace=frozenset({"x"})),
            {"x": Link("/elsewhere")},
            {},
            [("x", "updated")],
            id="foreign link, named in replace",
        ),
        pytest.param(
            Request("s", {}, absent=frozenset({"x"})),
            {"x": Link("/elsewhere")},
            {},
            [("x", "removed")],
            id="foreign link, named in absent",
        ),
        pytest.param(Request("s", {}, absent=frozenset({"x"})), {}, {}, [], id="absent already"),
        pytest.param(
            Request("s", {"x": File(None, 0o600, ME)}),
            {},
            {},
            [("x", "created")],
            id="content not known in check mode",
        ),
    ],
)
def test_decide(
    request_: Request,
    found: dict[str, Found],
    managed: dict[str, set[str]],
    expected: list[tuple[str, str]],
) -> None:
    changes = plan.decide(request_, found, {k: frozenset(v) for k, v in managed.items()})
    assert [(change.path, change.action) for change in changes] == expected


@pytest.mark.parametrize(
    ("request_", "found", "managed", "words"),
    [
        (Request("s", {"x": A}), {"x": B}, {}, "x exists and was not written by this module"),
        (Request("s", {"x": A}), {"x": Link("y")}, {}, "x exists and was not written"),
        (Request("s", {"x": A}), {"x": A}, {"t": {"x"}}, "x belongs to the set 't'"),
        (
            Request("s", {"x": A}, replace=frozenset({"x"})),
            {"x": B},
            {"t": {"x"}},
            "x belongs to the set 't'",
        ),
        (Request("s", {}, absent=frozenset({"x"})), {"x": A}, {"t": {"x"}}, "belongs to the set"),
    ],
)
def test_decide_refuses_what_belongs_to_others(
    request_: Request, found: dict[str, Found], managed: dict[str, set[str]], words: str
) -> None:
    with pytest.raises(NginxError, match=words):
        plan.decide(request_, found, {k: frozenset(v) for k, v in managed.items()})


@pytest.mark.parametrize("path", ["nginx.conf", "sites-enabled/a.conf", "a/b/c d"])
def test_paths_below_the_directory_are_taken(path: str) -> None:
    assert plan.check_path(path) == path


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../x", "a//b", "a/", "./a", "a\nb"])
def test_other_paths_are_refused(path: str) -> None:
    with pytest.raises(NginxError, match="not a path below the configuration directory"):
        plan.check_path(path)


@pytest.mark.parametrize("name", ["", "Shop", "../x", "a b", "-a"])
def test_names_of_sets_are_plain(name: str) -> None:
    with pytest.raises(NginxError, match="cannot name a set"):
        plan.check_request(Request(name, {}))


def test_wanted_and_absent_is_refused() -> None:
    with pytest.raises(NginxError, match="x: both wanted and absent"):
        plan.check_request(Request("s", {"x": A}, absent=frozenset({"x"})))


def test_diff_shows_files_and_hides_secrets() -> None:
    changes = [
        Change("a", None, A),
        Change("k", KEY, text("other\n", 0o600)),
        Change("k2", text("was readable\n"), KEY),
        Change("l", Link("/elsewhere"), None),
        Change("u", None, File(None, 0o600, ME)),
    ]
    shown = plan.diff(changes, "/etc/nginx")
    assert shown[0] == {
        "before_header": "/etc/nginx/a (absent)",
        "after_header": "/etc/nginx/a (mode 0644)",
        "before": "",
        "after": "a\n",
    }
    for secret in shown[1:3]:
        assert secret["before"].startswith("(secret, sha256 ")
        assert secret["before"] != secret["after"]
        assert "readable" not in str(secret)
        assert "key\n" not in str(secret)
    assert shown[3]["before"] == "symbolic link to /elsewhere\n"
    assert shown[4]["after"] == "(not made yet)\n"


def test_diff_hides_a_key_that_everybody_may_read() -> None:
    key = text("-----BEGIN EC PRIVATE KEY-----\nhush\n")
    assert "hush" not in str(plan.diff([Change("a.key", key, None)], "/etc/nginx"))
