# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far each host of a rollout is: a model, and what an event makes of it. Pure.

Times are seconds of a monotonic clock. Whatever a host says goes through ``printable`` on its way in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

WAITING, RUNNING, DONE, FAILED, LOST = "waiting", "running", "done", "failed", "lost"
STATES = (WAITING, RUNNING, DONE, FAILED, LOST)

CHECKS, LOCK, INSTALL, MIGRATE, HOOK = "checks", "lock", "install", "migrate", "hook"
BAKE, SWITCH, BACK, PROVEN = "bake", "switch", "roll back", "proven"
NOTHING, UNKNOWN = "nothing", "unknown"  # instead of the id of what serves


@dataclass(frozen=True)
class Outcome:
    """What a task of a rollout came to on one host; empty where it says nothing of that."""

    phase: str = ""  # that it ends; none for a task that belongs to no phase
    state: str = DONE
    title: str = ""  # what the rollout is, as the lock has it: "deploy 1.5.0"
    release: str = ""  # that the rollout is about
    serves: str = ""  # on this host, from now on
    previous: str = ""  # what served there before
    changed: bool = False
    unlocks: bool = False
    steps: Mapping[str, float] = field(default_factory=dict)  # seconds of the slowest process
    formations: tuple[Mapping[str, int], Mapping[str, int]] | None = None  # before, after
    command: str = ""
    output: Sequence[str] = ()  # lines
    problem: str = ""
    rescued: bool = False  # the problem is dealt with by the role


@dataclass(frozen=True)
class Host:
    name: str
    phase: str = ""
    state: str = WAITING
    since: float = 0.0  # when the phase began
    step: str = ""  # of a switch that runs, where it is known
    stepped: float = 0.0  # when that began
    seconds: Mapping[str, float] = field(default_factory=dict)  # of each phase that is over
    steps: Mapping[str, float] = field(default_factory=dict)
    serves: str = ""
    previous: str = ""
    problem: str = ""
    failed_in: str = ""
    before: Host | None = None  # as it was before the phase, which may turn out to be skipped


@dataclass(frozen=True)
class Run:
    """One app's rollout."""

    began: float
    title: str = ""
    app: str = ""
    release: str = ""
    check: bool = False  # nothing is changed
    hosts: Mapping[str, Host] = field(default_factory=dict)
    changed: bool = False
    formations: tuple[Mapping[str, int], Mapping[str, int]] | None = None
    diffs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # texts to hosts
    unlocked: bool = False
    verdict: str = ""  # the message with which the rollout fails
    ended: float | None = None

    @property
    def failed(self) -> bool:
        return bool(self.verdict) or any(
            host.state in (FAILED, LOST) for host in self.hosts.values()
        )

    def host(self, name: str) -> Host:
        return self.hosts.get(name) or Host(name)

    def with_host(self, host: Host) -> Run:
        return replace(self, hosts={**self.hosts, host.name: host})

    def is_over(self) -> bool:
        """Whether what begins next is another rollout."""
        return self.unlocked or bool(self.verdict)


def started(run: Run, name: str, phase: str, at: float) -> Run:
    """A host begins a task; of one that belongs to no phase it is only known that the host takes part."""
    host = run.host(name)
    if not phase or host.state in (FAILED, LOST):
        return run.with_host(host)
    if phase == SWITCH and run.failed and host.phase == PROVEN:
        phase = BACK
    if host.state == RUNNING and host.phase == phase:
        return run
    before = replace(host, before=None)
    return run.with_host(replace(host, phase=phase, state=RUNNING, since=at, before=before))


def stepped(run: Run, name: str, step: str, at: float) -> Run:
    """The pivots of a host say at which step of the switch they are, and since when."""
    host = run.host(name)
    if host.state != RUNNING or host.phase not in (SWITCH, BACK) or not step:
        return run
    return run.with_host(replace(host, step=step, stepped=max(at, host.since)))


def skipped(run: Run, name: str) -> Run:
    host = run.host(name)
    return run.with_host(host.before) if host.state == RUNNING and host.before else run


def finished(run: Run, name: str, outcome: Outcome, at: float) -> Run:
    """A task has ended on a host."""
    host = ended(run.host(name), outcome, at)
    return replace(
        run.with_host(host),
        title=outcome.title or run.title,
        release=run.release if outcome.problem else outcome.release or run.release,
        changed=run.changed or (outcome.changed and not outcome.problem),
        formations=outcome.formations or run.formations,
        unlocked=run.unlocked or outcome.unlocks,
    )


def ended(host: Host, outcome: Outcome, at: float) -> Host:
    host = replace(
        host,
        serves=outcome.serves or host.serves,
        previous=host.previous or outcome.previous,
        steps=outcome.steps or host.steps,
    )
    if outcome.problem and outcome.rescued and LOCK not in (host.phase, *host.seconds):
        # before a host is locked it is only asked; a deploy meets again what it cannot answer
        return host
    if outcome.problem:
        # of several the first is the cause
        return replace(
            host,
            state=outcome.state,
            phase=host.phase or CHECKS,
            # what is found bad while it is watched was proven before
            failed_in=host.failed_in
            or (BAKE if host.phase == PROVEN and BAKE in host.seconds else host.phase)
            or CHECKS,
            problem=host.problem or outcome.problem,
            since=host.since or at,
            step="",
            seconds=spent(host, at),
            before=None,
        )
    if not outcome.phase or host.state != RUNNING:
        return host
    # a host that serves the release is still proven when it has been watched
    waited = host.phase == BAKE and host.before is not None and host.before.phase == PROVEN
    proven = waited or (host.phase == SWITCH and outcome.phase == SWITCH)
    return replace(
        host,
        state=DONE,
        phase=PROVEN if proven else host.phase,
        step="",
        seconds=spent(host, at),
        before=None,
    )


def spent(host: Host, at: float) -> Mapping[str, float]:
    """Seconds of each phase, with those since the last one began."""
    if host.state != RUNNING:
        return host.seconds
    return {**host.seconds, host.phase: host.seconds.get(host.phase, 0.0) + at - host.since}


def judged(run: Run, verdict: str) -> Run:
    """The rollout fails with this message, once for all hosts."""
    return run if run.verdict else replace(run, verdict=verdict)


def differs(run: Run, name: str, text: str) -> Run:
    """A task shows what it changes on a host."""
    known = run.diffs.get(text, ())
    return run if name in known else replace(run, diffs={**run.diffs, text: (*known, name)})


def closed(run: Run, at: float) -> Run:
    return run if run.ended is not None else replace(run, ended=at)
