# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attempts of a client on the internet: client.py ADDRESS, the host's own, prints the verdicts as JSON.

See attempts.py. From the host's own address nginx sees a client like any other, unlike from loopback.
The site hostile.test answers /told with what nginx passed to it; honest.test is under load meanwhile.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import http.client
import io
import json
import os
import pathlib
import secrets
import socket
import ssl
import sys
import time
from collections.abc import Callable

from attempts import Succeeded, Unclear, verdict

ADDRESS = ""
TLS = ssl._create_unverified_context()
# Of answers that clients read more slowly than apps write them.
SPOOL = "/var/lib/nginx/proxy/"
LOG = pathlib.Path("/var/log/nginx/hostile.access.log")

ATTEMPTS: dict[str, Callable[[], None]] = {}


def attempt(function: Callable[[], None]) -> Callable[[], None]:
    ATTEMPTS[function.__name__] = function
    return function


def connect(name: str = "hostile.test", timeout: float = 60) -> ssl.SSLSocket:
    plain = socket.create_connection((ADDRESS, 443), timeout=timeout)
    return TLS.wrap_socket(plain, server_hostname=name)


def exchange(*lines: str, name: str = "hostile.test") -> bytes:
    """Send the lines of a request's head as they are; all that comes back until nginx closes."""
    with connect(name) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        received = b""
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except ConnectionResetError:
            pass
        return received


