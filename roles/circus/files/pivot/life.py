# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a pivot: from its start over moves to its end."""

from __future__ import annotations

import contextlib
from typing import Any

from .contract import FAILED, STOPPED, STOPPING
from .drain import close
from .generation import Generation
from .instance import Instance
from .kernel import PR_SET_CHILD_SUBREAPER, prctl
from .liveness import Liveness
from .loop import Terminated
from .move import Move
from .refusal import Refused
from .release import is_locked, read_record
from .status import read_status

RESPAWN_PAUSE = 1.0  # seconds before a failed start is handed to a supervisor, which restarts it


class Pivot:
    """Keeps one process instance of an app running, and lets it move when HUP comes."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance

    def run(self) -> int:
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        self.instance.loop.listen_to_signals()
        try:
            return self._live()
        except Terminated:
            instance = self.instance
            instance.loop.stopping = True
            instance.tell(state=STOPPING)
            close(instance)
            instance.stop(*instance.loop.alive)
            instance.serving = None
            instance.tell(state=STOPPED)
            return 0
        finally:
            self.instance.output.write_rest()

    def _live(self) -> int:
        instance = self.instance
        instance.state["restarts"] = self._restarts()
        instance.state["replacements"] = read_status(f"{instance.base}.json").get("replacements", 0)
        instance.state["counter"] = self._last_number()
        try:
            self._begin()
        except Refused:
            instance.sweep()
            instance.give_up_link()
            instance.loop.until(lambda: False, RESPAWN_PAUSE)
            return 1
        liveness = Liveness(instance)
        while True:
            serving = instance.serving
            if serving is None or serving.status is not None:
                return self._end(serving)
            if instance.loop.hup:
                with contextlib.suppress(Refused):
                    Move(instance, instance.root / "current").run()
            else:
                liveness.wait(serving)

    def _begin(self) -> None:
        """Bring the first release into service, or raise Refused."""
        instance, root = self.instance, self.instance.root
        current = root / "current"
        record = read_record(root / "releases.jsonl")
        proven = root / "releases" / (record.good or "none")
        if record.good is None or current.resolve() == proven.resolve():
            return Move(instance, current).run()
        # whoever deploys holds a lock, and lets it go when killed
        release, deploying = current.resolve().name, is_locked(root)
        refused = release in record.refused and not deploying
        cut_off = release == record.pending and not deploying
        first, second = (proven, current) if refused or cut_off else (current, proven)
        try:
            return Move(instance, first).run()
        except Refused:
            if refused:
                raise  # what was refused serves nobody, not even where nothing else does
            failed: dict[str, Any] = instance.state["move"]
            instance.say(f"trying {second} instead")
            return Move(instance, second, instead_of=failed).run()

    def _last_number(self) -> int:
        """Count on where an earlier pivot of this instance stopped: no socket path comes twice."""
        numbers: list[int] = [read_status(f"{self.instance.base}.json").get("counter", 0)]
        for path in self.instance.run_dir.glob(f"{self.instance.name}.*.*"):
            with contextlib.suppress(ValueError):
                numbers.append(int(path.name.split(".")[1]))
        return max(numbers)

    def _restarts(self) -> int:
        """How often an earlier pivot of this instance has ended although nobody asked for it."""
        last = read_status(f"{self.instance.base}.json")
        if "restarts" not in last or "state" not in last:
            return 0
        return int(last["restarts"]) + (last["state"] not in (STOPPING, STOPPED))

    def _end(self, serving: Generation | None) -> int:
        """The serving process died by itself: leave nothing behind and hand on its code."""
        instance = self.instance
        code = serving.exit_code if serving else 1
        instance.say(f"release {serving.id if serving else None} ended with exit code {code}")
        instance.give_up_link()  # while it is known what had the name
        instance.kill(*instance.loop.alive)
        instance.serving = None
        instance.tell(state=FAILED, exit_code=code, output=serving.last_lines() if serving else [])
        return code or 1
