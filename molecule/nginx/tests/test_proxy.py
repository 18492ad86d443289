# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example of a reverse proxy (examples/proxy.yml), and what the access log says of it."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest

WIKI = "wiki.example.org"


@pytest.mark.parametrize(
    ("path", "server"),
    [
        pytest.param("/page", "127.0.0.1:8080", id="the site's upstream"),
        pytest.param("/search/?q=a%20b", "/run/search/http.sock", id="another upstream"),
    ],
)
def test_each_location_has_its_upstream(site: Any, path: str, server: str) -> None:
    for method, body in (("GET", None), ("POST", b"x")):
        said = site.ask(WIKI, path, method, body).said
        assert (said["server"], said["path"], said["method"]) == (server, path, method)
        assert said["headers"]["host"] == WIKI


def test_a_file_beside_the_app(site: Any) -> None:
    assert site.ask(WIKI, "/robots.txt").body == b"User-agent: *\n"


def test_the_answer_of_an_app_is_its_own_whatever_its_status(site: Any) -> None:
    reply = site.ask(WIKI, "/busy")
    assert (reply.status, reply.said["path"]) == (503, "/busy")
    assert reply.headers["Retry-After"] is None


def test_an_app_that_cannot_be_reached_is_said_so_and_then_served_again(site: Any) -> None:
    kinds = {
        "application/json": "application/json",
        "application/problem+json, */*": "application/json",
        "text/html,application/json;q=0.9": "text/html; charset=utf-8",
        "*/*": "text/html; charset=utf-8",
    }
    # Longer than a connection is kept.
    site.host.check_output("mv /run/search/http.sock /run/search/away; sleep 2.1")
    try:
        replies = {
            (accept, method): site.ask(WIKI, "/search/", method, headers={"Accept": accept})
            for accept in kinds
            for method in ("GET", "POST")
        }
    finally:
        site.host.check_output("mv /run/search/away /run/search/http.sock")
    for (accept, _method), reply in replies.items():
        assert (reply.status, reply.headers["Content-Type"]) == (502, kinds[accept])
        assert b"The application cannot be reached" in reply.body
        assert reply.headers["X-Request-ID"].encode() in reply.body
        assert reply.headers.get_all("X-Content-Type-Options") == ["nosniff"]
        if kinds[accept] == "application/json":
            assert reply.said["status"] == 502
    assert site.ask(WIKI, "/search/").status == 200


@pytest.mark.parametrize(
    "name", ["short", "x" * 129, 'quote"quote', "space space", "new\u00e9line1", "a/b/c/d/e/f"]
)
def test_a_request_id_that_is_no_plain_word_is_not_taken(site: Any, name: str) -> None:
    """Not even from a trusted proxy, which the controller is not; see also test_nginx.py."""
    reply = site.ask(WIKI, headers={"X-Request-ID": name})
    assert reply.headers["X-Request-ID"] != name
    assert reply.said["headers"]["x-request-id"] == reply.headers["X-Request-ID"]


def entry(site: Any, log: str, reply: Any) -> dict[str, Any]:
    [found] = [e for e in site.log(log) if e["http.request.id"] == reply.headers["X-Request-ID"]]
    return found


def test_the_log_speaks_the_elastic_common_schema(site: Any) -> None:
    reply = site.ask(WIKI, "/slow?a=b", "POST", b"12345", {"User-Agent": "check/1"})
    said = entry(site, "wiki", reply)
    expected = {
        "ecs.version": "8.11.0",
        "event.dataset": "nginx.access",
        "event.category": ["web"],
        "event.type": ["access"],
        "event.outcome": "success",
        "service.name": "wiki",
        "host.name": site.name,
        "client.ip": reply.client,
        "source.ip": reply.client,
        "url.scheme": "https",
        "url.domain": WIKI,
        "url.original": "/slow?a=b",
        "http.version": "1.1",
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.response.body.bytes": len(reply.body),
        "user_agent.original": "check/1",
        "tls.version": "1.3",
        "nginx.upstream.address": "127.0.0.1:8080",
        "nginx.upstream.status": "200",
    }
    assert {key: said[key] for key in expected} == expected
    # The app took one and a half seconds, and a day has 86,400.
    assert 1.5e9 <= said["event.duration"] < 20e9
    assert 1.5 <= float(said["nginx.upstream.response_seconds"]) < 20
    assert said["http.response.bytes"] > said["http.response.body.bytes"]


def test_the_log_says_nobody_for_a_name_that_nobody_has(site: Any) -> None:
    with pytest.raises(http.client.RemoteDisconnected):
        site.ask_plain("nobody.example.org")
    log = site.host.file("/var/log/nginx/access.log").content_string.splitlines()
    last = [e for e in map(json.loads, log) if e["url.domain"] == "nobody.example.org"][-1]
    assert (last["service.name"], last["http.response.status_code"]) == ("", 444)
    assert last["event.outcome"] == "failure"
