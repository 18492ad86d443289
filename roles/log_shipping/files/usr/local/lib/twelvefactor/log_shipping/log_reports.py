# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the shipper says: lines in the journal, and its status to systemd."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time

REMIND = 600.0  # seconds after which a trouble that lasts is said again
PAUSE = 30.0  # seconds at least between two that are said of one thing


def say(level: int, text: str) -> None:
    """Into the journal, with syslog's level."""
    # a name of a file may hold a line of its own
    print(f"<{level}>{' '.join(text.splitlines())}", file=sys.stderr, flush=True)


def notify(text: str) -> None:
    """Tell systemd, as in sd_notify(3)."""
    if address := os.environ.get("NOTIFY_SOCKET"):
        address = "\0" + address[1:] if address.startswith("@") else address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            way.sendto(text.encode("utf-8", "backslashreplace"), address)


class Troubles:
    """What is wrong now, by what it is about."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, float, float]] = {}  # text, since when, said when

    def report(self, of: str, trouble: str) -> None:
        """Say what is wrong with something once, again after a while, and when it is over."""
        now = time.monotonic()
        before, since, said = self._known.pop(of, ("", now, -REMIND))
        if trouble:
            if now - said >= (REMIND if trouble == before else PAUSE):
                say(4, f"{trouble}; trying again, nothing is lost while the log files are there")
                said = now
            self._known[of] = trouble, since, said
        elif before:
            say(5, f"{of}: works again after {now - since:.0f} s")

    def texts(self) -> list[str]:
        return [trouble for trouble, *_times in self._known.values()]
