# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors and warnings in what apps and nginx write, a traceback being one event. Pure."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.tally import (
    OTHER,
    add_counts,
    fold,
)
from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.time_range import (
    Range,
    iso,
    read_time,
)

ERROR, WARNING, LOWER = "error", "warning", ""
WORDS = {
    **dict.fromkeys(("ERROR", "CRITICAL", "FATAL", "EMERG", "ALERT", "CRIT", "SEVERE"), ERROR),
    **dict.fromkeys(("WARNING", "WARN"), WARNING),
    **dict.fromkeys(("NOTICE", "INFO", "DEBUG", "TRACE", "NOTSET"), LOWER),
}
LOOKED_AT = 160  # letters at the beginning of a line in which its level and its time are
KEPT = 500  # letters of a message
UNDATED = 2000  # events that may wait for the next line that has a time

# A level stands alone: "ERROR", "[error]", "level=error", not "/ERROR" or "no errors".
LEVEL = re.compile(
    rf"(?<![\w/.-])({'|'.join(WORDS)})(?![\w/.-])|\[({'|'.join(WORDS).lower()})\]"
    rf"|(?i:\b(?:level|severity|lvl)=\"?({'|'.join(WORDS)})\b)"
)
TIME = re.compile(
    r"([0-9]{4})[-/]([0-9]{2})[-/]([0-9]{2})[T ]([0-9]{2}:[0-9]{2}:[0-9]{2})"
    r"(?:[.,]([0-9]{1,6})[0-9]*)?(?: ?(Z\b|[+-][0-9]{2}:?[0-9]{2}\b))?"
)
# At the beginning, after at most one word, such as a level: others are what the line is about.
DATED = re.compile(rf"[^A-Za-z0-9]{{0,20}}(?:[A-Za-z]+[^A-Za-z0-9]{{1,20}})?{TIME.pattern}")
TRACEBACK = re.compile(r"\s*(?:[+|] )?\s*(?:Exception Group )?Traceback \(most recent call last\):")
CHAINED = re.compile(
    r"(?:During handling of the above exception, another exception occurred"
    r"|The above exception was the direct cause of the following exception):"
)
EXCEPTION = re.compile(r"([A-Za-z_]\w*(?:[.]\w+)*)(?::\s|:?$)")
GROUP = re.compile(r"\s*\|\s+([A-Za-z_]\w*(?:[.]\w+)*Group: .*)")
FRAME = re.compile(r'\s+(?:\| +)?File "([^"]+)", line ([0-9]+)(?:, in (.+))?')
PYTHON_WARNING = re.compile(r"\S+:[0-9]+: (?:[\w.]+\.)?(\w*Warning): ")
PREFIX = re.compile(
    rf"[\s\[\](){{}}|<>:,-]*(?:{TIME.pattern}|(?:{'|'.join(WORDS)})\b"
    rf"|(?<=\[)(?:{'|'.join(WORDS).lower()})\b|(?<=\[)[0-9]+(?=\])|[0-9]+#[0-9]+:( \*[0-9]+)?)"
    r"[\s\]\[)}|>:,-]*"
)
PLACEHOLDERS = tuple(
    (re.compile(pattern, re.IGNORECASE), placeholder)
    for pattern, placeholder in (
        (TIME.pattern, "{time}"),
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "{uuid}"),
        (r"\b0x[0-9a-f]+\b", "{address}"),
        (r"(?<![\w@.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+", "{email}"),
        (r"\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b", "{ip}"),
        (r"\b(?=[a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{8,}\b", "{hash}"),
        (r"(?<!\w)[0-9]+(?:\.[0-9]+)*", "{number}"),
    )
)
# Where apps that log JSON put what the Elastic Common Schema calls by its own names.
LEVELS = ("log.level", "level", "levelname", "severity")
MESSAGES = ("message", "msg", "event")
TRACES = ("error.stack_trace", "exc_info", "exception", "traceback", "stack_trace")
NUMBERED = {"process.pid", "pid"}


@dataclass(frozen=True)
class Line:
    """One line as it was written: its text, and what is said about it beside that."""

    text: str
    at: float | None = None
    level: str | None = None  # None where nobody says
    release: str = ""
    trace: str = ""


@dataclass
class Event:
    """An error or a warning, with the traceback that belongs to it."""

    level: str
    message: str
    at: float | None
    release: str
    exception: str = ""
    where: str = ""  # the innermost frame


