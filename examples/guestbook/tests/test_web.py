# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The web process, over HTTP."""

from __future__ import annotations

import re
from hashlib import sha256

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from guestbook import worker
from guestbook.models import Entry


def csrf_token(page: str) -> str:
    found = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page)
    assert found is not None
    return found[1]


def test_entry_appears_once_the_worker_has_read_it(
    client: FlaskClient, sessions: sessionmaker[Session]
) -> None:
    form = {
        "author": " Ann ",
        "message": "**hello**",
        "csrf_token": csrf_token(client.get("/").text),
    }

    posted = client.post("/entries", data=form)
    before = client.get("/").text
    worker.publish_one(sessions)
    after = client.get("/").text

    assert posted.status_code == 303
    assert "1 entry waits" in before
    assert "<strong>hello</strong>" not in before
    assert "<strong>Ann</strong>" in after
    assert "<strong>hello</strong>" in after


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"csrf_token": ""}, 400),
        ({"author": " "}, 422),
        ({"author": "a" * 81}, 422),
        ({"message": "m" * 2001}, 422),
        ({"message": "\x00"}, 422),
    ],
)
def test_bad_entry_is_refused(
    client: FlaskClient, sessions: sessionmaker[Session], change: dict[str, str], status: int
) -> None:
    form = {"author": "Ann", "message": "hi", "csrf_token": csrf_token(client.get("/").text)}

    answer = client.post("/entries", data=form | change)

    assert answer.status_code == status
    with sessions() as session:
        assert session.scalar(select(Entry)) is None


@pytest.mark.parametrize(("scheme", "secure"), [("https", True), ("http", False)])
def test_cookie_is_secure_behind_a_tls_proxy(
    client: FlaskClient, scheme: str, secure: bool
) -> None:
    answer = client.get("/", headers={"X-Forwarded-Proto": scheme})

    assert ("Secure" in answer.headers["Set-Cookie"]) is secure


def test_health_follows_the_database(
    client: FlaskClient, client_without_database: FlaskClient
) -> None:
    assert client.get("/healthz").status_code == 200
    assert client_without_database.get("/healthz").status_code == 503
    assert client_without_database.get("/version").status_code == 200
    assert client_without_database.get("/").status_code == 503


def test_echo_tells_what_arrived(client_without_database: FlaskClient) -> None:
    body = bytes(range(256)) * 100

    answer = client_without_database.post("/echo", data=body)

    assert answer.json is not None
    assert answer.json["sha256"] == sha256(body).hexdigest()
    assert answer.json["release"] == "r1"
    assert client_without_database.post("/echo", data=bytes(1024 * 1024 + 1)).status_code == 413


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/slow?seconds=0.01", 200),
        ("/slow?seconds=nan", 400),
        ("/slow?seconds=-1", 400),
        ("/stream?chunks=2&interval=0.01", 200),
        ("/stream?chunks=1000&interval=1", 400),
    ],
)
def test_requests_that_take_their_time(
    client_without_database: FlaskClient, path: str, status: int
) -> None:
    assert client_without_database.get(path).status_code == status


def test_assets_may_be_kept_only_under_their_own_hash(client: FlaskClient) -> None:
    found = re.search(r"/static/style\.[0-9a-f]+\.css", client.get("/").text)
    assert found is not None
    own, other = client.get(found[0]), client.get("/static/style.000000000000.css")
    again = client.get(found[0], headers={"If-None-Match": own.headers["ETag"]})

    assert "immutable" in own.headers["Cache-Control"]
    assert other.headers["Cache-Control"] == "no-cache"
    assert other.data == own.data
    assert again.status_code == 304
    assert client.get("/static/other.000000000000.css").status_code == 404
