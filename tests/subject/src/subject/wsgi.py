# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The app as WSGI (PEP 3333)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from . import answers

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    if (method, path) == ("GET", "/stream"):
        start_response("200 OK", answers.headers("text/plain", None))
        return _paced(answers.stream())
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    if path == "/slow":
        time.sleep(answers.SLOW_SECONDS)
    status, content = answers.answer(method, path, body)
    reason = "200 OK" if status == 200 else "404 Not Found"
    start_response(reason, answers.headers("application/json", len(content)))
    return [content]


def _paced(lines: Iterator[bytes]) -> Iterator[bytes]:
    for line in lines:
        yield line
        time.sleep(answers.STREAM_INTERVAL_SECONDS)
