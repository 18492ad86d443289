# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A webhook's receiver: appends what it is sent to a file, until DELETE. receiver.py PORT FILE"""

import http.server
import sys
import threading


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open(sys.argv[2], "ab") as file:
            file.write(body + b"\n")
        self.send_response(204)
        self.end_headers()

    def do_DELETE(self):
        self.send_response(204)
        self.end_headers()
        threading.Thread(target=server.shutdown).start()


server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
server.serve_forever()
