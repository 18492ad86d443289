# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An app that answers what it was asked, as JSON.

Its arguments are where it listens, a path or address:port each; the answer says which one was asked.
"""

from __future__ import annotations

import itertools
import json
import os
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

NUMBERS = itertools.count(1)
NEXT = threading.Semaphore(0)


class Backend(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # How long a kept connection may be idle.
    timeout = 30

    def answer(self) -> None:
        if self.headers.get("Upgrade") == "websocket":
            self.upgrade()
        elif self.path.startswith("/events"):
            self.stream({"Content-Type": "text/event-stream"})
        elif self.path.startswith("/stream"):
            self.stream({"X-Accel-Buffering": "no"})
        else:
            self.echo()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

    def echo(self) -> None:
        body = self.body()
        if self.path.startswith("/stuck"):
            print(self.path, flush=True)
            time.sleep(600)
        if self.path == "/next":
            NEXT.release()
        if self.path.startswith("/slow"):
            time.sleep(1.5)
        headers = {name.lower(): value for name, value in self.headers.items()}
        said = {
            "method": self.command,
            "path": self.path,
            "headers": headers,
            "size": len(body),
            "server": self.server.name,
            # Another answer every time: one that comes again was kept.
            "number": next(NUMBERS),
        }
        content = json.dumps(said).encode()
        self.send_response(self.status())
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if self.path == "/framed":
            self.send_header("X-Frame-Options", "DENY")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def status(self) -> int:
        """`/busy` is answered by 503, `/sick?502@SERVER` by 502 there and `/sick?502` everywhere."""
        if self.path.startswith("/busy"):
            return 503
        path, _question, query = self.path.partition("?")
        status, _at, server = query.partition("@")
        return int(status) if path == "/sick" and server in ("", self.server.name) else 200

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def upgrade(self) -> None:
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "upgrade")
        self.end_headers()
        self.wfile.write(b"frames")
        self.close_connection = True

    def stream(self, headers: dict[str, str]) -> None:
        """Send each part but the first when it was asked for: by who has got the one before."""
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        for number in range(3):
            if number and not NEXT.acquire(timeout=60):
                break
            self.wfile.write(f"data: {number}\n\n".encode())
        self.close_connection = True

    def address_string(self) -> str:
        return "client"

    def log_message(self, format: str, *args: object) -> None:
        return


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 256


class TcpServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256


def listen(name: str) -> UnixServer | TcpServer:
    if name.startswith("/"):
        Path(name).unlink(missing_ok=True)
        server: UnixServer | TcpServer = UnixServer(name, Backend)
        os.chmod(name, 0o666)
    else:
        host, _colon, port = name.rpartition(":")
        server = TcpServer((host, int(port)), Backend)
    server.name = name
    return server


if __name__ == "__main__":
    servers = [listen(name) for name in sys.argv[1:]]
    threads = [threading.Thread(target=server.serve_forever) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
