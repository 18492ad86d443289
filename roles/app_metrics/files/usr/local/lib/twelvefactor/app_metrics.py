# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say in numbers how the apps of this host are.

    app_metrics.py collect [--textfile] [--statsd HOST:PORT [--prefix WORD]]
    app_metrics.py munin PLUGIN [config|autoconf]

``collect`` looks once: at what the pivots say of themselves (/run/APP/TYPE-K.json), which processes
there should be (/etc/circus/APP.d/formation.ini), which release is meant and since when
(/srv/APP/current, releases.jsonl), what the kernel knows of the processes (/proc), and when nginx's
certificates end. The numbers go into a file of the node exporter's textfile collector, to a StatsD
server, and into numbers.json, which ``munin`` answers from: so only ``collect`` has to be able to
see all that.

Whatever cannot be read counts as not well, is named on stderr, and is a number itself.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import pathlib
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

STATE = pathlib.Path("/var/lib/app-metrics")
DATAGRAM = 1400  # bytes that fit into one packet on the way to a StatsD server
PAGE = os.sysconf("SC_PAGE_SIZE")
LARGEST = 1 << 20  # bytes of a file that are read, its last ones
# Steps of a move and the sum of them, as the pivot calls them (roles/circus/files/pivot/contract.py).
STEPS = ("agree", "gate", "switch", "settle", "drain", "stop", "total")
DAY = 86400.0
RELEASE = re.compile(r"[\w.+!-]{1,200}", re.ASCII)

# What a status file may hold. It lies in a directory of the app, which may write anything there; the
# modules that deploy have the same rules (tests/unit/test_contracts.py compares them).
LARGEST_STATUS = 1 << 18  # bytes
STATUS: dict[str, tuple[type | None, ...]] = {
    "app": (str,),
    "instance": (str,),
    "pid": (int,),
    "state": (str,),
    "release": (str, None),
    "generation": (int, None),
    "child": (int, None),
    "hups": (int,),
    "counter": (int,),
    "restarts": (int,),
    "updated": (int, float),
}
STATUS_LATER: dict[str, tuple[type | None, ...]] = {
    "move": (dict, None),
    "exit_code": (int,),
    "output": (list,),
}
MOVE: dict[str, tuple[type | None, ...]] = {
    "began": (int, float),
    "hups": (int,),
    "from": (str, None),
    "to": (str,),
    "outcome": (str,),
    "step": (str,),
    "seconds": (dict,),
    "child": (int,),
    "health": (str,),
    "proven": (bool,),
    "stragglers": (int,),
    "reason": (str,),
    "ended": (int, float),
    "overruled": (bool,),
    "exit_code": (int, None),
    "output": (list,),
    "instead_of": (dict, None),
}
REQUIRED = ("pid", "child", "release", "counter")
DEEPEST = 6  # objects and lists within each other
WORD = re.compile(r"[a-z_]{1,50}")
LARGEST_PID = 1 << 22  # proc(5), /proc/sys/kernel/pid_max
LARGEST_NUMBER = 1 << 53
PIDS = ("pid", "child")
WORDS = {
    **dict.fromkeys(("state", "outcome", "step"), WORD),
    **dict.fromkeys(("release", "from", "to"), RELEASE),
}

# name: type and meaning, in the words of Prometheus; "…_time_seconds" is a moment, not a duration
METRICS = {
    "app_healthy": ("gauge", "Whether every process of the formation is up."),
    "app_processes_wanted": ("gauge", "Processes of the formation."),
    "app_processes_up": ("gauge", "Processes of the formation that run a release."),
    "app_processes_current": ("gauge", "Those of them that run the release that is current."),
    "app_release_info": ("gauge", "The release that is current."),
    "app_deploy_good": ("gauge", "Whether the last deploy or rollback that has ended went well."),
    "app_deploy_time_seconds": ("gauge", "When a release last went into service."),
    "app_deploy_duration_seconds": ("gauge", "How long that took."),
    "supervisor_up": ("gauge", "Whether the circusd of the app runs."),
    "supervisor_resident_memory_bytes": ("gauge", "Memory of that circusd."),
    "process_up": ("gauge", "Whether the process runs."),
    "process_release_info": ("gauge", "The release that the process runs."),
    "process_resident_memory_bytes": (
        "gauge",
        "Memory of the process with its children; what they share counts once for each.",
    ),
    "process_tree_size": ("gauge", "The process and its children."),
    "process_start_time_seconds": ("gauge", "When the process began."),
    "process_starts_total": ("counter", "Starts since boot, those of deploys included."),
    "process_restarts_total": (
        "counter",
        "How often it ended by itself and was started anew, since boot.",
    ),
    "process_move_seconds": ("gauge", "How long each step of the last move took."),
    "certificate_expiry_time_seconds": ("gauge", "When a certificate of nginx ends."),
    "metrics_problems": ("gauge", "What could not be read in the last run."),
    "metrics_run_time_seconds": ("gauge", "When the last run began."),
}


