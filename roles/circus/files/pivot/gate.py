# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate: what a new generation has to get through before it serves."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections.abc import Callable

from . import port
from .generation import Generation
from .instance import Instance
from .loop import PROBE_INTERVAL, Loop
from .peers import OVERTAKEN, Peers
from .refusal import Overruled, Refused

PROBE_PAUSE = 0.5  # at most, where many follow each other: each is a line in the output
PROBE_TIMEOUT = 5.0  # seconds for one health check


class Gate:
    """Proof that ``new`` is well.

    While ``spare``, the old one, serves there is time to see that it goes on being well for
    ``ready_after`` and until the app's other processes are as far, at most their patience more; and
    reason to give up at once when ``current`` goes elsewhere meanwhile.
    """

    def __init__(
        self, instance: Instance, peers: Peers, new: Generation, spare: Generation | None
    ) -> None:
        self.new = new
        self._instance = instance
        self._peers = peers
        self._spare = spare
        self._healthy = 0  # good answers since the last bad one
        self._settled = 0.0  # when it will have been well for long enough (monotonic)

    def wait(self) -> None:
        """Return when ``new`` has proven itself, else raise Refused."""
        if self.new.socket:
            self._wait_for_answers()
        else:
            self._wait_for_its_time()
        if self.new.status is not None:
            raise Refused(f"ended with exit code {self.new.exit_code} while starting")
        if self.is_over():
            raise Overruled(OVERTAKEN)

    def _has_spare(self) -> bool:
        """Whether the old one serves still, so that nothing hurries."""
        return self._spare is not None and self._spare.status is None

    def is_over(self) -> bool:
        return self.new.status is not None or (self._has_spare() and self._peers.overtaken())

    def _is_ready(self) -> bool:
        enough: int = self.new.spec["health"]["count"]
        return self._healthy >= enough

    def _wait_for_its_time(self) -> None:
        """What has no socket proves itself by staying up."""
        self._instance.loop.until(self.is_over, self.new.spec["ready_after"], PROBE_PAUSE)
        if self._has_spare() and not self.is_over():
            self._peers.agree(lambda: self.is_over() or not self._has_spare())

    def _wait_for_answers(self) -> None:
        deadline = time.monotonic() + self.new.spec["ready_timeout"]
        pause, answer = PROBE_INTERVAL, "nothing was asked yet"
        while not self.is_over():
            now, was_ready = time.monotonic(), self._is_ready()
            if not was_ready and now >= deadline:
                raise self._late(answer)
            until = now + PROBE_TIMEOUT
            good, answer = self._ask(until if was_ready else min(until, deadline))
            now, ready = time.monotonic(), self._is_ready()
            spare = self._has_spare()
            if ready and not spare:
                break
            if ready and now >= self._settled:
                if self._peers.agreed():
                    break
                if now >= self._settled + self._peers.patience:
                    raise self._peers.tired()
            many = ready or (answer.startswith("HTTP") and not good)
            pause = min(2 * pause, PROBE_PAUSE) if many else PROBE_INTERVAL
            left = (self._settled if ready else deadline) - now
            self._wait(min(pause, left) if left > 0 else pause, spare)

    def _wait(self, seconds: float, spare: bool) -> None:
        """Until it is over, or things stand otherwise with the old one, at most so long."""
        self._instance.loop.until(lambda: self.is_over() or self._has_spare() != spare, seconds)

    def _ask(self, deadline: float) -> tuple[bool, str]:
        """One health check, and what it means for the whole."""
        move = self._peers.move
        good, answer = probe(self.new, self._instance.loop, deadline)
        move["health"] = answer
        if not self._healthy:
            self._settled = time.monotonic() + self.new.spec["ready_after"]
        self._healthy = self._healthy + 1 if good else 0
        if not good and move.pop("proven", False):
            self._instance.tell()  # the others must not switch now
        return good, answer

    def _late(self, answer: str) -> Refused:
        path, limit = self.new.spec["health"]["path"], self.new.spec["ready_timeout"]
        asked = f"GET {path}" if path else "connecting"
        return Refused(f"not ready within {limit:g} s; {asked} on its own socket: {answer}")


def probe(
    new: Generation, loop: Loop, deadline: float, over: Callable[[], bool] = lambda: False
) -> tuple[bool, str]:
    """One health check of ``new`` on its own socket: whether it is well, and what it said.

    Nobody but this process listens there, so that no other one can answer in its place.
    """

    def left() -> float:
        """Seconds that it may still take."""
        ended = new.status is not None or over()
        return 0.0 if ended else deadline - time.monotonic()

    if new.port and (wrong := port.problem(new.port)):
        return False, wrong
    health, received = new.spec["health"], b""
    request = (
        f"GET {health['path']} HTTP/1.1\r\nHost: {health['host']}\r\n"
        "X-Forwarded-Proto: https\r\nUser-Agent: twelvefactor-pivot\r\n"
        "Accept: */*\r\nConnection: close\r\n\r\n"
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        try:
            while not _connect(sock, str(new.socket)):
                if (seconds := left()) <= 0:
                    return False, "no connection: its accept queue is full"
                loop.wait(min(seconds, PROBE_INTERVAL))
            if not health["path"]:
                return True, "accepted a connection"
            sock.send(request.encode())
            while b"\r\n" not in received and len(received) < 4096:
                if (seconds := left()) <= 0:
                    return False, "no answer in time"
                loop.wait(seconds, also=sock.fileno())
                with contextlib.suppress(BlockingIOError):
                    data = sock.recv(4096)
                    if not data:
                        return False, "closed without an answer"
                    received += data
        except FileNotFoundError:
            return False, "it has not made its socket"
        except OSError as error:
            return False, f"no connection: {error.strerror or error}"
    line = received.partition(b"\r\n")[0][:200].decode("latin-1")
    return re.match(r"HTTP/1\.\d 2\d\d\b", line) is not None, line


def _connect(sock: socket.socket, path: str) -> bool:
    """False while the accept queue is full: there is nothing to wait for but time."""
    try:
        sock.connect(path)
    except BlockingIOError:
        return False
    return True
