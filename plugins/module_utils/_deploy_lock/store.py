# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the deploy locks of a host lie, and how one is read and changed without a race."""

from __future__ import annotations

import contextlib
import os
import pathlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.twelvefactor.deploy.plugins.module_utils._deploy_lock.decision import (
    Lock,
    Moment,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.files import (
    write_atomically,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.flock import (
    Busy,
    flocked,
    make_private,
)

# Not below /srv/<app>: a host is locked before it has the app, and while the app is removed.
# Not below /run: a lock survives a reboot.
DIRECTORY = pathlib.Path("/var/lib/twelvefactor/locks")
PATIENCE = 20.0  # seconds; whoever is in here needs milliseconds


class Unreadable(DeployError):
    """There is a lock, and nobody can say whose."""


@dataclass(frozen=True)
class LockFile:
    app: str
    directory: pathlib.Path = DIRECTORY

    @property
    def path(self) -> pathlib.Path:
        return self.directory / f"{self.app}.json"

    @property
    def counter(self) -> pathlib.Path:
        """It stays when the lock goes, whoever removes that."""
        return self.directory / f"{self.app}.generation"

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else reads or changes a lock of this host meanwhile."""
        make_private(self.directory)
        try:
            with flocked(self.directory, PATIENCE) as handle:
                yield
                os.fsync(handle)  # a rename or a removal that a crash must not undo
        except Busy:
            raise DeployError(
                f"Another process has held {self.directory} for {PATIENCE:g} s; "
                f"`fuser {self.directory}` on the host shows it. Try again later."
            ) from None

    def read(self) -> Lock | None:
        """Raises Unreadable."""
        try:
            return Lock.of(self.path.read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValueError as error:
            raise Unreadable(
                f"{self.path} cannot be read: {error}, so the holder of the lock of {self.app} on this "
                f"host is unknown. Make sure that no run deploys the app, then release the lock "
                f"with `ansible-playbook twelvefactor.deploy.unlock -e app={self.app} -e steal=true`."
            ) from None

    def generation(self) -> int:
        """The highest one that was given out. Raises Unreadable."""
        try:
            return int(self.counter.read_text("ascii"))
        except (FileNotFoundError, NotADirectoryError):
            return 0
        except ValueError:
            raise Unreadable(
                f"{self.counter} does not hold a number; write one into it that is higher than the "
                f"generation of any deploy lock of {self.app} that this host has given out."
            ) from None

    def write(self, lock: Lock | None) -> None:
        if lock is None:
            self.path.unlink(missing_ok=True)
            return
        # first: where this run ends in between, a number is left out, and none is given out twice
        if lock.generation > self.generation():
            write_atomically(self.counter, f"{lock.generation}\n", 0o600)
        write_atomically(self.path, lock.line(), 0o600)


def now() -> Moment:
    boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return Moment(boot, time.clock_gettime(time.CLOCK_BOOTTIME), time.time())
