# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request through what listens on this host, with a small server in nginx's place."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes import nginx_probe

NAME = "shop.test"


@pytest.mark.parametrize(
    ("status", "good"),
    [(200, True), (204, True), (302, True), (401, True), (403, True), (400, False), (404, False),
     (429, False), (500, False), (502, False), (503, False)],
)  # fmt: skip
def test_what_shows_the_app(status: int, good: bool) -> None:
    assert nginx_probe.shows_the_app(status) is good


@pytest.mark.parametrize(
    "url",
    ["", "shop.test/healthz", "ftp://shop.test/", "https:///healthz", "https://joe:x@shop.test/"],
)
def test_no_url(url: str) -> None:
    with pytest.raises(ValueError, match="is not of the form https://NAME/PATH"):
        nginx_probe.check_url(url)


def url_of(server: Any, path: str = "/healthz?deep=1") -> str:
    """By a name that resolves to nothing."""
    return f"{server.scheme}://{NAME}:{server.address.rpartition(':')[2]}{path}"


@pytest.mark.parametrize(
    ("status", "said"), [(200, ""), (502, "502 Bad Gateway")], ids=["good", "bad"]
)
def test_asks_this_host_whatever_the_name_resolves_to(index: Any, status: int, said: str) -> None:
    index.answers["/healthz?deep=1"] = [index.Answer(b"well", status=status)]
    url = url_of(index)
    assert nginx_probe.ask(url, 5) == (said and f"GET {url} at 127.0.0.1: {said}")
    assert index.asked == [("/healthz?deep=1", None)]


def test_takes_any_certificate(server: Any, certificate: tuple[pathlib.Path, pathlib.Path]) -> None:
    server.answers["/"] = [server.Answer(b"well")]
    server.start(certificate)
    assert nginx_probe.ask(url_of(server, ""), 5) == ""


def test_nobody_listens(server: Any) -> None:
    url = url_of(server)
    server.stop()
    assert nginx_probe.ask(url, 5) == f"GET {url} at 127.0.0.1: [Errno 111] Connection refused"


def test_no_tls_at_the_other_end(index: Any) -> None:
    said = nginx_probe.ask(url_of(index).replace("http://", "https://"), 5)
    assert "SSL" in said or "reset" in said
