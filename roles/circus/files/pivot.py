# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one process of an app, and move it to another release without losing a request.

    pivot.py /srv/APP TYPE-K [--run-dir /run/APP] [--journal /run/systemd/journal/stdout]

A supervisor starts one pivot per process instance (``web-1``, ``worker-2``). The pivot starts
the command that ``/srv/APP/current`` gives for the process type, and on

HUP   starts the release that ``current`` names now next to the old one (a new *generation*),
      waits until it has proven itself (*gate*), points ``TYPE-K.sock`` at it (*switch*), waits
      until nobody is connected to the old one (*drain*) and only then stops that. A release
      that does not pass the gate is killed and nobody has ever talked to it; one that dies
      while the old one still drains is left for the old one.
      The pivots of an app that were told to move at the same time switch together, once all of
      them are through the gate, or not at all. They read of each other in the status files.
TERM  stops every generation and exits 0.

When the serving process dies the pivot exits with its code, so that the supervisor restarts it.
A start that nobody asked for, after a crash or at boot, may find ``current`` at a release whose
deploy was cut off. ``/srv/APP/releases.jsonl`` says so, and then the release that served last by
that record is started; also where ``current`` does not get through the gate.
What happened is written to ``/run/APP/TYPE-K.json`` at every step.

Everything about a process comes from ``releases/ID/release.json``, key ``processes.TYPE``:

command        shell command (str)
socket         whether it listens on a unix socket (bool)
health         {"path": "/healthz", "host": "example.org", "count": 2}; no path: accepting a
               connection is enough
overlap        false: stop the old process before the new one starts (bool)
ready_after    seconds a process must stay up, and with a socket go on answering well, to count as
               ready; one that has nothing to take over from gets its socket's requests before that
ready_timeout  seconds until the gate gives up waiting for good answers
drain_timeout  seconds that open connections may keep the old process
stop_timeout   seconds between TERM and KILL
log_format     text: output goes on as it is; json: each line as an object (see ``event``)
log_destination  file: to the supervisor, which writes files; journal: to journald, each line an
               entry under the name APP/TYPE-K

Durations are measured with the monotonic clock; only timestamps in the status file are wall time.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import json
import os
import pathlib
import re
import select
import shlex
import shutil
import signal
import socket
import stat
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PR_SET_CHILD_SUBREAPER = 36
PROBE_INTERVAL = 0.05  # seconds between two looks at a starting or stopping process
PROBE_PAUSE = 0.5  # at most, where many follow each other: each is a line in the output
PROBE_TIMEOUT = 5.0  # seconds for one health check
DRAIN_INTERVAL = 0.05  # seconds between two looks at the old socket
DRAIN_QUIET = 0.2  # seconds without a connection until the old socket counts as drained
KILL_TIMEOUT = 10.0  # seconds that the kernel may take to end a process
# Output kept to explain why a generation failed, in lines: the error may stand before two tracebacks of
# a server that gives up, which take some fifty lines on Python 3.13.
TAIL_LINES = 100
LONGEST_LINE = 1 << 20  # bytes; where each is made an object, a longer one becomes several
PIPE_SIZE = 1 << 20  # bytes that a process may write ahead of the supervisor
REFUSED_GRACE = 1.0  # seconds between TERM and KILL for what did not get through
PEERS_PAUSE = 1.0  # seconds within which all pivots of an app get the HUP of one reload
JOURNAL = "/run/systemd/journal/stdout"
JOURNAL_TIMEOUT = 5.0  # seconds that journald may take to accept a connection
LAST_WORDS = 1.0  # seconds without any of it taken until the rest of the output is given up
RESPAWN_PAUSE = 1.0  # seconds before a failed start is handed to a supervisor, which restarts it
OVERTAKEN = "given up: another release was asked for meanwhile"
HANDLED = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)

# --- contract ---------------------------------------------------------------------------------
#
# What other programs rely on. plugins/module_utils/_processes/pivot_contract.py says the same, and
# tests/unit/test_contracts.py compares the two, and with them app_metrics, the unit circus@.service
# and the defaults of modules and roles.

# Steps of a move; while one lasts, it is the state.
AGREE = "agree"  # overlap is false: until the app's other processes are through the gate
GATE = "gate"  # until the new process has proven itself, and the app's others have
SWITCH = "switch"
SETTLE = "settle"  # there is no old process: until the new one has stayed up for ready_after
DRAIN = "drain"  # until nobody is connected to the old process
STOP = "stop"  # of the old process; where overlap is false, before the gate
STEPS = (AGREE, GATE, SWITCH, SETTLE, DRAIN, STOP)
TOTAL = "total"  # beside the steps in ``seconds`` of a move

SERVING = "serving"
FAILED = "failed"  # nothing serves; the supervisor starts another pivot
STOPPING = "stopping"  # TERM has come
STOPPED = "stopped"
STATES = (*STEPS, SERVING, FAILED, STOPPING, STOPPED)

# What has come of a move.
PENDING = "pending"
SWITCHED = "switched"  # the new process gets the requests, the old one drains
DONE = "done"
REFUSED = "refused"
OUTCOMES = (PENDING, SWITCHED, DONE, REFUSED)

# The status file: keys and their types. None for a whole object counts as if it were not there.
LARGEST_STATUS = 1 << 18  # bytes
STATUS: dict[str, tuple[type | None, ...]] = {  # always there
    "app": (str,),
    "instance": (str,),
    "pid": (int,),
    "state": (str,),  # one of STATES
    "release": (str, None),  # what serves, with its generation and its pid
    "generation": (int, None),
    "child": (int, None),
    "hups": (int,),  # HUPs seen
    "counter": (int,),  # processes started since the host booted, for whatever reason
    "restarts": (int,),  # pivots of the instance since then that ended although no TERM had come
    "updated": (int, float),  # wall time
}
STATUS_LATER: dict[str, tuple[type | None, ...]] = {
    "move": (dict, None),  # the last one, from when it begins
    "exit_code": (int,),  # of the serving process that ended by itself, with its last lines
    "output": (list,),
}
MOVE: dict[str, tuple[type | None, ...]] = {  # of ``move``; each is there from when it is known
    "began": (int, float),  # monotonic, as ``ended``
    "hups": (int,),  # those seen when it began
    "from": (str, None),
    "to": (str,),
    "outcome": (str,),  # one of OUTCOMES
    "step": (str,),  # the last one of STEPS that it came to
    "seconds": (dict,),  # of each step that has ended, and TOTAL
    "child": (int,),  # the new process
    "health": (str,),  # the last answer to a health check
    "proven": (bool,),  # through the gate, but for the others
    "stragglers": (int,),  # connections that the drain timeout cut off
    "reason": (str,),  # of a refusal, with ``ended`` and what follows
    "ended": (int, float),
    "overruled": (bool,),  # the new process was well
    "exit_code": (int, None),
    "output": (list,),
    "instead_of": (dict, None),  # the refused move that this one followed on
}

