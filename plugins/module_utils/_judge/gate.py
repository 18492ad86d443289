# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command or a URL outside of this collection says about a release that serves."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import signal
import subprocess
import threading
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, cast
from urllib.request import Request

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._http.api import Api

GOOD, BAD, FAILED = "good", "bad", "failed"
LONGEST = 4096  # bytes of an answer that are kept
LONGEST_REASON = 200  # letters
# The exit code from which on a shell says that it cannot run a command (126, 127) or that a signal has ended it.
NO_ANSWER = 126
LAST_OUTPUT = 1.0  # seconds in which what a command has written is read after its end


@dataclass(frozen=True)
class Answer:
    """``failed``: the gate itself does not work, which says nothing about the release."""

    outcome: str  # good | bad | failed
    reason: str = ""


def ask(
    gate: str, environment: Mapping[str, str], timeout: float, directory: str | None = None
) -> Answer:
    """The answer of a URL, or of a command of the shell, within so many seconds.

    No reason contains the gate: a URL or a command line may hold a secret.
    """
    if re.match(r"https?://", gate, re.IGNORECASE):
        return ask_url(gate, timeout)
    return ask_command(gate, environment, timeout, directory)


def ask_command(
    command: str, environment: Mapping[str, str], timeout: float, directory: str | None
) -> Answer:
    try:
        # a session of its own, so that what it has started ends with it
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            ["/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **environment},
            cwd=directory,
            start_new_session=True,
        )
    except OSError as error:
        return Answer(FAILED, f"it cannot be started: {error.strerror}")
    output = bytearray()
    stdout = cast("IO[bytes]", process.stdout)
    reader = threading.Thread(target=keep_begin, args=(stdout, output), daemon=True)
    reader.start()
    try:
        code = process.wait(timeout)
    except subprocess.TimeoutExpired:
        return Answer(FAILED, f"it has not ended within {timeout:g} s")
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        # a process that made a session of its own can hold the pipe still
        reader.join(LAST_OUTPUT)
    if code == 0:
        return Answer(GOOD)
    if code < 0 or code >= NO_ANSWER:
        return Answer(FAILED, f"exit code {code}")
    return Answer(BAD, first_line(bytes(output)) or f"exit code {code}")


def keep_begin(stream: IO[bytes], kept: bytearray) -> None:
    """Read to the end, so that nobody waits for room in the pipe."""
    with stream:
        while data := os.read(stream.fileno(), 1 << 16):
            kept += data[: max(0, LONGEST - len(kept))]


def ask_url(url: str, timeout: float) -> Answer:
    try:
        request = request_for(url)
        response = Api(request.full_url).exchange_begin("ask", request, timeout, LONGEST)
    except DeployError as error:
        reason = getattr(error.__cause__, "reason", error.__cause__)
        return Answer(FAILED, f"no answer: {type(reason).__name__}")
    except ValueError as error:  # of what is no URL
        return Answer(FAILED, f"no answer: {type(error).__name__}")
    if 200 <= response.status < 300:
        return Answer(GOOD)
    if response.status < 400:
        return Answer(FAILED, f"it redirects: status {response.status}")
    return Answer(BAD, first_line(response.body) or f"status {response.status}")


def request_for(url: str) -> Request:
    """A GET, with the user and the password of the URL as a header. Raises ValueError."""
    parts = urllib.parse.urlsplit(url)
    user, at, server = parts.netloc.rpartition("@")
    headers = {"User-Agent": "twelvefactor.deploy"}
    if at:
        pair = user if ":" in user else f"{user}:"
        encoded = base64.b64encode(urllib.parse.unquote_to_bytes(pair)).decode()
        headers["Authorization"] = f"Basic {encoded}"
    return Request(urllib.parse.urlunsplit(parts._replace(netloc=server)), headers=headers)


def first_line(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines() or [""]
    text = "".join(letter if letter.isprintable() else "?" for letter in lines[0].strip())
    return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 3] + "..."
