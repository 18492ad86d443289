# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The systemd timers of an app's schedules: those of the release that serves, on the hosts that run them.

A timer says no more than when. What runs is read from the release that `current` names when it elapses, by
/usr/local/sbin/app-schedule (roles/circus/files/app_schedule.py), so a deploy that changes no time leaves
every unit alone.
"""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host import flock
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.command import ANSWER, run
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.files import (
    write_atomically,
)

UNITS = pathlib.Path("/etc/systemd/system")
STAMPS = pathlib.Path("/var/lib/systemd/timers")  # when each persistent timer elapsed last
COMMAND_TIMEOUT = 60.0  # seconds for one systemctl
# Seconds. A job that begins holds what a switch wants until its command runs in the sandbox.
PATIENCE = 60.0

SERVICE = """\
# Written by twelvefactor.deploy.graceful_reload; it follows the release.
[Unit]
Description=Schedule %i of {app}
Wants=network-online.target
After=network-online.target
# by default systemd starts no unit more than five times in ten seconds
StartLimitIntervalSec=0

[Service]
Type=exec
# The command of the release that serves, in the sandbox of the app.
ExecStart=/usr/local/sbin/app-schedule {app} %i
LogNamespace={app}
SyslogIdentifier={app}/%i
# TERM goes to app-schedule, which ends the command
KillMode=mixed
TimeoutStopSec=60
"""
TIMER = """\
# Written by twelvefactor.deploy.graceful_reload; it follows the release.
[Unit]
Description=Schedule {name} of {app}

[Timer]
OnCalendar={at}
# what was missed while the host was down is done once after the boot
Persistent=true
AccuracySec=1s

[Install]
WantedBy=timers.target
"""

Files = Mapping[str, str]  # names of units, and their text


def service_of(app: str) -> str:
    return f"schedule-{app}@.service"


def timer_of(app: str, name: str) -> str:
    return f"schedule-{app}@{name}.timer"


def units(app: str, schedules: Mapping[str, Mapping[str, Any]], *, chosen: bool) -> dict[str, str]:
    """The units of a release's schedules on a host.

    ``chosen``: whether it is the one that runs those of which one host is enough.
    """
    timers = {
        timer_of(app, name): TIMER.format(app=app, name=name, at=each["at"])
        for name, each in sorted(schedules.items())
        if chosen or each["hosts"] == "all"
    }
    return {service_of(app): SERVICE.format(app=app), **timers} if timers else {}


def times(files: Files) -> dict[str, str]:
    """When the schedules of these units run, by their names."""
    found = {}
    for unit, text in files.items():
        for line in text.splitlines():
            key, _equals, at = line.partition("=")
            if key == "OnCalendar":
                found[unit.partition("@")[2].removesuffix(".timer")] = at
    return found


def shown(files: Files) -> str:
    """One side of a diff."""
    return "".join(f"schedule {name}: {at}\n" for name, at in times(files).items())


@dataclass(frozen=True)
class Timers:
    """Those of one app on this host."""

    app: str
    directory: pathlib.Path = UNITS
    stamps: pathlib.Path = STAMPS

    def _systemctl(self, *words: str) -> None:
        code, output = run(
            ["systemctl", *words], f"set the schedules of {self.app}", COMMAND_TIMEOUT, whole=ANSWER
        )
        if code:
            raise DeployError(
                f"Could not set the schedules of {self.app}: systemctl {' '.join(words)} ended with "
                f"{code}: {output.strip()[-1500:]}"
            )

    def found(self) -> dict[str, str]:
        """The units that are there. A timer counts once it is enabled, which is the last step."""
        found = {}
        for path in sorted(self.directory.glob(f"schedule-{self.app}@*")):
            enabled = self.directory / "timers.target.wants" / path.name
            if path.suffix == ".service" or (path.suffix == ".timer" and enabled.is_symlink()):
                found[path.name] = path.read_text("utf-8")
        return found

    def set(self, wanted: Files) -> None:
        """Have these units and no others. Jobs that run go on. Raises DeployError."""
        found = self.found()
        if dict(wanted) == found:
            return
        there = [path.name for path in self.directory.glob(f"schedule-{self.app}@*")]
        removed = [name for name in there if name not in wanted]
        written = [name for name in wanted if found.get(name) != wanted[name]]
        ended = [name for name in (*removed, *written) if name in there and name.endswith(".timer")]
        begun = [name for name in written if name.endswith(".timer")]
        if ended:
            self._systemctl("disable", "--now", "--quiet", *ended)
        for name in removed:
            (self.directory / name).unlink()
        for name in {*ended, *begun}:
            # else a new time that was earlier today would count as missed
            (self.stamps / f"stamp-{name}").unlink(missing_ok=True)
        for name in written:
            write_atomically(self.directory / name, wanted[name], 0o644)
        self._systemctl("daemon-reload")
        if begun:
            self._systemctl("start", *begun)
            self._systemctl("enable", "--quiet", *begun)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """No job begins meanwhile: what elapses waits, and then runs what serves.

        The first flock lets no job in that comes later, so that those which begin one after the other
        cannot keep a switch waiting; the second one is that of jobs which begin now.
        """
        with contextlib.ExitStack() as held:
            for name in ("schedules", "starting"):
                try:
                    held.enter_context(flock.exclusive(f"{self.app}-{name}", PATIENCE))
                except flock.Busy:
                    raise self._busy() from None
            yield

    def _busy(self) -> DeployError:
        return DeployError(
            f"Jobs of {self.app} have kept its switch waiting for {PATIENCE:g} s; "
            f"`systemctl list-units 'schedule-{self.app}@*'` shows them."
        )
