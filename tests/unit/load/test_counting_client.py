# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The counts are the proof of every release, so they are exact against a server that misbehaves."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from load import counting_client, websocket
from load.counting_client import Plan
from load.http_connection import Answer, Endpoint, MalformedAnswer, parse
from load.tally import HeldTally, Tally

NAME = "guestbook.test"
TESTS = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate for NAME, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@dataclass
class Server:
    """Answers as told: the n-th request gets the n-th behaviour, later ones the last."""

    behaviours: list[str]
    port: int = 0
    requests: list[str] = field(default_factory=list)
    connections: int = 0
    frames: list[tuple[int, bytes]] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        # The client's disconnect is how every one of these ends.
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            while await self.answer_one(reader, writer):
                pass
        writer.close()

    async def answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        request = head.split(" HTTP/1.1")[0]
        lines = [line.partition(": ") for line in head.split("\r\n")[1:] if line]
        headers = {name.lower(): value for name, _colon, value in lines}
        self.hosts.add(headers["host"])
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        number = len(self.requests)
        self.requests.append(request)
        behaviour = self.behaviours[min(number, len(self.behaviours) - 1)]
        if request == "GET /stream":
            return await self.stream(writer, behaviour)
        if request == "GET /websocket":
            return await self.websocket(reader, writer, headers["sec-websocket-key"], behaviour)

        content = {"version": "1.0.0", "sha256": sha256(body).hexdigest()}
        status, announced = 200, None
        match behaviour:
            case "new version":
                content["version"] = "1.1.0"
            case "502":
                status = 502
            case "wrong hash":
                content["sha256"] = "0" * 64
            case "no version":
                del content["version"]
            case "hang":
                await asyncio.sleep(600)
            case "close before" | "reset before":
                if behaviour == "reset before":
                    writer.transport.abort()
                return False
            case "garbage":
                writer.write(b"SSH-2.0-x\r\n\r\n")
                return False
            case "reset during" | "close during":
                announced = 5000
        data = json.dumps(content).encode()
        if behaviour == "chunked":
            writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n")
            writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
            for start in range(0, len(data), 7):
                part = data[start : start + 7]
                writer.write(f"{len(part):x};x=y\r\n".encode() + part + b"\r\n")
                await writer.drain()
                await asyncio.sleep(0)
            writer.write(b"0\r\nX-Trailer: 1\r\n\r\n")
            return True
        close = behaviour == "announce close"
        writer.write(
            f"HTTP/1.1 {status} X\r\nContent-Length: {announced or len(data)}\r\n"
            f"Connection: {'close' if close else 'keep-alive'}\r\n\r\n".encode()
            + data
            + (b"more" if behaviour == "too long" else b"")
        )
        await writer.drain()
        if behaviour == "reset during":
            writer.transport.abort()
        return behaviour not in ("reset during", "close during", "close idle", "announce close")

    async def stream(self, writer: asyncio.StreamWriter, behaviour: str) -> bool:
        if behaviour == "close before":
            return False
        status = 502 if behaviour == "502" else 200
        writer.write(f"HTTP/1.1 {status} X\r\nConnection: close\r\n".encode())
        writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
        lines = [b"1/2 1.0.0 web-1.7\n", b"2/2 1.0.0 web-1.7\n", b"end\n"]
        if behaviour in ("close during", "no end"):
            lines.pop()
        for line in lines:
            writer.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        if behaviour != "close during":
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        return False

    async def websocket(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        key: str,
        behaviour: str,
    ) -> bool:
        """Greet and echo; the client's frames are short and masked."""

        def send(opcode: int, payload: bytes) -> None:
            writer.write(bytes([0x80 | opcode, len(payload)]) + payload)

        if behaviour == "502":
            writer.write(b"HTTP/1.1 502 X\r\nContent-Length: 0\r\n\r\n")
            return True
        proof = "forged" if behaviour == "forged" else websocket.accept(key)
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n")
        writer.write(f"Sec-WebSocket-Accept: {proof}\r\n\r\n".encode())
        send(websocket.PING, b"there?")
        send(websocket.TEXT, b'{"version": "1.0.0"}')
        while True:
            opcode, length = await reader.readexactly(2)
            mask = await reader.readexactly(4)
            masked = await reader.readexactly(length & 0x7F)
            payload = bytes(byte ^ mask[number % 4] for number, byte in enumerate(masked))
            self.frames.append((opcode & 0x0F, payload))
            if opcode & 0x0F == websocket.PONG:
                continue
            if opcode & 0x0F == websocket.CLOSE or behaviour == "close during":
                send(websocket.CLOSE, (1012).to_bytes(2))
                return False
            if behaviour == "reset during":
                writer.transport.abort()
                return False
            send(websocket.TEXT, b"?" if behaviour == "wrong echo" else payload)


