# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of the access log, routes, and which release answered."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.access import (
    Served,
    clock,
    parse_request,
    route,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.record import Record

A, B = "1.0-aaaaaaaa", "2.0-bbbbbbbb"
ENTRY: dict[str, Any] = {
    "@timestamp": "2026-01-02T03:00:01.500+00:00",
    "event.duration": 1250000000,
    "service.name": "shop",
    "service.version": "",
    "url.original": "/orders/17?token=secret",
    "http.request.method": "POST",
    "http.request.id": "0123abcd",
    "http.response.status_code": 201,
    "http.response.bytes": 345,
    "nginx.upstream.address": "unix:/run/shop/web-1.sock",
}


def line(**changes: Any) -> str:
    return json.dumps(
        ENTRY | {k.replace("__", "."): v for k, v in changes.items()}, separators=(",", ":")
    )


def test_request() -> None:
    request = parse_request(line())
    assert request is not None
    assert (request.at, request.began, request.milliseconds) == (1767322801.5, 1767322800.25, 1250)
    assert (request.method, request.path, request.status) == ("POST", "/orders/17", 201)
    assert (request.bytes, request.id, request.by_app) == (345, "0123abcd", True)
    assert (request.route, request.release, request.timed) == ("POST /orders/{number}", "", 1250)
    assert clock(line()) == request.at


@pytest.mark.parametrize(
    ("changes", "attribute", "expected"),
    [
        ({"nginx__upstream__address": ""}, "by_app", False),
        ({"service__version": A}, "release", A),
        ({"http__response__status_code": 101}, "timed", None),
        ({"event__duration": 0}, "timed", 0),
        ({"http__request__method": "BREW"}, "route", "OTHER /orders/{number}"),
        ({"http__request__method": "", "url__original": ""}, "route", "OTHER (no path)"),
        ({"@timestamp": "2026-01-02T04:00:01+01:00"}, "at", 1767322801.0),
    ],
)
def test_kinds_of_requests(changes: dict[str, Any], attribute: str, expected: object) -> None:
    assert getattr(parse_request(line(**changes)), attribute) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '"x"',
        "null",
        "127.0.0.1 - - [02/Jan/2026:03:00:01 +0000] GET / HTTP/1.1 200",
        line()[:-30],
        line(http__response__status_code="-"),
        line(event__duration="a while"),
        line(**{"@timestamp": "today"}),
        "[" * 100_000,
    ],
)
def test_what_is_no_request(text: str) -> None:
    assert parse_request(text) is None


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "/"),
        ("//", "/"),
        ("/about", "/about"),
        ("/about/", "/about/"),
        ("/a//b", "/a/b"),
        ("/orders/17", "/orders/{number}"),
        ("/orders/17/items/4/", "/orders/{number}/items/{number}/"),
        ("/api/v2/users/9", "/api/v2/users/{number}"),
        ("/u/4c1d2f3a-0b1c-4d2e-8f3a-5b6c7d8e9f00/edit", "/u/{uuid}/edit"),
        ("/u/4C1D2F3A-0B1C-4D2E-8F3A-5B6C7D8E9F00", "/u/{uuid}"),
        ("/commit/3f2a9c01d4", "/commit/{hash}"),
        ("/static/app.3f2a9c01.js", "/static/app.{hash}.js"),
        ("/photos/photo-123.jpg", "/photos/photo-{number}.jpg"),
        ("/archive/2026-01-02", "/archive/{number}-{number}-{number}"),
        ("/facade/deadbeef", "/facade/deadbeef"),  # words
        ("/reset/MTIz-a8Fk29xLmQpRsTuVwX", "/reset/{token}"),
        ("/members/joe@example.org", "/members/{email}"),
        ("/cart;jsessionid=ABC123", "/cart"),
        ("/a/b/c/d/e/f/g/h", "/a/b/c/d/e/f/g/h"),
        ("/a/b/c/d/e/f/g/h/i", "/a/b/c/d/e/f/g/h/..."),
        ("/" + "x" * 61, "/{long}"),
        ("http://elsewhere.example/", "(no path)"),
        ("*", "(no path)"),
    ],
)
def test_route(path: str, expected: str) -> None:
    assert route(path) == expected


def test_a_route_takes_no_longer_for_a_hostile_path() -> None:
    began = time.process_time()
    for path in ("a." * 20_000, "a1-" * 20_000, "0" * 60_000, "0/" * 30_000, "@" * 60_000):
        assert len(route(f"/{path}")) < 700
    assert time.process_time() - began < 5


def record(at: str, release: str, before: str | None, outcome: str = "good", **more: Any) -> Record:
    steps = {"gate": 5.0, "switch": 0.001, "drain": 2.0}
    return Record(
        at=f"2026-01-02T03:00:{at}Z",
        event="deploy",
        release=release,
        outcome=outcome,
        before=before,
        seconds=8.0,
        **({"durations": steps} | more),
    )


def second(number: float) -> float:
    return 1767322800.0 + number


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (-3700.0, (None, True)),
        (10.0, (A, True)),
        (34.9, (A, True)),
        (35.1, (A, False)),  # the gate was over after 5 s at the earliest
        (35.6, (B, False)),
        (38.9, (B, False)),  # drained 30 + 1 + 8 - 2 s at the latest, and connections are kept
        (39.1, (B, True)),
    ],
)
def test_which_release_served(at: float, expected: tuple[str | None, bool]) -> None:
    first = Record(
        at="2026-01-02T02:00:00Z", event="deploy", release=A, outcome="good", seconds=3.0
    )
    assert Served([first, record("30", B, A)]).at(second(at)) == expected


@pytest.mark.parametrize(
    ("record", "at", "expected"),
    [
        # refused at the gate: nobody was sent to it
        (record("30", B, A, "bad", durations={"gate": 5.0}), 36.0, (None, True)),
        # switched to, and back
        (record("30", B, A, "bad"), 36.0, (A, False)),
        (record("30", B, A, "bad"), 41.5, (A, True)),
        # cut off: nobody knows
        (record("30", B, A, "pending", durations={}), 500.0, (A, False)),
        # another formation, the same release
        (record("30", A, A), 36.0, (None, True)),
        (Record(at="?", event="deploy", release=A, outcome="good"), 36.0, (None, True)),
    ],
)
def test_attempts_that_ended_otherwise(record: Record, at: float, expected: object) -> None:
    assert Served([record]).at(second(at)) == expected


@pytest.mark.parametrize(
    ("at", "named", "since"),
    [
        (-3700.0, A, None),  # before the first of the record
        (-10.0, A, "02:00:00"),
        (10.0, "", "02:00:00"),
        (35.1, "", "02:00:00"),
        (35.1, B, "03:00:30"),  # it says so, and the gate may have been over
        (35.6, "", "03:00:30"),
        (35.6, A, "02:00:00"),  # a connection that was kept
        (39.1, A, "03:00:30"),  # that cannot be
        (50.0, "3.0-x", "03:00:30"),
    ],
)
def test_in_which_stretch_a_request_began(at: float, named: str, since: str | None) -> None:
    first = Record(
        at="2026-01-02T02:00:00Z", event="deploy", release=A, outcome="good", seconds=3.0
    )
    found = Served([first, record("30", B, A)]).stretch(second(at), named)
    assert (found and found.since) == (since and f"2026-01-02T{since}Z")


def test_a_request_of_a_host_without_a_record() -> None:
    assert Served([]).stretch(second(0), A) is None
