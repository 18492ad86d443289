# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Talking to a devpi server."""

from __future__ import annotations

import http.server
import io
import json
import pathlib
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.client import (
    Answer,
    Client,
    Server,
    Upload,
    multipart,
    read_answer,
    server_from,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._devpi.model import (
    DevpiError,
    LoginRefusedError,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._http.api import is_loopback
from ansible_collections.twelvefactor.deploy.plugins.module_utils._http.client import why_not


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
        ({"url": "127.0.0.1:3141"}, "Invalid URL"),
        ({"url": "ftp://index.example.org"}, "Invalid URL"),
        ({"url": "https:///company/prod"}, "Invalid URL"),
        ({"url": "unix:run/devpi.sock"}, "Invalid URL"),
        ({"url": "unix:"}, "Invalid URL"),
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
        ("unix:/run/devpi/devpi.sock", False),
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
        with pytest.raises(DeployError, match=r"Cannot look: .* did not answer within 1 s"):
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
    with pytest.raises(DeployError, match=r"did not answer within 1 s"):
        peer.client(timeout=1).get("look", "/company")


def test_a_server_that_hangs_up(peer: Peer) -> None:
    peer.script = lambda request: request.connection.shutdown(socket.SHUT_RDWR)
    with pytest.raises(DeployError, match=r"Cannot look: .* broke the connection"):
        peer.client().get("look", "/company")


@pytest.fixture
def socket_peer(tmp_path: pathlib.Path) -> Iterator[str]:
    """What the server of a socket is asked, as its answer."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = {"path": self.path, "host": self.headers["Host"]}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"result": asked}).encode())

        def address_string(self) -> str:
            return "localhost"

        def log_message(self, *_arguments: Any) -> None:
            pass

    path = tmp_path / "devpi.sock"
    with socketserver.UnixStreamServer(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"unix:{path}"
        server.shutdown()
        thread.join()


def test_a_server_on_a_socket(socket_peer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    server = server_from(connection(url=socket_peer), print)
    assert Client(server).get("look", "/company/+x") == {"path": "/company/+x", "host": "localhost"}


@pytest.mark.parametrize(
    ("path", "reason"),
    [("devpi.sock", r"\(.*No such file.*\)\. Is it running"), ("x" * 200, r"too long")],
)
def test_no_socket_there(tmp_path: pathlib.Path, path: str, reason: str) -> None:
    server = server_from(connection(url=f"unix:{tmp_path}/{path}"), print)
    with pytest.raises(DeployError, match=rf"Cannot look: unix:{tmp_path}/.* cannot be .*{reason}"):
        Client(server).get("look", "/company")


def test_a_socket_that_only_others_may_connect_to() -> None:
    refused = PermissionError(13, "Permission denied")
    assert why_not("unix:/run/devpi/devpi.sock", refused, 30) == (
        "unix:/run/devpi/devpi.sock cannot be reached ([Errno 13] Permission denied). "
        "Run this as root: become: true."
    )


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    client = Client(Server(f"http://127.0.0.1:{port}", "ci", "hush", timeout=60))
    with pytest.raises(DeployError, match=r"cannot be reached \(.*refused.*\)\. Is it running"):
        client.login()


def test_a_proxy_is_not_used_for_loopback(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    peer.answers(200, '{"result": {"a": 1}}')
    assert peer.client().get("look", "/company") == {"a": 1}


def test_authorities_that_cannot_be_read() -> None:
    server = Server("https://127.0.0.1:9", "ci", "hush", ca_path="/nonexistent/ca.pem")
    with pytest.raises(DeployError, match=r"CA certificates /nonexistent/ca.pem cannot be read"):
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