@contextlib.asynccontextmanager
async def serving(certificate: Path, *behaviours: str) -> AsyncIterator[Server]:
    server = Server(list(behaviours))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()


def plan_for(certificate: Path, port: int, **more: object) -> Plan:
    endpoint = Endpoint("127.0.0.1", port, NAME, ssl.create_default_context(cafile=certificate))
    plan = Plan(endpoint, keep_alive=1, one_shot=0, slow=0, timeout=60)
    return replace(plan, **more)  # type: ignore[arg-type]


def count(certificate: Path, *behaviours: str, **more: object) -> tuple[Tally, Server]:
    async def scenario() -> tuple[Tally, Server]:
        async with serving(certificate, *behaviours) as server:
            plan = plan_for(certificate, server.port, **more)
            return await counting_client.run(plan, asyncio.Event()), server

    return asyncio.run(scenario())


# Requests of a lane alternate: GET, POST, GET, ...
@pytest.mark.parametrize(
    ("behaviours", "requests", "failures", "retried", "connections"),
    [
        (["ok"], 6, {}, 0, 1),
        (["chunked"], 4, {}, 0, 1),
        (["announce close", "ok"], 4, {}, 0, 2),
        (["502", "ok"], 4, {"status 502": 1}, 0, 1),
        (["wrong hash"], 4, {"wrong hash": 2}, 0, 1),
        (["no version", "ok"], 4, {"no version": 1}, 0, 1),
        (["ok", "reset during", "ok"], 4, {"closed during the answer": 1}, 0, 2),
        (["ok", "ok", "close during", "ok"], 4, {"closed during the answer": 1}, 0, 2),
        (["garbage", "ok"], 3, {"malformed answer": 1}, 0, 2),
        (["too long", "ok"], 3, {"malformed answer": 1}, 0, 2),
        # A GET on a connection that served before is sent again ...
        (["ok", "ok", "close before", "ok"], 4, {}, 1, 2),
        (["ok", "ok", "reset before", "ok"], 4, {}, 1, 2),
        # ... once ...
        (
            ["ok", "ok", "close before", "close before", "ok"],
            4,
            {"closed before the answer": 1},
            1,
            3,
        ),
        # ... a POST never, and neither is a GET on a new connection.
        (["ok", "close before", "ok"], 4, {"closed before the answer": 1}, 0, 2),
        (["close before", "ok"], 4, {"closed before the answer": 1}, 0, 2),
    ],
)
def test_one_connection(
    certificate: Path,
    behaviours: list[str],
    requests: int,
    failures: dict[str, int],
    retried: int,
    connections: int,
) -> None:
    tally, server = count(certificate, *behaviours, requests=requests)

    assert tally.requests == requests
    assert tally.failures == failures
    assert tally.failed == sum(failures.values())
    assert tally.retried == retried
    assert server.connections == connections
    assert len(server.requests) == requests + retried
    assert server.hosts == {NAME}
    assert sum(seen.count for seen in tally.versions.values()) == requests - tally.failed


def test_connection_seen_closed_while_idle_is_replaced_and_is_no_retry(certificate: Path) -> None:
    tally, server = count(certificate, "close idle", requests=4, pause=0.2)

    assert (tally.requests, tally.failed, tally.retried) == (4, 0, 0)
    assert server.connections == 4


def test_connection_for_each_request(certificate: Path) -> None:
    tally, server = count(certificate, "ok", requests=6, keep_alive=0, one_shot=2)

    assert (tally.requests, tally.failed) == (6, 0)
    assert server.connections == 6


def test_slow_answers_are_counted_apart(certificate: Path) -> None:
    tally, server = count(certificate, "ok", requests=3, keep_alive=0, slow=1, slow_path="/slow?x")

    assert server.requests == ["GET /slow?x"] * 3
    assert tally.slow_completed == 3
    assert tally.versions["1.0.0"].slow == 3
    assert tally.versions["1.0.0"].slowest == 0