@dataclass(frozen=True)
class Sample:
    """One number: which metric (of METRICS), of what, how much."""

    name: str
    labels: dict[str, str]
    value: float


# --- what the kernel and the pivots say -------------------------------------------------------


@dataclass(frozen=True)
class Process:
    """A process of this host, from /proc/PID/stat (proc(5))."""

    parent: int
    began: int  # clock ticks since boot
    memory: int  # bytes

    @classmethod
    def of(cls, stat: str) -> Process | None:
        """None for a zombie, which is no process any more."""
        fields = stat.rpartition(")")[2].split()
        if fields[0] in "ZX":
            return None
        return cls(int(fields[1]), int(fields[19]), int(fields[21]) * PAGE)


@dataclass(frozen=True)
class Status:
    """What one pivot wrote last (/run/APP/TYPE-K.json)."""

    pivot: int
    child: int | None
    release: str | None
    counter: int
    restarts: int | None  # None: a pivot from before they were counted
    seconds: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> Status:
        """ValueError for what no pivot wrote: the file is the app's, which may write anything."""
        if len(text.encode("utf-8", "surrogatepass")) > LARGEST_STATUS:
            raise ValueError("no status of a pivot (too large)")
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"no status of a pivot ({type(error).__name__})") from None
        if not is_shallow(document, DEEPEST):
            raise ValueError("no status of a pivot (nested too deeply)")
        told = typed(document, STATUS | STATUS_LATER)
        missing = [key for key in REQUIRED if key not in told]
        if missing:
            raise ValueError(f"no status of a pivot ({', '.join(missing)} is missing)")
        move = typed(told.get("move") or {}, MOVE)
        typed(move.get("instead_of") or {}, MOVE)
        seconds = move.get("seconds", {})
        return cls(
            pivot=told["pid"],
            child=told["child"],
            release=told["release"],
            counter=told["counter"],
            restarts=told.get("restarts"),
            seconds={step: float(seconds[step]) for step in STEPS if step in seconds},
        )


def is_shallow(value: object, levels: int) -> bool:
    """Whether objects and lists lie in each other at most ``levels`` times."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return True
    return levels > 0 and all(is_shallow(item, levels - 1) for item in value)


def typed(document: object, model: dict[str, tuple[type | None, ...]]) -> dict[str, Any]:
    """What ``document`` has of the keys of ``model``. Raises ValueError for what cannot be theirs."""
    if not isinstance(document, dict):
        raise ValueError("no status of a pivot (another type than object)")  # noqa: TRY004 - one for all
    found = {key: document[key] for key in model if key in document}
    for key, value in found.items():
        if (None if value is None else type(value)) not in model[key] or not is_sane(key, value):
            raise ValueError(f"no status of a pivot (invalid {key})")
    return found


def is_sane(key: str, value: object) -> bool:
    """Whether a value of the right type can be that of a key."""
    if isinstance(value, int | float):
        return (0 < value <= LARGEST_PID) if key in PIDS else (0 <= value < LARGEST_NUMBER)
    if isinstance(value, str) and key in WORDS:
        return bool(WORDS[key].fullmatch(value))
    if isinstance(value, dict) and key == "seconds":
        return all(
            bool(WORD.fullmatch(step)) and type(each) in (int, float) and is_sane(step, each)
            for step, each in value.items()
        )
    return not isinstance(value, list) or all(isinstance(item, str) for item in value)


def read_processes(proc: pathlib.Path) -> dict[int, Process]:
    found = {}
    for entry in proc.iterdir():
        if entry.name.isdigit():
            try:
                process = Process.of((entry / "stat").read_text("latin-1"))
            except OSError:  # gone meanwhile
                continue
            if process:
                found[int(entry.name)] = process
    return found


def descendants(processes: dict[int, Process], pid: int) -> list[int]:
    """The processes below ``pid``: all of an instance's, for orphans come back to their pivot."""
    children: dict[int, list[int]] = {}
    for child, process in processes.items():
        children.setdefault(process.parent, []).append(child)
    found, rest = [], [pid]
    while rest:
        below = children.get(rest.pop(), [])
        found += below
        rest += below
    return found


