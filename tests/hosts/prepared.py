# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of hosts on which the project's own roles have run: what many scenarios need before they begin.

`prepare.yml` says what that is. A scenario of one of these roles begins with the image that lacks it.
"""

from __future__ import annotations

import collections.abc
import contextlib
import fcntl
import os
import pathlib
import subprocess
import time

from . import fleet, image
from .command import attempt, run
from .errors import HostsError
from .host import Host
from .ingredients import PLAYBOOK, ROOT

LOCK = pathlib.Path("/run/twelvefactor-prepared.lock")
FLEET = "prepare"
DEADLINE = 1800.0
# What must not be the same on two hosts, or would be carried into every one of them.
FORGET = """
set -eu
apt-get clean
rm -rf /home/ops/.ansible /root/.ansible /root/.cache /tmp/* /var/tmp/* /var/log/journal/*
find /var/log -type f -exec truncate --size=0 {} +
truncate --size=0 /etc/machine-id
"""


def build(names: collections.abc.Iterable[str], state: pathlib.Path, mtu: int) -> None:
    """Make those of the prepared images among `names` that podman does not hold yet."""
    wanted = sorted(name for name in set(names) if image.is_prepared(name))
    if not wanted:  # who needs none does not wait for those that are being made
        return
    with _exclusive():
        missing = [
            name
            for name in wanted
            if attempt("podman", "image", "exists", image.reference(name))[0]
        ]
        if missing:
            _build(missing, state, mtu)


@contextlib.contextmanager
def _exclusive() -> collections.abc.Iterator[None]:
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(names: list[str], state: pathlib.Path, mtu: int) -> None:
    started = time.monotonic()
    hosts = [Host(f"{FLEET}-{image.base(name)}", image.base(name), ()) for name in names]
    preparing = fleet.Fleet(FLEET, state)
    inventory = fleet.up(preparing, hosts, mtu=mtu, fresh=True)
    try:
        log = state / "prepare.log"
        with log.open("wb") as output:
            environment = {
                **os.environ,
                "PATH": f"{os.environ['PATH']}:{ROOT / '.venv/bin'}",
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build/collections"),
            }
            done = subprocess.run(
                ["ansible-playbook", "--inventory", str(inventory), str(PLAYBOOK)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env=environment, timeout=DEADLINE, check=False,
            )  # fmt: skip
        if done.returncode:
            end = log.read_text(errors="replace")[-3000:]
            raise HostsError(f"preparing hosts failed with {done.returncode}, see {log}: {end}")
        for name, host in zip(names, hosts, strict=True):
            container = preparing.container(host)
            run("podman", "exec", container, "sh", "-c", FORGET)
            run("podman", "stop", "--time", "30", container, deadline=60)
            run("podman", "commit", "--quiet", container, image.reference(name), deadline=300)
    finally:
        fleet.down(preparing)
    print(f"built {', '.join(names)} in {time.monotonic() - started:.0f} s", flush=True)
