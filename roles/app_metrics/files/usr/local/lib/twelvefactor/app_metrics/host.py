# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inspect the host: its apps, their processes and releases, and certificates."""

from __future__ import annotations

import datetime
import json
import math
import os
import pathlib
import re
import ssl
import subprocess
import time
from typing import Any

from .kernel import command_line, descendants, read_processes
from .metrics import Sample
from .status import Status

LARGEST = 1 << 20  # bytes of a file that are read, its last ones


def formation(text: str) -> list[str]:
    """The processes that circusd is to run: the watchers of its configuration."""
    return re.findall(r"^\[watcher:([^\]]+)\]", text, flags=re.MULTILINE)


def attempts(text: str) -> list[dict[str, Any]]:
    """The deploys and rollbacks of releases.jsonl that have ended; broken lines are passed over."""
    found = []
    for line in text.splitlines():
        try:
            record = json.loads(line)
            at = datetime.datetime.fromisoformat(record["at"]).timestamp()
            if record["outcome"] in ("good", "bad"):
                seconds = record.get("seconds")
                if seconds is not None and not 0 <= seconds < float("inf"):
                    raise ValueError("seconds")
                found.append({**record, "time": at})
        except (
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            ArithmeticError,
            RecursionError,
        ):
            continue
    return found


class Inspection:
    """One inspection of everything."""

    def __init__(self, root: pathlib.Path, certificates: list[str]) -> None:
        self.root = root
        self.samples: list[Sample] = []
        self.problems: list[str] = []
        self.boot = 0.0
        began = time.time()
        # before the processes: what a pivot says serves is there for a while after it says so
        apps = self.apps()
        told = {app: self.statuses(app) for app in apps}
        self.processes = read_processes(root / "proc")
        for line in (self.text("proc/stat") or "").splitlines():
            if line.startswith("btime "):
                self.boot = float(line.split()[1])
        for app, current in apps.items():
            self.app(app, current, told[app])
        for pattern in certificates:
            for path in sorted(root.glob(pattern.lstrip("/"))):
                if not path.name.endswith((".trust.pem", ".upstream.pem")):
                    self.certificate(path)
        self.add("metrics_problems", len(self.problems))
        self.add("metrics_run_time_seconds", began)

    def add(self, name: str, value: float, **labels: str) -> None:
        if math.isfinite(value):
            self.samples.append(Sample(name, labels, value))

    def text(self, path: str) -> str | None:
        """What a file says, at its end; None, and a problem, where it cannot be read."""

        def plainly(name: str, flags: int) -> int:
            # an app can put links and pipes into its directories
            return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK)

        try:
            with open(self.root / path, "rb", opener=plainly) as file:
                length = os.fstat(file.fileno()).st_size
                file.seek(max(0, length - LARGEST))
                return file.read(LARGEST).decode("utf-8", "replace")
        except OSError as error:
            self.problems.append(f"/{path}: {error.strerror}")
        return None

    def apps(self) -> dict[str, str]:
        """The apps that something was deployed of, and the release that is current."""
        found = {}
        for path in sorted((self.root / "etc/circus").glob("*.ini")):
            link = self.root / "srv" / path.stem / "current"
            try:
                found[path.stem] = link.readlink().name
            except FileNotFoundError:
                continue
            except OSError as error:
                self.problems.append(f"/srv/{path.stem}/current: {error.strerror}")
                found[path.stem] = ""
        return found

    def statuses(self, app: str) -> dict[str, Status | None]:
        """What the pivots of the formation say; None where that cannot be known."""
        told: dict[str, Status | None] = {}
        for name in formation(self.text(f"etc/circus/{app}.d/formation.ini") or ""):
            path = f"run/{app}/{name}.json"
            text = self.text(path)
            try:
                told[name] = None if text is None else Status.of(text)
            except ValueError as error:
                self.problems.append(f"/{path}: {error}")
                told[name] = None
        return told

    def app(self, app: str, current: str, told: dict[str, Status | None]) -> None:
        if current:
            self.add("app_release_info", 1, app=app, release=current)
        releases = [self.process(app, name, status) for name, status in told.items()]
        up = [release for release in releases if release]
        self.add("app_healthy", int(bool(told) and len(up) == len(told)), app=app)
        self.add("app_processes_wanted", len(told), app=app)
        self.add("app_processes_up", len(up), app=app)
        self.add("app_processes_current", up.count(current), app=app)
        self.deploys(app)
        self.supervisor(app)
        self.schedules(app)

    def process(self, app: str, name: str, status: Status | None) -> str | None:
        """Which release the process runs; None when it is not up."""
        labels = {"app": app, "type": name.rpartition("-")[0], "process": name}
        if status and status.restarts is not None:
            self.add("process_restarts_total", status.restarts, **labels)
        if status and status.replacements is not None:
            self.add("process_replacements_total", status.replacements, **labels)
        pivot = self.processes.get(status.pivot) if status else None
        if not status or not pivot or name not in self.words(status.pivot):
            self.add("process_up", 0, **labels)
            return None
        child = self.processes.get(status.child or 0)
        up = child is not None and child.parent == status.pivot
        self.add("process_up", int(up), **labels)
        tree = descendants(self.processes, status.pivot)
        self.add("process_tree_size", len(tree), **labels)
        memory = sum(self.processes[pid].memory for pid in tree)
        self.add("process_resident_memory_bytes", memory, **labels)
        for step, seconds in status.seconds.items():
            self.add("process_move_seconds", seconds, **labels, step=step)
        self.add("process_starts_total", status.counter, **labels)
        if not up or child is None:
            return None
        began = self.boot + child.began / os.sysconf("SC_CLK_TCK")
        self.add("process_start_time_seconds", began, **labels)
        self.add("process_release_info", 1, **labels, release=status.release or "")
        return status.release

    def words(self, pid: int) -> list[str]:
        return command_line(self.root / "proc" / str(pid)).split("\0")

    def deploys(self, app: str) -> None:
        if not (self.root / "srv" / app / "releases.jsonl").exists():
            return
        ended = attempts(self.text(f"srv/{app}/releases.jsonl") or "")
        if ended:
            self.add("app_deploy_good", int(ended[-1]["outcome"] == "good"), app=app)
        for record in [record for record in ended if record["outcome"] == "good"][-1:]:
            self.add("app_deploy_time_seconds", record["time"], app=app)
            if isinstance(record.get("seconds"), int | float):
                self.add("app_deploy_duration_seconds", record["seconds"], app=app)

    def schedules(self, app: str) -> None:
        """Those whose timers the host has; what app-schedule wrote of the jobs of each."""
        for timer in sorted((self.root / "etc/systemd/system").glob(f"schedule-{app}@*.timer")):
            name = timer.stem.partition("@")[2]
            path = f"var/lib/app-schedules/{app}/{name}.json"
            if not (self.root / path).exists():  # none has begun
                continue
            try:
                told = json.loads(self.text(path) or "")
                found = {key: told.get(key) for key in ("succeeded", "seconds", "failures")}
            except (ValueError, AttributeError) as error:
                self.problems.append(f"/{path}: {error}")
                continue
            metrics = ("success_time_seconds", "duration_seconds", "failures_total")
            for metric, value in zip(metrics, found.values(), strict=True):
                if isinstance(value, int | float):
                    self.add(f"schedule_{metric}", value, app=app, schedule=name)

    def supervisor(self, app: str) -> None:
        ours = [
            process
            for pid, process in self.processes.items()
            if f"/etc/circus/{app}.ini" in (words := self.words(pid))
            and any(word.endswith("/circusd") for word in words)
        ]
        self.add("supervisor_up", int(bool(ours)), app=app)
        self.add("supervisor_resident_memory_bytes", sum(p.memory for p in ours), app=app)

    def certificate(self, path: pathlib.Path) -> None:
        command = ["openssl", "x509", "-noout", "-enddate", "-in", str(path)]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                timeout=10,
                env={"LC_ALL": "C"},
            )
            end = ssl.cert_time_to_seconds(done.stdout.partition("=")[2].strip())
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            self.problems.append(f"{path}: no certificate that openssl can read ({error})")
            return
        self.add("certificate_expiry_time_seconds", end, certificate=path.stem)
