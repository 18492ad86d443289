# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves on real hosts, through TLS and nginx, that deploys lose no request, for every app server.

The hosts are made by the project's own playbooks. Then some app servers at a time are moved from
release to release on both hosts, while clients send GET and POST, over kept connections and over
one connection a request, with and without kept connections between nginx and the app, with
requests of 2.5 s, a streamed answer of 30 s and a WebSocket in flight. The exit code is 0 only when
no request failed, none was cut short, and as much was done as was asked for.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from . import app_servers
from .counting_process import CountingError, CountingProcess
from .heavy_load import HeavyLoad, HeavyLoadError, HeavyResult
from .proof import HostRun, Move, Proof, prove, read_move, table

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "tests/load/prove"
HOSTS = {"index1": "debian12:index", "app1": "debian12:app", "app2": "debian13:app"}
APP_HOSTS = ("app1", "app2")
FULL_REQUESTS = 1_000_000
FULL_DEPLOYS = 20

SITE_TIMEOUT_SECONDS = 2700
HOSTS_TIMEOUT_SECONDS = 600
# The longest move is one away from a patient release.
MOVE_TIMEOUT_SECONDS = 120
# Load before the first move and after the last, so that both are seen whole.
MARGIN_SECONDS = 3.0
TOP_UP_SECONDS = 180
LOOK_SECONDS = 2.0

# Of each client. A busy machine must be left room for the app servers and for nginx.
CLIENT = (
    *("--get-path", "/", "--post-path", "/echo", "--slow-path", "/slow", "--identify", "process"),
    *("--keep-alive", "4", "--one-shot", "1", "--slow", "1", "--streams", "1"),
    *("--pause", "0.1", "--timeout", "30", "--held-pause", "15"),
)
WRK_CONNECTIONS = 6
WRK_PAUSE_SECONDS = 0.02


class ProofError(Exception):
    """It could not be tried, so nothing is proven either way; the message says why."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the playbook says of one host."""

    host: str
    address: str
    trust: Path
    releases: Mapping[str, Mapping[str, str]]  # app, name of a release: its id
    versions: Mapping[str, str]  # app: what it ran under


def server_names(text: str) -> list[str]:
    """Of a list such as "uvicorn,waitress"; ProofError names one that there is not."""
    names = [name for name in text.replace(",", " ").split() if name]
    unknown = [name for name in names if name not in app_servers.SERVERS]
    if unknown or not names:
        raise ProofError(
            f"there is no app server {', '.join(unknown) or 'in an empty list'}; "
            f"known are {', '.join(app_servers.SERVERS)}"
        )
    return list(dict.fromkeys(names))


def pro_rata(servers: int, deploys: int) -> int:
    """Requests for a smaller run, as many for each deploy as in the full one."""
    share = servers * deploys / (len(app_servers.SERVERS) * FULL_DEPLOYS)
    return min(round(FULL_REQUESTS * share), FULL_REQUESTS)


