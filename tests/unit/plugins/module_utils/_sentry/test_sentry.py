# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._sentry.client import Receiver
from ansible_collections.twelvefactor.deploy.plugins.module_utils._sentry.connection import (
    Connection,
    connection_from,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._sentry.dialects import (
    PAGES,
    Bugsink,
    Sentry,
    dialect_from,
    is_listed,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._sentry.events import (
    Message,
    difference,
    envelope,
    read_back,
    send,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._sentry.model import (
    Answer,
    Deploy,
    Dsn,
    Event,
    SentryError,
    check_url,
    iso,
    read_dsn,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._sentry.releases import (
    Told,
    check_release,
    tell,
)

KEY = "0123456789abcdef0123456789abcdef"
TOKEN = "fedcba9876543210fedcba9876543210fedcba98"
DEPLOY = Deploy("shop@1.0", "production", started=1_800_000_000, finished=1_800_000_060.7)
FINISHED = "2027-01-15T08:01:00Z"
MESSAGE = Message("a" * 32, "hello", 1_800_000_000, "app1", "shop@1.0", "production")


# --- what was asked for --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "dsn"),
    [
        (f"https://{KEY}@errors.test/1", Dsn("https://errors.test", "1", KEY)),
        (f"http://{KEY}@10.0.0.1:8000/42", Dsn("http://10.0.0.1:8000", "42", KEY)),
        (f"https://{KEY}@errors.test/bug/sink/7", Dsn("https://errors.test/bug/sink", "7", KEY)),
        (f"https://{KEY}:old@[::1]:9000/7", Dsn("https://[::1]:9000", "7", KEY)),
    ],
)
def test_a_dsn(text: str, dsn: Dsn) -> None:
    assert read_dsn(text) == dsn
    assert KEY not in repr(dsn)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "https://errors.test/1",
        f"{KEY}@errors.test/1",
        f"ftp://{KEY}@errors.test/1",
        f"https://{KEY}@errors.test",
        f"https://{KEY}@errors.test/",
        f"https://{KEY}@errors.test/shop",
        f"https://{KEY}@/1",
    ],
)
def test_no_dsn(text: str) -> None:
    with pytest.raises(SentryError, match="Invalid DSN") as refusal:
        read_dsn(text)
    assert KEY not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("errors.test", "Invalid URL"),
        ("ftp://errors.test", "Invalid URL"),
        (f"https://{KEY}@errors.test/1", "must be scheme, host and path alone"),
        ("https://errors.test/?a=b", "must be scheme, host and path alone"),
    ],
)
def test_no_url(url: str, message: str) -> None:
    with pytest.raises(SentryError, match=message):
        check_url(url)


def test_a_url_loses_its_slash() -> None:
    assert check_url("https://errors.test/sub/") == "https://errors.test/sub"


@pytest.mark.parametrize("name", ["shop@20260101T000000Z-1.0", "1", "a" * 200])
def test_a_name_of_a_release(name: str) -> None:
    assert check_release(name) == name


@pytest.mark.parametrize("name", ["", " ", ".", "..", "a/b", "a\\b", "a\nb", "a\tb", "a" * 201])
def test_no_name_of_a_release(name: str) -> None:
    with pytest.raises(SentryError, match="Invalid release name"):
        check_release(name)


def params(**changes: Any) -> dict[str, Any]:
    return {
        "dsn": f"https://{KEY}@errors.test/7",
        "api": "bugsink",
        "url": None,
        "token": TOKEN,
        "organization": None,
        "project": None,
        "ca_path": None,
        "timeout": 60,
    } | changes


@pytest.mark.parametrize(
    ("changes", "dialect"),
    [
        ({}, Bugsink("7")),
        ({"project": "8"}, Bugsink("8")),
        ({"api": "sentry", "organization": "o", "project": "shop"}, Sentry("o", "shop")),
    ],
)
def test_a_dialect(changes: dict[str, Any], dialect: Any) -> None:
    given = params(**changes)
    assert dialect_from(given, read_dsn(given["dsn"])) == dialect


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"project": "shop"}, "project is a number"),
        ({"api": "sentry", "organization": "o"}, "give organization and project"),
        ({"api": "sentry", "project": "shop"}, "give organization and project"),
        ({"timeout": 0}, "at least one second"),
    ],
)
def test_connections_that_make_no_sense(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SentryError, match=message):
        connection_from(params(**changes))