def formation(text: str) -> list[str]:
    """The processes that circusd is to run: the watchers of its configuration."""
    return re.findall(r"^\[watcher:([^\]]+)\]", text, flags=re.MULTILINE)


def attempts(text: str) -> list[dict[str, Any]]:
    """The deploys and rollbacks of releases.jsonl that have ended; broken lines are passed over."""
    found = []
    for line in text.splitlines():
        try:
            record = json.loads(line)
            at = datetime.datetime.fromisoformat(record["at"]).timestamp()
            if record["outcome"] in ("good", "bad"):
                seconds = record.get("seconds")
                if seconds is not None and not 0 <= seconds < float("inf"):
                    raise ValueError("seconds")
                found.append({**record, "time": at})
        except (
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            ArithmeticError,
            RecursionError,
        ):
            continue
    return found


# --- one look at the host ---------------------------------------------------------------------


class Look:
    """One look at everything."""

    def __init__(self, root: pathlib.Path, certificates: list[str]) -> None:
        self.root = root
        self.samples: list[Sample] = []
        self.problems: list[str] = []
        self.boot = 0.0
        began = time.time()
        # before the processes: what a pivot says serves is there for a while after it says so
        apps = self.apps()
        told = {app: self.statuses(app) for app in apps}
        self.processes = read_processes(root / "proc")
        for line in (self.text("proc/stat") or "").splitlines():
            if line.startswith("btime "):
                self.boot = float(line.split()[1])
        for app, current in apps.items():
            self.app(app, current, told[app])
        for pattern in certificates:
            for path in sorted(root.glob(pattern.lstrip("/"))):
                if not path.name.endswith((".trust.pem", ".upstream.pem")):
                    self.certificate(path)
        self.add("metrics_problems", len(self.problems))
        self.add("metrics_run_time_seconds", began)

    def add(self, name: str, value: float, **labels: str) -> None:
        if math.isfinite(value):
            self.samples.append(Sample(name, labels, value))

    def text(self, path: str) -> str | None:
        """What a file says, at its end; None, and a problem, where it cannot be read."""

        def plainly(name: str, flags: int) -> int:
            # an app can put links and pipes into its directories
            return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK)

        try:
            with open(self.root / path, "rb", opener=plainly) as file:
                length = os.fstat(file.fileno()).st_size
                file.seek(max(0, length - LARGEST))
                return file.read(LARGEST).decode("utf-8", "replace")
        except OSError as error:
            self.problems.append(f"/{path}: {error.strerror}")
        return None

    def apps(self) -> dict[str, str]:
        """The apps that something was deployed of, and the release that is current."""
        found = {}
        for path in sorted((self.root / "etc/circus").glob("*.ini")):
            link = self.root / "srv" / path.stem / "current"
            try:
                found[path.stem] = link.readlink().name
            except FileNotFoundError:
                continue
            except OSError as error:
                self.problems.append(f"/srv/{path.stem}/current: {error.strerror}")
                found[path.stem] = ""
        return found

    def statuses(self, app: str) -> dict[str, Status | None]:
        """What the pivots of the formation say; None where that cannot be known."""
        told: dict[str, Status | None] = {}
        for name in formation(self.text(f"etc/circus/{app}.d/formation.ini") or ""):
            path = f"run/{app}/{name}.json"
            text = self.text(path)
            try:
                told[name] = None if text is None else Status.of(text)
            except ValueError as error:
                self.problems.append(f"/{path}: {error}")
                told[name] = None
        return told

    def app(self, app: str, current: str, told: dict[str, Status | None]) -> None:
        if current:
            self.add("app_release_info", 1, app=app, release=current)
        releases = [self.process(app, name, status) for name, status in told.items()]
        up = [release for release in releases if release]
        self.add("app_healthy", int(bool(told) and len(up) == len(told)), app=app)
        self.add("app_processes_wanted", len(told), app=app)
        self.add("app_processes_up", len(up), app=app)
        self.add("app_processes_current", up.count(current), app=app)
        self.deploys(app)
        self.supervisor(app)

    def process(self, app: str, name: str, status: Status | None) -> str | None:
        """Which release the process runs; None when it is not up."""
        labels = {"app": app, "type": name.rpartition("-")[0], "process": name}
        if status and status.restarts is not None:
            self.add("process_restarts_total", status.restarts, **labels)
        pivot = self.processes.get(status.pivot) if status else None
        if not status or not pivot or name not in self.words(status.pivot):
            self.add("process_up", 0, **labels)
            return None
        child = self.processes.get(status.child or 0)
        up = child is not None and child.parent == status.pivot
        self.add("process_up", int(up), **labels)
        tree = descendants(self.processes, status.pivot)
        self.add("process_tree_size", len(tree), **labels)
        memory = sum(self.processes[pid].memory for pid in tree)
        self.add("process_resident_memory_bytes", memory, **labels)
        for step, seconds in status.seconds.items():
            self.add("process_move_seconds", seconds, **labels, step=step)
        self.add("process_starts_total", status.counter, **labels)
        if not up or child is None:
            return None
        began = self.boot + child.began / os.sysconf("SC_CLK_TCK")
        self.add("process_start_time_seconds", began, **labels)
        self.add("process_release_info", 1, **labels, release=status.release or "")
        return status.release

    def words(self, pid: int) -> list[str]:
        try:
            text = (self.root / "proc" / str(pid) / "cmdline").read_text("latin-1")
        except OSError:
            return []
        return text.split("\0")

    def deploys(self, app: str) -> None:
        if not (self.root / "srv" / app / "releases.jsonl").exists():
            return
        ended = attempts(self.text(f"srv/{app}/releases.jsonl") or "")
        if ended:
            self.add("app_deploy_good", int(ended[-1]["outcome"] == "good"), app=app)
        for record in [record for record in ended if record["outcome"] == "good"][-1:]:
            self.add("app_deploy_time_seconds", record["time"], app=app)
            if isinstance(record.get("seconds"), int | float):
                self.add("app_deploy_duration_seconds", record["seconds"], app=app)

    def supervisor(self, app: str) -> None:
        ours = [
            process
            for pid, process in self.processes.items()
            if f"/etc/circus/{app}.ini" in (words := self.words(pid))
            and any(word.endswith("/circusd") for word in words)
        ]
        self.add("supervisor_up", int(bool(ours)), app=app)
        self.add("supervisor_resident_memory_bytes", sum(p.memory for p in ours), app=app)

    def certificate(self, path: pathlib.Path) -> None:
        command = ["openssl", "x509", "-noout", "-enddate", "-in", str(path)]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                timeout=10,
                env={"LC_ALL": "C"},
            )
            end = ssl.cert_time_to_seconds(done.stdout.partition("=")[2].strip())
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            self.problems.append(f"{path}: no certificate that openssl can read ({error})")
            return
        self.add("certificate_expiry_time_seconds", end, certificate=path.stem)


