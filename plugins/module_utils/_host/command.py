# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one program to its end, with a deadline, maybe as another user."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pathlib
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, cast

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError

BASE = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}

PR_SET_PDEATHSIG = 1  # linux/prctl.h
KEPT = 1 << 18  # bytes of output, its last ones, that are kept for a message
ANSWER = 1 << 20  # bytes; more than any program writes that is asked a question
BLOCK = 1 << 16


@dataclass(frozen=True)
class Identity:
    """Whom a program runs as; whoever is not root already cannot become anybody else."""

    uid: int
    gid: int


def run(
    command: Sequence[str],
    what: str,
    timeout: float,
    identity: Identity | None = None,
    environment: Mapping[str, str] | None = None,
    directory: pathlib.Path | None = None,
    remedy: str = "",
    umask: int = 0o027,
    whole: int | None = None,
) -> tuple[int, str]:
    """Exit code and output (stdout and stderr together) of a program.

    Of the output the last KEPT bytes are kept: a program that writes without end must not fill the
    host's memory. Who needs all of it says by ``whole`` how many bytes that may be; a program that
    writes more is ended, and that is an error.

    ``what`` completes "Could not …". Raises DeployError when the program cannot be run, which
    ``remedy`` may explain, or has not ended after ``timeout`` seconds. Then the programs that it
    started in turn are ended too. Nor does it outlive a caller that is killed: whoever comes next
    would find it still writing.
    """
    process = _start(command, what, identity, environment, directory, remedy, umask)
    output = _Output(KEPT if whole is None else whole)
    with process:
        try:
            _read(process, output, time.monotonic() + timeout, whole is not None)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise DeployError(
                    f"Could not {what}: {command[0]} had not ended after {timeout:g} s."
                ) from None
            if isinstance(error, _TooMuch):
                raise DeployError(
                    f"Could not {what}: {command[0]} wrote more than {whole} bytes; it was ended."
                ) from None
            raise
    return process.returncode, output.text()


def _start(
    command: Sequence[str],
    what: str,
    identity: Identity | None,
    environment: Mapping[str, str] | None,
    directory: pathlib.Path | None,
    remedy: str,
    umask: int,
) -> subprocess.Popen[bytes]:
    switch = identity if os.geteuid() == 0 else None
    # looked up here: little is allowed between fork and exec
    prctl = ctypes.CDLL(None).prctl

    def die_with_parent() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    try:
        return subprocess.Popen(  # pylint: disable=ansible-bad-function
            command,
            env=BASE | dict(environment or {}),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=umask,
            preexec_fn=die_with_parent,  # noqa: PLW1509  # it makes one system call
            user=switch.uid if switch else None,
            group=switch.gid if switch else None,
            extra_groups=[] if switch else None,
        )
    except FileNotFoundError as error:
        hint = f"; {remedy}" if remedy else ""
        raise DeployError(
            f"Could not {what}: {error.filename} is missing on this host{hint}."
        ) from None
    except OSError as error:
        raise DeployError(f"Could not {what}: {command[0]}: {error.strerror}.") from None


class _TooMuch(Exception):
    """More output than there may be."""


class _Output:
    """The last bytes of what a program wrote."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.left_out = 0
        self._held = 0
        self._blocks: deque[bytes] = deque()

    def add(self, block: bytes) -> None:
        self._blocks.append(block)
        self._held += len(block)
        while self._held > self.size:
            surplus = self._held - self.size
            first = self._blocks.popleft()
            cut = min(surplus, len(first))
            if cut < len(first):
                self._blocks.appendleft(first[cut:])
            self._held -= cut
            self.left_out += cut

    def text(self) -> str:
        """With the line ends of a text file, and a line for what is missing at its beginning."""
        text = b"".join(self._blocks).decode("utf-8", "replace")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        missing = f"… ({self.left_out} bytes before this are left out)\n" if self.left_out else ""
        return missing + text


def _read(process: subprocess.Popen[bytes], output: _Output, deadline: float, whole: bool) -> None:
    """Read until nobody can write any more, then wait for the end."""
    handle = cast(IO[bytes], process.stdout).fileno()  # a pipe, which run() asked for
    with selectors.DefaultSelector() as selector:
        selector.register(handle, selectors.EVENT_READ)
        while True:
            if time.monotonic() > deadline or not selector.select(deadline - time.monotonic()):
                raise subprocess.TimeoutExpired(process.args, 0)
            block = os.read(handle, BLOCK)
            if not block:
                break
            output.add(block)
            if whole and output.left_out:
                raise _TooMuch
    process.wait(max(0.0, deadline - time.monotonic()))
