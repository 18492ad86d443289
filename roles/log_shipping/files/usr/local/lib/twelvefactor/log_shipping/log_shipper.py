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
import itertools
import json
import os
import resource
import signal
import socket
import stat
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

from log_files import IDLE, Log, Parked, Source, open_log, paths
from log_lines import document, index_day, line_id
from log_receivers import RECEIVERS, Line, Outcome, Refused, Unavailable
from log_reports import Troubles, notify, say

POLL = 1.0  # seconds between two looks at the files, and between two attempts at first
LINES = 2000  # in a request: short ones take far more memory than they are long
FILES = 1024  # of a source that are open at a time
RESERVE = 32  # descriptors for everything but logs


class Shipper:
    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.receiver = RECEIVERS[config["output"]](config)
        self.host = socket.gethostname()
        self.stop = threading.Event()
        self.troubles = Troubles()
        self.sources = [
            Source(tuple(found["paths"]), found["fields"], found.get("fixed", False))
            for found in config["files"]
        ]
        descriptors, _most = resource.getrlimit(resource.RLIMIT_NOFILE)
        share = (descriptors - RESERVE) // max(len(self.sources), 1)
        self.files = max(min(FILES, share), 1)
        self.logs: dict[tuple[int, int], Log] = {}
        self.parked: dict[tuple[int, int], Parked] = {}
        self.served: dict[str, int] = {}  # source or log: the last batch that had lines of it
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

    def status(self) -> None:
        waiting = sum(log.size - log.offset for log in self.logs.values())
        counts = "{shipped} lines shipped, {dead} dead, {lost_bytes} bytes lost".format(
            **self.counts
        )
        troubles = "".join(f"; {trouble}" for trouble in self.troubles.texts())
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
        listed: set[tuple[int, int]] = set()
        for source in self.sources:
            listed |= self.survey(source)
        for identity in self.parked.keys() - listed:
            self.known.pop(self.parked.pop(identity).inode, None)
        for identity, log in list(self.logs.items()):
            before = log.size
            log.look()
            if log.size < log.offset:
                self.lose(log.path, before - log.offset, "it was truncated")
                log.offset, log.cut = 0, log.cut + 1
            if log.over and log.offset >= log.size and (log.deleted or not log.listed):
                self.forget(identity)
        self.spare()

    def spare(self) -> None:
        """Give up deleted logs that hold too much of the disk: of the source that holds most of it
        the oldest, so that none of another has to go for it."""
        deleted: dict[Source, list[tuple[int, int]]] = {}
        for key, log in sorted(self.logs.items(), key=lambda item: item[1].modified):
            if log.deleted:
                deleted.setdefault(log.source, []).append(key)
        held = {s: sum(self.logs[key].held for key in keys) for s, keys in deleted.items()}
        while sum(held.values()) > self.config["deleted_bytes"]:
            most = max(held, key=lambda source: held[source])
            key = deleted[most].pop(0)
            log = self.logs[key]
            held[most] -= log.held
            self.lose(log.path, log.size - log.offset, "it was deleted")
            self.forget(key)

    def survey(self, source: Source) -> set[tuple[int, int]]:
        """Open the new files of a source, as many as it may have open; all that there are."""
        listed: set[tuple[int, int]] = set()
        fresh: list[tuple[bool, float, str]] = []
        known = {inode.partition(" ")[0] for inode in self.known}
        for path in itertools.chain.from_iterable(map(paths, source.paths)):
            with contextlib.suppress(OSError):
                found = os.stat(path, follow_symlinks=False)
                if not stat.S_ISREG(found.st_mode):
                    continue
                identity = found.st_dev, found.st_ino
                seen, parked = identity in listed, self.parked.get(identity)
                listed.add(identity)
                if log := self.logs.get(identity):
                    log.path, log.listed = path, True
                elif not seen and (
                    parked is None
                    or (parked.size, parked.modified) != (found.st_size, found.st_mtime)
                ):
                    fresh.append((str(found.st_ino) not in known, found.st_mtime, path))
        room = self.files - sum(log.source is source for log in self.logs.values())
        if len(fresh) > room:
            room += self.park(source, len(fresh) - room)
        trouble = ""
        if len(fresh) > room:
            trouble = (
                f"{source.name}: only {self.files} files can be open at a time, and there are more; "
                "the others wait until some of these are shipped and idle"
            )
        for _new, _modified, path in sorted(fresh)[: max(room, 0)]:
            try:
                self.meet(path, source)
            except OSError as error:
                trouble = f"cannot open {path}: {error.strerror}"
        self.troubles.report(f"opening {source.name}", trouble)
        return listed

    def park(self, source: Source, number: int) -> int:
        """Close logs of a source which are shipped and to which nobody has written for a while."""
        idle = [
            (log.modified, key)
            for key, log in self.logs.items()
            if log.source is source and log.offset >= log.size and not log.deleted
            and time.time() - log.modified > IDLE
        ]  # fmt: skip
        for _modified, key in (parted := sorted(idle)[:number]):
            log = self.logs[key]
            self.parked[key] = Parked(log.inode, log.size, log.modified)
            self.known[log.inode] = {
                "path": log.path, "offset": log.offset, "size": log.size, "cut": log.cut
            }  # fmt: skip
            self.forget(key)
        return len(parted)

    def meet(self, path: str, source: Source) -> None:
        with contextlib.suppress(FileNotFoundError):
            if (fd := open_log(path)) is None:
                return
            try:
                log = Log(fd, path, source)
            except OSError:
                os.close(fd)
                raise
            if entry := self.known.pop(log.inode, None):
                log.offset, log.cut = entry["offset"], entry["cut"]
            found = os.fstat(fd)
            if (double := self.logs.get((found.st_dev, found.st_ino))) is not None:
                os.close(fd)  # renamed while it was looked for
                double.path, double.listed = path, True
                return
            if parked := self.parked.pop((found.st_dev, found.st_ino), None):
                self.known.pop(parked.inode, None)
            self.logs[(found.st_dev, found.st_ino)] = log

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
            self.troubles.report("the state", "")
        except OSError as error:  # after a restart more is sent again, under the same ids
            self.troubles.report("the state", f"cannot write {self.state_file}: {error}")

    # --- lines -----------------------------------------------------------------------------------

    def lines(self, log: Log, at: float, size: int, end: int | None = None) -> Iterator[Line]:
        fields = {"ecs.version": "8.11.0", "host.name": self.host, "log.file.path": log.base}
        for start, raw in log.read(size, self.config["line_bytes"], end):
            identity = line_id(self.host, log.key, start, raw)
            given = fields | log.source.fields
            fixed = given if log.source.fixed else {}
            # in nginx's lines client.ip says who a request came from; a version is no claim of origin
            origin = {*given, "client.ip"} - {"ecs.version"}
            reserved = sorted(origin) if log.source.fixed else ()
            if self.receiver.named:
                fixed = fixed | {"event.id": identity}
            found, timestamp = document(raw, given, at, fixed, reserved)
            day = index_day(timestamp, at, self.config["days"])
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
        """The next lines: the sources in turn, of each its logs, of each the oldest file first."""
        sources: dict[str, dict[str, list[Log]]] = {}
        for log in sorted(self.logs.values(), key=lambda log: log.modified):
            if log.offset < log.size:
                sources.setdefault(log.source.name, {}).setdefault(log.base, []).append(log)
        whole, at = self.config["batch_bytes"], time.time()
        present = {*sources, *itertools.chain.from_iterable(sources.values())}
        self.served = {name: last for name, last in self.served.items() if name in present}
        self.batches += 1
        batch: list[Line] = []
        for name in self.in_turn(sources):
            if sum(len(line.raw) for line in batch) >= whole:
                break
            part = self.collect_of(
                sources[name], at, whole // len(sources), LINES // len(sources) + 1
            )
            batch += part
            if part:
                self.served[name] = self.batches
        if batch:
            self.save({"at": at, "ends": {line.key: line.end for line in batch}})
        return batch

    def in_turn(self, names: Iterable[str]) -> list[str]:
        return sorted(names, key=lambda name: self.served.get(name, 0))

    def collect_of(
        self, logs: dict[str, list[Log]], at: float, size: int, number: int
    ) -> list[Line]:
        """The next lines of a source: about ``number`` and ``size`` bytes, or one of each log."""
        share = max(size // len(logs), self.config["line_bytes"])
        part: list[Line] = []
        for base in self.in_turn(logs):
            if sum(len(line.raw) for line in part) >= size or len(part) >= number:
                break
            for log in logs[base]:
                lines = self.lines(log, at, share)
                if found := list(itertools.islice(lines, number // len(logs) + 1)):
                    part += found
                    self.served[base] = self.batches
                    break
        return part

    def attempt(self, lines: list[Line]) -> list[Outcome]:
        """Send lines; what is refused as a whole in halves, down to the line.

        So is what makes the program fail: it would fail again after a restart, and every line
        would wait for one. Where no line gets through it is none of them, and they wait.
        """
        failed: list[str] = []
        outcomes = self.halve(lines, failed)
        if len(failed) == len(lines) > 1:
            raise Unavailable(f"cannot send to {self.receiver.name}: {failed[0]}")
        return outcomes

    def halve(self, lines: list[Line], failed: list[str]) -> list[Outcome]:
        try:
            return self.receiver.send(lines)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop all the others
            if len(lines) == 1:
                reason = str(error)
                if not isinstance(error, Refused):
                    reason = f"{type(error).__name__}: {error}"
                    failed.append(reason)
                return [Outcome("dead", reason)]
            half = len(lines) // 2
            return self.halve(lines[:half], failed) + self.halve(lines[half:], failed)

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
            self.troubles.report("the receiver", trouble)
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
                self.troubles.report("the receiver", str(error))
            pause = self.wait(pause)
        self.deliver(self.interrupted())
        while not self.stop.is_set():
            batch = self.collect()
            self.deliver(batch)
            self.look()
            self.status()
            if not batch:
                self.stop.wait(POLL)


def main(path: str) -> None:
    with open(path) as file:
        shipper = Shipper(json.load(file))
    signal.signal(signal.SIGTERM, lambda *_rest: shipper.stop.set())
    shipper.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
