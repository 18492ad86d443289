# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of the switches that run, as the pivots of the hosts say: for the callback live.

A process of ssh of its own per host, with Ansible's settings and over the connection that Ansible shares. It
is for people to look at: whatever goes wrong with it, nothing is said and the rollout does not notice.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._console.program import command
from ansible_collections.twelvefactor.deploy.plugins.module_utils._console.streams import Streams
from ansible_collections.twelvefactor.deploy.plugins.plugin_utils.fleet import Fleet

MOST = 16  # hosts at once: a process each must not keep a rollout waiting
APP = re.compile(r"[a-z_][a-z0-9_-]*")


class Steps:
    def __init__(self, play: Any) -> None:
        manager = play.get_variable_manager()
        self.fleet = Fleet((play.get_loader(), manager._inventory, manager))
        self.streams: dict[str, Streams] = {}
        self.found: dict[str, tuple[str, float]] = {}

    def begin(self, host: str, app: str) -> None:
        if len(self.streams) >= MOST or host in self.streams or not APP.fullmatch(app):
            return
        try:
            remote = command("_processes.steps", [f"/run/{app}"])
            self.streams[host] = Streams({host: self.fleet.command(host, remote)})
        except Exception:  # noqa: BLE001 - see above
            self.streams.pop(host, None)

    def end(self, host: str) -> None:
        streams = self.streams.pop(host, None)
        self.found.pop(host, None)
        if streams:
            streams.stop(0)

    def read(self) -> Mapping[str, tuple[str, float]]:
        """Per host the step, empty for none, and when it was first seen. Never waits."""
        for host, streams in list(self.streams.items()):
            for _host, line in streams.poll(0):
                try:
                    step = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if isinstance(step, str):
                    self.found[host] = (step[:20], time.monotonic())
        return dict(self.found)

    def stop(self) -> None:
        for host in list(self.streams):
            self.end(host)
