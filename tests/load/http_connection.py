# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP/1.1 connection of a client that must know exactly how far an exchange came.

Libraries hide what is counted here: whether a connection ended before or after the first byte of
an answer, and whether a request was sent a second time.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field

HEAD_END = b"\r\n\r\n"


class ConnectionLost(Exception):
    """The peer ended the connection before the answer was complete; `received` of it had come."""

    def __init__(self, detail: str, received: bytes = b"") -> None:
        super().__init__(detail)
        self.received = received

    @property
    def answer_began(self) -> bool:
        return bool(self.received)


class MalformedAnswer(Exception):
    """What came is not an HTTP/1.1 answer."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to connect, and as whom to know the server (SNI, certificate name, Host)."""

    address: str
    port: int
    name: str
    tls: ssl.SSLContext


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer; `keep_alive` says whether the connection may be used again."""

    status: int
    body: bytes
    keep_alive: bool


@dataclass(slots=True)
class _Head:
    status: int
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def keep_alive(self) -> bool:
        return self.headers.get("connection", "").lower() != "close"


class Connection(asyncio.Protocol):
    """A client's end. One exchange at a time; no pipelining."""

    def __init__(self) -> None:
        self.exchanges = 0
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._waiter: asyncio.Future[Answer] | None = None
        self._lost = False

    @classmethod
    async def open(cls, endpoint: Endpoint) -> Connection:
        """Connect and verify the server's certificate; raises OSError (ssl.SSLError is one)."""
        made = await asyncio.get_running_loop().create_connection(
            cls,
            endpoint.address,
            endpoint.port,
            ssl=endpoint.tls,
            server_hostname=endpoint.name,
        )
        return made[1]

    @property
    def usable(self) -> bool:
        """False once the peer's close has been seen: nothing should be sent any more."""
        return self._transport is not None and not self._lost and not self._transport.is_closing()

    async def exchange(self, request: bytes) -> Answer:
        """Send a request and wait for its answer."""
        if self._transport is None or self._lost:
            raise ConnectionLost("closed by the server")
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            answer = await self._waiter
        finally:
            self._waiter = None
        self.exchanges += 1
        return answer

    def abort(self) -> None:
        """Drop the connection without ceremony; a half-read answer makes it useless."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._waiter is None:
            # Bytes that nobody asked for belong to no request: never use this connection again.
            self.abort()
            return
        self._settle(ended=False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        if self._waiter is None or self._waiter.done():
            return
        if exc is None:
            self._settle(ended=True)
        if not self._waiter.done():
            detail = str(exc) or type(exc).__name__ if exc else "closed by the server"
            self._waiter.set_exception(ConnectionLost(detail, bytes(self._buffer)))

    def _settle(self, *, ended: bool) -> None:
        """Hand over the answer if the buffer holds all of it."""
        if self._waiter is None or self._waiter.done():
            return
        try:
            answer, size = parse(bytes(self._buffer), ended=ended)
        except MalformedAnswer as error:
            self._waiter.set_exception(error)
            self.abort()
            return
        if answer is None:
            return
        del self._buffer[:size]
        if self._buffer:
            self._waiter.set_exception(MalformedAnswer("bytes after the end of the answer"))
            self.abort()
            return
        self._waiter.set_result(answer)


def parse(data: bytes, *, ended: bool) -> tuple[Answer | None, int]:
    """Read one answer and its size from `data`; None while it is incomplete.

    `ended` says that no more will come, which is what ends a body without a length
    (RFC 9112, section 6.3).
    """
    start = 0
    while True:
        end = data.find(HEAD_END, start)
        if end < 0:
            return None, 0
        head = _parse_head(data[start:end])
        start = end + len(HEAD_END)
        # An interim answer such as 103 only announces the real one.
        if head.status >= 200:
            break
    if head.headers.get("transfer-encoding", "").lower() == "chunked":
        body, size = _parse_chunks(data, start)
        if body is None:
            return None, 0
        return Answer(head.status, body, head.keep_alive), size
    if head.status in (204, 304):
        return Answer(head.status, b"", head.keep_alive), start
    if "content-length" in head.headers:
        length = _number(head.headers["content-length"], 10)
        if len(data) < start + length:
            return None, 0
        return Answer(head.status, data[start : start + length], head.keep_alive), start + length
    if not ended:
        return None, 0
    return Answer(head.status, data[start:], keep_alive=False), len(data)


def _parse_head(data: bytes) -> _Head:
    first, *lines = data.decode("latin-1").split("\r\n")
    protocol, rest = first.partition(" ")[::2]
    if protocol not in ("HTTP/1.1", "HTTP/1.0"):
        raise MalformedAnswer(f"not a status line: {first[:60]!r}")
    head = _Head(_number(rest[:3], 10))
    if protocol == "HTTP/1.0":
        head.headers["connection"] = "close"
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise MalformedAnswer(f"not a header: {line[:60]!r}")
        head.headers[name.lower()] = value.strip()
    return head


def _parse_chunks(data: bytes, start: int) -> tuple[bytes | None, int]:
    body = bytearray()
    while True:
        end = data.find(b"\r\n", start)
        if end < 0:
            return None, 0
        length = _number(data[start:end].split(b";")[0].decode("latin-1").strip(), 16)
        start = end + 2
        if length == 0:
            break
        if len(data) < start + length + 2:
            return None, 0
        if data[start + length : start + length + 2] != b"\r\n":
            raise MalformedAnswer("a chunk is longer than announced")
        body += data[start : start + length]
        start += length + 2
    # Trailers end with an empty line, as a head does.
    end = data.find(HEAD_END, start - 2)
    return (bytes(body), end + len(HEAD_END)) if end >= 0 else (None, 0)


def _number(text: str, base: int) -> int:
    try:
        number = int(text, base)
    except ValueError:
        raise MalformedAnswer(f"not a number: {text[:20]!r}") from None
    if number < 0:
        raise MalformedAnswer(f"negative: {text[:20]!r}")
    return number
