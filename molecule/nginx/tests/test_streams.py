# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example of websockets, events and uploads behind a password: examples/streams.yml."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

STUDIO = "studio.example.org"


def credentials(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


ALICE = credentials("alice", "correct horse battery")


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="nobody"),
        pytest.param(credentials("alice", "wrong"), id="wrong password"),
        pytest.param(credentials("bob", "correct horse battery"), id="unknown user"),
        pytest.param(credentials("alice", ""), id="no password"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/socket", "/events", "/upload"])
def test_only_who_has_the_password_comes_in(site: Any, path: str, headers: dict[str, str]) -> None:
    reply = site.ask(STUDIO, path, headers=headers)
    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"] == 'Basic realm="Studio"'
    assert reply.headers.get_all("X-Content-Type-Options") == ["nosniff"]


def test_who_has_it_is_served_and_logged(site: Any) -> None:
    reply = site.ask(STUDIO, "/desk", headers=ALICE)
    assert reply.said["path"] == "/desk"
    [entry] = [
        e for e in site.log("studio") if e["http.request.id"] == reply.headers["X-Request-ID"]
    ]
    assert entry["user.name"] == "alice"


def test_a_location_can_be_open(site: Any) -> None:
    assert site.ask(STUDIO, "/healthz").status == 200
    assert site.ask(STUDIO, "/healthz/more").status == 401


def test_the_passwords_are_for_nginx_only(host: Any) -> None:
    file = host.file("/etc/nginx/htpasswd/studio")
    assert (file.user, file.group, file.mode) == ("root", "www-data", 0o640)
    assert host.file("/etc/nginx/htpasswd").mode == 0o750


def request(path: str, *lines: str) -> bytes:
    head = (f"GET {path} HTTP/1.1", f"Host: {STUDIO}", f"Authorization: {ALICE['Authorization']}")
    return "\r\n".join((*head, *lines, "", "")).encode()


def test_websockets_are_upgraded(site: Any) -> None:
    answer = b""
    with site.tls(STUDIO) as connection:
        connection.sendall(request("/socket", "Connection: Upgrade", "Upgrade: websocket"))
        while chunk := connection.recv(4096):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert answer.endswith(b"\r\n\r\nframes")


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/events", id="by the location"),
        pytest.param("/stream", id="by the app's header"),
    ],
)
def test_events_come_when_they_are_sent(site: Any, path: str) -> None:
    """The app sends three, and the next one only when we have the one before."""
    came = b""
    with site.tls(STUDIO) as connection:
        connection.sendall(request(path, "Connection: close"))
        for number in range(3):
            if number:
                assert site.ask(STUDIO, "/next", headers=ALICE).status == 200
            while b"data: %d" % number not in came:
                chunk = connection.recv(4096)
                assert chunk, came
                came += chunk


def test_an_upload_has_room_where_it_should(site: Any) -> None:
    body = b"x" * (15 * 1024 * 1024)
    assert site.ask(STUDIO, "/upload", "POST", body, ALICE).said["size"] == len(body)


def test_an_upload_of_unknown_length_has_the_same_limit(site: Any) -> None:
    def chunks(count: int) -> Iterator[bytes]:
        for _number in range(count):
            yield b"x" * 10240

    assert site.ask(STUDIO, "/upload", "POST", chunks(20), ALICE).said["size"] == 204800
    assert site.ask(STUDIO, "/desk", "POST", chunks(2), ALICE).said["size"] == 20480
    assert site.ask(STUDIO, "/desk", "POST", chunks(11), ALICE).status == 413


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        pytest.param("text/html", "text/html; charset=utf-8", id="a person"),
        pytest.param("application/json", "application/json", id="a program"),
    ],
)
def test_one_that_is_too_large_is_told_so(site: Any, accept: str, kind: str) -> None:
    reply = site.ask(STUDIO, "/desk", "POST", b"x" * 102401, {**ALICE, "Accept": accept})
    assert (reply.status, reply.headers["Content-Type"]) == (413, kind)
    assert b"This is larger than what may be sent" in reply.body
    if kind == "application/json":
        assert reply.said == {
            "status": 413,
            "title": "This is larger than what may be sent",
            "request_id": reply.headers["X-Request-ID"],
        }
