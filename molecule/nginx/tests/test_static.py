# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example of a static site: examples/static.yml."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

HANDBOOK = "handbook.example.org"


def test_files_are_served_and_what_is_not_there_is_a_clear_404(site: Any) -> None:
    assert b"<title>Handbook</title>" in site.ask(HANDBOOK).body
    missing = site.ask(HANDBOOK, "/missing", headers={"Accept": "text/html,*/*"})
    assert missing.status == 404
    assert b"There is nothing here" in missing.body
    assert missing.headers["X-Request-ID"].encode() in missing.body


def test_a_path_does_not_lead_out_of_the_directory(site: Any) -> None:
    for path in ("/../wiki/robots.txt", "/assets../index.html", "/%2e%2e/wiki/robots.txt"):
        assert site.ask(HANDBOOK, path).status in (400, 404)


@pytest.mark.parametrize(
    ("accepted", "encoding", "file"),
    [
        pytest.param("br, gzip", "br", "guide.css.br", id="brotli"),
        pytest.param("gzip", "gzip", "guide.css.gz", id="gzip"),
        pytest.param("identity", None, "guide.css", id="neither"),
    ],
)
def test_a_precompressed_file_is_sent_as_it_lies_there(
    site: Any, accepted: str, encoding: str | None, file: str
) -> None:
    reply = site.ask(HANDBOOK, "/guide.css", headers={"Accept-Encoding": accepted})
    assert reply.headers["Content-Encoding"] == encoding
    assert reply.headers["Content-Type"] == "text/css"
    assert reply.body == site.host.file(f"/var/www/handbook/{file}").content


def test_a_text_that_was_not_compressed_before_is_compressed_now(site: Any) -> None:
    path = "/guide.3f2a9c01.css"
    reply = site.ask(HANDBOOK, path, headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(reply.body) == site.ask(HANDBOOK, path).body


@pytest.mark.parametrize(
    ("path", "cached"),
    [
        pytest.param("/guide.3f2a9c01.css", "public, max-age=31536000, immutable", id="hash"),
        pytest.param("/guide.css", "no-cache", id="no hash"),
        pytest.param("/report-20240131.txt", "no-cache", id="a date is no hash"),
        pytest.param("/", "no-cache", id="the page"),
        pytest.param(
            "/assets/index-BkX3dGzQ.js", "public, max-age=31536000, immutable", id="as told"
        ),
        pytest.param("/assets/index-00000000.js", None, id="nothing that is not there"),
    ],
)
def test_how_long_a_file_is_kept(site: Any, path: str, cached: str | None) -> None:
    assert site.ask(HANDBOOK, path).headers.get_all("Cache-Control") == (cached and [cached])


def test_a_file_that_did_not_change_is_not_sent_again(site: Any) -> None:
    tag = site.ask(HANDBOOK, "/guide.css").headers["ETag"]
    again = site.ask(HANDBOOK, "/guide.css", headers={"If-None-Match": tag})
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize("path", ["/", "/missing", "/guide.css", "/start", "/assets/none"])
def test_headers_of_the_site_are_on_every_response_once(site: Any, path: str) -> None:
    headers = site.ask(HANDBOOK, path).headers
    assert headers.get_all("Content-Security-Policy") == ["default-src 'self'"]
    # Instead of the role's own.
    assert headers.get_all("X-Frame-Options") == ["DENY"]
    assert headers.get_all("X-Content-Type-Options") == ["nosniff"]
    assert len(headers.get_all("X-Request-ID")) == 1


def test_paths_and_names_are_redirected(site: Any) -> None:
    start = site.ask(HANDBOOK, "/start")
    assert (start.status, start.headers["Location"]) == (302, "/index.html")
    other = site.ask("www.handbook.example.org", "/guide.css?page=2")
    assert (other.status, other.headers["Location"]) == (
        301,
        f"https://{HANDBOOK}/guide.css?page=2",
    )


def test_nothing_but_reading_is_allowed(site: Any) -> None:
    assert site.ask(HANDBOOK, "/guide.css", method="POST", body=b"x").status == 405
