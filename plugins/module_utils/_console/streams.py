# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command per host and reads what all of them write, line by line."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

LONGEST_LINE = 1 << 20  # bytes
INTERVAL = 0.1  # seconds
PATIENCE = 3.0  # seconds for a command to end by itself


@dataclass
class Stream:
    host: str
    process: subprocess.Popen[bytes]
    rest: bytes = b""
    errors: bytes = b""
    reads: list[int] = field(default_factory=list)


class Streams:
    """``commands``: per host the arguments, and what is written to the standard input first.

    That stays open: what runs on the host ends when it is closed, and it is closed when this program ends,
    however that ends. Signals of the terminal do not reach the commands.
    """

    def __init__(self, commands: Mapping[str, tuple[Sequence[bytes], bytes]]) -> None:
        self.selector = selectors.DefaultSelector()
        self.streams: list[Stream] = []
        self.ended: dict[
            str, tuple[int, str]
        ] = {}  # exit code and what was written to standard error
        for host, (command, given) in commands.items():
            # there is no module whose run_command could do it
            process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            stream = Stream(host, process)
            self.streams.append(stream)
            for pipe in (process.stdout, process.stderr):
                if pipe:
                    os.set_blocking(pipe.fileno(), False)
                    stream.reads.append(pipe.fileno())
                    self.selector.register(pipe.fileno(), selectors.EVENT_READ, stream)
            if process.stdin and given:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.write(given)
                    process.stdin.flush()

    def lines(self) -> Iterator[tuple[str, str] | None]:
        """Host and line; None at least every INTERVAL seconds. Ends when all commands have."""
        while self.streams:
            yield from self.poll(INTERVAL)
            yield None

    def poll(self, seconds: float) -> list[tuple[str, str]]:
        """What has come within so many seconds, at most until the first of it."""
        found = [
            line
            for key, _events in self.selector.select(seconds)
            for line in self._read(key.fd, key.data)
        ]
        self._reap()
        return found

    def _read(self, handle: int, stream: Stream) -> Iterator[tuple[str, str]]:
        try:
            data = os.read(handle, 1 << 16)
        except BlockingIOError:
            return
        if not data:
            self.selector.unregister(handle)
            stream.reads.remove(handle)
        elif stream.process.stderr and handle == stream.process.stderr.fileno():
            stream.errors = (stream.errors + data)[-4096:]
        else:
            *lines, rest = (stream.rest + data).split(b"\n")
            stream.rest = rest[-LONGEST_LINE:]
            for line in lines:
                yield stream.host, line.decode("utf-8", "replace")

    def _reap(self) -> None:
        for stream in list(self.streams):
            # the master of a shared connection may keep standard error open for as long as it lives
            output = stream.process.stdout
            if stream.process.poll() is None or (output and output.fileno() in stream.reads):
                continue
            self._forget(stream)

    def _forget(self, stream: Stream) -> None:
        for handle in stream.reads:
            with contextlib.suppress(KeyError, ValueError):
                self.selector.unregister(handle)
        self.streams.remove(stream)
        code, errors = stream.process.returncode, stream.errors.decode("utf-8", "replace").strip()
        self.ended[stream.host] = (code, errors)

    def stop(self, patience: float = PATIENCE) -> None:
        """Let every command end within so many seconds, then make it."""
        for stream in self.streams:
            if stream.process.stdin:
                with contextlib.suppress(OSError):
                    stream.process.stdin.close()
        until = time.monotonic() + patience
        for stream in self.streams:
            try:
                stream.process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                stream.process.kill()
                stream.process.wait()