def clock(text: str) -> float | None:
    """The time at the beginning of a line. One without a zone is in the host's, as logging does."""
    match = DATED.match(text[:LOOKED_AT])
    if match is None:
        return None
    year, month, day, time, fraction, zone = match.groups()
    fraction = f".{fraction.ljust(6, '0')}" if fraction else ""
    try:
        return read_time(f"{year}-{month}-{day}T{time}{fraction}{zone or ''}")
    except ValueError:
        return None


def level_of(text: str) -> str | None:
    """``error``, ``warning``, ``""`` for anything less, None where the line does not say."""
    match = LEVEL.search(text[:LOOKED_AT])
    if match:
        return WORDS[(match[1] or match[2] or match[3]).upper()]
    return WARNING if PYTHON_WARNING.match(text) else None


def pick(fields: Mapping[str, Any], name: str) -> Any:
    """A field of the Elastic Common Schema, written with dots or nested."""
    if name in fields:
        return fields[name]
    value: Any = fields
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def first_text(fields: Mapping[str, Any], names: Iterable[str]) -> str:
    return next((value for name in names if isinstance(value := pick(fields, name), str)), "")


def read_line(text: str) -> Line:
    """A line of an app's log: an object with names of the Elastic Common Schema, or plain text."""
    if text.startswith("{"):
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError):
            fields = None
        if isinstance(fields, dict):
            return read_object(fields)
    return Line(text, clock(text))


def read_object(fields: Mapping[str, Any]) -> Line:
    message, word = first_text(fields, MESSAGES), first_text(fields, LEVELS).upper()
    name, explained = (pick(fields, key) for key in ("error.type", "error.message"))
    trace = first_text(fields, TRACES)
    if not trace and isinstance(name, str):
        trace = f"{name}: {explained}"
    try:
        told = first_text(fields, ("@timestamp", "timestamp", "time"))
        when: float | None = read_time(told, UTC)
    except ValueError:
        when = clock(message)
    release = pick(fields, "service.version")
    return Line(
        text=message or (explained if isinstance(explained, str) else ""),
        at=when,
        level=WORDS.get(word),
        release=release if isinstance(release, str) else "",
        trace=trace,
    )


class Assembler:
    """Puts the lines of one process together to events."""

    def __init__(self) -> None:
        self.event: Event | None = None
        self.inside = False  # a traceback
        self.open = False  # a traceback that comes now belongs to the event

    def feed(self, line: Line) -> Iterator[Event]:
        """The events that have ended with this line."""
        for number, text in enumerate(line.text.split("\n")):
            yield from self._text(text, line, line.level if number == 0 else None)
        for text in line.trace.split("\n") if line.trace else ():
            self._traced(text)

    def flush(self) -> Iterator[Event]:
        if self.event:
            yield self.event
        self.event, self.inside, self.open = None, False, False

    def _text(self, text: str, line: Line, level: str | None) -> Iterator[Event]:
        if TRACEBACK.match(text):
            if not (self.event and self.open):
                yield from self.flush()
                self.event = Event(ERROR, "", line.at, line.release)
            self.inside = self.open = True
        elif self.inside:
            yield from self._frame(text, line, level)
        elif CHAINED.match(text):
            self.open = True
        elif text and not text[0].isspace():  # otherwise it belongs to the line before
            yield from self._head(text, line, level)

    def _frame(self, text: str, line: Line, level: str | None) -> Iterator[Event]:
        """A line after the beginning of a traceback."""
        event = self.event
        if event is None or text[:1].isspace() or not text:
            if event and (match := FRAME.match(text)):
                event.where = f"{match[1]}:{match[2]}" + (f" in {match[3]}" if match[3] else "")
            elif event and (match := GROUP.match(text)) and not event.exception:
                event.exception = match[1][:KEPT]
            return
        self.inside = False
        if event and level_of(text) is None and EXCEPTION.match(text):
            event.exception = text[:KEPT]
            self.open = False  # another traceback is another event, unless it is said to be chained
        elif not CHAINED.match(text):
            yield from self._head(text, line, level)

    def _traced(self, text: str) -> None:
        """A line of a traceback that an object carries in a field of its own."""
        if self.event is None:
            return
        if match := FRAME.match(text):
            self.event.where = f"{match[1]}:{match[2]}" + (f" in {match[3]}" if match[3] else "")
        elif EXCEPTION.match(text) and not TRACEBACK.match(text) and not CHAINED.match(text):
            self.event.exception = text[:KEPT]

    def _head(self, text: str, line: Line, level: str | None) -> Iterator[Event]:
        yield from self.flush()
        level = level if level is not None else level_of(text)
        if level:
            self.event, self.open = Event(level, text[: KEPT * 2], line.at, line.release), True


