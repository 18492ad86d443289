# Copyright (c) 2026, twelvefactor.deploy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of nginx's access log as requests, their routes, and which release answered. Pure."""

from __future__ import annotations

import bisect
import functools
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.twelvefactor.deploy.plugins.module_utils._logs.time_range import read_time
from ansible_collections.twelvefactor.deploy.plugins.module_utils._release.record import Record

# Steps of a move, as the pivot calls them (tests/unit/test_contracts.py).
GATE, SWITCH, DRAIN = "gate", "switch", "drain"
DEPTH = 8  # parts of a path that a route has
METHODS = frozenset(
    ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"]
)
# Of the segment of a path, what names one thing out of many. The order matters.
PLACEHOLDERS = tuple(
    (re.compile(pattern, re.IGNORECASE), placeholder)
    for pattern, placeholder in (
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "{uuid}"),
        (r"[^/]+@[^/]+[.][^/]+", "{email}"),
        (r"(?<![0-9a-z])(?=[a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{8,}(?![0-9a-z])", "{hash}"),
        # base64 and the like: long, of digits and letters
        (
            r"(?<![0-9a-z_-])(?=[^0-9]*[0-9])(?=[^a-z]*[a-z])[0-9a-z_-]{20,}=*(?![0-9a-z_-])",
            "{token}",
        ),
        (r"(?<![0-9a-z])[0-9]+(?![0-9a-z])", "{number}"),
    )
)
TIMESTAMP = re.compile(r'[{]"@timestamp":"([^"]+)"')
LONGEST_SEGMENT = 60  # letters
SECONDS = re.compile(r"[0-9]{1,9}[.][0-9]{3}")


@dataclass(frozen=True)
class Request:
    """One answered request."""

    at: float  # when the answer was complete, seconds since the epoch
    began: float
    milliseconds: int
    method: str
    path: str
    status: int
    bytes: int
    id: str
    by_app: bool  # asked of the app, and not answered by nginx itself
    release: str  # as the app says it, "" where it does not
    header_seconds: str = ""  # until the app began to answer, one for each time that it was asked

    @property
    def route(self) -> str:
        return f"{self.method if self.method in METHODS else 'OTHER'} {route(self.path)}"

    @property
    def timed(self) -> int | None:
        """What stays open for minutes by its nature says nothing about how fast answers are."""
        return None if self.status == 101 else self.milliseconds

    @property
    def waited(self) -> int | None:
        """Milliseconds until the app began to answer, whatever the client and the size of the answer take.

        Of a log that does not say it, those of the whole request. None for a WebSocket.
        """
        if self.status == 101:
            return None
        asked = SECONDS.findall(self.header_seconds)
        return round(sum(map(float, asked)) * 1000) if asked else self.milliseconds


def clock(line: str) -> float | None:
    """The time of a line, without looking at the rest of it."""
    match = TIMESTAMP.match(line)
    try:
        return read_time(match[1]) if match else None
    except ValueError:
        return None


def parse_request(line: str) -> Request | None:
    """One line of the format ``json`` of the role nginx; None for anything else."""
    try:
        told = json.loads(line)
        at = read_time(told["@timestamp"])
        milliseconds = round(int(told["event.duration"]) / 1e6)
        return Request(
            at=at,
            began=at - milliseconds / 1000,
            milliseconds=milliseconds,
            method=str(told["http.request.method"]),
            path=str(told["url.original"]).partition("?")[0],
            status=int(told["http.response.status_code"]),
            bytes=int(told.get("http.response.bytes") or 0),
            id=str(told.get("http.request.id") or ""),
            by_app=bool(told.get("nginx.upstream.address")),
            release=str(told.get("service.version") or ""),
            header_seconds=str(told.get("nginx.upstream.header_seconds") or ""),
        )
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None


@functools.lru_cache(maxsize=1 << 14)
def route(path: str) -> str:
    """The path with what names one thing out of many replaced: ``/orders/{number}``."""
    if not path.startswith("/"):
        return "(no path)"  # what is no HTTP, or asks to be proxied
    found = [segment.partition(";")[0] for segment in path.split("/") if segment]
    slash = "/" if path.endswith("/") and found else ""
    parts = [placeholder(segment) for segment in found[:DEPTH]]
    more = "/..." if len(found) > DEPTH else slash
    return "/" + "/".join(parts) + more


def placeholder(segment: str) -> str:
    if len(segment) > 4 * LONGEST_SEGMENT:
        return "{long}"
    for pattern, name in PLACEHOLDERS:
        segment = pattern.sub(name, segment)
    return segment if len(segment) <= LONGEST_SEGMENT else "{long}"


@dataclass(frozen=True)
class Stretch:
    """From ``at`` on a release served; from ``unsure_from`` to ``settled`` it may be another.

    ``since`` is the time in the record, by which the attempt that it began with is known.
    """

    at: float
    settled: float
    release: str | None
    unsure_from: float
    since: str


# Seconds; a connection that nginx keeps to a web process goes on to the old one that long after a
# switch (keepalive_time of the role nginx).
KEPT = 2.0


class Served:
    """Which release served when, by the record of the host.

    The record has the second in which a move began and how long its steps took. The switch is
    therefore known to about a second, and what nginx keeps connected goes on to the old release
    for two more.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self.stretches = sorted(filter(None, map(stretch, records)), key=lambda stretch: stretch.at)
        self.starts = [stretch.at for stretch in self.stretches]

    def at(self, when: float) -> tuple[str | None, bool]:
        """The release that a request which began then was answered by, and whether that is sure."""
        number = bisect.bisect_right(self.starts, when)
        sure = not any(
            each.unsure_from <= when < each.settled
            for each in self.stretches[max(0, number - 1) : number + 1]
        )
        if number:
            return self.stretches[number - 1].release, sure
        return None, sure

    def stretch(self, when: float, named: str) -> Stretch | None:
        """The stretch in which a request began; None for one before the first.

        ``named`` is the release that answered it, empty where that is not said. It decides where
        the time is not sure.
        """
        number = bisect.bisect_right(self.starts, when)
        first = max(0, number - 2)
        near = self.stretches[first : number + 1]
        ends = [each.settled for each in self.stretches[first + 1 : number + 2]] + [float("inf")]
        for each, end in zip(near, ends, strict=False):
            if each.release == named and each.unsure_from <= when < end:
                return each
        return self.stretches[number - 1] if number else None


def stretch(record: Record) -> Stretch | None:
    """What an attempt changed; None when it changed nothing."""
    if record.before == record.release and record.outcome != "pending":
        return None
    try:
        began = read_time(record.at)
    except ValueError:
        return None
    steps = record.durations
    first = began + steps.get(GATE, 0.0)
    if record.outcome == "pending":  # cut off: nobody wrote down which one served
        return Stretch(began, float("inf"), record.before, began, record.at)
    last = max(first, began + 1 + (record.seconds or 0.0) - steps.get(DRAIN, 0.0))
    if record.outcome == "good":
        switch = min(first + 0.5 + steps.get(SWITCH, 0.0), last)
        return Stretch(switch, last + KEPT, record.release, first, record.at)
    if SWITCH not in steps:  # refused before anybody was sent to it
        return None
    # what the record has are the steps of the way back
    settled = began + 1 + (record.seconds or 0.0) + KEPT
    return Stretch(began, settled, record.before, began, record.at)
