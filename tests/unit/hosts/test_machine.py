# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import tomllib

import pytest
from hosts import machine
from hosts.errors import HostsError

V2 = machine.Machine(
    cgroups="v2",
    init="systemd",
    has_systemd_hierarchy=False,
    can_raise_limits=True,
    open_files=1024,
    processes=4096,
    pid_max=4_194_304,
    runtimes=frozenset({"crun", "runc"}),
    uplink_mtu=1500,
)
HYBRID = dataclasses.replace(V2, cgroups="hybrid", init="sh", has_systemd_hierarchy=True)
V1 = dataclasses.replace(HYBRID, cgroups="v1")


@pytest.mark.parametrize(
    ("facts", "runtime", "manager"),
    [
        pytest.param(V2, "crun", "systemd", id="v2"),
        pytest.param(dataclasses.replace(V2, init="sh"), "crun", "cgroupfs", id="v2, other init"),
        pytest.param(
            dataclasses.replace(V2, runtimes=frozenset({"runc"})), "runc", "systemd", id="v2, runc"
        ),
        pytest.param(HYBRID, "runc", "cgroupfs", id="hybrid"),
        pytest.param(
            dataclasses.replace(HYBRID, init="systemd"), "runc", "cgroupfs", id="hybrid, systemd"
        ),
        pytest.param(V1, "runc", "cgroupfs", id="v1"),
    ],
)
def test_runtime_and_manager(facts: machine.Machine, runtime: str, manager: str) -> None:
    settings = machine.decide(facts)
    assert (settings.runtime, settings.cgroup_manager) == (runtime, manager)


@pytest.mark.parametrize(
    ("facts", "package"),
    [
        (dataclasses.replace(V2, runtimes=frozenset()), "crun"),
        (dataclasses.replace(HYBRID, runtimes=frozenset({"crun"})), "runc"),
    ],
)
def test_no_fitting_runtime_names_the_package(facts: machine.Machine, package: str) -> None:
    with pytest.raises(HostsError, match=f"apt-get install {package}$"):
        machine.decide(facts)


@pytest.mark.parametrize(
    ("facts", "mount"),
    [
        (V2, False),
        (HYBRID, False),
        (V1, False),
        (dataclasses.replace(V1, has_systemd_hierarchy=False), True),
        (dataclasses.replace(HYBRID, has_systemd_hierarchy=False), True),
    ],
)
def test_systemd_hierarchy_is_mounted_where_it_is_missing(
    facts: machine.Machine, mount: bool
) -> None:
    assert machine.decide(facts).mount_systemd_hierarchy is mount


@pytest.mark.parametrize(
    ("changes", "ulimits"),
    [
        pytest.param({"can_raise_limits": True}, (), id="may raise: podman's own"),
        pytest.param({}, ("nofile=1024:1024", "nproc=4096:4096"), id="what there is"),
        pytest.param(
            {"open_files": None, "processes": None},
            ("nofile=1048576:1048576", "nproc=30000:30000"),
            id="unlimited",
        ),
        pytest.param(
            {"processes": 100_000, "pid_max": 32_768},
            ("nofile=1024:1024", "nproc=32768:32768"),
            id="not above pid_max",
        ),
    ],
)
def test_ulimits(changes: dict[str, object], ulimits: tuple[str, ...]) -> None:
    facts = dataclasses.replace(V2, **{"can_raise_limits": False, **changes})
    assert machine.decide(facts).ulimits == ulimits


@pytest.mark.parametrize(
    ("uplink", "mtu"), [(1500, 1500), (1400, 1400), (9000, 1500), (65535, 1500), (None, 1500)]
)
def test_mtu_is_never_above_the_uplink_or_ethernet(uplink: int | None, mtu: int) -> None:
    assert machine.decide(dataclasses.replace(V2, uplink_mtu=uplink)).mtu == mtu


MOUNTS_V2 = "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"
MOUNTS_V1 = """\
tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0
"""
MOUNTS_HYBRID = f"{MOUNTS_V1}cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"


@pytest.mark.parametrize(
    ("mounts", "mode"), [(MOUNTS_V2, "v2"), (MOUNTS_HYBRID, "hybrid"), (MOUNTS_V1, "v1")]
)
def test_cgroup_mode(mounts: str, mode: str) -> None:
    assert machine.cgroup_mode(mounts) == mode


def test_no_cgroups_at_all() -> None:
    with pytest.raises(HostsError, match="no cgroup file system"):
        machine.cgroup_mode("proc /proc proc rw 0 0\n")


@pytest.mark.parametrize(
    ("status", "has"),
    [
        ("Name:\tsh\nCapEff:\t000001ffffffffff\n", True),
        ("Name:\tsh\nCapEff:\t000001fffeffffff\n", False),
        ("Name:\tsh\n", False),
    ],
)
def test_capability(status: str, has: bool) -> None:
    assert machine.has_capability(status, machine.CAP_SYS_RESOURCE) is has


def test_default_route_device() -> None:
    header = "Iface\tDestination\tGateway\tFlags\n"
    local = "eth0\t000200C0\t00000000\t0001\n"
    default = "eth1\t00000000\t010200C0\t0003\n"
    assert machine.default_route_device(header + local + default) == "eth1"
    assert machine.default_route_device(header + local) is None


def test_containers_conf_is_toml_with_the_settings() -> None:
    settings = machine.decide(dataclasses.replace(HYBRID, can_raise_limits=False))
    conf = tomllib.loads(machine.containers_conf(settings))
    assert conf["engine"]["runtime"] == "runc"
    assert conf["engine"]["cgroup_manager"] == "cgroupfs"
    assert conf["containers"]["default_ulimits"] == list(settings.ulimits)
    assert conf["network"]["network_backend"] == "netavark"
