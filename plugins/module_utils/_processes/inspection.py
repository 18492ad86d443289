# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an app does on this host: what runs, what is installed, the record. Changes nothing."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import pathlib
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.decision import iso
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.fence import guard_of
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.store import (
    LockFile,
    Unreadable,
    now,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.command import ANSWER, run
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.flock import (
    FLOCKS,
    is_held,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.processes import (
    stat_fields,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.bridge import Bridge
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.drift import (
    Seen,
    common_release,
    drift,
    formation_of,
    state,
    unwell,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.footprint import (
    disk,
    memory,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.health_probe import (
    probe,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.jobs import results
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.status import INSTANCE
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.supervisor import (
    Supervisor,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.watchers import (
    listening,
    watched,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.record import (
    Record,
    bad_releases,
    rollback_targets,
    serving_since,
)

EXTRA = 20  # of the processes that nobody wants are told; an app can forge thousands
TOLD = ("version", "installed_at", "python")


@dataclass(frozen=True)
class InspectionRequest:
    """How closely to look."""

    records: int  # how many of the last ones
    probe: bool  # ask web processes for their health
    details: bool  # memory, disk, packages
    bridge: bool  # look for one that an interrupted restart has left


@dataclass(frozen=True)
class Inspection:
    """What was read."""

    current: str | None
    records: Sequence[Record]
    complete: Mapping[str, Mapping[str, Any]]  # manifests, the oldest first
    unfinished: Sequence[str]
    unfit: Collection[str]  # those of the complete ones that the Python of this host cannot run
    wanted: Sequence[str]  # processes, by the formation
    seen: Mapping[str, Seen]
    unit: str
    active: bool
    restarts: int
    disk: Mapping[str, Any] | None  # None: nobody looked
    schedules: Mapping[str, Mapping[str, Any]]
    bridge: str | None  # its unit; None: there is none, or nobody looked

    def drift(self) -> list[str]:
        found = drift(self.current, self.complete, self.wanted, self.seen)
        down = self.current and not self.active
        return [f"{self.unit} does not run", *found] if down else found

    def listening(self) -> dict[str, int]:
        """One that has just ended is going to start again with what ``current`` names."""
        ran = {name: self.seen[name].release or self.current for name in self.wanted}
        return listening(ran, self.complete)

    def releases(self) -> list[dict[str, Any]]:
        bad = bad_releases(self.records)
        return [
            {"id": name, **{key: manifest.get(key) for key in TOLD}, "bad": name in bad}
            for name, manifest in self.complete.items()
        ]

    def to_result(self, request: InspectionRequest) -> dict[str, Any]:
        differs, sick = self.drift(), unwell(self.seen.values())
        current, first = self.current, max(0, len(self.records) - request.records)
        serving = self.complete.get(current or "", {})
        usable = [name for name in self.complete if name not in self.unfit]
        return {
            "state": state(True, current, self.wanted, self.seen, [*differs, *sick]),
            "current": current,
            "serving": common_release(self.seen.values()),
            "since": serving_since(self.records, current),
            "rollback_targets": rollback_targets(self.records, current, usable),
            "active": self.active,
            "restarts": self.restarts,
            "formation": formation_of(self.wanted),
            "listening": self.listening(),
            "processes": {name: process.told() for name, process in self.seen.items()},
            "releases": self.releases(),
            "unfinished": list(self.unfinished),
            "records": [json.loads(record.line()) for record in self.records[first:]],
            "drift": differs,
            "unwell": sick,
            "packages": serving.get("packages") if request.details else None,
            "disk": self.disk,
            "schedules": dict(self.schedules),
            "bridge": self.bridge,
        }


NOTHING: dict[str, Any] = {
    "state": "absent",
    "current": None,
    "serving": None,
    "since": None,
    "rollback_targets": [],
    "active": False,
    "restarts": 0,
    "formation": {},
    "listening": {},
    "processes": {},
    "releases": [],
    "unfinished": [],
    "records": [],
    "drift": [],
    "unwell": [],
    "packages": None,
    "disk": None,
    "schedules": {},
    "bridge": None,
}


def inspect(app: str, request: InspectionRequest) -> dict[str, Any]:
    """All that the module says of an app, also of one that is not there."""
    home = home_of(app)
    found = read(home, request).to_result(request) if home else NOTHING
    return {**found, "lock": locked(app)}


def home_of(app: str) -> AppHome | None:
    try:
        return AppHome.of(app)
    except DeployError:  # it has no user or no directory
        return None


def read(home: AppHome, request: InspectionRequest) -> Inspection:
    supervisor, current, records = Supervisor(home), home.current(), home.records()
    complete, unfinished = manifests(home)
    wanted = watched(supervisor.configuration())
    specs = complete.get(current or "", {}).get("processes", {})
    seen = processes(supervisor, wanted, specs, request)
    return Inspection(
        current=current,
        records=records,
        complete=complete,
        unfinished=unfinished,
        unfit=[name for name in complete if home.python_problem(name)],
        wanted=wanted,
        seen=seen,
        unit=supervisor.unit,
        active=supervisor.is_active(),
        restarts=restarts(supervisor),
        disk=disk(home.root, home.releases) if request.details else None,
        schedules=results(supervisor.timers),
        bridge=bridge_left(Bridge(home)) if request.bridge else None,
    )


def processes(
    supervisor: Supervisor,
    wanted: Sequence[str],
    specs: Mapping[str, Any],
    request: InspectionRequest,
) -> dict[str, Seen]:
    """Those that should run, and those that do although they should not."""
    seen = {name: look(supervisor, name) for name in [*wanted, *extra(supervisor, wanted)]}
    listening = {}
    for name, process in seen.items():
        spec = specs.get(name.rpartition("-")[0], {})
        if request.probe and process.pid and spec.get("socket"):
            listening[name] = spec
    found = probe(supervisor.run_directory, supervisor.home.app, listening)
    for name, (well, answer) in found.items():
        seen[name] = dataclasses.replace(seen[name], healthy=well, answer=answer)
    if request.details:
        taken = memory({process.pivot for process in seen.values() if process.pivot})
        for name, process in seen.items():
            seen[name] = dataclasses.replace(process, memory=taken.get(process.pivot or 0))
    return seen


def extra(supervisor: Supervisor, wanted: Sequence[str]) -> list[str]:
    """The processes that run, by their status files, although nobody wants them, the first EXTRA of them."""
    try:
        names = sorted(os.listdir(supervisor.run_directory))
    except OSError:
        names = []
    told = [name.removesuffix(".json") for name in names if name.endswith(".json")]
    known = (name for name in told if INSTANCE.match(name) and name not in wanted)
    return list(itertools.islice(filter(supervisor.status, known), EXTRA))


def look(supervisor: Supervisor, name: str) -> Seen:
    status = supervisor.status(name)
    if status is None:
        return Seen(name)
    return Seen(
        name,
        state=status.state,
        release=status.release,
        pid=status.child,
        pivot=status.pid,
        generation=status.generation,
        restarts=status.restarts,
        replacements=status.replacements,
        since=began(status.child) if status.child else None,
        serves=supervisor.serves(status, status.release or ""),
    )


def began(pid: int) -> str | None:
    """When a process began, in UTC: field 22 of proc_pid_stat(5), in ticks since the boot."""
    try:
        ticks = int(stat_fields(pathlib.Path(f"/proc/{pid}"))[19])
    except (OSError, ValueError, IndexError):
        return None
    ago = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return iso(time.time() - ago)


def manifests(home: AppHome) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The release.json of each complete release, by id, and the ids of the others."""
    complete, others = {}, []
    for path in sorted(home.releases.iterdir()):
        if not path.is_dir():
            continue
        try:
            manifest = home.manifest(path.name)
        except DeployError:  # what cannot be read is no better than what is not there
            manifest = None
        if manifest:
            complete[path.name] = manifest
        else:
            others.append(path.name)
    by_age = sorted(complete, key=lambda name: (str(complete[name].get("installed_at")), name))
    return {name: complete[name] for name in by_age}, others


def bridge_left(bridge: Bridge) -> str | None:
    """The unit of a bridge that nobody is going to end; None while somebody works on the app."""
    if not bridge.is_active() or is_held(FLOCKS / guard_of(bridge.home.app)):
        return None
    return bridge.unit


def restarts(supervisor: Supervisor) -> int:
    code, output = run(
        ["systemctl", "show", "--value", "--property", "NRestarts", supervisor.unit],
        "ask systemd",
        30.0,
        whole=ANSWER,
    )
    return int(output) if code == 0 and output.strip().isdigit() else 0


def locked(app: str) -> dict[str, Any] | None:
    try:
        lock = LockFile(app).read()
    except Unreadable as error:
        return {"owner": "nobody knows", "run": "", "reason": str(error), "expired": False}
    if lock is None:
        return None
    told = lock.told(now())
    del told["process"]
    return told
