# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The app as ASGI 3, with a WebSocket that says who it is and then echoes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from . import answers

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def application(scope: Message, receive: Receive, send: Send) -> None:
    match scope["type"]:
        case "lifespan":
            await _lifespan(receive, send)
        case "http":
            await _http(scope, receive, send)
        case "websocket":
            await _websocket(receive, send)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


async def _http(scope: Message, receive: Receive, send: Send) -> None:
    method, path, body = scope["method"], scope["path"], b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    if (method, path) == ("GET", "/stream"):
        await _start(send, 200, answers.headers("text/plain", None))
        for line in answers.stream():
            await send({"type": "http.response.body", "body": line, "more_body": True})
            await asyncio.sleep(answers.STREAM_INTERVAL_SECONDS)
        await send({"type": "http.response.body", "body": b""})
        return
    if path == "/slow":
        await asyncio.sleep(answers.SLOW_SECONDS)
    status, content = answers.answer(method, path, body)
    await _start(send, status, answers.headers("application/json", len(content)))
    await send({"type": "http.response.body", "body": content})


async def _start(send: Send, status: int, headers: list[tuple[str, str]]) -> None:
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": encoded})


async def _websocket(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": json.dumps(answers.IDENTITY)})
    while (message := await receive())["type"] == "websocket.receive":
        text = message.get("text")
        if text is not None:
            await send({"type": "websocket.send", "text": text})
