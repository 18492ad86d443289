# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restart a supervisor that runs with older settings, while a bridge serves in its place."""

from __future__ import annotations

import contextlib
import datetime
import pathlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.decision import held
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.store import (
    LockFile,
    now,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.bridge import Bridge
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.outcome import (
    showable,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.pivot_contract import (
    PENDING,
    SPEC,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.status import (
    longest_move,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.supervisor import (
    Supervisor,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.watchers import (
    counted,
    watched,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.record import (
    bad_releases,
)

# What a supervisor and its pivots read when they start: its configuration, its unit, Circus and its Python,
# and the pivot. The last two are links that are flipped.
SETTINGS = (
    "/etc/circus/{app}.ini",
    "/etc/systemd/system/circus@{app}.service",
    "/opt/circus",
    "/usr/local/lib/twelvefactor/pivot",
)
STARTED = "%a %Y-%m-%d %H:%M:%S.%f %Z"  # systemctl --timestamp=us+utc

# What is to be done.
NOTHING = "nothing"
RESTART = "restart"  # nothing serves that could be interrupted
BRIDGE = "bridge"  # restart, and a bridge serves meanwhile
FINISH = "finish"  # end a bridge that an interrupted run has left


@dataclass(frozen=True)
class Situation:
    """What the host says."""

    active: bool
    bridged: bool  # a bridge that a run has left
    outdated: tuple[str, ...]  # settings that are newer than the supervisor that runs
    current: str | None
    unproven: bool  # whether `current` names a release that a pivot would not start first
    serving: Mapping[str, str]  # processes that serve, and which release
    listening: tuple[str, ...]  # those that requests go to, and another one may run beside them


@dataclass(frozen=True)
class HandOver:
    """``names`` are the processes that are to serve without interruption."""

    action: str
    names: tuple[str, ...] = ()
    warning: str = ""


def decide(app: str, seen: Situation) -> HandOver:
    late = [name for name in seen.listening if name not in seen.serving]
    if not seen.active or not (seen.outdated or seen.bridged):
        return HandOver(NOTHING)
    if not seen.outdated:
        if late:
            return HandOver(
                NOTHING,
                warning=f"A bridge serves for {', '.join(late)} of {app}, which an interrupted run has left:"
                " deploy a release that works.",
            )
        return HandOver(FINISH)
    names = tuple(name for name in seen.listening if name in seen.serving)
    if not names:
        return HandOver(RESTART)
    if seen.unproven or {seen.serving[name] for name in names} != {seen.current}:
        return HandOver(
            NOTHING,
            warning=f"The supervisor of {app} keeps its earlier settings: a deploy was interrupted, and a restart"
            " would move processes to another release. Deploy, then run this again.",
        )
    return HandOver(BRIDGE, names)


def listening(specs: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> tuple[str, ...]:
    """Of these processes those that a bridge can stand in for."""
    kinds = {kind for kind, spec in specs.items() if spec["socket"] and spec["overlap"]}
    return tuple(name for name in names if name.rpartition("-")[0] in kinds)


def specs_of(home: AppHome, release: str | None) -> dict[str, dict[str, Any]]:
    """The process types of a release, with the defaults that its pivots have."""
    manifest = (home.manifest(release) if release else None) or {}
    return {kind: SPEC | spec for kind, spec in manifest.get("processes", {}).items()}


def newer(paths: Collection[str], started: float) -> tuple[str, ...]:
    """Which of these files, or links themselves, were written after that (seconds since the epoch)."""
    found = []
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            if pathlib.Path(path).lstat().st_mtime > started:
                found.append(path)
    return tuple(found)


def parse_time(text: str) -> float:
    """Seconds since the epoch. Raises ValueError."""
    moment = datetime.datetime.strptime(text.strip(), STARTED)
    return moment.replace(tzinfo=datetime.UTC).timestamp()


def inspect(supervisor: Supervisor) -> Situation:
    """Read what the host says. Changes nothing."""
    home, app = supervisor.home, supervisor.home.app
    active = supervisor.is_active()
    if not active:
        return Situation(
            active=False, bridged=False, outdated=(), current=None, unproven=False, serving={}, listening=()
        )  # fmt: skip
    records, current = home.records(), home.current()
    names = watched(supervisor.configuration())
    statuses = {name: supervisor.status(name) for name in names}
    pending = bool(records) and records[-1].outcome == PENDING
    return Situation(
        active=True,
        bridged=Bridge(home).is_active(),
        outdated=newer(
            [path.format(app=app) for path in SETTINGS], parse_time(supervisor.started())
        ),
        current=current,
        unproven=pending or current in bad_releases(records),
        serving={
            name: status.release
            for name, status in statuses.items()
            if status and status.release and supervisor.serves(status, status.release)
        },
        listening=listening(specs_of(home, current), names),
    )


def require_no_deploy(app: str) -> None:
    """Raise DeployError where somebody holds the deploy lock: what he moves next must not stand in the way."""
    lock = LockFile(app).read()
    if lock is not None and lock.left(now()) > 0:
        raise DeployError(held(lock, app, now()))


def carry_out(supervisor: Supervisor, plan: HandOver, outdated: Sequence[str]) -> None:
    """Raises DeployError with what serves then."""
    bridge = Bridge(supervisor.home)
    if plan.action == RESTART:
        supervisor.restart()
    if plan.action == BRIDGE:
        restart_bridged(supervisor, bridge, plan.names, outdated)
    if plan.action == FINISH:
        bridge.end()


def restart_bridged(
    supervisor: Supervisor, bridge: Bridge, names: Sequence[str], outdated: Sequence[str]
) -> None:
    home = supervisor.home
    release = home.current() or ""
    seconds = longest_move(specs_of(home, release), counted(names))

    def serves(unit: Supervisor, start: Callable[[], None]) -> str:
        """Start it; why it does not serve."""
        try:
            start()
            failure = unit.follow(dict.fromkeys(names), release, seconds)
        except DeployError as error:
            return str(error)
        return str(showable(failure, home, release))

    problem = serves(bridge, lambda: bridge.begin(names))
    if problem:
        bridge.end()
        raise DeployError(
            f"The supervisor of {home.app} is to be restarted with new settings ({', '.join(outdated)}), but"
            f" release {release} does not start with them beside its processes that serve: {problem}\n"
            "No request was interrupted, and the supervisor goes on with its earlier settings. Mend the settings;"
            f" or, where the host has no room for both, have it interrupted: systemctl restart {supervisor.unit}."
        )

    def restart() -> None:
        with bridge.standing_in(names):
            supervisor.restart()

    problem = serves(supervisor, restart)
    if problem:
        raise DeployError(
            f"{supervisor.unit} was restarted with new settings, and does not serve: {problem}\n"
            f"No request was interrupted: {bridge.unit} serves until a deploy succeeds."
        )
    bridge.end()
