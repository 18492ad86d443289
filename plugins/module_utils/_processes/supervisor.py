# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor of one app on this host: systemd runs circusd, circusd runs the pivots."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import (
    DeployError,
    printable,
    without_passwords,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.command import ANSWER, run
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.files import (
    write_atomically,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.processes import (
    environment,
    stat_fields,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.eviction import (
    end_processes,
    forget,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.pivot_contract import (
    LARGEST_STATUS,
    SERVING,
    STOPPED,
    STOPPING,
    UNIT_STOP_TIMEOUT,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.sandbox import (
    bridge_unit,
    run_in_sandbox,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.status import (
    INSTANCE,
    Status,
    Verdict,
    judge,
    runs,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.timers import Timers
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.watchers import watched
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.masking import WROTE

CIRCUSCTL = "/opt/circus/bin/circusctl"
COMMAND_TIMEOUT = 30.0  # seconds for one systemctl or circusctl
BUSY_TIMEOUT = 60.0  # seconds that circusd may be busy with another command
POLL = 0.2  # seconds between two looks at the pivots


@dataclass(frozen=True)
class Failure:
    """Why something did not work, and what the processes wrote; false when it did work."""

    reason: str = ""
    output: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # both hold what the app wrote, each line of which is to stay one
        object.__setattr__(self, "reason", printable(without_passwords(self.reason)))
        lines = (printable(line).replace("\n", "\\n") for line in self.output)
        object.__setattr__(self, "output", tuple(lines))

    def __bool__(self) -> bool:
        return bool(self.reason)

    def __str__(self) -> str:
        wrote = "".join(f"\n    {line}" for line in self.output)
        return f"{self.reason}{WROTE}{wrote}" if wrote else self.reason

    def masked(self, mask: Callable[[str], str]) -> Failure:
        """Without the values of an app's config, which a traceback may show.

        The reason is our own text, in which a value like "worker" names a process.
        """
        return Failure(self.reason, tuple(map(mask, self.output)))


@dataclass(frozen=True)
class Supervisor:
    home: AppHome

    @classmethod
    def of(cls, app: str, *, predicted: bool = False) -> Supervisor:
        """That of an app; ``predicted`` and what it raises: see AppHome.of."""
        return cls(AppHome.of(app, foreseen=predicted))

    @property
    def unit(self) -> str:
        return f"circus@{self.home.app}.service"

    @property
    def timers(self) -> Timers:
        return Timers(self.home.app)

    @property
    def configuration_path(self) -> pathlib.Path:
        return pathlib.Path(f"/etc/circus/{self.home.app}.d/formation.ini")

    @property
    def run_directory(self) -> pathlib.Path:
        return pathlib.Path(f"/run/{self.home.app}")

    # -- commands

    def _run(
        self,
        command: Sequence[str],
        what: str,
        as_app: bool = False,
        seconds: float = COMMAND_TIMEOUT,
    ) -> str:
        if as_app:
            code, output = run_in_sandbox(self.home.app, command, what, seconds)
        else:
            code, output = run(command, what, seconds, whole=ANSWER)
        if code:
            raise DeployError(
                f"Could not {what}: {' '.join(command)} ended with {code}: {output.strip()[-1500:]}"
            )
        return output

    def _circusctl(self, what: str, *command: str) -> str:
        endpoint = f"ipc:///run/circus-{self.home.app}/control.sock"
        words = [CIRCUSCTL, "--timeout", "10", "--endpoint", endpoint, *command]
        return self._run(words, what, as_app=True)

    def is_active(self) -> bool:
        try:
            self._run(["systemctl", "is-active", "--quiet", self.unit], "ask systemd")
        except DeployError:
            return False
        return True

    def started(self) -> str:
        """When circusd was, as systemd writes it in UTC."""
        show = ["systemctl", "--timestamp=us+utc", "show", "--value"]
        return self._run([*show, "--property=ActiveEnterTimestamp", self.unit], "ask systemd")

    def start(self) -> None:
        self._run(["systemctl", "reset-failed", self.unit], f"reset {self.unit}")
        self._run(["systemctl", "start", self.unit], f"start {self.unit}")

    def stop(self) -> None:
        self._run(["systemctl", "stop", "--no-block", self.unit], f"stop {self.unit}")

    def restart(self) -> None:
        """Have circusd end with all of its processes, and start; they are not waited for."""
        command = ["systemctl", "restart", self.unit]
        self._run(command, f"restart {self.unit}", seconds=UNIT_STOP_TIMEOUT + COMMAND_TIMEOUT)

    def stop_bridge(self) -> None:
        """End what serves while circusd is restarted, once its connections have ended (see bridge)."""
        unit = bridge_unit(self.home.app)
        with contextlib.suppress(DeployError):
            self._run(["systemctl", "is-active", "--quiet", unit], "ask systemd")
            command = ["systemctl", "stop", unit]
            self._run(command, f"stop {unit}", seconds=UNIT_STOP_TIMEOUT + COMMAND_TIMEOUT)

    def evict(self) -> list[str]:
        """End all that runs as the app's user, in its unit or not; returns what was removed.

        Nothing is waited for that a process may take its time for, and what starts programs
        without the unit is removed: see eviction.forget. All of it is tried; raises DeployError
        with what of it did not work.
        """
        removed: list[str] = []
        problems: list[str] = []

        @contextlib.contextmanager
        def noted() -> Iterator[None]:
            try:
                yield
            except (DeployError, OSError) as error:
                problems.append(str(error))

        with noted():
            self.stop()  # first, or systemd starts anew what is killed
        for unit in (self.unit, bridge_unit(self.home.app)):
            with contextlib.suppress(DeployError):  # it was not running
                kill = ["systemctl", "kill", "--kill-whom=all", "--signal=KILL", unit]
                self._run(kill, f"kill {unit}")
        with noted():
            end_processes(self.home.uid)
        with noted():
            self._run(["systemctl", "stop", self.unit], f"stop {self.unit}")
        with noted():
            removed = forget(self.home.app, self.home.uid, self.run_directory)
        if problems:
            raise DeployError(" ".join(problems))
        return removed

    def take_configuration(self) -> None:
        """Let circusd start and stop the processes that its configuration has gained and lost.

        A circusd that is busy is asked again.
        """
        deadline = time.monotonic() + BUSY_TIMEOUT
        while True:
            try:
                self._circusctl(
                    f"tell circusd of {self.home.app} to read its configuration", "reloadconfig"
                )
            except DeployError as error:
                if "already running" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(POLL)
            else:
                return

    def watching(self) -> list[str]:
        """The processes that circusd runs, or tries to run.

        By its own word: its configuration on the disk may be newer than what it has read. Where it
        gives none, the configuration counts, and every pivot that is alive.
        """
        try:
            output = self._circusctl(f"ask circusd of {self.home.app} what it runs", "list")
        except DeployError:
            names = {path.stem for path in self.run_directory.glob("*.json")}
            alive = [name for name in names if INSTANCE.match(name) and self.status(name)]
            return sorted({*watched(self.configuration()), *alive})
        last = output.strip().rpartition("\n")[2]
        return [name for name in last.split(",") if INSTANCE.match(name)]

    def drop(self, instances: Sequence[str]) -> None:
        """Have processes stopped that the configuration does not name, and see them heed it.

        From then on they take no part in what the others agree on. How long they take to end is
        not waited for. A circusd that does not do it must not be in the way of those others.
        """
        with contextlib.suppress(DeployError):
            self.take_configuration()
            wait_for(lambda: not any(map(self._takes_part, instances)), COMMAND_TIMEOUT)

    def _takes_part(self, instance: str) -> bool:
        status = self.status(instance)
        return status is not None and status.state not in (STOPPING, STOPPED)

    def hup(self, statuses: Iterable[Status]) -> None:
        """Tell pivots to move, each by a HUP as circusd would send it.

        Not through circusd, which takes no command while it starts or stops a process. What has
        ended since its status was read is left to circusd: its successor reads `current`.
        """
        for status in statuses:
            with contextlib.suppress(ProcessLookupError):
                handle = os.pidfd_open(status.pid)
                try:
                    if self._is_ours(status.pid):
                        signal.pidfd_send_signal(handle, signal.SIGHUP)
                finally:
                    os.close(handle)

    def reload(self, instances: Iterable[str]) -> None:
        """Have circusd tell pivots to move of which nobody knows the pid, as far as it can.

        A pivot whose status cannot be read is dead, or starts, or the app hides what it says.
        """
        for name in instances:
            with contextlib.suppress(DeployError):
                self._circusctl(f"tell {name} of {self.home.app} to move", "reload", name)

    # -- files

    def configuration(self) -> str:
        try:
            return self.configuration_path.read_text()
        except FileNotFoundError:
            return ""

    def configure(self, text: str) -> None:
        """Write the formation's watchers; circusd does not look until it is told.

        What is there already is left alone: on a full disk the way back must not need room for it.
        """
        if text and text == self.configuration():
            return
        if not self.configuration_path.parent.is_dir():
            raise DeployError(
                f"{self.configuration_path.parent} is missing; run the role circus for the app first."
            )
        write_atomically(self.configuration_path, text, 0o644)

    def status(self, instance: str) -> Status | None:
        """What the pivot of a process says; None when there is no such pivot, or it is dead.

        The directory belongs to the app, so neither a link nor a pid in there is believed: the
        process that it names must be the app's own.
        """
        path = self.run_directory / f"{instance}.json"
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(handle, "rb") as file:
                if not stat.S_ISREG(os.fstat(handle).st_mode):
                    return None
                status = Status.parse(file.read(LARGEST_STATUS))
        except (OSError, ValueError):
            return None
        return status if status.instance == instance and self._is_ours(status.pid) else None

    def _is_ours(self, pid: int) -> bool:
        try:
            return os.stat(f"/proc/{pid}").st_uid == self.home.uid and not is_zombie(pid)
        except (OSError, IndexError):  # gone meanwhile
            return False

    def serves(self, status: Status | None, release: str) -> bool:
        """Whether a process runs a release: it says so, and the kernel says so too."""
        if status is None or status.state != SERVING or status.release != release:
            return False
        if not status.child or not self._is_ours(status.child):
            return False
        try:
            return runs(environment(pathlib.Path(f"/proc/{status.child}")), release)
        except OSError:
            return False

    def serving_release(self, instances: Sequence[str]) -> str | None:
        """The release that every one of these processes runs; None when there is no such."""
        statuses = [self.status(name) for name in instances]
        releases = {status.release if status else None for status in statuses}
        release = releases.pop() if len(releases) == 1 else None
        return release if release and not self.not_serving(instances, release) else None

    def not_serving(self, instances: Sequence[str], release: str) -> list[str]:
        return [name for name in instances if not self.serves(self.status(name), release)]

    # -- following

    def follow(self, before: Mapping[str, Status | None], target: str, seconds: float) -> Failure:
        """Wait until every process of ``before`` has arrived at ``target``.

        ``before`` holds what each said before it was asked to move, None for one that is new.
        """
        verdicts: dict[str, Verdict] = {}
        told = dict(before)

        def decided() -> bool:
            for name, old in told.items():
                status = self.status(name)
                verdicts[name] = judge(status, old, target)
                if status and verdicts[name].astray:
                    # it had read `current` a moment before that was flipped
                    self.hup([status])
                    told[name] = status
            failed = any(verdict.failed for verdict in verdicts.values())
            return failed or all(verdict.arrived for verdict in verdicts.values())

        if not wait_for(decided, seconds):
            late = [
                f"{n} {v.reason} after {seconds:g} s" for n, v in verdicts.items() if not v.arrived
            ]
            return Failure("; ".join(late))
        failed = [verdict for verdict in verdicts.values() if verdict.failed]
        # what was given up because of another says nothing that the other does not say better
        failed = [verdict for verdict in failed if not verdict.overruled] or failed
        return Failure(
            "; ".join(verdict.reason for verdict in failed),
            tuple(line for verdict in failed for line in verdict.output),
        )

    def wait_until_gone(self, instances: Sequence[str], seconds: float) -> list[str]:
        """Wait for processes to end and forget what they said; those that have not ended."""

        def left() -> list[str]:
            return [name for name in instances if self.status(name)]

        wait_for(lambda: not left(), seconds)
        for name in set(instances) - set(left()):
            with contextlib.suppress(OSError):  # gone, or the app has put something else there
                os.unlink(self.run_directory / f"{name}.json")
        return left()


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True


def is_zombie(pid: int) -> bool:
    return stat_fields(pathlib.Path(f"/proc/{pid}"))[0] in ("Z", "X")
