# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host without Ansible: real pivots and app servers, the real module, a supervisor that can be killed.

The module runs in a process that this one forks, and a fault strikes at one of its steps, counted by Python's
audit events: where that is does not depend on how fast the machine is.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.testing import patch_module_args
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock import fence
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.decision import (
    Wish,
    take,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.store import (
    LockFile,
    now,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes import nginx_probe
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes import (
    supervisor as processes_supervisor,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.supervisor import (
    Supervisor,
    wait_for,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from ansible_collections.twelvefactor.deploy.plugins.modules import graceful_reload
from unit.pivot.harness import INSTALLED, ISOLATED, PATIENCE, PYTHON, Site, is_running
from unit.storm.clients import ask

HERE = pathlib.Path(__file__).resolve().parent
TIMES = {"ready_timeout": 30.0, "drain_timeout": 10.0, "stop_timeout": 10.0}
# What counts as a step of the module: what it changes, and each look at what a pivot says.
STEPS = ("os.rename", "os.remove", "os.symlink", "os.kill", "signal.pidfd_send_signal")


@dataclass(frozen=True)
class Local(Supervisor):
    """That of the module, but for where things are and how circusd is spoken to."""

    run_dir: pathlib.Path = pathlib.Path()
    configuration_file: pathlib.Path = pathlib.Path()

    @property
    def configuration_path(self) -> pathlib.Path:
        return self.configuration_file

    @property
    def run_directory(self) -> pathlib.Path:
        return self.run_dir

    def _circusctl(self, what: str, *command: str) -> str:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(3)
                connection.connect(str(self.run_dir / "control.sock"))
                connection.sendall(" ".join(command).encode())
                answer = connection.recv(65536).decode()
        except OSError as error:
            raise DeployError(f"Could not {what}: {error}") from None
        return answer

    def stop_bridge(self) -> None:
        """There is none."""

    def is_active(self) -> bool:
        """As systemd has it: one that was stopped is active, one that is restarted is not."""
        try:
            pid = int((self.run_dir / "circusd").read_text())
            return (self.run_dir / "unit").exists() and is_running(pid)
        except (OSError, ValueError):
            return False

    def _answers(self) -> bool:
        with contextlib.suppress(DeployError):
            self._circusctl("ask", "list")
            return True
        return False

    def start(self) -> None:
        (self.run_dir / "unit").touch()
        if not wait_for(self._answers, PATIENCE):
            raise DeployError("circusd does not start")

    def stop(self) -> None:
        (self.run_dir / "unit").unlink(missing_ok=True)


@dataclass(frozen=True)
class Fault:
    """``kind`` of ``victim``, at that step of the module; 0 for none."""

    victim: str = ""  # module | pivot | circusd | app | disk
    how: str = ""  # KILL | STOP | full
    step: int = 0


@dataclass(frozen=True)
class Ended:
    """How a module ended: its exit code (-9 where it was killed) and its message."""

    code: int
    message: str


@dataclass
class Host:
    site: Site
    seed: int
    stopped: Callable[[], None] = lambda: None  # called while a module is stopped
    others: list[subprocess.Popen[Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        scratch, root = self.site.scratch, self.site.root
        self.random = random.Random(self.seed)
        self.lock = LockFile("shop", scratch / "locks")
        self.lock.directory.mkdir()
        (scratch / "shop.d").mkdir()
        self.home = AppHome("shop", root, os.geteuid(), os.getegid(), os.geteuid())
        self.supervisor = Local(self.home, self.site.run_dir, scratch / "shop.d" / "formation.ini")
        self.broken_at_nginx: set[str] = set()
        self.answers = scratch / "answers"
        pivot = [*ISOLATED, str(INSTALLED), str(root)]
        through = ["sh", "-c", f'exec "$@" "--run-dir={self.site.run_dir}" >> {scratch}/log 2>&1']
        unit = [self.site.run_dir, self.supervisor.configuration_path, *through, "sh", *pivot]
        self.spawn([PYTHON, "-I", "-S", HERE / "supervisor.py", "unit", *unit])
        link = self.site.run_dir / "web-1.sock"
        with self.answers.open("w") as file:
            client = [PYTHON, "-I", "-S", HERE / "clients.py", link, str(os.getpid())]
            self.spawn(client, stdout=file)

    def spawn(self, command: list[Any], **options: Any) -> None:
        self.others.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, **options))

    def close(self) -> None:
        for process in self.others:
            process.terminate()
        for process in self.others:
            process.wait(PATIENCE)
        self.site.end_adopted()

    # -- releases

    def install(self, name: str, **kinds: dict[str, Any]) -> str:
        """A release with these process types; a value is what the server of that type does wrong."""
        specs = {kind: {**TIMES, "misbehave": wrong} for kind, wrong in kinds.items()}
        self.site.formation(name, **specs)
        path = self.home.releases / name / "release.json"
        document = json.loads(path.read_text())
        count = len(list(self.home.releases.iterdir()))
        document |= {"installed_at": f"{count:05}", "commands": dict.fromkeys(kinds, "x")}
        path.write_text(json.dumps(document))
        return name

    # -- the lock

    def take(self, run: str, *, steal: bool = False) -> int:
        """The generation of the lock that the run has then. Raises Refused."""
        wish = Wish("shop", f"{run}@c", run, steal=steal)
        with self.lock.alone():
            before = self.lock.read()
            decision = take(before, wish, now(), self.lock.generation())
            with fence.taking_from(before, wish):
                self.lock.write(decision.lock)
        assert decision.lock
        return decision.lock.generation

    # -- the module

    def run(self, fault: Fault = Fault(), **params: Any) -> Ended:
        """Run graceful_reload to its end."""
        out = self.site.scratch / "module"
        pid = os.fork()
        if not pid:
            self._be_module(fault, out, {"app": "shop", "by": "joe", **params})
        while os.WIFSTOPPED(status := os.waitpid(pid, os.WUNTRACED)[1]):
            self.stopped()
            os.kill(pid, signal.SIGCONT)
        code = os.waitstatus_to_exitcode(status)
        text = out.read_text()
        assert code in (0, 1, -signal.SIGKILL), text
        message = json.loads(text.splitlines()[-1]).get("msg", "") if code == 1 else ""
        return Ended(code, message)

    def _be_module(self, fault: Fault, out: pathlib.Path, params: dict[str, Any]) -> None:
        code = 99
        try:
            handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            sys.stdout = sys.stderr = os.fdopen(handle, "w")
            here = self.supervisor
            Supervisor.of = classmethod(lambda _cls, _app, predicted=False: here)  # type: ignore[method-assign]
            nginx_probe.PROBE_PATIENCE = 0.5
            nginx_probe.ask = self._ask_nginx
            processes_supervisor.COMMAND_TIMEOUT = 5.0
            if os.geteuid() != 0:
                os.geteuid = lambda: 0
                os.fchown = lambda *_arguments: None
            if fault.step:
                self._arm(fault)
            with patch_module_args({**params, "_ansible_diff": False}):
                graceful_reload.main()
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 0
        finally:
            sys.stdout.flush()
            os._exit(code)

    def _ask_nginx(self, _url: str, _seconds: float) -> str:
        try:
            release = ask(str(self.site.run_dir / "web-1.sock"))
        except OSError as error:
            return str(error)
        return "502 Bad Gateway" if release in self.broken_at_nginx else ""

    def _arm(self, fault: Fault) -> None:
        seen, busy = 0, False

        def look(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal seen, busy
            if busy:
                return
            path = str(arguments[0]) if arguments else ""
            if event in STEPS or (event == "open" and path.endswith("-1.json")):
                seen += 1
                if seen == fault.step and fault.how != "full":
                    busy = True
                    self._strike(fault)
                    busy = False
            writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
            if fault.how == "full" and seen >= fault.step and (writes or event == "os.symlink"):
                raise OSError(errno.ENOSPC, "No space left on device", path)

        sys.addaudithook(look)

    def _strike(self, fault: Fault) -> None:
        pid = self.victim(fault.victim)
        if pid is None:
            return
        if fault.how == "STOP" and pid != os.getpid():
            # whoever waits for it must not wait for ever
            subprocess.Popen(["sh", "-c", f"sleep 0.7; kill -CONT {pid}"])
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.Signals[f"SIG{fault.how}"])

    def victim(self, what: str) -> int | None:
        if what == "module":
            return os.getpid()
        if what == "circusd":
            with contextlib.suppress(OSError, ValueError):
                return int((self.site.run_dir / "circusd").read_text())
            return None
        statuses = [self.supervisor.status(path.stem) for path in self.pivot_files()]
        alive = [status for status in statuses if status]
        if not alive:
            return None
        chosen = alive[self.seed % len(alive)]
        return chosen.pid if what == "pivot" else chosen.child

    def pivot_files(self) -> Iterable[pathlib.Path]:
        return sorted(self.site.run_dir.glob("*-*.json"))

    # -- what can be seen

    def answered(self) -> list[tuple[float, str]]:
        """What the client got: when it asked (monotonic), and the release that answered or why not."""
        lines = self.answers.read_text().rpartition("\n")[0].splitlines()
        return [(float(line.split(" ", 1)[0]), line.split(" ", 1)[1]) for line in lines]

    def running(self) -> dict[str, str | None]:
        """The release of each process whose pivot is alive."""
        found = {path.stem: self.supervisor.status(path.stem) for path in self.pivot_files()}
        return {name: status.release for name, status in found.items() if status}

    def awake(self) -> None:
        """Wait until faults are over: circusd answers, if it is to run at all."""
        if (self.site.run_dir / "unit").exists():
            assert wait_for(self.supervisor._answers, PATIENCE)
        time.sleep(0.8)  # what was stopped goes on by then, see _strike