# --- who is told ------------------------------------------------------------------------------


def number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def prometheus(samples: Iterable[Sample]) -> str:
    """The text format of Prometheus, for the node exporter's textfile collector."""
    lines = []
    given = list(samples)
    for name, (kind, meaning) in METRICS.items():
        ours = [sample for sample in given if sample.name == name]
        if ours:
            lines.append(f"# HELP twelvefactor_{name} {meaning}")
            lines.append(f"# TYPE twelvefactor_{name} {kind}")
        for sample in ours:
            labels = ",".join(f'{key}="{escaped(text)}"' for key, text in sample.labels.items())
            braces = f"{{{labels}}}" if labels else ""
            lines.append(f"twelvefactor_{name}{braces} {number(sample.value)}")
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def gauges(samples: Iterable[Sample], prefix: str, now: float) -> Iterator[str]:
    """The same for StatsD: ``prefix.APP[.PROCESS].WORD:VALUE|g``.

    A moment becomes seconds since, of a certificate until then. Never below zero: to StatsD a sign
    means "by so much more or less".
    """
    for sample in samples:
        group, _under, word = sample.name.partition("_")
        if sample.name.endswith("_info"):
            continue
        value = sample.value
        if sample.name.endswith("_time_seconds"):
            value = value - now if group == "certificate" else now - value
            word = "left_seconds" if group == "certificate" else word.replace("_time_", "_age_")
        labels = {key: text for key, text in sample.labels.items() if key != "type"}
        path = [] if group in ("app", "process") else [labels.pop("app", ""), group]
        path += [labels.pop("app", ""), *labels.values(), word]
        name = ".".join(re.sub(r"[^\w-]", "_", part) for part in path if part)
        yield f"{prefix}.{name}:{number(round(max(0.0, value), 3))}|g"


