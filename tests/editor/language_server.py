# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an editor shows of an inventory: a client of yaml-language-server.

https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/
"""

from __future__ import annotations

import json
import os
import pathlib
import selectors
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

BUILD = pathlib.Path(__file__).resolve().parents[2] / "build" / "editor"
NAME = "yaml-language-server"
COMMAND = [str(BUILD / "bin/node"), str(BUILD / "node_modules/.bin" / NAME), "--stdio"]
PATIENCE = 120.0  # seconds for one answer; it takes a fraction of one


class Mark(NamedTuple):
    """What an editor underlines, and its message. Lines count from 0."""

    line: int
    message: str


class LanguageServer:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin
        assert process.stdout
        self._writer = process.stdin
        self._reader = process.stdout
        self._buffer = b""
        self._number = 0
        self._selector = selectors.DefaultSelector()
        self._selector.register(process.stdout, selectors.EVENT_READ)

    def marks(self, path: pathlib.Path) -> list[Mark]:
        """What it finds in a file, as soon as it says so."""
        uri = path.as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": path.read_text("utf-8")}
        self.notify("textDocument/didOpen", textDocument=document)
        while True:
            message = self._next()
            if message.get("method") == "textDocument/publishDiagnostics":
                told = message["params"]
                if told["uri"] == uri:
                    return [
                        Mark(each["range"]["start"]["line"], each["message"])
                        for each in told["diagnostics"]
                    ]
            self._answer(message)

    def request(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        self._send({"id": self._number, "method": method, "params": parameters})
        while True:
            message = self._next()
            if message.get("id") == self._number and "method" not in message:
                return message["result"]
            self._answer(message)

    def notify(self, method: str, **parameters: Any) -> None:
        self._send({"method": method, "params": parameters})

    def _answer(self, message: dict[str, Any]) -> None:
        """The server asks for settings, and waits for them."""
        if "method" in message and "id" in message:
            items = message.get("params", {}).get("items", [])
            self._send({"id": message["id"], "result": [None for _each in items]})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0"} | message).encode()
        self._writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._writer.flush()

    def _next(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while True:
            head, blank, rest = self._buffer.partition(b"\r\n\r\n")
            size = (
                int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]) if blank else 0
            )
            if blank and len(rest) >= size:
                self._buffer = rest[size:]
                message: dict[str, Any] = json.loads(rest[:size])
                return message
            if not self._selector.select(deadline - time.monotonic()):
                raise TimeoutError(f"no word from {NAME} for {PATIENCE:g} s")
            if not (data := os.read(self._reader.fileno(), 1 << 16)):
                raise EOFError(f"{NAME} has ended")
            self._buffer += data


@contextmanager
def language_server(place: pathlib.Path) -> Iterator[LanguageServer]:
    """It takes its schemas from the modelines of the files alone, and asks nobody on the internet."""
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            server = LanguageServer(process)
            folder = {"uri": place.as_uri(), "name": "inventory"}
            server.request(
                "initialize",
                processId=os.getpid(),
                rootUri=place.as_uri(),
                capabilities={"textDocument": {"hover": {"contentFormat": ["plaintext"]}}},
                workspaceFolders=[folder],
            )
            server.notify("initialized")
            settings = {"validate": True, "hover": True, "schemaStore": {"enable": False}}
            server.notify("workspace/didChangeConfiguration", settings={"yaml": settings})
            yield server
        finally:
            process.kill()
