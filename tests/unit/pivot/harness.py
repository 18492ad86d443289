# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pivot's tests stand on: a scratch app, real pivots, and the search for what is left."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import functools
import hashlib
import importlib.util
import json
import os
import pathlib
import py_compile
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
PIVOT = REPOSITORY / "roles" / "circus" / "files" / "pivot.py"  # the launcher
PACKAGE = PIVOT.with_suffix("")
HERE = pathlib.Path(__file__).resolve().parent
BUILD = REPOSITORY / "build" / "pivot"
# the interpreter itself: one in a virtualenv reads a few files more at each start
PYTHON = f"{sys.base_prefix}/bin/python{sys.version_info.major}.{sys.version_info.minor}"


def compiled(path: pathlib.Path) -> pathlib.Path:
    """The program without what compiling it costs at each of some hundred starts."""
    made = BUILD / f"{path.stem}.pyc"
    py_compile.compile(str(path), str(made), doraise=True)
    return made


def sources(package: pathlib.Path = PACKAGE) -> dict[str, str]:
    """The modules of the pivot, by file name."""
    return {path.name: path.read_text("utf-8") for path in sorted(package.glob("*.py"))}


def install(place: pathlib.Path, compile_it: bool = False) -> pathlib.Path:
    """Put the pivot where it can be started, as a host has it; what starts it there."""
    made = hashlib.sha256("\0".join(sources().values()).encode()).hexdigest()[:12]
    package = place / f"pivot-{made}-{sys.implementation.cache_tag}"
    if not package.exists():
        place.mkdir(parents=True, exist_ok=True)
        work = pathlib.Path(tempfile.mkdtemp(dir=place))
        for name in sources():
            shutil.copy2(PACKAGE / name, work)
            if compile_it:
                py_compile.compile(str(work / name), doraise=True)
        with contextlib.suppress(OSError):  # another worker has made it
            work.rename(package)
    with tempfile.TemporaryDirectory(dir=place) as work:
        shutil.copy2(PIVOT, work)
        (pathlib.Path(work) / "pivot").symlink_to(package)
        for name in ("pivot", PIVOT.name):
            (pathlib.Path(work) / name).rename(place / name)
    return place / PIVOT.name


SERVER = f"{PYTHON} -I -S {compiled(HERE / 'server.py')}"
ISOLATED = [PYTHON, "-I", "-S"]
INSTALLED = install(BUILD, compile_it=True)
PATIENCE = 120.0  # seconds until a test gives up; far more than anything here takes
PR_SET_CHILD_SUBREAPER = 36
FINAL = ("done", "refused")


@functools.cache
def load_pivot() -> ModuleType:
    """The pivot as a package; its modules are attributes of it."""
    spec = importlib.util.spec_from_file_location("pivot_under_test", PACKAGE / "__init__.py")
    assert spec
    assert spec.loader
    package = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = package
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # roles/ is what is shipped
    try:
        spec.loader.exec_module(package)
        importlib.import_module(f"{spec.name}.__main__")
    finally:
        sys.dont_write_bytecode = before
    return package


CONTRACT = load_pivot().contract


def breaches(status: dict[str, Any], contract: ModuleType = CONTRACT) -> list[str]:
    """In what a pivot's status differs from what its contract says, as sentences."""

    def of(document: dict[str, Any], known: dict[str, Any], where: str) -> Iterator[str]:
        for key, value in document.items():
            if key not in known:
                yield f"{where}{key} is not in the contract"
            elif (None if value is None else type(value)) not in known[key]:
                yield f"{where}{key} is {value!r}"

    found = [f"{key} is missing" for key in contract.STATUS if key not in status]
    found += of(status, contract.STATUS | contract.STATUS_LATER, "")
    if status.get("state") not in contract.STATES:
        found.append(f"there is no state {status.get('state')!r}")
    for key in ("move", "replacement"):
        move, where = status.get(key), f"{key}."
        while isinstance(move, dict):
            found += of(move, contract.MOVE, where)
            if move.get("outcome") not in contract.OUTCOMES:
                found.append(f"{where}outcome is {move.get('outcome')!r}")
            steps = {move.get("step", contract.TOTAL), *move.get("seconds", {})}
            for step in sorted(steps - {*contract.STEPS, contract.TOTAL}):
                found.append(f"{where}there is no step {step!r}")
            move, where = move.get("instead_of"), f"{where}instead_of."
    return found


