# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import http.server
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi import (
    Answer,
    Client,
    Config,
    DevpiError,
    IndexWish,
    LoginRefusedError,
    Server,
    Stored,
    TokenWish,
    Upload,
    UserWish,
    check_index_name,
    check_project_name,
    check_stored,
    check_uploadable,
    check_user_name,
    decide_index,
    decide_index_removal,
    decide_package_removal,
    decide_reservation,
    decide_token,
    decide_user,
    decide_user_removal,
    diff,
    find_stored,
    is_loopback,
    is_token,
    multipart,
    read_answer,
    server_from,
    stored_files,
    token_owner,
)

STAGE: Config = {
    "type": "stage",
    "volatile": False,
    "bases": ["root/pypi"],
    "acl_upload": ["ci", ":AUTHENTICATED:"],
    "acl_toxresult_upload": [":ANONYMOUS:"],
    "mirror_whitelist": [],
    "mirror_whitelist_inheritance": "intersection",
    "some_plugin": "setting",
    "projects": ["shop"],
}
MIRROR: Config = {
    "type": "mirror",
    "volatile": False,
    "title": "Upstream",
    "mirror_url": "https://index.example.com/simple/",
}


# --- what was asked for --------------------------------------------------------------------------


def connection(**params: Any) -> dict[str, Any]:
    return {
        "url": "http://127.0.0.1:3141",
        "login_user": "root",
        "login_password": "hush",
        "ca_path": None,
        "timeout": 30,
        **params,
    }


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"url": "127.0.0.1:3141"}, "is no http or https address"),
        ({"url": "ftp://index.example.org"}, "is no http or https address"),
        ({"url": "https:///company/prod"}, "is no http or https address"),
        ({"url": "https://ci:hush@index.example.org"}, "login_user and login_password"),
        ({"url": "https://index.example.org/?x=1"}, "scheme, host and path alone"),
        ({"timeout": 0}, "at least one second"),
    ],
)
def test_connections_that_make_no_sense(params: dict[str, Any], message: str) -> None:
    with pytest.raises(DevpiError, match=message) as caught:
        server_from(connection(**params), print)
    assert "hush" not in str(caught.value)


def test_connection() -> None:
    server = server_from(connection(url="https://index.example.org/devpi/"), print)
    assert server.url == "https://index.example.org/devpi"
    assert "hush" not in repr(server)


@pytest.mark.parametrize(
    ("url", "plain_text"),
    [
        ("http://127.0.0.1:3141", False),
        ("http://[::1]:3141", False),
        ("http://localhost", False),
        ("https://index.example.org", False),
        ("http://index.example.org", True),
        ("http://10.0.0.1:3141", True),
    ],
)
def test_plain_text_is_told(url: str, plain_text: bool) -> None:
    warnings: list[str] = []
    server_from(connection(url=url), warnings.append)
    assert warnings == ([f"The password goes to {url} unencrypted."] if plain_text else [])


@pytest.mark.parametrize("host", ["", "localhost.example.org", "127.example.org", "10.0.0.1"])
def test_hosts_that_are_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("name", ["company/prod", "root/pypi", "a.b@c_d-1/x.y-2"])
def test_index_names(name: str) -> None:
    assert check_index_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "company", "company/", "/prod", "a/b/c", "a b/c", "a/../b", "+x/y"]
)
def test_bad_index_names(name: str) -> None:
    with pytest.raises(DevpiError, match="is no name of an index: user/index"):
        check_index_name(name)


@pytest.mark.parametrize("name", ["", "a/b", "a b", "+login", "a\n"])
def test_bad_user_names(name: str) -> None:
    with pytest.raises(DevpiError, match="is no name of a user"):
        check_user_name(name)


# --- users ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("current", "wish", "fits", "action", "body"),
    [
        pytest.param(
            None,
            UserWish("ci", "hush", {"email": "ci@example.org"}),
            True,
            "create",
            {"email": "ci@example.org", "password": "hush"},
            id="new",
        ),
        pytest.param({}, UserWish("ci"), True, "none", {}, id="nothing asked for"),
        pytest.param({}, UserWish("ci", "hush"), True, "none", {}, id="password fits"),
        pytest.param(
            {}, UserWish("ci", "hush"), False, "modify", {"password": "hush"}, id="other password"
        ),
        pytest.param({}, UserWish("ci"), False, "none", {}, id="password not asked for"),
        pytest.param(
            {"email": "old@example.org", "title": "CI"},
            UserWish("ci", None, {"email": "ci@example.org", "title": "CI"}),
            True,
            "modify",
            {"email": "ci@example.org"},
            id="other address",
        ),
        pytest.param(
            {"title": "CI"},
            UserWish("ci", None, {"title": ""}),
            True,
            "modify",
            {"title": ""},
            id="title removed",
        ),
        pytest.param({}, UserWish("ci", None, {"title": ""}), True, "none", {}, id="had no title"),
    ],
)
def test_decide_user(
    current: Config | None, wish: UserWish, fits: bool, action: str, body: Config
) -> None:
    change = decide_user(current, wish, password_fits=fits)
    assert (change.action, change.body) == (action, body)
    assert "hush" not in repr(change)
    assert "hush" not in repr(wish)
    assert "hush" not in json.dumps(diff(change, "user ci"))


