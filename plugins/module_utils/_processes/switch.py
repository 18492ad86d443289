# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a release the one that serves, and put back what served before when it does not."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import (
    DeployError,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.nginx_probe import (
    probe,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.nginx_site import (
    leads_to,
    read_site,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.outcome import (
    Outcome,
    explained,
    served,
    showable,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.status import (
    Status,
    slowest_steps,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.supervisor import (
    Failure,
    Supervisor,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.switch_plan import (
    Difference,
    Found,
    Plan,
    SwitchRequest,
    compare,
    decide,
    pick_formation,
    pick_target,
    probe_target,
    require_proof,
    timer_units,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.watchers import (
    instances,
    listening,
    united,
    watched,
    without,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.home import AppHome
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.masking import reason_of
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.record import Record
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.verification import (
    require_untouchable,
    verify,
)


def inspect(supervisor: Supervisor) -> Found:
    """Read what the host says. Changes nothing."""
    home, configuration = supervisor.home, supervisor.configuration()
    installed = home.installed()
    names, active = watched(configuration), supervisor.is_active()
    statuses = {name: supervisor.status(name) for name in names}
    current = home.current()
    # one that has just ended is going to start again
    ran = {name: (said and said.release) or current for name, said in statuses.items()}
    manifests = {name: home.manifest(name) or {} for name in installed if name in ran.values()}
    return Found(
        app=home.app,
        current=current,
        installed=installed,
        unfit={name: why for name in installed if (why := home.python_problem(name))},
        records=home.records(),
        configuration=configuration,
        active=active,
        loaded=supervisor.watching() if active else [],
        serving=supervisor.serving_release(names),
        runs={name: said.release if said else "not running" for name, said in statuses.items()},
        timers=supervisor.timers.found(),
        listening=listening(ran, manifests),
        manifests=manifests,
    )


def plan_switch(supervisor: Supervisor, request: SwitchRequest, *, predicted: bool = False) -> Plan:
    """Read and decide. Raises DeployError for what cannot be done."""
    found = inspect(supervisor)
    target = pick_target(found, request.release, predicted=predicted)
    require_proof(found, request, target)
    formation = pick_formation(found.records, found.current, target, request.formation)
    manifest = supervisor.home.manifest(target) or {}
    served = not supervisor.not_serving(instances(formation), target)
    plan = decide(
        request, found, target, formation, manifest, served=served, running=found.manifests
    )
    if plan.needed and manifest:
        require_usable(supervisor.home, found, target)
        if request.clean:
            require_untouchable(supervisor.home, target)
    return plan


def require_usable(home: AppHome, found: Found, release: str) -> None:
    """Raise DeployError for a release that cannot run, or whose files are not what was installed."""
    if release in found.unfit:
        raise DeployError(found.unfit[release])
    verify(home, release)


class NotServing(Exception):
    """The release did not get there."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


def require(failure: Failure) -> None:
    if failure:
        raise NotServing(failure)


@dataclass
class Move:
    """One way from whatever runs to ``release`` with ``configuration``.

    ``back``: it is the way back, after another release was refused. ``left``: processes of the configuration that
    stay as they are.
    """

    supervisor: Supervisor
    release: str
    configuration: str
    timeout: float
    request: SwitchRequest
    back: bool = False
    left: tuple[str, ...] = ()

    running: bool = field(init=False, default=False)
    loaded: list[str] = field(init=False, default_factory=list)  # what circusd runs
    difference: Difference = field(init=False, default_factory=Difference)
    # What those said that are to move, before anybody asked them to.
    moving: dict[str, Status | None] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.names = self.concerned(watched(self.configuration))

    def concerned(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if name not in self.left]

    def run(self) -> None:
        """Raises NotServing where the release does not get there, and what goes wrong on the way."""
        self.running = self.supervisor.is_active()
        self.point()
        self.compare_processes()
        self.drop_strays()
        self.read_statuses()
        if self.running:
            self.start_added()
            self.move_kept()
            self.take_configuration()
        else:
            self.start_supervisor()
        self.follow_added()
        self.wait_for_removed()
        self.verify_processes()
        self.supervisor.stop_bridge()  # left by a run that was cut off, with an older release
        self.verify_nginx()
        self.set_timers()

    def follow(self, before: Mapping[str, Status | None]) -> None:
        require(self.supervisor.follow(before, self.release, self.timeout))

    # --- the steps

    def point(self) -> None:
        """What starts from now on, by whatever cause, starts the release."""
        self.supervisor.home.point_to(self.release)
        if self.back:
            self.supervisor.configure(self.configuration)

    def compare_processes(self) -> None:
        configured = self.concerned(watched(self.supervisor.configuration()))
        self.loaded = self.concerned(self.supervisor.watching()) if self.running else []
        idle = [name for name in {*self.loaded, *configured} if self.is_idle(name)]
        self.difference = compare(self.loaded, configured, self.names, idle)

    def is_idle(self, name: str) -> bool:
        """Whether no release serves by this process: circusd starts it again and again, or is about to."""
        status = self.supervisor.status(name)
        return status is None or status.release is None

    def drop_strays(self) -> None:
        """What the release does not have has no say in this where nothing is lost with it.

        That is what only a refused release had, and what serves nobody: it would start with the release and
        fail. Of what served until now nothing ends before the release has proven itself.
        """
        if self.difference.strays:
            text = self.supervisor.configuration()
            self.supervisor.configure(without(text, self.difference.strays))
            self.supervisor.drop(self.difference.strays)
            self.loaded = self.concerned(watched(self.supervisor.configuration()))

    def read_statuses(self) -> None:
        late = self.supervisor.not_serving(self.difference.kept, self.release)
        self.moving = {name: self.supervisor.status(name) for name in late}

    def start_supervisor(self) -> None:
        self.supervisor.configure(self.configuration)
        self.supervisor.start()

    def start_added(self) -> None:
        """First of all: where one of these cannot start, nobody has ever talked to the release."""
        added = self.difference.added
        if self.back or not added:
            return
        old = self.supervisor.configuration()
        self.supervisor.configure(united(old, self.configuration))
        self.supervisor.take_configuration()
        self.loaded += added
        self.follow(dict.fromkeys(added))

    def move_kept(self) -> None:
        """Before anything ends: while circusd stops a process, it takes no other command."""
        if not self.moving:
            return
        self.supervisor.hup([status for status in self.moving.values() if status])
        self.supervisor.reload([name for name, status in self.moving.items() if status is None])
        self.follow(self.moving)

    def take_configuration(self) -> None:
        """End what is not wanted any more; on the way back, start again what had ended."""
        written = self.supervisor.configuration()
        if written != self.configuration or set(self.loaded) != set(self.names):
            self.supervisor.configure(self.configuration)
            self.supervisor.take_configuration()

    def follow_added(self) -> None:
        """On the way back these may never have stopped: circusd had not been told yet."""
        late = self.supervisor.not_serving(self.difference.added, self.release)
        self.follow(dict.fromkeys(late))

    def wait_for_removed(self) -> None:
        left = self.supervisor.wait_until_gone(self.difference.removed, self.timeout)
        if left:
            require(Failure(f"{', '.join(left)} did not end within {self.timeout:g} s"))

    def verify_processes(self) -> None:
        wrong = self.supervisor.not_serving(self.names, self.release)
        if wrong:
            require(Failure(f"{', '.join(wrong)} does not run {self.release}"))

    def verify_nginx(self) -> None:
        manifest = self.supervisor.home.manifest(self.release)
        url, kind = probe_target(self.request, manifest, self.names), self.request.probe_type
        # until the site is updated / may lead to another type
        if url and leads_to(read_site(self.supervisor.home.app), self.supervisor.home.app, kind):
            require(probe(url))

    def set_timers(self) -> None:
        """Last, when the release has proven itself: until then those of the one before it stay."""
        home = self.supervisor.home
        manifest = home.manifest(self.release) or {}
        self.supervisor.timers.set(timer_units(home.app, manifest, self.request))


@dataclass(frozen=True)
class Switch:
    """Carries a plan out, between its two entries in the record."""

    supervisor: Supervisor
    plan: Plan

    def run(self) -> Outcome:
        with self.supervisor.timers.held():
            return self._run()

    def _run(self) -> Outcome:
        began = time.monotonic()
        record = self.record_attempt()
        removed, uncleared = self.evict()
        failure = uncleared or self.switch()
        afterwards = self.go_back() if failure else ""
        seconds = round(time.monotonic() - began, 2)
        # A release that did not even begin is not to blame.
        record = dataclasses.replace(record, tried=not uncleared)
        unrecorded = self.record_outcome(record, failure, seconds)
        outcome = self.outcome(failure, afterwards, unrecorded, seconds)
        return dataclasses.replace(outcome, facts={**outcome.facts, "removed": removed})

    def record_attempt(self) -> Record:
        """A pivot that starts when this run was cut off learns from it that the release is not proven.

        Where the disk is full, what follows says so.
        """
        record = self.plan.record(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
        with contextlib.suppress(OSError):
            self.supervisor.home.remember(record)
        return record

    def switch(self) -> Failure:
        failure = self.attempt(self.plan.target, self.plan.new_configuration)
        return showable(failure, self.supervisor.home, self.plan.target)

    def evict(self) -> tuple[list[str], Failure]:
        """Where that is asked for, nothing of the app goes on meanwhile: requests fail."""
        if not self.plan.request.clean:
            return [], Failure()
        try:
            return self.supervisor.evict(), Failure()
        except Exception as error:  # noqa: BLE001 - what goes wrong must not keep it from stopping
            return [], Failure(explained(error))

    def attempt(self, release: str, configuration: str, back: bool = False) -> Failure:
        """A move, where nothing that goes wrong keeps from going back."""
        plan = self.plan
        left = () if back else plan.left
        move = Move(self.supervisor, release, configuration, plan.timeout, plan.request, back, left)
        try:
            move.run()
        except NotServing as error:
            return error.failure
        except Exception as error:  # noqa: BLE001 - a defect of ours must not leave it half-way
            return Failure(explained(error))
        return Failure()

    def go_back(self) -> str:
        """Put back what served before; what came of it, as a sentence."""
        plan = self.plan
        if plan.request.clean:
            return self.stop("Nothing that was ended is to serve again")
        if plan.before is None:
            return self.stop("Nothing served before")
        failure = self.attempt(plan.before, plan.way_back, back=True)
        if failure:
            failure = showable(failure, self.supervisor.home, plan.before, plan.target)
            return f"Release {plan.before} did not come back either: {failure}"
        return f"Release {plan.before} serves as before."

    def stop(self, why: str) -> str:
        """Leave nothing serving: a first release failed, or one after an eviction."""
        try:
            self.supervisor.stop()
            self.supervisor.home.point_to(None)
            self.supervisor.configure(self.plan.way_back)
            self.supervisor.timers.set({})
        except Exception as error:  # noqa: BLE001 - what was refused is to be said first
            reason = explained(error)
            return f"{why}, but stopping it did not work either: {reason}"
        return f"{why}, so nothing does now."

    def record_outcome(self, record: Record, failure: Failure, seconds: float) -> str:
        """Why the record could not be written, as a sentence."""
        statuses = filter(None, map(self.supervisor.status, self.plan.names))
        record = dataclasses.replace(
            record,
            outcome="bad" if failure else "good",
            reason=reason_of(failure.reason) or record.reason,
            seconds=seconds,
            durations=slowest_steps(statuses),
        )
        try:
            self.supervisor.home.remember(record)
        except OSError as error:
            return f"No rollback will know of this, the record cannot be written: {error}."
        return ""

    def outcome(
        self, failure: Failure, afterwards: str, unrecorded: str, seconds: float
    ) -> Outcome:
        plan = self.plan
        subject = f"Release {plan.target} of {plan.app}"
        if failure:
            return Outcome(
                {
                    "reason": reason_of(failure.reason),
                    "release": plan.target,
                    "previous": plan.before,
                },
                f"{subject} does not serve: {failure}\n{afterwards}\n{unrecorded}".rstrip(),
            )
        if unrecorded:
            return Outcome({"release": plan.target}, f"{subject} serves. {unrecorded}")
        return served(self.supervisor, plan, seconds)