def packets(lines: Iterable[str], size: int = DATAGRAM) -> Iterator[bytes]:
    """As many lines in one datagram as fit."""
    packet = b""
    for line in lines:
        data = line.encode()
        if packet and len(packet) + 1 + len(data) > size:
            yield packet
            packet = b""
        packet = packet + b"\n" + data if packet else data
    if packet:
        yield packet


def send(lines: Iterable[str], host: str, port: int) -> None:
    """To whoever listens: nobody there is no error, and nothing waits for anything."""
    family, kind, protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[
        0
    ]
    with socket.socket(family, kind, protocol) as sock:
        for packet in packets(lines):
            sock.sendto(packet, address)


def write(path: pathlib.Path, text: str) -> None:
    """By rename: a reader finds all of it or what was there."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.chmod(0o644)
    new.replace(path)


# --- munin ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Graph:
    """A plugin of munin: which metric it shows, and how."""

    title: str
    unit: str
    metric: str
    extra: dict[str, str] = field(default_factory=dict)  # of each field
    label: str = "app"  # names the fields
    step: str = ""  # only samples with this one
    value: Callable[[float, float], float] = lambda value, _now: value


GRAPHS = {
    "app_health": Graph("Health of apps", "1: every process is up", "app_healthy"),
    "app_processes": Graph("Processes of apps", "processes that are up", "app_processes_up"),
    "app_memory": Graph(
        "Memory of apps",
        "bytes",
        "process_resident_memory_bytes",
        {"draw": "AREASTACK"},
        label="process",
    ),
    "app_restarts": Graph(
        "Restarts of apps' processes",
        "restarts per ${graph_period}",
        "process_restarts_total",
        {"type": "DERIVE", "min": "0"},
        label="process",
    ),
    "app_gate": Graph(
        "Time until a new release was proven",
        "seconds, of the last move",
        "process_move_seconds",
        label="process",
        step="gate",
    ),
    "app_deploy": Graph(
        "Age of releases",
        "days since the last deploy",
        "app_deploy_time_seconds",
        value=lambda value, now: (now - value) / DAY,
    ),
    "circus": Graph("Supervisors of apps", "1: circusd runs", "supervisor_up"),
    "circus_memory": Graph(
        "Memory of supervisors", "bytes", "supervisor_resident_memory_bytes", {"draw": "AREASTACK"}
    ),
    "certificates": Graph(
        "Certificates",
        "days left",
        "certificate_expiry_time_seconds",
        label="certificate",
        value=lambda value, now: (value - now) / DAY,
    ),
}


def fields(graph: Graph, samples: Iterable[Sample]) -> dict[str, Sample]:
    """The samples of a graph, by the names that munin takes."""
    found = {}
    for sample in samples:
        if sample.name == graph.metric and sample.labels.get("step", "") == graph.step:
            words = [sample.labels.get("app", ""), sample.labels[graph.label]]
            name = "_".join(dict.fromkeys(word for word in words if word))
            found[re.sub(r"\W|^(?=\d)", "_", name)] = sample
    return found


def munin(
    plugin: str, command: str, document: dict[str, Any] | None, now: float, limits: dict[str, str]
) -> list[str]:
    """What a plugin of munin answers; ``U`` is its word for what nobody knows."""
    graph = GRAPHS[plugin]
    if command == "autoconf":
        return ["yes" if document else "no (no numbers yet: the role app_metrics collects them)"]
    given = document or {"samples": [], "until": 0}
    found = fields(graph, [Sample(*sample) for sample in given["samples"]])
    if command == "config":
        lines = [
            f"graph_title {graph.title}",
            f"graph_vlabel {graph.unit}",
            "graph_category apps",
            "graph_args --base 1024 -l 0" if graph.unit == "bytes" else "graph_args -l 0",
        ]
        for name, sample in found.items():
            words = [sample.labels.get("app", ""), sample.labels[graph.label]]
            lines.append(f"{name}.label {' '.join(dict.fromkeys(word for word in words if word))}")
            lines += [f"{name}.{key} {text}" for key, text in {**graph.extra, **limits}.items()]
        return lines
    known = now <= given["until"]
    return [
        f"{name}.value {number(round(graph.value(sample.value, now), 3)) if known else 'U'}"
        for name, sample in found.items()
    ]


# --- commands ---------------------------------------------------------------------------------


def read_numbers(path: pathlib.Path) -> dict[str, Any] | None:
    try:
        document: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return {key: document[key] for key in ("samples", "until")}
    except (OSError, ValueError, LookupError, TypeError):
        return None


def collect(arguments: argparse.Namespace) -> int:
    look = Look(arguments.root, arguments.certificates)
    now = time.time()
    samples = [[sample.name, sample.labels, sample.value] for sample in look.samples]
    document = {"samples": samples, "until": now + arguments.valid}
    write(arguments.state / "numbers.json", json.dumps(document))
    if arguments.textfile:
        write(arguments.state / "apps.prom", prometheus(look.samples))
    if arguments.statsd:
        host, _colon, port = arguments.statsd.rpartition(":")
        prefix = f"{arguments.prefix}.{socket.gethostname().partition('.')[0]}"
        try:
            send(gauges(look.samples, prefix, now), host.strip("[]"), int(port))
        except OSError as error:
            look.problems.append(f"cannot send to {arguments.statsd}: {error}")
    for problem in look.problems:
        print(problem, file=sys.stderr)
    return 0


def answer(arguments: argparse.Namespace) -> int:
    limits = {key: os.environ[key] for key in ("warning", "critical") if os.environ.get(key)}
    document = read_numbers(arguments.state / "numbers.json")
    lines = munin(arguments.plugin, arguments.command, document, time.time(), limits)
    print("\n".join(lines))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Say in numbers how the apps of this host are.")
    parser.add_argument("--state", type=pathlib.Path, default=STATE, help="where numbers are kept")
    commands = parser.add_subparsers(required=True)
    look = commands.add_parser("collect", help="look once")
    look.add_argument("--root", type=pathlib.Path, default="/", help="where to look")
    look.add_argument("--textfile", action="store_true", help="write apps.prom beside the numbers")
    look.add_argument("--statsd", default="", metavar="HOST:PORT")
    look.add_argument("--prefix", default="apps", help="first word of the names there")
    look.add_argument("--valid", type=float, default=300, help="seconds that the numbers are new")
    look.add_argument("--certificates", nargs="*", default=[], help="patterns of their paths")
    look.set_defaults(run=collect)
    graph = commands.add_parser("munin", help="answer as a plugin of munin")
    graph.add_argument("plugin", choices=GRAPHS)
    graph.add_argument("command", nargs="?", default="", choices=["", "config", "autoconf"])
    graph.set_defaults(run=answer)
    arguments = parser.parse_args()
    code: int = arguments.run(arguments)
    return code


if __name__ == "__main__":
    sys.exit(main())
