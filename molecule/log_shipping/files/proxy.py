# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reverse proxy in front of a receiver: TLS, an API key, and the fault that a file names.

``proxy.py CERTIFICATE KEY API_KEY FAULT_FILE``, on port 9243 of loopback, for one on port 9200.
Which fault a client met last is left in ``FAULT_FILE.met``.
"""

from __future__ import annotations

import http.client
import json
import pathlib
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CERTIFICATE, KEY, API_KEY, FAULT_FILE = sys.argv[1:]
BUSY = {"type": "es_rejected_execution_exception", "reason": "rejected by the test"}


class Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != f"ApiKey {API_KEY}":
            self.reply(401, b'{"error": {"type": "security_exception"}, "status": 401}')
            return
        fault = pathlib.Path(FAULT_FILE).read_text().strip()
        if not self.path.startswith("/_bulk") or (fault == "413" and len(body) <= 20_000):
            fault = "none"
        if fault in ("429", "503", "413"):
            self.reply(int(fault), b"the test says no")
        elif fault == "partial":
            self.reply(*self.some(body))
        else:
            status, answer = self.ask(body)
            if fault == "unanswered":  # taken, and nobody hears of it
                self.close_connection = True
            else:
                self.reply(status, answer)
        if fault != "none":
            pathlib.Path(f"{FAULT_FILE}.met").write_text(fault)

    def some(self, body: bytes) -> tuple[int, bytes]:
        """Two lines of three go on, the third is put off, each with its own answer."""
        lines = body.splitlines(keepends=True)
        pairs = list(zip(lines[::2], lines[1::2], strict=True))
        passed = [pair for number, pair in enumerate(pairs) if number % 3]
        items = []
        if passed:
            items = json.loads(self.ask(b"".join(a + b for a, b in passed))[1])["items"]
        for number in range(0, len(pairs), 3):
            items.insert(number, {"create": {"status": 429, "error": BUSY}})
        return 200, json.dumps({"errors": True, "items": items}).encode()

    def ask(self, body: bytes) -> tuple[int, bytes]:
        receiver = http.client.HTTPConnection("127.0.0.1", 9200, timeout=120)
        try:
            kind = self.headers.get("Content-Type", "application/json")
            receiver.request(self.command, self.path, body or None, {"Content-Type": kind})
            answer = receiver.getresponse()
            return answer.status, answer.read()
        except OSError:
            return 502, b"the receiver cannot be reached"
        finally:
            receiver.close()

    def reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return

    do_GET = do_POST = do_PUT = do_DELETE = pass_on


class Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        return  # who hangs up is the test's doing


if __name__ == "__main__":
    server = Server(("127.0.0.1", 9243), Proxy)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, KEY)
    # the handshake in the thread of the connection
    server.socket = context.wrap_socket(server.socket, True, do_handshake_on_connect=False)
    server.serve_forever()
