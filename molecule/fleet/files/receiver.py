# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Receives what deploys tell: appends it to a file, until DELETE. receiver.py PORT FILE

Beside a webhook's there are the paths of Graphite's events and of Sentry's releases.
"""

import http.server
import json
import sys
import threading


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with open(sys.argv[2], "a") as file:
            print(json.dumps({"outcome": None, **told, "path": self.path}), file=file)
        self.answer(201 if self.path.startswith("/api/") else 200, b"{}")

    def do_GET(self):
        self.answer(200, b"[]")  # nothing was deployed yet

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_DELETE(self):
        self.send_response(204)
        self.end_headers()
        threading.Thread(target=server.shutdown).start()


server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
server.serve_forever()