@pytest.mark.parametrize(
    ("behaviour", "completed", "broken", "failures"),
    [
        ("ok", 2, "", {}),
        ("close during", 0, "closed by the server", {}),
        ("no end", 0, "ended without its last line", {}),
        ("close before", 0, "", {"closed before the answer": 2}),
        ("502", 0, "", {"status 502": 2}),
    ],
)
def test_streams(
    certificate: Path, behaviour: str, completed: int, broken: str, failures: dict[str, int]
) -> None:
    tally = count(certificate, behaviour, requests=2, keep_alive=0, streams=1)[0]
    held = tally.held.get("stream", HeldTally())

    assert (tally.requests, tally.failures, tally.failed) == (2, failures, sum(failures.values()))
    assert held.completed == completed
    assert [one["detail"] for one in held.broken] == ([broken] * 2 if broken else [])
    assert {one["version"] for one in held.broken} <= {"1.0.0 web-1.7"}
    assert held.versions == ({"1.0.0 web-1.7": completed} if completed else {})
    assert all(one["sent"]["seconds"] <= one["broken"]["seconds"] for one in held.broken)


@pytest.mark.parametrize(
    ("behaviour", "completed", "broken", "failures"),
    [
        ("ok", 2, [], {}),
        ("close during", 0, ["closed by the server with the code 1012"] * 2, {}),
        ("reset during", 0, ["closed by the server without a word"] * 2, {}),
        ("wrong echo", 0, [], {"wrong echo": 2}),
        ("forged", 0, [], {"malformed answer": 2}),
        ("502", 0, [], {"no websocket": 2}),
    ],
)
def test_websockets(
    certificate: Path, behaviour: str, completed: int, broken: list[str], failures: dict[str, int]
) -> None:
    tally, server = count(
        certificate, behaviour, requests=2, keep_alive=0, websockets=1, websocket_seconds=0.1
    )
    held = tally.held.get("websocket", HeldTally())

    assert (tally.requests, tally.failures, tally.failed) == (2, failures, sum(failures.values()))
    assert held.completed == completed
    assert [one["detail"] for one in held.broken] == broken
    assert {one["version"] for one in held.broken} <= {"1.0.0"}
    assert held.versions == ({"1.0.0": completed} if completed else {})
    if completed:
        assert (websocket.PONG, b"there?") in server.frames
        assert server.frames[-1] == (websocket.CLOSE, (1000).to_bytes(2))


@pytest.mark.parametrize("length", [0, 125, 126, 65535, 65536])
def test_frames_of_every_length(length: int) -> None:
    data = websocket.encode(websocket.Frame(websocket.TEXT, b"x" * length), b"\0\0\0\0")
    short = data[1] & 0x7F
    size = {126: 2, 127: 8}.get(short, 0)

    assert data[0] == 0x81
    assert data[1] & 0x80
    assert (int.from_bytes(data[2 : 2 + size]) if size else short) == length
    assert len(data) == 2 + size + 4 + length


def test_answer_to_a_websockets_key() -> None:
    # the example of RFC 6455, section 1.3
    assert websocket.accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    ("received", "version"),
    [
        (b"", ""),
        (b"HTTP/1.1 200 OK\r\n\r\n13\r\n7/60 1.0.0 web-1.7\n\r\n", "1.0.0 web-1.7"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "unknown"),
    ],
)
def test_whose_stream_it_was(received: bytes, version: str) -> None:
    assert counting_client.stream_version(received) == version


def test_another_key_identifies_the_answer(certificate: Path) -> None:
    tally = count(certificate, "ok", requests=1, identify="sha256")[0]

    assert list(tally.versions) == [sha256(b"").hexdigest()]


def test_versions_in_order_of_their_answers(certificate: Path) -> None:
    tally = count(certificate, *["ok"] * 3, "new version", requests=8)[0]
    old, new = tally.versions["1.0.0"], tally.versions["1.1.0"]

    assert (old.count, new.count) == (3, 5)
    assert old.first <= old.last < new.first <= new.last
    assert old.last_sent < new.last_sent


def test_examples_are_the_first_five(certificate: Path) -> None:
    tally = count(certificate, "502", "wrong hash", "502", requests=9)[0]

    assert tally.failed == 9
    assert [one["reason"] for one in tally.examples] == [
        *("status 502", "wrong hash"),
        *["status 502"] * 3,
    ]
    assert [one["request"] for one in tally.examples][:2] == ["GET /version", "POST /echo"]