def ask(
    path: str, headers: dict[str, str] | None = None, host: str = "hostile.test"
) -> tuple[int, bytes]:
    """Status and body; 0 where nginx hangs up without an answer."""
    fields = [f"{key}: {value}" for key, value in (headers or {}).items()]
    received = exchange(f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close", *fields)
    head, _empty, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else 0, body


def require(statuses: tuple[int, ...], what: str, status: int, body: bytes) -> None:
    if status in statuses:
        return
    raise (Succeeded if 100 < status < 400 else Unclear)(f"{what}: {status} {body[:100]!r}")


@attempt
def send_a_path_that_is_read_in_two_ways() -> None:
    """Bypass a location's rules (H12): nginx chooses it by the path that it has decoded."""
    if ask("/told")[0] != 200:
        raise Unclear("the site does not answer")
    for path in ("/admin/..%2ftold", "/x/%2e%2e/told", "/x/..%5ctold", "/x/../told", "/told%00"):
        require((400,), path, *ask(path))


@attempt
def upgrade_to_another_protocol() -> None:
    """Bypass a location's rules (H6): over HTTP/2 in clear, the app would be spoken to past nginx."""
    asked = {"Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"}
    _status, body = ask("/told", asked)
    told = json.loads(body)
    if kept := [key for key in ("HTTP_UPGRADE", "HTTP_HTTP2_SETTINGS") if told.get(key)]:
        raise Succeeded(f"the app is told {kept}")


@attempt
def claim_to_be_a_proxy() -> None:
    """Forge the headers in which the proxy passes the client's address and protocol (M18)."""
    names = [
        *("Forwarded", "Proxy", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port"),
        *("X-Forwarded-Prefix", "X-Forwarded-Proto", "X-Forwarded-Server", "X-Forwarded-Ssl"),
        *("X-Original-URL", "X-Real-IP", "X-Request-ID", "X-Rewrite-URL", "X-Script-Name"),
        *("X_Forwarded_For", "X_Real_IP"),
    ]
    _status, body = ask("/told", dict.fromkeys(names, "192.0.2.66") | {"X-Own": "192.0.2.66"})
    told = json.loads(body)
    if told.pop("HTTP_X_OWN", None) != "192.0.2.66":
        raise Unclear(f"a header of its own did not arrive: {told}")
    if forged := [key for key, value in told.items() if "192.0.2.66" in value]:
        raise Succeeded(f"the app believes {forged}")
    if (told["HTTP_X_FORWARDED_PROTO"], told["HTTP_X_REAL_IP"]) != ("https", ADDRESS):
        raise Succeeded(f"the app is told {told}")


@attempt
def name_another_host() -> None:
    """Bypass a site's rules: by a Host that is not that of the handshake, given twice, or unknown."""
    _status, body = ask("/told", host="hostile.test")
    if json.loads(body)["HTTP_HOST"] != "hostile.test":
        raise Unclear(f"the app is told {body!r}")
    for host in ("evil.test", "127.0.0.1", "honest.test.evil.test", "hostile"):
        require((0, 400, 421, 444), host, *ask("/told", host=host))
    twice = exchange(
        "GET /told HTTP/1.1", "Host: hostile.test", "Host: evil.test", "Connection: close"
    )
    require((400,), "two hosts", int(twice.split()[1]), twice)
    whole = exchange(
        "GET https://hostile.test/told HTTP/1.1", "Host: evil.test", "Connection: close"
    )
    if b"evil.test" in whole:
        raise Succeeded("the app is told a name that is not its own")
    for name in ("evil.test", "localhost"):
        try:
            connect(name).close()
        except ssl.SSLError:
            continue
        raise Succeeded(f"a handshake for {name}")


@attempt
def smuggle_a_request() -> None:
    """Bypass a site's rules: a request within another, where nginx and the app count its body differently."""
    hidden = "GET /told?smuggled HTTP/1.1\r\nHost: hostile.test\r\n"
    cases = {
        "both lengths": ["Content-Length: 4", "Transfer-Encoding: chunked"],
        "two lengths": ["Content-Length: 0", "Content-Length: 60"],
        "unknown coding": ["Transfer-Encoding: xchunked"],
        "two codings": ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
        "length with sign": ["Content-Length: +0"],
        "space in a name": ["Transfer-Encoding : chunked", "Content-Length: 0"],
    }
    for name, fields in cases.items():
        received = exchange(
            "POST /told HTTP/1.1", "Host: hostile.test", *fields, "", "0", "", hidden
        )
        if b"smuggled" in received:
            raise Succeeded(name)
        require((400, 501), name, int(received.split()[1]), received)


@attempt
def send_headers_that_are_too_large() -> None:
    """Fill memory: one header of 100 KB, and a thousand of 100 bytes."""
    require((400, 431), "a large header", *ask("/told", {"X-Large": "x" * 100_000}))
    many = {f"X-Many-{number}": "x" * 100 for number in range(1000)}
    require((400, 431), "many headers", *ask("/told", many))
    require((414, 400), "a long path", *ask("/" + "x" * 100_000))


@attempt
def send_headers_slowly() -> None:
    """Keep connections: 100 that send a byte a second each; nginx gives a header 15 s."""
    connections = [connect() for _ in range(100)]
    deadline = time.monotonic() + 120
    for connection in connections:
        connection.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        connection.settimeout(0.001)
    left = connections
    while left:
        if time.monotonic() > deadline:
            raise Succeeded(f"{len(left)} connections are still there")
        left = [connection for connection in left if not drips(connection)]
        time.sleep(1)


def drips(connection: ssl.SSLSocket) -> bool:
    """Whether nginx has ended the connection, after one more byte."""
    try:
        connection.sendall(b"x")
        return not connection.recv(1024) or True
    except TimeoutError:
        return False
    except OSError:
        return True


@attempt
def open_many_connections() -> None:
    """Keep others out: 500 connections that say nothing, of 4096 that a worker of nginx has."""
    connections = [socket.create_connection((ADDRESS, 443), timeout=60) for _ in range(500)]
    try:
        status, body = ask("/told")
        if status != 200:
            raise Succeeded(f"another client gets {status} {body[:100]!r}")
    finally:
        for connection in connections:
            connection.close()


@attempt
def fill_the_access_log() -> None:
    """Fill the disk (H11): of what a client chooses freely, the log has the start."""
    long, name = "x" * 7000, secrets.token_hex(8)
    ask(f"/{name}?{long}", {"User-Agent": long, "Referer": long})
    line = logged(name)
    if len(line) > 8000:
        raise Succeeded(f"a line of {len(line)} bytes")
    json.loads(line)


def spooled() -> int:
    """MiB that nginx has on the disk of the largest answer. It removes the names of these files at once."""
    found = 0
    for handle in pathlib.Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if os.readlink(handle).startswith(SPOOL):
                found = max(found, handle.stat().st_size)
    return found >> 20


def require_little_on_the_disk() -> None:
    """nginx keeps what clients have not read; of each answer of 300 MiB that may be 4 and one write."""
    deadline, before, calm = time.monotonic() + 60, 0, 0
    while calm < 5 and time.monotonic() < deadline:
        time.sleep(1)
        now = spooled()
        calm = calm + 1 if now == before > 0 else 0
        before = now
    if not before:
        raise Unclear("nginx has kept nothing")
    if before > 4:
        raise Succeeded(f"{before} MiB of an answer are on the disk")


@attempt
def read_a_large_answer_slowly() -> None:
    """Fill the disk (H11) with an answer that is not read."""
    with connect() as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: hostile.test\r\n\r\n")
        connection.recv(1)
        require_little_on_the_disk()


HEADERS, RESET, SETTINGS, GOAWAY = 1, 3, 4, 7  # RFC 9113, 6
REFUSED_STREAM = 7
# INITIAL_WINDOW_SIZE: of each body the server may send one byte, without which nginx 1.22 sends no head either
SMALL_WINDOW = bytes([0, 4, 0, 0, 0, 1])


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return (
        len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
    )


def request(stream: int, path: str) -> bytes:
    """A GET that is complete; names by their place in the static table (RFC 7541, Appendix A)."""
    fields = b"\x82\x87"  # :method GET, :scheme https
    for name, value in ((4, path), (1, "hostile.test")):  # :path, :authority
        fields += bytes([name, len(value)]) + value.encode()
    return frame(HEADERS, 5, stream, fields)


def read_frame(stream: io.BufferedReader) -> tuple[int, int, bytes]:
    """Kind, stream and payload."""
    head = stream.read(9)
    if len(head) < 9:
        raise Unclear("nginx closed the connection")
    return head[3], int.from_bytes(head[5:], "big"), stream.read(int.from_bytes(head[:3], "big"))


@attempt
def ask_much_in_one_connection() -> None:
    """Fill the disk (H11) with answers to many requests at a time, by HTTP/2: of 112 it takes 100."""
    context = ssl._create_unverified_context()
    context.set_alpn_protocols(["h2"])
    plain = socket.create_connection((ADDRESS, 443), timeout=60)
    streams = range(1, 2 * 112, 2)
    with context.wrap_socket(plain, server_hostname="hostile.test") as connection:
        if connection.selected_alpn_protocol() != "h2":
            raise Unclear("no HTTP/2")
        # four of them large, because each keeps a thread of the app
        asked = [request(each, "/large" if each < 8 else "/") for each in streams]
        start = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, SMALL_WINDOW)
        connection.sendall(start + b"".join(asked))
        taken, refused = set(), set()
        with connection.makefile("rb") as received:
            while len(taken) + len(refused) < len(streams):
                kind, stream, payload = read_frame(received)
                if kind == HEADERS:
                    taken.add(stream)
                elif kind == RESET and int.from_bytes(payload, "big") == REFUSED_STREAM:
                    refused.add(stream)
                elif kind in (RESET, GOAWAY):
                    raise Unclear(f"frame {kind} of stream {stream}: {payload!r}")
            if len(taken) > 100:
                raise Succeeded(f"{len(taken)} requests are answered at a time")
            require_little_on_the_disk()


@attempt
def hide_from_the_access_log() -> None:
    """Leave no trace: a request like those by which nginx_config tests a reload from loopback."""
    name = secrets.token_hex(8)
    with connect() as connection:
        client = http.client.HTTPConnection("hostile.test")
        client.sock = connection
        client.request(
            "TRACE", f"/{name}", headers={"User-Agent": "twelvefactor.deploy.nginx_config"}
        )
        client.getresponse().read()
    logged(name)


def logged(name: str) -> str:
    """The line of a request, which nginx writes a little after its answer."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for line in LOG.read_text().splitlines():
            if name in line:
                return line
        time.sleep(0.1)
    raise Succeeded("the log has no line of it")


def main() -> int:
    global ADDRESS
    ADDRESS = sys.argv[1]
    with concurrent.futures.ThreadPoolExecutor(len(ATTEMPTS)) as pool:
        told = pool.map(lambda action: verdict(action, "held"), ATTEMPTS.values())
    print(json.dumps(dict(zip(ATTEMPTS, told, strict=True))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