def test_a_new_user_needs_a_password() -> None:
    with pytest.raises(DevpiError, match="no user 'ci' yet, and a new one needs a password"):
        decide_user(None, UserWish("ci"), password_fits=True)


@pytest.mark.parametrize(
    ("current", "action"),
    [(None, "none"), ({}, "remove"), ({"indexes": {"try": {"volatile": True}}}, "remove")],
)
def test_decide_user_removal(current: Config | None, action: str) -> None:
    assert decide_user_removal(current, "ci").action == action


@pytest.mark.parametrize(
    ("name", "current", "message"),
    [
        ("root", {"indexes": {}}, "'root' cannot be removed"),
        (
            "ci",
            {"indexes": {"try": {"volatile": True}, "prod": {"volatile": False}, "old": {}}},
            "indexes old, prod are not volatile",
        ),
    ],
)
def test_users_that_stay(name: str, current: Config, message: str) -> None:
    with pytest.raises(DevpiError, match=message):
        decide_user_removal(current, name)


# --- indexes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("current", "settings", "changed"),
    [
        pytest.param(STAGE, {}, {}, id="nothing asked for"),
        pytest.param(STAGE, {"bases": ["root/pypi"]}, {}, id="same bases"),
        pytest.param(STAGE, {"bases": ["/root/pypi/"]}, {}, id="same bases, other slashes"),
        pytest.param(STAGE, {"bases": []}, {"bases": []}, id="no bases"),
        pytest.param(
            STAGE | {"bases": ["a/b", "c/d"]},
            {"bases": ["c/d", "a/b"]},
            {"bases": ["c/d", "a/b"]},
            id="other order of bases",
        ),
        pytest.param(STAGE, {"acl_upload": [":authenticated:", "ci"]}, {}, id="other order of acl"),
        pytest.param(
            STAGE,
            {"acl_upload": [":AUTHENTICATED:", "CI"]},
            {"acl_upload": [":AUTHENTICATED:", "CI"]},
            id="users have two cases",
        ),
        pytest.param(
            STAGE | {"mirror_whitelist": ["fine-shop"]},
            {"mirror_whitelist": ["Fine.Shop"]},
            {},
            id="other spelling of a project",
        ),
        pytest.param(STAGE, {"mirror_whitelist": ["*"]}, {"mirror_whitelist": ["*"]}, id="any"),
        pytest.param(STAGE, {"volatile": True}, {"volatile": True}, id="volatile"),
        pytest.param(STAGE, {"title": ""}, {}, id="no title, has none"),
        pytest.param(MIRROR, {"title": ""}, {"title": ""}, id="no title, has one"),
        pytest.param(MIRROR, {"mirror_no_project_list": False}, {}, id="devpi's default"),
        pytest.param(
            MIRROR,
            {"mirror_no_project_list": True, "mirror_url": MIRROR["mirror_url"]},
            {"mirror_no_project_list": True},
            id="no project list",
        ),
        pytest.param(
            MIRROR, {"mirror_cache_expiry": 60}, {"mirror_cache_expiry": 60}, id="cache expiry"
        ),
    ],
)
def test_decide_index(current: Config, settings: Config, changed: Config) -> None:
    change = decide_index(current, IndexWish("company/prod", current["type"], settings))
    assert change.action == ("modify" if changed else "none")
    assert change.after == changed
    assert change.before.keys() == changed.keys()
    if changed:
        unchanged = {key: value for key, value in current.items() if key != "projects"}
        assert change.body == unchanged | changed


@pytest.mark.parametrize(
    ("type_", "body"),
    [(None, {"type": "stage", "bases": []}), ("mirror", {"type": "mirror", "bases": []})],
)
def test_decide_new_index(type_: str | None, body: Config) -> None:
    change = decide_index(None, IndexWish("company/prod", type_, {"bases": []}))
    assert (change.action, change.body, change.after) == ("create", body, body)