SPEC: dict[str, Any] = {  # keys of processes.TYPE; the value is the default and gives the type
    "command": "",
    "socket": False,
    "health": {"path": "", "host": "localhost", "count": 1},
    "overlap": True,
    "ready_after": 5.0,
    "ready_timeout": 60.0,
    "drain_timeout": 60.0,
    "stop_timeout": 30.0,
    "log_format": "text",
    "log_destination": "file",
}

# Stop timeouts in seconds: each is longer than all that it waits for.
LONGEST_STOP = 240  # the largest stop_timeout of a release
GRACEFUL_TIMEOUT = 300  # graceful_timeout of a watcher: what circusd gives a pivot
UNIT_STOP_TIMEOUT = 330  # TimeoutStopSec of circus@.service: what systemd gives circusd

# --- end of the contract ------------------------------------------------------------------------

# What is read of the other pivots' status files. The directory belongs to the app, which may have
# put anything there: nothing of that may stop a move, or a start.
TOLD = {key: STATUS[key] for key in ("instance", "pid", "state", "counter", "restarts")} | {
    "move": STATUS_LATER["move"]
}
TOLD_OF_MOVE = {key: MOVE[key] for key in ("to", "outcome", "proven", "ended")}

ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
REDIRECTION = re.compile(r"[<>]+[&|]?")

_prctl = ctypes.CDLL(None, use_errno=True).prctl


class Refused(Exception):
    """A generation did not get through; the message is the reason."""


class Overruled(Refused):
    """A generation is well, but given up because of what happened outside of it."""


class Terminated(BaseException):
    """TERM or INT arrived while something was under way; no ``except Exception`` may stop it."""


# --- what a release says, and what the kernel says --------------------------------------------


def checked(data: Any, model: dict[str, Any]) -> dict[str, Any]:
    """``data`` with every key of ``model`` in the type it has there; or an error names a bad one.

    A pivot that stumbled over a release later than here would take the old release with it.
    """
    if not isinstance(data, dict):
        raise TypeError(f"{data!r} is not an object")
    result = {}
    for key, default in model.items():
        value = default if data.get(key) is None else data[key]
        if isinstance(default, dict):
            value = checked(value, default)
        elif isinstance(default, float):
            if not (isinstance(value, int | float) and 0 <= value < 1e6):
                raise ValueError(f"{key} is {value!r}, not a number of seconds")
        elif (
            not isinstance(value, type(default))
            or isinstance(value, bool) is not isinstance(default, bool)
            or (isinstance(value, int) and not isinstance(value, bool) and value < 1)
        ):
            raise ValueError(f"{key} is {value!r}, where {default!r} would be right")
        result[key] = value
    return result


def read_env(text: str) -> dict[str, str]:
    """Parse a release's ``env``: lines of shell-quoted ``KEY=value``.

    The error never shows a value: it might be a secret.
    """
    result = {}
    for number, word in enumerate(shlex.split(text, comments=True), 1):
        key, equals, value = word.partition("=")
        if not (key and equals):
            raise ValueError(f"env: entry {number} is not of the form KEY=value")
        result[key] = value
    return result


def shell_command(command: str) -> str:
    """Make the shell replace itself where it can, so that the process is our own child.

    Signals and PR_SET_PDEATHSIG then reach the process itself. ``env`` is there for commands that
    begin with ``KEY=value``. A command with shell operators other than redirections is left alone:
    it says ``exec`` itself. ValueError when no command is there: ``env`` alone would print secrets.
    """
    words = list(shlex.shlex(command, posix=True, punctuation_chars=True))
    operators = [word for word in words if word and set(word) <= set("();<>|&")]
    program = next((word for word in words if not ASSIGNMENT.match(word)), "-")
    if program.startswith("-"):
        raise ValueError(f"{command!r} is not a command")
    if not all(REDIRECTION.fullmatch(word) for word in operators) or "\n" in command.strip():
        return command
    if program is not words[0]:
        return f"exec env {command}"
    return command if program == "exec" else f"exec {command}"


def environment(
    app: str, instance: str, release: pathlib.Path, socket_path: str | None, private: str
) -> dict[str, str]:
    """The whole environment of a process: the release's config, then what the platform owns.

    The socket's path goes in under every name that app servers read, so that a Procfile says no
    more than ``web: gunicorn shop.wsgi``. FORWARDED_ALLOW_IPS may be ``*`` because the directory
    lets nobody but the proxy reach the socket. SPT_NOENV keeps setproctitle from overwriting
    /proc/PID/environ, which is where RELEASE_ID proves what a process runs.
    """
    own = read_env((release / "env").read_text("utf-8"))
    env = {"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", "FORWARDED_ALLOW_IPS": "*"} | own
    env |= {
        "PATH": f"{release}/venv/bin:/usr/local/bin:/usr/bin:/bin",
        "VIRTUAL_ENV": f"{release}/venv",
        "HOME": f"/var/lib/{app}",
        "USER": app,
        "RELEASE_ID": release.name,
        "SENTRY_RELEASE": f"{app}@{release.name}",
        "PROCESS_TYPE": instance.rpartition("-")[0],
        "PROCESS_INSTANCE": instance,
        "SPT_NOENV": "1",
        "XDG_RUNTIME_DIR": private,
    }
    if socket_path:
        bind = f"--bind unix:{socket_path}"
        env |= {
            "SOCKET": socket_path,
            "GUNICORN_CMD_ARGS": f"{own.get('GUNICORN_CMD_ARGS', '')} {bind}".strip(),
            "UVICORN_UDS": socket_path,
            "GRANIAN_UDS": socket_path,
            "UWSGI_HTTP_SOCKET": socket_path,
        }
    return env


