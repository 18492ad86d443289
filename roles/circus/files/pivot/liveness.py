# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Liveness: whether the serving process still answers, and another one in its place when it does not."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from .contract import STOP
from .gate import Gate, probe
from .generation import Generation
from .instance import Instance
from .kernel import is_stopped, marks
from .move import Move
from .refusal import Overruled, Refused
from .release import is_locked

PAUSE = 60.0  # seconds from the end of one replacement to the next, at least
LONGEST_PAUSE = 960.0  # where one after the other does not get through the gate


@dataclass(frozen=True)
class Pulse:
    """What the health checks of a process have come to. Times are monotonic seconds."""

    missed: int = 0  # in a row that got no answer
    refused: int = 0  # replacements in a row that did not get through the gate
    next_check: float = 0.0
    rest_until: float = 0.0  # no replacement before that

    def of_another(self, now: float, interval: float) -> Pulse:
        """A process has begun to serve. What was replaced lately is not to be replaced again so soon."""
        return Pulse(next_check=now + interval, rest_until=self.rest_until)

    def checked(self, answered: bool, began: float, interval: float) -> Pulse:
        return Pulse(
            missed=0 if answered else self.missed + 1,
            refused=0 if answered else self.refused,
            next_check=began + interval,
            rest_until=self.rest_until,
        )

    def is_hung(self, now: float, failures: int) -> bool:
        """Whether it is to be replaced."""
        return self.missed >= failures and now >= self.rest_until

    def replaced(self, now: float, done: bool) -> Pulse:
        """After an attempt; each that is refused doubles the pause until the next one."""
        refused = 0 if done else self.refused + 1
        pause = min(PAUSE * 2**refused, LONGEST_PAUSE)
        return Pulse(self.missed, refused, self.next_check, now + pause)


def is_watched(spec: dict[str, Any]) -> bool:
    """Whether there is something to ask, and another process may run beside it."""
    liveness = spec["liveness"]
    asked = spec["socket"] and spec["health"]["path"] and spec["overlap"]
    return bool(asked and liveness["interval"] and liveness["timeout"])


class Liveness:
    """Looks after the serving process while no move is under way."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._pulse = Pulse()
        self._serving: Generation | None = None

    def wait(self, serving: Generation) -> None:
        """Return when something has happened, or was done."""
        loop, liveness = self._instance.loop, serving.spec["liveness"]
        now = time.monotonic()
        if serving is not self._serving:
            self._serving = serving
            self._pulse = self._pulse.of_another(now, liveness["interval"])
        if not is_watched(serving.spec):
            loop.wait()
        elif now < self._pulse.next_check:
            loop.wait(self._pulse.next_check - now)
        else:
            self._check(serving, now)

    def _check(self, serving: Generation, began: float) -> None:
        """A HUP does not wait for the answer: the app's other processes wait for this one then."""
        loop, liveness = self._instance.loop, serving.spec["liveness"]
        _good, answer = probe(serving, loop, began + liveness["timeout"], lambda: loop.hup)
        if loop.hup or serving.status is not None:
            return
        # an error is an answer: another process would say the same of a database that is gone
        answered = answer.startswith("HTTP/")
        self._pulse = self._pulse.checked(answered, began, liveness["interval"])
        if not self._pulse.is_hung(time.monotonic(), liveness["failures"]):
            return
        # whoever deploys will move it, or looks at what it is now
        if not is_locked(self._instance.root):
            self._replace(serving, answer)

    def _replace(self, serving: Generation, answer: str) -> None:
        asked = f"GET {serving.spec['health']['path']}"
        self._instance.say(
            f"generation {serving.number} is hung: {self._pulse.missed} health checks in a row got"
            f" no answer, the last one ({asked}): {answer}"
        )
        try:
            Replacement(self._instance, serving.release).run()
        except Overruled:
            return
        except Refused:
            done = False
        else:
            done = True
        self._pulse = self._pulse.replaced(time.monotonic(), done)


class Urgent(Gate):
    """What it would wait for the sake of the old one, it does not: that serves nobody. A HUP comes first."""

    def is_over(self) -> bool:
        return super().is_over() or self._instance.loop.hup


class Replacement(Move):
    """Another process of the same release in place of one that does not answer.

    It is no part of what the app's processes agree on, nor of what a deploy judges: the status file
    says of it elsewhere, and the state stays what it was.
    """

    KEY = "replacement"

    def heed(self) -> None:
        """A HUP is for the move that comes after this."""

    def announce(self, step: str) -> None:
        self.instance.tell()

    def resolve(self) -> None:
        """``current`` may be a release that nobody has proven yet."""
        assert self.old
        self.release, self.spec = self.old.release, self.old.spec
        self.document["to"] = self.release.name

    def gate(self, new: Generation) -> Gate:
        return Urgent(self.instance, self.peers, new, None)

    def drain(self, old: Generation, new: Generation) -> None:
        """Nobody can tell a process that is hung from one that is busy with long requests.

        So it gets the time for them that it has in any move, unless it cannot use it, or HUP comes:
        the app's other processes wait for this one then, but not for longer than a stop and a gate.
        """
        if not self.is_stopped(old):
            super().drain(old, new)

    def hurries(self) -> bool:
        return self.instance.loop.hup

    def stop_old(self, old: Generation) -> None:
        if not self.is_stopped(old):
            super().stop_old(old)
            return
        with self.step(STOP):  # TERM would not reach it
            self.instance.kill(old)

    def finish(self, new: Generation) -> None:
        self.instance.state["replacements"] += 1
        super().finish(new)

    def give_up(self, new: Generation) -> None:
        super().give_up(new)
        self.document.pop("output")  # the log has it; the status file would become too large

    def is_stopped(self, old: Generation) -> bool:
        """Whether all of its processes are (SIGSTOP)."""
        found = marks(f"{self.instance.base}.")
        return is_stopped({old.pid, *(pid for pid, mark in found.items() if mark == old.private)})