def test_a_type_cannot_change() -> None:
    with pytest.raises(DevpiError, match="company/prod is a stage and cannot become a mirror"):
        decide_index(STAGE, IndexWish("company/prod", "mirror", {}))


@pytest.mark.parametrize(("current", "action"), [(None, "none"), ({"volatile": True}, "remove")])
def test_decide_index_removal(current: Config | None, action: str) -> None:
    assert decide_index_removal(current, "company/try").action == action


def test_an_index_that_stays() -> None:
    with pytest.raises(DevpiError, match="company/prod cannot be removed: it is not volatile"):
        decide_index_removal(STAGE, "company/prod")


def test_settings_that_a_server_ignores() -> None:
    check_stored("company/prod", {"volatile": False, "bases": ["root/pypi"]}, STAGE)
    with pytest.raises(
        DevpiError, match=r"settings of root/pypi .* mirror_no_project_list did not"
    ):
        check_stored("root/pypi", {"mirror_no_project_list": True}, MIRROR)


# --- packages ------------------------------------------------------------------------------------

LINK = {
    "rel": "releasefile",
    "href": "http://127.0.0.1:3141/company/prod/+f/2c2/6b4/shop-1.0%2Blocal-py3-none-any.whl",
    "hash_spec": "sha256=abc",
}


@pytest.mark.parametrize(
    ("link", "sha256"),
    [
        ({"hash_spec": "sha256=abc"}, "abc"),
        ({"hash_spec": "md5=abc", "hashes": {"sha256": "def"}}, "def"),
        ({"hash_spec": "", "href": LINK["href"] + "#sha256=abc"}, "abc"),
        ({"hash_spec": "md5=abc"}, None),
    ],
)
def test_stored_files(link: Config, sha256: str | None) -> None:
    project = {
        "1.0+local": {"+links": [LINK | link, LINK | {"rel": "toxresult"}]},
        "0.9": {"name": "shop"},
    }
    assert stored_files(project) == [
        Stored("shop-1.0+local-py3-none-any.whl", "1.0+local", LINK["href"], sha256)
    ]


def test_no_stored_files() -> None:
    assert stored_files(None) == []


def test_find_stored() -> None:
    there = Stored("shop-1.0-py3-none-any.whl", "1.0", "http://127.0.0.1/x", "abc")
    assert find_stored([there], there.filename, "abc", "company/prod") == there
    assert find_stored([there], "shop-1.1-py3-none-any.whl", "abc", "company/prod") is None
    with pytest.raises(DevpiError, match=r"company/prod already has a shop-1\.0-py3-none-any\.whl"):
        find_stored([there], there.filename, "def", "company/prod")


@pytest.mark.parametrize(
    ("config", "message"),
    [(None, "There is no index company/prod"), (MIRROR, "company/prod is a mirror")],
)
def test_indexes_that_take_no_uploads(config: Config | None, message: str) -> None:
    with pytest.raises(DevpiError, match=message):
        check_uploadable("company/prod", config)


@pytest.mark.parametrize(
    ("volatile", "version", "action"),
    [(True, "1.0+local", "remove"), (True, "2.0", "none"), (False, "2.0", "none")],
)
def test_decide_package_removal(volatile: bool, version: str, action: str) -> None:
    project = {"1.0+local": {"+links": [LINK]}}
    change = decide_package_removal({"volatile": volatile}, project, "a/b", "shop", version)
    assert change.action == action


def test_a_version_that_stays() -> None:
    with pytest.raises(DevpiError, match=r"shop 1\.0 cannot be removed from a/b"):
        decide_package_removal({"volatile": False}, {"1.0": {}}, "a/b", "shop", "1.0")


# --- talking to a server -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b'{"message": "index exists"}', Answer(409, "index exists")),
        (b'{"type": "x", "result": {"a": 1}}', Answer(409, "Conflict", {"a": 1})),
        (b'{"message": "\\n\\n", "title": "file exists"}', Answer(409, "file exists")),
        (b'{"message": "a\\n b ", "title": "Conflict"}', Answer(409, "a b")),
        (b"<html>", Answer(409, "Conflict")),
        (b'"text"', Answer(409, "Conflict")),
        (b"\xff\xfe", Answer(409, "Conflict")),
        (b"", Answer(409, "Conflict")),
    ],
)
def test_read_answer(body: bytes, answer: Answer) -> None:
    assert read_answer(409, "Conflict", body) == answer


