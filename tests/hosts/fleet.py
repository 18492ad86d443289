# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot a fleet of hosts, or take it away: podman containers that run systemd and sshd."""

from __future__ import annotations

import collections.abc
import concurrent.futures
import contextlib
import dataclasses
import fcntl
import hashlib
import ipaddress
import json
import os
import pathlib
import re
import shutil
import socket
import time

from . import address, image, inventory, machine, usage
from .command import attempt, run
from .errors import HostsError
from .host import Host

# Of podman's names, not the hosts': a Molecule scenario may have an underscore.
NAME = re.compile(r"[a-z][a-z0-9_-]{0,40}")
LOCK = pathlib.Path("/run/twelvefactor-hosts.lock")
INOTIFY = pathlib.Path("/proc/sys/fs/inotify/max_user_instances")
# Each systemd takes a few; the kernel's default of 128 ends at about 28 hosts.
INOTIFY_INSTANCES = 8192
BOOT_DEADLINE = 600.0
# Lists of packages that were fetched in the last six hours count as fetched at the boot: roles take those of
# the last hour, and fetching all of them on every host takes seconds of a core.
RECENT_LISTS = "find /var/lib/apt/lists -maxdepth 0 -mmin -360 -exec touch {} +"
# Loses against the bridge's own route while that is there.
BLACKHOLE_METRIC = "4096"
LABEL_FLEET = "twelvefactor.fleet"
LABEL_NAME = "twelvefactor.fleet-name"
LABEL_OWNER = "twelvefactor.owner"
LABEL_RECIPE = "twelvefactor.host"


@dataclasses.dataclass(frozen=True)
class Fleet:
    """One fleet of this checkout; `state` is the directory that all fleets share."""

    name: str
    state: pathlib.Path

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise HostsError(f"{self.name!r} is no name of a fleet: use a-z, 0-9, - and _")

    @property
    def directory(self) -> pathlib.Path:
        return self.state / self.name

    @property
    def checkout(self) -> str:
        """Tells the fleets of several checkouts on one machine apart."""
        return hashlib.sha256(str(self.state).encode()).hexdigest()[:4]

    @property
    def label(self) -> str:
        return f"{self.name}-{self.checkout}"

    @property
    def network(self) -> str:
        return f"twelvefactor-{self.label}"

    @property
    def subnet_file(self) -> pathlib.Path:
        return self.state / ".subnets" / self.name

    def container(self, host: Host) -> str:
        return f"{self.name}-{host.name}-{self.checkout}"


def prepare(state: pathlib.Path) -> machine.Settings:
    """Make this machine and this process ready for podman."""
    if os.geteuid():
        raise HostsError("test hosts need root, for addresses that can be reached: use sudo")
    state.mkdir(parents=True, exist_ok=True)
    settings = machine.decide(machine.look())
    if settings.mount_systemd_hierarchy:
        hierarchy = pathlib.Path("/sys/fs/cgroup/systemd")
        hierarchy.mkdir(exist_ok=True)
        run("mount", "-t", "cgroup", "-o", "none,name=systemd", "systemd", str(hierarchy))
    if int(INOTIFY.read_text()) < INOTIFY_INSTANCES:
        # A machine that forbids it can still boot a few hosts.
        with contextlib.suppress(OSError):
            INOTIFY.write_text(f"{INOTIFY_INSTANCES}\n")
    configuration = state / "containers.conf"
    text = machine.containers_conf(settings)
    if not configuration.exists() or configuration.read_text() != text:
        configuration.write_text(text)
    os.environ["CONTAINERS_CONF"] = str(configuration)
    return settings


