# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drain: the wait for the connections that a process still has."""

from __future__ import annotations

import math
import os
import pathlib
import time
from collections.abc import Callable

from .contract import GRACEFUL_TIMEOUT
from .gate import probe
from .generation import Generation
from .instance import Instance
from .kernel import connections, sockets_below

DRAIN_INTERVAL = 0.05  # seconds between two looks at the old socket
DRAIN_QUIET = 0.2  # seconds without a connection until the old socket counts as drained
STOP_RESERVE = (
    10.0  # seconds of what the supervisor gives a pivot that are for neither drain nor stop
)
QUEUE_PATIENCE = 1.0  # seconds with connections that wait, and none else, until that is looked into
CLOSE_PATIENCE = 5.0  # seconds at most for requests under way in a process that is about to end
TABLE = pathlib.Path("/proc/net/unix")


def close(instance: Instance) -> None:
    """Let nobody connect any more, and the process answer what it has, before it is told to end.

    Who is refused has sent nothing yet: a proxy asks another host then, whatever the request. What a server has
    in its queue when it ends was sent, and is broken off; and some, as waitress, do not catch TERM, so that it
    ends their requests under way. Where another process serves meanwhile there is time, as in a move.
    """
    serving = instance.serving
    served = instance.give_up_link()
    if serving is not None:
        most = GRACEFUL_TIMEOUT - serving.spec["stop_timeout"] - STOP_RESERVE
        Drain(instance, serving).wait(lambda: False, most if served else CLOSE_PATIENCE)


class Drain:
    """Waits for the connections of ``old`` to end, while ``new`` serves, or a process of another pivot."""

    def __init__(self, instance: Instance, old: Generation, new: Generation | None = None) -> None:
        self._loop = instance.loop
        self._old = old
        self._new = new
        self._accepts = False  # it has taken what came before the switch
        self._unanswered = 0  # connections of ours, which wait with the others
        self._last_busy = time.monotonic()  # when it had accepted connections, or was asked

    def wait(self, over: Callable[[], bool], longest: float = math.inf) -> int:
        """How many of them the timeout cut off, ``longest``, or that ``over`` holds."""
        old, new = self._old, self._new
        if not old.socket:
            return 0
        quiet_since = math.inf

        def drained() -> bool:
            # A connect that was under way during the rename may show up a moment later. A machine that is
            # busy may let a long time pass between two looks: so from the first that found none, not the last
            # that found some.
            nonlocal quiet_since
            left = self._left(str(old.socket))
            now = time.monotonic()
            quiet_since = math.inf if left else min(quiet_since, now)
            ended = old.status is not None or (new is not None and new.status is not None)
            return now - quiet_since >= DRAIN_QUIET or ended or over()

        self._loop.until(drained, min(old.spec["drain_timeout"], longest), DRAIN_INTERVAL)
        return self._left(str(old.socket)) if old.status is None else 0

    def _left(self, path: str) -> int:
        """How many there seem to be; what cannot be known gets the whole drain timeout."""
        try:
            table = TABLE.read_text("latin-1")
        except OSError:
            return 1
        found = connections(table, path)
        accepted = found.accepted
        # after the table: what was accepted meanwhile was in the queue there
        held = sockets_below(os.getpid()) if accepted or found.waiting else None
        if held is not None and found.listeners & held:
            accepted &= held
        elif not (found.listeners or accepted or found.waiting):
            return 1  # nothing listens under that name: connections would not have it either
        if accepted or not found.waiting:
            self._last_busy = time.monotonic()
            return len(accepted)
        if self._accepts:
            return 0
        if time.monotonic() - self._last_busy >= QUEUE_PATIENCE:
            self._look_into_queue()
        return max(1, found.waiting - self._unanswered)

    def _look_into_queue(self) -> None:
        """Lines of the table without an inode are anybody's; but who answers has taken what came before."""
        _good, answer = probe(self._old, self._loop, time.monotonic() + QUEUE_PATIENCE)
        self._accepts = answer.startswith("HTTP/")
        self._unanswered += not self._accepts
        self._last_busy = time.monotonic()