def test_multipart() -> None:
    upload = Upload("shop-1.0.tar.gz", 3, io.BytesIO(b"abc"), (("name", "shop"), ("summary", "ü")))
    head, tail = multipart(upload, "LIMIT")
    assert head.decode() == (
        '--LIMIT\r\nContent-Disposition: form-data; name="name"\r\n\r\nshop\r\n'
        '--LIMIT\r\nContent-Disposition: form-data; name="summary"\r\n\r\nü\r\n'
        '--LIMIT\r\nContent-Disposition: form-data; name="content"; filename="shop-1.0.tar.gz"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    assert tail == b"\r\n--LIMIT--\r\n"


Script = Callable[[http.server.BaseHTTPRequestHandler], None]


class Peer:
    """Something on loopback that answers as a test wants, and may well be no devpi."""

    def __init__(self) -> None:
        peer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def _answer(self) -> None:
                peer.script(self)

            do_GET = do_POST = do_PUT = _answer

            def log_message(self, *_arguments: Any) -> None:
                pass

        self.script: Script = lambda request: request.send_error(500)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def client(self, **changes: Any) -> Client:
        values: dict[str, Any] = {"url": self.url, "user": "ci", "password": "hush", "timeout": 60}
        return Client(Server(**values | changes))

    def answers(
        self, status: int, body: str = "", reason: str | None = None, **headers: str
    ) -> None:
        def script(request: http.server.BaseHTTPRequestHandler) -> None:
            request.rfile.read(int(request.headers.get("Content-Length", 0)))
            request.send_response(status, reason)
            for name, value in headers.items():
                request.send_header(name, value)
            request.end_headers()
            request.wfile.write(body.encode())

        self.script = script


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    thread = threading.Thread(target=peer.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield peer
    peer.server.shutdown()
    thread.join()
    peer.server.server_close()


def test_a_login_that_is_refused(peer: Peer) -> None:
    peer.answers(401, '{"message": "user could not be authenticated"}')
    with pytest.raises(LoginRefusedError, match=r"does not let 'ci' log in") as caught:
        peer.client().login()
    assert "hush" not in str(caught.value)


def test_a_server_that_is_no_devpi(peer: Peer) -> None:
    peer.answers(200, "<html>Welcome to nginx!</html>")
    with pytest.raises(DevpiError, match="is it a devpi server"):
        peer.client().login()


@pytest.mark.parametrize(
    ("status", "reason", "body", "message"),
    [
        (400, "Bad", '{"message": "no such key."}', r"answered 400, no such key\.$"),
        (403, "no permission to submit", "<html>", r"answered 403, no permission to submit\.$"),
        (401, "Unauthorized", "", r"401, Unauthorized\. The login was lost"),
        (413, "Too Large", "<html>", r"Raise the limit of the web server"),
        (502, "Bad Gateway", "<html>", r"answered 502, Bad Gateway\.$"),
        (301, "Moved", "", r"The url must be the one that it redirects to"),
    ],
)
def test_answers_that_are_no_success(
    peer: Peer, status: int, reason: str, body: str, message: str
) -> None:
    peer.answers(status, body, reason, Location="http://127.0.0.1:9/elsewhere")
    with pytest.raises(DevpiError, match=rf"^Cannot make it so: {peer.url} .*{message}"):
        peer.client().send("make it so", "PUT", "/company/prod", {"volatile": True})


def test_a_silent_server(peer: Peer) -> None:
    released = threading.Event()
    peer.script = lambda _request: released.wait(120) and None
    try:
        with pytest.raises(DevpiError, match=r"Cannot look: .* did not answer within 1 s"):
            peer.client(timeout=1).get("look", "/company")
    finally:
        released.set()


def test_a_server_that_trickles(peer: Peer) -> None:
    def script(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        try:
            for _beat in range(100):
                request.wfile.write(b" ")
                time.sleep(0.1)
        except OSError:
            return

    peer.script = script
    with pytest.raises(DevpiError, match=r"did not answer within 1 s"):
        peer.client(timeout=1).get("look", "/company")


def test_a_server_that_hangs_up(peer: Peer) -> None:
    peer.script = lambda request: request.connection.shutdown(socket.SHUT_RDWR)
    with pytest.raises(DevpiError, match=r"Cannot look: .* broke the connection"):
        peer.client().get("look", "/company")


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    client = Client(Server(f"http://127.0.0.1:{port}", "ci", "hush", timeout=60))
    with pytest.raises(DevpiError, match=r"cannot be reached \(.*refused.*\)\. Is it running"):
        client.login()


def test_a_proxy_is_not_used_for_loopback(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    peer.answers(200, '{"result": {"a": 1}}')
    assert peer.client().get("look", "/company") == {"a": 1}


def test_authorities_that_cannot_be_read() -> None:
    server = Server("https://127.0.0.1:9", "ci", "hush", ca_path="/nonexistent/ca.pem")
    with pytest.raises(DevpiError, match=r"authorities can be read from /nonexistent/ca.pem"):
        Client(server)


def test_a_missing_thing_is_none(peer: Peer) -> None:
    peer.answers(404, '{"message": "no user"}')
    assert peer.client().get("look", "/nobody") is None


def test_an_upload_has_its_own_deadline(peer: Peer) -> None:
    received = []

    def script(request: http.server.BaseHTTPRequestHandler) -> None:
        received.append(request.rfile.read(int(request.headers["Content-Length"])))
        request.send_response(200)
        request.end_headers()

    peer.script = script
    content = bytes(1 << 20)
    upload = Upload("shop-1.0.tar.gz", len(content), io.BytesIO(content), (("name", "shop"),))
    peer.client().upload("upload", "/company/prod/", upload)
    assert content in received[0]


# --- names and tokens ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["shop", "Shop.2", "a_b-c"])
def test_names_of_projects(name: str) -> None:
    assert check_project_name(name) == name


@pytest.mark.parametrize("name", ["", "-x", "x.", "a b", "a/b", "ü"])
def test_what_is_no_name_of_a_project(name: str) -> None:
    with pytest.raises(DevpiError, match="is no name of a project"):
        check_project_name(name)


def test_a_name_is_reserved_once() -> None:
    assert decide_reservation(None, "shop").action == "create"
    assert decide_reservation({}, "shop").action == "none"


# As devpi-tokens made it for the user company; it has been revoked.
TOKEN = (
    "devpi-AgEAAhBjb21wYW55LWtESkJmQmdEAAIXYWxsb3dlZD1wa2dfcmVhZCx1cGxvYWQAAhJleHBpcmVzPTE4MjY5"
    "Njg0MzUAAhNwcm9qZWN0cz10b2tlbi1tYWRlAAAGIPFl7_VNrUtIXfoT8ZltLBt8HkUxD5Nw4Ql308i4dxU7"
)
NOW = 1_800_000_000.0
KNOWN: dict[str, Config] = {
    "kDJBfBgD": {
        "restrictions": [
            "allowed=pkg_read,upload",
            "expires=1826968435",
            "projects=token-made",
        ]
    }
}
LIMITS = {"allowed": ["upload", "pkg_read"], "projects": ["token-made"]}


def test_whose_a_token_is() -> None:
    assert token_owner(TOKEN) == ("company", "kDJBfBgD")
    assert is_token(TOKEN)


@pytest.mark.parametrize("text", ["", "devpi-", "hush", "devpi-AgEA", "devpi-AQEA", "devpi-ü", "%"])
def test_what_is_no_token(text: str) -> None:
    assert not is_token(text)
    with pytest.raises(DevpiError, match="no token of devpi-tokens"):
        token_owner(text)


@pytest.mark.parametrize(
    ("kept", "known", "wish", "reason"),
    [
        (TOKEN, KNOWN, TokenWish("company", LIMITS), ""),
        (TOKEN + "\n", KNOWN, TokenWish("company", LIMITS), ""),
        (None, KNOWN, TokenWish("company", LIMITS), "there is none"),
        ("hush", KNOWN, TokenWish("company", LIMITS), "what is there is no token"),
        (TOKEN, KNOWN, TokenWish("ci", LIMITS), "it is one of the user 'company'"),
        (TOKEN, {}, TokenWish("company", LIMITS), "the server does not know it any more"),
        (TOKEN, KNOWN, TokenWish("company"), "it is good for something else"),
        (TOKEN, KNOWN, TokenWish("company", LIMITS, 365, 312), ""),
        (TOKEN, KNOWN, TokenWish("company", LIMITS, 365, 313), "it expires soon"),
        (
            TOKEN,
            {"kDJBfBgD": {"restrictions": ["expires=never"]}},
            TokenWish("company"),
            "",
        ),
    ],
)
def test_when_a_token_is_replaced(
    kept: str | None, known: dict[str, Config], wish: TokenWish, reason: str
) -> None:
    assert decide_token(kept, known, wish, NOW) == reason
