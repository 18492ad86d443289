# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a daemon works: it stays up, listens where it should, and a command succeeds."""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ansible_collections.twelvefactor.deploy.plugins.module_utils._daemon.plan import Status
from ansible_collections.twelvefactor.deploy.plugins.module_utils._daemon.unit import Systemd
from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.twelvefactor.deploy.plugins.module_utils._host.command import run

PAUSE = 0.2  # seconds between two looks
COMMAND_PAUSE = 1.0
PROC = Path("/proc")
LISTENING = {"tcp": "0A", "udp": "07"}  # include/net/tcp_states.h; of UDP: not connected
ACCEPTING = "00010000"  # __SO_ACCEPTCON in /proc/net/unix


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """Where something is to listen. An empty address stands for any."""

    protocol: str
    address: str
    port: int = 0

    def __str__(self) -> str:
        if self.protocol == "unix":
            return f"unix:{self.address}"
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.protocol}:{host}:{self.port}" if host else f"{self.protocol}:{self.port}"


@dataclasses.dataclass(frozen=True)
class Socket:
    endpoint: Endpoint
    inode: str
    uid: int


@dataclasses.dataclass(frozen=True)
class Holder:
    """Whose sockets count: by inode, or by user where the kernel does not show what processes have."""

    inodes: frozenset[str]
    uids: frozenset[int]

    def has(self, sockets: Iterable[Socket]) -> bool:
        return any(each.inode in self.inodes or each.uid in self.uids for each in sockets)


@dataclasses.dataclass(frozen=True)
class Proof:
    seconds: int
    listens: tuple[Endpoint, ...]
    command: tuple[str, ...]
    timeout: int


def parse_endpoint(text: str) -> Endpoint:
    """``tcp:8126``, ``tcp:127.0.0.1:8126``, ``udp:[::1]:8125`` or ``unix:/run/shop.sock``."""
    protocol, _colon, rest = text.partition(":")
    if protocol == "unix" and rest.startswith("/"):
        return Endpoint("unix", rest)
    host, _colon, port = rest.rpartition(":")
    address = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    try:
        if protocol not in LISTENING or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError
        canonical = str(ipaddress.ip_address(address)) if address else ""
    except ValueError:
        raise DeployError(
            f"Invalid endpoint {text!r}: write it as 'tcp:8126', 'tcp:127.0.0.1:8126', "
            "'udp:[::1]:8125' or 'unix:/run/shop.sock'."
        ) from None
    return Endpoint(protocol, canonical, int(port))


def parse_sockets(protocol: str, table: str) -> Iterator[Socket]:
    """Each listening socket in a table of /proc/net."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        if protocol == "unix":
            # one that is not bound to a path has no eighth field
            if len(fields) == 8 and fields[3] == ACCEPTING:
                yield Socket(Endpoint("unix", fields[7]), fields[6], _owner_of(fields[7]))
        elif len(fields) > 9 and fields[3] == LISTENING[protocol]:
            address, _colon, port = fields[1].partition(":")
            endpoint = Endpoint(protocol, _address(address), int(port, 16))
            yield Socket(endpoint, fields[9], int(fields[7]))


def _owner_of(path: str) -> int:
    try:
        return os.lstat(path).st_uid
    except OSError:
        return -1


def _address(text: str) -> str:
    """The kernel writes words of four bytes in the machine's order, which here is little-endian."""
    words = [bytes.fromhex(text[i : i + 8])[::-1] for i in range(0, len(text), 8)]
    return str(ipaddress.ip_address(b"".join(words)))


def serves(socket: Endpoint, wanted: Endpoint) -> bool:
    """Whether who connects to `wanted` gets to `socket`."""
    if (socket.protocol, socket.port) != (wanted.protocol, wanted.port):
        return False
    if socket.address == wanted.address or not wanted.address:
        return True
    # a wildcard of IPv6 takes IPv4, too
    return socket.address == "::" or (socket.address == "0.0.0.0" and ":" not in wanted.address)


def listeners(wanted: Endpoint) -> list[Socket]:
    """The sockets that serve an endpoint."""
    names = ("unix",) if wanted.protocol == "unix" else (wanted.protocol, f"{wanted.protocol}6")
    found: list[Socket] = []
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            table = (PROC / "net" / name).read_text("utf-8", "replace")
            sockets = parse_sockets(wanted.protocol, table)
            found.extend(each for each in sockets if serves(each.endpoint, wanted))
    return found


def processes(cgroups: Iterable[str]) -> set[str]:
    """The processes of units, by their control groups."""
    wanted = {group for group in cgroups if group and group != "/"}
    found = set()
    for path in PROC.glob("[0-9]*"):
        # a process may end while it is looked at
        with contextlib.suppress(OSError):
            for line in (path / "cgroup").read_text().splitlines():
                group = line.split(":", 2)[2]
                if any(group == each or group.startswith(f"{each}/") for each in wanted):
                    found.add(path.name)
    return found


