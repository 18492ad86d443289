# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The app that must not notice anything: it answers the counting client and numbers its log lines."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import time
from urllib.parse import parse_qs

numbers = itertools.count(1)  # one process, and its next() is atomic


def application(environ, start_response):
    number = next(numbers)
    path = environ["PATH_INFO"]
    answer = {"version": os.environ["RELEASE_ID"], "number": number}
    if path == "/echo":
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        answer["sha256"] = hashlib.sha256(body).hexdigest()
    elif path == "/slow":
        time.sleep(float(parse_qs(environ["QUERY_STRING"])["seconds"][0]))
    os.write(1, f"line {number}\n".encode())
    content = json.dumps(answer).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
    start_response("200 OK", headers)
    return [content]