def versions_run(installed: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """For each app the versions of its app server and of Python, of all its releases."""
    found: dict[str, list[str]] = {}
    for result in installed:
        app = result["item"]["app"]
        distribution = app_servers.SERVERS[app].distribution
        version = result.get("packages", {}).get(distribution, "?")
        text = f"{distribution} {version}, Python {result.get('python', '?')}"
        if text not in found.setdefault(app, []):
            found[app].append(text)
    return {app: "; ".join(texts) for app, texts in found.items()}


def drains(known: Known, app: str) -> dict[str, float]:
    """The drain timeout of every release of an app, by its id."""
    options = {
        release["name"]: float(release["process_options"]["web"]["drain_timeout"])
        for release in app_servers.releases(app, app_servers.SERVERS[app])
    }
    return {release: options[name] for name, release in known.releases[app].items()}


class _Client:
    """The load of one app on one host under one name: a client that checks, and wrk."""

    def __init__(self, name: str, known: Known, output: Path, *, websockets: bool) -> None:
        held = ("--websockets", "1" if websockets else "0")
        reach = ("--address", known.address, "--ca-file", str(known.trust))
        self.counting = CountingProcess(f"https://{name}", (*CLIENT, *held, *reach), output)
        try:
            self._heavy = HeavyLoad(
                name,
                known.address,
                443,
                "/",
                WRK_CONNECTIONS,
                post_path="/echo",
                pause=WRK_PAUSE_SECONDS,
            )
        except OSError:
            self.counting.stop()
            raise
        self._began = time.monotonic()

    @property
    def running(self) -> bool:
        return self.counting.running and self._heavy.running

    def so_far(self) -> int:
        """Requests sent; what wrk does not tell before its end is estimated, rather too low."""
        paced = WRK_CONNECTIONS * (time.monotonic() - self._began) / WRK_PAUSE_SECONDS
        return self.counting.so_far() + round(paced / 4)

    def ask_to_stop(self) -> None:
        self.counting.ask_to_stop()
        self._heavy.ask_to_stop()

    def stop(self) -> tuple[dict[str, Any], HeavyResult]:
        try:
            heavy = self._heavy.stop()
        finally:
            counted = self.counting.stop()
        return counted, heavy


class _Moves:
    """The deploys of one app on both hosts: a running ansible-playbook."""

    def __init__(
        self, app: str, known: Sequence[Known], count: int, state: Path, options: list[str]
    ) -> None:
        self.app = app
        self._state = state
        ids = known[0].releases[app]
        if any(other.releases[app] != ids for other in known):
            raise ProofError(f"the hosts disagree on the ids of the releases of {app}")
        self._count = count
        for host in known:
            for number in range(count + 1):
                self._status(host, number).unlink(missing_ok=True)
        extra = {
            "prove_state": str(state),
            "app": app,
            "moves": [ids[name] for name in app_servers.moves(count)],
        }
        self.log = state / f"{app}-moves.log"
        self._file: IO[str] = self.log.open("w")
        self._process = subprocess.Popen(
            ["ansible-playbook", *options, str(HERE / "moves.yml"), "-e", json.dumps(extra)],
            cwd=ROOT,
            env=_ansible_environment(),
            stdout=self._file,
            stderr=subprocess.STDOUT,
        )

    def _status(self, host: Known, number: int) -> Path:
        return self._state / f"{self.app}-{host.host}-{number}.json"

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        if self.running:
            self._process.kill()
        self._process.wait()
        self._file.close()

    def made(self, host: Known) -> tuple[list[Move], list[str]]:
        """The moves of a host, and why others were not made."""
        timeouts = drains(host, self.app)
        moves: list[Move] = []
        for number in range(self._count + 1):
            kind, path = "deploy" if number < self._count else "reload", self._status(host, number)
            if not path.exists():
                return moves, [f"{kind} {number + 1} on {host.host} failed, see {self.log}"]
            try:
                moves.append(read_move(kind, json.loads(path.read_text()), timeouts))
            except ValueError as error:
                return moves, [f"{host.host}: {error}"]
        return moves, []


def _ansible_environment() -> dict[str, str]:
    """This process's, without the path that makes `python -m load` work."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def _run(command: Sequence[str], seconds: float, log: Path) -> None:
    """Run to the end; ProofError with the last words when it fails."""
    print(f"==> {' '.join(command[:3])} ..., see {log}", flush=True)
    try:
        with log.open("w") as file:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=_ansible_environment(),
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=seconds,
                check=False,
            )
    except subprocess.TimeoutExpired:
        raise ProofError(f"{command[0]} took longer than {seconds:g} s, see {log}") from None
    if done.returncode:
        raise ProofError(f"{command[0]} failed:\n{log.read_text()[-3000:]}")


def make_hosts(chosen: argparse.Namespace, names: Sequence[str]) -> list[Known]:
    """Hosts with every release of every app installed, and the oldest serving."""
    state: Path = chosen.state
    hosts = [f"{name}={kind}" for name, kind in HOSTS.items()]
    _run(
        ["tests/hosts/hosts", "up", chosen.fleet, *hosts],
        HOSTS_TIMEOUT_SECONDS,
        state / "hosts.log",
    )
    if chosen.reuse_hosts:
        known = _read_all_known(state, names)
        first = [
            {"app": name, "release": known[0].releases[name][app_servers.FIRST]} for name in names
        ]
        extra = ("-e", json.dumps({"begin": first}))
        command = ["ansible-playbook", *_options(chosen), str(HERE / "begin.yml"), *extra]
        _run(command, SITE_TIMEOUT_SECONDS, state / "begin.log")
        return known
    variables = {
        "prove_state": str(state),
        "apps": app_servers.apps(names),
        "prove_builds": app_servers.BUILDS,
        "prove_releases": [
            release
            for name in names
            for release in app_servers.releases(name, app_servers.SERVERS[name])
        ],
    }
    given = state / "variables.json"
    given.write_text(json.dumps(variables, indent=2))
    command = ["ansible-playbook", *_options(chosen), str(HERE / "site.yml"), "-e", f"@{given}"]
    _run(command, SITE_TIMEOUT_SECONDS, state / "site.log")
    return _read_all_known(state, names)


def _options(chosen: argparse.Namespace) -> list[str]:
    return ["-i", str(HERE / "inventory"), "-i", f"build/hosts/{chosen.fleet}/inventory.yml"]


def _read_all_known(state: Path, names: Sequence[str]) -> list[Known]:
    known = [_read_known(state, host) for host in APP_HOSTS]
    missing = [name for name in names if any(name not in host.releases for host in known)]
    if missing:
        raise ProofError(f"the hosts were not made for {', '.join(missing)}: do not reuse them")
    return known


def _read_known(state: Path, host: str) -> Known:
    known = json.loads((state / f"{host}.json").read_text())
    trust = state / f"{host}.pem"
    trust.write_text(known["trust"])
    releases: dict[str, dict[str, str]] = {}
    for result in known["installed"]:
        item = result["item"]
        releases.setdefault(item["app"], {})[item["name"]] = result["release"]
    return Known(host, known["address"], trust, releases, versions_run(known["installed"]))


@dataclass(frozen=True, slots=True)
class Wave:
    """What came of some app servers that were moved beside each other."""

    runs: Mapping[str, Sequence[HostRun]]
    seconds: float
    loads: Sequence[float]


def prove_some(
    names: Sequence[str], known: Sequence[Known], chosen: argparse.Namespace, share: int
) -> Wave:
    """Move some app servers under load; the loads are stopped whatever happens."""
    began = time.monotonic()
    clients: dict[tuple[str, str, str], _Client] = {}
    playing: list[_Moves] = []
    loads: list[float] = []
    try:
        for name, host, client, domain in _clients(names, known):
            output = chosen.state / f"{name}-{host.host}-{client}.json"
            asgi = app_servers.SERVERS[name].asgi
            clients[name, host.host, client] = _Client(domain, host, output, websockets=asgi)
        time.sleep(MARGIN_SECONDS)
        dead = [" ".join(key) for key, client in clients.items() if not client.running]
        if dead:
            raise ProofError(f"the load ended at once: {', '.join(dead)}; does nginx answer?")
        for name in names:
            playing.append(_Moves(name, known, chosen.deploys, chosen.state, _options(chosen)))
        _wait_for(playing, chosen.deploys, loads)
        _top_up(names, clients, share, loads)
        time.sleep(MARGIN_SECONDS)
    finally:
        for moves in playing:
            moves.kill()
        for one in clients.values():
            one.ask_to_stop()
        stopped = {key: one.stop() for key, one in clients.items()}
    runs = {}
    for moves in playing:
        app_runs = []
        for host in known:
            made, refused = moves.made(host)
            mine = {
                client: result
                for (name, on, client), result in stopped.items()
                if (name, on) == (moves.app, host.host)
            }
            app_runs.append(
                HostRun(
                    host.host,
                    made,
                    {client: counted for client, (counted, _heavy) in mine.items()},
                    {client: heavy for client, (_counted, heavy) in mine.items()},
                    refused,
                )
            )
        runs[moves.app] = app_runs
    return Wave(runs, time.monotonic() - began, loads)


def _clients(names: Sequence[str], known: Sequence[Known]) -> Iterator[tuple[str, Known, str, str]]:
    """Every app on every host under both of its names: with kept upstream connections, without."""
    for name in names:
        for host in known:
            yield name, host, "pooled", f"{name}.test"
            yield name, host, "unpooled", f"unpooled.{name}.test"


def _wait_for(playing: Sequence[_Moves], deploys: int, loads: list[float]) -> None:
    deadline = time.monotonic() + MOVE_TIMEOUT_SECONDS * (deploys + 2)
    while any(moves.running for moves in playing):
        if time.monotonic() > deadline:
            return
        loads.append(os.getloadavg()[0])
        time.sleep(LOOK_SECONDS)


def _top_up(
    names: Sequence[str],
    clients: Mapping[tuple[str, str, str], _Client],
    share: int,
    loads: list[float],
) -> None:
    """Go on sending until each app server has had its share of the requests.

    Those that have leave the machine to those that have not.
    """
    deadline = time.monotonic() + TOP_UP_SECONDS
    short = set(names)
    while time.monotonic() < deadline:
        for name in list(short):
            mine = [one for key, one in clients.items() if key[0] == name]
            if sum(one.so_far() for one in mine) >= share:
                short.remove(name)
                for one in mine:
                    one.ask_to_stop()
        if not short:
            return
        loads.append(os.getloadavg()[0])
        time.sleep(LOOK_SECONDS)


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="prove-reload", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    everything = ",".join(app_servers.SERVERS)
    add("--servers", default=everything, metavar="NAMES", help="default: %(default)s")
    add(
        "--deploys",
        type=int,
        default=FULL_DEPLOYS,
        metavar="N",
        help="of each server on each host (%(default)s)",
    )
    add(
        "--requests",
        type=int,
        metavar="N",
        help="in all; default: as many a deploy as in a full run, which has a million",
    )
    add(
        "--at-once",
        type=int,
        default=3,
        metavar="N",
        help="app servers beside each other (%(default)s)",
    )
    add("--fleet", default="prove", metavar="NAME", help="of the test hosts (%(default)s)")
    add("--keep-hosts", action="store_true", help="leave them running, for another run or a look")
    add("--reuse-hosts", action="store_true", help="as an earlier run that kept them made them")
    add(
        "--state",
        type=lambda text: Path(text).resolve(),
        default=ROOT / "build/prove",
        metavar="DIR",
    )
    add("--output", type=Path, default=ROOT / "build/prove-reload.json", metavar="JSON")
    chosen = parser.parse_args(argv)
    try:
        chosen.servers = server_names(chosen.servers)
    except ProofError as error:
        parser.error(str(error))
    if chosen.deploys < 1 or chosen.at_once < 1:
        parser.error("--deploys and --at-once must be 1 or more")
    if chosen.requests is None:
        chosen.requests = pro_rata(len(chosen.servers), chosen.deploys)
    return chosen


def try_all(chosen: argparse.Namespace) -> dict[str, Any]:
    """The whole proof, as it is written to the output."""
    started, began = datetime.now(UTC), time.monotonic()
    known = make_hosts(chosen, chosen.servers)
    set_up = time.monotonic() - began
    share = -(-chosen.requests // len(chosen.servers))
    proofs: list[Proof] = []
    waves = []
    for first in range(0, len(chosen.servers), chosen.at_once):
        names = chosen.servers[first : first + chosen.at_once]
        print(f"==> {', '.join(names)}: {chosen.deploys} deploys on each host", flush=True)
        wave = prove_some(names, known, chosen, share)
        made = [
            prove(name, wave.runs[name], deploys=chosen.deploys, requests=share) for name in names
        ]
        proofs += made
        load = {
            "mean": round(sum(wave.loads) / len(wave.loads), 1) if wave.loads else None,
            "highest": round(max(wave.loads, default=0.0), 1),
        }
        waves.append({"servers": names, "seconds": round(wave.seconds, 1), "load": load})
        print(
            f"{table(made)}\n{wave.seconds:.0f} s, load of this machine {load['mean']} on average, "
            f"{load['highest']} at most, on {os.cpu_count()} cores\n",
            flush=True,
        )
    return {
        "started_at": started.isoformat(timespec="seconds"),
        "seconds": {"set_up": round(set_up, 1), "all": round(time.monotonic() - began, 1)},
        "cores": os.cpu_count(),
        "wanted": {"deploys_on_each_host": chosen.deploys, "requests": chosen.requests},
        "hosts": {host.host: HOSTS[host.host].partition(":")[0] for host in known},
        "waves": waves,
        "servers": [
            asdict(proof)
            | {
                "line": app_servers.SERVERS[proof.server].plain,
                "ran": {host.host: host.versions[proof.server] for host in known},
            }
            for proof in proofs
        ],
        "table": table(proofs),
    }


def main(argv: list[str] | None = None) -> int:
    chosen = parse_arguments(argv)
    chosen.state.mkdir(parents=True, exist_ok=True)
    # What was started is stopped by whoever ends this, too.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        try:
            result = try_all(chosen)
        finally:
            if not chosen.keep_hosts:
                down = ["tests/hosts/hosts", "down", chosen.fleet]
                _run(down, HOSTS_TIMEOUT_SECONDS, chosen.state / "hosts.log")
    except (ProofError, CountingError, HeavyLoadError, OSError) as error:
        print(f"prove-reload: {error}", file=sys.stderr)
        return 1
    chosen.output.write_text(json.dumps(result, indent=2) + "\n")
    print(f"{result['table']}\n")
    problems = [
        f"{server['server']}: {problem}"
        for server in result["servers"]
        for problem in server["problems"]
    ]
    for problem in problems:
        print(f"prove-reload: {problem}", file=sys.stderr)
    print(f"{chosen.output} has it all; {result['seconds']['all']:.0f} s")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
