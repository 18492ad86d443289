# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What changes an app on a host, and what gives its deploy lock to another run: never both at once.

A module that changes the app holds one flock for all of its time, checks under it that the lock is still its
run's, and only then begins. That, and its end, are signs of life of the run. Whoever takes the lock from a run must get that flock, too. So a run that has lost its
lock changes nothing any more, and none loses it in the middle of a change.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.decision import (
    Lock,
    Refused,
    Wish,
    at_work,
    lost,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.store import (
    LockFile,
    now,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host import flock

# Seconds; a change lasts from a moment to minutes, and a lock that changes hands keeps the host's others waiting.
PATIENCE = 0.5


def guard_of(app: str) -> str:
    """The name of what whoever changes the app holds, see flock.exclusive."""
    return f"{app}-releases"


@contextlib.contextmanager
def changing(app: str, generation: int | None) -> Iterator[None]:
    """Nobody else changes the app, or takes its lock from a run, while this lasts.

    ``generation``: that of the lock which the caller's run holds, None for one that has none. Raises
    Refused where the run has lost it, and DeployError where somebody else is in here.
    """
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(flock.exclusive(guard_of(app), PATIENCE))
        except flock.Busy:
            raise DeployError(
                f"Another run is working on the releases of {app} on this host; "
                "try again when it has ended."
            ) from None
        if generation is not None:
            lock = LockFile(app).read()
            if lock is None or lock.generation != generation:
                who = f"The run that had the lock of generation {generation}"
                raise Refused(lost(lock, app, who), lock)
            give_sign_of_life(app, generation)
        try:
            yield
        finally:
            if generation is not None:
                give_sign_of_life(app, generation)


def give_sign_of_life(app: str, generation: int) -> None:
    """Write down that the run which holds this lock was heard of.

    For whoever holds the guard: nobody else gets the lock meanwhile. On a full disk the way back must not need
    room for it.
    """
    file = LockFile(app)
    with contextlib.suppress(OSError, DeployError), file.alone():
        lock = file.read()
        if lock is not None and lock.generation == generation:
            moment = now()
            file.write(replace(lock, boot=moment.boot, heard=moment.clock))


@contextlib.contextmanager
def taking_from(lock: Lock | None, wish: Wish) -> Iterator[None]:
    """Nobody changes the app while its lock is taken from a run that did not release it.

    Raises Refused where somebody does.
    """
    if lock is None or lock.run == wish.run:
        yield
        return
    try:
        with flock.exclusive(guard_of(wish.app), PATIENCE):
            yield
    except flock.Busy:
        raise Refused(at_work(lock, wish.app, flock.FLOCKS / guard_of(wish.app)), lock) from None
