# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A move: one release takes the place of another, or nothing has happened."""

from __future__ import annotations

import contextlib
import pathlib
import signal
import time
from collections.abc import Iterator
from typing import Any

from . import release
from .contract import (
    AGREE,
    DONE,
    DRAIN,
    FAILED,
    GATE,
    PENDING,
    REFUSED,
    SERVING,
    SETTLE,
    STOP,
    SWITCH,
    SWITCHED,
    TOTAL,
)
from .drain import Drain
from .gate import Gate
from .generation import Generation
from .instance import Instance
from .loop import PROBE_INTERVAL
from .peers import Peers
from .refusal import Overruled, Refused

REFUSED_GRACE = 1.0  # seconds between TERM and KILL for what did not get through


class Move:
    """Brings the release that ``path`` names into service.

    ``more`` goes into what the status file says of the move.
    """

    KEY = "move"  # where the status file says it

    def __init__(self, instance: Instance, path: pathlib.Path, **more: Any) -> None:
        self.began = time.monotonic()
        self.instance = instance
        self.old = instance.serving
        self.new: Generation | None = None
        self.release = path
        self.spec: dict[str, Any] = {}
        self.overlaps = True
        asked = instance.loop.asked if instance.loop.hup else self.began
        self.heed()
        self.seconds: dict[str, float] = {}
        self.document: dict[str, Any] = {
            "began": self.began,
            "hups": instance.loop.hups,
            "from": self.old.id if self.old else None,
            "outcome": PENDING,
            "seconds": self.seconds,
        } | more
        instance.state[self.KEY] = self.document
        self.peers = Peers(instance, self.document, asked)

    def run(self) -> None:
        """Raises Refused with the reason, and then what served before serves on, or again."""
        try:
            self.resolve()
            if not self.overlaps:
                self.wait_for_peers()
                self.make_room()
            new = self.start_and_gate()
            self.switch_to(new)
            if self.spare:
                self.drain(self.spare, new)
            else:
                self.settle(new)
            if new.status is not None:
                raise Refused(f"ended with exit code {new.exit_code} after the switch")
        except Exception as error:  # noqa: BLE001 - whatever it is, the old one must live
            reason = str(error) if isinstance(error, Refused | OSError) else repr(error)
            self.roll_back(reason, overruled=isinstance(error, Overruled))
            raise Refused(reason) from None
        if self.spare:
            self.stop_old(self.spare)
        self.finish(new)

    def heed(self) -> None:
        """Whoever asked until here gets what `current` names from here on."""
        self.instance.loop.hup = False

    @property
    def spare(self) -> Generation | None:
        """The old one, where it may serve until the new one does."""
        return self.old if self.overlaps else None

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Tell of a step while it lasts, and how long it took."""
        since = time.monotonic()
        self.document["step"] = name
        self.announce(name)
        try:
            yield
        finally:
            self.seconds[name] = round(time.monotonic() - since, 3)
            self.seconds[TOTAL] = round(time.monotonic() - self.began, 3)

    def announce(self, step: str) -> None:
        self.instance.tell(state=step)

    # -- the steps

    def resolve(self) -> None:
        """Which release it is to be, and whether its process may run beside the old one."""
        self.release, specs = release.resolve(self.release, self.instance.kind)
        self.spec = specs[self.instance.kind]
        self.peers.expect(self.release.name, specs)
        self.document["to"] = self.release.name
        self.overlaps = self.spec["overlap"] and (not self.old or self.old.spec["overlap"])

    def wait_for_peers(self) -> None:
        if self.old:
            with self.step(AGREE):
                self.peers.agree_to_stop(self.old)

    def make_room(self) -> None:
        """Nothing of the process may be left when the next one starts."""
        with self.step(STOP):
            if self.old:
                self.instance.stop(self.old)
                self.instance.serving = None
            self.instance.sweep(self.spec["stop_timeout"])

    def start_and_gate(self) -> Generation:
        with self.step(GATE):
            self.new = new = self.instance.start(self.release, self.spec)
            self.document["child"] = new.pid
            self.gate(new).wait()
            self.document["proven"] = True
        return new

    def gate(self, new: Generation) -> Gate:
        return Gate(self.instance, self.peers, new, self.spare)

    def switch_to(self, new: Generation) -> None:
        with self.step(SWITCH):
            self.instance.switch(new)

    def drain(self, old: Generation, new: Generation) -> None:
        self.document["outcome"] = SWITCHED
        with self.step(DRAIN):
            self.document["stragglers"] = Drain(self.instance, old, new).wait(self.hurries)

    def hurries(self) -> bool:
        """Whether the connections of the old one must not hold this up any longer."""
        return False

    def settle(self, new: Generation) -> None:
        """With nothing to fall back on: end what an earlier pivot left, and see that it stays up."""
        if self.overlaps:
            with self.step(STOP):
                self.instance.sweep(self.spec["stop_timeout"])
        if new.socket:
            with self.step(SETTLE):
                self.instance.loop.until(lambda: new.status is not None, self.spec["ready_after"])

    def stop_old(self, old: Generation) -> None:
        with self.step(STOP):
            self.instance.stop(old)

    def finish(self, new: Generation) -> None:
        self.document["outcome"] = DONE
        self.instance.say(f"release {new.id} serves, generation {new.number}, {self.seconds}")
        self.instance.tell(state=SERVING)

    # -- the way back

    def roll_back(self, reason: str, overruled: bool) -> None:
        """Let the old one serve, where there is one, and end the new one."""
        ended = {"outcome": REFUSED, "reason": reason, "ended": time.monotonic()}
        self.document |= ended | {"overruled": overruled}
        instance, old = self.instance, self.old
        if self.new:
            self.give_up(self.new)
        if old and not instance.serving:
            self.restart(old)
        serves = instance.serving is not None and instance.serving.status is None
        instance.say(f"refused: {reason}")
        instance.tell(state=SERVING if serves else FAILED)

    def give_up(self, new: Generation) -> None:
        instance, old = self.instance, self.old
        if instance.serving is new and old and old.status is None:
            with contextlib.suppress(OSError):  # then the supervisor has to restart us
                instance.switch(old)
        elif instance.serving is new and not self.spare:
            instance.serving = None
        instance.output.backlog += new.read_rest()
        self.document |= {"exit_code": new.exit_code, "output": new.last_lines()}
        # a chance to remove what it made in places that nobody else knows of
        new.signal(signal.SIGTERM)
        instance.loop.until(
            lambda: new.is_gone() or instance.has_lost(new), REFUSED_GRACE, PROBE_INTERVAL
        )
        instance.kill(new)

    def restart(self, old: Generation) -> None:
        """Start again what ``overlap: false`` had to stop before its successor failed."""
        try:
            again = self.instance.start(old.release, old.spec)
            Gate(self.instance, self.peers, again, None).wait()
            self.instance.switch(again)
        except (Refused, OSError) as error:
            self.instance.say(f"release {old.id} does not come back either: {error}")
