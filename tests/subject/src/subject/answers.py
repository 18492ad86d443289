# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is answered, whichever protocol the app server speaks."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

SLOW_SECONDS = 2.5
STREAM_LINES = 60
STREAM_INTERVAL_SECONDS = 0.5


def _identity() -> dict[str, str]:
    """Who answers. `process` is the same for every answer of one start of one release."""
    release = os.environ.get("RELEASE_ID", "none")
    server = os.environ.get("SUBJECT_SERVER", "")
    # The pivot gives every generation a socket of its own: web-1.7.sock
    generation = Path(os.environ.get("SOCKET", "none")).stem
    return {
        "version": version("subject"),
        "release": release,
        "process": f"{release} {generation}",
        "server": f"{server} {version(server)}" if server else "unknown",
        "python": platform.python_version(),
        "greeting": os.environ.get("SUBJECT_GREETING", ""),
    }


# Read once: the files behind the metadata belong to a release that may be pruned one day.
IDENTITY = _identity()


def answer(method: str, path: str, body: bytes) -> tuple[int, bytes]:
    """Status and JSON for everything that is answered at once; `/slow` after its wait."""
    content: dict[str, Any]
    match method, path:
        case "GET", "/" | "/healthz" | "/slow":
            status, content = 200, dict(IDENTITY)
        case "POST", "/echo":
            digest = sha256(body).hexdigest()
            status, content = 200, IDENTITY | {"bytes": len(body), "sha256": digest}
        case _:
            status, content = 404, IDENTITY | {"error": f"nothing at {method} {path}"}
    return status, json.dumps(content).encode() + b"\n"


def stream() -> Iterator[bytes]:
    """The lines of `/stream`, to be sent one every STREAM_INTERVAL_SECONDS; the last says so."""
    for number in range(1, STREAM_LINES + 1):
        yield f"{number}/{STREAM_LINES} {IDENTITY['process']}\n".encode()
    yield b"end\n"


def headers(kind: str, length: int | None) -> list[tuple[str, str]]:
    if length is not None:
        return [("Content-Type", kind), ("Content-Length", str(length))]
    # nginx would otherwise collect the lines of a stream and send them in one piece.
    return [("Content-Type", kind), ("X-Accel-Buffering", "no")]