def timestamp() -> str:
    now = time.time()
    return time.strftime(f"%Y-%m-%dT%H:%M:%S.{int(now % 1 * 1000):03}Z", time.gmtime(now))


def event(line: bytes, at: str, origin: dict[str, Any]) -> bytes:
    """One line of output as a JSON object with the field names of the Elastic Common Schema.

    An object that the app wrote keeps its fields; ``origin`` says who wrote it and has the last
    word. Nothing of a line is dropped, whatever it holds.
    """
    text = line.decode("utf-8", "backslashreplace")
    fields = {"message": text}
    if text.startswith("{"):
        with contextlib.suppress(ValueError, RecursionError):
            fields = json.loads(text, parse_constant=str)  # NaN is no JSON
    return json.dumps({"@timestamp": at} | fields | origin).encode() + b"\n"


def journal_stream(path: str, name: str) -> int:
    """A descriptor to which lines are written for journald (the protocol of sd_journal_stream_fd(3)).

    journald learns from the kernel which unit writes. It keeps its end through its own restart.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(JOURNAL_TIMEOUT)
        sock.connect(path)
        # name, unit, priority (info), levels in the lines, to syslog, to kmsg, to the console
        sock.sendall(f"{name}\n\n6\n0\n0\n0\n0\n".encode())
        sock.setblocking(False)
        return sock.detach()


def connections(table: str, path: str) -> int | None:
    """How many connections, accepted or waiting, the socket bound to ``path`` has.

    ``table`` is /proc/net/unix: an accepted socket carries its listener's path (state 03), one
    still in the accept queue too (state 02); the listener itself has the flag 00010000. None when
    nothing listens under that name: then the table says nothing about its connections either.
    """
    count, listening = 0, False
    for line in table.splitlines()[1:]:
        fields = line.split(None, 7)
        if len(fields) == 8 and fields[7] == path:
            if fields[3] == "00010000":
                listening = True
            else:
                count += 1
    return count if count or listening else None


def marks(prefix: str) -> dict[int, str]:
    """The XDG_RUNTIME_DIR of every process that has one beginning with ``prefix``, by pid."""
    found = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # gone, or somebody else's
                for word in pathlib.Path(entry.path, "environ").read_bytes().split(b"\0"):
                    key, _equals, value = os.fsdecode(word).partition("=")
                    if key == "XDG_RUNTIME_DIR" and value.startswith(prefix):
                        found[int(entry.name)] = value
    return found


def read_record(path: pathlib.Path) -> tuple[str | None, str | None]:
    """By the record of deploys: which release served last, and which one's deploy never ended."""
    good, pending = None, None
    with contextlib.suppress(OSError), path.open("rb") as file:
        while line := file.readline(LONGEST_LINE):
            # what is no entry was cut short by a full disk, or is what a power cut has left
            with contextlib.suppress(ValueError, LookupError, TypeError, RecursionError):
                entry = json.loads(line.decode("utf-8"))
                release, outcome = entry["release"], entry["outcome"]
                if not isinstance(release, str) or not isinstance(outcome, str):
                    continue
                good = release if outcome == "good" else good
                pending = release if outcome == "pending" else None
    return good, pending


def is_locked(directory: pathlib.Path) -> bool:
    """Whether somebody holds a lock on the directory (flock(2))."""
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
    return False


def typed(document: Any, model: dict[str, tuple[type | None, ...]]) -> dict[str, Any]:
    """What ``document`` has of the keys of ``model``. Raises ValueError for another type."""
    if not isinstance(document, dict):
        raise ValueError("no object")  # noqa: TRY004 - one for all that no pivot wrote
    found = {key: document[key] for key in model if key in document}
    for key, value in found.items():
        endless = isinstance(value, int | float) and not 0 <= value < 1 << 53
        if (None if value is None else type(value)) not in model[key] or endless:
            raise ValueError(f"{key} is {type(value).__name__}")
    return found


def read_status(path: str | pathlib.Path) -> dict[str, Any]:
    """What a pivot wrote into its status file; nothing where no pivot wrote it."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            if stat.S_ISREG(os.fstat(handle).st_mode):
                told = typed(json.loads(file.read(LARGEST_STATUS)), TOLD)
                return told | {"move": typed(told.get("move") or {}, TOLD_OF_MOVE)}
    return {}


def peers_of(run_dir: pathlib.Path, instance: str) -> Iterator[dict[str, Any]]:
    """What the app's other pivots say, those that are alive."""
    for path in run_dir.glob("*-*.json"):
        name = path.name.removesuffix(".json")
        told = read_status(path)
        with contextlib.suppress(OSError):
            words = pathlib.Path(f"/proc/{told.get('pid', 0)}/cmdline").read_bytes().split(b"\0")
            if told.get("instance") == name != instance and os.fsencode(name) in words:
                yield told


def vote(peer: dict[str, Any], release: str, since: float, stopping: bool) -> str:
    """What a peer says to a switch to ``release``: yes, no, wait; empty when it takes no part.

    A refusal counts if it came after ``since`` (monotonic seconds); the pivots of an app may be of
    different versions of this program, and an older one does not say when. With ``stopping`` the question
    comes from a process that must stop before its successor can prove anything; such peers do not
    wait for each other.
    """
    move, state = peer.get("move") or {}, peer.get("state")
    if move.get("outcome") == REFUSED:
        return "no" if move.get("to") == release and move.get("ended", 0) >= since else ""
    if state in (SERVING, FAILED, STOPPING, STOPPED) or (stopping and state == AGREE):
        return ""
    return "yes" if move.get("to") == release and move.get("proven") else "wait"


