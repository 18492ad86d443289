# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting: the only place where time passes."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable

from .generation import Generation
from .output import Output

PROBE_INTERVAL = 0.05  # seconds between two looks at a starting or stopping process


class Terminated(BaseException):
    """TERM or INT arrived while something was under way; no ``except Exception`` may stop it."""


class Loop:
    """Copies output, reaps and heeds signals while somebody waits for something."""

    def __init__(self, output: Output, tell: Callable[[], None]) -> None:
        self.alive: list[Generation] = []  # every generation whose process was started
        self.hup = self.term = False
        self.hups = 0
        self.asked = 0.0  # when the last HUP came (monotonic)
        self.stopping = False  # TERM was heeded; another one changes nothing
        self._output = output
        self._tell = tell  # what is called when HUP has come: the app's other pivots are to know

    def listen_to_signals(self) -> None:
        self._wakeup, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_args: None)
        signal.signal(signal.SIGHUP, self._on_hup)
        signal.signal(signal.SIGTERM, self._on_term)
        signal.signal(signal.SIGINT, self._on_term)

    def _on_hup(self, *_args: object) -> None:
        self.hup = True
        self.hups += 1
        self.asked = time.monotonic()

    def _on_term(self, *_args: object) -> None:
        self.term = True

    def _heed_term(self) -> None:
        if self.term and not self.stopping:
            raise Terminated

    def wait(self, seconds: float | None = None, also: int | None = None) -> bool:
        """Copy output and reap until something happened, or ``seconds`` are over.

        ``also`` is one more descriptor to wait for. Raises Terminated when TERM has come, else
        says whether a child has ended. Never blocks where nobody takes the output: then it stays
        in the processes' pipes, but signals are still heeded.
        """
        self._heed_term()
        poll = select.poll()
        for descriptor in (self._wakeup, also):
            if descriptor is not None:
                poll.register(descriptor, select.POLLIN)
        if self._output.backlog:
            poll.register(self._output.sink, select.POLLOUT)
        for generation in self.alive:
            if generation.output >= 0 and not self._output.backlog:
                poll.register(generation.output, select.POLLIN)
        ready = {descriptor for descriptor, _event in poll.poll(seconds and seconds * 1000)}
        if self._wakeup in ready and signal.SIGHUP in os.read(self._wakeup, 4096):
            self._tell()
        if self._output.sink in ready:
            self._output.write()
        for generation in self.alive:
            if generation.output in ready:
                self._output.backlog += generation.read() or b""
        reaped = self._reap()
        self._heed_term()
        return reaped

    def _reap(self) -> bool:
        """Collect every child that ended; orphans of ours come here too (subreaper)."""
        reaped = False
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                reaped = True
                for generation in self.alive:
                    if generation.pid == ended[0]:
                        generation.status = ended[1]
                        self._output.backlog += generation.read_rest()
        return reaped

    def until(
        self, condition: Callable[[], bool], seconds: float, step: float | None = None
    ) -> bool:
        """Wait until ``condition`` holds; false when ``seconds`` were over first.

        It is looked at whenever a child ended, and every ``step`` seconds.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            now = time.monotonic()
            if now >= deadline:
                return False
            pause = min(deadline, now + step) if step else deadline
            while (left := pause - time.monotonic()) > 0 and not self.wait(left):
                pass
        return True
