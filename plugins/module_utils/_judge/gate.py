# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command or a URL outside of this collection says about a release that serves."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

GOOD, BAD, FAILED = "good", "bad", "failed"
LONGEST = 4096  # bytes of an answer that are read
LONGEST_REASON = 200  # letters
NOT_FOUND = (126, 127)  # how a shell says that it cannot run a command
FROM_SIGNAL = 128  # above: that a signal ended it


@dataclass(frozen=True)
class Answer:
    """``failed``: the gate itself does not work, which says nothing about the release."""

    outcome: str  # good | bad | failed
    reason: str = ""


def ask(gate: str, environment: Mapping[str, str], timeout: float) -> Answer:
    """The answer of a URL, or of a command of the shell, within so many seconds.

    No reason contains the gate: a URL or a command line may hold a secret.
    """
    if re.match(r"https?://", gate, re.IGNORECASE):
        return ask_url(gate, timeout)
    return ask_command(gate, environment, timeout)


def ask_command(command: str, environment: Mapping[str, str], timeout: float) -> Answer:
    with tempfile.TemporaryFile() as output:
        # a session of its own, so that what it has started ends with it
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            return Answer(FAILED, f"it has not ended within {timeout:g} s")
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(0)
        said = first_line(output.read(LONGEST))
    if code == 0:
        return Answer(GOOD)
    if code < 0 or code in NOT_FOUND or code > FROM_SIGNAL:
        return Answer(FAILED, f"exit code {code}")
    return Answer(BAD, said or f"exit code {code}")


def ask_url(url: str, timeout: float) -> Answer:
    try:
        request = Request(url, headers={"User-Agent": "twelvefactor.deploy"})
        with urlopen(request, timeout=timeout):
            return Answer(GOOD)
    except HTTPError as error:
        with contextlib.suppress(OSError, HTTPException):
            said = first_line(error.read(LONGEST))
            return Answer(BAD, said or f"status {error.code}")
        return Answer(BAD, f"status {error.code}")
    except URLError as error:
        return Answer(FAILED, f"no answer: {type(error.reason).__name__}")
    except (OSError, HTTPException, ValueError) as error:
        return Answer(FAILED, f"no answer: {type(error).__name__}")


def first_line(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines() or [""]
    text = "".join(letter if letter.isprintable() else "?" for letter in lines[0].strip())
    return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 3] + "..."