@contextlib.contextmanager
def locked() -> collections.abc.Iterator[None]:
    """One at a time on this machine, for what all checkouts share: images and subnets."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def up(fleet: Fleet, hosts: list[Host], *, mtu: int, fresh: bool = False) -> pathlib.Path:
    """Bring exactly `hosts` up and return the inventory; hosts that fit already are kept."""
    names = [host.name for host in hosts]
    if not names or len(set(names)) < len(names):
        raise HostsError(f"fleet {fleet.name} needs hosts with a name each, not {names}")
    if fresh:
        down(fleet)
    with locked():
        image.build(sorted({host.image for host in hosts if not image.is_prepared(host.image)}))
        subnet = create_network(fleet, mtu)
        private_key = key(fleet.state)
    addresses = address.assign(subnet, names)
    public_key = private_key.with_suffix(".pub")
    present = containers(fleet)
    for name in present.keys() - {fleet.container(host) for host in hosts}:
        run("podman", "rm", "--force", "--time", "0", name)
    fleet.directory.mkdir(exist_ok=True)

    def boot(host: Host) -> tuple[str, str]:
        recipe = fingerprint(host, addresses[host.name], public_key)
        name = fleet.container(host)
        if present.get(name) == recipe:
            return wait(fleet, host, addresses[host.name], new=False)
        run("podman", "rm", "--force", "--ignore", "--time", "0", name)
        create(fleet, host, addresses[host.name], public_key, recipe)
        return wait(fleet, host, addresses[host.name], new=True)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(boot, hosts))
    keep_bridge_address(subnet)
    known_hosts = fleet.directory / "known_hosts"
    known_hosts.write_text(
        "".join(
            f"{addresses[host.name]} {host_key}\n"
            for host, (host_key, _boot) in zip(hosts, answers, strict=True)
        )
    )
    path = fleet.directory / "inventory.yml"
    boots = {host.name: boot_id for host, (_key, boot_id) in zip(hosts, answers, strict=True)}
    path.write_text(inventory.render(hosts, addresses, boots, private_key, known_hosts))
    return path


def down(fleet: Fleet) -> None:
    """Remove the fleet's hosts and network. Its subnet leads nowhere from then on."""
    names = list(containers(fleet))
    if names:
        usage.record(names, fleet.subnet_file.read_text() if fleet.subnet_file.exists() else "")
        run("podman", "rm", "--force", "--time", "0", *names)
    attempt("podman", "network", "rm", "--force", fleet.network)
    shutil.rmtree(fleet.directory, ignore_errors=True)


def down_all(state: pathlib.Path) -> list[str]:
    """Remove every fleet of this checkout, and of checkouts that are gone; their names."""
    fleets = {Fleet(name, state) for name in (path.name for path in remembered(state))}
    listed = run("podman", "ps", "--all", "--format", "json", "--filter", f"label={LABEL_NAME}")
    for entry in json.loads(listed or "[]"):
        owner = pathlib.Path(entry["Labels"][LABEL_OWNER])
        if owner == state or not owner.exists():
            fleets.add(Fleet(entry["Labels"][LABEL_NAME], owner))
    for fleet in fleets:
        down(fleet)
        if fleet.subnet_file.exists():
            subnet = fleet.subnet_file.read_text()
            attempt("ip", "route", "del", "blackhole", subnet, "metric", BLACKHOLE_METRIC)
            fleet.subnet_file.unlink()
    return sorted(fleet.name for fleet in fleets)


def remembered(state: pathlib.Path) -> list[pathlib.Path]:
    """The files that keep the subnet of each fleet there was."""
    subnets = state / ".subnets"
    return list(subnets.iterdir()) if subnets.is_dir() else []


def containers(fleet: Fleet) -> dict[str, str]:
    """The fleet's containers, running or not, and what each was made of."""
    filters = ("--filter", f"label={LABEL_FLEET}={fleet.label}")
    listed = run("podman", "ps", "--all", "--format", "json", *filters)
    return {
        entry["Names"][0]: entry["Labels"].get(LABEL_RECIPE, "")
        for entry in json.loads(listed or "[]")
    }


def create_network(fleet: Fleet, mtu: int) -> ipaddress.IPv4Network:
    """The fleet's network, made when missing. The caller holds the lock."""
    networks = existing_networks()
    there = networks.get(fleet.network)
    if there:
        subnet = there[0]
    else:
        taken = [*routed(), *(subnet for subnets in networks.values() for subnet in subnets)]
        subnet = address.choose_subnet(fleet.name, taken)
    # Before the network exists and after it is gone, so that nothing meant for the fleet's hosts
    # ever leaves this machine by the default route.
    run("ip", "route", "replace", "blackhole", str(subnet), "metric", BLACKHOLE_METRIC)
    fleet.subnet_file.parent.mkdir(exist_ok=True)
    fleet.subnet_file.write_text(str(subnet))
    if not there:
        run(
            "podman", "network", "create", "--subnet", str(subnet), "--opt", f"mtu={mtu}",
            "--label", f"{LABEL_FLEET}={fleet.label}", fleet.network,
        )  # fmt: skip
    return subnet


def keep_bridge_address(subnet: ipaddress.IPv4Network) -> None:
    """Give the bridge of a fleet that runs the MAC address that it has.

    Otherwise it takes the lowest of its ports': when a host stops or starts, this machine is cut off from the others
    until those ask for the address again, for up to half a minute.
    """
    for route in json.loads(
        run("ip", "-json", "route", "show", "exact", str(subnet), "scope", "link")
    ):
        mac = pathlib.Path("/sys/class/net", route["dev"], "address").read_text().strip()
        run("ip", "link", "set", "dev", route["dev"], "address", mac)


