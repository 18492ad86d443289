# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which servers a configuration has, and whether they answer."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx import (
    vhosts as nginx_vhosts,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.plan import NginxError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._nginx.vhosts import (
    Listen,
    Vhost,
    ask_all,
    is_local,
    read_listen,
    vhosts,
)

MAIN = """\
nginx: the configuration file /etc/nginx/nginx.conf syntax is ok
# configuration file /etc/nginx/nginx.conf:
user www-data;
http {
    include mime.types;
    ssl_certificate shared.pem;
    log_format json '{"a":"$b"}';  # not } a block
    map $x $y { "~^1:(?<id>[a-z]{8,})$" $id; default "a;b"; }
    upstream shop { server unix:/run/shop; }
    include /etc/nginx/sites-enabled/*;
    server { listen 443 ssl; server_name ""; ssl_reject_handshake on; }
}
stream { server { listen 53; server_name no.test; } }

# configuration file /etc/nginx/mime.types:
types { text/html html htm; }

# configuration file /etc/nginx/sites-enabled/a.conf:
server {
    listen 80; listen 443 ssl; listen 443 quic; server_name a.test
    "b.test" *.c.test .d.test ~^e $hostname _ f.*;
    include includes/tls.conf;
    location / { if ($host = x) { return 200 "${a} } {"; } }
}
server { server_name plain.test; }

# configuration file /etc/nginx/includes/tls.conf:
ssl_certificate certificates/a.pem;
ssl_certificate /elsewhere/a-rsa.pem;
"""


def test_servers_are_found_through_includes() -> None:
    found = vhosts(MAIN)
    listens = (Listen("127.0.0.1", 80), Listen("127.0.0.1", 443, tls=True))
    certificates = ("/etc/nginx/certificates/a.pem", "/elsewhere/a-rsa.pem")
    file = "/etc/nginx/sites-enabled/a.conf"
    assert found == (
        *(
            Vhost(name, listens, certificates, file)
            for name in ("a.test", "b.test", "*.c.test", ".d.test")
        ),
        Vhost("plain.test", (Listen("127.0.0.1", 80),), ("/etc/nginx/shared.pem",), file),
    )
    assert [vhost.asked for vhost in found[2:4]] == ["any.c.test", "any.d.test"]


@pytest.mark.parametrize("output", ["", "nginx: [emerg] no", "# configuration file /x:\nhttp {"])
def test_no_servers_in_what_is_no_configuration(output: str) -> None:
    assert vhosts(output) == ()


@pytest.mark.parametrize(
    ("words", "expected", "shown"),
    [
        ("80", Listen("127.0.0.1", 80), "127.0.0.1:80"),
        ("*:8080 default_server", Listen("127.0.0.1", 8080), "127.0.0.1:8080"),
        ("[::]:443 ssl http2", Listen("::1", 443, tls=True), "[::1]:443"),
        ("[2001:db8::1]", Listen("2001:db8::1", 80), "[2001:db8::1]:80"),
        ("192.0.2.1", Listen("192.0.2.1", 80), "192.0.2.1:80"),
        ("localhost:81", Listen("localhost", 81), "localhost:81"),
        ("8000-8010", Listen("127.0.0.1", 8000), "127.0.0.1:8000"),
        ("80 proxy_protocol", Listen("127.0.0.1", 80, proxy_protocol=True), "127.0.0.1:80"),
        ("unix:/run/a.sock", Listen("unix:/run/a.sock", 0), "unix:/run/a.sock"),
        ("443 quic reuseport", None, "None"),
        ("80 http2", None, "None"),
    ],
)
def test_read_listen(words: str, expected: Listen | None, shown: str) -> None:
    listen = read_listen(tuple(words.split()))
    assert listen == expected
    assert str(listen) == shown


@contextmanager
def answering(answer: bytes) -> Iterator[tuple[Listen, Callable[[], bytes]]]:
    """A server that says `answer` to its first client; and what that one asked."""
    asked: list[bytes] = []

    def serve() -> None:
        connection, _peer = server.accept()
        with connection:
            asked.append(connection.recv(4096))
            connection.sendall(answer)

    def question() -> bytes:
        thread.join(10)
        return asked[0]

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield Listen("127.0.0.1", server.getsockname()[1]), question


def vhost(listen: Listen) -> Vhost:
    return Vhost("a.test", (listen,), (), "/etc/nginx/sites-enabled/a.conf")


def test_an_answer_is_enough_whatever_its_status() -> None:
    with answering(b"HTTP/1.1 405 Not Allowed\r\n\r\n") as (listen, question):
        ask_all([vhost(listen)])
        assert question().startswith(b"TRACE / HTTP/1.1\r\nHost: a.test\r\n")


@pytest.mark.parametrize(
    ("answer", "words"),
    [(b"", "it closed the connection"), (b"SSH-2.0-x\r\n", "it said b'SSH-2.0")],
)
def test_another_answer_is_none(answer: bytes, words: str) -> None:
    with answering(answer) as (listen, _question), pytest.raises(NginxError) as caught:
        ask_all([vhost(listen)])
    where = "http://a.test of /etc/nginx/sites-enabled/a.conf does not answer at 127.0.0.1:"
    assert str(caught.value).startswith(where)
    assert words in str(caught.value)


def test_an_answer_that_trickles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every read is quick enough, and yet it must end."""
    monkeypatch.setattr(nginx_vhosts, "ASK_SECONDS", 0.3)

    def serve() -> None:
        with suppress(OSError), server.accept()[0] as connection:
            for letter in b"HTTP/1.1":
                connection.sendall(bytes([letter]))
                time.sleep(0.2)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(NginxError, match="timed out"):
            ask_all([vhost(Listen("127.0.0.1", server.getsockname()[1]))])


def test_nobody_there(tmp_path: Path) -> None:
    listen = Listen(f"unix:{tmp_path}/none.sock", 0)
    with pytest.raises(NginxError, match=r"at unix:/.*/none.sock: .*No such file"):
        ask_all([vhost(listen)])


def test_an_address_of_another_host_is_not_asked() -> None:
    assert is_local("127.0.0.1")
    assert not is_local("192.0.2.1")
    ask_all([vhost(Listen("192.0.2.1", 80))])
