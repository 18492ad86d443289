# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ship the lines of log files: ``python3 log_shipper.py CONFIG``.

Every line arrives at least once: the place up to which a file counts as shipped moves on only after
the receiver has acknowledged. None arrives twice to any effect: a line is created under an id made
of what never changes of it (host, inode and birth of the file, offset, content), so that one which
was sent before is answered with 409. Only a line that says no time itself depends on when it is
read; that is written down before it is sent, for a shipper that was killed to send the same again.

The log files are the spool: nothing is kept besides them but offsets. A file that is renamed or
deleted stays open until it is read; how much of the disk deleted ones may hold is bounded.
"""

from __future__ import annotations

import contextlib
import glob
import itertools
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from log_lines import document, index_day, line_id, split
from log_receivers import RECEIVERS, Line, Outcome, Refused, Unavailable

POLL = 1.0  # seconds between two looks at the files, and between two attempts at first
IDLE = 60.0  # seconds without a write after which a file that was renamed gets no more
LINES = 2000  # in a request: short ones take far more memory than they are long
REMIND = 600.0  # seconds after which a trouble that lasts is said again
ROTATED = re.compile(r"[.-]\d+$")
COMPRESSED = (".gz", ".xz", ".bz2", ".zst")


def paths(pattern: str) -> list[str]:
    """The logs that a pattern names, and what they were renamed to; not what was compressed."""
    rotated = [path for path in glob.glob(f"{pattern}[.-][0-9]*") if ROTATED.search(path)]
    return [path for path in glob.glob(pattern) if not path.endswith(COMPRESSED)] + rotated


def open_log(path: str) -> int | None:
    """Open what is a file itself: a link may lead to what is no log, and a pipe to nowhere."""
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        if stat.S_ISREG(os.fstat(fd).st_mode):
            return fd
        os.close(fd)
    return None


class Log:
    """An open log file. As long as it is open its inode is not used for another."""

    def __init__(self, fd: int, path: str, fields: dict[str, Any]) -> None:
        self.fd, self.path, self.fields = fd, path, fields
        self.listed = True
        self.offset = self.cut = 0
        # Once it is closed, only its birth tells it from the next file with that inode.
        command = ["stat", "--dereference", "--format=%w", f"/proc/{os.getpid()}/fd/{fd}"]
        born = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
        self.inode = f"{os.fstat(fd).st_ino} {born.stdout.strip()}"
        self.look()

    def look(self) -> None:
        found = os.fstat(self.fd)
        self.size, self.modified = found.st_size, found.st_mtime
        self.deleted = found.st_nlink == 0

    @property
    def key(self) -> str:
        return f"{self.inode} {self.cut}"

    @property
    def base(self) -> str:
        return ROTATED.sub("", self.path)

    @property
    def over(self) -> bool:
        """Whether nobody writes to it any more."""
        renamed = self.deleted or not self.listed or self.path != self.base
        return renamed and time.time() - self.modified > IDLE

    def read(self, size: int, limit: int, end: int | None) -> Iterator[tuple[int, bytes]]:
        """The lines from the offset on, each with its place; up to ``end``, which ends a line."""
        data = os.pread(self.fd, size, self.offset)
        at = self.offset
        upto = at + len(data)
        for raw in split(data, limit, upto == end or (self.over and upto >= self.size)):
            yield at, raw
            at += len(raw)


class Shipper:
    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.receiver = RECEIVERS[config["output"]](config)
        self.host = socket.gethostname()
        self.stop = threading.Event()
        self.troubles: dict[str, tuple[str, float, float]] = {}
        self.logs: dict[tuple[int, int], Log] = {}
        self.served: dict[str, int] = {}  # log: the last batch that had lines of it
        self.batches = 0
        self.state_file = os.path.join(config["state"], "state.json")
        self.dead_file = os.path.join(config["state"], "dead.jsonl")
        self.known: dict[str, dict[str, Any]] = {}
        self.batch: dict[str, Any] = {}
        self.counts = {"shipped": 0, "dead": 0, "lost_bytes": 0}
        with contextlib.suppress(FileNotFoundError), open(self.state_file) as file:
            state = json.load(file)
            self.known, self.batch, self.counts = state["files"], state["batch"], state["counts"]

    # --- what is said ----------------------------------------------------------------------------

    def report(self, of: str, trouble: str) -> None:
        """Say what is wrong with something once, again after a while, and when it is over."""
        now = time.monotonic()
        before, since, said = self.troubles.pop(of, ("", now, -REMIND))
        if trouble:
            if now - said >= (REMIND if trouble == before else POLL * 30):
                say(4, f"{trouble}; trying again, nothing is lost while the log files are there")
                said = now
            self.troubles[of] = trouble, since, said
        elif before:
            say(5, f"{of}: works again after {now - since:.0f} s")

    def status(self) -> None:
        waiting = sum(log.size - log.offset for log in self.logs.values())
        counts = "{shipped} lines shipped, {dead} dead, {lost_bytes} bytes lost".format(
            **self.counts
        )
        troubles = "".join(f"; {trouble}" for trouble, *_times in self.troubles.values())
        notify(f"READY=1\nWATCHDOG=1\nSTATUS={counts}, {waiting} bytes to go{troubles}")

    def lose(self, path: str, size: int, why: str) -> None:
        if size > 0:
            self.counts["lost_bytes"] += size
            say(3, f"lost {size} bytes or more of {path}: {why} before they were shipped")

    # --- files -----------------------------------------------------------------------------------

    def look(self) -> None:
        """Find new files, and see what became of those that are open."""
        for log in self.logs.values():
            log.listed = False
        for source in self.config["files"]:
            for pattern in source["paths"]:
                for path in paths(pattern):
                    self.meet(path, source["fields"])
        for identity, log in list(self.logs.items()):
            before = log.size
            log.look()
            if log.size < log.offset:
                self.lose(log.path, before - log.offset, "it was truncated")
                log.offset, log.cut = 0, log.cut + 1
            if log.over and log.offset >= log.size and (log.deleted or not log.listed):
                self.forget(identity)
        deleted = sorted((log.modified, key) for key, log in self.logs.items() if log.deleted)
        while sum(self.logs[key].size for _age, key in deleted) > self.config["deleted_bytes"]:
            _age, key = deleted.pop(0)
            self.lose(
                self.logs[key].path, self.logs[key].size - self.logs[key].offset, "it was deleted"
            )
            self.forget(key)

    def meet(self, path: str, fields: dict[str, Any]) -> None:
        with contextlib.suppress(FileNotFoundError):
            found = os.stat(path, follow_symlinks=False)
            log = self.logs.get((found.st_dev, found.st_ino))
            if log is None:
                if (fd := open_log(path)) is None:
                    return
                log = Log(fd, path, fields)
                if entry := self.known.pop(log.inode, None):
                    log.offset, log.cut = entry["offset"], entry["cut"]
                found = os.fstat(fd)
                self.logs[(found.st_dev, found.st_ino)] = log
            log.path, log.listed = path, True

    def forget(self, identity: tuple[int, int]) -> None:
        os.close(self.logs.pop(identity).fd)

    def save(self, batch: dict[str, Any]) -> None:
        """Write down how far every file is shipped, and what is about to be sent."""
        self.batch = batch
        files = {
            log.inode: {"path": log.path, "offset": log.offset, "size": log.size, "cut": log.cut}
            for log in self.logs.values()
        }
        try:
            with open(f"{self.state_file}.new", "w") as file:
                json.dump({"files": files, "batch": batch, "counts": self.counts}, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(f"{self.state_file}.new", self.state_file)
            self.report("the state", "")
        except OSError as error:  # after a restart more is sent again, under the same ids
            self.report("the state", f"cannot write {self.state_file}: {error}")

    # --- lines -----------------------------------------------------------------------------------

    def lines(self, log: Log, at: float, size: int, end: int | None = None) -> Iterator[Line]:
        fields = {"ecs.version": "8.11.0", "host.name": self.host, "log.file.path": log.base}
        for start, raw in log.read(size, self.config["line_bytes"], end):
            found = document(raw, fields | log.fields, at)
            identity = line_id(self.host, log.key, start, raw)
            day = index_day(str(found["@timestamp"]), at, self.config["days"])
            yield Line(log.path, log.key, start, start + len(raw), raw, identity, day, found)

    def interrupted(self) -> list[Line]:
        """What the shipper before this one was sending when it ended: the same again."""
        logs = {log.key: log for log in self.logs.values()}
        batch: list[Line] = []
        for key, end in self.batch.get("ends", {}).items():
            if key in logs and end > logs[key].offset:
                batch += self.lines(logs[key], self.batch["at"], end - logs[key].offset, end)
        return batch

    def collect(self) -> list[Line]:
        """The next lines: the logs in turn, of each the oldest file first."""
        groups: dict[str, list[Log]] = {}
        for log in sorted(self.logs.values(), key=lambda log: log.modified):
            if log.offset < log.size:
                groups.setdefault(log.base, []).append(log)
        whole, at = self.config["batch_bytes"], time.time()
        share = max(whole // max(len(groups), 1), self.config["line_bytes"])
        batch: list[Line] = []
        self.batches += 1
        for base in sorted(groups, key=lambda base: self.served.get(base, 0)):
            if sum(len(line.raw) for line in batch) >= whole:
                break
            for log in groups[base]:
                if found := list(
                    itertools.islice(self.lines(log, at, share), LINES // len(groups) + 1)
                ):
                    batch += found
                    self.served[base] = self.batches
                    break
        if batch:
            self.save({"at": at, "ends": {line.key: line.end for line in batch}})
        return batch

    def attempt(self, lines: list[Line]) -> list[Outcome]:
        """Send lines; what is refused as a whole in halves, down to the line."""
        try:
            return self.receiver.send(lines)
        except Refused as error:
            if len(lines) == 1:
                return [Outcome("dead", str(error))]
            half = len(lines) // 2
            return self.attempt(lines[:half]) + self.attempt(lines[half:])

    def deliver(self, lines: list[Line]) -> None:
        """Send until every line is there or dead, and write that down; or until told to stop."""
        batch, pause = lines, POLL
        while lines and not self.stop.is_set():
            try:
                outcomes, trouble = self.attempt(lines), ""
            except Unavailable as error:
                outcomes, trouble = [Outcome("again", "")] * len(lines), str(error)
            again: list[Line] = []
            for line, outcome in zip(lines, outcomes, strict=True):
                if outcome.verdict == "again":
                    again.append(line)
                    trouble = trouble or f"{self.receiver.name} puts lines off: {outcome.reason}"
                elif outcome.verdict == "dead":
                    self.bury(line, outcome.reason)
                else:
                    self.counts["shipped"] += 1
            self.report("the receiver", trouble)
            self.status()
            if again:
                pause = self.wait(pause if len(again) == len(lines) else POLL)
            lines = again
        if not lines:
            logs = {log.key: log for log in self.logs.values()}
            for line in batch:
                if line.key in logs:
                    logs[line.key].offset = line.end
            self.save({})

    def wait(self, pause: float) -> float:
        """Look after the files while the receiver is left alone; the pause to make next."""
        until = time.monotonic() + pause
        while time.monotonic() < until and not self.stop.wait(POLL):
            self.look()
            self.status()
        return float(min(2 * pause, self.config["retry_seconds"]))

    def bury(self, line: Line, reason: str) -> None:
        """Keep a line that the receiver will never take where somebody can read it."""
        self.counts["dead"] += 1
        say(4, f"{line.file}, the line at {line.start}, goes to {self.dead_file}: {reason[:300]}")
        told = {"reason": reason, "file": line.file, "offset": line.start, "id": line.id}
        told["line"] = line.raw.decode("utf-8", "backslashreplace")
        try:
            with open(self.dead_file, "a") as file:
                file.write(json.dumps(told) + "\n")
                full = file.tell() > self.config["dead_bytes"] // 2
            if full:
                os.replace(self.dead_file, f"{self.dead_file}.1")
        except OSError as error:
            say(3, f"cannot write {self.dead_file}: {error}")

    def run(self) -> None:
        self.look()
        for entry in self.known.values():
            self.lose(entry["path"], entry["size"] - entry["offset"], "it was deleted")
        self.known = {}
        pause = POLL
        while not self.stop.is_set():
            self.status()
            try:
                self.receiver.prepare()
                break
            except Unavailable as error:
                self.report("the receiver", str(error))
            pause = self.wait(pause)
        self.deliver(self.interrupted())
        while not self.stop.is_set():
            batch = self.collect()
            self.deliver(batch)
            self.look()
            self.status()
            if not batch:
                self.stop.wait(POLL)


def say(level: int, text: str) -> None:
    """Into the journal, with syslog's level."""
    print(f"<{level}>{text}", file=sys.stderr, flush=True)


def notify(text: str) -> None:
    """Tell systemd, as in sd_notify(3)."""
    if address := os.environ.get("NOTIFY_SOCKET"):
        address = "\0" + address[1:] if address.startswith("@") else address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            way.sendto(text.encode(), address)


def main(path: str) -> None:
    with open(path) as file:
        shipper = Shipper(json.load(file))
    signal.signal(signal.SIGTERM, lambda *_rest: shipper.stop.set())
    shipper.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