def sockets_of(pid: str) -> set[str]:
    """Inodes of the sockets that a process has open.

    Raises PermissionError in a container, where root may be without CAP_SYS_PTRACE.
    """
    found = set()
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for name in os.listdir(PROC / pid / "fd"):
            with contextlib.suppress(FileNotFoundError):
                target = os.readlink(PROC / pid / "fd" / name)
                if target.startswith("socket:["):
                    found.add(target[8:-1])
    return found


def holder_of(pids: Iterable[str]) -> Holder:
    inodes: set[str] = set()
    uids = set()
    for pid in pids:
        try:
            inodes |= sockets_of(pid)
        except PermissionError:
            with contextlib.suppress(OSError):
                uids.add((PROC / pid).stat().st_uid)
    return Holder(frozenset(inodes), frozenset(uids))


def who_has(sockets: Iterable[Socket]) -> str:
    """The process that has one of these sockets, for a message."""
    inodes = {each.inode for each in sockets}
    for path in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if inodes & sockets_of(path.name):
                return f"{(path / 'comm').read_text().strip()} (process {path.name})"
    return "another process" if inodes else ""


class Prover:
    """Watches units until all that is asked for holds, or one of them has failed."""

    def __init__(self, systemd: Systemd, proof: Proof, *, quiet: bool) -> None:
        self._systemd = systemd
        self._proof = proof
        self._quiet = quiet  # nothing that a program wrote may be shown: it knows a secret

    def prove(
        self, units: Iterable[str], restarts: Mapping[str, int], beside: Iterable[str] = ()
    ) -> None:
        """Return when the daemon works. `restarts`: how many each unit may have had.

        `beside`: units of the daemon to which nothing was done. What they listen on counts, too.

        Raises DeployError with the reason when a unit failed, or was restarted by systemd, or when
        the timeout is over.
        """
        names, beside = list(units), list(beside)
        deadline = time.monotonic() + self._proof.timeout
        first = self.wait_active(names, restarts, deadline)
        stable_at = time.monotonic() + self._proof.seconds
        next_command, complaint = 0.0, ""
        while True:
            seen = self._systemd.status([*names, *beside])
            for name in names:
                self._require_same(name, first[name], seen[name], restarts.get(name, 0))
            now = time.monotonic()
            problem = self._not_listening(seen)
            if not problem and self._proof.command and now >= next_command:
                complaint = self._command_problem(max(1.0, deadline - now))
                next_command = time.monotonic() + COMMAND_PAUSE
            problem = problem or complaint
            if not problem and now >= stable_at:
                return
            if now >= max(deadline, stable_at):
                raise DeployError(
                    f"{problem} after {self._proof.timeout} s{self.last_messages(names)}."
                )
            time.sleep(PAUSE)

    def wait_active(
        self, names: Iterable[str], restarts: Mapping[str, int], deadline: float
    ) -> dict[str, Status]:
        """The state of units as soon as all of them are active."""
        while True:
            seen = self._systemd.status(names)
            for status in seen.values():
                if status.state.startswith("failed") or status.restarts > restarts.get(
                    status.name, 0
                ):
                    raise DeployError(self._stopped(status))
            waiting = [status for status in seen.values() if not status.steady]
            if not waiting:
                return seen
            if time.monotonic() >= deadline:
                raise DeployError(self._stopped(waiting[0]))
            time.sleep(PAUSE)

    def _require_same(self, name: str, first: Status, now: Status, restarts: int) -> None:
        same = now.invocation == first.invocation and now.restarts <= restarts
        if not (same and now.steady):
            raise DeployError(self._stopped(now))

    def _stopped(self, status: Status) -> str:
        words = f"{status.name} does not stay active: it is {status.state}"
        if status.result:
            words += f", result {status.result}"
        if status.restarts:
            words += f", restarted by systemd {status.restarts} times"
        return f"{words}{self.last_messages([status.name])}."

    def last_messages(self, names: Iterable[str]) -> str:
        """What units wrote last, as the end of a sentence."""
        if self._quiet:
            return f" (see journalctl --unit={' --unit='.join(names)})"
        said = " | ".join(filter(None, map(self._systemd.journal, names)))
        return f" (its last messages: {said[-600:]})" if said else ""

    def _not_listening(self, seen: Mapping[str, Status]) -> str:
        if not self._proof.listens:
            return ""
        pids = processes(status.cgroup for status in seen.values())
        if any(name.endswith(".socket") for name in seen):
            pids.add("1")
        mine = holder_of(pids)
        for endpoint in self._proof.listens:
            sockets = listeners(endpoint)
            if not mine.has(sockets):
                other = who_has(sockets)
                return f"It does not listen on {endpoint}" + (
                    f", which {other} has" if other else ""
                )
        return ""

    def _command_problem(self, timeout: float) -> str:
        try:
            status, output = run(self._proof.command, "run the command of the proof", timeout)
        except DeployError as error:
            return str(error).rstrip(".")
        if not status:
            return ""
        said = "" if self._quiet else f": {' '.join(output.split())[-300:]}"
        return f"{self._proof.command[0]} ended with exit code {status}{said}"