@functools.lru_cache(maxsize=1 << 12)
def normal(text: str) -> str:
    """A message without what differs from one time to the next."""
    begin = 0
    while match := PREFIX.match(text, begin):
        begin = match.end()
    text = text[begin:]
    for pattern, name in PLACEHOLDERS:
        text = pattern.sub(name, text)
    return " ".join(text.split())[:KEPT]


@dataclass
class Group:
    """Events that say the same."""

    level: str
    message: str
    exception: str
    where: str
    count: int = 0
    undated: int = 0  # of the count: they may be from before or after the range
    first: float | None = None
    last: float | None = None
    processes: dict[str, int] = field(default_factory=dict)
    releases: dict[str, int] = field(default_factory=dict)
    hosts: dict[str, int] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.level}\n{self.message}\n{self.exception}\n{self.where}"

    def merge(self, other: Group) -> None:
        self.count += other.count
        self.undated += other.undated
        for own, others in (
            (self.processes, other.processes),
            (self.releases, other.releases),
            (self.hosts, other.hosts),
        ):
            add_counts(own, others)
        times = [at for at in (self.first, self.last, other.first, other.last) if at is not None]
        self.first, self.last = (min(times), max(times)) if times else (None, None)

    def told(self) -> dict[str, Any]:
        times = {key: None if (at := getattr(self, key)) is None else iso(at) for key in TIMES}
        return vars(self) | times


TIMES = ("first", "last")


def group_of(event: Event, process: str, release: str | None, undated: bool) -> Group:
    """The group that an event would be alone in."""
    where = re.sub(r":[0-9]+(?= in |$)", "", event.where)  # a line moves with every release
    where = re.sub(r"^/srv/[^/]+/releases/[^/]+/", "", where)
    return Group(
        level=event.level,
        message=normal(event.message),
        exception=normal(event.exception),
        where=where,
        count=1,
        undated=int(undated),
        first=event.at,
        last=event.at,
        processes={process: 1},
        releases={release or "unknown": 1},
    )


class Events:
    """Groups of events, of which no more than twice ``limit`` are held."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.groups: dict[str, Group] = {}

    def add(self, group: Group) -> None:
        known = self.groups.get(group.key)
        if known:
            known.merge(group)
            return
        if len(self.groups) > 2 * self.limit:
            self.fold()
        self.groups[group.key] = group

    def fold(self) -> None:
        """The rarest together, errors apart from warnings."""
        for level in (ERROR, WARNING):
            rest = Group(level, OTHER, "", "").key
            mine = {key: each for key, each in self.groups.items() if each.level == level}
            others = {key: each for key, each in self.groups.items() if each.level != level}
            if rest in mine:
                mine[OTHER] = mine.pop(rest)
            fold(mine, self.limit, lambda each: each.count, Group.merge)
            if folded := mine.pop(OTHER, None):
                folded.message, folded.exception, folded.where = OTHER, "", ""
                mine[rest] = folded
            self.groups = others | mine

    def merge(self, packed: Iterable[Mapping[str, Any]]) -> None:
        for each in packed:
            self.add(Group(**each))

    def packed(self) -> list[dict[str, Any]]:
        self.fold()
        return [dict(vars(group)) for group in self.groups.values()]

    def told(self) -> list[dict[str, Any]]:
        """Errors before warnings, the most frequent first."""
        self.fold()
        order = sorted(self.groups.values(), key=lambda each: (each.level, -each.count, each.key))
        return [group.told() for group in order]


class Dated:
    """Events of one file with their times.

    A line without a time lies between its neighbours that have one: the last before it, or else the
    end of the file before, and the next after it, or else the last change of its own file. It is
    left out when a range cannot hold it, and counted, as undated, when it might.
    """

    def __init__(self, wanted: Range, after: float, changed: float) -> None:
        self.wanted, self.last, self.changed = wanted, after, changed
        self.waiting: list[Event] = []

    def time(self, at: float) -> Iterator[tuple[Event, bool]]:
        """A line of this time was read: what waited for it, and whether that is undated."""
        yield from self._settle(at)
        self.last = at

    def event(self, event: Event) -> Iterator[tuple[Event, bool]]:
        if event.at is not None:
            if event.at in self.wanted:
                yield event, False
            return
        self.waiting.append(event)
        if len(self.waiting) > UNDATED:
            yield from self._settle(self.changed)

    def end(self) -> Iterator[tuple[Event, bool]]:
        yield from self._settle(self.changed)

    def _settle(self, until: float) -> Iterator[tuple[Event, bool]]:
        waiting, self.waiting = self.waiting, []
        if self.last < self.wanted.until and until >= self.wanted.since:
            inside = self.last >= self.wanted.since and until < self.wanted.until
            for event in waiting:
                yield event, not inside
