# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this machine allows a container to be, and the podman settings that fit it.

`look()` reads the facts, `decide()` is pure, `containers_conf()` writes the decision down in the
form podman reads.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import resource
import shutil

from .errors import HostsError

CAP_SYS_RESOURCE = 24  # bit number in linux/capability.h
ENOUGH_OPEN_FILES = 1_048_576
ENOUGH_PROCESSES = 30_000
ETHERNET_MTU = 1500


@dataclasses.dataclass(frozen=True)
class Machine:
    """Facts; limits are the hard ones, None for unlimited."""

    cgroups: str  # "v2", "hybrid" or "v1"
    init: str  # command name of pid 1
    has_systemd_hierarchy: bool  # cgroup v1: name=systemd is mounted
    can_raise_limits: bool
    open_files: int | None
    processes: int | None
    pid_max: int
    runtimes: frozenset[str]
    uplink_mtu: int | None


@dataclasses.dataclass(frozen=True)
class Settings:
    runtime: str
    cgroup_manager: str
    mount_systemd_hierarchy: bool
    ulimits: tuple[str, ...]
    mtu: int


def decide(machine: Machine) -> Settings:
    """Choose what works on `machine`; HostsError when no installed runtime does."""
    v2 = machine.cgroups == "v2"
    # crun refuses to start systemd on v1 and hybrid cgroups, runc does not.
    fitting = ("crun", "runc") if v2 else ("runc",)
    runtime = next((name for name in fitting if name in machine.runtimes), None)
    if runtime is None:
        raise HostsError(
            f"cgroups are {machine.cgroups} here, which needs {' or '.join(fitting)}:"
            f" apt-get install {fitting[0]}"
        )
    ulimits: tuple[str, ...] = ()
    if not machine.can_raise_limits:
        # podman asks for its own defaults otherwise, above what it may have, and fails. It also
        # lowers its own nproc limit to kernel.pid_max first, and cannot raise it again.
        files = ENOUGH_OPEN_FILES if machine.open_files is None else machine.open_files
        processes = ENOUGH_PROCESSES if machine.processes is None else machine.processes
        processes = min(processes, machine.pid_max)
        ulimits = (f"nofile={files}:{files}", f"nproc={processes}:{processes}")
    return Settings(
        runtime=runtime,
        cgroup_manager="systemd" if v2 and machine.init == "systemd" else "cgroupfs",
        mount_systemd_hierarchy=not v2 and not machine.has_systemd_hierarchy,
        ulimits=ulimits,
        # Packets larger than the uplink's would be dropped without a word on the way out.
        mtu=min(machine.uplink_mtu or ETHERNET_MTU, ETHERNET_MTU),
    )


def containers_conf(settings: Settings) -> str:
    """The containers.conf of `settings`. TOML strings and lists are spelled as in JSON."""
    return "\n".join(
        [
            "[containers]",
            f"default_ulimits = {json.dumps(settings.ulimits)}",
            "pids_limit = 0",
            'log_driver = "k8s-file"',
            "[engine]",
            f"runtime = {json.dumps(settings.runtime)}",
            f"cgroup_manager = {json.dumps(settings.cgroup_manager)}",
            'events_logger = "file"',
            "[network]",
            'network_backend = "netavark"',
            "",
        ]
    )


def cgroup_mode(mounts: str) -> str:
    """ "v2", "hybrid" or "v1", from the text of /proc/mounts."""
    kinds = {
        fields[1]: fields[2] for fields in map(str.split, mounts.splitlines()) if len(fields) > 2
    }
    if kinds.get("/sys/fs/cgroup") == "cgroup2":
        return "v2"
    if kinds.get("/sys/fs/cgroup/unified") == "cgroup2":
        return "hybrid"
    if any(kind == "cgroup" for kind in kinds.values()):
        return "v1"
    raise HostsError("no cgroup file system is mounted here, and systemd needs one")


def has_capability(status: str, number: int) -> bool:
    """Whether /proc/self/status shows capability `number` as effective."""
    for line in status.splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def default_route_device(routes: str) -> str | None:
    """The device of the IPv4 default route, from the text of /proc/net/route."""
    for line in routes.splitlines()[1:]:
        device, destination, *_rest = line.split()
        if destination == "00000000":
            return device
    return None


def look() -> Machine:
    """Read the facts of the machine this runs on."""
    proc = pathlib.Path("/proc")
    mounts = (proc / "mounts").read_text()
    device = default_route_device((proc / "net/route").read_text())

    def hard_limit(which: int) -> int | None:
        hard = resource.getrlimit(which)[1]
        return None if hard == resource.RLIM_INFINITY else hard

    return Machine(
        cgroups=cgroup_mode(mounts),
        init=(proc / "1/comm").read_text().strip(),
        has_systemd_hierarchy="name=systemd" in mounts,
        can_raise_limits=has_capability((proc / "self/status").read_text(), CAP_SYS_RESOURCE),
        open_files=hard_limit(resource.RLIMIT_NOFILE),
        processes=hard_limit(resource.RLIMIT_NPROC),
        pid_max=int((proc / "sys/kernel/pid_max").read_text()),
        runtimes=frozenset(name for name in ("crun", "runc") if shutil.which(name)),
        uplink_mtu=(
            int(pathlib.Path(f"/sys/class/net/{device}/mtu").read_text()) if device else None
        ),
    )