def test_deadline(certificate: Path) -> None:
    tally = count(certificate, "hang", "ok", requests=2, timeout=3)[0]

    assert tally.failures == {"timeout": 1}
    assert tally.requests == 2


def test_nobody_listens(certificate: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        plan = plan_for(certificate, unused.getsockname()[1], requests=3)

        tally = asyncio.run(counting_client.run(plan, asyncio.Event()))

    assert tally.failures == {"connect": 3}


@pytest.mark.parametrize("trusted", [True, False])
def test_certificate_is_verified(certificate: Path, trusted: bool) -> None:
    async def scenario() -> Tally:
        async with serving(certificate, "ok") as server:
            tls = ssl.create_default_context(cafile=certificate if trusted else None)
            name = "other.test" if trusted else NAME
            plan = plan_for(certificate, server.port, requests=2)
            plan = replace(plan, endpoint=Endpoint("127.0.0.1", server.port, name, tls))
            return await counting_client.run(plan, asyncio.Event())

    assert asyncio.run(scenario()).failures == {"tls": 2}


def test_duration_and_stop_file_end_a_run(certificate: Path, tmp_path: Path) -> None:
    by_duration = count(certificate, "ok", duration=0.3, pause=0.01)[0]
    (tmp_path / "stop").touch()
    by_file = count(certificate, "ok", stop_file=tmp_path / "stop", pause=0.01)[0]

    assert by_duration.now() >= 0.3
    assert by_duration.requests > 5
    assert by_duration.failed == by_file.failed == 0


@pytest.fixture
def server_in_thread(certificate: Path) -> Iterator[Server]:
    started, finished = threading.Event(), threading.Event()
    holder: list[Server] = []

    async def keep() -> None:
        async with serving(certificate, "ok", "ok", "502", "ok") as server:
            holder.append(server)
            started.set()
            await asyncio.to_thread(finished.wait)

    thread = threading.Thread(target=lambda: asyncio.run(keep()))
    thread.start()
    assert started.wait(10)
    yield holder[0]
    finished.set()
    thread.join(10)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_command_line_until_signal(
    certificate: Path, server_in_thread: Server, tmp_path: Path, number: signal.Signals
) -> None:
    output = tmp_path / "result.json"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "load.counting_client"),
            *(f"https://{NAME}:{server_in_thread.port}", "--address", "127.0.0.1"),
            *("--ca-file", str(certificate), "--slow", "0", "--pause", "0.01"),
            *("--until-signal", "--output", str(output)),
        ],
        env=os.environ | {"PYTHONPATH": str(TESTS)},
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while len(server_in_thread.requests) < 50 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    said = process.communicate(timeout=120)[1]
    report = json.loads(output.read_text())

    assert process.returncode == 1
    assert report["failures"] == {"status 502": 1}
    assert report["requests"] == len(server_in_thread.requests)
    assert f"{report['requests']} requests, 1 failed, 0 retried, versions 1.0.0" in said
    assert report["versions"]["1.0.0"]["count"] == report["requests"] - 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["http://a.test", "--requests", "1"], "is not of the form https://NAME"),
        (["https://a.test/path", "--requests", "1"], "is not of the form https://NAME"),
        (["https://a.test"], "say when to stop"),
        (["https://a.test", "--requests", "1", "--ca-file", "/none"], "cannot read certificates"),
        (["https://a.test", "--requests", "1", "--slow", "-1"], "at least one lane"),
    ],
)
def test_wrong_usage_gets_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        counting_client.main(arguments)

    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("data", "ended", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", False, b"hi"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", True, None),
        (b"HTTP/1.1 200 OK\r\n\r\nhi", False, None),
        (b"HTTP/1.1 200 OK\r\n\r\nhi", True, b"hi"),
        (b"HTTP/1.1 204 No\r\n\r\n", False, b""),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            False,
            b"hi",
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n", False, None),
        (b"HTTP/1.1 100 Go\r\n\r\n", True, None),
    ],
)
def test_parse(data: bytes, ended: bool, body: bytes | None) -> None:
    answer, size = parse(data, ended=ended)

    assert (answer.body if answer else None) == body
    assert size == (len(data) if answer else 0)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nhello\r\n",
    ],
)
def test_parse_refuses(data: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        parse(data, ended=False)


def test_http_1_0_is_not_kept_alive() -> None:
    data = b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"

    assert parse(data, ended=False) == (Answer(200, b"", keep_alive=False), len(data))
