# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One start of one release."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import signal
from collections import deque
from typing import Any, NoReturn

from . import port
from .kernel import PR_SET_PDEATHSIG, prctl
from .output import LONGEST_LINE, event, timestamp
from .release import environment, shell_command
from .removal import remove

# Output kept to explain why a generation failed, in lines: the error may stand before two tracebacks of
# a server that gives up, which take some fifty lines on Python 3.13.
TAIL_LINES = 100
PIPE_SIZE = 1 << 20  # bytes that a process may write ahead of the supervisor
HANDLED = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


class Generation:
    """One start of one release: its process, its socket and the last lines that it wrote."""

    def __init__(self, number: int, release: pathlib.Path, spec: dict[str, Any], base: str) -> None:
        self.number = number
        self.release = release
        self.id = release.name
        self.spec = spec
        self.socket = f"{base}.{number}.sock" if spec["socket"] else None
        self.private = f"{base}.{number}.d"
        self.port: int | None = None  # where it is to listen, if it knows TCP only
        self.pid = 0
        self.output = -1  # read end of the process's stdout and stderr
        self.status: int | None = None  # wait status once it has ended
        self.origin: dict[str, Any] | None = None  # what each line is marked with
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._rest = b""  # a line that is not complete yet

    def start(self, app: str, instance: str) -> None:
        if self.socket and self.spec["port"]:
            self.port = port.choose()
        env = environment(app, instance, self.release, self.listens_at(), self.private)
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

    def listens_at(self) -> str | int | None:
        """The socket's path, or the port; None when it does not listen."""
        return self.port or self.socket

    def _become(self, command: str, env: dict[str, str], writer: int, parent: int) -> NoReturn:
        """In the child: turn into the command."""
        try:
            os.setsid()  # its own process group, so that KILL can reach all of it
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
            os.dup2(writer, 1)
            os.dup2(writer, 2)
            for number in HANDLED + IGNORED_BY_PYTHON:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            os.chdir(self.release)
            if self.port and self.socket:
                with port.listen(self.socket) as listener:
                    if os.fork() == 0:
                        port.become_proxy(listener, self.port, env)
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

    def read_rest(self) -> bytes:
        """What is in the pipe; no more than fits into it, for orphans may go on writing."""
        found = bytearray()
        for _read in range(2 * PIPE_SIZE >> 16):
            if (data := self.read()) is None:
                break
            found += data
        return bytes(found)

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
