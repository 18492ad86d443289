# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One process instance of an app: its generations, its link, and what is left of either."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import time
from typing import Any

from .contract import BRIDGE
from .generation import Generation
from .kernel import children_of, marks
from .loop import PROBE_INTERVAL, Loop
from .output import JOURNAL, Output
from .refusal import Refused
from .removal import remove
from .status import StatusFile

SWEEP_INTERVAL = 0.05  # seconds between two looks at what is to be gone
KILL_TIMEOUT = 10.0  # seconds that the kernel may take to end a process


class Instance:
    """What a pivot keeps of its process, what can be done to that, and what is told of it."""

    def __init__(
        self, root: pathlib.Path, name: str, run_dir: pathlib.Path, journal: str = JOURNAL
    ) -> None:
        self.root = root
        self.app = root.name
        self.name = name
        self.kind = name.rpartition("-")[0]
        self.run_dir = run_dir
        self.base = str(run_dir / name)
        self.link = f"{self.base}.sock"
        bridge = run_dir.name == BRIDGE
        # What the pivot on the other side of a bridge has, see ``give_up_link``.
        self.other_link = str((run_dir.parent if bridge else run_dir / BRIDGE) / f"{name}.sock")
        self.is_bridge = bridge
        self.serving: Generation | None = None
        self.state: dict[str, Any] = {"counter": 0, "restarts": 0, "replacements": 0}
        self.output = Output(self.app, name, journal)
        self.loop = Loop(self.output, self.tell)
        self._file = StatusFile(f"{self.base}.json", self.output)

    def say(self, text: str) -> None:
        self.output.say(text)

    def tell(self, **state: Any) -> None:
        """Write the status file, with what is new."""
        self.state |= state
        serving = self.serving
        self._file.write(
            {
                "app": self.app,
                "instance": self.name,
                "pid": os.getpid(),
                "release": serving.id if serving else None,
                "generation": serving.number if serving else None,
                "child": serving.pid if serving else None,
                "hups": self.loop.hups,
                "updated": time.time(),
            }
            | self.state
        )

    def start(self, release: pathlib.Path, spec: dict[str, Any]) -> Generation:
        self.state["counter"] += 1
        generation = Generation(self.state["counter"], release, spec, self.base)
        try:
            generation.start(self.app, self.name)
        except (OSError, ValueError) as error:
            generation.close_output()
            generation.remove_files()
            raise Refused(f"cannot start release {release.name}: {error}") from None
        self.loop.alive.append(generation)
        self.output.choose(spec["log_destination"])
        self.output.origin = generation.origin and generation.origin | {"process.pid": os.getpid()}
        return generation

    def switch(self, to: Generation) -> None:
        """Let ``TYPE-K.sock`` be its socket: one rename, and every later connect is to it.

        A hard link, because the proxy must not be led anywhere else by a symbolic one: the run
        directory of an app is mounted so that none is followed there.
        """
        if to.socket:
            os.chmod(to.socket, 0o666)  # the directory says who may connect; servers differ here
            lent = self.is_bridge and self._has_name(self.other_link)
            self._point(self.link, to.socket)
            if lent:
                self._point(self.other_link, to.socket)
        else:
            self.give_up_link()
        self.serving = to

    def _has_name(self, link: str) -> bool:
        """Whether a name leads to the process that serves here."""
        path = self.serving and self.serving.socket
        with contextlib.suppress(OSError):
            return bool(path and os.path.samestat(os.lstat(path), os.lstat(link)))
        return False

    def _point(self, link: str, path: str) -> None:
        remove(f"{link}.new")
        os.link(path, f"{link}.new", follow_symlinks=False)
        try:
            os.replace(f"{link}.new", link)
        finally:
            remove(f"{link}.new")  # rename(2) leaves it where both are the same file

    def give_up_link(self) -> bool:
        """Let nobody connect to what serves here any more; whether another process serves instead.

        That is the one of the bridge where there is one, and for that again the one which has taken its
        name back.
        """
        if self.is_bridge:
            # first, so that it is not given to a process that is about to end
            with contextlib.suppress(OSError):
                os.unlink(self.link)
            if not os.path.lexists(self.other_link):
                return False
            if not self._has_name(self.other_link):
                return True
            with contextlib.suppress(OSError):
                os.unlink(self.other_link)
            return False
        try:
            self._point(self.link, self.other_link)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(self.link)
            return False
        return True

    def has_lost(self, *generations: Generation) -> bool:
        """Whether the serving process has died and is none of ``generations``."""
        serving = self.serving
        return serving is not None and serving.status is not None and serving not in generations

    def stop(self, *generations: Generation) -> None:
        """TERM, and KILL to the whole group after the stop timeout; nothing is left behind.

        What outlives the process itself (a shell that did not ``exec``) gets its own TERM. When
        the process that serves meanwhile dies, its restart is more urgent than this.
        """
        orphaned: set[int] = set()

        def ended() -> bool:
            for generation in generations:
                if generation.status is not None and generation.number not in orphaned:
                    orphaned.add(generation.number)
                    generation.signal_group(signal.SIGTERM)
            return all(g.is_gone() for g in generations) or self.has_lost(*generations)

        for generation in generations:
            generation.signal(signal.SIGTERM)
        timeout = max((g.spec["stop_timeout"] for g in generations), default=0)
        self.loop.until(ended, timeout, PROBE_INTERVAL)
        self.kill(*generations)

    def kill(self, *generations: Generation) -> None:
        for generation in generations:
            generation.signal(signal.SIGKILL)
            generation.signal_group(signal.SIGKILL)
        self.loop.until(lambda: all(g.is_gone() for g in generations), KILL_TIMEOUT, SWEEP_INTERVAL)
        for generation in generations:
            self.output.backlog += generation.read_rest() + generation.flush()
            generation.close_output()
            generation.remove_files()
            self.loop.alive.remove(generation)
        self.sweep()

    def sweep(self, grace: float = 0) -> None:
        """End and remove what is marked as ours but belongs to no generation that is alive.

        That is a daemon that left its group, and what an earlier pivot left that was killed (its
        process went with it, but not the process's workers). ``grace``: seconds between TERM and
        KILL. What also lost the mark is at least still our child when nothing else is.
        """
        kept = {generation.private for generation in self.loop.alive}

        def strays(number: int) -> bool:
            pids = {pid for pid, mark in marks(f"{self.base}.").items() if mark not in kept}
            pids |= set() if self.loop.alive else set(children_of(os.getpid()))
            for pid in pids:
                with contextlib.suppress(OSError):
                    os.kill(pid, number)
            return bool(pids)

        if grace and strays(signal.SIGTERM):
            self.loop.until(lambda: not strays(0) or self.has_lost(), grace, PROBE_INTERVAL)
        # twice, for what forked and ended during one look took the place of what was on the list
        looks = 0

        def swept() -> bool:
            nonlocal looks
            looks = 0 if strays(signal.SIGKILL) else looks + 1
            return looks > 1

        self.loop.until(swept, KILL_TIMEOUT, SWEEP_INTERVAL)
        for pattern in ("sock", "d"):
            for path in self.run_dir.glob(f"{self.name}.*.{pattern}"):
                if str(path.with_suffix(".d")) not in kept:
                    remove(path)
