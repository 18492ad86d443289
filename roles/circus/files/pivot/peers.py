# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The app's other pivots: what they say of themselves, and the wait until all are as far."""

from __future__ import annotations

import contextlib
import os
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from .contract import AGREE, FAILED, REFUSED, SERVING, STOPPED, STOPPING
from .generation import Generation
from .instance import Instance
from .kernel import command_line_of
from .loop import PROBE_INTERVAL
from .refusal import Overruled
from .status import read_status

PEERS_PAUSE = 1.0  # seconds within which all pivots of an app get the HUP of one reload
OVERTAKEN = "given up: another release was asked for meanwhile"


def peers_of(run_dir: pathlib.Path, instance: str) -> Iterator[dict[str, Any]]:
    """What the app's other pivots say, those that are alive."""
    for path in run_dir.glob("*-*.json"):
        name = path.name.removesuffix(".json")
        told = read_status(path)
        with contextlib.suppress(OSError):
            words = command_line_of(told.get("pid", 0)).split(b"\0")
            if told.get("instance") == name != instance and os.fsencode(name) in words:
                yield told


def vote(peer: dict[str, Any], release: str, since: float, stopping: bool) -> str:
    """What a peer says to a switch to ``release``: yes, no, wait; empty when it takes no part.

    A refusal counts if it came after ``since`` (monotonic seconds); the pivots of an app may be of
    different versions of this program, and an older one does not say when. With ``stopping`` the question
    comes from a process that must stop before its successor can prove anything; such peers do not
    wait for each other. A peer that serves and has been asked to move begins once it has ended what it
    had replaced.
    """
    move, state = peer.get("move") or {}, peer.get("state")
    refused = move.get("outcome") == REFUSED
    if refused and move.get("to") == release and move.get("ended", 0) >= since:
        return "no"
    if state == SERVING and peer.get("hups", 0) > move.get("hups", 0):
        return "wait"
    if refused or state in (SERVING, FAILED, STOPPING, STOPPED) or (stopping and state == AGREE):
        return ""
    return "yes" if move.get("to") == release and move.get("proven") else "wait"


class Peers:
    """What the others have to say of one move."""

    def __init__(self, instance: Instance, move: dict[str, Any], asked: float) -> None:
        self.release = ""
        self.patience = 0.0  # seconds that each wait for them may take
        self._instance = instance
        self.move = move  # what the status file says of it
        self._since = asked - PEERS_PAUSE  # the others may have been asked so much earlier
        self._kinds: set[str] = set()

    def expect(self, release: str, specs: dict[str, dict[str, Any]]) -> None:
        """What is moved to; as long as all of its process types may take, a wait for them may."""
        self.release = release
        self._kinds = set(specs)
        self.patience = sum(
            spec["stop_timeout"] + spec["ready_timeout"] + spec["ready_after"]
            for spec in specs.values()
        )

    def agree_to_stop(self, old: Generation) -> None:
        """Where the old process has to make room first: wait until the others are through."""
        self.agree(lambda: old.status is not None or self.overtaken(), stopping=True)
        if self.overtaken():
            raise Overruled(OVERTAKEN)

    def agree(self, over: Callable[[], bool], stopping: bool = False) -> None:
        """Wait until the app's other processes are as far, or ``over`` holds."""

        def agreed() -> bool:
            return over() or self.agreed(stopping)

        if not self._instance.loop.until(agreed, self.patience, PROBE_INTERVAL):
            raise self.tired()

    def agreed(self, stopping: bool = False) -> bool:
        """Whether no other process of the app has yet to prove itself; Overruled if one cannot."""
        move = self.move
        if not stopping and not move.get("proven"):
            move["proven"] = True
            self._instance.tell()
        votes = self.votes(stopping)
        for name, said in votes.items():
            if said == "no":
                raise Overruled(f"given up: {name} did not get through with release {self.release}")
        # who has not moved by then was not asked to
        early = time.monotonic() < move["began"] + PEERS_PAUSE
        return "wait" not in votes.values() and not (early and votes)

    def votes(self, stopping: bool) -> dict[str, str]:
        """What each peer says; those of a process type that the release does not have say nothing."""
        return {
            peer["instance"]: vote(peer, self.release, self._since, stopping)
            for peer in peers_of(self._instance.run_dir, self._instance.name)
            if peer["instance"].rpartition("-")[0] in self._kinds
        }

    def tired(self) -> Overruled:
        late = [name for name, said in self.votes(False).items() if said == "wait"]
        limit = f"{self.patience:g} s"
        return Overruled(f"given up: waited {limit} for {', '.join(late)} to get through")

    def overtaken(self) -> bool:
        """Whether HUP has come since for another release: another process failed."""
        current = self._instance.root / "current"
        with contextlib.suppress(OSError):
            return self._instance.loop.hup and current.resolve(strict=True).name != self.release
        return False
