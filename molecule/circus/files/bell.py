# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An app: says its config to whoever asks on the socket that the environment names."""

import http.server
import os
import signal
import socketserver
import time


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = False
    request_queue_size = 128  # the default of 5 is full when the host is busy


class Answer(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/slow":
            time.sleep(1)
        self.do_GET()

    def do_GET(self):
        text = f"{os.environ['SOUND']} {os.environ['RELEASE_ID']}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def address_string(self):
        return "somebody"


def stop(*_arguments):
    raise SystemExit


signal.signal(signal.SIGTERM, stop)
with Server(os.environ["SOCKET"], Answer) as server:
    print("ready", flush=True)
    server.serve_forever()
