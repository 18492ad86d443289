# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to happen so that a release serves: a request, what a host says, and the plan. Pure."""

from __future__ import annotations

import urllib.parse
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes import timers
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.nginx_probe import (
    check_url,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.status import (
    longest_move,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.watchers import (
    counted,
    instances,
    kind_of,
    listening,
    only,
    united,
    watched,
    watchers,
    without,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.masking import reason_of
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.model import (
    RELEASE_ID,
    check_formation,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.record import (
    Record,
    bad_releases,
    formation_of,
    history,
    provenance,
    rollback_target,
)

PREVIOUS = "previous"  # instead of an id: what a rollback goes to


@dataclass(frozen=True)
class SwitchRequest:
    """What is asked for: a release, how many processes of it, and what the record says of it."""

    release: str
    formation: Mapping[str, int] | None = None
    probe_url: str | None = None
    probe_type: str = "web"  # the process type that the URL leads to
    event: str = "deploy"
    by: str | None = None
    commit: str | None = None
    reason: str | None = None
    timeout: float | None = None  # seconds
    clean: bool = False  # end everything of the app first
    # whether this host runs the schedules of which one host of the app is enough
    schedule_host: bool = True
    leave_listening: bool = False  # what nginx passes requests to ends when it is asked for again

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> SwitchRequest:
        """Raises DeployError for a URL of which nginx could not be asked."""
        url = params["probe_url"]
        if url:
            try:
                check_url(url)
            except ValueError as error:
                raise DeployError(f"probe_url: {error}.") from None
        return cls(
            release=params["release"],
            formation=params["formation"],
            probe_url=url,
            probe_type=params["probe_type"],
            event=params["event"],
            by=params["by"],
            commit=params["commit"],
            reason=params["reason"],
            timeout=params["timeout"],
            clean=params["clean"],
            schedule_host=params["schedule_host"],
            leave_listening=params["leave_listening"],
        )


@dataclass(frozen=True)
class Found:
    """What the host says before anything is changed."""

    app: str
    current: str | None  # what the link names
    installed: Sequence[str]
    records: Sequence[Record]
    configuration: str
    active: bool  # whether circusd runs
    loaded: Sequence[str]  # what circusd runs, or tries to run
    serving: str | None  # the one release that every process of the configuration runs
    runs: Mapping[str, str | None]  # per process of the configuration, what it says it runs
    # Installed releases that the Python of this host cannot run, and why.
    unfit: Mapping[str, str] = field(default_factory=dict)
    timers: Mapping[str, str] = field(default_factory=dict)  # units of schedules
    listening: Mapping[str, int] = field(default_factory=dict)  # how many processes, by type
    manifests: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # of what they run


@dataclass(frozen=True)
class Plan:
    """What has to happen so that ``target`` serves with ``formation``."""

    app: str
    current: str | None  # what the link names
    before: str | None  # what to go back to
    target: str
    formation: dict[str, int]
    old_configuration: str
    new_configuration: str
    way_back: str  # the configuration that belongs to ``before``
    served: bool  # whether every process of the formation, and none besides, runs the target
    recorded: bool  # false when the run that brought it there was cut off before its entry
    timeout: float
    request: SwitchRequest
    runs: Mapping[str, str | None]
    manifest: Mapping[str, Any]  # of the target; empty where it is only going to be installed
    old_timers: Mapping[str, str]  # units of schedules
    listened: Mapping[str, int] = field(default_factory=dict)  # how many processes, by type
    left: tuple[str, ...] = ()  # processes that are none of the formation, and stay for now

    @property
    def names(self) -> list[str]:
        return instances(self.formation)

    @property
    def needed(self) -> bool:
        old = (self.current, self.old_configuration, self.old_timers)
        new = (self.target, self.new_configuration, self.new_timers)
        return self.request.clean or old != new or not (self.served and self.recorded)

    @property
    def new_timers(self) -> Mapping[str, str]:
        # of what is only going to be installed nothing is known; the module release shows its schedules
        return (
            timer_units(self.app, self.manifest, self.request) if self.manifest else self.old_timers
        )

    @property
    def listening(self) -> dict[str, int]:
        """How many processes listen then, by type."""
        return listening(dict.fromkeys(self.names, self.target), {self.target: self.manifest})

    def record(self, at: str) -> Record:
        """The entry from before the attempt; ``at`` is when it begins, in UTC."""
        request = self.request
        return Record(
            at=at,
            event="rollback" if request.release == PREVIOUS else request.event,
            release=self.target,
            outcome="pending",
            before=self.before,
            reason=reason_of(request.reason or "") or None,
            formation=self.formation,
            by=request.by or None,
            commit=request.commit or self.manifest.get("commit"),
            **provenance(self.manifest),
        )

    def result(self) -> dict[str, Any]:
        """What the module says, in check mode as well."""
        wanted = dict.fromkeys(self.names, self.target)
        first = "all processes of the app's user: ended first\n" if self.request.clean else ""
        ran = counted(watched(self.old_configuration))
        return {
            "changed": self.needed,
            "release": self.target,
            "previous": self.before,
            "formation": self.formation,
            "previous_formation": ran,
            # of what is only going to be installed nobody knows what listens
            "listening": self.listening if self.manifest else counted(self.names),
            "previous_listening": dict(self.listened) if self.manifest else ran,
            "left": list(self.left),
            "diff": {
                "before": shown(self.current, self.runs, self.old_configuration)
                + timers.shown(self.old_timers),
                "after": first
                + shown(self.target, wanted, self.new_configuration)
                + timers.shown(self.new_timers),
            },
        }


def pick_target(found: Found, wanted: str, *, predicted: bool = False) -> str:
    """``predicted``: in check mode the release may be one that would have been installed by now."""
    installed = ", ".join(found.installed) or "none"
    if wanted == PREVIOUS:
        usable = [release for release in found.installed if release not in found.unfit]
        target = rollback_target(found.records, found.current, usable)
        if target is None:
            known = history(found.records)
            raise DeployError(
                f"There is nothing to roll {found.app} back to: {found.current or 'no release'} "
                f"serves, the record has {', '.join(known) or 'no good release'}, and installed "
                f"are {installed}.{''.join(f' {why}' for why in found.unfit.values())}"
            )
        return target
    if wanted not in found.installed and not (predicted and RELEASE_ID.match(wanted)):
        raise DeployError(
            f"Release {wanted} of {found.app} is not installed on this host; installed are "
            f"{installed}. Install it with twelvefactor.deploy.release."
        )
    return wanted


def pick_formation(
    records: Sequence[Record], current: str | None, target: str, wanted: Mapping[str, int] | None
) -> dict[str, int]:
    """The one asked for, else the target's last one, else that of what serves, else one web."""
    formation = wanted or formation_of(records, target) or formation_of(records, current or "")
    return dict(formation or {"web": 1})


def pick_before(found: Found, target: str) -> str | None:
    """What to go back to: what every process runs, else what served last by the record.

    ``current`` says neither when an earlier run was cut off. Of a cut-off move to the ``target``
    itself some processes may have arrived, or all of them, and the run before its entry in the
    record. A release that was refused and serves all the same is nothing to go back to, even where
    there is nothing else.
    """
    refused = bad_releases(found.records)
    usable = [each for each in found.installed if each not in refused]
    recorded = next((each for each in reversed(history(found.records)) if each in usable), None)
    if found.current == target:
        return recorded or found.current
    if found.serving in usable:
        return found.serving
    return recorded or (None if found.current in refused else found.current)


def pick_left(
    found: Found,
    request: SwitchRequest,
    formation: Mapping[str, int],
    running: Mapping[str, Mapping[str, Any]],
) -> tuple[str, ...]:
    """Processes of types of which none is to run, and to which nginx passes requests until it is told.

    Of a type that goes on it asks another process instead of one that has ended.
    """
    if not request.leave_listening or request.clean:
        return ()
    left = []
    for name in found.loaded:
        kind = name.rpartition("-")[0]
        spec = running.get(found.runs.get(name) or "", {}).get("processes", {}).get(kind, {})
        if spec.get("socket") and not formation.get(kind):
            left.append(name)
    return tuple(left)


def known_to(
    release: str | None, running: Mapping[str, Mapping[str, Any]], configuration: str
) -> str:
    """The configuration without types that the release does not have, which an interrupted run may have left."""
    if release is None or release not in running:
        return configuration
    names = watched(configuration)
    commands = running[release]["commands"]
    return without(
        configuration, [name for name in names if name.rpartition("-")[0] not in commands]
    )


def require_proof(found: Found, request: SwitchRequest, target: str) -> None:
    """Raise DeployError where a release that was refused would become one that counts as good.

    Only a deploy proves a release: nobody scales a refused one or goes back to it.
    """
    if request.event != "deploy" and target in bad_releases(found.records):
        raise DeployError(
            f"Release {target} of {found.app} was refused on this host when it was tried last, so it "
            f"is nothing to {'scale' if request.event == 'scale' else 'go back to'}. Deploy it again, "
            "or another release."
        )


def decide(
    request: SwitchRequest,
    found: Found,
    target: str,
    formation: dict[str, int],
    manifest: Mapping[str, Any],
    *,
    served: bool,
    running: Mapping[str, Mapping[str, Any]] | None = None,
) -> Plan:
    """``served``: whether every process of the formation runs the target already. ``running``: manifests of the
    releases that processes run.

    Raises DeployError for a formation that the target does not have.
    """
    if manifest:
        check_formation(formation, manifest["commands"], f"release {target}")
    before = pick_before(found, target)
    configured = found.configuration if found.active else ""
    strays = set(found.loaded) - set(instances(formation))
    way_back = known_to(before, running or {}, found.configuration)
    if before is not None and before != found.current:
        way_back = watchers(found.app, formation_of(found.records, before) or formation, configured)
    left = pick_left(found, request, formation, running or {})
    wanted = watchers(found.app, formation, configured)
    longest = longest_move(manifest["processes"], formation) if manifest else 0.0
    return Plan(
        app=found.app,
        current=found.current,
        before=before,
        target=target,
        formation=formation,
        old_configuration=found.configuration,
        new_configuration=united(only(found.configuration, left), wanted) if left else wanted,
        way_back=way_back,
        served=served and not strays,
        recorded=history(found.records)[-1:] == [target],
        timeout=request.timeout or longest,
        request=request,
        runs=found.runs,
        manifest=manifest,
        old_timers=found.timers,
        listened=found.listening,
        left=left,
    )


def timer_units(app: str, manifest: Mapping[str, Any], request: SwitchRequest) -> dict[str, str]:
    """The units of a release's schedules on this host."""
    return timers.units(app, manifest.get("schedules", {}), chosen=request.schedule_host)


def shown(current: str | None, runs: Mapping[str, str | None], configuration: str) -> str:
    """One side of the diff: what ``current`` names, and which process runs what."""
    lines = [f"current: {current}", *(f"process {name}: {what}" for name, what in runs.items())]
    return "".join(f"{line}\n" for line in lines) + configuration


@dataclass(frozen=True)
class Difference:
    """What circusd runs, held against the processes that are wanted."""

    kept: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    # Of the removed ones those that the configuration does not name, and those that serve nobody.
    strays: tuple[str, ...] = ()


def compare(
    loaded: Sequence[str],
    configured: Sequence[str],
    wanted: Sequence[str],
    idle: Collection[str] = (),
) -> Difference:
    """``loaded`` is what circusd runs, ``configured`` what its configuration on the disk names.

    ``idle`` are processes by which no release serves. Where there are strays, circusd is going to read
    the configuration without them before anything else.
    """
    removed = [name for name in loaded if name not in wanted]
    strays = [name for name in removed if name not in configured or name in idle]
    old = [name for name in configured if name not in strays] if strays else loaded
    return Difference(
        kept=tuple(name for name in wanted if name in old),
        added=tuple(name for name in wanted if name not in old),
        removed=tuple(removed),
        strays=tuple(strays),
    )


def probe_target(
    request: SwitchRequest, manifest: Mapping[str, Any] | None, names: Sequence[str]
) -> str | None:
    """What nginx is asked for one of these processes, None when none of them answers requests.

    Another release may be well at another path. Paths of other types may be none of nginx's.
    """
    spec = (manifest or {}).get("processes", {}).get(request.probe_type, {})
    runs = request.probe_type in map(kind_of, names)
    if not request.probe_url or not runs or not spec.get("socket"):
        return None
    path = spec.get("health", {}).get("path")
    # "": a connection is proof enough
    return None if path == "" else urllib.parse.urljoin(request.probe_url, str(path or ""))
