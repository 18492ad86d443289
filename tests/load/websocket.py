# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client's end of a WebSocket (RFC 6455), as far as short texts need it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
from dataclasses import dataclass

from .http_connection import HEAD_END, ConnectionLost, Endpoint, MalformedAnswer

# Section 1.3: what proves that the answer is one to a WebSocket's request.
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, CLOSE, PING, PONG = 0x0, 0x1, 0x8, 0x9, 0xA
LARGEST_FRAME = 1 << 20
NORMAL_CLOSURE = 1000
CLOSE_SECONDS = 5.0


class Refused(Exception):
    """The server answered, but did not switch to a WebSocket."""


class ClosedByPeer(ConnectionLost):
    """The server ended the session, politely (with a code) or not."""


@dataclass(frozen=True, slots=True)
class Frame:
    opcode: int
    payload: bytes


def encode(frame: Frame, mask: bytes) -> bytes:
    """A whole message in one frame; clients mask what they send (section 5.3)."""
    length = len(frame.payload)
    if length < 126:
        size = bytes([0x80 | length])
    elif length < 1 << 16:
        size = bytes([0x80 | 126]) + length.to_bytes(2)
    else:
        size = bytes([0x80 | 127]) + length.to_bytes(8)
    masked = bytes(byte ^ mask[number % 4] for number, byte in enumerate(frame.payload))
    return bytes([0x80 | frame.opcode]) + size + mask + masked


def accept(key: str) -> str:
    """What a server answers to a key (section 4.2.2)."""
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()


class WebSocket:
    """One session. Pings are answered whenever something is awaited."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, endpoint: Endpoint, path: str) -> WebSocket:
        """Connect and switch; raises OSError, Refused, ConnectionLost or MalformedAnswer."""
        reader, writer = await asyncio.open_connection(
            endpoint.address, endpoint.port, ssl=endpoint.tls, server_hostname=endpoint.name
        )
        session = cls(reader, writer)
        try:
            await session._switch(endpoint.name, path)
        except BaseException:
            session.abort()
            raise
        return session

    async def _switch(self, host: str, path: str) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            *(f"GET {path} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade"),
            *(f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"),
        ]
        self._writer.write("\r\n".join([*lines, "", ""]).encode())
        try:
            head = (await self._reader.readuntil(HEAD_END)).decode("latin-1")
        except asyncio.IncompleteReadError as error:
            raise ConnectionLost("closed by the server", error.partial) from None
        except asyncio.LimitOverrunError:
            raise MalformedAnswer("the head has no end") from None
        first, *rest = head.split("\r\n")
        if first.split(" ")[1:2] != ["101"]:
            raise Refused(first[:60])
        headers = {name.lower(): value.strip() for name, _colon, value in map(_header, rest)}
        if headers.get("sec-websocket-accept") != accept(key):
            raise MalformedAnswer("not the answer to this WebSocket's key")

    async def send(self, text: str) -> None:
        self._writer.write(encode(Frame(TEXT, text.encode()), os.urandom(4)))
        try:
            await self._writer.drain()
        except OSError as error:
            raise ClosedByPeer(str(error) or type(error).__name__) from None

    async def receive(self) -> str:
        """The next text; raises ClosedByPeer when there is none to come."""
        text = b""
        while True:
            final, frame = await self._read()
            if frame.opcode in (TEXT, CONTINUATION):
                text += frame.payload
                if final:
                    return text.decode()
            elif frame.opcode == CLOSE:
                code = int.from_bytes(frame.payload[:2]) if frame.payload else "none"
                raise ClosedByPeer(f"closed by the server with the code {code}")
            elif frame.opcode == PING:
                self._writer.write(encode(Frame(PONG, frame.payload), os.urandom(4)))
            elif frame.opcode != PONG:
                raise MalformedAnswer(f"a frame of the kind {frame.opcode}")

    async def _read(self) -> tuple[bool, Frame]:
        try:
            first, second = await self._reader.readexactly(2)
            length = second & 0x7F
            if length >= 126:
                length = int.from_bytes(await self._reader.readexactly(2 if length == 126 else 8))
            if second & 0x80 or length > LARGEST_FRAME:
                raise MalformedAnswer("a masked or enormous frame")
            payload = await self._reader.readexactly(length)
        except asyncio.IncompleteReadError:
            raise ClosedByPeer("closed by the server without a word") from None
        except OSError as error:
            raise ClosedByPeer(str(error) or type(error).__name__) from None
        return bool(first & 0x80), Frame(first & 0x0F, payload)

    async def close(self) -> None:
        """Say goodbye and wait for the server's, but not long."""
        farewell = Frame(CLOSE, NORMAL_CLOSURE.to_bytes(2))
        self._writer.write(encode(farewell, os.urandom(4)))
        with contextlib.suppress(ConnectionLost, MalformedAnswer, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                while True:
                    await self.receive()
        self.abort()

    def abort(self) -> None:
        self._writer.transport.abort()


def _header(line: str) -> tuple[str, str, str]:
    return line.partition(":")
