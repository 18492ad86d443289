# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may deploy an app on a host, and what a lock says to everybody else. Pure.

Time is counted on the clock of the host that the lock lies on, from its boot on and through
suspension (CLOCK_BOOTTIME): the wall clock is for people, nothing is decided by it, for it may jump.
After a reboot that clock begins anew, and how long the host was down cannot be known for sure; the
holder gets its whole time once more from the boot on, so that no lock expires too early.

Each lock of an app that a host gives out has a number, its generation, and none ever comes twice. A run
that was held up while its lock went to another still has the number of its own: by that a module which
is about to change the app knows that it must not, see fence.py.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError

APP = re.compile(r"[a-z_][a-z0-9_-]*\Z")
TTL = 3600  # seconds
UNLOCK = "ansible-playbook twelvefactor.deploy.unlock -e app={app} -e steal=true"


@dataclass(frozen=True)
class Moment:
    """One look at a host's clocks."""

    boot: str  # which boot of the host
    clock: float  # seconds since then
    wall: float  # seconds since 1970, for people


@dataclass(frozen=True)
class Lock:
    """What a host has written down about the one run that may deploy an app."""

    owner: str  # user@controller
    run: str  # which run of Ansible; the owner may have several
    reason: str
    ttl: int  # seconds without a sign of life after which it does not count any more
    since: str  # UTC, ISO 8601, when it was taken
    boot: str  # during which boot of the host the holder was heard of last
    heard: float  # and when, in seconds since that boot
    process: Mapping[str, Any] | None = None  # the holder's process on its controller
    stolen_from: Mapping[str, Any] | None = None  # whose it was, where that did not release it
    # How many locks of the app this host has given out with it; what changes the app shows that it
    # has this one. 0 is of a version that did not count.
    generation: int = 0

    def line(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def of(cls, text: str) -> Lock:
        """Raises ValueError for what no lock is."""
        try:
            entry = json.loads(text)
            lock = cls(**{key: entry[key] for key in cls.__dataclass_fields__ if key in entry})
            numbers = isinstance(lock.ttl, int) and isinstance(lock.heard, int | float)
            generation = lock.generation
            numbers = numbers and isinstance(generation, int) and not isinstance(generation, bool)
            words = (lock.owner, lock.run, lock.reason, lock.since, lock.boot)
            if not numbers or not all(isinstance(word, str) for word in words):
                raise TypeError
        except (TypeError, LookupError, AttributeError):
            raise ValueError("it is not a valid lock") from None
        return lock

    def age(self, now: Moment) -> float:
        """Seconds since the holder was heard of, at least."""
        return max(0.0, now.clock - self.heard if self.boot == now.boot else now.clock)

    def left(self, now: Moment) -> float:
        return self.ttl - self.age(now)

    def told(self, now: Moment) -> dict[str, Any]:
        """What is told of the lock to whoever asks."""
        left = self.left(now)
        return {
            "owner": self.owner,
            "run": self.run,
            "reason": self.reason,
            "since": self.since,
            "ttl": self.ttl,
            "expires": iso(now.wall + left),
            "seconds_left": round(left),
            "expired": left <= 0,
            "process": self.process,
            "stolen_from": self.stolen_from,
            "generation": self.generation,
        }


@dataclass(frozen=True)
class Wish:
    """What a run asks for."""

    app: str
    owner: str
    run: str
    reason: str | None = None
    ttl: int | None = None
    renew: bool = False
    steal: bool = False
    dead: str | None = None  # a run that is known to have ended
    process: Mapping[str, Any] | None = None
    check_mode: bool = False


@dataclass(frozen=True)
class Decision:
    """What becomes of the lock: ``lock`` is what holds afterwards, None when nothing does."""

    lock: Lock | None
    changed: bool = False
    write: bool = False


class Refused(DeployError):
    """The lock is somebody else's, or not the run's any more."""

    def __init__(self, message: str, holder: Lock | None) -> None:
        super().__init__(message)
        self.holder = holder


def take(lock: Lock | None, wish: Wish, now: Moment, last: int) -> Decision:
    """Take the lock, or show that its holder lives. Raises Refused.

    ``last`` is the highest generation that this host has given out.
    """
    if lock is not None and lock.run == wish.run:
        renewed = replace(
            lock,
            reason=lock.reason if wish.reason is None else wish.reason,
            ttl=lock.ttl if wish.ttl is None else wish.ttl,
            boot=now.boot,
            heard=now.clock,
        )
        return Decision(renewed, write=True)
    # in check mode this run's lock would not have been written
    would_hold = wish.check_mode and lock is None
    if wish.renew and not would_hold:
        who = f"This run, {wish.run} of {wish.owner},"
        raise Refused(lost(lock, wish.app, who), lock)
    why = way_past(lock, wish, now) if lock else None
    if lock and not why:
        raise Refused(held(lock, wish.app, now), lock)
    taken = Lock(
        owner=wish.owner,
        run=wish.run,
        reason=wish.reason or "",
        ttl=TTL if wish.ttl is None else wish.ttl,
        since=iso(now.wall),
        boot=now.boot,
        heard=now.clock,
        process=wish.process,
        stolen_from={
            "owner": lock.owner,
            "run": lock.run,
            "reason": lock.reason,
            "since": lock.since,
            "why": why,
        }
        if lock
        else None,
        generation=max(last, lock.generation if lock else 0) + 1,
    )
    return Decision(taken, changed=not wish.renew, write=True)


def release(lock: Lock | None, wish: Wish, now: Moment) -> Decision:
    """Let others deploy. Raises Refused."""
    if lock is None:
        return Decision(None)
    if lock.run != wish.run and not way_past(lock, wish, now):
        raise Refused(held(lock, wish.app, now), lock)
    return Decision(None, changed=True, write=True)


def way_past(lock: Lock, wish: Wish, now: Moment) -> str | None:
    """Why somebody else's lock does not count, None when it does."""
    if lock.left(now) <= 0:
        return "expired"
    if wish.dead == lock.run:
        return "dead"
    return "stolen" if wish.steal else None


def at_work(lock: Lock, app: str, guard: object) -> str:
    return (
        f"A module of {lock.owner} (run {lock.run}) changes {app} on this host right now, and must not "
        "lose its lock half-way: try again when it has ended. If it never will, end the process that "
        f"`fuser -v {guard}` on the host names."
    )


def held(lock: Lock, app: str, now: Moment) -> str:
    left = lock.left(now)
    expiry = (
        f"after that the lock expires in {span(left)}, at {iso(now.wall + left)}"
        if left > 0
        else f"the lock expired {span(-left)} ago"
    )
    return (
        f"{app} is locked on this host by {lock.owner} (run {lock.run}) since {lock.since}"
        f"{purpose(lock)}. That run was heard of {span(lock.age(now))} ago; {expiry}. Wait until it "
        f"has ended; if it never will, release the lock with `{UNLOCK.format(app=app)}`."
    )


def lost(lock: Lock | None, app: str, who: str) -> str:
    """What somebody is told who held the lock; ``lock`` is the one of now."""
    if lock is None:
        happened = "It was released by hand, or it expired, was taken and released again."
    else:
        how = lock.stolen_from["why"] if lock.stolen_from else ""
        ways = {"expired": " after it had expired", "stolen": " by force"}
        happened = (
            f"{lock.owner} (run {lock.run}) took it{ways.get(how, '')} at {lock.since}"
            f"{purpose(lock)}."
        )
    return (
        f"{who} does not hold the lock of {app} on this host any more. {happened} Somebody else may "
        "have deployed since: look at what serves, and start again. This run changes nothing more "
        "on this host."
    )


def purpose(lock: Lock) -> str:
    return f", for {lock.reason!r}" if lock.reason else ""


def iso(wall: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(wall))


def span(seconds: float) -> str:
    """A duration for people, its two largest units: ``1 h 3 min``."""
    whole = max(0, round(seconds))
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    units = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    while len(units) > 1 and not units[0][0]:
        units.pop(0)
    return " ".join(f"{number} {unit}" for number, unit in units[:2] if number) or "0 s"
