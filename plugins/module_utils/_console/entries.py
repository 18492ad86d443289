# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of the logs of many hosts: which are wanted, in which order they come, how they look. Pure."""

from __future__ import annotations

import heapq
import itertools
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from ansible_collections.twelvefactor.deploy.plugins.module_utils._errors import printable
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.access import parse_request
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.events import (
    ERROR,
    WARNING,
    level_of,
    read_line,
)

ACCESS = "access"
HOLD = 0.4  # seconds that a line waits for earlier ones of other hosts
REST = 1.0  # seconds within which a line without a time is the rest of the one before it
LEVELS = {ERROR: (ERROR,), WARNING: (ERROR, WARNING)}
STATUS = re.compile(r"[1-5](xx|[0-9]{2})")


@dataclass(frozen=True)
class Entry:
    """One line of a log."""

    host: str
    source: str  # web-1, access
    at: float  # seconds since the epoch
    text: str
    level: str = ""
    status: int = 0
    release: str = ""


@dataclass
class Reader:
    """Makes entries of what one host sends.

    A line that has no time has that of the one before it, and its level and release: it is the rest of a
    traceback.
    """

    host: str
    last: dict[str, Entry] = field(default_factory=dict)
    came: dict[str, float] = field(default_factory=dict)

    def read(self, line: str, now: float) -> Entry | None:
        """None for what the follower did not write."""
        try:
            source, text, at = json.loads(line)
        except (ValueError, TypeError, RecursionError):
            return None
        if not isinstance(source, str) or not isinstance(text, str):
            return None
        entry = self._access(text, now) if source == ACCESS else None
        if entry is None:
            entry = self._app(source, text, float(at) if isinstance(at, int | float) else None, now)
        self.last[source], self.came[source] = entry, now
        return entry

    def _access(self, text: str, now: float) -> Entry | None:
        request = parse_request(text)
        if request is None:
            return None
        level = ERROR if request.status >= 500 else WARNING if request.status >= 400 else ""
        what = f"{request.status} {request.method} {request.path} {request.milliseconds} ms"
        said = f"{what} {request.release}".rstrip()
        return Entry(self.host, ACCESS, request.at, said, level, request.status, request.release)

    def _app(self, source: str, text: str, at: float | None, now: float) -> Entry:
        line, before = read_line(text), self.last.get(source)
        at = line.at or at
        level = line.level if line.level is not None else level_of(line.text)
        soon = now - self.came.get(source, now) < REST
        follows = soon and at is None and level is None
        text_shown = "\n".join(filter(None, (line.text or text, line.trace)))
        return Entry(
            self.host,
            source,
            at or (before.at if before and follows else now),
            text_shown,
            (before.level if before and follows else level) or "",
            0,
            line.release or (before.release if before and follows else ""),
        )


@dataclass(frozen=True)
class Wanted:
    """What is asked for; empty where anything is."""

    process: str = ""  # web, web-1, access
    level: str = ""
    status: str = ""  # 404, 5xx
    release: str = ""  # an id, or how it begins

    def __contains__(self, entry: object) -> bool:
        if not isinstance(entry, Entry):
            return False
        return (
            (not self.process or self.process in (entry.source, entry.source.rpartition("-")[0]))
            and (not self.level or entry.level in LEVELS[self.level])
            and (not self.status or matches(self.status, entry.status))
            and (not self.release or entry.release.startswith(self.release))
        )


def matches(wanted: str, status: int) -> bool:
    return str(status)[:1] == wanted[:1] if wanted.endswith("xx") else str(status) == wanted


class Merged:
    """Entries in the order of time, as far as those of other hosts have come by then."""

    def __init__(self, hold: float = HOLD) -> None:
        self.hold = hold
        self.waiting: list[tuple[float, int, float, Entry]] = []
        self.numbers = itertools.count()

    def add(self, entry: Entry, now: float) -> None:
        heapq.heappush(self.waiting, (entry.at, next(self.numbers), now, entry))

    def due(self, now: float) -> Iterator[Entry]:
        """Those that have waited long enough, and all that are earlier than one of these."""
        ripe = [at for at, _number, came, _entry in self.waiting if came + self.hold <= now]
        if ripe:
            last = max(ripe)
            while self.waiting and self.waiting[0][0] <= last:
                yield heapq.heappop(self.waiting)[3]

    def rest(self) -> Iterator[Entry]:
        while self.waiting:
            yield heapq.heappop(self.waiting)[3]


def shown(entry: Entry, host_width: int, *, colour: bool = False) -> str:
    """An entry as lines for a person, in local time."""
    clock = time.strftime("%H:%M:%S", time.localtime(entry.at))
    milliseconds = int(entry.at % 1 * 1000)
    head = f"{clock}.{milliseconds:03} {printable(entry.host):<{host_width}} {printable(entry.source):<8} "
    code = {ERROR: "31", WARNING: "33"}.get(entry.level) if colour else None
    lines = printable(entry.text).split("\n")
    if code:
        lines = [f"\x1b[{code}m{line}\x1b[0m" for line in lines]
    return "\n".join(f"{head}{line}" for line in lines)