def wait_for(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Poll until ``condition`` gives something true; a deadline, no fixed pause."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)
    return value


def state_of(pid: int) -> str:
    """R, S, Z … as in ps; empty when there is no such process."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def is_running(pid: int) -> bool:
    return state_of(pid) not in ("", "Z", "X")


def children_of(pid: int) -> set[int]:
    found: set[int] = set()
    with contextlib.suppress(OSError):
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found |= {int(word) for word in (task / "children").read_text().split()}
    return found


def accepts(path: pathlib.Path) -> bool:
    """Whether somebody listens there: a socket's file is made a moment earlier."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(path))
        except OSError:
            return False
    return True


def is_free_of_zombies(pid: int) -> bool:
    """Whether every child of this process that has ended was waited for."""
    return not any(state_of(child) == "Z" for child in children_of(pid))


def describe(pid: int) -> str:
    try:
        command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        command = ""
    return f"{pid} {state_of(pid)} {command}"


def ask(path: pathlib.Path | str, what: str = "/") -> str:
    """GET over a unix socket; the answer's body."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(str(path))
        connection.sendall(f"GET {what} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while more := connection.recv(65536):
            data += more
    return data.partition(b"\r\n\r\n")[2].decode()


@contextlib.contextmanager
def connected(path: pathlib.Path | str) -> Iterator[socket.socket]:
    """A connection that is simply there: it keeps a drain from ending."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        yield connection


class Pivot:
    """A pivot that runs, as a supervisor and an operator see it."""

    def __init__(
        self, site: Site, instance: str, process: subprocess.Popen[bytes], bridge: bool = False
    ) -> None:
        self.site = site
        self.instance = instance
        self.process = process
        self.pid = process.pid
        self.file = site.run_dir / ("bridge" if bridge else "") / f"{instance}.json"
        self.link = site.run_dir / f"{instance}.sock"
        self.hups = 0

    def status(self) -> dict[str, Any]:
        with contextlib.suppress(OSError):
            status: dict[str, Any] = json.loads(self.file.read_text())
            if status["pid"] == self.pid:
                assert breaches(status) == []
                return status
        return {"state": None, "move": {}}

    def until(self, what: str, condition: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """The first status that fulfils ``condition``; fails early when the pivot has ended."""
        deadline = time.monotonic() + PATIENCE
        while True:
            over = self.process.poll() is not None or time.monotonic() > deadline
            status = self.status()
            if condition(status):
                return status
            assert not over, f"{what}: never seen\nstatus {status}\nlog:\n{self.log()}"
            time.sleep(0.02)

    def until_state(self, state: str) -> dict[str, Any]:
        return self.until(f"state {state}", lambda status: status["state"] == state)

    def ready_timeout(self) -> float:
        """Seconds in which a server gets ready on this machine, for one that must not stay well."""
        gate: float = self.status()["move"]["seconds"]["gate"]
        return round(1.5 + 10 * gate, 1)

    def hup(self) -> None:
        self.process.send_signal(signal.SIGHUP)
        self.hups += 1

    def moved(self) -> dict[str, Any]:
        """The status after the move that answers the last HUP."""
        return self.until(
            f"end of the move for HUP {self.hups}",
            lambda status: (
                status["move"].get("hups") == self.hups
                and status["move"]["outcome"] in FINAL
                and status["state"] in ("serving", "failed")
            ),
        )

    def move(self, release: str | None = None) -> dict[str, Any]:
        if release:
            self.site.point(release)
        self.hup()
        return self.moved()

    def term(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the pivot does not end: {self.status()}\n{self.log()}") from None

    def log(self) -> str:
        return self.site.log(self.instance).read_text(errors="replace")

    def ask(self, what: str = "/") -> str:
        """Which release answers through the link."""
        return ask(self.link, what).split(" ")[0]


class Load(dict[str, Any]):
    """What came of the load, once it has ended."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__()
        self._process = process

    def more(self, count: int = 1) -> None:
        """Wait until each kind of client has had so many more answers, or one has failed."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"


@dataclasses.dataclass
class Site:
    """An app's directory and run directory, and everything that was started over them."""

    root: pathlib.Path
    run_dir: pathlib.Path
    scratch: pathlib.Path
    pivots: list[Pivot] = dataclasses.field(default_factory=list)
    others: list[subprocess.Popen[Any]] = dataclasses.field(default_factory=list)
    foreign: set[str] = dataclasses.field(default_factory=set)  # put into run_dir by a test
    before: set[int] = dataclasses.field(default_factory=lambda: children_of(os.getpid()))

    def release(
        self,
        name: str,
        command: str = SERVER,
        *,
        env: dict[str, object] | None = None,
        kind: str = "web",
        **spec: Any,
    ) -> str:
        """Make a release with one process type, a fast one unless ``spec`` says otherwise."""
        directory = self.root / "releases" / name
        directory.mkdir(parents=True, exist_ok=True)
        lines = [f"{key}={shlex.quote(str(value))}\n" for key, value in (env or {}).items()]
        (directory / "env").write_text("".join(lines), "utf-8")
        spec = {
            "command": command,
            "socket": kind == "web",
            "health": {"path": "/healthz", "host": "shop.test", "count": 1},
            "overlap": True,
            "ready_after": 0.2,
            "ready_timeout": PATIENCE,
            "drain_timeout": PATIENCE,
            "stop_timeout": PATIENCE,
        } | spec
        self.describe(name, {kind: spec})
        return name

    def formation(self, name: str, **kinds: dict[str, Any]) -> str:
        """Make a release with several process types; ``misbehave`` in one is its own env."""
        processes = {}
        for kind, spec in kinds.items():
            own = "".join(f"{key}={value} " for key, value in spec.pop("misbehave", {}).items())
            self.release(name, f"{own}{SERVER}", kind=kind, **spec)
            document = json.loads((self.root / "releases" / name / "release.json").read_text())
            processes |= document["processes"]
        self.describe(name, processes)
        return name

    def describe(self, name: str, processes: object) -> None:
        """Write ``release.json``, as it should be or not."""
        path = self.root / "releases" / name / "release.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"id": name, "processes": processes}))

    def point(self, name: str) -> None:
        """Flip ``current``, by rename."""
        (self.root / "next").symlink_to(f"releases/{name}")
        (self.root / "next").rename(self.root / "current")

    @property
    def journal(self) -> pathlib.Path:
        """Where journald's socket would be."""
        return self.scratch / "journal"

    def log(self, instance: str) -> pathlib.Path:
        return self.scratch / f"{instance}.log"

    def flag(self, name: str) -> pathlib.Path:
        """A file that a process of the app may wait for; ``touch`` it to let go."""
        return self.scratch / name

    def launch(
        self,
        instance: str = "web-1",
        *,
        through: list[str] | None = None,
        launcher: pathlib.Path = INSTALLED,
        stdout: Any = None,
        bridge: bool = False,
    ) -> Pivot:
        """Start a pivot and do not wait."""
        program = [*(through or ISOLATED), str(launcher)]
        with self.log(instance).open("ab") as log:
            process = subprocess.Popen(
                [
                    *program,
                    str(self.root),
                    instance,
                    f"--run-dir={self.run_dir}",
                    f"--journal={self.journal}",
                    *(["--bridge"] if bridge else []),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log if stdout is None else stdout,
                stderr=log,
            )
        pivot = Pivot(self, instance, process, bridge)
        self.pivots.append(pivot)
        return pivot

    def start(self, release: str | None = None, instance: str = "web-1", **how: Any) -> Pivot:
        """Start a pivot and wait until it serves."""
        if release:
            self.point(release)
        pivot = self.launch(instance, **how)
        pivot.until_state("serving")
        return pivot

    def files(self) -> set[str]:
        """What is in the run directory, other than what may always be there."""
        names = {path.name for path in self.run_dir.iterdir()} - self.foreign
        return {name for name in names if not name.endswith((".json", ".lock"))}

    def adopted(self) -> set[int]:
        """Processes that have lost their parent, a pivot or its child: they come to the test."""
        known = {process.pid for process in self.others} | {pivot.pid for pivot in self.pivots}
        return children_of(os.getpid()) - self.before - known

    def reap(self) -> None:
        """Bury adopted processes that have ended."""
        for pid in self.adopted():
            if state_of(pid) == "Z":
                os.waitpid(pid, 0)

    def end_adopted(self) -> None:
        """For tests that KILL a pivot: what it could not take care of is not its fault."""
        for pid in self.adopted():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

        def none_left() -> bool:
            self.reap()
            return not self.adopted()

        wait_for(none_left, "the end of adopted processes")

    @contextlib.contextmanager
    def load(self, instance: str = "web-1", **clients: int) -> Iterator[Load]:
        """Load through the link while the block runs; the result is filled in at its end."""
        options = [f"--{kind}={count}" for kind, count in clients.items()]
        process = subprocess.Popen(
            [PYTHON, "-I", "-S", HERE / "load.py", self.run_dir / f"{instance}.sock", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.others.append(process)
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        result = Load(process)
        yield result
        output, _errors = process.communicate(timeout=PATIENCE)
        result |= json.loads(output)

    def finish(self) -> list[str]:
        """Stop what still runs; complaints about whatever is then left."""
        complaints = []
        for pivot in self.pivots:
            if pivot.process.poll() is None:
                status = pivot.status()
                wait_for(functools.partial(is_free_of_zombies, pivot.pid), "zombies are reaped")
                if (code := pivot.term()) != 0:
                    complaints.append(f"{pivot.instance} ended with {code}, was {status}")
            for stream in (pivot.process.stdin, pivot.process.stdout):
                if stream:
                    stream.close()
        for process in self.others:
            if process.poll() is None:
                process.kill()
            process.communicate()
        complaints += [f"left behind: {describe(pid)}" for pid in self.adopted()]
        complaints += [f"left in the run directory: {name}" for name in self.files()]
        for pivot in self.pivots:
            if any(f'File "{place}' in pivot.log() for place in (PACKAGE, BUILD / "pivot")):
                complaints.append(pivot.log())
        return complaints

    def abandon(self) -> None:
        """Kill all that was started here, by pid."""
        for process in [pivot.process for pivot in self.pivots] + self.others:
            if process.poll() is None:
                process.kill()
                process.wait()
        self.end_adopted()


@contextlib.contextmanager
def subreaper() -> Iterator[None]:
    """Whatever a pivot leaves behind becomes a child of this process, where it can be seen."""
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        prctl(PR_SET_CHILD_SUBREAPER, 0)
