# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run: operations and faults that a seed chooses, and what must hold after each of them."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.decision import (
    Refused,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.supervisor import (
    wait_for,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._processes.watchers import (
    instances as named,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.record import (
    bad_releases,
)
from unit.pivot.harness import PATIENCE
from unit.storm.host import Ended, Fault, Host

KILLED = -signal.SIGKILL
URL = "https://shop.test/"
FAULTS = [
    ("module", "KILL"), ("module", "STOP"), ("pivot", "KILL"), ("pivot", "STOP"), ("circusd", "KILL"),
    ("circusd", "STOP"), ("app", "KILL"), ("app", "STOP"), ("disk", "full"),
]  # fmt: skip
# Faults that may cost a request: what serves is killed, and what a deploy was busy with may be.
COSTLY = {"pivot", "circusd", "app"}
BROKEN = {
    "web": ({"web": {"EXIT": 3}}, {}),
    "worker": ({"worker": {"EXIT": 3}}, {}),
    # a process type that only this release has
    "added": ({"beat": {"EXIT": 3}}, {"beat": 1}),
    # it gets through its gate, and switches
    "nginx": ({}, {}),
}


@dataclass
class Run:
    host: Host
    story: list[str] = field(default_factory=list)  # what happened, for whoever reads a failure
    number: int = 0
    good: list[str] = field(default_factory=list)  # releases that a deploy has proven
    unsettled: set[str] = field(default_factory=set)  # whose deploy was killed since
    last: Fault = field(default_factory=Fault)
    formation: dict[str, int] = field(default_factory=lambda: {"web": 1, "worker": 1})

    # -- operations

    def next_release(self, wrong: dict[str, Any] | None = None, **more: Any) -> str:
        self.number += 1
        kinds: dict[str, Any] = {"web": {}, "worker": {}, **more, **(wrong or {})}
        return self.host.install(f"{self.number}.0-{self.number:08x}", **kinds)

    def deploy(self, fault: Fault = Fault()) -> None:  # noqa: B008 - frozen
        self.switch(fault, self.next_release(), self.formation)

    def deploy_broken(self, fault: Fault) -> None:
        kind = self.host.random.choice(sorted(BROKEN))
        wrong, more = BROKEN[kind]
        release = self.next_release(wrong)
        if kind == "nginx":
            self.host.broken_at_nginx.add(release)
        self.story.append(f"{release} is broken: {kind}")
        self.switch(fault, release, self.formation | more)

    def deploy_type(self, fault: Fault) -> None:
        """With one process type more; the next deploy is without it again."""
        self.switch(fault, self.next_release(beat={}), self.formation | {"beat": 1})

    def drop_type(self, fault: Fault) -> None:
        """A process does not start any more, and goes; the next release has its type, and that fails, too."""
        flag = self.host.site.flag(f"die-{self.number}")
        self.switch(
            Fault(), self.next_release(beat={"DIE_WHEN": flag}), self.formation | {"beat": 1}
        )
        flag.touch()
        self.switch(fault, self.next_release(beat={"EXIT": 3}), self.formation)

    def rollback(self, fault: Fault) -> None:
        self.switch(fault, "previous", None)

    def scale(self, fault: Fault) -> None:
        current = self.host.home.current()
        self.formation = {"web": self.host.random.choice([1, 2]), "worker": 1}
        if current:
            self.switch(fault, current, self.formation, event="scale")

    def hup(self, fault: Fault) -> None:
        """By hand, and another deploy at once: HUPs that nobody asked for."""
        statuses = [self.host.supervisor.status(path.stem) for path in self.host.pivot_files()]
        self.host.supervisor.hup([status for status in statuses if status])
        self.deploy(fault)

    def lose(self, fault: Fault) -> None:
        """A run is held up, another one steals its lock and deploys, and the first one goes on."""
        late = self.host.take("late", steal=True)
        generation = self.host.take("other", steal=True)
        self.switch(fault, self.next_release(), self.formation, lock_generation=generation)
        before = self.seen()
        for params in ({"release": "previous"}, {"release": self.next_release()}):
            ended = self.host.run(lock_generation=late, probe_url=URL, **params)
            assert ended.code == 1, "the run that has lost its lock was not refused"
            assert "does not hold the lock of shop on this host any more" in ended.message
        assert self.seen() == before, "the run that has lost its lock has changed something"

    def cut_record(self, fault: Fault) -> None:
        """A full disk, or a power cut: the last line is not whole."""
        path = self.host.home.record_path
        if path.exists():
            os.truncate(path, max(0, path.stat().st_size - self.host.random.randint(1, 60)))
        self.deploy(fault)

    def seen(self) -> tuple[Any, ...]:
        home = self.host.home
        return home.current(), home.records(), self.host.supervisor.configuration()

    # -- one operation, and what must hold after it

    def switch(
        self, fault: Fault, release: str, formation: dict[str, int] | None, **params: Any
    ) -> None:
        began, records, first = time.monotonic(), self.host.home.records(), not self.good
        serving = {None, *self.host.running().values()}
        target = release if release != "previous" else self.host.home.rollback_target(self.current)
        self.story.append(f"{params.get('event', 'deploy')} {release} {formation} {fault}")
        given = {"release": release, "probe_url": URL, **params}
        ended = self.host.run(fault, **given, **({"formation": formation} if formation else {}))
        self.story.append(f"  ended with {ended.code}: {ended.message}")
        allowed = {*self.good, *self.unsettled, *serving, target}
        self.judge(ended, target)
        # what one fault has cost may last into the next operation
        costly = first or bool(self.unsettled) or bool(COSTLY & {fault.victim, self.last.victim})
        self.check_answers(began, allowed, costly=costly)
        self.last = fault
        if ended.code == KILLED:
            return
        known = [record.release for record in self.host.home.records() if record.outcome == "good"]
        assert set(known) <= set(self.good) | {record.release for record in records}, (
            f"the record has {known} as good, proven are {self.good}"
        )

    @property
    def current(self) -> str | None:
        return self.host.home.current()

    def judge(self, ended: Ended, target: str | None) -> None:
        if ended.code == KILLED:
            last = self.host.home.records()[-1:]
            proven = [each.release for each in last if each.outcome == "good"] == [target]
            # it may have been through with it, but for saying so
            if proven:
                self.good.append(str(target))
            else:
                self.unsettled.add(str(target))
        elif ended.code == 0:
            self.unsettled = set()
            self.good.append(str(target))
            self.check_serves(str(target))
        elif "serves as before" in ended.message:
            self.unsettled = set()
            running = self.host.running()
            assert target not in running.values() or target in self.good, (
                f"{target} was refused and runs: {running}"
            )

    def check_serves(self, release: str) -> None:
        """What was killed when the module had seen it serve comes back with the same release."""
        wanted = dict.fromkeys(named(self.host.home.records()[-1].formation), release)

        def serves() -> bool:
            return self.host.running().items() >= wanted.items()

        assert wait_for(serves, PATIENCE), f"{self.host.running()} and not {wanted}"

    def check_answers(self, since: float, allowed: set[str | None], *, costly: bool) -> None:
        answers = [said for when, said in self.host.answered() if when >= since]
        failed = [said for said in answers if said.startswith("FAILED")]
        assert costly or not failed, f"requests failed: {failed[:3]}"
        strange = {said for said in answers if not said.startswith("FAILED")} - allowed
        assert not strange, f"{strange} answered, {allowed} were good or being proven"

    # -- after the faults

    def heal(self) -> None:
        """One deploy makes everything equal, and there is a way back to what was good."""
        self.host.awake()
        release = self.next_release()
        self.story.append(f"heal by {release} {self.formation}")
        ended = self.host.run(release=release, formation=self.formation, probe_url=URL)
        assert ended.code == 0, ended.message
        self.good.append(release)
        names = named(self.formation)

        def equal() -> bool:
            return self.host.running() == dict.fromkeys(names, release)

        assert wait_for(equal, PATIENCE), f"{self.host.running()} and not {names} of {release}"
        home = self.host.home
        assert home.current() == release
        assert home.records()[-1].release == release
        assert set(self.host.supervisor.watching()) == set(names)
        back = home.rollback_target(release)
        assert back is None or back in self.good, f"{back} was never proven"
        assert back not in bad_releases(home.records())
        self.check_answers(time.monotonic() - 0.2, {release}, costly=False)


OPERATIONS: list[Callable[[Run, Fault], None]] = [
    Run.deploy, Run.deploy, Run.deploy_broken, Run.deploy_broken, Run.deploy_type, Run.drop_type, Run.rollback, Run.scale,
    Run.hup, Run.lose, Run.cut_record,
]  # fmt: skip


def plan(seed: int, count: int) -> list[tuple[Callable[[Run, Fault], None], Fault]]:
    """What a seed stands for: operations, each with the fault that strikes it or none."""
    chance = random.Random(seed)
    chosen = []
    for _number in range(count):
        operation, (victim, how) = chance.choice(OPERATIONS), chance.choice(FAULTS)
        struck = chance.random() < 0.8
        chosen.append((operation, Fault(victim, how, chance.randint(1, 40)) if struck else Fault()))
    return chosen


def storm(host: Host, operations: int) -> None:
    run = Run(host)
    host.stopped = lambda: steal(run)
    try:
        run.deploy()
        for operation, fault in plan(host.seed, operations):
            operation(run, fault)
        run.heal()
    except AssertionError as error:
        story = "\n".join(run.story)
        log = (host.site.scratch / "log").read_text(errors="replace")[-6000:]
        raise AssertionError(f"seed {host.seed}: {error}\n{story}\n{log}") from error


def steal(run: Run) -> None:
    """While a module is stopped in the middle of a change, nobody gets the lock of its run."""
    if run.host.lock.read() is None:
        return
    try:
        run.host.take("thief", steal=True)
    except Refused as refusal:
        assert "changes shop on this host right now" in str(refusal)  # noqa: PT017 - the point of it
    else:
        raise AssertionError("the lock was stolen in the middle of a change")