def existing_networks() -> dict[str, list[ipaddress.IPv4Network]]:
    """The IPv4 subnets of every podman network on this machine."""
    return {
        network["name"]: [
            ipaddress.IPv4Network(entry["subnet"])
            for entry in network.get("subnets") or []
            if ":" not in entry["subnet"]
        ]
        for network in json.loads(run("podman", "network", "ls", "--format", "json"))
    }


def routed() -> list[ipaddress.IPv4Network]:
    """What this machine has routes to; the blackholes of absent fleets do not count."""
    return [
        ipaddress.IPv4Network(route["dst"], strict=False)
        for route in json.loads(run("ip", "-json", "-4", "route"))
        if route["dst"] != "default" and route.get("type") != "blackhole"
    ]


def key(state: pathlib.Path) -> pathlib.Path:
    """The private key that opens the hosts of this checkout, made when missing."""
    private = state / "id_ed25519"
    if not private.exists():
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test hosts", "-f", str(private))
    return private


def fingerprint(host: Host, ip: ipaddress.IPv4Address, public_key: pathlib.Path) -> str:
    """What a container must have been made of to be kept."""
    parts = [image.reference(host.image), str(ip), public_key.read_text()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def create(
    fleet: Fleet, host: Host, ip: ipaddress.IPv4Address, public_key: pathlib.Path, recipe: str
) -> None:
    run(
        "podman", "run", "--detach", "--pull=never",
        "--name", fleet.container(host),
        "--hostname", host.name,
        "--network", fleet.network,
        "--network-alias", host.name,
        "--ip", str(ip),
        "--mac-address", address.mac(ip),
        "--systemd=always",
        # Without it systemd skips ProtectSystem and its kin, and no sandbox would be tested.
        "--cap-add=SYS_ADMIN",
        # systemd sets up a user namespace below ProtectProc=invisible with it
        "--cap-add=SYS_PTRACE",
        "--volume", f"{public_key}:/home/ops/.ssh/authorized_keys:ro",
        "--label", f"{LABEL_FLEET}={fleet.label}",
        "--label", f"{LABEL_NAME}={fleet.name}",
        "--label", f"{LABEL_OWNER}={fleet.state}",
        "--label", f"{LABEL_RECIPE}={recipe}",
        image.reference(host.image), "/lib/systemd/systemd",
    )  # fmt: skip


def wait(fleet: Fleet, host: Host, ip: ipaddress.IPv4Address, *, new: bool) -> tuple[str, str]:
    """Wait until the host is up; its SSH host key, and an id of this container."""
    name = fleet.container(host)
    # A test that cuts a host off and is killed leaves this behind, and the next one never hears of the host.
    attempt("ip", "route", "del", "blackhole", f"{ip}/32")
    deadline = time.monotonic() + BOOT_DEADLINE
    state = "starting"
    # A host that tests have been at may well have a failed unit; a new one may not.
    good = {"running"} if new else {"running", "degraded"}
    while state not in good or not ssh_answers(ip):
        if not new:
            # One that was told to go down may still have run when it was started: that did nothing.
            attempt("podman", "start", name)
        state = attempt("podman", "exec", name, "systemctl", "is-system-running")[1].strip()
        if new and state == "degraded":
            failed = run("podman", "exec", name, "systemctl", "--failed", "--plain", "--no-legend")
            # Not to be taken for a good one by the next `up`.
            run("podman", "rm", "--force", "--time", "0", name)
            raise HostsError(f"{name} came up with failed units: {failed.strip()}")
        if time.monotonic() > deadline:
            raise HostsError(
                f"{name} is {state or 'not answering'} after {BOOT_DEADLINE:.0f} s:"
                f" see `podman logs {name}`"
            )
        time.sleep(0.2)
    if new:
        run("podman", "exec", name, *RECENT_LISTS.split())
    host_key = run("podman", "exec", name, "cat", "/etc/ssh/ssh_host_ed25519_key.pub")
    container_id = run("podman", "inspect", "--format", "{{.Id}}", name)
    return " ".join(host_key.split()[:2]), container_id[:12]


def ssh_answers(ip: ipaddress.IPv4Address) -> bool:
    """Whether sshd greets on `ip`."""
    try:
        with socket.create_connection((str(ip), 22), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