def children_of(pid: int) -> list[int]:
    """The direct children of a process (proc(5), task/TID/children)."""
    text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def remove(path: str | pathlib.Path) -> None:
    """Remove whatever is there; what cannot be removed is in the way of whoever wants the name."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError:
        shutil.rmtree(path, ignore_errors=True)


# --- one generation --------------------------------------------------------------------------


class Generation:
    """One start of one release: its process, its socket and the last lines that it wrote."""

    def __init__(self, number: int, release: pathlib.Path, spec: dict[str, Any], base: str) -> None:
        self.number = number
        self.release = release
        self.id = release.name
        self.spec = spec
        self.socket = f"{base}.{number}.sock" if spec["socket"] else None
        self.private = f"{base}.{number}.d"
        self.pid = 0
        self.output = -1  # read end of the process's stdout and stderr
        self.status: int | None = None  # wait status once it has ended
        self.origin: dict[str, Any] | None = None  # what each line is marked with
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._rest = b""  # a line that is not complete yet

    def start(self, app: str, instance: str) -> None:
        env = environment(app, instance, self.release, self.socket, self.private)
        command = shell_command(self.spec["command"])
        self.remove_files()
        os.mkdir(self.private, 0o700)
        self.output, writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.output, False)
        with contextlib.suppress(OSError):  # a roomier pipe; the default of 64 KiB works too
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        # a signal that comes before the child has reset its handlers must wait, or it is lost
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
        try:
            parent = os.getpid()
            self.pid = os.fork()
            if self.pid == 0:
                self._become(command, env, writer, parent)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            os.close(writer)
        if self.spec["log_format"] == "json":
            names = {"service.name": app, "service.version": self.id, "process.name": instance}
            self.origin = names | {"process.pid": self.pid}

    def _become(self, command: str, env: dict[str, str], writer: int, parent: int) -> NoReturn:
        """In the child: turn into the command."""
        try:
            os.setsid()  # its own process group, so that KILL can reach all of it
            _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
            os.dup2(writer, 1)
            os.dup2(writer, 2)
            for number in HANDLED + IGNORED_BY_PYTHON:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            os.chdir(self.release)
            os.execve("/bin/sh", ["sh", "-c", command], env)
        except BaseException as error:  # noqa: BLE001 - nothing may get past the fork
            os.write(2, f"pivot: cannot start {command!r}: {error}\n".encode())
        finally:
            os._exit(127)

    def read(self) -> bytes | None:
        """What to pass on of what the process wrote since; None when it wrote nothing."""
        if self.output < 0:
            return None
        try:
            data = os.read(self.output, 1 << 16)
        except BlockingIOError:
            return None
        if not data:
            self.close_output()
            return self.flush() or None
        *lines, rest = (self._rest + data).split(b"\n")
        self._tail.extend(line.decode("utf-8", "replace")[:1000] for line in lines[-TAIL_LINES:])
        if self.origin is None:
            self._rest = rest[-4096:]
            return data
        self._rest = rest
        return self._events(lines) + (self.flush() if len(rest) > LONGEST_LINE else b"")

    def _events(self, lines: list[bytes]) -> bytes:
        at = timestamp()
        return b"".join(event(line, at, self.origin or {}) for line in lines if line)

    def flush(self) -> bytes:
        """The beginning of a line whose end will not come, as far as it was not passed on."""
        if self.origin is None or not self._rest:
            return b""
        rest, self._rest = self._rest, b""
        self._tail.append(rest.decode("utf-8", "replace")[:1000])
        return self._events([rest])

    def last_lines(self) -> list[str]:
        """The last lines it wrote; the very last one may lack its newline."""
        rest = [self._rest.decode("utf-8", "replace")[:1000]] if self._rest else []
        return [*self._tail, *rest][-TAIL_LINES:]

    @property
    def exit_code(self) -> int | None:
        """As a shell gives it: 128 + n when signal n ended the process; None while it runs."""
        if self.status is None:
            return None
        code = os.waitstatus_to_exitcode(self.status)
        return code if code >= 0 else 128 - code

    def signal(self, number: int) -> None:
        """Signal the process itself, even before it has a group of its own."""
        if self.status is None:
            os.kill(self.pid, number)

    def signal_group(self, number: int) -> bool:
        """Signal what is left of its process group; false when nothing is.

        A zombie of ours counts until it is reaped; what changed its user does not.
        """
        try:
            os.killpg(self.pid, number)
        except OSError:
            return False
        return True

    def is_gone(self) -> bool:
        return self.status is not None and not self.signal_group(0)

    def close_output(self) -> None:
        if self.output >= 0:
            os.close(self.output)
            self.output = -1

    def remove_files(self) -> None:
        if self.socket:
            remove(self.socket)
        remove(self.private)


# --- the pivot -------------------------------------------------------------------------------


class Pivot:
    def __init__(
        self, root: pathlib.Path, instance: str, run_dir: pathlib.Path, journal: str = JOURNAL
    ) -> None:
        self.root = root
        self.journal = journal
        self.app = root.name
        self.instance = instance
        self.kind = instance.rpartition("-")[0]
        self.run_dir = run_dir
        self.base = str(run_dir / instance)
        self.link = f"{self.base}.sock"
        self.serving: Generation | None = None
        self.alive: list[Generation] = []  # every generation whose process was started
        self.state: dict[str, Any] = {"counter": 0, "restarts": 0}
        self.kinds: set[str] = set()  # process types of the release that is moved to
        self.hup = self.term = False
        self.hups = 0
        self.origin: dict[str, Any] | None = None  # of our own words; as the last generation's
        self._sink = 1  # where output goes: to the supervisor, or a stream to journald
        self._backlog = bytearray()  # output that has not been taken there yet
        self._complained = False

    # -- waiting: the only place where time passes

    def listen_to_signals(self) -> None:
        self._wakeup, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_args: None)
        signal.signal(signal.SIGHUP, self._on_hup)
        signal.signal(signal.SIGTERM, self._on_term)
        signal.signal(signal.SIGINT, self._on_term)

    def _on_hup(self, *_args: object) -> None:
        self.hup = True
        self.hups += 1

    def _on_term(self, *_args: object) -> None:
        self.term = True

    def _heed_term(self) -> None:
        if self.term and self.state.get("state") != STOPPING:
            raise Terminated

    def wait(self, seconds: float | None = None, also: int | None = None) -> bool:
        """Copy output and reap until something happened, or ``seconds`` are over.

        ``also`` is one more descriptor to wait for. Raises Terminated when TERM has come, else
        says whether a child has ended. Never blocks where nobody takes the output: then it stays
        in the processes' pipes, but signals are still heeded.
        """
        self._heed_term()
        poll = select.poll()
        for descriptor in (self._wakeup, also):
            if descriptor is not None:
                poll.register(descriptor, select.POLLIN)
        if self._backlog:
            poll.register(self._sink, select.POLLOUT)
        for generation in self.alive:
            if generation.output >= 0 and not self._backlog:
                poll.register(generation.output, select.POLLIN)
        ready = {descriptor for descriptor, _event in poll.poll(seconds and seconds * 1000)}
        if self._wakeup in ready:
            os.read(self._wakeup, 4096)
        if self._sink in ready:
            self._write_backlog()
        for generation in self.alive:
            if generation.output in ready:
                self._backlog += generation.read() or b""
        reaped = self._reap()
        self._heed_term()
        return reaped

    def _write_backlog(self) -> None:
        """To be called when the sink is writable: then this much does not block (pipe(7))."""
        try:
            del self._backlog[: os.write(self._sink, self._backlog[: select.PIPE_BUF])]
        except BlockingIOError:
            pass
        except OSError as error:  # who is gone, or a full disk, must not stop the app
            if self._sink == 1:
                self._backlog.clear()
            else:
                self._leave_journal(error)

    def _write_rest(self) -> None:
        """Whoever takes the output gets what there is, unless nothing is taken for a while."""
        sink, poll = self._sink, select.poll()
        poll.register(sink, select.POLLOUT)
        while self._backlog and self._sink == sink and poll.poll(LAST_WORDS * 1000):
            self._write_backlog()

    def _choose_sink(self, destination: str) -> None:
        """Let output go where the newest generation wants it."""
        if (destination == "journal") is (self._sink != 1):
            return
        self._write_rest()  # a line that has begun ends where it began
        if destination != "journal":
            self._leave_journal()
            return
        try:
            self._sink = journal_stream(self.journal, f"{self.app}/{self.instance}")
        except OSError as error:
            self._leave_journal(error)

    def _leave_journal(self, error: OSError | None = None) -> None:
        if self._sink != 1:
            os.close(self._sink)
        self._sink = 1
        if error:
            self.say(f"{self.journal}: {error.strerror or error}; output goes to the supervisor")

    def _reap(self) -> bool:
        """Collect every child that ended; orphans of ours come here too (subreaper)."""
        reaped = False
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                reaped = True
                for generation in self.alive:
                    if generation.pid == ended[0]:
                        generation.status = ended[1]
                        self._collect(generation)
        return reaped

    def _collect(self, generation: Generation) -> None:
        """Take what is in the pipe; no more than fits into it, for orphans may go on writing."""
        for _read in range(2 * PIPE_SIZE >> 16):
            if (data := generation.read()) is None:
                break
            self._backlog += data

    def until(
        self, condition: Callable[[], bool], seconds: float, step: float | None = None
    ) -> bool:
        """Wait until ``condition`` holds; false when ``seconds`` were over first.

        It is looked at whenever a child ended, and every ``step`` seconds.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            now = time.monotonic()
            if now >= deadline:
                return False
            pause = min(deadline, now + step) if step else deadline
            while (left := pause - time.monotonic()) > 0 and not self.wait(left):
                pass
        return True

    # -- what is told to the outside

    def tell(self, **state: Any) -> None:
        """Write the status file. That this fails (full disk) is no reason to stop serving."""
        self.state |= state
        serving = self.serving
        document = {
            "app": self.app,
            "instance": self.instance,
            "pid": os.getpid(),
            "release": serving.id if serving else None,
            "generation": serving.number if serving else None,
            "child": serving.pid if serving else None,
            "hups": self.hups,
            "updated": time.time(),
        } | self.state
        path = f"{self.base}.json"
        try:
            handle = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
            with os.fdopen(handle, "w") as file:
                json.dump(document, file)
            os.replace(f"{path}.new", path)
            self._complained = False
        except OSError as error:
            remove(f"{path}.new")
            if not self._complained:
                self.say(f"cannot write {path}: {error.strerror}")
            self._complained = True

    def say(self, text: str) -> None:
        line = f"pivot {self.app} {self.instance}: {text}"
        if self.origin:  # in turn: an object must not begin in the middle of another
            self._backlog += event(line.encode(), timestamp(), self.origin)
            return
        if self._sink != 1:
            self._backlog += f"{line}\n".encode()
            return
        poll = select.poll()
        poll.register(2, select.POLLOUT)
        with contextlib.suppress(OSError):
            if poll.poll(0):
                os.write(2, f"{line}\n".encode())

    # -- steps

    def resolve(self, path: pathlib.Path) -> tuple[pathlib.Path, dict[str, dict[str, Any]]]:
        """The release that ``path`` names now, and what it says of each process type."""
        try:
            release = path.resolve(strict=True)
            processes = json.loads((release / "release.json").read_text("utf-8"))["processes"]
            if self.kind not in processes:
                raise Refused(f"release {release.name} has no process type {self.kind!r}")
            specs = {kind: checked(process, SPEC) for kind, process in processes.items()}
        except FileNotFoundError as error:
            raise Refused(f"{path} names no release: {error.filename} is missing") from None
        except (OSError, ValueError, LookupError, TypeError, RuntimeError) as error:
            raise Refused(f"cannot read the release that {path} names: {error}") from None
        return release, specs

    def start(self, release: pathlib.Path, spec: dict[str, Any]) -> Generation:
        self.state["counter"] += 1
        generation = Generation(self.state["counter"], release, spec, self.base)
        try:
            generation.start(self.app, self.instance)
        except (OSError, ValueError) as error:
            generation.close_output()
            generation.remove_files()
            raise Refused(f"cannot start release {release.name}: {error}") from None
        self.alive.append(generation)
        self._choose_sink(spec["log_destination"])
        self.origin = generation.origin and generation.origin | {"process.pid": os.getpid()}
        return generation

    def gate(self, new: Generation, old: Generation | None, patience: float = 0) -> None:
        """Return when ``new`` has proven itself, else raise Refused.

        While ``old`` serves there is time to see that it goes on being well for ``ready_after``
        and until the app's other processes are as far, at most ``patience`` seconds more; and
        reason to give up at once when ``current`` goes elsewhere meanwhile.
        """
        spec, health = new.spec, new.spec["health"]
        deadline = time.monotonic() + spec["ready_timeout"]
        healthy, settled, pause, answer = 0, 0.0, PROBE_INTERVAL, "nothing was asked yet"

        def is_spare() -> bool:
            return old is not None and old.status is None

        def over() -> bool:
            return new.status is not None or (is_spare() and self.overtaken(new.id))

        if not new.socket:
            self.until(over, spec["ready_after"], PROBE_PAUSE)
            if is_spare() and not over():
                self.agree(new.id, patience, lambda: over() or not is_spare())
        while new.socket and not over():
            now, ready = time.monotonic(), healthy >= health["count"]
            if not ready and now >= deadline:
                asked = f"GET {health['path']}" if health["path"] else "connecting"
                limit = f"{spec['ready_timeout']:g} s"
                raise Refused(f"not ready within {limit}; {asked} on its own socket: {answer}")
            until = now + PROBE_TIMEOUT
            good, answer = self.probe(new, until if ready else min(until, deadline))
            self.state["move"]["health"] = answer
            now = time.monotonic()
            settled = settled if healthy else now + spec["ready_after"]
            healthy = healthy + 1 if good else 0
            if not good and self.state["move"].pop("proven", False):
                self.tell()  # the others must not switch now
            ready, spare = healthy >= health["count"], is_spare()
            if ready and not spare:
                break
            if ready and now >= settled:
                if self.agreed(new.id):
                    break
                if now >= settled + patience:
                    raise self.tired(new.id, patience)
            many = ready or (answer.startswith("HTTP") and not good)
            pause = min(2 * pause, PROBE_PAUSE) if many else PROBE_INTERVAL
            left = (settled if ready else deadline) - now
            self.until(
                lambda spare=spare: over() or is_spare() != spare,
                min(pause, left) if left > 0 else pause,
            )
        if new.status is not None:
            raise Refused(f"ended with exit code {new.exit_code} while starting")
        if over():
            raise Overruled(OVERTAKEN)

    def agree_to_stop(self, old: Generation, release: str, patience: float) -> None:
        """Where the old process has to make room first: wait until the others are through."""
        self.agree(
            release,
            patience,
            lambda: old.status is not None or self.overtaken(release),
            stopping=True,
        )
        if self.overtaken(release):
            raise Overruled(OVERTAKEN)

    def agree(
        self, release: str, patience: float, over: Callable[[], bool], stopping: bool = False
    ) -> None:
        """Wait until the app's other processes are as far, or ``over`` holds."""

        def agreed() -> bool:
            return over() or self.agreed(release, stopping)

        if not self.until(agreed, patience, PROBE_INTERVAL):
            raise self.tired(release, patience)

    def agreed(self, release: str, stopping: bool = False) -> bool:
        """Whether no other process of the app has yet to prove itself; Overruled if one cannot."""
        move = self.state["move"]
        if not stopping and not move.get("proven"):
            move["proven"] = True
            self.tell()
        votes = self.votes(release, stopping)
        for name, said in votes.items():
            if said == "no":
                raise Overruled(f"given up: {name} did not get through with release {release}")
        # who has not moved by then was not asked to
        early = time.monotonic() < move["began"] + PEERS_PAUSE
        return "wait" not in votes.values() and not (early and votes)

    def votes(self, release: str, stopping: bool) -> dict[str, str]:
        """What each peer says; those of a process type that the release does not have say nothing."""
        since = self.state["move"]["began"] - PEERS_PAUSE
        return {
            peer["instance"]: vote(peer, release, since, stopping)
            for peer in peers_of(self.run_dir, self.instance)
            if peer["instance"].rpartition("-")[0] in self.kinds
        }

    def tired(self, release: str, patience: float) -> Overruled:
        late = [name for name, said in self.votes(release, False).items() if said == "wait"]
        return Overruled(f"given up: waited {patience:g} s for {', '.join(late)} to get through")

    def overtaken(self, release: str) -> bool:
        """Whether HUP has come since for another release: another process failed."""
        with contextlib.suppress(OSError):
            return self.hup and (self.root / "current").resolve(strict=True).name != release
        return False

    def probe(self, new: Generation, deadline: float) -> tuple[bool, str]:
        """One health check of ``new`` on its own socket: whether it is well, and what it said."""
        health, received = new.spec["health"], b""
        request = (
            f"GET {health['path']} HTTP/1.1\r\nHost: {health['host']}\r\n"
            "X-Forwarded-Proto: https\r\nUser-Agent: twelvefactor-pivot\r\n"
            "Accept: */*\r\nConnection: close\r\n\r\n"
        )
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.setblocking(False)
            try:
                sock.connect(str(new.socket))
                if not health["path"]:
                    return True, "accepted a connection"
                sock.send(request.encode())
                while b"\r\n" not in received and len(received) < 4096:
                    left = deadline - time.monotonic()
                    if left <= 0 or new.status is not None:
                        return False, "no answer in time"
                    self.wait(left, also=sock.fileno())
                    with contextlib.suppress(BlockingIOError):
                        data = sock.recv(4096)
                        if not data:
                            return False, "closed without an answer"
                        received += data
            except FileNotFoundError:
                return False, "it has not made its socket"
            except OSError as error:
                return False, f"no connection: {error.strerror or error}"
        line = received.partition(b"\r\n")[0][:200].decode("latin-1")
        return re.match(r"HTTP/1\.\d 2\d\d\b", line) is not None, line

    def switch(self, to: Generation) -> None:
        """Let ``TYPE-K.sock`` name its socket: one rename, and every later connect is to it."""
        if to.socket:
            os.chmod(to.socket, 0o666)  # the directory says who may connect; servers differ here
            remove(f"{self.link}.new")
            os.symlink(os.path.basename(to.socket), f"{self.link}.new")
            try:
                os.replace(f"{self.link}.new", self.link)
            except OSError:
                remove(f"{self.link}.new")
                raise
        else:
            self.remove_link()
        self.serving = to

    def drain(self, old: Generation, new: Generation) -> int:
        """Wait for the connections of ``old`` to end; how many the timeout cut off."""
        path = old.socket
        if not path:
            return 0

        def left() -> int:
            try:
                count = connections(pathlib.Path("/proc/net/unix").read_text("latin-1"), path)
            except OSError:
                count = None
            return 1 if count is None else count  # unknown: give it the whole drain timeout

        # a connect that was under way during the rename may show up a moment later
        last_seen = time.monotonic()

        def drained() -> bool:
            nonlocal last_seen
            if left():
                last_seen = time.monotonic()
            quiet = time.monotonic() - last_seen
            return quiet >= DRAIN_QUIET or old.status is not None or new.status is not None

        self.until(drained, old.spec["drain_timeout"], DRAIN_INTERVAL)
        return left() if old.status is None else 0

    def _lost(self, *generations: Generation) -> bool:
        """Whether the serving process has died, and is none of ``generations``."""
        serving = self.serving
        return serving is not None and serving.status is not None and serving not in generations

    def stop(self, *generations: Generation) -> None:
        """TERM, and KILL to the whole group after the stop timeout; nothing is left behind.

        What outlives the process itself (a shell that did not ``exec``) gets its own TERM. When
        the process that serves meanwhile dies, its restart is more urgent than this.
        """
        orphaned: set[int] = set()

        def ended() -> bool:
            for generation in generations:
                if generation.status is not None and generation.number not in orphaned:
                    orphaned.add(generation.number)
                    generation.signal_group(signal.SIGTERM)
            return all(g.is_gone() for g in generations) or self._lost(*generations)

        for generation in generations:
            generation.signal(signal.SIGTERM)
        timeout = max((g.spec["stop_timeout"] for g in generations), default=0)
        self.until(ended, timeout, PROBE_INTERVAL)
        self.kill(*generations)

    def kill(self, *generations: Generation) -> None:
        for generation in generations:
            generation.signal(signal.SIGKILL)
            generation.signal_group(signal.SIGKILL)
        self.until(lambda: all(g.is_gone() for g in generations), KILL_TIMEOUT, DRAIN_INTERVAL)
        for generation in generations:
            self._collect(generation)
            self._backlog += generation.flush()
            generation.close_output()
            generation.remove_files()
            self.alive.remove(generation)
        self.sweep()

    def sweep(self, grace: float = 0) -> None:
        """End and remove what is marked as ours but belongs to no generation that is alive.

        That is a daemon that left its group, and what an earlier pivot left that was killed (its
        process went with it, but not the process's workers). ``grace``: seconds between TERM and
        KILL. What also lost the mark is at least still our child when nothing else is.
        """
        kept = {generation.private for generation in self.alive}

        def strays(number: int) -> bool:
            pids = {pid for pid, mark in marks(f"{self.base}.").items() if mark not in kept}
            pids |= set() if self.alive else set(children_of(os.getpid()))
            for pid in pids:
                with contextlib.suppress(OSError):
                    os.kill(pid, number)
            return bool(pids)

        if grace and strays(signal.SIGTERM):
            self.until(lambda: not strays(0) or self._lost(), grace, PROBE_INTERVAL)
        # twice, for what forked and ended during one look took the place of what was on the list
        looks = 0

        def swept() -> bool:
            nonlocal looks
            looks = 0 if strays(signal.SIGKILL) else looks + 1
            return looks > 1

        self.until(swept, KILL_TIMEOUT, DRAIN_INTERVAL)
        for pattern in ("sock", "d"):
            for path in self.run_dir.glob(f"{self.instance}.*.{pattern}"):
                if str(path.with_suffix(".d")) not in kept:
                    remove(path)

    def move(self, path: pathlib.Path, **more: Any) -> None:
        """Bring the release that ``path`` names into service; raise Refused with the reason.

        ``more`` goes into what the status file says of the move.
        """
        began = time.monotonic()
        old = self.serving
        self.hup = False  # whoever asked until here gets what `current` names from here on
        seconds: dict[str, float] = {}
        move: dict[str, Any] = {
            "began": began,
            "hups": self.hups,
            "from": old.id if old else None,
            "outcome": PENDING,
            "seconds": seconds,
        } | more
        self.state["move"] = move

        @contextlib.contextmanager
        def step(name: str) -> Iterator[None]:
            since = time.monotonic()
            move["step"] = name
            self.tell(state=name)
            try:
                yield
            finally:
                seconds[name] = round(time.monotonic() - since, 3)
                seconds[TOTAL] = round(time.monotonic() - began, 3)

        new: Generation | None = None
        overlap = True
        try:
            release, specs = self.resolve(path)
            spec, self.kinds = specs[self.kind], set(specs)
            move["to"] = release.name
            overlap = spec["overlap"] and (not old or old.spec["overlap"])
            patience = sum(
                each["stop_timeout"] + each["ready_timeout"] + each["ready_after"]
                for each in specs.values()
            )
            if not overlap:
                if old:
                    with step(AGREE):
                        self.agree_to_stop(old, release.name, patience)
                with step(STOP):
                    if old:
                        self.stop(old)
                        self.serving = None
                    self.sweep(spec["stop_timeout"])
            with step(GATE):
                new = self.start(release, spec)
                move["child"] = new.pid
                self.gate(new, old if overlap else None, patience)
                move["proven"] = True
            with step(SWITCH):
                self.switch(new)
            if old and overlap:
                move["outcome"] = SWITCHED
                with step(DRAIN):
                    move["stragglers"] = self.drain(old, new)
            else:
                if overlap:
                    with step(STOP):
                        self.sweep(spec["stop_timeout"])
                if new.socket:
                    with step(SETTLE):
                        self.until(lambda: new.status is not None, spec["ready_after"])
            if new.status is not None:
                raise Refused(f"ended with exit code {new.exit_code} after the switch")
        except Exception as error:  # noqa: BLE001 - whatever it is, the old one must live
            reason = str(error) if isinstance(error, Refused | OSError) else repr(error)
            move |= {"outcome": REFUSED, "reason": reason, "ended": time.monotonic()}
            move["overruled"] = isinstance(error, Overruled)
            if new:
                if self.serving is new and old and old.status is None:
                    with contextlib.suppress(OSError):  # then the supervisor has to restart us
                        self.switch(old)
                elif self.serving is new and not (old and overlap):
                    self.serving = None
                self._collect(new)
                move |= {"exit_code": new.exit_code, "output": new.last_lines()}
                # a chance to remove what it made in places that nobody else knows of
                new.signal(signal.SIGTERM)
                self.until(lambda: new.is_gone() or self._lost(new), REFUSED_GRACE, PROBE_INTERVAL)
                self.kill(new)
            if old and not self.serving:
                self.restart(old)
            serves = self.serving is not None and self.serving.status is None
            self.say(f"refused: {reason}")
            self.tell(state=SERVING if serves else FAILED)
            raise Refused(reason) from None
        if old and overlap:
            with step(STOP):
                self.stop(old)
        move["outcome"] = DONE
        self.say(f"release {new.id} serves, generation {new.number}, {seconds}")
        self.tell(state=SERVING)

    def restart(self, old: Generation) -> None:
        """Start again what ``overlap: false`` had to stop before its successor failed."""
        try:
            again = self.start(old.release, old.spec)
            self.gate(again, None)
            self.switch(again)
        except (Refused, OSError) as error:
            self.say(f"release {old.id} does not come back either: {error}")

    # -- life

    def run(self) -> int:
        _prctl(PR_SET_CHILD_SUBREAPER, 1)
        self.listen_to_signals()
        try:
            return self._live()
        except Terminated:
            self.tell(state=STOPPING)
            self.stop(*self.alive)
            self.serving = None
            self.remove_link()
            self.tell(state=STOPPED)
            return 0
        finally:
            self._write_rest()

    def _live(self) -> int:
        self.state["restarts"] = self._restarts()
        self.state["counter"] = self._last_number()
        try:
            self._begin()
        except Refused:
            self.sweep()
            self.remove_link()
            self.until(lambda: False, RESPAWN_PAUSE)
            return 1
        while True:
            serving = self.serving
            if serving is None or serving.status is not None:
                return self.ended(serving)
            if self.hup:
                with contextlib.suppress(Refused):
                    self.move(self.root / "current")
            else:
                self.wait()

    def _begin(self) -> None:
        """Bring the first release into service, or raise Refused."""
        current = self.root / "current"
        good, pending = read_record(self.root / "releases.jsonl")
        proven = self.root / "releases" / (good or "none")
        if good is None or current.resolve() == proven.resolve():
            return self.move(current)
        # whoever deploys holds a lock, and lets it go when killed
        cut_off = pending == current.resolve().name and not is_locked(self.root)
        first, second = (proven, current) if cut_off else (current, proven)
        try:
            return self.move(first)
        except Refused:
            refused = self.state["move"]
            self.say(f"trying {second} instead")
            return self.move(second, instead_of=refused)

    def _last_number(self) -> int:
        """Count on where an earlier pivot of this instance stopped: no socket path comes twice."""
        numbers = [read_status(f"{self.base}.json").get("counter", 0)]
        for path in self.run_dir.glob(f"{self.instance}.*.*"):
            with contextlib.suppress(ValueError):
                numbers.append(int(path.name.split(".")[1]))
        return max(numbers)

    def _restarts(self) -> int:
        """How often an earlier pivot of this instance has ended although nobody asked for it."""
        last = read_status(f"{self.base}.json")
        if "restarts" not in last or "state" not in last:
            return 0
        return int(last["restarts"]) + (last["state"] not in (STOPPING, STOPPED))

    def ended(self, serving: Generation | None) -> int:
        """The serving process died by itself: leave nothing behind and hand on its code."""
        code = serving.exit_code if serving else 1
        self.say(f"release {serving.id if serving else None} ended with exit code {code}")
        self.kill(*self.alive)
        self.serving = None
        self.remove_link()
        self.tell(state=FAILED, exit_code=code, output=serving.last_lines() if serving else [])
        return code or 1

    def remove_link(self) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self.link)


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Run one process of an app; HUP moves it to the release that current names."
    )
    parser.add_argument("root", type=pathlib.Path, help="the app's directory, e.g. /srv/shop")
    parser.add_argument("instance", help="process type and number, e.g. web-1")
    parser.add_argument(
        "--run-dir", type=pathlib.Path, help="sockets and status (default: /run/APP)"
    )
    parser.add_argument("--journal", default=JOURNAL, help="journald's socket (%(default)s)")
    arguments = parser.parse_args()
    if not re.fullmatch(r"[\w-]+-\d+", arguments.instance):
        parser.error(f"{arguments.instance!r} is not of the form TYPE-K, e.g. web-1")
    root = arguments.root.absolute()
    run_dir = (arguments.run_dir or pathlib.Path("/run") / root.name).absolute()
    for descriptor in range(3):  # a pipe must not become 0, 1 or 2
        with contextlib.suppress(OSError):
            os.fstat(descriptor)
            continue
        os.open(os.devnull, os.O_RDWR)
    with open(run_dir / f"{arguments.instance}.lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"pivot: another pivot runs {arguments.instance} in {run_dir}", file=sys.stderr)
            time.sleep(RESPAWN_PAUSE)
            return 1
        return Pivot(root, arguments.instance, run_dir, arguments.journal).run()


if __name__ == "__main__":
    sys.exit(main())