def test_ca_certificates_that_cannot_be_read() -> None:
    with pytest.raises(DeployError, match="CA certificates /nowhere cannot be read"):
        connection_from(params(ca_path="/nowhere"))


def test_events_go_where_the_dsn_says_and_questions_to_the_url() -> None:
    connection = connection_from(params(url="https://sentry.test/"))
    assert connection.receiver.url == "https://sentry.test"
    assert connection.ingest.url == "https://errors.test"


# --- decisions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialect", "status", "said", "created"),
    [
        (Bugsink("1"), 201, "", True),
        (Bugsink("1"), 400, "Release with this version already exists for the project.", False),
        (Bugsink("1"), 400, 'Invalid pk "1" - object does not exist.', None),
        (Bugsink("1"), 401, "Invalid Bearer token.", None),
        (Bugsink("1"), 502, "Bad Gateway", None),
        (Sentry("o", "p"), 201, "", True),
        (Sentry("o", "p"), 208, "", False),
        (Sentry("o", "p"), 400, "Invalid project ids or slugs", None),
        (Sentry("o", "p"), 403, "", None),
    ],
)
def test_whether_a_release_was_created(
    dialect: Bugsink | Sentry, status: int, said: str, created: bool | None
) -> None:
    assert dialect.is_created(Answer(status, said)) is created


@pytest.mark.parametrize(
    ("known", "listed"),
    [
        ([], False),
        ([{"environment": "production", "dateFinished": FINISHED}], True),
        ([{"environment": "production", "dateFinished": "2027-01-15T08:01:00.000000Z"}], True),
        ([{"environment": "staging", "dateFinished": FINISHED}], False),
        ([{"environment": "production", "dateFinished": "2027-01-15T08:01:01Z"}], False),
        ([{"environment": "production", "dateFinished": None}], False),
    ],
)
def test_whether_a_deploy_is_listed(known: list[dict[str, Any]], listed: bool) -> None:
    assert is_listed(DEPLOY, known) is listed


def test_times_are_utc() -> None:
    assert iso(DEPLOY.finished) == FINISHED


def test_an_envelope() -> None:
    request = envelope(Dsn("https://errors.test", "7", KEY), MESSAGE)
    assert request.path == "/api/7/envelope/"
    assert f"sentry_key={KEY}" in request.headers["X-Sentry-Auth"]
    assert KEY not in repr(request)
    head, item, payload = (request.body or b"").splitlines()
    assert json.loads(head)["event_id"] == MESSAGE.event_id
    assert json.loads(item) == {"type": "event", "length": len(payload)}
    event = json.loads(payload)
    assert (event["release"], event["environment"]) == ("shop@1.0", "production")
    assert event["logentry"] == {"formatted": "hello"}


def test_an_event_without_a_release_names_none() -> None:
    request = envelope(Dsn("https://errors.test", "7", KEY), replace(MESSAGE, release=""))
    assert "release" not in json.loads((request.body or b"").splitlines()[2])


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (Event("a", "shop@1.0", "production"), ""),
        (Event("a", None, "production"), "release 'shop@1.0' arrived as None"),
        (
            Event("a", "shop@2", "staging"),
            "release 'shop@1.0' arrived as 'shop@2'; environment 'production' arrived as 'staging'",
        ),
    ],
)
def test_what_arrived_otherwise(event: Event, expected: str) -> None:
    assert difference(MESSAGE, event) == expected


def test_what_was_not_sent_may_arrive_as_anything() -> None:
    assert difference(replace(MESSAGE, environment=""), Event("a", "shop@1.0", "production")) == ""


# --- a server ------------------------------------------------------------------------------------


