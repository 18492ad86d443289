# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An app that answers /<status>/... with that status, ?release=ID as that release, ?sleep=SECONDS late."""

from __future__ import annotations

import os
import socketserver
import sys
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler


class Backend(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        asked = urllib.parse.urlsplit(self.path)
        wanted = dict(urllib.parse.parse_qsl(asked.query))
        time.sleep(float(wanted.get("sleep", 0)))
        self.send_response(int(asked.path.split("/")[1]))
        if "release" in wanted:
            self.send_header("X-Release-Id", wanted["release"])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def address_string(self) -> str:
        return "client"

    def log_message(self, format: str, *args: object) -> None:
        return


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 256


if __name__ == "__main__":
    server = Server(sys.argv[1], Backend)
    os.chmod(sys.argv[1], 0o666)
    server.serve_forever()