class Peer:
    """A server on loopback: what it answers to which request, and what it was asked."""

    def __init__(self) -> None:
        peer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                peer.asked.append((f"{self.command} {self.path}", body))
                peer.headers.append(dict(self.headers))
                status, answer = peer.answers.get(f"{self.command} {self.path}", (404, "{}"))
                time.sleep(peer.delay)
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()
                text = answer if isinstance(answer, str) else json.dumps(answer)
                self.wfile.write(text.encode())

            do_POST = do_GET

            def log_message(self, *_arguments: Any) -> None:
                pass

        self.answers: dict[str, tuple[int, Any]] = {}
        self.asked: list[tuple[str, bytes]] = []
        self.headers: list[dict[str, str]] = []
        self.delay = 0.0
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_address[1]}"

    def connection(self, **changes: Any) -> Connection:
        return connection_from(params(dsn=f"http://{KEY}@{self.host}/7", **changes))

    @property
    def requests(self) -> list[str]:
        return [request for request, _body in self.asked]


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    thread = threading.Thread(target=peer.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield peer
    peer.server.shutdown()
    thread.join()
    peer.server.server_close()


BUGSINK = "/api/canonical/0"
CREATE = f"POST {BUGSINK}/releases/"
LIST = f"GET {BUGSINK}/releases/?project=7"
SENTRY = {"api": "sentry", "organization": "an org", "project": "shop"}
RELEASES = "/api/0/organizations/an%20org/releases/"


def test_bugsink_is_told(peer: Peer) -> None:
    peer.answers[CREATE] = (201, {"version": "shop@1.0"})
    assert tell(peer.connection(), DEPLOY, only_foresee=False) == Told(True, False)
    ((_request, body),) = peer.asked
    assert json.loads(body) == {"project": 7, "version": "shop@1.0", "timestamp": FINISHED}
    assert peer.headers[0]["Authorization"] == f"Bearer {TOKEN}"


def test_bugsink_knew(peer: Peer) -> None:
    peer.answers[CREATE] = (400, {"version": ["Release with this version already exists"]})
    assert tell(peer.connection(), DEPLOY, only_foresee=False) == Told(False, False)


@pytest.mark.parametrize(("release", "created"), [("shop@1.0", False), ("shop@2", True)])
def test_foreseeing_reads_all_pages_of_bugsink(peer: Peer, release: str, created: bool) -> None:
    following = f"http://elsewhere{BUGSINK}/releases/?cursor=x&project=7"
    peer.answers[LIST] = (200, {"next": following, "results": [{"version": "shop@3"}]})
    second = (200, {"next": None, "results": [{"version": "shop@1.0"}]})
    peer.answers[f"GET {BUGSINK}/releases/?cursor=x&project=7"] = second
    told = tell(peer.connection(), replace(DEPLOY, release=release), only_foresee=True)
    assert told == Told(created, False)
    assert all(request.startswith("GET") for request in peer.requests)


def test_pages_without_an_end_have_one(peer: Peer) -> None:
    peer.answers[LIST] = (200, {"next": f"http://x{BUGSINK}/releases/?project=7", "results": []})
    tell(peer.connection(), DEPLOY, only_foresee=True)
    assert len(peer.asked) == PAGES


def test_sentry_is_told_of_release_and_deploy(peer: Peer) -> None:
    deploys = f"{RELEASES}shop%401.0/deploys/"
    peer.answers |= {
        f"POST {RELEASES}": (208, {}),
        f"GET {deploys}": (200, []),
        f"POST {deploys}": (201, {}),
    }
    deploy = replace(DEPLOY, url="https://ci.test/1")
    assert tell(peer.connection(**SENTRY), deploy, only_foresee=False) == Told(False, True)
    assert json.loads(peer.asked[0][1]) == {
        "version": "shop@1.0",
        "projects": ["shop"],
        "dateReleased": FINISHED,
    }
    assert json.loads(peer.asked[2][1]) == {
        "environment": "production",
        "projects": ["shop"],
        "dateStarted": "2027-01-15T08:00:00Z",
        "dateFinished": FINISHED,
        "url": "https://ci.test/1",
    }


def test_sentry_is_not_told_twice(peer: Peer) -> None:
    known = [{"environment": "production", "dateFinished": FINISHED}]
    peer.answers |= {
        f"POST {RELEASES}": (208, {}),
        f"GET {RELEASES}shop%401.0/deploys/": (200, known),
    }
    assert tell(peer.connection(**SENTRY), DEPLOY, only_foresee=False) == Told(False, False)


def test_sentry_is_told_nothing_in_check_mode(peer: Peer) -> None:
    assert tell(peer.connection(**SENTRY), DEPLOY, only_foresee=True) == Told(True, True)
    assert peer.requests == [f"GET {RELEASES}shop%401.0/"]


def test_an_event_of_bugsink(peer: Peer) -> None:
    issues = [{"id": "i1"}, {"id": "i2"}]
    found = {"id": "e2", "event_id": "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"}
    data = {"release": "shop@1.0", "environment": "production"}
    base = f"GET {BUGSINK}"
    peer.answers |= {
        f"{base}/issues/?project=7&sort=last_seen&order=desc": (200, {"results": issues}),
        f"{base}/events/?issue=i1&order=desc": (200, {"results": [{"id": "x", "event_id": "b"}]}),
        f"{base}/events/?issue=i2&order=desc": (200, {"results": [found]}),
        f"{base}/events/e2/": (200, {"data": data}),
    }
    event = read_back(peer.connection(), MESSAGE, 1)
    assert event == Event(MESSAGE.event_id, "shop@1.0", "production")


def test_an_event_of_sentry(peer: Peer) -> None:
    tags = [{"key": "release", "value": "shop@1.0"}, {"key": "environment", "value": "staging"}]
    path = f"GET /api/0/projects/an%20org/shop/events/{MESSAGE.event_id}/"
    peer.answers[path] = (200, {"tags": tags})
    event = read_back(peer.connection(**SENTRY), MESSAGE, 1)
    assert event == Event(MESSAGE.event_id, "shop@1.0", "staging")


def test_an_event_that_is_never_shown(peer: Peer) -> None:
    now = iter(range(100))
    with pytest.raises(SentryError, match="did not show it within 3 s"):
        read_back(
            peer.connection(**SENTRY), MESSAGE, 3, clock=lambda: next(now), sleep=lambda _s: None
        )
    assert len(peer.asked) == 4


def test_an_event_is_sent_with_the_key_and_without_the_token(peer: Peer) -> None:
    peer.answers["POST /api/7/envelope/"] = (200, {"id": MESSAGE.event_id})
    send(peer.connection(), MESSAGE)
    assert "Authorization" not in peer.headers[0]


@pytest.mark.parametrize(
    ("status", "answer", "message"),
    [
        (401, {"detail": "Invalid Bearer token."}, "answered 401, Invalid Bearer token. Check the"),
        (403, f"incorrect: https://{KEY}@errors.test/7", r"\*\*\*@errors.test/7. Check the DSN"),
        (403, {"detail": f"no {TOKEN}"}, r"answered 403, no \*\*\*. Check"),
        (400, {"project": ["gone"]}, r'answered 400, \{"project": \["gone"\]\}. Check the project'),
        (302, "", "answered 302. The url must be the one that it redirects to"),
        (429, "", "answered 429. It has had enough for now"),
        (502, {"status": 502, "title": "Nobody there", "id": "x"}, "answered 502, Nobody there."),
        (502, "<html>a long page</html>", "answered 502, Bad Gateway."),
        (500, "x" * 9999, "answered 500, x{300}."),
    ],
)
def test_refusals_say_what_and_no_secret(
    peer: Peer, status: int, answer: Any, message: str
) -> None:
    peer.answers[CREATE] = (status, answer)
    with pytest.raises(SentryError, match=f"Cannot register shop@1.0: .*{message}") as refusal:
        tell(peer.connection(), DEPLOY, only_foresee=False)
    assert KEY not in str(refusal.value)
    assert TOKEN not in str(refusal.value)


def test_a_server_that_does_not_answer(peer: Peer) -> None:
    peer.delay = 3
    with pytest.raises(DeployError, match="did not answer within 1 s"):
        send(peer.connection(timeout=1), MESSAGE)


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        receiver = Receiver(f"http://127.0.0.1:{free.getsockname()[1]}", timeout=60)
        with pytest.raises(DeployError, match=r"cannot be reached \(.*refused"):
            receiver.get("look", "/")


def test_a_server_that_speaks_no_tls(peer: Peer) -> None:
    with pytest.raises(DeployError, match="cannot be reached"):
        Receiver(f"https://{peer.host}", timeout=60).get("look", "/")
